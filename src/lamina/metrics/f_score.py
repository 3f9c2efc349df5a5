"""The harmonic mean of precision and recall."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.metrics import weighting
from lamina.metrics.metric import Metric
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


@registry.register("metric", "fbeta_score", "f_beta_score")
class FBetaScore(Metric):
    """Precision and recall in one number: ``(1 + b**2) * p * r / (b**2 * p + r)``, for each class.

    Args:
        average: ``None`` gives one number per class; ``"micro"`` counts all classes together, ``"macro"`` is the mean
            of the classes, ``"weighted"`` their mean weighted by how many labels they have.
        beta: weight of the recall against the precision, more than 0.
        threshold: predictions above it count as positive; by default the largest of each sample does.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.FBetaScore(average="micro", beta=2.0, threshold=0.5)
    >>> round(float(metric([[1, 1], [1, 0]], [[0.6, 0.2], [0.9, 0.6]])), 4)
    0.6667
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.average = checks.one_of("average", average, (None, "micro", "macro", "weighted"))
        self.beta = checks.real("beta", beta, low=0.0)
        if not self.beta:
            raise ValueError(f"`beta`={beta!r}: expected a number above 0")
        self.threshold = None if threshold is None else checks.real("threshold", threshold, 0.0, 1.0)
        self.built = False

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Make the counts; they need the number of classes."""
        shape = () if self.average == "micro" else (int(y_pred_shape[-1]),)
        self.true_positives = self.add_variable(shape, name="true_positives")
        self.false_positives = self.add_variable(shape, name="false_positives")
        self.false_negatives = self.add_variable(shape, name="false_negatives")
        self.intermediate_weights = self.add_variable(shape, name="intermediate_weights")
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions, both ``(batch, classes)``."""
        y_true, y_pred = weighting.tensor(y_true, self.dtype), weighting.tensor(y_pred, self.dtype)
        if y_pred.ndim != 2 or y_true.ndim != 2:
            raise ShapeError(
                f"metric {self.name!r} takes labels and predictions of two axes",
                expected="(batch, classes)",
                received=f"y_true {dims.show_shape(y_true.shape)}",
                notes=[("", f"y_pred {dims.show_shape(y_pred.shape)}")],
            )
        y_true, y_pred = weighting.fit(self.name, "categorical", y_true, y_pred)
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        if self.threshold is None:
            positive = (y_pred >= jnp.max(y_pred, axis=-1, keepdims=True)) & (jnp.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        guess = positive.astype(y_true.dtype)
        weights: Any = 1.0
        if sample_weight is not None:
            weights = weighting.spread(self.name, sample_weight, y_pred.shape, self.dtype)
        axis = None if self.average == "micro" else 0
        for variable, hits in (
            (self.true_positives, guess * y_true),
            (self.false_positives, guess * (1 - y_true)),
            (self.false_negatives, (1 - guess) * y_true),
            (self.intermediate_weights, y_true),
        ):
            variable.assign_add(jnp.sum(hits * weights, axis=axis))

    def result(self) -> Any:
        """The score, or one score per class."""
        if not self.built:
            return jnp.zeros((), self.dtype)
        tiny = config.epsilon()
        hits = self.true_positives.value
        precision = hits / (hits + self.false_positives.value + tiny)
        recall = hits / (hits + self.false_negatives.value + tiny)
        square = self.beta**2
        scores = (1 + square) * precision * recall / (square * precision + recall + tiny)
        if self.average == "weighted":
            weights = self.intermediate_weights.value
            return jnp.sum(scores * weights / (jnp.sum(weights) + tiny))
        return jnp.mean(scores) if self.average is not None else scores


@registry.register("metric", "f1_score")
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall, for each class.

    Args:
        average: ``None`` gives one number per class; ``"micro"``, ``"macro"``, ``"weighted"`` as in `FBetaScore`.
        threshold: predictions above it count as positive; by default the largest of each sample does.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.F1Score(threshold=0.5)
    >>> metric([[1, 1], [1, 0]], [[0.6, 0.2], [0.9, 0.6]]).round(4).tolist()
    [1.0, 0.0]
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)
