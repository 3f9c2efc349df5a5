"""Attention layers: refusals, self-attention that trains, dropout, masks, open sizes."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError

RNG = np.random.default_rng(2)
HEADS = [
    lambda **kw: layers.MultiHeadAttention(2, 3, **kw),
    lambda **kw: layers.GroupQueryAttention(3, 4, 2, **kw),
]


@pytest.mark.parametrize("make", HEADS)
def test_query_and_value_that_do_not_fit(make):
    x = lamina.Input((8, 16))
    with pytest.raises(ShapeError, match="takes a query and a value; only a query came"):
        make()(x)
    with pytest.raises(ShapeError, match="as two arguments; a list came"):
        make()([x, x])
    with pytest.raises(ShapeError, match="2 axes"):
        make()(lamina.Input((16,)), lamina.Input((16,)))
    with pytest.raises(ShapeError, match="key and a value of the same length"):
        make()(x, lamina.Input((5, 16)), lamina.Input((6, 16)))
    with pytest.raises(ShapeError, match="as many axes"):
        make()(x, lamina.Input((5, 6, 16)))


@pytest.mark.parametrize("kind", [layers.Attention, layers.AdditiveAttention])
def test_lists_that_do_not_fit(kind):
    a, b = lamina.Input((8, 16)), lamina.Input((20, 12))
    with pytest.raises(ShapeError, match=r"query has|as many features"):
        kind()([a, b])
    with pytest.raises(ShapeError, match="takes 2 inputs; 1 came"):
        kind()(np.ones((2, 3, 4)))
    with pytest.raises(ShapeError):
        kind()([a])
    with pytest.raises(ShapeError, match="same length"):
        kind()([a, lamina.Input((5, 16)), lamina.Input((6, 16))])
    x = np.ones((2, 3, 4))
    with pytest.raises(ValueError, match="`mask` takes a list"):
        kind()([x, x], mask=np.ones((2, 3), bool))


def test_arguments():
    with pytest.raises(ValueError, match="`num_query_heads`=4 must be a multiple"):
        layers.GroupQueryAttention(3, 4, 3)
    with pytest.raises(ValueError, match="`sliding_window`=0"):
        layers.MultiHeadAttention(2, 3, sliding_window=0)
    with pytest.raises(ValueError, match="drops no weights"):
        layers.MultiHeadAttention(2, 3, dropout=0.1, flash_attention=True)
    with pytest.raises(ValueError, match="`attention_axes`='a'"):
        layers.MultiHeadAttention(2, 3, attention_axes="a")
    with pytest.raises(ValueError, match=r"`score_mode`='dots'.*did you mean 'dot'"):
        layers.Attention(score_mode="dots")
    x = lamina.Input((4, 5, 6))
    with pytest.raises(ShapeError, match="cannot look along"):
        layers.MultiHeadAttention(2, 3, attention_axes=3)(x, x)
    with pytest.raises(ShapeError, match="only along one axis"):
        layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)


@pytest.mark.parametrize("make", HEADS)
def test_hidden_places_change_nothing(make):
    """What the masks hide may hold anything."""
    layer, x = make(), RNG.normal(size=(1, 4, 6)).astype("float32")
    other = x.copy()
    other[:, 2:] += 5.0
    for call in ({"use_causal_mask": True}, {"value_mask": np.array([[1, 1, 0, 0]], bool)}):
        before, after = layer(x, x, **call), layer(other, other, **call)
        np.testing.assert_allclose(before[:, :2], after[:, :2], rtol=1e-4, atol=1e-6)
    free = layer(other, other)[:, :2] - layer(x, x)[:, :2]
    assert np.abs(free).max() > 1e-3


@pytest.mark.parametrize("make", HEADS)
def test_masks_of_further_axes(make):
    layer, x = make(), RNG.normal(size=(2, 4, 6)).astype("float32")
    _, weights = layer(x, x, query_mask=np.array([[1, 1, 1, 0]] * 2, bool), return_attention_scores=True)
    assert np.all(weights[:, :, 3] == 0.0)
    assert np.allclose(weights[:, :, :3].sum(-1), 1.0, atol=1e-5)


@pytest.mark.parametrize(
    "make", [*HEADS, lambda **kw: layers.Attention(**kw), lambda **kw: layers.AdditiveAttention(**kw)]
)
def test_dropout_is_for_training(make):
    layer, x = make(dropout=0.5, seed=1), RNG.normal(size=(2, 6, 4)).astype("float32")
    inputs = [x, x] if isinstance(layer, (layers.MultiHeadAttention, layers.GroupQueryAttention)) else [[x, x]]
    quiet = layer(*inputs)
    np.testing.assert_array_equal(quiet, layer(*inputs))
    loud = [layer(*inputs, training=True) for _ in range(2)]
    assert np.abs(loud[0] - loud[1]).max() > 1e-3
    assert np.abs(loud[0] - quiet).max() > 1e-3
    assert len(layer.variables) == len(layer.weights) + 1


@pytest.mark.parametrize("make", HEADS)
def test_open_lengths(make):
    query, value = lamina.Input(("queries", 6)), lamina.Input(("words", 6))
    output, weights = make()(query, value, return_attention_scores=True, use_causal_mask=True)
    assert [str(d) for d in output.dims[1:]] == ["queries", "6"]
    assert [str(d) for d in weights.dims[2:]] == ["queries", "words"]
    model = lamina.Model([query, value], output)
    assert model([np.ones((2, 3, 6)), np.ones((2, 5, 6))]).shape == (2, 3, 6)


def test_a_transformer_block_trains():
    """Which of the first two words comes again? Only a look at both can tell."""
    lamina.utils.set_random_seed(6)
    rng = np.random.default_rng(3)
    words = rng.integers(1, 6, (256, 6))
    words[:, 1] = words[:, 0] % 5 + 1
    again = rng.integers(0, 2, 256)
    words[:, 5] = words[np.arange(256), again]
    inputs = lamina.Input((6,), dtype="int32")
    places = layers.Embedding(6, 16)(lamina.ops.arange(6))
    x = layers.Embedding(6, 16)(inputs) + places
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(16)(layers.Dense(32, activation="relu")(x)))
    x = layers.MultiHeadAttention(2, 8)(x[:, 5:], x)
    model = lamina.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))
    model.compile(lamina.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(words, again, epochs=25, batch_size=32, verbose=0).history
    assert max(history["accuracy"]) > 0.95  # which epoch is the best one hangs on how numbers are rounded
    assert min(history["loss"]) < history["loss"][0] / 3


def test_layers_of_one_kind_get_names_as_keras_gives_them():
    assert layers.GroupQueryAttention(3, 4, 2).name.startswith("grouped_query_attention")


@pytest.mark.parametrize("make", HEADS)
def test_built_from_its_own_config(make):
    x = np.ones((1, 3, 4), "float32")
    layer = make(use_gate=True, use_bias=False)
    layer(x, x)
    again = type(layer).from_config(layer.get_config())
    again.build_from_config(layer.get_build_config())
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x, x), layer(x, x))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention"])
def test_nothing_is_left_to_build_after_the_first_call(name, dropout):
    sizes = {"num_heads": 2, "key_dim": 3} if name.startswith("M") else {"head_dim": 3, "num_query_heads": 2}
    more = {} if name.startswith("M") else {"num_key_value_heads": 1}
    x = lamina.Input((4, 6))
    model = lamina.Model(x, getattr(layers, name)(**sizes, **more, dropout=dropout)(x, x))
    model.predict(np.ones((40, 4, 6), "float32"), verbose=0)
    assert [layer.name for layer in model._flatten_layers() if not layer.built] == []
