"""Symbolic dimensions: sizes that are not known yet, with names and arithmetic.

A dimension is an ``int`` or a symbolic expression of ``jax.export`` such as ``floordiv(length - 3, 2) + 1``.
All expressions live in one scope, so any two of them can meet in one computation; a name means the same
size wherever it is used. The batch axis is always called ``batch``.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from jax import export

SCOPE = export.SymbolicScope()
_counter = itertools.count(1)
_labels: dict[str, str] = {}


def named(expression: str) -> Any:
    """The symbolic dimension that a name or expression such as ``"length"`` or ``"16*k"`` stands for."""
    try:
        (dim,) = export.symbolic_shape(expression, scope=SCOPE)
    except Exception as error:
        raise ValueError(
            f"cannot read {expression!r} as a dimension: write a name such as 'length', or an expression "
            f"such as '16*k' or 'length // 2'"
        ) from error
    return dim


BATCH = named("batch")


def fresh() -> Any:
    """A new dimension that equals no other. It shows as ``?`` until `label` names it."""
    return named(f"d_{next(_counter)}")


def is_known(dim: Any) -> bool:
    """Whether the size is a plain number."""
    return isinstance(dim, (int, np.integer))


def symbols(dims: Iterable[Any]) -> list[str]:
    """Names of the free dimensions inside, in order of appearance."""
    found: dict[str, None] = {}
    for dim in dims:
        if not is_known(dim):
            for name in re.findall(r"[A-Za-z_]\w*", str(dim)):
                if name not in ("floordiv", "mod", "max", "min"):
                    found[name] = None
    return list(found)


def label(dim: Any, name: str) -> None:
    """Give an anonymous dimension a name to be shown by; one that has a name keeps it."""
    text = str(dim)
    if re.fullmatch(r"d_\d+", text) and text not in _labels:
        taken = set(_labels.values())
        shown, number = name, 2
        while shown in taken and _labels:
            shown, number = f"{name}_{number}", number + 1
        _labels[text] = shown


def forget_labels() -> None:
    """Start naming anonymous dimensions afresh."""
    _labels.clear()


def from_declared(shape: Iterable[Any], argument: str = "shape") -> tuple[Any, ...]:
    """Dimensions from what a user wrote: numbers, ``None`` (any size), names and expressions.

    Raises:
        ValueError: an entry is negative or of another kind; the message names `argument` and the value.
    """
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        hint = f"({shape!r},)" if isinstance(shape, (str, int, np.integer)) else "such as (10,) or (None, 3)"
        raise ValueError(f"`{argument}` takes a tuple of sizes, not {shape!r}; write {hint}")
    shape = tuple(shape)
    dims: list[Any] = []
    for size in shape:
        if size is None:
            dims.append(fresh())
        elif isinstance(size, str):
            dims.append(named(size))
        elif isinstance(size, (int, np.integer)) and not isinstance(size, (bool, np.bool_)):
            if size < 0:
                raise ValueError(f"`{argument}`={shape!r} has the negative size {size}; use None for an open size")
            dims.append(int(size))
        elif type(size).__name__ == "_DimExpr":
            dims.append(size)
        else:
            raise ValueError(f"`{argument}`={shape!r}: {size!r} is not a size; use a whole number, a name or None")
    return tuple(dims)


def to_public(dims: Iterable[Any]) -> tuple[int | None, ...]:
    """Keras's form of a shape: numbers, and ``None`` where the size is open."""
    return tuple(int(d) if is_known(d) else None for d in dims)


class _Ordinary(ast.NodeTransformer):
    """Rewrites jax's ``floordiv(a, b)`` and ``mod(a, b)`` to operators, and anonymous names to their labels."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        operators = {"floordiv": ast.FloorDiv(), "mod": ast.Mod()}
        name = getattr(node.func, "id", "")
        if name in operators:
            return ast.BinOp(node.args[0], operators[name], node.args[1])
        is_floor_at_zero = name == "max" and any(isinstance(a, ast.Constant) and a.value == 0 for a in node.args)
        if is_floor_at_zero and len(node.args) == 2:
            return next(a for a in node.args if not (isinstance(a, ast.Constant) and a.value == 0))
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if re.fullmatch(r"d_\d+", node.id):
            return ast.Name(_labels.get(node.id, "any"))
        return node


def show(dim: Any) -> str:
    """A dimension in ordinary notation: ``(length - 3)//2 + 1``."""
    if dim is None:
        return "None"
    if is_known(dim):
        return str(int(dim))
    text = ast.unparse(_Ordinary().visit(ast.parse(str(dim), mode="eval")))
    return re.sub(r" (//|\*) ", r"\1", text)


def show_shape(dims: Iterable[Any]) -> str:
    """A shape in ordinary notation: ``(batch, (length - 3)//2 + 1, 16)``."""
    parts = [show(d) for d in dims]
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


class Dims(tuple):
    """The dimensions of a tensor as expressions; prints in ordinary notation."""

    def __repr__(self) -> str:
        return show_shape(self)

    __str__ = __repr__
