"""Any optax transformation as an optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import registry
from lamina.core.variable import Variable
from lamina.optimizers.optimizer import Optimizer


def is_transformation(thing: Any) -> bool:
    """Whether a thing is an optax transformation: it has `init` and `update`."""
    return (
        not isinstance(thing, type)
        and callable(getattr(thing, "init", None))
        and callable(getattr(thing, "update", None))
    )


@registry.register("optimizer", home="lamina.optimizers")
class OptaxOptimizer(Optimizer):
    """An optax transformation, in the place of an optimizer.

    The transformation sees the variables as a list of arrays. Its state is kept in variables, so it is saved with
    the model. The learning rate is inside the transformation; ``optax.inject_hyperparams(optax.adam)(1e-3)`` lets
    callbacks read and set it as ``optimizer.learning_rate``.

    Args:
        transformation: an ``optax.GradientTransformation``.
        name: a name.

    Example:

    >>> import lamina, optax
    >>> optimizer = lamina.optimizers.get(optax.sgd(0.5))
    >>> v = lamina.Variable([1.0, 2.0])
    >>> optimizer.apply([[1.0, 1.0]], [v])
    >>> v.numpy().tolist()
    [0.5, 1.5]
    """

    def __init__(self, transformation: Any, name: str | None = None):
        if not is_transformation(transformation):
            raise ValueError(f"`transformation`={transformation!r}: expected an optax transformation")
        super().__init__(0.0, name=name)
        self._variables = [self._iterations]
        self.transformation = transformation
        self._state: list[Variable] = []
        self._structure: Any = None

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        # One compiled program for the whole first state, not one for each shape in it.
        first = jax.jit(self.transformation.init)([v.value for v in self._trainable_variables])
        leaves, self._structure = jax.tree.flatten(first)
        for position, leaf in enumerate(leaves):
            slot = self.add_variable(leaf.shape, dtype=leaf.dtype, name=f"state_{position}")
            slot.set_raw(leaf)
            self._state.append(slot)

    def _update(self, grads: list[Any], variables: list[Variable]) -> None:
        # The transformation changes all variables at once; one that has no gradient counts as having zeros.
        given = {id(v): g for g, v in zip(grads, variables)}
        every = self._trainable_variables
        gradients = [
            jnp.asarray(given[id(v)], v.value.dtype) if id(v) in given else jnp.zeros_like(v.value) for v in every
        ]
        state = jax.tree.unflatten(self._structure, [s.value for s in self._state])
        updates, state = self.transformation.update(gradients, state, [v.value for v in every])
        for variable, update in zip(every, updates):
            if id(variable) in given:
                variable.assign(variable.value + update)
        for slot, leaf in zip(self._state, jax.tree.leaves(state)):
            slot.assign(leaf)

    def _read_rate(self) -> Any:
        state = jax.tree.unflatten(self._structure, self._state) if self._structure is not None else None
        rate = getattr(state, "hyperparams", {}).get("learning_rate")
        if rate is None:
            raise AttributeError(
                f"optimizer {self.name!r}: the learning rate is inside the optax transformation; to read and set it, "
                f"make it with optax.inject_hyperparams(optax.adam)(learning_rate=...) and build the optimizer"
            )
        return rate

    def _set_rate(self, rate: Any) -> None:
        if hasattr(self, "transformation"):
            self._read_rate().assign(rate)
        else:
            super()._set_rate(rate)

    def get_config(self) -> dict[str, Any]:
        """Refused: a transformation consists of functions, which no file can hold."""
        raise ValueError(
            f"optimizer {self.name!r} is an optax transformation and cannot be described in a file; "
            f"compile the loaded model with it again"
        )
