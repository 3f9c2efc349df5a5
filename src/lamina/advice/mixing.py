"""Functions in a `Lambda` in which each sample's result depends on the other samples of its batch.

``t / ops.max(t)`` divides by the largest number of all samples. A model with that gives another answer for the same
sample in another batch, though all shapes are right.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import jax

from lamina.advice import own_code
from lamina.advice.broadcasting import equations
from lamina.advice.names import function_name
from lamina.core.variable import StateScope
from lamina.shapes import dims
from lamina.shapes.errors import Fix, warnings_said

_REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min", "reduce_prod")
_FUNCTIONS = ("max", "min", "mean", "sum", "std", "var", "prod", "median", "logsumexp")


def look(layer: Any, shape: tuple[Any, ...]) -> tuple[str, list[Fix]] | None:
    """What to say of a `Lambda` called on a tensor of that shape; ``None`` if it keeps the samples apart.

    Args:
        layer: the layer.
        shape: of its one input, whose first axis is that of the samples.
    """
    if len(shape) < 2 or str(shape[0]) != str(dims.BATCH) or not _mixes(layer.function, layer, shape):
        return None
    shown = dims.show_shape(dims.to_public(shape))
    changed = own_code.changed(layer.function, lambda node: _all_apart(node, len(shape)))
    fixes = []
    if changed is not None and _mixes(changed[0], layer, shape) is False:
        fixes = [Fix("keep to each sample", changed[1], shown)]
    return (
        f'Lambda "{layer.name}" reduces {shown} along axis 0, that of the samples, and uses the result in each: what a '
        f"sample gives depends on the others in its batch",
        fixes,
    )


def _mixes(function: Callable[..., Any], layer: Any, shape: tuple[Any, ...]) -> bool | None:
    """Whether all samples are put together on the way to a result for each; ``None`` if that cannot be seen."""

    def run(tensor: Any) -> Any:
        with StateScope(may_create=True, abstract=True):
            return function(tensor, **layer.arguments)

    said = warnings_said()
    try:
        traced = jax.make_jaxpr(run)(jax.ShapeDtypeStruct(shape, "float32"))
    except Exception:  # it wants another type, or to know a size
        return None
    if warnings_said() != said:
        return None  # an operation inside has told of it
    kept = [value.aval.shape for value in traced.jaxpr.outvars]
    if any(len(own) == 0 or str(own[0]) != str(dims.BATCH) for own in kept):
        return None
    return any(_takes_all(equation) for equation in equations(traced.jaxpr))


def _takes_all(equation: Any) -> bool:
    """Whether a step reduces the axis of the samples."""
    if equation.primitive.name not in _REDUCTIONS or 0 not in equation.params.get("axes", ()):
        return False
    given = equation.invars[0].aval.shape
    return len(given) > 1 and str(given[0]) == str(dims.BATCH)


def _all_apart(node: ast.AST, rank: int) -> str:
    """The same for all steps of a function, each once."""
    if not isinstance(node, (ast.Lambda, ast.FunctionDef)):
        return ""
    return " and ".join(dict.fromkeys(filter(None, (_apart(inner, rank) for inner in ast.walk(node)))))


def _apart(node: ast.AST, rank: int) -> str:
    """Reduce the axes of each sample in place of all of them."""
    if not isinstance(node, ast.Call) or function_name(node) not in _FUNCTIONS or len(node.args) != 1:
        return ""
    axis = next((k.value for k in node.keywords if k.arg == "axis"), None)
    if axis is not None and not (isinstance(axis, ast.Constant) and axis.value == 0):
        return ""
    own = ast.Constant(-1) if rank == 2 else ast.Tuple([ast.Constant(i) for i in range(1, rank)], ast.Load())
    kept = [k for k in node.keywords if k.arg not in ("axis", "keepdims")]
    node.keywords = [*kept, ast.keyword("axis", own), ast.keyword("keepdims", ast.Constant(True))]
    return ast.unparse(node)
