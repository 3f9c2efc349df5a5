"""The shapes that met on a line of the user's function that failed."""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Iterator
from typing import Any

from lamina.shapes import dims
from lamina.shapes.errors import is_internal

_MOST = 6


def local_tensors(error: BaseException) -> str:
    """The tensors at hand in the innermost function of the user's that an exception came through.

    Returns:
        ``y_true (32,)   y_pred (32, 1)``: those on the failing line, or all if none can be read off it.
    """
    frame, line, tb = None, 0, error.__traceback__
    while tb is not None:
        if not is_internal(tb.tb_frame.f_code.co_filename):
            frame, line = tb.tb_frame, tb.tb_lineno
        tb = tb.tb_next
    if frame is None or frame.f_code.co_name == "<module>":
        return ""
    local = frame.f_locals
    found = dict(_on_line(linecache.getline(frame.f_code.co_filename, line), local))
    found = found or {name: value.shape for name, value in local.items() if _is_tensor(value)}
    shown = [f"{name} {dims.show_shape(dims.to_public(shape))}" for name, shape in found.items()]
    return "   ".join(shown[:_MOST])


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "dtype") and isinstance(getattr(value, "shape", None), tuple)


def _on_line(source: str, local: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and attributes on a line of code that stand for tensors."""
    text = textwrap.dedent(source).strip()
    for code in (text, text.removesuffix(":"), text.removeprefix("return "), f"({text})"):
        try:
            parsed = ast.parse(code)
            break
        except SyntaxError:
            continue
    else:
        return
    for node in ast.walk(parsed):
        if isinstance(node, ast.Name) and _is_tensor(local.get(node.id)):
            yield node.id, local[node.id].shape
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = local.get(node.value.id)
            value: Any = getattr(owner, "__dict__", {}).get(node.attr)
            if _is_tensor(value):
                yield f"{node.value.id}.{node.attr}", value.shape
