"""What the user sees while a model runs: a bar in a terminal or notebook, a line per epoch elsewhere."""

from __future__ import annotations

import contextlib
import io
import math
import time
import weakref
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lamina.core import checks

Logs = dict[str, Any] | Callable[[], dict[str, Any] | None] | None

_INTERVAL = 0.2
_BARS = (24, 12)
_LABELS = {"train": "Epoch", "test": "Evaluating", "predict": "Predicting"}
_live: list[weakref.ref[Progress]] = []


class Progress:
    """Shows how far a run is, what it will still take, and the metrics.

    Args:
        epochs: number of the last epoch.
        steps: batches in an epoch, ``None`` where it is not known; may be set later.
        verbose: 0 shows nothing, 1 or ``"auto"`` a bar (one line an epoch where the output is no terminal), 2 one
            line an epoch.
        mode: ``"train"``, ``"test"`` or ``"predict"``.
        console: where to show it; the standard output by default.

    Raises:
        ValueError: `verbose` or `mode` is none of these.
    """

    def __init__(
        self,
        epochs: int = 1,
        steps: int | None = None,
        verbose: int | str | bool = "auto",
        mode: str = "train",
        console: Console | None = None,
    ):
        self.verbose = verbosity(verbose)
        self.mode = checks.one_of("mode", mode, tuple(_LABELS))
        self.epochs, self.steps = epochs, steps
        self._console = console or Console(file=None, highlight=False)
        self._screen: _Terminal | _Notebook | None = None
        self._epoch = 0
        self._done = 0
        self._started = self._drawn = time.perf_counter()
        self._first_step: tuple[float, int] | None = None
        self._shown: dict[str, Any] = {}
        self._status = ""

    def epoch_begin(self, epoch: int) -> None:
        """Start an epoch (counted from 0)."""
        first = self._epoch == 0 and self._done == 0 and self._first_step is None
        self._epoch, self._done, self._first_step = epoch, 0, None
        self._shown, self._status = {}, ""
        self._started = self._drawn = time.perf_counter()
        # The first epoch compiles, so the bar is shown at once; later ones may be over before the eye sees it.
        if first and self._is_live():
            self._status = "preparing"
            self._draw(self._line())

    def step(self, done: int, logs: Logs = None) -> None:
        """Say how many steps are done.

        Args:
            done: their number.
            logs: metrics, or a function that gives them, which is called only if they are shown now.
        """
        self._done, self._status = done, ""
        now = time.perf_counter()
        if self._first_step is None:
            self._first_step = (now, done)
        if now - self._drawn >= _INTERVAL and self._is_live():
            self._shown = _values(logs) or self._shown
            self._draw(self._line())

    def status(self, text: str) -> None:
        """Show a word about what is going on, such as ``"validating"``."""
        self._status = text
        if self._is_live() and time.perf_counter() - self._drawn >= _INTERVAL:
            self._draw(self._line())

    def epoch_end(self, logs: Logs = None, done: int | None = None) -> None:
        """End the epoch: its line stays.

        Args:
            logs: the epoch's metrics.
            done: how many steps there were, if it is not what `step` said last.
        """
        if self.verbose == 0:
            return
        self._done = self._done if done is None else done
        self._shown, self._status = _values(logs), ""
        if self.verbose == 2 or not self._can_draw():
            self._hide()
            self._console.print(self._plain_line(), markup=False, soft_wrap=True)
            return
        final = self._line(finished=True)
        if self._screen is None and isinstance(self._new_screen(), _Terminal):
            self._console.print(final)
        else:
            self._draw(final)
            self._hide()

    def close(self) -> None:
        """Leave the screen as it should be: what was shown stays, the cursor is back."""
        self._hide()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # Drawing

    def _can_draw(self) -> bool:
        console = self._console
        if not (console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)):
            return False
        # A run inside another (evaluate in a callback of fit) must not draw over it.
        others = [other for ref in _live if (other := ref()) is not None and other is not self]
        return not others

    def _is_live(self) -> bool:
        return self.verbose == 1 and self._can_draw()

    def _new_screen(self) -> _Terminal | _Notebook:
        return _Notebook() if self._console.is_jupyter else _Terminal(self._console)

    def _draw(self, line: RenderableType) -> None:
        self._drawn = time.perf_counter()
        if self._screen is None:
            self._screen = self._new_screen()
            _live.append(weakref.ref(self))
        self._screen.draw(line)

    def _hide(self) -> None:
        if self._screen is not None:
            self._screen.stop()
            self._screen = None
        _live[:] = [ref for ref in _live if ref() not in (None, self)]

    # What is drawn

    def _label(self) -> str:
        if self.mode != "train":
            return _LABELS[self.mode]
        width = len(str(self.epochs))
        return f"Epoch {self._epoch + 1:>{width}}/{self.epochs}"

    def _line(self, finished: bool = False) -> RenderableType:
        elapsed = time.perf_counter() - self._started
        total = self._done if finished else self.steps
        count = f"{self._done:>{len(str(total))}}/{total}" if total else f"{self._done} steps"
        facts = Text(count, style="progress.download")
        speed = self._speed(elapsed, finished)
        taken = f"{duration(elapsed):>6}" if finished else self._left(speed)
        for fact in (f"{rate(speed):>7}" if speed else "", taken, self._status):
            if fact:
                facts.append(f"  {fact}", style="dim")
        # Hard spaces keep a name and its value on one line.
        metrics = Text("  ").join(
            Text.assemble((f"{name}\u00a0", "dim"), (number(value), "bold")) for name, value in self._shown.items()
        )
        label = Text(self._label(), style="bold")
        room = self._console.width - len(label) - len(facts) - 4
        beside = [width for width in _BARS if width + len(metrics) + 2 <= room] if len(metrics) else []
        width = beside[0] if beside else next((w for w in _BARS if w <= room), _BARS[-1])
        bar = ProgressBar(total=total or 1, completed=self._done if total else 0, width=width)
        row = Table.grid(padding=(0, 1))
        row.add_row(label, bar, facts, *([Text(" ") + metrics] if beside else []))
        return row if beside or not len(metrics) else Group(row, Padding(metrics, (0, 0, 0, 4), expand=False))

    def _plain_line(self) -> str:
        elapsed = duration(time.perf_counter() - self._started)
        label = self._label() if self.mode == "train" else f"{_LABELS[self.mode]} - {self._done} steps"
        return " - ".join([label, elapsed, *(f"{name}: {number(value)}" for name, value in self._shown.items())])

    def _speed(self, elapsed: float, finished: bool) -> float | None:
        """Steps a second, without the first ones, which compile."""
        if self._first_step is not None and self._done > self._first_step[1]:
            since, before = self._first_step
            return (self._done - before) / max(time.perf_counter() - since, 1e-9)
        return self._done / elapsed if finished and self._done and elapsed > 0 else None

    def _left(self, speed: float | None) -> str:
        if speed is None or not self.steps or self._done >= self.steps:
            return ""
        return f"{clock((self.steps - self._done) / speed)} left"


class _Terminal:
    """Redraws in place; the cursor is hidden meanwhile, and comes back even if nobody calls `stop`."""

    def __init__(self, console: Console):
        self._live = Live(console=console, auto_refresh=False, transient=False, vertical_overflow="visible")
        self._stop: weakref.finalize[..., Any] | None = None

    def draw(self, line: RenderableType) -> None:
        if self._stop is None:
            # Before the start, which an interrupt may cut short.
            self._stop = weakref.finalize(self, _leave, self._live)
            self._live.start()
        self._live.update(line, refresh=True)

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()


def _leave(live: Live) -> None:
    try:
        with contextlib.suppress(IndexError):  # rich's, where an interrupt cut its start short
            live.stop()
    finally:
        live.console.show_cursor(True)


class _Notebook:
    """Redraws one output of a notebook's cell."""

    def __init__(self) -> None:
        self._handle: Any = None

    def draw(self, line: RenderableType) -> None:
        from IPython.display import HTML, display

        shown = HTML(to_html(line))
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def stop(self) -> None:
        """Nothing to put back."""


def to_html(line: RenderableType, width: int = 110) -> str:
    """The line as HTML."""
    console = Console(
        file=io.StringIO(), record=True, width=width, force_terminal=True, force_jupyter=False, color_system="truecolor"
    )
    console.print(line)
    style = "margin:0;line-height:normal;white-space:pre;font-family:Menlo,'DejaVu Sans Mono',consolas,monospace"
    return console.export_html(inline_styles=True, code_format=f'<pre style="{style}">{{code}}</pre>')


def verbosity(verbose: Any) -> int:
    """`verbose` as 0, 1 or 2.

    Raises:
        ValueError: it is none of 0, 1, 2, ``"auto"``, a boolean.
    """
    if isinstance(verbose, bool):
        return int(verbose)
    if verbose == "auto":
        return 1
    if not checks.is_whole(verbose) or not 0 <= verbose <= 2:
        raise ValueError(f"`verbose`={verbose!r}: expected 0 (nothing), 1 (a bar), 2 (a line per epoch) or 'auto'")
    return int(verbose)


def rate(speed: float | None) -> str:
    """A speed in steps a second: ``1,200/s``, ``2.5/s``, ``1.7 s/step``."""
    if speed is None:
        return ""
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s/step"


def number(value: Any) -> str:
    """A metric's value in a few digits: ``0.1234``, ``1.234e-05``."""
    try:
        size = abs(float(value))
    except (TypeError, ValueError):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not math.isfinite(size) or size == 0:
        return f"{float(value):g}" if size else "0.0000"
    return f"{float(value):.4f}" if 1e-3 <= size < 1e5 else f"{float(value):.3e}"


def duration(seconds: float) -> str:
    """A time taken: ``12ms``, ``3.2s``, ``4:05``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 60 else clock(seconds)


def clock(seconds: float) -> str:
    """A time as ``m:ss`` or ``h:mm:ss``."""
    whole = math.ceil(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _values(logs: Logs) -> dict[str, Any]:
    return dict((logs() if callable(logs) else logs) or {})
