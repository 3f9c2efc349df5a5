"""Fixes that change how a layer or an input is made."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from editing import Editor
from places import node_at, parse

_WRAPPERS = ("Bidirectional", "TimeDistributed")


class LayerEdits(Editor):
    """Changes of the layers, found by their names."""

    def settings(self, code: str, owners: str) -> None:
        for name in owners.replace('"', "").split(", "):
            call, cls = self.layer(name)
            self.set(call, cls, ast.parse(f"f({code})", mode="eval").body.keywords)

    def set(self, call: ast.Call, cls: type, keywords: list[ast.keyword]) -> None:
        inner = next((a for a in call.args if isinstance(a, ast.Call)), None)
        if cls.__name__ in _WRAPPERS and inner is not None:
            import lamina

            call, cls = inner, getattr(lamina.layers, getattr(inner.func, "attr", ""), cls)
        if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
            changed = ast.Call(ast.Name("dict", ast.Load()), [], keywords)
            both = ast.Tuple([call, changed], ast.Load())
            again = "(lambda made, new: type(made).from_config({**made.get_config(), **new}))"
            self.put(call, ast.Call(parse(again), [ast.Starred(both, ast.Load())], []))
            return
        order = list(inspect.signature(cls).parameters)
        for keyword in keywords:
            place = order.index(keyword.arg) if keyword.arg in order else 99
            if place < len(call.args):
                call.args[place] = keyword.value
            else:
                call.keywords = [k for k in call.keywords if k.arg != keyword.arg] + [keyword]

    def insert(self, code: str, name: str) -> None:
        call, _ = self.layer(name)
        new = parse(code)
        outer = [n for n in self.nodes(ast.Call) if n.func is call and n.args]
        listed = [n for n in self.nodes((ast.List, ast.Tuple)) if any(e is call for e in n.elts)]
        failing = self.failing
        options = ["outer"] * bool(outer) + ["listed"] * bool(listed) + ["chain"]
        options += ["argument"] * (isinstance(failing, ast.Call) and bool(failing.args))
        kind = self.pick(options)
        if kind == "outer":
            outer[0].args[0] = ast.Call(new, [outer[0].args[0]], [])
        elif kind == "listed":
            listed[0].elts.insert(next(i for i, e in enumerate(listed[0].elts) if e is call), new)
        elif kind == "argument":
            failing.args[0] = ast.Call(new, [failing.args[0]], [])
        else:
            self.put(call, ast.Call(parse("lamina.Sequential"), [ast.List([new, call], ast.Load())], []))

    def append(self, code: str, name: str) -> None:
        call, _ = self.layer(name)
        self.put(call, ast.Call(parse("lamina.Sequential"), [ast.List([call, parse(code)], ast.Load())], []))

    def replace(self, code: str, name: str) -> None:
        call, _ = self.layer(name)
        self.put(call, call.args[0] if code.startswith('"') else parse(code))

    def remove(self, name: str) -> None:
        if self.pick(["where it is made", "where it is called"]) == "where it is made":
            self.put(self.layer(name)[0], parse("layers.Identity()"))
        else:
            self.failing.func = parse("layers.Identity()")

    def at_the_end(self, code: str) -> None:
        names = [n for n, (_, cls) in self.scene.layers.items() if cls.__name__ not in ("InputLayer", "Sequential")]
        last = self.pick(names[::-1])
        self.append("layers.Lambda(lambda x: x[:, -1])" if code.startswith("x = ") else code, last)

    def wrap(self, kind: str) -> None:
        call, _ = self.of_kind(kind)
        declared = [k for k in call.keywords if k.arg in ("input_shape", "batch_input_shape")]
        call.keywords = [k for k in call.keywords if k not in declared]
        self.put(call, ast.Call(parse("layers.TimeDistributed"), [call], declared))

    def head(self, kind: str, code: str) -> None:
        """Another layer at the end of the model."""
        new = parse(code)
        name = next((k.value.value for k in new.keywords if k.arg == "name"), None)
        call, _ = self.layer(name) if name in self.scene.layers else self.of_kind(kind)
        self.put(call, new)

    def own_layer(self) -> None:
        call = self.failing
        made = ast.unparse(call.func)
        call.func = parse(f"type({made}).from_config({{**{made}.get_config(), 'name': 'own'}})")

    # Inputs

    def new_input(self, code: str) -> None:
        names = [n for n, (_, cls) in self.scene.layers.items() if cls.__name__ == "InputLayer"]
        calls = [call for call, _ in map(self.layer, names[::-1]) if is_input(call)]
        if not calls and self.parts > 1:
            return  # a model that takes its inputs from the data
        new = parse(code)
        # a tensor that is in no model has no layer yet
        calls = calls or [call for call in self.nodes_before(ast.Call) if is_input(call)]
        if not calls:
            self.first_layer(new)
            return
        call = self.pick(calls)
        kept = [k for k in call.keywords if k.arg not in ("shape", "batch_shape", *(n.arg for n in new.keywords))]
        call.args, call.keywords = new.args, new.keywords + kept
        self.later = True

    def first_layer(self, new: Any) -> None:
        """An input for a model that had none."""
        models = [n for n, (_, cls) in self.scene.layers.items() if cls.__name__ == "Sequential"]
        call, _ = self.layer(self.pick(models[::-1]))
        first = ast.Call(parse(f"layers.{ast.unparse(new.func)}"), new.args, new.keywords)
        call.args[0].elts.insert(0, first)
        self.later = True

    def declared_input(self, code: str) -> None:
        new = parse(f"f({code})").keywords
        own = [n for n in self.nodes(ast.Call) if any(k.arg in ("input_shape", "input_dim") for k in n.keywords)]
        places = [node_at(self.trees, p) for p, _ in self.scene.layers.values()]
        call = self.pick([n for n in own if any(n is p for p in places)][::-1])
        call.keywords = [k for k in call.keywords if k.arg not in ("input_shape", "input_dim")] + new
        self.later = True

    def without(self, name: str) -> None:
        calls = [n for n in self.nodes(ast.Call) if any(k.arg == name for k in n.keywords) and self.is_layer(n)]
        if calls:
            call = self.pick(calls[::-1])
            call.keywords = [k for k in call.keywords if k.arg != name]
            return
        node = self.pick([n for n in self.nodes(ast.ClassDef) if any(getattr(m, "name", "") == name for m in n.body)])
        node.body = [n for n in node.body if getattr(n, "name", "") != name] or [ast.Pass()]


def is_input(call: ast.Call) -> bool:
    return ast.unparse(call.func).rpartition(".")[2] in ("Input", "InputLayer")
