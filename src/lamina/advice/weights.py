"""Repairs for sample weights that do not fit the values of a loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from lamina.advice import names, trying
from lamina.losses.base import reduce_weighted
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError

Shape = tuple[Any, ...]

_MOST = 3
_PLACES = {"check": 2, "fit": 10, "evaluate": 4, "train_on_batch": 2, "test_on_batch": 2}


def advise(error: ShapeError) -> None:
    """Attach repairs to an error about sample weights; others are left as they are."""
    shapes = getattr(error, "weights", None)
    if shapes is None or error.fixes:
        return
    values, weights = shapes
    if not all(map(dims.is_known, (*values, *weights))):
        return
    called = _name(error)
    target = called if called.isidentifier() else "sample_weight"
    fixes = [fix for fix in _candidates(called, target, values, weights, error.layer or "the loss") if fix is not None]
    if fixes:
        first = replace(fixes[0], title=fixes[0].title.removeprefix("or "))
        error.with_fixes([first, *fixes[1:_MOST]])


def _name(error: ShapeError) -> str:
    """What the user calls the weights."""
    for call in names.calls(error.call_site, *_PLACES):
        node = names.argument_node(call, "sample_weight", _PLACES[names.function_name(call)])
        if node is not None:
            return names.short(node) or "sample_weight"
    return "sample_weight"


def _candidates(called: str, target: str, values: Shape, weights: Shape, loss: str) -> Iterator[Fix | None]:
    if values and weights and values[0] != weights[0]:
        yield from _other_values(values, weights, loss)
        return
    rest = values[1:]
    if len(weights) > 1 and len(rest) and np.prod(weights[1:]) == np.prod(rest):
        code = f"{target} = {called}.reshape({', '.join(map(str, (-1, *rest)))})"
        yield _fitting("give the weights the shape of the places", code, values, (weights[0], *rest))
    if len(weights) == 3 and sorted(weights[1:]) == sorted(rest):
        yield _fitting("swap their axes", f"{target} = {called}.transpose(0, 2, 1)", values, (weights[0], *rest))
    if len(weights) > 1:
        axes = tuple(range(1, len(weights)))
        code = f"{target} = {called}.mean(axis={axes[0] if len(axes) == 1 else axes})"
        yield _fitting("or take one weight per sample", code, values, weights[:1])
    if len(weights) == 2 and not rest:
        yield _fitting("or keep the weights of the last step", f"{target} = {called}[:, -1]", values, weights[:1])


def _other_values(values: Shape, weights: Shape, loss: str) -> Iterator[Fix | None]:
    """A loss that gives more or fewer values than there are samples."""
    if weights[0] % values[0] == 0:
        times = weights[0] // values[0]
        code = f"return ops.repeat(values, {times}, axis=0)"
        yield _fitting(f"let {loss} give one value per sample", code, weights[:1], weights)
    if values[0] % weights[0] == 0:
        code = f"return ops.mean(ops.reshape(values, ({weights[0]}, -1)), axis=-1)"
        yield _fitting(f"let {loss} give one value per sample", code, weights[:1], weights)
    yield _fitting("or one number for the whole batch, a scalar", "return ops.mean(values)", (), weights)
    yield _fitting("or do without weights", "sample_weight=None", values, None)


def _fitting(title: str, code: str, values: Shape, weights: Shape | None) -> Fix | None:
    """The repair, if weights of that shape (or none) go with such values."""
    specs = [jax.ShapeDtypeStruct(shape, "float32") for shape in (values, weights) if shape is not None]
    if trying.traced(lambda v, w=None: reduce_weighted(v, w, None, "sum_over_batch_size"), *specs) is None:
        return None
    shown = (None, *weights[1:]) if weights else ()
    return Fix(title, code, dims.show_shape(shown) if values and weights is not None else "()")
