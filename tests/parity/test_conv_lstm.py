"""Convolutional LSTMs and adaptive poolings against the real Keras."""

from __future__ import annotations

import inspect
import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina

RNG = np.random.default_rng(11)
CASES = [
    (1, {"padding": "same", "return_sequences": True}, (2, 3, 6, 2)),
    (1, {"strides": 2, "use_bias": False, "go_backwards": True}, (2, 3, 7, 2)),
    (1, {"dilation_rate": 2, "return_state": True, "return_sequences": True}, (2, 3, 7, 2)),
    (2, {"return_state": True, "unit_forget_bias": False}, (2, 3, 5, 4, 2)),
    (2, {"data_format": "channels_first", "padding": "same", "return_sequences": True}, (2, 3, 2, 5, 4)),
    (3, {"recurrent_activation": "hard_sigmoid"}, (2, 2, 3, 4, 3, 1)),
]


@pytest.mark.parametrize(("rank", "arguments", "shape"), CASES)
def test_conv_lstm(rank, arguments, shape):
    theirs = getattr(keras.layers, f"ConvLSTM{rank}D")(3, 2, **arguments)
    ours = getattr(lamina.layers, f"ConvLSTM{rank}D").from_config(theirs.get_config())
    assert json.loads(json.dumps(ours.get_config())) == json.loads(json.dumps(theirs.get_config()))
    theirs.build(shape)
    ours.build(shape)
    assert [(w.path, w.shape) for w in ours.weights] == [(w.path, w.shape) for w in theirs.weights]
    if arguments.get("use_bias", True):
        np.testing.assert_array_equal(ours.weights[-1], theirs.weights[-1])
    values = [RNG.normal(size=w.shape).astype("float32") * 0.5 for w in theirs.weights]
    x = RNG.normal(size=shape).astype("float32")

    def total(layer, weights, x):
        others = [v.value for v in layer.non_trainable_variables]
        leaves = jax.tree.leaves(layer.stateless_call(weights, others, x)[0])
        return sum(jnp.sum(y * jnp.cos(jnp.arange(y.size).reshape(y.shape))) for y in leaves), leaves

    def both(weights, x):
        run = [jax.value_and_grad(lambda w, i, p=p: total(p, w, i), (0, 1), has_aux=True) for p in (ours, theirs)]
        return [f(weights, x) for f in run]

    mine, wanted = (jax.tree.leaves(f[0][1]) + jax.tree.leaves(f[1]) for f in jax.jit(both)(values, x))
    assert len(mine) == len(wanted) >= len(values) + 2
    for a, b in zip(mine, wanted, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    symbols = ours(lamina.Input(shape[1:])), theirs(keras.Input(shape[1:]))
    shapes = [[tuple(t.shape) for t in jax.tree.leaves(s)] for s in symbols]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Average", "Max"])
def test_adaptive_pooling(kind, rank, same_as_keras):
    name = f"Adaptive{kind}Pooling{rank}D"
    same_as_keras(name, {"output_size": 3}, (*(2, 7, 5, 4)[: rank + 1], 2))
    size = (2, 4, 3)[:rank]
    config = {"output_size": size, "data_format": "channels_first"}
    same_as_keras(name, config, (2, 2, 5, 6, 4)[: rank + 2])


NAMES = [f"ConvLSTM{n}D" for n in (1, 2, 3)] + [
    f"Adaptive{k}Pooling{n}D" for k in ("Max", "Average") for n in (1, 2, 3)
]


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name):
    ours = inspect.signature(getattr(lamina.layers, name)).parameters
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    assert [(n, p.default) for n, p in ours.items()] == [(n, p.default) for n, p in theirs.items()]
