"""Weights of classes as weights of samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.advice import names
from lamina.core import checks, config, tree
from lamina.shapes.errors import Fix, ShapeError, call_site


def check_class_weight(class_weight: Any, y: Any = None) -> dict[int, float] | None:
    """`class_weight` as a dict from class numbers to weights.

    Args:
        class_weight: what the user gave.
        y: the targets, where they are at hand, for repairs.

    Raises:
        ValueError: it is none, or a class or weight is not a number that can be one.
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, Mapping) or not class_weight:
        fixes = []
        if isinstance(class_weight, (list, tuple, np.ndarray)) and np.ndim(class_weight) == 1:
            written = names.argument(call_site(), ("fit", "train_on_batch"), "class_weight", 8)
            code = f"class_weight=dict(enumerate({written}))"
            fixes = _tried("number the weights", code, dict(enumerate(class_weight)), y)
        raise ShapeError(
            f"`class_weight`={class_weight!r}: expected a dict from classes to weights, such as {{0: 1.0}}",
            expected="{0: weight, 1: weight, ...}",
            received=f"{type(class_weight).__name__} {getattr(class_weight, 'shape', '')}".rstrip(),
            fixes=fixes,
        )
    for label in class_weight:
        whole = checks.is_whole(label) or (isinstance(label, (float, np.floating)) and float(label).is_integer())
        if not whole or label < 0:
            numbered = dict(enumerate(class_weight.values()))
            title = "name each class by its number in the labels"
            raise ShapeError(
                f"`class_weight`: {label!r} is no class; classes are whole numbers from 0 on",
                expected="class numbers as keys: 0, 1, ...",
                received=f"the keys {', '.join(map(repr, class_weight))}",
                fixes=_tried(title, f"class_weight={numbered}", numbered, y),
            )
    return {int(k): checks.real(f"class_weight[{int(k)}]", w, low=0.0) for k, w in class_weight.items()}


def _tried(title: str, code: str, class_weight: dict[int, Any], y: Any) -> list[Fix]:
    """The repair, if those weights are taken."""
    try:
        weights = check_class_weight(class_weight)
        if y is not None:
            apply_class_weight(y, None, weights, "y")
    except ValueError:
        return []
    return [Fix(title, code)]


def apply_class_weight(
    y: Any, sample_weight: Any, class_weight: dict[int, float] | None, name: str, *, whole: bool = True
) -> Any:
    """The weight of each sample: its class's weight (1 where none is given) times its own.

    Args:
        y: the targets: class numbers ``(batch,)`` or ``(batch, 1)``, or one row of scores a sample.
        sample_weight: weights of the samples, or ``None``.
        class_weight: from `check_class_weight`.
        name: how errors call `y`.
        whole: whether `y` is all the data, not one batch of it.

    Raises:
        ValueError: there are no classes in `y`, or several outputs.
    """
    if class_weight is None:
        return sample_weight
    if y is None:
        raise ValueError(f"`class_weight` needs targets, and `{name}` is not given")
    leaves = [leaf for leaf in tree.flatten(y) if leaf is not None]
    if len(leaves) != 1:
        raise ValueError(
            f"`class_weight` is for models with one output, and `{name}` has {len(leaves)}: "
            "pass a `sample_weight` for each output"
        )
    labels = _labels(np.asarray(leaves[0]), class_weight, name)
    weights = np.ones(labels.shape, config.floatx() if config.floatx() != "bfloat16" else "float32")
    for label, weight in class_weight.items():
        weights[labels == label] = weight
    if whole and not np.isin(labels, list(class_weight)).any():
        present = ", ".join(str(v) for v in np.unique(labels)[:8])
        raise ShapeError(
            f"`class_weight` gives weights to the classes {', '.join(map(str, class_weight))}, none of which is in "
            f"`{name}`; it holds {present}",
            expected=f"classes among {present}",
            received=f"the keys {', '.join(map(str, class_weight))}",
        )
    if sample_weight is None:
        return weights
    own = [np.asarray(leaf) for leaf in tree.flatten(sample_weight) if leaf is not None]
    if len(own) != 1 or own[0].shape[:1] != weights.shape[:1]:
        raise ValueError("with `class_weight`, `sample_weight` is one array with a weight for each sample")
    extra = own[0].ndim - weights.ndim
    return (own[0] * weights.reshape(weights.shape + (1,) * max(extra, 0))).astype(own[0].dtype)


def _labels(y: np.ndarray, class_weight: dict[int, float], name: str) -> np.ndarray:
    if y.ndim > 1 and y.shape[-1] > 1:
        beyond = [label for label in class_weight if label >= y.shape[-1]]
        if beyond:
            kept = {label: weight for label, weight in class_weight.items() if label < y.shape[-1]}
            fixes = _tried("leave it out", f"class_weight={kept}", kept, y)
            if min(class_weight) == 1 and len(class_weight) == y.shape[-1]:
                shifted = {label - 1: weight for label, weight in class_weight.items()}
                fixes = _tried("count the classes from 0", f"class_weight={shifted}", shifted, y) + fixes
            raise ShapeError(
                f"`class_weight` names class {beyond[0]}, and the rows of `{name}` have {y.shape[-1]} classes (from 0)",
                expected=f"classes from 0 to {y.shape[-1] - 1}: {name} has the shape {y.shape}",
                received=f"the keys {', '.join(map(str, class_weight))}",
                fixes=fixes,
            )
        return y.argmax(-1)
    labels = y[..., 0] if y.ndim > 1 else y
    rounded = np.round(labels.astype("float64")).astype("int64")
    if not np.array_equal(rounded, labels):
        raise ValueError(
            f"`class_weight` needs class numbers in `{name}`, which holds fractions "
            f"such as {labels[rounded != labels][0]}"
        )
    return rounded
