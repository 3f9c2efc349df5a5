"""What happens to the axes of a tensor whose elements are given another shape."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from lamina.shapes import dims


def swapped_axes(before: Sequence[Any], to: Sequence[Any]) -> tuple[int, ...] | None:
    """The order of axes that a reshape seems to mean, where it cannot be a regrouping of neighbours.

    Args:
        before: the sizes of a sample.
        to: the same sizes in another order.

    Returns:
        Which axis goes to each place, counted from 1 (the batch axis is 0); ``None`` if nothing speaks for it.

    >>> swapped_axes((20, 6), (6, 20))
    (2, 1)
    >>> swapped_axes((4, 6), (2, 12)) is None
    True
    """
    if not all(map(dims.is_known, (*before, *to))):
        return None
    old, new = [s for s in before if s != 1], [s for s in to if s != 1]
    if old == new or sorted(before) != sorted(to) or _regroups(old, new):
        return None
    left = list(range(len(before)))
    return tuple(left.pop(next(i for i, place in enumerate(left) if before[place] == size)) + 1 for size in to)


def _regroups(old: list[int], new: list[int]) -> bool:
    """Whether each axis of one is whole groups of the other's."""
    ends = sorted({*_products(old), *_products(new)})
    return all(b % a == 0 for a, b in itertools.pairwise(ends))


def _products(sizes: list[int]) -> Iterator[int]:
    product = 1
    for size in sizes:
        product *= size
        yield product
