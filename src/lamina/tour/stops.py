"""The four stops of the tour: each has its data, its model and the simple guess it has to beat."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np

import lamina as keras
from lamina import layers

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Stop:
    """One model of the tour.

    Attributes:
        name: what ``lamina tour NAME`` calls it.
        title, story: what is learnt, for a newcomer.
        load: gives ``x_train, y_train, x_test, y_test``.
        build: makes the model, for a data format where the model has one.
        guess: what the baseline does, in words.
        baseline: the baseline's score on the test data.
        epochs: how long to train.
        learning_rate, loss, metrics: how to train.
        formats: whether the model is shown with channels first too.
    """

    name: str
    title: str
    story: str
    load: Callable[[], Split]
    build: Callable[..., Any]
    guess: str
    baseline: Callable[[Split], float]
    epochs: int
    learning_rate: float = 0.005
    loss: str = "sparse_categorical_crossentropy"
    metrics: list[str] = field(default_factory=lambda: ["accuracy"])
    formats: bool = False

    @property
    def metric(self) -> str:
        """Name of the score."""
        return "accuracy" if self.metrics else "mean absolute error"


def stored(name: str) -> Any:
    """The arrays of a file that ships with the package."""
    data = resources.files("lamina.tour").joinpath("data", f"{name}.npz").read_bytes()
    return np.load(io.BytesIO(data))


def _split(x: np.ndarray, y: np.ndarray, part: float = 0.25) -> Split:
    order = np.random.default_rng(7).permutation(len(x))
    cut = int(len(x) * (1 - part))
    x, y = x[order], y[order]
    return x[:cut], y[:cut], x[cut:], y[cut:]


def _majority(data: Split) -> float:
    _, y_train, _, y_test = data
    return float(np.mean(y_test == np.bincount(y_train).argmax()))


# Dense


def load_cells() -> Split:
    """Measurements of cell nuclei `(569, 30)`, and whether the tumour was benign."""
    file = stored("cells")
    x_train, y_train, x_test, y_test = _split(file["x"], file["y"].astype("int32"))
    mean, spread = x_train.mean(axis=0), x_train.std(axis=0)
    return (x_train - mean) / spread, y_train, (x_test - mean) / spread, y_test


def dense_model() -> Any:
    """Tabular data: one row of measurements for each sample."""
    return keras.Sequential(
        [
            keras.Input(shape=(30,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(2, activation="softmax"),
        ],
        name="tumours",
    )


# Conv1D


def load_stereo() -> Split:
    """Generated stereo clips `(600, 256, 2)`: a plucked string to the left, ahead or to the right.

    The two ears hear the same sound, the farther one a few samples later and softer; strings and noise vary.
    """
    rng = np.random.default_rng(11)
    clips, sides = [], rng.integers(0, 3, 600)
    for side in sides:
        time = np.arange(300) / 8000
        pitch = rng.uniform(200, 900)
        sound = sum(np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k for k in range(1, 5))
        sound = sound * np.exp(-time * rng.uniform(20, 80)) * (np.arange(300) >= rng.integers(10, 30))
        lag = (int(side) - 1) * int(rng.integers(3, 7))
        left = np.roll(sound, max(lag, 0))[:256] * (1.0 if lag <= 0 else 0.85)
        right = np.roll(sound, max(-lag, 0))[:256] * (1.0 if lag >= 0 else 0.85)
        clips.append(np.stack([left, right], axis=-1) + rng.normal(0, 0.1, (256, 2)))
    return _split(np.array(clips, "float32"), sides.astype("int32"))


def conv1d_model(data_format: str = "channels_last") -> Any:
    """Two-channel sound: where does it come from?"""
    shape = (256, 2) if data_format == "channels_last" else (2, 256)
    return keras.Sequential(
        [
            keras.Input(shape=shape),
            layers.Conv1D(16, kernel_size=9, activation="relu", data_format=data_format),
            layers.MaxPooling1D(4, data_format=data_format),
            layers.Conv1D(32, kernel_size=5, activation="relu", data_format=data_format),
            layers.GlobalAveragePooling1D(data_format=data_format),
            layers.Dense(3, activation="softmax"),
        ],
        name="stereo",
    )


# Conv2D


def load_digits() -> Split:
    """Handwritten digits `(1797, 8, 8, 1)`, grey from 0 to 1."""
    file = stored("digits")
    return _split(file["x"].astype("float32")[..., None] / 16, file["y"].astype("int32"))


def conv2d_model(data_format: str = "channels_last") -> Any:
    """Images: which digit is it?"""
    shape = (8, 8, 1) if data_format == "channels_last" else (1, 8, 8)
    return keras.Sequential(
        [
            keras.Input(shape=shape),
            layers.Conv2D(16, kernel_size=3, activation="relu", data_format=data_format),
            layers.MaxPooling2D(2, data_format=data_format),
            layers.Flatten(data_format=data_format),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )


# LSTM


def load_sunspots() -> Split:
    """Windows of 24 years of sunspot numbers `(285, 24, 1)` and the number of the next year; the test is the end."""
    number = stored("sunspots")["number"] / 100
    windows = np.lib.stride_tricks.sliding_window_view(number, 25).astype("float32")
    x, y = windows[:, :24, None], windows[:, 24:]
    return x[:220], y[:220], x[220:], y[220:]


def _last_value(data: Split) -> float:
    _, _, x_test, y_test = data
    return float(np.mean(np.abs(x_test[:, -1] - y_test)))


def lstm_model() -> Any:
    """A time series: 24 years in, the next one out."""
    return keras.Sequential(
        [
            keras.Input(shape=(24, 1)),
            layers.LSTM(32, return_sequences=True),
            layers.LSTM(16),
            layers.Dense(1),
        ],
        name="sunspots",
    )


STOPS = (
    Stop(
        "dense",
        "Dense on a table",
        "Is a tumour benign? 569 of them, 30 measurements of the cell nuclei each.",
        load_cells,
        dense_model,
        "always says the more common class",
        _majority,
        epochs=20,
    ),
    Stop(
        "conv1d",
        "Conv1D on stereo sound",
        "Where does a sound come from: left, ahead or right? 600 clips of two channels. They are generated, "
        "not recorded: no free stereo recordings come in a package.",
        load_stereo,
        conv1d_model,
        "always says the more common class",
        _majority,
        epochs=20,
        formats=True,
    ),
    Stop(
        "conv2d",
        "Conv2D on images",
        "Which digit is it? 1,797 handwritten ones of 8 x 8 pixels.",
        load_digits,
        conv2d_model,
        "always says the more common class",
        _majority,
        epochs=12,
        formats=True,
    ),
    Stop(
        "lstm",
        "LSTM on a time series",
        "How many sunspots will next year have? 309 years, seen 24 at a time.",
        load_sunspots,
        lstm_model,
        "says next year is like this one",
        _last_value,
        epochs=30,
        learning_rate=0.01,
        loss="mae",
        metrics=[],
    ),
)
