"""Writes `tests/saving/fixtures/keras2.zip`: small models of Keras 1 and 2 with what they predict.

    pip install tensorflow tf_keras
    python tools/make_keras2_fixtures.py

Most files are as `tf_keras` (Keras 2) writes them. Those that no Keras of today can write (Keras 1, Keras 2.0, cuDNN's
layouts) have configurations typed in here after the formats of their time; their weights are random arrays in the
layout of their time, and the predictions are those of `tf_keras` once it has read these arrays by its own rules.
The tests read the archive without TensorFlow.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import h5py
import numpy as np
import tensorflow as tf
import tf_keras as keras

L = keras.layers
TARGET = Path(__file__).parent.parent / "tests" / "saving" / "fixtures" / "keras2.zip"
CASES: dict[str, Callable[[], Any]] = {}
rng = np.random.default_rng(0)


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    """A model as tf_keras writes it: the function gives it, and the inputs to predict from."""
    CASES[function.__name__] = function
    return function


def normal(*shape: int) -> np.ndarray:
    """Random numbers."""
    return rng.normal(size=shape).astype("float32")


def stirred(model: Any) -> Any:
    """The model with weights none of which is where it starts."""
    for variable in model.weights:
        if variable.name in ("mean:0", "variance:0", "count:0"):
            continue  # of a Normalization, which has taken them up already
        value = rng.normal(scale=0.4, size=variable.shape)
        positive = "variance" in variable.name or "count" in variable.name
        variable.assign((np.abs(value) + 0.5 if positive else value).astype(variable.dtype.as_numpy_dtype))
    return model


# As tf_keras writes them


@case
def dense_and_friends() -> Any:
    """Layers of features, and activations."""
    return keras.Sequential([
        L.Dense(5, activation="hard_sigmoid", input_shape=(4,), kernel_regularizer="l2", kernel_constraint="max_norm"),
        L.BatchNormalization(), L.LeakyReLU(alpha=0.15), L.Dropout(0.5), L.Dense(6, activation="swish"),
        L.LayerNormalization(), L.PReLU(), L.GaussianNoise(0.1), L.Dense(4, activation="gelu"), L.ELU(alpha=0.7),
        L.ThresholdedReLU(theta=0.2), L.Reshape((2, 2)), L.Permute((2, 1)), L.Flatten(), L.RepeatVector(2),
        L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.1), L.Activation("hard_sigmoid"), L.Softmax(axis=-1),
    ]), [normal(3, 4)]  # fmt: skip


@case
def images() -> Any:
    """Layers over images."""
    x = L.Input((12, 10, 3))
    y = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    y = L.BatchNormalization(scale=False)(y)
    y = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(y)
    y = L.SeparableConv2D(5, 3, dilation_rate=1, activation="tanh")(y)
    y = L.Conv2DTranspose(4, 3, strides=2, padding="same")(y)
    y = L.UpSampling2D(2, interpolation="bilinear")(y)
    y = L.ZeroPadding2D(((1, 0), (2, 1)))(y)
    y = L.Cropping2D(1)(y)
    y = L.concatenate([L.MaxPooling2D(2)(y), L.AveragePooling2D(2)(y)])
    y = L.SpatialDropout2D(0.2)(y)
    return keras.Model(x, [L.GlobalAveragePooling2D()(y), L.GlobalMaxPooling2D()(y)]), [normal(2, 12, 10, 3)]


@case
def lengths_and_volumes() -> Any:
    """Layers over lengths and volumes."""
    x, v = L.Input((16, 3)), L.Input((5, 6, 4, 2))
    y = L.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="relu")(x)
    y = L.SeparableConv1D(4, 3)(y)
    y = L.LocallyConnected1D(3, 3, strides=2)(y)
    y = L.Conv1DTranspose(3, 3, strides=2)(y)
    y = L.UpSampling1D(2)(L.Cropping1D(1)(L.ZeroPadding1D(2)(y)))
    y = L.GlobalAveragePooling1D()(L.MaxPooling1D(2)(L.AveragePooling1D(2)(y)))
    w = L.Conv3D(3, 2, activation="elu")(v)
    w = L.MaxPooling3D((2, 1, 1))(L.Conv3DTranspose(2, 2)(w))
    return keras.Model([x, v], L.Concatenate()([y, L.GlobalMaxPooling3D()(w)])), [
        normal(2, 16, 3),
        normal(2, 5, 6, 4, 2),
    ]


@case
def local_images() -> Any:
    """A convolution without shared weights."""
    layers = [L.LocallyConnected2D(3, (3, 2), strides=(2, 1), input_shape=(8, 7, 2), activation="tanh")]
    return keras.Sequential([*layers, L.Flatten(), L.Dense(2)]), [normal(2, 8, 7, 2)]


@case
def recurrent() -> Any:
    """Recurrent layers of all sorts."""
    x = L.Input((6, 3))
    a = L.LSTM(4, return_sequences=True)(x)
    b = L.GRU(4, return_sequences=True, reset_after=False, recurrent_activation="hard_sigmoid")(a)
    c = L.Bidirectional(L.GRU(3, return_sequences=True))(b)
    d = L.TimeDistributed(L.Dense(4, activation="tanh"))(c)
    e = L.Bidirectional(L.LSTM(3), merge_mode="sum")(d)
    f = L.SimpleRNN(3, go_backwards=True)(d)
    g = L.RNN([L.LSTMCell(3), L.GRUCell(2)])(d)
    out, h, s = L.LSTM(3, return_state=True, unroll=True)(d)
    k = L.LSTM(3)(d, initial_state=[h, s])
    m = L.Bidirectional(L.LSTM(2), backward_layer=L.GRU(2, go_backwards=True))(d)
    return keras.Model(x, L.Concatenate()([e, f, g, out, k, m])), [normal(2, 6, 3)]


@case
def masked() -> Any:
    """Masks from an embedding and from values."""
    words, x = L.Input((6,), dtype="int32"), L.Input((6, 3))
    y = L.Embedding(9, 4, mask_zero=True)(words)
    y = L.LSTM(4, return_sequences=True)(y)
    y = L.Bidirectional(L.GRU(3, return_sequences=True))(y)
    y = L.TimeDistributed(L.Dense(3))(y)
    z = L.GRU(3)(L.Masking(0.0)(x))
    features = normal(2, 6, 3)
    features[0, 3:] = 0
    return keras.Model([words, x], [L.LSTM(3)(y), L.GlobalAveragePooling1D()(y), z]), [
        np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 0]]), features]  # fmt: skip


@case
def conv_lstm() -> Any:
    """A convolutional LSTM."""
    x = L.Input((3, 6, 6, 2))
    return keras.Model(x, L.ConvLSTM2D(3, 3, padding="same")(x)), [normal(2, 3, 6, 6, 2)]


@case
def attention() -> Any:
    """Layers of attention."""
    q, v = L.Input((4, 6)), L.Input((5, 6))
    y = L.MultiHeadAttention(2, 3)(q, v)
    z = L.Attention(use_scale=True)([q, v])
    w = L.AdditiveAttention()([q, v, v])
    return keras.Model([q, v], L.Add()([y, z, w])), [normal(2, 4, 6), normal(2, 5, 6)]


@case
def merges() -> Any:
    """Layers that merge."""
    a, b = L.Input((4, 3)), L.Input((4, 3))
    parts = [L.Add()([a, b]), L.Subtract()([a, b]), L.Multiply()([a, b]), L.Average()([a, b]), L.Maximum()([a, b])]
    y = L.Concatenate(axis=1)([*parts, L.Minimum()([a, b])])
    return keras.Model([a, b], [y, L.Dot(axes=2)([a, b]), L.Dot(axes=(1, 1), normalize=True)([a, b])]), [
        normal(2, 4, 3), normal(2, 4, 3)]  # fmt: skip


@case
def nested_and_shared() -> Any:
    """Models inside a model, called twice; a frozen layer."""
    inner = keras.Sequential(
        [L.Dense(5, activation="relu", input_shape=(4,)), L.BatchNormalization(), L.BatchNormalization()], name="inner"
    )
    i = L.Input((4,))
    twice = keras.Model(i, L.Dense(4)(inner(i)), name="twice")
    shared = L.Dense(4, name="shared")
    a, b = L.Input((4,)), L.Input((4,))
    other = keras.Sequential([L.Dense(3), L.BatchNormalization(), L.GRU(4)], name="other")
    y = L.Add()([twice(shared(a)), twice(shared(b)), other(L.Reshape((2, 2))(b))])
    inner.layers[0].trainable = False
    return keras.Model([a, b], y), [normal(3, 4), normal(3, 4)]


@case
def functions() -> Any:
    """TensorFlow's functions in the graph."""
    x, w = L.Input((6, 4)), L.Input((6, 4))
    y = 1.0 - x * 2.0 + w / 3.0
    y = tf.concat([y, tf.nn.relu(w)], axis=-1)
    y = y[:, 1:5, ::2]
    z = tf.reduce_mean(y, axis=1, keepdims=True) + tf.math.reduce_max(y, 1)[:, tf.newaxis]
    z = tf.squeeze(tf.sqrt(tf.abs(z) + 1e-3), 1)
    s, t = tf.split(z, 2, axis=-1)
    first, second, _ = tf.split(z, [1, 2, 1], axis=-1)
    s = s + first * tf.reduce_sum(second, -1, keepdims=True) * 0.1
    u = tf.stack([s, t], axis=1)
    u = tf.transpose(tf.reshape(u, (-1, 2, 2)), (0, 2, 1)) ** 2
    u = (
        tf.nn.softmax(tf.cast(u, "float32"), axis=-1)
        + tf.nn.leaky_relu(u, alpha=0.3)
        + tf.math.l2_normalize(u, axis=-1)
    )
    u = tf.where(u > 0.5, u, tf.zeros_like(u)) + tf.expand_dims(tf.clip_by_value(s, -0.2, 0.2), 1)
    u = tf.matmul(u, u) + tf.tile(s[:, :1], [1, 2])[:, None, :] - tf.maximum(t, s)[..., None]
    return keras.Model([x, w], tf.math.sigmoid(-0.05 * u)), [normal(2, 6, 4), normal(2, 6, 4)]


@case
def slashes() -> Any:
    """Names with slashes."""
    return keras.Sequential([L.Dense(3, input_shape=(4,), name="block/one"), L.Dense(2, name="block/two")]), [
        normal(2, 4)
    ]


@case
def scaled_inputs() -> Any:
    """Statistics of the data."""
    normalization = L.Normalization(axis=-1)
    normalization.adapt(normal(20, 3) * 3 + 1)
    x = L.Input((3,))
    return keras.Model(x, L.Rescaling(0.5, offset=1.0)(normalization(x))), [normal(4, 3)]


@case
def mixed_policy() -> Any:
    """A layer that computes in bfloat16."""
    x = L.Input((4,))
    y = L.Dense(3, dtype=keras.mixed_precision.Policy("mixed_bfloat16"))(x)
    return keras.Model(x, L.Activation("linear", dtype="float32")(y)), [normal(2, 4)]


# Trained ones: their settings, and what one more step gives


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "adam_legacy": lambda: keras.optimizers.legacy.Adam(0.01, decay=0.1),
    "sgd": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "sgd_legacy": lambda: keras.optimizers.legacy.SGD(0.05, momentum=0.9),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "rmsprop_legacy": lambda: keras.optimizers.legacy.RMSprop(0.01),
    "adagrad": lambda: keras.optimizers.Adagrad(0.05),
    "adadelta": lambda: keras.optimizers.Adadelta(0.5),
    "adamax": lambda: keras.optimizers.Adamax(0.01),
}


def trained(name: str) -> dict[str, bytes]:
    """A model after three steps, and the losses of the next three."""
    model = keras.Sequential([L.Dense(4, activation="tanh", input_shape=(3,)), L.Dense(2)])
    loss = keras.losses.MeanSquaredError() if "legacy" in name else "mean_squared_error"
    model.compile(OPTIMIZERS[name](), loss, metrics=["mae"])
    x, y = normal(8, 3), normal(8, 2)
    model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    found = whole(f"trained_{name}", model, [x])
    losses = [model.train_on_batch(x, y)[0] for _ in range(3)]
    return {**found, f"trained_{name}.steps.npz": packed(x=x, y=y, losses=np.array(losses))}


def archived() -> dict[str, bytes]:
    """A `.keras` archive, as tf.keras wrote them from 2.12 on, after three steps of training."""
    x = L.Input((6, 3))
    y = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    y = L.GRU(3, recurrent_activation="hard_sigmoid")(L.BatchNormalization()(y))
    inner = keras.Sequential([L.Dense(3, activation="hard_sigmoid"), L.LeakyReLU(0.2)])
    model = keras.Model(x, L.Dense(2)(inner(y) * 2.0 + 1.0))
    model.compile(keras.optimizers.Adam(0.01), "mean_squared_error", metrics=["mae"])
    data, labels = normal(8, 6, 3), normal(8, 2)
    model.fit(data, labels, epochs=3, batch_size=8, shuffle=False, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        model.save(path)
        content = Path(path).read_bytes()
    found = {"archive.keras": content, "archive.npz": predicted(model, [data])}
    losses = [model.train_on_batch(data, labels)[0] for _ in range(3)]
    return {**found, "archive.steps.npz": packed(x=data, y=labels, losses=np.array(losses))}


# Files


def packed(**arrays: Any) -> bytes:
    """Arrays as an ``.npz`` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def whole(name: str, model: Any, inputs: list[np.ndarray]) -> dict[str, bytes]:
    """The file of a model, and what it predicts."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.h5")
        model.save(path)
        data = Path(path).read_bytes()
    return {f"{name}.h5": data, f"{name}.npz": predicted(model, inputs)}


def predicted(model: Any, inputs: list[np.ndarray]) -> bytes:
    """Inputs and outputs as an ``.npz`` file."""
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    if not all(np.isfinite(y).all() and y.std() > 1e-3 for y in outputs):
        raise ValueError("outputs that are all alike show nothing")
    return packed(**{f"x{i}": x for i, x in enumerate(inputs)}, **{f"y{i}": y for i, y in enumerate(outputs)})


def typed_in(
    name: str,
    config: Any,
    stored: dict[str, list[np.ndarray]],
    reader: Any,
    inputs: list[np.ndarray],
    version: str | None,
    backend: str | None,
) -> dict[str, bytes]:
    """A file of another time: a configuration as it was then, arrays as they were then.

    Args:
        config: the description of the model as it was written then.
        stored: arrays of each layer as they were stored then.
        reader: the model made with tf_keras of today, which reads the arrays by its own rules.
        version, backend: the attributes; none where there were none yet.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.h5")
        with h5py.File(path, "w") as file:
            group = file.create_group("model_weights")
            first_version = version is None or version.startswith("1")  # it noted itself at the root only
            for holder in (file,) if first_version else (file, group):
                if version is not None:
                    holder.attrs["keras_version"] = version.encode()
                if backend is not None:
                    holder.attrs["backend"] = backend.encode()
            file.attrs["model_config"] = json.dumps(config).encode()
            group.attrs["layer_names"] = [layer.encode() for layer in stored]
            for layer, arrays in stored.items():
                own = group.create_group(layer)
                names = [f"{layer}_w{i}".encode() for i in range(len(arrays))]
                own.attrs["weight_names"] = names
                for key, array in zip(names, arrays, strict=True):
                    own[key.decode()] = array
        reader.load_weights(path)
        data = Path(path).read_bytes()
    return {f"{name}.h5": data, f"{name}.npz": predicted(reader, inputs)}


def entry(class_name: str, **config: Any) -> dict[str, Any]:
    """The description of a layer."""
    return {"class_name": class_name, "config": {"trainable": True, **config}}


def rows(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Random arrays."""
    return [rng.normal(scale=0.4, size=shape).astype("float32") for shape in shapes]


def gates(count: int, inputs: int, units: int) -> list[np.ndarray]:
    """Arrays of a recurrent layer of Keras 1: three for each gate."""
    return rows(*([(inputs, units), (units, units), (units,)] * count))


_DENSE_1 = {"init": "glorot_uniform", "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01},
            "b_regularizer": None, "activity_regularizer": None, "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0},
            "b_constraint": None, "bias": True}  # fmt: skip
_RECURRENT_1 = {"return_sequences": True, "go_backwards": False, "stateful": False, "unroll": False,
                "consume_less": "cpu", "init": "glorot_uniform", "inner_init": "orthogonal", "activation": "tanh",
                "W_regularizer": None, "U_regularizer": None, "b_regularizer": None, "dropout_W": 0.1,
                "dropout_U": 0.1}  # fmt: skip


def keras1_images() -> dict[str, bytes]:
    """Keras 1 with channels first."""
    config = {"class_name": "Sequential", "config": [
        entry("Convolution2D", name="c1", nb_filter=4, nb_row=3, nb_col=2, border_mode="valid", subsample=[1, 1],
              dim_ordering="th", batch_input_shape=[None, 2, 9, 8], input_dtype="float32", activation="relu",
              **_DENSE_1),
        entry("MaxPooling2D", name="p1", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="th"),
        entry("AtrousConvolution2D", name="c2", nb_filter=3, nb_row=2, nb_col=2, atrous_rate=[2, 1],
              border_mode="valid", subsample=[1, 1], dim_ordering="th", activation="linear", **_DENSE_1),
        entry("ZeroPadding2D", name="z", padding=[1, 1], dim_ordering="th"),
        entry("UpSampling2D", name="u", size=[2, 1], dim_ordering="th"),
        entry("BatchNormalization", name="n", epsilon=0.001, mode=0, axis=1, momentum=0.99, gamma_regularizer=None,
              beta_regularizer=None),
        entry("SpatialDropout2D", name="s", p=0.25, dim_ordering="th"),
        entry("Flatten", name="f"),
        entry("Dense", name="d", output_dim=3, activation="hard_sigmoid", input_dim=None, **_DENSE_1),
    ]}  # fmt: skip
    stored = {
        "c1": rows((4, 2, 3, 2), (4,)), "p1": [], "c2": rows((3, 4, 2, 2), (3,)), "z": [], "u": [],
        "n": [*rows((3,), (3,), (3,)), np.abs(rows((3,))[0]) + 0.5], "s": [], "f": [], "d": rows((72, 3), (3,)),
    }  # fmt: skip

    def made(order: str) -> Any:
        kwargs = {"data_format": order}
        last = order == "channels_last"
        model = keras.Sequential([L.Input((2, 9, 8))])
        add = [L.Permute((2, 3, 1))] if last else []
        add += [
            L.Conv2D(4, (3, 2), activation="relu", name="c1", **kwargs), L.MaxPooling2D(2, **kwargs),
            L.Conv2D(3, 2, dilation_rate=(2, 1), name="c2", **kwargs), L.ZeroPadding2D(1, **kwargs),
            L.UpSampling2D((2, 1), **kwargs), L.BatchNormalization(axis=3 if last else 1, name="n"),
        ]  # fmt: skip
        add += [L.Permute((3, 1, 2))] if last else []
        for layer in [*add, L.Flatten(), L.Dense(3, activation="hard_sigmoid", name="d")]:
            model.add(layer)
        return model

    reader, predictor = made("channels_first"), made("channels_last")

    class Reader:
        def load_weights(self, path: str) -> None:
            reader.load_weights(path)
            predictor.set_weights(reader.get_weights())

        def predict(self, *args: Any, **kwargs: Any) -> Any:
            return predictor.predict(*args, **kwargs)

    return typed_in("keras1_images", config, stored, Reader(), [normal(3, 2, 9, 8)], "1.2.2", None)


def keras1_sequences() -> dict[str, bytes]:
    """Recurrent layers of Keras 1."""
    inner = {**_RECURRENT_1, "inner_activation": "hard_sigmoid"}
    lstm = {**inner, "forget_bias_init": "one"}
    config = {"class_name": "Sequential", "config": [
        entry("Embedding", name="e", input_dim=12, output_dim=5, input_length=10, init="uniform", mask_zero=False,
              W_regularizer=None, W_constraint=None, activity_regularizer=None, dropout=0.2,
              batch_input_shape=[None, 10], input_dtype="int32"),
        entry("Convolution1D", name="c", nb_filter=6, filter_length=3, border_mode="same", subsample_length=1,
              input_dim=5, input_length=10, activation="relu", **_DENSE_1),
        entry("MaxPooling1D", name="p", pool_length=2, stride=2, border_mode="valid"),
        entry("LSTM", name="l", output_dim=4, input_dim=6, input_length=None, **lstm),
        entry("GRU", name="g", output_dim=3, input_dim=4, input_length=None, **inner),
        entry("Bidirectional", name="b", merge_mode="concat",
              layer={"class_name": "LSTM", "config": {"name": "inner", "output_dim": 2, "input_dim": 3, **lstm}}),
        entry("TimeDistributed", name="t",
              layer=entry("Dense", name="td", output_dim=3, activation="tanh", **_DENSE_1)),
        entry("TimeDistributedDense", name="tt", output_dim=3, activation="linear", **_DENSE_1),
        entry("SimpleRNN", name="s", output_dim=3, input_dim=3, **{**_RECURRENT_1, "return_sequences": False}),
        entry("Dropout", name="o", p=0.5),
        entry("Dense", name="d", output_dim=2, activation="softmax", **_DENSE_1),
    ]}  # fmt: skip
    stored = {
        "e": rows((12, 5)), "c": rows((3, 1, 5, 6), (6,)), "p": [], "l": gates(4, 6, 4), "g": gates(3, 4, 3),
        "b": gates(4, 3, 2) + gates(4, 3, 2), "t": rows((4, 3), (3,)), "tt": rows((3, 3), (3,)),
        "s": gates(1, 3, 3), "o": [], "d": rows((3, 2), (2,)),
    }  # fmt: skip
    hard = {"recurrent_activation": "hard_sigmoid"}
    reader = keras.Sequential([
        L.Embedding(12, 5, input_length=10), L.Conv1D(6, 3, padding="same", activation="relu"), L.MaxPooling1D(2),
        L.LSTM(4, return_sequences=True, **hard), L.GRU(3, return_sequences=True, reset_after=False, **hard),
        L.Bidirectional(L.LSTM(2, return_sequences=True, **hard)), L.TimeDistributed(L.Dense(3, activation="tanh")),
        L.Dense(3), L.SimpleRNN(3), L.Dense(2, activation="softmax"),
    ])  # fmt: skip
    return typed_in("keras1_sequences", config, stored, reader, [rng.integers(0, 12, (3, 10))], "1.1.0", None)


def keras1_merged() -> dict[str, bytes]:
    """A Sequential of Keras 1 that begins with two others."""

    def branch(name: str, size: int) -> dict[str, Any]:
        first = entry("Dense", name=name, output_dim=3, batch_input_shape=[None, size], input_dtype="float32",
                      activation="tanh", input_dim=size, **_DENSE_1)  # fmt: skip
        return {"class_name": "Sequential", "config": [first, entry("Dropout", name=name + "_drop", p=0.1)]}

    merge = {"name": "m", "mode": "concat", "concat_axis": -1, "dot_axes": -1, "mode_type": "raw",
             "output_shape": None, "output_shape_type": "raw", "output_mask": None, "output_mask_type": "raw",
             "arguments": {}, "layers": [branch("a", 4), branch("b", 2)]}  # fmt: skip
    config = {
        "class_name": "Sequential",
        "config": [
            {"class_name": "Merge", "config": merge},
            entry("Dense", name="d", output_dim=2, activation="linear", **_DENSE_1),
        ],
    }
    stored = {"a": rows((4, 3), (3,)), "a_drop": [], "b": rows((2, 3), (3,)), "b_drop": [],
              "d": rows((6, 2), (2,))}  # fmt: skip
    a, b = L.Input((4,)), L.Input((2,))
    parts = [L.Dense(3, activation="tanh")(a), L.Dense(3, activation="tanh")(b)]
    reader = keras.Model([a, b], L.Dense(2)(L.Concatenate()(parts)))
    return typed_in("keras1_merged", config, stored, reader, [normal(3, 4), normal(3, 2)], None, None)


def keras1_graph() -> dict[str, bytes]:
    """A functional model of Keras 1 with Merge layers."""

    def layer(class_name: str, name: str, *calls: list[Any], **config: Any) -> dict[str, Any]:
        return {**entry(class_name, name=name, **config), "name": name, "inbound_nodes": list(calls)}

    def merge(name: str, mode: str, *sources: str, **config: Any) -> dict[str, Any]:
        given = {"mode": mode, "concat_axis": -1, "dot_axes": -1, "mode_type": "raw", **config}
        return layer("Merge", name, [[source, 0, 0] for source in sources], **given)

    one = {"output_dim": 3, "activation": "relu", **_DENSE_1}
    layers = [
        layer("InputLayer", "x", batch_input_shape=[None, 4], input_dtype="float32", sparse=False),
        layer("InputLayer", "y", batch_input_shape=[None, 4], input_dtype="float32", sparse=False),
        layer("Dense", "shared", [["x", 0, 0]], [["y", 0, 0]], **one),
        {**merge("sum", "sum", "shared", "shared"), "inbound_nodes": [[["shared", 0, 0], ["shared", 1, 0]]]},
        merge("mul", "mul", "sum", "shared"), merge("max", "max", "sum", "mul"),
        merge("cos", "cos", "max", "sum", dot_axes=[[1], [1]]), merge("all", "concat", "mul", "max", "cos"),
        layer("Dense", "out", [["all", 0, 0]], **{**one, "output_dim": 2}),
    ]  # fmt: skip
    config = {"class_name": "Model", "config": {
        "name": "model_1", "layers": layers, "input_layers": [["x", 0, 0], ["y", 0, 0]],
        "output_layers": [["out", 0, 0], ["sum", 0, 0]]}}  # fmt: skip
    stored = {name: [] for name in ("x", "y", "sum", "mul", "max", "cos", "all")}
    stored = {**stored, "shared": rows((4, 3), (3,)), "out": rows((7, 2), (2,))}
    x, y = L.Input((4,)), L.Input((4,))
    shared = L.Dense(3, activation="relu")
    a, b = shared(x), shared(y)
    total = L.Add()([a, b])
    product = L.Multiply()([total, a])
    largest = L.Maximum()([total, product])
    cosine = L.Dot((1, 1), normalize=True)([largest, total])
    joined = L.Concatenate()([product, largest, cosine])
    reader = keras.Model([x, y], [L.Dense(2, activation="relu")(joined), total])
    return typed_in("keras1_graph", config, stored, reader, [normal(3, 4), normal(3, 4)], "1.2.0", None)


_DENSE_2 = {"use_bias": True, "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": None,
            "kernel_initializer": {"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg",
                                   "distribution": "uniform", "seed": None}}, "kernel_constraint": None}  # fmt: skip


def keras2_theano_list() -> dict[str, bytes]:
    """A Sequential of Keras 2.0 under Theano, its config a bare list."""
    config = {"class_name": "Sequential", "config": [
        entry("Reshape", name="r", target_shape=[8, 6, 1], batch_input_shape=[None, 48], dtype="float32"),
        entry("Conv2D", name="c", filters=3, kernel_size=[3, 3], strides=[1, 1], padding="valid",
              data_format="channels_last", dilation_rate=[1, 1], activation="relu", **_DENSE_2),
        entry("TimeDistributed", name="t", layer=entry("Conv1D", name="tc", filters=4, kernel_size=[2], strides=[1],
              padding="same", dilation_rate=[1], activation="linear", **_DENSE_2)),
        entry("TimeDistributed", name="tf", layer=entry("Flatten", name="fl")),
        entry("GRU", name="g", units=3, activation="tanh", recurrent_activation="hard_sigmoid", implementation=0,
              return_sequences=True, dropout=0.0, recurrent_dropout=0.0, **_DENSE_2),
        entry("Bidirectional", name="b", merge_mode="ave", layer=entry("LSTM", name="bl", units=3, activation="tanh",
              recurrent_activation="hard_sigmoid", unit_forget_bias=True, implementation=0, **_DENSE_2)),
    ]}  # fmt: skip
    lstm = ((3, 12), (3, 12), (12,))
    stored = {"r": [], "c": rows((3, 3, 1, 3), (3,)), "t": rows((2, 3, 4), (4,)), "tf": [],
              "g": rows((16, 9), (3, 9), (9,)), "b": rows(*lstm, *lstm)}  # fmt: skip
    hard = {"recurrent_activation": "hard_sigmoid"}
    reader = keras.Sequential([
        L.Input((48,)), L.Reshape((8, 6, 1)), L.Conv2D(3, 3, activation="relu"),
        L.TimeDistributed(L.Conv1D(4, 2, padding="same")), L.TimeDistributed(L.Flatten()),
        L.GRU(3, return_sequences=True, reset_after=False, **hard),
        L.Bidirectional(L.LSTM(3, **hard), merge_mode="ave"),
    ])  # fmt: skip

    class Reader:  # Theano's kernels are turned around; Keras had convert_all_kernels_in_model for that
        def load_weights(self, path: str) -> None:
            reader.load_weights(path)
            for kernel in (v for v in reader.weights if len(v.shape) > 2):
                kernel.assign(kernel.numpy()[(slice(None, None, -1),) * (len(kernel.shape) - 2)])

        def predict(self, *args: Any, **kwargs: Any) -> Any:
            return reader.predict(*args, **kwargs)

    return typed_in("keras2_theano_list", config, stored, Reader(), [normal(2, 48)], "2.0.5", "theano")


def keras2_cudnn() -> dict[str, bytes]:
    """Layers that only ran on GPUs."""
    common = {"return_state": False, "go_backwards": False, "stateful": False, **_DENSE_2}
    config = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": [
        entry("CuDNNLSTM", name="l", units=4, return_sequences=True, batch_input_shape=[None, None, 3], dtype="float32",
              **common),
        entry("CuDNNGRU", name="g", units=3, return_sequences=True, **common),
        entry("Bidirectional", name="b", merge_mode="concat",
              layer=entry("CuDNNGRU", name="bg", units=2, return_sequences=False, **common)),
    ]}}  # fmt: skip
    gru = ((3, 6), (2, 6), (12,))
    stored = {"l": rows((3, 16), (4, 16), (32,)), "g": rows((4, 9), (3, 9), (18,)), "b": rows(*gru, *gru)}
    reader = keras.Sequential([
        L.Input((None, 3)), L.LSTM(4, return_sequences=True), L.GRU(3, return_sequences=True),
        L.Bidirectional(L.GRU(2)),
    ])  # fmt: skip
    return typed_in("keras2_cudnn", config, stored, reader, [normal(2, 6, 3)], "2.2.4", "tensorflow")


def tf_op_layers() -> dict[str, bytes]:
    """Nodes of TensorFlow's graph as tf.keras 2.1 to 2.3 wrote them."""

    def op(name: str, kind: str, sources: list[Any], constants: dict[str, Any], **attributes: Any) -> dict[str, Any]:
        node = {"name": name, "op": kind, "input": [], "attr": attributes}
        config = {"name": f"tf_op_layer_{name}", "trainable": True, "dtype": "float32",
                  "node_def": json.dumps(node), "constants": constants}  # fmt: skip
        return {"class_name": "TensorFlowOpLayer", "config": config, "name": config["name"],
                "inbound_nodes": [[[source, 0, 0, {}] for source in sources]]}  # fmt: skip

    def i(value: int) -> dict[str, str]:
        return {"i": str(value)}

    layers = [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"batch_input_shape": [None, 6, 4], "dtype": "float32", "sparse": False, "name": "x"}},
        op("mul", "Mul", ["x"], {"0": 2.0}), op("sub", "Sub", ["tf_op_layer_mul", "x"], {}),
        op("slice", "StridedSlice", ["tf_op_layer_sub"], {"1": [0, 1, 0], "2": [0, 5, 2], "3": [1, 2, 1]},
           begin_mask=i(1), end_mask=i(1), shrink_axis_mask=i(0), ellipsis_mask=i(0), new_axis_mask=i(0)),
        op("mean", "Mean", ["tf_op_layer_slice"], {"1": 1}, keep_dims={"b": False}),
        op("concat", "ConcatV2", ["tf_op_layer_mean", "tf_op_layer_mean"], {"2": -1}, N=i(2)),
        op("sigmoid", "Sigmoid", ["tf_op_layer_concat"], {}),
    ]  # fmt: skip
    config = {"class_name": "Model", "config": {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]],
                                               "output_layers": [["tf_op_layer_sigmoid", 0, 0]]}}  # fmt: skip
    x = L.Input((6, 4))
    m = tf.reduce_mean((2.0 * x - x)[:, 1:5:2, 0:2], 1)
    reader = keras.Model(x, tf.sigmoid(tf.concat([m, m], -1)))
    reader.load_weights = lambda path: None
    return typed_in("tf_op_layers", config, {"x": []}, reader, [normal(2, 6, 4)], "2.3.0-tf", "tensorflow")


def main() -> None:
    """Write the archive."""
    files: dict[str, bytes] = {}
    for name, function in CASES.items():
        model, inputs = function()
        files |= whole(name, stirred(model), inputs)
        files[f"{name}.json"] = model.to_json().encode()
    for name in OPTIMIZERS:
        files |= trained(name)
    for function in (archived, keras1_images, keras1_sequences, keras1_merged, keras1_graph, keras2_theano_list,
                     keras2_cudnn, tf_op_layers):  # fmt: skip
        files |= function()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    print(f"{TARGET}: {len(files)} files, {TARGET.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
