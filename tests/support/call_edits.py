"""Fixes that change what the call at fault gets."""

from __future__ import annotations

import ast
import re
from typing import Any

from editing import Editor
from places import NoPlace, node_at, parse, same, with_values

_COMPILE = {"optimizer": 0, "loss": 1, "loss_weights": 2, "metrics": 3}
_DATA = {"x": 0, "inputs": 0, "y": 1, "targets": 1, "y_true": 0, "y_pred": 1}
_PARTS = {"x": 0, "y": 1, "sample_weight": 2}
_MODEL_FIRST = ("check", "forms")
#: Calls whose operand is said as ``x``, whatever the user calls it.
_OF_X = ("ops.sigmoid(x", "ops.softmax(x", "ops.transpose(x")
_LIBRARIES = ("np", "layers", "lamina", "keras", "ops")


class CallEdits(Editor):
    """Changes of the call at fault, of what it is given, and of the call of `compile`."""

    def padded(self, size: str) -> None:
        if not self.later:
            code = f"np.pad(x, ((0, 0), (0, {size} - x.shape[1])) + ((0, 0),) * (x.ndim - 2))"
            self.substitute(parse("x"), parse(code))

    def assign(self, target: str, code: str) -> None:
        if self.later:
            return
        inside = [f for f in self.nodes((ast.FunctionDef, ast.Lambda)) if target in [a.arg for a in f.args.args]]
        if self.made_of_a_part(parse(code), self.failing, ast.Call):
            return
        if self.occurrences(parse(target)):
            self.substitute(parse(target), parse(code))
        elif inside and re.search(r"ops\.(expand_dims|squeeze)", code):
            inside.sort(key=lambda f: f.lineno <= self.scene.line <= f.end_lineno)
            self.begin(self.pick(inside[::-1]), target, code)
        else:
            self.expression(code)

    def expression(self, code: str) -> None:
        """In place of what it is made of, in the call at fault."""
        new, failing = parse(code), self.failing
        ways = (self.inside_function, self.as_list, self.before_it, self.validated_on, self.elsewhere, self.whole,
                self.made_one_hot, self.made_of_a_part)  # fmt: skip
        if not any(way(new, failing) for way in ways):
            self.put_argument(new)

    def inside_function(self, new: Any, failing: Any) -> bool:
        """In place of the same call with other arguments, in the function of the user's that the error points into."""
        line = self.scene.line
        if not isinstance(new, ast.Call) or failing.lineno <= line <= failing.end_lineno:
            return False
        functions = [f for f in self.nodes((ast.FunctionDef, ast.Lambda)) if hasattr(f, "lineno")]
        around = [f for f in functions if f.lineno <= line <= (f.end_lineno or 0)]
        parts = [n for f in around[-1:] for n in ast.walk(f) if isinstance(n, ast.Call)]
        inside = [n for n in parts if same(n.func, new.func) and len(n.args) == len(new.args)]
        if inside:
            self.put(self.pick(inside), new)
        return bool(inside)

    def as_list(self, new: Any, failing: Any) -> bool:
        """In place of the first argument, or of all of them."""
        if not isinstance(new, (ast.List, ast.Dict, ast.Tuple)) or not isinstance(failing, ast.Call):
            return False
        plain = len(failing.args) > 1 and same(ast.List(failing.args, ast.Load()), new)
        if plain:
            failing.args = [new]
        else:
            failing.args[_position(failing, "x")] = new
        return True

    def before_it(self, new: Any, failing: Any) -> bool:
        """A layer is adapted or built before the call at fault; or as it is, with other data."""
        if not isinstance(new, ast.Call) or getattr(new.func, "attr", "") not in ("adapt", "build"):
            return False
        if isinstance(failing, ast.Call) and failing.args and not self.occurrences(parse("x")):
            # data of the shape that the call gets
            new = with_values(new, {"x": parse(f"np.ones((8, *({ast.unparse(failing.args[0])}).shape[1:]))")})
        layer = getattr(new.func, "value", None)
        if isinstance(layer, ast.Name) and layer.id not in self.names_at(failing) and isinstance(failing, ast.Call):
            # the layer is made where it is called
            code = parse(f"(lambda {layer.id}: ({ast.unparse(new)}, {layer.id})[1])")
            failing.func = ast.Call(code, [failing.func], [])
            return True
        around = self.functions_at(failing) or [t for t in self.trees.values() if failing in ast.walk(t)]
        others = [n for f in around for n in ast.walk(f) if isinstance(n, ast.Call)]
        others = [n for n in others if same(n.func, new.func) and n.lineno < failing.lineno]
        if others:
            others[-1].args = new.args
        else:
            both = ast.Tuple([new, failing], ast.Load())
            self.put(failing, ast.Subscript(both, ast.Constant(1), ast.Load()))
        return True

    def validated_on(self, new: Any, failing: Any) -> bool:
        """In place of a part of the data to validate on."""
        data = self.validation_data(failing) if isinstance(failing, ast.Call) else None
        called = "validation_data" if data is None else ast.unparse(data.value)
        match = re.search(rf"\b(?:validation_data|{re.escape(called)})\[(\d)\]", ast.unparse(new))
        if match is None or not isinstance(failing, ast.Call):
            return False
        at, new = int(match[1]), parse(ast.unparse(new).replace(match[0], "part"))
        if data is not None:
            data.value = _with_part(data.value, at, new, "part", "tuple")
        else:
            failing.args[at] = with_values(new, {"part": failing.args[at]})
        return True

    def validation_data(self, call: ast.Call) -> ast.keyword | None:
        return next((k for k in call.keywords if k.arg == "validation_data"), None)

    def whole(self, new: Any, failing: Any) -> bool:
        """In place of the call at fault itself."""
        code = ast.unparse(new)
        fits = [
            isinstance(failing, ast.Call) and isinstance(new, ast.Call) and same(failing.func, new.func),
            isinstance(failing, ast.BinOp) and isinstance(new, ast.BinOp) and type(failing.op) is type(new.op),
            isinstance(failing, (ast.Call, ast.BinOp)) and code.startswith(("ops.sum(", "ops.mean(", "ops.matmul(")),
            isinstance(failing, ast.Call) and code.startswith(_OF_X),
        ]
        if any(fits):
            self.put(failing, self.filled(new, failing))
        return any(fits)

    def made_one_hot(self, new: Any, failing: Any) -> bool:
        """In place of another call that makes labels one-hot."""
        if not isinstance(new, ast.Call) or getattr(new.func, "attr", "") != "to_categorical":
            return False
        inside = [n for n in ast.walk(failing) if getattr(getattr(n, "func", None), "attr", "") == "to_categorical"]
        if inside:
            self.put(inside[0], new)
        return bool(inside)

    def elsewhere(self, new: Any, failing: Any) -> bool:
        """In place of the same call in a function whose variables the call at fault does not know."""
        first = new.args[0] if isinstance(new, ast.Call) and new.args else None
        if not isinstance(first, ast.Name) or ast.unparse(new).startswith(_OF_X):
            return False
        functions = [set(ast.walk(f)) for f in self.nodes((ast.FunctionDef, ast.Lambda))]
        inside = set().union(*(nodes for nodes in functions if failing not in nodes))
        calls = [n for n in self.nodes(ast.Call) if n.args and n in inside]
        found = [n for n in calls if same(n.func, new.func) and same(n.args[0], first)]
        if found:
            self.put(self.pick(found), new)
        return bool(found)

    def made_of_a_part(self, new: Any, failing: Any, kind: Any = ast.expr) -> bool:
        """In place of the largest part of it that stands among the arguments."""
        layers = [n.func for n in ast.walk(new) if isinstance(n, ast.Call) and isinstance(n.func, ast.Call)]
        called = {n for layer in layers for n in ast.walk(layer)}  # what is put around the part
        parts = [n for n in ast.walk(new) if isinstance(n, kind) and n not in called]
        parts = [n for n in parts if not isinstance(n, (ast.Constant, ast.Slice))]
        for part in sorted(parts, key=lambda n: -len(ast.dump(n))):
            if part is new or (isinstance(part, ast.Name) and part.id in _LIBRARIES):
                continue
            if self.occurrences(part):
                self.substitute(part, new)
                return True
        return False

    def filled(self, new: Any, failing: Any) -> Any:
        """The code with operands in place of ``x1`` and ``x2``."""
        operands = failing.args if isinstance(failing, ast.Call) else [failing.left, failing.right]
        return with_values(new, {"x": operands[0], **{f"x{i + 1}": operand for i, operand in enumerate(operands)}})

    def occurrences(self, wanted: Any) -> list[Any]:
        """Where an expression stands in the arguments of the call at fault, outermost first; or of those around it."""
        for place in self.scene.failing:
            call = node_at(self.trees, place) if place.file in self.trees else None
            parts = [*call.args, *(k.value for k in call.keywords)] if isinstance(call, ast.Call) else []
            if isinstance(call, ast.BinOp):
                parts = [call.left, call.right]
            found = [n for part in parts for n in ast.walk(part) if isinstance(n, ast.expr) and same(n, wanted)]
            if found:
                return found
        return []

    def substitute(self, old: Any, new: Any) -> None:
        places = self.occurrences(old)
        if not places:
            if isinstance(old, ast.Name):
                self.put_argument(new, old.id)
                return
            raise NoPlace(ast.unparse(old))
        for place in self.pick([places, *([place] for place in places[::-1])]):
            self.put(place, new)

    def put_argument(self, new: Any, name: str = "") -> None:
        """In place of the argument that the code calls `x`, `y`, ``input_1``: what it really is goes into the code."""
        call = self.failing
        used = {n.id for n in ast.walk(new) if isinstance(n, ast.Name)}
        numbered = next((n for n in sorted(used) if re.fullmatch(r"input_\d", n)), None)
        name = name or next((n for n in ("x", "y", "y_true", "y_pred", "sample_weight", numbered) if n in used), "")
        if isinstance(call, ast.BinOp) and numbered:
            side = "left" if numbered == "input_1" else "right"
            setattr(call, side, with_values(new, {numbered: getattr(call, side)}))
            return
        if not isinstance(call, ast.Call) or not name:
            raise NoPlace(ast.unparse(new))
        data = self.validation_data(call)
        if data is not None and name in _PARTS and self.choice:
            data.value = _with_part(data.value, _PARTS[name], new, name, "tuple")
            return
        for keyword in call.keywords:
            if keyword.arg == name:
                keyword.value = with_values(new, {name: keyword.value})
                return
        if name == numbered and len(call.args) == 1:
            call.args[0] = _with_part(call.args[0], int(name[-1]) - 1, new, name, "list")
            return
        at = int(name[-1]) - 1 if name == numbered else _position(call, name)
        call.args[at] = with_values(new, {name: call.args[at]})

    def keyword(self, name: str, code: str) -> None:
        new = parse(code)
        if name in _COMPILE and self.scene.compiled:
            call = node_at(self.trees, self.pick(self.scene.compiled))
            place = _COMPILE[name]
            if place < len(call.args):
                call.args[place] = new
            else:
                call.keywords = [k for k in call.keywords if k.arg != name] + [ast.keyword(name, new)]
            return
        made = [n for n in self.nodes(ast.Call) if any(k.arg == name for k in n.keywords) and self.is_layer(n)]
        calls = [node_at(self.trees, place) for place in self.scene.failing if place.file in self.trees]
        calls = made[::-1] + calls
        call = self.pick([c for c in calls if isinstance(c, ast.Call)])
        if name in _DATA and _position(call, name) < len(call.args):
            call.args[_position(call, name)] = new
            return
        old = next((k.value for k in call.keywords if k.arg == name), None)
        if old is not None:
            new = with_values(new, dict.fromkeys(("state", "initial_state", "mask"), old))
        call.keywords = [k for k in call.keywords if k.arg != name] + [ast.keyword(name, new)]

    def other_function(self, code: str) -> None:
        self.failing.func = parse(code)

    def loop(self, targets: str, values: str, body: str) -> None:
        """A loop in place of the call at fault, as an expression."""
        self.put(self.failing, parse(f"[{body} for {targets} in {values}]"))


def _position(call: ast.Call, name: str) -> int:
    """Where a call takes data without a keyword."""
    function = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return (2 if name == "sample_weight" else _DATA.get(name, 0)) + (function in _MODEL_FIRST)


def _with_part(whole: Any, at: int, new: Any, name: str, kind: str) -> Any:
    """A list or tuple with something in place of one part, which `new` calls `name`."""
    if isinstance(whole, (ast.List, ast.Tuple)):
        whole.elts[at] = with_values(new, {name: whole.elts[at]})
        return whole
    inner = ast.unparse(with_values(new, {name: parse(f"parts[{at}]")}))
    parts = f"[*parts[:{at}], {inner}, *parts[{at + 1}:]]"
    return parse(f"(lambda parts: {kind}({parts}))(list({ast.unparse(whole)}))")
