"""Adafactor: the memory of Adam's second moment, as a row and a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.core.variable import Variable
from lamina.optimizers.optimizer import Optimizer
from lamina.optimizers.settings import Settings


def _rms(x: Any) -> Any:
    return jnp.sqrt(jnp.mean(jnp.square(x)))


@registry.register("optimizer", "adafactor")
class Adafactor(Optimizer):
    """Remembers rows and columns of squared gradients, not every element (Shazeer and Stern, arXiv:1804.04235).

    Args:
        learning_rate: a number, a schedule or a function.
        beta_2_decay: how fast the memory becomes long.
        epsilon_1: added to squared gradients.
        epsilon_2: the least size of a variable that the rate is scaled by.
        clip_threshold: the largest root mean square of a move.
        relative_step: let the rate fall with the root of the step.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([[1.0, 2.0], [3.0, 4.0]])
    >>> optimizer = lamina.optimizers.Adafactor(0.1)
    >>> optimizer.build([v])
    >>> [slot.shape for slot in optimizer.variables[2:4]]
    [(2,), (2,)]
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, **settings)
        self.beta_2_decay = checks.real("beta_2_decay", beta_2_decay)
        self.epsilon_1 = checks.real("epsilon_1", epsilon_1, low=0.0)
        self.epsilon_2 = checks.real("epsilon_2", epsilon_2, low=0.0)
        self.clip_threshold = checks.real("clip_threshold", clip_threshold, low=0.0)
        self.relative_step = bool(relative_step)

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        for slots, variable in zip(self._slots, self._trainable_variables):
            name, shape = variable.path.replace("/", "_"), variable.shape
            # A variable of fewer than two axes has no rows and columns; files still have a place for them.
            row, column = (shape[:-1], shape[:-2] + shape[-1:]) if len(shape) > 1 else ((), ())
            dtype = variable.dtype if len(shape) > 1 else "int32"
            slots.append(self.add_variable(row, dtype=dtype, name=f"{name}_row"))
            slots.append(self.add_variable(column, dtype=dtype, name=f"{name}_column"))
            slots.append(self.add_variable_from_reference(variable, "velocity"))

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        row, column, squares = slots
        if self.relative_step:
            rate = jnp.minimum(rate, 1 / jnp.sqrt(step))
        rate = jnp.maximum(self.epsilon_2, _rms(value)) * rate
        keep = 1 - jnp.power(step, self.beta_2_decay)
        new = jnp.square(gradient) + self.epsilon_1
        if value.ndim > 1:
            row = keep * row + (1 - keep) * jnp.mean(new, axis=-1)
            column = keep * column + (1 - keep) * jnp.mean(new, axis=-2)
            share = row / jnp.mean(row, axis=-1, keepdims=True)
            squares = share[..., None] * column[..., None, :]
        else:
            squares = keep * squares + (1 - keep) * new
        move = gradient / jnp.sqrt(squares)
        move = move / jnp.maximum(1.0, _rms(move) / self.clip_threshold)
        return value - rate * move, row, column, squares
