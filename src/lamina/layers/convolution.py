"""Convolutions over lengths, images and volumes."""

from __future__ import annotations

from typing import Any, ClassVar

from lamina.core import registry
from lamina.layers.convolution_base import Convolution


@registry.register("layer", "Convolution1D")
class Conv1D(Convolution):
    """Every filter is a weighted sum over a short window that slides along the length.

    Args:
        filters: number of filters: size of the output's channels axis.
        kernel_size: length of the window.
        strides: step of the window.
        padding: ``"valid"`` (windows that fit), ``"same"`` (zeros on both sides, so that with strides 1 the length
            stays) or ``"causal"`` (zeros before the start, so that no output sees a later input).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
        groups: number of parts that the channels are split into, each with its own share of the filters.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added to each filter.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        kernel_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, filters)`; with ``"channels_first"``
        `(batch, channels, length)` and `(batch, filters, new_length)`.

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide `filters`.
        ShapeError: the input does not fit, or is shorter than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.Conv1D(16, 3)(lamina.Input((128, 2))).shape
    (None, 126, 16)
    """

    rank = 1
    paddings = ("valid", "same", "causal")
    example_input: tuple[Any, ...] = (None, 128, 2)
    example_config: ClassVar[dict[str, Any]] = {"filters": 16, "kernel_size": 3}


@registry.register("layer", "Convolution2D")
class Conv2D(Convolution):
    """Every filter is a weighted sum over a small window that slides over an image.

    Args:
        filters: number of filters: size of the output's channels axis.
        kernel_size: height and width of the window, or one number for both.
        strides: steps of the window along height and width, or one number for both.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (zeros around the image, so that with strides 1 its
            size stays).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
        groups: number of parts that the channels are split into, each with its own share of the filters.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added to each filter.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        kernel_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, filters)`; with
        ``"channels_first"`` `(batch, channels, height, width)` and `(batch, filters, new_height, new_width)`.

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide `filters`.
        ShapeError: the input does not fit, or is smaller than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.Conv2D(8, (3, 5), padding="same", strides=2)(lamina.Input((28, 28, 1))).shape
    (None, 14, 14, 8)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)
    example_config: ClassVar[dict[str, Any]] = {"filters": 16, "kernel_size": 3}


@registry.register("layer", "Convolution3D")
class Conv3D(Convolution):
    """Every filter is a weighted sum over a small box that slides through a volume.

    Args:
        filters: number of filters: size of the output's channels axis.
        kernel_size: depth, height and width of the window, or one number for all.
        strides: steps of the window along the three axes, or one number for all.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (zeros around the volume, so that with strides 1 its
            size stays).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
        groups: number of parts that the channels are split into, each with its own share of the filters.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added to each filter.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        kernel_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, new_depth, new_height, new_width,
        filters)`; with ``"channels_first"`` the channels and filters stand after the batch.

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide `filters`.
        ShapeError: the input does not fit, or is smaller than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.Conv3D(4, 3)(lamina.Input((10, 12, 12, 1))).shape
    (None, 8, 10, 10, 4)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 16, 28, 28, 1)
    example_config: ClassVar[dict[str, Any]] = {"filters": 8, "kernel_size": 3}


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
