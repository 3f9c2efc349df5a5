"""Images flipped, turned, zoomed and moved at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.core.seeds import SeedGenerator, draw_key
from lamina.layers.images.base import RandomImageLayer, Resampling, bounds, each

Factor = float | Sequence[float]


@registry.register("layer")
class RandomFlip(RandomImageLayer):
    """Flips images while training, each with a chance of one half.

    Args:
        mode: ``"horizontal"`` (left and right), ``"vertical"`` (top and bottom) or ``"horizontal_and_vertical"``.
        seed: a whole number for the same random numbers each time.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: `mode` is none of these.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> x = np.array([[[[1.0], [2.0]]]] * 8)
    >>> y = lamina.layers.RandomFlip("horizontal", seed=1)(x, training=True)
    >>> sorted(set(map(tuple, y[:, 0, :, 0].tolist())))
    [(1.0, 2.0), (2.0, 1.0)]
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | SeedGenerator | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.mode = checks.one_of("mode", mode, ("horizontal", "vertical", "horizontal_and_vertical"))
        self._set_seed(seed)

    def vary(self, images: Any) -> Any:
        for kind, axis in (("vertical", 1), ("horizontal", 2)):
            if kind in self.mode:
                flips = jax.random.bernoulli(draw_key(self.seed_generator), 0.5, images.shape[:1])
                images = jnp.where(flips[:, None, None, None], jnp.flip(images, axis), images)
        return images


@registry.register("layer")
class RandomRotation(Resampling):
    """Turns images about their middle while training.

    Args:
        factor: by how much at most, as a part of a full turn: 0.1 is 36 degrees either way; or a pair of bounds. A
            positive turn is counterclockwise.
        fill_mode: what lies outside: ``"reflect"``, ``"wrap"``, ``"nearest"`` or ``"constant"``.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: a whole number for the same random numbers each time.
        fill_value: the constant outside.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> lamina.layers.RandomRotation((0.25, 0.25))(x, training=True).round()[0, :, :, 0].tolist()
    [[1.0, 3.0], [0.0, 2.0]]
    """

    example_config: ClassVar[dict[str, Any]] = {"factor": 0.1}

    def __init__(
        self,
        factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | SeedGenerator | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = bounds("factor", factor, -math.inf, math.inf)
        self._set_resampling(fill_mode, interpolation, fill_value)
        self._set_seed(seed)

    def places(self, images: Any, y: Any, x: Any, middle: tuple[Any, Any]) -> tuple[Any, Any]:
        turn = each(self._uniform(self.factor, images)) * (2 * math.pi)
        cos, sin = jnp.cos(turn), jnp.sin(turn)
        down, right = y - middle[0], x - middle[1]
        return middle[0] + sin * right + cos * down, middle[1] + cos * right - sin * down


@registry.register("layer")
class RandomZoom(Resampling):
    """Zooms into images, or out of them, while training.

    Args:
        height_factor: how much more of the height is seen at most, as a part of it: 0.2 goes from 20% less (zooming
            in) to 20% more; or a pair of bounds.
        width_factor: the same of the width; by default that of the height, so that nothing is distorted.
        fill_mode: what lies outside: ``"reflect"``, ``"wrap"``, ``"nearest"`` or ``"constant"``.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: a whole number for the same random numbers each time.
        fill_value: the constant outside.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import lamina
    >>> lamina.layers.RandomZoom(0.2)(lamina.Input((28, 28, 3))).shape
    (None, 28, 28, 3)
    """

    example_config: ClassVar[dict[str, Any]] = {"height_factor": 0.2}

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | SeedGenerator | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._height = _above_minus_1("height_factor", height_factor)
        self._width = None if width_factor is None else _above_minus_1("width_factor", width_factor)
        self._set_resampling(fill_mode, interpolation, fill_value)
        self._set_seed(seed)

    def places(self, images: Any, y: Any, x: Any, middle: tuple[Any, Any]) -> tuple[Any, Any]:
        tall = each(1.0 + self._uniform(self._height, images))
        wide = tall if self._width is None else each(1.0 + self._uniform(self._width, images))
        return middle[0] + tall * (y - middle[0]), middle[1] + wide * (x - middle[1])


def _above_minus_1(name: str, factor: Factor) -> tuple[float, float]:
    low, high = bounds(name, factor, -1.0, 1.0)
    if low == -1.0 and isinstance(factor, (list, tuple)):
        raise ValueError(f"`{name}`={factor!r}: expected more than -1, which would leave nothing to be seen")
    return low, high


@registry.register("layer")
class RandomTranslation(Resampling):
    """Moves images up or down and to the sides while training.

    Args:
        height_factor: how far down at most, as a part of the height: 0.2 goes from 20% up to 20% down; or a pair of
            bounds.
        width_factor: the same to the right, as a part of the width.
        fill_mode: what lies outside: ``"reflect"``, ``"wrap"``, ``"nearest"`` or ``"constant"``.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: a whole number for the same random numbers each time.
        fill_value: the constant outside.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 4, 1)
    >>> move = lamina.layers.RandomTranslation(0.0, (0.25, 0.25), fill_mode="constant")
    >>> move(x, training=True).ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    example_config: ClassVar[dict[str, Any]] = {"height_factor": 0.1, "width_factor": 0.1}

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | SeedGenerator | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._down = bounds("height_factor", height_factor, -1.0, 1.0)
        self._right = bounds("width_factor", width_factor, -1.0, 1.0)
        self._set_resampling(fill_mode, interpolation, fill_value)
        self._set_seed(seed)

    def places(self, images: Any, y: Any, x: Any, middle: tuple[Any, Any]) -> tuple[Any, Any]:
        height, width = 2 * middle[0] + 1, 2 * middle[1] + 1
        down, right = self._uniform(self._down, images), self._uniform(self._right, images)
        return y - each(down) * height, x - each(right) * width


@registry.register("layer")
class RandomShear(Resampling):
    """Slants images while training, to one side or the other.

    Args:
        x_factor: how far rows are moved sideways at most, as a part of their distance from the top, from 0 to 1; or a
            pair of bounds.
        y_factor: how far columns are moved up or down at most, as a part of their distance from the left.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        fill_mode: what lies outside: ``"reflect"``, ``"wrap"``, ``"nearest"`` or ``"constant"``.
        fill_value: the constant outside.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import lamina
    >>> lamina.layers.RandomShear(0.2, 0.1)(lamina.Input((28, 28, 3))).shape
    (None, 28, 28, 3)
    """

    example_config: ClassVar[dict[str, Any]] = {"x_factor": 0.2, "y_factor": 0.1}

    def __init__(
        self,
        x_factor: Factor = 0.0,
        y_factor: Factor = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.x_factor = bounds("x_factor", x_factor, -1.0, 1.0)
        self.y_factor = bounds("y_factor", y_factor, -1.0, 1.0)
        self._set_resampling(fill_mode, interpolation, fill_value)
        self._set_seed(seed)

    def places(self, images: Any, y: Any, x: Any, middle: tuple[Any, Any]) -> tuple[Any, Any]:
        turned = jax.random.bernoulli(draw_key(self.seed_generator), 0.5, images.shape[:1])
        way = jnp.where(turned, -1.0, 1.0)  # for both axes at once
        aside, down = (each(way * self._uniform(factor, images)) for factor in (self.x_factor, self.y_factor))
        return y + down * x, x + aside * y
