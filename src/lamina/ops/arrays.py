"""What every operation starts with: arguments turned into arrays, and errors for shapes that do not meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import config, dtypes, symbolic
from lamina.core.variable import Variable
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

_HOST = {"f": None, "i": "int32", "u": "int32", "b": "bool", "c": "complex64"}


def array(x: Any, dtype: Any = None) -> jax.Array:
    """`x` (array, variable, number or nested list) as an array; Python floats become the default float."""
    name = None if dtype is None else dtypes.canonical(dtype)
    if isinstance(x, Variable):
        x = x.value
    if isinstance(x, jax.Array):
        return x if name is None or x.dtype == name else x.astype(name)
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return jnp.asarray(x, dtype=name or jax.dtypes.canonicalize_dtype(x.dtype))
    if isinstance(x, (list, tuple)) and any(_is_device(leaf) for leaf in jax.tree.leaves(x)):
        joined = jnp.stack([array(item) for item in jnp.broadcast_arrays(*_promoted(x))])
        return joined if name is None else joined.astype(name)
    if type(x).__name__ == "_DimExpr":
        return jnp.asarray(x, dtype=name or "int32")
    try:
        host = np.asarray(x)
        kind = _HOST.get(host.dtype.kind)
    except ValueError as error:
        raise ValueError(f"{x!r} cannot be made an array: {error}") from None
    if host.dtype.kind not in "biufcV":
        raise ValueError(f"{x!r} (of type {type(x).__name__}) cannot be made an array of numbers")
    if host.size == 0 and not hasattr(x, "dtype"):
        kind = None
    return jnp.asarray(host, dtype=name or dtypes.canonical(kind))


def _is_device(leaf: Any) -> bool:
    return isinstance(leaf, (jax.Array, Variable)) or type(leaf).__name__ == "_DimExpr"


def _promoted(items: Sequence[Any]) -> list[jax.Array]:
    arrays = [array(item) for item in items]
    dtype = jnp.result_type(*arrays)
    return [a.astype(dtype) for a in arrays]


def operand(x: Any) -> Any:
    """Like `array`, but a Python number stays one: it takes the type of the array it meets."""
    return x if type(x) in (bool, int, float, complex) or type(x).__name__ == "_DimExpr" else array(x)


def operands(*xs: Any) -> list[Any]:
    """The arguments of a function of several tensors; of numbers alone, arrays."""
    found = [operand(x) for x in xs]
    return found if any(isinstance(x, jax.Array) for x in found) else [array(x) for x in xs]


def floats(x: Any) -> jax.Array:
    """`x` as an array of a floating (or complex) type: whole numbers and booleans in the default float."""
    x = array(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(config.floatx())


def common(*xs: Any) -> Any:
    """Arrays in the type that they have in common."""
    found = operands(*xs)
    dtype = dtypes.result_type(*found)
    return [array(x).astype(dtype) for x in found]


def unary(
    name: str, function: Callable[[Any], Any], summary: str, convert: Callable[[Any], Any] = array
) -> Callable[[Any], Any]:
    """The operation ``name(x)`` that applies `function` to the converted argument."""

    def operation(x: Any) -> Any:
        return function(convert(x))

    return _published(operation, name, summary)


def binary(
    name: str,
    function: Callable[[Any, Any], Any],
    summary: str,
    convert: Callable[..., Sequence[Any]] = operands,
) -> Callable[[Any, Any], Any]:
    """The operation ``name(x1, x2)`` that applies `function` to the converted arguments, with broadcasting."""

    def operation(x1: Any, x2: Any) -> Any:
        a, b = convert(x1, x2)
        check_broadcast(name, a, b)
        return function(a, b)

    return _published(operation, name, summary)


def _published(operation: Callable[..., Any], name: str, summary: str) -> Callable[..., Any]:
    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = summary
    operation.__module__ = "lamina.ops"
    return symbolic.op(operation)


def check_broadcast(name: str, *xs: Any) -> None:
    """Refuse arrays whose shapes cannot be stretched to one another.

    Raises:
        ShapeError: two sizes differ and neither is 1.
    """
    shapes = [np.shape(x) if not hasattr(x, "shape") else x.shape for x in xs]
    for back in range(1, max((len(s) for s in shapes), default=0) + 1):
        known = {int(s[-back]) for s in shapes if len(s) >= back and dims.is_known(s[-back])} - {1}
        if len(known) > 1:
            raise ShapeError(
                f"`{name}`: the shapes do not fit together at axis {-back}",
                expected="equal sizes, or 1, along each axis counted from the last",
                received=" and ".join(dims.show_shape(s) for s in shapes),
            )


def axis_index(name: str, axis: Any, rank: int) -> int:
    """`axis` counted from the front.

    Raises:
        ShapeError: there is no such axis.
    """
    if not isinstance(axis, (int, np.integer)) or not -rank <= axis < rank:
        raise ShapeError(
            f"`{name}`={axis!r}: a tensor of {rank} axes has the axes {-rank} to {rank - 1}",
            expected=f"a whole number from {-rank} to {rank - 1}",
        )
    return int(axis) % rank


def axes_tuple(axis: Any, rank: int, name: str = "axis") -> tuple[int, ...] | None:
    """One axis or several, counted from the front; ``None`` stays."""
    if axis is None:
        return None
    several = axis if isinstance(axis, (list, tuple)) else (axis,)
    return tuple(axis_index(name, a, rank) for a in several)
