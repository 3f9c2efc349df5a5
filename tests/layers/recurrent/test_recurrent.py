"""Own behaviour of the recurrent layers: messages, states, masks, dropout, cells of the user's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

RNG = np.random.default_rng(3)
X = RNG.normal(size=(2, 4, 3)).astype("float32")
MASK = jnp.array([[1, 0, 1, 0], [1, 1, 1, 1]], bool)
KINDS = [layers.SimpleRNN, layers.GRU, layers.LSTM]


class Sum(layers.Layer):
    """The sum of all inputs so far."""

    state_size = 3

    def call(self, inputs, states):
        total = states[0] + inputs
        return total, [total]


# Signatures and shapes


def test_signature_follows_from_the_flags():
    assert str(layers.LSTM(4).signature) == "batch time features -> batch units"
    assert str(layers.GRU(4, return_sequences=True).signature) == "batch time features -> batch time units"
    both = "batch time features -> batch time units, batch units, batch units"
    assert str(layers.LSTM(4, return_sequences=True, return_state=True).signature) == both
    assert str(layers.RNN(Sum()).signature) == "batch time ... -> batch ..."
    assert str(layers.RNN([layers.GRUCell(4)]).signature) == "batch time features -> batch units"
    halves = layers.Bidirectional(layers.GRU(4, return_state=True)).signature
    assert str(halves) == "batch time features -> batch both_units, batch units, batch units"


def test_open_time_axis_keeps_its_name():
    dims.forget_labels()
    y = layers.LSTM(4, return_sequences=True)(lamina.Input((None, 8)))
    assert y.shape == (None, None, 4)
    assert repr(y.dims) == "(batch, time, 4)"
    z = layers.Bidirectional(layers.GRU(4, return_sequences=True))(lamina.Input(("length", 8)))
    assert repr(z.dims) == "(batch, length, 8)"


def test_input_shape_of_the_first_layer():
    model = lamina.Sequential([layers.LSTM(4, input_shape=(None, 3))])
    assert model.output_shape == (None, 4)
    model = lamina.Sequential([layers.SimpleRNN(4, input_dim=3, input_length=7, return_sequences=True)])
    assert model.output_shape == (None, 7, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_rank_says_what_is_missing(kind):
    with pytest.raises(ShapeError, match=r"\(batch, time, features\)   3 axes") as caught:
        kind(4)(np.ones((5, 3)))
    assert "2 axes, 1 too few" in str(caught.value)


def test_other_features_than_built_for():
    layer = layers.GRU(4)
    layer(X)
    with pytest.raises(ShapeError, match="features=3"):
        layer(np.ones((2, 4, 5)))


def test_mixed_precision_and_other_types():
    layer = layers.LSTM(4, dtype="mixed_bfloat16", return_state=True)
    outputs = layer(X)
    assert [str(y.dtype) for y in outputs] == ["bfloat16"] * 3
    assert layer.cell.kernel.dtype == "float32"
    assert layers.GRU(4, dtype="float16")(X).dtype == "float16"
    stacked = layers.RNN([layers.GRUCell(4, dtype="mixed_bfloat16")], dtype="mixed_bfloat16")
    assert stacked(X).dtype == "bfloat16"


# Arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units`=0"),
        ({"units": 4, "dropout": 1.5}, "`dropout`=1.5"),
        ({"units": 4, "recurrent_dropout": "x"}, "`recurrent_dropout`='x'"),
        ({"units": 4, "activation": "tahn"}, "did you mean 'tanh'"),
        ({"units": 4, "use_cudnn": True}, "`use_cudnn`=True"),
        ({"units": 4, "implementation": 7}, "`implementation`=7"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        layers.LSTM(**arguments)


def test_cells_are_checked():
    with pytest.raises(ValueError, match="`cell`=3"):
        layers.RNN(3)
    with pytest.raises(ValueError, match="no `state_size`"):
        layers.RNN(layers.Dense(3))
    with pytest.raises(ValueError, match="`cells`="):
        layers.StackedRNNCells([])
    with pytest.raises(TypeError, match=r"no argument .return_sequence."):
        layers.LSTM(3, return_sequence=True)


def test_forget_gate_starts_open():
    layer = layers.LSTM(2)
    layer.build((None, None, 3))
    assert layer.cell.bias.numpy().tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    layer = layers.LSTM(2, unit_forget_bias=False, bias_initializer="ones")
    layer.build((None, None, 3))
    assert layer.cell.bias.numpy().tolist() == [1] * 8


# States


def test_states_that_do_not_fit_are_named():
    layer = layers.LSTM(4, name="reader")
    fine, wide = np.zeros((2, 4)), np.zeros((2, 5))
    with pytest.raises(ShapeError, match=r"`initial_state` takes 2 states; 1 state came") as caught:
        layer(X, initial_state=[fine])
    assert "hidden state (2, 4), memory (2, 4)" in str(caught.value)
    with pytest.raises(ShapeError, match=r'LSTM "reader": initial_state\[1\] \(memory\) does not fit') as caught:
        layer(X, initial_state=[fine, wide])
    assert caught.value.received == "(2, 5)"
    with pytest.raises(ShapeError, match=r"initial_state\[0\]"):
        layer(X, initial_state=[np.zeros((3, 4)), fine])
    assert layers.GRU(4)(X, initial_state=fine).shape == (2, 4)


def test_symbolic_states_of_an_encoder_and_decoder():
    source, target = lamina.Input((None, 3)), lamina.Input((None, 5))
    _, *states = layers.LSTM(4, return_state=True)(source)
    decoded = layers.LSTM(4, return_sequences=True)(target, initial_state=states)
    model = lamina.Model([source, target], decoded)
    a, b = RNG.normal(size=(2, 2, 7, 5)).astype("float32")
    assert model([a[..., :3], b]).shape == (2, 7, 4)
    assert not np.allclose(model([a[..., :3], b]), model([0 * a[..., :3], b]))


@pytest.mark.parametrize("kind", KINDS)
def test_stateful_carries_on(kind):
    whole = kind(4, return_sequences=True)
    y = whole(X)
    layer = kind(4, stateful=True, return_sequences=True)
    layer.build((2, 2, 3))
    layer.set_weights(whole.get_weights())
    np.testing.assert_allclose(layer(X[:, :2]), y[:, :2], atol=1e-6)
    np.testing.assert_allclose(layer(X[:, 2:]), y[:, 2:], atol=1e-6)
    layer.reset_state()
    np.testing.assert_allclose(layer(X[:, :2]), y[:, :2], atol=1e-6)
    assert len(layer.weights) == 3
    assert {id(s) for s in layer.states} <= {id(v) for v in layer.non_trainable_variables}


def test_stateful_is_pure_when_called_so():
    layer = layers.GRU(4, stateful=True)
    layer.build((2, 4, 3))
    trained = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]
    y, after = jax.jit(layer.stateless_call)(trained, others, X)
    assert not np.asarray(layer.states[0].value).any()
    kept = next(value for v, value in zip(layer.non_trainable_variables, after, strict=True) if v is layer.states[0])
    np.testing.assert_allclose(kept, y)


def test_stateful_needs_the_batch_size():
    with pytest.raises(ShapeError, match="must know the batch size") as caught:
        layers.LSTM(4, stateful=True)(lamina.Input((4, 3)))
    assert "batch_size=32" in str(caught.value)
    layer = layers.LSTM(4, stateful=True)
    assert layer(lamina.Input((4, 3), batch_size=2)).shape == (2, 4)
    with pytest.raises(ShapeError, match="keeps the states of 2 samples"):
        layer(np.ones((5, 4, 3)))
    assert not layer.states[0].numpy().any()  # a value, though the layer was built while being traced
    layer.reset_state([np.ones((2, 4)), np.zeros((2, 4))])
    assert layer.states[0].numpy().sum() == 8
    with pytest.raises(ShapeError, match=r"states\[0\] \(hidden state\)"):
        layer.reset_states([np.ones((2, 3)), np.zeros((2, 4))])
    layers.LSTM(4).reset_state()  # without states there is nothing to do


# Masks


@pytest.mark.parametrize("unroll", [False, True])
def test_masked_steps_change_nothing(unroll):
    layer = layers.LSTM(4, return_sequences=True, return_state=True, unroll=unroll)
    y, hidden, memory = layer(X, mask=MASK)
    short, *states = layer(X[:1, [0, 2]])
    np.testing.assert_allclose(y[0], short[0][jnp.array([0, 0, 1, 1])], atol=1e-6)
    np.testing.assert_allclose([hidden[0], memory[0]], [s[0] for s in states], atol=1e-6)
    layer.zero_output_for_mask = True
    y = layer(X, mask=MASK)[0]
    assert not np.asarray(y[0, 1]).any()
    assert not np.asarray(y[0, 3]).any()
    np.testing.assert_allclose(y[0, 2], short[0, 1], atol=1e-6)


def test_going_backwards_is_going_forward_through_the_reverse():
    layer = layers.GRU(4, return_sequences=True)
    back = layers.GRU(4, return_sequences=True, go_backwards=True)
    back.build((None, None, 3))
    layer.build((None, None, 3))
    back.set_weights(layer.get_weights())
    np.testing.assert_allclose(back(X, mask=MASK), layer(X[:, ::-1], mask=MASK[:, ::-1]), atol=1e-6)


def test_mask_that_does_not_fit():
    with pytest.raises(ShapeError, match="mask does not fit") as caught:
        layers.GRU(4)(X, mask=MASK[:, :3])
    assert caught.value.expected.startswith("(2, 4)")


def test_mask_of_a_cell_whose_output_is_no_state():
    class Doubled(Sum):
        def call(self, inputs, states):
            total = states[0] + inputs
            return jnp.concatenate([total, total], -1), [total]

    y = layers.RNN(Doubled(), return_sequences=True)(jnp.ones((1, 3, 3)), mask=jnp.array([[False, True, False]]))
    assert y[0, :, 0].tolist() == [0.0, 1.0, 1.0]
    assert y.shape == (1, 3, 6)


# Dropout


@pytest.mark.parametrize("make", [layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell])
def test_one_dropout_mask_for_a_sequence(make):
    """With equal inputs and no state, a mask drawn anew at each step would give unequal outputs."""
    for cell in (make(4, dropout=0.5, seed=1), [make(4, dropout=0.5, seed=1), make(4, dropout=0.5, seed=2)]):
        layer = layers.RNN(cell, return_sequences=True)
        layer.build((None, None, 3))
        for weight in layer.weights:
            if weight.name == "recurrent_kernel":
                weight.assign(jnp.zeros(weight.shape))
        if make is layers.SimpleRNNCell:
            y = np.asarray(layer(jnp.ones((2, 5, 3)), training=True))
            np.testing.assert_allclose(y, np.broadcast_to(y[:, :1], y.shape), atol=1e-6)
        first, again = (np.asarray(layer(X, training=True)) for _ in range(2))
        assert not np.allclose(first, again)
        np.testing.assert_allclose(layer(X), layer(X))


def test_dropout_drops_the_part_asked_for():
    cell = layers.SimpleRNNCell(4, dropout=0.25, recurrent_dropout=1.0, seed=1)
    mask = np.asarray(cell.get_dropout_mask(np.ones((100, 50))))
    assert set(np.unique(mask)) == {0.0, np.float32(1 / 0.75)}
    assert 0.7 < (mask > 0).mean() < 0.8
    assert cell.get_dropout_mask(np.ones((100, 50))) is cell.get_dropout_mask(np.ones((100, 50)))
    cell.reset_dropout_mask()
    assert not np.array_equal(mask, cell.get_dropout_mask(np.ones((100, 50))))
    assert not np.asarray(cell.get_recurrent_dropout_mask(np.ones((2, 4)))).any()
    cell.reset_recurrent_dropout_mask()
    assert len(layers.LSTMCell(4, dropout=0.5).get_dropout_mask(np.ones((2, 3)))) == 4


def test_recurrent_dropout_acts_in_training_only():
    layer = layers.GRU(4, recurrent_dropout=0.5, seed=4)
    same = layers.GRU(4, recurrent_dropout=0.5, seed=4)
    plain = layer(X)
    same(X)
    same.set_weights(layer.get_weights())
    dropped = layer(X, training=True)
    assert not np.allclose(plain, dropped)
    np.testing.assert_allclose(dropped, same(X, training=True), atol=1e-6)


def test_no_masks_are_left_behind():
    layer = layers.LSTM(4, dropout=0.5, recurrent_dropout=0.5)
    layer.build((None, None, 3))
    run = jax.jit(lambda x: layer.stateless_call(
        [v.value for v in layer.trainable_variables], [v.value for v in layer.non_trainable_variables], x, training=True
    )[0])  # fmt: skip
    run(X)
    assert layer.cell._masks == {}
    layer(X, training=True)
    assert layer.cell._masks == {}


# Cells of the user's


def test_cell_without_a_layer():
    class Counter:
        state_size = 1

        def __call__(self, inputs, states):
            return states[0] + 1, states[0] + 1

    y, state = layers.RNN(Counter(), return_sequences=True, return_state=True)(X)
    assert y[0, :, 0].tolist() == [1, 2, 3, 4]
    assert state.shape == (2, 1)


def test_state_sizes_that_are_shapes():
    class Shaped(layers.Layer):
        state_size = ((2, 3), 4)

        def call(self, inputs, states):
            return jnp.sum(inputs, -1), [states[0] + 1, states[1]]

    y, a, b = layers.RNN(Shaped(), return_state=True)(lamina.Input((None, 3)))
    assert (y.shape, a.shape, b.shape) == ((None,), (None, 2, 3), (None, 4))


def test_cell_with_its_own_start():
    class Started(Sum):
        def get_initial_state(self, batch_size=None):
            return jnp.full((batch_size, 3), 10.0)

    assert layers.RNN(Started())(jnp.ones((1, 4, 3))).tolist() == [[14.0] * 3]


def test_what_a_cell_must_return():
    class Lone(Sum):
        def call(self, inputs, states):
            return inputs

    class Grown(Sum):
        def call(self, inputs, states):
            return inputs, [jnp.zeros((2, 5))]

    with pytest.raises(ValueError, match=r"returns \(output, new_states\)"):
        layers.RNN(Lone())(X)
    with pytest.raises(ShapeError, match=r"new_states\[0\] \(state 0\) does not fit"):
        layers.RNN(Grown())(X)


def test_cell_of_layers_that_are_built_late_and_random_and_moving():
    class Deep(layers.Layer):
        state_size = 4

        def __init__(self):
            super().__init__()
            self.dense, self.drop = layers.Dense(4), layers.Dropout(0.5, seed=1)
            self.norm = layers.BatchNormalization(momentum=0.5)

        def call(self, inputs, states):
            new = self.dense(inputs)
            self.add_loss(jnp.mean(new**2))
            return self.norm(self.drop(new)), [states[0] + new]

    layer = layers.RNN(Deep(), return_sequences=True)
    y = np.asarray(layer(jnp.ones((2, 5, 3)), training=True))
    assert len(layer.trainable_weights) == 4
    assert any((y[:, 0] != y[:, t]).any() for t in range(1, 5))  # another draw at each step
    assert (layer.cell.norm.moving_variance.numpy() != 1.0).all()
    value = np.asarray(layer.cell.dense(jnp.ones((2, 3))))
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, 5 * (value**2).mean(), rtol=1e-5)
    jax.block_until_ready(layer.cell.drop.seed_generator.state.value)


def test_own_cell_whose_call_is_overridden_is_called():
    class Louder(layers.GRUCell):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training)
            return 2 * output, states

    plain, loud = layers.RNN(layers.GRUCell(4)), layers.RNN(Louder(4))
    plain.build((None, None, 3))
    loud.build((None, None, 3))
    loud.set_weights(plain.get_weights())
    np.testing.assert_allclose(loud(X), 2 * plain(X), rtol=1e-5)


def test_activation_with_weights_of_its_own():
    """What an activation reads from a variable must not be frozen by compiling the loop once."""
    scale = lamina.Variable(1.0)
    layer = layers.SimpleRNN(4, activation=lambda x: jnp.tanh(x) * scale.value)
    before = np.asarray(layer(X))
    scale.assign(0.0)
    assert before.any()
    assert not np.asarray(layer(X)).any()


def test_frozen_layer_has_no_gradients():
    layer = layers.LSTM(4, trainable=False)
    layer(X)
    assert layer.trainable_variables == []
    assert len(layer.non_trainable_weights) == 3


# Both directions


def test_bidirectional_refusals():
    with pytest.raises(ValueError, match="is no layer; write LSTM"):
        layers.Bidirectional(layers.LSTM)
    with pytest.raises(ValueError, match="is not recurrent"):
        layers.Bidirectional(layers.Dense(3))
    with pytest.raises(ValueError, match=r"`merge_mode`='sun'.*did you mean 'sum'"):
        layers.Bidirectional(layers.LSTM(3), merge_mode="sun")
    with pytest.raises(ValueError, match="go_backwards=False"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3))
    with pytest.raises(ValueError, match="return_sequences=True, `layer` has return_sequences=False"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True, return_sequences=True))
    both = layers.Bidirectional(layers.LSTM(3))
    with pytest.raises(ShapeError, match="takes 4 states; 2 came"):
        both(X, initial_state=[np.zeros((2, 3))] * 2)
    uneven = layers.Bidirectional(layers.GRU(3), merge_mode="sum", backward_layer=layers.GRU(1, go_backwards=True))
    with pytest.raises(ShapeError, match="needs outputs of one shape"):
        uneven(X)


def test_bidirectional_weights_and_custom_cells():
    first = layers.Bidirectional(layers.GRU(3))
    y = first(X)
    again = layers.Bidirectional(layers.GRU(3), weights=first.get_weights())
    np.testing.assert_allclose(again(X), y, atol=1e-6)
    assert layers.Bidirectional(layers.RNN(Sum()))(X).shape == (2, 6)


def test_bidirectional_masks():
    words = layers.Embedding(9, 3, mask_zero=True)(lamina.Input((None,)))
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(words)
    assert y._keras_mask.shape == (None, None)
    assert layers.Bidirectional(layers.LSTM(4))(words)._keras_mask is None
