"""Whether class numbers are within the number of classes: jax would train on with undefined losses."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from lamina.advice import class_numbers
from lamina.losses.fitting import label_kind
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError
from lamina.training import compiled


def check_class_numbers(
    model: Any, loss: compiled.CompiledLoss, y: Any, y_pred: Any, x: Any = None, validating: bool = False
) -> None:
    """Refuse class numbers that no output stands for, where the labels lie in the host's memory.

    Args:
        model: the model.
        loss: the losses, matched with the outputs.
        y: the targets ``(samples, ...)``.
        y_pred: the outputs' shapes.
        x: what the model is called on, for repairs.
        validating: whether the labels were given to be validated on.

    Raises:
        ShapeError: a label is negative, or not below the number of classes.
    """
    if y is None or not loss.built:
        return
    targets = compiled.match("y", y, y_pred, loss.names)
    for place, (name, function, labels, predicted) in enumerate(
        zip(loss.names, loss.losses, targets, jax.tree.leaves(y_pred), strict=True)
    ):
        if isinstance(labels, np.ndarray) and function is not None and label_kind(function) == "sparse":
            options = getattr(function, "fn_kwargs", {})
            classes = predicted.shape[options.get("axis", -1)]
            error = _misfit(labels, classes, options.get("ignore_class"), function.name, name)
            if error is not None:
                class_numbers.advise(error, model, place, labels, classes, x, options, validating)
                raise error


def _misfit(labels: np.ndarray, classes: int, ignored: int | None, loss: str, output: str) -> ShapeError | None:
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.round(labels)):
        fraction = labels[labels != np.round(labels)].flat[0]
        return ShapeError(
            f"`y` holds {fraction:g}, which is no class: the loss {loss!r} takes the number of the class",
            layer=output,
            expected=f"whole numbers from 0 to {classes - 1}",
            received=f"y {dims.show_shape(labels.shape)} with {fraction:g} in it",
            notes=[("to do", "for values rather than classes, take a loss such as 'mse'")],
        )
    low, high = labels.min(), labels.max()
    if low >= 0 and high < classes:
        return None
    wrong = labels[(labels < 0) | (labels >= classes)]
    wrong = wrong[wrong != ignored] if ignored is not None else wrong
    if not wrong.size:
        return None
    values = np.unique(labels)
    shown = ", ".join(f"{v:g}" for v in values[:6]) + (", ..." if values.size > 6 else "")
    return ShapeError(
        f"`y` holds the class {wrong.flat[0]:g}, and the loss {loss!r} of the output {output!r} knows "
        f"{_numbers(classes)}",
        layer=output,
        expected=f"labels from 0 to {classes - 1}: the output has the shape (..., {classes})",
        received=f"labels from {low:g} to {high:g}: {shown}",
    )


def _numbers(classes: int) -> str:
    return f"the classes 0 to {classes - 1}" if classes > 1 else "only the class 0, since there is one output"
