"""The rows of a layered drawing, and the order in each: by longest paths, and with few crossings of arrows."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, field

Point = tuple[float, float]

_SWEEPS = 12


@dataclass
class Item:
    """A box, or a point where an arrow passes a row.

    Attributes:
        across, along: its size.
        edge: for a point of an arrow, that arrow's place.
        row: its row.
        x, y: its centre.
        column: the column its row was put into.
    """

    across: float
    along: float
    edge: int | None = None
    row: int = 0
    x: float = 0.0
    y: float = 0.0
    column: int = 0


@dataclass
class Edge:
    """An arrow and the size of its label.

    Attributes:
        items: after the layout, the items it passes.
        stops: points on its way, from the box's side to the next box's side.
        turns: for each step from stop to stop, where along the flow it goes aside.
        label: centre of its label.
    """

    source: int
    target: int
    across: float = 0.0
    along: float = 0.0
    items: list[int] = field(default_factory=list)
    stops: list[Point] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)
    label: Point = (0.0, 0.0)


@dataclass
class Row:
    """A row: its items in order, the lines that go aside under and above it, its ends along the flow."""

    items: list[int]
    leaving: int = 0
    arriving: int = 0
    label: float = 0.0  # room for labels under it
    start: float = 0.0
    stop: float = 0.0


class Ordered:
    """Boxes and arrows in rows.

    Attributes:
        items: the boxes, then the points where arrows pass rows.
        rows: the rows, in order.
        out, into: the arrows that leave and reach each box.
        below, above: the items that each is joined with in the next row, and in the one before.
    """

    def __init__(self, sizes: list[tuple[float, float]], edges: list[Edge]):
        self.items = [Item(*size) for size in sizes]
        self.edges = edges
        self.out, self.into = defaultdict(list), defaultdict(list)
        for edge in edges:
            self.out[edge.source].append(edge)
            self.into[edge.target].append(edge)
        self._set_rows()
        self._add_points()
        self._order()

    def _set_rows(self) -> None:
        """Each box as far down as its longest way from a source; a source right above the first box that it feeds."""
        for edge in sorted(self.edges, key=lambda e: e.target):
            source, target = self.items[edge.source], self.items[edge.target]
            target.row = max(target.row, source.row + self._least_step(edge))
        for place, item in enumerate(self.items):
            if not self.into[place] and self.out[place]:
                item.row = min(self.items[e.target].row - self._least_step(e) for e in self.out[place])

    def _least_step(self, edge: Edge) -> int:
        """An arrow between boxes that both have others there gets a row for its label."""
        return 2 if len(self.out[edge.source]) > 1 and len(self.into[edge.target]) > 1 else 1

    def _add_points(self) -> None:
        """Let arrows over several rows have a point in each; the label is at the middle one."""
        items = self.items
        for number, edge in enumerate(self.edges):
            between = range(items[edge.source].row + 1, items[edge.target].row)
            points = []
            for row in between:
                size = (edge.across, edge.along) if row == between[len(between) // 2] else (6.0, 0.0)
                items.append(Item(*size, edge=number, row=row))
                points.append(len(items) - 1)
            edge.items = [edge.source, *points, edge.target]
        self.below, self.above = defaultdict(list), defaultdict(list)
        for edge in self.edges:
            for a, b in zip(edge.items, edge.items[1:], strict=False):
                self.below[a].append(b)
                self.above[b].append(a)
        self.height = [0] * len(items)  # boxes on the longest way to an end
        for p in sorted(range(len(items)), key=lambda p: -items[p].row):
            self.height[p] = max((self.height[q] + (items[q].edge is None) for q in self.below[p]), default=0)

    # Order in the rows

    def _order(self) -> None:
        """An order with few crossings: the best of several sweeps."""
        rows: list[list[int]] = [[] for _ in range(max(item.row for item in self.items) + 1)]
        for place, item in enumerate(self.items):
            rows[item.row].append(place)
        best, fewest = [list(row) for row in rows], math.inf
        for sweep in range(_SWEEPS):
            downward = sweep % 2 == 0
            for r in range(1, len(rows)) if downward else range(len(rows) - 2, -1, -1):
                self._sort(rows[r], rows[r - 1 if downward else r + 1], self.above if downward else self.below)
            crossings = sum(self._crossings(a, b) for a, b in itertools.pairwise(rows))
            if crossings < fewest:
                best, fewest = [list(row) for row in rows], crossings
            if not crossings:
                break
        self.rows = [Row(row) for row in best]

    def _sort(self, row: list[int], other: list[int], near: dict[int, list[int]]) -> None:
        """By the mean place of the neighbours; on a tie the longer branch is left, and passing arrows are right."""
        position = {p: i for i, p in enumerate(other)}
        here = {p: i for i, p in enumerate(row)}
        mean = {p: sum(position[q] for q in near[p]) / len(near[p]) if near[p] else float(here[p]) for p in row}
        row.sort(key=lambda p: (mean[p], self.items[p].edge is not None, -self.height[p]))

    def _crossings(self, row: list[int], after: list[int]) -> int:
        position = {p: i for i, p in enumerate(after)}
        ends = [position[q] for p in row for q in sorted(self.below[p], key=position.__getitem__)]
        return sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
