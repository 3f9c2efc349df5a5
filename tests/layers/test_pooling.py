"""Poolings: refusals, axis orders, masks, data types."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError

WINDOWS = [getattr(layers, f"{kind}Pooling{rank}D") for kind in ("Max", "Average") for rank in (1, 2, 3)]
GLOBAL = [getattr(layers, f"Global{kind}Pooling{rank}D") for kind in ("Max", "Average") for rank in (1, 2, 3)]


@pytest.mark.parametrize("cls", WINDOWS + GLOBAL)
def test_channels_first_is_channels_last_transposed(cls):
    x = np.random.default_rng(0).normal(size=(2, *(5, 6, 7)[: cls.rank], 3)).astype("float32")
    arguments = {"pool_size": 2, "padding": "same"} if cls in WINDOWS else {"keepdims": True}
    last = cls(**arguments)(x)
    first = cls(**arguments, data_format="channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), last, rtol=1e-6)


@pytest.mark.parametrize("cls", WINDOWS)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_window_larger_than_an_axis_is_refused(cls, data_format):
    sizes = [2] + [9] * (cls.rank - 1)
    sample = (*sizes, 8) if data_format == "channels_last" else (8, *sizes)
    axis = {1: "length", 2: "height", 3: "depth"}[cls.rank]
    entry = "pool_size" if cls.rank == 1 else r"pool_size\[0\]"
    text = rf'{cls.__name__} "pool": {entry}=3 does not fit into the {axis} axis, which has size 2'
    for inputs in (np.zeros((1, *sample), "float32"), lamina.Input(sample)):
        with pytest.raises(ShapeError, match=text) as caught:
            cls(3, data_format=data_format, name="pool")(inputs)
        assert caught.value.layer == "pool"
        assert caught.value.call_site.file == __file__
    assert len(cls(3, data_format=data_format, padding="same")(lamina.Input(sample)).shape) == cls.rank + 2


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.MaxPooling2D(0), "`pool_size`=0"),
        (lambda: layers.MaxPooling2D((2, 2, 2)), r"`pool_size`=\(2, 2, 2\): expected a whole number or 2"),
        (lambda: layers.MaxPooling1D(2, strides=-1), "`strides`=-1"),
        (lambda: layers.AveragePooling1D(2, padding="causal"), "`padding`='causal': expected one of 'valid', 'same'"),
        (lambda: layers.GlobalMaxPooling1D("chanels_last"), "did you mean 'channels_last'"),
    ],
)
def test_arguments_out_of_range_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_a_wrong_rank_is_refused():
    with pytest.raises(ShapeError) as caught:
        layers.MaxPooling2D()(lamina.Input((28, 28)))
    assert caught.value.expected == "(batch, height, width, channels)   4 axes"
    with pytest.raises(ShapeError):
        layers.GlobalAveragePooling1D()(np.zeros((2, 3), "float32"))


def test_padding_does_not_count_in_a_mean():
    x = np.ones((1, 5, 5, 1), "float32")
    np.testing.assert_array_equal(layers.AveragePooling2D(3, padding="same")(x), np.ones((1, 2, 2, 1)))


def test_padding_never_wins_a_maximum():
    x = np.full((1, 5, 1), -3.0, "float32")
    np.testing.assert_array_equal(layers.MaxPooling1D(2, padding="same")(x), np.full((1, 3, 1), -3.0))


def test_integers_stay_integers_in_a_maximum():
    out = layers.MaxPooling1D(2)(np.array([[[1], [7], [3], [2]]], "uint8"))
    assert out.dtype == "uint8"
    assert out.ravel().tolist() == [7, 3]


def test_open_sizes_give_expressions():
    assert str(layers.MaxPooling1D(2)(lamina.Input(("t", 2))).dims) == "(batch, t//2, 2)"
    assert layers.GlobalMaxPooling2D()(lamina.Input((None, None, 2))).shape == (None, 2)


def test_the_average_takes_a_mask_and_ends_it():
    embedded = np.array([[[1.0], [3.0], [50.0]], [[4.0], [60.0], [70.0]]], "float32")
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    layer = layers.GlobalAveragePooling1D()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert layer(embedded, mask=mask).ravel().tolist() == [2.0, 4.0]
        symbolic = lamina.Input((3, 1))
        symbolic._keras_mask = lamina.Input((3,), dtype="bool")
        assert layer(symbolic)._keras_mask is None


@pytest.mark.parametrize("cls", WINDOWS + GLOBAL)
def test_card(cls):
    layer = cls(**cls.example_config)
    signature = lamina.shapes.Signature.parse(layer.signature)
    shape = layer(lamina.Input(cls.example_input[1:])).shape
    outputs = signature.outputs[0].names
    assert (signature.inputs[0].least_rank, len(outputs)) == (len(cls.example_input), len(shape))
    assert shape[outputs.index("channels")] == cls.example_input[-1]
    assert set(cls.shape_arguments) <= set(layer.get_config())
    assert cls.common_mistakes


def test_signature_of_kept_axes():
    assert layers.GlobalMaxPooling2D(keepdims=True).signature == "batch height width channels -> batch 1 1 channels"
    first = layers.GlobalMaxPooling1D("channels_first", keepdims=True)
    assert first.signature == "batch channels length -> batch channels 1"


def test_other_names():
    assert layers.MaxPool2D is layers.MaxPooling2D
    assert layers.AvgPool1D is layers.AveragePooling1D
    assert layers.GlobalAvgPool3D is layers.GlobalAveragePooling3D
    assert layers.GlobalMaxPool1D is layers.GlobalMaxPooling1D
    assert lamina.core.registry.find("layer", "MaxPool2D") is layers.MaxPooling2D
