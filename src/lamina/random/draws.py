"""Draws from distributions. `seed` is ``None``, a whole number (the same draw each time) or a `SeedGenerator`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, dtypes
from lamina.core.seeds import draw_key, kept
from lamina.core.symbolic import op
from lamina.ops.arrays import array, axis_index, floats


def _shape(shape: Any) -> tuple[Any, ...]:
    sizes = (shape,) if checks.is_whole(shape) else tuple(shape)
    for size in sizes:
        if size is None or isinstance(size, (str, float)) or (checks.is_whole(size) and size < 0):
            raise ValueError(f"`shape`={shape!r}: {size!r} is not a size")
    return tuple(int(s) if checks.is_whole(s) else s for s in sizes)


def _float_dtype(dtype: Any) -> str:
    name = dtypes.canonical(dtype)
    if not dtypes.is_float(name):
        raise ValueError(f"`dtype`={dtype!r}: expected a floating type")
    return name


def _at(x: Any, dtype: str) -> Any:
    return array(x).astype(dtype)


@op
def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws from a normal distribution.

    >>> import lamina
    >>> lamina.random.normal((2, 3), seed=1).shape
    (2, 3)
    """
    name = _float_dtype(dtype)
    return jax.random.normal(draw_key(seed), _shape(shape), name) * _at(stddev, name) + _at(mean, name)


@op
def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws from the numbers from `minval` to below `maxval`, all as likely."""
    name = _float_dtype(dtype)
    return jax.random.uniform(draw_key(seed), _shape(shape), name, _at(minval, name), _at(maxval, name))


@op
def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws from a normal distribution, none further than two standard deviations from the mean."""
    name = _float_dtype(dtype)
    draws = jax.random.truncated_normal(draw_key(seed), -2.0, 2.0, _shape(shape), name)
    return draws * _at(stddev, name) + _at(mean, name)


@op
def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> jax.Array:
    """Draws from the whole numbers from `minval` to below `maxval`, all as likely."""
    name = dtypes.canonical(dtype)
    if not jnp.issubdtype(jnp.dtype(name), jnp.integer):
        raise ValueError(f"`dtype`={dtype!r}: expected an integer type")
    low, high = (x if checks.is_whole(x) else array(x) for x in (minval, maxval))
    return jax.random.randint(draw_key(seed), _shape(shape), low, high, name)


@op
def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> jax.Array:
    """Draws of classes, whose unnormalised log-probabilities are ``(batch, classes)``: ``(batch, num_samples)``."""
    logits = floats(logits)
    if logits.ndim != 2:
        raise ValueError(f"`logits` of shape {logits.shape}: expected (batch, classes)")
    shape = (num_samples, logits.shape[0])
    return jax.random.categorical(draw_key(seed), logits, shape=shape).T.astype(dtypes.canonical(dtype))


@op
def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws from a gamma distribution of shape `alpha` and scale 1."""
    name = _float_dtype(dtype)
    return jax.random.gamma(draw_key(seed), _at(alpha, name), _shape(shape), name)


@op
def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws from a beta distribution."""
    name = _float_dtype(dtype)
    return jax.random.beta(draw_key(seed), _at(alpha, name), _at(beta, name), _shape(shape), name)


@op
def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws of the number of successes among `counts` trials, each of that probability."""
    name = _float_dtype(dtype)
    n, p = floats(counts), floats(probabilities)
    return jax.random.binomial(draw_key(seed), n, p, _shape(shape), n.dtype).astype(name)


@op
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> jax.Array:
    """The slices along an axis in random order."""
    x = array(x)
    return jax.random.permutation(draw_key(seed), x, axis_index("axis", axis, x.ndim))


@op
def dropout(inputs: Any, rate: float, noise_shape: Sequence[Any] | None = None, seed: Any = None) -> jax.Array:
    """A share `rate` of the elements set to 0, the others scaled up to keep the mean (Srivastava et al., 2014).

    Args:
        inputs: a tensor.
        rate: share to drop, from 0 to 1.
        noise_shape: shape of the draw, broadcast over `inputs`; ``None`` entries are its sizes.
        seed: the source of randomness.

    Raises:
        ValueError: `rate` is not from 0 to 1.
    """
    rate = checks.real("rate", rate, 0.0, 1.0)
    x = floats(inputs)
    if rate == 0.0:
        return x
    shape = x.shape
    if noise_shape is not None:
        if len(noise_shape) != x.ndim:
            raise ValueError(f"`noise_shape`={tuple(noise_shape)!r}: expected {x.ndim} sizes")
        shape = tuple(s if n is None else n for s, n in zip(x.shape, noise_shape, strict=True))
    if rate == 1.0:
        return jnp.zeros_like(x)
    return jnp.where(kept(seed, rate, shape), x / jnp.asarray(1.0 - rate, x.dtype), jnp.zeros_like(x))
