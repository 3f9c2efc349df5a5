"""Losses and metrics of a user's own in which every sample meets every other by accident.

``y_true - y_pred`` of shapes ``(batch,)`` and ``(batch, 1)`` is ``(batch, batch)``, and its mean is a number like any
other. The function is traced with an open batch; if a tensor with two batch axes appears, and none does once labels
or predictions have lost or gained an axis of size 1, then the pairs were not meant. Where samples are compared on
purpose (contrastive and ranking losses), they are so in every form of the labels.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from lamina.advice import names
from lamina.core.variable import StateScope
from lamina.shapes import dims
from lamina.shapes.errors import CallSite, Fix, is_internal, warn

Shape = tuple[Any, ...]

_BATCHES = (dims.BATCH, 5040)  # an open size; where the code wants to know it, one with many divisors


@dataclass(frozen=True)
class _Form:
    """Labels and predictions in one shape, and what to write for it."""

    fix: Fix | None
    true: Shape
    pred: Shape


def check_function(name: str, function: Callable[..., Any], y: str, true: Any, pred: Any, direct: bool) -> None:
    """Warn if a loss or metric compares all pairs of samples only because of an axis of size 1.

    Args:
        name: what it is called.
        function: takes labels and predictions as the user's code sees them.
        y: what the user calls the labels.
        true: shape and type of the labels of one batch.
        pred: those of the predictions.
        direct: whether labels reach the function in the shape of the data.
    """
    if not true.shape or not pred.shape or true.shape[0] != pred.shape[0]:
        return
    pairs = _pairs(function, true, pred, true.shape, pred.shape)
    if pairs is None or not pairs.found:
        return
    for form in _forms(y, true.shape, pred.shape, direct, _parameters(function)):
        other = _pairs(function, true, pred, form.true, form.pred)
        if other is not None and not other.found:
            n = true.shape[0]
            where = f" ({pairs.site})" if pairs.site is not None else ""
            warn(
                f"{name}{where} compares every sample with every other: y_true {_shown(true.shape)} and y_pred "
                f"{_shown(pred.shape)} are broadcast to the shape ({n}, {n})",
                [form.fix] if form.fix is not None else [],
            )
            return


def _shown(shape: Shape) -> str:
    return dims.show_shape(shape)


def _parameters(function: Callable[..., Any]) -> tuple[str, str]:
    """What a loss or metric calls labels and predictions."""
    try:
        found = [p.name for p in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        found = []
    return (found[0], found[1]) if len(found) > 1 else ("y_true", "y_pred")


def _forms(y: str, true: Shape, pred: Shape, direct: bool, called: tuple[str, str]) -> Iterator[_Form]:
    """The labels and predictions with axes of size 1 added or dropped."""
    inner, predicted = called
    if len(true) == len(pred) - 1 and pred[-1] == 1:
        longer = (*true, 1)
        index = "[:, None]" if len(true) == 1 else "[..., None]"
        if direct:
            code = names.changed(y, names.indexed(y, index))
            yield _Form(Fix("give the labels the shape of the predictions", code, _shown(longer)), longer, pred)
        else:
            code = f"{inner} = ops.expand_dims({inner}, -1)"
            yield _Form(Fix("give the labels the axis too", code, _shown(longer)), longer, pred)
    if len(true) == len(pred) + 1 and true[-1] == 1 and direct:
        code = names.changed(y, names.indexed(y, "[..., 0]"))
        yield _Form(Fix("drop the labels' last axis", code, _shown(true[:-1])), true[:-1], pred)
    if len(true) > 1 and true[-1] == 1:
        code = f"{inner} = ops.squeeze({inner}, -1)"
        yield _Form(Fix("drop the labels' last axis in the function", code, _shown(true[:-1])), true[:-1], pred)
    if len(pred) > 1 and pred[-1] == 1:
        code = f"{predicted} = ops.squeeze({predicted}, -1)"
        yield _Form(Fix("drop the predictions' last axis in the function", code), true, pred[:-1])


@dataclass(frozen=True)
class _Pairs:
    """Whether a tensor with two batch axes was found, and the user's line that made it."""

    found: bool
    site: CallSite | None = None


def _pairs(function: Callable[..., Any], true: Any, pred: Any, true_shape: Shape, pred_shape: Shape) -> _Pairs | None:
    """Look for pairs of samples; ``None`` if the function cannot be traced in these shapes."""
    for batch in _BATCHES:
        specs = [
            jax.ShapeDtypeStruct((batch, *shape[1:]), jax.dtypes.canonicalize_dtype(x.dtype))
            for shape, x in ((true_shape, true), (pred_shape, pred))
        ]
        try:
            jaxpr = jax.make_jaxpr(_scoped(function))(*specs)
        except Exception:
            continue
        for equation in equations(jaxpr.jaxpr):
            if any(_has_two(v.aval.shape, batch) for v in equation.outvars if hasattr(v.aval, "shape")):
                return _Pairs(True, _user_line(equation))
        return _Pairs(False)
    return None


def _scoped(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(y_true: Any, y_pred: Any) -> Any:
        with StateScope(may_create=True, abstract=True):
            return function(y_true, y_pred)

    return run


def equations(jaxpr: Any) -> Iterator[Any]:
    """All steps of a computation, those of functions inside first."""
    for equation in jaxpr.eqns:
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda p: hasattr(p, "jaxpr") or hasattr(p, "eqns")
        ):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)
        yield equation


def _has_two(shape: Sequence[Any], batch: Any) -> bool:
    """Whether two axes run over the samples."""
    if isinstance(batch, int):
        return sum(size == batch for size in shape) > 1
    return sum("batch" in dims.symbols([size]) for size in shape) > 1


def _user_line(equation: Any) -> CallSite | None:
    traceback = getattr(getattr(equation, "source_info", None), "traceback", None)
    for frame in getattr(traceback, "frames", None) or ():
        if not is_internal(frame.file_name):
            return CallSite(frame.file_name, frame.line_num, "")
    return None


def is_users(function: Any) -> bool:
    """Whether a function, class or object was written by the user."""
    function = inspect.unwrap(function) if inspect.isfunction(function) else function
    module = getattr(function, "__module__", None) or type(function).__module__
    return not module.startswith(("lamina.", "jax.", "optax."))
