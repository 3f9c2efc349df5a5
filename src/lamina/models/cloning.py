"""`clone_model`: the same model with new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from lamina.core.symbolic import KerasTensor, Node, symbolic_leaves
from lamina.layers.input_layer import Input, InputLayer
from lamina.layers.layer import Layer
from lamina.models.graph import Graph
from lamina.models.model import Model
from lamina.models.sequential import Sequential

CloneFunction = Callable[[Layer], Layer]


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: CloneFunction | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Model:
    """A model with the same layers, made anew, with weights of their own.

    Args:
        model: the model.
        input_tensors: symbolic tensors to build the new one on, in the order of the inputs; new ones by default.
        clone_function: makes a layer's copy; by default ``type(layer).from_config(layer.get_config())``.
        call_function: calls a copy, ``f(layer, *args, **kwargs)``; by default ``layer(*args, **kwargs)``.
        recursive: whether models inside are gone through with `clone_function` too.

    Raises:
        ValueError: `model` is no model, the inputs do not fit it, or it is a subclass and `clone_function` is given.

    Example:

    >>> import lamina
    >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
    >>> copy = lamina.models.clone_model(model)
    >>> copy.output_shape, copy.layers[0] is model.layers[0]
    ((None, 2), False)
    """
    if not isinstance(model, Model):
        raise ValueError(f"clone_model takes a model, not {model!r}")
    clone = _Cloner(clone_function, call_function, recursive)
    if isinstance(model, Sequential):
        return clone.sequential(model, input_tensors)
    if model._graph is not None:
        return clone.functional(model, input_tensors)
    given = {"clone_function": clone_function, "input_tensors": input_tensors, "call_function": call_function}
    for argument, value in given.items():
        if value is not None:
            raise ValueError(
                f"`{argument}` cannot be used with {model.name!r}: it is a subclass, not a graph of layers"
            )
    return type(model).from_config(model.get_config())


class _Cloner:
    """Copies layers, each once, however often it is called."""

    def __init__(self, clone: CloneFunction | None, call: Callable[..., Any] | None, recursive: bool):
        self.clone, self.call, self.recursive = clone, call, recursive
        self._made: dict[int, Layer] = {}

    def layer(self, layer: Layer) -> Layer:
        """The copy of a layer."""
        if id(layer) not in self._made:
            self._made[id(layer)] = self._copy(layer)
        return self._made[id(layer)]

    def _copy(self, layer: Layer) -> Layer:
        if self.recursive and isinstance(layer, Model) and (isinstance(layer, Sequential) or layer._graph is not None):
            return clone_model(layer, None, self.clone, self.call, recursive=True)
        copy = self.clone(layer) if self.clone is not None else type(layer).from_config(layer.get_config())
        if not isinstance(copy, Layer):
            raise ValueError(f"`clone_function` gave {copy!r} for the layer {layer.name!r}; it must give a layer")
        return copy

    def sequential(self, model: Sequential, tensors: Any) -> Sequential:
        """The copy of a `Sequential`."""
        first: list[Any] = []
        if tensors is not None:
            (tensor,) = _matching(tensors, 1, model.name)
            source = tensor.node.operation if tensor.node is not None else None
            first = [tensor if isinstance(source, InputLayer) else Input(batch_shape=tensor.shape, dtype=tensor.dtype)]
        elif model._input_layer is not None:
            first = [InputLayer.from_config(model._input_layer.get_config())]
        layers = [*first, *(self.layer(layer) for layer in model.layers)]
        return type(model)(layers, trainable=model.trainable, name=model.name)

    def functional(self, model: Model, tensors: Any) -> Model:
        """The copy of a model made from symbolic tensors."""
        graph = model._need_graph()
        if tensors is None:
            inputs = jax.tree.map(_like, graph.inputs)
        else:
            flat = _matching(tensors, len(graph.input_tensors), model.name)
            inputs = jax.tree.unflatten(jax.tree.structure(graph.inputs), flat)
        outputs = self._replay(graph, symbolic_leaves(inputs))
        cls = type(model) if type(model).__init__ is Model.__init__ else Model
        copy = cls(inputs=inputs, outputs=outputs, name=model.name)
        copy._trainable = model.trainable
        return copy

    def _replay(self, graph: Graph, inputs: list[KerasTensor]) -> Any:
        values = {id(old): new for old, new in zip(graph.input_tensors, inputs, strict=True)}
        for node in graph.nodes:
            args, kwargs = node.fill(values)
            results = self._apply(node, args, kwargs)
            for old, new in zip(symbolic_leaves(node.outputs), symbolic_leaves(results), strict=True):
                values[id(old)] = new
        return jax.tree.map(lambda t: values[id(t)], graph.outputs)

    def _apply(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not isinstance(node.operation, Layer):
            return node.operation(*args, **kwargs)
        copy = self.layer(node.operation)
        return self.call(copy, *args, **kwargs) if self.call is not None else copy(*args, **kwargs)


def _like(tensor: KerasTensor) -> KerasTensor:
    """A new input of the same shape, type and name."""
    source = tensor.node.operation if tensor.node is not None else None
    name = source.name if isinstance(source, InputLayer) else None
    layer = InputLayer(input_tensor=KerasTensor.of_spec(tensor.spec), dtype=tensor.dtype, name=name)
    return layer.output


def _matching(tensors: Any, wanted: int, model: str) -> list[KerasTensor]:
    found = symbolic_leaves(tensors)
    if len(found) != wanted:
        raise ValueError(f"`input_tensors`: {model!r} takes {wanted}; {len(found)} symbolic tensors were given")
    return found
