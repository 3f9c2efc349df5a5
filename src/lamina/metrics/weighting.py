"""Values and their weights, and labels that fit predictions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import dtypes
from lamina.losses import fitting
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


def tensor(values: Any, dtype: Any = None) -> jax.Array:
    """Values as an array, of a type if one is given."""
    return jnp.asarray(values, dtypes.canonical(dtype) if dtype is not None else None)


def fit(name: str, kind: str, y_true: Any, y_pred: Any, axis: int = -1) -> tuple[jax.Array, jax.Array]:
    """Labels and predictions with the same number of axes (but for class numbers).

    Args:
        name: the metric's name, for the error.
        kind: what is expected of the labels (see `lamina.losses.fitting`).
        y_true: labels.
        y_pred: predictions.
        axis: the axis of the classes.

    Raises:
        ShapeError: the labels do not fit.
    """
    true, pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    reason = fitting.misfit(kind, true.shape, pred.shape, axis)
    if reason:
        wanted = fitting.without_classes(pred.shape, axis) if kind == "sparse" and pred.ndim else pred.shape
        error = ShapeError(
            f"metric {name!r}: y_true does not fit y_pred: {reason}",
            expected=f"y_true {dims.show_shape(wanted)}",
            received=f"y_true {dims.show_shape(true.shape)}",
            notes=[("", f"y_pred {dims.show_shape(pred.shape)}")],
        )
        error.clash = fitting.Clash(name, kind, true.shape, pred.shape, axis)  # type: ignore[attr-defined]
        error.is_metric = True  # type: ignore[attr-defined]
        raise error
    if kind == "sparse":
        return (true.reshape(true.shape[:-1]) if true.ndim == pred.ndim else true), pred
    if true.ndim:
        shapes = fitting.aligned(true.shape, pred.shape)
        true, pred = true.reshape(shapes[0]), pred.reshape(shapes[1])
    return true, pred


def spread(name: str, weights: Any, shape: tuple[Any, ...], dtype: Any) -> jax.Array:
    """Weights for all values of a shape: those of samples hold for all places of a sample.

    Raises:
        ShapeError: they do not fit.
    """
    weights = tensor(weights, dtype)
    given = weights.shape
    if weights.ndim == len(shape) + 1:
        weights = weights.reshape(given[:-1]) if dims.is_known(given[-1]) and given[-1] == 1 else weights
    elif 0 < weights.ndim < len(shape):
        weights = weights.reshape(given + (1,) * (len(shape) - weights.ndim))
    pairs = zip(weights.shape, shape)
    if weights.ndim not in (0, len(shape)) or any(
        dims.is_known(w) and dims.is_known(v) and w not in (v, 1) for w, v in pairs
    ):
        error = ShapeError(
            f"metric {name!r}: sample_weight does not fit the values",
            expected=f"sample_weight {dims.show_shape(shape)}, or {dims.show_shape(shape[:1])}: one per sample",
            received=f"sample_weight {dims.show_shape(given)}",
        )
        error.weights = (shape, given)  # type: ignore[attr-defined]
        raise error
    return jnp.broadcast_to(weights, shape)


def masked(name: str, weights: Any, mask: Any, dtype: Any) -> Any:
    """Weights that are zero where the mask is; the mask itself where there are no weights."""
    if mask is None:
        return weights
    mask = tensor(mask, dtype)
    if weights is None:
        return mask
    weights = tensor(weights, dtype)
    if weights.ndim > mask.ndim:
        mask = mask.reshape(mask.shape + (1,) * (weights.ndim - mask.ndim))
        return weights * mask
    return mask * spread(name, weights, mask.shape, dtype)
