"""Rows of different lengths in place of an array: what length the model wants them padded to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lamina.shapes import dims
from lamina.shapes.errors import ShapeError
from lamina.training.feeding import Feed, make_feed


def feed_for(model: Any, x: Any, *args: Any, **kwargs: Any) -> Feed:
    """The feed for a model's data, as `make_feed` makes it.

    Args:
        model: the model that the data is for.
        x: the data; with `args` and `kwargs` the arguments of `make_feed`.

    Raises:
        ShapeError: the data forms no arrays; repairs that the model cannot take are left out.
        ValueError: it cannot be used for another reason.
    """
    try:
        return make_feed(x, *args, **kwargs)
    except ShapeError as error:
        if error.summary.startswith(f"`{kwargs.get('argument', 'x')}` is a list"):
            _advise(error, model, x)
        raise


def _advise(error: ShapeError, model: Any, rows: Sequence[Any]) -> None:
    """Say the length that the model's input has; padding alone does not help where rows are longer than that."""
    graph = getattr(model, "_graph", None)
    pads = bool(error.fixes) and "pad_sequences(" in error.fixes[0].code
    if graph is None or len(graph.input_tensors) != 1 or not pads:
        return
    shape, longest = dims.to_public(graph.input_tensors[0].dims), max(map(len, rows))
    length = shape[1] if len(shape) == 2 else 0
    if length is None or length == longest:
        return
    code = error.fixes[0].code.replace("padding=", f"maxlen={length}, padding=")
    padded = replace(error.fixes[0], code=code, shape=str((len(rows), length)))
    error.with_fixes([padded] if length > longest else [])
