"""Repairs for labels that do not fit an output: other labels, another loss, another end of the model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lamina.advice import batch_axis, products, several_outputs, trying, weights
from lamina.advice.meeting import Meeting, Shape
from lamina.advice.origins import kinds
from lamina.losses import fitting
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError

MOST = 3
_ROWS = 1000
_POOLING = {3: "GlobalAveragePooling1D", 4: "GlobalAveragePooling2D", 5: "GlobalAveragePooling3D"}

Found = Iterator[Fix | None]


def advise(error: ShapeError, model: Any, y: Any = None, validating: bool = False, x: Any = None) -> None:
    """Attach repairs to an error about labels, or their weights, and an output.

    Args:
        error: raised where they met; others are left as they are.
        model: the model.
        y: the labels, one array for each output, as far as they are at hand.
        validating: whether they were given to be validated on.
        x: what the model is called on; only its shapes matter.
    """
    weights.advise(error)
    products.advise(error)
    several_outputs.advise(error, model, y if isinstance(y, list) else [y])
    clash = getattr(error, "clash", None)
    if clash is None:
        return
    if _other_rows(clash):
        batch_axis.say_where(error, model)
        return
    place = getattr(error, "output", 0)
    values = y[place] if isinstance(y, (list, tuple)) and place < len(y) else y
    with trying.quiet():
        meeting = Meeting(clash, model, place, error.call_site, values, validating, x, getattr(error, "own", None))
        fixes = _metric(meeting) if getattr(error, "is_metric", False) else repairs(meeting)
    error.with_fixes(fixes)


def _other_rows(clash: fitting.Clash) -> bool:
    """Whether there are more or fewer predictions than samples."""
    rows = [shape[0] for shape in (clash.true, clash.pred) if shape and dims.is_known(shape[0])]
    return len(rows) == 2 and rows[0] != rows[1]


def repairs(meeting: Meeting) -> list[Fix]:
    """Repairs that fit, best first."""
    ways = {
        "categorical": (_class_numbers, _first_class, _units, _sequence, _layout, _sizes),
        "sparse": (_one_hot, _sequence, _layout, _channels, _sizes),
        "elementwise": (_channels, _one_hot_for_one_unit, _one_unit, _units, _sizes, _layout, _sequence),
    }
    kind = "elementwise" if meeting.name.startswith("binary") else meeting.kind
    found: dict[str, Fix] = {}
    for way in ways.get(kind, ()):
        with contextlib.suppress(Exception):  # a repair that cannot be tried must not hide the error
            for fix in way(meeting):
                if fix is not None:
                    found.setdefault(fix.code, fix)
    return first_without_or(list(found.values())[:MOST])


def first_without_or(fixes: list[Fix]) -> list[Fix]:
    """The repairs; the title of the first does not begin with "or"."""
    return [replace(fix, title=fix.title.removeprefix("or ")) if not i else fix for i, fix in enumerate(fixes)]


def _metric(m: Meeting) -> list[Fix]:
    """A metric for the other kind of labels."""
    if m.kind == "categorical" and m.fits(m.true, kind="sparse"):
        return [Fix("take the metric for class numbers", 'metrics=["sparse_categorical_accuracy"]')]
    if m.kind == "sparse" and m.fits(m.true, kind="categorical"):
        return [Fix("take the metric for one-hot labels", 'metrics=["categorical_accuracy"]')]
    return repairs(m)


# Classes


def _class_numbers(m: Meeting) -> Found:
    """Class numbers for a loss that takes one column per class."""
    numbers = m.true[:-1] if len(m.true) == len(m.pred) else m.true
    if m.name.startswith("binary") or m.classes is None or not m.fits(m.true, kind="sparse"):
        return
    top = int(m.values.max()) + 1 if m.values is not None and m.values.size else m.classes
    if m.name == "categorical_crossentropy":
        yield m.change_loss("take the loss for class numbers", "sparse_categorical_crossentropy", "sparse")
    yield m.change_labels(
        "or make the labels one-hot", f"keras.utils.to_categorical({{y}}, {m.classes})", (*numbers, m.classes)
    )
    if top > m.classes:
        yield m.change_units(top, f"and tell all {top} classes apart", "sparse_categorical_crossentropy")


def _first_class(m: Meeting) -> Found:
    """Labels from 1 on, made one-hot with a column for class 0."""
    last, classes = m.true[-1] if m.true else None, m.classes
    if len(m.true) != len(m.pred) or not dims.is_known(last) or last != (classes or 0) + 1:
        return
    if m.values is not None and m.values[:_ROWS, ..., 0].any():
        return
    if m.inner:
        fits = m.fits((*m.true[:-1], classes))
        code = f"keras.utils.to_categorical({_minus_one(m.inner)})"
        yield Fix("if the labels start at 1, count the classes from 0", code, f"(None, {classes})") if fits else None
    else:
        title = "if the classes are numbered from 1, class 0 is empty: drop its column (labels - 1)"
        yield m.change_index(title, "[..., 1:]", (*m.true[:-1], classes))


def _minus_one(text: str) -> str:
    return f"{text} - 1"


def _one_hot(m: Meeting) -> Found:
    """One-hot labels for a loss that takes class numbers."""
    if len(m.true) != len(m.pred) or len(m.true) < 2 or m.true[-1] == 1:
        return
    columns = int(m.true[-1]) if dims.is_known(m.true[-1]) else None
    if columns is not None and m.classes is not None and columns <= m.classes and _is_one_hot(m.values) is not False:
        where = "" if m.axis == -1 else f"{m.axis}"
        yield m.change_labels(
            "turn the labels into class numbers",
            f"{{y}}.argmax({where or -1})",
            fitting.without_classes(m.true, m.axis),
        )
        if m.name == "sparse_categorical_crossentropy":
            yield m.change_loss("or take the loss for one-hot labels", "categorical_crossentropy", "categorical")
    if columns is not None and columns != m.classes and _is_one_hot(m.values) is not False:
        yield m.change_units(columns, "give the model one output per class", "categorical_crossentropy")


def _is_one_hot(values: np.ndarray | None) -> bool | None:
    """Whether the labels are rows with a single 1; ``None`` where they are not at hand."""
    if values is None:
        return None
    rows = values[:_ROWS]
    return bool(np.isin(rows, (0, 1)).all() and (rows.sum(-1) == 1).all())


def _one_hot_for_one_unit(m: Meeting) -> Found:
    """One-hot labels, and an output with one unit."""
    columns = m.true[-1] if len(m.true) == len(m.pred) == 2 else 1
    if m.pred[-1:] != (1,) or not dims.is_known(columns) or columns < 2 or _is_one_hot(m.values) is False:
        return
    if m.name.startswith("binary") or m.values is not None:
        title = f"for {columns} classes, end in {columns} units"
        yield m.change_units(int(columns), title, "categorical_crossentropy", "softmax")
        if columns == 2:
            yield m.change_index("for two classes, keep the column of the second", "[:, 1:]", (m.true[0], 1))


def _one_unit(m: Meeting) -> Found:
    """One label for each sample, and an output of several units."""
    single = len(m.true) == 1 or (len(m.true) == 2 and m.true[-1] == 1)
    if len(m.pred) != 2 or not single or m.classes in (None, 1):
        return
    whole = m.values is not None and _are_whole(m.values[:_ROWS])
    top = int(m.values.max()) if m.values is not None and m.values.size else 1
    counted = whole and (m.name.startswith("binary") or top > 1) and top < (m.classes or 0)
    if counted and not m.keeps_model and m.fits(m.true, kind="sparse"):
        end = f" and {m.head.code(m.classes or 0, activation='softmax')}" if m.head.last is not None else ""
        yield Fix("for class numbers, take their loss", f'loss="sparse_categorical_crossentropy"{end}')
    yield m.change_units(1, "give the model one output, as there is one label for each sample")


def _are_whole(values: np.ndarray) -> bool:
    """Whether all labels are whole numbers."""
    return values.dtype.kind in "iub" or (values.dtype.kind == "f" and bool((values == np.round(values)).all()))


def _units(m: Meeting) -> Found:
    """As many outputs as the labels have columns."""
    last = m.true[-1] if len(m.true) == len(m.pred) > 1 else None
    no_choice = last == 1 and m.kind == "categorical" and not m.name.startswith("binary")
    if last is None or not dims.is_known(last) or last == m.pred[-1] or no_choice:
        return
    few = m.kind == "categorical" and m.classes is not None and last < m.classes
    if few and m.validating and not m.inner and m.fits((*m.true[:-1], m.classes)):
        code = f"{m.y} = keras.utils.to_categorical({m.y}.argmax(-1), num_classes={m.classes})"
        yield Fix("a class is missing here: make a column for every class", code, f"(None, {m.classes})")
        return
    what = "class" if m.kind == "categorical" else "value"
    yield m.change_units(int(last), f"give the last layer one output per {what} of the labels")
    if m.kind == "categorical" and m.inner and m.classes is not None and last < m.classes:
        fits = m.fits((*m.true[:-1], m.classes))
        code = f"keras.utils.to_categorical({m.inner}, {m.classes})"
        yield Fix("or make a column for every class", code, f"(None, {m.classes})") if fits else None


# Axes


def _channels(m: Meeting) -> Found:
    """Images with more channels than the output, such as masks that were read in colour."""
    wanted = 1 if m.kind == "sparse" else m.pred[-1]
    if len(m.true) != len(m.pred) or len(m.true) < 4 or m.true[-1] not in (3, 4) or wanted != 1:
        return
    title = "keep one channel, as of a greyscale image"
    yield m.change_index(title, "[..., :1]", (*m.true[:-1], 1))


def _layout(m: Meeting) -> Found:
    """The right numbers in another order of axes."""
    wanted = fitting.without_classes(m.pred, m.axis) if m.kind == "sparse" and m.pred else m.pred
    true = m.true
    if not all(map(dims.is_known, (*true[1:], *wanted[1:]))):
        return
    ones_apart = [s for s in true[1:] if s != 1] == [s for s in wanted[1:] if s != 1]
    if len(true) > len(wanted) and ones_apart:
        yield m.change_labels("drop the axes of size 1", f"{{y}}.reshape{_reshaped(wanted)}", wanted)
    elif ones_apart and len(true) < len(wanted):
        yield m.change_labels("give the labels the missing axes of size 1", f"{{y}}.reshape{_reshaped(wanted)}", wanted)
    elif len(true) == len(wanted) > 2 and sorted(true[1:]) == sorted(wanted[1:]):
        yield m.change_labels("put the axes in the output's order", f"{{y}}.transpose({_order(true, wanted)})", wanted)
    elif len(wanted) > 1 and _product(true[1:]) == _product(wanted[1:]):
        yield m.change_labels("give the labels the output's shape", f"{{y}}.reshape{_reshaped(wanted)}", wanted)
        yield m.change_model("or flatten the output", "layers.Flatten() at the end", m.head.with_after(_new("Flatten")))


def _order(true: Shape, wanted: Shape) -> str:
    left = list(range(1, len(true)))
    places = [left.pop(next(i for i, place in enumerate(left) if true[place] == size)) for size in wanted[1:]]
    return ", ".join(map(str, (0, *places)))


def _reshaped(shape: Shape) -> str:
    return str((-1, *(int(s) for s in shape[1:])))


def _product(sizes: Shape) -> int:
    return int(np.prod([int(s) for s in sizes])) if sizes else 1


def _sequence(m: Meeting) -> Found:
    """One label for each sequence, and an output for each step; or the reverse."""
    wanted = fitting.without_classes(m.pred, m.axis) if m.kind == "sparse" and m.pred else m.pred
    flat = m.true[:-1] if m.true and m.true[-1] == 1 and m.kind != "categorical" else m.true
    if len(flat) < len(wanted) or (len(m.true) == len(m.pred) and m.pred[1:2] != m.true[1:2]):
        yield from _fewer_axes(m)
    if len(m.true) > len(wanted) or (len(m.true) == len(m.pred) == 2):
        yield from _more_axes(m)


def several_steps(m: Meeting, loss: str) -> list[Fix]:
    """Repairs that leave one prediction for each sequence, with another loss."""
    found = [replace(fix, code=f"{fix.code} with {m.loss_code(loss)}") for fix in _fewer_axes(m) if fix is not None]
    return first_without_or(found[:MOST])


def _fewer_axes(m: Meeting) -> Found:
    rank = len(m.pred)
    for layer in m.head.layers:
        if getattr(layer, "return_sequences", False):
            pred = m.head.with_settings(layer, return_sequences=False)
            yield m.change_model("one output for each sequence", f'return_sequences=False in "{layer.name}"', pred)
            break
    for name in (_POOLING.get(rank), "Flatten"):
        if name is not None and m.head.last is not None:
            pred = m.head.with_before(_new(name))
            title = "gather all places before the last layer" if name != "Flatten" else "or put them side by side"
            yield m.change_model(title, f'layers.{name}() before "{m.head.last.name}"', pred)
    if rank == 3 and m.head.trial is not None:
        pred = m.head.with_after(lambda x: x[:, -1])
        yield m.change_model("or keep the last step", "x = x[:, -1] at the end", pred)


def _more_axes(m: Meeting) -> Found:
    for layer in m.head.layers:
        if getattr(layer, "return_sequences", None) is False:
            pred = m.head.with_settings(layer, return_sequences=True)
            yield m.change_model("one output for each step", f'return_sequences=True in "{layer.name}"', pred)
            break
    for layer in m.head.layers:
        if kinds(layer) & {*_POOLING.values(), "Flatten"}:
            pred = m.head.changed({layer: lambda x: x})
            yield m.change_model("one output for each place", f'leave "{layer.name}" out', pred)
            break
    if len(m.true) == len(m.pred) + 1:
        yield m.change_index("or keep the labels of the last step", "[:, -1]", (m.true[0], *m.true[2:]))


def _sizes(m: Meeting) -> Found:
    """Maps or series of different sizes."""
    to = fitting.without_classes(m.pred, m.axis) if m.kind == "sparse" and m.pred else m.pred
    true = m.true[:-1] if m.kind == "sparse" and len(m.true) == len(m.pred) else m.true
    middle = slice(1, None) if m.kind == "sparse" else slice(1, -1)
    have, need = true[middle], to[middle]
    if len(true) != len(to) or have == need or not all(map(dims.is_known, (*have, *need))):
        return
    yield _padded(m)
    if all(a >= b for a, b in zip(have, need, strict=True)):
        factors = {a // b if a % b == 0 else 0 for a, b in zip(have, need, strict=True)}
        if len(factors) == 1 and 0 not in factors:
            yield from _enlarged(m, next(iter(factors)), len(need))
        starts = [(a - b) // 2 for a, b in zip(have, need, strict=True)]
        cut = ", ".join(f"{s}:{s + b}" for s, b in zip(starts, need, strict=True))
        cropped = (true[0], *need, *m.true[1 + len(need) :])
        yield m.change_index("or crop the labels to the output's size", f"[:, {cut}]", cropped)
    yield _fringe(m, [int(b) - int(a) for a, b in zip(have, need, strict=True)])
    if len(have) == 2:
        pred = m.head.with_after(_new("Resizing", *map(int, have)))
        yield m.change_model("or resize the output", f"layers.Resizing({have[0]}, {have[1]}) at the end", pred)


def _fringe(m: Meeting, surplus: list[int]) -> Fix | None:
    """An output that is a few places too large, or too small, along each axis."""
    if not 1 <= len(surplus) <= 3 or not (all(s >= 0 for s in surplus) or all(s <= 0 for s in surplus)):
        return None
    sides = [(abs(s) // 2, abs(s) - abs(s) // 2) for s in surplus]
    argument = sides[0] if len(sides) == 1 else tuple(sides)
    crops = max(surplus) > 0
    name = f"{'Cropping' if crops else 'ZeroPadding'}{len(surplus)}D"
    pred = m.head.with_after(_new(name, argument))
    return m.change_model(f"{'crop' if crops else 'or pad'} the output", f"layers.{name}({argument}) at the end", pred)


def _enlarged(m: Meeting, factor: int, axes: int) -> Found:
    """An output that is smaller by a whole factor."""
    if axes in (1, 2, 3):
        name = f"UpSampling{axes}D"
        pred = m.head.with_after(_new(name, factor))
        yield m.change_model("enlarge the output", f"layers.{name}({factor}) at the end", pred)
    steps = ", ".join([f"::{factor}"] * axes)
    small = (m.true[0], *(s // factor for s in m.true[1 : 1 + axes]), *m.true[1 + axes :])
    yield m.change_index(f"or keep every {factor}. of the labels", f"[:, {steps}]", small)


def _padded(m: Meeting) -> Fix | None:
    """The same model with ``padding="same"`` in its convolutions; and in its poolings, if that is not enough."""
    trial = m.head.trial
    loose = [x for x in trial.layers_before() if getattr(x, "padding", None) == "valid"] if trial is not None else []
    for chosen in ([x for x in loose if hasattr(x, "filters")], loose):
        if chosen:
            pred = m.head.changed({x: trying.fresh(x, padding="same") for x in chosen})
            where = ", ".join(x.name for x in chosen[:3]) + (", ..." if len(chosen) > 3 else "")
            found = m.change_model("keep the size in convolutions", f'padding="same" in {where}', pred)
            if found is not None:
                return found
    return None


def _new(name: str, *args: Any) -> Any:
    return getattr(trying.Layers(), name)(*args)
