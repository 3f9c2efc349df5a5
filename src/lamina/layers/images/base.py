"""What layers on images share: the order of axes, one image or a batch, and random draws for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, config
from lamina.core.seeds import SeedGenerator, draw_key
from lamina.layers.checking import describe
from lamina.layers.layer import Layer
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

FILLS = ("constant", "nearest", "reflect", "wrap")


class ImageLayer(Layer):
    """A layer from images to images. A subclass computes on a batch `(batch, height, width, channels)`: `change`."""

    sized = False
    common_mistakes: tuple[str, ...] = (
        "The data has its channels first: pass data_format='channels_first', else rows are taken for channels.",
        "It takes images alone; labels do not go through it.",
    )
    example_input: tuple[Any, ...] = (None, 28, 28, 3)

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says; a single image has no batch axis."""
        new = "new_" if self.sized else ""
        if self.data_format == "channels_first":
            return f"... channels height width -> ... channels {new}height {new}width"
        return f"... height width channels -> ... {new}height {new}width channels"

    def call(self, data: Any, training: bool = True) -> Any:
        if isinstance(data, (dict, list, tuple)):
            raise ValueError(f"{describe(self)} takes images, one tensor; {type(data).__name__} came")
        images = self._typed(data)
        self._check_axes_of(images.shape)
        first, single = self.data_format == "channels_first", images.ndim == 3
        images = jnp.moveaxis(images, -3, -1) if first else images
        images = self.change(images[None] if single else images, training)
        images = images[0] if single else images
        return jnp.moveaxis(images, -1, -3) if first else images

    def _check_axes_of(self, shape: Sequence[Any]) -> None:
        """Refuse what is neither an image nor a batch of them.

        Raises:
            ShapeError: there are more than four axes, or three of which the first is open, as that of a batch is.
        """
        if len(shape) == 4 or (len(shape) == 3 and dims.is_known(shape[0])):
            return
        last = self.data_format == "channels_last"
        raise ShapeError(
            f"{describe(self)} cannot take an input of shape {dims.show_shape(dims.to_public(shape))}",
            layer=self.name,
            expected="(batch, height, width, channels)" if last else "(batch, channels, height, width)",
            received=f"{dims.show_shape(dims.to_public(shape))}   {len(shape)} axes",
        )

    def _typed(self, images: Any) -> Any:
        return images.astype(self.compute_dtype)

    def change(self, images: Any, training: bool) -> Any:
        """What becomes of a batch of images `(batch, height, width, channels)`."""
        raise ValueError(f"{type(self).__name__} does not say what becomes of the images")


class RandomImageLayer(ImageLayer):
    """A layer that changes images at random while training, each in its own way. A subclass says how: `vary`."""

    common_mistakes: tuple[str, ...] = (
        "Outside of training it changes nothing; call it with training=True to see what it does.",
        "The data has its channels first: pass data_format='channels_first', else rows are taken for channels.",
    )

    def _set_seed(self, seed: int | SeedGenerator | None) -> None:
        self.seed = seed
        self.seed_generator = seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)

    def change(self, images: Any, training: bool) -> Any:
        return self.vary(images) if training else images

    def vary(self, images: Any) -> Any:
        """A batch of images `(batch, height, width, channels)`, changed at random."""
        raise ValueError(f"{type(self).__name__} does not say how it varies images")

    def _uniform(self, bounds: Sequence[float], images: Any) -> Any:
        """A number between bounds for each image."""
        return jax.random.uniform(
            draw_key(self.seed_generator), images.shape[:1], minval=float(bounds[0]), maxval=float(bounds[1])
        )


def bounds(name: str, value: Any, low: float, high: float, symmetric: bool = True) -> tuple[float, float]:
    """Two bounds out of a number (itself and its opposite, or zero) or a pair of them.

    Raises:
        ValueError: they are not within ``low ... high``, or the first is above the second.
    """
    if isinstance(value, (list, tuple)) and len(value) == 2:
        pair = (checks.real(name, value[0], low, high), checks.real(name, value[1], low, high))
        if pair[0] > pair[1]:
            raise ValueError(f"`{name}`={value!r}: the first bound is above the second")
        return pair
    number = checks.real(name, value, low, high)
    return (-abs(number), abs(number)) if symmetric else (0.0, number)


def resampled(images: Any, rows: Any, columns: Any, interpolation: str, fill_mode: str, fill_value: float) -> Any:
    """Images whose pixels are read at other places.

    Args:
        images: `(batch, height, width, channels)`.
        rows, columns: for each pixel of each image, where its value is read: `(batch, height, width)`.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill_mode, fill_value: what lies outside.
    """
    order = {"nearest": 0, "bilinear": 1}[interpolation]

    def read(image: Any, row: Any, column: Any) -> Any:
        return jax.scipy.ndimage.map_coordinates(image, [row, column], order, fill_mode, fill_value)

    dtype = images.dtype
    images = images if jnp.issubdtype(dtype, jnp.floating) else images.astype("float32")
    over_channels = jax.vmap(read, (-1, None, None), -1)
    return jax.vmap(over_channels)(images, rows, columns).astype(dtype)


class Resampling(RandomImageLayer):
    """Moves pixels. A subclass says where each is read from: `places`."""

    shape_arguments: ClassVar[dict[str, str]] = {}

    def _set_resampling(self, fill_mode: str, interpolation: str, fill_value: float) -> None:
        self.fill_mode = checks.one_of("fill_mode", fill_mode, FILLS)
        self.interpolation = checks.one_of("interpolation", interpolation, ("nearest", "bilinear"))
        self.fill_value = checks.real("fill_value", fill_value)

    def vary(self, images: Any) -> Any:
        height, width = images.shape[1:3]
        middle = (height - 1) / 2, (width - 1) / 2
        y = jnp.arange(height, dtype="float32")[None, :, None]
        x = jnp.arange(width, dtype="float32")[None, None, :]
        rows, columns = self.places(images, y, x, middle)
        shape = images.shape[:3]
        rows, columns = jnp.broadcast_to(rows, shape), jnp.broadcast_to(columns, shape)
        return resampled(images, rows, columns, self.interpolation, self.fill_mode, self.fill_value)

    def places(self, images: Any, y: Any, x: Any, middle: tuple[Any, Any]) -> tuple[Any, Any]:
        """The row and column that pixel `(y, x)` is read from, for each image."""
        raise ValueError(f"{type(self).__name__} does not say how it moves pixels")


def each(numbers: Any) -> Any:
    """One number for each image, `(batch,)`, as `(batch, 1, 1)`."""
    return numbers[:, None, None]
