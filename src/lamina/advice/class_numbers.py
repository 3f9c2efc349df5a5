"""Repairs for class numbers that no output stands for."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from lamina import losses
from lamina.advice import trying
from lamina.advice.labels import MOST, Found, first_without_or
from lamina.advice.meeting import Meeting
from lamina.losses import fitting
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError


def advise(
    error: ShapeError, model: Any, place: int, labels: np.ndarray, classes: int, x: Any, options: dict[str, Any],
    validating: bool = False,
) -> None:  # fmt: skip
    """Attach repairs to an error about class numbers that no output stands for.

    Args:
        error: the error.
        model: the model.
        place: which of its outputs.
        labels: the class numbers.
        classes: how many classes the output has.
        x: what the model is called on; only its shapes matter.
        options: the arguments of the loss.
        validating: whether the labels were given to be validated on.
    """
    shape = (None, *labels.shape[1:])
    low, high = int(labels.min()), int(labels.max())
    with trying.quiet():
        clash = fitting.Clash(
            "sparse_categorical_crossentropy", "sparse", shape, (None, *labels.shape[1:], classes), -1
        )
        meeting = Meeting(clash, model, place, error.call_site, labels, validating, x)
        found = [fix for fix in _numbers(meeting, low, high, classes, options) if fix is not None]
    error.with_fixes(first_without_or(found[:MOST]))


def _numbers(m: Meeting, low: int, high: int, classes: int, options: dict[str, Any]) -> Found:
    """Repairs for class numbers from `low` to `high`, where the output knows `classes`."""
    if classes == 1 and low >= 0 and high == 1 and m.head.last is not None:
        pred = m.head.with_settings(m.head.last, activation="sigmoid")
        if pred is not None and m.fits(m.true, pred, "elementwise"):
            code = f'loss="binary_crossentropy" and activation="sigmoid" in "{m.head.last.name}"'
            yield Fix("for a yes or no", code, dims.show_shape(dims.to_public(pred)))
    if low >= 1 and high - low < classes:
        code = f"{m.target} = {m.y} - {low}"
        yield Fix(f"the labels start at {low}: count the classes from 0", code, f"0 to {high - low}")
    elif low == -1 and high < classes:
        kept = {k: v for k, v in options.items() if (k, v) in (("from_logits", True), ("axis", m.axis)) and v != -1}
        said = "".join(f", {k}={v!r}" for k, v in kept.items())
        code = f"SparseCategoricalCrossentropy(ignore_class=-1{said})"
        loss = eval(code, {"SparseCategoricalCrossentropy": losses.SparseCategoricalCrossentropy})
        specs = [jax.ShapeDtypeStruct((2, *shape[1:]), "float32") for shape in (m.true, m.pred)]
        if trying.traced(loss, *specs) is not None:
            yield Fix("if -1 marks what has no label, leave it out", f"loss=keras.losses.{code}")
    pred = m.head.with_units(high + 1) if low >= 0 else None
    if pred is not None and pred[-1] == high + 1:
        code = m.head.code(high + 1, activation="softmax" if classes == 1 else None)
        yield Fix(f"or tell {high + 1} classes apart, 0 to {high}", code, dims.show_shape(dims.to_public(pred)))
