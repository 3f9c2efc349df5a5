"""Repairs of what a stream gives: entries grouped as inputs, targets and weights; single samples made batches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from lamina.advice import names, trying
from lamina.core import tree
from lamina.shapes import dims
from lamina.shapes.errors import CallSite, Fix, ShapeError
from lamina.training.compiled import CompiledLoss
from lamina.training.feeding import Feed

_USUAL = ("x", "y", "sample_weight")

#: A title, and code with ``{0}``, ``{1}``, ... for the entries of a batch.
Idea = tuple[str, str]


def advise(error: ShapeError, model: Any, feed: Feed) -> None:
    """Attach repairs to an error about the batches of a stream; others are left as they are.

    Args:
        error: the error.
        model: the model that the batches are for.
        feed: where the batches come from.
    """
    entries = getattr(feed, "entries", ())
    if error.fixes or not entries or any(entry is None or tree.is_nested(entry) for entry in entries):
        return
    texts = _written(feed, len(entries))
    found = {}
    for title, code in [*_groups(len(entries)), *_batches(entries)]:
        result = _fitting(model, code, entries)
        if result is not None:
            found[code] = Fix(title, f"yield {code.format(*texts)}", result)
    error.with_fixes(list(found.values())[:3])


def _groups(count: int) -> Iterator[Idea]:
    """Several inputs, or outputs, put together."""
    entries = [f"{{{i}}}" for i in range(count)]
    for inputs in range(count - 1, 0, -1):
        x = f"({', '.join(entries[:inputs])})" if inputs > 1 else entries[0]
        rest = entries[inputs:]
        if inputs > 1 and len(rest) <= 2:
            yield "for several inputs, put them together", ", ".join([x, *rest])
        if len(rest) > 1:
            yield "for several outputs, put their targets together", f"{x}, ({', '.join(rest)})"


def _batches(entries: tuple[Any, ...]) -> Iterator[Idea]:
    """Single samples, each with a batch axis."""
    if len(entries) <= len(_USUAL) and np.ndim(entries[0]):
        parts = [f"{{{i}}}[None]" if np.ndim(e) else f"np.array([{{{i}}}])" for i, e in enumerate(entries)]
        yield "yield batches: a single sample gets the batch axis", ", ".join(parts)


def _written(feed: Any, count: int) -> list[str]:
    """What the user's generator calls the entries, where that can be read."""
    frame = getattr(feed.stream, "gi_frame", None)
    site = CallSite.of_frame(frame) if frame is not None else None
    for node in names.nodes(site, ast.Yield):
        texts = names.elements(node.value)
        if len(texts) == count and all(texts):
            return [names.indexed(text, "") for text in texts]
    return list(_USUAL[:count]) if count <= len(_USUAL) else [*(f"x{i + 1}" for i in range(count - 1)), "y"]


def _fitting(model: Any, code: str, entries: tuple[Any, ...]) -> str | None:
    """The shapes of the batch that the code makes, if the model and its losses take it."""
    called = [f"e{i}" for i in range(len(entries))]
    known = getattr(model, "_compile_loss", None)
    if not model.built:
        model = trying.copy_of(model)
        trying.unbuild(model)

    def run(*values: Any) -> Any:
        batch = trying.evaluate(f"({code.format(*called)},)", **dict(zip(called, values, strict=True)))
        x, y, weights = (*batch, None, None)[:3]
        if len({leaf.shape[0] for leaf in jax.tree.leaves(batch)}) > 1:
            raise ValueError("another number of samples than labels")
        outputs = trying.apply(model, x)
        if y is not None and known is not None:
            CompiledLoss(known.given, known.given_weights, known.output_names)(y, outputs, weights)
        return batch

    specs = [jax.ShapeDtypeStruct(np.shape(e), jax.dtypes.canonicalize_dtype(np.asarray(e).dtype)) for e in entries]
    result = trying.traced(run, *specs)
    if result is None:
        return None
    return ", ".join(str(jax.tree.map(lambda s: dims.to_public(s.shape), part)) for part in result)
