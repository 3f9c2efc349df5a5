"""Losses between numbers: each is a mean over the last axis, ``(batch, ..., outputs) -> (batch, ...)``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.losses.base import LossFunctionWrapper, loss_function

_DEFAULT = "sum_over_batch_size"


@loss_function("elementwise", "mse", "MSE")
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((y_true - y_pred)**2)`` over the last axis.

    Args:
        y_true: ``(batch, ..., outputs)``.
        y_pred: ``(batch, ..., outputs)``.

    Raises:
        ShapeError: the shapes do not fit.

    >>> import lamina
    >>> lamina.losses.mean_squared_error([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
    [5.0]
    """
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@loss_function("elementwise", "mae", "MAE")
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """``mean(abs(y_true - y_pred))`` over the last axis.

    >>> import lamina
    >>> lamina.losses.mean_absolute_error([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
    [2.0]
    """
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@loss_function("elementwise", "mape", "MAPE")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """``100 * mean(abs((y_true - y_pred) / y_true))`` over the last axis.

    >>> import lamina
    >>> lamina.losses.mean_absolute_percentage_error([[2.0, 2.0]], [[1.0, 3.0]]).tolist()
    [50.0]
    """
    return 100 * jnp.mean(jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), config.epsilon())), axis=-1)


@loss_function("elementwise", "msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((log(1 + y_true) - log(1 + y_pred))**2)`` over the last axis; negative numbers count as 0.

    >>> import lamina
    >>> lamina.losses.mean_squared_logarithmic_error([[0.0]], [[0.0]]).tolist()
    [0.0]
    """
    true, pred = (jnp.log(jnp.maximum(y, config.epsilon()) + 1) for y in (y_true, y_pred))
    return jnp.mean(jnp.square(true - pred), axis=-1)


@loss_function("elementwise", "huber_loss")
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Half the squared error up to `delta`, growing linearly beyond it; the mean over the last axis.

    Huber, `Robust estimation of a location parameter`, 1964.

    >>> import lamina
    >>> lamina.losses.huber([[0.0]], [[3.0]]).tolist()
    [2.5]
    """
    size = jnp.abs(y_true - y_pred)
    return jnp.mean(jnp.where(size <= delta, 0.5 * jnp.square(size), delta * size - 0.5 * delta**2), axis=-1)


@loss_function("elementwise", "logcosh")
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """``mean(log(cosh(y_pred - y_true)))`` over the last axis.

    >>> import lamina
    >>> lamina.losses.log_cosh([[0.0]], [[0.0]]).tolist()
    [0.0]
    """
    error = y_pred - y_true
    return jnp.mean(error + jax.nn.softplus(-2 * error) - jnp.log(jnp.asarray(2, error.dtype)), axis=-1)


@loss_function("elementwise")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between the vectors along `axis`: -1 where they point the same way.

    >>> import lamina
    >>> lamina.losses.cosine_similarity([[2.0, 0.0]], [[1.0, 0.0]]).tolist()
    [-1.0]
    """
    return -jnp.sum(_unit(y_true, axis) * _unit(y_pred, axis), axis=axis)


def _unit(x: jax.Array, axis: int) -> jax.Array:
    least = config.epsilon() ** 2
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), axis=axis, keepdims=True), least))


@registry.register("loss")
class MeanSquaredError(LossFunctionWrapper):
    """The mean of the squared errors (see `mean_squared_error`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.MeanSquaredError()([[0.0, 0.0]], [[1.0, 3.0]]))
    5.0
    """

    def __init__(self, reduction: str | None = _DEFAULT, name: str = "mean_squared_error", dtype: Any = None):
        super().__init__(mean_squared_error, reduction, name, dtype)


@registry.register("loss")
class MeanAbsoluteError(LossFunctionWrapper):
    """The mean of the magnitudes of the errors (see `mean_absolute_error`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.MeanAbsoluteError()([[0.0, 0.0]], [[1.0, 3.0]]))
    2.0
    """

    def __init__(self, reduction: str | None = _DEFAULT, name: str = "mean_absolute_error", dtype: Any = None):
        super().__init__(mean_absolute_error, reduction, name, dtype)


@registry.register("loss")
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """The mean error in percent of the label (see `mean_absolute_percentage_error`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.MeanAbsolutePercentageError()([[2.0, 2.0]], [[1.0, 3.0]]))
    50.0
    """

    def __init__(
        self, reduction: str | None = _DEFAULT, name: str = "mean_absolute_percentage_error", dtype: Any = None
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@registry.register("loss")
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """The mean squared error of the logarithms (see `mean_squared_logarithmic_error`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.MeanSquaredLogarithmicError()([[1.0]], [[1.0]]))
    0.0
    """

    def __init__(
        self, reduction: str | None = _DEFAULT, name: str = "mean_squared_logarithmic_error", dtype: Any = None
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@registry.register("loss")
class Huber(LossFunctionWrapper):
    """Squared error near zero, absolute error further off (see `huber`).

    Args:
        delta: where one becomes the other.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.Huber()([[0.0]], [[3.0]]))
    2.5
    """

    def __init__(
        self, delta: float = 1.0, reduction: str | None = _DEFAULT, name: str = "huber_loss", dtype: Any = None
    ):
        self.delta = checks.real("delta", delta, low=0.0)
        super().__init__(huber, reduction, name, dtype, delta=self.delta)


@registry.register("loss")
class LogCosh(LossFunctionWrapper):
    """The logarithm of the hyperbolic cosine of the error (see `log_cosh`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.LogCosh()([[0.0]], [[0.0]]))
    0.0
    """

    def __init__(self, reduction: str | None = _DEFAULT, name: str = "log_cosh", dtype: Any = None):
        super().__init__(log_cosh, reduction, name, dtype)


@registry.register("loss")
class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between labels and predictions (see `cosine_similarity`).

    Args:
        axis: the axis along which the vectors lie.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.CosineSimilarity()([[2.0, 0.0]], [[1.0, 0.0]]))
    -1.0
    """

    def __init__(
        self, axis: int = -1, reduction: str | None = _DEFAULT, name: str = "cosine_similarity", dtype: Any = None
    ):
        self.axis = axis
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
