"""Repairs for arrays that differ in their number of samples."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lamina.advice import names
from lamina.shapes.errors import Fix, call_site, user_frames

_METHODS = ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch")
_WEIGHTS_THIRD = ("train_on_batch", "test_on_batch", "check")
_PLACES = {"x": 0, "y": 1}


def repairs(parts: Sequence[tuple[str, Any]], leaves: Sequence[tuple[str, Any]]) -> list[Fix]:
    """Repairs, best first.

    Args:
        parts: what was given, by the argument's name.
        leaves: the arrays inside, by name.
    """
    return list(_candidates(parts, leaves))[:3]


def is_list_of_samples(parts: Sequence[tuple[str, Any]], leaves: Sequence[tuple[str, Any]]) -> bool:
    """Whether the first argument is a list with an array for each sample, and not for each input."""
    name, x = parts[0]
    others = {leaf.shape[0] for other, leaf in leaves if not other.startswith(name)}
    own = {tuple(leaf.shape) for other, leaf in leaves if other.startswith(name)}
    return isinstance(x, (list, tuple)) and others == {len(x)} and len(own) == 1


def _candidates(parts: Sequence[tuple[str, Any]], leaves: Sequence[tuple[str, Any]]) -> Iterator[Fix]:
    name = parts[0][0]
    if is_list_of_samples(parts, leaves):
        title = "a list of arrays stands for several inputs; for one input, join its samples"
        yield Fix(title, f"np.stack({_written(name)})", str((len(parts[0][1]), *leaves[0][1].shape)))
        return
    samples = leaves[0][1].shape[0]
    yield from _of_classes(leaves)
    for (_, a), (second, b) in itertools.product(leaves, leaves):
        rest = {c.shape[0] for _, c in leaves if c is not b}
        if b.ndim > 1 and rest == {b.shape[1]} and b.shape[1] == a.shape[0] != b.shape[0]:
            shape = (b.shape[1], b.shape[0], *b.shape[2:])
            title = f"the samples of `{second}` lie along its second axis, it seems"
            yield Fix(title, f"np.swapaxes({_written(second)}, 0, 1)", str(shape))
    for second, b in leaves[1:]:
        if b.shape[0] != samples:
            yield from _meant(second, samples)
        if b.shape[0] == 1 and b.ndim > 1 and b.shape[1] == samples:
            yield Fix("drop the first axis", f"{_written(second)}[0]", str(b.shape[1:]))
    short, a = min(leaves, key=lambda pair: pair[1].shape[0])
    longer = [other for other, b in leaves if b.shape[0] != a.shape[0]]
    yield Fix(
        f"find where `{short}` lost samples; if the order is the same, cut the others to its length",
        " and ".join(names.indexed(_written(other), f"[:{a.shape[0]}]") for other in longer),
        f"({a.shape[0]}, ...)",
    )


def _of_classes(leaves: Sequence[tuple[str, Any]]) -> Iterator[Fix]:
    """One weight for each class, where one for each sample is wanted."""
    weights, labels = dict(leaves).get("sample_weight"), dict(leaves).get("y")
    if weights is None or labels is None or weights.ndim != 1 or not isinstance(labels, np.ndarray) or not labels.size:
        return
    columns = labels.ndim == 2 and labels.shape[1] > 1
    counted = labels.shape[1] if columns else labels.max() + 1 if labels.dtype.kind in "iu" and labels.min() >= 0 else 0
    if len(weights) == counted:
        given, y = _written("sample_weight"), _written("y")
        numbers = names.indexed(y, ".argmax(-1)") if columns else y
        code = f"sample_weight={names.indexed(given, f'[{numbers}]')}"
        yield Fix("these are weights of the classes: give each sample that of its class", code, f"({len(labels)},)")
        if "fit" in [names.function_name(call) for call in names.calls(call_site())]:
            yield Fix("or say so", f"class_weight=dict(enumerate({given})) and sample_weight=None")


def _meant(argument: str, samples: int) -> Iterator[Fix]:
    """A variable of a similar name that has the right length."""
    written = _written(argument)
    frame = next(user_frames(), None)
    found = frame.f_locals if frame is not None else {}
    stem = re.split(r"_|\d", written)[0]  # y of y_test
    for name, value in found.items():
        if name != written and re.split(r"_|\d", name)[0] == stem and _length(value) == samples:
            yield Fix(
                f"give the `{argument}` with the same number of samples", f"{argument}={name}", f"({samples}, ...)"
            )


def _length(value: Any) -> int | None:
    shape = getattr(value, "shape", None)
    return shape[0] if isinstance(shape, tuple) and shape else None


def _written(argument: str) -> str:
    """What the user wrote for an argument."""
    part = re.fullmatch(r"validation_data\[(\d)\]", argument)
    for call in names.calls(call_site(), "fit") if part else ():
        texts = names.elements(names.argument_node(call, "validation_data", 7))
        if part and len(texts) > int(part[1]) and texts[int(part[1])]:
            return texts[int(part[1])]
    part = re.fullmatch(r"([xy])\[(\d)\]", argument)
    for call in names.calls(call_site(), *_METHODS):
        texts = names.elements(names.argument_node(call, part[1], _PLACES[part[1]])) if part else []
        if part and len(texts) > int(part[2]) and texts[int(part[2])]:
            return texts[int(part[2])]
    if argument == "sample_weight":
        written = names.argument(call_site(), _WEIGHTS_THIRD, argument, 2)
        if written != argument:
            return written
    place = _PLACES.get(argument, 99)
    return names.argument(call_site(), _METHODS, argument, place, argument) if argument.isidentifier() else argument
