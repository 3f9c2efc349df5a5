"""Whether labels fit predictions: checked on shapes alone, so before anything is compiled.

What a loss expects of `y_true`, given `y_pred`:

- ``"elementwise"``: the same shape (an axis of size 1 at the end may be there or not);
- ``"categorical"``: the same shape, one column per class;
- ``"sparse"``: the shape without the axis of the classes, as whole numbers;
- ``"any"``: nothing that shapes could tell.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lamina.core import registry
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError, warn

Shape = tuple[Any, ...]

_kinds: dict[Any, str] = {}
_MIDDLE = {3: ("time",), 4: ("height", "width"), 5: ("depth", "height", "width")}


@dataclass(frozen=True)
class Clash:
    """Labels and predictions that do not fit: whose they are, what is expected, and both shapes."""

    name: str
    kind: str
    true: Shape
    pred: Shape
    axis: int = -1


def expects(kind: str) -> Callable[[Any], Any]:
    """Note what a loss function expects of its labels."""

    def decorate(function: Any) -> Any:
        _kinds[function] = kind
        return function

    return decorate


def check_labels(loss: Any, y_true: Any, y_pred: Any) -> None:
    """Refuse labels that do not fit the predictions.

    Losses that are not Lamina's own are not checked, for nothing is known about them.

    Args:
        loss: a name, a loss function or a loss object.
        y_true: the labels: anything with a `shape` (sizes may be symbolic or ``None``).
        y_pred: the predictions.

    Raises:
        ShapeError: they do not fit.

    Example:

    >>> import jax
    >>> labels, predictions = (jax.ShapeDtypeStruct(s, "float32") for s in [(32,), (32, 10)])
    >>> check_labels("sparse_categorical_crossentropy", labels, predictions)
    """
    if isinstance(loss, str):
        loss = registry.resolve("loss", loss)
    function, kind = getattr(loss, "fn", loss), label_kind(loss)
    if kind is not None and hasattr(y_true, "shape") and hasattr(y_pred, "shape"):
        axis = getattr(loss, "fn_kwargs", {}).get("axis", -1)
        check(function.__name__, kind, _shape(y_true), _shape(y_pred), axis if isinstance(axis, int) else -1)


def label_kind(loss: Any) -> str | None:
    """What a loss function or object expects of its labels; ``None`` where nothing is known."""
    function = getattr(loss, "fn", loss)
    return _kinds.get(function) if callable(function) else None


def _shape(tensor: Any) -> Shape:
    return tuple(getattr(tensor, "dims", tensor.shape))


def check(name: str, kind: str, true: Shape, pred: Shape, axis: int = -1) -> None:
    """Refuse a shape of labels that does not fit; warn where it fits only by being repeated."""
    reason = misfit(kind, true, pred, axis)
    if reason:
        raise _error(name, kind, true, pred, axis, reason)
    if kind == "elementwise" and is_repeated(true, pred):
        _warn_of_repeating(Clash(name, kind, true, pred, axis))


def is_repeated(true: Shape, pred: Shape) -> bool:
    """Whether labels or predictions fit each other only by being repeated along an axis."""
    if not true or not pred:
        return False
    true, pred = aligned(true, pred)
    return len(true) == len(pred) and any(_differ(a, b) for a, b in zip(true[1:], pred[1:], strict=True))


def misfit(kind: str, true: Shape, pred: Shape, axis: int = -1) -> str:
    """Why labels of a shape do not fit predictions of another; empty where they do."""
    if kind == "any" or (kind == "elementwise" and not true):
        return ""
    if kind == "sparse":
        return _sparse_misfit(true, pred, axis)
    true, pred = aligned(true, pred)
    if len(true) != len(pred):
        return f"y_true has {_axes(true)}, y_pred has {_axes(pred)}"
    broadcasts = kind == "elementwise"
    for place, (a, b) in enumerate(zip(true, pred, strict=True)):
        if _differ(a, b) and not (broadcasts and 1 in (a, b)):
            label = _names(len(pred), axis, kind)[place]
            return f"y_true has {label} {dims.show(a)}, y_pred has {label} {dims.show(b)}"
    return ""


def aligned(true: Shape, pred: Shape) -> tuple[Shape, Shape]:
    """Both shapes with an axis of size 1 at the end added or dropped where only one has it.

    The extra axis is dropped, unless the other shape has a single axis, which then gains one.
    """
    if len(true) == len(pred) + 1 and _is_one(true[-1]):
        return (true, (*pred, 1)) if len(pred) == 1 else (true[:-1], pred)
    if len(pred) == len(true) + 1 and _is_one(pred[-1]):
        return ((*true, 1), pred) if len(true) == 1 else (true, pred[:-1])
    return true, pred


def without_classes(pred: Shape, axis: int = -1) -> Shape:
    """The shape without the axis of the classes."""
    place = axis % len(pred)
    return pred[:place] + pred[place + 1 :]


def _sparse_misfit(true: Shape, pred: Shape, axis: int) -> str:
    if not pred or not -len(pred) <= axis < len(pred):
        return f"y_pred has {_axes(pred)}, and none of them is axis {axis}, that of the classes"
    wanted = without_classes(pred, axis)
    given = true[:-1] if len(true) == len(pred) and _is_one(true[-1]) else true
    if len(given) == len(wanted) and not any(_differ(a, b) for a, b in zip(given, wanted, strict=True)):
        return ""
    if len(true) == len(pred) and not any(_differ(a, b) for a, b in zip(true, pred, strict=True)):
        return "the labels look one-hot, one column per class; this loss takes the number of the class"
    return f"y_true has {_axes(true)}: one whole number is wanted for each set of scores in y_pred"


def _error(name: str, kind: str, true: Shape, pred: Shape, axis: int, reason: str) -> ShapeError:
    as_sparse = _as_class_numbers(true, pred, axis)
    if kind == "categorical" and as_sparse is not None and not name.startswith("binary"):
        reason = "the labels look like class numbers; this loss takes one column per class"
    wanted = without_classes(pred, axis) if kind == "sparse" and pred else pred
    labels = _names(len(pred), axis, kind)
    if kind == "sparse":
        labels = without_classes(labels, axis) if labels else ()
    classes: Any = pred[axis] if kind == "sparse" and pred and -len(pred) <= axis < len(pred) else None
    numbers = f", whole numbers from 0 to {int(classes) - 1}" if dims.is_known(classes) else ""
    error = ShapeError(
        f"{name}: y_true does not fit y_pred: {reason}",
        expected=f"y_true {_named(labels, wanted)}{numbers}",
        received=f"y_true {_named(_true_names(kind, true, pred, axis), true)}",
        notes=[("", f"y_pred {_named(_names(len(pred), axis, kind), pred)}")],
        fixes=_fixes(name, kind, true, pred, axis),
    )
    error.clash = Clash(name, kind, true, pred, axis)  # type: ignore[attr-defined]
    return error


def _fixes(name: str, kind: str, true: Shape, pred: Shape, axis: int) -> list[Fix]:
    """Repairs whose result fits: each candidate comes with the kind and the shapes it leads to."""
    candidates: list[tuple[Fix, str, Shape, Shape]] = []
    classes: Any = pred[axis] if pred and -len(pred) <= axis < len(pred) else None
    if kind == "categorical" and dims.is_known(classes) and name == "categorical_crossentropy":
        one_hot = Fix("or make the labels one-hot", f"y_true = lamina.utils.to_categorical(y_true, {int(classes)})")
        numbers = _as_class_numbers(true, pred, axis)
        if numbers is not None:
            sparse = Fix("take the loss for class numbers", "lamina.losses.sparse_categorical_crossentropy")
            candidates = [(sparse, "sparse", true, pred)]
            if axis in (-1, len(pred) - 1):
                candidates.append((one_hot, kind, (*numbers, classes), pred))
    if kind == "sparse" and len(true) == len(pred):
        argmax = Fix("turn the labels into class numbers", f"y_true = lamina.ops.argmax(y_true, axis={axis})")
        candidates = [(argmax, kind, without_classes(true, axis), pred)]
        if name == "sparse_categorical_crossentropy":
            one_hot = Fix("or take the loss for one-hot labels", "lamina.losses.categorical_crossentropy")
            candidates.append((one_hot, "categorical", true, pred))
    return [fix for fix, new_kind, t, p in candidates if not misfit(new_kind, t, p, axis)]


def _as_class_numbers(true: Shape, pred: Shape, axis: int) -> Shape | None:
    """The shape of the labels, if they can be class numbers for these predictions."""
    if not pred or _sparse_misfit(true, pred, axis):
        return None
    return true[:-1] if len(true) == len(pred) else true


def _names(rank: int, axis: int, kind: str) -> tuple[str, ...]:
    """Names for the axes of predictions, the axis of the classes among them."""
    if rank < 2:
        return ("batch",)[:rank]
    last = "outputs" if kind in ("elementwise", "any") else "classes"
    rest = ("batch", *_MIDDLE.get(rank, tuple(f"axis_{i}" for i in range(1, rank - 1))))
    place = axis % rank if last == "classes" else rank - 1
    return (*rest[:place], last, *rest[place:])


def _true_names(kind: str, true: Shape, pred: Shape, axis: int) -> tuple[str, ...]:
    names = _names(len(pred), axis, kind)
    if len(true) == len(pred) - 1:
        return without_classes(names, axis)
    return names if len(true) == len(pred) else _names(len(true), -1, kind)


def _named(names: Sequence[str], shape: Shape) -> str:
    shown = f"({', '.join(names)}{',' if len(names) == 1 else ''})"
    return f"{shown} = {dims.show_shape(shape)}" if shape else "() = (), a single number"


def _axes(shape: Shape) -> str:
    return f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}"


def _is_one(size: Any) -> bool:
    return dims.is_known(size) and int(size) == 1


def _differ(a: Any, b: Any) -> bool:
    return dims.is_known(a) and dims.is_known(b) and int(a) != int(b)


_told: set[Any] = set()
_silent = False


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Inside, nothing is said of labels that are repeated: it will be said better."""
    global _silent
    before, _silent = _silent, True
    try:
        yield
    finally:
        _silent = before


def _warn_of_repeating(clash: Clash) -> None:
    if not _silent and _key(clash) not in _told:
        warn_of_repeating(clash, _fixes(clash.name, clash.kind, clash.true, clash.pred, clash.axis))


def _key(clash: Clash) -> Any:
    true, pred = aligned(clash.true, clash.pred)
    return clash.name, true[1:], pred[1:]


def warn_of_repeating(clash: Clash, fixes: Sequence[Fix]) -> None:
    """Say, once for all batch sizes, that labels fit predictions only by being repeated."""
    _told.add(_key(clash))
    true, pred = dims.show_shape(clash.true), dims.show_shape(clash.pred)
    warn(f"{clash.name}: y_true {true} is repeated to compare it with y_pred {pred}; give both the same shape", fixes)


def forget_told() -> None:
    """Say everything again."""
    _told.clear()
