"""What all changes of a program have in common: its trees, what was noted of it, and one choice of places."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from places import NoPlace, Scene, node_at, put


class Editor:
    """A copy of the programs that is being changed."""

    def __init__(self, trees: dict[str, ast.Module], scene: Scene, choice: int):
        ours = {name: made for name, made in scene.layers.items() if made[0].file in trees}
        self.trees, self.choice = trees, choice
        self.scene = dataclasses.replace(scene, layers=ours)  # the layers that can be edited
        self.parts = 1
        self.later = False  # whether what follows is about data that comes later

    def pick(self, options: list[Any]) -> Any:
        """The option for this choice; a choice that there is no option for is none."""
        if self.choice >= len(options):
            raise NoPlace
        return options[self.choice]

    def put(self, old: ast.AST, new: ast.AST) -> None:
        for tree in self.trees.values():
            put(tree, old, new)

    @property
    def failing(self) -> Any:
        """The call at fault: of those that lead to the error the innermost that can be edited."""
        return node_at(self.trees, next(place for place in self.scene.failing if place.file in self.trees))

    def nodes(self, kind: Any) -> list[Any]:
        return [n for tree in self.trees.values() for n in ast.walk(tree) if isinstance(n, kind)]

    def layer(self, name: str) -> tuple[Any, type]:
        if name not in self.scene.layers:
            raise NoPlace(name)
        place, cls = self.scene.layers[name]
        node = node_at(self.trees, place)
        if not isinstance(node, ast.Call):
            raise NoPlace(name)
        return node, cls

    def is_layer(self, node: Any) -> bool:
        """Whether a layer was made by a call."""
        return any(node_at(self.trees, place) is node for place, _ in self.scene.layers.values())

    def of_kind(self, kind: str) -> tuple[Any, type]:
        found = [name for name, (_, cls) in self.scene.layers.items() if cls.__name__ == kind]
        return self.layer(self.pick(found[::-1]))

    def nodes_before(self, kind: Any) -> list[Any]:
        """Nodes of the function at fault; or of the program and of those that ran before it. The last first."""
        functions = self.functions_at(self.failing)
        if functions:
            return [n for n in [*ast.walk(functions[0])][::-1] if isinstance(n, kind)]
        files = list(self.trees)
        at = files.index(next(place.file for place in self.scene.failing if place.file in self.trees))
        return [n for file in files[at::-1] for n in [*ast.walk(self.trees[file])][::-1] if isinstance(n, kind)]

    def functions_at(self, node: Any) -> list[Any]:
        """The functions around a node, outermost first."""
        tree = next((nodes for t in self.trees.values() if node in (nodes := list(ast.walk(t)))), [])
        functions = [f for f in tree if isinstance(f, (ast.FunctionDef, ast.Lambda)) and hasattr(f, "lineno")]
        return [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]

    def names_at(self, node: Any) -> set[str]:
        """The variables of the functions around a node, or of its module."""
        owners = self.functions_at(node) or list(self.trees.values())
        parts = [n for owner in owners for n in ast.walk(owner)]
        stored = {n.id for n in parts if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        return stored | {n.arg for n in parts if isinstance(n, ast.arg)}
