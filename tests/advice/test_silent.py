"""Programs that run through with a wrong meaning, and sound programs that look like them."""

from __future__ import annotations

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import Input, Model, Sequential, layers, losses, ops
from lamina.shapes import ShapeWarning

RNG = np.random.default_rng(0)


def rand(*shape):
    return RNG.random(shape, dtype="float32")


def classes(n, size=24):
    return RNG.permutation(np.arange(size) % n)


def one_hot(n, size=24):
    return np.eye(n, dtype="float32")[classes(n, size)]


def train(model, x, y, loss="mse", **kwargs):
    model.compile("sgd", loss, metrics=kwargs.pop("metrics", None))
    model.fit(x, y, epochs=1, verbose=0, **kwargs)


@pytest.fixture(autouse=True)
def _afresh():
    lamina.utils.clear_session(free_memory=False)


# Broadcasting


class Squared(losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred))


def column_minus_row(y_true, y_pred):
    return ops.square(y_true - y_pred[:, 0])


def row_metric(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred))


class RowMetric(lamina.metrics.Metric):
    def __init__(self):
        super().__init__(name="rows")
        self.total = self.add_variable(shape=(), initializer="zeros", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(ops.sum(ops.abs(y_true - y_pred)))

    def result(self):
        return self.total


def dense(units, features=4, **kwargs):
    return Sequential([Input((features,)), layers.Dense(units, **kwargs)])


def wrong_loss_class():
    train(dense(1), rand(24, 4), rand(24), Squared())


def wrong_loss_inside():
    train(dense(1), rand(24, 4), rand(24, 1), column_minus_row)


def wrong_metric():
    train(dense(1), rand(24, 4), rand(24), metrics=[row_metric])


def wrong_metric_class():
    train(dense(1), rand(24, 4), rand(24), metrics=[RowMetric()])


def wrong_lambda_loss():
    train(dense(1), rand(24, 4), rand(24, 1), lambda t, p: ops.square(ops.sum(p, -1) - t))


def wrong_compute_loss():
    class Net(Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.square(y - y_pred))

    x = Input((4,))
    train(Net(x, layers.Dense(1)(x)), rand(24, 4), rand(24), loss=None)


def wrong_loss_axis():
    train(dense(3), rand(24, 4), rand(24, 3), losses.CosineSimilarity(axis=0))


def wrong_units():
    train(dense(3), rand(24, 4), rand(24, 1))


def wrong_sequence_output():
    model = Sequential([Input((6, 3)), layers.LSTM(4, return_sequences=True), layers.Dense(1)])
    train(model, rand(24, 6, 3), rand(24, 1))


def wrong_forgotten_flatten():
    train(Sequential([Input((6, 3)), layers.Dense(1)]), rand(24, 6, 3), rand(24, 1), "mae")


def sound_loss_class():
    train(dense(1), rand(24, 4), rand(24, 1), Squared())


def sound_function_flat_labels():
    train(dense(1), rand(24, 4), rand(24), lambda t, p: ops.square(t - p))


def sound_quantiles():
    def pinball(y_true, y_pred):
        q = jnp.asarray([0.1, 0.5, 0.9])
        e = y_true - y_pred
        return ops.mean(ops.maximum(q * e, (q - 1) * e), axis=-1)

    train(dense(3), rand(24, 4), rand(24, 1), pinball)


def sound_contrastive():
    def contrastive(y_true, y_pred):
        z = y_pred / ops.norm(y_pred, axis=-1, keepdims=True)
        same = ops.cast(ops.equal(y_true, ops.transpose(y_true)), "float32")
        return -ops.mean(same * ops.log_softmax(z @ ops.transpose(z)), axis=-1)

    train(dense(5), rand(24, 4), classes(3)[:, None].astype("float32"), contrastive)


def sound_ranking():
    def ranking(y_true, y_pred):
        t, p = y_true[:, 0], y_pred[:, 0]
        return ops.mean(ops.softplus(-(t[:, None] - t[None]) * (p[:, None] - p[None])))

    train(dense(1), rand(24, 4), rand(24, 1), ranking)


def sound_pairwise_columns():
    def ranking(y_true, y_pred):
        return ops.mean(ops.relu(1 - (y_pred - ops.transpose(y_pred)) * ops.sign(y_true - ops.transpose(y_true))))

    train(dense(1), rand(24, 4), rand(24, 1), ranking)


def sound_sparse_by_hand():
    def own(y_true, y_pred):
        hot = ops.one_hot(ops.cast(y_true[:, 0], "int32"), 3)
        return -ops.sum(hot * ops.log(ops.softmax(y_pred) + 1e-7), axis=-1)

    train(dense(3), rand(24, 4), classes(3)[:, None], own)


def sound_sequence_targets():
    model = Sequential([Input((6, 3)), layers.LSTM(4, return_sequences=True), layers.Dense(1)])
    train(model, rand(24, 6, 3), rand(24, 6, 1))
    train(model, rand(24, 6, 3), rand(24, 6))


def sound_metric():
    train(dense(1), rand(24, 4), rand(24, 1), metrics=[row_metric, RowMetric(), "mae"])


def sound_flat_labels():
    train(dense(1, activation="sigmoid"), rand(24, 4), classes(2), "binary_crossentropy", metrics=["accuracy"])


# Softmax


def wrong_softmax_unit():
    dense(1, activation="softmax")


def wrong_softmax_layer():
    Sequential([Input((4,)), layers.Dense(1), layers.Softmax()])


def wrong_softmax_activation():
    Sequential([Input((4,)), layers.Dense(1), layers.Activation("softmax")])


def wrong_softmax_scores():
    x = Input((None, 8))
    weights = layers.Dense(1, activation="softmax")(x)
    Model(x, ops.sum(x * weights, axis=1))


def wrong_softmax_mask():
    Sequential([Input((8, 8, 3)), layers.Conv2D(1, 1, activation="softmax")])


def wrong_softmax_subclassed():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.out = layers.Dense(1, activation="softmax")

        def call(self, x):
            return self.out(x)

    Net().predict(rand(4, 3), verbose=0)


def wrong_softmax_op():
    class Attend(layers.Layer):
        def __init__(self):
            super().__init__()
            self.score = layers.Dense(1)

        def call(self, x):
            return ops.sum(ops.softmax(self.score(x)) * x, axis=1)

    Model(x := Input((6, 4)), Attend()(x)).predict(rand(2, 6, 4), verbose=0)


def wrong_softmax_samples():
    Sequential([Input((4,)), layers.Dense(3), layers.Softmax(axis=0)])


def wrong_softmax_samples_in_a_function():
    Sequential([Input((4,)), layers.Lambda(lambda x: ops.softmax(x, axis=0))])


def wrong_unit_samples():
    Sequential([Input((4,)), layers.UnitNormalization(axis=0)])


def sound_compute_loss():
    class Net(Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.square(y - y_pred)) + ops.mean(x) * 0

    x = Input((4,))
    train(Net(x, layers.Dense(1)(x)), rand(24, 4), rand(24, 1), loss=None)


def sound_softmax_of_weights():
    class Mix(layers.Layer):
        def build(self, input_shape):
            self.mix = self.add_weight((input_shape[-1], 3), name="mix")

        def call(self, x):
            return x @ ops.softmax(self.mix, axis=0)

    Sequential([Input((4,)), Mix()]).predict(rand(3, 4), verbose=0)


def sound_softmax():
    Sequential([Input((4,)), layers.Dense(2), layers.Softmax()])


def sound_attention_over_time():
    x = Input((None, 8))
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))
    Model(x, ops.sum(x * weights, axis=1)).predict(rand(3, 5, 8), verbose=0)


def sound_attention_single_key():
    q, k = Input((5, 8)), Input((1, 8))
    weights = layers.Softmax()(layers.Dot(axes=2)([q, k]))
    Model([q, k], layers.Dot(axes=(2, 1))([weights, k])).predict([rand(2, 5, 8), rand(2, 1, 8)], verbose=0)


def sound_attention_layers():
    x, y = Input((1, 8)), Input((5, 8))
    h = layers.MultiHeadAttention(2, 4)(x, y) if hasattr(layers, "MultiHeadAttention") else x
    Model([x, y], h).predict([rand(2, 1, 8), rand(2, 5, 8)], verbose=0)


def sound_attention_one_step():
    x = Input((1, 8))
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))
    Model(x, x * weights).predict(rand(3, 1, 8), verbose=0)


def sound_attention_heads():
    class Heads(layers.Layer):
        def call(self, x):
            q = ops.reshape(x, (-1, x.shape[1], 2, x.shape[2] // 2))
            scores = ops.einsum("bqhd,bkhd->bhqk", q, q)
            return ops.einsum("bhqk,bkhd->bqhd", ops.softmax(scores), q)

    Model(x := Input((1, 8)), Heads()(x)).predict(rand(2, 1, 8), verbose=0)


# Data formats


def image_net(shape, *stack):
    return Sequential([Input(shape), *stack])


FIRST = {"data_format": "channels_first"}


def wrong_softmax_width():
    image_net((1, 12, 10), layers.Conv2D(4, 3, **FIRST), layers.Softmax())


def wrong_softmax_width_activation():
    image_net((1, 12, 10), layers.Conv2D(4, 3, activation="softmax", **FIRST))


def wrong_normalization():
    image_net((3, 16, 20), layers.Conv2D(6, 3, **FIRST), layers.ReLU(), layers.BatchNormalization())


def wrong_normalization_after_add():
    x = Input((3, 16, 20))
    a, b = (layers.Conv2D(6, 3, **FIRST)(x) for _ in range(2))
    layers.BatchNormalization()(a + b)


def wrong_normalization_last():
    image_net((16, 20, 3), layers.Conv2D(6, 3), layers.BatchNormalization(axis=1))


def wrong_pooling():
    image_net((3, 16, 20), layers.Conv2D(6, 3, **FIRST), layers.MaxPooling2D())


def wrong_global_pooling():
    image_net((3, 16, 20), layers.Conv2D(6, 3, **FIRST), layers.GlobalAveragePooling2D(), layers.Dense(2))


def wrong_joining():
    x = Input((3, 16, 16))
    a, b = (layers.Conv2D(6, 3, **FIRST)(x) for _ in range(2))
    layers.Concatenate()([a, b])


def wrong_colours_first():
    image_net((3, 32, 32), layers.Conv2D(8, 3, padding="same"))


def wrong_colours_last():
    image_net((32, 48, 3), layers.Conv2D(8, 3, padding="same", **FIRST))


def wrong_grey_first():
    image_net((1, 28, 28), layers.Conv2D(8, 3, padding="same"))


def wrong_subclassed_format():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = layers.Conv2D(6, 3, **FIRST), layers.BatchNormalization()

        def call(self, x):
            return self.norm(self.conv(x))

    Net().predict(rand(2, 3, 16, 20), verbose=0)


def sound_channels_first():
    model = image_net(
        (3, 16, 20),
        layers.Conv2D(6, 3, padding="same", **FIRST),
        layers.BatchNormalization(axis=1),
        layers.MaxPooling2D(2, **FIRST),
        layers.Conv2D(4, 1, **FIRST),
        layers.Softmax(axis=1),
    )
    model.predict(rand(2, 3, 16, 20), verbose=0)


def sound_permuted():
    model = image_net((3, 16, 20), layers.Conv2D(6, 3, **FIRST), layers.Permute((2, 3, 1)), layers.BatchNormalization())
    model.predict(rand(2, 3, 16, 20), verbose=0)


def sound_first_then_flat():
    model = image_net((3, 16, 20), layers.Conv2D(6, 3, **FIRST), layers.Flatten(), layers.Dense(2))
    model.predict(rand(2, 3, 16, 20), verbose=0)


def sound_spectrogram():
    image_net((40, 100, 1), layers.BatchNormalization(axis=1), layers.Conv2D(4, 3), layers.BatchNormalization())


def sound_electrodes():
    image_net((3, 500, 1), layers.Conv2D(8, (1, 64), padding="same"), layers.Conv2D(8, (3, 1)))
    image_net((22, 500, 1), layers.Conv2D(8, (1, 64), padding="same"))


def sound_bottleneck():
    image_net((4, 4, 512), layers.Conv2D(8, 3), layers.Flatten())
    image_net((3, 3, 128), layers.Conv2D(8, 3))
    image_net((1, 64, 32), layers.Conv2D(8, (1, 5)))


def sound_rgb():
    image_net((32, 32, 3), layers.Rescaling(1 / 255), layers.Conv2D(8, 3), layers.BatchNormalization())


def sound_signal_first():
    Sequential([Input((3, 100)), layers.Conv1D(8, 5, **FIRST), layers.BatchNormalization(axis=1)])


# Sequences


def wrong_one_step():
    Sequential([Input((1, 24)), layers.LSTM(6), layers.Dense(1)])


def wrong_one_step_reshaped():
    Sequential([Input((24,)), layers.Reshape((1, 24)), layers.GRU(6)])


def wrong_one_step_both_ways():
    Sequential([Input((1, 24)), layers.Bidirectional(layers.LSTM(6))])


def wrong_swapped_series():
    Sequential([Input((3, 200)), layers.Conv1D(8, 5, padding="same")])


def wrong_reshape_images():
    Sequential([Input((3, 32, 32)), layers.Reshape((32, 32, 3))])


def wrong_reshape_series():
    Sequential([Input((100, 3)), layers.Reshape((3, 100))])


def sound_decoder_step():
    x, h, c = Input((1, 8)), Input((6,)), Input((6,))
    Model([x, h, c], layers.LSTM(6, return_state=True)(x, initial_state=[h, c]))
    Model([x, h, c], layers.LSTM(6)(x, initial_state=[h, c]))


def sound_stateful_step():
    model = Sequential([Input(batch_shape=(2, 1, 8)), layers.LSTM(6, stateful=True)])
    model.predict(rand(2, 1, 8), verbose=0)


def sound_step_of_sequence():
    Sequential([Input((None, 24)), layers.LSTM(6, return_sequences=True), layers.LSTM(4)])
    Sequential([Input((6,)), layers.RepeatVector(1), layers.LSTM(6)])


def sound_series():
    Sequential([Input((200, 3)), layers.Conv1D(8, 5, padding="same"), layers.LSTM(4)])
    Sequential([Input((5, 64)), layers.LSTM(4)])


def sound_reshape():
    Sequential([Input((12,)), layers.Reshape((4, 3)), layers.Reshape((2, 6)), layers.Reshape((2, 6, 1))])
    Sequential([Input((20, 1)), layers.Reshape((1, 20)), layers.Flatten()])
    Sequential([Input((8, 4)), layers.Reshape((4, 8)), layers.Dense(2)])


def sound_permute():
    Sequential([Input((100, 3)), layers.Permute((2, 1)), layers.Dense(4)])


# The batch axis


def wrong_joined_batches():
    a, b = Input((4,)), Input((4,))
    model = Model([a, b], layers.Dense(1)(layers.Concatenate(axis=0)([a, b])))
    model.predict([rand(6, 4), rand(6, 4)], verbose=0)


def wrong_lambda_reshape():
    x = Input((4, 6))
    Model(x, layers.Lambda(lambda t: ops.reshape(t, (-1, 6)))(x)).predict(rand(5, 4, 6), verbose=0)


def wrong_lambda_reduction():
    x = Input((4,))
    Model(x, layers.Lambda(lambda t: ops.mean(t, axis=0))(x)).predict(rand(5, 4), verbose=0)


def wrong_subclassed_reshape():
    class Net(Model):
        def call(self, x):
            return ops.reshape(x, (-1, 6))

    Net().predict(rand(5, 4, 6), verbose=0)


def wrong_one_series():
    x = Input((None, 1))
    Model(x, layers.Dense(1)(layers.LSTM(4)(x))).predict(rand(20, 1), verbose=0)


def sound_merged_batch_and_back():
    x = Input((4, 6))
    flat = layers.Lambda(lambda t: ops.reshape(t, (-1, 6)))(x)
    back = layers.Lambda(lambda t: ops.reshape(t, (-1, 4, 3)))(layers.Dense(3)(flat))
    Model(x, back).predict(rand(5, 4, 6), verbose=0)


def sound_joined_and_split():
    a, b = Input((4,)), Input((4,))
    both = layers.Dense(3)(layers.Concatenate(axis=0)([a, b]))
    first, second = ops.split(both, 2, axis=0)
    Model([a, b], layers.Subtract()([first, second])).predict([rand(6, 4), rand(6, 4)], verbose=0)


def sound_similarity():
    a, b = Input((4,)), Input((4,))
    Model([a, b], ops.matmul(a, ops.transpose(b))).predict([rand(6, 4), rand(6, 4)], verbose=0)


def sound_one_series():
    x = Input((None, 1))
    model = Model(x, layers.Dense(1)(layers.LSTM(4)(x)))
    model.predict(rand(1, 20, 1), verbose=0)
    model.predict(rand(5, 20), verbose=0)


def sound_fixed_batch():
    x = Input(batch_shape=(4, 3))
    Model(x, layers.Dense(2)(x)).predict(rand(4, 3), verbose=0)


# Scaling


def wrong_rescaling():
    Sequential([Input((50, 1)), layers.Rescaling([1.0, 2.0], [0.0, 0.0])])


def sound_rescaling():
    Sequential([Input((50, 2)), layers.Rescaling([1.0, 2.0], [0.0, 0.0]), layers.Rescaling(2.0)])
    Sequential([Input((2,)), layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0])])


# Labels


def wrong_numbers_as_columns():
    train(dense(3, activation="softmax"), rand(24, 4), RNG.integers(0, 5, (24, 3)), "categorical_crossentropy")


def wrong_categorical_unit():
    train(dense(1, activation="sigmoid"), rand(24, 4), classes(2)[:, None], "categorical_crossentropy")


def wrong_binary_classes():
    train(dense(1, activation="sigmoid"), rand(24, 4), classes(3), "binary_crossentropy")


def wrong_binary_signs():
    train(dense(1, activation="sigmoid"), rand(24, 4), classes(2) * 2 - 1, "binary_crossentropy")


def wrong_one_hot_sequence():
    model = Sequential([Input((5, 3)), layers.LSTM(4, return_sequences=True), layers.Dense(5, activation="softmax")])
    train(model, rand(24, 5, 3), one_hot(5), "sparse_categorical_crossentropy")


def sound_labels():
    train(dense(3, activation="softmax"), rand(24, 4), one_hot(3), "categorical_crossentropy", metrics=["accuracy"])
    train(dense(3, activation="softmax"), rand(24, 4), classes(3), "sparse_categorical_crossentropy")
    train(dense(3, activation="softmax"), rand(24, 4), classes(3)[:, None], "sparse_categorical_crossentropy")


def sound_soft_labels():
    soft = rand(24, 3)
    train(dense(3, activation="softmax"), rand(24, 4), soft / soft.sum(1, keepdims=True), "categorical_crossentropy")
    train(dense(3, activation="sigmoid"), rand(24, 4), (rand(24, 3) > 0.5).astype("int32"), "binary_crossentropy")


def sound_tagging():
    model = Sequential([Input((5, 3)), layers.LSTM(4, return_sequences=True), layers.Dense(5, activation="softmax")])
    train(model, rand(24, 5, 3), RNG.integers(0, 5, (24, 5)), "sparse_categorical_crossentropy")


def sound_two_outputs():
    x = Input((4,))
    model = Model(x, {"kind": layers.Dense(3, activation="softmax")(x), "size": layers.Dense(1)(x)})
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"}, metrics={"size": [row_metric]})
    model.fit(rand(24, 4), {"kind": classes(3), "size": rand(24, 1)}, epochs=1, verbose=0)


WRONG = [f for name, f in list(globals().items()) if name.startswith("wrong_")]
SOUND = [f for name, f in list(globals().items()) if name.startswith("sound_")]


@pytest.mark.parametrize("program", WRONG, ids=lambda f: f.__name__)
def test_a_wrong_program_gets_one_warning(program):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program()
    shape_warnings = [w for w in caught if issubclass(w.category, ShapeWarning)]
    assert len(shape_warnings) == 1, [str(w.message) for w in shape_warnings]
    assert "test_silent.py" in str(shape_warnings[0].message)


@pytest.mark.parametrize("program", SOUND, ids=lambda f: f.__name__)
def test_a_sound_program_gets_none(program):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShapeWarning)
        program()
