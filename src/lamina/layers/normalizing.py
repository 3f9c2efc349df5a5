"""What the normalization layers share: where their axes are, and computing in a type that is wide enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.shapes.errors import ShapeError


def axis_signature(named: dict[int, str]) -> str:
    """A signature that keeps all axes and names some of them by their place.

    >>> axis_signature({-1: "features"})
    'batch ... features -> batch ... features'
    >>> axis_signature({1: "channels"})
    'batch channels ... -> batch channels ...'
    """
    if not named:
        axes = ["batch", "..."]
    elif all(axis < 0 for axis in named):
        last = [named.get(axis, f"axis_{-axis}_from_last") for axis in range(min(named), 0)]
        axes = ["batch", "...", *last]
    elif all(axis >= 0 for axis in named):
        first = [named.get(axis, f"axis_{axis}" if axis else "batch") for axis in range(max(named) + 1)]
        axes = [*first, "..."]
    else:  # places from both ends: which is which is known only with the input's rank
        axes = ["batch", "..."]
    return f"{' '.join(axes)} -> {' '.join(axes)}"


def along(layer: Any, shape: Sequence[Any], axis: int) -> Any:
    """Size of a shape along an axis.

    Raises:
        ShapeError: there is no such axis.
    """
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(
            f'{type(layer).__name__} "{layer.name}": the input has no axis {axis}',
            layer=layer.name,
            expected=f"an input with an axis {axis}",
            received=f"{tuple(shape)}   {len(shape)} axes",
        )
    return shape[axis]


def places(axis: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the first one, in order."""
    axes = (axis,) if isinstance(axis, int) else axis
    return tuple(sorted({a % rank for a in axes}))


def other_axes(x: Any, axis: int | Sequence[int]) -> tuple[int, ...]:
    """All axes of a tensor but those."""
    own = places(axis, x.ndim)
    return tuple(a for a in range(x.ndim) if a not in own)


def spread(weight: jax.Array, x: Any, axis: int | Sequence[int]) -> jax.Array:
    """A weight of the sizes along some axes, in a shape that broadcasts to the tensor."""
    own = places(axis, x.ndim)
    return weight.reshape([size if a in own else 1 for a, size in enumerate(x.shape)])


def wide(x: jax.Array) -> jax.Array:
    """The tensor in float32 where its own float type is too narrow to sum up in."""
    return x.astype("float32") if x.dtype in ("float16", "bfloat16") else x


def widen(variable: Any) -> jax.Array | None:
    """A variable's value, wide enough to compute with; ``None`` for ``None``."""
    return None if variable is None else wide(jnp.asarray(variable.value))
