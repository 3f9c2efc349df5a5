"""Adaptive pooling: however large the input, the output has the size that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.layers import spatial
from lamina.layers.layer import Layer


class AdaptivePooling(Layer):
    """What all adaptive poolings share. A subclass says how many spatial axes: `rank`, and how to pool one axis.

    Window `i` of `n` over an axis of size `s` goes from ``floor(i * s / n)`` to ``ceil((i + 1) * s / n)``; windows may
    overlap.
    """

    rank: ClassVar[int]
    shape_arguments: ClassVar[dict[str, str]] = {
        "output_size": "the size of the output's spatial axes, whatever that of the input",
        "data_format": "where the channels stand: last, or first after the batch",
    }
    common_mistakes: tuple[str, ...] = (
        "output_size is the size that comes out, not that of a window: for windows of fixed size use MaxPooling.",
        "An output larger than the input repeats values; it makes nothing new.",
    )
    example_config: ClassVar[dict[str, Any]] = {"output_size": 4}

    def __init__(self, output_size: int | Sequence[int], data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.output_size = checks.sizes("output_size", output_size, self.rank)
        self.data_format = config.standardize_data_format(data_format)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        return f"{taken} -> {spatial.axes(self.rank, self.data_format, before='new_')}"

    def call(self, inputs: jax.Array) -> jax.Array:
        """The pooled values of each channel."""
        for axis, size in zip(spatial.spatial_axes(self.rank, self.data_format), self.output_size, strict=True):
            inputs = jnp.moveaxis(self.pool(jnp.moveaxis(inputs, axis, -1), size), -1, axis)
        return inputs

    def pool(self, x: jax.Array, size: int) -> jax.Array:
        """`x` with its last axis pooled to that size."""
        raise ValueError(f"{type(self).__name__} does not say how it pools")


def windows(length: Any, size: int) -> jax.Array:
    """Which entries of an axis lie in which window, `(size, length)`."""
    number, place = jnp.arange(size)[:, None], jnp.arange(length)[None, :]
    return (place >= number * length // size) & (place < -(-(number + 1) * length // size))


class AdaptiveMaxPooling(AdaptivePooling):
    """The largest value in each window."""

    def pool(self, x: jax.Array, size: int) -> jax.Array:
        """The largest of each window."""
        low = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
        return jnp.stack([jnp.max(jnp.where(w, x, low), axis=-1) for w in windows(x.shape[-1], size)], axis=-1)


class AdaptiveAveragePooling(AdaptivePooling):
    """The mean of each window."""

    def pool(self, x: jax.Array, size: int) -> jax.Array:
        """The mean of each window."""
        inside = windows(x.shape[-1], size).astype(x.dtype)
        return x @ (inside / jnp.sum(inside, axis=-1, keepdims=True)).T


@registry.register("layer")
class AdaptiveMaxPooling1D(AdaptiveMaxPooling):
    """The largest value of each channel in parts of the length, as many parts as the output is to have places.

    Args:
        output_size: length of the output: one number.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, channels)`;
        with ``"channels_first"`` the input is `(batch, channels, length)`.

    Raises:
        ValueError: `output_size` holds something else than positive whole numbers.

    Example:

    >>> import lamina
    >>> lamina.layers.AdaptiveMaxPooling1D(4)(lamina.Input((None, 2))).shape
    (None, 4, 2)
    """

    rank = 1
    example_input = (None, 128, 2)


@registry.register("layer")
class AdaptiveMaxPooling2D(AdaptiveMaxPooling):
    """The largest value of each channel in parts of the image, as many parts as the output is to have places.

    Args:
        output_size: height and width of the output: one number for all, or 2 of them.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, channels)`;
        with ``"channels_first"`` the input is `(batch, channels, height, width)`.

    Raises:
        ValueError: `output_size` holds something else than positive whole numbers.

    Example:

    >>> import lamina
    >>> lamina.layers.AdaptiveMaxPooling2D(4)(lamina.Input((None, None, 3))).shape
    (None, 4, 4, 3)
    """

    rank = 2
    example_input = (None, 28, 28, 3)


@registry.register("layer")
class AdaptiveMaxPooling3D(AdaptiveMaxPooling):
    """The largest value of each channel in parts of the volume, as many parts as the output is to have places.

    Args:
        output_size: depth, height and width of the output: one number for all, or 3 of them.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, new_depth, new_height, new_width, channels)`;
        with ``"channels_first"`` the input is `(batch, channels, depth, height, width)`.

    Raises:
        ValueError: `output_size` holds something else than positive whole numbers.

    Example:

    >>> import lamina
    >>> lamina.layers.AdaptiveMaxPooling3D(4)(lamina.Input((8, 9, 10, 3))).shape
    (None, 4, 4, 4, 3)
    """

    rank = 3
    example_input = (None, 16, 28, 28, 1)


@registry.register("layer")
class AdaptiveAveragePooling1D(AdaptiveAveragePooling):
    """The mean of each channel in parts of the length, as many parts as the output is to have places.

    Args:
        output_size: length of the output: one number.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, channels)`;
        with ``"channels_first"`` the input is `(batch, channels, length)`.

    Raises:
        ValueError: `output_size` holds something else than positive whole numbers.

    Example:

    >>> import lamina
    >>> lamina.layers.AdaptiveAveragePooling1D(4)(lamina.Input((None, 2))).shape
    (None, 4, 2)
    """

    rank = 1
    example_input = (None, 128, 2)


@registry.register("layer")
class AdaptiveAveragePooling2D(AdaptiveAveragePooling):
    """The mean of each channel in parts of the image, as many parts as the output is to have places.

    Args:
        output_size: height and width of the output: one number for all, or 2 of them.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, channels)`;
        with ``"channels_first"`` the input is `(batch, channels, height, width)`.

    Raises:
        ValueError: `output_size` holds something else than positive whole numbers.

    Example:

    >>> import lamina
    >>> lamina.layers.AdaptiveAveragePooling2D(4)(lamina.Input((None, None, 3))).shape
    (None, 4, 4, 3)
    """

    rank = 2
    example_input = (None, 28, 28, 3)


@registry.register("layer")
class AdaptiveAveragePooling3D(AdaptiveAveragePooling):
    """The mean of each channel in parts of the volume, as many parts as the output is to have places.

    Args:
        output_size: depth, height and width of the output: one number for all, or 3 of them.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, new_depth, new_height, new_width, channels)`;
        with ``"channels_first"`` the input is `(batch, channels, depth, height, width)`.

    Raises:
        ValueError: `output_size` holds something else than positive whole numbers.

    Example:

    >>> import lamina
    >>> lamina.layers.AdaptiveAveragePooling3D(4)(lamina.Input((8, 9, 10, 3))).shape
    (None, 4, 4, 4, 3)
    """

    rank = 3
    example_input = (None, 16, 28, 28, 1)
