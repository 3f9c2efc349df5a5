"""How reports are shown: in a terminal through rich, as plain text, in a notebook as HTML."""

from __future__ import annotations

import html
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

STYLE = (
    "<style>"
    ".lamina{font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;max-width:80em;overflow-x:auto}"
    ".lamina table{border-collapse:collapse;margin:.6em 0;font:inherit}"
    ".lamina th,.lamina td{text-align:left;padding:.25em .8em;border-bottom:1px solid #8884;vertical-align:top}"
    ".lamina th{border-bottom:2px solid #888a;font-weight:600}"
    ".lamina th small{font-weight:400;opacity:.7}"
    ".lamina code,.lamina td.shape{font-family:ui-monospace,monospace;font-size:12px;white-space:nowrap}"
    ".lamina tr{background:none}.lamina h3{margin:.4em 0}.lamina p{margin:.5em 0}"
    ".lamina ul{margin:.3em 0 .3em 1.4em;padding:0}"
    ".lamina b.batch{color:#c2571a}"
    ".lamina .axes{opacity:.65;font-size:12px;white-space:nowrap}"
    ".lamina dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em 1em;margin:.4em 0}"
    ".lamina dt{font-weight:600}.lamina dd{margin:0}"
    "</style>"
)
BATCH_STYLE = "dark_orange"


class Report:
    """Something that shows itself: `print` gives plain text, rich colours, a notebook HTML."""

    def render(self, width: int) -> list[RenderableType]:
        """The parts to show, for a terminal of that width."""
        raise ValueError(f"{type(self).__name__} shows nothing: it has no `render(self, width)`")

    def body(self) -> str:
        """The same as HTML."""
        raise ValueError(f"{type(self).__name__} shows nothing: it has no `body(self)`")

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        raise ValueError(f"{type(self).__name__} has no `to_dict(self)`")

    def to_text(self, width: int | None = None) -> str:
        """The report as plain text, for a terminal of that width (this one's by default)."""
        console = Console(width=width, color_system=None, force_terminal=False, highlight=False)
        with console.capture() as captured:
            console.print(self)
        return "\n".join(line.rstrip() for line in captured.get().rstrip().split("\n"))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.render(options.max_width)

    def __str__(self) -> str:
        return self.to_text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'{STYLE}<div class="lamina">{self.body()}</div>'


def shape_text(shape: tuple[Any, ...] | None, has_batch: bool = True) -> Text:
    """A shape for the terminal, its batch axis in colour."""
    if shape is None:
        return Text("")
    text = Text(_plain(shape))
    if has_batch and shape:
        text.stylize(BATCH_STYLE, 1, 1 + len(_entry(shape[0])))
    return text


def shape_html(shape: tuple[Any, ...] | None, has_batch: bool = True) -> str:
    """A shape for a notebook, its batch axis in colour."""
    if shape is None:
        return ""
    text = html.escape(_plain(shape))
    if not has_batch or not shape:
        return text
    first = html.escape(_entry(shape[0]))
    return f'(<b class="batch">{first}</b>{text[1 + len(first) :]}'


def _entry(size: Any) -> str:
    return str(size)


def _plain(shape: tuple[Any, ...]) -> str:
    entries = ", ".join(_entry(size) for size in shape)
    return f"({entries},)" if len(shape) == 1 else f"({entries})"


def width_of(shape: tuple[Any, ...] | None) -> int:
    """How many characters a shape takes."""
    return 0 if shape is None else len(_plain(shape))


def escape(text: str) -> str:
    """Text for HTML; what stands in backquotes becomes code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
