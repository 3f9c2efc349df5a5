"""The logarithm of the probability of one class in each row, from logits or from probabilities.

Only the entry of that class is read again. A comparison of every class with the number reads them all, and so does its
gradient: with 32,000 classes it takes two and a half times as long.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lamina.kernels.choosing import only_reference


def _is_class(numbers: jax.Array, classes: int) -> jax.Array:
    """Whether a number is one of ``0`` to ``classes - 1``."""
    return (numbers >= 0) & (numbers < classes)


def pick(numbers: jax.Array, values: jax.Array, axis: int = -1) -> jax.Array:
    """The entry of a class in each row; 0 where the number is not of a class.

    Args:
        numbers: ``(...)``: the numbers of classes.
        values: ``(..., classes)``.
        axis: the axis of the classes in `values`.

    >>> import jax.numpy as jnp
    >>> pick(jnp.array([1, -1]), jnp.array([[0.25, 0.75], [0.5, 0.5]])).tolist()
    [0.75, 0.0]
    """
    there = _is_class(numbers, values.shape[axis])
    places = jnp.expand_dims(jnp.where(there, numbers, 0), axis)
    return jnp.where(there, jnp.squeeze(jnp.take_along_axis(values, places, axis), axis), 0)


def pick_reference(numbers: jax.Array, values: jax.Array, axis: int = -1) -> jax.Array:
    """`pick` by a comparison."""
    place = axis % values.ndim
    classes = jax.lax.broadcasted_iota(numbers.dtype, values.shape, place)
    return jnp.sum(jnp.where(classes == jnp.expand_dims(numbers, place), values, 0), place)


def log_probability(numbers: jax.Array, logits: jax.Array, axis: int = -1) -> jax.Array:
    """The logarithm of the softmax of `logits` at a class in each row; 0 where the number is not of a class.

    Args:
        numbers: ``(...)``: the numbers of classes.
        logits: ``(..., classes)``.
        axis: the axis of the classes in `logits`.

    >>> import jax.numpy as jnp
    >>> [round(float(v), 4) for v in log_probability(jnp.array([0, 2]), jnp.zeros((2, 4)))]
    [-1.3863, -1.3863]
    """
    if only_reference():
        return log_probability_reference(numbers, logits, axis)
    most = jax.lax.stop_gradient(jnp.max(logits, axis, keepdims=True))
    total = jnp.log(jnp.sum(jnp.exp(logits - most), axis))
    own = pick(numbers, logits, axis) - jnp.squeeze(most, axis)
    return jnp.where(_is_class(numbers, logits.shape[axis]), own - total, 0)


def log_probability_reference(numbers: jax.Array, logits: jax.Array, axis: int = -1) -> jax.Array:
    """`log_probability` by way of all of them."""
    return pick_reference(numbers, jax.nn.log_softmax(logits, axis), axis)


def log_share(numbers: jax.Array, shares: jax.Array, axis: int = -1, least: float = 1e-7) -> jax.Array:
    """The logarithm of what a class has of its row's sum; 0 where the number is not of a class.

    Args:
        numbers: ``(...)``: the numbers of classes.
        shares: ``(..., classes)``: probabilities, or what is in proportion to them.
        axis: the axis of the classes in `shares`.
        least: how far the share is kept away from 0 and 1, where the logarithm or its gradient is not finite.

    >>> import jax.numpy as jnp
    >>> [round(float(v), 4) for v in log_share(jnp.array([0, 1]), jnp.array([[1.0, 1.0], [1.0, 3.0]]))]
    [-0.6931, -0.2877]
    """
    if only_reference():
        return log_share_reference(numbers, shares, axis, least)
    own = pick(numbers, shares, axis) / jnp.sum(shares, axis)
    return jnp.where(_is_class(numbers, shares.shape[axis]), jnp.log(jnp.clip(own, least, 1 - least)), 0)


def log_share_reference(numbers: jax.Array, shares: jax.Array, axis: int = -1, least: float = 1e-7) -> jax.Array:
    """`log_share` by way of all of them."""
    clipped = jnp.clip(shares / jnp.sum(shares, axis, keepdims=True), least, 1 - least)
    return pick_reference(numbers, jnp.log(clipped), axis)
