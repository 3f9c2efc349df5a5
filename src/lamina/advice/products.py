"""Repairs for matrix products whose inner axes differ: a factor transposed, or numbers multiplied one by one."""

from __future__ import annotations

import ast
from typing import Any

from lamina.advice import names
from lamina.shapes import dims
from lamina.shapes.errors import Fix, ShapeError

_FUNCTIONS = ("matmul", "dot")


def advise(error: ShapeError) -> None:
    """Attach repairs to an error of a matrix product; others are left as they are."""
    operands = getattr(error, "operands", None)
    if operands is not None and not error.fixes:
        error.with_fixes(_repairs(error, *operands))


def _repairs(error: ShapeError, a: tuple[Any, ...], b: tuple[Any, ...]) -> list[Fix]:
    left, right, written, module = _as_written(error)
    fixes = []
    if len(b) > 1 and a[-1] == b[-1] and _batches_agree(a, b):
        result = dims.show_shape((*a[:-1], b[-2]))
        fixes.append(Fix(f'transpose "{right}"', written.format(left, f"{module}swapaxes({right}, -1, -2)"), result))
    elif len(a) > 1 and len(b) > 1 and a[-2] == b[-2] and _batches_agree(a, b):
        result = dims.show_shape((*a[:-2], a[-1], b[-1]))
        fixes.append(Fix(f'transpose "{left}"', written.format(f"{module}swapaxes({left}, -1, -2)", right), result))
    if a == b:
        result = dims.show_shape(a[:-1])
        code = f"{module}sum({left} * {right}, axis=-1)"
        fixes.append(Fix("or multiply each number with its partner, and sum", code, result))
    return fixes


def _batches_agree(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return len(b) == 2 or a[:-2] == b[:-2]


def _as_written(error: ShapeError) -> tuple[str, str, str, str]:
    """Both operands and the product in the user's words, and what stands before names of operations."""
    for call in names.calls(error.call_site, *_FUNCTIONS):
        parts = [names.short(argument) for argument in call.args[:2]]
        if len(parts) == 2 and all(parts):
            function = ast.unparse(call.func)
            return parts[0], parts[1], f"{function}({{}}, {{}})", function.rpartition(".")[0] + "." * ("." in function)
    for node in names.nodes(error.call_site, ast.BinOp):
        if isinstance(node.op, ast.MatMult):
            return names.short(node.left) or "x1", names.short(node.right) or "x2", "{} @ {}", "ops."
    return "x1", "x2", "ops.matmul({}, {})", "ops."
