"""Pooling: the greatest or mean element of each window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core import checks, config
from lamina.core.symbolic import op
from lamina.kernels.max_pooling import max_window
from lamina.ops.arrays import array, floats
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "adaptive_average_pool", "adaptive_max_pool", "average_pool", "max_pool",
]  # fmt: skip


Sizes = int | Sequence[int]


def _window(x: jax.Array, sizes: Sizes, strides: Sizes | None, data_format: str | None, padding: str) -> Any:
    """Window and steps over all axes of `x`."""
    data_format = config.standardize_data_format(data_format)
    if x.ndim < 3:
        raise ShapeError(
            f"pooling takes 3 axes or more, not {x.ndim}",
            expected="(batch, *spatial, channels) or (batch, channels, *spatial)",
            received=dims.show_shape(x.shape),
        )
    rank = x.ndim - 2
    window = checks.sizes("pool_size", sizes, rank)
    steps = window if strides is None else checks.sizes("strides", strides, rank)
    spatial = x.shape[1:-1] if data_format == "channels_last" else x.shape[2:]
    for size, span in zip(spatial, window, strict=True):
        if padding == "valid" and dims.is_known(size) and size < span:
            raise ShapeError(
                f"the pooling window spans {span} places, but an axis has only {size}",
                expected=f"at least {span}, or padding='same'",
                received=dims.show_shape(x.shape),
            )
    if data_format == "channels_last":
        return (1, *window, 1), (1, *steps, 1)
    return (1, 1, *window), (1, 1, *steps)


@op
def max_pool(
    inputs: Any,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """The greatest element of each window.

    Args:
        inputs: ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)`` with ``"channels_first"``.
        pool_size: size of the window along each spatial axis.
        strides: its steps; the window's size by default.
        padding: ``"valid"`` or ``"same"`` (places outside count as lowest).
        data_format: ``"channels_last"``, ``"channels_first"`` or ``None`` for the default.

    >>> import lamina
    >>> lamina.ops.max_pool(lamina.ops.ones((1, 8, 8, 3)), 2).shape
    (1, 4, 4, 3)
    """
    x = array(inputs)
    padding = checks.one_of("padding", padding, ("valid", "same"))
    window, steps = _window(x, pool_size, strides, data_format, padding)
    return max_window(x, window, steps, padding.upper())


@op
def average_pool(
    inputs: Any,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """The mean of each window; with ``padding="same"`` of its places inside the tensor.

    Args:
        inputs: ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)`` with ``"channels_first"``.
        pool_size, strides, padding, data_format: as of `max_pool`.
    """
    x = floats(inputs)
    padding = checks.one_of("padding", padding, ("valid", "same"))
    window, steps = _window(x, pool_size, strides, data_format, padding)

    def add(values: jax.Array) -> jax.Array:
        return lax.reduce_window(values, np.array(0, x.dtype), lax.add, window, steps, padding.upper())

    if padding == "valid":
        return add(x) / int(np.prod(window))
    inside = jnp.ones([s if w > 1 else 1 for s, w in zip(x.shape, window, strict=True)], x.dtype)
    plain = [t if w > 1 else 1 for t, w in zip(steps, window, strict=True)]
    counts = lax.reduce_window(inside, np.array(0, x.dtype), lax.add, window, plain, padding.upper())
    return add(x) / counts


def _adaptive(inputs: Any, output_size: Any, data_format: str | None, fold: Any) -> jax.Array:
    x = array(inputs)
    first = 1 if config.standardize_data_format(data_format) == "channels_last" else 2
    sizes = (output_size,) * (x.ndim - 2) if checks.is_whole(output_size) or output_size is None else output_size
    if len(sizes) != x.ndim - 2:
        raise ValueError(f"`output_size`={output_size!r}: expected a whole number or {x.ndim - 2} of them")
    for axis, size in enumerate(sizes, first):
        if size is None:
            continue
        length, count = x.shape[axis], checks.positive_int("output_size", size)
        if not dims.is_known(length):
            raise ShapeError("adaptive pooling needs a known spatial size", received=dims.show_shape(x.shape))
        places = np.arange(count)
        starts, ends = places * length // count, -(-(places + 1) * length // count)
        index = starts[:, None] + np.arange(int((ends - starts).max()))
        inside = (index < ends[:, None]).reshape(index.shape + (1,) * (x.ndim - axis - 1))
        x = fold(jnp.take(x, np.minimum(index, length - 1), axis=axis), inside, axis + 1)
    return x


@op
def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> jax.Array:
    """The mean of windows that divide each spatial axis into `output_size` parts (``None`` keeps an axis)."""
    return _adaptive(floats(inputs), output_size, data_format, lambda x, inside, axis: jnp.mean(x, axis, where=inside))


@op
def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> jax.Array:
    """The greatest element of windows that divide each spatial axis into `output_size` parts."""

    def greatest(x: jax.Array, inside: np.ndarray, axis: int) -> jax.Array:
        lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
        return jnp.max(x, axis, where=inside, initial=lowest)

    return _adaptive(inputs, output_size, data_format, greatest)
