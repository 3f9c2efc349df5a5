"""True and false positives and negatives at thresholds, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.metrics import weighting
from lamina.metrics.metric import Metric
from lamina.metrics.reduction import quotient

_LOWEST = -1e10  # below every prediction: what is not among the top k counts as negative
Counts = dict[str, jax.Array]


def even_thresholds(number: int) -> list[float]:
    """Thresholds at equal distances from 0 to 1."""
    return [0.5] if number == 1 else [i / (number - 1) for i in range(number)]


def checked_thresholds(thresholds: Any, default: float = 0.5) -> list[float]:
    """Thresholds as a list of numbers from 0 to 1."""
    if thresholds is None:
        return [default]
    entries = (
        list(thresholds) if isinstance(thresholds, (list, tuple)) or hasattr(thresholds, "__len__") else [thresholds]
    )
    if not entries:
        raise ValueError("`thresholds`=[]: expected at least one number from 0 to 1")
    return [checks.real("thresholds", t, 0.0, 1.0) for t in entries]


def select(y_true: Any, y_pred: Any, top_k: int | None, class_id: int | None) -> tuple[Any, Any]:
    """Labels and predictions of one class, where predictions that are not among the top k are out."""
    if top_k is not None:
        kept = jax.nn.one_hot(jax.lax.top_k(y_pred, top_k)[1], y_pred.shape[-1], dtype=bool).any(axis=-2)
        y_pred = jnp.where(kept, y_pred, _LOWEST)
    if class_id is not None:
        if y_pred.ndim < 2 or not -y_pred.shape[-1] <= class_id < y_pred.shape[-1]:
            raise ValueError(f"`class_id`={class_id}: the predictions have the shape {y_pred.shape}")
        y_true, y_pred = y_true[..., class_id], y_pred[..., class_id]
    return y_true, y_pred


def count(
    metric: Metric,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    thresholds: Sequence[float],
    *,
    even: bool = False,
    per_label: bool = False,
    label_weights: Any = None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> Counts:
    """Weighted numbers of true and false positives and negatives at each threshold.

    Args:
        metric: whose data type and name to use.
        y_true: labels.
        y_pred: predictions of their shape, positive where they are above a threshold.
        sample_weight: weights of samples or of single predictions.
        thresholds: the thresholds.
        even: they are at equal distances from 0 to 1, so that each prediction falls into one bucket.
        per_label: count for each entry of the last axis.
        label_weights: weights of the entries of the last axis.
        top_k: only the k largest predictions of a sample can be positive.
        class_id: count for this entry of the last axis only.

    Returns:
        four arrays ``(thresholds,)``, or ``(thresholds, labels)``.
    """
    y_true, y_pred = weighting.tensor(y_true, metric.dtype), weighting.tensor(y_pred, metric.dtype)
    y_true, y_pred = weighting.fit(metric.name, "categorical", y_true, y_pred)
    y_true, y_pred = select(y_true, y_pred, top_k, class_id)
    weights = jnp.ones((), y_pred.dtype)
    if sample_weight is not None:
        weights = weighting.spread(metric.name, sample_weight, y_pred.shape, y_pred.dtype)
    if label_weights is not None:
        weights = weights * jnp.asarray(label_weights, y_pred.dtype)
    weights = jnp.broadcast_to(weights, y_pred.shape)
    rows = (-1, y_pred.shape[-1]) if per_label else (-1, 1)
    y_true, y_pred, weights = (x.reshape(rows) for x in (y_true, y_pred, weights))
    positive, negative = _above(y_true, y_pred, weights, thresholds, even)
    all_positive, all_negative = (jnp.sum(x, axis=0) for x in _sides(y_true, weights))
    counts = {
        "true_positives": positive,
        "false_positives": negative,
        "true_negatives": all_negative - negative,
        "false_negatives": all_positive - positive,
    }
    return counts if per_label else {name: x[:, 0] for name, x in counts.items()}


def _sides(y_true: Any, weights: Any) -> tuple[Any, Any]:
    """Weights of the positive labels, and of the negative ones."""
    return jnp.where(y_true != 0, weights, 0), jnp.where(y_true != 0, 0, weights)


def _above(y_true: Any, y_pred: Any, weights: Any, thresholds: Sequence[float], even: bool) -> tuple[Any, Any]:
    """Weights of positive and of negative labels whose predictions are above each threshold."""
    sides = _sides(y_true, weights)
    if not even:
        above = (y_pred > jnp.asarray(thresholds, y_pred.dtype)[:, None, None]).astype(y_pred.dtype)
        return tuple(jnp.einsum("tnl,nl->tl", above, side) for side in sides)  # type: ignore[return-value]
    # One bucket for each prediction, then sums from the top: n steps instead of n for each threshold.
    last = len(thresholds) - 1
    bucket = jnp.maximum(jnp.ceil(jnp.clip(y_pred, 0, 1) * last).astype(jnp.int32) - 1, 0)
    label = jnp.broadcast_to(jnp.arange(y_pred.shape[1]), y_pred.shape)
    empty = jnp.zeros((len(thresholds), y_pred.shape[1]), y_pred.dtype)
    filled = (empty.at[bucket, label].add(side) for side in sides)
    return tuple(jnp.cumsum(f[::-1], axis=0)[::-1] for f in filled)  # type: ignore[return-value]


class _Count(Metric):
    """One of the four numbers, at each threshold."""

    counted: str

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = checked_thresholds(thresholds)
        self.accumulator = self.add_variable((len(self.thresholds),), name="accumulator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions ``(batch, ...)``, predictions from 0 to 1."""
        self.accumulator.assign_add(count(self, y_true, y_pred, sample_weight, self.thresholds)[self.counted])

    def result(self) -> Any:
        """The number; one for each threshold where several were given."""
        return self.accumulator.value[0] if len(self.thresholds) == 1 else self.accumulator.value

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


@registry.register("metric", "true_positives")
class TruePositives(_Count):
    """How many positive labels were predicted as such.

    Args:
        thresholds: predictions above it count as positive; 0.5, one number, or several.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    counted = "true_positives"


@registry.register("metric", "true_negatives")
class TrueNegatives(_Count):
    """How many negative labels were predicted as such.

    Args:
        thresholds: predictions above it count as positive; 0.5, one number, or several.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0]))
    2.0
    """

    counted = "true_negatives"


@registry.register("metric", "false_positives")
class FalsePositives(_Count):
    """How many negative labels were predicted as positive.

    Args:
        thresholds: predictions above it count as positive; 0.5, one number, or several.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1]))
    2.0
    """

    counted = "false_positives"


@registry.register("metric", "false_negatives")
class FalseNegatives(_Count):
    """How many positive labels were predicted as negative.

    Args:
        thresholds: predictions above it count as positive; 0.5, one number, or several.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0]))
    2.0
    """

    counted = "false_negatives"


class _Share(Metric):
    """True positives as a share of them and of another number."""

    other: str

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = None if top_k is None else checks.positive_int("top_k", top_k)
        self.class_id = class_id
        self.thresholds = checked_thresholds(thresholds, 0.5 if top_k is None else _LOWEST)
        self.true_positives = self.add_variable((len(self.thresholds),), name="true_positives")
        setattr(self, self.other, self.add_variable((len(self.thresholds),), name=self.other))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions ``(batch, ...)``, predictions from 0 to 1."""
        found = count(self, y_true, y_pred, sample_weight, self.thresholds, top_k=self.top_k, class_id=self.class_id)
        self.true_positives.assign_add(found["true_positives"])
        getattr(self, self.other).assign_add(found[self.other])

    def result(self) -> Any:
        """The share; one for each threshold where several were given."""
        share = quotient(self.true_positives.value, self.true_positives.value + getattr(self, self.other).value)
        return share[0] if len(self.thresholds) == 1 else share

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


@registry.register("metric", "precision")
class Precision(_Share):
    """Which share of what was predicted as positive is so.

    Args:
        thresholds: predictions above it count as positive; 0.5, one number, or several.
        top_k: only the k largest predictions of a sample count as positive.
        class_id: look at this class only.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.Precision()([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    other = "false_positives"


@registry.register("metric", "recall")
class Recall(_Share):
    """Which share of what is positive was predicted so.

    Args:
        thresholds: predictions above it count as positive; 0.5, one number, or several.
        top_k: only the k largest predictions of a sample count as positive.
        class_id: look at this class only.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.Recall()([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    other = "false_negatives"
