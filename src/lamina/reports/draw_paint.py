"""A picture made of rectangles, lines and words; written as SVG, or painted by matplotlib as PNG or PDF."""

from __future__ import annotations

import functools
import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Point = tuple[float, float]

INK, FAINT, BATCH = "#1f2933", "#7b8794", "#b4511a"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
_NARROW, _WIDE = set("iljtf.,:;'|()[]! "), set("mwMW@%")


@dataclass
class Rectangle:
    """A rectangle with round corners; the place is that of its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = "none"
    radius: float = 6.0
    dashed: bool = False


@dataclass
class Line:
    """A way from point to point: ``("M", p)`` starts, ``("L", p)`` goes straight, ``("C", a, b, p)`` in a curve."""

    steps: list[tuple[Any, ...]]
    arrow: Point = (0.0, 1.0)  # the direction it ends in


@dataclass
class Words:
    """A line of text: pieces with colours, centred; ``bold`` and ``italic`` pieces are marked."""

    x: float
    y: float
    pieces: list[tuple[str, str, str]]  # text, colour, "" or "bold" or "italic"
    size: float = 12.0


@dataclass
class Picture:
    """Everything to paint, from back to front."""

    width: float
    height: float
    title: str
    parts: list[Any] = field(default_factory=list)

    def to_svg(self) -> str:
        """The picture as SVG text."""
        body = "\n".join(_svg_of(part) for part in self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:.0f}" height="{self.height:.0f}" '
            f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" font-family="{_FONT}" role="img">\n'
            f"<title>{html.escape(self.title)}</title>\n"
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
        )

    def paint(self, path: Path, dpi: int) -> None:
        """Write the picture as PNG, PDF or another format that matplotlib writes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError(
                f"{path.name}: pictures other than SVG need matplotlib: pip install 'lamina[plots]'; "
                f"or write {path.with_suffix('.svg').name}, which needs nothing"
            ) from error
        # Agg takes at most 2**16 pixels each way.
        dpi = min(dpi, int(65_000 * 96 / max(self.width, self.height)))
        figure = Figure(figsize=(self.width / 96, self.height / 96), dpi=dpi)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)
        axes.axis("off")
        for order, part in enumerate(self.parts):
            for artist in _artists(part, order):
                axes.add_patch(artist)
        figure.savefig(path, dpi=dpi, facecolor="white")


def width_of(text: str, size: float, bold: bool = False) -> float:
    """About how wide a text is, in pixels: enough room in any usual font."""
    ems = sum(0.36 if c in _NARROW else 0.9 if c in _WIDE else 0.68 if c.isupper() else 0.59 for c in text)
    return ems * size * (1.06 if bold else 1.0)


# SVG


def _svg_of(part: Any) -> str:
    if isinstance(part, Rectangle):
        dash = ' stroke-dasharray="5 4"' if part.dashed else ""
        return (
            f'<rect x="{part.x:.1f}" y="{part.y:.1f}" width="{part.width:.1f}" height="{part.height:.1f}" '
            f'rx="{part.radius:g}" fill="{part.fill}" stroke="{part.stroke}"{dash}/>'
        )
    if isinstance(part, Line):
        way = " ".join(f"{kind} {' '.join(f'{x:.1f} {y:.1f}' for x, y in points)}" for kind, *points in part.steps)
        head = " ".join(f"{x:.1f},{y:.1f}" for x, y in _head(part))
        line = f'<path d="{way}" fill="none" stroke="{FAINT}" stroke-width="1.4"/>'
        return f'{line}<polygon points="{head}" fill="{FAINT}"/>'
    spans = "".join(
        f'<tspan fill="{colour}"{_STYLES[style]}>{html.escape(text)}</tspan>' for text, colour, style in part.pieces
    )
    return (
        f'<text x="{part.x:.1f}" y="{part.y:.1f}" font-size="{part.size:g}" text-anchor="middle" '
        f'xml:space="preserve">{spans}</text>'
    )


_STYLES = {"": "", "bold": ' font-weight="600"', "italic": ' font-style="italic"'}


def _head(line: Line) -> list[Point]:
    """The three corners of the arrow's head."""
    x, y = line.steps[-1][-1]
    dx, dy = line.arrow
    return [(x, y), (x - 7 * dx - 3.6 * dy, y - 7 * dy - 3.6 * dx), (x - 7 * dx + 3.6 * dy, y - 7 * dy + 3.6 * dx)]


# matplotlib


def _artists(part: Any, order: int) -> list[Any]:
    from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
    from matplotlib.path import Path as Way

    if isinstance(part, Rectangle):
        style = f"round,pad=0,rounding_size={part.radius}"
        box = FancyBboxPatch((part.x, part.y), part.width, part.height, boxstyle=style, zorder=order)
        box.set(facecolor=part.fill, edgecolor=part.stroke, linewidth=0.75, linestyle="--" if part.dashed else "-")
        return [box]
    if isinstance(part, Line):
        codes = {"M": [Way.MOVETO], "L": [Way.LINETO], "C": [Way.CURVE4] * 3}
        points = [p for _, *given in part.steps for p in given]
        way = Way(points, [code for kind, *_ in part.steps for code in codes[kind]])
        head = Polygon(_head(part), closed=True, facecolor=FAINT, edgecolor="none", zorder=order)
        return [PathPatch(way, fill=False, edgecolor=FAINT, linewidth=1.05, zorder=order), head]
    return _letters(part, order)


def _letters(part: Words, order: int) -> list[Any]:
    """Text as outlines, so that pieces in several colours stand side by side exactly."""
    from matplotlib.patches import PathPatch
    from matplotlib.transforms import Affine2D

    written = [(colour, *_outline(text, style, part.size)) for text, colour, style in part.pieces]
    x = part.x - sum(width for _, width, _ in written) / 2
    artists = []
    for colour, width, outline in written:
        if outline is not None:
            place = Affine2D().scale(1, -1).translate(x, part.y)
            shape = place.transform_path(outline)
            artists.append(PathPatch(shape, facecolor=colour, edgecolor="none", zorder=order))
        x += width
    return artists


@functools.lru_cache(maxsize=4096)
def _outline(text: str, style: str, size: float) -> tuple[float, Any]:
    """How wide a text is, and the outline of its letters (``None`` for spaces)."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath, text_to_path

    # DejaVu Sans, which matplotlib brings along, is wider than most fonts: a little smaller it fits as they do.
    font = FontProperties(
        size=size * 0.94,
        weight="bold" if style == "bold" else "normal",
        style="italic" if style == "italic" else "normal",
    )
    width = text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
    return width, TextPath((0, 0), text, prop=font, size=size * 0.94) if text.strip() else None
