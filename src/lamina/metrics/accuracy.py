"""How often predictions are right."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.metrics import weighting
from lamina.metrics.reduction import MeanMetricWrapper

_HOME = "keras.metrics"


def _truth(values: Any) -> Any:
    return values.astype(config.floatx())


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where labels and predictions are equal, else 0; both ``(batch, ...)``."""
    y_true, y_pred = weighting.fit("accuracy", "elementwise", y_true, y_pred)
    return _truth(y_true == y_pred)


@registry.register("metric_function", home=_HOME)
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where the prediction is on the label's side of `threshold`, else 0; both ``(batch, ...)``.

    >>> import lamina
    >>> lamina.metrics.binary_accuracy([[1], [0]], [[0.7], [0.6]]).tolist()
    [[1.0], [0.0]]
    """
    y_true, y_pred = weighting.fit("binary_accuracy", "elementwise", y_true, y_pred)
    return _truth(y_true == (y_pred > threshold).astype(y_true.dtype))


@registry.register("metric_function", home=_HOME)
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is that of the labelled class, else 0; both ``(batch, ..., classes)``.

    >>> import lamina
    >>> lamina.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.4, 0.6]]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = weighting.fit("categorical_accuracy", "categorical", y_true, y_pred)
    return _truth(jnp.argmax(y_true, axis=-1) == jnp.argmax(y_pred, axis=-1))


@registry.register("metric_function", home=_HOME)
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is that of the class, else 0.

    Labels are class numbers ``(batch, ...)`` or ``(batch, ..., 1)``, predictions ``(batch, ..., classes)``.

    >>> import lamina
    >>> lamina.metrics.sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.4, 0.6]]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = weighting.fit("sparse_categorical_accuracy", "sparse", y_true, y_pred)
    return _truth(y_true == jnp.argmax(y_pred, axis=-1).astype(y_true.dtype))


@registry.register("metric_function", home=_HOME)
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the labelled class is among the `k` largest predictions, else 0; both ``(batch, ..., classes)``.

    >>> import lamina
    >>> lamina.metrics.top_k_categorical_accuracy([[0, 0, 1]], [[0.5, 0.2, 0.3]], k=2).tolist()
    [1.0]
    """
    y_true, y_pred = weighting.fit("top_k_categorical_accuracy", "categorical", y_true, y_pred)
    return sparse_top_k_categorical_accuracy(jnp.argmax(y_true, axis=-1), y_pred, k=k)


@registry.register("metric_function", home=_HOME)
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """1 where the class is among the `k` largest predictions, else 0.

    Labels are class numbers ``(batch, ...)``, predictions ``(batch, ..., classes)``; with `from_sorted_ids` they
    are class numbers ``(batch, ..., n)``, best first.

    >>> import lamina
    >>> lamina.metrics.sparse_top_k_categorical_accuracy([2], [[0.5, 0.2, 0.3]], k=2).tolist()
    [1.0]
    """
    y_true, y_pred = weighting.fit("sparse_top_k_categorical_accuracy", "sparse", y_true, y_pred)
    label = y_true.astype(jnp.int32)[..., None]
    if from_sorted_ids:
        return _truth(jnp.any(y_pred[..., :k].astype(jnp.int32) == label, axis=-1))
    there = (label >= 0) & (label < y_pred.shape[-1])
    score = jnp.take_along_axis(y_pred, jnp.where(there, label, 0), axis=-1)
    # How many are better, not a sort: ties with the label's own score count for it.
    better = jnp.sum(y_pred > score, axis=-1)
    return _truth((better < k) & (there & jnp.isfinite(score))[..., 0])


@registry.register("metric", "accuracy", "acc")
class Accuracy(MeanMetricWrapper):
    """How often labels and predictions are equal.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.Accuracy()([[1], [2], [3], [4]], [[0], [2], [3], [4]]))
    0.75
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


@registry.register("metric", "binary_accuracy")
class BinaryAccuracy(MeanMetricWrapper):
    """How often predictions are on the label's side of a threshold.

    Args:
        name: a name.
        dtype: data type of the sums.
        threshold: predictions above it count as 1, from 0 to 1.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]]))
    0.75
    """

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        self.threshold = checks.real("threshold", threshold, 0.0, 1.0)
        super().__init__(binary_accuracy, name, dtype, threshold=self.threshold)


@registry.register("metric", "categorical_accuracy")
class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is that of the labelled class (one-hot labels).

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.CategoricalAccuracy()([[0, 1], [1, 0]], [[0.1, 0.9], [0.4, 0.6]]))
    0.5
    """

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


@registry.register("metric", "sparse_categorical_accuracy")
class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is that of the class (labels are class numbers).

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.4, 0.6]]))
    0.5
    """

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


@registry.register("metric", "top_k_categorical_accuracy")
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the labelled class is among the largest predictions (one-hot labels).

    Args:
        k: how many of the largest count.
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.TopKCategoricalAccuracy(k=1)([[0, 0, 1]], [[0.1, 0.2, 0.7]]))
    1.0
    """

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None):
        self.k = checks.positive_int("k", k)
        super().__init__(top_k_categorical_accuracy, name, dtype, k=self.k)


@registry.register("metric", "sparse_top_k_categorical_accuracy")
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class is among the largest predictions (labels are class numbers).

    Args:
        k: how many of the largest count.
        name: a name.
        dtype: data type of the sums.
        from_sorted_ids: predictions are class numbers, best first.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.SparseTopKCategoricalAccuracy(k=1)([2], [[0.1, 0.2, 0.7]]))
    1.0
    """

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        self.k, self.from_sorted_ids = checks.positive_int("k", k), bool(from_sorted_ids)
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=self.k, from_sorted_ids=self.from_sorted_ids)
