"""The user's own names, read off the statement that a call site stands in."""

from __future__ import annotations

import ast
import copy
import linecache
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeVar

from lamina.shapes.errors import CallSite, user_frames

T = TypeVar("T", bound=ast.AST)

_LONGEST = 48  # an expression longer than that is called by the argument's name instead
_MODEL_FIRST = ("check", "forms")  # functions that are told of what `fit` would be given, after the model


def statements(site: CallSite | None) -> list[ast.stmt]:
    """The innermost statements around a line of the user's program; none if its source cannot be read."""
    if site is None:
        return []
    lines = tuple(linecache.getlines(site.file))
    return _statements_at(lines, site.line) if lines else []


@lru_cache(maxsize=8)
def parsed(lines: tuple[str, ...]) -> ast.Module | None:
    """The code in the lines of a file; ``None`` if it is none."""
    try:
        return ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None


def functions(file: str, line: int) -> list[ast.FunctionDef]:
    """The functions that begin at a line of the user's program; none if its source cannot be read."""
    tree = parsed(tuple(linecache.getlines(file)))
    starts = ((n, min([n.lineno, *(d.lineno for d in n.decorator_list)])) for n in ast.walk(tree or ast.Module([], []))
              if isinstance(n, ast.FunctionDef))  # fmt: skip
    return [node for node, start in starts if start == line]


def _statements_at(lines: tuple[str, ...], line: int) -> list[ast.stmt]:
    tree = parsed(lines)
    if tree is None:
        return []
    around = [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or n.lineno)]
    return [n for n in around if not any(other is not n and other in ast.walk(n) for other in around)]


def nodes(site: CallSite | None, kind: type[T]) -> Iterator[T]:
    """The expressions of a kind in the statements at a line, outermost first."""
    return (node for node in _expressions(site) if isinstance(node, kind))


def _expressions(site: CallSite | None) -> Iterator[ast.AST]:
    """What the statements at a line are made of, as far as it reaches over that line."""
    for found in statements(site):
        for node in ast.walk(found):
            first, last = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
            if site is not None and first is not None and last is not None and first <= site.line <= last:
                yield node


def calls(site: CallSite | None, *functions: str) -> Iterator[ast.Call]:
    """The calls in the statement, outermost first; only those of functions or methods with one of the names given."""
    for node in _expressions(site):
        if isinstance(node, ast.Call) and (
            not functions or function_name(node) in functions or _is_told(node, functions)
        ):
            yield node


def _is_told(call: ast.Call, functions: tuple[str, ...]) -> bool:
    """Whether it is ``shapes.check(model, x, y)``, which says of what `fit` would be given."""
    return function_name(call) in _MODEL_FIRST and "fit" in functions


def value(node: ast.expr, site: CallSite | None) -> Any:
    """What a name, or an attribute of one, stands for at a line that is running; ``None`` if that cannot be seen."""
    if isinstance(node, ast.Attribute):
        return getattr(value(node.value, site), node.attr, None)
    if not isinstance(node, ast.Name) or site is None:
        return None
    for frame in user_frames():
        if (frame.f_code.co_filename, frame.f_lineno) == (site.file, site.line):
            return frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    return None


def function_name(call: ast.Call) -> str:
    """``fit`` of ``model.fit(x, y)``."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def function_text(call: ast.Call) -> str:
    """``ops.reshape`` of ``ops.reshape(x, (-1, 3))``."""
    return ast.unparse(call.func)


def argument_node(call: ast.Call, name: str, position: int) -> ast.expr | None:
    """What was written for an argument; ``None`` if nothing, or if it came through ``*`` or ``**``."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    position += function_name(call) in _MODEL_FIRST
    before = call.args[: position + 1]
    if len(before) <= position or any(isinstance(a, ast.Starred) for a in before):
        return None
    return before[position]


def argument(
    site: CallSite | None, functions: tuple[str, ...] | str, name: str, position: int, default: str = ""
) -> str:
    """What the user wrote for an argument: ``x_train`` for ``x`` in ``model.fit(x_train, y_train)``.

    Args:
        site: the line of the call.
        functions: names that the function called may have; an empty tuple for any.
        name: name of the argument.
        position: its place among the positional arguments.
        default: what to say where it cannot be read, or is long; `name` if not given.
    """
    wanted = (functions,) if isinstance(functions, str) else functions
    for call in calls(site, *wanted):
        node = argument_node(call, name, position)
        if node is not None:
            return short(node) or default or name
    return default or name


def with_argument(call: ast.Call, name: str, position: int, code: str) -> ast.Call:
    """A call with another expression for one of its arguments."""
    new, value = copy.deepcopy(call), ast.parse(code, mode="eval").body
    for keyword in new.keywords:
        if keyword.arg == name:
            keyword.value = value
            return new
    if position < len(new.args):
        new.args[position] = value
    else:
        new.keywords.append(ast.keyword(name, value))
    return new


def constant(node: ast.expr | None) -> Any:
    """The value that was written out; ``None`` if it is an expression of another kind."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


def short(node: ast.expr | None) -> str:
    """An expression as text; ``""`` if it is too long to be repeated."""
    text = ast.unparse(node) if node is not None else ""
    return text if len(text) <= _LONGEST else ""


def elements(node: ast.expr | None) -> list[str]:
    """The expressions of a list or tuple that was written out: ``["left", "right"]`` of ``[left, right]``."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        return []
    return [short(e) for e in node.elts]


def indexed(text: str, index: str) -> str:
    """``x[..., None]`` from ``x`` and ``"[..., None]"``; an expression of several parts gets parentheses."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return f"({text}){index}"
    simple = isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Tuple))
    return f"{text}{index}" if simple else f"({text}){index}"


def is_place(text: str) -> bool:
    """Whether a new array can be put where an expression has the old one: a variable, or an entry by name."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    by_name = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    return by_name or isinstance(node, (ast.Name, ast.Attribute))


def changed(text: str, code: str) -> str:
    """``x = x[None]``: an assignment where `text` is a place, the new expression alone where it is none."""
    return f"{text} = {code}" if is_place(text) else code


def target(site: CallSite | None) -> str:
    """The one variable that the statement assigns to; ``""`` if there is none."""
    for found in statements(site):
        if isinstance(found, ast.Assign) and len(found.targets) == 1 and isinstance(found.targets[0], ast.Name):
            return found.targets[0].id
    return ""
