"""Every fix that a test sees is applied: the program that made the error is written anew with it, and runs.

While a test runs, each error (or warning) about shapes with fixes is noted. After the test, each of its fixes is
written into the test's own module, or into the program that the test ran, and that is run again up to the call which
failed: now it must go through. See `rewriting` for how a fix becomes a change of the program.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import copy
import functools
import linecache
import os
import re
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from rewriting import Moment, NoPlace, Place, Scene, moment_of, node_at, put, rewritten

import lamina
from lamina.layers.layer import Layer
from lamina.models.model import Model
from lamina.shapes import errors
from lamina.shapes.errors import Fix, ShapeError

_SCOPE = {"np": np, "lamina": lamina, "keras": lamina, "layers": lamina.layers, "ops": lamina.ops}


class Repaired(BaseException):
    """The call went through."""


class NotRepaired(BaseException):
    """The call failed again, or was not reached."""


@dataclass
class Seen:
    """An error or warning with fixes, and what was noted of the program at that moment."""

    error: ShapeError | None
    summary: str
    fixes: tuple[Fix, ...]
    witness: Place
    scene: Scene


class Program(NamedTuple):
    """A program that a test ran, with the variables that it had before; those with the same ``scope`` share them."""

    source: str
    scope: int
    before: dict[str, Any]


@dataclass
class Recorder:
    """What is noted while a test runs."""

    seen: list[Seen] = field(default_factory=list)
    programs: dict[str, Program] = field(default_factory=dict)
    made: list[tuple[Any, Moment]] = field(default_factory=list)
    compiled: list[Moment] = field(default_factory=list)

    def note(self, error: ShapeError | None, summary: str, fixes: Any, site: Any, stack: Stack) -> None:
        """Note an error with its fixes; one that was noted before has new ones now."""
        if error is not None:
            self.seen = [seen for seen in self.seen if seen.error is not error]
        if not stack.moments or not fixes:
            return
        frames = [Place.of(moment) for moment in stack.moments]
        at_fault = [p for p in frames if site is not None and (p.file, p.line) == (site.file, site.line)]
        places = [*at_fault, *(p for p in frames if p not in at_fault)]
        alive = ((ref(), moment) for ref, moment in self.made[: stack.made])
        layers = {layer.name: (Place.of(moment), type(layer)) for layer, moment in alive if hasattr(layer, "name")}
        named = re.search(r"\.py:(\d+)\)", summary)
        compiled = [Place.of(moment) for moment in self.compiled[::-1]]
        scene = Scene(places, layers, compiled, int(named[1]) if named else 0)
        self.seen.append(Seen(error, summary, tuple(fixes), frames[stack.witness], scene))


_recorders: list[Recorder] = []


class Stack:
    """The user's expressions that lead here, innermost first; and the outermost of them that calls the library."""

    def __init__(self, recorder: Recorder):
        self.moments: list[Moment] = []
        self.witness = 0
        self.made = len(recorder.made)
        frame, called = sys._getframe(2), True
        while frame is not None and frame.f_code.co_name not in ("_during", "pytest_pyfunc_call"):
            ours = errors.is_internal(frame.f_code.co_filename)
            if not ours:
                self.witness = len(self.moments) if called else self.witness
                self.moments.append(moment_of(frame))
            called, frame = ours, frame.f_back  # type: ignore[assignment]


def _during(recorder: Recorder, function: Callable[[], Any]) -> Any:
    """Run a function and note what it makes."""
    _recorders.append(recorder)
    try:
        return function()
    finally:
        _recorders.pop()


def program(name: str, source: str, scope: dict[str, Any]) -> None:
    """Note a program that is about to run with these variables."""
    if _recorders:
        _recorders[-1].programs[name] = Program(source, id(scope), dict(scope))


def _maker() -> types.FrameType | None:
    """The user's frame that makes a layer; ``None`` where the advice makes one to try it."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None and errors.is_internal(frame.f_code.co_filename):
        if os.sep + "advice" + os.sep in frame.f_code.co_filename:
            return None
        frame = frame.f_back
    return frame


def install() -> None:
    """From now on errors, warnings, layers and compiled models are noted where a recorder listens."""
    errors._INTERNAL += (__file__,)
    new, init, with_fixes, warn = Layer.__new__, ShapeError.__init__, ShapeError.with_fixes, errors.warn
    compile_ = Model.compile

    def noted_new(cls: type, *args: Any, **kwargs: Any) -> Any:
        layer = new(cls, *args, **kwargs)
        frame = _maker() if _recorders else None
        if frame is not None:
            _recorders[-1].made.append((weakref.ref(layer), moment_of(frame)))
        return layer

    @functools.wraps(init)
    def noted_init(self: ShapeError, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if _recorders:
            self.__dict__["_stack"] = Stack(_recorders[-1])
            _recorders[-1].note(self, self.summary, self.fixes, self.call_site, self.__dict__["_stack"])

    @functools.wraps(with_fixes)
    def noted_fixes(self: ShapeError, fixes: Any) -> ShapeError:
        result = with_fixes(self, fixes)
        if _recorders:
            stack = self.__dict__.get("_stack")
            stack = stack if stack is not None and stack.moments else Stack(_recorders[-1])
            _recorders[-1].note(self, self.summary, self.fixes, self.call_site, stack)
        return result

    @functools.wraps(warn)
    def noted_warn(message: str, fixes: Any = ()) -> None:
        if _recorders:
            _recorders[-1].note(None, message, fixes, errors.call_site(), Stack(_recorders[-1]))
        warn(message, fixes)

    @functools.wraps(compile_)
    def noted_compile(self: Any, *args: Any, **kwargs: Any) -> Any:
        frame = next(errors.user_frames(), None) if _recorders else None
        if frame is not None:
            _recorders[-1].compiled.append(moment_of(frame))
        return compile_(self, *args, **kwargs)

    Layer.__new__ = noted_new  # type: ignore[method-assign,assignment]
    ShapeError.__init__, ShapeError.with_fixes = noted_init, noted_fixes  # type: ignore[method-assign]
    Model.compile = noted_compile  # type: ignore[method-assign]
    for module in [m for name, m in sys.modules.items() if name.startswith("lamina")]:
        if getattr(module, "warn", None) is warn:
            module.warn = noted_warn  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> Any:
    """Run a test; then apply each fix that it saw."""
    if pyfuncitem.config.getoption("fixes") != "apply":
        return (yield)
    recorder = Recorder()
    _recorders.append(recorder)
    try:
        result = yield
    finally:
        _recorders.pop()
    failures = list(_failures(pyfuncitem, recorder))
    if failures:
        pytest.fail("fixes that do not work:\n\n" + "\n\n".join(failures), pytrace=False)
    return result


COUNT = {"applied": 0}


def pytest_addoption(parser: Any) -> None:
    """The option that turns this on."""
    parser.addoption("--fixes", choices=("apply", "off"), default="off", help="apply every fix that a test sees")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many fixes were applied in this process."""
    if COUNT["applied"]:
        terminalreporter.write_line(f"fixes applied: {COUNT['applied']}")


def _failures(item: Any, recorder: Recorder) -> Iterator[str]:
    """What is wrong with the fixes that a test saw."""
    replay = _Replay(item, recorder)
    done = set()
    came: collections.Counter[Any] = collections.Counter()
    for seen in recorder.seen:
        occurrence = came[_plain(seen.summary), seen.witness]
        came[_plain(seen.summary), seen.witness] += 1
        for fix in seen.fixes:
            key = (seen.summary, fix.code, seen.witness)
            if key in done:
                continue
            done.add(key)
            COUNT["applied"] += 1
            reason = replay.attempt(seen, fix, occurrence)
            if reason:
                yield f"{fix}\n  {reason}\n  of: {seen.summary}\n  at: {seen.witness.file}:{seen.witness.line}"


class _Replay:
    """Runs a test again with its source changed."""

    def __init__(self, item: Any, recorder: Recorder):
        self.item, self.recorder = item, recorder
        sources = {name: program.source for name, program in recorder.programs.items()}
        own = str(item.path)
        if not sources or any(seen.witness.file == own for seen in recorder.seen):
            sources[own] = "".join(linecache.getlines(own))
        self.own = own
        self.trees = {name: ast.parse(source) for name, source in sources.items()}
        self.places = list(dict.fromkeys(seen.witness for seen in recorder.seen if seen.witness.file in self.trees))
        self.outcomes: list[_Outcome] | None = None

    def attempt(self, seen: Seen, fix: Fix, occurrence: int) -> str:
        """Apply a fix of an error that came before so many times; gives what is wrong, if anything."""
        if seen.witness.file not in self.trees:
            return f"nobody knows the program {seen.witness.file}"
        place = self.places.index(seen.witness)
        try:
            trees = _with_witnesses(self.trees, self.places)
            if self.outcomes is None:
                listen = _Listen()
                self._run(copy.deepcopy(trees), listen, seen.witness)
                self.outcomes = listen.outcomes
            own = [i for i, o in enumerate(self.outcomes) if o.place == place]
            times = [i for i in own if _plain(seen.summary) in self.outcomes[i].summaries]
            if not times:
                return f"the error does not come again, but {[self.outcomes[i].summaries for i in own]}"
            at = times[min(occurrence, len(times) - 1)]
            reasons = []
            for changed in rewritten(trees, seen.scene, fix.code):
                reason = self._run(changed, _Trial(_plain(seen.summary), at, self.outcomes), seen.witness)
                if not reason:
                    return ""
                reasons.append(reason)
            return " | ".join(dict.fromkeys(reasons))
        except NoPlace as error:
            return f"no place for it in the program ({error})"

    def _run(self, trees: dict[str, ast.Module], witness: Any, place: Place) -> str:
        lamina.utils.clear_session(free_memory=False)
        errors.forget_warnings()
        scope = {"__witness__": witness, **_SCOPE}
        with contextlib.redirect_stdout(None), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if place.file == self.own:
                    self._test(trees[self.own], scope)
                else:
                    self._programs(trees, scope, place.file)
            except Repaired:
                return ""
            except NotRepaired as error:
                return str(error)
            except BaseException as error:
                return f"before the call at fault: {type(error).__name__}: {error}"
        return "the call at fault was not reached"

    def _test(self, tree: ast.Module, scope: dict[str, Any]) -> None:
        module = types.ModuleType(self.item.module.__name__)
        module.__dict__.update(scope)
        module.__file__ = self.own
        exec(_compiled(tree, self.own), module.__dict__)
        cls = self.item.cls
        owner = getattr(module, cls.__name__)() if cls is not None else module
        function = getattr(owner, self.item.originalname)
        values = _parameters(self.item, function)
        names = self.item._fixtureinfo.argnames
        function(**{name: values.get(name, self.item.funcargs[name]) for name in names})

    def _programs(self, trees: dict[str, ast.Module], scope: dict[str, Any], until: str) -> None:
        """Run a program, after those before it that share its variables."""
        programs = self.recorder.programs
        together = [name for name, program in programs.items() if program.scope == programs[until].scope]
        scope = {**programs[together[0]].before, **scope}
        for name in together[: together.index(until) + 1]:
            with contextlib.suppress(Exception):
                exec(_compiled(trees[name], name), scope)


def _compiled(tree: ast.Module, name: str) -> Any:
    """Code of a changed program; what was there before keeps its lines."""
    return compile(ast.fix_missing_locations(tree), name, "exec")


def _plain(summary: str) -> str:
    """A message without the numbers in automatic names, which depend on what ran before."""
    return re.sub(r"_\d+\b", "", summary)


def _with_witnesses(trees: dict[str, ast.Module], places: list[Place]) -> dict[str, ast.Module]:
    """The programs with the calls at fault put under observation."""
    trees = copy.deepcopy(trees)
    nodes = [(place.file, node_at(trees, place)) for place in places]
    for number, (file, node) in enumerate(nodes):
        around = ast.parse(f"__witness__({number}, lambda: 0)", mode="eval").body
        for part in ast.walk(around):
            for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
                part.__dict__.pop(name, None)
        put(trees[file], node, around)
        around.args[1].body = node  # type: ignore[attr-defined]
    return trees


def _parameters(item: Any, function: Any) -> dict[str, Any]:
    """The values of a test's parameters, as its changed module has them."""
    given = dict(getattr(getattr(item, "callspec", None), "params", {}))
    pairs = zip(_marks(item.obj), _marks(function))
    for old, new in pairs:
        names = [n.strip() for n in old.args[0].split(",")] if isinstance(old.args[0], str) else list(old.args[0])
        for before, after in zip(old.args[1], new.args[1]):
            before, after = getattr(before, "values", before), getattr(after, "values", after)
            if (len(names) == 1 and not isinstance(before, tuple | list)) or (len(names) == 1 and len(before) != 1):
                before, after = (before,), (after,)
            if all(a is given.get(n) for n, a in zip(names, before)):
                given.update(zip(names, after))
                break
    return given


def _marks(function: Any) -> list[Any]:
    return [m for m in getattr(function, "pytestmark", []) if m.name == "parametrize"]


@dataclass
class _Outcome:
    """What came of a call under observation: what it raised, and the errors that were noted."""

    place: int
    error: BaseException | None
    summaries: list[str]


def _observed(place: int, function: Callable[[], Any]) -> tuple[Any, _Outcome]:
    recorder = Recorder()
    try:
        value, error = _during(recorder, function), None
    except Exception as raised:
        value, error = None, raised
    summaries = [_plain(seen.summary) for seen in recorder.seen]
    if isinstance(error, ShapeError):
        summaries.append(_plain(error.summary))
    return value, _Outcome(place, error, summaries)


class _Listen:
    """Notes what comes of each call."""

    def __init__(self) -> None:
        self.outcomes: list[_Outcome] = []

    def __call__(self, place: int, function: Callable[[], Any]) -> Any:
        value, outcome = _observed(place, function)
        self.outcomes.append(outcome)
        if outcome.error is not None:
            raise outcome.error
        return value


class _Trial:
    """Looks whether the call at fault goes through now; what failed before it fails as it did."""

    def __init__(self, summary: str, at: int, outcomes: list[_Outcome]):
        self.summary, self.at, self.outcomes, self.count = summary, at, outcomes, -1

    def __call__(self, place: int, function: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count < self.at:
            error = self.outcomes[self.count].error
            if error is not None:
                raise error
            return function()
        _, outcome = _observed(place, function)
        if outcome.error is not None:
            raise NotRepaired(f"{type(outcome.error).__name__}: {outcome.error}")
        if self.summary in outcome.summaries:
            raise NotRepaired("the same comes again")
        raise Repaired
