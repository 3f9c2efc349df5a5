"""Attention layers against the real Keras: values, gradients, weights, masks, configs."""

from __future__ import annotations

import inspect
import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina

RNG = np.random.default_rng(3)
QUERY = RNG.normal(size=(2, 3, 4)).astype("float32")
VALUE = RNG.normal(size=(2, 5, 4)).astype("float32")
KEY = RNG.normal(size=(2, 5, 4)).astype("float32")
QUERY_MASK = np.array([[1, 1, 0], [0, 1, 1]], bool)
VALUE_MASK = np.array([[1, 1, 0, 0, 1], [1, 1, 0, 1, 1]], bool)
SEEN = RNG.uniform(size=(2, 3, 5)) < 0.7
SEEN[:, :, 0] = True
KINDS = ["Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"]


def pair(name, arguments, *inputs):
    """The same layer here and in Keras, made of Keras's config, with the same random weights."""
    theirs = getattr(keras.layers, name)(**arguments)
    ours = getattr(lamina.layers, name).from_config(theirs.get_config())
    plain = [json.loads(json.dumps(layer.get_config())) for layer in (ours, theirs)]
    assert plain[0] == plain[1]
    for layer in (ours, theirs):
        layer.build(*(x.shape if hasattr(x, "shape") else [t.shape for t in x] for x in inputs))
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    values = [RNG.normal(size=w.shape).astype("float32") for w in theirs.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    return ours, theirs


def same(name, arguments, *inputs, tolerance=2e-5, **call):
    """Outputs, and gradients by weights and inputs, agree."""
    ours, theirs = pair(name, arguments, *inputs)

    def total(layer, weights, inputs):
        others = [v.value for v in layer.non_trainable_variables]
        outputs, _ = layer.stateless_call(weights, others, *inputs, **call)
        leaves = jax.tree.leaves(outputs)
        return sum(jnp.sum(y * jnp.cos(jnp.arange(y.size).reshape(y.shape))) for y in leaves), leaves

    values = [v.value for v in theirs.trainable_variables]

    def both(weights, inputs):
        run = [jax.value_and_grad(lambda w, i, p=p: total(p, w, i), (0, 1), has_aux=True) for p in (ours, theirs)]
        return [f(weights, inputs) for f in run]

    found = jax.jit(both)(values, list(inputs))
    mine, wanted = (jax.tree.leaves(f[0][1]) + jax.tree.leaves(f[1]) for f in found)
    assert len(mine) == len(wanted)
    for a, b in zip(mine, wanted, strict=True):
        assert a.shape == b.shape
        scale = max(float(jnp.max(jnp.abs(b))), 1.0)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)
    return ours, theirs


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Attention", {}),
        ("Attention", {"use_scale": True, "score_mode": "concat"}),
        ("AdditiveAttention", {}),
        ("AdditiveAttention", {"use_scale": False}),
    ],
)
def test_attention_of_lists(name, arguments, scores):
    same(name, arguments, [QUERY, VALUE, KEY], return_attention_scores=scores)
    masks = [jnp.asarray(QUERY_MASK), jnp.asarray(VALUE_MASK)]
    same(name, arguments, [QUERY, VALUE], mask=masks, use_causal_mask=True, return_attention_scores=scores)


CAUSAL = {"use_causal_mask": True}
PADDED = {"value_mask": jnp.asarray(VALUE_MASK)}  # Keras passes over a `query_mask` given to MultiHeadAttention
HEADS = [
    ({}, {}),
    ({"use_bias": False}, CAUSAL),
    ({"use_gate": True}, {"attention_mask": jnp.asarray(SEEN)}),
    ({"sliding_window": 2}, {}),
    ({"sliding_window": 2}, CAUSAL),
    ({"dropout": 0.5}, PADDED),
    ({}, {**PADDED, "attention_mask": jnp.asarray(SEEN)}),
    ({}, {**PADDED, **CAUSAL, "key_mask": jnp.asarray(VALUE_MASK)}),
]


@pytest.mark.parametrize(("scores", "arguments", "call"), [(i % 2 == 0, *case) for i, case in enumerate(HEADS)])
@pytest.mark.parametrize("name", KINDS[2:])
def test_attention_in_heads(name, arguments, call, scores):
    sizes = {"num_heads": 2, "key_dim": 3}
    if name == "GroupQueryAttention":
        sizes = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    same(name, {**sizes, **arguments}, QUERY, VALUE, KEY, return_attention_scores=scores, **call)


@pytest.mark.parametrize(
    ("arguments", "shapes"),
    [
        ({"value_dim": 5}, [(2, 3, 4), (2, 5, 6)]),
        ({"output_shape": 7}, [(2, 3, 4), (2, 5, 6), (2, 5, 3)]),
        ({"output_shape": (2, 3)}, [(2, 3, 4), (2, 5, 6)]),
        ({}, [(2, 2, 3, 4), (2, 3, 2, 4)]),
        ({"attention_axes": 2}, [(2, 3, 4, 2), (2, 3, 5, 2)]),
        ({"attention_axes": (1,)}, [(2, 3, 4, 2), (2, 5, 4, 2)]),
        ({"attention_axes": (1, 3)}, [(2, 2, 3, 2, 2), (2, 2, 3, 3, 2)]),
    ],
)
def test_axes_and_sizes(arguments, shapes):
    inputs = [RNG.normal(size=s).astype("float32") for s in shapes]
    arguments = {"num_heads": 2, "key_dim": 3, **arguments}
    ours, theirs = same("MultiHeadAttention", arguments, *inputs, return_attention_scores=True)
    assert ours.compute_output_shape(*shapes) == tuple(theirs.compute_output_shape(*shapes))
    symbols = [[kind.Input(batch_shape=(None, *s[1:])) for s in shapes] for kind in (lamina, keras)]
    assert ours(*symbols[0]).shape == tuple(theirs(*symbols[1]).shape)


@pytest.mark.parametrize("name", KINDS)
def test_masks_go_on(name):
    numbers = np.array([[1, 2, 3, 0], [4, 5, 0, 0]])
    table = RNG.normal(size=(6, 4)).astype("float32")
    arguments = {
        "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
        "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
    }.get(name, {})
    apart = name in KINDS[2:]
    tensors = []
    for kind in (lamina, keras):
        embedding = kind.layers.Embedding(6, 4, mask_zero=True)
        embedding.build((None, 4))
        embedding.set_weights([table])
        tensors.append(embedding(numbers))
    x = np.asarray(tensors[1])
    ours, theirs = pair(name, arguments, *([x, x] if apart else [[x, x]]))
    with_mask, wanted = (
        layer(*([t, t] if apart else [[t, t]]), return_attention_scores=True)
        for layer, t in zip((ours, theirs), tensors, strict=True)
    )
    for a, b in zip(with_mask, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    got = lamina.core.context.masks.get(with_mask[0])
    np.testing.assert_array_equal(got, keras.src.backend.get_keras_mask(wanted[0]))
    assert lamina.core.context.masks.get(with_mask[1]) is None


def test_losses_of_regularizers():
    for name, arguments in (
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
        ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
    ):
        arguments = {**arguments, "activity_regularizer": "l2", "kernel_regularizer": "l1"}
        ours, theirs = pair(name, arguments, QUERY, VALUE)
        ours(QUERY, VALUE), theirs(QUERY, VALUE)
        assert len(ours.losses) == len(theirs.losses)
        np.testing.assert_allclose(sum(ours.losses), sum(theirs.losses), rtol=1e-4)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16"])
def test_types(name, policy):
    arguments = {
        "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
        "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
    }.get(name, {})
    inputs = [QUERY, VALUE] if name in KINDS[2:] else [[QUERY, VALUE]]
    ours, theirs = pair(name, {**arguments, "dtype": policy}, *inputs)
    mine, wanted = ours(*inputs, **CAUSAL), theirs(*inputs, **CAUSAL)
    assert str(mine.dtype) == keras.backend.standardize_dtype(wanted.dtype)
    np.testing.assert_allclose(
        np.asarray(mine, "float32"), np.asarray(wanted, "float32"), rtol=0.1, atol=0.1 * np.abs(wanted).max()
    )


@pytest.mark.parametrize("name", KINDS)
def test_arguments(name):
    for find in (lambda c: c, lambda c: c.call):
        ours = inspect.signature(find(getattr(lamina.layers, name))).parameters
        theirs = inspect.signature(find(getattr(keras.layers, name))).parameters
        assert list(ours) == list(theirs)
        pairs = [(n, ours[n].default, theirs[n].default) for n in ours if n not in ("value", "training")]
        assert [p for p in pairs if p[1] != p[2]] == []


@pytest.mark.parametrize("arguments", [{}, {"tie_weights": False, "logit_soft_cap": 2.0, "mask_zero": True}])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_reversible_embedding(arguments, dtype):
    theirs = keras.layers.ReversibleEmbedding(7, 4, reverse_dtype="float32", dtype=dtype, **arguments)
    ours = lamina.layers.ReversibleEmbedding.from_config(theirs.get_config())
    assert json.loads(json.dumps(ours.get_config())) == json.loads(json.dumps(theirs.get_config()))
    ours.build((None, 3))
    theirs.build((None, 3))
    assert [(w.path, w.shape) for w in ours.weights] == [(w.path, w.shape) for w in theirs.weights]
    values = [RNG.normal(size=w.shape).astype("float32") for w in theirs.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    numbers = np.array([[1, 2, 0]])
    vectors = ours(numbers)
    np.testing.assert_array_equal(np.asarray(vectors, "float32"), np.asarray(theirs(numbers), "float32"))
    scores = ours(vectors, reverse=True)
    np.testing.assert_allclose(scores, theirs(theirs(numbers), reverse=True), rtol=1e-4, atol=1e-5)
    assert scores.dtype == "float32"
    masks = [lamina.core.context.masks.get(t) for t in (vectors, scores)]
    assert (masks[0] is not None) == ours.mask_zero
    assert masks[1] is None
    with pytest.raises(lamina.ShapeError, match="scores vectors of 4 numbers"):
        ours(np.ones((2, 5)), reverse=True)
