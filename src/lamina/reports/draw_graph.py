"""What a picture of a model shows: boxes for the calls of its layers, arrows for the tensors between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax

from lamina.core import context, tree
from lamina.core.symbolic import KerasTensor, Node, symbolic_leaves
from lamina.layers import checking
from lamina.layers.layer import Layer
from lamina.models.graph import Graph
from lamina.models.model import Model
from lamina.models.observing import Names, Seen, observe
from lamina.models.summary import kind_of
from lamina.shapes import dims

_KINDS = {
    "Input": "input", "Conv": "convolution", "Separable": "convolution", "Depthwise": "convolution",
    "Pool": "pooling", "UpSampling": "pooling", "Normalization": "normalization", "Normalize": "normalization",
    "Dense": "dense", "Embedding": "dense", "LSTM": "recurrent", "GRU": "recurrent", "RNN": "recurrent",
    "Bidirectional": "recurrent", "Attention": "recurrent", "TimeDistributed": "recurrent", "Dropout": "activation",
    "ReLU": "activation", "Activation": "activation", "Softmax": "activation", "ELU": "activation",
    "Add": "merge", "Concatenate": "merge", "Multiply": "merge", "Subtract": "merge", "Average": "merge",
    "Maximum": "merge", "Minimum": "merge", "Dot": "merge",
}  # fmt: skip


@dataclass
class Box:
    """A call of a layer or function, an input, or an output.

    Attributes:
        name: its name.
        kind: ``"Input"``, ``"Output"``, the layer's class, or the function of a call such as ``x + 1``.
        family: what it is drawn like: ``"convolution"``, ``"merge"``, ...
        layer: the layer, or ``None``.
        inner: what is inside, for a model drawn with its layers.
    """

    name: str
    kind: str
    family: str = "other"
    layer: Any = None
    inner: Diagram | None = None


@dataclass
class Arrow:
    """A tensor on its way from one box to another.

    Attributes:
        source, target: places in `Diagram.boxes`.
        axes: for each axis its name (``""`` for none) and its size in ordinary notation.
        dtype: its type.
    """

    source: int
    target: int
    axes: list[tuple[str, str]]
    dtype: str


@dataclass
class Diagram:
    """A model as boxes and arrows."""

    name: str
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)

    def add(self, box: Box) -> int:
        """Put a box in; gives its place."""
        self.boxes.append(box)
        return len(self.boxes) - 1


def diagram(model: Layer, expand_nested: bool = False) -> Diagram:
    """The boxes and arrows of a model; a model that has no graph is called on symbolic tensors to find one.

    Raises:
        ValueError: the model is not built, so nothing is known about its shapes.
    """
    graph = model._graph if isinstance(model, Model) else None
    graph = graph if graph is not None else _graph_by_calling(model)
    seen = _seen(model, graph)
    with dims.shown_as(graph.open_sizes.shown):
        return _Maker(expand_nested).make(model.name, graph, seen)


def _graph_by_calling(model: Layer) -> Graph:
    """The graph of a model written as a class. Where its call needs real values, it is one step of the graph."""
    shapes = model._nodes[0].inputs if model._nodes else None
    built_for = getattr(model, "_build_shape", None)
    if shapes is None and built_for is None:
        raise ValueError(
            f"{model.name!r} is not built, so its shapes are not known: give it data, or call its build((None, ...))"
        )
    if shapes is not None:
        inputs: Any = jax.tree.map(lambda t: _copy(t) if isinstance(t, KerasTensor) else t, model._nodes[0].args[0])
    else:
        inputs = tree.map_shape_structure(lambda s: KerasTensor((None, *s[1:]), model.compute_dtype), built_for)
    before = {id(layer): (layer, list(layer._nodes)) for layer in model._flatten_layers()}
    try:
        with context.names_kept():
            for place, tensor in enumerate(symbolic_leaves(inputs)):
                tensor.name = "input" if len(symbolic_leaves(inputs)) == 1 else f"input_{place}"
                _as_source(tensor)
            try:
                outputs = model.call(inputs) if isinstance(model, Model) else model(inputs)
            except (ValueError, TypeError):  # it uses jax on the way
                outputs = model(inputs)
            return Graph(inputs, outputs)
    finally:
        for layer, nodes in before.values():
            layer._nodes[:] = nodes


def _copy(tensor: KerasTensor) -> KerasTensor:
    return KerasTensor.of_spec(tensor.spec)


def _as_source(tensor: KerasTensor) -> None:
    """Let a tensor stand at the beginning of a graph."""

    def source() -> None: ...

    Node(source, (), {}, tensor)


def _seen(model: Layer, graph: Graph) -> list[Seen]:
    """The calls inside the model with the names of the axes; empty where they are not those of the graph."""
    is_own = getattr(model, "_graph", None) is graph
    own = model if is_own else Model(inputs=graph.inputs, outputs=graph.outputs, name=model.name)
    with context.names_kept():
        calls = observe(own, graph.inputs).calls[1:]
    return calls if sum(entry.depth == 1 for entry in calls) == len(graph.nodes) else []


class _Maker:
    """Makes a diagram from a graph."""

    def __init__(self, expand_nested: bool):
        self.expand_nested = expand_nested

    def make(self, name: str, graph: Graph, seen: list[Seen], depth: int = 1) -> Diagram:
        made = Diagram(name)
        source: dict[int, tuple[int, Names]] = {}
        for tensor, label in zip(graph.input_tensors, graph.input_names, strict=True):
            place = made.add(Box(label, "Input", "input"))
            source[id(tensor)] = (place, ())
        steps = _by_step(seen, depth) or [(None, []) for _ in graph.nodes]
        counts: dict[int, int] = {}
        for node, (entry, inside) in zip(graph.nodes, steps, strict=True):
            place = made.add(self._box(node, inside, depth, counts))
            for tensor in dict.fromkeys(node.inputs):
                self._arrow(made, source, tensor, place, node)
            for number, tensor in enumerate(symbolic_leaves(node.outputs)):
                names = entry.axes[number] if entry is not None and number < len(entry.axes) else ()
                source[id(tensor)] = (place, names)
        for number, tensor in enumerate(graph.output_tensors):
            label = "output" if len(graph.output_tensors) == 1 else f"output {number + 1}"
            self._arrow(made, source, tensor, made.add(Box(label, "Output", "output")), None)
        return made

    def _box(self, node: Node, inside: list[Seen], depth: int, counts: dict[int, int]) -> Box:
        layer = node.operation if isinstance(node.operation, Layer) else None
        if layer is None:
            return Box(node.name, kind_of(node), family_of(kind_of(node)))
        counts[id(layer)] = call = counts.get(id(layer), 0) + 1
        name = layer.name + (f" (call {call})" if call > 1 else "")
        box = Box(name, kind_of(layer), "model" if isinstance(layer, Model) else family_of(kind_of(layer)), layer)
        graph = getattr(layer, "_graph", None)
        if self.expand_nested and graph is not None:
            whole = sum(entry.depth == depth + 1 for entry in inside) == len(graph.nodes)
            box.inner = self.make(name, graph, inside if whole else [], depth + 1)
        return box

    def _arrow(
        self, made: Diagram, source: dict[int, tuple[int, Names]], tensor: KerasTensor, to: int, node: Node | None
    ) -> None:
        start, names = source[id(tensor)]
        if not names and node is not None:  # an input: its axes have the names of the layer that takes it
            names = _taken_names(node, tensor)
            source[id(tensor)] = (start, names)
        made.arrows.append(Arrow(start, to, _axes(tensor, names), tensor.dtype))


def _by_step(seen: list[Seen], depth: int) -> list[tuple[Seen | None, list[Seen]]]:
    """The calls at that depth, each with those inside it."""
    starts = [i for i, entry in enumerate(seen) if entry.depth == depth]
    ends = [*starts[1:], len(seen)]
    return [(seen[start], seen[start + 1 : stop]) for start, stop in zip(starts, ends, strict=False)]


def _taken_names(node: Node, tensor: KerasTensor) -> Names:
    """Names of the axes of an input, from the layer that takes it; for a model from the first layer inside."""
    place = next(i for i, t in enumerate(node.inputs) if t is tensor)
    inside = getattr(node.operation, "_graph", None)
    if inside is not None:
        taken = inside.input_tensors[place]
        taker = next((n for n in inside.nodes if any(t is taken for t in n.inputs)), None)
        return _taken_names(taker, taken) if taker is not None else ()
    signature = checking.signature_of(node.operation) if isinstance(node.operation, Layer) else None
    if signature is None:
        return ()
    matched = signature.input_axes(place).match(tensor.dims) or ()
    return tuple("" if n.startswith("...") or n.isdigit() else n for n in matched)


def _axes(tensor: KerasTensor, names: Names) -> list[tuple[str, str]]:
    shown = []
    for place, size in enumerate(tensor.dims):
        name = names[place].removeprefix("new_") if place < len(names) else ""
        text = dims.show(size)
        if not dims.is_known(size):  # it says itself what it is
            name, text = "", name or text if text == "any" else text
        shown.append((name, text))
    return shown


def family_of(kind: str) -> str:
    """What a layer of that class is drawn like."""
    return next((family for part, family in _KINDS.items() if part in kind), "other")
