"""Tensors made from nothing: constants, ranges, identities, windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, config, dtypes
from lamina.core.symbolic import op
from lamina.ops.arrays import array as _array
from lamina.ops.arrays import floats, operands

__all__ = [
    "arange", "array", "bartlett", "blackman", "empty", "empty_like", "eye", "full", "full_like", "geomspace",
    "hamming", "hanning", "identity", "kaiser", "linspace", "logspace", "meshgrid", "ones", "ones_like", "tri",
    "vander", "zeros", "zeros_like",
]  # fmt: skip


def _size_tuple(shape: Any) -> tuple[Any, ...]:
    sizes = tuple(shape) if isinstance(shape, Sequence) or hasattr(shape, "__iter__") else (shape,)
    bad = [s for s in sizes if s is None or isinstance(s, (str, float)) or (checks.is_whole(s) and s < 0)]
    if bad:
        hint = "; a size of a symbolic tensor is open here, use zeros_like or ones_like" if None in bad else ""
        raise ValueError(f"`shape`={shape!r}: {bad[0]!r} is not a size{hint}")
    return tuple(int(s) if isinstance(s, (np.integer, jax.Array)) else s for s in sizes)


def array(x: Any, dtype: Any = None) -> jax.Array:
    """`x` (number, list, numpy array, variable) as a tensor of its own."""
    return jnp.array(_array(x, dtype))


def zeros(shape: Any, dtype: Any = None) -> jax.Array:
    """A tensor of zeros."""
    return jnp.zeros(_size_tuple(shape), dtypes.canonical(dtype))


def ones(shape: Any, dtype: Any = None) -> jax.Array:
    """A tensor of ones."""
    return jnp.ones(_size_tuple(shape), dtypes.canonical(dtype))


def empty(shape: Any, dtype: Any = None) -> jax.Array:
    """A tensor whose values do not matter (zeros)."""
    return zeros(shape, dtype)


@op
def full(shape: Any, fill_value: Any, dtype: Any = None) -> jax.Array:
    """A tensor filled with a value."""
    return jnp.full(_size_tuple(shape), operands(fill_value)[0], dtypes.canonical(dtype))


@op
def zeros_like(x: Any, dtype: Any = None) -> jax.Array:
    """Zeros in the shape (and type) of `x`."""
    return jnp.zeros_like(_array(x), dtype=_or_none(dtype))


@op
def ones_like(x: Any, dtype: Any = None) -> jax.Array:
    """Ones in the shape (and type) of `x`."""
    return jnp.ones_like(_array(x), dtype=_or_none(dtype))


@op
def empty_like(x: Any, dtype: Any = None) -> jax.Array:
    """A tensor in the shape (and type) of `x` whose values do not matter (zeros)."""
    return jnp.zeros_like(_array(x), dtype=_or_none(dtype))


@op
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> jax.Array:
    """A value in the shape (and type) of `x`."""
    return jnp.full_like(_array(x), operands(fill_value)[0], dtype=_or_none(dtype))


def _or_none(dtype: Any) -> str | None:
    return None if dtype is None else dtypes.canonical(dtype)


@op
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> jax.Array:
    """The numbers from `start` (0 if there is only one argument) to before `stop`, `step` apart.

    >>> import lamina
    >>> lamina.ops.arange(1, 6, 2).tolist()
    [1, 3, 5]
    """
    if dtype is None:
        found = [getattr(v, "dtype", type(v)) for v in (start, stop, step) if v is not None]
        found = [int if getattr(f, "__name__", "") == "_DimExpr" else f for f in found]
        dtype = dtypes.result_type(*(dtypes.canonical(f) for f in found))
    first, last = (0, start) if stop is None else (start, stop)
    return jnp.arange(first, last, step, dtype=dtypes.canonical(dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> jax.Array:
    """Ones on the `k`-th diagonal of an ``(N, M)`` matrix, zeros elsewhere."""
    return jnp.eye(N, M, k=k, dtype=dtypes.canonical(dtype))


def identity(n: int, dtype: Any = None) -> jax.Array:
    """The identity matrix of `n` rows."""
    return jnp.identity(n, dtype=dtypes.canonical(dtype))


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> jax.Array:
    """Ones on and below the `k`-th diagonal of an ``(N, M)`` matrix, zeros elsewhere."""
    return jnp.tri(N, M, k=k, dtype=dtypes.canonical(dtype))


def _space_dtype(dtype: Any, *ends: Any) -> str:
    if dtype is not None:
        return dtypes.canonical(dtype)
    found = dtypes.result_type(*(getattr(e, "dtype", config.floatx()) for e in ends))
    return found if dtypes.is_float(found) else config.floatx()


@op
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` numbers evenly spaced from `start` to `stop` (which is left out where `endpoint` is false)."""
    a, b = operands(start, stop)
    return jnp.linspace(a, b, num, endpoint, retstep, dtype=_space_dtype(dtype, start, stop), axis=axis)


@op
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0
) -> jax.Array:
    """`num` numbers from ``base**start`` to ``base**stop``, evenly spaced on a logarithmic scale."""
    a, b = operands(start, stop)
    return jnp.logspace(a, b, num, endpoint, base, dtype=_space_dtype(dtype, start, stop), axis=axis)


@op
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> jax.Array:
    """`num` numbers from `start` to `stop`, each the same multiple of the one before."""
    a, b = operands(start, stop)
    return jnp.geomspace(a, b, num, endpoint, dtype=_space_dtype(dtype, start, stop), axis=axis)


def _window(name: str, function: Callable[..., Any], summary: str) -> Any:
    def operation(x: Any) -> jax.Array:
        return function(int(x)).astype(config.floatx())

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__, operation.__module__ = summary, "lamina.ops"
    return operation


bartlett = _window("bartlett", jnp.bartlett, "Bartlett's (triangular) window of `x` points.")
blackman = _window("blackman", jnp.blackman, "Blackman's window of `x` points.")
hamming = _window("hamming", jnp.hamming, "Hamming's window of `x` points.")
hanning = _window("hanning", jnp.hanning, "Hann's window of `x` points.")


def kaiser(x: Any, beta: Any) -> jax.Array:
    """Kaiser's window of `x` points with shape parameter `beta`."""
    return jnp.kaiser(int(x), floats(beta)).astype(config.floatx())


@op
def meshgrid(*x: Any, indexing: str = "xy") -> list[jax.Array]:
    """Matrices of coordinates from vectors of coordinates.

    Args:
        x: vectors.
        indexing: ``"xy"`` (the first vector runs along the second axis) or ``"ij"``.
    """
    checks.one_of("indexing", indexing, ("xy", "ij"))
    return list(jnp.meshgrid(*(_array(v) for v in x), indexing=indexing))


@op
def vander(x: Any, N: int | None = None, increasing: bool = False) -> jax.Array:
    """Vandermonde's matrix: the powers of each element, in columns."""
    return jnp.vander(_array(x), N, increasing)
