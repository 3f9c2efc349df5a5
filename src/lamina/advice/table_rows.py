"""Numbers that an `Embedding` has no row for: jax would go on with undefined vectors.

Looked at in data that lies in the host's memory, where the layer reads an input of the model as it comes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from lamina.advice import names, trying
from lamina.advice.origins import describe, kinds
from lamina.core import context, tree
from lamina.core.symbolic import KerasTensor
from lamina.core.variable import StateScope
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError, call_site, warn

_METHODS = ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch")
_ALL = 2**27  # values; of more, and of files mapped into memory, only the first rows are read
_ROWS = 1000


def check(model: Any, x: Any, written: bool = True) -> None:
    """Refuse numbers that a table has no row for; warn of fractions, which are cut off.

    Args:
        model: a model whose weights are made.
        x: its inputs, as far as they are at hand.
        written: whether they are what the user wrote as `x`, and not of a stream or given to be validated on.

    Raises:
        ShapeError: a number is not below the layer's `input_dim`, or far below zero.
    """
    if not any("Embedding" in kinds(layer) for layer in model._flatten_layers()):
        return
    leaves = _in_order(model, x)
    arrays: list[Any] = [leaf if _is_readable(leaf) else None for leaf in leaves]
    if any(array is not None for array in arrays):
        for layer, place in dict.fromkeys(_readers(model, x)):
            if place < len(arrays) and arrays[place] is not None:
                name = functools.partial(_name, model, x, place, len(leaves)) if written else str
                _check_rows(model, layer, place, _part(arrays[place]), name)


def _in_order(model: Any, x: Any) -> list[Any]:
    """The arrays in the order of the model's inputs."""
    wanted = getattr(getattr(model, "_graph", None), "input_names", [])
    return [x[name] for name in wanted] if isinstance(x, dict) and wanted and set(wanted) <= set(x) else tree.flatten(x)


def _is_readable(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.size > 0 and leaf.dtype.kind in "iuf"


def _part(values: np.ndarray) -> np.ndarray:
    return values if values.size <= _ALL and not isinstance(values, np.memmap) else values[:_ROWS]


def _name(model: Any, x: Any, place: int, count: int) -> str:
    """What the user calls one of the inputs."""
    for call in names.calls(call_site(), *_METHODS):
        node = names.argument_node(call, "x", 0)
        parts = names.elements(node)
        if count > 1 and len(parts) == count and parts[place]:
            return parts[place]
    called = names.argument(call_site(), _METHODS, "x", 0)
    key: Any = place
    if isinstance(x, dict):
        wanted = getattr(getattr(model, "_graph", None), "input_names", [])
        key = wanted[place] if set(wanted) <= set(x) and wanted else sorted(x)[place]
    return called if count == 1 and not isinstance(x, dict) else names.indexed(called, f"[{key!r}]")


def _readers(model: Any, x: Any) -> Iterator[tuple[Any, int]]:
    """The tables that read an input of the model as it comes, each with the place of that input."""
    graph = getattr(model, "_graph", None)
    if graph is not None:
        yield from _in_graph(graph, list(range(len(graph.input_tensors))))
    else:
        yield from _in_call(model, x)


def _in_graph(graph: Any, places: list[int]) -> Iterator[tuple[Any, int]]:
    known = {id(t): place for t, place in zip(graph.input_tensors, places, strict=True)}
    for node in graph.nodes:
        reads = [known.get(id(t)) for t in node.inputs]
        places = [place for place in reads if place is not None]
        inner = getattr(node.operation, "_graph", None)
        if not places or len(places) < len(reads):
            continue
        if inner is not None and len(inner.input_tensors) == len(reads):
            yield from _in_graph(inner, places)
        elif hasattr(node.operation, "_nodes") and "Embedding" in kinds(node.operation):
            yield node.operation, places[0]


def _in_call(model: Any, x: Any) -> Iterator[tuple[Any, int]]:
    """By calling the model on shapes, and watching."""
    leaves = tree.flatten(x)
    found: list[tuple[Any, int]] = []

    def run(*values: Any) -> Any:
        def observer(operation: Any, _: str, inputs: Any) -> Callable[[Any], None] | None:
            given = [leaf for leaf in jax.tree.leaves(inputs) if hasattr(leaf, "shape")]
            if hasattr(operation, "_nodes") and "Embedding" in kinds(operation):
                found.extend((operation, i) for i, value in enumerate(values) if given and given[0] is value)
            return None

        with context.observing(observer), StateScope(may_create=True, abstract=True):
            return model._run(tree.unflatten_as(x, list(values)))[0]

    trying.traced(run, *map(trying.spec_of, leaves))
    yield from found


def _check_rows(model: Any, layer: Any, place: int, values: np.ndarray, name: Callable[[], str]) -> None:
    rows = layer.input_dim
    low, high = values.min(), values.max()
    if low < -rows or high >= rows:
        called = name()
        what = called or "the data"
        wrong = low if low < -rows else high
        error = ShapeError(
            f"{describe(layer)}: {what} holds {wrong:g}, and its table has "
            f"{f'the rows 0 to {rows - 1}' if rows > 1 else 'one row, 0'}",
            layer=layer.name,
            expected=f"whole numbers from 0 to {rows - 1}: input_dim={rows}",
            received=f"{what} {dims.show_shape(values.shape)} with numbers from {low:g} to {high:g}",
        )
        raise error.with_fixes(list(_repairs(model, layer, int(low), int(np.floor(high)), called)))
    if values.dtype.kind == "f":
        part = values[:_ROWS]
        odd = part[np.isfinite(part) & (part != np.trunc(part))]
        if odd.size:
            what, shape = name() or "the data", dims.show_shape((None, *values.shape[1:]))
            warn(
                f"{describe(layer)}: {what} of shape {shape} holds {odd.flat[0]:g}; the layer looks up rows by their "
                f"number, and cuts fractions off",
                [fix for fix in _without(model, layer, place) if fix is not None][:2],
            )


def _repairs(model: Any, layer: Any, low: int, high: int, called: str) -> Iterator[Fix]:
    if high >= layer.input_dim:
        if _is_tried(model, layer, trying.fresh(layer, input_dim=high + 1)):
            title = f"make the table one row longer than the largest number, {high}"
            yield Fix(title, f'input_dim={high + 1} in "{layer.name}"')
        if called and low == 1 and high == layer.input_dim and not layer.mask_zero:
            yield Fix("or count from 0", names.changed(called, names.indexed(called, "") + " - 1"))


def _without(model: Any, layer: Any, place: int) -> Iterator[Fix | None]:
    """The model with a layer for measurements in place of the table."""
    sample = trying.shape_of(model._graph.input_tensors[place])[1:] if getattr(model, "_graph", None) else ()
    codes = [f"layers.Dense({layer.output_dim})"]
    if sample and all(map(dims.is_known, sample)):
        codes.insert(0, f"layers.Reshape({(*map(int, sample), 1)})")
    for code, title in zip(codes, ("for measurements, which need no table", "or mix them"), strict=False):
        with trying.quiet():
            new = trying.evaluate(code)
        result = _output(model, layer, new)
        if result is not None:
            yield Fix(title, f'{code} instead of {type(layer).__name__} "{layer.name}"', trying.shown(result))


def _is_tried(model: Any, layer: Any, new: Any) -> bool:
    """Whether the model takes another table; one whose calls are not known takes it as it took the first."""
    return new is not None and (getattr(model, "_graph", None) is None or _output(model, layer, new) is not None)


def _output(model: Any, layer: Any, new: Any) -> Any:
    """What the model gives with another layer in place of the table."""
    graph = getattr(model, "_graph", None)
    if graph is None or new is None:
        return None
    tensors: list[KerasTensor] = graph.output_tensors
    result = trying.Trial(_identity, (tensors,), {}, True).attempt(changes={layer: new})
    if result is None or [len(r.shape) for r in jax.tree.leaves(result)] != [len(t.dims) for t in tensors]:
        return None
    return result


def _identity(x: Any) -> Any:
    return x
