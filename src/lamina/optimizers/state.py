"""What an optimizer keeps: its variables, among them the learning rate, and how they go to files and back."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, config, context, dtypes, registry
from lamina.core.variable import StateScope, Variable
from lamina.optimizers.schedules import LearningRateSchedule


class OptimizerState:
    """The variables of an optimizer."""

    name: str
    _variables: list[Variable]
    _iterations: Variable
    _learning_rate: Any

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if isinstance(value, Variable):
            self._track(value)

    def _track(self, variable: Variable) -> None:
        if all(variable is not v for v in self._variables):
            self._variables.append(variable)

    @property
    def variables(self) -> list[Variable]:
        """All that the optimizer keeps: the step count, the learning rate, then what it remembers of each variable."""
        return list(self._variables)

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to the optimizer.

        Args:
            shape: its shape.
            initializer: ``"zeros"``, ``"ones"``, any other initializer, or a number.
            dtype: its data type; the default float if not given.
            aggregation: how replicas are combined.
            layout: how it is laid out over devices: a ``jax.sharding.Sharding``.
            name: a name.
        """
        with context.name_scope(self.name):
            first = _first_value(initializer, tuple(shape), dtypes.canonical(dtype))
            variable = Variable(
                first, shape=tuple(shape), dtype=dtype, trainable=False, aggregation=aggregation, name=name
            )
        if layout is not None:
            variable.set_raw(jax.device_put(variable.value, layout))
        self._track(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Make a variable of the shape and type of another, named after it."""
        path = getattr(reference_variable, "path", reference_variable.name).replace("/", "_")
        return self.add_variable(
            reference_variable.shape,
            initializer=initializer,
            dtype=reference_variable.dtype,
            name=f"{path}_{name}" if name else path,
        )

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: str | Sequence[str], initializer: Any = "zeros"
    ) -> Any:
        """Make a variable for each of `trainable_variables`: one list, or as many lists as there are names."""
        names = [name] if isinstance(name, str) else list(name)
        first = list(initializer) if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        made = [[self.add_variable_from_reference(v, n, i) for n, i in zip(names, first)] for v in trainable_variables]
        columns = tuple([row[i] for row in made] for i in range(len(names)))
        return columns[0] if isinstance(name, str) else columns

    @property
    def learning_rate(self) -> Any:
        """The learning rate now: a variable, or what the schedule says."""
        return self._read_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self._set_rate(learning_rate)

    def _read_rate(self) -> Any:
        rate = self._learning_rate
        if isinstance(rate, Variable):
            return rate
        if isinstance(rate, LearningRateSchedule):
            return rate(self._iterations)
        return rate(self._iterations) if _takes_step(rate) else rate()

    def _set_rate(self, rate: Any) -> None:
        old = self._learning_rate
        if isinstance(rate, dict):
            rate = registry.build("schedule", rate)
        if isinstance(rate, Variable) and isinstance(old, Variable):
            old.assign(rate)
        elif isinstance(rate, LearningRateSchedule) or (callable(rate) and not isinstance(rate, Variable)):
            self._variables = [v for v in self._variables if v is not old]
            self._learning_rate = rate
        elif isinstance(old, Variable):
            old.assign(_number("learning_rate", rate))
        elif old is not None:
            raise TypeError(
                f"the learning rate of optimizer {self.name!r} follows {old!r} and cannot be set to {rate!r}; "
                f"give a number when the optimizer is made, or set another schedule"
            )
        else:
            first = _number("learning_rate", rate)
            self._learning_rate = self.add_variable(
                (), first, config.floatx(), "only_first_replica", name="learning_rate"
            )

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all the optimizer's variables, in their order.

        Raises:
            ValueError: there are more or fewer values than variables.
        """
        if len(weights) != len(self.variables):
            raise ValueError(f"{len(weights)} values came for the {len(self.variables)} variables of {self.name!r}")
        for variable, value in zip(self.variables, weights):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Put the values of all variables into a store, under their positions."""
        for position, variable in enumerate(self.variables):
            store[str(position)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the values from a store; a store of another optimizer is left aside with a warning."""
        count = len(store.keys())
        if count < len(self.variables) and (not count or not int(store["0"])):
            return  # stored before the first step, so there is nothing to go on from
        targets = self.variables
        if count == len(targets) - 1 and isinstance(self._learning_rate, Variable):
            targets = [v for v in targets if v is not self._learning_rate]  # Keras 2 kept the rate apart
        if count != len(targets):
            warnings.warn(
                f"optimizer {self.name!r} has {len(self.variables)} variables, the stored one has "
                f"{len(store.keys())}; its state was not loaded",
                stacklevel=2,
            )
            return
        for position, variable in enumerate(targets):
            variable.assign(np.asarray(store[str(position)]))


def _first_value(initializer: Any, shape: tuple[int, ...], dtype: str) -> Any:
    # From numpy, so that nothing is compiled for each new shape.
    if initializer == "zeros":
        return np.zeros(shape, jnp.dtype(dtype))
    if initializer == "ones" or isinstance(initializer, (int, float)):
        return np.full(shape, 1 if initializer == "ones" else initializer, jnp.dtype(dtype))
    return registry.resolve("initializer", initializer)


def _number(name: str, value: Any) -> Any:
    if isinstance(value, (jax.Array, np.ndarray, Variable)) and value.ndim == 0:
        return value if isinstance(value, jax.core.Tracer) else float(value)
    try:
        return checks.real(name, value)
    except ValueError:
        raise ValueError(
            f"`{name}`={value!r}: expected a finite number, a LearningRateSchedule, or a function of the step"
        ) from None


def _takes_step(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in kinds and p.default is p.empty for p in parameters)


def choose(
    condition: Any, when_true: Callable[[], None], when_false: Callable[[], None], variables: Sequence[Variable]
) -> None:
    """Run one of two functions that assign `variables`; a condition known only on the device becomes `lax.cond`."""
    if not isinstance(condition, jax.core.Tracer):
        (when_true if condition else when_false)()
        return

    def pure(function: Callable[[], None]) -> Callable[[list[Any]], list[Any]]:
        def run(values: list[Any]) -> list[Any]:
            with StateScope(zip(variables, values)) as scope:
                function()
                return [scope.value_of(v) for v in variables]

        return run

    values = jax.lax.cond(condition, pure(when_true), pure(when_false), [v.value for v in variables])
    for variable, value in zip(variables, values):
        variable.set_raw(value)
