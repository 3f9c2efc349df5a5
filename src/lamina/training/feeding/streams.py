"""Data that comes batch by batch: generators, datasets, loaders; read ahead on a thread."""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lamina.core import seeds
from lamina.shapes.errors import ShapeError
from lamina.training.feeding import datasets
from lamina.training.feeding.convert import same_length, to_arrays
from lamina.training.feeding.feed import Batch, Feed
from lamina.training.feeding.prefetch import Prefetch
from lamina.training.feeding.weights import apply_class_weight, check_class_weight
from lamina.training.warn import warn

_DEPTH = 10
_HOW_MANY = "give the number of batches (`steps_per_epoch` in fit, `steps` in evaluate and predict)"


def is_stream(x: Any) -> bool:
    """Whether an argument gives batches one by one, rather than being an array or a structure of arrays."""
    if x is None or isinstance(x, (str, bytes, Mapping, list, tuple, range, set, frozenset, np.ndarray)):
        return False
    if isinstance(x, type) or hasattr(x, "__array__") or hasattr(x, "to_numpy") or hasattr(x, "toarray"):
        return False
    return _has_numbers(x) or any(hasattr(x, name) for name in ("__next__", "__iter__", "as_numpy_iterator"))


def _has_numbers(x: Any) -> bool:
    """Whether batches are asked for by number, and the number of them can be told."""
    return isinstance(x, datasets.PyDataset) or (
        hasattr(x, "__getitem__")
        and (hasattr(x, "num_batches") or (hasattr(x, "__len__") and not hasattr(x, "__iter__")))
    )


def describe(x: Any) -> str:
    """What kind of stream it is, for messages."""
    if hasattr(x, "__next__"):
        return "a generator" if hasattr(x, "send") else f"an iterator ({type(x).__name__})"
    return f"a {type(x).__name__}"


class _Source:
    """One stream: how to start a pass over it, whether it can start again, how many batches a pass has."""

    def __init__(self, x: Any, shuffle: bool):
        self.x, self.shuffle = x, shuffle
        self.by_number = _has_numbers(x)
        self.restarts = self.by_number or not hasattr(x, "__next__")
        self.depth = int(getattr(x, "max_queue_size", _DEPTH) or _DEPTH) if self.by_number else _DEPTH

    @property
    def length(self) -> int | None:
        """Batches in a pass; ``None`` if unknown or endless."""
        x = self.x
        if self.by_number:
            return getattr(x, "num_batches", None) if hasattr(x, "num_batches") else len(x)
        if hasattr(x, "cardinality"):
            return max(int(x.cardinality()), 0) or None
        try:
            return len(x)
        except TypeError:
            return None

    @property
    def endless(self) -> bool:
        """Whether it is known never to end."""
        if self.by_number:
            return self.length is None
        return hasattr(self.x, "cardinality") and int(self.x.cardinality()) == -1

    def start(self) -> Iterator[Any]:
        """The batches of a new pass."""
        if self.by_number:
            count = self.length
            if count is None:
                return datasets.batches(self.x, itertools.count())
            order = seeds.numpy_generator(None).permutation(count) if self.shuffle else np.arange(count)
            return datasets.batches(self.x, order.tolist())
        return iter(self.x.as_numpy_iterator() if hasattr(self.x, "as_numpy_iterator") else self.x)

    def tell(self, event: str) -> None:
        """Call the dataset's hook of that name, if it has one."""
        hook = getattr(self.x, event, None) if self.by_number else None
        if callable(hook):
            hook()


class StreamFeed(Feed):
    """Batches of a stream, made ready on a thread while the model trains.

    A stream is advanced by as many batches as are used: reading ahead stops at the end of an epoch.

    Attributes:
        stream: where they come from.
        entries: what its first batch consists of, as it was given.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        shuffle: bool = False,
        class_weight: Mapping[int, float] | None = None,
        argument: str = "x",
    ):
        what = describe(x)
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"`{argument}` is {what}, so `{name}` cannot be given beside it: "
                    "let each batch be (x, y) or (x, y, sample_weight)"
                )
        if batch_size is not None:
            warn(f"`batch_size`={batch_size} is ignored: {what} decides the size of its batches")
        self._source = _Source(x, shuffle)
        if steps is None and self._source.endless:
            raise ValueError(f"`{argument}` is {what} that never ends: {_HOW_MANY}")
        self._what, self._steps, self._epochs = what, steps, epochs
        self._read = functools.partial(read_batch, argument=argument, class_weight=check_class_weight(class_weight))
        self._pass: Iterator[Any] | None = None
        self.stream, self.entries = x, ()
        self._ahead: collections.deque[Batch] = collections.deque()
        self._prefetch: Prefetch | None = None
        self._begun = False
        self._given = self._epochs_done = 0

    @property
    def steps(self) -> int | None:
        """Batches in an epoch, if it can be known before."""
        return self._steps or self._source.length

    def first(self) -> Batch:
        self._begin()
        if not self._ahead:
            raise ValueError(f"{self._what} has no batches left")
        return self._ahead[0]

    def _begin(self) -> None:
        """Have the next batch at hand, starting a new pass where one has ended."""
        if not self._begun:
            self._begun = True
            self._source.tell("on_epoch_begin")
        if self._ahead or self.exhausted:
            return
        fresh = self._pass is None
        if self._pass is None:
            self._pass = self._source.start()
        for item in self._pass:
            if not self._given:
                self.entries = tuple(item) if isinstance(item, (tuple, list)) else (item,)
            self._ahead.append(self._read(item))
            return
        self._pass = None
        if fresh and not self._given:
            raise ValueError(f"{self._what} gave no batch at all: it is empty, or was used up before")
        if self._source.restarts and not fresh:
            self._begin()
        else:
            self.exhausted = True

    def epoch(self) -> Iterator[Batch]:
        self._begin()
        came = 0
        if self._ahead:
            assert self._pass is not None
            ahead = self._ahead.popleft()
            rest = None if self._steps is None else self._steps - 1
            self._prefetch = Prefetch(map(self._read, itertools.islice(self._pass, rest)), self._source.depth)
            whole = False
            try:
                for batch in itertools.chain([ahead], self._prefetch):
                    came += 1
                    self._given += 1
                    yield batch
                whole = True
            finally:
                self._stop_reading()
                if not whole and self._source.restarts:
                    self._pass = None  # an epoch left early: the next one starts anew
        self._epochs_done += 1
        self._after(came)

    def _after(self, came: int) -> None:
        """Note where the stream stands after an epoch, and warn if it gave too little."""
        short = self._steps is not None and came < self._steps
        if short or self._steps is None:
            self._pass = None
            self.exhausted = not self._source.restarts
        wanted = self._epochs is not None and self._epochs_done < self._epochs
        if short or came == 0 or (self.exhausted and wanted):
            self._warn(came)

    def _warn(self, came: int) -> None:
        steps, epochs = self._steps, self._epochs
        if steps is None:
            expected = f"{epochs} epochs were asked for" if epochs else "another epoch was asked for"
            expected += ", and it cannot start again: pass a PyDataset, or an endless generator with `steps_per_epoch`"
        elif not self.exhausted:
            expected = f"{steps} were expected in an epoch and {came} came"
        elif epochs:
            expected = f"{steps} x {epochs} epochs = {steps * epochs} were expected"
        else:
            expected = f"{steps} were expected in an epoch and {came} came"
        end = "the run ends early" if self.exhausted else "the epoch ends early"
        warn(f"{self._what} ended after {self._given} batches; {expected}; {end}")

    def on_epoch_end(self) -> None:
        self._begun = False
        self._source.tell("on_epoch_end")

    def _stop_reading(self) -> None:
        if self._prefetch is not None:
            self._prefetch.close()
            self._prefetch = None

    def close(self) -> None:
        self._stop_reading()
        started, self._pass = self._pass, None
        if self._source.restarts and started is not None and hasattr(started, "close"):
            started.close()


def read_batch(item: Any, *, argument: str = "x", class_weight: dict[int, float] | None = None) -> Batch:
    """What a stream gave, as ``(x, y, sample_weight)`` of arrays: from ``x``, ``(x,)``, ``(x, y)`` or all three.

    Raises:
        ValueError: it is something else.
    """
    parts = tuple(item) if isinstance(item, (tuple, list)) else (item,)
    if not 1 <= len(parts) <= 3:
        raise ShapeError(
            f"a batch of `{argument}` is a {type(item).__name__} of {len(parts)} entries: expected x, (x, y) or "
            "(x, y, sample_weight); several inputs go together as ((x1, x2), y)",
            expected="1 to 3 entries: x, (x, y) or (x, y, sample_weight)",
            received=f"{len(parts)} entries of shapes {', '.join(map(_shape_text, parts))}",
        )
    x, y, weights = (*parts, None, None)[:3]
    if x is None:
        raise ValueError(f"a batch of `{argument}` is None: expected x, (x, y) or (x, y, sample_weight)")
    where = f"a batch of `{argument}`: "
    try:
        batch = (to_arrays(x, "x"), to_arrays(y, "y"), to_arrays(weights, "sample_weight", may_lack=True))
        same_length([(n, p) for n, p in zip(("x", "y", "sample_weight"), batch) if p is not None])
    except ShapeError as error:
        error.summary = where + error.summary
        raise error.with_fixes([]) from None
    except ValueError as error:
        raise ValueError(f"{where}{error}") from error
    return batch[0], batch[1], apply_class_weight(batch[1], batch[2], class_weight, "y", whole=False)


def _shape_text(part: Any) -> str:
    return str(np.shape(part)) if not isinstance(part, (tuple, list, dict)) else type(part).__name__
