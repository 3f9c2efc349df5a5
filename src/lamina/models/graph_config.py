"""A graph as plain values, in the form in which Keras 3 writes functional models, and back.

Every layer, and every call of a function such as ``x + 1`` or ``lamina.ops.mean(x)``, is an entry with the calls
made of it (``inbound_nodes``); a tensor is referred to by ``[name, number of the call, number of the output]``.
"""

from __future__ import annotations

import inspect
import types
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax

from lamina import ops
from lamina.core import checks, registry, sharing
from lamina.core.symbolic import OPERATORS, KerasTensor, Node, has_symbolic, symbolic_leaves
from lamina.layers.input_layer import InputLayer
from lamina.layers.layer import Layer
from lamina.models.graph import Graph
from lamina.ops import core as ops_core
from lamina.ops import image as ops_image
from lamina.ops import linalg as ops_linalg
from lamina.ops import math as ops_math
from lamina.ops import nn as ops_nn

#: Arguments of operations that Keras hands to an operation's call; all others are its configuration.
_TENSORS = frozenset({
    "x", "x1", "x2", "xs", "y", "a", "b", "abs_", "angle", "array", "bias", "beta", "choicelist", "condition",
    "condlist", "constant_values", "data", "default", "depthwise_kernel", "elements", "end_points", "gamma", "image1",
    "image2", "images", "indices", "inputs", "kernel", "key", "mask", "mean", "offset", "operands", "output",
    "output_length", "pointwise_kernel", "predictions", "q", "query", "scale", "segment_ids", "sequence_lengths",
    "sorted_sequence", "start_indices", "start_points", "target", "target_length", "targets", "tensor", "transform",
    "updates", "value", "values", "variable", "variance", "weights",
})  # fmt: skip
_OWN_TENSORS = {
    "bincount": {"x"},
    "diagonal": {"x"},
    "digitize": {"x", "bins"},
    "full_like": {"x", "fill_value"},
    "isclose": {"x1", "x2", "rtol", "atol"},
    "rearrange": {"tensor", "pattern"},
    "squareplus": {"x"},
    "trace": {"x"},
    "trapezoid": {"y"},
}
_CLASSES = {
    "allclose": "AllClose", "batch_normalization": "BatchNorm", "cdist": "CDist", "ctc_decode": "CTCDecode",
    "ctc_loss": "CTCLoss", "fft": "FFT", "fft2": "FFT2", "ifft2": "IFFT2", "irfft": "IRFFT", "isin": "IsIn",
    "istft": "ISTFT", "layer_normalization": "LayerNorm", "psnr": "PSNR", "rfft": "RFFT",
    "hard_swish": "HardSilu", "rms_normalization": "RMSNorm", "searchsorted": "SearchSorted", "stft": "STFT",
    "svd": "SVD", "swish": "Silu",
}  # fmt: skip
#: Operations that take functions, or give something else than tensors: no description may name them.
_NOT_DESCRIBED = frozenset({
    "associative_scan", "cond", "convert_to_numpy", "custom_gradient", "dtype", "fori_loop", "is_tensor", "jvp", "map",
    "scan", "switch", "vectorize", "vectorized_map", "while_loop",
})  # fmt: skip
_HOMES = {
    "fold": "nn",
    "get_item": "numpy",
    "logdet": "math",
    "slogdet": "numpy",
    "polar": "nn",
    "psnr": "nn",
    "rearrange": "einops",
    "unfold": "nn",
}
_MODULES = {"nn": ops_nn, "linalg": ops_linalg, "math": ops_math, "core": ops_core, "image": ops_image}


# Writing


def describe_graph(graph: Graph) -> dict[str, Any]:
    """A graph as plain values: ``layers``, ``input_layers`` and ``output_layers``.

    Raises:
        ValueError: a function in the graph is not one of `lamina.ops`, so that no description could find it again.
    """
    sources = {id(t): [n, 0, 0] for t, n in zip(graph.input_tensors, graph.input_names, strict=True)}
    calls: dict[int, list[Node]] = {}
    for node in sorted(graph.nodes, key=lambda n: n.index):
        owner = node.operation if isinstance(node.operation, Layer) else node
        number = len(calls.setdefault(id(owner), []))
        calls[id(owner)].append(node)
        for place, tensor in enumerate(symbolic_leaves(node.outputs)):
            sources.setdefault(id(tensor), [node.name, number, place])
    inner = [t for t in graph.input_tensors if not _is_input(t)]  # a model may begin inside another
    entries = [_describe_input(InputLayer(batch_shape=t.shape, dtype=t.dtype, name=t.name)) for t in inner]
    for operation in graph.operations:
        if isinstance(operation, InputLayer):
            entries.append(_describe_input(operation))
            continue
        nodes = calls[id(operation)]
        entry = _describe_function(operation) if isinstance(operation, Node) else registry.serialize(operation)
        entry |= {"name": operation.name, "inbound_nodes": [_describe_call(node, sources) for node in nodes]}
        entries.append(entry)  # the same dict: it is numbered later if the layer comes up again
    references = jax.tree.map(lambda t: _Reference(sources[id(t)]), (graph.inputs, graph.outputs))
    inputs, outputs = (_plain_references(part) for part in references)
    return {"layers": entries, "input_layers": inputs, "output_layers": outputs}


class _Reference(list):
    """A tensor's place in a description; a leaf where structures are walked."""


def _plain_references(structure: Any) -> Any:
    if isinstance(structure, _Reference):
        return list(structure)
    if isinstance(structure, dict):
        return {key: _plain_references(entry) for key, entry in structure.items()}
    return [_plain_references(entry) for entry in structure]


def _is_input(tensor: KerasTensor) -> bool:
    return tensor.node is not None and isinstance(tensor.node.operation, InputLayer)


def _describe_input(layer: InputLayer) -> dict[str, Any]:
    return {**registry.serialize(layer), "name": layer.name, "inbound_nodes": []}


def _describe_call(node: Node, sources: dict[int, Any]) -> dict[str, Any]:
    args: Any = node.args
    kwargs = node.kwargs
    if not isinstance(node.operation, Layer):
        args, kwargs, _ = _split_arguments(node)
    call = {
        "args": [_describe_value(value, sources) for value in args],
        "kwargs": {name: _describe_value(value, sources) for name, value in kwargs.items()},
    }
    # Keras notes `training` of every call, whether or not the user gave it; where it was given it holds.
    return {**call, "given": ["training"]} if "training" in kwargs else call


def _describe_function(node: Node) -> dict[str, Any]:
    function = node.operation
    name = function.__name__
    if _operations().get(_key(name)) is None:
        raise ValueError(
            f"the function {name!r} in the model's graph is none of lamina.ops, so it cannot be written down; "
            f"put the computation into a layer of your own"
        )
    module = _HOMES.get(name) or _home(name)
    class_name = _class_name(name)
    config = {key: registry.serialize(value) for key, value in _split_arguments(node)[2].items()}
    return {
        "module": f"keras.src.ops.{module}",
        "class_name": class_name,
        "config": {"name": node.name, **config},
        "registered_name": class_name,
    }


def _home(name: str) -> str:
    """Keras's module of an operation."""
    return next((home for home, m in _MODULES.items() if name in getattr(m, "__all__", vars(m))), "numpy")


def _split_arguments(node: Node) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """The arguments of a function's call: tensors by place, tensors by name, and settings."""
    function = node.operation
    bound = inspect.signature(function).bind(*node.args, **node.kwargs)
    bound.apply_defaults()
    tensors = _OWN_TENSORS.get(function.__name__, _TENSORS)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            args.extend(value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            kwargs.update(value)
        elif name in tensors:
            args.append(value)
        elif has_symbolic(value):
            kwargs[name] = value
        else:
            settings[name] = value
    while args and args[-1] is None:
        args.pop()
    return args, kwargs, settings


def _describe_value(value: Any, sources: dict[int, Any]) -> Any:
    if isinstance(value, KerasTensor):
        config = {"shape": list(value.shape), "dtype": value.dtype, "keras_history": sources[id(value)]}
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(value, (list, tuple)):
        return [_describe_value(entry, sources) for entry in value]
    if isinstance(value, dict):
        return {key: _describe_value(entry, sources) for key, entry in value.items()}
    return registry.serialize(value)


# Reading


def restore_graph(config: dict[str, Any]) -> tuple[Any, Any]:
    """The symbolic inputs and outputs of the graph that `describe_graph`, or Keras, wrote down.

    Raises:
        ValueError: the description is malformed, or names what is unknown.
    """
    entries = config.get("layers")
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "class_name" in e for e in entries):
        raise ValueError("a functional model's config needs 'layers', a list of descriptions of layers")
    with sharing.sharing():
        return _restore(config, entries)


def _restore(config: dict[str, Any], entries: list[dict[str, Any]]) -> tuple[Any, Any]:
    names = [entry_name(entry) for entry in entries]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"the config has two layers of the name {twice!r}")
    restored = Restored()
    waiting = [
        (name, restored.make(entry), list(entry.get("inbound_nodes", [])))
        for name, entry in zip(names, entries, strict=True)
    ]
    while waiting:
        moved = False
        for name, operation, calls in waiting:
            while calls and restored.can_call(calls[0]):
                restored.call(name, operation, calls.pop(0))
                moved = True
        remaining = [item for item in waiting if item[2]]
        if remaining and not moved:
            shown = ", ".join(repr(item[0]) for item in remaining)
            raise ValueError(f"the config's layers {shown} take tensors that no layer in it gives")
        waiting = remaining
    return restored.structure(config.get("input_layers")), restored.structure(config.get("output_layers"))


def entry_name(entry: dict[str, Any]) -> str:
    """The name by which an entry of a description is referred to."""
    name = entry.get("name", (entry.get("config") or {}).get("name"))
    if not isinstance(name, str):
        raise ValueError(f"an entry of the config ({entry.get('class_name')}) has no name")
    return name


class Restored:
    """The calls made so far while a graph is read."""

    def __init__(self) -> None:
        self.outputs: dict[tuple[str, int], list[KerasTensor]] = {}
        self.count: dict[str, int] = {}

    def make(self, entry: dict[str, Any]) -> Any:
        """The layer or function that an entry describes."""
        name = entry_name(entry)
        if ".ops." in str(entry.get("module")):
            return _Function(name, entry)
        layer = registry.deserialize({k: v for k, v in entry.items() if k not in ("name", "inbound_nodes")})
        if not isinstance(layer, Layer):
            raise ValueError(f"the config's entry {name!r} ({entry['class_name']}) describes no layer")
        if isinstance(layer, InputLayer):
            self.outputs[name, 0] = [layer.output]
        return layer

    def can_call(self, call: Any) -> bool:
        """Whether the tensors that a call takes are there."""
        if not isinstance(call, dict):
            raise ValueError(f"a call in the config is {str(call)[:80]}, not a description with 'args' and 'kwargs'")
        return all((str(history[0]), history[1]) in self.outputs for history in histories(call))

    def call(self, name: str, operation: Any, call: Any) -> None:
        """Repeat a call."""
        args, kwargs = self._revive(call.get("args", [])), self._revive(call.get("kwargs", {}))
        if "training" not in call.get("given", ()):  # Keras notes it, and goes by what the model is called with
            kwargs.pop("training", None)
        kwargs = {key: value for key, value in kwargs.items() if key != "mask" or value is not None}
        if not has_symbolic((args, kwargs)):
            raise ValueError(f"the config calls {name!r} with no tensor of the model")
        outputs = operation(*args, **kwargs)
        number = self.count.get(name, 0)
        self.count[name] = number + 1
        self.outputs[name, number] = symbolic_leaves(outputs)

    def tensor(self, history: Any) -> KerasTensor:
        """The tensor at ``[name, number of the call, number of the output]``."""
        name, call, place = history[:3]
        outputs = self.outputs.get((name, call), [])
        if not isinstance(place, int) or not 0 <= place < len(outputs):
            raise ValueError(f"the config speaks of output {place} of call {call} of {name!r}, which does not exist")
        return outputs[place]

    def structure(self, references: Any) -> Any:
        """The tensors that references in any structure stand for."""
        if isinstance(references, dict):
            return {key: self.structure(entry) for key, entry in references.items()}
        if not isinstance(references, (list, tuple)) or not references:
            raise ValueError(f"expected references such as ['dense', 0, 0] in the config, not {references!r}")
        if isinstance(references[0], str):
            return self.tensor(references)
        return [self.structure(entry) for entry in references]

    def _revive(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._revive(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        if value.get("class_name") == "__keras_tensor__":
            return self.tensor(_history(value))
        if isinstance(value.get("class_name"), str):
            return registry.deserialize(value)
        return {key: self._revive(entry) for key, entry in value.items()}


def histories(value: Any) -> list[Any]:
    """References to tensors anywhere in a description."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [_history(value)]
        return [found for entry in value.values() for found in histories(entry)]
    if isinstance(value, (list, tuple)):
        return [found for entry in value for found in histories(entry)]
    return []


def _history(reference: dict[str, Any]) -> list[Any]:
    """The ``[name, number of the call, number of the output]`` in a reference to a tensor."""
    config = reference.get("config")
    history = config.get("keras_history") if isinstance(config, dict) else None
    if not isinstance(history, list) or len(history) < 3 or not all(isinstance(n, int) for n in history[1:3]):
        raise ValueError(f"a reference to a tensor needs a 'keras_history' such as ['dense', 0, 0], not {history!r}")
    return history


class _Function:
    """A function of `lamina.ops` with the settings that a description gives it."""

    def __init__(self, name: str, entry: dict[str, Any]):
        self.name = name
        class_name = str(entry["class_name"])
        function = _operations().get(_key(class_name))
        if function is None:
            known = [_class_name(n) for n in _names()]
            raise ValueError(f"unknown operation {class_name!r}{checks.did_you_mean(class_name, known)}")
        self.function: Callable[..., Any] = function
        settings = {k: v for k, v in (entry.get("config") or {}).items() if k != "name"}
        self.settings = {key: _tuples(registry.deserialize(value)) for key, value in settings.items()}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs = self._apply(list(args), {**self.settings, **kwargs})
        for tensor in symbolic_leaves(outputs)[:1]:
            if tensor.node is not None:
                tensor.node.name = self.name
        return outputs

    def _apply(self, args: list[Any], named: dict[str, Any]) -> Any:
        """Puts `args` into the places that the settings leave open."""
        if self.function.__name__ == "get_item" and isinstance(args[1], list):
            args[1] = tuple(args[1])
        parameters = inspect.signature(self.function).parameters
        places: list[Any] = []
        for name, parameter in parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                return self.function(*places, *args, **named)
            if name in named:
                if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
                    places.append(named.pop(name))
            elif args:
                named[name] = args.pop(0)
        return self.function(**named)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value


def _names() -> list[str]:
    """Names of the operations: functions of tensors that call no function given to them."""
    functions = [n for n, f in vars(ops).items() if isinstance(f, types.FunctionType) and not n.startswith("_")]
    return [*OPERATORS, *(n for n in functions if n not in _NOT_DESCRIBED)]


def _operations() -> dict[str, Callable[..., Any]]:
    """The operations that a description may name, by key; those of `lamina.ops` before the bare operators."""
    known = {**OPERATORS, **vars(ops)}
    return {_key(_class_name(name)): known[name] for name in _names()}


def _class_name(name: str) -> str:
    return _CLASSES.get(name) or "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _key(name: str) -> str:
    return _CLASSES.get(name, name).replace("_", "").lower()
