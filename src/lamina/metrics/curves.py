"""The area under a curve over all thresholds, and single points of such curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.core.variable import Variable
from lamina.metrics import confusion
from lamina.metrics.metric import Metric
from lamina.metrics.reduction import quotient

_FOUR = ("true_positives", "false_positives", "true_negatives", "false_negatives")
_CURVES = ("ROC", "PR", "PRGAIN")
_SUMMATIONS = ("interpolation", "minoring", "majoring")


@registry.register("metric", "auc")
class AUC(Metric):
    """Area under the curve that a classifier draws as its threshold moves.

    ``curve="ROC"`` is the true positive rate over the false positive rate, ``"PR"`` precision over recall
    (interpolated as Davis and Goadrich do, ICML 2006), ``"PRGAIN"`` their gains (Flach and Kull, NeurIPS 2015).

    Args:
        num_thresholds: how many thresholds the curve is drawn with, 2 or more.
        curve: ``"ROC"``, ``"PR"`` or ``"PRGAIN"``.
        summation_method: ``"interpolation"``, ``"minoring"`` (left out corners) or ``"majoring"`` (with corners).
        name: a name.
        dtype: data type of the counts.
        thresholds: the thresholds themselves, instead of their number.
        multi_label: one curve for each label of the last axis; the areas are averaged.
        num_labels: how many labels there are.
        label_weights: weights of the labels.
        from_logits: predictions are logits, not probabilities.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])), 4)
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        found = {c.lower(): c for c in _CURVES}.get(str(curve).lower())
        self.curve = found or checks.one_of("curve", curve, _CURVES)
        self.summation_method = checks.one_of("summation_method", summation_method, _SUMMATIONS)
        if num_labels is not None and not multi_label:
            raise ValueError(f"`num_labels`={num_labels} has a meaning only with multi_label=True")
        self.num_labels = None if num_labels is None else checks.positive_int("num_labels", num_labels)
        self.multi_label, self.from_logits = bool(multi_label), bool(from_logits)
        self.label_weights = None if label_weights is None else [float(w) for w in jnp.asarray(label_weights)]
        self._init_thresholds = None if thresholds is None else confusion.checked_thresholds(sorted(thresholds))
        self._set_thresholds(num_thresholds)
        if not self.multi_label or self.num_labels is not None:
            self._build(self.num_labels)

    def _set_thresholds(self, number: int) -> None:
        if self._init_thresholds is not None:
            inner = self._init_thresholds
            even = confusion.even_thresholds(len(inner) + 2)
            self._even = all(abs(a - b) < config.epsilon() for a, b in zip(inner, even[1:-1]))
        elif not checks.is_whole(number) or number < 2:
            raise ValueError(f"`num_thresholds`={number!r}: expected a whole number of at least 2")
        else:
            inner, self._even = confusion.even_thresholds(int(number))[1:-1], True
        self.thresholds = [-config.epsilon(), *inner, 1.0 + config.epsilon()]
        self.num_thresholds = len(self.thresholds)

    def _build(self, labels: int | None) -> None:
        shape = (self.num_thresholds,) if labels is None else (self.num_thresholds, labels)
        self._counts: dict[str, Variable] = {name: self.add_variable(shape, name=name) for name in _FOUR}
        if labels is not None and self.label_weights is not None and len(self.label_weights) != labels:
            raise ValueError(f"`label_weights` has {len(self.label_weights)} entries for {labels} labels")

    def __getattr__(self, name: str) -> Any:
        if name in _FOUR and "_counts" in self.__dict__:
            return self._counts[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions ``(batch, ...)``, with `multi_label` ``(batch, labels)``."""
        y_pred = jnp.asarray(y_pred)
        if self.multi_label and "_counts" not in self.__dict__:
            self._build(int(y_pred.shape[-1]))
        if self.from_logits:
            y_pred = 1 / (1 + jnp.exp(-y_pred))
        weights = None if self.multi_label else self.label_weights
        found = confusion.count(
            self,
            y_true,
            y_pred,
            sample_weight,
            self.thresholds,
            even=self._even,
            per_label=self.multi_label,
            label_weights=weights,
        )
        for name, variable in self._counts.items():
            variable.assign_add(found[name])

    def result(self) -> Any:
        """The area; the (weighted) mean of the areas of all labels with `multi_label`."""
        if "_counts" not in self.__dict__:
            return jnp.zeros((), self.dtype)
        tp, fp, tn, fn = (self._counts[name].value for name in _FOUR)
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_precision(tp, fp, fn)
        else:
            x, y = self._points(tp, fp, tn, fn)
            heights = {
                "interpolation": (y[:-1] + y[1:]) / 2,
                "minoring": jnp.minimum(y[:-1], y[1:]),
                "majoring": jnp.maximum(y[:-1], y[1:]),
            }[self.summation_method]
            areas = jnp.sum((x[:-1] - x[1:]) * heights, axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return jnp.mean(areas)
        shares = jnp.asarray(self.label_weights, areas.dtype)
        return quotient(jnp.sum(areas * shares), jnp.sum(shares))

    def _points(self, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
        recall = quotient(tp, tp + fn)
        if self.curve == "ROC":
            return quotient(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, quotient(tp, tp + fp)
        odds = quotient(tp + fn, fp + tn)
        gain = jnp.where(tp == 0, 0, jnp.maximum(1 - odds * quotient(fn, tp), 0))
        return gain, 1 - odds * quotient(fp, tp)

    def reset_state(self) -> None:
        """Start afresh."""
        for variable in self.variables:
            variable.assign(jnp.zeros(variable.shape, variable.value.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        settings = {k: v for k, v in super().get_config().items() if k != "thresholds"}
        return settings if self._init_thresholds is None else {**settings, "thresholds": self._init_thresholds}


def _interpolated_precision(tp: Any, fp: Any, fn: Any) -> Any:
    """Area under precision over recall, where the counts (not the precision) are interpolated."""
    positives = tp + fp
    gained = tp[:-1] - tp[1:]
    slope = quotient(gained, jnp.maximum(positives[:-1] - positives[1:], 0))
    offset = tp[1:] - slope * positives[1:]
    both = (positives[:-1] > 0) & (positives[1:] > 0)
    ratio = jnp.where(both, quotient(positives[:-1], jnp.maximum(positives[1:], 0)), 1)
    pieces = quotient(slope * (gained + offset * jnp.log(ratio)), jnp.maximum(tp[1:] + fn[1:], 0))
    return jnp.sum(pieces, axis=0)


class _Point(Metric):
    """The best value of one number among the thresholds where another is at least so much."""

    bound: str

    def __init__(self, least: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any):
        super().__init__(name=name, dtype=dtype)
        setattr(self, self.bound, checks.real(self.bound, least, 0.0, 1.0))
        self.class_id = class_id
        self.num_thresholds = checks.positive_int("num_thresholds", num_thresholds)
        self.thresholds = confusion.even_thresholds(self.num_thresholds)
        for count in _FOUR:
            setattr(self, count, self.add_variable((self.num_thresholds,), name=count))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions ``(batch, ...)``, predictions from 0 to 1."""
        even = self.num_thresholds > 1
        found = confusion.count(self, y_true, y_pred, sample_weight, self.thresholds, even=even, class_id=self.class_id)
        for name in _FOUR:
            getattr(self, name).assign_add(found[name])

    def _rate(self, name: str) -> Any:
        tp, fp, tn, fn = (getattr(self, count).value for count in _FOUR)
        return {
            "precision": quotient(tp, tp + fp),
            "recall": quotient(tp, tp + fn),
            "sensitivity": quotient(tp, tp + fn),
            "specificity": quotient(tn, tn + fp),
        }[name]

    def _best(self, wanted: str) -> Any:
        allowed = self._rate(self.bound) >= getattr(self, self.bound)
        return jnp.max(jnp.where(allowed, self._rate(wanted), 0))


@registry.register("metric", "sensitivity_at_specificity")
class SensitivityAtSpecificity(_Point):
    """The best sensitivity (share of positives found) where the specificity is at least so much.

    Args:
        specificity: the least share of negatives that must be recognised, from 0 to 1.
        num_thresholds: how many thresholds are tried.
        class_id: look at this class only.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    bound = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        """The best sensitivity; 0 where no threshold will do."""
        return self._best("sensitivity")


@registry.register("metric", "specificity_at_sensitivity")
class SpecificityAtSensitivity(_Point):
    """The best specificity (share of negatives recognised) where the sensitivity is at least so much.

    Args:
        sensitivity: the least share of positives that must be found, from 0 to 1.
        num_thresholds: how many thresholds are tried.
        class_id: look at this class only.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.SpecificityAtSensitivity(0.5)
    >>> round(float(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.6667
    """

    bound = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        """The best specificity; 0 where no threshold will do."""
        return self._best("specificity")


@registry.register("metric", "precision_at_recall")
class PrecisionAtRecall(_Point):
    """The best precision where the recall is at least so much.

    Args:
        recall: the least share of positives that must be found, from 0 to 1.
        num_thresholds: how many thresholds are tried.
        class_id: look at this class only.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    bound = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        """The best precision; 0 where no threshold will do."""
        return self._best("precision")


@registry.register("metric", "recall_at_precision")
class RecallAtPrecision(_Point):
    """The best recall where the precision is at least so much.

    Args:
        precision: the least share of what is predicted as positive that must be so, from 0 to 1.
        num_thresholds: how many thresholds are tried.
        class_id: look at this class only.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.5
    """

    bound = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        """The best recall; 0 where no threshold will do."""
        return self._best("recall")
