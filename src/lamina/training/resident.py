"""Data that lies on the device for a whole run: batches are picked there, and many steps run in one dispatch."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.training.feeding import ArrayFeed, Feed

_SHARE = 4  # of the memory that there is, data may take one part in so many
_SHORT = 4e-3  # seconds of a step, up to which its dispatch matters
_TRIES = 3  # of a loop: other work on the machine makes one slow now and then
_SECONDS = 0.05  # of a dispatch: short enough to show progress and to be interrupted, long against what it costs


class Resident:
    """The arrays of a feed on the device.

    The arrays are a little longer than the data, so that a few samples more or less need no other program.

    Args:
        feed: the data; see `fits`.
    """

    def __init__(self, feed: ArrayFeed):
        self.batch_size = feed.batch_size
        self._feed = feed
        self._room = room_for(feed.num_samples)
        self._arrays = jax.tree.map(self._place, feed.arrays)
        self._order: Any = None
        self._rest: np.ndarray = np.empty(0, int)

    def _place(self, array: Any) -> jax.Array:
        missing = self._room - len(array)
        if isinstance(array, jax.Array):
            return jnp.concatenate([array, jnp.zeros((missing, *array.shape[1:]), array.dtype)]) if missing else array
        padded = np.empty((self._room, *array.shape[1:]), array.dtype)
        padded[: len(array)], padded[len(array) :] = array, 0
        return jax.device_put(padded, may_alias=True)  # nobody else has it

    def next_epoch(self) -> int:
        """Draw the order of the next epoch; gives how many full batches it has."""
        rows = self._feed.order()
        full = len(rows) // self.batch_size
        self._rest = rows[full * self.batch_size :]
        order = np.zeros(max(self._room, room_for(len(rows))), "int32")
        order[: len(rows)] = rows
        self._order = jnp.asarray(order)
        return full

    def batches(self, start: int, count: int) -> Any:
        """What the program of `stepping` takes to run these full batches of the epoch."""
        return self._arrays, self._order, np.int32(start), np.int32(count)

    def last(self) -> Any:
        """The batch that is left over, smaller than the others; ``None`` if there is none."""
        return self._feed.take(self._rest) if len(self._rest) else None


def fits(feed: Feed) -> bool:
    """Whether the feed is of arrays that may be kept on the device."""
    if not isinstance(feed, ArrayFeed) or feed.num_samples < feed.batch_size:
        return False
    leaves = jax.tree.leaves(feed.arrays)
    return (
        all(leaf.dtype.kind in "biufcV" for leaf in leaves) and sum(leaf.nbytes for leaf in leaves) < _room_there_is()
    )


def _room_there_is() -> float:
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] / _SHARE
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _SHARE
    except (AttributeError, ValueError, OSError):  # not told on this system
        return 2**30


def room_for(samples: int) -> int:
    """A number of samples that is a little larger, and the same for numbers that are close."""
    step = 2 ** max(samples.bit_length() - 4, 0)
    return math.ceil(samples / step) * step


class Pace:
    """Whether steps run one in a dispatch or many, and then how many, from the seconds that they were seen to take.

    A loop over steps saves what a dispatch costs, which shows where steps are short. Some devices run the same step
    slower inside a loop, so the loop is kept only if it is faster.
    """

    def __init__(self) -> None:
        self.alone = math.inf  # seconds of a step in a dispatch of its own, the least seen
        self.looped = math.inf  # seconds of a step among many, the least seen
        self._done = 0
        self._tries = 0
        self._since = time.perf_counter()

    def begin(self) -> None:
        """Measure from now on."""
        self._done, self._since = 0, time.perf_counter()

    @property
    def wants_loop(self) -> bool:
        """Whether steps are so short that a loop over them is worth a try."""
        return self.alone < _SHORT and self._tries < _TRIES

    @property
    def loops(self) -> bool:
        """Whether the loop is faster."""
        return self.looped < self.alone

    def steps(self, left: int) -> int:
        """How many steps to run next, where so many are left."""
        each = min(self.alone, self.looped)
        return max(1, min(left, int(_SECONDS / each))) if each else left

    def ran_alone(self, result: Any, steps: int) -> None:
        """Note so many steps in dispatches of their own, which need not have ended."""
        self._done += steps
        if time.perf_counter() - self._since > (_SECONDS if self.alone < math.inf else 0):
            jax.block_until_ready(result)
            self.alone = min(self.alone, (time.perf_counter() - self._since) / self._done)
            self.begin()

    def ran_looped(self, result: Any, steps: int) -> None:
        """Note a dispatch of so many steps, begun at `begin`."""
        jax.block_until_ready(result)
        self.looped = min(self.looped, (time.perf_counter() - self._since) / steps)
        self._tries += 1
        self.begin()
