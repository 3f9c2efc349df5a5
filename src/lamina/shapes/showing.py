"""How a `ShapeError` is shown: in colour in a terminal, as HTML in a notebook. Its `str` stays plain text."""

from __future__ import annotations

import html
import sys
import traceback
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

    from lamina.shapes.errors import ShapeError

_CSS = (
    ".lamina-error{font-family:system-ui,sans-serif;font-size:13px;line-height:1.5;max-width:72em;"
    "border-left:4px solid #c8402b;padding:.5em 1em;background:#c8402b0d}"
    ".lamina-error code,.lamina-error dd,.lamina-error pre{font-family:ui-monospace,monospace;font-size:12px}"
    ".lamina-error pre{margin:.6em 0;padding:.4em .8em;background:#8881;white-space:pre-wrap}"
    ".lamina-error pre small{opacity:.65;float:right;padding-left:2em}"
    ".lamina-error dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1.2em;margin:.6em 0}"
    ".lamina-error dt{opacity:.65}.lamina-error dd{margin:0;white-space:pre-wrap}"
    ".lamina-error dt.expected,.lamina-error dt.received{opacity:1;font-weight:600}"
    ".lamina-error dt.expected{color:#2c8a4b}.lamina-error dt.received{color:#c8402b}"
    ".lamina-error ol{margin:.2em 0 .2em 1.4em;padding:0}.lamina-error li span{opacity:.65}"
)
_STYLES = {"expected": "green", "received": "red"}


def as_text(error: ShapeError) -> Text:
    """The message in colours."""
    from rich.text import Text

    shown = Text()
    section = ""
    for number, line in enumerate(error.render().split("\n")):
        label, value = _split(error, line)
        if number == 0:
            shown.append(line, style="bold")
        elif label:
            section = label.strip() or section
            shown.append(label, style=_STYLES.get(label.strip(), "dim"))
            shown.append(value)
        elif error.call_site is not None and number == 2:
            code = line[: -len(str(error.call_site))]
            shown.append(code, style="cyan").append(str(error.call_site), style="dim")
        else:
            shown.append(line)
        shown.append("\n")
    shown.right_crop(1)
    return shown


def _split(error: ShapeError, line: str) -> tuple[str, str]:
    """The label of a line such as ``    expected   (batch, features)``, and the rest."""
    labels = ["expected", "received", *(label for label, _ in error.notes)]
    for label in labels:
        if label and line.startswith(f"    {label} "):
            return line[: 4 + len(label)], line[4 + len(label) :]
    return "", line


def as_html(error: ShapeError) -> str:
    """The message as HTML."""
    parts = [f"<b>{type(error).__name__}</b>: {html.escape(error.summary)}"]
    if error.call_site is not None:
        where, source = html.escape(str(error.call_site)), html.escape(error.call_site.source)
        parts.append(f"<pre><small>{where}</small>{source}</pre>")
    rows = [("expected", error.expected), ("received", error.received), *error.notes]
    cells = "".join(
        f'<dt class="{html.escape(label)}">{html.escape(label)}</dt><dd>{html.escape(text)}</dd>'
        for label, text in rows
        if text
    )
    parts.append(f"<dl>{cells}</dl>" if cells else "")
    fixes = "".join(
        f"<li>{html.escape(fix.title)}: <code>{html.escape(fix.code)}</code>"
        + (f" <span>&rarr; {html.escape(fix.shape)}</span>" if fix.shape else "")
        + "</li>"
        for fix in error.fixes
    )
    parts.append(f"<div>{error.heading}</div><ol>{fixes}</ol>" if fixes else "")
    return f'<style>{_CSS}</style><div class="lamina-error">{"".join(parts)}</div>'


def in_notebook(error: ShapeError) -> list[str]:
    """What IPython shows for an uncaught error: HTML where it can, and the user's own frames as text."""
    frames = _own_frames(error)
    shell = _shell()
    if "ZMQ" in type(shell).__name__:  # a notebook
        from IPython.display import HTML, display  # type: ignore[import-not-found]

        display(HTML(as_html(error)))
        return [*frames, f"{type(error).__name__}: {error.summary}"]
    return [*frames, _coloured(error, width=None)]


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _own_frames(error: BaseException) -> list[str]:
    """Where the user's program was, without the frames of libraries."""
    from lamina.shapes.errors import is_internal

    found = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in found if not is_internal(frame.filename)]
    return ["Traceback (most recent call last):", *(line.rstrip("\n") for line in traceback.format_list(own))]


def _coloured(error: ShapeError, width: int | None) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(force_terminal=True, highlight=False, width=width, soft_wrap=True)
    with console.capture() as captured:
        console.print(Text.assemble((f"{type(error).__name__}: ", "bold red"), as_text(error)))
    return captured.get().rstrip("\n")


_settings = {"filters": True}


def enable_traceback_filtering() -> None:
    """Show an uncaught `ShapeError` with the lines of the user's program only. So it is by default."""
    _settings["filters"] = True


def disable_traceback_filtering() -> None:
    """Show an uncaught `ShapeError` with the lines of Lamina and JAX too."""
    _settings["filters"] = False


def is_traceback_filtering_enabled() -> bool:
    """Whether an uncaught `ShapeError` shows the lines of the user's program only."""
    return _settings["filters"]


def install() -> None:
    """Let an uncaught `ShapeError` be shown for the user's own lines, in colour on a terminal; all else stays."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _show_uncaught


def _show_uncaught(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    from lamina.shapes.errors import ShapeError

    stream = sys.stderr
    if not isinstance(error, ShapeError) or stream is None or not _settings["filters"]:
        sys.__excepthook__(kind, error, trace)
        return
    message = _coloured(error, None) if stream.isatty() else f"{kind.__name__}: {error}"
    print("\n".join([*_own_frames(error), message]), file=stream)
