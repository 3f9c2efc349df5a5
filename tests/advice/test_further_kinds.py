"""Further kinds of shape problems, each in a small program: who is named, where, and a repair that works."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from failing import codes, failed

import lamina
from lamina import Input, Model, Sequential, layers, ops
from lamina.shapes import ShapeWarning


def two_outputs(first: int = 1, second: int = 1, **kwargs) -> Model:
    inputs = Input((5,))
    hidden = layers.Dense(8)(inputs)
    model = Model(inputs, [layers.Dense(n, name=name)(hidden) for n, name in ((first, "price"), (second, "area"))])
    model.compile("sgd", **{"loss": "mse", **kwargs})
    return model


# Labels


def test_one_array_of_labels_for_two_outputs_is_cut_into_columns():
    x, y = np.zeros((8, 5)), np.zeros((8, 3))
    error = failed(lambda: two_outputs(1, 2).fit(x, y, verbose=0))
    assert codes(error) == ["y = [y[:, :1], y[:, 1:]]", 'y = {"price": y[:, :1], "area": y[:, 1:]}']
    assert "price, area" in str(error)
    assert "(8, 3)" in str(error)
    two_outputs(1, 2).fit(x, [y[:, :1], y[:, 1:]], verbose=0)
    two_outputs(1, 2).fit(x, {"price": y[:, :1], "area": y[:, 1:]}, verbose=0)


def test_one_column_of_class_numbers_for_each_output():
    x, y = np.zeros((8, 5)), np.zeros((8, 2), "int32")
    error = failed(lambda: two_outputs(3, 4, loss="sparse_categorical_crossentropy").fit(x, y, verbose=0))
    assert codes(error)[0] == "y = [y[:, :1], y[:, 1:]]"


def test_the_same_labels_for_every_output():
    x = np.zeros((8, 5))
    assert codes(failed(lambda: two_outputs(5, 5).fit(x, x, verbose=0)))[0] == "y=[x, x]"


def test_labels_of_no_output_are_left_alone():
    x, y = np.zeros((8, 5)), np.zeros((8, 7))
    assert not failed(lambda: two_outputs(1, 2).fit(x, y, verbose=0)).fixes


# The user's own losses and steps


class OwnLoss(Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean((y - y_pred) ** 2)


class OwnStep(Model):
    def train_step(self, state, data):
        import jax

        trainable, others, optimizer, metrics = state
        x, y = data

        def loss_of(values):
            y_pred, new = self.stateless_call(values, others, x, training=True)
            return ops.mean((y - y_pred) ** 2), new

        (loss, new), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        return {"loss": loss}, (trainable, new, optimizer, metrics)


def own(kind, units: int) -> Model:
    inputs = Input((4,))
    model = kind(inputs, layers.Dense(units, name="head")(inputs))
    model.compile("sgd")
    return model


@pytest.mark.parametrize("kind", [OwnLoss, OwnStep])
def test_clashes_in_a_loss_of_the_users_have_repairs(kind):
    x, y = np.zeros((8, 4), "float32"), np.zeros((8, 2), "float32")
    error = failed(lambda: own(kind, 3).fit(x, y, verbose=0))
    assert "(y - y_pred) ** 2" in error.call_site.source
    assert "y_true (8, 2)" in str(error)
    assert "y_pred (8, 3)" in str(error)
    assert codes(error) == ['layers.Dense(2, name="head")']
    own(kind, 2).fit(x, y, verbose=0)


def test_a_loss_function_of_the_users_wants_one_hot_labels():
    def cross_entropy(y_true, y_pred):
        return -ops.sum(y_true * ops.log(y_pred), axis=-1)

    model = Sequential([Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", cross_entropy)
    x, y = np.zeros((8, 4)), np.arange(8) % 3
    error = failed(lambda: model.fit(x, y, verbose=0))
    assert codes(error)[0] == "y = keras.utils.to_categorical(y, 3)"
    model.fit(x, lamina.utils.to_categorical(y, 3), verbose=0)


@pytest.mark.parametrize("kind", [OwnLoss, OwnStep])
def test_accidental_pairs_in_a_loss_of_the_users(kind):
    x, y = np.zeros((8, 4), "float32"), np.zeros(8, "float32")
    with pytest.warns(ShapeWarning, match="compares every sample with every other"):
        own(kind, 1).fit(x, y, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own(kind, 1).fit(x, y[:, None], verbose=0)


# Batches of one size


def stateful(size: int = 4) -> Sequential:
    model = Sequential([Input(batch_shape=(size, 6, 1)), layers.LSTM(3, stateful=True), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_samples_that_are_no_multiple_of_the_batch_size():
    x, y = np.zeros((10, 6, 1)), np.zeros((10, 1))
    error = failed(lambda: stateful().fit(x, y, batch_size=4, verbose=0))
    assert "a multiple of 4 samples" in error.expected
    assert "10 samples in batches of 4 give one of 2" in str(error)
    assert codes(error)[0] == "x = x[:8] and y = y[:8]"
    stateful().fit(x[:8], y[:8], batch_size=4, verbose=0)


def test_another_batch_size_than_the_model_takes():
    x, y = np.zeros((8, 6, 1)), np.zeros((8, 1))
    assert codes(failed(lambda: stateful().fit(x, y, verbose=0))) == ["batch_size=4"]
    stateful().fit(x, y, batch_size=4, verbose=0)


def test_one_sample_for_a_model_of_larger_batches():
    x = np.zeros((1, 6, 1))
    error = failed(lambda: stateful().predict(x, verbose=0))
    assert codes(error) == ["x = np.resize(x, (4, 6, 1))", "Input(batch_shape=(1, 6, 1))"]
    assert stateful().predict(np.resize(x, (4, 6, 1)), verbose=0).shape == (4, 1)


def test_both_parts_of_a_split_are_whole_batches():
    x, y = np.zeros((12, 6, 1)), np.zeros((12, 1))
    error = failed(lambda: stateful().fit(x, y, batch_size=4, validation_split=0.2, verbose=0))
    assert codes(error) == ["validation_split=4 / 12"]
    stateful().fit(x, y, batch_size=4, validation_split=4 / 12, verbose=0)


# Sizes written into code


def test_a_batch_size_in_the_code_of_a_layer():
    class Sampling(layers.Layer):
        def call(self, inputs):
            mean, log_var = inputs
            noise = lamina.random.normal((32, 2))
            return mean + ops.exp(0.5 * log_var) * noise

    error = failed(lambda: Sampling()([Input((2,)), Input((2,))]))
    assert codes(error)[0] == "lamina.random.normal((ops.shape(mean)[0], 2))"
    assert "noise (32, 2)" in str(error)


def test_a_batch_size_that_a_layer_holds():
    class Padded(layers.Layer):
        def __init__(self, samples):
            super().__init__()
            self.samples = samples

        def call(self, x):
            zeros = ops.zeros((self.samples, 4))
            return ops.concatenate([x, zeros], axis=-1)

    assert codes(failed(lambda: Padded(16)(Input((3,)))))[0] == "ops.zeros((ops.shape(x)[0], 4))"


# Models inside models


def test_a_decoder_for_another_code():
    encoder = Sequential([Input((32,)), layers.Dense(8, name="code")], name="encoder")
    decoder = Sequential([Input((16,)), layers.Dense(32)], name="decoder")
    error = failed(lambda: Sequential([encoder, decoder]))
    assert "decoder" in str(error)
    assert "(None, 16)" in str(error)
    assert "(None, 8)" in str(error)
    assert codes(error)[0] == 'units=16 in "code"'
    assert codes(error)[1] == "Input((8,))"


# Functions of tensors


def test_an_array_that_does_not_fit_a_symbolic_tensor():
    tokens, positions = Input((5, 10)), np.zeros((6, 10), "float32")
    error = failed(lambda: tokens + positions)
    assert "(6, 10)" in str(error)
    assert codes(error) == ["Input((6, 10))", "positions[:5]"]
    assert (tokens + positions[:5]).shape == (None, 5, 10)


def test_functions_of_tensors_have_repairs():
    a, b = Input((10, 4)), Input((12, 4))
    assert codes(failed(lambda: ops.concatenate([a, b])))[0] == "axis=1"
    assert ops.concatenate([a, b], axis=1).shape == (None, 22, 4)
    row = Input((784,))
    assert codes(failed(lambda: ops.reshape(row, (-1, 32, 32, 1)))) == ["ops.reshape(row, (-1, 28, 28, 1))"]
    c = Input((12, 5))
    assert codes(failed(lambda: ops.einsum("bid,bjd->bij", a, c)))[0] == "layers.Dense(4)(c)"


# Layers


def test_a_normalization_of_other_columns():
    norm = layers.Normalization()
    norm.adapt(np.zeros((8, 6)))
    error = failed(lambda: norm(Input((5,))))
    assert codes(error) == ["Input((6,))", "layers.Normalization() and norm.adapt(x)"]
    assert codes(failed(lambda: norm(Input((8,)))))[1] == "layers.Normalization() and norm.adapt(x)"
    failed(lambda: norm.adapt(np.zeros((8, 5))))


def test_sizes_of_a_unet_are_said_as_multiples():
    inputs = Input(("height", "width", 1))
    skip = layers.Conv2D(2, 3, padding="same")(inputs)
    deep = layers.MaxPooling2D(4)(skip)
    model = Model(inputs, layers.Concatenate()([layers.UpSampling2D(4)(deep), skip]))
    x = np.zeros((2, 10, 12, 1))
    error = failed(lambda: model.predict(x, verbose=0))
    assert error.expected == "height: a multiple of 4"
    assert codes(error)[1] == "x = x[:, :8]"
    assert model.predict(x[:, :8], verbose=0).shape == (2, 8, 12, 4)


def test_a_cell_takes_one_step():
    error = failed(lambda: layers.LSTMCell(4, name="cell")(Input((10, 8))))
    assert codes(error)[0] == 'layers.RNN(layers.LSTMCell(4)) instead of LSTMCell "cell"'


def test_a_list_for_a_layer_of_one_tensor():
    a, b = Input((8,)), Input((8,))
    error = failed(lambda: layers.Dense(4, name="head")([a, b]))
    assert "takes one tensor; a list of 2 came" in str(error)
    assert codes(error)[0] == 'layers.Concatenate() before "head"'
    assert layers.Lambda(lambda pair: pair[0] + pair[1])([a, b]).shape == (None, 8)


@pytest.mark.parametrize("kind", [layers.Add, layers.Multiply, layers.Maximum, layers.Concatenate])
def test_two_tensors_for_a_layer_of_one_list(kind):
    a, b = Input((8,)), Input((8,))
    error = failed(lambda: kind()(a, b))
    assert "takes 1 argument: inputs; 2 came" in str(error)
    assert codes(error) == ["[a, b]"]
    failed(lambda: kind()(a))


def test_attention_of_a_sequence_to_itself():
    query = Input((10, 8))
    error = failed(lambda: layers.MultiHeadAttention(2, 4)(query))
    assert codes(error) == ["layers.MultiHeadAttention(2, 4)(query, query)"]


# The samples' own axis


def test_samples_cut_at_other_places():
    with pytest.warns(ShapeWarning, match="makes 10 rows of 3 samples"):
        layers.Lambda(lambda t: ops.reshape(t, (-1, 3)))(Input((10,)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = layers.Lambda(lambda t: ops.reshape(t, (-1, 3)))(Input((12,)))
        layers.Lambda(lambda t: ops.reshape(t, (-1, 12)))(rows)


def test_a_layer_that_mixes_samples_is_named_where_labels_do_not_fit():
    inputs = Input((12,))
    rows = layers.Lambda(lambda t: ops.reshape(t, (-1, 3)), name="rows")(inputs)
    model = Model(inputs, layers.Dense(1)(rows))
    model.compile("sgd", "mse")
    error = failed(lambda: model.fit(np.zeros((8, 12)), np.zeros(8), verbose=0))
    assert 'Lambda "rows", which makes (4*batch, 3) of (batch, 12)' in str(error)
    assert not error.fixes
