"""Data that lies in memory: cut into batches, shuffled by index."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core import checks, seeds, tree
from lamina.training.feeding.convert import same_length, to_arrays
from lamina.training.feeding.feed import Batch, Feed
from lamina.training.feeding.weights import apply_class_weight, check_class_weight
from lamina.training.warn import warn

Names = tuple[str, ...]


class ArrayFeed(Feed):
    """Batches of arrays.

    Attributes:
        arrays: ``(x, y, sample_weight)``, all samples, as structures of numpy or JAX arrays.
    """

    batch_size: int
    num_samples: int

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 32,
        steps: int | None = None,
        shuffle: bool | str = False,
        class_weight: Mapping[int, float] | None = None,
        names: Names = ("x", "y", "sample_weight"),
    ):
        self.shuffle = checks.one_of(
            "shuffle", bool(shuffle) if checks.is_whole(shuffle) else shuffle, (True, False, "batch")
        )
        self.arrays, self.num_samples = read_arrays(x, y, sample_weight, class_weight, names)
        self.batch_size = batch_size
        self._steps = steps
        self._pass: np.ndarray | None = None
        self._at = 0
        self._warned = False

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self._steps or math.ceil(self.num_samples / self.batch_size)

    def first(self) -> Batch:
        return self.take(slice(0, self.batch_size))

    def take(self, rows: slice | np.ndarray) -> Batch:
        """The samples of these rows."""
        return tree.map_structure(lambda leaf: None if leaf is None else leaf[rows], self.arrays)

    def order(self, rng: np.random.Generator | None = None) -> np.ndarray:
        """The samples of the next epoch, in order: whole numbers ``(samples,)``.

        With `steps`, an epoch goes on in the data where the one before stopped, and starts again at its end.

        Args:
            rng: what to shuffle with; by default the program's random numbers (``set_random_seed``).
        """
        if self._pass is None or self._at >= self.num_samples:
            self._pass, self._at = self._one_pass(rng), 0
        stop = self._at + self.steps * self.batch_size
        rows = self._pass[self._at : stop]
        if self._steps and stop >= self.num_samples + self.batch_size:
            self._warn_short(math.ceil(len(rows) / self.batch_size))
        self._at = stop
        return rows

    def _one_pass(self, rng: np.random.Generator | None) -> np.ndarray:
        rows = np.arange(self.num_samples)
        if not self.shuffle:
            return rows
        rng = rng or seeds.numpy_generator(None)
        if self.shuffle is True:
            return rng.permutation(rows)
        return np.concatenate(
            [rng.permutation(c) for c in np.split(rows, range(self.batch_size, len(rows), self.batch_size))]
        )

    def _warn_short(self, came: int) -> None:
        if not self._warned:
            self._warned = True
            warn(
                f"{self._steps} batches of {self.batch_size} were asked for in an epoch, and the {self.num_samples} "
                f"samples gave only {came}; the epoch ends early"
            )

    def epoch(self) -> Iterator[Batch]:
        rows = self.order()
        for start in range(0, len(rows), self.batch_size):
            chunk = rows[start : start + self.batch_size]
            yield self.take(chunk if self.shuffle else slice(int(chunk[0]), int(chunk[-1]) + 1))

    def shapes(self) -> Any:
        return tree.map_structure(lambda leaf: None if leaf is None else tuple(leaf.shape), self.arrays)

    def labels(self) -> Any:
        return self.arrays[1]


def read_arrays(
    x: Any, y: Any, sample_weight: Any, class_weight: Any = None, names: Names = ("x", "y", "sample_weight")
) -> tuple[Batch, int]:
    """The three parts as structures of arrays, and how many samples they hold.

    Raises:
        ValueError: one of them cannot be read, or their lengths differ.
    """
    parts = [to_arrays(x, names[0]), to_arrays(y, names[1]), to_arrays(sample_weight, names[2], may_lack=True)]
    weights = check_class_weight(class_weight, parts[1])
    parts[2] = _as_floats(parts[2])
    samples = same_length([(n, p) for n, p in zip(names, parts) if p is not None])
    parts[2] = apply_class_weight(parts[1], parts[2], weights, names[1])
    # One array of weights holds for each output.
    if tree.is_nested(parts[1]) and parts[2] is not None and not tree.is_nested(parts[2]):
        parts[2] = tree.map_structure(lambda _: parts[2], parts[1])
    return (parts[0], parts[1], parts[2]), samples


def _as_floats(weights: Any) -> Any:
    def cast(leaf: Any) -> Any:
        if leaf is None or jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return leaf.astype("float32")

    return tree.map_structure(cast, weights)


def validation_split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Batch, Batch]:
    """The data without its last part, and that last part (before any shuffling).

    Args:
        x: arrays, as `make_feed` takes them.
        y: targets or ``None``.
        sample_weight: weights or ``None``.
        fraction: how much goes to the last part, between 0 and 1.

    Raises:
        ValueError: the data is a stream, or one of the parts would be empty.
    """
    from lamina.training.feeding.streams import describe, is_stream

    share = checks.real("validation_split", fraction, 0.0, 1.0)
    if not 0.0 < share < 1.0:
        raise ValueError(f"`validation_split`={fraction!r}: expected a fraction between 0 and 1")
    if is_stream(x):
        raise ValueError(f"`validation_split` needs arrays, and `x` is {describe(x)}: pass `validation_data` instead")
    arrays, samples = read_arrays(x, y, sample_weight)
    cut = math.floor(samples * (1.0 - share))
    if cut in (0, samples):
        raise ValueError(
            f"`validation_split`={fraction!r} of {samples} samples leaves {cut} to train on and {samples - cut} to "
            "validate on: give more samples or another fraction"
        )

    def part(rows: slice) -> Batch:
        return tree.map_structure(lambda leaf: None if leaf is None else leaf[rows], arrays)

    return part(slice(None, cut)), part(slice(cut, None))
