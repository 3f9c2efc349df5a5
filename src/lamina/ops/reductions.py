"""Sums, means, extremes and the like along axes, and their running forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import config, dtypes
from lamina.core.symbolic import op
from lamina.ops.arrays import array, axes_tuple, floats

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "average", "bincount", "corrcoef", "count_nonzero",
    "cumprod", "cumsum", "diff", "histogram", "max", "mean", "median", "min", "nanargmax", "nanargmin",
    "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "percentile", "prod", "ptp", "quantile", "std", "sum",
    "trapezoid", "var",
]  # fmt: skip


Axis = int | tuple[int, ...] | list[int] | None


def _sum_dtype(x: jax.Array) -> str:
    small = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    return small.get(x.dtype.name, x.dtype.name)


def _reduction(name: str, function: Callable[..., Any], summary: str, convert: Callable[..., Any] = array) -> Any:
    def operation(x: Any, axis: Axis = None, keepdims: bool = False) -> jax.Array:
        x = convert(x)
        return function(x, axis=axes_tuple(axis, x.ndim), keepdims=keepdims)

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__, operation.__module__ = summary, "lamina.ops"
    return op(operation)


def _arg(name: str, function: Callable[..., Any], summary: str) -> Any:
    def operation(x: Any, axis: int | None = None, keepdims: bool = False) -> jax.Array:
        return function(array(x), axis=axis, keepdims=keepdims).astype("int32")

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__, operation.__module__ = summary, "lamina.ops"
    return op(operation)


all = _reduction("all", jnp.all, "Whether all elements along the axes are true (not zero).")
any = _reduction("any", jnp.any, "Whether an element along the axes is true (not zero).")
amax = _reduction("amax", jnp.max, "The greatest element along the axes.")
amin = _reduction("amin", jnp.min, "The smallest element along the axes.")
mean = _reduction(
    "mean",
    jnp.mean,
    """The mean along the axes.

    >>> import lamina
    >>> lamina.ops.mean([[1, 2], [3, 6]], axis=0).tolist()
    [2.0, 4.0]
    """,
    floats,
)
std = _reduction("std", jnp.std, "The standard deviation along the axes (divisor: the count).", floats)
var = _reduction("var", jnp.var, "The variance along the axes (divisor: the count).", floats)
median = _reduction("median", jnp.median, "The median along the axes.", floats)
ptp = _reduction("ptp", jnp.ptp, "The greatest less the smallest element along the axes.")
sum = _reduction("sum", lambda x, **k: jnp.sum(x, dtype=_sum_dtype(x), **k), "The sum along the axes.")
nansum = _reduction("nansum", lambda x, **k: jnp.nansum(x, dtype=_sum_dtype(x), **k), "The sum, NaN counted as 0.")
nanprod = _reduction(
    "nanprod", lambda x, **k: jnp.nanprod(x, dtype=_sum_dtype(x), **k), "The product, NaN counted as 1."
)
nanmax = _reduction("nanmax", jnp.nanmax, "The greatest element that is not NaN.")
nanmin = _reduction("nanmin", jnp.nanmin, "The smallest element that is not NaN.")
nanmean = _reduction("nanmean", jnp.nanmean, "The mean of the elements that are not NaN.", floats)
nanmedian = _reduction("nanmedian", jnp.nanmedian, "The median of the elements that are not NaN.", floats)
nanstd = _reduction("nanstd", jnp.nanstd, "The standard deviation of the elements that are not NaN.", floats)
nanvar = _reduction("nanvar", jnp.nanvar, "The variance of the elements that are not NaN.", floats)

argmax = _arg("argmax", jnp.argmax, "Where the greatest element is along an axis (in all elements by default).")
argmin = _arg("argmin", jnp.argmin, "Where the smallest element is along an axis (in all elements by default).")
nanargmax = _arg("nanargmax", jnp.nanargmax, "Where the greatest element that is not NaN is; -1 if all are NaN.")
nanargmin = _arg("nanargmin", jnp.nanargmin, "Where the smallest element that is not NaN is; -1 if all are NaN.")


@op
def max(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> jax.Array:
    """The greatest element along the axes, at least `initial`."""
    x = array(x)
    return jnp.max(x, axis=axes_tuple(axis, x.ndim), keepdims=keepdims, initial=initial)


@op
def min(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> jax.Array:
    """The smallest element along the axes, at most `initial`."""
    x = array(x)
    return jnp.min(x, axis=axes_tuple(axis, x.ndim), keepdims=keepdims, initial=initial)


@op
def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> jax.Array:
    """The product along the axes."""
    x = array(x)
    name = _sum_dtype(x) if dtype is None else dtypes.canonical(dtype)
    return jnp.prod(x, axis=axes_tuple(axis, x.ndim), keepdims=keepdims, dtype=name)


@op
def count_nonzero(x: Any, axis: Axis = None) -> jax.Array:
    """The number of elements along the axes that are not zero."""
    x = array(x)
    return jnp.count_nonzero(x, axis=axes_tuple(axis, x.ndim)).astype("int32")


@op
def average(x: Any, axis: Axis = None, weights: Any = None) -> jax.Array:
    """The mean along the axes, weighted."""
    x = array(x)
    axes = axes_tuple(axis, x.ndim)
    if weights is None:
        return jnp.mean(floats(x), axis=axes)
    weights = array(weights)
    dtype = dtypes.result_type(x, weights)
    name = dtype if dtypes.is_float(dtype) else config.floatx()
    along = axes[0] if axes is not None and len(axes) == 1 else axes
    return jnp.average(x.astype(name), axis=along, weights=weights.astype(name))


@op
def quantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """The values below which the shares `q` (0 to 1) of the elements lie."""
    return _quantile(jnp.quantile, x, q, axis, method, keepdims)


@op
def nanquantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """Quantiles of the elements that are not NaN."""
    return _quantile(jnp.nanquantile, x, q, axis, method, keepdims)


@op
def percentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """The values below which `q` percent (0 to 100) of the elements lie."""
    return _quantile(jnp.percentile, x, q, axis, method, keepdims)


@op
def nanpercentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> jax.Array:
    """Percentiles of the elements that are not NaN."""
    return _quantile(jnp.nanpercentile, x, q, axis, method, keepdims)


def _quantile(function: Callable[..., Any], x: Any, q: Any, axis: Axis, method: str, keepdims: bool) -> jax.Array:
    x = floats(x)
    return function(x, array(q, x.dtype.name), axis=axes_tuple(axis, x.ndim), method=method, keepdims=keepdims)


def _running(function: Callable[..., Any], x: Any, axis: int | None, dtype: Any) -> jax.Array:
    x = array(x)
    name = dtypes.canonical(dtype) if dtype is not None else "int32" if x.dtype == bool else x.dtype.name
    return function(x, axis=axis, dtype=name)


@op
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> jax.Array:
    """The running sum along an axis (of all elements in a row by default)."""
    return _running(jnp.cumsum, x, axis, dtype)


@op
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> jax.Array:
    """The running product along an axis (of all elements in a row by default)."""
    return _running(jnp.cumprod, x, axis, dtype)


@op
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> jax.Array:
    """The running sum, NaN counted as 0."""
    return _running(jnp.nancumsum, x, axis, dtype)


@op
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> jax.Array:
    """The running product, NaN counted as 1."""
    return _running(jnp.nancumprod, x, axis, dtype)


@op
def diff(a: Any, n: int = 1, axis: int = -1) -> jax.Array:
    """The differences of neighbours along an axis, taken `n` times."""
    return jnp.diff(array(a), n=n, axis=axis)


@op
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> jax.Array:
    """The integral of `y` by the trapezoidal rule, at the places `x` or at steps of `dx`."""
    return jnp.trapezoid(floats(y), None if x is None else floats(x), dx=dx, axis=axis)


@op
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> jax.Array:
    """How often each whole number from 0 on occurs (or the sum of its weights), for each row.

    Args:
        x: whole numbers from 0 on, ``(count,)`` or ``(batch, count)``.
        weights: one for each element.
        minlength: the least number of bins; under `jit` it is the number of bins.
        sparse: only ``False``.
    """
    if sparse:
        raise ValueError("`sparse`=True: sparse tensors are not supported")
    x = array(x)
    weights = None if weights is None else array(weights)
    length = minlength if isinstance(x, jax.core.Tracer) else int(jnp.maximum(minlength, jnp.max(x, initial=-1) + 1))

    def row(values: jax.Array, w: jax.Array | None) -> jax.Array:
        return jnp.bincount(values.ravel(), weights=w, length=length).astype("int32" if w is None else w.dtype)

    if x.ndim < 2:
        return row(x, weights)
    return jax.vmap(row)(x, weights) if weights is not None else jax.vmap(lambda v: row(v, None))(x)


@op
def histogram(x: Any, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[jax.Array, jax.Array]:
    """How many elements of a vector fall into each of `bins` intervals of one width, and the intervals' edges."""
    x = array(x)
    if x.ndim != 1:
        raise ValueError(f"`histogram` takes a vector, not a tensor of shape {x.shape}")
    counts, edges = jnp.histogram(x, bins=bins, range=range)
    return counts, edges


@op
def corrcoef(x: Any) -> jax.Array:
    """Pearson's correlation of the rows of a matrix."""
    return jnp.corrcoef(floats(x))
