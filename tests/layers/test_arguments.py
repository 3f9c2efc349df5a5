"""Arguments that are no tensors, or too many, are refused in words; so are settings that no input fits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError


@pytest.mark.parametrize("symbolic", [True, False])
def test_two_tensors_in_place_of_a_list(symbolic: bool) -> None:
    x = lamina.Input((3,)) if symbolic else np.zeros((2, 3))
    with pytest.raises(ValueError, match=r'Add "add.*" takes 1 argument: inputs; 2 came.*layer\(\[a, b\]\)'):
        layers.Add()(x, x)


def test_as_many_arguments_as_call_takes() -> None:
    class Sum(layers.Layer):
        def call(self, *tensors: Any) -> Any:
            return sum(tensors)

    class Pair(layers.Layer):
        def call(self, a: Any, b: Any, *, scale: float = 2.0) -> Any:
            return (a + b) * scale

    one = np.ones((2, 3), "float32")
    assert float(Sum()(one, one, one)[0, 0]) == 3.0
    assert float(Pair()(one, one)[0, 0]) == 4.0
    with pytest.raises(ValueError, match="takes 2 arguments: a, b; 3 came"):
        Pair()(one, one, 3.0)


def test_a_layer_in_place_of_its_output() -> None:
    with pytest.raises(ValueError, match=r'"outer" takes a tensor; ReLU "inner" came, a layer that was not called'):
        layers.Dense(2, name="outer")(layers.ReLU(name="inner"))


@pytest.mark.parametrize("given", [(10,), [1.0, 2.0], 3.0, "text"])
def test_no_tensor(given: Any) -> None:
    with pytest.raises(ValueError, match="takes a tensor; "):
        layers.ReLU()(given)


def test_a_call_without_tensors_is_fine() -> None:
    class Constant(layers.Layer):
        def call(self, inputs: Any = None) -> Any:
            return np.ones(3, "float32")

    assert Constant()(None).shape == (3,)


@pytest.mark.parametrize("x", [np.zeros((2, 20, 8), "float32"), None], ids=["real", "symbolic"])
def test_unit_normalization_along_an_axis_that_is_not_there(x: Any) -> None:
    with pytest.raises(ShapeError, match="no axis 3"):
        layers.UnitNormalization(axis=3)(lamina.Input((20, 8)) if x is None else x)
    with pytest.raises(ShapeError, match="no axis -4"):
        layers.UnitNormalization(axis=(1, -4))(lamina.Input((20, 8)) if x is None else x)


@pytest.mark.parametrize("kind", [layers.Dropout, layers.AlphaDropout])
@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_noise_shape_is_refused_in_any_mode(kind: type, rate: float) -> None:
    layer = kind(rate, noise_shape=(None, 1))
    for training in (False, True):
        with pytest.raises(ShapeError, match="does not fit the input"):
            layer(np.zeros((2, 20, 8), "float32"), training=training)
    with pytest.raises(ShapeError, match="does not fit the input"):
        layer(lamina.Input((20, 8)))


def test_a_recurrent_layer_is_no_cell() -> None:
    with pytest.raises(ValueError, match=r"whole layer, not a cell .* such as GRUCell"):
        layers.RNN(layers.GRU(4))
    with pytest.raises(ValueError, match="whole layer"):
        layers.StackedRNNCells([layers.LSTMCell(4), layers.LSTM(4)])
