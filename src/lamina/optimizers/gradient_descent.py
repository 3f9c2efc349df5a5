"""Gradient descent with one rate for all elements, and by sign."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.optimizers.optimizer import Optimizer
from lamina.optimizers.settings import Settings


@registry.register("optimizer", "sgd")
class SGD(Optimizer):
    """Gradient descent, with momentum if wanted (Nesterov's, for ``nesterov=True``).

    Args:
        learning_rate: a number, a schedule or a function.
        momentum: how much of the last move is kept, from 0 to 1.
        nesterov: look ahead along the momentum.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0, 2.0])
    >>> lamina.optimizers.SGD(learning_rate=0.5).apply([[1.0, 1.0]], [v])
    >>> v.numpy().tolist()
    [0.5, 1.5]
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, **settings)
        self.momentum = checks.real("momentum", momentum, 0.0, 1.0)
        self.nesterov = bool(nesterov)

    def slot_groups(self) -> list[dict[str, Any]]:
        return [{"momentum": "zeros"}] if self.momentum else []

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        if not slots:
            return (value - rate * gradient,)
        move = self.momentum * slots[0] - rate * gradient
        ahead = self.momentum * move - rate * gradient if self.nesterov else move
        return value + ahead, move


@registry.register("optimizer", "lion")
class Lion(Optimizer):
    """Moves every element by the learning rate, along the sign of a momentum (Chen et al., arXiv:2302.06675).

    Args:
        learning_rate: a number, a schedule or a function; about a tenth of Adam's.
        beta_1: weight of the momentum against the gradient in the move.
        beta_2: how much of the momentum is kept.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0, 2.0])
    >>> lamina.optimizers.Lion(learning_rate=0.5).apply([[3.0, -7.0]], [v])
    >>> v.numpy().tolist()
    [0.5, 2.5]
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, **settings)
        self.beta_1 = checks.real("beta_1", beta_1, 0.0, 1.0)
        self.beta_2 = checks.real("beta_2", beta_2, 0.0, 1.0)
        if not self.beta_1:
            raise ValueError("`beta_1`=0: Lion needs more than 0; without it the optimizer is sign descent")

    def slot_groups(self) -> list[dict[str, Any]]:
        return [{"momentum": "zeros"}]

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        (m,) = slots
        move = jnp.sign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        return value - rate * move, self.beta_2 * m + (1 - self.beta_2) * gradient
