"""Training in 16 bits: the loss is scaled so that small gradients do not vanish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.core.variable import Variable
from lamina.optimizers.optimizer import Optimizer
from lamina.optimizers.state import choose


@registry.register("optimizer", "lossscaleoptimizer")
class LossScaleOptimizer(Optimizer):
    """Scales the loss as far as the gradients stay finite (Micikevicius et al., arXiv:1710.03740).

    After `dynamic_growth_steps` good steps the scale doubles; a step with an infinite or undefined gradient is left
    out and halves it.

    Args:
        inner_optimizer: makes the updates.
        initial_scale: where the scale starts.
        dynamic_growth_steps: good steps before it doubles.
        name: a name.

    Example:

    >>> import lamina
    >>> optimizer = lamina.optimizers.LossScaleOptimizer(lamina.optimizers.SGD(1.0), initial_scale=8.0)
    >>> v = lamina.Variable([1.0])
    >>> optimizer.build([v])
    >>> float(optimizer.scale_loss(2.0))
    16.0
    >>> optimizer.apply([[4.0]], [v])
    >>> v.numpy().tolist()
    [0.5]
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ):
        if not isinstance(inner_optimizer, Optimizer):
            raise ValueError(f"`inner_optimizer`={inner_optimizer!r}: expected an optimizer")
        if any(value for value in kwargs.values()):
            names = ", ".join(f"`{k}`" for k, v in kwargs.items() if v)
            raise ValueError(f"LossScaleOptimizer does not take {names}: give it to the inner optimizer")
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = checks.real("initial_scale", initial_scale, low=0.0)
        self.dynamic_growth_steps = checks.positive_int("dynamic_growth_steps", dynamic_growth_steps)

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        self.dynamic_scale = self.add_variable((), self.initial_scale, "float32", name="dynamic_scale")
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """Its own variables, then the inner optimizer's."""
        return [*self._variables, *self.inner_optimizer.variables]

    def apply(self, grads: Iterable[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Change the variables along the gradients of the scaled loss, unless one of them is not finite."""
        grads = [None if g is None else jnp.asarray(g) for g in grads]
        variables = self._targets(grads, trainable_variables)
        given = [g for g in grads if g is not None]
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(g)) for g in given])) if given else jnp.asarray(True)

        def good() -> None:
            scale = self.dynamic_scale.value
            self.inner_optimizer.apply([None if g is None else g / scale for g in grads], variables)
            count = self.step_counter.value + 1
            grown = count == self.dynamic_growth_steps
            self.step_counter.assign(jnp.where(grown, 0, count))
            self.dynamic_scale.assign(jnp.where(grown, scale * 2, scale))

        def bad() -> None:
            self.step_counter.assign(0)
            self.dynamic_scale.assign(self.dynamic_scale.value / 2)

        choose(finite, good, bad, [*variables, *self.variables])

    @property
    def iterations(self) -> Any:
        """How many updates the inner optimizer has made."""
        return self.inner_optimizer.iterations

    @iterations.setter
    def iterations(self, variable: Variable) -> None:
        self.inner_optimizer.iterations = variable

    def _read_rate(self) -> Any:
        return self.inner_optimizer.learning_rate

    def _set_rate(self, rate: Any) -> None:
        if hasattr(self, "inner_optimizer"):
            self.inner_optimizer.learning_rate = rate
        else:
            super()._set_rate(rate)

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the present scale."""
        return loss * (self.dynamic_scale.value if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Set variables to the inner optimizer's averages."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again."""
        return {
            "name": self.name,
            "inner_optimizer": registry.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """The optimizer that `get_config` described."""
        inner = registry.build("optimizer", config["inner_optimizer"], custom_objects)
        return cls(inner, **{k: v for k, v in config.items() if k != "inner_optimizer"})
