"""Advice for weights that do not fit the layers they are given to."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from lamina.advice import names, trying
from lamina.core.variable import StateScope
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError

_MOST = 3


def advise(error: ShapeError, model: Any, shapes: Sequence[tuple[int, ...]]) -> ShapeError:
    """Attach repairs to an error of `set_weights`.

    Args:
        error: the error.
        model: the layer or model whose weights were to be set.
        shapes: shapes of the values that were given.
    """
    try:
        return error.with_fixes(list(_fixes(error, model, [tuple(s) for s in shapes]))[:_MOST])
    except Exception:  # advice is a service: an error without it is better than another error
        return error


def _fixes(error: ShapeError, model: Any, shapes: list[tuple[int, ...]]) -> Iterator[Fix]:
    new = _owner(error)
    own = [tuple(v.shape) for v in model.weights]
    parts = [layer for layer in getattr(model, "layers", []) if layer.weights]
    if len(shapes) == len(own):
        yield from _other_units(model, parts, own, shapes)
        if new and len(parts) > 1:
            yield from _all_but_the_last(parts, own, shapes, new, _given(error))
        if new and sorted(own) == sorted(shapes):
            code = f"{new}.set_weights([{names.indexed(_called(error), '[i]')} for i in {_order(own, shapes)}])"
            yield Fix("the same weights, in this layer's order", code)
        if new and [s[::-1] if len(s) == 2 else s for s in shapes] == own:
            parts = names.elements(_given(error))
            turned = [names.indexed(p, ".T" * (len(s) == 2)) for p, s in zip(parts, shapes, strict=False)]
            listed = ", ".join(turned) if len(parts) == len(shapes) and all(parts) else f"w.T for w in {_called(error)}"
            yield Fix("the matrices are transposed", f"{new}.set_weights([{listed}])")
    else:
        yield from _other_number(model, own, shapes, new, _called(error))


def _built(model: Any, shapes: list[tuple[int, ...]], new: str) -> Iterator[Fix]:
    """An input shape for which a layer that has no weights yet gets these."""
    sizes = [s[-2] if len(s) > 1 else s[-1] for s in shapes[:1] if s]
    if not re.fullmatch(r"[\w.]+", new):
        return
    for rank, size in itertools.product((2, 3, 4, 5), sizes):
        copy = trying.copy_of(model)
        shape = (None,) * (rank - 1) + (int(size),)
        with trying.quiet(), StateScope(may_create=True, abstract=True):
            try:
                copy.build(shape)
            except Exception:
                continue
        if [tuple(v.shape) for v in copy.weights] == shapes:
            yield Fix("make its weights first", f"{new}.build({shape})", dims.show_shape(shape))
            return


def _owner(error: ShapeError) -> str:
    """What the user calls the layer or model; nothing if it comes from a file, or has no name."""
    for call in names.calls(error.call_site, "set_weights"):
        return names.short(getattr(call.func, "value", None)) or ""
    return ""


def _given(error: ShapeError) -> ast.expr | None:
    """What was written for the weights."""
    call = next(iter(names.calls(error.call_site, "set_weights")), None)
    return names.argument_node(call, "weights", 0) if call is not None else None


def _called(error: ShapeError) -> str:
    """What the user calls the weights."""
    return names.short(_given(error)) or "weights"


def _all_but_the_last(
    parts: list[Any], own: list[Any], shapes: list[Any], new: str, given: ast.expr | None
) -> Iterator[Fix]:
    """The layers before the head, whose weights fit."""
    head = len(parts[-1].weights)
    if own[:-head] == shapes[:-head]:
        function = given.func if isinstance(given, ast.Call) else None
        called = (
            names.short(function.value)
            if isinstance(function, ast.Attribute) and function.attr == "get_weights"
            else ""
        )
        old = called or ("old" if new != "old" else "other")
        code = f"for a, b in zip({new}.layers[:-1], {old}.layers[:-1]): a.set_weights(b.get_weights())"
        yield Fix(f'set all but the last layer, "{parts[-1].name}", which stays new', code)


def _other_units(model: Any, parts: list[Any], own: list[Any], shapes: list[Any]) -> Iterator[Fix]:
    """One layer with as many outputs as the weights have."""
    start = 0
    for layer in parts or [model]:
        count = len(layer.weights)
        given, has = shapes[start : start + count], own[start : start + count]
        start += count
        if given == has or not given[0]:
            continue
        if hasattr(layer, "input_dim") and len(given[0]) == 2:
            rows, width = map(int, given[0])
            code = f"layers.Embedding({rows}, {width})"
            yield Fix(f'make "{layer.name}" for a table of {rows} rows', code, f"({rows}, {width})")
            return
        argument = next((n for n in ("units", "filters") if hasattr(layer, n)), None)
        if argument is None or layer._build_shape is None:
            return
        size = int(given[-1][-1])
        new = trying.fresh(layer, **{argument: size})
        with trying.quiet():
            new.build(layer._build_shape)
        if [tuple(v.shape) for v in new.weights] == given and shapes[start:] == own[start:]:
            title = f'give "{layer.name}" as many outputs as the weights have'
            yield Fix(title, f'{argument}={size} in "{layer.name}"', f"{type(layer).__name__}({size})")
        return


def _order(own: list[Any], shapes: list[Any]) -> list[int]:
    """Which of the values goes to each weight."""
    free = list(range(len(shapes)))
    order = []
    for shape in own:
        at = next(i for i in free if shapes[i] == shape)
        free.remove(at)
        order.append(at)
    return order


def _other_number(model: Any, own: list[Any], shapes: list[Any], new: str, called: str) -> Iterator[Fix]:
    if not own and not model.built:
        yield from _built(model, shapes, new)
    if len(shapes) == len(own) - 1 and own[:-1] == shapes and getattr(model, "use_bias", False):
        yield Fix("these are the weights of a layer without a bias", f'use_bias=False in "{model.name}"')
    elif new and own and len(shapes) > len(own) and shapes[: len(own)] == own:
        yield Fix("use those that belong here", f"{new}.set_weights({names.indexed(called, f'[:{len(own)}]')})")
