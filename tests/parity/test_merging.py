"""Merging layers, Embedding, Masking and Lambda against the real Keras: values, gradients, shapes, masks."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina

BY_ELEMENT = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
SHAPES = [((2, 3), (2, 3)), ((2, 3), (2, 4, 3)), ((2, 1, 3), (2, 4, 1)), ((2, 5, 4, 3), (2, 4, 3)), ((2,), (2, 3))]
DOTS = [
    ((2, 3), (2, 3), 1),
    ((2, 3), (2, 3), -1),
    ((2, 3, 4), (2, 4), (2, 1)),
    ((2, 4), (2, 3, 4), (1, 2)),
    ((2, 3, 4), (2, 5, 4), 2),
    ((2, 3, 4, 5), (2, 5, 6), (3, 1)),
    ((2, 3, 4), (2, 4, 6, 7), (2, 1)),
]


def draw(*shapes):
    rng = np.random.default_rng(5)
    return [rng.normal(size=s).astype("float32") for s in shapes]


def compare(name, config, shapes):
    theirs, inputs = getattr(keras.layers, name)(**config), draw(*shapes)
    ours = getattr(lamina.layers, name).from_config(theirs.get_config())
    plain = [json.loads(json.dumps(layer.get_config())) | {"name": "", "dtype": ""} for layer in (ours, theirs)]
    assert plain[0] == plain[1]

    def both(inputs):
        outs = [layer(inputs) for layer in (ours, theirs)]
        grads = [jax.grad(lambda i: jnp.sum(jnp.sin(layer(i))))(inputs) for layer in (ours, theirs)]
        return list(zip(outs, grads, strict=True))

    a, b = jax.jit(both)(inputs)
    jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-5, atol=1e-5), a, b)
    ours_symbolic = ours([lamina.Input(s[1:]) for s in shapes]).shape
    assert ours_symbolic == tuple(theirs([keras.Input(s[1:]) for s in shapes]).shape)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("name", BY_ELEMENT)
def test_element_by_element(name, shapes):
    compare(name, {}, shapes)


@pytest.mark.parametrize("name", ["Add", "Multiply", "Average", "Maximum", "Minimum"])
def test_three_and_one(name):
    compare(name, {}, [(2, 3)] * 3)
    compare(name, {}, [(2, 3)])


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_concatenate(axis):
    first, second = [2, 3, 4], [2, 3, 4]
    second[axis] += 2
    compare("Concatenate", {"axis": axis}, [tuple(first), tuple(second), tuple(first)])


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("case", DOTS)
def test_dot(case, normalize):
    *shapes, axes = case
    compare("Dot", {"axes": axes, "normalize": normalize}, shapes)


@pytest.mark.parametrize(
    ("shapes", "name"),
    [
        (((None, 3), (None, 3)), "Add"),
        (((None, None, 3), (None, 5, 1)), "Multiply"),
        (((None, 3), (None, 4)), "Concatenate"),
        (((None, 4), (7, 4)), "Concatenate"),
    ],
)
def test_open_sizes(shapes, name):
    ours = getattr(lamina.layers, name)()([lamina.Input(s) for s in shapes]).shape
    theirs = tuple(getattr(keras.layers, name)()([keras.Input(s) for s in shapes]).shape)
    assert len(ours) == len(theirs)
    # Keras answers None where an open size meets a number; the number is known then
    assert all(t is None or o == t for o, t in zip(ours, theirs, strict=True))


def masked(layers):
    first = layers.Masking()(np.array([[[-2.0], [0.0], [0.0], [3.0]]], "float32"))
    second = layers.Masking()(np.array([[[5.0], [-7.0], [0.0], [0.0]]], "float32"))
    return first, second, np.full((1, 4, 1), 2.0, "float32")


def mask_of(tensor):
    from lamina.core import context

    theirs = getattr(tensor, "_keras_mask", None)
    mask = theirs if theirs is not None else context.masks.get(tensor)
    return None if mask is None else np.asarray(mask).tolist()


@pytest.mark.parametrize("with_mask", [True, False])
@pytest.mark.parametrize("name", [*BY_ELEMENT, "Concatenate", "Dot"])
def test_masks(name, with_mask):
    config = {"axis": 1} if name == "Concatenate" else {"axes": 2} if name == "Dot" else {}
    results = []
    for layers in (lamina.layers, keras.layers):
        first, second, plain = masked(layers)
        results.append(getattr(layers, name)(**config)([first, second if with_mask else plain]))
    ours, theirs = results
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    # a new array may take a collected one's place in memory, and Keras keeps masks as attributes: compare those set
    keras_mask = getattr(theirs, "_keras_mask", None)
    assert mask_of(ours) == (None if keras_mask is None else np.asarray(keras_mask).tolist())


@pytest.mark.parametrize("dtype", ["int32", "float32", "uint8"])
def test_embedding(dtype):
    numbers = np.array([[0, 2, 1], [1, 1, 0]], dtype)
    theirs = keras.layers.Embedding(3, 4, mask_zero=True, embeddings_regularizer="l2")
    ours = lamina.layers.Embedding.from_config(theirs.get_config())
    expected = theirs(numbers)
    ours.build()
    ours.set_weights(theirs.get_weights())
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in theirs.weights]
    out = ours(numbers)
    np.testing.assert_allclose(out, expected)
    assert mask_of(out) == np.asarray(expected._keras_mask).tolist()
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-6)
    assert {k: v for k, v in ours.get_config().items() if k != "dtype"} == {
        k: v for k, v in theirs.get_config().items() if k != "dtype"
    }
    assert ours(lamina.Input((None,), dtype=dtype)).shape == (None, None, 4)


def test_embedding_out_of_range_and_gradient():
    table = np.arange(6.0, dtype="float32").reshape(3, 2)
    ours, theirs = (p.layers.Embedding(3, 2, weights=[table]) for p in (lamina, keras))
    numbers = np.array([[-1, 3, 1, 1]])
    np.testing.assert_array_equal(ours(numbers), theirs(numbers))

    def loss(layer):
        return lambda w: jnp.sum(layer.stateless_call(w, [], numbers[:, 2:])[0] ** 2)

    (a,), (b,) = (jax.grad(loss(layer))([table]) for layer in (ours, theirs))
    np.testing.assert_allclose(a, b)


def test_lambda():
    def scaled(x, factor, mask=None):
        return x * factor if mask is None else x * factor * jnp.asarray(mask)[..., None]

    x = np.array([[[1.0], [0.0]]], "float32")
    for layers in (lamina.layers, keras.layers):
        layer = layers.Lambda(scaled, arguments={"factor": 3.0}, mask=lambda x, mask: x[:, :, 0] > 5)
        out = layer(layers.Masking()(x))
        assert np.asarray(out).ravel().tolist() == [3.0, 0.0]
        assert np.asarray(layer.compute_mask(x, None)).tolist() == [[False, False]]
