"""Eight small models trained here and by the real Keras, from the same weights, in the same order: the same losses."""

import keras
import numpy as np
import pytest

import lamina

RNG = np.random.default_rng(5)
TABLE = RNG.normal(size=(50, 6)).astype("float32")
CLASSES = RNG.integers(0, 3, 50)
VALUES = RNG.normal(size=(50, 1)).astype("float32")
SOUND = RNG.normal(size=(50, 12, 2)).astype("float32")
IMAGES = RNG.normal(size=(50, 6, 6, 3)).astype("float32")
TOKENS = np.where(np.arange(7) < RNG.integers(2, 8, (50, 1)), RNG.integers(1, 20, (50, 7)), 0)


def dense(K):
    model = K.Sequential([K.Input((6,)), K.layers.Dense(8, activation="relu"), K.layers.Dense(3)])
    model.compile("adam", K.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model, (TABLE, CLASSES), {}


def regression(K):
    L = K.layers
    model = K.Sequential(
        [K.Input((6,)), L.Dense(5, activation="tanh", kernel_regularizer="l2", activity_regularizer="l1"), L.Dense(1)]
    )
    model.compile(K.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "mse", metrics=["mae", "mape"])
    return model, (TABLE, VALUES), {"sample_weight": np.linspace(0, 2, 50)}


def sound(K):
    L = K.layers
    model = K.Sequential(
        [
            K.Input((12, 2)),
            L.Conv1D(4, 3, strides=2, padding="causal", activation="relu"),
            L.BatchNormalization(),
            L.MaxPooling1D(2),
            L.GlobalAveragePooling1D(),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.compile(K.optimizers.RMSprop(0.01), "sparse_categorical_crossentropy", weighted_metrics=["acc"])
    return model, (SOUND, CLASSES), {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}


def images(K):
    L = K.layers
    model = K.Sequential(
        [
            K.Input((6, 6, 3)),
            L.Conv2D(4, 3, activation="relu", padding="same"),
            L.AveragePooling2D(2),
            L.Flatten(),
            L.LayerNormalization(),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        K.optimizers.AdamW(0.01, weight_decay=0.05, clipnorm=0.5),
        K.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy", K.metrics.TopKCategoricalAccuracy(2), K.metrics.AUC()],
    )
    return model, (IMAGES, np.eye(3, dtype="float32")[CLASSES]), {"validation_split": 0.2}


def text(K):
    L = K.layers
    model = K.Sequential(
        [K.Input((7,)), L.Embedding(20, 5, mask_zero=True), L.LSTM(6), L.Dense(1, activation="sigmoid")]
    )
    model.compile("nadam", "binary_crossentropy", metrics=["accuracy", K.metrics.Precision(), K.metrics.Recall()])
    return model, (TOKENS, (CLASSES > 0).astype("float32")), {}


def series(K):
    L = K.layers
    model = K.Sequential(
        [
            K.Input((12, 2)),
            L.Bidirectional(L.GRU(3, return_sequences=True)),
            L.SimpleRNN(4, return_sequences=True),
            L.TimeDistributed(L.Dense(1)),
        ]
    )
    model.compile(K.optimizers.Adagrad(0.05), K.losses.Huber(), metrics=["mse"])
    return model, (SOUND, SOUND[..., :1] * 2), {}


def two_outputs(K):
    L = K.layers
    left, right = K.Input((6,), name="left"), K.Input((12, 2), name="right")
    shared = L.Dense(4, activation="elu")
    a = shared(left)
    b = L.Dense(4)(L.Flatten()(right))
    joined = L.Concatenate()([a, b, L.Multiply()([a, b])])
    outputs = {
        "kind": L.Dense(3, activation="softmax", name="kind")(joined),
        "size": L.Dense(1, name="size")(L.Add()([a, b]) + 1.0),
    }
    model = K.Model({"left": left, "right": right}, outputs)
    model.compile(
        K.optimizers.Adam(K.optimizers.schedules.ExponentialDecay(0.01, 3, 0.9)),
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 0.5, "size": 2.0},
        metrics={"kind": ["accuracy"], "size": ["mae"]},
    )
    return model, ({"left": TABLE, "right": SOUND}, {"kind": CLASSES, "size": VALUES}), {}


def nested(K):
    L = K.layers

    class Net(K.Model):
        def __init__(self):
            super().__init__()
            self.body = K.Sequential([L.Dense(5, activation="relu"), L.BatchNormalization()])
            self.heads = [L.Dense(4), L.Dense(1)]

        def call(self, x, training=None):
            x = self.body(x, training=training)
            self.add_loss(0.01 * K.ops.sum(x**2))
            for head in self.heads:
                x = head(x)
            return x

    model = Net()
    model(TABLE[:2])
    model.compile(K.optimizers.Adam(0.01, amsgrad=True, use_ema=True), lambda a, b: K.ops.mean((a - b) ** 2, axis=-1))
    return model, (TABLE, VALUES), {"validation_data": (TABLE[:20], VALUES[:20])}


MODELS = [dense, regression, sound, images, text, series, two_outputs, nested]


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_fit_follows_keras(make):
    keras.utils.clear_session()  # both number the names of metrics from the start
    lamina.utils.clear_session()
    theirs, (x, y), more = make(keras)
    ours, _, _ = make(lamina)
    ours.set_weights(theirs.get_weights())
    options = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0, **more}
    expected = theirs.fit(x, y, **options).history
    got = ours.fit(x, y, **options).history
    assert set(got) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
    expected = theirs.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    got = ours.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=2e-3, atol=1e-5, err_msg=name)
