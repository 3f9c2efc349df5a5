"""A function of the user's with a part of its code changed, so that the change can be tried."""

from __future__ import annotations

import ast
import copy
import linecache
import types
from collections.abc import Callable
from typing import Any

from lamina.advice import names
from lamina.shapes.errors import CallSite

#: Changes a node of the function in place, and says what the change looks like; ``""`` for none.
Change = Callable[[ast.AST], str]


def changed(function: Any, change: Change) -> tuple[Any, str] | None:
    """The function with a change in the first node that it applies to, and how the expression around reads then.

    Args:
        function: a Python function whose source can be read.
        change: tried on every node, in the order of the text.

    Returns:
        The new function and the changed expression as text; ``None`` if nothing was changed or it cannot be read.
    """
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return None
    node = _definition(function)
    if node is None:
        return None
    new = copy.deepcopy(node)
    for inner in ast.walk(new):
        said = change(inner)
        if said:
            return _compiled(function, ast.fix_missing_locations(new)), said
    return None


def _definition(function: types.FunctionType) -> ast.FunctionDef | ast.Lambda | None:
    """The node that defines a function."""
    code = function.__code__
    tree = names.parsed(tuple(linecache.getlines(code.co_filename)))
    kind = ast.Lambda if code.co_name == "<lambda>" else ast.FunctionDef
    found = [n for n in ast.walk(tree) if isinstance(n, kind) and _first_line(n) == code.co_firstlineno] if tree else []
    return found[0] if len(found) == 1 else None


def _first_line(node: Any) -> int:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])


def _compiled(function: types.FunctionType, node: Any) -> types.FunctionType:
    """The function that a changed definition makes, with the globals, closure and defaults of the old one."""
    free = function.__code__.co_freevars
    if isinstance(node, ast.Lambda):
        body: list[ast.stmt] = [ast.Return(node)]
    else:
        node.decorator_list = []
        node.returns, node.args.defaults = None, []
        body = [node, ast.Return(ast.Name(node.name, ast.Load()))]
    arguments = ast.arguments([], [ast.arg(name) for name in free], None, [], [], None, [])
    outer = ast.FunctionDef("_outer", arguments, body, [])
    module = ast.fix_missing_locations(ast.Module([outer], []))
    code = compile(module, CallSite.at(function.__code__.co_filename, 1).file, "exec")
    made = next(c for c in code.co_consts if isinstance(c, types.CodeType))
    inner = next(c for c in made.co_consts if isinstance(c, types.CodeType))
    cells = dict(zip(free, function.__closure__ or (), strict=True))
    closure = tuple(cells[name] for name in inner.co_freevars)
    new = types.FunctionType(inner, function.__globals__, function.__name__, function.__defaults__, closure)
    new.__kwdefaults__ = function.__kwdefaults__
    return new
