"""`ShapeError`: an error that names the layer, the axis, the user's line, what came and what fits."""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jaxlib

from lamina.shapes import showing

_INTERNAL = (
    *(str(Path(module.__file__ or "").resolve().parent) + os.sep for module in (jax, jaxlib)),
    str(Path(__file__).resolve().parents[1]) + os.sep,
    contextlib.__file__,
    functools.__file__,
)


@dataclass(frozen=True)
class CallSite:
    """A line of the user's program."""

    file: str
    line: int
    source: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"

    @classmethod
    def at(cls, file: str, line: int) -> CallSite:
        """A line of a file, with its source."""
        return cls(file, line, linecache.getline(file, line).strip())

    @classmethod
    def of_frame(cls, frame: types.FrameType, line: int | None = None) -> CallSite:
        return cls.at(frame.f_code.co_filename, line or frame.f_lineno)


@dataclass(frozen=True)
class Fix:
    """One repair that was tried and fits: what to do in words, the code to paste, and the shape it leads to."""

    title: str
    code: str
    shape: str = ""

    def __str__(self) -> str:
        leads = f"  -> {self.shape}" if self.shape else ""
        return f"{self.title}: {self.code}{leads}"


def is_internal(file: str) -> bool:
    """Whether a source file belongs to Lamina, to jax or to Python's own machinery.

    A program that was typed in is the user's if its lines are known, as they are to notebooks and to doctest.
    """
    return file.startswith(_INTERNAL) or (file.startswith("<") and not linecache.getlines(file))


def user_frames() -> Iterator[types.FrameType]:
    """Frames of the user's own program that lead to this call, innermost first."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if not is_internal(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


def line_of_caller() -> tuple[str, int] | None:
    """File and line of the user's program that lead to this call: `call_site`, without reading the source."""
    frame = next(user_frames(), None)
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else None


def call_site() -> CallSite | None:
    """The innermost line of the user's program that leads to this call."""
    frame = next(user_frames(), None)
    return CallSite.of_frame(frame) if frame is not None else None


def failing_site(error: BaseException) -> CallSite | None:
    """The innermost line of the user's program in an exception's traceback."""
    site, tb = None, error.__traceback__
    while tb is not None:
        if not is_internal(tb.tb_frame.f_code.co_filename):
            site = CallSite.of_frame(tb.tb_frame, tb.tb_lineno)
        tb = tb.tb_next
    return site


class ShapeError(ValueError):
    """Shapes do not fit.

    Attributes:
        summary: one sentence that says what does not fit.
        layer: name of the layer at fault, or ``None``.
        call_site: the user's line (`CallSite`), or ``None``.
        expected: what fits, in words with axis names.
        received: what came, in words with axis names.
        notes: further lines, each a pair of a label and a text.
        fixes: repairs that were tried (`Fix`), best first.

    Example:

    >>> error = ShapeError("Dense \\"d\\" cannot take 1 axis", expected="(batch, features)", received="(5,)")
    >>> error.expected
    '(batch, features)'
    """

    #: What stands over the fixes.
    heading = "Fixes, each one tried:"

    def __init__(
        self,
        summary: str,
        *,
        layer: str | None = None,
        expected: str = "",
        received: str = "",
        notes: Sequence[tuple[str, str]] = (),
        fixes: Sequence[Fix] = (),
        site: CallSite | None = None,
    ):
        self.summary, self.layer, self.expected, self.received = summary, layer, expected, received
        self.notes, self.fixes = tuple(notes), tuple(fixes)
        self.call_site = site or call_site()
        super().__init__(self.render())

    def render(self) -> str:
        """The whole message as plain text."""
        lines = [self.summary]
        if self.call_site is not None:
            lines += ["", f"    {self.call_site.source}".rstrip().ljust(60) + f"  {self.call_site}"]
        rows = [("expected", self.expected), ("received", self.received), *self.notes]
        rows = [(label, text) for label, text in rows if text]
        if rows:
            width = max(len(label) for label, _ in rows)
            lines += ["", *(f"    {label.ljust(width)}   {text}" for label, text in rows)]
        if self.fixes:
            lines += ["", f"    {self.heading}", *(f"      {i}. {fix}" for i, fix in enumerate(self.fixes, 1))]
        return "\n".join(lines)

    def about(self, argument: str = "", notes: Sequence[tuple[str, str]] = ()) -> ShapeError:
        """The same error, which says which argument it is about, and has further notes."""
        self.summary = f"`{argument}`: {self.summary}" if argument else self.summary
        self.notes += tuple(notes)
        self.args = (self.render(),)
        return self

    def with_fixes(self, fixes: Sequence[Fix]) -> ShapeError:
        """The same error with repairs."""
        self.fixes = tuple(fixes)
        self.args = (self.render(),)
        return self

    def __rich__(self) -> Any:
        return showing.as_text(self)

    def _repr_html_(self) -> str:
        return showing.as_html(self)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows when nothing catches the error."""
        return showing.in_notebook(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (type(self), self.__dict__.copy()))


def _restore(cls: type[ShapeError], state: dict[str, Any]) -> ShapeError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    ValueError.__init__(error, error.render())
    return error


class ShapeWarning(UserWarning):
    """A program runs, but its shapes very likely do not mean what its author thinks."""


_given: set[tuple[str, str, int]] = set()
_said = [0]


def warn(message: str, fixes: Sequence[Fix] = ()) -> None:
    """Give a `ShapeWarning` at the user's line, once for each place.

    Args:
        message: what does not look right.
        fixes: repairs, best first.
    """
    _said[0] += 1
    site = call_site()
    text = message + "".join(f"\n  {i}. {fix}" for i, fix in enumerate(fixes, 1))
    key = (message, site.file if site else "", site.line if site else 0)
    if key in _given:
        return
    _given.add(key)
    if site is None:
        warnings.warn(text, ShapeWarning, stacklevel=2)
    else:
        first, *rest = text.split("\n")
        warnings.warn_explicit("\n".join([f"{first}  ({site})", *rest]), ShapeWarning, site.file, site.line)


def warnings_said() -> int:
    """How often there was reason for a warning so far, whether it was given again or not."""
    return _said[0]


@contextlib.contextmanager
def warnings_afresh() -> Iterator[None]:
    """Inside, every warning is given again, and does not count as given afterwards."""
    before = set(_given)
    _given.clear()
    try:
        yield
    finally:
        _given.clear()
        _given.update(before)


def forget_warnings() -> None:
    """Give every warning again."""
    _given.clear()


showing.install()
