"""Normalization of each sample by itself: over features, groups of channels, or to length 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina import constraints, initializers, regularizers
from lamina.core import checks, registry
from lamina.layers.activation import checked_axis
from lamina.layers.layer import Layer
from lamina.layers.normalizing import along, axis_signature, places, spread, wide, widen
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


class _OverAxes(Layer):
    """A layer that works along `axis`, one axis or several, with a weight for each place on them."""

    example_input: tuple[Any, ...] = (None, 20, 64)
    axis: int | list[int]

    @property
    def _named(self) -> dict[int, str]:
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        return {axis: "features" if len(axes) == 1 else f"features_{i + 1}" for i, axis in enumerate(sorted(axes))}

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, with those worked along named ``features``."""
        return axis_signature(self._named)

    @property
    def built_axes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The axes worked along."""
        return tuple(self._named.values())

    def _sizes(self, input_shape: Sequence[Any]) -> list[Any]:
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        return [along(self, input_shape, axis) for axis in axes]

    def _places(self, x: Any) -> tuple[int, ...]:
        return places(self.axis, x.ndim)


class _Scaled(_OverAxes):
    """With the weights `gamma` to multiply with and `beta` to add."""

    rms_scaling = False

    def _take_weights(self, center: bool, scale: bool, settings: dict[str, Any]) -> None:
        self.center, self.scale = bool(center), bool(scale)
        get = {"initializer": initializers.get, "regularizer": regularizers.get, "constraint": constraints.get}
        for name, value in settings.items():
            setattr(self, name, get[name.split("_")[1]](value))

    def build(self, input_shape: Any) -> None:
        sizes = self._sizes(input_shape)
        self.gamma = self.add_weight(sizes, name="gamma") if self.scale or self.rms_scaling else None
        self.beta = self.add_weight(sizes, name="beta") if self.center and not self.rms_scaling else None

    def _scale_and_shift(self, x: Any) -> Any:
        gamma, beta = widen(self.gamma), widen(self.beta)
        x = x if gamma is None else x * spread(gamma, x, self.axis)
        return x if beta is None else x + spread(beta, x, self.axis)


@registry.register("layer")
class LayerNormalization(_Scaled):
    """Normalizes each sample by its own mean and variance along an axis, then scales and shifts it.

    Args:
        axis: the axis, or several of them that are normalized together.
        epsilon: is added to the variance.
        center: whether `beta` is added.
        scale: whether `gamma` is multiplied with.
        beta_initializer, gamma_initializer: first values of the weights.
        beta_regularizer, gamma_regularizer: losses of the weights.
        beta_constraint, gamma_constraint: projections of the weights after each update.
        rms_scaling: only divide by the standard deviation and multiply by `gamma`; neither the mean nor `beta` is
            used. `RMSNormalization` divides by the root of the mean square.

    Shapes:
        Input `(batch, ..., features)`, output the same.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: the size of a normalized axis is open, or not the one that the layer was built for.

    References:
        Ba et al., "Layer Normalization", 2016, https://arxiv.org/abs/1607.06450

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> y = lamina.layers.LayerNormalization()(np.array([[1.0, 3.0]]))
    >>> np.round(y, 2).tolist()
    [[-1.0, 1.0]]
    """

    common_mistakes = ("axis is the axis to average over; each place on it has a weight, so its size must be known.",)

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        self.rms_scaling = bool(kwargs.pop("rms_scaling", False))
        super().__init__(**kwargs)
        self.axis = checked_axis(axis)
        self.epsilon = checks.real("epsilon", epsilon, 0.0)
        settings = {"beta_initializer": beta_initializer, "gamma_initializer": gamma_initializer,
                    "beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer,
                    "beta_constraint": beta_constraint, "gamma_constraint": gamma_constraint}  # fmt: skip
        self._take_weights(center, scale, settings)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        x = wide(inputs)
        axes = self._places(x)
        centered = x - jnp.mean(x, axes, keepdims=True)
        factor = jax.lax.rsqrt(jnp.mean(jnp.square(centered), axes, keepdims=True) + self.epsilon)
        return self._scale_and_shift((x if self.rms_scaling else centered) * factor).astype(inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rms_scaling": self.rms_scaling}


@registry.register("layer")
class RMSNormalization(_OverAxes):
    """Divides each sample by the root of its mean square along an axis, and scales it.

    Args:
        axis: the axis, or several of them that are normalized together.
        epsilon: is added to the mean square.

    Shapes:
        Input `(batch, ..., features)`, output the same.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: the size of a normalized axis is open, or not the one that the layer was built for.

    References:
        Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, https://arxiv.org/abs/1910.07467

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> y = lamina.layers.RMSNormalization()(np.array([[3.0, 3.0]]))
    >>> np.round(y, 2).tolist()
    [[1.0, 1.0]]
    """

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = checked_axis(axis)
        self.epsilon = checks.real("epsilon", epsilon, 0.0)

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(self._sizes(input_shape), "ones", name="scale")

    def call(self, x: Any) -> Any:
        inputs, x = x, wide(x)
        square = jnp.mean(jnp.square(x), self._places(x), keepdims=True)
        scale = spread(wide(self.scale.value), x, self.axis)
        return (x * jax.lax.rsqrt(square + self.epsilon) * scale).astype(inputs.dtype)


@registry.register("layer")
class GroupNormalization(_Scaled):
    """Normalizes groups of channels of each sample by their mean and variance, then scales and shifts each channel.

    Args:
        groups: number of groups; it divides the number of channels. ``-1`` makes each channel a group.
        axis: the axis of the channels.
        epsilon: is added to the variance.
        center: whether `beta` is added.
        scale: whether `gamma` is multiplied with.
        beta_initializer, gamma_initializer: first values of the weights.
        beta_regularizer, gamma_regularizer: losses of the weights.
        beta_constraint, gamma_constraint: projections of the weights after each update.

    Shapes:
        Input `(batch, ..., features)`, output the same.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: the channels cannot be divided into that many groups.

    References:
        Wu and He, "Group Normalization", 2018, https://arxiv.org/abs/1803.08494

    Example:

    >>> import lamina
    >>> lamina.layers.GroupNormalization(groups=4)(lamina.Input((28, 28, 8))).shape
    (None, 28, 28, 8)
    """

    common_mistakes = ("groups must divide the number of channels; the default of 32 needs 32, 64, ... of them.",)
    example_input = (None, 28, 28, 64)

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.groups = -1 if groups == -1 else checks.positive_int("groups", groups)
        if not checks.is_whole(axis):
            raise ValueError(f"`axis`={axis!r}: expected a whole number, the place of the channel axis")
        self.axis = int(axis)
        self.epsilon = checks.real("epsilon", epsilon, 0.0)
        settings = {"beta_initializer": beta_initializer, "gamma_initializer": gamma_initializer,
                    "beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer,
                    "beta_constraint": beta_constraint, "gamma_constraint": gamma_constraint}  # fmt: skip
        self._take_weights(center, scale, settings)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        (channels,) = self._sizes(input_shape)
        if channels % self._groups_of(channels):
            low = [g for g in range(1, math.isqrt(channels) + 1) if channels % g == 0]
            divisors = sorted({*low, *(channels // g for g in low)})
            raise ShapeError(
                f'GroupNormalization "{self.name}": {channels} channels cannot be divided into {self.groups} groups',
                layer=self.name,
                expected=f"groups={' or '.join(map(str, divisors))} for {channels} channels",
                received=f"groups={self.groups} and an input of shape {dims.show_shape(input_shape)}",
            )
        super().build(input_shape)

    def _groups_of(self, channels: int) -> int:
        return channels if self.groups == -1 else self.groups

    def call(self, inputs: Any) -> Any:
        x = jnp.moveaxis(wide(inputs), self.axis, -1)
        groups = self._groups_of(x.shape[-1])
        grouped = x.reshape((*x.shape[:-1], groups, x.shape[-1] // groups))
        axes = (*range(1, grouped.ndim - 2), grouped.ndim - 1)
        centered = grouped - jnp.mean(grouped, axes, keepdims=True)
        variance = jnp.mean(jnp.square(centered), axes, keepdims=True)
        normal = (centered * jax.lax.rsqrt(variance + self.epsilon)).reshape(x.shape)
        return self._scale_and_shift(jnp.moveaxis(normal, -1, self.axis)).astype(inputs.dtype)


@registry.register("layer")
class UnitNormalization(Layer):
    """Scales each sample to length 1 along an axis.

    Args:
        axis: the axis, or several of them whose squares add up to 1 together.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: `axis` is no whole number and no sequence of them.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> y = lamina.layers.UnitNormalization()(np.array([[3.0, 4.0]]))
    >>> y.round(1).tolist() == np.float32([[0.6, 0.8]]).tolist()
    True
    """

    signature = "batch ... -> batch ..."
    example_input = (None, 10)

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = checked_axis(axis)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        for axis in (self.axis,) if isinstance(self.axis, int) else self.axis:
            along(self, inputs.shape, axis)
        x = wide(inputs)
        squares = jnp.sum(jnp.square(x), places(self.axis, x.ndim), keepdims=True)
        return (x * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))).astype(inputs.dtype)
