"""Dropout: during training, a random part of the elements is set to zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.core.seeds import SeedGenerator, kept
from lamina.layers.layer import Layer
from lamina.shapes.errors import ShapeError

_INPUT_AND_OUTPUT = "batch ... -> batch ..."


@registry.register("layer")
class Dropout(Layer):
    """Sets a random part of the elements to zero during training and scales up the rest.

    Elements are dropped with probability `rate`; the others are multiplied by ``1 / (1 - rate)``, so that their
    expected sum stays. Outside of training nothing happens.

    Args:
        rate: probability of dropping, from 0 to 1.
        noise_shape: shape of the random pattern, the batch axis included; along an axis of size 1 elements are
            dropped together, ``None`` stands for the input's own size.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: `rate` is not a number from 0 to 1.
        ShapeError: `noise_shape` cannot be broadcast to the input.

    References:
        Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> layer = lamina.layers.Dropout(0.5, seed=1)
    >>> y = layer(np.ones((4, 6)), training=True)
    >>> sorted(set(np.asarray(y).ravel().tolist()))
    [0.0, 2.0]
    >>> layer(np.ones((1, 2))).tolist()
    [[1.0, 1.0]]
    """

    signature = _INPUT_AND_OUTPUT
    common_mistakes = ("`rate` is the part that is dropped, not the part that is kept.",)
    example_input: tuple[Any, ...] = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"rate": 0.5}

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.rate = checks.real("rate", rate, low=0.0, high=1.0)
        self.noise_shape = noise_shape
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def pattern_shape(self, inputs: Any) -> tuple[Any, ...]:
        """Shape of the random pattern."""
        return noise_shape_for(self, inputs)

    def call(self, inputs: Any, training: bool = False) -> Any:
        pattern = self.pattern_shape(inputs)  # first, so that one that does not fit is refused in any mode
        if not training or self.rate == 0.0:
            return inputs
        if self.rate == 1.0:
            return jnp.zeros_like(inputs)
        keep = kept(self.seed_generator, self.rate, pattern)
        return jnp.where(keep, inputs / (1.0 - self.rate), 0.0).astype(inputs.dtype)


def noise_shape_for(layer: Any, inputs: Any) -> tuple[Any, ...]:
    """A layer's `noise_shape` with the input's sizes where it leaves them open.

    Raises:
        ShapeError: it cannot be broadcast to the input.
    """
    if layer.noise_shape is None:
        return tuple(inputs.shape)
    noise = tuple(layer.noise_shape)
    fits = len(noise) == inputs.ndim
    if fits:
        noise = tuple(size if n is None else n for n, size in zip(noise, inputs.shape, strict=True))
        fits = all(n == 1 or n == size for n, size in zip(noise, inputs.shape, strict=True))
    if not fits:
        raise ShapeError(
            f'{type(layer).__name__} "{layer.name}": `noise_shape`={tuple(layer.noise_shape)} does not fit the input',
            layer=layer.name,
            expected=f"{inputs.ndim} axes, each None, 1 or the input's size",
            received=f"an input of shape {tuple(inputs.shape)}",
        )
    return noise


class _SpatialDropout(Dropout):
    """Drops whole channels."""

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)


@registry.register("layer")
class SpatialDropout1D(_SpatialDropout):
    """Sets whole channels of a sequence to zero during training: neighbouring steps are too alike to drop one by one.

    Args:
        rate: probability of dropping a channel, from 0 to 1.
        seed: a whole number for the same random numbers each time.
        name: a name.
        dtype: the type or policy to compute in.

    Shapes:
        Input `(batch, length, channels)`, output the same.

    References:
        Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2014,
        https://arxiv.org/abs/1411.4280

    Example:

    >>> import lamina
    >>> lamina.layers.SpatialDropout1D(0.2)(lamina.Input((None, 8))).shape
    (None, None, 8)
    """

    signature = "batch length channels -> batch length channels"
    example_input = (None, 128, 2)

    def pattern_shape(self, inputs: Any) -> tuple[Any, ...]:
        return (inputs.shape[0], 1, inputs.shape[2])


class _SpatialDropoutND(_SpatialDropout):
    """Drops whole channels of images or volumes."""

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = config.standardize_data_format(data_format)

    def pattern_shape(self, inputs: Any) -> tuple[Any, ...]:
        channels = 1 if self.data_format == "channels_first" else inputs.ndim - 1
        return tuple(size if axis in (0, channels) else 1 for axis, size in enumerate(inputs.shape))


@registry.register("layer")
class SpatialDropout2D(_SpatialDropoutND):
    """Sets whole channels of images to zero during training: neighbouring pixels are too alike to drop one by one.

    Args:
        rate: probability of dropping a channel, from 0 to 1.
        data_format: ``"channels_last"`` or ``"channels_first"``.
        seed: a whole number for the same random numbers each time.
        name: a name.
        dtype: the type or policy to compute in.

    Shapes:
        Input `(batch, height, width, channels)`, or `(batch, channels, height, width)` with ``"channels_first"``;
        output the same.

    References:
        Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2014,
        https://arxiv.org/abs/1411.4280

    Example:

    >>> import lamina
    >>> lamina.layers.SpatialDropout2D(0.2)(lamina.Input((28, 28, 8))).shape
    (None, 28, 28, 8)
    """

    example_input = (None, 28, 28, 3)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order of `data_format`."""
        axes = "batch channels height width"
        if self.data_format == "channels_last":
            axes = "batch height width channels"
        return f"{axes} -> {axes}"


@registry.register("layer")
class SpatialDropout3D(_SpatialDropoutND):
    """Sets whole channels of volumes to zero during training: neighbouring voxels are too alike to drop one by one.

    Args:
        rate: probability of dropping a channel, from 0 to 1.
        data_format: ``"channels_last"`` or ``"channels_first"``.
        seed: a whole number for the same random numbers each time.
        name: a name.
        dtype: the type or policy to compute in.

    Shapes:
        Input `(batch, depth, height, width, channels)`, or `(batch, channels, depth, height, width)` with
        ``"channels_first"``; output the same.

    References:
        Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2014,
        https://arxiv.org/abs/1411.4280

    Example:

    >>> import lamina
    >>> lamina.layers.SpatialDropout3D(0.2)(lamina.Input((8, 28, 28, 4))).shape
    (None, 8, 28, 28, 4)
    """

    example_input = (None, 8, 28, 28, 3)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order of `data_format`."""
        axes = "batch channels depth height width"
        if self.data_format == "channels_last":
            axes = "batch depth height width channels"
        return f"{axes} -> {axes}"


@registry.register("layer")
class AlphaDropout(Layer):
    """Dropout that keeps mean and variance, for networks of SELU units.

    Dropped elements are set to SELU's negative limit; the result is then shifted and scaled so that inputs of mean 0
    and variance 1 stay so.

    Args:
        rate: probability of dropping, from 0 to 1.
        noise_shape: shape of the random pattern, as for `Dropout`.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: `rate` is not a number from 0 to 1.

    References:
        Klambauer et al., "Self-Normalizing Neural Networks", 2017, https://arxiv.org/abs/1706.02515

    Example:

    >>> import lamina
    >>> lamina.layers.AlphaDropout(0.1)(lamina.Input((10,))).shape
    (None, 10)
    """

    signature = _INPUT_AND_OUTPUT
    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"rate": 0.1}

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.rate = checks.real("rate", rate, low=0.0, high=1.0)
        self.noise_shape = noise_shape
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        pattern = noise_shape_for(self, inputs)
        if not training or self.rate == 0.0:
            return inputs
        if self.rate == 1.0:  # nothing is left to keep mean and variance of
            return jnp.zeros_like(inputs)
        limit = -1.0507009873554805 * 1.6732632423543772  # SELU of minus infinity
        keep = kept(self.seed_generator, self.rate, pattern)
        scale = 1.0 / math.sqrt((1.0 - self.rate) * (1.0 + self.rate * limit**2))
        shift = -scale * limit * self.rate
        return (scale * jnp.where(keep, inputs, limit) + shift).astype(inputs.dtype)
