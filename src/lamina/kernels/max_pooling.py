"""The greatest element of each window, with a gradient that is fast on CPUs.

XLA's own gradient looks for each window's greatest element again and scatters to it, one window after the other. Here
the elements at the same place of all windows are one tensor, and those that are the first of the greatest take the
gradient, all at once. Where windows do not overlap it is enough to know the number of that place in each.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.kernels.choosing import apart, on_cpu, only_reference

Sizes = tuple[int, ...]
_MOST = 32  # places of a window that are written out


def reference(x: jax.Array, window: Sizes, steps: Sizes, padding: str) -> jax.Array:
    """The greatest element of each window, as XLA has it; see `max_window`."""
    return lax.reduce_window(x, np.array(_lowest(x), x.dtype), lax.max, window, steps, padding)


def max_window(x: jax.Array, window: Sizes, steps: Sizes, padding: str) -> jax.Array:
    """The greatest element of each window.

    Args:
        x: a tensor.
        window: the window's size along each axis.
        steps: its steps along each axis.
        padding: ``"VALID"`` or ``"SAME"``; places outside count as lowest.

    Example:

    >>> import jax, jax.numpy as jnp
    >>> x = jnp.array([3.0, 1.0, 2.0, 2.0])
    >>> max_window(x, (2,), (2,), "VALID").tolist()
    [3.0, 2.0]
    >>> jax.grad(lambda x: max_window(x, (2,), (2,), "VALID").sum())(x).tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    known = all(isinstance(size, int) for size in x.shape)
    if only_reference() or not known or not jnp.issubdtype(x.dtype, jnp.floating) or math.prod(window) > _MOST:
        return reference(x, window, steps, padding)
    return _max_window(x, window, steps, padding)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def _max_window(x: jax.Array, window: Sizes, steps: Sizes, padding: str) -> jax.Array:
    return reference(x, window, steps, padding)


@_max_window.defjvp
def _change(window: Sizes, steps: Sizes, padding: str, primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x,), (change,) = primals, tangents
    greatest = _max_window(x, window, steps, padding)
    pads = lax.padtype_to_pads(x.shape, window, steps, padding)

    def ours(change: Any, x: Any) -> Any:
        if window == steps and not any(itertools.chain(*pads)):
            return _of_blocks(window, greatest.shape, change, x)
        return _of_windows(window, steps, pads, greatest.shape, change, x)

    def plain(change: Any, x: Any) -> Any:
        return jax.jvp(lambda x: reference(x, window, steps, padding), (x,), (change,))[1]

    return greatest, on_cpu(ours, plain)(change, x)


def _of_blocks(window: Sizes, counts: Sizes, change: Any, x: Any) -> Any:
    """The change of the greatest, where windows share no element: a sum over blocks of the tensor."""
    sizes = [count * span for count, span in zip(counts, window, strict=True)]
    blocked = [size for pair in zip(counts, window, strict=True) for size in pair]
    x, change = (lax.slice(t, [0] * t.ndim, sizes).reshape(blocked) for t in (x, change))
    number = np.arange(math.prod(window), dtype="int8").reshape([n for span in window for n in (1, span)])
    at = [tuple(entry for start in place for entry in (slice(None), start)) for place in _starts(window)]
    first = _first_greatest(x[place] for place in at)
    first = first.reshape([size for count in counts for size in (count, 1)])
    return jnp.sum(jnp.where(first == number, change, 0), tuple(range(1, 2 * len(counts), 2)))


def _of_windows(window: Sizes, steps: Sizes, pads: Any, counts: Sizes, change: Any, x: Any) -> Any:
    """The same where windows overlap, or reach over the border."""
    widths = [(low, high, 0) for low, high in pads]
    first = _first_greatest(_places(lax.pad(x, np.array(_lowest(x), x.dtype), widths), window, steps, counts))
    parts = _places(lax.pad(change, np.array(0, change.dtype), widths), window, steps, counts)
    chosen = (jnp.where(first == number, part, 0) for number, part in enumerate(parts))
    return functools.reduce(operator.add, chosen)


def _first_greatest(values: Iterable[Any]) -> Any:
    """The number of the tensor that holds the greatest value, the first of them, for each element.

    Nothing is looked up that was computed elsewhere: computed twice, a number may round in two ways.
    """
    left = iter(values)
    greatest = next(left)
    first = jnp.zeros(greatest.shape, "int8")
    for number, value in enumerate(left, start=1):
        first = jnp.where(value > greatest, jnp.int8(number), first)
        greatest = jnp.maximum(greatest, value)
    return apart(lax.optimization_barrier)(first)


def _places(x: Any, window: Sizes, steps: Sizes, counts: Sequence[int]) -> Iterator[Any]:
    """For each place of a window, the elements that stand there in all windows."""
    for start in _starts(window):
        ends = [s + (count - 1) * step + 1 for s, count, step in zip(start, counts, steps, strict=True)]
        yield lax.slice(x, start, ends, steps)


def _starts(window: Sizes) -> Iterator[Sizes]:
    return itertools.product(*map(range, window))


def _lowest(x: Any) -> Any:
    return -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
