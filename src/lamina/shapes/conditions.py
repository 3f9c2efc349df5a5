"""What a computation needs of sizes that are open while it is traced: noted on the way, checked when data comes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lamina.shapes import dims


@dataclass(frozen=True)
class Condition:
    """Two sizes that must agree.

    Attributes:
        left, right: the sizes, at least one of them open.
        layer: what needs it, in words: ``Add "add"``; empty for the call that it was noted in.
        axis: name of the axis that they are sizes of.
        or_one: whether it is also met where either size is 1, because tensors are stretched there.
    """

    left: Any
    right: Any
    layer: str = ""
    axis: str = "size"
    or_one: bool = False

    @property
    def names(self) -> list[str]:
        """The free dimensions in it."""
        return dims.symbols([self.left, self.right])

    def at(self, sizes: Mapping[str, int]) -> tuple[int, int]:
        """Both sizes for numbers in place of the free dimensions."""
        return dims.size_at(self.left, sizes), dims.size_at(self.right, sizes)

    def is_met(self, sizes: Mapping[str, int]) -> bool:
        """Whether the condition holds for these sizes."""
        left, right = self.at(sizes)
        return left == right or (self.or_one and 1 in (left, right))

    def show(self, names: Mapping[str, str] | None = None) -> str:
        """``length = (time + 1)//2``."""
        return f"{dims.show(self.left, names)} = {dims.show(self.right, names)}"


class _Collectors(threading.local):
    def __init__(self) -> None:
        self.stack: list[dict[Condition, None]] = []


_collectors = _Collectors()


@contextlib.contextmanager
def collecting() -> Iterator[dict[Condition, None]]:
    """Notes the conditions of what is traced inside (a dict, for its order)."""
    found: dict[Condition, None] = {}
    _collectors.stack.append(found)
    try:
        yield found
    finally:
        _collectors.stack.pop()


def note(found: Iterable[Condition]) -> None:
    """Note conditions that were collected apart."""
    if _collectors.stack:
        _collectors.stack[-1].update(dict.fromkeys(found))


def need_equal(left: Any, right: Any, layer: str = "", axis: str = "size", or_one: bool = False) -> None:
    """Note that two sizes must be equal, one of which is open; sizes that are equal anyway need nothing."""
    both_known = dims.is_known(left) and dims.is_known(right)
    if _collectors.stack and not both_known and left != right:
        _collectors.stack[-1][Condition(left, right, layer, axis, or_one)] = None


def follows(left: Any, right: Any) -> bool:
    """Whether two sizes are equal under the conditions noted so far."""
    if left == right:
        return True
    return any(left * c.right == right * c.left for c in (_collectors.stack[-1] if _collectors.stack else ()))
