"""Recurrent layers, `Bidirectional` and `TimeDistributed` against the real Keras."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]], bool)


def close(ours, theirs, tolerance=1e-5):
    ours, theirs = jax.tree.leaves(ours), jax.tree.leaves(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


def pair(make, shape=(None, None, 2)):
    """The same layer here and in Keras, with the same random weights."""
    theirs, ours = make(keras.layers), make(lamina.layers)
    theirs.build(shape)
    ours.build(shape)
    names = [[w.path.split("/", 1)[1] for w in layer.weights] for layer in (ours, theirs)]
    assert names[0] == names[1]
    values = [RNG.normal(size=w.shape).astype("float32") * 0.5 for w in theirs.weights]
    theirs.set_weights(values)
    ours.set_weights(values)
    return ours, theirs


def close_with_gradients(ours, theirs, x, tolerance=1e-4, **kwargs):
    """Outputs, and the gradients of a weighted sum of them by weights and input, are the same."""

    def total(layer, weights, x):
        outputs, _ = layer.stateless_call(weights, [v.value for v in layer.non_trainable_variables], x, **kwargs)
        leaves = jax.tree.leaves(outputs)
        return sum(jnp.sum(y * jnp.cos(jnp.arange(y.size).reshape(y.shape))) for y in leaves), leaves

    def both(weights, x):
        return [
            jax.value_and_grad(lambda w, i: total(p, w, i), (0, 1), has_aux=True)(weights, x) for p in (ours, theirs)
        ]

    values = [v.value for v in theirs.trainable_variables]
    ((_, out), gradients), ((_, wanted), wanted_gradients) = jax.jit(both)(values, x)
    close(out, wanted)
    assert len(jax.tree.leaves(gradients)) == len(values) + 1
    close(gradients, wanted_gradients, tolerance)


def compare(make, x=X, mask=None, shape=(None, None, 2), states=None):
    ours, theirs = pair(make, shape)
    kwargs = {} if mask is None else {"mask": jnp.asarray(mask)}
    if states is not None:
        kwargs["initial_state"] = [jnp.asarray(s) for s in states]
    close_with_gradients(ours, theirs, x, **kwargs)
    return ours, theirs


KINDS = {
    "simple": lambda L, **kw: L.SimpleRNN(3, **kw),
    "lstm": lambda L, **kw: L.LSTM(3, **kw),
    "gru": lambda L, **kw: L.GRU(3, **kw),
    "gru_before": lambda L, **kw: L.GRU(3, reset_after=False, **kw),
}
FLAGS = [
    ({"return_sequences": True, "return_state": True}, False),
    ({"return_sequences": True, "go_backwards": True, "use_bias": False}, True),
    ({"return_state": True, "go_backwards": True, "unroll": True, "activation": "relu"}, True),
]


@pytest.mark.parametrize(("flags", "masked"), FLAGS)
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients(kind, flags, masked):
    compare(lambda L: KINDS[kind](L, **flags), mask=MASK if masked else None)


@pytest.mark.parametrize("sequences", [True, False])
def test_zeros_for_masked_steps(sequences):
    compare(lambda L: L.LSTM(3, zero_output_for_mask=True, return_sequences=sequences), mask=MASK)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flags", [{}, {"return_sequences": True, "return_state": True}])
def test_shapes(kind, flags):
    ours, theirs = KINDS[kind](lamina.layers, **flags), KINDS[kind](keras.layers, **flags)
    for shape in [(None, None, 2), (None, 7, 2), (5, 7, 2)]:
        assert ours.compute_output_shape(shape) == theirs.compute_output_shape(shape)
    symbolic = [
        jax.tree.leaves(lay(kind_input((None, 2)))) for lay, kind_input in ((ours, lamina.Input), (theirs, keras.Input))
    ]
    assert [t.shape for t in symbolic[0]] == [t.shape for t in symbolic[1]]


@pytest.mark.parametrize("kind", KINDS)
def test_initial_state(kind):
    states = [RNG.normal(size=(3, 3)).astype("float32") for _ in range(2 if kind == "lstm" else 1)]
    compare(lambda L: KINDS[kind](L, return_sequences=True, return_state=True), mask=MASK, states=states)


def unbuilt(config):
    """A config without the shapes of built layers, which Keras adds inside."""
    if isinstance(config, dict):
        return {name: unbuilt(value) for name, value in config.items() if name != "build_config"}
    return [unbuilt(value) for value in config] if isinstance(config, (list, tuple)) else config


@pytest.mark.parametrize("kind", KINDS)
def test_configs(kind):
    make = lambda L: KINDS[kind](
        L,
        name="n",
        dropout=0.25,
        kernel_regularizer="l2",
        bias_constraint="non_neg",
        go_backwards=True,
        dtype="bfloat16",
    )
    mine, wanted = make(lamina.layers).get_config(), make(keras.layers).get_config()
    assert {name: value for name, value in mine.items() if name in wanted} == wanted
    assert set(mine) - set(wanted) <= {"seed"}  # Keras's SimpleRNN forgets its seed
    assert type(make(lamina.layers)).from_config(wanted).get_config() == mine
    assert type(make(keras.layers)).from_config(mine).get_config() == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_stateful(kind):
    make = lambda L: KINDS[kind](L, stateful=True, return_sequences=True)
    ours, theirs = pair(make, (3, 4, 2))
    for x in (X, X[::-1], X + 1):
        close(ours(x), theirs(x))
    close([s.value for s in ours.states], [s.value for s in theirs.states])
    ours.reset_state()
    theirs.reset_state()
    close(ours(X), theirs(X))


@pytest.mark.parametrize("kind", KINDS)
def test_regularizers_make_the_same_losses(kind):
    make = lambda L: KINDS[kind](
        L,
        kernel_regularizer="l2",
        recurrent_regularizer="l1",
        bias_regularizer="l2",
        activity_regularizer=None if kind == "simple" else "l2",  # Keras's SimpleRNN forgets it
    )
    ours, theirs = pair(make)
    ours(X), theirs(X)
    assert len(ours.losses) == (3 if kind == "simple" else 4)
    np.testing.assert_allclose(sorted(map(float, ours.losses)), sorted(map(float, theirs.losses)), rtol=1e-5)


GATES = {"SimpleRNNCell": 1, "LSTMCell": 4, "GRUCell": 3}


@pytest.mark.parametrize(
    ("name", "kwargs"), [("SimpleRNNCell", {}), ("LSTMCell", {}), ("GRUCell", {}), ("GRUCell", {"reset_after": False})]
)
def test_cells_and_their_dropout_masks(name, kwargs):
    """Keras draws other numbers, so both are given the same masks."""
    make = lambda L: getattr(L, name)(3, dropout=0.5, recurrent_dropout=0.5, **kwargs)
    ours, theirs = pair(make, (None, 2))
    states = [RNG.normal(size=(3, 3)).astype("float32") for _ in range(2 if name == "LSTMCell" else 1)]
    x = X[:, 0]
    close(ours(x, states), theirs(x, states))
    masks = [[RNG.uniform(size=(3, n)).astype("float32") for _ in range(GATES[name])] for n in (2, 3)]
    ours._masks = {"input": masks[0], "recurrent": masks[1]}
    given = [m[0] if GATES[name] == 1 else m for m in masks]
    theirs.get_dropout_mask = lambda _: given[0]
    theirs.get_recurrent_dropout_mask = lambda _: given[1]
    close(ours(x, states, training=True), theirs(x, states, training=True))
    close(ours(x, states), theirs(x, states))


@pytest.mark.parametrize("name", GATES)
def test_cell_states(name):
    ours, theirs = getattr(lamina.layers, name)(3), getattr(keras.layers, name)(3)
    assert ours.state_size == theirs.state_size
    assert ours.output_size == theirs.output_size
    close(ours.get_initial_state(2), theirs.get_initial_state(2))


def stacked(L, **kwargs):
    return L.RNN(
        L.StackedRNNCells(
            [L.LSTMCell(3, name="a"), L.GRUCell(4, name="b"), L.SimpleRNNCell(2, name="c")], name="cells"
        ),
        **kwargs,
    )


@pytest.mark.parametrize("flags", [{}, {"return_sequences": True, "return_state": True, "go_backwards": True}])
def test_stacked_cells(flags):
    ours, theirs = compare(lambda L: stacked(L, **flags), mask=MASK)
    assert ours.state_size == theirs.state_size
    assert jax.tree.structure(ours(X)) == jax.tree.structure(theirs(X))
    config = unbuilt(theirs.get_config())
    assert lamina.layers.RNN.from_config(config).get_config() == config


def minimal(L):
    package = lamina if L is lamina.layers else keras

    class Minimal(L.Layer):
        def __init__(self):
            super().__init__(name="minimal")
            self.state_size = [3, 1]
            self.output_size = 5

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], 3), name="kernel")
            self.out = self.add_weight(shape=(3, 5), name="out")
            self.built = True

        def call(self, inputs, states):
            state, count = states
            new = package.ops.tanh(package.ops.matmul(inputs, self.kernel) + state)
            return package.ops.matmul(new, self.out), [new, count + 1]

    return Minimal()


@pytest.mark.parametrize("flags", [{"return_sequences": True, "return_state": True}, {"go_backwards": True}])
def test_custom_cell(flags):
    compare(lambda L: L.RNN(minimal(L), **flags))


BIDIRECTIONAL = [
    {},
    {"merge_mode": "sum", "return_sequences": True},
    {"merge_mode": "mul", "return_state": True},
    {"merge_mode": "ave", "return_sequences": True, "return_state": True, "mask": True},
    {"merge_mode": None, "return_sequences": True, "mask": True},
    {"merge_mode": None, "return_state": True},
    {"return_sequences": True, "mask": True, "zero_output_for_mask": True},
]


@pytest.mark.parametrize("flags", BIDIRECTIONAL)
def test_bidirectional(flags):
    flags = dict(flags)
    masked = flags.pop("mask", False)
    outer = {"merge_mode": flags.pop("merge_mode")} if "merge_mode" in flags else {}
    make = lambda L: L.Bidirectional(L.LSTM(3, name="inner", **flags), **outer)
    ours, theirs = compare(make, mask=MASK if masked else None)
    assert ours.compute_output_shape((None, None, 2)) == theirs.compute_output_shape((None, None, 2))


def test_bidirectional_with_its_own_backward_layer_and_states():
    states = [RNG.normal(size=(3, n)).astype("float32") for n in (3, 4)]
    make = lambda L: L.Bidirectional(
        L.GRU(3, return_sequences=True, name="a"),
        backward_layer=L.GRU(4, return_sequences=True, go_backwards=True, name="b"),
        name="both",
    )
    ours, theirs = compare(make, states=states)
    config = unbuilt(theirs.get_config())
    assert ours.get_config() == config
    assert lamina.layers.Bidirectional.from_config(theirs.get_config()).get_config() == config


def test_bidirectional_stateful():
    make = lambda L: L.Bidirectional(L.LSTM(3, stateful=True, name="a"))
    ours, theirs = pair(make, (3, 4, 2))
    for _ in range(2):
        close(ours(X), theirs(X))
    close([s.value for s in ours.states], [s.value for s in theirs.states])
    ours.reset_states()
    theirs.reset_states()
    close(ours(X), theirs(X))


def conv(L):
    return L.TimeDistributed(L.Conv2D(2, 2, name="inner"), name="steps")


def test_time_distributed():
    frames = RNG.normal(size=(2, 3, 4, 4, 1)).astype("float32")
    ours, theirs = compare(conv, x=frames, shape=(None, 3, 4, 4, 1))
    assert ours.compute_output_shape((None, None, 4, 4, 1)) == (None, None, 3, 3, 2)
    assert ours.get_config()["name"] == theirs.get_config()["name"]
    compare(lambda L: L.TimeDistributed(L.Dense(3, activation="tanh", name="inner")))
    words = RNG.normal(size=(2, 3, 4, 2)).astype("float32")
    compare(lambda L: L.TimeDistributed(L.GRU(3, name="inner")), x=words, shape=(None, 3, 4, 2))


def test_masks_out_of_symbolic_calls():
    for kind in ("lstm", "gru"):
        for flags in ({}, {"return_sequences": True}, {"return_sequences": True, "return_state": True}):
            found = []
            for package in (lamina, keras):
                embedded = package.layers.Embedding(5, 2, mask_zero=True)(package.Input((None,)))
                outputs = KINDS[kind](package.layers, **flags)(embedded)
                leaves = jax.tree.leaves(outputs, is_leaf=lambda t: hasattr(t, "shape"))
                found.append([getattr(t, "_keras_mask", None) is not None for t in leaves])
            assert found[0] == found[1]
