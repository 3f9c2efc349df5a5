"""The base of all metrics: numbers that are gathered batch by batch."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core import config, context, dtypes, registry
from lamina.core.variable import StateScope, Variable


@registry.register("metric")
class Metric:
    """Gathers a number over batches. Subclasses define `update_state` and `result`.

    Args:
        dtype: data type of the gathered numbers; the default float, but at least 32 bits.
        name: a name.

    Example:

    >>> import lamina
    >>> class Largest(lamina.metrics.Metric):
    ...     def __init__(self, name="largest"):
    ...         super().__init__(name=name)
    ...         self.largest = self.add_weight(name="largest")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(lamina.ops.maximum(self.largest, lamina.ops.max(y_pred)))
    ...     def result(self):
    ...         return self.largest.value
    >>> metric = Largest()
    >>> metric.update_state([0, 0], [1.0, 3.0])
    >>> float(metric.result())
    3.0
    """

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or context.auto_name(type(self).__name__)
        if dtype is None:
            # Sums in 16 bits stop growing after a few hundred samples.
            dtype = "float32" if config.floatx() in ("float16", "bfloat16") else config.floatx()
        self._dtype = dtypes.get_policy(dtype).compute_dtype
        self._variables: list[Variable] = []

    @property
    def dtype(self) -> str:
        """Data type of the gathered numbers."""
        return self._dtype

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in a batch. To be defined by subclasses, usually as ``(y_true, y_pred, sample_weight=None)``."""
        raise TypeError(f"{type(self).__name__} needs a method `update_state`")

    def result(self) -> Any:
        """The number for all that was taken in. To be defined by subclasses."""
        raise TypeError(f"{type(self).__name__} needs a method `result`")

    def reset_state(self) -> None:
        """Start afresh: all variables become zeros."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.value.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take in a batch, and give the number so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    @property
    def variables(self) -> list[Variable]:
        """What the metric keeps: its own variables, then those of metrics inside it."""
        found = {id(v): v for v in self._variables}
        inner: list[Metric] = []
        for thing in _inside([v for k, v in self.__dict__.items() if k != "_variables"]):
            if isinstance(thing, Metric):
                inner.append(thing)
            else:
                found.setdefault(id(thing), thing)
        for metric in inner:
            found.update((id(v), v) for v in metric.variables if id(v) not in found)
        return list(found.values())

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to the metric.

        Args:
            shape: its shape.
            initializer: ``"zeros"`` or any other initializer.
            dtype: its data type; the metric's if not given.
            aggregation: how replicas are combined.
            name: a name.
        """
        dtype = dtypes.canonical(self._dtype if dtype is None else dtype)
        plain = initializer is None or (isinstance(initializer, str) and initializer == "zeros")
        first = np.zeros(tuple(shape), jnp.dtype(dtype)) if plain else registry.resolve("initializer", initializer)
        with context.name_scope(self.name):
            variable = Variable(
                first, shape=tuple(shape), dtype=dtype, trainable=False, aggregation=aggregation, name=name
            )
        self._variables.append(variable)
        return variable

    def add_weight(
        self, shape: Sequence[int] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """Make a variable that belongs to the metric (as `add_variable`)."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def stateless_update_state(self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """`update_state` as a pure function: the values of `variables` before give those after."""
        variables = self._matching(metric_variables)
        with StateScope(zip(variables, metric_variables)) as scope:
            self.update_state(*args, **kwargs)
            return [scope.value_of(v) for v in variables]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result` as a pure function of the values of `variables`."""
        with StateScope(zip(self._matching(metric_variables), metric_variables)):
            return self.result()

    def stateless_reset_state(self) -> list[Any]:
        """The values of `variables` at the start."""
        variables = self.variables
        with StateScope() as scope:
            self.reset_state()
            return [scope.value_of(v) for v in variables]

    def _matching(self, values: Sequence[Any]) -> list[Variable]:
        variables = self.variables
        if len(values) != len(variables):
            raise ValueError(
                f"`metric_variables` has {len(values)} values; metric {self.name!r} has {len(variables)} variables"
            )
        return variables

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        settings = {"name": self.name, "dtype": self.dtype}
        for name in inspect.signature(type(self).__init__).parameters:
            if name not in ("self", "kwargs") and name not in settings and hasattr(self, name):
                settings[name] = registry.serialize(getattr(self, name))
        return settings

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The metric that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _inside(structure: Any) -> Iterator[Any]:
    """The variables and metrics in nested lists, tuples and dicts."""
    if isinstance(structure, (Variable, Metric)):
        yield structure
    elif isinstance(structure, (list, tuple, dict)):
        for entry in structure.values() if isinstance(structure, dict) else structure:
            yield from _inside(entry)
