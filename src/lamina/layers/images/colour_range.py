"""Images whose colours use the whole range of values, or less of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.core.seeds import SeedGenerator, draw_key
from lamina.layers.images.base import ImageLayer, RandomImageLayer, bounds
from lamina.layers.images.colours import value_bounds
from lamina.ops.image import rgb_to_grayscale
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

Factor = float | Sequence[float]


@registry.register("layer")
class AutoContrast(ImageLayer):
    """Stretches each channel of each image so that its values fill the whole range.

    Args:
        value_range: the least and the greatest value of pixels.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: `value_range` is no pair of numbers.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> x = np.array([2.0, 3.0, 4.0]).reshape(1, 1, 3, 1)
    >>> lamina.layers.AutoContrast(value_range=(0, 1))(x).ravel().tolist()
    [0.0, 0.5, 1.0]
    """

    common_mistakes = ("value_range says what comes out: (0, 255) by default, (0, 1) for images that were scaled.",)

    def __init__(self, value_range: Sequence[float] = (0, 255), **kwargs: Any):
        super().__init__(data_format=kwargs.pop("data_format", None), **kwargs)
        self._values = value_bounds(value_range)
        self.value_range = list(value_range)

    def change(self, images: Any, training: bool) -> Any:
        low, high = self._values
        least, most = (f(images, axis=(1, 2), keepdims=True) for f in (jnp.min, jnp.max))
        flat = most == least
        stretched = low + (images - least) * ((high - low) / jnp.where(flat, 1, most - least))
        return jnp.where(flat, images, jnp.clip(stretched, low, high)).astype(images.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class _Greying(RandomImageLayer):
    """Takes colour out of images, which have three channels."""

    shape_arguments: ClassVar[dict[str, str]] = {"data_format": "where the channels stand: last, or first"}

    def grey(self, images: Any) -> Any:
        """The brightness of each pixel, in all three channels.

        Raises:
            ShapeError: the images have no three channels.
        """
        if images.shape[-1] != 3:
            raise ShapeError(
                f'{type(self).__name__} "{self.name}" takes images of 3 channels, not {dims.show(images.shape[-1])}',
                layer=self.name,
                expected="(batch, height, width, 3)",
                received=dims.show_shape(dims.to_public(images.shape)),
            )
        return jnp.broadcast_to(rgb_to_grayscale(images, data_format="channels_last"), images.shape)


@registry.register("layer")
class RandomGrayscale(_Greying):
    """Makes some of the images grey while training.

    Args:
        factor: the chance of each image, from 0 to 1.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, height, width, 3)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: `factor` is not from 0 to 1.
        ShapeError: the images have no three channels.

    Example:

    >>> import lamina
    >>> lamina.layers.RandomGrayscale(0.1)(lamina.Input((28, 28, 3))).shape
    (None, 28, 28, 3)
    """

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = checks.real("factor", factor, 0.0, 1.0)
        self._set_seed(seed)

    def vary(self, images: Any) -> Any:
        chosen = jax.random.bernoulli(draw_key(self.seed_generator), self.factor, images.shape[:1])
        return jnp.where(chosen[:, None, None, None], self.grey(images), images)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "seed"}


@registry.register("layer")
class RandomColorDegeneration(_Greying):
    """Takes part of the colour out of images while training, or puts more in.

    Args:
        factor: how much at most, from 0 (nothing) to 1 (all), in either way; or a pair of bounds, of which negative
            ones put colour in.
        value_range: the least and the greatest value of pixels; what goes beyond is cut off.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, height, width, 3)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: the images have no three channels.

    Example:

    >>> import lamina
    >>> lamina.layers.RandomColorDegeneration(0.3)(lamina.Input((28, 28, 3))).shape
    (None, 28, 28, 3)
    """

    example_config: ClassVar[dict[str, Any]] = {"factor": 0.3}

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = bounds("factor", factor, -1.0, 1.0)
        self._values = value_bounds(value_range)
        self.value_range = list(value_range)
        self._set_seed(seed)

    def vary(self, images: Any) -> Any:
        lost = self._uniform(self.factor, images)[:, None, None, None]
        return jnp.clip(self.grey(images) * lost + images * (1.0 - lost), *self._values).astype(images.dtype)
