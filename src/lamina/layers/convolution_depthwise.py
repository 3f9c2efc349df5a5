"""Convolutions that treat each channel by itself first: depthwise and separable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax

from lamina.core import checks, registry
from lamina.layers import spatial
from lamina.layers.convolution_base import BaseConvolution
from lamina.ops.convolution import conv, depthwise_conv

_MULTIPLIED = "each channel gives this many channels"


class DepthwiseConvolution(BaseConvolution):
    """Each channel convolved by itself, over `rank` spatial axes."""

    shape_arguments: ClassVar[dict[str, str]] = {
        "depth_multiplier": _MULTIPLIED,
        **{k: v for k, v in BaseConvolution.shape_arguments.items() if k != "filters"},
    }
    common_mistakes: tuple[str, ...] = (
        "It takes no number of filters: the output has depth_multiplier channels for each channel of the input.",
        "The channels are not mixed: use SeparableConv, or a Conv with kernel_size 1 after it.",
    )

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = checks.positive_int("depth_multiplier", depth_multiplier)
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self._refuse_strides_with_dilation()
        self._set_weight("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self._set_output(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        channels = "channels" if self.depth_multiplier == 1 else "new_channels"
        return f"{taken} -> {spatial.axes(self.rank, self.data_format, channels, before='new_')}"

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights: ``kernel`` of shape ``(*kernel_size, channels, depth_multiplier)``, and ``bias``."""
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier), name="kernel", **self._weight_settings("depthwise")
        )
        self._add_bias_weight(channels * self.depth_multiplier)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Convolve each channel, add the bias, apply the activation."""
        self._check_fits(inputs)
        window = (self.strides, self.padding, self.data_format, self.dilation_rate)
        return self._finish(depthwise_conv(inputs, self.kernel.value, *window))


class SeparableConvolution(BaseConvolution):
    """Each channel convolved by itself, then the channels mixed, over `rank` spatial axes."""

    shape_arguments: ClassVar[dict[str, str]] = {
        **BaseConvolution.shape_arguments,
        "depth_multiplier": "changes the number of channels between the two steps, not the output's shape",
    }
    common_mistakes: tuple[str, ...] = (
        "depth_multiplier is taken for the number of output channels: that is filters.",
        "The input has no channels axis: give it one with x[..., None] and end input_shape with 1.",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = checks.positive_int("filters", filters)
        self.depth_multiplier = checks.positive_int("depth_multiplier", depth_multiplier)
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self._refuse_strides_with_dilation()
        self._set_weight("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self._set_weight("pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint)
        self._set_output(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        return f"{taken} -> {spatial.axes(self.rank, self.data_format, 'filters', before='new_')}"

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights.

        ``depthwise_kernel`` is ``(*kernel_size, channels, depth_multiplier)``, ``pointwise_kernel`` is
        ``(1, ..., channels * depth_multiplier, filters)``; then ``bias``.
        """
        channels = self._channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            name="depthwise_kernel",
            **self._weight_settings("depthwise"),
        )
        self.pointwise_kernel = self.add_weight(
            (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            name="pointwise_kernel",
            **self._weight_settings("pointwise"),
        )
        self._add_bias_weight(self.filters)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Convolve each channel, mix the channels, add the bias, apply the activation."""
        self._check_fits(inputs)
        window = (self.strides, self.padding, self.data_format, self.dilation_rate)
        by_channel = depthwise_conv(inputs, self.depthwise_kernel.value, *window)
        return self._finish(conv(by_channel, self.pointwise_kernel.value, data_format=self.data_format))


@registry.register("layer")
class DepthwiseConv1D(DepthwiseConvolution):
    """A convolution along the length in which each channel has filters of its own.

    Args:
        kernel_size: length of the window.
        strides: step of the window.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (zeros on both sides, so that with strides 1 the length
            stays).
        depth_multiplier: number of filters for each channel.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added to each output channel.
        depthwise_initializer, bias_initializer: how the weights start.
        depthwise_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        depthwise_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, channels * depth_multiplier)`; with
        ``"channels_first"`` the channels stand after the batch.

    Raises:
        ValueError: an argument is out of range.
        ShapeError: the input does not fit, or is shorter than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.DepthwiseConv1D(3, depth_multiplier=2)(lamina.Input((128, 4))).shape
    (None, 126, 8)
    """

    rank = 1
    example_input: tuple[Any, ...] = (None, 128, 2)
    example_config: ClassVar[dict[str, Any]] = {"kernel_size": 3, "depth_multiplier": 2}


@registry.register("layer")
class DepthwiseConv2D(DepthwiseConvolution):
    """A convolution over an image in which each channel has filters of its own.

    Args:
        kernel_size: height and width of the window, or one number for both.
        strides: steps of the window along height and width, or one number for both.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (zeros around the image, so that with strides 1 its
            size stays).
        depth_multiplier: number of filters for each channel.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added to each output channel.
        depthwise_initializer, bias_initializer: how the weights start.
        depthwise_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        depthwise_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width,
        channels * depth_multiplier)`; with ``"channels_first"`` the channels stand after the batch.

    Raises:
        ValueError: an argument is out of range.
        ShapeError: the input does not fit, or is smaller than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.DepthwiseConv2D(3, padding="same")(lamina.Input((28, 28, 4))).shape
    (None, 28, 28, 4)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)
    example_config: ClassVar[dict[str, Any]] = {"kernel_size": 3, "depth_multiplier": 2}


@registry.register("layer", "SeparableConvolution1D")
class SeparableConv1D(SeparableConvolution):
    """A convolution along the length in two cheap steps: each channel by itself, then a mix of the channels.

    Args:
        filters: number of output channels.
        kernel_size: length of the window.
        strides: step of the window.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (zeros on both sides, so that with strides 1 the length
            stays).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
        depth_multiplier: number of filters for each channel in the first step.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added to each output channel.
        depthwise_initializer, pointwise_initializer, bias_initializer: how the weights start.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        depthwise_constraint, pointwise_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, filters)`; with ``"channels_first"``
        `(batch, channels, length)` and `(batch, filters, new_length)`.

    Raises:
        ValueError: an argument is out of range.
        ShapeError: the input does not fit, or is shorter than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.SeparableConv1D(16, 3)(lamina.Input((128, 2))).shape
    (None, 126, 16)
    """

    rank = 1
    example_input: tuple[Any, ...] = (None, 128, 2)
    example_config: ClassVar[dict[str, Any]] = {"filters": 16, "kernel_size": 3}


@registry.register("layer", "SeparableConvolution2D")
class SeparableConv2D(SeparableConvolution):
    """A convolution over an image in two cheap steps: each channel by itself, then a mix of the channels.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one number for both.
        strides: steps of the window along height and width, or one number for both.
        padding: ``"valid"`` (windows that fit) or ``"same"`` (zeros around the image, so that with strides 1 its
            size stays).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
        depth_multiplier: number of filters for each channel in the first step.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added to each output channel.
        depthwise_initializer, pointwise_initializer, bias_initializer: how the weights start.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        depthwise_constraint, pointwise_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, filters)`; with
        ``"channels_first"`` `(batch, channels, height, width)` and `(batch, filters, new_height, new_width)`.

    Raises:
        ValueError: an argument is out of range.
        ShapeError: the input does not fit, or is smaller than the window.

    Example:

    >>> import lamina
    >>> lamina.layers.SeparableConv2D(8, 3, strides=2)(lamina.Input((28, 28, 3))).shape
    (None, 13, 13, 8)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)
    example_config: ClassVar[dict[str, Any]] = {"filters": 16, "kernel_size": 3}


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
