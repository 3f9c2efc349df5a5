"""The user's own layers: shapes that clash inside `call`, and a `compute_output_shape` that is wrong."""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from lamina.advice import own_code, trying
from lamina.advice.candidates.case import Case
from lamina.shapes import dims
from lamina.shapes.errors import Fix


def wrong_output_shape(case: Case) -> Iterator[Fix | None]:
    """`compute_output_shape`, or the `output_shape` of a `Lambda`, says another shape than comes out."""
    if "compute_output_shape does not say" in case.error.summary:
        result = case.trial.attempt()
        if result is not None and hasattr(result, "shape"):
            given = dims.to_public(case.shape)
            called = [*inspect.signature(case.layer.compute_output_shape).parameters, "input_shape"][0]
            sizes = [_in_terms_of(size, given, i, called) for i, size in enumerate(dims.to_public(result.shape))]
            shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
            yield Fix("return the real shape in compute_output_shape", f"return {shape}", trying.shown(result))
            yield Fix("or leave it out: it is found by itself", "remove compute_output_shape", trying.shown(result))
    if "`output_shape` does not say" in case.error.summary:
        layer = trying.fresh(case.layer)
        if layer is not None:
            layer._declared = None
            result = case.trial.attempt(layer=layer)
            if result is not None:
                sample = dims.show_shape(dims.to_public(result.shape)[1:])
                yield Fix("say the real shape", f"output_shape={sample}", trying.shown(result))
                yield Fix("or leave output_shape out", "remove output_shape", trying.shown(result))


def _in_terms_of(size: Any, given: tuple[Any, ...], place: int, called: str) -> str:
    if place < len(given) and given[place] == size:
        return f"{called}[{place}]"
    if size is not None and given.count(size) == 1:
        at = given.index(size)
        return f"{called}[{-1 if at == len(given) - 1 else at}]"
    return str(size)


def fixed_batch(case: Case) -> Iterator[Fix | None]:
    """A number of samples that is written into the code of a layer, where the data decides it."""
    holder = "function" if type(case.layer).__name__ == "Lambda" else "call"
    function = getattr(case.layer, holder, None)
    reason = dict(case.error.notes).get("reason", "")
    sizes = {int(n) for n in re.findall(r"[(\[](\d+)[,)\]]", reason)} - {1}
    if not sizes or not case.shapes or case.shape[:1] == () or function is None:
        return
    tensor = _at_hand(case)
    if not tensor:
        return

    def samples(node: ast.AST) -> str:
        """Put the number of samples in the first place of a shape."""
        if not isinstance(node, ast.Call):
            return ""
        for shape in [*node.args, *(k.value for k in node.keywords)]:
            if not isinstance(shape, (ast.Tuple, ast.List)) or not shape.elts:
                continue
            if _value(shape.elts[0], case.layer, function) in sizes:
                shape.elts[0] = ast.parse(f"{ops}.shape({tensor})[0]", mode="eval").body
                return ast.unparse(node)
        return ""

    ops = _ops_in(function)
    new = own_code.changed(function, samples)
    layer = trying.fresh(case.layer) if new is not None else None
    if new is None or layer is None:
        return
    layer.__dict__[holder] = new[0] if holder == "function" else types.MethodType(new[0], layer)
    result = case.trial.attempt(layer=layer)
    if result is not None:
        yield Fix("take the number of samples from the data", new[1], trying.shown(result))


def _at_hand(case: Case) -> str:
    """What the function at fault calls a tensor that has an axis of the samples."""
    listed = re.findall(r"([\w.]+) \(([^,)]+)", dict(case.error.notes).get("tensors", ""))
    batch = dims.show_shape(dims.to_public(case.shape)[:1]).strip("(),")
    return next((name for name, size in listed if size == batch), "")


def _value(node: ast.expr, layer: Any, function: Any) -> Any:
    """The number that stands there: as such, in a variable from outside the function, or in an attribute."""
    if isinstance(node, ast.BoolOp):  # ``batch or ops.shape(x)[0]``
        return _value(node.values[0], layer, function)
    if isinstance(node, ast.Attribute):
        return getattr(_value(node.value, layer, function), node.attr, None)
    if isinstance(node, ast.Name):
        outside = inspect.getclosurevars(getattr(function, "__func__", function))
        return {"self": layer, **outside.globals, **outside.nonlocals}.get(node.id)
    return node.value if isinstance(node, ast.Constant) else None


def _ops_in(function: Any) -> str:
    """What the module of a function calls `lamina.ops`."""
    outside = inspect.getclosurevars(getattr(function, "__func__", function))
    known = {**getattr(function, "__func__", function).__globals__, **outside.nonlocals}
    for name, value in known.items():
        if isinstance(value, types.ModuleType) and value.__name__ == "lamina.ops":
            return name
    for name, value in known.items():
        if isinstance(value, types.ModuleType) and value.__name__ == "lamina":
            return f"{name}.ops"
    return "ops"


def in_call(case: Case) -> Iterator[Fix | None]:
    """Two tensors of different sizes met inside a layer of the user's: arguments or inputs of another size."""
    reason = dict(case.error.notes).get("reason", "")
    sizes = {int(n) for n in re.findall(r"\b\d+\b", reason)}
    if not reason or not sizes:
        return
    own = [int(s) for s in case.shape[1:] if dims.is_known(s)]
    for present in [s for s in own if s in sizes]:
        for other in sorted(sizes - {present, 1}):
            yield from _other_argument(case, other, present)
            yield from _other_input(case, present, other)
            yield _cut(case, present, other)


def _other_argument(case: Case, old: int, new: int) -> Iterator[Fix | None]:
    """Constructor arguments of that size, with the size that came."""
    args, kwargs = case.layer._captured
    try:
        given = inspect.signature(type(case.layer).__init__).bind_partial(case.layer, *args, **kwargs).arguments
    except (TypeError, ValueError):
        return
    given = {**given, **given.get("kwargs", {})}
    for name, value in given.items():
        if isinstance(value, int) and not isinstance(value, bool) and value == old:
            yield case.change(case.layer, "make the layer for the size that comes", **{name: new})


def _other_input(case: Case, present: int, wanted: int) -> Iterator[Fix | None]:
    source = case.only_source()
    if source is None or present not in source.dims[1:]:
        return
    sample = list(source.dims[1:])
    sample[sample.index(present)] = wanted
    code = case.input_code(source, sample)
    if wanted > present:
        yield case.new_input(f"or pad the data to {wanted}", source, sample, f"{code} and x padded to {wanted}")
    else:
        yield case.new_input(f"or cut the data to {wanted}", source, sample, f"{code} and x[:, :{wanted}]")


def _cut(case: Case, present: int, wanted: int) -> Fix | None:
    """The input cut to the size that fits, inside the model."""
    places = [i for i, s in enumerate(case.shape) if i and dims.is_known(s) and s == present]
    if not places or wanted > present:
        return None
    index = ", ".join([":"] * places[0] + [f":{wanted}"])
    result = case.trial.attempt(before={0: lambda x: trying.evaluate(f"x[{index}]", x=x)})
    if result is None:
        return None
    name = case.input_name(0)
    return Fix(f"or use the first {wanted} only", f"{name}[{index}]", trying.shown(result))


def wrong_statistics(case: Case) -> Iterator[Fix | None]:
    """A `Normalization` with means of another number than the input has features."""
    layer = case.layer
    if type(layer).__name__ != "Normalization" or layer.input_mean is None:
        return
    rank = len(case.shape)
    own = sorted(a % rank for a in layer.axis)
    if not all(dims.is_known(case.shape[a]) for a in own):
        return
    zeros = np.zeros([int(case.shape[a]) for a in own])
    result = case.trial.attempt(layer=trying.fresh(layer, mean=zeros, variance=zeros + 1))
    if result is not None:
        others = tuple(a for a in range(rank) if a not in own)
        axis = others[0] if len(others) == 1 else others
        code = f'mean=x.mean(axis={axis}), variance=x.var(axis={axis}) in "{layer.name}"'
        yield Fix("give one mean and variance per feature", code, trying.shown(result))
    result = case.trial.attempt(layer=trying.fresh(layer, mean=None, variance=None))
    if result is not None:
        axis = layer.axis[0] if len(layer.axis) == 1 else layer.axis
        code = f"layers.Normalization(axis={axis}) and {case.variable()}.adapt(x)"
        yield Fix("or let the layer find them", code, trying.shown(result))
