"""`BatchNormalization`: normalization by the mean and variance of the batch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina import constraints, initializers, regularizers
from lamina.core import checks, registry
from lamina.layers.layer import Layer
from lamina.layers.normalizing import along, axis_signature, other_axes, wide, widen

_CLIPPING = ("rmax", "rmin", "dmax")


@registry.register("layer")
class BatchNormalization(Layer):
    """Normalizes each feature by its mean and variance, then scales and shifts it.

    During training mean and variance are those of the batch, and moving averages of them are kept; otherwise, and
    where the layer's ``trainable`` is false, the moving averages are used:
    ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``.

    Args:
        axis: the axis of the features; 1 after a convolution with ``data_format="channels_first"``.
        momentum: what the moving averages keep of themselves at each step.
        epsilon: is added to the variance.
        center: whether `beta` is added.
        scale: whether `gamma` is multiplied with; not needed where another linear layer follows.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: first values.
        beta_regularizer, gamma_regularizer: losses of the weights.
        beta_constraint, gamma_constraint: projections of the weights after each update.
        renorm: batch renormalization: training normalizes by the moving averages too, through corrections that
            count as constants.
        renorm_clipping: limits of the corrections, a dict with any of ``"rmax"``, ``"rmin"``, ``"dmax"``.
        renorm_momentum: momentum of the averages that the corrections are made from.
        synchronized: accepted as true on a single device only, where there is nothing to synchronize.

    Shapes:
        Input `(batch, ..., features)`, output the same. Called with ``mask=`` of shape `(batch, time)`, masked steps
        do not count in mean and variance.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: the size of the feature axis is open, or not the one that the layer was built for.

    References:
        Ioffe and Szegedy, "Batch Normalization", 2015, https://arxiv.org/abs/1502.03167;
        Ioffe, "Batch Renormalization", 2017, https://arxiv.org/abs/1702.03275

    Example:

    >>> import lamina
    >>> layer = lamina.layers.BatchNormalization()
    >>> layer(lamina.Input((28, 28, 8))).shape
    (None, 28, 28, 8)
    >>> [w.name for w in layer.weights]
    ['gamma', 'beta', 'moving_mean', 'moving_variance']
    """

    built_axes = ("features",)
    common_mistakes = (
        'After layers with data_format="channels_first" the features are on axis 1: give axis=1.',
        "Freezing a model freezes the moving averages as well: layer.trainable = False makes the layer use them.",
    )
    example_input = (None, 28, 28, 8)

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not checks.is_whole(axis):
            raise ValueError(f"`axis`={axis!r}: expected a whole number, the place of the feature axis")
        self.axis = int(axis)
        self.momentum = checks.real("momentum", momentum, 0.0, 1.0)
        self.epsilon = checks.real("epsilon", epsilon, 0.0)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.renorm = bool(renorm)
        self.renorm_clipping = _checked_clipping(renorm_clipping, self.renorm)
        self.renorm_momentum = checks.real("renorm_momentum", renorm_momentum, 0.0, 1.0)
        self.synchronized = bool(synchronized)
        if self.synchronized and jax.device_count() > 1:
            raise ValueError(
                f"`synchronized`=True: {jax.device_count()} devices are in use, and batch statistics are not shared "
                f"between them by this layer; leave it False"
            )
        self.supports_masking = True

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, with the features where `axis` says."""
        return axis_signature({self.axis: "features"})

    def build(self, input_shape: Any) -> None:
        size = (along(self, input_shape, self.axis),)
        self.gamma = self.add_weight(size, name="gamma") if self.scale else None
        self.beta = self.add_weight(size, name="beta") if self.center else None
        self.moving_mean = self._average(size, "moving_mean", self.moving_mean_initializer)
        self.moving_variance = self._average(size, "moving_variance", self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = self._average(size, "moving_stddev", "ones")
            self.renorm_mean = self._average(size, "renorm_mean", "zeros")
            self.renorm_stddev = self._average(size, "renorm_stddev", "ones")

    def _average(self, size: tuple[Any, ...], name: str, initializer: Any) -> Any:
        return self.add_weight(size, initializer, trainable=False, autocast=False, name=name)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        x = wide(inputs)
        scale, shift = widen(self.gamma), widen(self.beta)
        if training and self.trainable:
            mean, variance = _moments(x, other_axes(x, self.axis), mask)
            if self.renorm:
                scale, shift = self._renormalize(mean, variance, scale, shift)
            else:
                self._follow(self.moving_mean, mean, self.momentum)
                self._follow(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = wide(self.moving_mean.value), wide(self.moving_variance.value)
        factor = jax.lax.rsqrt(variance + self.epsilon)
        factor = factor if scale is None else factor * scale
        offset = -mean * factor if shift is None else shift - mean * factor
        place = self.axis % x.ndim
        shape = [x.shape[place] if axis == place else 1 for axis in range(x.ndim)]
        return (x * factor.reshape(shape) + offset.reshape(shape)).astype(inputs.dtype)

    def _follow(self, average: Any, value: Any, momentum: float) -> None:
        average.assign(average.value * momentum + value * (1.0 - momentum))

    def _renormalize(self, mean: Any, variance: Any, scale: Any, shift: Any) -> tuple[Any, Any]:
        """Scale and shift that turn the batch's normalization into one by the running averages."""
        stddev = jnp.sqrt(variance + self.epsilon)
        ratio = stddev / self.renorm_stddev.value
        distance = (mean - self.renorm_mean.value) / self.renorm_stddev.value
        limits = self.renorm_clipping or {}
        ratio = jnp.clip(ratio, limits.get("rmin"), limits.get("rmax"))
        if "dmax" in limits:
            distance = jnp.clip(distance, -limits["dmax"], limits["dmax"])
        ratio, distance = jax.lax.stop_gradient((ratio, distance))
        self._follow(self.renorm_mean, mean, self.renorm_momentum)
        self._follow(self.renorm_stddev, stddev, self.renorm_momentum)
        self._follow(self.moving_mean, mean, self.momentum)
        self._follow(self.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(jnp.square(self.moving_stddev.value) - self.epsilon)
        moved = distance if scale is None else distance * scale
        return (ratio if scale is None else ratio * scale), (moved if shift is None else moved + shift)


def _moments(x: jax.Array, axes: tuple[int, ...], mask: Any) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over axes; over the elements that the mask keeps, where there is one."""
    if mask is None:
        return _moments_in_one_pass(x, axes)
    mask = jnp.asarray(mask)
    weights = jnp.broadcast_to(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), x.shape).astype(x.dtype)
    count = jnp.maximum(jnp.sum(weights, axes, keepdims=True), 1.0)
    mean = jnp.sum(weights * x, axes, keepdims=True) / count
    variance = jnp.sum(weights * jnp.square(x - mean), axes, keepdims=True) / count
    return jnp.squeeze(mean, axes), jnp.squeeze(variance, axes)


def _moments_in_one_pass(x: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Mean and variance from sums of distances and of their squares, which are found together.

    Distances are from the mean of a few elements: from 0, little would be left of the difference of two large numbers.
    """
    few = x[tuple(slice(1) if axis == axes[0] else slice(None) for axis in range(x.ndim))]
    center = jax.lax.stop_gradient(jnp.mean(few, axes, keepdims=True))
    distance = x - center
    mean, square = jnp.mean(distance, axes), jnp.mean(jnp.square(distance), axes)
    return mean + center.reshape(mean.shape), jnp.maximum(square - jnp.square(mean), 0.0)


def _checked_clipping(clipping: dict[str, float] | None, renorm: bool) -> dict[str, float] | None:
    if not clipping:
        return None
    if not renorm:
        raise ValueError(f"`renorm_clipping`={clipping!r} needs renorm=True")
    unknown = [name for name in clipping if name not in _CLIPPING]
    if unknown:
        hint = checks.did_you_mean(unknown[0], _CLIPPING)
        raise ValueError(f"`renorm_clipping` knows no {unknown[0]!r}; expected any of {', '.join(_CLIPPING)}{hint}")
    return {name: checks.real(f"renorm_clipping[{name!r}]", value, 0.0) for name, value in clipping.items()}
