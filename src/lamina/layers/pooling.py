"""Pooling over windows: the largest or the mean of what lies in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax

from lamina.core import checks, config, registry
from lamina.layers import spatial
from lamina.layers.layer import Layer
from lamina.ops.pooling import average_pool, max_pool


class Pooling(Layer):
    """What all poolings over windows share. A subclass says how many spatial axes: `rank`, and how to pool."""

    rank: ClassVar[int]
    _pool: ClassVar[Callable[..., jax.Array]]
    shape_arguments: ClassVar[dict[str, str]] = {
        "pool_size": "the size of the window; without strides each spatial axis is divided by it, rounded down",
        "strides": "the step of the window, by default pool_size; larger steps give fewer outputs",
        "padding": "'same' divides each spatial axis by strides, rounded up; 'valid' keeps only windows that fit",
        "data_format": "where the channels stand: last, or first after the batch",
    }
    common_mistakes: tuple[str, ...] = (
        "With padding='valid' entries at the end that fill no whole window are dropped; padding='same' keeps them.",
        "After several poolings an axis is smaller than pool_size: pool less often, or use padding='same'.",
        "The data has its channels first: pass data_format='channels_first', else lengths and channels are mixed up.",
    )

    def __init__(
        self,
        pool_size: int | Sequence[int],
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.pool_size = checks.sizes("pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else checks.sizes("strides", strides, self.rank)
        self.padding = checks.one_of("padding", padding, ("valid", "same"))
        self.data_format = config.standardize_data_format(data_format)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        return f"{taken} -> {spatial.axes(self.rank, self.data_format, before='new_')}"

    def call(self, inputs: jax.Array) -> jax.Array:
        """Pool every window of the inputs."""
        if self.padding == "valid":
            spatial.check_window(self, inputs.shape, "pool_size", self.pool_size)
        return type(self)._pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class MaxPooling(Pooling):
    """The largest of each window."""

    _pool = staticmethod(max_pool)

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling(Pooling):
    """The mean of each window; padding does not count."""

    _pool = staticmethod(average_pool)


@registry.register("layer", "MaxPool1D")
class MaxPooling1D(MaxPooling):
    """The largest value of each channel in every window along the length.

    Args:
        pool_size: length of the window.
        strides: step of the window; by default `pool_size`.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (windows at the ends may be cut short).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        name: a name.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, channels)`; with ``"channels_first"``
        `(batch, channels, length)` and `(batch, channels, new_length)`.

    Raises:
        ShapeError: the input does not fit, or is shorter than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.MaxPooling1D(2)(lamina.Input((127, 16))).shape
    (None, 63, 16)
    """

    rank = 1
    example_input: tuple[Any, ...] = (None, 128, 2)
    example_config: ClassVar[dict[str, Any]] = {"pool_size": 2}


@registry.register("layer", "MaxPool2D")
class MaxPooling2D(MaxPooling):
    """The largest value of each channel in every window of an image.

    Args:
        pool_size: height and width of the window, or one number for both.
        strides: steps of the window; by default `pool_size`.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (windows at the edges may be cut short).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        name: a name.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, channels)`; with
        ``"channels_first"`` `(batch, channels, height, width)` and `(batch, channels, new_height, new_width)`.

    Raises:
        ShapeError: the input does not fit, or is smaller than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.MaxPooling2D(2)(lamina.Input((28, 28, 8))).shape
    (None, 14, 14, 8)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)
    example_config: ClassVar[dict[str, Any]] = {"pool_size": 2}


@registry.register("layer", "MaxPool3D")
class MaxPooling3D(MaxPooling):
    """The largest value of each channel in every window of a volume.

    Args:
        pool_size: depth, height and width of the window, or one number for all.
        strides: steps of the window; by default `pool_size`.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (windows at the edges may be cut short).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        name: a name.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, new_depth, new_height, new_width,
        channels)`; with ``"channels_first"`` the channels stand after the batch.

    Raises:
        ShapeError: the input does not fit, or is smaller than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.MaxPooling3D(2)(lamina.Input((8, 8, 8, 3))).shape
    (None, 4, 4, 4, 3)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 16, 28, 28, 1)
    example_config: ClassVar[dict[str, Any]] = {"pool_size": 2}


@registry.register("layer", "AvgPool1D")
class AveragePooling1D(AveragePooling):
    """The mean of each channel in every window along the length.

    Args:
        pool_size: length of the window.
        strides: step of the window; by default `pool_size`.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (windows at the ends may be cut short; the mean is of
            what lies inside).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        name: a name.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, channels)`; with ``"channels_first"``
        `(batch, channels, length)` and `(batch, channels, new_length)`.

    Raises:
        ShapeError: the input does not fit, or is shorter than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.AveragePooling1D(2)(lamina.ops.array([[[1.0], [3.0], [5.0], [7.0]]])).tolist()
    [[[2.0], [6.0]]]
    """

    rank = 1
    example_input: tuple[Any, ...] = (None, 128, 2)
    example_config: ClassVar[dict[str, Any]] = {"pool_size": 2}


@registry.register("layer", "AvgPool2D")
class AveragePooling2D(AveragePooling):
    """The mean of each channel in every window of an image.

    Args:
        pool_size: height and width of the window, or one number for both.
        strides: steps of the window; by default `pool_size`.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (windows at the edges may be cut short; the mean is of
            what lies inside).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        name: a name.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, channels)`; with
        ``"channels_first"`` `(batch, channels, height, width)` and `(batch, channels, new_height, new_width)`.

    Raises:
        ShapeError: the input does not fit, or is smaller than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.AveragePooling2D((2, 4))(lamina.Input((28, 28, 8))).shape
    (None, 14, 7, 8)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)
    example_config: ClassVar[dict[str, Any]] = {"pool_size": 2}


@registry.register("layer", "AvgPool3D")
class AveragePooling3D(AveragePooling):
    """The mean of each channel in every window of a volume.

    Args:
        pool_size: depth, height and width of the window, or one number for all.
        strides: steps of the window; by default `pool_size`.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (windows at the edges may be cut short; the mean is of
            what lies inside).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        name: a name.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, new_depth, new_height, new_width,
        channels)`; with ``"channels_first"`` the channels stand after the batch.

    Raises:
        ShapeError: the input does not fit, or is smaller than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.AveragePooling3D(2)(lamina.Input((8, 8, 8, 3))).shape
    (None, 4, 4, 4, 3)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 16, 28, 28, 1)
    example_config: ClassVar[dict[str, Any]] = {"pool_size": 2}


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
