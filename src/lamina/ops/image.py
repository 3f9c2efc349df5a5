"""Images: resizing, cropping, padding, colours, patches. Images come alone or in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import ndimage

from lamina.core import checks, config
from lamina.core.symbolic import op
from lamina.ops.arrays import array, floats
from lamina.ops.convolution import conv, depthwise_conv
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "crop_images", "extract_patches", "extract_patches_3d", "gaussian_blur", "hsv_to_rgb", "map_coordinates",
    "pad_images", "resize", "rgb_to_grayscale", "rgb_to_hsv", "scale_and_translate",
]  # fmt: skip


Sizes = int | Sequence[int]


def _checked(name: str, images: Any, data_format: str | None) -> tuple[jax.Array, int]:
    """The images, and the axis of their height (the width follows it)."""
    x = array(images)
    last = config.standardize_data_format(data_format) == "channels_last"
    if x.ndim not in (3, 4):
        raise ShapeError(
            f"`{name}` takes one image or a batch of them, not {x.ndim} axes",
            expected="(height, width, channels), with a batch axis or not" if last else "(channels, height, width)",
            received=dims.show_shape(x.shape),
        )
    return x, x.ndim - (3 if last else 2)


def _channels(name: str, images: Any, data_format: str | None) -> tuple[jax.Array, int]:
    x, height = _checked(name, images, data_format)
    axis = x.ndim - 1 if height == x.ndim - 3 else x.ndim - 3
    if x.shape[axis] != 3:
        raise ShapeError(
            f"`{name}` takes images of 3 channels, not {dims.show(x.shape[axis])}", received=dims.show_shape(x.shape)
        )
    return floats(x), axis


@op
def resize(
    images: Any,
    size: Sizes,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> jax.Array:
    """Images in another size.

    Args:
        images: one image or a batch.
        size: new height and width.
        interpolation: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``.
        antialias: whether to smooth first where images become smaller.
        crop_to_aspect_ratio: cut away what is too long, rather than distort.
        pad_to_aspect_ratio: add a border where they are too short, rather than distort.
        fill_mode: only ``"constant"``.
        fill_value: value of that border.
        data_format: ``"channels_last"``, ``"channels_first"`` or ``None`` for the default.

    >>> import lamina
    >>> lamina.ops.image.resize(lamina.ops.ones((4, 6, 3)), (2, 3)).shape
    (2, 3, 3)
    """
    method = checks.one_of("interpolation", interpolation, ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"))
    checks.one_of("fill_mode", fill_mode, ("constant",))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be true")
    x, at = _checked("resize", images, data_format)
    target = checks.sizes("size", size, 2)
    dtype = x.dtype
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        height, width = x.shape[at : at + 2]
        wide, high = int(float(height * target[1]) / target[0]), int(float(width * target[0]) / target[1])
        window = (
            (max(min(height, high), 1), max(min(width, wide), 1))
            if crop_to_aspect_ratio
            else (max(height, high), max(width, wide))
        )
        x = _centred(x, at, window, fill_value)
    x = x if jnp.issubdtype(dtype, jnp.floating) else x.astype(config.floatx())
    x = jax.image.resize(x, (*x.shape[:at], *target, *x.shape[at + 2 :]), method=method, antialias=antialias)
    if jnp.issubdtype(dtype, jnp.integer):
        info = jnp.iinfo(dtype)
        x = jnp.clip(jnp.round(x), float(info.min), float(info.max))
    return x.astype(dtype)


def _centred(x: jax.Array, at: int, window: Sequence[int], fill_value: float) -> jax.Array:
    """The middle of the images, cut to the window, or filled by the same number of places on both sides."""
    for axis, size in enumerate(window, at):
        extra = size - x.shape[axis]
        before = abs(extra) // 2
        if extra < 0:
            x = jax.lax.slice_in_dim(x, before, before + size, axis=axis)
        elif extra > 0:
            width = [(0, 0)] * x.ndim
            width[axis] = (before, before)
            x = jnp.pad(x, width, constant_values=fill_value)
    return x


def _border(kind: str, before: Any, after: Any, target: Any, size: Any, sign: int, names: Sequence[str]) -> Any:
    """Places before and after, of which two of `before`, `after` and the target are given."""
    if sum(v is not None for v in (before, after, target)) != 2:
        raise ValueError(f"`{kind}`: give just two of `{names[0]}`, `{names[1]}` and `{names[2]}`")
    change = None if target is None else sign * (target - size)
    before = change - after if before is None else before
    after = change - before if after is None else after
    if before < 0 or after < 0:
        raise ValueError(f"`{kind}`: `{names[0]}`={before} and `{names[1]}`={after} must not be negative")
    return before, after


@op
def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images with a border of zeros; give two of top, bottom and height, and two of left, right and width."""
    x, at = _checked("pad_images", images, data_format)
    rows = ("top_padding", "bottom_padding", "target_height")
    columns = ("left_padding", "right_padding", "target_width")
    width = [(0, 0)] * x.ndim
    width[at] = _border("pad_images", top_padding, bottom_padding, target_height, x.shape[at], 1, rows)
    width[at + 1] = _border("pad_images", left_padding, right_padding, target_width, x.shape[at + 1], 1, columns)
    return jnp.pad(x, width)


@op
def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images without their borders; give two of top, bottom and height, and two of left, right and width."""
    x, at = _checked("crop_images", images, data_format)
    rows = ("top_cropping", "bottom_cropping", "target_height")
    columns = ("left_cropping", "right_cropping", "target_width")
    top, bottom = _border("crop_images", top_cropping, bottom_cropping, target_height, x.shape[at], -1, rows)
    left, right = _border("crop_images", left_cropping, right_cropping, target_width, x.shape[at + 1], -1, columns)
    x = jax.lax.slice_in_dim(x, top, x.shape[at] - bottom, axis=at)
    return jax.lax.slice_in_dim(x, left, x.shape[at + 1] - right, axis=at + 1)


@op
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> jax.Array:
    """The brightness of colour images, as one channel."""
    x = array(images)
    axis = -1 if config.standardize_data_format(data_format) == "channels_last" else -3
    if x.ndim not in (3, 4) or x.shape[axis] not in (1, 3):
        raise ShapeError("`rgb_to_grayscale` takes images of 3 channels", received=dims.show_shape(x.shape))
    if x.shape[axis] == 1:
        return x
    weights = jnp.asarray([0.2989, 0.5870, 0.1140], floats(x).dtype).reshape((3,) + (1,) * (-1 - axis))
    return jnp.sum(floats(x) * weights, axis=axis, keepdims=True).astype(x.dtype)


@op
def rgb_to_hsv(images: Any, data_format: str | None = None) -> jax.Array:
    """Hue, saturation and value (0 to 1) of colour images with values from 0 to 1."""
    x, axis = _channels("rgb_to_hsv", images, data_format)
    red, green, blue = jnp.moveaxis(x, axis, 0)
    value, low = jnp.max(x, axis), jnp.min(x, axis)
    spread = value - low
    safe = jnp.where(spread > 0, spread, 1)
    saturation = jnp.where(value > 0, spread / jnp.where(value > 0, value, 1), 0)
    hue = jnp.where(
        value == red,
        (green - blue) / safe,
        jnp.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = jnp.where(spread > 0, (hue / 6) % 1.0, 0)
    return jnp.stack([hue, saturation, value], axis=axis).astype(x.dtype)


@op
def hsv_to_rgb(images: Any, data_format: str | None = None) -> jax.Array:
    """Colour images with values from 0 to 1, from hue, saturation and value."""
    x, axis = _channels("hsv_to_rgb", images, data_format)
    hue, saturation, value = jnp.moveaxis(x, axis, 0)

    def channel(offset: float) -> jax.Array:
        place = (offset + hue * 6) % 6
        return value * (1 - saturation * jnp.clip(jnp.minimum(place, 4 - place), 0, 1))

    return jnp.stack([channel(5), channel(3), channel(1)], axis=axis).astype(x.dtype)


def _patches(name: str, x: Any, size: Any, strides: Any, dilation: Any, padding: str, data_format: Any) -> Any:
    x, rank = array(x), len(size)
    last = config.standardize_data_format(data_format) == "channels_last"
    if x.ndim not in (rank + 1, rank + 2):
        raise ShapeError(
            f"`{name}` takes {rank} spatial axes and channels, with a batch axis or not",
            received=dims.show_shape(x.shape),
        )
    single = x.ndim == rank + 1
    x = x[None] if single else x
    channels, count = x.shape[-1 if last else 1], int(np.prod(size))
    pick = jnp.eye(count * channels, dtype=x.dtype).reshape(*size, channels, count * channels)
    found = conv(x, pick, size if strides is None else strides, padding, data_format, dilation)
    return found[0] if single else found


@op
def extract_patches(
    images: Any,
    size: Sizes,
    strides: Sizes | None = None,
    dilation_rate: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Blocks of images (or of volumes, where `size` has three numbers), each flattened into the channels.

    Args:
        images: one image or a batch.
        size: size of a block.
        strides: distance between blocks; their size by default.
        dilation_rate: distance between the places of a block.
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"``, ``"channels_first"`` or ``None`` for the default.
    """
    rank = 2 if checks.is_whole(size) else len(size)  # type: ignore[arg-type]
    if rank not in (2, 3):
        raise ValueError(f"`size`={size!r}: expected a whole number, or 2 or 3 of them")
    window = checks.sizes("size", size, rank)
    return _patches("extract_patches", images, window, strides, dilation_rate, padding, data_format)


@op
def extract_patches_3d(
    volumes: Any,
    size: Sizes,
    strides: Sizes | None = None,
    dilation_rate: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Blocks of volumes, each flattened into the channels; arguments as of `extract_patches`."""
    window = checks.sizes("size", size, 3)
    return _patches("extract_patches_3d", volumes, window, strides, dilation_rate, padding, data_format)


@op
def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> jax.Array:
    """The values of a tensor at places between its elements.

    Args:
        inputs: a tensor.
        coordinates: one place per axis of `inputs`, along the first axis.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: what lies outside: ``"constant"``, ``"nearest"``, ``"wrap"``, ``"mirror"`` or ``"reflect"``.
        fill_value: the constant outside.
    """
    x, places = array(inputs), array(coordinates)
    checks.one_of("order", order, (0, 1))
    checks.one_of("fill_mode", fill_mode, ("constant", "nearest", "wrap", "mirror", "reflect"))
    if places.shape[0] != x.ndim:
        raise ShapeError(
            "`map_coordinates`: `coordinates` needs a row for each axis",
            expected=f"({x.ndim}, ...)",
            received=dims.show_shape(places.shape),
        )
    return ndimage.map_coordinates(x, list(places), order, fill_mode, fill_value)


@op
def scale_and_translate(
    images: Any,
    output_shape: Sequence[int],
    scale: Any,
    translation: Any,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> jax.Array:
    """Images scaled and moved along some axes.

    Args:
        images: a tensor.
        output_shape: shape of the result.
        scale, translation: one number for each of `spatial_dims`.
        spatial_dims: the axes concerned.
        method: ``"linear"``, ``"bilinear"``, ``"cubic"``, ``"bicubic"``, ``"lanczos3"`` ...
        antialias: whether to smooth first where images become smaller.
    """
    return jax.image.scale_and_translate(
        floats(images), tuple(output_shape), tuple(spatial_dims), floats(scale), floats(translation), method, antialias
    )


@op
def gaussian_blur(
    images: Any, kernel_size: Sizes = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> jax.Array:
    """Images blurred with a Gaussian window of that size and those standard deviations (zeros lie outside)."""
    x = floats(_checked("gaussian_blur", images, data_format)[0])
    single = x.ndim == 3
    x = x[None] if single else x
    sizes = checks.sizes("kernel_size", kernel_size, 2)
    spreads = (sigma, sigma) if isinstance(sigma, (int, float)) else tuple(sigma)
    rows, columns = (
        jnp.exp(-0.5 * jnp.square((jnp.arange(n, dtype=x.dtype) - (n - 1) / 2) / s))
        for n, s in zip(sizes, spreads, strict=True)
    )
    window = jnp.outer(rows / jnp.sum(rows), columns / jnp.sum(columns))
    last = config.standardize_data_format(data_format) == "channels_last"
    channels = x.shape[-1 if last else 1]
    kernel = jnp.broadcast_to(window[:, :, None, None], (*sizes, channels, 1))
    blurred = depthwise_conv(x, kernel, 1, "same", data_format)
    return blurred[0] if single else blurred
