"""Rescaling, Normalization and SpectralNormalization against the real Keras."""

from __future__ import annotations

import inspect
import json

import keras
import numpy as np
import pytest

import lamina
from lamina.shapes import ShapeError

X = np.random.default_rng(1).normal(3.0, 2.0, size=(6, 3, 4)).astype("float32")


def pair(name, **config):
    theirs = getattr(keras.layers, name)(**config)
    ours = getattr(lamina.layers, name).from_config(theirs.get_config())
    first, second = (json.loads(json.dumps(layer.get_config())) for layer in (ours, theirs))
    assert first == second
    return ours, theirs


@pytest.mark.parametrize(
    "config", [{"scale": 0.5, "offset": 1.0}, {"scale": [1.0, 2.0, 3.0, 4.0], "offset": [0.5] * 4}]
)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_rescaling(config, dtype):
    ours, theirs = pair("Rescaling", **config)
    x = np.abs(X).astype(dtype)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-6)
    assert ours(lamina.Input((None, 4), dtype=dtype)).shape == (None, None, 4)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
def test_adapt(axis, invert):
    ours, theirs = pair("Normalization", axis=axis, invert=invert)
    ours.adapt(X)
    theirs.adapt(X)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-5)
    np.testing.assert_allclose(ours.variance, theirs.variance, rtol=1e-5)
    np.testing.assert_allclose(ours(X), theirs(X), rtol=1e-4, atol=1e-5)
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in theirs.weights]
    again = lamina.layers.Normalization(axis=axis, invert=invert)
    again.adapt(X[i : i + 4] for i in (0, 4))
    np.testing.assert_allclose(again(X), ours(X), rtol=1e-5, atol=1e-6)


def test_given_mean():
    ours, theirs = pair("Normalization", mean=[1.0, 2.0, 3.0, 4.0], variance=[2.0, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(ours(X), theirs(X), rtol=1e-5)
    assert ours.weights == []
    with pytest.raises(ValueError, match="nothing to adapt"):
        ours.adapt(X)
    with pytest.raises(ValueError, match="give both"):
        lamina.layers.Normalization(mean=1.0)
    with pytest.raises(ValueError, match="must agree"):
        lamina.layers.Normalization(mean=[1.0], variance=1.0)
    with pytest.raises(ValueError, match="at least 0"):
        lamina.layers.Normalization(mean=1.0, variance=-1.0)
    with pytest.raises(ValueError, match="`scale`='big'"):
        lamina.layers.Rescaling("big")
    with pytest.raises(ValueError, match="no data"):
        lamina.layers.Normalization().adapt(np.zeros((0, 3)))
    with pytest.raises(ShapeError, match="array of numbers"):
        lamina.layers.Normalization().adapt(np.array(["a"]))


def test_spectral_normalization():
    ours = lamina.layers.SpectralNormalization(lamina.layers.Dense(3), power_iterations=2)
    theirs = keras.layers.SpectralNormalization(keras.layers.Dense(3), power_iterations=2)
    x = X[:, 0]
    for layer in (ours, theirs):
        layer.build((None, 4))
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    for training in (True, False, True):
        np.testing.assert_allclose(ours(x, training=training), theirs(x, training=training), rtol=1e-4, atol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    again = lamina.layers.SpectralNormalization.from_config(ours.get_config())
    assert (again.layer.units, again.power_iterations) == (3, 2)
    with pytest.raises(ValueError, match="has no weight"):
        lamina.layers.SpectralNormalization(lamina.layers.ReLU())(x)


@pytest.mark.parametrize("name", ["Rescaling", "Normalization", "SpectralNormalization"])
def test_arguments(name):
    ours = inspect.signature(getattr(lamina.layers, name)).parameters
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    assert [(n, p.default) for n, p in ours.items()] == [(n, p.default) for n, p in theirs.items()]
