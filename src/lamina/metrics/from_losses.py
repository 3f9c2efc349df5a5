"""Losses as metrics: their mean over all samples."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lamina.core import registry
from lamina.losses import formulas, regression, structured
from lamina.metrics import weighting
from lamina.metrics.reduction import Mean, MeanMetricWrapper


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between labels and predictions; 1 where they point the same way."""
    return -regression.cosine_similarity(y_true, y_pred, axis=axis)


@registry.register("metric", "mean_squared_error", "mse", "MSE")
class MeanSquaredError(MeanMetricWrapper):
    """The mean of ``(y_true - y_pred) ** 2``.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.MeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]]))
    0.25
    """

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None):
        super().__init__(regression.mean_squared_error, name, dtype)


@registry.register("metric", "mean_absolute_error", "mae", "MAE")
class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of ``|y_true - y_pred|``.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.MeanAbsoluteError()([[0, 1], [0, 0]], [[1, 1], [0, 0]]))
    0.25
    """

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None):
        super().__init__(regression.mean_absolute_error, name, dtype)


@registry.register("metric", "mean_absolute_percentage_error", "mape", "MAPE")
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of ``100 * |y_true - y_pred| / |y_true|``.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.MeanAbsolutePercentageError()([[1.0, 2.0]], [[1.0, 1.0]]))
    25.0
    """

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(regression.mean_absolute_percentage_error, name, dtype)


@registry.register("metric", "mean_squared_logarithmic_error", "msle", "MSLE")
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of ``(log(1 + y_true) - log(1 + y_pred)) ** 2``.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.MeanSquaredLogarithmicError()([[1.0, 2.0]], [[1.0, 2.0]]))
    0.0
    """

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(regression.mean_squared_logarithmic_error, name, dtype)


@registry.register("metric", "log_cosh_error", "logcosh", "log_cosh")
class LogCoshError(MeanMetricWrapper):
    """The mean of ``log(cosh(y_pred - y_true))``.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.LogCoshError()([[1.0, 2.0]], [[1.0, 2.0]]))
    0.0
    """

    def __init__(self, name: str = "logcosh", dtype: Any = None):
        super().__init__(regression.log_cosh, name, dtype)


@registry.register("metric", "kl_divergence", "kld", "KLD")
class KLDivergence(MeanMetricWrapper):
    """How far predicted probabilities are from those of the labels: ``sum(y_true * log(y_true / y_pred))``.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]]))
    0.0
    """

    def __init__(self, name: str = "kl_divergence", dtype: Any = None):
        super().__init__(formulas.kl_divergence, name, dtype)


@registry.register("metric", "poisson")
class Poisson(MeanMetricWrapper):
    """The mean of ``y_pred - y_true * log(y_pred)``.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.Poisson()([[0.0, 0.0]], [[1.0, 1.0]]))
    1.0
    """

    def __init__(self, name: str = "poisson", dtype: Any = None):
        super().__init__(formulas.poisson, name, dtype)


@registry.register("metric", "hinge")
class Hinge(MeanMetricWrapper):
    """The mean of ``max(1 - y_true * y_pred, 0)``; labels are -1 and 1 (or 0 and 1).

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.Hinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.25
    """

    def __init__(self, name: str = "hinge", dtype: Any = None):
        super().__init__(structured.hinge, name, dtype)


@registry.register("metric", "squared_hinge")
class SquaredHinge(MeanMetricWrapper):
    """The mean of ``max(1 - y_true * y_pred, 0) ** 2``; labels are -1 and 1 (or 0 and 1).

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.SquaredHinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.125
    """

    def __init__(self, name: str = "squared_hinge", dtype: Any = None):
        super().__init__(structured.squared_hinge, name, dtype)


@registry.register("metric", "categorical_hinge")
class CategoricalHinge(MeanMetricWrapper):
    """By how much the best wrong class comes too near the right one: ``max(wrong - right + 1, 0)``.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
    0.75
    """

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None):
        super().__init__(structured.categorical_hinge, name, dtype)


@registry.register("metric", "cosine_similarity")
class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between labels and predictions, from -1 to 1.

    Args:
        name: a name.
        dtype: data type of the sums.
        axis: the axis along which they are vectors.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.CosineSimilarity()([[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [-1.0, 0.0]]))
    0.0
    """

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)


@registry.register("metric", "root_mean_squared_error", "rmse", "RMSE")
class RootMeanSquaredError(Mean):
    """The square root of the mean of ``(y_true - y_pred) ** 2`` over everything taken in.

    Args:
        name: a name.
        dtype: data type of the sums.

    Example:

    >>> import lamina
    >>> float(lamina.metrics.RootMeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]]))
    0.5
    """

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in labels and predictions ``(batch, ...)``."""
        y_true, y_pred = weighting.fit(
            self.name, "elementwise", weighting.tensor(y_true, self.dtype), weighting.tensor(y_pred, self.dtype)
        )
        super().update_state(jnp.square(y_pred - y_true), sample_weight)

    def result(self) -> Any:
        """The root of the mean."""
        return jnp.sqrt(super().result())


@registry.register("metric", "binary_crossentropy", "bce", "BCE")
class BinaryCrossentropy(MeanMetricWrapper):
    """The mean crossentropy of yes-or-no labels, 0 or 1.

    Args:
        name: a name.
        dtype: data type of the sums.
        from_logits: predictions are logits, not probabilities.
        label_smoothing: pulls the labels towards 0.5, from 0 to 1.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.BinaryCrossentropy()([[1], [0]], [[0.5], [0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        super().__init__(
            formulas.binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing
        )


@registry.register("metric", "categorical_crossentropy")
class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean crossentropy of one-hot labels.

    Args:
        name: a name.
        dtype: data type of the sums.
        from_logits: predictions are logits, not probabilities.
        label_smoothing: pulls the labels towards the same probability for every class, from 0 to 1.
        axis: the axis of the classes.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.CategoricalCrossentropy()([[0, 1]], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(formulas.categorical_crossentropy, name, dtype, **options)


@registry.register("metric", "sparse_categorical_crossentropy")
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean crossentropy of labels that are class numbers.

    Args:
        name: a name.
        dtype: data type of the sums.
        from_logits: predictions are logits, not probabilities.
        ignore_class: labels of this number are left out (they count as 0).
        axis: the axis of the classes.

    Example:

    >>> import lamina
    >>> round(float(lamina.metrics.SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(formulas.sparse_categorical_crossentropy, name, dtype, **options)
