"""Transposed convolutions: each entry spreads over a window of a larger output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax

from lamina.core import checks, registry
from lamina.layers import spatial
from lamina.layers.convolution_base import BaseConvolution
from lamina.ops.convolution import conv_transpose


class TransposedConvolution(BaseConvolution):
    """The transposed convolution over `rank` spatial axes."""

    output_padding: tuple[int, ...] | None
    shape_arguments: ClassVar[dict[str, str]] = {
        "filters": "the number of output channels",
        "strides": "each spatial axis is multiplied by it",
        "kernel_size": "with padding='valid' each spatial axis grows by what the window reaches beyond the strides",
        "padding": "'same' gives size * strides; 'valid' gives every entry its whole window",
        "output_padding": "entries added at the end of each spatial axis, fewer than strides",
        "dilation_rate": "spreads the kernel: it reaches over (kernel_size - 1) * dilation_rate + 1 entries",
        "data_format": "where the channels stand: last, or first after the batch",
    }
    common_mistakes: tuple[str, ...] = (
        "The output is a little larger than wanted: use padding='same', which gives exactly size * strides.",
        "It does not undo a convolution: it only goes from its output shape to its input shape.",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        output_padding: int | Sequence[int] | None = None,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = checks.positive_int("filters", filters)
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self._refuse_strides_with_dilation()
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = checks.sizes("output_padding", output_padding, self.rank, least=0)
            if any(extra >= step for extra, step in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(f"`output_padding`={output_padding!r} must be less than `strides`={self.strides}")
        self._set_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_output(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        return f"{taken} -> {spatial.axes(self.rank, self.data_format, 'filters', before='new_')}"

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights: ``kernel`` of shape ``(*kernel_size, filters, channels)``, and ``bias``."""
        channels = self._channels(input_shape)
        self.kernel = self.add_weight((*self.kernel_size, self.filters, channels), name="kernel")
        self._add_bias_weight(self.filters)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Spread the inputs over their windows, add the bias, apply the activation."""
        window = (self.strides, self.padding, self.output_padding, self.data_format, self.dilation_rate)
        return self._finish(conv_transpose(inputs, self.kernel.value, *window))


@registry.register("layer", "Convolution1DTranspose")
class Conv1DTranspose(TransposedConvolution):
    """Each step of the input spreads over a window of a longer output.

    Args:
        filters: number of filters: size of the output's channels axis.
        kernel_size: length of the window.
        strides: how far apart the windows of neighbouring steps lie.
        padding: ``"valid"`` (every entry gives its whole window) or ``"same"`` (sizes times strides).
        output_padding: entries added at the end of each spatial axis, fewer than `strides`; by default what makes
            the sizes above.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
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
        ValueError: an argument is out of range.
        ShapeError: the input does not fit.

    Example:

    >>> import lamina
    >>> lamina.layers.Conv1DTranspose(8, 3, strides=2)(lamina.Input((10, 4))).shape
    (None, 21, 8)
    """

    rank = 1
    example_input: tuple[Any, ...] = (None, 64, 8)
    example_config: ClassVar[dict[str, Any]] = {"filters": 16, "kernel_size": 3, "strides": 2, "padding": "same"}


@registry.register("layer", "Convolution2DTranspose")
class Conv2DTranspose(TransposedConvolution):
    """Each pixel of the input spreads over a window of a larger image.

    Args:
        filters: number of filters: size of the output's channels axis.
        kernel_size: height and width of the window, or one number for both.
        strides: how far apart the windows of neighbouring pixels lie, or one number for both.
        padding: ``"valid"`` (every entry gives its whole window) or ``"same"`` (sizes times strides).
        output_padding: entries added at the end of each spatial axis, fewer than `strides`; by default what makes
            the sizes above.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
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
        ValueError: an argument is out of range.
        ShapeError: the input does not fit.

    Example:

    >>> import lamina
    >>> lamina.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(lamina.Input((7, 7, 16))).shape
    (None, 14, 14, 8)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 7, 7, 16)
    example_config: ClassVar[dict[str, Any]] = {"filters": 16, "kernel_size": 3, "strides": 2, "padding": "same"}


@registry.register("layer", "Convolution3DTranspose")
class Conv3DTranspose(TransposedConvolution):
    """Each entry of a volume spreads over a box of a larger one.

    Args:
        filters: number of filters: size of the output's channels axis.
        kernel_size: depth, height and width of the window, or one number for all.
        strides: how far apart the windows of neighbouring entries lie, or one number for all.
        padding: ``"valid"`` (every entry gives its whole window) or ``"same"`` (sizes times strides).
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        output_padding: entries added at the end of each spatial axis, fewer than `strides`; by default what makes
            the sizes above.
        dilation_rate: distance between the entries of the window; more than 1 only with strides of 1.
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
        ValueError: an argument is out of range.
        ShapeError: the input does not fit.

    Example:

    >>> import lamina
    >>> lamina.layers.Conv3DTranspose(4, 3, strides=2, padding="same")(lamina.Input((4, 4, 4, 8))).shape
    (None, 8, 8, 8, 4)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 4, 7, 7, 8)
    example_config: ClassVar[dict[str, Any]] = {"filters": 16, "kernel_size": 3, "strides": 2, "padding": "same"}

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: int | Sequence[int] | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        # Keras has output_padding and data_format the other way round in three dimensions
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )


Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
