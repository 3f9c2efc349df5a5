"""How well predictions follow labels: explained variance and correlations."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.metrics import weighting
from lamina.metrics.metric import Metric
from lamina.metrics.reduction import MeanMetricWrapper


@registry.register("metric", "r2_score")
class R2Score(Metric):
    """The share of the labels' variance that the predictions explain; 1 is best, 0 is what the mean does.

    Args:
        class_aggregation: ``"uniform_average"`` over the outputs, ``"variance_weighted_average"``, or ``None`` for one
            number per output.
        num_regressors: number of inputs of the model, for the adjusted score.
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        allowed = (None, "uniform_average", "variance_weighted_average")
        self.class_aggregation = checks.one_of("class_aggregation", class_aggregation, allowed)
        if not checks.is_whole(num_regressors) or num_regressors < 0:
            raise ValueError(f"`num_regressors`={num_regressors!r}: expected a whole number of at least 0")
        self.num_regressors = int(num_regressors)
        self.num_samples = self.add_variable((), name="num_samples")
        self.built = False

    def build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        """Make the sums; they need the number of outputs."""
        outputs = (int(y_pred_shape[-1]),) if len(y_pred_shape) > 1 else (1,)
        self.squared_sum = self.add_variable(outputs, name="squared_sum")
        self.sum = self.add_variable(outputs, name="sum")
        self.total_mse = self.add_variable(outputs, name="residual")
        self.count = self.add_variable(outputs, name="count")
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions ``(batch, outputs)``."""
        y_true, y_pred = weighting.fit(
            self.name, "categorical", weighting.tensor(y_true, self.dtype), weighting.tensor(y_pred, self.dtype)
        )
        if y_pred.ndim == 1:
            y_true, y_pred = y_true[:, None], y_pred[:, None]
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        weights = jnp.ones_like(y_pred)
        if sample_weight is not None:
            weights = weighting.spread(self.name, sample_weight, y_pred.shape, self.dtype)
        for variable, values in (
            (self.squared_sum, jnp.square(y_true) * weights),
            (self.sum, y_true * weights),
            (self.total_mse, jnp.square(y_true - y_pred) * weights),
            (self.count, weights),
        ):
            variable.assign_add(jnp.sum(values, axis=0))
        self.num_samples.assign_add(jnp.asarray(y_true.size, self.dtype))

    def result(self) -> Any:
        """The score, or one score per output."""
        if not self.built:
            return jnp.zeros((), self.dtype)
        mean = self.sum.value / self.count.value
        total = self.squared_sum.value - self.sum.value * mean
        scores = 1 - self.total_mse.value / total
        scores = jnp.where(jnp.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = jnp.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = jnp.sum(scores * total / jnp.sum(total))
        if self.num_regressors:
            free = self.num_samples.value - self.num_regressors - 1
            adjusted = 1 - (1 - scores) * (self.num_samples.value - 1) / jnp.where(free > 0, free, 1)
            scores = jnp.where(free > 0, adjusted, scores)
        return scores


def _centred(y_true: Any, y_pred: Any, axis: Any) -> tuple[Any, Any]:
    return y_true - jnp.mean(y_true, axis=axis, keepdims=True), y_pred - jnp.mean(y_pred, axis=axis, keepdims=True)


@registry.register("metric_function", home="keras.metrics")
def pearson_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """The linear correlation of labels and predictions along an axis, from -1 to 1.

    >>> import lamina
    >>> lamina.metrics.pearson_correlation([[0.0, 1.0, 2.0]], [[1.0, 3.0, 5.0]]).round(4).tolist()
    [1.0]
    """
    y_true, y_pred = weighting.fit("pearson_correlation", "categorical", y_true, y_pred)
    true, pred = _centred(y_true, y_pred, axis)
    sizes = jnp.sum(jnp.square(true), axis=axis) * jnp.sum(jnp.square(pred), axis=axis)
    return jnp.sum(true * pred, axis=axis) / jnp.maximum(jnp.sqrt(sizes), config.epsilon())


@registry.register("metric_function", home="keras.metrics")
def concordance_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """Lin's concordance along an axis: correlation that also asks for the same mean and spread (Biometrics 45, 1989).

    >>> import lamina
    >>> lamina.metrics.concordance_correlation([[0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]]).round(4).tolist()
    [1.0]
    """
    y_true, y_pred = weighting.fit("concordance_correlation", "categorical", y_true, y_pred)
    true, pred = _centred(y_true, y_pred, axis)
    apart = jnp.square(jnp.mean(y_true, axis=axis) - jnp.mean(y_pred, axis=axis))
    spreads = jnp.mean(jnp.square(true), axis=axis) + jnp.mean(jnp.square(pred), axis=axis)
    return 2 * jnp.mean(true * pred, axis=axis) / (spreads + apart + config.epsilon())


@registry.register("metric", "pearson_correlation")
class PearsonCorrelation(MeanMetricWrapper):
    """The mean linear correlation of labels and predictions.

    Args:
        name: a name.
        dtype: data type of the sums.
        axis: the axis along which they are correlated.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.PearsonCorrelation()([[0.0, 1.0, 2.0]], [[1.0, 3.0, 5.0]])), 4)
    1.0
    """

    def __init__(self, name: str = "pearson_correlation", dtype: Any = None, axis: Any = -1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


@registry.register("metric", "concordance_correlation")
class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean concordance of labels and predictions (Lin, Biometrics 45, 1989).

    Args:
        name: a name.
        dtype: data type of the sums.
        axis: the axis along which they are compared.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.ConcordanceCorrelation()([[0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]])), 4)
    1.0
    """

    def __init__(self, name: str = "concordance_correlation", dtype: Any = None, axis: Any = -1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
