"""Models whose outputs do not have one row for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from lamina.advice.origins import describe
from lamina.core.symbolic import KerasTensor
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError, warn


def check(model: Any, x: Any, outputs: Any) -> None:
    """Warn where an output of a model does not have one row for each sample.

    Args:
        model: the model.
        x: one batch of its inputs.
        outputs: shapes of what it gives for them.
    """
    graph = getattr(model, "_graph", None)
    if graph is not None:
        wrong = [t for t in graph.output_tensors if _leaves_batch(t, graph.input_tensors)]
        if wrong:
            culprit = _where_batch_ends(graph.nodes, graph.input_tensors)
            _warn_of_rows(model, culprit, wrong[0].dims)
        return
    samples = next((leaf.shape[0] for leaf in jax.tree.leaves(x) if len(leaf.shape)), None)
    for leaf in jax.tree.leaves(outputs) if samples is not None else ():
        if len(leaf.shape) and leaf.shape[0] != samples:
            _warn_of_rows(model, None, ("batch", *leaf.shape[1:]), f"{samples} samples give {leaf.shape[0]} rows")
            return


def _leaves_batch(tensor: KerasTensor, inputs: Sequence[KerasTensor]) -> bool:
    """Whether the first axis is surely not that of the samples."""
    if not tensor.ndim or any(t.ndim and t.dims[0] == tensor.dims[0] for t in inputs):
        return False
    first = tensor.dims[0]
    known = {name for t in inputs for name in dims.symbols(t.dims)}
    return dims.is_known(first) or set(dims.symbols([first])) <= known


def _where_batch_ends(nodes: Sequence[Any], inputs: Sequence[KerasTensor]) -> Any:
    """The last call whose inputs have the batch in front and whose output has not."""
    for node in reversed(nodes):
        outputs = [t for t in jax.tree.leaves(node.outputs) if isinstance(t, KerasTensor)]
        if any(_leaves_batch(t, inputs) for t in outputs) and not any(_leaves_batch(t, inputs) for t in node.inputs):
            return node
    return None


def _warn_of_rows(model: Any, node: Any, shape: Sequence[Any], counted: str = "") -> None:
    operation: Any = getattr(node, "operation", None)
    who = describe(operation) if hasattr(operation, "name") else getattr(node, "name", f'"{model.name}"')
    what = counted or f"the output has the shape {dims.show_shape(shape)}"
    if type(operation).__name__ == "Concatenate":
        fixes = [Fix("join features", f'axis=-1 in "{operation.name}"')]
        warn(f"{who} mixes the samples of a batch along axis 0, and does not give one row for each: {what}", fixes)
        return
    kept = "; reshape to (ops.shape(x)[0], ...), and reduce along axis=1 and up" if node is not None else ""
    warn(f"{who} mixes the samples of a batch and does not give one row for each: {what}{kept}")


def say_where(error: ShapeError, model: Any) -> None:
    """Add to an error about the number of predictions which layer mixes the samples, where that can be seen."""
    graph = getattr(model, "_graph", None)
    if graph is None:
        return
    node = _where_batch_ends(graph.nodes, graph.input_tensors)
    if node is None:
        return
    who = describe(node.operation) if hasattr(node.operation, "name") else node.name
    given, made = (", ".join(dims.show_shape(t.dims) for t in ts) for ts in (node.inputs, _tensors(node.outputs)))
    error.about(notes=[("mixed by", f"{who}, which makes {made} of {given}: it must keep the batch in front")])


def _tensors(structure: Any) -> list[KerasTensor]:
    return [t for t in jax.tree.leaves(structure) if isinstance(t, KerasTensor)]
