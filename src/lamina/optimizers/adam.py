"""Adam and its relatives: a momentum, divided by a running size of the gradient."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.core.variable import Variable
from lamina.optimizers.optimizer import Optimizer
from lamina.optimizers.settings import Settings


class _TwoMoments(Optimizer):
    """The arguments and slots that the family shares."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, **settings)
        self.beta_1 = checks.real("beta_1", beta_1, 0.0, 1.0)
        self.beta_2 = checks.real("beta_2", beta_2, 0.0, 1.0)
        self.epsilon = checks.real("epsilon", epsilon, low=0.0)

    def slot_groups(self) -> list[dict[str, Any]]:
        return [{"momentum": "zeros", "velocity": "zeros"}]

    def moments(self, gradient: Any, m: Any, v: Any) -> tuple[Any, Any]:
        """The running means of the gradient and of its square."""
        return m + (gradient - m) * (1 - self.beta_1), v + (jnp.square(gradient) - v) * (1 - self.beta_2)

    def powers(self, step: Any) -> tuple[Any, Any]:
        """Each beta to the power of the step."""
        return jnp.power(jnp.asarray(self.beta_1, step.dtype), step), jnp.power(
            jnp.asarray(self.beta_2, step.dtype), step
        )


@registry.register("optimizer", "adam")
class Adam(_TwoMoments):
    """Gradient descent with a rate for every element, from running means (Kingma and Ba, arXiv:1412.6980).

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: how much of the mean of the gradient is kept.
        beta_2: how much of the mean of its square is kept.
        epsilon: keeps the division finite.
        amsgrad: divide by the largest mean so far (Reddi et al., arXiv:1904.09237).
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0, 2.0])
    >>> lamina.optimizers.Adam(learning_rate=0.5).apply([[3.0, -7.0]], [v])
    >>> v.numpy().round(4).tolist()
    [0.5, 2.5]
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **settings: Unpack[Settings],
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **settings)
        self.amsgrad = bool(amsgrad)

    def slot_groups(self) -> list[dict[str, Any]]:
        return super().slot_groups() + ([{"velocity_hat": "zeros"}] if self.amsgrad else [])

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        m, v = self.moments(gradient, *slots[:2])
        power_1, power_2 = self.powers(step)
        largest = (jnp.maximum(slots[2], v),) if self.amsgrad else ()
        rate = rate * jnp.sqrt(1 - power_2) / (1 - power_1)
        value = value - m * rate / (jnp.sqrt(largest[0] if largest else v) + self.epsilon)
        return value, m, v, *largest


@registry.register("optimizer", "adamw")
class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter, arXiv:1711.05101).

    Args:
        learning_rate: a number, a schedule or a function.
        weight_decay: share of each variable, times the learning rate, that is taken away each step.
        beta_1: how much of the mean of the gradient is kept.
        beta_2: how much of the mean of its square is kept.
        epsilon: keeps the division finite.
        amsgrad: divide by the largest mean so far.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0])
    >>> lamina.optimizers.AdamW(learning_rate=0.5, weight_decay=0.1).apply([[3.0]], [v])
    >>> round(float(v[0]), 4)
    0.45
    """

    def __init__(  # type: ignore[misc]
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **settings: Unpack[Settings],
    ):
        if weight_decay is None:
            raise ValueError("`weight_decay`=None: AdamW needs a number; Adam is AdamW without weight decay")
        settings["weight_decay"] = weight_decay
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, **settings)


@registry.register("optimizer", "adamax")
class Adamax(_TwoMoments):
    """Adam with the largest gradient so far in place of the mean square (Kingma and Ba, arXiv:1412.6980, section 7).

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: how much of the mean of the gradient is kept.
        beta_2: how fast the largest gradient is forgotten.
        epsilon: keeps the division finite.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0])
    >>> lamina.optimizers.Adamax(learning_rate=0.5).apply([[3.0]], [v])
    >>> v.numpy().round(4).tolist()
    [0.5]
    """

    def slot_groups(self) -> list[dict[str, Any]]:
        return [{"momentum": "zeros", "norm": "zeros"}]

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        m, largest = slots
        m = m + (gradient - m) * (1 - self.beta_1)
        largest = jnp.maximum(self.beta_2 * largest, jnp.abs(gradient))
        power, _ = self.powers(step)
        return value - rate * m / ((1 - power) * (largest + self.epsilon)), m, largest


@registry.register("optimizer", "nadam")
class Nadam(_TwoMoments):
    """Adam with Nesterov's momentum (Dozat, 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ).

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: how much of the mean of the gradient is kept.
        beta_2: how much of the mean of its square is kept.
        epsilon: keeps the division finite.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0])
    >>> lamina.optimizers.Nadam(learning_rate=0.5).apply([[3.0]], [v])
    >>> bool(v.numpy()[0] < 0.6)
    True
    """

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        dtype = self._trainable_variables[0].dtype if self._trainable_variables else None
        self._product = self.add_variable((), "ones", dtype, name="momentum_product")

    def _warmed(self, step: Any) -> Any:
        return self.beta_1 * (1 - 0.5 * jnp.power(jnp.asarray(0.96, step.dtype), step))

    def update_all(self, grads: list[Any], variables: list[Variable], learning_rate: Any) -> None:
        step = jnp.asarray(self.iterations + 1, self._product.value.dtype)
        self._product.assign(self._product.value * self._warmed(step))
        super().update_all(grads, variables, learning_rate)

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        m, v = self.moments(gradient, *slots)
        now, ahead = self._warmed(step), self._warmed(step + 1)
        product = jnp.asarray(self._product.value, step.dtype)
        mean = ahead * m / (1 - product * ahead) + (1 - now) * gradient / (1 - product)
        size = v / (1 - self.powers(step)[1])
        return value - mean * rate / (jnp.sqrt(size) + self.epsilon), m, v


@registry.register("optimizer", "lamb")
class Lamb(_TwoMoments):
    """Adam whose move is as long as a share of the variable, for large batches (You et al., arXiv:1904.00962).

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: how much of the mean of the gradient is kept.
        beta_2: how much of the mean of its square is kept.
        epsilon: keeps the division finite.
        **settings: what all optimizers take (see `Optimizer`).

    Example:

    >>> import lamina
    >>> v = lamina.Variable([2.0])
    >>> lamina.optimizers.Lamb(learning_rate=0.5).apply([[3.0]], [v])
    >>> v.numpy().round(4).tolist()
    [1.0]
    """

    def formula(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        m, v = self.moments(gradient, *slots)
        power_1, power_2 = self.powers(step)
        move = m / (1 - power_1) / (jnp.sqrt(v / (1 - power_2)) + self.epsilon)
        own, length = jnp.sqrt(jnp.sum(jnp.square(value))), jnp.sqrt(jnp.sum(jnp.square(move)))
        share = jnp.where((own > 0) & (length > 0), own / jnp.where(length > 0, length, 1), 1.0)
        return value - share * rate * move, m, v
