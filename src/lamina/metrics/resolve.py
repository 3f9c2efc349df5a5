"""What ``"accuracy"`` and ``"crossentropy"`` mean, as the shapes of labels and predictions tell."""

from __future__ import annotations

from typing import Any

from lamina.metrics import accuracy, from_losses
from lamina.metrics.metric import Metric

_FAMILIES = {
    "accuracy": (
        accuracy.BinaryAccuracy,
        accuracy.SparseCategoricalAccuracy,
        accuracy.CategoricalAccuracy,
    ),
    "crossentropy": (
        from_losses.BinaryCrossentropy,
        from_losses.SparseCategoricalCrossentropy,
        from_losses.CategoricalCrossentropy,
    ),
}
_SHORT = {"acc": "accuracy", "ce": "crossentropy"}


def is_family(name: Any) -> bool:
    """Whether a name stands for a family of metrics, one of which the shapes choose."""
    return isinstance(name, str) and _SHORT.get(name.lower(), name.lower()) in _FAMILIES


def resolve_accuracy(name: str, y_true_shape: tuple[Any, ...], y_pred_shape: tuple[Any, ...]) -> Metric:
    """The metric of the family `name` that fits the shapes.

    One output per sample: the binary one. Labels without the axis of the classes, or with one of size 1: class
    numbers. Otherwise: one-hot labels.

    Args:
        name: ``"accuracy"``, ``"acc"``, ``"crossentropy"`` or ``"ce"``; the metric is called so.
        y_true_shape: shape of the labels, such as ``(None,)``.
        y_pred_shape: shape of the predictions, such as ``(None, 10)``.

    Raises:
        ValueError: `name` is another.

    Example:

    >>> resolve_accuracy("accuracy", (32,), (32, 10))
    <SparseCategoricalAccuracy name=accuracy>
    """
    if not is_family(name):
        raise ValueError(f"`name`={name!r}: expected one of {', '.join(map(repr, [*_FAMILIES, *_SHORT]))}")
    binary, sparse, categorical = _FAMILIES[_SHORT.get(name.lower(), name.lower())]
    if len(y_pred_shape) < 2 or y_pred_shape[-1] == 1:
        return binary(name=name)
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return sparse(name=name)
    return categorical(name=name)
