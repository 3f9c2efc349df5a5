"""Where the boxes of a graph go, and the ways of its arrows: rows, few crossings, straight main lines.

Sizes and places have two coordinates: `across` the flow (left to right, if the graph runs down) and `along` it.
The method is the usual one for layered drawings: rows by longest path, places in a row by barycenters
(Sugiyama, Tagawa, Toda 1981), lines that stay straight as blocks (Brandes, Koepf 2001).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from lamina.reports.draw_order import Edge, Item, Ordered, Point, Row

_LEAVING, _ARRIVING, _LANE = 9.0, 15.0, 6.0  # room under a row, above the next, and for each further line there
_BESIDE = 24.0  # between neighbours in a row
_BETWEEN_COLUMNS = 56.0
_TALL = 2000.0  # a picture that is longer is broken into columns
_RATIO = 1.5  # the width of such a picture by its height
_SWEEPS = 12


@dataclass
class Layout:
    """Places of everything. The first items are the boxes, in the order given; places count from 0."""

    items: list[Item]
    edges: list[Edge]
    across: float
    along: float


def arrange(sizes: list[tuple[float, float]], edges: list[Edge], columns: int | None = None) -> Layout:
    """Find a place for every box and label, and a way for every arrow.

    Args:
        sizes: size of each box, across and along the flow.
        edges: arrows between them; their sources come before their targets in `sizes`.
        columns: into how many columns to break a long drawing; by default as many as suit.
    """
    return _Arranger(sizes, edges).arrange(columns)


class _Arranger(Ordered):
    def arrange(self, columns: int | None) -> Layout:
        self._place_across()
        self._place_along()
        self._break(columns)
        for edge in self.edges:
            self._lead(edge)
        self._to_origin()
        across = max(
            [i.x + r / 2 for i, r in zip(self.items, self._room(), strict=True)] + [p[0] for p in self._points()]
        )
        along = max([i.y + i.along / 2 for i in self.items] + [p[1] for p in self._points()])
        return Layout(self.items, self.edges, across, along)

    # Across

    def _place_across(self) -> None:
        """Blocks that are straight lines go as near to their neighbours as the order in the rows allows."""
        block = self._blocks()
        room, items = self._room(), self.items
        left: dict[int, list[tuple[int, float]]] = defaultdict(list)
        right: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for row in self.rows:
            for a, b in zip(row.items, row.items[1:], strict=False):
                apart = (room[a] + room[b]) / 2 + _BESIDE
                right[block[a]].append((block[b], apart))
                left[block[b]].append((block[a], apart))
        x = _packed(set(block), left)
        near: dict[int, list[int]] = defaultdict(list)
        for a in self.below:
            for b in self.below[a]:
                if block[a] != block[b]:
                    near[block[a]].append(block[b])
                    near[block[b]].append(block[a])
        for sweep in range(2 * _SWEEPS):
            for b in sorted(x, key=lambda b: -x[b] if sweep % 2 == 0 else x[b]):
                lowest = max((x[a] + apart for a, apart in left[b]), default=-math.inf)
                highest = min((x[a] - apart for a, apart in right[b]), default=math.inf)
                wanted = sum(x[q] for q in near[b]) / len(near[b]) if near[b] else x[b]
                x[b] = max(lowest, min(highest, wanted))
        for place, item in enumerate(items):
            item.x = x[block[place]]

    def _blocks(self) -> list[int]:
        """For each item the first of the straight line it belongs to. No two lines cross."""
        block = list(range(len(self.items)))
        for upper, lower in zip(self.rows, self.rows[1:], strict=False):
            position = {p: i for i, p in enumerate(lower.items)}
            links = [(a, b) for a in upper.items for b in self.below[a]]
            links.sort(key=lambda ab: (-self._straightness(*ab), -self.height[ab[1]]))
            kept: list[tuple[int, int]] = []
            place = {p: i for i, p in enumerate(upper.items)}
            for a, b in links:
                fits = all((place[a] - place[c]) * (position[b] - position[d]) > 0 for c, d in kept)
                if fits:
                    kept.append((a, b))
                    block[b] = block[a]
        return block

    def _straightness(self, a: int, b: int) -> int:
        """How much a step should be straight: inside a passing arrow most, then from box to box."""
        points = (self.items[a].edge is not None) + (self.items[b].edge is not None)
        return {2: 2, 0: 1, 1: 0}[points]

    def _room(self) -> list[float]:
        """The width each item needs: its own, or that of the labels that stand above or below it."""
        room = [item.across for item in self.items]
        for edge in self.edges:
            if len(edge.items) == 2:
                place = self._carrier(edge)
                room[place] = max(room[place], edge.across)
        return room

    def _carrier(self, edge: Edge) -> int:
        """The box that a short arrow's label stands at: the one that has no other arrow on that side."""
        return edge.source if len(self.into[edge.target]) > 1 else edge.target

    # Along

    def _place_along(self) -> None:
        for edge in self.edges:
            if len(edge.items) == 2:
                row = self.rows[self.items[edge.source].row]
                row.label = max(row.label, edge.along)
        self.lane: dict[tuple[str, int, int], int] = {}
        for number, row in enumerate(self.rows):
            row.leaving = self._lanes("leaving", row.items, number)
            row.arriving = self._lanes("arriving", row.items, number)
        y = 0.0
        for row, after in zip(self.rows, [*self.rows[1:], Row([])], strict=True):
            row.start = y
            row.stop = y + max(self.items[p].along for p in row.items)
            for p in row.items:
                self.items[p].y = (row.start + row.stop) / 2
            y = row.stop + _LEAVING + _ARRIVING + row.label
            y += _LANE * (row.leaving + max(after.arriving - 1, 0))

    def _lanes(self, side: str, places: list[int], row: int) -> int:
        """Give lines that go aside beside this row ways that do not run into each other; gives how many."""
        spans = []
        for p in places:
            ends = [x for edge in self.edges for x in self._aside(edge, side, p)]
            if ends:
                spans.append((min(ends), max(ends), p))
        last: list[float] = []
        for start, stop, p in sorted(spans):
            lane = next((i for i, end in enumerate(last) if end + 8 < start), len(last))
            last[lane:] = [stop, *last[lane + 1 :]]
            self.lane[side, row, p] = lane
        return len(last)

    def _aside(self, edge: Edge, side: str, place: int) -> list[float]:
        """Where a line that goes aside at that item begins and ends."""
        for a, b in self._steps_of(edge):
            turned = a if self._turns_at(edge, a, b) == "leaving" else b
            if turned == place and (side == "leaving") == (turned == a):
                start, stop = self._ports(a, b)
                if abs(start - stop) > 0.5:
                    return [start, stop]
        return []

    def _steps_of(self, edge: Edge) -> list[tuple[int, int]]:
        return list(zip(edge.items, edge.items[1:], strict=False))

    def _turns_at(self, edge: Edge, a: int, b: int) -> str:
        """Whether a step goes aside as it leaves or as it arrives: where the label is not."""
        if len(edge.items) == 2:
            return "arriving" if self._carrier(edge) == edge.source else "leaving"
        return "arriving" if b == edge.target else "leaving"

    def _ports(self, a: int, b: int) -> Point:
        """Where a step from item to item leaves and arrives: in the middle, or where there are others nearer to it."""
        return self._port(a, self.items[b].x, self.below[a]), self._port(b, self.items[a].x, self.above[b])

    def _port(self, place: int, toward: float, others: list[int]) -> float:
        item = self.items[place]
        reach = 0.0 if item.edge is not None or len(others) == 1 else item.across / 2 - min(14.0, item.across / 4)
        return min(max(toward, item.x - reach), item.x + reach)

    # Columns

    def _break(self, columns: int | None) -> None:
        """Break a long drawing into columns, where a single arrow leads on."""
        whole = self.rows[-1].stop
        left, right = self._ends(range(len(self.items)))
        count = columns or (1 if whole <= _TALL else max(1, round(math.sqrt(_RATIO * whole / (right - left + 60)))))
        starts = self._starts(count, whole)
        tallest = max(self.rows[b - 1].stop - self.rows[a].start for a, b in _pairs(starts, len(self.rows)))
        if columns is None and tallest > 0.7 * whole:
            starts = [0]
        at = 0.0
        self.columns: list[tuple[float, float]] = []
        for number, (start, stop) in enumerate(_pairs(starts, len(self.rows))):
            inside = [p for row in self.rows[start:stop] for p in row.items]
            left, right = self._ends(inside)
            top = self.rows[start].start
            for p in inside:
                self.items[p].x += at - left
                self.items[p].y -= top
                self.items[p].column = number
            for row in self.rows[start:stop]:
                row.start, row.stop = row.start - top, row.stop - top
            self.columns.append((at, at + right - left))
            at += right - left + _BETWEEN_COLUMNS

    def _starts(self, count: int, whole: float) -> list[int]:
        """The rows that columns begin with: those nearest to equal parts."""
        crossing = [0] * len(self.rows)
        for edge in self.edges:
            for row in range(self.items[edge.source].row, self.items[edge.target].row):
                crossing[row] += 1
        possible = [row for row in range(1, len(self.rows)) if crossing[row - 1] == 1]
        wanted = [whole / count * part for part in range(1, count)]
        far = lambda row, y: abs(self.rows[row].start - y)  # noqa: E731
        return sorted({0, *(min((far(row, y), row) for row in possible)[1] for y in wanted if possible)})

    def _ends(self, places: Iterable[int]) -> tuple[float, float]:
        room = self._room()
        chosen = list(places)
        return (
            min(self.items[p].x - room[p] / 2 for p in chosen),
            max(self.items[p].x + room[p] / 2 for p in chosen),
        )

    # Ways of the arrows

    def _lead(self, edge: Edge) -> None:
        """Stops and turns of an arrow, and the place of its label."""
        source, target = self.items[edge.source], self.items[edge.target]
        first, last = self.rows[source.row], self.rows[target.row]
        if source.column != target.column:
            self._lead_to_next_column(edge)
            return
        edge.stops = [(self._ports(*edge.items[:2])[0], source.y + source.along / 2)]
        for a, b in self._steps_of(edge):
            upper, lower = self.rows[self.items[a].row], self.rows[self.items[b].row]
            leaves, arrives = self._ports(a, b)
            edge.stops += [(leaves, upper.stop), (arrives, lower.start)]
            side = self._turns_at(edge, a, b)
            if side == "leaving":
                turn = upper.stop + _LEAVING + _LANE * self.lane.get((side, self.items[a].row, a), 0)
            else:
                turn = lower.start - _ARRIVING + 3 - _LANE * self.lane.get((side, self.items[b].row, b), 0)
            edge.turns += [upper.stop, turn]
        edge.stops.append((edge.stops[-1][0], target.y - target.along / 2))
        edge.turns.append(last.start)
        if len(edge.items) > 2:
            middle = max(edge.items[1:-1], key=lambda p: self.items[p].across)
            edge.label = (self.items[middle].x, self.items[middle].y)
        else:
            x = edge.stops[1][0] if self._carrier(edge) == edge.source else edge.stops[-2][0]
            edge.label = (x, first.stop + _LEAVING + _LANE * first.leaving + first.label / 2)

    def _lead_to_next_column(self, edge: Edge) -> None:
        """Down, up between the columns, and down into the next."""
        source, target = self.items[edge.source], self.items[edge.target]
        gutter = (self.columns[source.column][1] + self.columns[target.column][0]) / 2
        foot = source.y + source.along / 2
        turn, top = foot + edge.along + 32, -22.0
        edge.label = (source.x, foot + 12 + edge.along / 2)
        edge.stops = [(source.x, foot), (gutter, turn + 14), (target.x, target.y - target.along / 2)]
        edge.turns = [turn, top]

    def _points(self) -> list[Point]:
        """Points on the ways of arrows, for the size of the whole."""
        return [(0.0, t) for edge in self.edges for t in edge.turns]

    def _to_origin(self) -> None:
        """Move all down so that nothing is above 0."""
        top = min([0.0, *(y for _, y in self._points())])
        for item in self.items:
            item.y -= top
        for edge in self.edges:
            edge.stops = [(x, y - top) for x, y in edge.stops]
            edge.turns = [turn - top for turn in edge.turns]
            edge.label = (edge.label[0], edge.label[1] - top)


def _pairs(starts: list[int], end: int) -> list[tuple[int, int]]:
    return list(zip(starts, [*starts[1:], end], strict=True))


def _packed(blocks: set[int], left: dict[int, list[tuple[int, float]]]) -> dict[int, float]:
    """Each block as far to the left as those beside it allow."""
    x: dict[int, float] = {}

    def place(block: int) -> float:
        stack = [block]
        while stack:
            waiting = [a for a, _ in left[stack[-1]] if a not in x]
            if waiting:
                stack.extend(waiting)
                continue
            here = stack.pop()
            x[here] = max((x[a] + apart for a, apart in left[here]), default=0.0)
        return x[block]

    for block in blocks:
        place(block)
    return x
