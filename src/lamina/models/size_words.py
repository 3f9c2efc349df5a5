"""Sizes that repeat, in words: ``a multiple of 16``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any


def multiple(period: int, residues: Sequence[int]) -> str:
    """Sizes whose remainder by `period` is one of `residues`."""
    if tuple(residues) == (0,):
        return f"a multiple of {period}"
    more = [f"{r} more than a multiple" if r else "a multiple" for r in residues]
    missing = [r for r in range(period) if r not in residues]
    if len(missing) == 1 and period > 2:
        return f"not {'a' if not missing[0] else f'{missing[0]} more than a'} multiple of {period}"
    return f"{any_of(more)} of {period}"


def any_of(items: Any) -> str:
    """``2, 3 or 4``."""
    words = [str(item) for item in items]
    if len(words) > 6:
        words = [*words[:5], "..."]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def repeating(sizes: Collection[int], tried: range) -> tuple[int, tuple[int, ...]] | None:
    """Period and remainders of those sizes among the ones tried; ``None`` if they do not repeat."""
    for period in range(2, len(tried) // 2 + 1):
        residues = {size % period for size in sizes}
        if all((size in sizes) == (size % period in residues) for size in tried):
            return (period, tuple(sorted(residues))) if 0 < len(residues) < period else None
    return None
