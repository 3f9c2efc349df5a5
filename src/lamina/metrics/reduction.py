"""Sums and means over batches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import context, dtypes, registry
from lamina.metrics import weighting
from lamina.metrics.metric import Metric


def per_sample(metric: Metric, values: Any, weights: Any, mean: bool) -> tuple[jax.Array, Any]:
    """Weighted values and weights, reduced to one for each sample (a sum, or a mean over its places)."""
    reduce = jnp.mean if mean else jnp.sum
    values = weighting.tensor(values, metric.dtype)
    if weights is not None:
        weights = weighting.masked(metric.name, weights, context.masks.get(values), metric.dtype)
        weights = weighting.tensor(weights, metric.dtype)
        if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
            weights = weights.reshape(weights.shape[:-1])
        elif weights.ndim == values.ndim - 1 == 0:
            weights = weights[None]
        if values.ndim > weights.ndim:
            values = reduce(values, axis=tuple(range(weights.ndim, values.ndim)))
        weights = weighting.spread(metric.name, weights, values.shape, metric.dtype)
        values = values * weights
        if weights.ndim > 1:
            weights = reduce(weights, axis=tuple(range(1, weights.ndim)))
    if values.ndim > 1:
        values = reduce(values, axis=tuple(range(1, values.ndim)))
    return values, weights


def quotient(a: Any, b: Any) -> Any:
    """``a / b``, and 0 where `b` is 0."""
    return jnp.where(b == 0, 0, a / jnp.where(b == 0, 1, b))


@registry.register("metric", "sum")
class Sum(Metric):
    """The (weighted) sum of the values.

    Args:
        name: a name.
        dtype: data type of the sum.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.Sum()
    >>> metric.update_state([1, 3, 5])
    >>> float(metric.result())
    9.0
    """

    def __init__(self, name: str = "sum", dtype: Any = None):
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable((), name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Take in values ``(batch, ...)``, weighted by `sample_weight` ``(batch,)`` or of their shape."""
        values, _ = per_sample(self, values, sample_weight, mean=False)
        self.total.assign_add(jnp.sum(values))

    def result(self) -> Any:
        """The sum."""
        return self.total.value


@registry.register("metric", "mean")
class Mean(Metric):
    """The (weighted) mean of the values.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> metric = lamina.metrics.Mean()
    >>> metric.update_state([1, 3], sample_weight=[3, 1])
    >>> float(metric.result())
    1.5
    """

    def __init__(self, name: str = "mean", dtype: Any = None):
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable((), name="total")
        self.count = self.add_variable((), name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Take in values ``(batch, ...)``, weighted by `sample_weight` ``(batch,)`` or of their shape."""
        values, weights = per_sample(self, values, sample_weight, mean=True)
        self.total.assign_add(jnp.sum(values))
        samples = values.shape[0] if values.ndim else 1
        self.count.assign_add(jnp.asarray(samples, values.dtype) if weights is None else jnp.sum(weights))

    def result(self) -> Any:
        """The mean; 0 before anything was taken in."""
        return quotient(self.total.value, self.count.value)


@registry.register("metric", "mean_metric_wrapper")
class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions, masked places left out.

    Args:
        fn: ``fn(y_true, y_pred, **kwargs)``; gives one value for each sample (and place).
        name: a name.
        dtype: data type of the sums.
        kwargs: further arguments of the function.

    Example:

    >>> import lamina
    >>> distance = lamina.metrics.MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name="distance")
    >>> distance.update_state([1.0, 2.0], [2.0, 5.0])
    >>> float(distance.result())
    2.0
    """

    def __init__(self, fn: Any, name: str | None = None, dtype: Any = None, **kwargs: Any):
        if not callable(fn):
            raise ValueError(f"`fn`={fn!r}: expected a function of y_true and y_pred")
        super().__init__(name=name or context.auto_name(type(self).__name__), dtype=dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in labels and predictions ``(batch, ...)``."""
        mask = context.masks.get(y_pred)
        y_pred = weighting.tensor(y_pred, self.dtype)
        y_true = weighting.tensor(y_true)
        if y_true.dtype == bool or dtypes.is_float(y_true.dtype):
            y_true = y_true.astype(self.dtype)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        super().update_state(values, weighting.masked(self.name, sample_weight, mask, self.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        settings = super().get_config()
        if type(self) is MeanMetricWrapper:
            settings["fn"] = registry.serialize(self._fn)
        return {**settings, **registry.serialize(self._fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The metric that `get_config` described."""
        if "fn" in config:
            config = {**config, "fn": _function(config["fn"])}
        return cls(**config)


def _function(described: Any) -> Any:
    """The function of metrics or losses that a description names."""
    if isinstance(described, dict):
        described = described["config"] if described.get("class_name") == "function" else described.get("class_name")
    if callable(described):
        return described
    known = {**registry.known("loss"), **registry.known("metric_function")}
    return known[described] if described in known else registry.find("loss", described)
