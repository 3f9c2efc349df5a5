"""Functions of tensors (``a + b``, ``ops.concatenate``, ``ops.reshape``) that do not take the shapes they got."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any

import jax

from lamina.advice import names, trying
from lamina.advice.candidates import merges
from lamina.advice.candidates.case import Case
from lamina.core.symbolic import KerasTensor
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError


class Operation:
    """A call of a function, as far as it is like a layer: its tensors are the input, all else stays.

    Attributes:
        tensors: the tensors among its arguments.
    """

    signature = None
    input_spec = None

    def __init__(self, function: Any, args: Any, kwargs: Any):
        self.function, self.name = function, function.__name__
        self._leaves, self._structure = jax.tree.flatten((args, kwargs))
        self._places = [i for i, leaf in enumerate(self._leaves) if hasattr(leaf, "shape")]
        self.tensors = [self._leaves[i] for i in self._places]

    def __call__(self, tensors: Any, **changes: Any) -> Any:
        leaves = list(self._leaves)
        for place, tensor in zip(self._places, tensors, strict=True):
            leaves[place] = tensor
        args, kwargs = jax.tree.unflatten(self._structure, leaves)
        return self.function(*args, **{**kwargs, **changes})


def repairs(error: ShapeError, operation: Operation) -> Iterator[Fix | None]:
    """Repairs of a call on symbolic tensors, the likeliest first."""
    case = Case(error, trying.Trial(operation, (operation.tensors,), {}, True))
    if operation.name == "reshape":
        yield from _reshape(case)
    elif operation.name in ("concatenate", "append"):
        yield from _joined(case)
    if any(not isinstance(t, KerasTensor) for t in operation.tensors):
        yield from _with_array(case, operation)
    elif len(case.shapes) == 2:
        yield from merges.misfit(case)


def _joined(case: Case) -> Iterator[Fix | None]:
    """Another axis to join along."""
    rank = len(case.shape)
    for axis in (-1, *range(1, rank - 1)):
        result = case.trial.attempt(layer=lambda x, axis=axis: case.layer(x, axis=axis))
        if result is not None:
            yield Fix("join along the axis that differs", f"axis={axis}", trying.shown(result))


def _with_array(case: Case, operation: Operation) -> Iterator[Fix | None]:
    """A symbolic tensor and an array of other sizes."""
    for place, tensor in enumerate(operation.tensors):
        name = case.input_name(place)
        if not isinstance(tensor, KerasTensor) and len(tensor.shape) == 2:
            result = case.trial.attempt(before={place: lambda x: x.T})
            if result is not None:
                yield Fix(f'transpose "{name}"', names.indexed(name, ".T"), trying.shown(result))
    sizes = [int(s) for t in operation.tensors if not isinstance(t, KerasTensor) for s in reversed(t.shape)]
    for place, tensor in enumerate(operation.tensors):
        if not isinstance(tensor, KerasTensor) or len(tensor.dims) < 2:
            continue
        for size in dict.fromkeys(s for s in sizes if s > 1 and s != tensor.dims[-1]):
            title = f'bring "{case.input_name(place)}" to {size} features'
            yield case.insert(title, f"layers.Dense({size})", place)
            source = case.only_source()
            if source is not None and len(source.dims) > 1:
                yield case.new_input("or give the model an input of that size", source, (*source.dims[1:-1], size))
        if len(tensor.dims) == 3:
            for size in dict.fromkeys(s for s in sizes if s > 1 and s != tensor.dims[1]):
                source = case.only_source()
                if source is not None and len(source.dims) > 1:
                    sample = (size, *source.dims[2:])
                    yield case.new_input(f"give the model an input of {size} steps", source, sample)
    yield from _cut_array(case, operation)


def _cut_array(case: Case, operation: Operation) -> Iterator[Fix | None]:
    """The first rows of an array that is longer than the tensor."""
    for place, tensor in enumerate(operation.tensors):
        if isinstance(tensor, KerasTensor) or not tensor.shape:
            continue
        for size in (int(s) for other in case.shapes for s in other if dims.is_known(s)):
            if 1 < size < tensor.shape[0]:
                result = case.trial.attempt(before={place: operator.itemgetter(slice(size))})
                name = case.input_name(place)
                if result is not None:
                    code = names.indexed(name, f"[:{size}]")
                    yield Fix(f'or use the first {size} of "{name}"', code, trying.shown(result))


def _reshape(case: Case) -> Iterator[Fix | None]:
    """A shape for `ops.reshape` that holds the values of a sample."""
    call = next(iter(names.calls(case.error.call_site, "reshape")), None)
    node = names.argument_node(call, "newshape", 1) if call is not None else None
    written = names.elements(node)
    sizes = [int(s) for s in written[1:] if s.lstrip("-").isdigit()]
    if call is None or not all(map(dims.is_known, case.shape[1:])) or len(sizes) != len(written) - 1 or not sizes:
        return
    total = math.prod(int(s) for s in case.shape[1:])
    function = case.layer.function
    for new in _targets(sizes, total):
        shape = (-1, *new)
        result = case.trial.attempt(layer=lambda x, shape=shape: function(x[0], shape))
        if result is not None:
            first = f"({', '.join([written[0], *map(str, new)])})"
            code = f"{names.function_text(call)}({names.short(call.args[0]) or 'x'}, {first})"
            yield Fix(f"use sizes that multiply to {total}", code, trying.shown(result))
            return


def _targets(sizes: list[int], total: int) -> Iterator[list[int]]:
    """Sizes like the ones given that multiply to `total`."""
    if len(sizes) >= 2 and sizes[0] == sizes[1]:
        rest = math.prod(sizes[2:])
        side = math.isqrt(total // rest) if rest else 0
        if side * side * rest == total:
            yield [side, side, *sizes[2:]]
    for place in range(len(sizes)):
        rest = math.prod(n for i, n in enumerate(sizes) if i != place)
        if rest > 0 and total % rest == 0:
            yield [*sizes[:place], total // rest, *sizes[place + 1 :]]
    if len(sizes) == 1:
        yield [total]
