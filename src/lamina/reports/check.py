"""All that does not fit between a model and its data, at once, and before anything is computed."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.text import Text

from lamina.advice import labels as label_advice
from lamina.advice import silent, table_rows
from lamina.advice.layer_call import entry, on_data
from lamina.core import checks, config, tree
from lamina.core.variable import StateScope
from lamina.layers.layer import Layer
from lamina.models.model import Model
from lamina.shapes import dims, errors
from lamina.shapes.errors import CallSite, Fix, ShapeError, ShapeWarning
from lamina.training import compiled
from lamina.training.classes import check_class_numbers
from lamina.training.feeding import make_feed
from lamina.training.feeding.arrays import read_arrays
from lamina.training.feeding.convert import named_leaves, same_length, to_arrays
from lamina.training.feeding.streams import is_stream
from lamina.training.frozen import as_compiled

_CHEAP = 2**24  # labels are read up to so many bytes
_NAMES = ("x", "y", "sample_weight")


@dataclass(frozen=True)
class Problem:
    """Something that does not fit.

    Attributes:
        kind: ``"error"``, or ``"warning"`` for what would run and very likely mean something else.
        message: what does not fit, as the error or warning says it.
        call_site: the user's line, or ``None``.
        fixes: repairs that were tried (`Fix`), best first.
        error: the exception or warning itself.
    """

    kind: str
    message: str
    call_site: CallSite | None
    fixes: tuple[Fix, ...]
    error: Exception

    @classmethod
    def of(cls, error: Exception) -> Problem:
        """The problem that an exception tells of."""
        site = getattr(error, "call_site", None) or errors.call_site()
        message = str(error) or type(error).__name__
        return cls("error", message, site, tuple(getattr(error, "fixes", ())), error)

    @classmethod
    def of_warning(cls, given: warnings.WarningMessage) -> Problem:
        """The problem that a warning tells of."""
        site = CallSite.at(given.filename, given.lineno)
        return cls("warning", str(given.message), site, (), given.message)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.message

    def __rich__(self) -> Any:
        return self.error if isinstance(self.error, ShapeError) else Text(self.message)


class Findings:
    """Gathers problems, each once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Note a problem, unless it, or a longer telling of it, is there already."""
        summary = getattr(problem.error, "summary", problem.message)
        if not any(summary in known.message and known.kind == problem.kind for known in self.problems):
            self.problems.append(problem)

    def attempt(self, function: Callable[..., Any], *arguments: Any, advise: Any = None) -> Any:
        """What the function gives; ``None`` if it fails, which is noted (after `advise` has seen the error)."""
        try:
            return function(*arguments)
        except Exception as error:  # whatever a user's own code raises is a problem too
            if isinstance(error, ShapeError) and advise is not None:
                advise(error)
            self.add(Problem.of(error))
            return None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, `ShapeWarning`s are problems; other warnings are given as ever."""
        with errors.warnings_afresh(), warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always", ShapeWarning)
            yield
        for each in given:
            if issubclass(each.category, ShapeWarning):
                self.add(Problem.of_warning(each))
            else:
                warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def check(
    model: Layer, x: Any, y: Any = None, sample_weight: Any = None, *, batch_size: int | None = None
) -> list[Problem]:
    """All problems between a model and data, found by tracing: nothing is computed, and large data is not read.

    Only shapes and types are looked at, and the numbers in labels (and in what an `Embedding` reads), a few of them: a
    memory-mapped array of any size is checked in milliseconds. A model that is not built yet is built for `x`. It goes
    on after a problem where it can: data against the model, labels against its outputs and losses, metrics, weights,
    lengths.

    Args:
        model: a model, or a layer; if it is compiled and `y` is given, its losses and metrics are checked too.
        x: the data, as `fit` takes it. A generator gives up its first batch.
        y: the targets, as `fit` takes them.
        sample_weight: the weights, as `fit` takes them.
        batch_size: size of a batch, 32 by default, or what the model is declared with.

    Returns:
        The problems (`Problem`), an empty list if all fits. Each has a `message`, a `kind` (``"error"`` or
        ``"warning"``), the `call_site` and `fixes`.

    Raises:
        ValueError: `model` is no model or layer, or `batch_size` is not positive.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(3, activation="softmax")])
    >>> model.compile("adam", "categorical_crossentropy")
    >>> lamina.shapes.check(model, np.zeros((100, 4)), np.zeros((100, 3)))
    []
    >>> problems = lamina.shapes.check(model, np.zeros((100, 5)), np.zeros((90, 2)))
    >>> [problem.kind for problem in problems]
    ['error', 'error', 'error']
    """
    if not isinstance(model, Layer):
        kind = f"the class {model.__name__}; make one first" if isinstance(model, type) else repr(model)
        raise ValueError(f"`model` is a model or a layer, not {kind}")
    if batch_size is not None:
        batch_size = checks.positive_int("batch_size", batch_size)
    trains = y is not None or (x is not None and is_stream(x) and getattr(model, "compiled", False))
    return examine(model, x, y, sample_weight, batch_size=batch_size or _batch_size(model), trains=trains)


def examine(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    *,
    batch_size: int,
    trains: bool,
    method: str = "check",
    argument: str = "",
) -> list[Problem]:
    """The problems of a model with data.

    Args:
        model: a model or layer.
        x, y, sample_weight: the data, as `fit` takes it.
        batch_size: size of a batch.
        trains: whether losses and metrics are wanted.
        method: the method of the model that this is for.
        argument: the argument of `fit` that the data came in, if that is not `x`.
    """
    if method in ("fit", "train_on_batch"):  # which would want the optimizer, and that is set aside
        method = "check"
    found = Findings()
    with found.listening():
        read = _read(found, x, y, sample_weight, batch_size)
        if read is None:
            return found.problems
        batch, labels, arrays = read
        before = len(found.problems)
        with _set_aside(model):
            trains = trains and getattr(model, "compiled", False)
            meet = functools.partial(_meet, argument=argument)
            found.attempt(meet, model, x, batch, labels, arrays, method if trains else "")
            if len(found.problems) > before and trains:
                _go_on(found, model, batch, labels)
    return found.problems


def _batch_size(model: Any) -> int:
    """What the model is declared with, or 32."""
    tensors = model.inputs if isinstance(model, Model) and model._graph is not None else []
    return next((int(t.dims[0]) for t in tensors if dims.is_known(t.dims[0])), 32)


# Reading data


def _read(found: Findings, x: Any, y: Any, sample_weight: Any, size: int) -> tuple[Any, Any, Any] | None:
    """A batch, the labels to look at, and stand-ins for all of the data."""
    if is_stream(x):
        first = found.attempt(_first_of, x, y, sample_weight)
        return None if first is None else (first, None, None)
    given = [_stand_in(value) for value in (x, y, sample_weight)]
    try:
        arrays: Any = read_arrays(*given)[0]
    except ValueError:  # which may be one of several problems: part by part
        parts = [found.attempt(_converted, name, value) for name, value in zip(_NAMES, given, strict=True)]
        if parts[0] is None:
            return None
        found.attempt(same_length, [(n, p) for n, p in zip(_NAMES, parts, strict=True) if p is not None])
        arrays = tuple(parts)
    count = min([size, *(leaf.shape[0] for part in arrays for _, leaf in named_leaves(part, ""))])
    batch = tree.map_structure(lambda leaf: None if leaf is None else leaf[:count], arrays)
    return batch, _readable(y, arrays[1]), arrays


def batch_of(model: Any, x: Any, whole: bool = False) -> Any:
    """The first batch of data for a model, or all of it; large arrays are stood in for by ones that take no memory.

    Raises:
        ValueError: the data cannot be read.
    """
    if is_stream(x):
        return _first_of(x, None, None)[0]
    arrays = to_arrays(_stand_in(x), "x")
    samples = same_length([("x", arrays)])
    count = samples if whole else min(_batch_size(model), samples)
    return tree.map_structure(lambda leaf: leaf[:count], arrays)


def _converted(name: str, value: Any) -> Any:
    return to_arrays(value, name, may_lack=name == "sample_weight")


def _first_of(x: Any, y: Any, sample_weight: Any) -> Any:
    feed = make_feed(x, y, sample_weight)
    with contextlib.closing(feed):
        return feed.first()


def _stand_in(value: Any) -> Any:
    """Data with its large arrays replaced by ones of the same shape that take no memory."""
    if isinstance(value, Mapping):
        return {key: _stand_in(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)) and any(hasattr(entry, "shape") for entry in value):
        entries = [_stand_in(entry) for entry in value]
        return entries if isinstance(value, list) else tuple(entries)
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", np.dtype(object))
    is_plain = getattr(dtype, "kind", "") in tuple("biufcV") and not hasattr(value, "toarray")
    is_pandas = type(value).__module__.partition(".")[0] == "pandas"
    if not is_plain or is_pandas or not isinstance(shape, tuple) or not shape or 0 in shape:
        return value
    wanted = config.floatx() if jnp.issubdtype(dtype, jnp.floating) else jax.dtypes.canonicalize_dtype(dtype)
    return np.broadcast_to(np.zeros((), jnp.dtype(wanted)), shape)


def _readable(y: Any, stand_in: Any) -> Any:
    """The labels, as many as can be read quickly, in the structure of their stand-in."""
    if y is None or stand_in is None or len(tree.flatten(y)) != len(tree.flatten(stand_in)):
        return stand_in
    pairs = zip(tree.flatten(y), tree.flatten(stand_in), strict=True)
    return tree.unflatten_as(stand_in, [_first_rows(own, other) for own, other in pairs])


def _first_rows(labels: Any, stand_in: Any) -> Any:
    if not isinstance(labels, np.ndarray) or not labels.ndim:
        return stand_in
    rows = max(1, _CHEAP * len(labels) // max(labels.nbytes, 1))
    return np.asarray(labels[:rows])


# The model


@contextlib.contextmanager
def _set_aside(model: Any) -> Iterator[None]:
    """Inside, the optimizer makes nothing, and what was found before does not count; after, all is as it was."""
    if not isinstance(model, Model):
        yield
        return
    optimizer, specs, checked = model.optimizer, model._output_specs, model._programs.checked
    model.optimizer, model._programs.checked = None, set()
    try:
        yield
    finally:
        model.optimizer, model._output_specs, model._programs.checked = optimizer, specs, checked


@on_data
def _meet(model: Any, x: Any, batch: Any, labels: Any, arrays: Any, method: str, argument: str = "") -> None:
    """What `fit` does before it starts; without a method, what `predict` does."""
    if not isinstance(model, Model):
        shapes_of_call(model, batch[0])
        return
    if method:
        model._prepare(batch, method, labels)
    else:
        model._build_from(batch[0])
        model._check_inputs(batch[0])
        silent.data(model, (arrays or batch)[0])
    given = _readable(x, arrays[0]) if arrays is not None else batch[0]
    table_rows.check(model, given, written=arrays is not None and not argument)


def _go_on(found: Findings, model: Any, batch: Any, labels: Any) -> None:
    """Look for further problems after the first: each loss and metric by itself."""
    x, y, sample_weight = batch
    outputs = _outputs(found, model, x)
    if outputs is None or y is None:
        return
    advise = lambda error: label_advice.advise(error, model, tree.flatten(labels if labels is not None else y), x=x)  # noqa: E731
    loss, metrics = model._compile_loss, model._compile_metrics
    with as_compiled(model):
        if loss is not None:
            fit = len(found.problems)
            found.attempt(_check_losses, found, loss, y, outputs, sample_weight, advise)
            if len(found.problems) == fit:
                found.attempt(check_class_numbers, model, loss, y if labels is None else labels, outputs, x)
        if metrics is not None:
            found.attempt(_check_metrics, found, metrics, y, outputs, sample_weight, advise=advise)


@entry  # what does not fit was noted, with advice
def _outputs(found: Findings, model: Any, x: Any) -> Any:
    """Shapes of the outputs: of the data, or else as the model declares them."""
    try:
        with as_compiled(model):
            return shapes_of_call(lambda inputs: model(inputs, training=True), x)
    except Exception:  # noted before
        if model._graph is None:
            return None
    size = next((leaf.shape[0] for _, leaf in named_leaves(x, "x")), 32)
    shapes = [(size, *t.dims[1:]) for t in model.outputs]
    if not all(dims.is_known(d) for shape in shapes for d in shape):
        return None
    specs = {id(t): jax.ShapeDtypeStruct(s, t.spec.dtype) for t, s in zip(model.outputs, shapes, strict=True)}
    return jax.tree.map(lambda t: specs[id(t)], model._graph.outputs)


def _check_losses(found: Findings, loss: Any, y: Any, outputs: Any, sample_weight: Any, advise: Any) -> None:
    if not loss.built:
        loss.build(outputs)
    truths = compiled.match("y", y, outputs, loss.names)
    weights = compiled.spread("sample_weight", sample_weight, outputs, loss.names)
    entries = zip(loss.names, loss.losses, truths, jax.tree.leaves(outputs), weights, strict=True)
    for name, function, truth, predicted, weight in entries:
        if function is None:
            continue
        call = functools.partial(_call_loss, function, name)
        before = len(found.problems)
        found.attempt(shapes_of_call, call, truth, predicted, None, advise=advise)
        if weight is not None and len(found.problems) == before:
            found.attempt(shapes_of_call, call, truth, predicted, weight, advise=advise)


def _call_loss(loss: Any, output: str, truth: Any, predicted: Any, weight: Any) -> Any:
    return compiled.call_loss(loss, truth, predicted, weight, output)


def _check_metrics(found: Findings, metrics: Any, y: Any, outputs: Any, sample_weight: Any) -> None:
    if not metrics.built:
        shapes_of_call(metrics.build, y, outputs)
    entries = metrics.entries
    try:
        for entry in entries:
            metrics.entries = [entry]
            found.attempt(shapes_of_call, metrics.update_state, y, outputs, sample_weight)
    finally:
        metrics.entries = entries


def shapes_of_call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Shapes of what a function gives for arguments of which only the shapes matter."""

    def run(*tensors: Any) -> Any:
        with StateScope(may_create=True):
            return function(*tensors)

    specs = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, jax.dtypes.canonicalize_dtype(a.dtype)), arguments)
    return jax.eval_shape(run, *specs)
