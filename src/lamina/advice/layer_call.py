"""Advice for a layer call that failed: who was called with what, and the repairs that fit."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lamina.advice import inner, names, products, trying
from lamina.advice.candidates import custom, merges, nested, operations, ranks, sizes, states, windows
from lamina.advice.candidates.case import Case
from lamina.advice.data import Meeting
from lamina.core import context, symbolic
from lamina.core.symbolic import has_symbolic
from lamina.shapes.errors import CallSite, Fix, ShapeError, is_internal

F = TypeVar("F", bound=Callable[..., Any])

#: Whether failures of the advice itself are kept from the user (tests want to see them).
FORGIVING = True
_MOST = 3
_entries: set[Any] = {trying.traced.__code__}
_GENERATORS = (
    custom.wrong_statistics, merges.as_list, merges.one_of_several, merges.with_itself, nested.other_shape,
    states.unknown_batch, states.wrong_state,
    states.wrong_attention_mask, custom.wrong_output_shape, custom.fixed_batch,
    custom.in_call, states.wrong_mask,
    ranks.too_few, ranks.too_many, windows.too_large, sizes.open_sizes, sizes.wrong_total, sizes.wrong_units,
    merges.misfit,
)  # fmt: skip


@dataclass
class Origin:
    """The innermost layer call that failed."""

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    was_built: bool


def entry(function: F) -> F:
    """Mark a function through which users call: advice is given where the outermost of them is left."""
    _entries.add(function.__code__)
    return function


def failed(error: ShapeError, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], was_built: bool) -> None:
    """Attach repairs to an error that leaves a layer's call.

    Args:
        error: the error.
        layer: the layer.
        args, kwargs: what it was called with.
        was_built: whether it had its weights before the call.
    """
    if "_origin" not in error.__dict__:
        error.__dict__["_origin"] = Origin(layer, args, kwargs, was_built)
        _say_where_made(error, layer)
    frame = sys._getframe(1)
    if _is_outermost(frame):
        x = args[0] if args else next(iter(kwargs.values()), None)
        if has_symbolic((args, kwargs)):
            advise(error, layer, args, kwargs, was_built)
        else:
            meeting = Meeting(layer, x, was_built, _calling_site(frame), others=(args[1:], kwargs if args else {}))
            advise(error, layer, args, kwargs, was_built, meeting)


def _say_where_made(error: ShapeError, layer: Any) -> None:
    """The line that the layer was made in, where it is not that of the call."""
    made = getattr(layer, "_made_at", None)
    site = error.call_site
    if made is not None and (site is None or made != (site.file, site.line)):
        own = CallSite.at(*made)
        error.about(notes=[("made here", f"{own.source}   {own}")])


def on_data(method: F) -> F:
    """Let a method of a model that takes data as its first argument advise on that data where it does not fit."""

    @functools.wraps(method)
    def advising(self: Any, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        was_built = bool(self.built)
        try:
            return method(self, x, *args, **kwargs)
        except ShapeError as error:
            frame = sys._getframe()
            if "_origin" in error.__dict__ and _is_outermost(frame):
                if error.summary.startswith("`validation_data`"):
                    meeting = _validation_meeting(self, kwargs.get("validation_data"), _calling_site(frame))
                elif kwargs.get("argument") == "validation_data":  # looked at by itself
                    meeting = _validation_meeting(self, (x,), _calling_site(frame))
                else:
                    meeting = Meeting(self, x, was_built, _calling_site(frame), _samples(args, kwargs))
                    meeting.labels = getattr(args[0] if args else kwargs.get("y"), "shape", None)
                advise(error, self, (x,), {}, was_built, meeting)
            raise

    _entries.add(advising.__code__)  # type: ignore[attr-defined]
    return advising  # type: ignore[return-value]


def _validation_meeting(model: Any, data: Any, site: CallSite | None) -> Meeting | None:
    """The model and the data to validate on, where that is given as ``(x, y)``."""
    if not isinstance(data, (tuple, list)) or not data:
        return None
    written = (k.value for call in names.calls(site, "fit") for k in call.keywords if k.arg == "validation_data")
    node = next(written, None)
    given = names.elements(node) or [names.indexed(names.short(node) or "validation_data", "[0]")]
    meeting = Meeting(model, data[0], True, site, _samples(tuple(data[1:2]), {}))
    meeting.called = given[0] or "validation_data[0]"
    return meeting


def _samples(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """How many labels there are, where they are an array."""
    y = args[0] if args else kwargs.get("y")
    shape: Any = getattr(y, "shape", ())
    return int(shape[0]) if len(shape) else None


def _is_outermost(frame: Any) -> bool:
    """Whether no call that gives advice itself leads to this one."""
    outer = frame.f_back
    while outer is not None:
        if outer.f_code in _entries:
            return False
        outer = outer.f_back
    return True


def advise(
    error: ShapeError,
    outer: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    was_built: bool,
    meeting: Meeting | None = None,
) -> None:
    """Look for repairs, and attach the best to the error."""
    origin: Origin = error.__dict__.pop("_origin")
    if context.state.allowance is not None:
        return  # a file is being read: there is no program to repair
    products.advise(error)
    if error.fixes:
        return
    try:
        near = getattr(error, "sizes_that_fit", ())
        of_data = meeting.fixes() if meeting is not None else iter(())
        of_data = itertools.chain(meeting.resized(near) if meeting is not None and near else (), of_data)
        case = _case(error, origin, outer, args, kwargs, was_built)
        on_layer = case_fixes(case) if case is not None else iter(())
        is_first = case is None or not case.trial.layers_before()
        found = best(itertools.chain(of_data, on_layer) if is_first else _alternate(on_layer, of_data))
    except Exception:
        if not FORGIVING:
            raise
        return  # advice is a service: an error without it is better than another error
    if found:
        error.with_fixes(found)


def operation_failed(error: ShapeError, operation: Any, args: Any, kwargs: Any) -> None:
    """Attach repairs to an error of a function of symbolic tensors, such as ``a + b``."""
    try:
        products.advise(error)
        if not error.fixes:
            found = operations.repairs(error, operations.Operation(operation, args, kwargs))
            error.with_fixes(best(fix for fix in found if fix is not None))
    except Exception:
        if not FORGIVING:
            raise  # advice is a service: an error without it is better than another error


symbolic.on_failure.append(operation_failed)


def _case(
    error: ShapeError, origin: Origin, outer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], was_built: bool
) -> Case | None:
    symbolic = has_symbolic((origin.args, origin.kwargs))
    if symbolic or origin.layer is outer:
        if not symbolic and getattr(origin.layer, "_graph", None) is not None:
            return None
        trial = trying.Trial(origin.layer, origin.args, origin.kwargs, origin.was_built)
        if outer is not origin.layer:  # inputs that no Input of the user's stands for
            trial.sources = list  # type: ignore[method-assign]
        return Case(error, trial)
    return Case(error, inner.InnerTrial(origin, outer, args, kwargs, was_built))


def case_fixes(case: Case) -> Iterator[Fix]:
    """Repairs of a layer call, the likeliest first."""
    for generate in _GENERATORS:
        for fix in generate(case):
            if fix is not None:
                yield fix


def best(fixes: Iterable[Fix]) -> list[Fix]:
    """The first three that differ."""
    found: dict[str, Fix] = {}
    for fix in fixes:
        found.setdefault(fix.code, fix)
        if len(found) == _MOST:
            break
    return [
        replace(fix, title=("or " if i else "") + fix.title.removeprefix("or ")) for i, fix in enumerate(found.values())
    ]


def _alternate(first: Iterator[Fix], second: Iterator[Fix]) -> Iterator[Fix]:
    yield from itertools.islice(first, 2)
    yield from itertools.islice(second, 1)
    yield from first
    yield from second


def _calling_site(frame: Any) -> CallSite | None:
    """The user's line that leads to a call of the library."""
    while frame is not None and is_internal(frame.f_code.co_filename):
        frame = frame.f_back
    return CallSite.of_frame(frame) if frame is not None else None
