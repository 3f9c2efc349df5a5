"""`Resizing`, `CenterCrop` and `RandomCrop`: images in another size."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.core.seeds import SeedGenerator, draw_key, make_seed
from lamina.layers.images.base import ImageLayer
from lamina.ops.image import resize
from lamina.shapes import dims

_SIZES = {"height": "the height of the output", "width": "the width of the output"}
_FORMAT = {"data_format": "where the channels stand: last, or first after the batch"}


class _Sized(ImageLayer):
    """Images that come out in a size of their own: `height` and `width`."""

    sized = True
    shape_arguments: ClassVar[dict[str, str]] = {**_SIZES, **_FORMAT}
    example_config: ClassVar[dict[str, Any]] = {"height": 20, "width": 24}

    def _set_size(self, height: int, width: int) -> None:
        self.height, self.width = checks.positive_int("height", height), checks.positive_int("width", width)

    @property
    def _size(self) -> tuple[int, int]:
        return self.height, self.width


def cut_or_resized(images: Any, size: tuple[int, int], start: Any) -> Any:
    """A window of that size out of images `(batch, height, width, channels)`; of smaller ones the middle, enlarged.

    Args:
        images: the images.
        size: height and width of the window.
        start: gives, for the room left along an axis, where the window starts.
    """
    rooms = [have - want for have, want in zip(images.shape[1:3], size, strict=True)]
    if any(dims.is_known(room) and room < 0 for room in rooms):
        return resize(images, size, crop_to_aspect_ratio=True, data_format="channels_last")
    places = [start(room) for room in rooms]
    sizes = (images.shape[0], *size, images.shape[3])
    return jax.lax.dynamic_slice(images, (0, *places, 0), sizes)


@registry.register("layer")
class Resizing(_Sized):
    """Images in another size.

    Args:
        height, width: size of the output.
        interpolation: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``.
        crop_to_aspect_ratio: cut away what is too long, rather than distort.
        pad_to_aspect_ratio: add a border where they are too short, rather than distort.
        fill_mode: of that border; only ``"constant"``.
        fill_value: value of that border.
        antialias: whether to smooth first where images become smaller.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same with the new
        height and width. Whole numbers stay whole numbers.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import lamina
    >>> lamina.layers.Resizing(20, 24)(lamina.Input((None, None, 3))).shape
    (None, 20, 24, 3)
    """

    common_mistakes = (
        "height comes before width, as in the shape of the images.",
        "It distorts images of another aspect ratio; crop_to_aspect_ratio or pad_to_aspect_ratio keep it.",
    )

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self._set_size(height, width)
        kinds = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        self.interpolation = checks.one_of("interpolation", interpolation, kinds)
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = bool(crop_to_aspect_ratio), bool(pad_to_aspect_ratio)
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError("Resizing: only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be true")
        self.fill_mode = checks.one_of("fill_mode", fill_mode, ("constant",))
        self.fill_value = checks.real("fill_value", fill_value)
        self.antialias = bool(antialias)

    def _typed(self, images: Any) -> Any:
        return images

    def change(self, images: Any, training: bool) -> Any:
        return resize(
            images, self._size, self.interpolation, self.antialias, self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio, self.fill_mode, self.fill_value, data_format="channels_last",
        )  # fmt: skip


@registry.register("layer")
class CenterCrop(_Sized):
    """The middle of each image; of a smaller one, the middle that has the right aspect ratio, enlarged.

    Args:
        height, width: size of the output.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same with the new
        height and width. Open sizes are taken to be large enough.

    Raises:
        ValueError: `height` or `width` is no positive whole number.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.CenterCrop(1, 2)(np.arange(12).reshape(1, 3, 4, 1))[0, :, :, 0].tolist()
    [[5.0, 6.0]]
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self._set_size(height, width)

    def change(self, images: Any, training: bool) -> Any:
        return cut_or_resized(images, self._size, lambda room: room // 2)


@registry.register("layer")
class RandomCrop(_Sized):
    """A window at a random place while training, the same place for all images of a batch.

    Outside of training, and where an image is smaller than the window, the largest part of its middle that has the
    window's aspect ratio is brought to the window's size.

    Args:
        height, width: size of the output.
        seed: a whole number for the same random numbers each time.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same with the new
        height and width, in training or not. Open sizes are taken to be large enough.

    Raises:
        ValueError: `height` or `width` is no positive whole number.

    Example:

    >>> import lamina
    >>> lamina.layers.RandomCrop(20, 24)(lamina.Input((28, 28, 3))).shape
    (None, 20, 24, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | SeedGenerator | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, name=name, **kwargs)
        self._set_size(height, width)
        self.seed = make_seed() if seed is None else seed
        self.seed_generator = self.seed if isinstance(self.seed, SeedGenerator) else SeedGenerator(self.seed)

    def change(self, images: Any, training: bool) -> Any:
        if not training:
            return resize(images, self._size, crop_to_aspect_ratio=True, data_format="channels_last")
        return cut_or_resized(images, self._size, self._anywhere)

    def _anywhere(self, room: Any) -> Any:
        return jax.random.randint(draw_key(self.seed_generator), (), 0, jnp.asarray(room + 1))
