"""Advice for data that meets a model, or a layer that is called on it: what to do to the data, or to the model."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lamina.advice import names, trying
from lamina.advice.candidates import data as candidates
from lamina.core import tree
from lamina.core.symbolic import KerasTensor
from lamina.shapes import dims
from lamina.shapes.errors import CallSite, Fix

METHODS = ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch")
_MOST = 4


class Meeting:
    """A model (or layer) and the data it was given.

    Args:
        model: the model, or a layer.
        x: the data: an array, or a list or dict of arrays.
        was_built: whether the model had its weights before.
        site: the user's line.
        samples: how many samples there must be, since there are that many labels.
        others: what else it was called with.
    """

    def __init__(
        self,
        model: Any,
        x: Any,
        was_built: bool,
        site: CallSite | None,
        samples: int | None = None,
        others: tuple[tuple[Any, ...], dict[str, Any]] = ((), {}),
    ):
        self.samples, self.others, self.called = samples, others, ""
        self.model, self.x, self.was_built, self.site = model, x, was_built, site
        graph = getattr(model, "_graph", None) if was_built else None
        self.inputs: list[KerasTensor] = list(graph.input_tensors) if graph is not None else []
        self.input_names: list[str] = list(graph.input_names) if graph is not None else []
        self.leaves = tree.flatten(x)
        self.is_readable = bool(self.leaves) and all(hasattr(leaf, "shape") for leaf in self.leaves)

    def fixes(self) -> Iterator[Fix]:
        """Repairs that fit."""
        if not self.is_readable:
            return
        if len(self.inputs) > 1 or len(self.leaves) > 1:
            yield from self._several()
        elif len(self.leaves) == 1:
            yield from self._one()

    # One input

    def _one(self) -> Iterator[Fix]:
        (leaf,) = self.leaves
        wanted = tuple(self.inputs[0].dims) if self.inputs else None
        x, given = self._name(), self._plain(leaf)
        found = 0
        for title, code in candidates.ideas(tuple(leaf.shape), wanted):
            result = self.attempt(lambda value, code=code: trying.evaluate(_runnable(code), x=value))
            if result is not None and found < _MOST:
                found += 1
                yield Fix(
                    title, candidates.written(code.replace("{x}", given) if given else code, x), trying.shown(result)
                )
        yield from self.other_input(tuple(leaf.shape))

    def other_input(self, shape: tuple[Any, ...]) -> Iterator[Fix]:
        """The model made for this data."""
        if len(self.inputs) != 1 or len(shape) < 2:
            return
        (tensor,) = self.inputs
        outputs = trying.Trial(_identity, (self.model._graph.output_tensors,), {}, True)
        result = outputs.attempt(sources={tensor: (tensor.dims[0], *shape[1:])})
        if result is not None and self._same_outputs(result):
            declared = any(getattr(layer, "_declared_input", None) is not None for layer in self.model.layers)
            sample = dims.show_shape(shape[1:])
            code = f"input_shape={sample}" if declared else f"Input({sample})"
            yield Fix("or make (and train) the model for this data", code, trying.shown(result))

    def _same_outputs(self, specs: Any) -> bool:
        """Whether outputs have as many axes as before, and the same sizes where there are labels for them."""
        pairs = zip(jax.tree.leaves(specs), self.model._graph.output_tensors, strict=True)
        return all(
            len(new.shape) == len(old.dims) and (self.samples is None or _fits(new.shape[1:], tuple(old.dims[1:])))
            for new, old in pairs
        )

    def attempt(self, change: Any, structure: Any = None) -> Any:
        """What the model gives for changed data; ``None`` if it does not fit."""
        model = self.model
        if not self.was_built:
            model = trying.copy_of(model)
            trying.unbuild(model)
        specs = [self._spec(leaf) for leaf in self.leaves]

        def run(*values: Any) -> Any:
            changed = change(*values)
            if self.samples is not None and jax.tree.leaves(changed)[0].shape[0] != self.samples:
                raise ValueError("another number of samples than labels")
            for leaf, wanted in zip(jax.tree.leaves(changed), self.inputs, strict=False):
                if len(leaf.shape) != len(wanted.dims):  # a model adds or drops a last axis by itself
                    raise ValueError("another rank")
            return trying.apply(model, changed, *self.others[0], **self.others[1])

        try:
            return trying.traced(run, *specs)
        except Exception:
            return None

    def _spec(self, leaf: Any) -> jax.ShapeDtypeStruct:
        dtype = getattr(leaf, "dtype", np.dtype("float32"))
        kind = getattr(dtype, "kind", "f")
        return jax.ShapeDtypeStruct(
            tuple(leaf.shape), jax.dtypes.canonicalize_dtype(dtype) if kind in "biuf" else "float32"
        )

    def _plain(self, leaf: Any) -> str:
        """How to say the data where it is no array: ``np.asarray(frame)``."""
        return "" if isinstance(leaf, (np.ndarray, jax.Array)) else "np.asarray({x})"

    def _name(self) -> str:
        if self.called:
            return self.called
        for call in names.calls(self.site, *METHODS):
            node = names.argument_node(call, "x", 0)
            if node is not None:
                return names.short(node) or "x"
        for call in names.calls(self.site):
            is_class = names.function_name(call)[:1].isupper()
            if call.args and not is_class and not isinstance(call.args[0], (ast.Constant, ast.List, ast.Tuple)):
                return names.short(call.args[0]) or "x"
        return "x"

    # Several inputs

    def _several(self) -> Iterator[Fix]:
        given = self._element_names()
        if len(self.leaves) < len(self.inputs):
            yield from self._missing(given)
        elif len(self.inputs) == 1 and len(self.leaves) > 1:
            yield from self._joined()
        elif len(self.leaves) == len(self.inputs):
            yield from self._swapped(given)
            yield from self._misfit(given)

    def _element_names(self) -> list[str]:
        for call in names.calls(self.site):
            node = names.argument_node(call, "x", 0)
            parts = names.elements(node)
            if len(parts) == len(self.leaves) and all(parts):
                return parts
        if isinstance(self.x, dict):
            return [str(key) for key in self.x]
        return [f"{self._name()}[{i}]" for i in range(len(self.leaves))]

    def _missing(self, given: Sequence[str]) -> Iterator[Fix]:
        listed = ", ".join(self.input_names)
        title = f"give a list of {len(self.inputs)} arrays, one for each input"
        yield Fix(title, f"[{listed}]", tried=False)
        named = ", ".join(f'"{name}": {name}' for name in self.input_names)
        yield Fix("or a dict by the inputs' names", f"{{{named}}}", tried=False)

    def _joined(self) -> Iterator[Fix]:
        x = self._name()
        for title, code in (
            ("make one array of the samples", "np.stack({x})"),
            ("join the samples", "np.concatenate({x})"),
            ("join the features", "np.concatenate({x}, axis=-1)"),
        ):
            result = self.attempt(lambda *values, code=code: trying.evaluate(code.format(x="x"), x=list(values)))
            if result is not None:
                yield Fix(title, candidates.written(code, x), trying.shown(result))

    def _swapped(self, given: Sequence[str]) -> Iterator[Fix]:
        def fits(order: tuple[int, ...]) -> bool:
            return self.attempt(lambda *values: [values[i] for i in order]) is not None

        if 1 < len(given) <= 4 and not isinstance(self.x, dict):
            for code in candidates.arrangements(given, fits):
                yield Fix("give the inputs in the order of the model's", code, ", ".join(self.input_names))

    def _misfit(self, given: Sequence[str]) -> Iterator[Fix]:
        """The one input that does not fit, repaired."""
        pairs = zip(self.leaves, self.inputs, strict=True)
        off = [i for i, (leaf, t) in enumerate(pairs) if not _fits(tuple(leaf.shape), tuple(t.dims))]
        for place in off[:1] if len(off) == 1 else []:
            shape, wanted = tuple(self.leaves[place].shape), tuple(self.inputs[place].dims)
            for title, code in candidates.ideas(shape, wanted):

                def change(*values: Any, code: str = code, place: int = place) -> Any:
                    new = list(values)
                    new[place] = trying.evaluate(_runnable(code), x=values[place])
                    return tree.unflatten_as(self.x, new)

                result = self.attempt(change)
                if result is not None:
                    yield Fix(title, candidates.written(code, given[place]), trying.shown(result))


def _fits(shape: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        a == b for a, b in zip(shape, wanted, strict=True) if dims.is_known(a) and dims.is_known(b)
    )


def _runnable(code: str) -> str:
    return code.replace("{x}", "x").replace("lamina.ops.image.resize", "resize")


def _identity(x: Any) -> Any:
    return x
