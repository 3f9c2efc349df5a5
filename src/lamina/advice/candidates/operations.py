"""Functions of tensors (``a + b``, ``ops.concatenate``, ``ops.reshape``) that do not take the shapes they got."""

from __future__ import annotations

import ast
import inspect
import math
import operator
from collections.abc import Iterator
from typing import Any

import jax

import lamina.ops as ops
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
        if changes:
            bound = inspect.signature(self.function).bind(*args, **kwargs)
            bound.arguments.update(changes)
            args, kwargs = bound.args, bound.kwargs
        return self.function(*args, **kwargs)

    def arguments(self) -> dict[str, Any]:
        """What it was called with, by name."""
        args, kwargs = jax.tree.unflatten(self._structure, self._leaves)
        return dict(inspect.signature(self.function).bind(*args, **kwargs).arguments)


def repairs(error: ShapeError, operation: Operation) -> Iterator[Fix | None]:
    """Repairs of a call on symbolic tensors, the likeliest first."""
    case = Case(error, trying.Trial(operation, (operation.tensors,), {}, True))
    if operation.name == "reshape":
        yield from _reshape(case)
    elif operation.name == "split":
        yield from _split(case)
    elif operation.name == "transpose":
        yield from _order(case)
    if len(case.shapes) == 1:
        yield from _axis(case)
    elif operation.name in ("concatenate", "append"):
        yield from _joined(case)
    if any(not isinstance(t, KerasTensor) for t in operation.tensors):
        yield from _with_array(case, operation)
    elif len(case.shapes) == 2:
        yield from merges.misfit(case)


def _changed(case: Case, title: str, **settings: Any) -> Fix | None:
    """The call with another value for one of its arguments."""
    function = case.layer.function
    call = next(iter(names.calls(case.error.call_site, case.layer.name)), None)
    result = case.trial.attempt(layer=lambda x: case.layer(x, **settings))
    if result is None or call is None:
        return None
    for name, value in settings.items():
        place = list(inspect.signature(function).parameters).index(name)
        call = names.with_argument(call, name, place, repr(value))
    return Fix(title, ast.unparse(call), trying.shown(result))


def _axis(case: Case) -> Iterator[Fix | None]:
    """An axis that the tensor has, or that has the size which is wanted."""
    parameters = inspect.signature(case.layer.function).parameters
    rank = len(case.shape)
    if "axis" not in parameters or case.layer.name in ("split", "array_split"):
        return
    if case.layer.name == "squeeze":
        for axis in (i for i in range(1, rank) if case.shape[i] == 1):
            yield _changed(case, "drop the axis of size 1", axis=axis)
        yield _mean(case)
    elif f"a tensor of {rank} axes" in case.error.summary or f"a tensor of {rank + 1} axes" in case.error.summary:
        yield _changed(case, "take the last axis", axis=-1)
        yield _changed(case, "or the first axis of a sample", axis=1)


def _mean(case: Case) -> Fix | None:
    """The mean over an axis that cannot be dropped."""
    call = next(iter(names.calls(case.error.call_site, "squeeze")), None)
    axis = names.argument_node(call, "axis", 1) if call is not None else None
    value = names.constant(axis)
    if call is None or not call.args or not isinstance(value, int):
        return None
    result = case.trial.attempt(layer=lambda x: ops.mean(x[0], axis=value))
    if result is None:
        return None
    module = names.function_text(call).removesuffix("squeeze")
    code = f"{module}mean({names.short(call.args[0]) or 'x'}, axis={value})"
    return Fix("or take the mean over it: there is more than one entry", code, trying.shown(result))


def _split(case: Case) -> Iterator[Fix | None]:
    """Another number of parts, or parts of different sizes."""
    call = next(iter(names.calls(case.error.call_site, "split")), None)
    arguments = case.layer.arguments()
    parts, axis = arguments.get("indices_or_sections"), arguments.get("axis", 0)
    size: Any = case.shape[axis] if call is not None else None
    if not isinstance(parts, int) or not dims.is_known(size) or not 1 < parts <= size:
        return
    near = sorted((n for n in range(2, int(size) + 1) if size % n == 0), key=lambda n: abs(n - parts))
    for other in near[:1]:
        yield _changed(case, f"cut it into {other} equal parts", indices_or_sections=other)
    step = -(-int(size) // parts)
    places = [step * i for i in range(1, parts) if step * i < size]
    yield _changed(case, f"or into {len(places) + 1}, the last one smaller", indices_or_sections=places)
    near_size = round(int(size) / parts) * parts
    source = case.only_source()
    if source is not None and tuple(source.dims) == tuple(case.shape) and near_size:
        sample = list(source.dims)
        sample[axis] = near_size
        yield case.new_input(f"or give the model an input that {parts} divides", source, sample[1:])


def _order(case: Case) -> Iterator[Fix | None]:
    """The axes of a sample in that order, the batch axis in front."""
    axes = case.layer.arguments().get("axes")
    rank = len(case.shape)
    if not isinstance(axes, (tuple, list)) or not all(isinstance(a, int) for a in axes):
        return
    if len(axes) == rank - 1:
        for first in (0, 1):
            order = (0, *(a + 1 - first for a in axes))
            yield _changed(case, "say where each axis goes, that of the batch first", axes=order)
    yield _changed(case, "or turn the axes of each sample round", axes=(0, *range(rank - 1, 0, -1)))


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
