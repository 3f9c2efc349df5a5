"""Where expressions stand in a program, and what was noted about a failing call."""

from __future__ import annotations

import ast
import copy
import itertools
import types
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where an expression stands."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, moment: Moment) -> Place:
        """The expression that was computed at a moment."""
        code, instruction, last_line = moment
        line, end_line, column, end_column = next(itertools.islice(code.co_positions(), instruction // 2, None))
        return cls(code.co_filename, line or last_line, column or 0, end_line or 0, end_column or 0)


#: A function's code, the instruction and the line that it was at.
Moment = tuple[types.CodeType, int, int]


def moment_of(frame: types.FrameType) -> Moment:
    """Where a frame is now."""
    return frame.f_code, frame.f_lasti, frame.f_lineno


@dataclass
class Scene:
    """What was noted about a failing call.

    Attributes:
        failing: the places of the calls that led to the error, innermost first.
        layers: where each layer was made, by name, with its class; in the order in which they were made.
        compiled: where models were compiled, the last one first.
        line: the line of a function that the message names, or that of the program that it points at; 0 for none.
    """

    failing: list[Place]
    layers: dict[str, tuple[Place, type]] = field(default_factory=dict)
    compiled: list[Place] = field(default_factory=list)
    line: int = 0


class NoPlace(Exception):
    """A part of a fix that nothing in the program fits."""


def node_at(trees: dict[str, ast.Module], place: Place) -> Any:
    """The expression at a place, or the smallest one around it."""
    if place.file not in trees:
        raise NoPlace(place.file)
    wanted = (place.line, place.column), (place.end_line, place.end_column)
    around = []
    for node in ast.walk(trees[place.file]):
        if isinstance(node, ast.expr) and hasattr(node, "lineno") and node.end_lineno is not None:
            start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
            if start <= wanted[0] and wanted[1] <= end:
                around.append(((end[0] - start[0], end[1] - start[1]), node))
    if not around:
        raise NoPlace(str(place))
    return min(around, key=lambda pair: pair[0])[1]


def put(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    """Put a node in the place of another."""
    for parent in ast.walk(tree):
        if parent is new:
            continue
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list) and any(v is old for v in value):
                value[next(i for i, v in enumerate(value) if v is old)] = new
                return


def parse(code: str) -> Any:
    new = ast.parse(code.strip(), mode="eval").body
    for node in ast.walk(new):  # so that it is not taken for a place of the program
        for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            if hasattr(node, name):
                delattr(node, name)
    return new


def same(a: ast.AST, b: ast.AST) -> bool:
    return ast.dump(a) == ast.dump(b)


def with_values(tree: Any, values: dict[str, Any]) -> Any:
    """An expression with others in place of names."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> Any:
            return values.get(node.id, node)

    return Fill().visit(copy.deepcopy(tree))
