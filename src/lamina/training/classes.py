"""Whether class numbers are within the number of classes: jax would train on with undefined losses."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from lamina.losses.fitting import label_kind
from lamina.training import compiled


def check_class_numbers(loss: compiled.CompiledLoss, y: Any, y_pred: Any) -> None:
    """Refuse class numbers that no output stands for, where the labels lie in the host's memory.

    Args:
        loss: the losses, matched with the outputs.
        y: the targets ``(samples, ...)``.
        y_pred: the outputs' shapes.

    Raises:
        ValueError: a label is negative, or not below the number of classes.
    """
    if y is None or not loss.built:
        return
    targets = compiled.match("y", y, y_pred, loss.names)
    for name, function, labels, predicted in zip(
        loss.names, loss.losses, targets, jax.tree.leaves(y_pred), strict=True
    ):
        if isinstance(labels, np.ndarray) and function is not None and label_kind(function) == "sparse":
            options = getattr(function, "fn_kwargs", {})
            _check(labels, predicted.shape[options.get("axis", -1)], options.get("ignore_class"), function.name, name)


def _check(labels: np.ndarray, classes: int, ignored: int | None, loss: str, output: str) -> None:
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.round(labels)):
        fraction = labels[labels != np.round(labels)].flat[0]
        raise ValueError(
            f"`y` holds {fraction:g}, which is no class: the loss {loss!r} takes the number of the class, from 0 to "
            f"{classes - 1}. For values rather than classes, take a loss such as 'mse'"
        )
    low, high = labels.min(), labels.max()
    if low >= 0 and high < classes:
        return
    wrong = labels[(labels < 0) | (labels >= classes)]
    wrong = wrong[wrong != ignored] if ignored is not None else wrong
    if wrong.size:
        values = np.unique(labels)
        shown = ", ".join(f"{v:g}" for v in values[:6]) + (", ..." if values.size > 6 else "")
        raise ValueError(
            f"`y` holds the class {wrong.flat[0]:g}, and the loss {loss!r} of the output {output!r} knows "
            f"{_numbers(classes)}; `y` holds {shown}. {_repair(int(low), int(high), classes)}"
        )


def _numbers(classes: int) -> str:
    return f"the classes 0 to {classes - 1}" if classes > 1 else "only the class 0, since there is one output"


def _repair(low: int, high: int, classes: int) -> str:
    if low == 1 and high == classes:
        return "Count the classes from 0: y = y - 1"
    if low < 0:
        return f"Number the classes from 0 to {max(classes, 2) - 1}"
    if high == 1:
        return "For two classes and one output, take the loss 'binary_crossentropy'"
    return f"Give the last layer one output for each class, {high + 1} of them"
