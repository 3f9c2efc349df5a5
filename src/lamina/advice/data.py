"""Advice for data that meets a model, or a layer that is called on it: what to do to the data, or to the model."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lamina.advice import names, trying
from lamina.advice.candidates import data as candidates
from lamina.advice.candidates import sizes
from lamina.core import tree
from lamina.core.symbolic import KerasTensor
from lamina.shapes import dims
from lamina.shapes.errors import CallSite, Fix, user_frames

METHODS = ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch")
_MOST = 4
_NO_DATA = (ast.Constant, ast.List, ast.Tuple, ast.Lambda)


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
        self.labels: tuple[int, ...] | None = None
        self.model, self.x, self.was_built, self.site = model, x, was_built, site
        graph = getattr(model, "_graph", None) if was_built else None
        self.inputs: list[KerasTensor] = list(graph.input_tensors) if graph is not None else []
        self.input_names: list[str] = list(graph.input_names) if graph is not None else []
        self.leaves = [np.asarray(x)] if _is_row(x) else [x] if hasattr(x, "__next__") else tree.flatten(x)
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
        if self.samples is not None:
            yield from self._without_count(tuple(leaf.shape))
        found = 0
        for title, idea in candidates.ideas(tuple(leaf.shape), wanted):
            code = self._traceable(idea)
            result = self.attempt(lambda value, code=code: trying.evaluate(_runnable(code), x=value))
            if result is not None and found < _MOST:
                found += 1
                yield Fix(
                    title, candidates.written(code.replace("{x}", given) if given else code, x), trying.shown(result)
                )
        yield from self._without_count(tuple(leaf.shape))
        yield from self.other_input(tuple(leaf.shape))
        if not found and wanted is not None and len(wanted) == leaf.ndim + 1 and not self.called:
            code = candidates.written("{x}[..., None]".replace("{x}", given or "{x}"), x)
            title = "give the data an axis of channels, and make the model for its sizes"
            yield from self._remade(title, (*leaf.shape[1:], 1), code)

    def resized(self, near: Sequence[dict[tuple[str, int], int]]) -> Iterator[Fix]:
        """The data brought to the next sizes that the model takes, where it has one input."""
        if not self.is_readable or len(self.inputs) != 1 or len(self.leaves) != 1:
            return
        x, y = self._name(), names.argument(self.site, METHODS, "y", 1)
        wanted = [{axis: size for (_, axis), size in sizes.items()} for sizes in near]
        for title, code in sizes.near(tuple(self.leaves[0].shape), wanted, self.labels):
            of_x, _, of_y = self._traceable(code).partition(" and ")
            result = self.attempt(lambda value, code=of_x: trying.evaluate(_runnable(code), x=value))
            if result is not None:
                said = candidates.written(of_x, x)
                said += f" and {candidates.written(of_y, y)}" if of_y else ""
                yield Fix(title, said, trying.shown(result))

    def other_input(self, shape: tuple[Any, ...]) -> Iterator[Fix]:
        """The model made for this data."""
        if (
            len(self.inputs) == 1 and len(shape) > 1 and not self.called
        ):  # what is validated on follows what is trained on
            yield from self._remade("or make (and train) the model for this data", shape[1:])

    def _without_count(self, shape: tuple[Any, ...]) -> Iterator[Fix]:
        """The model declared for one sample, where the number of samples stands in front of it."""
        wanted = tuple(self.inputs[0].dims) if len(self.inputs) == 1 else ()
        if len(wanted) == len(shape) + 1 > 2 and wanted[1] == shape[0] and _fits(shape[1:], wanted[2:]):
            title = f"leave the number of samples ({shape[0]}) out of the declared shape"
            yield from self._remade(title, wanted[2:], fits=self._fit_labels)

    def _remade(
        self, title: str, sample: Sequence[Any], change: str = "", fits: Callable[[Any], bool] | None = None
    ) -> Iterator[Fix]:
        """The model made for samples of another shape, and what is to be done to the data besides."""
        (tensor,) = self.inputs
        if tuple(tensor.dims[1:]) == tuple(sample):
            return
        outputs = trying.Trial(_identity, (self.model._graph.output_tensors,), {}, True)
        result = outputs.attempt(sources={tensor: (tensor.dims[0], *sample)})
        if result is not None and (fits or self._same_outputs)(result):
            declared = any(getattr(layer, "_declared_input", None) is not None for layer in self.model.layers)
            shown = dims.show_shape(dims.to_public(sample))
            code = f"input_shape={shown}" if declared else f"Input({shown})"
            yield Fix(title, f"{code} and {change}" if change else code, trying.shown(result))

    def _fit_labels(self, specs: Any) -> bool:
        """Whether outputs have the shape of the labels, as far as that is known."""
        leaves = jax.tree.leaves(specs)
        if self.labels is None or len(leaves) != 1:
            return self.labels is None
        shape = tuple(leaves[0].shape)
        return _fits(self.labels[1:], shape[1:]) or self.labels[1:] == shape[1:-1]

    def _same_outputs(self, specs: Any) -> bool:
        """Whether outputs have as many axes as before, and the same sizes where there are labels for them."""
        pairs = zip(jax.tree.leaves(specs), self.model._graph.output_tensors, strict=True)
        return all(
            len(new.shape) == len(old.dims) and (self.samples is None or _fits(new.shape[1:], tuple(old.dims[1:])))
            for new, old in pairs
        )

    def attempt(self, change: Any, given: Sequence[jax.ShapeDtypeStruct] | None = None) -> Any:
        """What the model gives for changed data; ``None`` if it does not fit.

        Args:
            change: makes the data from the leaves of what was given.
            given: shapes of other arrays to make it from.
        """
        model = self.model
        if not self.was_built:
            model = trying.copy_of(model)
            trying.unbuild(model)
        specs = given if given is not None else [self._spec(leaf) for leaf in self.leaves]

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
        is_array = isinstance(leaf, (np.ndarray, jax.Array)) and not _is_row(self.x)
        return "" if is_array else "np.asarray({x})"

    def _traceable(self, code: str) -> str:
        """Code for data inside a function that jax traces: NumPy cannot take that."""
        return code.replace("np.", "ops.") if isinstance(self.leaves[0], jax.core.Tracer) else code

    def _name(self) -> str:
        if self.called:
            return self.called
        for call in names.calls(self.site, *METHODS):
            node = names.argument_node(call, "x", 0)
            if node is not None:
                return names.short(node) or "x"
        found = list(names.calls(self.site))
        own = [call for call in found if names.value(call.func, self.site) is self.model]
        for call in own or found:
            is_class = names.function_name(call)[:1].isupper()
            if call.args and not is_class and not isinstance(call.args[0], _NO_DATA):
                return names.short(call.args[0]) or "x"
        return "x"

    # Several inputs

    def _several(self) -> Iterator[Fix]:
        given = self._element_names()
        if isinstance(self.x, dict) and len(self.x) == len(self.inputs):
            yield from self._renamed(self.x)
        if len(self.leaves) < len(self.inputs):
            yield from self._split()
            yield from self._gathered()
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

    def _renamed(self, x: dict[Any, Any]) -> Iterator[Fix]:
        """A dict whose names are not those of the inputs."""
        declared = self.model._graph.inputs
        wanted = list(declared) if isinstance(declared, dict) else self.input_names
        unknown, missing = [k for k in x if k not in wanted], [n for n in wanted if n not in x]
        texts = self._entries() or {key: names.indexed(self._name(), f"[{key!r}]") for key in x}
        for order in itertools.permutations(sorted(missing, key=str)) if 0 < len(missing) <= 3 else ():
            new = {**{key: key for key in x}, **dict(zip(sorted(unknown, key=str), order, strict=True))}

            def rename(*values: Any, new: dict[Any, Any] = new) -> Any:
                return {new[key]: value for key, value in tree.unflatten_as(x, list(values)).items()}

            result = self.attempt(rename)
            if result is not None:
                entries = ", ".join(f'"{new[key]}": {texts[key]}' for key in x)
                title = f"call {', '.join(map(repr, unknown))} by the name of the input"
                yield Fix(title, f"{{{entries}}}", trying.shown(result))

    def _entries(self) -> dict[Any, str]:
        """What was written for each entry of a dict of data."""
        for call in names.calls(self.site):
            node = names.argument_node(call, "x", 0)
            if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
                return {k.value: names.short(v) for k, v in zip(node.keys, node.values, strict=True)}  # type: ignore[union-attr]
        return {}

    def _split(self) -> Iterator[Fix]:
        """One array that holds what several inputs take."""
        if len(self.leaves) != 1:
            return
        x, count = self._name(), len(self.inputs)
        sizes = [tuple(t.dims)[-1] for t in self.inputs]
        if all(map(dims.is_known, sizes)):
            ends = list(itertools.accumulate(map(int, sizes)))
            cuts = [f"{{x}}[..., {a}:{b}]" for a, b in zip([0, *ends], ends, strict=False)]
            yield from self._cut("divide its columns among the inputs", cuts, x, ends[-1], -1)
        yield from self._cut("give each input its part", [f"{{x}}[:, {i}]" for i in range(count)], x, count, 1)
        yield from self._cut("give each input its part", [f"{{x}}[{i}]" for i in range(count)], x, count, 0)

    def _cut(self, title: str, parts: list[str], x: str, total: int, axis: int) -> Iterator[Fix]:
        """The parts, if they are all of the array along an axis and fit."""
        shape = tuple(self.leaves[0].shape)
        if len(shape) <= max(axis, 1) or shape[axis] != total:
            return
        code = f"[{', '.join(parts)}]"
        result = self.attempt(lambda value: trying.evaluate(_runnable(code), x=value))
        if result is not None:
            yield Fix(title, code.replace("{x}", names.indexed(x, "")), trying.shown(result))

    def _gathered(self) -> Iterator[Fix]:
        """The arrays among the user's variables that the inputs want, each by a name like its input's."""
        frame = next(user_frames(), None)
        arrays = {n: v for n, v in frame.f_locals.items() if isinstance(v, np.ndarray)} if frame is not None else {}
        chosen: list[str] = []
        for name, tensor in zip(self.input_names, self.inputs, strict=True):
            free = [n for n, v in arrays.items() if n not in chosen and _fits(v.shape, tuple(tensor.dims))]
            alike = [n for n in free if n.lower() == name.lower()] or [n for n in free if name in n or n in name]
            of_length = [n for n in free if self.samples in (None, len(arrays[n]))]
            fits = alike or (of_length if len(of_length) == 1 else [])
            if not fits:
                return
            chosen.append(fits[0])
        given = [self._spec(arrays[n]) for n in chosen]
        result = self.attempt(lambda *values: list(values), given)
        if result is not None:
            title = f"give a list of {len(self.inputs)} arrays, one for each input"
            yield Fix(title, f"[{', '.join(chosen)}]", trying.shown(result))
            named = ", ".join(f'"{name}": {own}' for name, own in zip(self.input_names, chosen, strict=True))
            yield Fix("or a dict by the inputs' names", f"{{{named}}}", trying.shown(result))

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


def _is_row(x: Any) -> bool:
    """Whether data is a plain list of numbers."""
    return isinstance(x, list) and bool(x) and all(isinstance(n, (int, float)) for n in x)


def _fits(shape: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        a == b for a, b in zip(shape, wanted, strict=True) if dims.is_known(a) and dims.is_known(b)
    )


def _runnable(code: str) -> str:
    return code.replace("{x}", "x").replace("lamina.ops.image.resize", "resize")


def _identity(x: Any) -> Any:
    return x
