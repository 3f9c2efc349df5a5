"""Products of tensors: matrix products, sums over shared axes, outer products."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks
from lamina.core.symbolic import op
from lamina.kernels.products import rows_times
from lamina.ops.arrays import array, common, floats, operands
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "correlate", "cross", "dot", "einsum", "inner", "kron", "matmul", "outer", "tensordot", "trace", "vdot",
]  # fmt: skip


def _inner_fit(name: str, a: jax.Array, b: jax.Array) -> None:
    if not a.ndim or not b.ndim:
        return
    left, right = a.shape[-1], b.shape[0 if b.ndim == 1 else -2]
    if dims.is_known(left) and dims.is_known(right) and left != right:
        error = ShapeError(
            f"`{name}`: the last axis of the first has size {left}, the axis of the second that meets it {right}",
            expected=f"{left} in both",
            received=f"{dims.show_shape(a.shape)} and {dims.show_shape(b.shape)}",
        )
        error.__dict__["operands"] = (tuple(a.shape), tuple(b.shape))
        raise error


@op
def matmul(x1: Any, x2: Any) -> jax.Array:
    """Matrix product over the last axis of the first and the last but one of the second; others broadcast.

    Raises:
        ShapeError: the two axes differ in size.

    >>> import lamina
    >>> lamina.ops.matmul(lamina.ops.ones((2, 3)), lamina.ops.ones((3, 4))).shape
    (2, 4)
    """
    a, b = array(x1), array(x2)
    _inner_fit("matmul", a, b)
    if not a.ndim or not b.ndim:
        raise ShapeError("`matmul` takes tensors of one axis or more", received=f"{a.shape} and {b.shape}")
    wide = "int32" if a.dtype == b.dtype == jnp.int8 else None
    return rows_times(a, b) if wide is None else jnp.matmul(a, b, preferred_element_type=wide)


@op
def dot(x1: Any, x2: Any) -> jax.Array:
    """Product of two vectors, matrices or numbers, as numpy's ``dot``."""
    a, b = operands(x1, x2)
    _inner_fit("dot", jnp.asarray(a), jnp.asarray(b))
    return jnp.dot(*common(a, b))


@op
def inner(x1: Any, x2: Any) -> jax.Array:
    """Sum of the products over the last axis of both."""
    return jnp.inner(*common(x1, x2))


@op
def outer(x1: Any, x2: Any) -> jax.Array:
    """The product of each element of one with each of the other, ``(size of x1, size of x2)``."""
    return jnp.outer(*operands(x1, x2))


@op
def vdot(x1: Any, x2: Any) -> jax.Array:
    """Sum of the products of all elements (the first conjugated)."""
    return jnp.vdot(*common(x1, x2))


@op
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> jax.Array:
    """Sum of products over some axes: the last of one with the first of the other (a number), or pairs named."""
    a, b = common(x1, x2)
    return jnp.tensordot(a, b, axes=axes)


@op
def kron(x1: Any, x2: Any) -> jax.Array:
    """Kronecker's product."""
    return jnp.kron(*common(x1, x2))


@op
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> jax.Array:
    """Cross product of vectors of 2 or 3 elements along an axis."""
    a, b = common(x1, x2)
    return jnp.cross(a, b, axisa=axisa, axisb=axisb, axisc=axisc, axis=axis)


@op
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> jax.Array:
    """Sums of products over named axes (Einstein's summation).

    >>> import lamina
    >>> x = lamina.ops.ones((5, 2, 3))
    >>> lamina.ops.einsum("btf,fu->btu", x, lamina.ops.ones((3, 4))).shape
    (5, 2, 4)

    Raises:
        ShapeError: the tensors do not fit the subscripts.
    """
    arrays = [array(x) for x in operands]
    whole = {a.dtype.name for a in arrays} == {"int8"}
    try:
        return jnp.einsum(subscripts, *arrays, preferred_element_type="int32" if whole else None, **kwargs)
    except (ValueError, TypeError) as error:
        raise ShapeError(
            f"`einsum`: {str(error).splitlines()[0]}",
            expected=f"tensors that fit {subscripts!r}",
            received=" and ".join(dims.show_shape(a.shape) for a in arrays),
        ) from error


@op
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The sum along a diagonal."""
    x = array(x)
    small = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    return jnp.trace(x, offset, axis1, axis2, dtype=small.get(x.dtype.name, x.dtype.name))


@op
def correlate(x1: Any, x2: Any, mode: str = "valid") -> jax.Array:
    """Cross-correlation of two vectors.

    Args:
        x1: a vector.
        x2: a vector.
        mode: ``"valid"``, ``"same"`` or ``"full"``.
    """
    checks.one_of("mode", mode, ("valid", "same", "full"))
    a, b = common(floats(x1), floats(x2))
    return jnp.correlate(a, b, mode=mode)
