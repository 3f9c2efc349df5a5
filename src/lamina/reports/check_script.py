"""The check of a whole script: it runs, but wherever it would train, its data and model are checked instead."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from lamina.core import tree
from lamina.models.model import Model
from lamina.reports.check import Problem, batch_of, examine, shapes_of_call
from lamina.saving.places import writing_elsewhere
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError, is_internal
from lamina.shapes.tracing import substitute
from lamina.training.callbacks import History
from lamina.training.compiled import CompiledMetrics
from lamina.training.feeding.convert import named_leaves
from lamina.training.feeding.streams import is_stream


@dataclass
class Outcome:
    """What the check of a script found.

    Attributes:
        script: name of the script.
        problems: what does not fit.
        calls: how often the script came to `fit`, `evaluate`, `predict` and the like.
        failure: the script's own error, as Python would show it; empty if it ran to its end.
    """

    script: str
    problems: list[Problem] = field(default_factory=list)
    calls: int = 0
    failure: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.problems and not self.failure

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, problem in enumerate(self.problems, 1):
            where = str(problem.call_site) if problem.call_site is not None else self.script
            style = "red" if problem.kind == "error" else "yellow"
            yield Text.assemble((f"{where}: {problem.kind} {number}", f"bold {style}"))
            yield problem
            yield Text()
        if self.failure:
            yield Text(f"{self.script} failed:", style="bold red")
            yield Text(f"{self.failure}\n")
        yield Text(self.summary(), style="bold green" if self.is_clean else "bold red")

    def summary(self) -> str:
        """One line: what was checked, and how many problems there are."""
        checked = f"{self.calls} {'call' if self.calls == 1 else 'calls'} of fit, evaluate and predict checked"
        kinds = [problem.kind for problem in self.problems]
        counts = [f"{n} {kind}{'' if n == 1 else 's'}" for kind in ("error", "warning") if (n := kinds.count(kind))]
        ended = ["the script did not run to its end"] if self.failure else []
        return f"{self.script}: {checked}; {', '.join([*counts, *ended]) or 'all shapes fit'}"


def check_script(path: str | os.PathLike[str], arguments: list[str] | None = None) -> Outcome:
    """Run a script with training, evaluation and prediction replaced by a check of the shapes.

    Models are built and data is loaded, but nothing is trained: `fit` gives a history of zeros, `predict` zeros of the
    right shape. No callback runs. Files that models are saved to stay as they are: a script that loads what it saved
    gets it from a temporary place.

    Args:
        path: the script.
        arguments: what the script finds in ``sys.argv`` after its name.

    Raises:
        FileNotFoundError: there is no such script.
    """
    script = Path(path)
    if not script.is_file():
        raise FileNotFoundError(f"there is no script {os.fspath(path)!r}")
    outcome = Outcome(script.name)
    with _as_program(script, arguments or []), _replaced(_Checker(outcome)), writing_elsewhere():
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            if end.code not in (None, 0):
                outcome.failure = f"the script ended itself with exit({end.code!r})"
        except _Stop:
            pass
        except ShapeError as error:
            _add(outcome, [Problem.of(error)])
        except Exception as error:
            outcome.failure = _told(error)
    return outcome


class _Stop(Exception):
    """The script cannot go on: what it needs next cannot be made up."""


@contextlib.contextmanager
def _as_program(script: Path, arguments: list[str]) -> Iterator[None]:
    """Inside, the process looks to the script as if it had been started by itself."""
    before, first = (sys.argv, list(sys.path)), str(script.resolve().parent)
    backend = os.environ.get("MPLBACKEND")
    sys.argv, sys.path[:] = [str(script), *arguments], [first, *sys.path]
    os.environ["MPLBACKEND"] = "Agg"  # a window would wait to be closed
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before
        if backend is None:
            del os.environ["MPLBACKEND"]
        else:
            os.environ["MPLBACKEND"] = backend


def _told(error: Exception) -> str:
    """An exception as Python shows it, without the frames that are not the script's."""
    shown = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in shown.stack if not is_internal(frame.filename)]
    shown.stack = traceback.StackSummary.from_list(frames)
    shown.__cause__ = shown.__context__ = None
    return "".join(shown.format()).rstrip()


def _add(outcome: Outcome, problems: list[Problem]) -> None:
    """Note problems; the same one at the same place (in a loop) counts once."""
    for problem in problems:
        if not any(p.message == problem.message and p.call_site == problem.call_site for p in outcome.problems):
            outcome.problems.append(problem)


@contextlib.contextmanager
def _replaced(checker: _Checker) -> Iterator[None]:
    """Inside, models check instead of training."""
    methods = checker.methods()
    kept = {name: vars(Model)[name] for name in methods if name in vars(Model)}
    for name, method in methods.items():
        setattr(Model, name, method)
    try:
        yield
    finally:
        for name in methods:
            delattr(Model, name)
        for name, method in kept.items():
            setattr(Model, name, method)


def _method(name: str, stand_in: Callable[[Any, SimpleNamespace], Any]) -> Callable[..., Any]:
    """A method that takes what the real one takes, and gives it to its stand-in by name."""
    real = getattr(Model, name)
    signature = inspect.signature(real)

    @functools.wraps(real)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        return stand_in(self, SimpleNamespace(**{k: v for k, v in bound.arguments.items() if k != "self"}))

    return method


class _Checker:
    """What stands in for the methods of models that train or compute."""

    def __init__(self, outcome: Outcome):
        self.outcome = outcome
        self._seen: set[Any] = set()

    def methods(self) -> dict[str, Callable[..., Any]]:
        """By the name of the method that each stands in for."""
        found = {"fit": self._fit, "evaluate": self._evaluate, "predict": self._predict}
        found |= {"train_on_batch": self._on_batch, "test_on_batch": self._on_batch}
        found["predict_on_batch"] = self._predict
        return {name: _method(name, stand_in) for name, stand_in in found.items()}

    def _check(
        self, model: Any, x: Any, y: Any, weights: Any, size: int | None, method: str, argument: str = ""
    ) -> None:
        if method != "predict":
            model._need_compiled(method)
        self.outcome.calls += 1
        key = (id(model), method, _shapes(x), _shapes(y), _shapes(weights))
        if key in self._seen and None not in key:
            return
        self._seen.add(key)
        trains, size = method != "predict", size or 32
        found = examine(model, x, y, weights, batch_size=size, trains=trains, method=method, argument=argument)
        _add(self.outcome, [_about(problem, argument) for problem in found])

    def _fit(self, model: Any, given: SimpleNamespace) -> History:
        """Checks the data, and that for validation; gives a history of zeros."""
        self._check(model, given.x, given.y, given.sample_weight, given.batch_size, "fit")
        names = list(_logs(model))
        if given.validation_data is not None:
            parts = (
                given.validation_data if isinstance(given.validation_data, (tuple, list)) else [given.validation_data]
            )
            x, y, weights = (*parts, None, None)[:3]
            self._check(
                model, x, y, weights, given.validation_batch_size or given.batch_size, "evaluate", "validation_data"
            )
        if given.validation_data is not None or given.validation_split:
            names += [f"val_{name}" for name in names]
        history = model.history = History()
        history.set_model(model)
        history.epoch = list(range(given.initial_epoch, max(given.epochs, given.initial_epoch + 1)))
        history.history = {name: [0.0] * len(history.epoch) for name in names}
        history.params = {"epochs": given.epochs, "steps": given.steps_per_epoch, "verbose": 0}
        return history

    def _evaluate(self, model: Any, given: SimpleNamespace) -> Any:
        """Checks the data; gives zeros."""
        self._check(model, given.x, given.y, given.sample_weight, given.batch_size, "evaluate")
        return model._report(_logs(model), given.return_dict)

    def _on_batch(self, model: Any, given: SimpleNamespace) -> Any:
        """Checks the batch; gives zeros."""
        trains = hasattr(given, "class_weight")
        method = "train_on_batch" if trains else "test_on_batch"
        self._check(model, given.x, given.y, given.sample_weight, _length(given.x), method)
        return model._report(_logs(model), given.return_dict)

    def _predict(self, model: Any, given: SimpleNamespace) -> Any:
        """Checks the data; gives zeros of the outputs' shapes."""
        size = given.batch_size if hasattr(given, "batch_size") else _length(given.x)
        self._check(model, given.x, None, None, size, "predict")
        return _zeros(model, given.x, getattr(given, "steps", None))


def _about(problem: Problem, argument: str) -> Problem:
    """The problem, which says which argument it is about."""
    if not argument or not isinstance(problem.error, ShapeError):
        return problem
    return Problem.of(problem.error.about(argument))


def _shapes(data: Any) -> Any:
    """Shapes and types of data; ``None`` where they are not plain to see, as those of a stream."""
    try:
        leaves = [(tuple(leaf.shape), str(leaf.dtype)) for leaf in tree.flatten(data) if leaf is not None]
    except (AttributeError, TypeError):
        return None
    return (str(jax.tree.structure(data)), *leaves)


def _logs(model: Any) -> dict[str, float]:
    """A zero for the loss and for each metric."""
    names = ["loss", *(m.name for m in model.metrics if not isinstance(m, CompiledMetrics))]
    labels = model._compile_metrics.labels if model._compile_metrics is not None else []
    return dict.fromkeys([*names, *labels], 0.0)


def _length(x: Any) -> int | None:
    """The number of samples in arrays."""
    return next((len(leaf) for leaf in tree.flatten(x) if hasattr(leaf, "__len__")), None)


def _zeros(model: Any, x: Any, steps: int | None) -> Any:
    """Zeros of the shapes of the outputs, for all samples.

    Raises:
        _Stop: the data does not fit, and the model does not say what it gives.
    """
    try:
        data = batch_of(model, x, whole=True)
        samples = named_leaves(data, "x")[0][1].shape[0]
        specs = shapes_of_call(lambda inputs: model(inputs, training=False), data)
        rows = samples * (steps or len(x)) if is_stream(x) and (steps or hasattr(x, "__len__")) else samples
        return jax.tree.map(
            lambda s: np.zeros((rows, *s.shape[1:]) if s.shape[:1] == (samples,) else s.shape, s.dtype), specs
        )
    except Exception:  # it does not fit, which was noted: what the model declares has to do
        if model._graph is None:
            raise _Stop from None
    sizes = dict.fromkeys(dims.symbols(d for t in model.outputs for d in t.dims), 1)
    rows = (None if is_stream(x) else _length(x)) or 1
    declared = lambda t: np.zeros((rows, *substitute(t.dims, sizes)[1:]), t.dtype)  # noqa: E731
    return jax.tree.map(declared, model._graph.outputs)
