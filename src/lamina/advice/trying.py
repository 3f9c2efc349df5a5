"""Trying repairs: the call that failed is traced again with something changed, on copies, without computing.

Nothing of the user's is touched: changed layers are made anew from their configuration, weights are placeholders.
"""

from __future__ import annotations

import contextlib
import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

import lamina.ops as ops
from lamina.core import context, registry
from lamina.core.symbolic import KerasTensor, Node, symbolic_leaves
from lamina.core.variable import StateScope
from lamina.ops import image
from lamina.shapes import conditions, dims, tracing

Shape = tuple[Any, ...]
Step = Callable[[Any], Any]

#: Seconds that all attempts for one error may take together.
LIMIT = 0.3

_UNTRACED = (
    *("optimizer", "_programs", "_direct", "_compile_loss", "_compile_metrics", "_loss_tracker"),
    *("history", "_trainables"),
)


class Layers:
    """The layer classes by name, as code in a fix names them: ``layers.Reshape``."""

    def __getattr__(self, name: str) -> Any:
        return registry.find("layer", name)


def evaluate(code: str, **names: Any) -> Any:
    """The value of a fix's code: what is tried is the very text that is offered."""
    known = {"layers": Layers(), "ops": ops, "np": jnp, "len": _length, "resize": image.resize}
    return eval(code, {**known, **names})  # written by us, not by the user


def _length(x: Any) -> Any:
    return x.shape[0]


def shape_of(tensor: Any) -> Shape:
    """Sizes of a tensor, symbolic where open."""
    return tuple(tensor.dims) if isinstance(tensor, KerasTensor) else tuple(tensor.shape)


def spec_of(tensor: Any) -> jax.ShapeDtypeStruct:
    """Shape and type of a tensor."""
    if isinstance(tensor, KerasTensor):
        return tensor.spec
    dtype = jax.dtypes.canonicalize_dtype(getattr(tensor, "dtype", "float32"))
    return jax.ShapeDtypeStruct(tuple(tensor.shape), dtype)


def traced(function: Callable[..., Any], *specs: Any) -> Any:
    """What `function` gives for tensors of these shapes; ``None`` if it fails."""

    def run(*tensors: Any) -> Any:
        with StateScope(may_create=True, abstract=True):
            return function(*tensors)

    with quiet():
        try:
            with conditions.collecting():  # of no interest
                return tracing.trace_open(run, specs)
        except Exception as error:
            if not tracing.is_inconclusive(error):
                return None
        try:
            return tracing.trace(run, *specs)
        except Exception:
            return None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, layers take no numbers from the user's naming, and nothing is said."""
    with context.names_kept(), context.observing(None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fresh(layer: Any, **settings: Any) -> Any:
    """An unbuilt layer like this one, with some constructor arguments changed; ``None`` if there is no such layer."""
    with quiet():
        try:
            return type(layer).from_config(_with_settings(layer.get_config(), settings))
        except Exception:
            if settings:
                return None
        try:
            return layer._unbuilt_copy()
        except Exception:
            return None


def _with_settings(config: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """A config with some entries changed; for a wrapper, those that the layers inside have."""
    inner = [name for name in ("layer", "backward_layer") if isinstance(config.get(name), dict)]
    for name in inner if settings and not set(settings) <= set(config) else ():
        config = {**config, name: {**config[name], "config": {**config[name]["config"], **settings}}}
    return {**config, **{name: value for name, value in settings.items() if name in config or not inner}}


def apply(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a layer (or a function) without leaving a trace in a graph."""
    run = getattr(operation, "_run", None)
    return run(*args, **kwargs)[0] if run is not None else operation(*args, **kwargs)


class Trial:
    """A call that failed, which can be tried again with changes.

    Args:
        layer: the layer that failed.
        args, kwargs: its arguments.
        was_built: whether it had its weights before.

    Attributes:
        tensors: the tensors of its first argument.
        shapes: their shapes.
    """

    def __init__(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], was_built: bool):
        self.layer, self.was_built = layer, was_built
        self.args, self.kwargs = args, kwargs
        first = args[0] if args else next(iter(kwargs.values()), None)
        self.tensors = [leaf for leaf in jax.tree.leaves(first) if hasattr(leaf, "shape")]
        self.shapes = [shape_of(t) for t in self.tensors]
        self.nodes = _nodes_before(symbolic_leaves((args, kwargs)))
        self.deadline = time.monotonic() + LIMIT

    @property
    def is_symbolic(self) -> bool:
        """Whether the failing call extends a graph."""
        return bool(symbolic_leaves((self.args, self.kwargs)))

    def producers(self, place: int = 0) -> list[Any]:
        """The layers that led to an input, the last one first, as far as each has one input."""
        found: list[Any] = []
        tensor = self.tensors[place] if place < len(self.tensors) else None
        while isinstance(tensor, KerasTensor) and tensor.node is not None:
            found.append(tensor.node.operation)
            tensor = tensor.node.inputs[0] if len(tensor.node.inputs) == 1 else None
        return found

    def input_of(self, layer: Any) -> Shape | None:
        """The shape that a layer before was called on."""
        node = next((n for n in self.nodes if n.operation is layer), None)
        return shape_of(node.inputs[0]) if node is not None and node.inputs else None

    def sources(self) -> list[KerasTensor]:
        """The model's inputs that the call depends on."""
        return [n.outputs for n in self.nodes if not n.inputs and isinstance(n.outputs, KerasTensor)]

    def layers_before(self) -> list[Any]:
        """All layers that the call depends on, in the order in which they run."""
        unique = {id(n.operation): n.operation for n in self.nodes if n.inputs and hasattr(n.operation, "get_config")}
        return list(unique.values())

    def attempt(
        self,
        *,
        changes: dict[Any, Any] | None = None,
        sources: dict[Any, Shape] | None = None,
        before: dict[int, Step] | None = None,
        layer: Any = None,
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """What comes out of the call when something is changed; ``None`` if it does not fit.

        Args:
            changes: layers before this call, each with the layer or function that takes its place.
            sources: inputs of the model, each with another shape.
            before: what is done to the tensor at a place of the first argument before the call.
            layer: the layer or function that takes the place of the one that failed.
            kwargs: further keyword arguments.
        """
        if time.monotonic() > self.deadline or (changes and None in changes.values()):
            return None
        plan = _Plan(self.nodes, changes or {}, sources or {})
        leaves, structure = jax.tree.flatten((self.args, {**self.kwargs, **(kwargs or {})}))
        places = [i for i, leaf in enumerate(leaves) if hasattr(leaf, "shape")]
        own = {i: leaves[i] for i in places if id(leaves[i]) not in plan.dirty}
        specs = [plan.spec(t) for t in plan.given] + [plan.spec(t) for t in own.values()]
        call = layer or (self.layer if self.was_built else fresh(self.layer))

        def run(*values: Any) -> Any:
            computed = plan.run(values[: len(plan.given)])
            filled = list(leaves)
            for i, value in zip(own, values[len(plan.given) :], strict=True):
                filled[i] = value
            for i in places:
                filled[i] = computed[id(leaves[i])] if id(leaves[i]) in plan.dirty else filled[i]
            for place, step in (before or {}).items():
                filled[places[place]] = step(filled[places[place]])
            args, keywords = jax.tree.unflatten(structure, filled)
            return apply(call, *args, **keywords)

        return traced(run, *specs) if call is not None else None


class _Plan:
    """Which steps of a graph must run again after a change, and from which tensors."""

    def __init__(self, nodes: list[Node], changes: dict[Any, Any], sources: dict[Any, Shape]):
        self.changes = {id(layer): replacement for layer, replacement in changes.items()}
        self.shapes = {id(tensor): shape for tensor, shape in sources.items()}
        self.steps: list[Node] = []
        self.dirty: set[int] = set(self.shapes)
        self._copies: dict[int, Any] = {}
        given: dict[int, KerasTensor] = {id(t): t for t in sources}
        for node in nodes:
            if id(node.operation) in self.changes or any(id(t) in self.dirty for t in node.inputs):
                self.steps.append(node)
                given.update({id(t): t for t in node.inputs if id(t) not in self.dirty})
                self.dirty.update(id(t) for t in symbolic_leaves(node.outputs))
        self.given = list(given.values())

    def spec(self, tensor: Any) -> jax.ShapeDtypeStruct:
        spec = spec_of(tensor)
        return jax.ShapeDtypeStruct(self.shapes.get(id(tensor), spec.shape), spec.dtype)

    def run(self, values: Sequence[Any]) -> dict[int, Any]:
        """Values of all tensors that change, by ``id``."""
        env = {id(t): value for t, value in zip(self.given, values, strict=True)}
        for node in self.steps:
            args, kwargs = node.fill(env)
            results = jax.tree.leaves(apply(self._operation(node.operation), *args, **kwargs))
            for tensor, value in zip(symbolic_leaves(node.outputs), results, strict=False):
                env[id(tensor)] = value
        return env

    def _operation(self, operation: Any) -> Any:
        if id(operation) in self.changes:
            return self.changes[id(operation)]
        if not hasattr(operation, "get_config") or getattr(operation, "_graph", None) is not None:
            return operation
        if id(operation) not in self._copies:
            self._copies[id(operation)] = fresh(operation)
        return self._copies[id(operation)]


def _nodes_before(tensors: Sequence[KerasTensor]) -> list[Node]:
    """The steps of the graph that lead to the tensors, each after those it needs."""
    found: dict[int, Node] = {}
    stack: list[tuple[Node, bool]] = [(t.node, False) for t in tensors if t.node is not None]
    while stack:
        node, finished = stack.pop()
        if finished:
            found.setdefault(id(node), node)
        elif id(node) not in found:
            stack.append((node, True))
            stack.extend((t.node, False) for t in node.inputs if t.node is not None)
    return list(found.values())


def copy_of(model: Any) -> Any:
    """A copy of a model or layer that shares weights' values with it, and nothing else that can be changed."""
    memo = {id(v): v for v in (getattr(model, name, None) for name in _UNTRACED) if v is not None}
    nodes, model._nodes = model._nodes, []
    try:
        return copy.deepcopy(model, memo)
    finally:
        model._nodes = nodes


def unbuild(layer: Any) -> None:
    """Make a copied model's layers as they were before they were built."""
    for inner in layer._sublayers:
        if inner.built and hasattr(inner, "adapt"):
            continue  # built by data that it was adapted to
        plain = type(inner).__module__.startswith("lamina.layers")
        new = fresh(inner) if plain else None
        if new is not None:
            inner.__dict__ = new.__dict__
        else:
            unbuild(inner)
    by_calls = type(layer).build.__module__ == "lamina.models.model"  # what it builds, its layers build when called
    if getattr(layer, "_graph", None) is None:
        layer.built = by_calls and not hasattr(layer, "_stack")


def shown(specs: Any) -> str:
    """The shape, or shapes, that a repair leads to."""
    return ", ".join(dims.show_shape(dims.to_public(leaf.shape)) for leaf in jax.tree.leaves(specs))
