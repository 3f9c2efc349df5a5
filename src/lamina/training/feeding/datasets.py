"""`PyDataset`: batches by number, which may be made by several workers."""

from __future__ import annotations

import collections
import itertools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from lamina.core import checks


class PyDataset:
    """Data that gives its batches by number; several may be made at a time, in order.

    A subclass has ``__getitem__(index)``, which gives the batch ``(x, y)``, ``(x, y, sample_weight)`` or ``x``, and
    ``__len__`` or ``num_batches``, the number of batches.

    Args:
        workers: how many batches are made at a time; with 1, one after the other.
        use_multiprocessing: make them in processes of their own, not in threads. The dataset is sent to each, so
            it must be possible to pickle it, and a script needs ``if __name__ == "__main__":``.
        max_queue_size: how many batches may wait until they are needed.

    Example:

    >>> import numpy as np
    >>> import lamina
    >>> class Squares(lamina.utils.PyDataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         x = np.arange(8.0).reshape(8, 1) + index
    ...         return x, x**2
    >>> Squares().num_batches
    4

    Raises:
        ValueError: `workers` or `max_queue_size` is not a positive whole number.
    """

    # Defaults on the class, so that a subclass that forgets `super().__init__()` works.
    _workers, _use_multiprocessing, _max_queue_size = 1, False, 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    @property
    def workers(self) -> int:
        """How many batches are made at a time."""
        return self._workers

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = checks.positive_int("workers", max(value, 1) if checks.is_whole(value) else value)

    @property
    def use_multiprocessing(self) -> bool:
        """Whether batches are made in processes, not in threads."""
        return self._use_multiprocessing

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = bool(value)

    @property
    def max_queue_size(self) -> int:
        """How many batches may wait until they are needed."""
        return self._max_queue_size

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = checks.positive_int("max_queue_size", value)

    def __getitem__(self, index: int) -> Any:
        raise TypeError(f"{type(self).__name__} needs a method `__getitem__(self, index)` that gives a batch")

    @property
    def num_batches(self) -> int | None:
        """Number of batches; ``None`` if they never end."""
        return len(self) if hasattr(self, "__len__") else None

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch, to shuffle for example."""


_here: list[Any] = []


def _keep(dataset: Any) -> None:
    _here[:] = [dataset]


def _batch(index: int) -> Any:
    return _here[0][index]


def batches(dataset: Any, indices: Iterable[int]) -> Iterator[Any]:
    """The batches of these numbers, in order, made as the dataset says.

    Raises:
        ValueError: the processes asked for could not be started.
    """
    workers = getattr(dataset, "workers", 1)
    if workers <= 1:
        for index in indices:
            yield dataset[index]
    elif not dataset.use_multiprocessing:
        with _closing(futures.ThreadPoolExecutor(workers, thread_name_prefix="lamina-worker")) as pool:
            yield from _ordered(pool, dataset.__getitem__, indices, max(workers, dataset.max_queue_size))
    else:
        # A forked child of a process with threads (JAX has some) may hang, so the children start afresh.
        context = multiprocessing.get_context("spawn")
        pool = futures.ProcessPoolExecutor(workers, context, initializer=_keep, initargs=(dataset,))
        try:
            with _closing(pool):
                yield from _ordered(pool, _batch, indices, max(workers, dataset.max_queue_size))
        except (BrokenProcessPool, AttributeError, TypeError) as error:
            if isinstance(error, BrokenProcessPool) or "pickle" in str(error):
                raise ValueError(
                    f"{type(dataset).__name__} could not be sent to worker processes ({error}): define the class in a "
                    "module, keep open files out of it, put the program under `if __name__ == '__main__':`, or use "
                    "threads (use_multiprocessing=False)"
                ) from error
            raise


class _closing:
    """A pool that drops what is waiting when left."""

    def __init__(self, pool: futures.Executor):
        self.pool = pool

    def __enter__(self) -> futures.Executor:
        return self.pool

    def __exit__(self, *_: Any) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)


def _ordered(pool: futures.Executor, make: Callable[[int], Any], indices: Iterable[int], ahead: int) -> Iterator[Any]:
    remaining = iter(indices)
    waiting = collections.deque(pool.submit(make, index) for index in itertools.islice(remaining, ahead))
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(make, index) for index in itertools.islice(remaining, 1))
        yield result
