"""Lengths, images and volumes made larger by a whole factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.layers import spatial
from lamina.layers.reshaping_sizes import Resizing


class UpSampling(Resizing):
    """Each entry of the spatial axes several times over."""

    size: Any
    shape_arguments: ClassVar[dict[str, str]] = {
        "size": "each spatial axis is multiplied by it",
        "data_format": "where the channels stand: last, or first after the batch",
    }
    common_mistakes: tuple[str, ...] = (
        "size is a factor, not the new size: UpSampling2D(2) makes 14 x 14 into 28 x 28.",
        "A pooled axis of odd size does not come back: 7 pooled by 2 is 3, and upsampled 6; pad or crop by 1.",
    )

    def call(self, inputs: jax.Array) -> jax.Array:
        """Every entry repeated."""
        factors = (self.size,) if self.rank == 1 else self.size
        for place, factor in zip(spatial.spatial_axes(self.rank, self.data_format), factors, strict=True):
            inputs = jnp.repeat(inputs, factor, axis=place)
        return inputs


@registry.register("layer")
class UpSampling1D(UpSampling):
    """Every step of a length, several times in a row.

    Args:
        size: how many times.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, channels)`.

    Example:

    >>> import lamina
    >>> lamina.layers.UpSampling1D(2)(lamina.ops.array([[[1.0], [2.0]]])).tolist()
    [[[1.0], [1.0], [2.0], [2.0]]]
    """

    rank = 1
    shape_arguments: ClassVar[dict[str, str]] = {"size": UpSampling.shape_arguments["size"]}
    example_input: tuple[Any, ...] = (None, 128, 2)
    example_config: ClassVar[dict[str, Any]] = {"size": 2}

    def __init__(self, size: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = checks.sizes("size", size, 1)[0]


@registry.register("layer")
class UpSampling2D(UpSampling):
    """An image made larger by a whole factor.

    Args:
        size: factors for height and width, or one number for both.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        interpolation: ``"nearest"`` (each pixel repeated), ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or
            ``"lanczos5"``.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, channels)`; with
        ``"channels_first"`` `(batch, channels, height, width)` and `(batch, channels, new_height, new_width)`.

    Example:

    >>> import lamina
    >>> lamina.layers.UpSampling2D((2, 3), interpolation="bilinear")(lamina.Input((8, 8, 3))).shape
    (None, 16, 24, 3)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 14, 14, 8)
    example_config: ClassVar[dict[str, Any]] = {"size": 2}

    def __init__(
        self,
        size: int | Sequence[int] = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        kinds = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        self.interpolation = checks.one_of("interpolation", interpolation, kinds)
        self.size = checks.sizes("size", size, 2)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The image, larger."""
        if self.interpolation == "nearest":
            return super().call(inputs)
        factors = spatial.per_axis(2, self.data_format, self.size, 1)
        shape = tuple(size * factor for size, factor in zip(inputs.shape, factors, strict=True))
        return jax.image.resize(inputs, shape, self.interpolation)


@registry.register("layer")
class UpSampling3D(UpSampling):
    """A volume made larger by a whole factor: every entry repeated.

    Args:
        size: factors for depth, height and width, or one number for all.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, new_depth, new_height, new_width,
        channels)`; with ``"channels_first"`` the channels stand after the batch.

    Example:

    >>> import lamina
    >>> lamina.layers.UpSampling3D(2)(lamina.Input((4, 4, 4, 3))).shape
    (None, 8, 8, 8, 3)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 4, 7, 7, 8)
    example_config: ClassVar[dict[str, Any]] = {"size": 2}

    def __init__(self, size: int | Sequence[int] = (2, 2, 2), data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.size = checks.sizes("size", size, 3)
