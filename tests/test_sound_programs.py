"""Sound programs in the ways that tutorials, books and answers write them: they run, and nothing is warned of."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest

import lamina as keras
from lamina import layers, ops
from lamina.shapes import errors

QUIET: dict = {"verbose": 0}


@pytest.fixture(autouse=True)
def no_warning():
    """Every warning that a program gives makes it fail."""
    errors.forget_warnings()
    keras.utils.set_random_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", errors.ShapeWarning)
        warnings.simplefilter("error", UserWarning)
        yield


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype("float32")


def numbers(high: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, high, shape)


def test_an_only_output_comes_without_its_list():
    inputs = keras.Input((3,))
    outputs = layers.Dense(4)(inputs)
    model = keras.Model(inputs=[inputs], outputs=[outputs])
    x = draw(5, 3)
    assert model.predict(x, **QUIET).argmax(axis=1).shape == (5,)
    assert model(x).shape == model.predict_on_batch([x]).shape == (5, 4)
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 4))
    model.compile("adam", ["mse"], metrics=[["mae"]])
    assert set(model.fit([x], [draw(5, 4)], **QUIET).history) == {"loss", "mae"}
    assert layers.Dense(2)(model(keras.Input((3,)))).shape == (None, 2)
    named = keras.Model(inputs, {"out": outputs})
    assert named.predict(x, **QUIET)["out"].shape == (5, 4)
    assert [o.shape for o in keras.Model(inputs, [outputs, inputs]).predict(x, **QUIET)] == [(5, 4), (5, 3)]


def test_a_shared_layer_has_the_output_of_its_first_call():
    shared = layers.Dense(4)
    first, second = keras.Input((3,)), keras.Input((3,))
    out = shared(first)
    shared(second)
    assert shared.output is out
    assert shared.input is first
    assert shared.output_shape == (None, 4)
    with pytest.raises(AttributeError, match="has not been called"):
        _ = layers.Dense(4).output


def test_inputs_stand_among_the_layers_where_the_graph_reaches_them():
    category, value = keras.Input((1,), name="category"), keras.Input((3,), name="value")
    embedded = layers.Flatten(name="flat")(layers.Embedding(4, 2, name="embedding")(category))
    outputs = layers.Dense(1, name="dense")(layers.concatenate([embedded, value], name="join"))
    names = [layer.name for layer in keras.Model([category, value], outputs).layers]
    assert names == ["category", "embedding", "flat", "value", "join", "dense"]


def test_gan_with_a_discriminator_frozen_in_the_whole():
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.LeakyReLU(), layers.Dense(6)])
    critic = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(1, "sigmoid")])
    critic.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    noise = keras.Input((4,))
    critic.trainable = False
    whole = keras.Model(noise, critic(generator(noise)))
    whole.compile("adam", "binary_crossentropy")
    before = critic.get_weights()
    real = 0.5 * np.add(
        critic.train_on_batch(draw(8, 6), np.ones((8, 1))), critic.train_on_batch(draw(8, 6), np.zeros(8))
    )
    assert real.shape == (2,)
    between = critic.get_weights()
    whole.train_on_batch(draw(8, 4), np.ones((8, 1)))
    assert all((a != b).any() for a, b in zip(before, between, strict=True))
    assert all((a == b).all() for a, b in zip(between, critic.get_weights(), strict=True))


def test_mixed_precision_under_its_name():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        dense = layers.Dense(4)
        model = keras.Sequential([keras.Input((3,)), dense, layers.Activation("softmax", dtype="float32")])
        assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(draw(8, 3), numbers(4, 8), **QUIET)
    assert (dense.compute_dtype, dense.variable_dtype) == ("bfloat16", "float32")
    assert model.predict(draw(8, 3), **QUIET).dtype == "float32"
    assert keras.mixed_precision.Policy is keras.DTypePolicy


def test_cnn_with_one_hot_labels():
    model = keras.models.Sequential()
    model.add(layers.Conv2D(4, (3, 3), activation="relu", input_shape=(12, 12, 3)))
    model.add(layers.BatchNormalization())
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(3, activation="softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    y = keras.utils.to_categorical(numbers(3, 10), 3)
    history = model.fit(draw(10, 12, 12, 3), y, validation_split=0.2, **QUIET).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_unet_of_open_size():
    image = keras.Input((None, None, 1))
    left = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    deep = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.MaxPooling2D()(left))
    joined = layers.concatenate([layers.Conv2DTranspose(4, 2, strides=2, padding="same")(deep), left])
    model = keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(joined))

    def dice(y_true, y_pred):
        overlap, total = ops.sum(y_true * y_pred, axis=(1, 2, 3)), ops.sum(y_true + y_pred, axis=(1, 2, 3))
        return 1 - (2 * overlap + 1) / (total + 1)

    model.compile("adam", dice)
    model.fit(draw(4, 8, 8, 1), (draw(4, 8, 8, 1) > 0.5).astype("float32"), **QUIET)
    assert model.predict(draw(1, 12, 6, 1), **QUIET).shape == (1, 12, 6, 1)


def test_squeeze_and_excite():
    image = keras.Input((8, 8, 4))
    scale = layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(image))
    scaled = layers.multiply([image, layers.Dense(4, activation="sigmoid")(scale)])
    where = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(scaled)
    outputs = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(layers.Multiply()([scaled, where])))
    assert keras.Model(image, outputs).predict(draw(3, 8, 8, 4), **QUIET).shape == (3, 2)


def test_tagging_with_masks():
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(20, 6, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(4, activation="softmax")),
        ]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    words, tags = numbers(20, 6, 7), numbers(4, 6, 7)
    model.fit(words, tags, sample_weight=(words > 0).astype("float32"), **QUIET)
    model.fit(words, tags[..., None], **QUIET)


def test_attention_over_time_written_with_small_layers():
    words = keras.Input((7,))
    states = layers.GRU(4, return_sequences=True)(layers.Embedding(20, 6)(words))
    scores = layers.Flatten()(layers.Dense(1, activation="tanh")(states))
    weights = layers.Permute([2, 1])(layers.RepeatVector(4)(layers.Activation("softmax")(scores)))
    summed = layers.Lambda(lambda t: ops.sum(t, axis=1), output_shape=(4,))(layers.multiply([states, weights]))
    model = keras.Model(words, layers.Dense(1, activation="sigmoid")(summed))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(numbers(20, 6, 7), numbers(2, 6), **QUIET)


def test_encoder_decoder_with_states():
    source, target = keras.Input((None, 5)), keras.Input((None, 6))
    _, h, c = layers.LSTM(4, return_state=True)(source)
    decoder, dense = layers.LSTM(4, return_sequences=True, return_state=True), layers.Dense(6, activation="softmax")
    states, _, _ = decoder(target, initial_state=[h, c])
    model = keras.Model([source, target], dense(states))
    model.compile("rmsprop", "categorical_crossentropy")
    model.fit([draw(4, 7, 5), draw(4, 3, 6)], np.eye(6)[numbers(6, 4, 3)], **QUIET)
    before = [keras.Input((4,)), keras.Input((4,))]
    step, *after = decoder(target, initial_state=before)
    one = keras.Model([target, *before], [dense(step), *after])
    state = keras.Model(source, [h, c]).predict(draw(1, 7, 5), **QUIET)
    assert [o.shape for o in one.predict([draw(1, 1, 6), *state], **QUIET)] == [(1, 1, 6), (1, 4), (1, 4)]


def test_look_back_of_one_step():
    model = keras.Sequential([keras.Input((1, 1)), layers.LSTM(4), layers.Dense(1)])
    model.compile("adam", "mean_squared_error")
    model.fit(draw(6, 1, 1), draw(6), batch_size=2, **QUIET)


def test_losses_that_compare_all_pairs_on_purpose():
    def hardest(y_true, y_pred):
        y_true = ops.reshape(y_true, (-1, 1))
        same = ops.cast(ops.equal(y_true, ops.transpose(y_true)), "float32")
        squares = ops.sum(ops.square(y_pred), axis=1, keepdims=True)
        apart = squares - 2 * ops.matmul(y_pred, ops.transpose(y_pred)) + ops.transpose(squares)
        return ops.mean(ops.relu(ops.max(apart * same, axis=1) - ops.min(apart + 1e3 * same, axis=1) + 0.2))

    def ranking(y_true, y_pred):
        return ops.mean(ops.softplus(-ops.sign(y_true - ops.transpose(y_true)) * (y_pred - ops.transpose(y_pred))))

    for units, loss, y in ((4, hardest, numbers(3, 8)), (1, ranking, draw(8, 1))):
        model = keras.Sequential([keras.Input((5,)), layers.Dense(units)])
        model.compile("adam", loss)
        model.fit(draw(8, 5), y, **QUIET)


def test_quantiles_from_one_column_of_labels():
    levels = np.array([0.1, 0.5, 0.9], "float32")

    def pinball(y_true, y_pred):
        error = y_true - y_pred
        return ops.mean(ops.maximum(levels * error, (levels - 1) * error), axis=-1)

    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    model.compile("adam", pinball)
    model.fit(draw(8, 5), draw(8, 1), **QUIET)


def test_broadcasting_of_masks_and_positions():
    values, lengths = keras.Input((5, 8)), keras.Input((1,), dtype="int32")
    mask = ops.cast(lengths > np.arange(5)[None, :], "float32")
    moved = values * mask[:, :, None] + ops.reshape(layers.Dense(8)(ops.cast(lengths, "float32")), (-1, 1, 8))
    moved = moved + draw(1, 5, 8)
    scores = ops.matmul(moved, ops.transpose(moved, (0, 2, 1))) + (1.0 - mask[:, None, :]) * -1e9
    model = keras.Model(
        [values, lengths], ops.squeeze(layers.Dense(1)(ops.matmul(ops.softmax(scores), moved)), axis=-1)
    )
    model.compile("adam", "mse")
    model.fit([draw(6, 5, 8), 1 + numbers(5, 6, 1)], draw(6, 5), sample_weight=draw(6), **QUIET)


def test_wide_and_deep_with_two_outputs():
    wide, deep = keras.Input((3,), name="wide"), keras.Input((4,), name="deep")
    hidden = layers.Dense(5, activation="relu")(deep)
    main = layers.Dense(1, name="main")(layers.concatenate([wide, hidden]))
    model = keras.Model([wide, deep], [main, layers.Dense(1, name="aux")(hidden)])
    model.compile("sgd", ["mse", "mse"], loss_weights=[0.9, 0.1])
    model.fit([draw(8, 3), draw(8, 4)], [draw(8), draw(8, 1)], **QUIET)
    history = model.fit({"wide": draw(8, 3), "deep": draw(8, 4)}, {"main": draw(8), "aux": draw(8)}, **QUIET).history
    assert set(history) == {"loss", "main_loss", "aux_loss"}


def test_graph_network_that_takes_indices():
    features, edges = draw(12, 5), (draw(12, 12) > 0.7).astype("float32")

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.scores = layers.Dense(4, activation="relu"), layers.Dense(3)

        def call(self, index):
            nodes = self.scores(ops.matmul(edges, self.hidden(features)))
            return ops.take(nodes, ops.squeeze(index, -1) if len(index.shape) == 2 else index, axis=0)

    model = Network()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["acc"])
    model.fit(np.arange(12), numbers(3, 12), batch_size=4, **QUIET)
    assert model.predict(np.arange(5), **QUIET).shape == (5, 3)


def test_gradients_by_jax_through_stateless_calls():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6, activation="relu"), layers.BatchNormalization(), layers.Dense(3)]
    )
    optimizer, loss = keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)
    x, y = draw(8, 4), numbers(3, 8)

    def compute(trainable, fixed):
        scores, fixed = model.stateless_call(trainable, fixed, x, training=True)
        return loss(y, scores), fixed

    @jax.jit
    def step(trainable, fixed, state):
        (value, fixed), gradients = jax.value_and_grad(compute, has_aux=True)(trainable, fixed)
        trainable, state = optimizer.stateless_apply(state, gradients, trainable)
        return value, trainable, state, fixed

    trainable, fixed = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
    state = [v.value for v in optimizer.variables]
    values = []
    for _ in range(3):
        value, trainable, state, fixed = step(trainable, fixed, state)
        values.append(float(value))
    assert values[-1] < values[0]
