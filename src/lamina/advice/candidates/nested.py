"""A model inside another model, called on a tensor of another shape than its input's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax

from lamina.advice import trying
from lamina.advice.candidates.case import Case, shape_code
from lamina.advice.candidates.merges import margins
from lamina.shapes import dims
from lamina.shapes.errors import Fix


def other_shape(case: Case) -> Iterator[Fix | None]:
    """The layer before made to fit, the inner model made for what comes, or a layer between them."""
    graph = getattr(case.layer, "_graph", None)
    if graph is None or len(graph.input_tensors) != 1 or len(case.shapes) != 1:
        return
    (tensor,) = graph.input_tensors
    wanted, came = tuple(tensor.dims), case.shape
    off = [i for i, (a, b) in enumerate(zip(wanted, came, strict=False)) if dims.is_known(a) and a != b and i]
    if len(wanted) == len(came) and off == [len(wanted) - 1]:
        yield from _other_width(case, int(wanted[-1]))
    yield _other_input(case, tensor, came)
    if all(map(dims.is_known, wanted[1:])):
        yield from _between(case, wanted, came, off)


def _other_width(case: Case, width: int) -> Iterator[Fix | None]:
    """Another number of units in the layer that made the tensor, which may be the last of another model."""
    for producer in case.trial.producers()[:3]:
        inner = getattr(producer, "_graph", None)
        if inner is None:
            if isinstance(getattr(producer, "units", None), int):
                yield case.change(producer, f'let "{producer.name}" give the {width} that "{case.layer.name}" takes',
                                  units=width)  # fmt: skip
                return
            continue
        trial = trying.Trial(_identity, (inner.output_tensors,), {}, True)
        last: Any = next((p for p in trial.producers() if isinstance(getattr(p, "units", None), int)), None)
        new = trying.fresh(last, units=width) if last is not None else None
        result = trial.attempt(changes={last: new}) if new is not None else None
        if result is not None and _takes(case, result):
            title = f'let "{producer.name}" give the {width} that "{case.layer.name}" takes'
            yield Fix(title, f'units={width} in "{last.name}"', trying.shown(result))
        return


def _takes(case: Case, specs: Any) -> bool:
    """Whether the inner model takes what another one would give then."""
    (spec,) = specs if isinstance(specs, list) else [specs]
    return trying.traced(lambda x: trying.apply(case.layer, x), spec) is not None


def _other_input(case: Case, tensor: Any, came: Any) -> Fix | None:
    """The inner model made for what comes."""
    outputs = trying.Trial(_identity, (case.layer._graph.output_tensors,), {}, True)
    result = outputs.attempt(sources={tensor: (tensor.dims[0], *came[1:])})
    ranks = [len(leaf.shape) for leaf in jax.tree.leaves(result)]
    if ranks != [len(t.dims) for t in case.layer._graph.output_tensors]:
        return None
    code = f"Input({shape_code(came[1:])})"
    return Fix(f'or make "{case.layer.name}" for what comes here', code, trying.shown(result))


def _between(case: Case, wanted: Any, came: Any, off: list[int]) -> Iterator[Fix | None]:
    """A layer that turns what comes into what the inner model takes."""
    rank, sample = len(wanted), tuple(map(int, wanted[1:]))
    if rank == len(came) and off == [rank - 1]:
        if rank == 4 and came[-1] == 1:
            title = "or repeat the one channel"
            yield case.insert(title, f"layers.Lambda(lambda x: ops.repeat(x, {sample[-1]}, axis=-1))")
        yield case.insert("or bring it to the right width in between", f"layers.Dense({sample[-1]})")
    elif rank == len(came) == 4 and rank - 1 not in off:
        missing = [int(a) - int(b) for a, b in zip(wanted[1:3], came[1:3], strict=True)] if _known(came) else []
        if missing and min(missing) >= 0:
            yield case.insert("or pad it with zeros", f"layers.ZeroPadding2D({margins(missing)})")
        if missing and max(missing) <= 0:
            yield case.insert("or cut its fringe", f"layers.Cropping2D({margins([-n for n in missing])})")
    elif rank != len(came):
        yield case.insert("or bring it into the right shape in between", f"layers.Reshape({sample})")
        if rank == 2:
            yield _row(case, sample[0])
        for kind in ("GlobalAveragePooling1D", "GlobalAveragePooling2D"):
            yield case.insert("or pool in between", f"layers.{kind}()")


def _known(shape: Any) -> bool:
    return all(map(dims.is_known, shape[1:]))


def _row(case: Case, width: int) -> Fix | None:
    """All values of a sample in a row, brought to the width that is wanted."""
    with trying.quiet():
        flat, dense = trying.evaluate("layers.Flatten()"), trying.evaluate(f"layers.Dense({width})")
    result = case.trial.attempt(before={0: lambda x: trying.apply(dense, trying.apply(flat, x))})
    if result is None:
        return None
    code = f'keras.Sequential([layers.Flatten(), layers.Dense({width})]) before "{case.layer.name}"'
    return Fix("or make one row of the right width of it", code, trying.shown(result))


def _identity(x: Any) -> Any:
    return x
