"""`make_feed`: one object that gives batches, from any kind of data."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from typing import Any

from lamina.core import checks

Batch = tuple[Any, Any, Any]


class Feed(abc.ABC):
    """Gives the batches ``(x, y, sample_weight)`` of each epoch; absent parts are ``None``.

    Attributes:
        batch_size: samples in a batch; ``None`` where the data decides.
        num_samples: samples in all; ``None`` where it is not known.
        exhausted: the data has ended and cannot start again, so no further epoch can be had.
    """

    batch_size: int | None = None
    num_samples: int | None = None
    exhausted: bool = False

    @property
    @abc.abstractmethod
    def steps(self) -> int | None:
        """Batches in an epoch; ``None`` where it is not known."""

    @abc.abstractmethod
    def first(self) -> Batch:
        """The first batch, which `epoch` will still give."""

    @abc.abstractmethod
    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch, in order."""

    def on_epoch_end(self) -> None:  # noqa: B027 - most data need not know
        """Tell the data that an epoch has ended."""

    def shapes(self) -> Any:
        """Shapes of the full arrays, in the form of ``(x, y, sample_weight)``; ``None`` for a stream."""
        return None

    def labels(self) -> Any:
        """All targets, where they lie in memory."""
        return None

    def close(self) -> None:  # noqa: B027 - arrays hold nothing
        """End what runs in the background."""


def make_feed(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    shuffle: bool | str = False,
    class_weight: Mapping[int, float] | None = None,
    argument: str = "x",
) -> Feed:
    """The feed for the user's data.

    Args:
        x: arrays (numpy, JAX, pandas, lists of numbers, anything with ``__array__``; lists and dicts of them), or a
            stream of batches: a generator, a `PyDataset`, a DataLoader, a tf.data or grain dataset.
        y: targets, for arrays only.
        sample_weight: weights of the samples, for arrays only.
        batch_size: samples in a batch, for arrays only; 32 by default.
        steps: batches in an epoch, where it is not simply all of them.
        epochs: how many epochs will be wanted, which lets warnings say what was expected.
        shuffle: whether each epoch has an order of its own; ``"batch"`` shuffles inside each batch only. Of
            streams, a `PyDataset` of known length has its batches shuffled; others give their own order.
        class_weight: a weight for each class that is not worth 1.
        argument: how errors call the data; with anything but ``"x"``, ``argument[1]`` is `y`.

    Raises:
        ValueError: the data cannot be used; the message names the argument and says what to do.
    """
    from lamina.training.feeding.arrays import ArrayFeed
    from lamina.training.feeding.streams import StreamFeed, is_stream

    names = ("x", "y", "sample_weight") if argument == "x" else tuple(f"{argument}[{i}]" for i in range(3))
    if steps is not None:
        steps = checks.positive_int("steps", steps)
    if batch_size is not None:
        batch_size = checks.positive_int("batch_size", batch_size)
    if x is None:
        raise ValueError(f"`{argument}` is None: give the data")
    if is_stream(x):
        return StreamFeed(
            x, y, sample_weight, batch_size=batch_size, steps=steps, epochs=epochs, shuffle=bool(shuffle),
            class_weight=class_weight, argument=argument,
        )  # fmt: skip
    return ArrayFeed(
        x, y, sample_weight, batch_size=batch_size or 32, steps=steps, shuffle=shuffle, class_weight=class_weight,
        names=names,
    )  # fmt: skip
