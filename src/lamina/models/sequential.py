"""`Sequential`: layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.core import context, registry, sharing, tree
from lamina.core.symbolic import KerasTensor, symbolic_leaves
from lamina.layers.building import all_or_nothing
from lamina.layers.capturing import revive
from lamina.layers.input_layer import InputLayer
from lamina.layers.layer import Layer
from lamina.models.graph import Graph
from lamina.models.model import Model
from lamina.shapes import dims


@registry.register("model", home="keras")
class Sequential(Model):
    """Layers one after the other, each with one input and one output.

    With an `Input` (or ``input_shape=`` on the first layer) the model is built as layers are added, and a layer that
    does not fit is refused at once; without one it is built when data is first seen.

    Args:
        layers: the layers, in order.
        trainable: whether training changes the weights.
        name: a name.

    Example:

    >>> import lamina
    >>> model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(3, activation="relu")])
    >>> model.add(lamina.layers.Dense(1))
    >>> model.output_shape
    (None, 1)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Sequential:
        return Layer.__new__(cls, *args, **kwargs)  # type: ignore[return-value]

    def __init__(self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None):
        Layer.__init__(self, trainable=trainable, name=name)
        self._init_training()
        self._input_layer: InputLayer | None = None
        self._stack: list[Layer] = []
        self._tensor: Any = None
        for layer in layers or ():
            self._append(layer)
        self._refresh()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer at the end.

        Args:
            layer: a layer, or what `Input` gives.
            rebuild: kept for compatibility; must be true, the model is always up to date.

        Raises:
            ValueError: it is no layer, or its name is taken.
            ShapeError: it does not fit what comes out of the layer before.
        """
        if not rebuild:
            raise ValueError("`rebuild`=False cannot be had: a Sequential is always up to date")
        self._append(layer)
        self._refresh()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor) and layer.node is not None and isinstance(layer.node.operation, InputLayer):
            layer = layer.node.operation
        if not isinstance(layer, Layer):
            kind = (
                f"the class {layer.__name__}; write {layer.__name__}(...)" if isinstance(layer, type) else repr(layer)
            )
            raise ValueError(f"Sequential takes layers, not {kind}")
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                f"the layer name {layer.name!r} is taken in {self.name!r}: "
                f"{[x.name for x in self._stack]}; give the new layer another one"
            )
        if isinstance(layer, InputLayer):
            if self._stack or self._input_layer is not None:
                raise ValueError(f"an Input can only come first; {self.name!r} has {self._describe_stack()} already")
            self._input_layer = layer
            self._tensor = layer.output
            return
        if not self._stack and self._input_layer is None:
            self._start_from(layer)
        if self._tensor is not None:
            with context.name_scope(self.name):
                self._tensor = self._extend(layer, self._tensor)
        self._stack.append(layer)

    def _describe_stack(self) -> str:
        return ", ".join(repr(x.name) for x in self._stack) or "an Input"

    def _start_from(self, layer: Layer) -> None:
        """Take the input from a first layer that declares it, or from a model that has one."""
        if layer._declared_input is not None:
            self._input_layer = InputLayer(batch_shape=layer._declared_input, dtype=layer.compute_dtype)
        elif isinstance(layer, Model) and layer._graph is not None and len(layer.inputs) == 1:
            first = layer.inputs[0]
            self._input_layer = InputLayer(input_tensor=KerasTensor.of_spec(first.spec), dtype=first.dtype)
        if self._input_layer is not None:
            self._tensor = self._input_layer.output

    def _extend(self, layer: Layer, tensor: Any) -> Any:
        output = layer(tensor)
        if len(symbolic_leaves(output)) != 1:
            layer._nodes.pop()
            raise ValueError(
                f"{layer.name!r} gives {len(symbolic_leaves(output))} outputs; every layer of a Sequential has one. "
                f"Use a functional model: lamina.Model(inputs, outputs)"
            )
        return output

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off and return it.

        Raises:
            ValueError: there is none.
        """
        if not self._stack:
            raise ValueError(f"{self.name!r} has no layer to pop")
        layer = self._stack.pop()
        if self._tensor is not None:
            node = self._tensor.node
            layer._nodes.remove(node)
            self._tensor = node.args[0]
        self._refresh()
        return layer

    def _refresh(self) -> None:
        """Make the graph anew after a change."""
        if self._tensor is not None and self._stack:
            self._set_graph(Graph(self._source(), self._tensor))
        else:
            self._set_graph(None)
            self.built = False
        self._forget_programs()

    def _source(self) -> Any:
        return self._input_layer.output if self._input_layer is not None else None

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order (the input is not among them)."""
        return list(self._stack)

    @property
    def operations(self) -> list[Any]:
        """The layers, in order."""
        return list(self._stack)

    @property
    def _sublayers(self) -> list[Any]:
        return list(self._stack)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of that shape, ``(batch, ...)`` with ``None`` for open sizes."""
        if self._graph is not None:
            return
        if not self._stack:
            raise ValueError(f"{self.name!r} has no layers yet; add some before building it")
        if input_shape is None:
            raise ValueError(f"`input_shape` is needed to build {self.name!r}: such as (None, 10)")
        with all_or_nothing(self._flatten_layers()):
            self._input_layer = InputLayer(batch_shape=tuple(input_shape), dtype=self._stack[0].compute_dtype)
            self._tensor = self._input_layer.output
            for layer in self._stack:
                self._tensor = self._extend(layer, self._tensor)
        self._refresh()

    def _build_for(self, info: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs = tree.flatten(args[0] if args else kwargs.get(info.first))
        if len(inputs) != 1 or not hasattr(inputs[0], "shape"):
            raise ValueError(f"{self.name!r} takes one tensor; {len(inputs)} came")
        shape = inputs[0].dims if isinstance(inputs[0], KerasTensor) else inputs[0].shape
        self.build((None, *dims.to_public(shape)[1:]))

    def get_config(self) -> dict[str, Any]:
        """Name and layers, as Keras writes them."""
        first = [self._input_layer] if self._input_layer is not None else []
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [registry.serialize(layer) for layer in [*first, *self._stack]],
        }
        if self._graph is not None:
            config["build_input_shape"] = self.input_shape
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        """The shape that the model was built for."""
        return {"input_shape": self.input_shape} if self._graph is not None else None

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        with sharing.sharing():
            revived = revive({"layers": config.get("layers", [])})
        model = cls(revived["layers"], trainable=config.get("trainable", True), name=config.get("name"))
        shape = config.get("build_input_shape")
        if shape is not None and model._graph is None and model._stack:
            model.build(tuple(shape))
        return model
