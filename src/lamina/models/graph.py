"""A graph of layer calls between symbolic inputs and outputs: what a functional model runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax

from lamina.core import context, tree
from lamina.core.symbolic import KerasTensor, Node, symbolic_leaves
from lamina.layers.input_layer import InputLayer
from lamina.layers.layer import Layer
from lamina.models.open_sizes import OpenSizes
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


class Graph:
    """The calls that lead from `inputs` to `outputs`.

    Args:
        inputs: symbolic tensors, in any structure.
        outputs: symbolic tensors that follow from them.

    Attributes:
        nodes: the calls, each after those it needs.
        layers: the layers called, inputs first, in Keras's order (by distance from the outputs).

    Raises:
        ValueError: the outputs do not follow from the inputs alone; the message names what is missing.
    """

    def __init__(self, inputs: Any, outputs: Any):
        self.inputs, self.outputs = inputs, outputs
        self.input_tensors, self.output_tensors = symbolic_leaves(inputs), symbolic_leaves(outputs)
        _check_tensors("inputs", inputs, self.input_tensors)
        _check_tensors("outputs", outputs, self.output_tensors)
        self.input_names = [_input_name(t) for t in self.input_tensors]
        found = _Search(self.input_tensors, self.output_tensors)
        self.nodes = found.nodes
        self.operations = found.operations_by_depth()  # layers; and nodes, for functions such as ``x + 1``
        self.layers = [operation for operation in self.operations if isinstance(operation, Layer)]
        _check_unique_names(self.layers)
        self.accepted: Any = None  # what `accepting` found out, kept

    def run(self, inputs: list[Any], intermediate: list[KerasTensor] | None = None) -> Any:
        """The outputs for values of the input tensors, in the structure of `outputs`."""
        values = {id(t): value for t, value in zip(self.input_tensors, inputs, strict=True)}
        for node in self.nodes:
            args, kwargs = node.fill(values)
            results = _apply(node, args, kwargs)
            for tensor, value in zip(symbolic_leaves(node.outputs), _aligned(results, node.outputs), strict=True):
                values[id(tensor)] = value
        return jax.tree.map(lambda t: values[id(t)], self.outputs if intermediate is None else intermediate)

    def arrange(self, data: Any, model: str) -> list[Any]:
        """The values for the input tensors from what a user gave: a tensor, a list, or a dict by input name.

        Raises:
            ShapeError: there are too few or too many.
            ShapeError: a name in a dict is no input's.
        """
        if isinstance(data, dict):
            return self._arrange_dict(data, model)
        values = tree.flatten(data)
        if len(values) != len(self.input_tensors):
            wanted = ", ".join(f"{n} {t.shape}" for n, t in zip(self.input_names, self.input_tensors, strict=True))
            came = ", ".join(str(dims.to_public(getattr(v, "shape", ()))) for v in values)
            raise ShapeError(
                f'"{model}" takes {_count(len(self.input_tensors))}; {len(values)} came',
                layer=model,
                expected=f"{wanted}   as a list, or a dict by these names",
                received=came,
                notes=self._how_to_give(len(values)),
            )
        return values

    def _how_to_give(self, count: int) -> list[tuple[str, str]]:
        """What to do where there are too few values."""
        if count >= len(self.input_names):
            return []
        listed = f"a list of {len(self.input_names)} arrays, [{', '.join(self.input_names)}]"
        named = ", ".join(f'"{name}": ...' for name in self.input_names)
        return [("to do", f"give {listed}, or a dict {{{named}}}")]

    def _arrange_dict(self, data: dict[str, Any], model: str) -> list[Any]:
        by_name: dict[str, Any] = data
        if isinstance(self.inputs, dict):
            keys = [path[-1] for path, _ in tree.flatten_with_path(self.inputs)]
        else:
            keys = self.input_names
        names = [k if k in by_name else n for k, n in zip(keys, self.input_names, strict=True)]
        missing = [k for k, n in zip(keys, names, strict=True) if n not in by_name]
        if missing:
            raise ShapeError(
                f'"{model}" takes a dict with the inputs {", ".join(map(repr, keys))}; '
                f"{', '.join(map(repr, missing))} is missing from {list(by_name)}",
                layer=model,
                expected=", ".join(map(repr, keys)),
                received=", ".join(map(repr, by_name)),
            )
        return [by_name[n] for n in names]

    def fit_rank(self, values: list[Any], model: str) -> list[Any]:
        """Values with a last axis of size 1 added or dropped where an input wants it so.

        Raises:
            ShapeError: a value does not fit its input.
        """
        pairs = zip(self.input_tensors, self.input_names, values, strict=True)
        fitting = [_fit(tensor, name, value, model, len(values)) for tensor, name, value in pairs]
        self.open_sizes.check(self.input_names, fitting, model)
        return fitting

    @functools.cached_property
    def open_sizes(self) -> OpenSizes:
        """The sizes that the inputs leave open, other than the batch, and what is needed of them."""
        return OpenSizes(self.input_names, self.input_tensors, self.nodes)


class _Search:
    """Walks back from the outputs: an order in which to run, and how far each layer is from the outputs."""

    def __init__(self, inputs: list[KerasTensor], outputs: list[KerasTensor]):
        self.inputs = {id(t) for t in inputs}
        self.nodes: list[Node] = []
        self.first_seen: dict[int, tuple[int, Any]] = {}
        self._done: set[int] = set()
        for tensor in outputs:
            self._visit(tensor)
        self._sources = [t.node for t in inputs if t.node is not None]

    def _visit(self, tensor: KerasTensor) -> None:
        """Depth first, without recursion, since a model may be deeper than Python's stack."""
        stack: list[tuple[Node, bool]] = [(_node_of(tensor), False)]
        while stack:
            node, finished = stack.pop()
            if finished:
                if id(node) not in self._done:
                    self._done.add(id(node))
                    self.nodes.append(node)
                continue
            if id(node) in self._done:
                continue
            self._note(node)
            if any(id(t) in self.inputs for t in symbolic_leaves(node.outputs)):
                continue
            if not node.inputs:
                name = getattr(node.operation, "name", "")
                raise ValueError(
                    f"the outputs depend on the input {name!r}, which is not among the model's `inputs`; "
                    f"add it to `inputs`"
                )
            stack.append((node, True))
            stack.extend(
                (_node_of(t), False) for t in reversed(node.inputs) if id(t) not in self.inputs or t.node is not None
            )

    def _note(self, node: Node) -> None:
        self.first_seen.setdefault(id(_owner(node)), (len(self.first_seen), _owner(node)))

    def operations_by_depth(self) -> list[Any]:
        """The operations, farthest from the outputs first."""
        node_depth: dict[int, int] = {}
        depth: dict[int, int] = {}
        for node in reversed(self.nodes):
            here = max(node_depth.get(id(node), 0), depth.get(id(_owner(node)), 0))
            node_depth[id(node)] = depth[id(_owner(node))] = here
            for tensor in node.inputs:
                parent = tensor.node
                if parent is not None:
                    node_depth[id(parent)] = max(node_depth.get(id(parent), 0), here + 1)
        for source in self._sources:
            if isinstance(source.operation, InputLayer):
                seen = (len(self.first_seen), source.operation)
                self.first_seen.setdefault(id(source.operation), seen)
                depth[id(source.operation)] = max(node_depth.get(id(source), 0), depth.get(id(source.operation), 0))
        known = [(depth[key], order, op) for key, (order, op) in self.first_seen.items() if key in depth]
        return [op for _, _, op in sorted(known, key=lambda entry: (-entry[0], entry[1]))]


def _apply(node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    observer = context.state.observer
    seen = observer is not None and not isinstance(node.operation, Layer)  # layers speak for themselves
    tell = observer(node, node.name, (args, kwargs)) if seen else None
    results = node.operation(*args, **kwargs)
    if tell is not None:
        tell(results)
    return results


def _owner(node: Node) -> Any:
    """What a call counts as: its layer (all its calls are one), or, for a function, the call itself."""
    return node.operation if isinstance(node.operation, Layer) else node


def _node_of(tensor: KerasTensor) -> Node:
    if tensor.node is None:
        raise ValueError(
            f"the symbolic tensor {tensor.name!r} of shape {tensor.shape} comes from no Input; start from lamina.Input"
        )
    return tensor.node


def _aligned(results: Any, outputs: Any) -> list[Any]:
    """The leaves of `results` where `outputs` has tensors."""
    leaves = jax.tree.leaves(results)
    wanted = [isinstance(leaf, KerasTensor) for leaf in jax.tree.leaves(outputs)]
    return [leaf for leaf, keep in zip(leaves, wanted, strict=True) if keep]


def _check_tensors(argument: str, structure: Any, tensors: list[KerasTensor]) -> None:
    others = [leaf for leaf in jax.tree.leaves(structure) if not isinstance(leaf, KerasTensor)]
    if others or not tensors:
        what = f"{type(others[0]).__name__} among them" if others else "there are none"
        raise ValueError(
            f"`{argument}` of a model are symbolic tensors (from lamina.Input and layers called on it); {what}"
        )


def _check_unique_names(layers: list[Layer]) -> None:
    seen: dict[str, Layer] = {}
    for layer in layers:
        other = seen.setdefault(layer.name, layer)
        if other is not layer:
            raise ValueError(
                f"two layers of the model are named {layer.name!r} ({type(other).__name__} and "
                f"{type(layer).__name__}); give each its own name"
            )


def _input_name(tensor: KerasTensor) -> str:
    operation = tensor.node.operation if tensor.node is not None else None
    return operation.name if isinstance(operation, InputLayer) else tensor.name


def _count(number: int) -> str:
    return "1 input" if number == 1 else f"{number} inputs"


def _fit(tensor: KerasTensor, name: str, value: Any, model: str, of: int) -> Any:
    shape = getattr(value, "shape", None)
    if shape is None:
        return value
    wanted = tensor.dims
    if len(shape) == len(wanted) and _agree(shape, wanted):
        return value
    if len(shape) == len(wanted) - 1 and wanted[-1] == 1 and _agree(shape, wanted[:-1]):
        return value[..., None]
    if len(shape) == len(wanted) + 1 and shape[-1] == 1 and _agree(shape[:-1], wanted):
        return value[..., 0]
    which = f'input "{name}" of "{model}"' if of > 1 else f'"{model}"'
    shown = dims.show_shape(dims.to_public(shape))
    given = "a batch" if isinstance(value, jax.core.Tracer) else "an array"
    raise ShapeError(
        f"{which} cannot take {given} of shape {shown}",
        layer=model,
        expected=f"{tensor.shape}   that is {tensor.shape[1:]} for one sample, with the batch axis first",
        received=f"{shown}   {_difference(shape, wanted)}",
        notes=_advice(shape, tensor.shape),
    )


def _advice(shape: Sequence[Any], wanted: Sequence[Any]) -> list[tuple[str, str]]:
    """What to do where one axis is missing: the declared shape counts the samples, or the data is a single sample."""
    if len(shape) != len(wanted) - 1:
        return []
    advice = []
    if len(wanted) > 2 and dims.is_known(wanted[1]) and _agree(shape[1:], wanted[2:]):
        one, said = dims.show_shape(dims.to_public(shape[1:])), dims.show_shape(wanted[1:])
        counts = f"if the {wanted[1]} counts samples, leave the number of samples out of the declared shape"
        advice.append(("to do", f"{counts}: {one}, not {said}"))
    if _agree(shape, wanted[1:]):
        advice.append(("or" if advice else "to do", "one sample needs the batch axis too: x[None]"))
    return advice


def _agree(shape: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Whether the sizes that are known are the same."""
    pairs = zip(shape, wanted, strict=True)
    return all(s == w for s, w in pairs if dims.is_known(s) and dims.is_known(w))


def _difference(shape: Sequence[Any], wanted: Sequence[Any]) -> str:
    if len(shape) != len(wanted):
        return f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}, not {len(wanted)}"
    sizes = enumerate(zip(shape, wanted, strict=True))
    return ", ".join(f"axis {axis} has size {s}, not {w}" for axis, (s, w) in sizes if not _agree([s], [w]))
