"""Data that does not fit a model (or a layer that is called on it): what to do to the array."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lamina.advice import names
from lamina.shapes import dims

Shape = tuple[Any, ...]
#: A title, and code in which ``{x}`` stands for the data.
Idea = tuple[str, str]


def ideas(shape: Shape, wanted: Shape | None) -> Iterator[Idea]:
    """What to try on an array of that shape, the likeliest first.

    Args:
        shape: of the array.
        wanted: of the model's input ``(batch, ...)``, where it is known.
    """
    if wanted is not None and len(shape) == len(wanted):
        yield from _same_rank(shape, wanted)
    yield from _fewer_axes(shape, wanted)
    yield from _more_axes(shape, wanted)
    yield from _swapped(shape)
    yield from _other_layout(shape, wanted)


def _fewer_axes(shape: Shape, wanted: Shape | None) -> Iterator[Idea]:
    """Axes to add: of the batch, of channels, of time."""
    lacking = 1 if wanted is None else len(wanted) - len(shape)
    if lacking == 1 and wanted is not None and _agree(shape, wanted[1:]):
        yield "this is one sample: give it the batch axis", "{x}[None]"
    if lacking in (1, 2):
        if wanted is not None and len(wanted) == 4 and wanted[-1] == 3:
            yield "repeat the grey channel for red, green and blue", "np.repeat({x}[..., None], 3, axis=-1)"
        yield "give the data one more axis, of channels or features", "{x}[..., None]"
        yield "this is one sample: give it the batch axis", "{x}[None]"
        yield "one sample without channels: give it both axes", "{x}[None, ..., None]"
        yield "give the data an axis of time", "{x}[:, None]"


def _more_axes(shape: Shape, wanted: Shape | None) -> Iterator[Idea]:
    """Axes of size 1 to drop."""
    if wanted is not None and len(shape) <= len(wanted):
        return
    for axis in (*range(len(shape) - 1, 0, -1), 0):
        if shape[axis] == 1:
            shown = -1 if axis == len(shape) - 1 else axis
            yield f"drop the axis {shown}, of size 1", f"np.squeeze({{x}}, {shown})"
            if axis == 0:
                yield "the batch axis is there twice", "{x}[0]"
    if wanted is None or len(shape) == len(wanted) + 1:
        yield "turn one-hot rows into numbers", "{x}.argmax(-1)"


def _same_rank(shape: Shape, wanted: Shape) -> Iterator[Idea]:
    """Axes in another order; sizes too large or too small."""
    rank = len(shape)
    off = [i for i in range(1, rank) if _differ(shape[i], wanted[i])]
    yield from _reordered(shape, wanted)
    if off == [rank - 1]:
        size, want = shape[-1], wanted[-1]
        if size == 1 and want == 3:
            yield "repeat the grey channel for red, green and blue", "np.repeat({x}, 3, axis=-1)"
        if want == 1 and size in (3, 4):
            yield "make the colours grey", "{x}[..., :3].mean(-1, keepdims=True)"
        if size > want:
            what = f"the model takes {want} features, the data has {size}: give it the same {want}"
            yield what, f"{{x}}[..., :{want}]"
    if rank == 3 and off == [1]:
        size, want = shape[1], wanted[1]
        if size > want:
            yield f"cut each sequence to its first {want} steps", f"{{x}}[:, :{want}]"
        else:
            yield f"pad each sequence to {want} steps", f"np.pad({{x}}, ((0, 0), (0, {want - size}), (0, 0)))"
    if rank == 2 and off == [1] and shape[1] < wanted[1]:
        yield f"pad each sample to {wanted[1]} values", f"np.pad({{x}}, ((0, 0), (0, {wanted[1] - shape[1]})))"
    if rank == 4 and off and rank - 1 not in off:
        size = (wanted[1], wanted[2])
        if all(dims.is_known(s) for s in size):
            yield "resize the images", f"lamina.ops.image.resize({{x}}, {size})"


def _reordered(shape: Shape, wanted: Shape | None) -> Iterator[Idea]:
    """The order of axes that fits; the plain moves by their plain names."""
    rank = len(shape)
    if wanted is None or rank < 3 or rank > 5 or _agree(shape[1:], wanted[1:]):
        return
    plain = [(*range(2, rank), 1), (rank - 1, *range(1, rank - 1))]
    for order in [*plain, *itertools.permutations(range(1, rank))]:
        if _agree([shape[i] for i in order], wanted[1:]):
            yield _move(rank, (0, *order))
            return
    if _agree((shape[-1], *shape[1:-1]), wanted[:1] + wanted[2:]) and dims.is_known(wanted[0]):
        yield "the batch axis comes first", "np.moveaxis({x}, -1, 0)"


def _move(rank: int, order: tuple[int, ...]) -> Idea:
    if rank == 3:
        return "time and features are swapped: transpose, do not reshape", "np.swapaxes({x}, 1, 2)"
    if order == (0, *range(2, rank), 1):
        return "the channels come last in this model", "np.moveaxis({x}, 1, -1)"
    if order == (0, rank - 1, *range(1, rank - 1)):
        return "the channels come first in this model", "np.moveaxis({x}, -1, 1)"
    return "the axes come in another order", f"np.transpose({{x}}, {order})"


def _swapped(shape: Shape) -> Iterator[Idea]:
    """Moves to try where the model's input is not known."""
    rank = len(shape)
    if rank == 3:
        yield _move(3, (0, 2, 1))
    if rank in (4, 5):
        yield _move(rank, (0, *range(2, rank), 1))
        yield _move(rank, (0, rank - 1, *range(1, rank - 1)))


def _other_layout(shape: Shape, wanted: Shape | None) -> Iterator[Idea]:
    """The same values of each sample in other axes."""
    if wanted is None:
        if len(shape) > 2:
            yield "lay each sample out in a row", "{x}.reshape(len({x}), -1)"
        return
    sample, own = wanted[1:], math.prod(shape[1:])
    if len(wanted) == 2 and len(shape) > 2:
        yield "lay each sample out in a row", "{x}.reshape(len({x}), -1)"
    elif all(dims.is_known(s) for s in sample) and math.prod(sample) == own and len(shape) != len(wanted):
        yield "give each sample its axes", f"{{x}}.reshape({(-1, *map(int, sample))})"
    if len(shape) >= 1 and all(dims.is_known(s) for s in sample) and math.prod(sample) == math.prod(shape):
        yield "this is one sample", f"{{x}}.reshape({(1, *map(int, sample))})"


def _differ(a: Any, b: Any) -> bool:
    return dims.is_known(a) and dims.is_known(b) and int(a) != int(b)


def _agree(shape: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return len(shape) == len(wanted) and not any(_differ(a, b) for a, b in zip(shape, wanted, strict=True))


def arrangements(given: Sequence[str], fits: Callable[[tuple[int, ...]], bool]) -> Iterator[str]:
    """Orders of several inputs that fit, as the list to write."""
    for order in itertools.permutations(range(len(given))):
        if order != tuple(range(len(given))) and fits(order):
            yield f"[{', '.join(given[i] for i in order)}]"


def written(code: str, x: str) -> str:
    """A fix's code for data that the user calls `x`: an assignment where it is a variable."""
    expression = code.replace("({x}", f"({x}").replace("{x}", names.indexed(x, ""))
    return f"{x} = {expression}" if x.isidentifier() else expression
