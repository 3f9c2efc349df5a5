"""The comparison of a layer with the real Keras's, for every family of layers."""

from __future__ import annotations

import json
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina


def _same(ours, theirs, tolerance):
    assert np.shape(ours) == np.shape(theirs)
    scale = max(float(np.max(np.abs(theirs), initial=0.0)), 1.0)
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=tolerance * scale)


def _plain(config):
    """A config as a file holds it, without the name and the dtype policy."""
    return {k: v for k, v in json.loads(json.dumps(config)).items() if k not in ("name", "dtype")}


@pytest.fixture
def same_as_keras():
    """A check that a layer, given Keras's config and weights, gives its outputs, gradients and shapes."""

    def check(name, config, shape, open_shape=None, tolerance=1e-5, **call):
        theirs = getattr(keras.layers, name)(**config)
        ours = getattr(lamina.layers, name).from_config(theirs.get_config())
        assert _plain(ours.get_config()) == _plain(theirs.get_config())
        rng = np.random.default_rng(7)
        x = rng.normal(size=shape).astype("float32")
        ours.build(shape)
        theirs.build(shape)
        assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in theirs.weights]
        values = [rng.normal(size=w.shape).astype("float32") for w in theirs.weights]
        ours.set_weights(values)
        expected = tuple(theirs.compute_output_shape(shape))
        assert tuple(ours.compute_output_shape(shape)) == expected
        factors = rng.normal(size=expected).astype("float32")

        def weighted(layer, weights, x):
            outputs, _ = layer.stateless_call(weights, [], x, **call)
            return jnp.sum(outputs * factors), outputs

        def both(weights, x):
            run = jax.value_and_grad(weighted, (1, 2), has_aux=True)
            return [run(layer, weights, x) for layer in (ours, theirs)]

        assert np.shape(ours(x, **call)) == expected
        ((_, out), grads), ((_, keras_out), keras_grads) = jax.jit(both)(values, x)
        _same(out, keras_out, tolerance)
        assert len(jax.tree.leaves(grads)) == len(values) + 1
        jax.tree.map(lambda a, b: _same(a, b, tolerance), grads, keras_grads)
        for declared in (shape[1:], *((open_shape,) if open_shape else ())):
            again = type(theirs).from_config(theirs.get_config())(keras.Input(declared)).shape
            assert type(ours).from_config(ours.get_config())(lamina.Input(declared)).shape == tuple(again)

    return check
