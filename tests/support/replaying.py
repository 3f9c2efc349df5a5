"""Runs a test, or the programs that it ran, again with a fix written into it."""

from __future__ import annotations

import ast
import collections
import contextlib
import copy
import linecache
import re
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
from noting import Recorder, Seen, during, replaced
from places import NoPlace, Place, node_at, put
from rewriting import rewritten

import lamina
from lamina.shapes import errors
from lamina.shapes.errors import Fix, ShapeError

_SCOPE = {"np": np, "lamina": lamina, "keras": lamina, "layers": lamina.layers, "ops": lamina.ops}


class Repaired(BaseException):
    """The call went through."""


class NotRepaired(BaseException):
    """The call failed again, or was not reached."""


class Replay:
    """Runs a test again with its source changed."""

    def __init__(self, item: Any, recorder: Recorder):
        self.item, self.recorder = item, recorder
        sources = {name: program.source for name, program in recorder.programs.items()}
        own = str(item.path)
        if not sources or any(seen.witness.file == own for seen in recorder.seen):
            sources |= {own: "".join(linecache.getlines(own)), **recorder.scripts}
        self.own = own
        self.trees = {name: ast.parse(source) for name, source in sources.items()}
        self.places = list(dict.fromkeys(seen.witness for seen in recorder.seen if seen.witness.file in self.trees))
        self.outcomes: dict[str, list[_Outcome]] = {}

    def attempt(self, seen: Seen, fix: Fix, occurrence: int) -> str:
        """Apply a fix of an error that came before so many times; gives what is wrong, if anything."""
        if seen.witness.file not in self.trees:
            return f"nobody knows the program {seen.witness.file}"
        place = self.places.index(seen.witness)
        try:
            trees = _with_witnesses(self.trees, self.places)
            outcomes = self._unchanged(trees, seen.witness)
            own = [i for i, o in enumerate(outcomes) if o.place == place]
            times = [i for i in own if plain(seen.summary) in outcomes[i].summaries]
            if not times:
                return f"the error does not come again, but {[outcomes[i].summaries for i in own]}"
            at = times[min(occurrence, len(times) - 1)]
            reasons = []
            for changed in rewritten(trees, seen.scene, fix.code):
                reason = self._run(changed, _Trial(plain(seen.summary), at, outcomes), seen.witness)
                if not reason:
                    return ""
                reasons.append(reason)
            return " | ".join(dict.fromkeys(reasons))
        except NoPlace as error:
            return f"no place for it in the program ({error})"

    def _unchanged(self, trees: dict[str, ast.Module], place: Place) -> list[_Outcome]:
        """What comes of the calls under observation in the program as it is."""
        if place.file not in self.outcomes:
            known = [seen for seen in self.recorder.seen if seen.witness.file == place.file]
            wanted = ((self.places.index(seen.witness), plain(seen.summary)) for seen in known)
            listen = _Listen(collections.Counter(wanted))
            self._run(copy.deepcopy(trees), listen, place)
            self.outcomes[place.file] = listen.outcomes
        return self.outcomes[place.file]

    def _run(self, trees: dict[str, ast.Module], witness: Any, place: Place) -> str:
        lamina.utils.clear_session(free_memory=False)
        errors.forget_warnings()
        scope = {"__witness__": witness, "__failed__": pytest.fail.Exception, **_SCOPE}
        with contextlib.redirect_stdout(None), warnings.catch_warnings(), _compiled_quickly():
            warnings.simplefilter("ignore")
            try:
                if place.file == self.own:
                    replaced.update({path: _compiled(trees[path], path) for path in self.recorder.scripts})
                    self._test(trees[self.own], scope)
                else:
                    self._programs(trees, scope, place.file)
            except (Repaired, _Heard):
                return ""
            except NotRepaired as error:
                return str(error)
            except BaseException as error:
                return f"before the call at fault: {type(error).__name__}: {error}"
            finally:
                replaced.clear()
        return "the call at fault was not reached"

    def _test(self, tree: ast.Module, scope: dict[str, Any]) -> None:
        module = types.ModuleType(self.item.module.__name__)
        module.__dict__.update(scope)
        module.__file__ = self.own
        _Lenient.test(tree, self.item.originalname)
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
        together = [name for name, program in programs.items() if program.scope is programs[until].scope]
        scope = {**programs[together[0]].before, **scope}
        for name in together[: together.index(until) + 1]:
            with contextlib.suppress(Exception):
                exec(_compiled(trees[name], name), scope)


@contextlib.contextmanager
def _compiled_quickly() -> Iterator[None]:
    """Inside, XLA makes programs that need not be fast."""
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


def _compiled(tree: ast.Module, name: str) -> Any:
    """Code of a changed program; what was there before keeps its lines."""
    return compile(ast.fix_missing_locations(tree), name, "exec")


def plain(summary: str) -> str:
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


class _Lenient(ast.NodeTransformer):
    """A test in which what it claims of the program as it is, and does with it before, need not hold with a fix."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        return _attempt(ast.copy_location(ast.Expr(node.test), node))

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return _attempt(node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        return _attempt(node)

    def visit_With(self, node: ast.With) -> ast.stmt:
        claims = any(ast.unparse(item.context_expr).startswith("pytest.") for item in node.items)
        return _attempt(node) if claims else self.generic_visit(node)  # type: ignore[return-value]

    @classmethod
    def test(cls, tree: ast.Module, name: str) -> None:
        """Change the test of that name."""
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name == name:
                cls().generic_visit(function)


def _attempt(statement: ast.stmt) -> ast.stmt:
    (attempt,) = ast.parse("try:\n    0\nexcept (Exception, __failed__):\n    pass").body
    assert isinstance(attempt, ast.Try)
    attempt.body = [statement]
    return ast.copy_location(attempt, statement)


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
    value: Any
    error: BaseException | None
    summaries: list[str]


class _Heard(BaseException):
    """All that was wanted was said."""


def _observed(place: int, function: Callable[[], Any], recorder: Recorder) -> tuple[Any, _Outcome]:
    value, error = None, None
    try:
        value = during(recorder, function)
    except (Exception, _Heard) as raised:
        error = raised
    summaries = [plain(seen.summary) for seen in recorder.seen]
    if isinstance(error, ShapeError):
        summaries.append(plain(error.summary))
    return value, _Outcome(place, value, error, summaries)


class _Listen:
    """Notes what comes of each call, until the last warning of those that are wanted."""

    def __init__(self, wanted: collections.Counter[tuple[int, str]]) -> None:
        self.wanted = wanted
        self.outcomes: list[_Outcome] = []

    def __call__(self, place: int, function: Callable[[], Any]) -> Any:
        recorder, before = Recorder(), [(o.place, summary) for o in self.outcomes for summary in o.summaries]

        def stop() -> None:
            heard = [*before, *((place, plain(seen.summary)) for seen in recorder.seen)]
            if collections.Counter(heard) >= self.wanted:
                raise _Heard

        recorder.then = stop
        value, outcome = _observed(place, function, recorder)
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
            try:
                return function()
            except Exception:  # the fix is for another call of the same program
                return self.outcomes[self.count].value
        _, outcome = _observed(place, function, Recorder())
        if outcome.error is not None:
            raise NotRepaired(f"{type(outcome.error).__name__}: {outcome.error}")
        if self.summary in outcome.summaries:
            raise NotRepaired("the same comes again")
        raise Repaired
