"""Losses between distributions: the formulas. Predictions are probabilities, or logits with ``from_logits=True``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import config, context
from lamina.kernels import crossentropy
from lamina.losses.base import loss_function


@loss_function("categorical")
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """``-sum(y_true * log(y_pred))`` over the classes, for labels with one column per class.

    Args:
        y_true: ``(batch, ..., classes)``, such as one-hot rows.
        y_pred: ``(batch, ..., classes)``.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: part of each label that is spread evenly over the classes.
        axis: the axis of the classes.

    Raises:
        ShapeError: the shapes do not fit; for class numbers take `sparse_categorical_crossentropy`.

    >>> import lamina
    >>> round(float(lamina.losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
    0.6931
    """
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / y_pred.shape[axis]
    return -jnp.sum(y_true * _log_probabilities(y_pred, from_logits, axis), axis=axis)


@loss_function("sparse")
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """``-log(y_pred[class])``, for labels that are class numbers.

    Args:
        y_true: ``(batch, ...)`` or ``(batch, ..., 1)``: whole numbers from 0 to ``classes - 1``.
        y_pred: ``(batch, ..., classes)``.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        ignore_class: a class number whose places count as masked.
        axis: the axis of the classes.

    Raises:
        ShapeError: the shapes do not fit; for one-hot labels take `categorical_crossentropy`.

    >>> import lamina
    >>> round(float(lamina.losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]])[0]), 4)
    0.6931
    """
    labels = y_true.astype("int32")
    if from_logits:
        losses = -crossentropy.log_probability(labels, y_pred, axis)
    else:
        losses = -crossentropy.log_share(labels, y_pred, axis, config.epsilon())
    if ignore_class is None:
        return losses
    counts = labels != ignore_class
    losses = jnp.where(counts, losses, 0)
    context.masks.set(losses, counts)
    return losses


def _log_probabilities(y_pred: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    if from_logits:
        return jax.nn.log_softmax(y_pred, axis=axis)
    return jnp.log(_probabilities(y_pred, axis))


def _probabilities(y_pred: jax.Array, axis: int) -> jax.Array:
    return _clip(y_pred / jnp.sum(y_pred, axis=axis, keepdims=True))


def _clip(probabilities: jax.Array) -> jax.Array:
    """Probabilities a little away from 0 and 1, where the logarithm is finite."""
    least = config.epsilon()
    return jnp.clip(probabilities, least, 1 - least)


def _smoothed(y_true: jax.Array, label_smoothing: float) -> jax.Array:
    return y_true * (1 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def _binary(y_true: jax.Array, y_pred: jax.Array, from_logits: bool) -> jax.Array:
    if from_logits:
        yes, no = jax.nn.log_sigmoid(y_pred), jax.nn.log_sigmoid(-y_pred)
    else:
        chance = _clip(y_pred)
        yes, no = jnp.log(chance), jnp.log1p(-chance)
    return -(y_true * yes + (1 - y_true) * no)


@loss_function("categorical", "bce", "BCE")
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """``-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))`` over `axis`, for yes-or-no labels.

    Args:
        y_true: ``(batch, ..., outputs)``: 0 or 1, or anything between.
        y_pred: ``(batch, ..., outputs)``.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: how far labels are moved towards 1/2: 0 not at all, 1 all the way.
        axis: the axis of the mean.

    Raises:
        ShapeError: the shapes do not fit.

    >>> import lamina
    >>> round(float(lamina.losses.binary_crossentropy([[1.0]], [[0.5]])[0]), 4)
    0.6931
    """
    return jnp.mean(_binary(_smoothed(y_true, label_smoothing), y_pred, from_logits), axis=axis)


@loss_function("categorical")
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """A `binary_crossentropy` in which examples that are easy count little.

    Lin et al., `Focal loss for dense object detection` (https://arxiv.org/abs/1708.02002), 2017.

    Args:
        y_true: ``(batch, ..., outputs)``: 0 or 1.
        y_pred: ``(batch, ..., outputs)``.
        apply_class_balancing: whether to weight 1 by `alpha` and 0 by ``1 - alpha``.
        alpha: see `apply_class_balancing`.
        gamma: how much less easy examples count: the factor is ``(1 - probability of the label)**gamma``.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: how far labels are moved towards 1/2.
        axis: the axis of the mean.

    >>> import lamina
    >>> round(float(lamina.losses.binary_focal_crossentropy([[1.0]], [[0.5]])[0]), 4)
    0.1733
    """
    y_true = _smoothed(y_true, label_smoothing)
    if from_logits:
        y_pred = jax.nn.sigmoid(y_pred)
    chance = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    losses = jnp.power(1 - chance, gamma) * _binary(y_true, y_pred, from_logits=False)
    if apply_class_balancing:
        losses = losses * (y_true * alpha + (1 - y_true) * (1 - alpha))
    return jnp.mean(losses, axis=axis)


@loss_function("categorical")
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """A `categorical_crossentropy` in which examples that are easy count little.

    Lin et al., `Focal loss for dense object detection` (https://arxiv.org/abs/1708.02002), 2017.

    Args:
        y_true: ``(batch, ..., classes)``, such as one-hot rows.
        y_pred: ``(batch, ..., classes)``.
        alpha: factor, or one for each class.
        gamma: how much less easy examples count: the factor is ``(1 - probability)**gamma``.
        from_logits: whether `y_pred` holds logits rather than probabilities.
        label_smoothing: part of each label that is spread evenly over the classes.
        axis: the axis of the classes.

    >>> import lamina
    >>> round(float(lamina.losses.categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
    0.0433
    """
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / y_pred.shape[axis]
    if from_logits:
        y_pred = jax.nn.softmax(y_pred, axis=axis)
    chance = _probabilities(y_pred, axis)
    factor = jnp.asarray(alpha, chance.dtype) * jnp.power(1 - chance, gamma)
    return -jnp.sum(factor * y_true * jnp.log(chance), axis=axis)


@loss_function("sparse")
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """``(1 - p**q) / q`` of the probability `p` of the true class: robust to wrong labels.

    Zhang and Sabuncu, `Generalized cross entropy loss` (https://arxiv.org/abs/1805.07836), 2018.

    Args:
        y_true: class numbers ``(batch,)`` or ``(batch, 1)``.
        y_pred: probabilities ``(batch, classes)``.
        q: between 0 (like cross entropy) and 1 (like absolute error).

    >>> import lamina
    >>> lamina.losses.categorical_generalized_cross_entropy([1], [[0.75, 0.25]], 0.5).tolist()
    [1.0]
    """
    labels = y_true.astype("int32")
    chance = jnp.sum(y_pred * jax.nn.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype), axis=-1)
    return (1 - jnp.power(chance, q)) / q


@loss_function("elementwise", "kld", "KLD", "kullback_leibler_divergence")
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """``sum(y_true * log(y_true / y_pred))`` over the last axis.

    >>> import lamina
    >>> lamina.losses.kl_divergence([[0.5, 0.5]], [[0.5, 0.5]]).tolist()
    [0.0]
    """
    true, pred = (jnp.clip(y, config.epsilon(), 1) for y in (y_true, y_pred))
    return jnp.sum(true * jnp.log(true / pred), axis=-1)


@loss_function("elementwise")
def poisson(y_true: Any, y_pred: Any) -> Any:
    """``mean(y_pred - y_true * log(y_pred))`` over the last axis: for counts.

    >>> import lamina
    >>> lamina.losses.poisson([[0.0]], [[2.0]]).tolist()
    [2.0]
    """
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + config.epsilon()), axis=-1)
