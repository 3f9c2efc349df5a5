"""Checks of arguments: each names the argument, the value that came and what is allowed."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'Dense'?`` for a near miss, else nothing."""
    names = list(known)
    lower = {n.lower(): n for n in reversed(names)}
    near = difflib.get_close_matches(str(word).lower(), list(lower), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(lower[n]) for n in near)}?" if near else ""


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number (numpy's count, booleans do not)."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))


def positive_int(name: str, value: Any) -> int:
    """`value` as an ``int`` of at least 1."""
    if not is_whole(value) or value < 1:
        raise ValueError(f"`{name}`={value!r}: expected a positive whole number")
    return int(value)


def sizes(name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """One whole number for each of `rank` axes, from one number for all or a sequence of them."""
    entries = (value,) * rank if is_whole(value) else value
    fits = isinstance(entries, (Sequence, np.ndarray))
    if not fits or isinstance(entries, str) or len(entries) != rank or not all(is_whole(e) for e in entries):
        each = "a whole number" if rank == 1 else f"a whole number or {rank} of them"
        raise ValueError(f"`{name}`={value!r}: expected {each}")
    if any(e < least for e in entries):
        raise ValueError(f"`{name}`={value!r}: expected {least} or more along each axis")
    return tuple(int(e) for e in entries)


def one_of(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """`value`, if it is among the allowed ones (strings are compared without case)."""
    found = value.lower() if isinstance(value, str) else value
    if not any(found is a or (type(found) is type(a) and found == a) for a in allowed):
        choices = ", ".join(repr(a) for a in allowed)
        raise ValueError(f"`{name}`={value!r}: expected one of {choices}{did_you_mean(value, map(str, allowed))}")
    return found


def real(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a finite ``float`` within bounds (both included)."""
    is_number = isinstance(value, (numbers.Real, np.floating, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        bounds = "" if low == -math.inf and high == math.inf else f" from {low:g} to {high:g}"
        if high == math.inf and low != -math.inf:
            bounds = f" of at least {low:g}"
        raise ValueError(f"`{name}`={value!r}: expected a finite number{bounds}")
    return float(value)


def no_unknown(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse arguments that do not exist, with the nearest ones that do."""
    known = list(known)
    for name in given:
        if name not in known:
            raise TypeError(f"{kind} has no argument {name!r}{did_you_mean(name, known)}")
