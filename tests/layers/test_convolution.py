"""Convolutions: refusals, axis orders, symbolic shapes, data types."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core import config
from lamina.shapes import ShapeError

EVERY = [
    (layers.Conv1D, (4, 3), 1),
    (layers.Conv2D, (4, 3), 2),
    (layers.Conv3D, (4, 3), 3),
    (layers.DepthwiseConv1D, (3,), 1),
    (layers.DepthwiseConv2D, (3,), 2),
    (layers.SeparableConv1D, (4, 3), 1),
    (layers.SeparableConv2D, (4, 3), 2),
    (layers.Conv1DTranspose, (4, 3), 1),
    (layers.Conv2DTranspose, (4, 3), 2),
    (layers.Conv3DTranspose, (4, 3), 3),
]
WINDOWED = [case for case in EVERY if "Transpose" not in case[0].__name__]


@pytest.mark.parametrize(("cls", "args", "rank"), EVERY)
def test_channels_first_is_channels_last_transposed(cls, args, rank):
    x = np.random.default_rng(0).normal(size=(2, *(5, 6, 7)[:rank], 2)).astype("float32")
    last, first = (cls(*args, strides=2, padding="same", data_format=f"channels_{f}") for f in ("last", "first"))
    expected = last(x)
    moved = np.moveaxis(x, -1, 1)
    first.build(moved.shape)
    first.set_weights([np.asarray(w) + 0.5 for w in last.get_weights()])
    last.set_weights(first.get_weights())
    assert not np.allclose(last(x), expected)
    np.testing.assert_allclose(np.moveaxis(first(moved), 1, -1), last(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("cls", "args", "rank"), WINDOWED)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_kernel_larger_than_an_axis_is_refused(cls, args, rank, data_format):
    sizes = [9] * (rank - 1) + [2]
    sample = (*sizes, 3) if data_format == "channels_last" else (3, *sizes)
    axis = {1: "length", 2: "width", 3: "width"}[rank]
    entry = "kernel_size" if rank == 1 else rf"kernel_size\[{rank - 1}\]"
    text = rf'{cls.__name__} "small": {entry}=3 does not fit into the {axis} axis, which has size 2'
    for call in (
        lambda layer: layer(np.zeros((1, *sample), "float32")),
        lambda layer: layer(lamina.Input(sample)),
        lambda layer: layer.compute_output_shape((None, *sample)),
    ):
        with pytest.raises(ShapeError, match=text) as caught:
            call(cls(*args, data_format=data_format, name="small"))
        assert caught.value.layer == "small"
        assert caught.value.expected == f"{axis} of 3 or more with padding='valid'"
        assert f"{axis}=2" in caught.value.received
        assert caught.value.call_site.file == __file__
    assert cls(*args, data_format=data_format, padding="same")(lamina.Input(sample)).shape[0] is None


def test_dilation_counts_for_what_a_kernel_reaches():
    layer = layers.Conv1D(1, 3, dilation_rate=4)
    assert layer(lamina.Input((9, 1))).shape == (None, 1, 1)
    with pytest.raises(ShapeError, match=r"kernel_size=3 with dilation_rate=4 does not fit .* has size 8"):
        layers.Conv1D(1, 3, dilation_rate=4)(lamina.Input((8, 1)))
    assert layers.Conv1D(1, 3, dilation_rate=4, padding="causal")(lamina.Input((2, 1))).shape == (None, 2, 1)


def test_causal_padding_sees_nothing_later():
    layer = layers.Conv1D(1, 3, padding="causal", kernel_initializer="ones")
    x = np.zeros((1, 6, 1), "float32")
    x[0, 3] = 1.0
    np.testing.assert_allclose(layer(x)[0, :, 0], [0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.Conv1D(0, 3), "`filters`=0: expected a positive whole number"),
        (lambda: layers.Conv1D(-2, 3), "`filters`=-2"),
        (lambda: layers.Conv1D(2.0, 3), r"`filters`=2\.0"),
        (lambda: layers.Conv2D(2, 0), "`kernel_size`=0: expected 1 or more"),
        (lambda: layers.Conv2D(2, (3, 3, 3)), r"`kernel_size`=\(3, 3, 3\): expected a whole number or 2 of them"),
        (lambda: layers.Conv2D(2, 3, strides=0), "`strides`=0"),
        (lambda: layers.Conv2D(2, 3, padding="causal"), "`padding`='causal': expected one of 'valid', 'same'"),
        (lambda: layers.Conv1D(2, 3, padding="cusal"), "did you mean 'causal'"),
        (lambda: layers.Conv1D(2, 3, data_format="last"), "`data_format`='last'"),
        (lambda: layers.Conv1D(5, 3, groups=2), "`filters`=5 must be a multiple of `groups`=2"),
        (lambda: layers.Conv2D(2, 3, strides=2, dilation_rate=(1, 2)), "at most one of them may be more than 1"),
        (lambda: layers.DepthwiseConv1D(3, strides=2, dilation_rate=2), "at most one of them may be more than 1"),
        (lambda: layers.SeparableConv1D(2, 3, strides=2, dilation_rate=2), "at most one of them may be more than 1"),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "`depth_multiplier`=0"),
        (lambda: layers.Conv1DTranspose(2, 3, strides=2, output_padding=2), "`output_padding`=2 must be less"),
        (lambda: layers.Conv1DTranspose(2, 3, padding="causal"), "`padding`='causal'"),
        (lambda: layers.Conv1D(2, 3, activation="rleu"), "did you mean 'relu'"),
    ],
)
def test_arguments_out_of_range_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_groups_must_divide_the_channels():
    with pytest.raises(ShapeError, match="groups=2 does not divide the 3 channels") as caught:
        layers.Conv2D(4, 3, groups=2)(lamina.Input((8, 8, 3)))
    assert caught.value.received == "(None, 8, 8, 3)   channels=3"


def test_open_channels_are_refused():
    with pytest.raises(ShapeError, match="channels") as caught:
        layers.Conv1D(4, 3)(lamina.Input((8, None)))
    assert "weights depend on it" in caught.value.expected
    with pytest.raises(ShapeError, match="the channels are open"):
        layers.Conv1D(4, 3).build((None, 8, None))


def test_a_wrong_rank_and_other_channels_are_refused():
    layer = layers.Conv1D(4, 3, name="conv")
    with pytest.raises(ShapeError) as caught:
        layer(np.zeros((300, 128), "float32"))
    assert caught.value.expected == "(batch, length, channels)   3 axes"
    layer(np.zeros((1, 8, 2), "float32"))
    with pytest.raises(ShapeError) as caught:
        layer(np.zeros((1, 8, 5), "float32"))
    assert caught.value.expected.endswith("channels=2")
    assert caught.value.received.endswith("channels=5")


def test_sizes_may_be_numpy_integers_and_lists():
    layer = layers.Conv2D(np.int64(4), [np.int32(3), 2], strides=np.array([1, 2]))
    assert layer(lamina.Input((8, 8, 3))).shape == (None, 6, 4, 4)
    assert layer.kernel_size == (3, 2)
    assert layer.get_config()["strides"] == (1, 2)


def test_open_sizes_give_expressions():
    image = lamina.Input(("h", "w", 3))
    assert str(layers.Conv2D(4, (3, 2), strides=2)(image).dims) == "(batch, (h - 3)//2 + 1, w//2, 4)"
    assert str(layers.Conv2D(4, 3, padding="same")(image).dims) == "(batch, h, w, 4)"
    sound = lamina.Input(("t", 2))
    assert str(layers.Conv1D(4, 5, padding="causal")(sound).dims) == "(batch, t, 4)"
    assert str(layers.Conv1DTranspose(4, 2, strides=2)(sound).dims) == "(batch, 2*t, 4)"


def test_the_default_order_of_axes_is_the_configured_one():
    config.set_image_data_format("channels_first")
    try:
        layer = layers.Conv2D(4, 3)
    finally:
        config.set_image_data_format("channels_last")
    assert layer(lamina.Input((3, 8, 8))).shape == (None, 4, 6, 6)
    assert layer.signature == "batch channels height width -> batch filters new_height new_width"


def test_mixed_precision_computes_in_half_and_keeps_whole_weights():
    layer = layers.Conv1D(4, 3, dtype="mixed_bfloat16")
    assert layer(np.zeros((1, 8, 2), "float32")).dtype == "bfloat16"
    assert layer.kernel.dtype == "float32"


def test_old_names():
    assert layers.Convolution2D is layers.Conv2D
    assert layers.SeparableConvolution1D is layers.SeparableConv1D
    assert lamina.core.registry.find("layer", "Convolution1D") is layers.Conv1D


@pytest.mark.parametrize(("cls", "args", "rank"), EVERY)
def test_card(cls, args, rank):
    layer = cls(**cls.example_config)
    inputs, outputs = (side.names for side in (*_axes(layer),))
    shape = layer(lamina.Input(cls.example_input[1:])).shape
    assert (len(inputs), len(outputs)) == (len(cls.example_input), len(shape))
    assert set(cls.shape_arguments) <= set(layer.get_config())
    assert cls.common_mistakes
    if "filters" in outputs:
        assert shape[outputs.index("filters")] == layer.filters


def _axes(layer):
    signature = lamina.shapes.Signature.parse(layer.signature)
    return signature.inputs[0], signature.outputs[0]
