"""A model as a picture: its layers, and the named shapes of what passes between them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina.core import checks
from lamina.layers.layer import Layer
from lamina.reports.draw_graph import Arrow, Box, Diagram, diagram
from lamina.reports.draw_layout import Layout, arrange
from lamina.reports.draw_order import Edge
from lamina.reports.draw_paint import BATCH, FAINT, INK, Line, Picture, Point, Rectangle, Words, width_of

_FORMATS = (".svg", ".png", ".pdf", ".jpg", ".jpeg")
_DIRECTIONS = ("tb", "bt", "lr", "rl")
_LINES = ("ortho", "curved", "line")
_MARGIN = 24.0
_WRAP = 46  # letters of a shape on one line

# Fill and border by family.
_COLOURS = {
    "input": ("#eef1f4", "#7b8794"), "output": ("#eef1f4", "#7b8794"), "convolution": ("#e3eefc", "#3b73c4"),
    "dense": ("#e9e6fb", "#6a58c9"), "recurrent": ("#fdeae0", "#c8652b"), "pooling": ("#e2f4ee", "#2c8a68"),
    "normalization": ("#f7f3dd", "#a38a1d"), "activation": ("#fbe9ee", "#bf4f72"), "merge": ("#eaf3dc", "#648f22"),
    "model": ("#f4f6f8", "#52606d"), "other": ("#f2f0ee", "#7d6e63"),
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """What to show, and how; see `draw`."""

    show_shapes: bool = True
    show_dtype: bool = False
    show_layer_names: bool = True
    show_layer_activations: bool = False
    show_trainable: bool = False
    rankdir: str = "tb"
    lines: str = "ortho"
    columns: int | None = None

    @property
    def flows_down(self) -> bool:
        """Whether the flow is up or down, and not sideways."""
        return self.rankdir in ("tb", "bt")


class Drawing:
    """A picture of a model; a notebook shows it.

    Attributes:
        svg: the picture as SVG text.
        width, height: its size in pixels.
    """

    def __init__(self, picture: Picture):
        self._picture = picture
        self.svg = picture.to_svg()
        self.width, self.height = picture.width, picture.height

    def save(self, path: str | os.PathLike[str], dpi: int = 192) -> None:
        """Write the picture to a file: SVG, or with matplotlib installed PNG or PDF, as its ending says."""
        target = Path(path)
        checks.one_of("to_file", target.suffix.lower(), _FORMATS)
        if target.suffix.lower() == ".svg":
            target.write_text(self.svg, encoding="utf-8")
        else:
            self._picture.paint(target, dpi)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing of {self._picture.title}, {self.width:.0f} x {self.height:.0f} pixels>"


def draw(
    model: Layer,
    to_file: str | os.PathLike[str] | None = None,
    *,
    show_shapes: bool = True,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    expand_nested: bool = False,
    rankdir: str = "TB",
    lines: str = "ortho",
    columns: int | None = None,
    dpi: int = 192,
) -> Drawing:
    """Draw the layers of a model, with the shape of every tensor between them.

    Nothing has to be installed for SVG; for PNG and PDF matplotlib is needed: ``pip install 'lamina[plots]'``.

    Args:
        model: a model that is built.
        to_file: where to, by its ending: ``.svg``, ``.png``, ``.pdf`` or ``.jpg``. Nothing is written without it.
        show_shapes: whether to write the shapes, with the names of the axes, on the arrows.
        show_dtype: whether to write data types there.
        show_layer_names: whether to show names, and not only classes.
        show_layer_activations: whether to show the layers' activations.
        show_trainable: whether to show which layers train.
        expand_nested: whether to draw the layers of models inside.
        rankdir: which way it flows: ``"TB"`` down, ``"BT"`` up, ``"LR"`` to the right, ``"RL"`` to the left.
        lines: how arrows run: ``"ortho"``, ``"curved"`` or ``"line"``.
        columns: into how many columns to break a long drawing; by default as many as suit.
        dpi: dots per inch of a PNG; 96 is the size of the SVG.

    Returns:
        The `Drawing`, which a notebook shows; ``.svg`` is its text.

    Raises:
        ValueError: an argument is not what is said here, or the model is not built.
        ImportError: a PNG or PDF is wanted and matplotlib is not installed.

    Example:

    >>> import lamina
    >>> model = lamina.Sequential([lamina.Input((10,)), lamina.layers.Dense(3, name="classes")])
    >>> drawing = lamina.shapes.draw(model)
    >>> "classes" in drawing.svg, "features" in drawing.svg
    (True, True)
    """
    if not isinstance(model, Layer):
        raise ValueError(f"`model` is a model or a layer, not {model!r}")
    if to_file is not None:
        checks.one_of("to_file", Path(to_file).suffix.lower(), _FORMATS)
    style = Style(
        bool(show_shapes), bool(show_dtype), bool(show_layer_names), bool(show_layer_activations),
        bool(show_trainable), checks.one_of("rankdir", rankdir, _DIRECTIONS), checks.one_of("lines", lines, _LINES),
        None if columns is None else checks.positive_int("columns", columns),
    )  # fmt: skip
    drawing = Drawing(_picture(diagram(model, bool(expand_nested)), style))
    if to_file is not None:
        drawing.save(to_file, checks.positive_int("dpi", dpi))
    return drawing


def _picture(shown: Diagram, style: Style) -> Picture:
    sketch = _sketch(shown, style, style.columns)
    width, height = sketch.size
    picture = Picture(width + 2 * _MARGIN, height + 2 * _MARGIN, shown.name)
    sketch.paint(picture, _MARGIN, _MARGIN)
    return picture


@dataclass
class _Sketch:
    """A diagram laid out: the sizes of its boxes, what is written in them and on the arrows, and the places."""

    shown: Diagram
    style: Style
    texts: list[list[Words]]
    inner: list[_Sketch | None]
    labels: list[list[Words]]
    layout: Layout

    @property
    def size(self) -> Point:
        across, along = self.layout.across, self.layout.along
        return (across, along) if self.style.flows_down else (along, across)

    def paint(self, picture: Picture, left: float, top: float, background: str = "#ffffff") -> None:
        """Add it to a picture, its upper left corner there."""
        width, height = self.size

        def at(x: float, y: float) -> Point:
            flows = {"tb": (x, y), "bt": (x, height - y), "lr": (y, x), "rl": (width - y, x)}
            px, py = flows[self.style.rankdir]
            return left + px, top + py

        for edge in self.layout.edges:
            picture.parts.append(_line(edge, at, self.style))
        for place, box in enumerate(self.shown.boxes):
            self._paint_box(picture, place, box, at)
        for edge, label in zip(self.layout.edges, self.labels, strict=True):
            _write(picture, at(*edge.label), label, behind=background)

    def _paint_box(self, picture: Picture, place: int, box: Box, at: Callable[[float, float], Point]) -> None:
        item = self.layout.items[place]
        x, y = at(item.x, item.y)
        width, height = (item.across, item.along) if self.style.flows_down else (item.along, item.across)
        fill, border = _COLOURS[box.family]
        inner = self.inner[place]
        radius = 6.0 if box.family not in ("input", "output") else min(height, width) / 2
        picture.parts.append(
            Rectangle(x - width / 2, y - height / 2, width, height, fill, border, radius, dashed=inner is not None)
        )
        if inner is None:
            _write(picture, (x, y), self.texts[place])
            return
        written = _extent(self.texts[place])[1]
        _write(picture, (x, y - height / 2 + 10 + written / 2), self.texts[place])
        inner_width, _ = inner.size
        inner.paint(picture, x - inner_width / 2, y - height / 2 + written + 24, fill)


def _sketch(shown: Diagram, style: Style, columns: int | None) -> _Sketch:
    texts = [_box_text(box, style) for box in shown.boxes]
    inner = [_sketch(box.inner, style, 1) if box.inner is not None else None for box in shown.boxes]
    sizes = [_box_size(box, text, within) for box, text, within in zip(shown.boxes, texts, inner, strict=True)]
    arrows = _once(shown.arrows)
    labels = [_arrow_text(arrow, style) for arrow in arrows]
    edges = []
    for arrow, label in zip(arrows, labels, strict=True):
        width, height = _extent(label)
        across, along = (width, height) if style.flows_down else (height, width)
        edges.append(Edge(arrow.source, arrow.target, across, along))
    turned = [size if style.flows_down else (size[1], size[0]) for size in sizes]
    return _Sketch(shown, style, texts, inner, labels, arrange(turned, edges, columns))


def _once(arrows: list[Arrow]) -> list[Arrow]:
    """The arrows without a second one that says the same (``x + x``)."""
    found: dict[tuple[int, int, str], Arrow] = {}
    for arrow in arrows:
        found.setdefault((arrow.source, arrow.target, str(arrow.axes)), arrow)
    return list(found.values())


# Words


def _box_text(box: Box, style: Style) -> list[Words]:
    colour = _COLOURS[box.family][1]
    if box.family in ("input", "output"):
        named = style.show_layer_names and box.name.lower() != box.kind.lower()
        return [_words((box.name if named else box.kind.lower(), INK, "bold"), size=12.0)]
    lines = [_words((box.name, INK, "bold"), size=12.5)] if style.show_layer_names else []
    lines.append(_words((box.kind, colour, ""), size=11.5))
    activation = getattr(box.layer, "activation", None)
    if style.show_layer_activations and activation is not None:
        name = getattr(activation, "name", None) or getattr(activation, "__name__", str(activation))
        lines.append(_words(("activation ", FAINT, ""), (str(name), INK, ""), size=11.0))
    if style.show_trainable and box.layer is not None and box.layer.weights:
        lines.append(_words(("trains" if box.layer.trainable_weights else "frozen", FAINT, "italic"), size=11.0))
    return lines


def _arrow_text(arrow: Arrow, style: Style) -> list[Words]:
    """The shape, each size after the name of its axis; long ones on several lines."""
    lines: list[list[tuple[str, str, str]]] = [[]]
    if style.show_dtype:
        lines[0].append((arrow.dtype + (" " if style.show_shapes else ""), FAINT, "italic"))
    if style.show_shapes:
        lines[-1].append(("(", FAINT, ""))
        for place, (name, size) in enumerate(arrow.axes):
            pieces = [(name + " ", FAINT, "italic")] if name else []
            pieces.append((size, BATCH if place == 0 else INK, ""))
            if place + 1 < len(arrow.axes) or place == 0:
                pieces.append((",", FAINT, ""))
            letters = sum(len(p[0]) for p in lines[-1])
            if letters + sum(len(p[0]) for p in pieces) > _WRAP and letters > 1:
                lines.append([])
            elif place:
                pieces.insert(0, (" ", FAINT, ""))
            lines[-1].extend(pieces)
        lines[-1].append((")", FAINT, ""))
    return [_words(*line, size=11.0) for line in lines if line]


def _words(*pieces: tuple[str, str, str], size: float) -> Words:
    return Words(0.0, 0.0, list(pieces), size)


def _extent(lines: list[Words]) -> Point:
    """Width and height of lines of text."""
    if not lines:
        return (0.0, 0.0)
    widths = [sum(width_of(text, line.size, style == "bold") for text, _, style in line.pieces) for line in lines]
    return max(widths), sum(_leading(line) for line in lines)


def _leading(line: Words) -> float:
    return round(line.size * 1.34)


def _box_size(box: Box, text: list[Words], inner: _Sketch | None) -> Point:
    width, height = _extent(text)
    if inner is not None:
        inner_width, inner_height = inner.size
        return max(width, inner_width) + 40, height + inner_height + 44
    if box.family in ("input", "output"):
        return max(width + 32, 76.0), height + 12
    return max(width + 26, 104.0), height + 14


def _write(picture: Picture, centre: Point, lines: list[Words], behind: str = "") -> None:
    width, height = _extent(lines)
    x, y = centre
    if behind and lines:
        picture.parts.append(Rectangle(x - width / 2 - 2, y - height / 2, width + 4, height, behind, radius=3.0))
    top = y - height / 2
    for line in lines:
        picture.parts.append(Words(x, top + _leading(line) * 0.5 + line.size * 0.36, line.pieces, line.size))
        top += _leading(line)


# Arrows


def _line(edge: Edge, at: Callable[[float, float], Point], style: Style) -> Line:
    (x0, y0), (x1, y1) = at(0.0, 0.0), at(0.0, 1.0)
    onward = (x1 - x0, y1 - y0)
    if style.lines == "ortho":
        return Line(_rounded([at(*p) for p in _corners(edge)]), onward)
    steps: list[tuple[Any, ...]] = [("M", at(*edge.stops[0]))]
    for a, b in zip(edge.stops, edge.stops[1:], strict=False):
        middle = (a[1] + b[1]) / 2
        curved = style.lines == "curved" and abs(a[0] - b[0]) > 0.5
        steps.append(("C", at(a[0], middle), at(b[0], middle), at(*b)) if curved else ("L", at(*b)))
    return Line(steps, onward)


def _corners(edge: Edge) -> list[Point]:
    """The way with all its parts along the flow or across it, without points in the middle of a straight part."""
    points = [edge.stops[0]]
    for a, b, turn in zip(edge.stops, edge.stops[1:], edge.turns, strict=False):
        points += [(a[0], turn), (b[0], turn), b]
    kept = [points[0]]
    for here, after in zip(points[1:], [*points[2:], points[-1]], strict=True):
        before = kept[-1]
        straight = abs(before[0] - here[0]) < 0.5 and abs(here[0] - after[0]) < 0.5
        level = abs(before[1] - here[1]) < 0.5 and abs(here[1] - after[1]) < 0.5
        if not (straight or level):
            kept.append(here)
    return [*kept, points[-1]]


def _rounded(points: list[Point], radius: float = 7.0) -> list[tuple[Any, ...]]:
    """A way along the points with its corners rounded."""
    steps: list[tuple[Any, ...]] = [("M", points[0])]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        steps += [("L", _toward(corner, before, radius)), ("C", corner, corner, _toward(corner, after, radius))]
    return [*steps, ("L", points[-1])]


def _toward(start: Point, end: Point, far: float) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    part = min(far, length / 2) / length
    return start[0] + dx * part, start[1] + dy * part
