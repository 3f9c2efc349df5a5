"""Repairs for one array of labels where the model has several outputs: its columns, one part for each output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax

from lamina.advice import names, trying
from lamina.losses import fitting
from lamina.shapes.errors import Fix, ShapeError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Head:
    """An output: its name, its shape, and its loss."""

    name: str
    shape: Shape
    loss: Any

    @property
    def kind(self) -> str | None:
        return fitting.label_kind(self.loss) if self.loss is not None else None


_METHODS = ("fit", "evaluate", "train_on_batch", "test_on_batch")


def advise(error: ShapeError, model: Any, y: Any) -> None:
    """Attach repairs to an error about the number of arrays in the labels; others are left as they are.

    Args:
        error: the error.
        model: the model.
        y: the labels, as a list of arrays.
    """
    outputs: list[Shape] | None = getattr(error, "outputs", None)
    if outputs is None or error.fixes or len(y) != 1 or not hasattr(y[0], "shape"):
        return
    called = names.argument(error.call_site, _METHODS, "y", 1)
    is_also_x = names.argument(error.call_site, _METHODS, "x", 0) == called
    heads = _heads(model, outputs)
    for title, parts in _divisions(called, tuple(y[0].shape), heads):
        if not _fit(parts, y[0], called, heads):
            continue
        listed = f"[{', '.join(parts)}]"
        entries = [f'"{head.name}": {part}' for head, part in zip(heads, parts, strict=True)]
        named = f"{{{', '.join(entries)}}}"
        shapes = ", ".join(str((None, *head.shape[1:])) for head in heads)
        written = [f"y={code}" if is_also_x else names.changed(called, code) for code in (listed, named)]
        fixes = [Fix(title, code, shapes) for code in written]
        if _is_dict(model):
            fixes = fixes[1:]
        error.with_fixes([*fixes[:1], *(replace(f, title="or as a dict by the outputs' names") for f in fixes[1:])])
        return


def _is_dict(model: Any) -> bool:
    return isinstance(getattr(getattr(model, "_graph", None), "outputs", None), dict)


def _heads(model: Any, outputs: Sequence[Shape]) -> list[_Head]:
    """The outputs, in the order in which the user wrote them."""
    losses = getattr(model._compile_loss, "losses", None) or [None] * len(outputs)
    known = getattr(model._compile_loss, "names", None) or [f"output_{i}" for i in range(len(outputs))]
    heads = [_Head(*parts) for parts in zip(known, outputs, losses, strict=True)]
    if _is_dict(model):
        order = list(model._graph.outputs)
        heads.sort(key=lambda head: order.index(head.name) if head.name in order else len(order))
    return heads


def _divisions(y: str, shape: Shape, heads: Sequence[_Head]) -> Iterator[tuple[str, list[str]]]:
    """Ways to make one array of labels for each output."""
    widths = [1 if head.kind == "sparse" else head.shape[-1] for head in heads]
    if len(shape) > 1 and shape[-1] == sum(widths):
        ends = [sum(widths[: i + 1]) for i in range(len(widths))]
        axes = ":, " if len(shape) == 2 else "..., "
        cuts = [
            f"{axes}{end - width or ''}:{end if end < shape[-1] else ''}"
            for end, width in zip(ends, widths, strict=True)
        ]
        yield "give each output its own columns", [names.indexed(y, f"[{cut}]") for cut in cuts]
    if len(shape) > 1 and shape[0] == len(heads):
        yield "give each output its own array", [names.indexed(y, f"[{i}]") for i in range(len(heads))]
    yield "give every output the same labels", [y] * len(heads)


def _fit(parts: Sequence[str], y: Any, called: str, heads: Sequence[_Head]) -> bool:
    """Whether each part of the labels fits its output and loss."""

    def run(labels: Any, *predictions: Any) -> Any:
        values = []
        for part, head, predicted in zip(parts, heads, predictions, strict=True):
            own = trying.evaluate("y" + part.removeprefix(called).removeprefix(f"({called})"), y=labels)
            same = own.shape[1:] == predicted.shape[1:] or own.shape == predicted.shape[:-1]
            if own.shape[0] != predicted.shape[0] or (head.kind != "sparse" and not same):
                raise ValueError("another shape than the output")
            values.append(head.loss(own, predicted) if head.loss is not None else own)
        return values

    samples = y.shape[1] if parts[0] == names.indexed(called, "[0]") else y.shape[0]
    specs = [jax.ShapeDtypeStruct((samples, *head.shape[1:]), "float32") for head in heads]
    return trying.traced(run, trying.spec_of(y), *specs) is not None
