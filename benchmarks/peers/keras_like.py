"""Lamina, and Keras on each of its backends: one program for all of them."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

from benchmarks.workloads import Step, Workload, has_shortcut

keras: Any = importlib.import_module("keras" if os.environ.get("KERAS_BACKEND") else "lamina")
layers = keras.layers


class Model:
    """See `benchmarks.peers`."""

    def __init__(self, workload: Workload):
        self.workload = workload
        x = inputs = keras.Input(workload.shape, dtype="int32" if workload.vocabulary else "float32")
        for number, step in enumerate(workload.steps):
            x = _applied(number, step, x)
        self.model = keras.Model(inputs, x)
        weights = workload.weights()
        for layer in self.model.layers:
            for variable in layer.weights:
                variable.assign(weights[_name(layer, variable)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if workload.classes else "mse"
        self.model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"] if workload.classes else None)
        self.x, self.y = workload.data()

    def losses(self, batches: int) -> list[float]:
        size = self.workload.batch
        parts = [slice(i * size, (i + 1) * size) for i in range(batches)]
        return [self._fit(self.x[part], self.y[part]).history["loss"][0] for part in parts]

    def _fit(self, x: Any, y: Any) -> Any:
        return self.model.fit(x, y, batch_size=self.workload.batch, epochs=1, verbose=0)

    def epoch(self) -> None:
        self._fit(self.x, self.y)

    def predict(self) -> np.ndarray:
        return self.model.predict(self.x, batch_size=self.workload.batch, verbose=0)

    def call_one(self) -> np.ndarray:
        return np.asarray(_on_host(self.model(self.x[:1])))

    def predict_one(self) -> np.ndarray:
        return self.model.predict(self.x[:1], verbose=0)


def _on_host(outputs: Any) -> Any:
    return outputs.detach() if hasattr(outputs, "detach") else outputs


def _name(layer: Any, variable: Any) -> str:
    path = variable.path.split("/")
    path = path[path.index(layer.name) :]
    return "/".join(part for part in path if not part.endswith("_cell"))


def _applied(number: int, step: Step, x: Any) -> Any:
    kind, *settings = step
    name = f"{number}_{kind}"
    if kind == "dense":
        return layers.Dense(settings[0], activation=settings[1], name=name)(x)
    if kind in ("conv", "conv_transpose"):
        filters, kernel, stride, activation, *padding = settings
        suffix = "Transpose" if kind == "conv_transpose" else ""
        kind_of = getattr(layers, f"Conv{len(kernel)}D{suffix}")
        padding = padding[0] if padding else "same"
        return kind_of(filters, kernel, strides=stride, padding=padding, activation=activation, name=name)(x)
    if kind == "pool":
        return (layers.MaxPooling2D if len(x.shape) == 4 else layers.MaxPooling1D)(settings[0])(x)
    if kind == "flatten":
        return layers.Flatten()(x)
    if kind == "dropout":
        return layers.Dropout(settings[0])(x)
    if kind == "average":
        return (layers.GlobalAveragePooling2D if len(x.shape) == 4 else layers.GlobalAveragePooling1D)()(x)
    if kind == "greatest":
        return layers.GlobalMaxPooling1D()(x)
    if kind in ("lstm", "gru"):
        return (layers.LSTM if kind == "lstm" else layers.GRU)(settings[0], return_sequences=settings[1], name=name)(x)
    if kind == "embedding":
        return layers.Embedding(*settings, name=name)(x)
    return (_residual if kind == "residual" else _transformer)(number, x, *settings)


def _residual(number: int, x: Any, filters: int, stride: int) -> Any:
    def convolved(x: Any, name: str, size: int, stride: int) -> Any:
        name = f"{number}_{name}"
        x = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False, name=name)(x)
        return layers.BatchNormalization(name=f"{name}_norm")(x)

    inner = layers.ReLU()(convolved(x, "first", 3, stride))
    inner = convolved(inner, "second", 3, 1)
    if has_shortcut(filters, stride, x.shape[-1]):
        x = convolved(x, "shortcut", 1, stride)
    return layers.ReLU()(layers.Add()([x, inner]))


def _transformer(number: int, x: Any, heads: int, size: int, hidden: int) -> Any:
    width = x.shape[-1]
    inner = layers.LayerNormalization(epsilon=1e-5, name=f"{number}_attention_norm")(x)
    x = layers.Add()([x, layers.MultiHeadAttention(heads, size, name=f"{number}_attention")(inner, inner)])
    inner = layers.LayerNormalization(epsilon=1e-5, name=f"{number}_feed_norm")(x)
    inner = layers.Dense(hidden, activation="relu", name=f"{number}_widen")(inner)
    return layers.Add()([x, layers.Dense(width, name=f"{number}_narrow")(inner)])
