"""Convolutions over one, two or three (or more) spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax import lax

from lamina.core import checks, config
from lamina.core.symbolic import op
from lamina.kernels.convolution import Form, convolve
from lamina.kernels.convolution_transpose import spread
from lamina.ops.arrays import array, common
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "conv", "conv_transpose", "depthwise_conv", "separable_conv",
]  # fmt: skip


Sizes = int | Sequence[int]
_SPATIAL = "DHW"


def _checked(name: str, inputs: Any, kernel: Any, data_format: str | None) -> tuple[jax.Array, jax.Array, str, Any]:
    """Inputs and kernel in one type, the data format, and the number of channels."""
    x, w = common(array(inputs), array(kernel))
    data_format = config.standardize_data_format(data_format)
    if x.ndim < 3 or w.ndim != x.ndim:
        raise ShapeError(
            f"`{name}`: inputs of {x.ndim} axes and a kernel of {w.ndim} do not fit together",
            expected="inputs (batch, *spatial, channels) or (batch, channels, *spatial), and a kernel of as many axes",
            received=f"inputs {dims.show_shape(x.shape)}, kernel {dims.show_shape(w.shape)}",
        )
    channels = x.shape[-1 if data_format == "channels_last" else 1]
    return x, w, data_format, channels


def _channel_error(name: str, x: jax.Array, w: jax.Array, expected: str, data_format: str) -> ShapeError:
    return ShapeError(
        f"`{name}`: the inputs have {dims.show(x.shape[-1 if data_format == 'channels_last' else 1])} channels "
        f"({data_format}), which do not fit the kernel {dims.show_shape(w.shape)}",
        expected=expected,
        received=dims.show_shape(x.shape),
    )


def _padding(padding: str) -> str:
    return checks.one_of("padding", padding, ("valid", "same")).upper()


def _convolve(x: Any, w: Any, strides: Sizes, padding: str, data_format: str, dilation_rate: Sizes, groups: int) -> Any:
    rank = x.ndim - 2
    steps, gaps = checks.sizes("strides", strides, rank), checks.sizes("dilation_rate", dilation_rate, rank)
    if max(steps) > 1 and max(gaps) > 1:
        raise ValueError(f"`strides`={strides!r} and `dilation_rate`={dilation_rate!r}: only one of them may exceed 1")
    _fits_window(x, w, padding, data_format, gaps)
    channels_first = data_format == "channels_first"
    sizes = x.shape[2:] if channels_first else x.shape[1:-1]
    windows = [(size - 1) * gap + 1 for size, gap in zip(w.shape[:rank], gaps, strict=True)]
    pads: Any = _padding(padding)
    if all(map(dims.is_known, sizes)):  # of an open size jax wants to be told how to pad, not how much
        pads = tuple((low, high) for low, high in lax.padtype_to_pads(sizes, windows, steps, pads))
    return convolve(x, w, Form(steps, pads, gaps, channels_first, groups))


def _fits_window(x: Any, w: Any, padding: str, data_format: str, gaps: Sequence[int]) -> None:
    if padding != "valid":
        return
    spatial = x.shape[1:-1] if data_format == "channels_last" else x.shape[2:]
    for size, length, gap in zip(spatial, w.shape, gaps, strict=False):
        if dims.is_known(size) and size < (length - 1) * gap + 1:
            raise ShapeError(
                f"the convolution's window spans {(length - 1) * gap + 1} places, but an axis has only {size}",
                expected=f"at least {(length - 1) * gap + 1}, or padding='same'",
                received=dims.show_shape(x.shape),
            )


@op
def conv(
    inputs: Any,
    kernel: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Convolution; in groups where the kernel takes only a part of the channels.

    Args:
        inputs: ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)`` with ``"channels_first"``.
        kernel: ``(*window, channels / groups, filters)``.
        strides: steps of the window.
        padding: ``"valid"`` (none) or ``"same"`` (zeros, so that stride 1 keeps the size).
        data_format: ``"channels_last"``, ``"channels_first"`` or ``None`` for the default.
        dilation_rate: distances between the window's elements.

    Raises:
        ShapeError: channels or axes do not fit the kernel.

    >>> import lamina
    >>> image, kernel = lamina.ops.ones((1, 8, 8, 3)), lamina.ops.ones((3, 3, 3, 16))
    >>> lamina.ops.conv(image, kernel, padding="same").shape
    (1, 8, 8, 16)
    """
    x, w, data_format, channels = _checked("conv", inputs, kernel, data_format)
    taken = w.shape[-2]
    fits = dims.is_known(channels) and channels and channels % taken == 0
    if not fits or w.shape[-1] % (channels // taken):
        raise _channel_error("conv", x, w, f"{taken} channels, or {taken} for each group of filters", data_format)
    return _convolve(x, w, strides, padding, data_format, dilation_rate, channels // taken)


@op
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Convolution of each channel by itself.

    Args:
        inputs: ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)`` with ``"channels_first"``.
        kernel: ``(*window, channels, multiplier)``; the result has ``channels * multiplier`` channels.
        strides, padding, data_format, dilation_rate: as of `conv`.
    """
    x, w, data_format, channels = _checked("depthwise_conv", inputs, kernel, data_format)
    if channels != w.shape[-2]:
        raise _channel_error("depthwise_conv", x, w, f"{w.shape[-2]} channels", data_format)
    w = w.reshape(*w.shape[:-2], 1, w.shape[-2] * w.shape[-1])
    return _convolve(x, w, strides, padding, data_format, dilation_rate, channels)


@op
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """A depthwise convolution, and then a mixing of channels with a window of size 1.

    Args:
        inputs: ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)`` with ``"channels_first"``.
        depthwise_kernel: ``(*window, channels, multiplier)``.
        pointwise_kernel: ``(1, ..., channels * multiplier, filters)``.
        strides, padding, data_format, dilation_rate: as of `conv`.
    """
    depthwise = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(depthwise, pointwise_kernel, 1, "valid", data_format)


def _transposed_pads(size: int, step: int, gap: int, padding: str, extra: int | None) -> tuple[int, int]:
    """Zeros before and after the stretched input, so that the result has the length Keras gives it.

    Without `extra` (``output_padding``) that is ``length * step`` ("same"), or as far as the last window
    reaches and at least ``length * step`` ("valid").
    """
    window = (size - 1) * gap + 1
    if padding == "valid":
        more = max(step - window, 0) if extra is None else extra
        return window - 1, window - 1 + more
    total = window + step - 2 if extra is None else 2 * (window - 1) - 2 * (window // 2) + extra
    before = min(window - 1, (total + 1) // 2)
    return before, total - before


@op
def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """The transpose of a convolution: each input element spreads over a window of the result.

    Args:
        inputs: ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)`` with ``"channels_first"``.
        kernel: ``(*window, filters, channels)``.
        strides: how far apart the windows of neighbouring elements lie.
        padding: ``"valid"`` or ``"same"``.
        output_padding: places added at the end of each axis, fewer than the stride; ``None`` works it out.
        data_format: ``"channels_last"``, ``"channels_first"`` or ``None`` for the default.
        dilation_rate: distances between the window's elements.

    Raises:
        ShapeError: channels or axes do not fit the kernel.
    """
    x, w, data_format, channels = _checked("conv_transpose", inputs, kernel, data_format)
    if channels != w.shape[-1]:
        raise _channel_error("conv_transpose", x, w, f"{w.shape[-1]} channels", data_format)
    rank = x.ndim - 2
    steps, gaps = checks.sizes("strides", strides, rank), checks.sizes("dilation_rate", dilation_rate, rank)
    extra = (None,) * rank if output_padding is None else checks.sizes("output_padding", output_padding, rank, least=0)
    for e, s in zip(extra, steps, strict=True):
        if e is not None and e >= s:
            raise ValueError(f"`output_padding`={output_padding!r} must be smaller than `strides`={strides!r}")
    kind = _padding(padding).lower()
    pads = [_transposed_pads(*each[:3], kind, each[3]) for each in zip(w.shape, steps, gaps, extra, strict=False)]
    return spread(x, w, steps, pads, gaps, data_format == "channels_first")
