"""The one rule for shapes: trace the computation.

`trace` runs a function on symbolic tensors (`jax.eval_shape` over the dimensions of `lamina.shapes.dims`): no
arithmetic happens, only shapes and dtypes come out. Where the function needs to know a size that is open
(``range(x.shape[1])``, ``if x.shape[1] > 4``), it is traced with a few concrete sizes instead, and the output's
dimensions are read off from how they vary.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import jax

from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

Spec = jax.ShapeDtypeStruct

_BASES = (12, 96, 1000)


def trace(function: Callable[..., Any], *specs: Spec) -> Any:
    """What ``function(*tensors)`` returns, as a structure of `jax.ShapeDtypeStruct`.

    Args:
        function: takes one tensor for each spec; returns any structure of tensors.
        specs: shapes and dtypes of the tensors; dimensions may be symbolic.

    Raises:
        Exception: whatever the function raises, if it fits none of the sizes tried.
    """
    names = dims.symbols(d for spec in specs for d in spec.shape)
    try:
        return jax.eval_shape(function, *specs)
    except Exception as error:
        if not names or _is_verdict(error):
            raise
        try:
            return _trace_samples(function, specs, names, error)
        except _NothingFits as nothing:
            if is_inconclusive(error):  # it says only that a size is open; what goes wrong at real sizes says more
                raise nothing.first from error
            raise error from None


class _NothingFits(Exception):
    """No sizes that were tried fit."""

    def __init__(self, first: Exception):
        super().__init__(str(first))
        self.first = first


def is_inconclusive(error: BaseException | None) -> bool:
    """Whether a computation failed only because it wanted to know an open size."""
    while error is not None:
        if isinstance(error, jax.errors.InconclusiveDimensionOperation) or "_DimExpr" in str(error):
            return True
        error = error.__cause__
    return False


def _is_verdict(error: Exception) -> bool:
    """Whether shapes were judged and refused (a size must be known, say): other sizes would only hide that."""
    return isinstance(error, ShapeError) and error.__cause__ is None


def substitute(shape: Sequence[Any], sizes: dict[str, int]) -> tuple[int, ...]:
    """The shape with numbers for its free dimensions."""
    return tuple(int(d) if dims.is_known(d) else _evaluate(d, sizes) for d in shape)


def _evaluate(dim: Any, sizes: dict[str, int]) -> int:
    functions = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}
    return eval(str(dim), {"__builtins__": {}}, {**functions, **sizes})  # the text is jax's own rendering


def _trace_at(function: Callable[..., Any], specs: Sequence[Spec], sizes: dict[str, int]) -> Any:
    return jax.eval_shape(function, *(Spec(substitute(s.shape, sizes), s.dtype) for s in specs))


def _trace_samples(function: Callable[..., Any], specs: Sequence[Spec], names: list[str], error: Exception) -> Any:
    """The function's output read off from traces at concrete sizes."""
    failures: list[Exception] = []
    for base in _base_sizes(names, error):
        try:
            first = _trace_at(function, specs, base)
        except Exception as failure:
            failures.append(failure)
            continue
        leaves, structure = jax.tree.flatten(first)
        moved = _neighbours(function, specs, base, [leaf.shape for leaf in leaves])
        read = [Spec(_read_shape(base, leaf.shape, n, moved), leaf.dtype) for n, leaf in enumerate(leaves)]
        return jax.tree.unflatten(structure, read)
    raise _NothingFits(failures[0])


def _base_sizes(names: list[str], error: Exception) -> list[dict[str, int]]:
    """Sizes to start from: round numbers, then those that the failure speaks of (an open axis meeting a fixed one)."""
    bases = [{name: base * (1 + i) for i, name in enumerate(names)} for base in _BASES]
    named = (int(number) for number in re.findall(r"\b\d{1,6}\b", str(error)))
    for number in dict.fromkeys(n for n in named if n > 0):
        bases.append({name: 12 if name == "batch" else number for name in names})
    return bases


def _neighbours(
    function: Callable[..., Any], specs: Sequence[Spec], base: dict[str, int], shapes: list[Any]
) -> list[tuple[dict[str, int], list[Any]]]:
    """Output shapes at sizes around the base: each free dimension moved alone, and all of them together."""
    moves = [{**base, name: base[name] + step} for name in base for step in (12, 24, 1)]
    moves.append({name: size + 12 * (i + 2) for i, (name, size) in enumerate(base.items())})
    found = []
    for sizes in moves:
        try:
            leaves = jax.tree.leaves(_trace_at(function, specs, sizes))
        except Exception:
            continue
        moved = [leaf.shape for leaf in leaves]
        if [len(s) for s in moved] == [len(s) for s in shapes]:
            found.append((sizes, moved))
    return found


def _read_shape(base: dict[str, int], shape: tuple[int, ...], place: int, moved: list[Any]) -> tuple[Any, ...]:
    """The dimensions of the output at that place."""
    others = [[(sizes, shapes[place][axis]) for sizes, shapes in moved] for axis in range(len(shape))]
    return tuple(_read_off(base, size, other) for size, other in zip(shape, others, strict=True))


def _read_off(base: dict[str, int], size: int, others: list[tuple[dict[str, int], int]]) -> Any:
    """The expression that gives `size` at the base and the other sizes at theirs; a fresh name if none does."""
    if all(other == size for _, other in others):
        return size
    slopes = {}
    for name in base:
        alone = [(s[name] - base[name], o - size) for s, o in others if all(s[k] == base[k] for k in base if k != name)]
        steps = [Fraction(o, s) for s, o in alone if s and s % 12 == 0]
        slopes[name] = steps[0] if steps else Fraction(0)
    scale = math.lcm(*(slope.denominator for slope in slopes.values()))
    scaled = {name: int(slope * scale) for name, slope in slopes.items()}
    for offset in range(scale):
        constant = size * scale - sum(scaled[n] * base[n] for n in base) + offset
        predict = lambda s, c=constant: (sum(scaled[n] * s[n] for n in base) + c) // scale  # noqa: E731
        if all(predict(s) == o for s, o in others):
            expression = sum((scaled[n] * dims.named(n) for n in base if scaled[n]), constant)
            return expression if scale == 1 else expression // scale
    return dims.fresh()
