"""Layers that move values about: refusals, signatures, symbolic shapes."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError

RESIZING = [
    getattr(layers, f"{kind}{rank}D") for kind in ("ZeroPadding", "Cropping", "UpSampling") for rank in (1, 2, 3)
]


def test_reshape_says_how_many_values_there_are_and_what_would_fit():
    for inputs in (np.zeros((5, 10), "float32"), lamina.Input((10,))):
        with pytest.raises(ShapeError, match=r"cannot make \(3, 4\) of samples of shape \(10,\)") as caught:
            layers.Reshape((3, 4), name="r")(inputs)
        assert caught.value.layer == "r"
        assert caught.value.expected == "12 values in a sample: 3 x 4"
        assert caught.value.received == "10 values in a sample: 10"
        (label, shapes), *_ = caught.value.notes
        assert label == "would fit"
        assert "(2, 5)" in shapes


def test_what_would_fit_does_fit():
    for target, total in [((3, 4), 10), ((28, 28, 1), 783), ((5,), 7), ((2, 3, 4, 5), 48), ((4, -1), 9)]:
        with pytest.raises(ShapeError) as caught:
            layers.Reshape(target)(np.zeros((2, total), "float32"))
        shapes = caught.value.notes[0][1]
        for shape in eval(f"[{shapes}]"):
            assert layers.Reshape(shape)(lamina.Input((total,))).shape == (None, *shape)


def test_reshape_with_a_size_left_over():
    with pytest.raises(ShapeError, match=r"they have 10 values, not a multiple of 3"):
        layers.Reshape((3, -1))(lamina.Input((5, 2)))
    assert layers.Reshape((3, -1))(lamina.Input((None, 3))).shape == (None, 3, None)
    assert layers.Reshape((2, None)).target_shape == (2, -1)


def test_reshape_of_an_open_size_to_a_fixed_one():
    layer = layers.Reshape((3, 4))
    assert layer(lamina.Input((None, 2))).shape == (None, 3, 4)
    assert layer(np.zeros((1, 6, 2), "float32")).shape == (1, 3, 4)
    with pytest.raises(ShapeError, match="they have 10 values, not 12"):
        layer(np.zeros((1, 5, 2), "float32"))
    with pytest.raises(ShapeError, match="no size for None gives 15 values"):
        layers.Reshape((3, 5))(lamina.Input((None, 2)))


def test_signatures_follow_the_arguments():
    assert layers.Reshape((3, -1, 4)).signature == "batch ... -> batch 3 rest 4"
    assert layers.Permute((2, 3, 1)).signature == "batch axis_1 axis_2 axis_3 -> batch axis_2 axis_3 axis_1"
    first = layers.ZeroPadding2D(data_format="channels_first")
    assert first.signature == "batch channels height width -> batch channels new_height new_width"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.Reshape((-1, -1)), "only one size may be -1"),
        (lambda: layers.Reshape((2, -2)), r"`target_shape`=\(2, -2\): expected a tuple of sizes"),
        (lambda: layers.Reshape("3"), "`target_shape`='3'"),
        (lambda: layers.Reshape((2.5, 4)), "`target_shape`"),
        (lambda: layers.Permute((1, 3)), r"`dims`=\(1, 3\): expected an order of 1, 2"),
        (lambda: layers.Permute((0, 1)), r"`dims`=\(0, 1\)"),
        (lambda: layers.Permute(2), "`dims`=2"),
        (lambda: layers.RepeatVector(0), "`n`=0: expected a positive whole number"),
        (lambda: layers.RepeatVector(2.0), r"`n`=2\.0"),
        (lambda: layers.ZeroPadding1D(-1), "`padding`=-1: expected 0 or more"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), "expected a whole number, 2 of them, or 2 pairs of them"),
        (lambda: layers.ZeroPadding2D(((1, 2, 3), (1, 1))), "`padding`"),
        (lambda: layers.Cropping2D("11"), "`cropping`='11'"),
        (lambda: layers.UpSampling1D(0), "`size`=0"),
        (lambda: layers.UpSampling2D(2, interpolation="biliner"), "did you mean 'bilinear'"),
    ],
)
def test_arguments_out_of_range_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_flatten_orders_the_row_alike_in_both_formats():
    x = np.arange(24.0, dtype="float32").reshape(1, 2, 3, 4)
    last = layers.Flatten()(x)
    first = layers.Flatten("channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(first, last)
    np.testing.assert_array_equal(last[0], np.arange(24.0))
    assert str(layers.Flatten()(lamina.Input(("t", 3))).dims) == "(batch, 3*t)"


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_cropping_everything_is_refused(rank):
    cls = getattr(layers, f"Cropping{rank}D")
    sample = (*(9,) * (rank - 1), 4, 2)
    cropping = (2, 2) if rank == 1 else (1,) * (rank - 1) + ((2, 2),)
    axis = "length" if rank == 1 else "width"
    for inputs in (np.zeros((1, *sample), "float32"), lamina.Input(sample)):
        with pytest.raises(ShapeError, match=f"leaves nothing of the {axis} axis, which has size 4") as caught:
            cls(cropping)(inputs)
        assert caught.value.expected == f"{axis} of 5 or more"


@pytest.mark.parametrize("cls", RESIZING)
def test_channels_first_is_channels_last_transposed(cls):
    if "data_format" not in cls(1).get_config():
        pytest.skip("has no data_format, as in Keras")
    x = np.random.default_rng(0).normal(size=(2, *(5, 6, 7)[: cls.rank], 3)).astype("float32")
    last = cls(2)(x)
    first = cls(2, data_format="channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


def test_wrong_ranks_are_refused():
    for layer, shape in [
        (layers.Permute((2, 1)), (2, 3, 4)),
        (layers.RepeatVector(2), (3, 4)),
        (layers.ZeroPadding2D(), (8, 3)),
        (layers.UpSampling1D(), (8,)),
    ]:
        with pytest.raises(ShapeError, match="cannot take an input of shape"):
            layer(lamina.Input(shape))


@pytest.mark.parametrize("cls", [layers.Flatten, layers.Reshape, layers.Permute, layers.RepeatVector, *RESIZING])
def test_card(cls):
    layer = cls(**cls.example_config)
    signature = lamina.shapes.Signature.parse(layer.signature)
    shape = layer(lamina.Input(cls.example_input[1:])).shape
    assert signature.inputs[0].fits_rank(len(cls.example_input))
    assert signature.outputs[0].fits_rank(len(shape))
    assert set(cls.shape_arguments) <= set(layer.get_config())
    assert cls.common_mistakes
    again = cls.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
