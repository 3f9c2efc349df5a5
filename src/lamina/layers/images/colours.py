"""Images made brighter or darker, stronger or weaker in contrast, at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.core.seeds import SeedGenerator
from lamina.layers.images.base import RandomImageLayer, bounds

Factor = float | Sequence[float]


def value_bounds(value_range: Any) -> tuple[float, float]:
    """The least and the greatest value that pixels have.

    Raises:
        ValueError: it is no pair of numbers, the second above the first.
    """
    if not isinstance(value_range, (list, tuple)) or len(value_range) != 2:
        raise ValueError(f"`value_range`={value_range!r}: expected two numbers, such as (0, 255)")
    low, high = (checks.real("value_range", v) for v in value_range)
    if low >= high:
        raise ValueError(f"`value_range`={value_range!r}: the second number must be above the first")
    return low, high


@registry.register("layer")
class RandomBrightness(RandomImageLayer):
    """Adds a random amount to all pixels of an image while training.

    Args:
        factor: how much at most, as a part of the range of values, from 0 to 1; or a pair of bounds from -1 to 1.
        value_range: the least and the greatest value of pixels; what goes beyond is cut off.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same, of the same
        type.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.RandomBrightness((0.5, 0.5), value_range=(0, 1))(np.array([[[[0.25]]]]), training=True).tolist()
    [[[[0.75]]]]
    """

    common_mistakes = (
        "value_range says what the data holds: (0, 1) for images that were scaled, (0, 255), the default, for bytes.",
        "Outside of training it changes nothing; call it with training=True to see what it does.",
    )
    example_config: ClassVar[dict[str, Any]] = {"factor": 0.2}

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        kwargs.pop("data_format", None)
        super().__init__(**kwargs)
        self.factor = bounds("factor", factor, -1.0, 1.0)
        self._values = value_bounds(value_range)
        self.value_range = list(value_range)
        self._set_seed(seed)

    def _typed(self, images: Any) -> Any:
        return images

    def vary(self, images: Any) -> Any:
        low, high = self._values
        amount = self._uniform(self.factor, images)[:, None, None, None] * (high - low)
        return jnp.clip(images + amount, low, high).astype(images.dtype)


@registry.register("layer")
class RandomContrast(RandomImageLayer):
    """Moves pixels of an image away from the mean of their channel, or towards it, while training.

    Each becomes ``mean + (pixel - mean) * c``, where `c` is from ``1 - lower`` to ``1 + upper``.

    Args:
        factor: `upper`, from 0 to 1, with a `lower` of 0; or a pair, the smaller of which is `lower`.
        value_range: the least and the greatest value of pixels; what goes beyond is cut off.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, height, width, channels)`, or one image without the batch axis; output the same.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import lamina
    >>> lamina.layers.RandomContrast(0.2)(lamina.Input((28, 28, 3))).shape
    (None, 28, 28, 3)
    """

    common_mistakes = RandomBrightness.common_mistakes
    example_config: ClassVar[dict[str, Any]] = {"factor": 0.2}

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        kwargs.pop("data_format", None)
        super().__init__(**kwargs)
        pair = factor if isinstance(factor, (list, tuple)) and len(factor) == 2 else (0, factor)
        self.factor = tuple(sorted(checks.real("factor", f, 0.0, 1.0) for f in pair))
        self._values = value_bounds(value_range)
        self.value_range = tuple(value_range)
        self._set_seed(seed)

    def vary(self, images: Any) -> Any:
        strength = self._uniform((1.0 - self.factor[0], 1.0 + self.factor[1]), images)[:, None, None, None]
        mean = jnp.mean(images, axis=(1, 2), keepdims=True)
        return jnp.clip(mean + (images - mean) * strength, *self._values).astype(images.dtype)
