"""A rate for every element, from the squares of its past gradients."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.optimizers.optimizer import Optimizer
from lamina.optimizers.settings import Settings


@registry.register("optimizer", "rmsprop")
class RMSprop(Optimizer):
    """Divides the gradient by the root of a running mean of its square (Hinton, 2012).

    Args:
        learning_rate: a number, a schedule or a function.
        rho: how much of the mean square is kept.
        momentum: how much of the last move is kept.
        epsilon: keeps the division finite.
        centered: divide by the running standard deviation instead.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0])
    >>> lamina.optimizers.RMSprop(learning_rate=0.1, rho=0.75).apply([[3.0]], [v])
    >>> round(float(v[0]), 4)
    0.8
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, **settings)
        self.rho = checks.real("rho", rho, 0.0, 1.0)
        self.momentum = checks.real("momentum", momentum, 0.0, 1.0)
        self.epsilon = checks.real("epsilon", epsilon, low=0.0)
        self.centered = bool(centered)

    def slot_groups(self) -> list[dict[str, Any]]:
        names = ["velocity"] + ["momentum"] * (self.momentum > 0) + ["average_gradient"] * self.centered
        return [{name: "zeros"} for name in names]

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        squares = self.rho * slots[0] + (1 - self.rho) * jnp.square(gradient)
        spread, mean = squares, []
        if self.centered:
            mean = [self.rho * slots[-1] + (1 - self.rho) * gradient]
            spread = squares - jnp.square(mean[0])
        move = rate * gradient / jnp.sqrt(spread + self.epsilon)
        if self.momentum > 0:
            move = self.momentum * slots[1] + move
            return value - move, squares, move, *mean
        return value - move, squares, *mean


@registry.register("optimizer", "adagrad")
class Adagrad(Optimizer):
    """Divides the gradient by the root of the sum of all its squares (Duchi et al., JMLR 12, 2011).

    Args:
        learning_rate: a number, a schedule or a function.
        initial_accumulator_value: where the sums start.
        epsilon: keeps the division finite.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0])
    >>> lamina.optimizers.Adagrad(0.1, initial_accumulator_value=0.0).apply([[3.0]], [v])
    >>> round(float(v[0]), 4)
    0.9
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, **settings)
        self.initial_accumulator_value = checks.real("initial_accumulator_value", initial_accumulator_value, low=0.0)
        self.epsilon = checks.real("epsilon", epsilon, low=0.0)

    def slot_groups(self) -> list[dict[str, Any]]:
        return [{"accumulator": self.initial_accumulator_value}]

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        squares = slots[0] + jnp.square(gradient)
        return value - rate * gradient / jnp.sqrt(squares + self.epsilon), squares


@registry.register("optimizer", "adadelta")
class Adadelta(Optimizer):
    """Scales the gradient by the ratio of past moves to past gradients (Zeiler, arXiv:1212.5701).

    Args:
        learning_rate: a number, a schedule or a function; 1.0 is the paper's.
        rho: how much of the running means is kept.
        epsilon: keeps the division finite.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0])
    >>> lamina.optimizers.Adadelta(1.0).apply([[3.0]], [v])
    >>> bool(v.numpy()[0] < 1.0)
    True
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, **settings)
        self.rho = checks.real("rho", rho, 0.0, 1.0)
        self.epsilon = checks.real("epsilon", epsilon, low=0.0)

    def slot_groups(self) -> list[dict[str, Any]]:
        return [{"accumulated_grad": "zeros", "accumulated_delta_var": "zeros"}]

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        squares, moves = slots
        squares = self.rho * squares + (1 - self.rho) * jnp.square(gradient)
        move = -jnp.sqrt(moves + self.epsilon) / jnp.sqrt(squares + self.epsilon) * gradient
        moves = self.rho * moves + (1 - self.rho) * jnp.square(move)
        return value + rate * move, squares, moves


@registry.register("optimizer", "ftrl")
class Ftrl(Optimizer):
    """Follow the regularized leader, for large sparse linear models (McMahan et al., KDD 2013).

    Args:
        learning_rate: a number, a schedule or a function.
        learning_rate_power: how the rate falls with the sum of squares; at most 0.
        initial_accumulator_value: where the sums of squares start.
        l1_regularization_strength: pulls small elements to exactly 0.
        l2_regularization_strength: pulls all elements towards 0.
        l2_shrinkage_regularization_strength: the same, on the gradient.
        beta: the paper's beta.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([0.0, 0.0])
    >>> lamina.optimizers.Ftrl(0.5, l1_regularization_strength=1.0).apply([[3.0, 0.5]], [v])
    >>> [float(x) != 0 for x in v.numpy()]
    [True, False]
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, **settings)
        self.learning_rate_power = checks.real("learning_rate_power", learning_rate_power, high=0.0)
        self.initial_accumulator_value = checks.real("initial_accumulator_value", initial_accumulator_value, low=0.0)
        self.l1_regularization_strength = checks.real("l1_regularization_strength", l1_regularization_strength, low=0.0)
        self.l2_regularization_strength = checks.real("l2_regularization_strength", l2_regularization_strength, low=0.0)
        self.l2_shrinkage_regularization_strength = checks.real(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength, low=0.0
        )
        self.beta = checks.real("beta", beta)

    def slot_groups(self) -> list[dict[str, Any]]:
        return [{"accumulator": self.initial_accumulator_value, "linear": "zeros"}]

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        squares, linear = slots
        l1, l2 = self.l1_regularization_strength, self.l2_regularization_strength + self.beta / (2 * rate)
        shrunk = gradient + 2 * self.l2_shrinkage_regularization_strength * value
        new_squares = squares + jnp.square(gradient)
        power = -self.learning_rate_power
        old_root, root = jnp.power(squares, power), jnp.power(new_squares, power)
        linear = linear + shrunk - (root - old_root) / rate * value
        value = (jnp.clip(linear, -l1, l1) - linear) / (root / rate + 2 * l2)
        return value, new_squares, linear
