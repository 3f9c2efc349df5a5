"""Intersection over union of classes, for segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.metrics import weighting
from lamina.metrics.metric import Metric
from lamina.metrics.reduction import quotient


@registry.register("metric", "iou", "io_u")
class IoU(Metric):
    """Intersection over union, ``TP / (TP + FP + FN)``, averaged over some classes.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes that count.
        name: a name.
        dtype: data type of the counts: whole numbers by default; a float type where weights are fractions.
        ignore_class: places labelled so are left out.
        sparse_y_true: labels are class numbers, not one-hot.
        sparse_y_pred: predictions are class numbers, not scores.
        axis: the axis of the classes where they are not sparse.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.IoU(num_classes=2, target_class_ids=[0])
    >>> round(float(metric([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype="int32" if dtype is None else dtype)
        self.num_classes = checks.positive_int("num_classes", num_classes)
        self.target_class_ids = list(target_class_ids)
        if not self.target_class_ids or not all(
            checks.is_whole(i) and 0 <= i < num_classes for i in self.target_class_ids
        ):
            raise ValueError(f"`target_class_ids`={target_class_ids!r}: expected classes from 0 to {num_classes - 1}")
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions ``(batch, ...)``, with an axis of classes where they are not sparse."""
        y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
        y_true = y_true if self.sparse_y_true else jnp.argmax(y_true, axis=self.axis)
        y_pred = y_pred if self.sparse_y_pred else jnp.argmax(y_pred, axis=self.axis)
        y_true, y_pred = weighting.fit(self.name, "categorical", y_true, y_pred)
        weights = jnp.ones((), self.dtype)
        if sample_weight is not None:
            weights = weighting.spread(self.name, sample_weight, y_true.shape, self.dtype)
        true, pred = y_true.astype(jnp.int32).ravel(), y_pred.astype(jnp.int32).ravel()
        weights = jnp.broadcast_to(weights, y_true.shape).ravel()
        if self.ignore_class is not None:
            weights = jnp.where(true == self.ignore_class, 0, weights)
        n = self.num_classes
        outside = (true < 0) | (true >= n) | (pred < 0) | (pred >= n)
        place = jnp.where(outside, n * n, true * n + pred)
        counts = jnp.zeros(n * n, self.dtype).at[place].add(weights, mode="drop")
        self.total_cm.assign_add(counts.reshape(n, n))

    def result(self) -> Any:
        """The mean over the classes that count, of those that occurred."""
        matrix = self.total_cm.value.astype("float32")
        hits = jnp.diag(matrix)
        union = jnp.sum(matrix, axis=0) + jnp.sum(matrix, axis=1) - hits
        chosen = jnp.asarray(self.target_class_ids)
        hits, union = hits[chosen], union[chosen]
        return quotient(jnp.sum(quotient(hits, union)), jnp.sum(union > 0))


@registry.register("metric", "binary_iou", "binary_io_u")
class BinaryIoU(IoU):
    """Intersection over union of two classes, told apart by a threshold.

    Args:
        target_class_ids: the classes that count, of 0 and 1.
        threshold: predictions from it on are class 1.
        name: a name.
        dtype: data type of the counts.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
    >>> round(float(metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = checks.real("threshold", threshold, 0.0, 1.0)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels 0 and 1 and predictions ``(batch, ...)``."""
        super().update_state(y_true, jnp.asarray(y_pred) >= self.threshold, sample_weight)


@registry.register("metric", "mean_iou", "mean_io_u")
class MeanIoU(IoU):
    """Intersection over union, ``TP / (TP + FP + FN)``, averaged over all classes.

    Args:
        num_classes: how many classes there are.
        name: a name.
        dtype: data type of the counts.
        ignore_class: places labelled so are left out.
        sparse_y_true: labels are class numbers, not one-hot.
        sparse_y_pred: predictions are class numbers, not scores.
        axis: the axis of the classes where they are not sparse.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        classes = range(checks.positive_int("num_classes", num_classes))
        super().__init__(num_classes, classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


@registry.register("metric", "one_hot_iou", "one_hot_io_u")
class OneHotIoU(IoU):
    """Intersection over union for one-hot labels, averaged over some classes.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes that count.
        name: a name.
        dtype: data type of the counts.
        ignore_class: places labelled so are left out.
        sparse_y_pred: predictions are class numbers, not scores.
        axis: the axis of the classes.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.OneHotIoU(num_classes=2, target_class_ids=[1])
    >>> float(metric([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]]))
    0.5
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@registry.register("metric", "one_hot_mean_iou", "one_hot_mean_io_u")
class OneHotMeanIoU(MeanIoU):
    """Intersection over union for one-hot labels, averaged over all classes.

    Args:
        num_classes: how many classes there are.
        name: a name.
        dtype: data type of the counts.
        ignore_class: places labelled so are left out.
        sparse_y_pred: predictions are class numbers, not scores.
        axis: the axis of the classes.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.OneHotMeanIoU(num_classes=2)
    >>> float(metric([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]]))
    0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
