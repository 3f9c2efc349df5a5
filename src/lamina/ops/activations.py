"""Activation functions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.symbolic import op
from lamina.ops.arrays import array, floats, unary
from lamina.shapes import dims
from lamina.shapes.errors import Fix, warn

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "log_sigmoid", "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink",
    "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish",
    "tanh_shrink", "threshold",
]  # fmt: skip


def _not_bool(x: Any) -> jax.Array:
    x = array(x)
    return x.astype("int32") if x.dtype == bool else x


relu = unary(
    "relu",
    jax.nn.relu,
    """Rectified linear unit: ``max(x, 0)``.

    >>> import lamina
    >>> lamina.ops.relu([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """,
    _not_bool,
)
relu6 = unary("relu6", jax.nn.relu6, "Rectified linear unit bounded at 6.", floats)
sigmoid = unary("sigmoid", jax.nn.sigmoid, "``1 / (1 + exp(-x))``.", floats)
log_sigmoid = unary("log_sigmoid", jax.nn.log_sigmoid, "Logarithm of the sigmoid.", floats)
softplus = unary("softplus", jax.nn.softplus, "``log(1 + exp(x))``.", floats)
softsign = unary("softsign", jax.nn.soft_sign, "``x / (1 + abs(x))``.", floats)
silu = unary("silu", jax.nn.silu, "``x * sigmoid(x)``.", floats)
swish = unary("swish", jax.nn.silu, "``x * sigmoid(x)``, like `silu`.", floats)
selu = unary("selu", jax.nn.selu, "Scaled exponential linear unit (Klambauer et al., 2017).", floats)
hard_sigmoid = unary(
    "hard_sigmoid", jax.nn.hard_sigmoid, "Sigmoid in three straight pieces: ``relu6(x + 3) / 6``.", floats
)
hard_tanh = unary("hard_tanh", jax.nn.hard_tanh, "``clip(x, -1, 1)``.", _not_bool)
hard_silu = unary("hard_silu", jax.nn.hard_silu, "``x * hard_sigmoid(x)``.", floats)
hard_swish = unary("hard_swish", jax.nn.hard_silu, "``x * hard_sigmoid(x)``, like `hard_silu`.", floats)
tanh_shrink = unary("tanh_shrink", lambda x: x - jnp.tanh(x), "``x - tanh(x)``.", floats)
sparse_plus = unary("sparse_plus", jax.nn.sparse_plus, "0 below -1, a parabola up to 1, and `x` above.", floats)
sparse_sigmoid = unary("sparse_sigmoid", jax.nn.sparse_sigmoid, "``clip((x + 1) / 2, 0, 1)``.", floats)


@op
def leaky_relu(x: Any, negative_slope: float = 0.2) -> jax.Array:
    """`x` where it is positive, ``negative_slope * x`` elsewhere."""
    return jax.nn.leaky_relu(floats(x), negative_slope)


@op
def elu(x: Any, alpha: float = 1.0) -> jax.Array:
    """`x` where it is positive, ``alpha * (exp(x) - 1)`` elsewhere."""
    return jax.nn.elu(floats(x), alpha)


@op
def celu(x: Any, alpha: float = 1.0) -> jax.Array:
    """`x` where it is positive, ``alpha * (exp(x / alpha) - 1)`` elsewhere."""
    return jax.nn.celu(floats(x), alpha)


@op
def gelu(x: Any, approximate: bool = True) -> jax.Array:
    """`x` times the normal distribution's share below it (by a formula with tanh where `approximate`)."""
    return jax.nn.gelu(floats(x), approximate)


@op
def glu(x: Any, axis: int = -1) -> jax.Array:
    """Gated linear unit: one half along the axis times the sigmoid of the other."""
    return jax.nn.glu(floats(x), axis)


@op
def hard_shrink(x: Any, threshold: float = 0.5) -> jax.Array:
    """`x`, but 0 from ``-threshold`` to ``threshold``."""
    x = floats(x)
    return jnp.where(jnp.abs(x) > threshold, x, jnp.zeros_like(x))


@op
def soft_shrink(x: Any, threshold: float = 0.5) -> jax.Array:
    """`x` moved towards 0 by `threshold`, and 0 from ``-threshold`` to ``threshold``."""
    x = floats(x)
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - threshold, 0)


@op
def threshold(x: Any, threshold: float, default_value: float) -> jax.Array:
    """`x` where it is above `threshold`, `default_value` elsewhere."""
    x = floats(x)
    return jnp.where(x > threshold, x, jnp.asarray(default_value, x.dtype))


@op
def squareplus(x: Any, b: float = 4) -> jax.Array:
    """``(x + sqrt(x**2 + b)) / 2``."""
    return jax.nn.squareplus(floats(x), b)


@op
def softmax(x: Any, axis: Any = -1) -> jax.Array:
    """``exp(x)`` divided by its sum along an axis (or several axes together).

    >>> import lamina
    >>> lamina.ops.softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    x = floats(x)
    _warn_of_axis(x, axis)
    return jax.nn.softmax(x, axis=tuple(axis) if isinstance(axis, list) else axis)


def _warn_of_axis(x: jax.Array, axis: Any) -> None:
    """Say, while a model is traced, what a softmax over the samples or over a single number does."""
    if (
        axis == 0
        and x.ndim > 1
        and not dims.is_known(x.shape[0])
        and str(x.shape[0]) == str(dims.BATCH)
        and all(map(dims.is_known, x.shape[1:]))
    ):
        shown = dims.show_shape(dims.to_public(x.shape))
        fixes = [Fix("take the axis of the features", "ops.softmax(x, axis=-1)")]
        warn(f"softmax along axis 0 of {shown} makes the samples of a batch compete", fixes)
    last = isinstance(axis, int) and axis in (-1, x.ndim - 1)
    if not last or not isinstance(x, jax.core.Tracer) or x.ndim not in (2, 3) or x.shape[-1] != 1 or 1 in x.shape[1:-1]:
        return
    fixes = [Fix("for a yes or no", "ops.sigmoid(x)")]
    if x.ndim == 3:
        fixes.insert(0, Fix("for weights over the time steps", "ops.softmax(x, axis=1)"))
    shown = dims.show_shape((None, *dims.to_public(x.shape[1:])))
    warn(f"softmax over the last axis of {shown}, of size 1, always gives 1", fixes)


@op
def log_softmax(x: Any, axis: Any = -1) -> jax.Array:
    """Logarithm of the softmax."""
    return jax.nn.log_softmax(floats(x), axis=tuple(axis) if isinstance(axis, list) else axis)


@op
def sparsemax(x: Any, axis: int = -1) -> jax.Array:
    """The nearest point of the simplex: like softmax, with zeros (Martins and Astudillo, 2016)."""
    logits = jnp.moveaxis(floats(x), axis, -1)
    ranked = -jnp.sort(-logits, axis=-1)
    sums = jnp.cumsum(ranked, axis=-1)
    place = jnp.arange(1, logits.shape[-1] + 1, dtype=logits.dtype)
    support = jnp.sum(ranked * place > sums - 1, axis=-1, keepdims=True)
    tau = (jnp.take_along_axis(sums, support - 1, axis=-1) - 1) / support.astype(logits.dtype)
    return jnp.moveaxis(jnp.maximum(logits - tau, 0), -1, axis)
