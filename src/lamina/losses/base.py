"""What all losses share: casting, masks, weights and the reduction to one number."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, config, context, dtypes, registry, symbolic
from lamina.losses import fitting
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def loss_function(kind: str, *aliases: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a loss out of its formula.

    The formula gets tensors: predictions as floats and labels that fit them (see `lamina.losses.fitting` for the
    kinds), of the same type unless they are class numbers.
    """

    def decorate(formula: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(formula)

        @functools.wraps(formula)
        def loss(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            y_true, y_pred = jnp.asarray(y_true), _float(y_pred)
            axis: Any = signature.bind(y_true, y_pred, *args, **kwargs).arguments.get("axis")
            fitting.check(formula.__name__, kind, y_true.shape, y_pred.shape, axis if checks.is_whole(axis) else -1)
            if kind == "sparse" and y_true.ndim == y_pred.ndim:
                y_true = y_true.reshape(y_true.shape[:-1])
            elif kind in ("elementwise", "categorical"):
                y_true, y_pred = same_rank(y_true.astype(y_pred.dtype), y_pred)
            return formula(y_true, y_pred, *args, **kwargs)

        return fitting.expects(kind)(registry.register("loss", *aliases)(symbolic.op(loss)))

    return decorate


def _float(values: Any) -> jax.Array:
    values = jnp.asarray(values)
    return values if dtypes.is_float(values.dtype) else values.astype(dtypes.canonical(config.floatx()))


def same_rank(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both with the axis of size 1 at the end that only one of them has added or dropped."""
    first, second = fitting.aligned(a.shape, b.shape)
    return a.reshape(first), b.reshape(second)


class Loss:
    """Says how far predictions are from labels. Subclasses define ``call(y_true, y_pred)``.

    `call` gives one value for each sample (and place), such as ``(batch,)``; they are weighted, masked places are
    left out, and the rest is reduced to one number.

    Args:
        name: a name.
        reduction: ``"sum_over_batch_size"`` or ``"mean"`` (sum divided by the number of values), ``"sum"``,
            ``"mean_with_sample_weight"`` (sum divided by the sum of the weights), ``"none"`` or ``None``.
        dtype: data type (or policy) of the computation; the default float.

    Raises:
        ValueError: an unknown reduction or data type.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> class Distance(lamina.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return abs(y_true - y_pred).max(axis=-1)
    >>> float(Distance()(np.zeros((2, 3)), np.ones((2, 3))))
    1.0
    """

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        self.name = name or context.auto_name(type(self).__name__)
        self.reduction = checks.one_of("reduction", reduction, REDUCTIONS)
        self.dtype = dtypes.get_policy(config.floatx() if dtype is None else dtype).compute_dtype

    casts_labels = True

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value for each sample (and place). To be defined by subclasses."""
        raise TypeError(f"{type(self).__name__} needs a method `call(self, y_true, y_pred)`")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss.

        Args:
            y_true: labels.
            y_pred: predictions, such as ``(batch, outputs)``.
            sample_weight: weights of the samples ``(batch,)`` or of the values that `call` gives.

        Raises:
            ShapeError: labels or weights do not fit the predictions.
        """
        if symbolic.has_symbolic((y_true, y_pred, sample_weight)):
            return symbolic.record(self, self._compute, (y_true, y_pred, sample_weight), {})
        return self._compute(y_true, y_pred, sample_weight)

    def _compute(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Any:
        mask = None if isinstance(y_pred, (dict, list, tuple)) else context.masks.get(y_pred)
        with jax.named_scope(self.name):
            y_pred = jax.tree.map(self._cast, y_pred)
            y_true = jax.tree.map(self._cast if self.casts_labels else jnp.asarray, y_true)
            values = self.call(y_true, y_pred)
            if values is None:
                raise ValueError(f"the loss {self.name!r} returned None: it has to return a value for each sample")
            values = jnp.asarray(values)
            own_mask = context.masks.get(values)
            if own_mask is not None:
                mask = own_mask if mask is None else jnp.logical_and(mask, own_mask)
            return reduce_weighted(values.astype(self.dtype), sample_weight, mask, self.reduction, self.name)

    def _cast(self, values: Any) -> jax.Array:
        return jnp.asarray(values, dtype=dtypes.canonical(self.dtype))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain values."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """A loss with these constructor arguments."""
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A loss object around a function ``fn(y_true, y_pred, **kwargs)``.

    Args:
        fn: the function; it gives one value for each sample (and place).
        reduction: how values become one number (see `Loss`).
        name: a name; that of the function.
        dtype: data type of the computation; the default float.
        kwargs: further arguments for the function.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> largest = lambda y_true, y_pred: abs(y_true - y_pred).max(axis=-1)
    >>> float(lamina.losses.LossFunctionWrapper(largest, name="largest")(np.zeros((2, 3)), np.ones((2, 3))))
    1.0
    """

    def __init__(
        self,
        fn: Any,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        if not callable(fn):
            raise ValueError(f"`fn`={fn!r}: expected a function of y_true and y_pred")
        super().__init__(name or getattr(fn, "__name__", None), reduction, dtype)
        self.fn, self.fn_kwargs = fn, kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The function's values, its arguments brought to the same number of axes."""
        if self.casts_labels and hasattr(y_true, "shape") and hasattr(y_pred, "shape"):
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self.fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        own = (
            {} if registry.known("loss").get(type(self).__name__) is type(self) else {"fn": registry.serialize(self.fn)}
        )
        return {**super().get_config(), **own, **registry.serialize(self.fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """A loss with these constructor arguments."""
        if "fn" in config:
            config = {**config, "fn": registry.resolve("loss", config["fn"])}
        return cls(**config)


def reduce_weighted(values: jax.Array, weights: Any, mask: Any, reduction: str | None, name: str = "loss") -> jax.Array:
    """Values times weights, without masked places, reduced to one number as `reduction` says.

    Where the result is a mean over places, it is the mean over those that are not masked.
    """
    is_mean = reduction in ("sum_over_batch_size", "mean")
    if weights is not None:
        weights = jnp.asarray(weights).astype(values.dtype)
    if mask is not None:
        mask = jnp.asarray(mask).astype(values.dtype)
        if is_mean:
            mask = mask * (mask.size / (jnp.sum(mask) + config.epsilon()))
        weights = mask if weights is None else jnp.multiply(*_fit_weights(mask, weights, name))
    if weights is not None:
        values, weights = _fit_weights(values, weights, name)
        values = values * weights
    if reduction in ("none", None) or values.ndim == 0:
        return values
    if is_mean or (reduction == "mean_with_sample_weight" and weights is None):
        return jnp.mean(values)
    total = jnp.sum(values)
    if reduction == "mean_with_sample_weight":
        whole = jnp.sum(weights)
        return jnp.where(whole == 0, 0, total / jnp.where(whole == 0, 1, whole))
    return total


def _fit_weights(values: jax.Array, weights: jax.Array, name: str) -> tuple[jax.Array, jax.Array]:
    """Values and weights with the same number of axes: weights of samples hold for all places of a sample."""
    shapes = values.shape, weights.shape
    values, weights = same_rank(values, weights) if weights.ndim else (values, weights)
    if 0 < weights.ndim < values.ndim:
        weights = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
    sizes = zip(weights.shape, values.shape, strict=False)
    clash = any(dims.is_known(w) and dims.is_known(v) and w != v and 1 not in (w, v) for w, v in sizes)
    if clash or (weights.ndim > values.ndim > 0):
        one = shapes[0][:1]
        error = ShapeError(
            f"{name}: sample_weight does not fit the values of the loss, one for each sample"
            + (" and place" if values.ndim > 1 else ""),
            expected=" or ".join(f"sample_weight {s}" for s in dict.fromkeys(map(dims.show_shape, (one, shapes[0])))),
            received=f"sample_weight {dims.show_shape(shapes[1])}",
            layer=name,
        )
        error.weights = shapes  # type: ignore[attr-defined]
        raise error
    return values, weights
