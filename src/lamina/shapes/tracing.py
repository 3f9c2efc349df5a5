"""The one rule for shapes: trace the computation.

`trace` runs a function on symbolic tensors (`jax.eval_shape` over the dimensions of `lamina.shapes.dims`): no
arithmetic happens, only shapes and dtypes come out. Where the function needs to know a size that is open
(``range(x.shape[1])``, ``if x.shape[1] > 4``), it is traced with a few concrete sizes instead, and the output's
dimensions are read off from how they vary.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import jax

from lamina.shapes import conditions, dims
from lamina.shapes.errors import ShapeError

Spec = jax.ShapeDtypeStruct

_BASES = (12, 96, 1000, 100_000)  # the last for what cuts much off
_MOST_NUMBERS = 8
_TRIED = (4097, 65)  # up to which sizes one open dimension, or two, are tried


def trace(function: Callable[..., Any], *specs: Spec) -> Any:
    """What ``function(*tensors)`` returns, as a structure of `jax.ShapeDtypeStruct`.

    Where two open sizes must be equal for the function to work, that is noted (`shapes.conditions`).

    Args:
        function: takes one tensor for each spec; returns any structure of tensors.
        specs: shapes and dtypes of the tensors; dimensions may be symbolic.

    Raises:
        Exception: whatever the function raises, if it fits none of the sizes tried.
    """
    names = dims.symbols(d for spec in specs for d in spec.shape)
    if not names:
        return jax.eval_shape(function, *specs)
    try:
        return trace_open(function, specs)
    except Exception as error:
        if _is_verdict(error):
            raise
        try:
            return _trace_otherwise(function, specs, names, error)
        except _NothingFits as nothing:
            if is_inconclusive(error) or isinstance(
                error, _Misfit
            ):  # it says only that a size is open; what goes wrong at real sizes says more
                raise nothing.first from error
            raise error from None


def _trace_otherwise(function: Callable[..., Any], specs: Sequence[Spec], names: list[str], error: Exception) -> Any:
    """The trace at round sizes; with sizes that are taken to be equal; at sizes that the error speaks of."""
    try:
        return _trace_samples(function, specs, _round_sizes(names))
    except _NothingFits as nothing:
        equated = _trace_equated(function, specs)
        if equated is not None:
            return equated[0]
        with contextlib.suppress(_NothingFits):
            return _trace_samples(function, specs, _sizes_in(error, names))
        raise nothing from None


def trace_open(function: Callable[..., Any], specs: Sequence[Spec]) -> Any:
    """The trace with sizes left open.

    Raises:
        TypeError: values are put into a shape that has another number of them. jax leaves that unchecked where a size
            is open, and refuses it only when the program runs.
    """
    with conditions.collecting() as needed:  # kept only if the trace succeeds
        traced = jax.jit(lambda *tensors: function(*tensors)).trace(*specs)
        _check_reshapes(traced.jaxpr.jaxpr)
    conditions.note(needed)
    return jax.tree.map(lambda out: Spec(out.shape, out.dtype), traced.out_info)


def _check_reshapes(jaxpr: Any) -> None:
    for equation in jaxpr.eqns:
        if equation.primitive.name == "reshape":
            before, after = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
            counts = math.prod(before), math.prod(after)
            if not conditions.follows(*counts) and not _agree_for_some_batch(*counts) and not _may_agree(*counts):
                shown = " into ".join(str(shape).replace("'", "") for shape in (before, after))
                raise _Misfit(f"cannot reshape array of shape {shown}: the number of values differs")
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                _check_reshapes(inner)


def _agree_for_some_batch(left: Any, right: Any) -> bool:
    """Whether two sizes are equal for a certain number of samples: then the data decides, batch by batch."""
    if dims.symbols((left, right)) != ["batch"]:
        return False
    gaps = [dims.size_at(left, {"batch": n}) - dims.size_at(right, {"batch": n}) for n in (1, 2)]
    slope = gaps[1] - gaps[0]
    return slope != 0 and gaps[0] % slope == 0 and gaps[0] // slope <= 0


def _may_agree(left: Any, right: Any) -> bool:
    """Whether two numbers of values are equal at some sizes, whatever the batch; that they are is noted."""
    left, right = left // dims.BATCH, right // dims.BATCH
    names = dims.symbols((left, right))
    if not 1 <= len(names) <= len(_TRIED) or "batch" in names:
        return False
    for tried in itertools.product(range(1, _TRIED[len(names) - 1]), repeat=len(names)):
        sizes = dict(zip(names, tried, strict=True))
        if dims.size_at(left, sizes) == dims.size_at(right, sizes):
            conditions.need_equal(left, right, axis="number of values in a sample")
            return True
    return False


def _trace_equated(function: Callable[..., Any], specs: Sequence[Spec]) -> tuple[Any] | None:
    """The trace with open sizes of different tensors taken to be equal, and noted as conditions; ``None`` if none fits.

    Sizes on the same axis of two tensors are tried: first all of them, then one pair after the other.
    """
    pairs = [
        (a, b)
        for i, first in enumerate(specs)
        for second in specs[i + 1 :]
        for a, b in zip(reversed(first.shape), reversed(second.shape), strict=False)
        if not (dims.is_known(a) or dims.is_known(b)) and a != b
    ]
    for chosen in [pairs, *([pair] for pair in pairs if len(pairs) > 1)] if pairs else []:
        renamed = _renamed(specs, {b: a for a, b in chosen})
        names = dims.symbols(d for spec in renamed for d in spec.shape)
        try:
            outputs = trace_open(function, renamed)
        except Exception:
            try:
                outputs = _trace_samples(function, renamed, _round_sizes(names))
            except _NothingFits:
                continue
        for a, b in chosen:
            conditions.need_equal(a, b, or_one=_fits(function, _renamed(specs, {b: 1})))
        return (outputs,)
    return None


def _round_sizes(names: list[str]) -> list[dict[str, int]]:
    return [{name: base * (1 + i) for i, name in enumerate(names)} for base in _BASES]


def _renamed(specs: Sequence[Spec], sizes: dict[Any, Any]) -> list[Spec]:
    return [Spec(tuple(d if dims.is_known(d) else sizes.get(d, d) for d in s.shape), s.dtype) for s in specs]


def _fits(function: Callable[..., Any], specs: Sequence[Spec]) -> bool:
    with conditions.collecting():  # of no interest
        try:
            trace_open(function, specs)
        except Exception:
            return False
    return True


class _Misfit(TypeError):
    """Values do not go into a shape, which jax notices at real sizes only."""


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
    return tuple(dims.size_at(d, sizes) for d in shape)


def _trace_at(function: Callable[..., Any], specs: Sequence[Spec], sizes: dict[str, int]) -> Any:
    return jax.eval_shape(function, *(Spec(substitute(s.shape, sizes), s.dtype) for s in specs))


def _fits_at(function: Callable[..., Any], specs: Sequence[Spec], sizes: dict[str, int]) -> bool:
    try:
        _trace_at(function, specs, sizes)
    except Exception:
        return False
    return True


def _trace_samples(function: Callable[..., Any], specs: Sequence[Spec], bases: Iterable[dict[str, int]]) -> Any:
    """The function's output read off from traces at concrete sizes.

    A free dimension that fits at one size only is noted as a condition.
    """
    failures: list[Exception] = []
    for base in bases:
        if any(size < 1 for spec in specs for size in substitute(spec.shape, base)):
            continue  # too small for what came before
        try:
            first = _trace_at(function, specs, base)
        except Exception as failure:
            failures.append(failure)
            continue
        leaves, structure = jax.tree.flatten(first)
        moved = _neighbours(function, specs, base, [leaf.shape for leaf in leaves])
        for name, size in base.items():
            if all(sizes[name] == size for sizes, _ in moved):
                stretches = _fits_at(function, specs, {**base, name: 1})
                conditions.need_equal(dims.named(name), size, or_one=stretches)
        read = [Spec(_read_shape(base, leaf.shape, n, moved), leaf.dtype) for n, leaf in enumerate(leaves)]
        return jax.tree.unflatten(structure, read)
    raise _NothingFits(failures[0] if failures else ValueError("no size to try"))


def _sizes_in(error: Exception, names: list[str]) -> Iterator[dict[str, int]]:
    """Sizes that a failure speaks of, where an open axis meets a fixed one, and their quotients."""
    numbers = list(dict.fromkeys(int(n) for n in re.findall(r"\b\d{1,6}\b", str(error)) if int(n) > 0))[:_MOST_NUMBERS]
    quotients = [a // b for a in numbers for b in numbers if 1 < b < a and a % b == 0]
    for size in dict.fromkeys(numbers + quotients):
        yield {name: 12 if name == "batch" else size for name in names}


def _neighbours(
    function: Callable[..., Any], specs: Sequence[Spec], base: dict[str, int], shapes: list[Any]
) -> list[tuple[dict[str, int], list[Any]]]:
    """Output shapes at sizes around the base: each free dimension moved alone, and all of them together."""
    moves = [{**base, name: base[name] + step} for name in base for step in (12, 24, 1)]
    moves += [{name: size + step * (i + 2) for i, (name, size) in enumerate(base.items())} for step in (12, 60)]
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
    candidates = itertools.chain(_linear(base, size, others), _products(base, size))
    for numerator, denominator in candidates:
        if all(dims.size_at(numerator, sizes) // denominator == other for sizes, other in others):
            return numerator if denominator == 1 else numerator // denominator
    return dims.fresh()


def _linear(base: dict[str, int], size: int, others: list[tuple[dict[str, int], int]]) -> Iterator[tuple[Any, int]]:
    """Sums of the free dimensions, with a divisor, that change as seen when one dimension moves alone."""
    slopes = {}
    for name in base:
        alone = [(s[name] - base[name], o - size) for s, o in others if all(s[k] == base[k] for k in base if k != name)]
        steps = [Fraction(o, s) for s, o in alone if s and s % 12 == 0]
        slopes[name] = steps[0] if steps else Fraction(0)
    several = sum(slope != 0 for slope in slopes.values()) > 1
    if several and not any(all(sizes[n] != base[n] for n in base) for sizes, _ in others):
        return  # nothing seen with all of them moved: their product may be meant
    scale = math.lcm(*(slope.denominator for slope in slopes.values()))
    scaled = {name: int(slope * scale) for name, slope in slopes.items()}
    for offset in range(scale):
        constant = size * scale - sum(scaled[n] * base[n] for n in base) + offset
        yield sum((scaled[n] * dims.named(n) for n in base if scaled[n]), constant), scale


def _products(base: dict[str, int], size: int) -> Iterator[tuple[Any, int]]:
    """Products of free dimensions, with a factor and a divisor, that give `size` at the base."""
    for count in range(2, len(base) + 1):
        for names in itertools.combinations(base, count):
            ratio = Fraction(size, math.prod(base[n] for n in names))
            yield ratio.numerator * math.prod(dims.named(n) for n in names), ratio.denominator
