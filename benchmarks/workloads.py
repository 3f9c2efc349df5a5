"""The workloads: models written as lists of steps that every peer reads, their data, and weights to begin with.

A step is a tuple: its kind, then its settings. The kinds are those of `_weights_of`; activations are ``"relu"`` or
``None``. Weights have the layouts of Keras, and names such as ``"2_conv/kernel"``: the step's number in the list, its
kind, and the weight's own name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Step = tuple[Any, ...]


@dataclass(frozen=True)
class Workload:
    """A model, its data, and how to train it.

    Attributes:
        steps: the model.
        shape: of a sample.
        batch: samples in a batch.
        batches: batches in an epoch: about a second of work.
        vocabulary: the data are integers below it; floats where it is 0.
        classes: of the labels; 0 for targets that are the inputs themselves.
    """

    name: str
    steps: list[Step]
    shape: tuple[int, ...]
    batch: int
    batches: int
    vocabulary: int = 0
    classes: int = 10

    def data(self, batches: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets."""
        rng = np.random.default_rng(0)
        samples = self.batch * (batches or self.batches)
        if self.vocabulary:
            x = rng.integers(0, self.vocabulary, (samples, *self.shape)).astype("int32")
        else:
            x = rng.normal(size=(samples, *self.shape)).astype("float32")
        return x, rng.integers(0, self.classes, samples).astype("int32") if self.classes else x

    def without_dropout(self) -> Workload:
        """The same model, in which every library computes the same numbers."""
        steps = [("dropout", 0.0) if step[0] == "dropout" else step for step in self.steps]
        return Workload(self.name, steps, self.shape, self.batch, self.batches, self.vocabulary, self.classes)

    def weights(self) -> dict[str, np.ndarray]:
        """Weights to begin with, by name."""
        rng = np.random.default_rng(1)
        shape, found = self.shape, {}
        for number, step in enumerate(self.steps):
            for name, size in _weights_of(step, shape):
                found[f"{number}_{name}"] = _drawn(name, size, rng)
            shape = shape_after(step, shape)
        return found


def _drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if name.endswith(("gamma", "moving_variance")):
        return np.ones(shape, "float32")
    if name.endswith(("bias", "beta", "moving_mean")):
        return np.zeros(shape, "float32")
    scale = math.sqrt(2 / (math.prod(shape[:-1]) + shape[-1]))
    return rng.normal(size=shape, scale=scale).astype("float32")


def _weights_of(step: Step, shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a step's weights, for samples of a shape."""
    kind, *settings = step
    width = shape[-1] if shape else 0
    if kind == "dense":
        yield from [("dense/kernel", (width, settings[0])), ("dense/bias", (settings[0],))]
    elif kind == "conv":
        filters, kernel = settings[:2]
        yield from [("conv/kernel", (*kernel, width, filters)), ("conv/bias", (filters,))]
    elif kind == "conv_transpose":
        filters, kernel = settings[:2]
        yield from [("conv_transpose/kernel", (*kernel, filters, width)), ("conv_transpose/bias", (filters,))]
    elif kind in ("lstm", "gru"):
        units, gates = settings[0], 4 if kind == "lstm" else 3
        yield f"{kind}/kernel", (width, gates * units)
        yield f"{kind}/recurrent_kernel", (units, gates * units)
        yield f"{kind}/bias", (gates * units,) if kind == "lstm" else (2, gates * units)
    elif kind == "embedding":
        yield "embedding/embeddings", tuple(settings)
    elif kind == "residual":
        yield from _weights_of_residual(*settings, width)
    elif kind == "transformer":
        yield from _weights_of_transformer(*settings, width)


def _weights_of_residual(filters: int, stride: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    convolutions = {"first": (3, width), "second": (3, filters), "shortcut": (1, width)}
    for name, (size, came) in convolutions.items():
        if name == "shortcut" and not has_shortcut(filters, stride, width):
            continue
        yield f"{name}/kernel", (size, size, came, filters)
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            yield f"{name}_norm/{part}", (filters,)


def has_shortcut(filters: int, stride: int, width: int) -> bool:
    """Whether a residual block changes the shape, so that its input is projected before the sum."""
    return stride != 1 or width != filters


def _weights_of_transformer(heads: int, size: int, hidden: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for norm in ("attention_norm", "feed_norm"):
        yield from [(f"{norm}/gamma", (width,)), (f"{norm}/beta", (width,))]
    for part in ("query", "key", "value"):
        yield from [(f"attention/{part}/kernel", (width, heads, size)), (f"attention/{part}/bias", (heads, size))]
    yield from [("attention/attention_output/kernel", (heads, size, width))]
    yield from [("attention/attention_output/bias", (width,))]
    yield from [("widen/kernel", (width, hidden)), ("widen/bias", (hidden,))]
    yield from [("narrow/kernel", (hidden, width)), ("narrow/bias", (width,))]


def shape_after(step: Step, shape: tuple[int, ...]) -> tuple[int, ...]:
    kind, *settings = step
    if kind == "dense":
        return (*shape[:-1], settings[0])
    if kind == "conv":
        filters, kernel, stride, _, padding = settings
        lost = [0 if padding == "same" else size - 1 for size in kernel]
        return (*(math.ceil((size - less) / stride) for size, less in zip(shape[:-1], lost, strict=True)), filters)
    if kind == "conv_transpose":
        return (*(size * settings[2] for size in shape[:-1]), settings[0])
    if kind == "pool":
        return (*(size // settings[0] for size in shape[:-1]), shape[-1])
    if kind == "flatten":
        return (math.prod(shape),)
    if kind in ("average", "greatest"):
        return shape[-1:]
    if kind in ("lstm", "gru"):
        return (*shape[:-1], settings[0]) if settings[1] else (settings[0],)
    if kind == "embedding":
        return (*shape, settings[1])
    if kind == "residual":
        return (*(math.ceil(size / settings[1]) for size in shape[:-1]), settings[0])
    return shape


def _conv(filters: int, *kernel: int, stride: int = 1, activation: str | None = "relu", padding: str = "valid") -> Step:
    return ("conv", filters, kernel, stride, activation, padding)


def _recurrent(kind: str) -> list[Step]:
    return [(kind, 128, True), (kind, 128, False), ("dense", 10, None)]


_BLOCKS = [(width, 2 if first and width > 32 else 1) for width in (32, 64, 128, 256) for first in (True, False)]

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("tiny", [("dense", 32, "relu"), ("dense", 10, None)], (10,), 32, 1000),
        Workload("mlp", [("dense", 512, "relu"), ("dense", 512, "relu"), ("dense", 10, None)], (784,), 128, 200),
        Workload(
            "cnn",
            [
                *(_conv(32, 3, 3), ("pool", 2), _conv(64, 3, 3), ("pool", 2)),
                *(("flatten",), ("dropout", 0.5), ("dense", 10, None)),
            ],
            (28, 28, 1),
            128,
            25,
        ),
        Workload(
            "conv1d",
            [_conv(32, 16, stride=4), ("pool", 4), _conv(64, 8), ("average",), ("dense", 10, None)],
            (4000, 2),
            32,
            60,
        ),
        Workload("lstm", _recurrent("lstm"), (100, 32), 32, 15),
        Workload("gru", _recurrent("gru"), (100, 32), 32, 15),
        Workload(
            "resnet",
            [_conv(32, 3, 3, padding="same")]
            + [("residual", width, stride) for width, stride in _BLOCKS]
            + [("average",), ("dense", 10, None)],
            (32, 32, 3),
            32,
            5,
        ),
        Workload(
            "transformer",
            [("transformer", 4, 32, 512), ("transformer", 4, 32, 512), ("average",), ("dense", 10, None)],
            (64, 128),
            32,
            15,
        ),
        Workload(
            "text",
            [("embedding", 5000, 64), _conv(64, 5), ("greatest",), ("dense", 10, None)],
            (100,),
            32,
            100,
            vocabulary=5000,
        ),
        Workload(
            "autoencoder",
            [
                *(_conv(16, 3, 3, stride=2, padding="same"), _conv(32, 3, 3, stride=2, padding="same")),
                *(("conv_transpose", 16, (3, 3), 2, "relu"), ("conv_transpose", 1, (3, 3), 2, None)),
            ],
            (28, 28, 1),
            128,
            40,
            classes=0,
        ),
    )
}
