"""What passes between the layers of a model, whichever way the model was written, found by tracing its call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import context
from lamina.core.symbolic import symbolic_leaves, trace_call
from lamina.layers import checking
from lamina.layers.layer import Layer
from lamina.shapes.signatures import Axes
from lamina.training.trainer import Trainer

Names = tuple[str, ...]


@dataclass
class Seen:
    """One call of a layer (or of a function in a graph) inside a model.

    Attributes:
        operation: the layer, or the graph's node of a function.
        name: its name.
        depth: 0 for the model itself, 1 for its layers, 2 for those of models inside.
        outputs: what came out: a structure of `jax.ShapeDtypeStruct`, dimensions symbolic where open.
        axes: names of the axes of each output, ``""`` for an axis without one.
    """

    operation: Any
    name: str
    depth: int
    outputs: Any = None
    axes: list[Names] = field(default_factory=list)


@dataclass
class Observation:
    """The calls inside a model, in the order they start, the model's own first; and the names of its inputs' axes."""

    calls: list[Seen]
    input_axes: list[Names]


class Recorder:
    """Notes the calls of layers that stand directly in a model; what happens inside a layer is its own business."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._stack: list[Any] = []
        self._names: dict[int, tuple[Any, Names]] = {}  # the tensor is held so that its id stays its own

    def __call__(self, operation: Any, name: str, inputs: Any) -> Callable[[Any], None]:
        depth = len(self._stack)
        entry = Seen(operation, name, depth)
        if self.wants(self._stack):
            self.seen.append(entry)
        self._stack.append(operation)
        self._name_inputs(operation, inputs)

        def leave(outputs: Any) -> None:
            del self._stack[depth:]
            entry.axes = self._name_outputs(operation, inputs, outputs)
            entry.outputs = jax.tree.map(lambda t: jax.ShapeDtypeStruct(t.shape, t.dtype), outputs)

        return leave

    def wants(self, outer: list[Any]) -> bool:
        """Whether to note a call inside those calls."""
        return all(isinstance(operation, Trainer) for operation in outer)

    def names_of(self, tensor: Any) -> Names:
        """Names of a tensor's axes as far as they are known, ``""`` for the others."""
        return self._names.get(id(tensor), (None, ("",) * len(tensor.shape)))[1]

    def name(self, tensor: Any, names: Names) -> None:
        """Give names to those axes of a tensor that have none."""
        merged = tuple(old or new for old, new in zip(self.names_of(tensor), names, strict=True))
        self._names[id(tensor)] = (tensor, merged)

    def name_call(self, operation: Any, inputs: Any, outputs: Any) -> list[Names]:
        """Name the axes of what a layer takes and gives; the names of those of its outputs."""
        self._name_inputs(operation, inputs)
        return self._name_outputs(operation, inputs, outputs)

    def _name_inputs(self, operation: Any, inputs: Any) -> None:
        signature = checking.signature_of(operation) if isinstance(operation, Layer) else None
        for place, tensor in enumerate(checking.input_leaves(inputs) if signature is not None else []):
            self.name(tensor, _own_names(signature.input_axes(place), tensor.shape))  # type: ignore[union-attr]

    def _name_outputs(self, operation: Any, inputs: Any, outputs: Any) -> list[Names]:
        """Names from the signature; under its open part, those of the input's axes."""
        signature = checking.signature_of(operation) if isinstance(operation, Layer) else None
        sources = checking.input_leaves(inputs)
        leaves = jax.tree.leaves(outputs)
        for place, tensor in enumerate(leaves):
            if signature is not None:
                self.name(tensor, _own_names(signature.output_axes(place), tensor.shape))
            taken = signature.input_axes(0) if signature is not None else None
            given = signature.output_axes(place) if signature is not None else None
            for source in sources[:1] if signature is not None else sources:
                self.name(tensor, _passed_on(taken, given, self.names_of(source), source.shape, tensor.shape))
        return [self.names_of(tensor) for tensor in leaves]


def _own_names(axes: Axes, shape: Any) -> Names:
    matched = axes.match(shape)
    if matched is None:
        return ("",) * len(shape)
    start, stop = _open_part(axes, len(shape))
    return tuple("" if start <= i < stop or n.isdigit() else n for i, n in enumerate(matched))


def _open_part(axes: Axes, rank: int) -> tuple[int, int]:
    at = axes.open_at
    return (0, 0) if at is None else (at, at + rank - axes.least_rank)


def _passed_on(taken: Axes | None, given: Axes | None, names: Names, source: Any, shape: Any) -> Names:
    """Names that an output's axes keep from the input: all for a function of each entry, else under the open parts."""
    nothing = ("",) * len(shape)
    if taken is None or given is None:
        return names if tuple(source) == tuple(shape) else nothing
    if taken.open_at is None or given.open_at is None or not taken.fits_rank(len(source)):
        return nothing
    if not given.fits_rank(len(shape)) or taken.names[taken.open_at] != given.names[given.open_at]:
        return nothing
    (start, stop), (to, end) = _open_part(taken, len(source)), _open_part(given, len(shape))
    if stop - start != end - to:
        return nothing
    return (*nothing[:to], *names[start:stop], *nothing[end:])


def observe(model: Layer, *inputs: Any, **kwargs: Any) -> Observation:
    """The calls inside ``model(*inputs)``.

    Args:
        model: a model or a layer; it is built on the way if it was not.
        inputs: symbolic tensors, or structures of them.
        kwargs: other arguments of the call.
    """
    latest: list[tuple[Recorder, list[Names]]] = []

    def run(*args: Any, **keywords: Any) -> Any:
        recorder = Recorder()
        with context.observing(recorder):
            model(*args, **keywords)
        latest[:] = [(recorder, [recorder.names_of(t) for t in jax.tree.leaves(args)])]
        # Tensors of zeros: those that were seen may belong to a loop that has ended.
        return [jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), entry.outputs) for entry in recorder.seen]

    outputs = trace_call(run, inputs, kwargs)
    recorder, input_axes = latest[0]
    for entry, specs in zip(recorder.seen, outputs, strict=True):
        entry.outputs = specs
    return Observation(recorder.seen, input_axes)


def axes_in_graph(graph: Any) -> Callable[[Any], Names]:
    """What names the axes of a graph's symbolic tensors, from the signatures of its layers; nothing is traced."""
    recorder = Recorder()
    _name_graph(graph, recorder)
    return recorder.names_of


def _name_graph(graph: Any, recorder: Recorder) -> None:
    for node in graph.nodes:
        inner = getattr(node.operation, "_graph", None)
        if inner is not None:
            _name_graph(inner, recorder)
            ends = (inner.input_tensors, node.inputs), (inner.output_tensors, symbolic_leaves(node.outputs))
            for inside, outside in [pair for tensors in ends for pair in zip(*tensors, strict=False)]:
                if len(inside.shape) == len(outside.shape):
                    recorder.name(outside, recorder.names_of(inside))
        inputs = node.args[0] if node.args else next(iter(node.kwargs.values()), None)
        recorder.name_call(node.operation, inputs, node.outputs)
