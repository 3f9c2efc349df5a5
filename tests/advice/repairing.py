"""Broken programs, and the repairs that their errors offer: each is written into the program, which must run then."""

from __future__ import annotations

import ast
import itertools
import linecache
import re
import warnings
from typing import Any

import applying
import numpy as np

import lamina
from lamina.core import context
from lamina.shapes.errors import Fix, ShapeError

_counter = itertools.count()
_START = "import numpy as np\nimport lamina\nfrom lamina import Input, Model, Sequential, layers, ops\n"


def run(source: str) -> tuple[str, ShapeError | None]:
    """The file name a program runs under, and the `ShapeError` that it raises."""
    lamina.utils.clear_session()
    name = f"program_{next(_counter)}.py"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(source, name, "exec"), {"__name__": "program"})
        except ShapeError as error:
            return name, error
    return name, None


def check(program: str, offender: str, fix: str) -> ShapeError:
    """Run a broken program: the error says who, where and what to do, and everything it offers works.

    Args:
        program: its code; the line at fault ends in ``# <-``.
        offender: what the message must name.
        fix: a regular expression that an offered fix must match.
    """
    source = _START + program.strip() + "\n"
    name, error = run(source)
    assert error is not None, "the program runs"
    text = str(error)
    marked = [i for i, line in enumerate(source.splitlines(), 1) if "# <-" in line]
    assert offender in text, text
    assert any(f"{name}:{line}" in text for line in marked), text
    assert 1 <= len(error.fixes) <= 3, text
    assert re.search(fix, "\n".join(map(str, error.fixes))), text
    applying.applied(error)
    for offered in error.fixes:
        repaired = apply(source, offered, marked)
        _, again = run(repaired)
        assert again is None, f"{offered}\ndoes not repair\n{source}\nwhich becomes\n{repaired}\n{again}"
    return error


def apply(source: str, fix: Fix, marked: list[int]) -> str:
    """The program with a fix written into it."""
    tree = ast.parse(source)
    for part in _parts(fix.code):
        edit = _Edit(tree, marked)
        done = edit.apply(part)
        assert done, f"no place for {part!r} of {fix} in\n{source}"
        ast.fix_missing_locations(tree)
    return ast.unparse(tree)


def _parts(code: str) -> list[str]:
    code = code.split(", that is ")[0]
    return [code] if code.startswith(("for ", '"')) else code.split(" and ")


class _Edit:
    def __init__(self, tree: ast.Module, marked: list[int]):
        self.tree, self.marked = tree, marked

    def apply(self, code: str) -> bool:
        named = re.fullmatch(r'(.*) in ((?:"[^"]+"(?:, )?)+)', code)
        before = re.fullmatch(r'(.*) before "([^"]+)"', code)
        instead = re.fullmatch(r'(.*) instead of \w+ "([^"]+)"', code)
        if code.startswith("for "):
            return self.statement(code)
        if named:
            return all(self.settings(named[1], layer) for layer in re.findall('"([^"]+)"', named[2]))
        if before:
            return self.insert(before[1], before[2])
        if instead:
            inner = re.fullmatch('"([^"]+)"', instead[1])
            return self.unwrap(instead[2]) if inner else self.replace(instead[2], instead[1])
        if match := re.fullmatch(r'remove \w+ "([^"]+)"', code):
            return self.replace(match[1], "layers.Identity()")
        if match := re.fullmatch(r"remove (\w+)", code):
            return self.remove(match[1])
        if match := re.match(r"(Input|input_shape|batch_input_shape)\b", code):
            return self.new_input(code, match[1])
        if match := re.fullmatch(r"layers.TimeDistributed\(layers.(\w+)\(...\)\)", code):
            return self.wrap(match[1])
        if match := re.fullmatch(r"x padded to (\d+)", code):
            return self.assign("x", f"np.pad(x, ((0, 0), (0, {match[1]} - x.shape[1])) + ((0, 0),) * (x.ndim - 2))")
        if match := re.fullmatch(r"(\w+) = (.*)", code):
            return self.assign(match[1], match[2])
        if code.startswith("return "):
            return self.returned(code)
        if re.match(r"(initial_state|mask|mean)=", code) or re.fullmatch(r"output_shape=.*", code):
            return self.keywords(code)
        if code.startswith("layers.Normalization("):
            calls = [n for n in self.nodes(ast.Call) if getattr(n.func, "attr", "") == "Normalization"]
            calls[0].args, calls[0].keywords = [], _expression(code).keywords
            return True
        if code.startswith("a new layers."):
            return self.own_layer()
        return self.expression(code)

    def nodes(self, kind: Any, marked: bool = False) -> list[Any]:
        found = [n for n in ast.walk(self.tree) if isinstance(n, kind)]
        lines = set(self.marked)
        return [n for n in found if not marked or lines & set(range(n.lineno, n.end_lineno + 1))]

    def layer(self, name: str) -> ast.Call:
        """The call that makes a layer, by its name, given or automatic."""
        context.reset_names()
        calls = [n for n in self.nodes(ast.Call) if isinstance(n.func, ast.Attribute) and _is_layers(n.func.value)]
        calls += [n for n in self.nodes(ast.Call) if isinstance(n.func, ast.Name) and n.func.id[0].isupper()]
        for call in sorted(calls, key=lambda n: (n.lineno, n.end_col_offset)):
            kind = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
            given = next((k.value.value for k in call.keywords if k.arg == "name"), None)
            if (given or context.auto_name(kind)) == name:
                return call
        raise AssertionError(f"no layer {name!r}")

    def settings(self, code: str, name: str) -> bool:
        call = self.layer(name)
        new = ast.parse(f"f({code})", mode="eval").body.keywords
        inner = next((a for a in call.args if isinstance(a, ast.Call)), None)
        if getattr(call.func, "attr", "") in ("Bidirectional", "TimeDistributed") and inner is not None:
            call = inner
        position = {"target_shape": 0, "units": 0, "axes": 0, "pool_size": 0, "filters": 0, "kernel_size": 1, "axis": 0}
        for keyword in new:
            at = position.get(keyword.arg, 0 if isinstance(call.func, ast.Name) else 99)
            if at < len(call.args):
                call.args[at] = keyword.value
            else:
                call.keywords = [k for k in call.keywords if k.arg != keyword.arg] + [keyword]
        return True

    def insert(self, code: str, name: str) -> bool:
        layer, new = self.layer(name), _expression(code)
        attribute = next(
            (t.attr for n in self.nodes(ast.Assign) if n.value is layer for t in n.targets if hasattr(t, "attr")), None
        )
        variable = next((t.id for n in self.nodes(ast.Assign) if n.value is layer for t in n.targets
                         if isinstance(t, ast.Name)), None)  # fmt: skip
        for call in self.nodes(ast.Call):
            own = call.func is layer
            own |= attribute is not None and isinstance(call.func, ast.Attribute) and call.func.attr == attribute
            own |= variable is not None and isinstance(call.func, ast.Name) and call.func.id == variable
            if own and (variable is None or self.marked[0] <= call.lineno):
                call.args[0] = ast.Call(new, [call.args[0]], [])
                return True
            if any(a is layer for a in call.args) and getattr(call.func, "attr", "") == "add":
                call.args = [_expression(f"Sequential([{code}, {ast.unparse(layer)}])")]
                return True
        for node in self.nodes(ast.List):
            if any(e is layer for e in node.elts):
                at = next(i for i, e in enumerate(node.elts) if e is layer)
                node.elts.insert(at, new)
                return True
        return False

    def replace(self, name: str, code: str) -> bool:
        layer, new = self.layer(name), _expression(code)
        layer.func, layer.args, layer.keywords = new.func, new.args, new.keywords
        return True

    def unwrap(self, name: str) -> bool:
        layer = self.layer(name)
        inner = layer.args[0]
        layer.func, layer.args, layer.keywords = inner.func, inner.args, inner.keywords
        return True

    def wrap(self, kind: str) -> bool:
        calls = [n for n in self.nodes(ast.Call, marked=True) if getattr(n.func, "attr", "") == kind]
        for layer in calls or [n for n in self.nodes(ast.Call) if getattr(n.func, "attr", "") == kind][:1]:
            inner = ast.Call(layer.func, layer.args, layer.keywords)
            layer.func, layer.args, layer.keywords = _expression("layers.TimeDistributed"), [inner], []
            return True
        return False

    def new_input(self, code: str, kind: str) -> bool:
        new = _expression(code if kind == "Input" else f"Input({code})")
        for call in self.nodes(ast.Call):
            if kind == "Input" and getattr(call.func, "id", "") == "Input":
                kept = [k for k in call.keywords if k.arg not in ("shape", *(n.arg for n in new.keywords))]
                call.args, call.keywords = new.args, new.keywords + kept
                return True
            if kind != "Input" and any(k.arg in ("input_shape", "input_dim") for k in call.keywords):
                kept = [k for k in call.keywords if k.arg not in ("input_shape", "input_dim")]
                call.keywords = kept + new.keywords
                return True
        return False

    def assign(self, name: str, code: str) -> bool:
        """Before the line at fault, or before the data is used."""
        new = ast.parse(f"{name} = {code}").body[0]
        body = self.tree.body
        use = re.compile(rf"\b(fit|predict|evaluate|\w+_on_batch|model)\(.*\b{name}\b")
        uses = [i for i, n in enumerate(body) if use.search(ast.unparse(n))]
        plain = [n if not isinstance(n, ast.ClassDef) else ast.Pass() for n in body]
        marked = [
            i for i, n in enumerate(body) if plain[i] is n and set(self.marked) & set(range(n.lineno, n.end_lineno + 1))
        ]
        at = uses[-1:] if uses else [i for i in marked if re.search(rf"\b{name}\b", ast.unparse(body[i]))]
        if not at:
            return not any("predict(" in ast.unparse(n) or "fit(" in ast.unparse(n) for n in body)
        body.insert(at[0], new)
        return True

    def statement(self, code: str) -> bool:
        at = next(i for i, n in enumerate(self.tree.body) if n.lineno in self.marked)
        self.tree.body[at] = ast.parse(code).body[0]
        return True

    def returned(self, code: str) -> bool:
        for function in self.nodes(ast.FunctionDef):
            if function.name == "compute_output_shape":
                function.body = ast.parse(f"def f(input_shape):\n    {code}").body[0].body
                return True
        return False

    def remove(self, name: str) -> bool:
        for node in self.nodes(ast.ClassDef):
            node.body = [n for n in node.body if getattr(n, "name", "") != name]
        for call in self.nodes(ast.Call):
            call.keywords = [k for k in call.keywords if k.arg != name]
        return True

    def keywords(self, code: str) -> bool:
        new = ast.parse(f"f({code})", mode="eval").body.keywords
        names = {k.arg for k in new}
        for call in self.nodes(ast.Call):
            if names & {k.arg for k in call.keywords}:
                for keyword in new:
                    old = next(k for k in call.keywords if k.arg == keyword.arg)
                    text = re.sub(r"\b(state|initial_state|mask)\b", f"({ast.unparse(old.value)})",
                                  ast.unparse(keyword.value))  # fmt: skip
                    old.value = _expression(text)
                return True
        return False

    def own_layer(self) -> bool:
        for call in self.nodes(ast.Call, marked=True):
            if isinstance(call.func, ast.Name):
                f = call.func.id
                call.func = _expression(f"type({f}).from_config({{**{f}.get_config(), 'name': 'own'}})")
                return True
        return False

    def expression(self, code: str) -> bool:
        """In place of the name that it is made of, or of the first argument, in the line at fault."""
        new = _expression(code)
        if code.endswith(".adapt(x)"):
            at = next(i for i, n in enumerate(self.tree.body) if n.lineno in self.marked)
            self.tree.body.insert(at, ast.Expr(new))
            return True
        called = re.fullmatch(r"layers\.\w+\(.*\)\((\w+)\)", code) or re.fullmatch(r"(\w+)\[.*\]", code)
        if called:
            for node in self.nodes((ast.List, ast.Call, ast.BinOp), marked=True):
                fields = {ast.List: ["elts"], ast.Call: ["args"], ast.BinOp: ["left", "right"]}[type(node)]
                for field in fields:
                    value = getattr(node, field)
                    if isinstance(value, list):
                        places = [i for i, e in enumerate(value) if getattr(e, "id", "") == called[1]]
                        if places:
                            value[places[0]] = new
                            return True
                    elif getattr(value, "id", "") == called[1]:
                        setattr(node, field, new)
                        return True
        for call in self.nodes(ast.Call, marked=True):
            if getattr(call.func, "attr", "") in ("fit", "predict", "evaluate", "set_weights") or (
                getattr(call.func, "id", "") in ("model", "layer")
            ):
                if isinstance(new, ast.Call) and getattr(new.func, "attr", "") == "set_weights":
                    call.func, call.args = new.func, new.args
                else:
                    call.args[0] = new
                return True
        return False


def _expression(code: str) -> Any:
    return ast.parse(code, mode="eval").body


def _is_layers(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "layers"


__all__ = ["apply", "check", "np", "run"]
