"""The one rule for shapes: trace the computation.

`trace` runs a function on symbolic tensors (`jax.eval_shape` over the dimensions of `lamina.shapes.dims`): no
arithmetic happens, only shapes and dtypes come out. Where the function needs to know a size that is open
(``range(x.shape[1])``, ``if x.shape[1] > 4``), it is traced with a few concrete sizes instead, and the output's
dimensions are read off from how they vary.
"""

from __future__ import annotations

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
        sampled = _trace_samples(function, specs, names, error)
        if sampled is None:
            raise
        return sampled


def _is_verdict(error: Exception) -> bool:
    """Whether shapes were judged and refused (a size must be known, say): other sizes would only hide that."""
    return isinstance(error, ShapeError) and error.__cause__ is None


def substitute(shape: Sequence[Any], sizes: dict[str, int]) -> tuple[int, ...]:
    """The shape with numbers for its free dimensions."""
    return tuple(int(d) if dims.is_known(d) else int(dims.SCOPE and _evaluate(d, sizes)) for d in shape)


def _evaluate(dim: Any, sizes: dict[str, int]) -> int:
    functions = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}
    return eval(str(dim), {"__builtins__": {}}, {**functions, **sizes})  # the text is jax's own rendering


def _trace_at(function: Callable[..., Any], specs: Sequence[Spec], sizes: dict[str, int]) -> Any:
    return jax.eval_shape(function, *(Spec(substitute(s.shape, sizes), s.dtype) for s in specs))


def _trace_samples(function: Callable[..., Any], specs: Sequence[Spec], names: list[str], error: Exception) -> Any:
    """The function's output read off from traces at concrete sizes; ``None`` if no sizes fit."""
    for base in _base_sizes(names, error):
        try:
            first = _trace_at(function, specs, base)
        except Exception:
            continue
        leaves, structure = jax.tree.flatten(first)
        shapes = [leaf.shape for leaf in leaves]
        others = _neighbours(function, specs, base, shapes)
        read = [
            Spec(tuple(_read_off(base, shape[i], [(s, o[n][i]) for s, o in others]) for i in range(len(shape))), leaf.dtype)
            for n, (shape, leaf) in enumerate(zip(shapes, leaves, strict=True))
        ]
        return jax.tree.unflatten(structure, read)
    return None


def _base_sizes(names: list[str], error: Exception) -> list[dict[str, int]]:
    """Sizes to start from: round numbers, then those that the failure speaks of (an open axis meeting a fixed one)."""
    bases = [{name: base * (1 + i) for i, name in enumerate(names)} for base in _BASES]
    for number in dict.fromkeys(int(n) for n in re.findall(r"\b\d{1,6}\b", str(error)) if 0 < int(n)):
        bases.append({name: 12 if name == "batch" else number for name in names})
    return bases


def _neighbours(function: Callable[..., Any], specs: Sequence[Spec], base: dict[str, int], shapes: list[Any]) -> list[Any]:
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


def _read_off(base: dict[str, int], size: int, others: list[tuple[dict[str, int], int]]) -> Any:
    """The expression that gives `size` at the base and the other sizes at theirs; a fresh name if none does."""
    if all(other == size for _, other in others):
        return size
    slopes = {}
    for name in base:
        alone = [(s[name] - base[name], o - size) for s, o in others if all(s[k] == base[k] for k in base if k != name)]
        steps = [Fraction(o, s) for s, o in alone if s and s % 12 == 0]
        slopes[name] = steps[0] if steps else Fraction(0)
    scale = 1
    for slope in slopes.values():
        scale = scale * slope.denominator // _gcd(scale, slope.denominator)
    scaled = {name: int(slope * scale) for name, slope in slopes.items()}
    for offset in range(scale):
        constant = size * scale - sum(scaled[n] * base[n] for n in base) + offset
        predict = lambda s, c=constant: (sum(scaled[n] * s[n] for n in base) + c) // scale  # noqa: E731
        if all(predict(s) == o for s, o in others):
            expression = sum((scaled[n] * dims.named(n) for n in base if scaled[n]), constant)
            return expression if scale == 1 else expression // scale
    return dims.fresh()


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a
