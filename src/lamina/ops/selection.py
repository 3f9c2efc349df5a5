"""Picking elements: by index, by condition, by rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks
from lamina.core.symbolic import op
from lamina.ops.arrays import array, common, operands
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "argpartition", "argsort", "digitize", "isin", "nonzero", "searchsorted", "select", "sort", "take",
    "take_along_axis", "unique", "unravel_index", "where",
]  # fmt: skip


@op
def take(x: Any, indices: Any, axis: int | None = None) -> jax.Array:
    """The slices at `indices` along an axis (elements of the whole row by default); negative ones count from the end.

    >>> import lamina
    >>> lamina.ops.take([10, 20, 30], [0, -1]).tolist()
    [10, 30]
    """
    return jnp.take(array(x), array(indices).astype("int32"), axis)


@op
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> jax.Array:
    """The elements at `indices` along an axis, one index for each element of the result."""
    return jnp.take_along_axis(array(x), array(indices), axis)


@op
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """Elements of `x1` where the condition holds, else of `x2`; with the condition alone, where it holds."""
    condition = array(condition)
    if x1 is None and x2 is None:
        return jnp.where(condition)
    if x1 is None or x2 is None:
        raise ValueError("`where` takes both `x1` and `x2`, or neither")
    return jnp.where(condition.astype(bool), *operands(x1, x2))


@op
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> jax.Array:
    """The element of the first choice whose condition holds, else the default."""
    return jnp.select([array(c) for c in condlist], [operands(c)[0] for c in choicelist], operands(default)[0])


@op
def nonzero(x: Any) -> tuple[jax.Array, ...]:
    """The places of the elements that are not zero, one tensor of indices for each axis."""
    return tuple(i.astype("int32") for i in jnp.nonzero(array(x)))


@op
def sort(x: Any, axis: int = -1) -> jax.Array:
    """The elements in rising order along an axis."""
    return jnp.sort(array(x), axis)


@op
def argsort(x: Any, axis: int | None = -1) -> jax.Array:
    """The indices that would sort along an axis."""
    return jnp.argsort(array(x), axis).astype("int32")


@op
def argpartition(x: Any, kth: int, axis: int = -1) -> jax.Array:
    """The indices that put the `kth` element in its sorted place, smaller ones before it."""
    return jnp.argpartition(array(x), kth, axis).astype("int32")


@op
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> jax.Array:
    """Where each value would go into a sorted vector: before equal ones (``"left"``) or after (``"right"``)."""
    sequence = array(sorted_sequence)
    if sequence.ndim != 1:
        raise ShapeError("`searchsorted` takes a vector to search in", received=dims.show_shape(sequence.shape))
    checks.one_of("side", side, ("left", "right"))
    return jnp.searchsorted(sequence, array(values), side=side).astype("int32")


@op
def digitize(x: Any, bins: Any) -> jax.Array:
    """Into which of the intervals between the sorted `bins` each element falls."""
    return jnp.digitize(array(x), array(bins)).astype("int32")


@op
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> jax.Array:
    """Whether each element of `x1` is among those of `x2`."""
    a, b = common(x1, x2)
    return jnp.isin(a, b, assume_unique=assume_unique, invert=invert)


@op
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different elements, in rising order.

    Args:
        x: a tensor.
        sorted: whether they must be sorted (they always are).
        return_index: also give where each occurs first.
        return_inverse: also give, for each element of `x`, its place among the different ones.
        return_counts: also give how often each occurs.
        axis: compare slices along this axis rather than elements.
        size: the number of results, needed under `jit`; extra places get `fill_value`.
        fill_value: what fills the extra places (the smallest element by default).
    """
    return jnp.unique(
        array(x),
        return_index,
        return_inverse,
        return_counts,
        axis=axis,
        size=size,
        fill_value=fill_value,
        sorted=sorted,
    )


@op
def unravel_index(indices: Any, shape: Sequence[int]) -> tuple[jax.Array, ...]:
    """Places in a row as places in a tensor of that shape, one tensor of indices for each axis."""
    return tuple(jnp.unravel_index(array(indices), tuple(shape)))
