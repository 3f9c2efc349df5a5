"""Writes a fix that an error offers into the program that made the error.

A program is known by its source; where its layers were made, where it compiled its model and which call failed is known
by the places of these expressions (`Place`), noted while it ran. A fix says in words what to change ("padding='same' in
'conv'"); here this becomes a change of the syntax tree. Where a program has several places that the words fit, each is
a choice: the fix works if one of them does.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from typing import Any

from call_edits import CallEdits
from function_edits import FunctionEdits
from layer_edits import LayerEdits
from places import NoPlace, Scene

CHOICES = 6


def rewritten(trees: dict[str, ast.Module], scene: Scene, code: str) -> Iterator[dict[str, ast.Module]]:
    """The programs with a fix in them, one for each choice of its places."""
    found = 0
    for choice in range(CHOICES):
        editor = _Editor(copy.deepcopy(trees), scene, choice)
        try:
            parts = _parts(code)
            editor.parts = len(parts)
            for part in parts:
                editor.apply(part)
        except (NoPlace, IndexError, AttributeError, SyntaxError):
            continue
        found += 1
        yield {name: ast.fix_missing_locations(tree) for name, tree in editor.trees.items()}
    if not found:
        raise NoPlace(code)


def _parts(code: str) -> list[str]:
    code = code.split(", that is ")[0]
    if code.startswith(("for ", '"', "yield ", "return ")):
        return [code]
    return re.split(r" and | with (?=loss=)", code)


class _Editor(LayerEdits, CallEdits, FunctionEdits):
    def apply(self, part: str) -> None:
        for pattern, method in _FORMS:
            match = re.fullmatch(pattern, part, re.DOTALL)
            if match:
                method(self, *match.groups())
                return
        self.expression(part)


_FORMS: list[tuple[str, Any]] = [
    (r"for (.*?) in (.*?): (.*)", _Editor.loop),
    (r"yield (.*)", _Editor.yielded),
    (r"return (.*)", _Editor.returned),
    (r"remove (\w+)", _Editor.without),
    (r'(\w+=.*?) in ((?:"[^"]+"(?:, )?)+|(?:\w+(?:, )?)+)', _Editor.settings),
    (r'(.*) before "([^"]+)"', _Editor.insert),
    (r'(.*) after "([^"]+)"', _Editor.append),
    (r'(.*) instead of \w+ "([^"]+)"', _Editor.replace),
    (r'remove \w+ "([^"]+)"', _Editor.remove),
    (r'leave "([^"]+)" out', _Editor.remove),
    (r"(.*) at the end", _Editor.at_the_end),
    (r"(Input\(.*)", _Editor.new_input),
    (r"((?:batch_)?input_shape=.*)", _Editor.declared_input),
    (r"layers\.TimeDistributed\(layers\.(\w+)\(\.\.\.\)\)", _Editor.wrap),
    (r"a new layers\.\w+\(\.\.\.\)", _Editor.own_layer),
    (r"(?=layers\.(\w+)\()(layers\.\w+\([^()]*(?:\([^()]*\)[^()]*)*\))", _Editor.head),
    (r"(lamina\.losses\.\w+)", _Editor.other_function),
    (r"(\w+)=(?! )(.*)", _Editor.keyword),
    (r"x padded to (\d+)", _Editor.padded),
    (r"([^=]+) = (.*)", _Editor.assign),
]
