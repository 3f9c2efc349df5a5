"""The part of a layer that answers for its weights, sub-layers, losses and place in a graph."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.advice import transfer
from lamina.core.dtypes import DTypePolicy
from lamina.core.symbolic import Node
from lamina.core.variable import Variable
from lamina.layers import tracking
from lamina.shapes.errors import ShapeError


class WeightLists(tracking.Watched):
    """Lists of a layer's weights and other parts. Mixed into `Layer`."""

    #: Attributes that hold variables which are no weights: what passes from one call to the next.
    passing_states: tuple[str, ...] = ()
    name: str
    dtype_policy: DTypePolicy
    built: bool
    _trainable: bool
    _losses: list[Any]
    _nodes: list[Node]

    @property
    def _sublayers(self) -> list[Any]:
        return [layer for layer in tracking.held(self, WeightLists) if layer is not self]

    def _flatten_layers(self) -> list[Any]:
        """This layer and all inside it, each once."""
        found: dict[int, Any] = {id(self): self}
        for layer in self._sublayers:
            for inner in [layer] if id(layer) in found else layer._flatten_layers():
                found.setdefault(id(inner), inner)
        return list(found.values())

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it holds for the layers inside as well."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._sublayers:
            layer.trainable = value

    @property
    def weights(self) -> list[Variable]:
        """All weights: those of this layer (those that train first), then those of the layers inside."""
        inner = (v for layer in self._sublayers for v in layer.weights)
        return tracking.unique([*tracking.own_weights(self), *inner])

    @property
    def variables(self) -> list[Variable]:
        """All weights and the states of random generators."""
        inner = (v for layer in self._sublayers for v in layer.variables)
        return tracking.unique([*tracking.own_variables(self), *inner])

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes."""
        if not self.trainable:
            return []
        own = [v for v in tracking.own_variables(self) if v.trainable]
        return tracking.unique([*own, *(v for layer in self._sublayers for v in layer.trainable_variables)])

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that training leaves alone (moving averages and random states may change all the same)."""
        trained = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trained]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves alone."""
        trained = {id(v) for v in self.trainable_variables}
        return [v for v in self.weights if id(v) not in trained]

    def get_weights(self) -> list[np.ndarray]:
        """Values of all weights, as numpy arrays."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights, in the order of `get_weights`.

        Raises:
            ShapeError: their number or a shape differs; nothing is set then.
        """
        own = self.weights
        values = [np.asarray(w) for w in weights]
        misfit = self._misfit_of_weights(own, values)
        if misfit is not None:
            raise transfer.advise(misfit, self, [value.shape for value in values])
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)

    def _misfit_of_weights(self, own: list[Variable], values: list[np.ndarray]) -> ShapeError | None:
        """What is wrong with values for the weights, if anything is."""
        if len(values) != len(own):
            return ShapeError(
                f'{type(self).__name__} "{self.name}" has {len(own)} weights; {len(values)} were given',
                layer=self.name,
                expected=", ".join(f"{v.name} {v.shape}" for v in own) or "none",
                received=", ".join(str(value.shape) for value in values) or "none",
            )
        for variable, value in zip(own, values, strict=True):
            if variable.shape != value.shape:
                return ShapeError(
                    f'{type(self).__name__} "{self.name}": the value given for {variable.path!r} does not fit',
                    layer=self.name,
                    expected=f"{variable.shape}",
                    received=f"{value.shape}",
                )
        return None

    def save_own_variables(self, store: Any) -> None:
        """Put the values of the layer's own weights into a file's store, under their positions.

        Args:
            store: takes arrays by name, as a dict does. Override this and `load_own_variables` to keep other things.
        """
        for position, variable in enumerate(tracking.own_weights(self)):
            store[str(position)] = variable

    def load_own_variables(self, store: Any) -> None:
        """Set the layer's own weights from a file's store.

        Args:
            store: gives arrays by name, as a dict does.

        Raises:
            ShapeError: their number or a shape differs.
        """
        own = tracking.own_weights(self)
        names = [str(place) for place in range(len(own))] if len(store.keys()) == len(own) else list(store.keys())
        values = [store[name] for name in names]
        misfit = self._misfit_of_weights(own, values)
        if misfit is not None:
            raise transfer.advise(misfit, self, [value.shape for value in values])
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)
        jax.block_until_ready([v.value for v in own])  # until then the copies hold on to what they are made of

    def count_params(self) -> int:
        """Number of values in all weights.

        Raises:
            ValueError: the layer has no weights yet.
        """
        if not self.built:
            raise ValueError(f"{type(self).__name__} {self.name!r} is not built, so its weights cannot be counted yet")
        return sum(v.size for v in self.weights)

    @property
    def losses(self) -> list[Any]:
        """Losses added in the last call, and those of weights with a regularizer."""
        added = [loss for layer in self._flatten_layers() for loss in layer._losses]
        weighted = [v for v in self.trainable_weights if v.regularizer is not None]
        return added + [jnp.asarray(v.regularizer(v.value)) for v in weighted]

    @property
    def dtype(self) -> str:
        """The type that variables are kept in."""
        return self.dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The type that variables are kept in."""
        return self.dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The type that computations run in."""
        return self.dtype_policy.compute_dtype

    @property
    def path(self) -> str:
        """The name."""
        return self.name

    def _first_node(self, wanted: str) -> Node:
        if not self._nodes:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has not been called on a symbolic tensor, so it has no {wanted}"
            )
        return self._nodes[0]

    @property
    def input(self) -> Any:
        """The symbolic tensor, or structure of them, that the layer was first called on."""
        node = self._first_node("input")
        return node.args[0] if node.args else node.inputs[0]

    @property
    def output(self) -> Any:
        """The symbolic tensor, or structure of them, that came out of the first call."""
        return self._first_node("output").outputs

    @property
    def input_shape(self) -> Any:
        """Shape of `input`, ``(None, ...)``; of several, a structure of shapes."""
        return _shapes(self.input)

    @property
    def output_shape(self) -> Any:
        """Shape of `output`, ``(None, ...)``; of several, a structure of shapes."""
        return _shapes(self.output)

    def _unbuilt_copy(self) -> Any:
        """A layer like this one whose making of weights leaves this one alone."""
        nodes, self._nodes = self._nodes, []
        try:
            return copy.deepcopy(self)
        finally:
            self._nodes = nodes


def _shapes(tensors: Any) -> Any:
    leaves = jax.tree.leaves(tensors)
    return leaves[0].shape if len(leaves) == 1 else jax.tree.map(lambda t: t.shape, tensors)
