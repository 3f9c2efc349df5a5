"""Repairs of what a stream gives: entries grouped, put in order and shaped as the model takes them."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from lamina.advice import names, trying
from lamina.advice.candidates import data
from lamina.core import tree
from lamina.shapes import dims
from lamina.shapes.errors import CallSite, Fix, ShapeError
from lamina.training.compiled import CompiledLoss
from lamina.training.feeding import Feed

_USUAL = ("x", "y", "sample_weight")
_MOST = 3

#: A title, and code for a batch, in which ``e0``, ``e1``, ... stand for the entries of one.
Idea = tuple[str, str]


def advise(error: ShapeError, model: Any, feed: Feed) -> None:
    """Attach repairs to an error about the batches of a stream; others are left as they are.

    Args:
        error: the error.
        model: the model that the batches are for.
        feed: where the batches come from.
    """
    entries = getattr(feed, "entries", ())
    if not entries or any(entry is None for entry in entries):
        return
    word, written = _written(feed, entries)
    if not written:  # nothing that it could be called by
        return
    if error.fixes:
        error.with_fixes([_of_labels(fix, word, written) for fix in error.fixes])
        return
    found: dict[str, Fix] = {}
    deadline = time.monotonic() + trying.LIMIT
    for title, code in _ideas(model, entries):
        if len(found) == _MOST or time.monotonic() > deadline:
            break
        result = _fitting(model, code, entries)
        if result is not None:
            found[code] = Fix(title, f"{word} {_in_words(code, written)}", result)
    error.with_fixes(list(found.values()))


def _ideas(model: Any, entries: tuple[Any, ...]) -> Iterator[Idea]:
    """What to try, the likeliest first."""
    count = len(entries)
    if not any(map(tree.is_nested, entries)):
        yield from _groups(count)
        yield from _batches(entries)
    rest = "".join(f", e{i}" for i in range(1, count))
    if count == 2:
        yield "the inputs come first, then the targets", "e1, e0"
    for title, code in _inputs(model, entries[0]):
        yield title, code + rest
    for kept in (3, 2):
        if count > kept:
            yield "leave out what is no input, target or weight", ", ".join(f"e{i}" for i in range(kept))


def _groups(count: int) -> Iterator[Idea]:
    """Several inputs, or outputs, put together."""
    entries = [f"e{i}" for i in range(count)]
    for inputs in range(count - 1, 0, -1):
        x = f"({', '.join(entries[:inputs])})" if inputs > 1 else entries[0]
        rest = entries[inputs:]
        if inputs > 1 and len(rest) <= 2:
            yield "for several inputs, put them together", ", ".join([x, *rest])
        if len(rest) > 1:
            yield "for several outputs, put their targets together", f"{x}, ({', '.join(rest)})"


def _batches(entries: tuple[Any, ...]) -> Iterator[Idea]:
    """Single samples, each with a batch axis."""
    if len(entries) <= len(_USUAL) and np.ndim(entries[0]):
        parts = [f"e{i}[None]" if np.ndim(e) else f"np.array([e{i}])" for i, e in enumerate(entries)]
        yield "make batches: a single sample gets the batch axis", ", ".join(parts)


def _inputs(model: Any, x: Any) -> Iterator[Idea]:
    """The inputs in another order, under other names, or in another shape."""
    graph = getattr(model, "_graph", None) if model.built else None
    if graph is None:
        return
    if isinstance(x, dict):
        unknown, missing = [k for k in x if k not in graph.input_names], [n for n in graph.input_names if n not in x]
        for order in itertools.permutations(missing) if 0 < len(missing) == len(unknown) <= _MOST else ():
            new = {**{k: k for k in x}, **dict(zip(unknown, order, strict=True))}
            code = ", ".join(f"{new[k]!r}: e0[{k!r}]" for k in x)
            yield f"call {', '.join(map(repr, unknown))} by the name of the input", f"{{{code}}}"
    elif tree.is_nested(x):
        for order in itertools.permutations(range(len(x))) if 1 < len(x) <= _MOST else ():
            yield "give the inputs in the order of the model's", f"({', '.join(f'e0[{i}]' for i in order)})"
    elif len(graph.input_tensors) == 1 and np.ndim(x):
        for title, code in data.ideas(tuple(np.shape(x)), tuple(graph.input_tensors[0].dims)):
            yield title, code.replace("{x}", "e0")


def _written(feed: Any, entries: tuple[Any, ...]) -> tuple[str, list[ast.expr]]:
    """The user's word that gives a batch, and what was written for each entry, or what entries are usually called."""
    word, site = "yield", None
    frame = getattr(feed.stream, "gi_frame", None)
    method = getattr(type(feed.stream), "__getitem__", None)
    if frame is not None:
        site = CallSite.of_frame(frame)
    elif method is not None and inspect.isfunction(method):
        word = "return"
    count = len(entries)
    given = list(_given(word, site, method))
    for value in given:
        if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == count:
            return word, value.elts
    for value in given:
        if isinstance(value, ast.Name) and count > 1:
            return word, [ast.Subscript(value, ast.Constant(i), ast.Load()) for i in range(count)]
    called = _USUAL[:count] if count <= len(_USUAL) else ()
    return word, [ast.Name(name, ast.Load()) for name in called]


def _given(word: str, site: CallSite | None, method: Any) -> Iterator[ast.expr | None]:
    """The expressions that a generator yields at its line, or that a method returns."""
    if word == "yield":
        yield from (node.value for node in names.nodes(site, ast.Yield))
        return
    code = method.__code__
    for function in names.functions(code.co_filename, code.co_firstlineno):
        yield from (node.value for node in ast.walk(function) if isinstance(node, ast.Return))


class _Filling(ast.NodeTransformer):
    """Puts what was written in place of the entries' names."""

    def __init__(self, written: dict[str, ast.expr]):
        self.written = written

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.written.get(node.id, node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        whole = self.written.get(node.value.id) if isinstance(node.value, ast.Name) else None
        key = names.constant(node.slice)
        if isinstance(whole, (ast.Tuple, ast.List)) and isinstance(key, int):
            return whole.elts[key]
        if isinstance(whole, ast.Dict) and isinstance(key, str):
            found = [v for k, v in zip(whole.keys, whole.values, strict=True) if names.constant(k) == key]
            return found[0] if found else node
        return self.generic_visit(node)


def _in_words(code: str, written: list[ast.expr]) -> str:
    """The code with what was written for each entry in its place."""
    batch = ast.parse(f"({code},)", mode="eval").body
    filled = _Filling({f"e{i}": node for i, node in enumerate(written)}).visit(batch)
    return ", ".join(map(ast.unparse, filled.elts))


def _of_labels(fix: Fix, word: str, written: list[ast.expr]) -> Fix:
    """A repair of the labels, said of what gives them."""
    match = re.fullmatch(r"y = ((?:(?! and ).)+)", fix.code)
    if match is None or len(written) < 2:
        return fix
    changed = _Filling({"y": written[1]}).visit(ast.parse(match[1], mode="eval").body)
    return replace(fix, code=f"{word} {', '.join(map(ast.unparse, [written[0], changed, *written[2:]]))}")


def _fitting(model: Any, code: str, entries: tuple[Any, ...]) -> str | None:
    """The shapes of the batch that the code makes, if the model and its losses take it."""
    known = getattr(model, "_compile_loss", None)
    if not model.built:
        model = trying.copy_of(model)
        trying.unbuild(model)
    graph = getattr(model, "_graph", None)
    wanted = graph.input_tensors if graph is not None else ()
    runnable = f"({code},)".replace("lamina.ops.image.resize", "resize")
    given = {f"e{i}": entry for i, entry in enumerate(entries) if _is_numeric(entry)}

    def run(*values: Any) -> Any:
        parts = tree.unflatten_as(given, list(values))
        batch = trying.evaluate(runnable, **parts)
        x, y, weights = (*batch, None, None)[:3]
        if len({leaf.shape[0] for leaf in jax.tree.leaves(batch)}) > 1:
            raise ValueError("another number of samples than labels")
        ranks = zip(jax.tree.leaves(x), wanted if not isinstance(x, dict) else (), strict=False)
        if any(len(leaf.shape) != len(t.dims) for leaf, t in ranks):  # a model adds or drops a last axis by itself
            raise ValueError("another rank")
        outputs = trying.apply(model, x)
        if y is not None and known is not None:
            CompiledLoss(known.given, known.given_weights, known.output_names)(y, outputs, weights)
        return batch

    result = trying.traced(run, *map(_spec, tree.flatten(given)))
    if result is None:
        return None
    return ", ".join(str(jax.tree.map(lambda s: dims.to_public(s.shape), part)) for part in result)


def _is_numeric(entry: Any) -> bool:
    return all(np.asarray(leaf).dtype.kind in "biuf" for leaf in tree.flatten(entry))


def _spec(entry: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(entry), jax.dtypes.canonicalize_dtype(np.asarray(entry).dtype))
