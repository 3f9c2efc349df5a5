"""Poolings against the real Keras: outputs, gradients, shapes, configs."""

from __future__ import annotations

import inspect

import jax
import keras
import numpy as np
import pytest

import lamina

FIRST = {"data_format": "channels_first"}
TWO = (2, 7, 8, 3)

WINDOWS = [
    ("MaxPooling1D", {}, (2, 9, 3), (None, 3)),
    ("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, (2, 8, 3), (None, 3)),
    ("MaxPooling1D", {"pool_size": 3, "strides": 1, **FIRST}, (2, 3, 8), (3, None)),
    ("MaxPooling2D", {}, TWO, (None, None, 3)),
    ("MaxPooling2D", {"pool_size": (3, 2), "strides": 2, "padding": "same"}, TWO, (None, 8, 3)),
    ("MaxPooling2D", {"pool_size": 2, "strides": (1, 3), **FIRST}, (2, 3, 7, 8), None),
    ("MaxPooling3D", {"padding": "same"}, (1, 3, 4, 5, 2), None),
    ("AveragePooling1D", {"pool_size": 2}, (2, 9, 3), (None, 3)),
    ("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same", **FIRST}, (2, 3, 8), (3, None)),
    ("AveragePooling2D", {"pool_size": 2, "strides": 1}, TWO, (None, None, 3)),
    ("AveragePooling2D", {"pool_size": (3, 2), "padding": "same"}, TWO, (None, None, 3)),
    ("AveragePooling2D", {"pool_size": 3, "padding": "same", "strides": 2, **FIRST}, (2, 3, 7, 8), None),
    ("AveragePooling3D", {"pool_size": 2, "strides": (1, 2, 2), "padding": "same"}, (1, 3, 4, 5, 2), None),
]

GLOBAL = [
    ("GlobalMaxPooling1D", {}, (2, 9, 3), (None, 3)),
    ("GlobalMaxPooling1D", {"keepdims": True, **FIRST}, (2, 3, 9), (3, None)),
    ("GlobalMaxPooling2D", {"keepdims": True}, TWO, (None, None, 3)),
    ("GlobalMaxPooling3D", FIRST, (1, 2, 3, 4, 5), None),
    ("GlobalAveragePooling1D", {"keepdims": True}, (2, 9, 3), (None, 3)),
    ("GlobalAveragePooling1D", FIRST, (2, 3, 9), (3, None)),
    ("GlobalAveragePooling2D", {"keepdims": True, **FIRST}, (2, 3, 7, 8), (3, None, None)),
    ("GlobalAveragePooling3D", {}, (1, 3, 4, 5, 2), None),
]


@pytest.mark.parametrize(("name", "config", "shape", "open_shape"), WINDOWS + GLOBAL)
def test_pooling(same_as_keras, name, config, shape, open_shape):
    same_as_keras(name, config, shape, open_shape)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("config", [{}, FIRST])
def test_average_of_masked_steps(same_as_keras, config, keepdims):
    mask = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 1, 0]], bool)
    shape = (2, 3, 5) if config else (2, 5, 3)
    same_as_keras("GlobalAveragePooling1D", {**config, "keepdims": keepdims}, shape, mask=mask)


@pytest.mark.parametrize("name", sorted({case[0] for case in WINDOWS + GLOBAL}))
def test_arguments(name):
    ours = inspect.signature(getattr(lamina.layers, name)).parameters
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    assert list(ours) == list(theirs)
    for argument, parameter in theirs.items():
        default = parameter.default[0] if isinstance(parameter.default, tuple) else parameter.default
        assert ours[argument].default == default


def test_equal_values_get_the_gradient_as_in_keras():
    x = np.zeros((1, 4, 4, 1), "float32")
    ours, theirs = lamina.layers.MaxPooling2D(), keras.layers.MaxPooling2D()
    ours(x), theirs(x)
    grads = [jax.grad(lambda x, p=p: p.stateless_call([], [], x)[0].sum())(x) for p in (ours, theirs)]
    np.testing.assert_array_equal(grads[0], grads[1])
