"""Signatures: the named axes that a layer takes and gives.

``batch length channels -> batch new_length filters`` says that a layer takes three axes and gives three. The
grammar: names separated by spaces; ``...`` for any number of axes; ``*name`` for any number of axes that belong
together; a number for an axis of that size; commas between several inputs or outputs; ``->`` in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lamina.shapes import dims


@dataclass(frozen=True)
class Axes:
    """The named axes of one tensor.

    >>> Axes.parse("batch ... features").match((None, 5, 10))
    ('batch', '...', 'features')
    """

    names: tuple[str, ...]

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str) -> Axes:
        names = tuple(text.split())
        bad = [n for n in names if not re.fullmatch(r"\.\.\.|\*?[A-Za-z_]\w*|\d+", n)]
        if bad:
            raise ValueError(f"signature {text!r}: {bad[0]!r} is not an axis; write a name, *name, a number or ...")
        if sum(_is_open(n) for n in names) > 1:
            raise ValueError(f"signature {text!r} has more than one open part (... or *name)")
        return cls(names)

    @property
    def open_at(self) -> int | None:
        """Where the open part (``...`` or ``*name``) stands, if there is one."""
        return next((i for i, n in enumerate(self.names) if _is_open(n)), None)

    @property
    def least_rank(self) -> int:
        """The least number of axes that fit."""
        return len(self.names) - (self.open_at is not None)

    def fits_rank(self, rank: int) -> bool:
        """Whether a tensor of that many axes can have these names."""
        return rank == self.least_rank if self.open_at is None else rank >= self.least_rank

    def match(self, shape: Sequence[Any]) -> tuple[str, ...] | None:
        """One name for each axis of the shape (``*name`` gives ``name_1, name_2``); ``None`` if the rank differs."""
        if not self.fits_rank(len(shape)):
            return None
        at = self.open_at
        if at is None:
            return self.names
        extra = len(shape) - self.least_rank
        name = self.names[at]
        middle = ("...",) * extra if name == "..." else tuple(f"{name[1:]}_{i + 1}" for i in range(extra))
        return self.names[:at] + middle + self.names[at + 1 :]

    def sizes(self, shape: Sequence[Any]) -> dict[str, Any]:
        """The size of every named axis; empty if the rank differs. Axes under ``...`` have no entry."""
        matched = self.match(shape) or ()
        return {n: s for n, s in zip(matched, shape, strict=False) if n != "..." and not n.isdigit()}

    def show(self) -> str:
        """``(batch, ..., features)``."""
        return f"({', '.join(self.names)}{',' if len(self.names) == 1 else ''})"

    def count(self) -> str:
        """How many axes, in words: ``3 axes``, ``2 axes or more``."""
        many = f"{self.least_rank} {'axis' if self.least_rank == 1 else 'axes'}"
        return many if self.open_at is None else f"{many} or more"


@dataclass(frozen=True)
class Signature:
    """What a layer takes and what it gives, axis by axis.

    >>> s = Signature.parse("batch time features -> batch units")
    >>> s.inputs[0].show(), s.outputs[0].show()
    ('(batch, time, features)', '(batch, units)')
    """

    inputs: tuple[Axes, ...]
    outputs: tuple[Axes, ...]

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str) -> Signature:
        sides = text.split("->")
        if len(sides) != 2:
            raise ValueError(f"signature {text!r} needs exactly one '->' between what comes in and what goes out")
        inputs, outputs = (tuple(Axes.parse(part.strip()) for part in side.split(",")) for side in sides)
        return cls(inputs, outputs)

    def __str__(self) -> str:
        sides = (", ".join(" ".join(a.names) for a in side) for side in (self.inputs, self.outputs))
        return " -> ".join(sides)

    def input_axes(self, index: int) -> Axes:
        """Axes of the input at that place; the last one stands for any further inputs (merging layers)."""
        return self.inputs[min(index, len(self.inputs) - 1)]

    def output_axes(self, index: int) -> Axes:
        """Axes of the output at that place; the last one stands for any further outputs."""
        return self.outputs[min(index, len(self.outputs) - 1)]


def label_axes(axes: Axes, shape: Sequence[Any]) -> None:
    """Name the anonymous dimensions of a shape after the axes they stand on."""
    for name, size in axes.sizes(shape).items():
        if not dims.is_known(size):
            dims.label(size, name)


def _is_open(name: str) -> bool:
    return name == "..." or name.startswith("*")
