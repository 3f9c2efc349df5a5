"""A layer's axes as a picture: a card for each tensor, drawn as a block whose edges are its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_CARD, _GAP, _ARROW = 20, 26, 168  # inside a card; between the cards of two inputs; room for the arrow
_CHARACTER, _LINE = 7.3, 16
_DEPTH = 0.55  # how an edge that leads into the picture is shortened

_STYLE = """
  .page { fill: #ffffff } .card { fill: #f6f8fa; stroke: #c4ccd4 } .behind { fill: #eceff2; stroke: #c4ccd4 }
  .face { fill: #cfe3fb } .top { fill: #e3effd } .side { fill: #b4d2f3 } .face, .top, .side, .grid { stroke: #4a7fb5 }
  .line { stroke: #57606a; fill: none } .head { fill: #57606a } .grid { stroke-width: .6; opacity: .45 }
  text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #24292f }
  .name { font-weight: bold; font-size: 14px } .quiet { fill: #57606a } .new { fill: #a0410d; font-weight: bold }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .card { fill: #161b22; stroke: #3d444d } .behind { fill: #10151b; stroke: #3d444d }
    .face { fill: #1d3a5c } .top { fill: #264a73 } .side { fill: #16304d } .face, .top, .side, .grid { stroke: #6ea8e0 }
    .line { stroke: #9198a1 } .head { fill: #9198a1 }
    text { fill: #e6edf3 } .quiet { fill: #9198a1 } .new { fill: #f0883e }
  }
"""


@dataclass(frozen=True)
class Tensor:
    """A tensor to draw: names of its axes (``""`` for none) and sizes, the batch axis first in both."""

    axes: tuple[str, ...]
    shape: tuple[int | None, ...]


@dataclass
class _Drawing:
    """Pieces of SVG, and the room that they take."""

    pieces: list[str]
    width: float
    height: float


def picture(layer: str, settings: Sequence[str], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
    """The picture as SVG text.

    Args:
        layer: name of the layer, written over the arrow.
        settings: its arguments, written under the arrow, one a line.
        inputs, outputs: what goes in and comes out.
    """
    known = {name for tensor in inputs for name in tensor.axes}
    left = _column([_card(tensor, known) for tensor in inputs])
    right = _column([_card(tensor, known) for tensor in outputs])
    arrow = max(_ARROW, *(_text_width(line) + 30 for line in [layer + " " * (len(layer) // 5), *settings]))
    height = max(left.height, right.height, 60 + 2 * _LINE * len(settings))
    parts = [_moved(left, 0, (height - left.height) / 2)]
    parts += _arrow(layer, settings, left.width, left.width + arrow, height / 2)
    parts.append(_moved(right, left.width + arrow, (height - right.height) / 2))
    width = left.width + arrow + right.width
    words = " -> ".join(", ".join(_words(t.axes) for t in side) for side in (inputs, outputs))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 {width + 24:.0f} {height + 24:.0f}" '
            f'width="{width + 24:.0f}" height="{height + 24:.0f}" role="img">',
            f"<title>{escape(layer)}: {escape(words)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="page" x="-12" y="-12" width="{width + 24:.0f}" height="{height + 24:.0f}" rx="10"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _column(cards: list[_Drawing]) -> _Drawing:
    width, y, pieces = max(card.width for card in cards), 0.0, []
    for card in cards:
        pieces.append(_moved(card, (width - card.width) / 2, y))
        y += card.height + _GAP
    return _Drawing(pieces, width, y - _GAP)


def _card(tensor: Tensor, known: set[str]) -> _Drawing:
    """A stack of cards, one for each sample, with the first sample on it."""
    sample = _sample(tensor.axes[1:], tensor.shape[1:], known)
    caption = str(tensor.shape)
    inside = max(sample.width, _text_width(caption))
    width, height = inside + 2 * _CARD, sample.height + 2 * _CARD + _LINE + 4
    behind = [
        f'<rect class="behind" x="{d}" y="{-d}" width="{width:.1f}" height="{height:.1f}" rx="8"/>' for d in (12, 6)
    ]
    pieces = [
        _text(width + 8, -18, "batch", "quiet", "end"),
        *behind,
        f'<rect class="card" width="{width:.1f}" height="{height:.1f}" rx="8"/>',
        _moved(sample, (width - sample.width) / 2, _CARD - 4),
        _text(width / 2, height - 12, caption, "", "middle"),
    ]
    return _Drawing([_moved(_Drawing(pieces, 0, 0), 0, 34)], width + 14, height + 36)


def _sample(axes: Sequence[str], shape: Sequence[int | None], known: set[str]) -> _Drawing:
    """One sample: a number, a row, a table, a block, or several blocks in a row."""
    labels = [_label(name, size, known) for name, size in zip(axes, shape, strict=True)]
    if len(shape) == 0:
        return _block(24, 24, 0, ("", ""), ("", ""), ("", ""), (1, 1))
    if len(shape) == 1:
        return _block(22, _length(shape[0], 150), 0, ("", ""), labels[0], ("", ""), (1, _cells(shape[0])))
    if len(shape) == 2:
        grid = (_cells(shape[0]), _cells(shape[1]))
        return _block(_length(shape[0], 110), _length(shape[1], 110), 0, labels[0], labels[1], ("", ""), grid)
    down, across, into = (_length(size, 88) for size in shape[-3:])
    if len(shape) == 3:
        return _block(down, across, into * _DEPTH, *labels, (1, 1))
    return _row_of_blocks([d * 0.7 for d in (down, across, into * _DEPTH)], labels)


def _row_of_blocks(edges: Sequence[float], labels: Sequence[tuple[str, str]]) -> _Drawing:
    """Three blocks and dots: an axis of blocks, or two axes.

    The first has names at its face, the last at the edge that leads in.
    """
    *outside, down, across, into = labels
    outer = (", ".join(text for text, _ in outside), "new" if any(kind for _, kind in outside) else "")
    none, top = ("", ""), _LINE + 4.0
    first, bare = _block(*edges, down, across, none, (1, 1)), _block(*edges, none, none, none, (1, 1))
    last = _block(*edges, none, none, into, (1, 1))
    x, pieces = 0.0, []
    for block in (first, bare, last):
        pieces.append(_moved(block, x, top))
        x += block.width + 8
    pieces.append(_text(x - last.width + bare.width + 4, top + bare.height / 2, "...", "quiet"))
    width = max(x - last.width + bare.width + 34, x, _text_width(outer[0]))
    return _Drawing([_text(width / 2, 10, outer[0], outer[1], "middle"), *pieces], width, first.height + top)


def _block(
    down: float,
    across: float,
    into: float,
    down_label: tuple[str, str],
    across_label: tuple[str, str],
    into_label: tuple[str, str],
    grid: tuple[int, int],
) -> _Drawing:
    """A face with its edges named, and behind it, for a third axis, a top and a side."""
    left = _text_width(down_label[0]) + (8 if down_label[0] else 0)
    slant = into * 0.7
    top = slant + (0 if not into else 4)
    across_width = _text_width(across_label[0])
    left = max(left, (across_width - across) / 2)
    x, y = left, top
    pieces = []
    if into:
        pieces += [
            _shape("top", [(x, y), (x + slant, y - slant), (x + across + slant, y - slant), (x + across, y)]),
            _shape(
                "side",
                [
                    (x + across, y),
                    (x + across + slant, y - slant),
                    (x + across + slant, y + down - slant),
                    (x + across, y + down),
                ],
            ),
            _text(x + across + slant / 2 + 9, y + down - slant / 2 + 9, into_label[0], into_label[1]),
        ]
    pieces.append(_shape("face", [(x, y), (x + across, y), (x + across, y + down), (x, y + down)]))
    pieces += _grid(x, y, down, across, grid)
    pieces.append(_text(x - 8, y + down / 2 + 4, down_label[0], down_label[1], "end"))
    pieces.append(_text(x + across / 2, y + down + 16, across_label[0], across_label[1], "middle"))
    right = max(x + across + slant, x + (across + across_width) / 2)
    if into_label[0]:
        right = max(right, x + across + slant / 2 + 9 + _text_width(into_label[0]))
    return _Drawing(pieces, right, y + down + (22 if across_label[0] else 4))


def _grid(x: float, y: float, down: float, across: float, cells: tuple[int, int]) -> list[str]:
    rows, columns = cells
    lines = [(x, y + down * i / rows, x + across, y + down * i / rows) for i in range(1, rows)]
    lines += [(x + across * i / columns, y, x + across * i / columns, y + down) for i in range(1, columns)]
    return [f'<line class="grid" x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}"/>' for a, b, c, d in lines]


def _arrow(layer: str, settings: Sequence[str], start: float, end: float, y: float) -> list[str]:
    middle = (start + end) / 2
    lines = [_text(middle, y + 20 + i * _LINE, line, "quiet", "middle") for i, line in enumerate(settings)]
    return [
        _text(middle, y - 12, layer, "name", "middle"),
        f'<path class="line" stroke-width="2" d="M{start + 14:.1f} {y:.1f} H{end - 20:.1f}"/>',
        _shape("head", [(end - 22, y - 5), (end - 12, y), (end - 22, y + 5)]),
        *lines,
    ]


def _label(name: str, size: int | None, known: set[str]) -> tuple[str, str]:
    """The text at an edge, and its style: axes that the layer makes stand out."""
    shown = "?" if size is None else str(size)
    is_new = bool(name) and name not in known
    text = shown if name == shown else f"{name} {shown}".strip()
    return text, "new" if is_new else ""


def _length(size: int | None, longest: float) -> float:
    """Length of an edge: grows with the size, slowly, so that 3 and 1000 fit on one picture."""
    return min(longest, 14 + 14 * math.log2(max(1, 20 if size is None else size)))


def _cells(size: int | None) -> int:
    """Into how many cells an edge is divided: as many as there are, if they can be seen."""
    return size if size is not None and size <= 16 else 16


def _words(axes: Sequence[str]) -> str:
    return f"({', '.join(name or '...' for name in axes)})"


def _text_width(text: str) -> float:
    return len(text) * _CHARACTER


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    if not text:
        return ""
    style = f' class="{style}"' if style else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _shape(style: str, points: Sequence[tuple[float, float]]) -> str:
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon class="{style}" points="{corners}"/>'


def _moved(drawing: _Drawing, x: float, y: float) -> str:
    return f'<g transform="translate({x:.1f} {y:.1f})">\n{"".join(p for p in drawing.pieces if p)}\n</g>'
