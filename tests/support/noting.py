"""Notes, while a test runs, the fixes that are offered, and where the program was at that moment."""

from __future__ import annotations

import copyreg
import doctest
import functools
import gc
import linecache
import os
import re
import runpy
import sys
import sysconfig
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from places import Moment, Place, Scene, moment_of

from lamina.layers.layer import Layer
from lamina.models.model import Model
from lamina.shapes import errors
from lamina.shapes.errors import Fix, ShapeError


@dataclass
class Seen:
    """An error or warning with fixes, and what was noted of the program at that moment."""

    error: ShapeError | None
    summary: str
    fixes: tuple[Fix, ...]
    witness: Place
    scene: Scene


class Program(NamedTuple):
    """A program that a test ran, its variables, and what these were before."""

    source: str
    scope: dict[str, Any]
    before: dict[str, Any]


@dataclass
class Recorder:
    """What is noted while a test runs."""

    seen: list[Seen] = field(default_factory=list)
    programs: dict[str, Program] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    made: list[tuple[Any, Moment]] = field(default_factory=list)
    compiled: list[Moment] = field(default_factory=list)
    stacks: dict[ShapeError, Stack] = field(default_factory=dict)
    #: Called after a warning was noted.
    then: Callable[[], None] = lambda: None

    def note(self, error: ShapeError | None, summary: str, fixes: Any, site: Any, stack: Stack) -> None:
        """Note an error with its fixes; one that was noted before has new ones now."""
        if error is not None:
            self.seen = [seen for seen in self.seen if seen.error is not error]
        if not fixes:
            return
        assert stack.moments, f"fixes without a line of a program: {summary}"
        frames = [Place.of(moment) for moment in stack.moments]
        at_fault = [p for p in frames if site is not None and (p.file, p.line) == (site.file, site.line)]
        places = [*at_fault, *(p for p in frames if p not in at_fault)]
        if len(self.made) > _MANY:
            gc.collect()  # what nobody holds any more is no place for a fix
        alive = ((ref(), moment) for ref, moment in self.made[: stack.made])
        layers = {layer.name: (Place.of(moment), type(layer)) for layer, moment in alive if hasattr(layer, "name")}
        named = re.search(r"\.py:(\d+)\)", summary)
        compiled = [Place.of(moment) for moment in self.compiled[::-1]]
        line = int(named[1]) if named else getattr(site, "line", 0)
        scene = Scene(places, layers, compiled, line)
        self.seen.append(Seen(error, summary, tuple(fixes), frames[stack.witness], scene))


#: Where Python's own modules and installed packages are.
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
recorders: list[Recorder] = []
_MANY = 20  # layers of one test: collecting takes a while
#: Code to run in place of scripts, by their paths.
replaced: dict[str, types.CodeType] = {}


class Stack:
    """The user's expressions that lead here, innermost first; and the outermost of them that calls the library."""

    def __init__(self, recorder: Recorder):
        self.moments: list[Moment] = []
        self.witness = 0
        self.made = len(recorder.made)
        frame, called = sys._getframe(2), True
        while frame is not None and frame.f_code is not during.__code__ and not _runs_programs(frame):
            ours = _is_library(frame.f_code.co_filename)
            if not ours:
                self.witness = len(self.moments) if called else self.witness
                self.moments.append(moment_of(frame))
            called, frame = ours, frame.f_back  # type: ignore[assignment]


def _is_library(file: str) -> bool:
    return errors.is_internal(file) or file.startswith(_INSTALLED)


def _runs_programs(frame: types.FrameType) -> bool:
    """Whether what is outside of this frame is none of the program's."""
    return frame.f_code.co_name == "pytest_pyfunc_call" or frame.f_code.co_filename == doctest.__file__


def during(recorder: Recorder, function: Callable[[], Any]) -> Any:
    """Run a function and note what it makes."""
    recorders.append(recorder)
    try:
        return function()
    finally:
        recorders.pop()


def program(name: str, source: str, scope: dict[str, Any]) -> None:
    """Note a program that is about to run with these variables, and make its lines known to all."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    if recorders:
        recorders[-1].programs[name] = Program(source, scope, dict(scope))


def _maker() -> types.FrameType | None:
    """The user's frame that makes a layer; ``None`` where the advice makes one to try it, or one is copied."""
    frame: types.FrameType | None = sys._getframe(2)
    if frame is not None and frame.f_code.co_filename == copyreg.__file__:
        return None
    while frame is not None and _is_library(frame.f_code.co_filename):
        if os.sep + "advice" + os.sep in frame.f_code.co_filename:
            return None
        frame = frame.f_back
    return frame


def install() -> None:
    """From now on errors, warnings, layers and compiled models are noted where a recorder listens."""
    errors._INTERNAL += tuple(str(Path(__file__).with_name(name)) for name in ("noting.py", "replaying.py"))
    new, init, with_fixes, warn = Layer.__new__, ShapeError.__init__, ShapeError.with_fixes, errors.warn
    compile_, run_path = Model.compile, runpy.run_path

    def noted_new(cls: type, *args: Any, **kwargs: Any) -> Any:
        layer = new(cls, *args, **kwargs)
        frame = _maker() if recorders else None
        if frame is not None:
            recorders[-1].made.append((weakref.ref(layer), moment_of(frame)))
        return layer

    @functools.wraps(init)
    def noted_init(self: ShapeError, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if recorders:
            maker = sys._getframe(1).f_code.co_filename
            if self.fixes and not _is_library(maker):
                return  # an error that a test makes itself
            stack = recorders[-1].stacks[self] = Stack(recorders[-1])
            recorders[-1].note(self, self.summary, self.fixes, self.call_site, stack)

    @functools.wraps(with_fixes)
    def noted_fixes(self: ShapeError, fixes: Any) -> ShapeError:
        result = with_fixes(self, fixes)
        if recorders:
            stack = recorders[-1].stacks.get(self)
            stack = stack if stack is not None and stack.moments else Stack(recorders[-1])
            recorders[-1].note(self, self.summary, self.fixes, self.call_site, stack)
        return result

    @functools.wraps(warn)
    def noted_warn(message: str, fixes: Any = ()) -> None:
        if recorders:
            recorders[-1].note(None, message, fixes, errors.call_site(), Stack(recorders[-1]))
            recorders[-1].then()
        warn(message, fixes)

    @functools.wraps(compile_)
    def noted_compile(self: Any, *args: Any, **kwargs: Any) -> Any:
        frame = next(errors.user_frames(), None) if recorders else None
        if frame is not None:
            recorders[-1].compiled.append(moment_of(frame))
        return compile_(self, *args, **kwargs)

    def noted_run_path(path: str, *args: Any, run_name: str, **kwargs: Any) -> Any:
        if path in replaced:
            return exec(replaced[path], {"__name__": run_name, "__file__": path})
        if recorders:
            recorders[-1].scripts[path] = Path(path).read_text()
        return run_path(path, *args, run_name=run_name, **kwargs)

    Layer.__new__ = noted_new  # type: ignore[method-assign,assignment]
    ShapeError.__init__, ShapeError.with_fixes = noted_init, noted_fixes  # type: ignore[method-assign]
    Model.compile = noted_compile  # type: ignore[method-assign]
    runpy.run_path = noted_run_path
    for module in [m for name, m in sys.modules.items() if name.startswith("lamina")]:
        if getattr(module, "warn", None) is warn:
            module.warn = noted_warn  # type: ignore[attr-defined]
