"""Data, labels and outputs that go together in shape and very likely not in meaning.

Looked at once for each set of shapes, before anything is compiled. Numbers are looked at only in labels that lie in
the host's memory, and only in the first rows of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lamina.advice import batch_axis, broadcasting, names, trying
from lamina.advice.labels import repairs, several_steps
from lamina.advice.meeting import Meeting
from lamina.core import tree
from lamina.losses import Loss, LossFunctionWrapper, fitting
from lamina.shapes import dims
from lamina.shapes.errors import Fix, call_site, warn

_ROWS = 1000
_FIT = ("fit", "evaluate", "train_on_batch", "test_on_batch")
_GIVEN_X = (*_FIT, "predict", "predict_on_batch")


def training(model: Any, batch: Any, all_labels: Any, predicted: Any) -> None:
    """Look at a batch that fits the model, its losses and metrics, for what fits by accident.

    Args:
        model: a compiled model.
        batch: ``(x, y, sample_weight)``.
        all_labels: all targets, where they are at hand.
        predicted: shapes of the outputs; ``None`` if the model trains in a way of its own.
    """
    x, y, _ = batch
    if predicted is None:
        return
    batch_axis.check(model, x, predicted)
    if y is not None:
        own_loss(model, x, y, predicted)
        losses(model, y, predicted)
        labels(model, y if all_labels is None else all_labels, predicted)


def data(model: Any, x: Any) -> None:
    """Warn where one sample is read as a batch of very short ones.

    Args:
        model: a model; one without a graph tells nothing about its inputs.
        x: shapes of all the data (anything with a `shape`, in the structure of the model's inputs).
    """
    graph = getattr(model, "_graph", None)
    values = tree.flatten(x)
    if graph is None or isinstance(x, dict) or len(values) != len(graph.input_tensors):
        return
    for tensor, value in zip(graph.input_tensors, values, strict=True):
        shape, wanted = tuple(value.shape), tuple(tensor.dims)
        lacks_one = len(shape) == len(wanted) - 1 and len(shape) > 1 and wanted[-1] == 1 and shape[-1] == 1
        if lacks_one and _agree(shape, wanted[1:]) and _agree((*shape, 1), wanted):
            called = names.argument(call_site(), _GIVEN_X, "x", 0)
            one = (1, *shape)
            warn(
                f'"{model.name}": {called} of shape {shape} is read as {shape[0]} samples of shape {(*shape[1:], 1)}; '
                f"the model takes {tensor.shape}, so it looks like one sample without the batch axis",
                [Fix("add the batch axis", names.changed(called, names.indexed(called, "[None]")), str(one))],
            )


def own_loss(model: Any, x: Any, y: Any, predicted: Any) -> None:
    """Look at a `compute_loss` of the user's, where there is one output.

    Args:
        model: a model.
        x, y: one batch.
        predicted: the shape of the output.
    """
    if not broadcasting.is_users(type(model).compute_loss) or not (hasattr(y, "shape") and hasattr(predicted, "shape")):
        return
    called = names.argument(call_site(), _FIT, "y", 1)
    broadcasting.check_function("compute_loss", model._loss_on(x, True), called, y, predicted, direct=True)


def losses(model: Any, y: Any, predicted: Any) -> None:
    """Look at each loss and metric with the labels it gets.

    Args:
        model: a compiled model whose losses are matched with its outputs.
        y: the labels of one batch, one entry for each output.
        predicted: shapes of the outputs.
    """
    called = names.argument(call_site(), _FIT, "y", 1)
    compiled_loss, compiled_metrics = model._compile_loss, model._compile_metrics
    predictions = jax.tree.leaves(predicted)
    truths = _per_output(y, model, len(predictions))
    if compiled_loss is not None and compiled_loss.built:
        for place, (loss, true, pred) in enumerate(zip(compiled_loss.losses, truths, predictions, strict=False)):
            if loss is not None and hasattr(true, "shape"):
                _look_at_repeating(loss, model, place, true, pred)
                _look_at_loss(loss, called, true, pred)
    if compiled_metrics is not None and compiled_metrics.built:
        for place, _, metric, _ in compiled_metrics.entries:
            if place < len(truths) and hasattr(truths[place], "shape"):
                _look_at_metric(metric, called, truths[place], predictions[place])


def _per_output(y: Any, model: Any, count: int) -> list[Any]:
    known = getattr(model._compile_loss or model._compile_metrics, "names", None)
    if isinstance(y, dict):
        return [y.get(name) for name in known] if known and all(n in known for n in y) else list(y.values())[:count]
    return tree.flatten(y) if y is not None else []


def _look_at_repeating(loss: Any, model: Any, place: int, true: Any, pred: Any) -> None:
    """A loss of Lamina's own that repeats labels to compare them."""
    if fitting.label_kind(loss) != "elementwise" or not fitting.is_repeated(tuple(true.shape), tuple(pred.shape)):
        return
    clash = fitting.Clash(loss.fn.__name__, "elementwise", tuple(true.shape), tuple(pred.shape))
    with trying.quiet():
        fixes = repairs(Meeting(clash, model, place, call_site(), true))
    fitting.warn_of_repeating(clash, fixes)


def _look_at_loss(loss: Any, y: str, true: Any, pred: Any) -> None:
    function = getattr(loss, "fn", None)
    if getattr(loss, "fn_kwargs", {}).get("axis") == 0 and len(pred.shape) > 1:
        warn(
            f"the loss {loss.name!r} works along axis 0 of {(None, *pred.shape[1:])}, that of the samples",
            [Fix("take the axis of the features", f"loss=keras.losses.{type(loss).__name__}(axis=-1)")],
        )
    if isinstance(loss, LossFunctionWrapper) and function is not None:
        if broadcasting.is_users(function):
            shape, _ = fitting.aligned(tuple(true.shape), tuple(pred.shape))
            given = jax.ShapeDtypeStruct(shape, pred.dtype)
            call = functools.partial(function, **loss.fn_kwargs)
            broadcasting.check_function(f"the loss {loss.name!r}", call, y, given, pred, direct=False)
    elif isinstance(loss, Loss) and broadcasting.is_users(type(loss)):
        given = jax.ShapeDtypeStruct(tuple(true.shape), pred.dtype)
        broadcasting.check_function(f"the loss {loss.name!r}", loss.call, y, given, pred, direct=True)


def _look_at_metric(metric: Any, y: str, true: Any, pred: Any) -> None:
    function = getattr(metric, "_fn", None)
    if function is not None and not broadcasting.is_users(function):
        return
    if function is None:
        if not broadcasting.is_users(type(metric)):
            return
        function, options = metric.update_state, {}
    else:
        options = metric._fn_kwargs
    given = jax.ShapeDtypeStruct(tuple(true.shape), true.dtype)
    call = functools.partial(function, **options)
    broadcasting.check_function(f"the metric {metric.name!r}", call, y, given, pred, direct=True)


def labels(model: Any, y: Any, predicted: Any) -> None:
    """Look at the numbers in the labels: class numbers where one column per class is wanted, and the like.

    Args:
        model: a compiled model whose losses are matched with its outputs.
        y: all labels, where they are at hand.
        predicted: shapes of the outputs.
    """
    compiled_loss = model._compile_loss
    if compiled_loss is None or not compiled_loss.built or y is None:
        return
    called = names.argument(call_site(), _FIT, "y", 1)
    predictions = jax.tree.leaves(predicted)
    truths = _per_output(y, model, len(predictions))
    for place, (loss, true, pred) in enumerate(zip(compiled_loss.losses, truths, predictions, strict=False)):
        kind = fitting.label_kind(loss) if loss is not None else None
        if kind is not None and isinstance(true, np.ndarray):
            of_model = functools.partial(_for_each_sequence, model, place, true)
            for message, fixes in _about_labels(loss, kind, called, true, tuple(pred.shape), of_model):
                warn(message, fixes)
                break


def _for_each_sequence(model: Any, place: int, true: np.ndarray, pred: tuple[int, ...]) -> list[Fix]:
    """Models with one prediction for each sequence, with the loss for one-hot labels."""
    clash = fitting.Clash("categorical_crossentropy", "categorical", tuple(true.shape), pred)
    with trying.quiet():
        return several_steps(Meeting(clash, model, place, call_site(), true), "categorical_crossentropy")


def _about_labels(
    loss: Any, kind: str, y: str, true: np.ndarray, pred: tuple[int, ...], of_model: Callable[..., list[Fix]]
) -> Iterator[tuple[str, list[Fix]]]:
    name = loss.fn.__name__
    sample = true[:_ROWS]
    if name.startswith("categorical"):
        yield from _about_columns(name, y, sample, pred, getattr(loss, "fn_kwargs", {}).get("axis", -1))
    elif name.startswith("binary"):
        yield from _about_yes_no(name, y, sample, pred)
    elif kind == "sparse":
        yield from _about_numbers(name, y, sample, pred, of_model)


def _about_columns(
    name: str, y: str, sample: np.ndarray, pred: tuple[int, ...], axis: int
) -> Iterator[tuple[str, list[Fix]]]:
    """A loss that takes one column per class."""
    if pred[axis] == 1:
        count = max(2, int(sample.max()) + 1) if _whole(sample) and sample.min() >= 0 else 2
        yield (
            f"{name} over a single output, shape {(None, *pred[1:])}: with one class there is nothing to choose, the "
            f"loss does not depend on the model",
            [
                Fix("for a yes or no", 'layers.Dense(1, activation="sigmoid") and loss="binary_crossentropy"'),
                Fix(
                    f"for {count} classes",
                    f'layers.Dense({count}, activation="softmax") and loss="sparse_categorical_crossentropy"',
                ),
            ],
        )
    elif _whole(sample) and sample.max() > 1:
        top = int(sample.max())
        fixes = [Fix("if they are numbers to predict, not classes", 'loss="mean_squared_error"')]
        if (sample.min(), sample.sum(axis).min()) >= (0, 1):
            shares = f"{y} / {y}.sum({axis}, keepdims=True)"
            fixes.append(Fix("or if they are counts, make them shares", names.changed(y, shares)))
        yield (
            f"{name}: {y} of shape {(None, *sample.shape[1:])} holds whole numbers up to {top}, which look like class "
            f"numbers; this loss takes one column per class, with a 1 in that of the right one",
            fixes,
        )


def _about_yes_no(name: str, y: str, sample: np.ndarray, pred: tuple[int, ...]) -> Iterator[tuple[str, list[Fix]]]:
    """A loss that takes probabilities from 0 to 1."""
    if len(pred) > 2 or not _whole(sample) or (sample.min() >= 0 and sample.max() <= 1):
        return
    low, high = int(sample.min()), int(sample.max())
    wider = f'layers.Dense({high + 1}, activation="softmax") and loss="sparse_categorical_crossentropy"'
    fixes = [Fix("one output for each class", wider)] if sample.size == len(sample) else []
    if low == -1 and high == 1:
        fixes = [Fix("number the two classes 0 and 1", names.changed(y, f"({y} + 1) / 2"))]
    elif low == 1 and high == 2:
        fixes.insert(0, Fix("number the two classes 0 and 1", names.changed(y, f"{y} - 1")))
    elif low < 0:
        fixes = [Fix("give each label as 0 or 1", names.changed(y, f"{y} > 0"))]
    yield (
        f"{name}: {y} holds whole numbers from {low} to {high}, and an output of shape {(None, *pred[1:])} tells two "
        f"classes, 0 and 1",
        fixes,
    )


def _about_numbers(
    name: str, y: str, sample: np.ndarray, pred: tuple[int, ...], of_model: Callable[..., list[Fix]]
) -> Iterator[tuple[str, list[Fix]]]:
    """A loss that takes class numbers."""
    rows = sample.reshape(len(sample), -1)
    one_hot = (
        sample.ndim == 2 == len(pred) - 1
        and sample.shape[1] == pred[-1] > 2
        and len(sample) >= 8
        and bool(np.isin(rows, (0, 1)).all() and (rows.sum(1) == 1).all())
    )
    if one_hot:
        yield (
            f"{name}: {y} of shape {(None, *sample.shape[1:])} holds a single 1 in each row, a column for each of "
            f"{pred[-1]} classes; the output {(None, *pred[1:])} has one prediction for each of {pred[1]} steps",
            of_model(pred),
        )


def _whole(values: np.ndarray) -> bool:
    if values.dtype.kind in "iub":
        return True
    return values.dtype.kind == "f" and bool(np.isfinite(values).all() and (values == np.round(values)).all())


def _agree(shape: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return all(s == w for s, w in zip(shape, wanted, strict=True) if dims.is_known(w))
