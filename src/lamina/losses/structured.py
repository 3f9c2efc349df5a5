"""Losses of classifiers with a margin, of overlaps, of sequences and of embeddings."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, config, context, registry
from lamina.losses.base import LossFunctionWrapper, loss_function

_DEFAULT = "sum_over_batch_size"


def _signs(y_true: jax.Array) -> jax.Array:
    """Labels of -1 and 1; those that are all 0 or 1 are turned into these."""
    return jnp.where(jnp.all((y_true == 0) | (y_true == 1)), 2 * y_true - 1, y_true)


@loss_function("elementwise")
def hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis, for labels -1 and 1 (or 0 and 1).

    >>> import lamina
    >>> lamina.losses.hinge([[1.0]], [[0.25]]).tolist()
    [0.75]
    """
    return jnp.mean(jnp.maximum(1 - _signs(y_true) * y_pred, 0), axis=-1)


@loss_function("elementwise")
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y_true * y_pred, 0)**2)`` over the last axis, for labels -1 and 1 (or 0 and 1).

    >>> import lamina
    >>> lamina.losses.squared_hinge([[1.0]], [[0.5]]).tolist()
    [0.25]
    """
    return jnp.mean(jnp.square(jnp.maximum(1 - _signs(y_true) * y_pred, 0)), axis=-1)


@loss_function("elementwise")
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``max(best wrong score - right score + 1, 0)``, for one-hot labels ``(batch, ..., classes)``.

    >>> import lamina
    >>> lamina.losses.categorical_hinge([[0.0, 1.0]], [[0.5, 1.0]]).tolist()
    [0.5]
    """
    right = jnp.sum(y_true * y_pred, axis=-1)
    wrong = jnp.max((1 - y_true) * y_pred, axis=-1)
    return jnp.maximum(wrong - right + 1, 0)


@loss_function("elementwise")
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """One minus twice the overlap divided by both sizes.

    Args:
        y_true: a mask of 0 and 1.
        y_pred: probabilities, of the same shape.
        axis: axes over which sizes are taken; all of them by default.

    >>> import lamina
    >>> round(float(lamina.losses.dice([[1.0, 0.0]], [[1.0, 0.0]])), 4)
    0.0
    """
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    overlap = jnp.sum(y_true * y_pred, axis=axes)
    return 1 - 2 * overlap / (jnp.sum(y_true, axis=axes) + jnp.sum(y_pred, axis=axes) + config.epsilon())


@loss_function("elementwise")
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """One minus the overlap divided by itself and the weighted parts that are in one only.

    Salehi et al., `Tversky loss function for image segmentation` (https://arxiv.org/abs/1706.05721), 2017.

    Args:
        y_true: a mask of 0 and 1.
        y_pred: probabilities, of the same shape.
        alpha: weight of what is in `y_true` only.
        beta: weight of what is in `y_pred` only.
        axis: axes over which sizes are taken; all of them by default.

    >>> import lamina
    >>> round(float(lamina.losses.tversky([[1.0, 0.0]], [[1.0, 0.0]])), 4)
    0.0
    """
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    overlap = jnp.sum(y_true * y_pred, axis=axes)
    missed = jnp.sum(y_true * (1 - y_pred), axis=axes)
    added = jnp.sum((1 - y_true) * y_pred, axis=axes)
    return 1 - overlap / (overlap + alpha * missed + beta * added + config.epsilon())


@loss_function("any")
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Minus the log-probability of a sequence of classes over all its alignments with the time steps.

    Graves et al., `Connectionist temporal classification`, 2006.

    Args:
        y_true: ``(batch, length)``: class numbers; 0 is padding at the end.
        y_pred: logits ``(batch, time, classes)``; class 0 is the blank.

    >>> import lamina
    >>> import numpy as np
    >>> lamina.losses.ctc(np.array([[1, 0]]), np.zeros((1, 3, 2))).shape
    (1,)
    """
    import optax

    labels = y_true.astype("int32")
    lengths = jnp.sum(labels != 0, axis=-1, keepdims=True)
    is_padding = (jnp.arange(labels.shape[1]) >= lengths).astype(y_pred.dtype)
    return optax.ctc_loss(y_pred, jnp.zeros(y_pred.shape[:2], y_pred.dtype), labels, is_padding)


@loss_function("any")
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """Draws embeddings of one class together and those of different classes apart.

    Sun et al., `Circle loss` (https://arxiv.org/abs/2002.10857), 2020.

    Args:
        y_true: class numbers ``(batch,)`` or ``(batch, 1)``.
        y_pred: embeddings of length 1, ``(batch, features)``.
        ref_labels: class numbers to compare with; `y_true` by default.
        ref_embeddings: embeddings to compare with; `y_pred` by default.
        remove_diagonal: whether an embedding is not compared with itself.
        gamma: scale of the similarities.
        margin: how far from perfect the similarities may be.

    >>> import lamina
    >>> import numpy as np
    >>> lamina.losses.circle(np.array([0, 0, 1]), np.eye(3)).shape
    (3,)
    """
    labels = y_true.reshape(-1).astype("int32")
    others = labels if ref_labels is None else jnp.asarray(ref_labels).reshape(-1).astype("int32")
    references = y_pred if ref_embeddings is None else jnp.asarray(ref_embeddings, y_pred.dtype)
    similar = jnp.minimum(y_pred @ references.T, 1)
    same = labels[:, None] == others[None, :]
    differ = ~same
    if remove_diagonal:
        same &= ~jnp.eye(same.shape[0], same.shape[1], dtype=bool)
    pull = -gamma * jnp.maximum(1 + margin - similar, 0) * (similar - (1 - margin))
    push = gamma * jnp.maximum(similar + margin, 0) * (similar - margin)
    terms = [jax.nn.logsumexp(x, axis=1, where=where) for x, where in ((pull, same), (push, differ))]
    losses = jax.nn.softplus(terms[0] + terms[1])
    context.masks.set(losses, jnp.any(same, axis=1) & jnp.any(differ, axis=1))
    return losses


@registry.register("loss")
class Hinge(LossFunctionWrapper):
    """The margin loss of yes-or-no labels (see `hinge`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.Hinge()([[1.0]], [[0.25]]))
    0.75
    """

    def __init__(
        self,
        reduction: str | None = _DEFAULT,
        name: str = "hinge",
        dtype: Any = None,
    ):
        super().__init__(hinge, reduction, name, dtype)


@registry.register("loss")
class SquaredHinge(LossFunctionWrapper):
    """The squared margin loss of yes-or-no labels (see `squared_hinge`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.SquaredHinge()([[1.0]], [[0.5]]))
    0.25
    """

    def __init__(
        self,
        reduction: str | None = _DEFAULT,
        name: str = "squared_hinge",
        dtype: Any = None,
    ):
        super().__init__(squared_hinge, reduction, name, dtype)


@registry.register("loss")
class CategoricalHinge(LossFunctionWrapper):
    """The margin loss of one-hot labels (see `categorical_hinge`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]]))
    0.5
    """

    def __init__(
        self,
        reduction: str | None = _DEFAULT,
        name: str = "categorical_hinge",
        dtype: Any = None,
    ):
        super().__init__(categorical_hinge, reduction, name, dtype)


@registry.register("loss")
class Dice(LossFunctionWrapper):
    """One minus the relative overlap of masks (see `dice`).

    Args:
        axis: axes over which sizes are taken; all of them by default.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> round(float(lamina.losses.Dice()([[1.0, 0.0]], [[1.0, 0.0]])), 4)
    0.0
    """

    def __init__(
        self,
        reduction: str | None = _DEFAULT,
        name: str = "dice",
        axis: Any = None,
        dtype: Any = None,
    ):
        self.axis = axis
        super().__init__(dice, reduction, name, dtype, axis=axis)


@registry.register("loss")
class Tversky(LossFunctionWrapper):
    """One minus the weighted overlap of masks (see `tversky`).

    Args:
        alpha: weight of what is in the labels only.
        beta: weight of what is in the predictions only.
        axis: axes over which sizes are taken; all of them by default.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> round(float(lamina.losses.Tversky()([[1.0, 0.0]], [[1.0, 0.0]])), 4)
    0.0
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = _DEFAULT,
        name: str = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ):
        self.alpha, self.beta, self.axis = checks.real("alpha", alpha), checks.real("beta", beta), axis
        super().__init__(tversky, reduction, name, dtype, alpha=self.alpha, beta=self.beta, axis=axis)


@registry.register("loss")
class CTC(LossFunctionWrapper):
    """The loss of a sequence of classes without alignment (see `ctc`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.losses.CTC()(np.array([[1, 0]]), np.zeros((1, 3, 2))).shape
    ()
    """

    casts_labels = False

    def __init__(
        self,
        reduction: str | None = _DEFAULT,
        name: str = "ctc",
        dtype: Any = None,
    ):
        super().__init__(ctc, reduction, name, dtype)


@registry.register("loss")
class Circle(LossFunctionWrapper):
    """The loss of embeddings of classes (see `circle`).

    Args:
        gamma: scale of the similarities.
        margin: how far from perfect the similarities may be.
        remove_diagonal: whether an embedding is not compared with itself.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.losses.Circle()(np.array([0, 0, 1]), np.eye(3)).shape
    ()
    """

    casts_labels = False

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = _DEFAULT,
        name: str = "circle",
        dtype: Any = None,
    ):
        self.gamma, self.margin = checks.real("gamma", gamma), checks.real("margin", margin)
        self.remove_diagonal = bool(remove_diagonal)
        super().__init__(
            circle, reduction, name, dtype, gamma=self.gamma, margin=self.margin, remove_diagonal=self.remove_diagonal
        )
