"""Longer and shorter lengths, larger and smaller images: zero padding and cropping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.layers import checking, spatial
from lamina.layers.layer import Layer
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

Pairs = tuple[tuple[int, int], ...]


def _pairs(name: str, value: Any, rank: int) -> Pairs:
    """A number before and one after along each axis, from one number, one for each axis, or pairs."""
    entries = (value,) * rank if checks.is_whole(value) else value
    if not isinstance(entries, Sequence) or isinstance(entries, str) or len(entries) != rank:
        raise ValueError(f"`{name}`={value!r}: expected a whole number, {rank} of them, or {rank} pairs of them")
    return tuple(checks.sizes(name, entry, 2, least=0) for entry in entries)  # type: ignore[misc]


class Resizing(Layer):
    """What layers that change the sizes of spatial axes share. A subclass says how many there are: `rank`."""

    rank: ClassVar[int]
    data_format: str = "channels_last"

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        return f"{taken} -> {spatial.axes(self.rank, self.data_format, before='new_')}"


class ZeroPadding(Resizing):
    """Zeros around the spatial axes."""

    padding: Any
    shape_arguments: ClassVar[dict[str, str]] = {
        "padding": "each spatial axis grows by what is put before it and after it",
        "data_format": "where the channels stand: last, or first after the batch",
    }
    common_mistakes: tuple[str, ...] = (
        "padding=(1, 2) means before and after for ZeroPadding1D, but height and width for ZeroPadding2D.",
        "A convolution with padding='same' needs no ZeroPadding layer before it.",
    )

    def call(self, inputs: jax.Array) -> jax.Array:
        """The inputs with zeros around them."""
        pairs = (self.padding,) if self.rank == 1 else self.padding
        return jnp.pad(inputs, spatial.per_axis(self.rank, self.data_format, pairs, (0, 0)))


class Cropping(Resizing):
    """Entries cut off from the ends of the spatial axes."""

    cropping: Any
    shape_arguments: ClassVar[dict[str, str]] = {
        "cropping": "each spatial axis shrinks by what is cut off before and after",
        "data_format": "where the channels stand: last, or first after the batch",
    }
    common_mistakes: tuple[str, ...] = (
        "As much is cut off as there is: before + after must be less than the axis's size.",
        "cropping=(1, 2) means before and after for Cropping1D, but height and width for Cropping2D: use pairs there.",
    )

    def call(self, inputs: jax.Array) -> jax.Array:
        """The middle of the inputs."""
        pairs = (self.cropping,) if self.rank == 1 else self.cropping
        places = spatial.spatial_axes(self.rank, self.data_format)
        for name, place, (before, after) in zip(spatial.NAMES[self.rank], places, pairs, strict=True):
            self._check(inputs, name, inputs.shape[place], before, after)
        kept = [slice(before, inputs.shape[p] - after) for p, (before, after) in zip(places, pairs, strict=True)]
        return inputs[spatial.per_axis(self.rank, self.data_format, kept, slice(None))]

    def _check(self, inputs: jax.Array, name: str, size: Any, before: int, after: int) -> None:
        if dims.is_known(size) and before + after >= size:
            raise ShapeError(
                f"{checking.describe(self)}: cropping {before} before and {after} after leaves nothing of the {name} "
                f"axis, which has size {size}",
                layer=self.name,
                expected=f"{name} of {before + after + 1} or more",
                received=f"{dims.show_shape(dims.to_public(inputs.shape))}   {name}={size}",
            )


@registry.register("layer")
class ZeroPadding1D(ZeroPadding):
    """Zeros before and after the length.

    Args:
        padding: how many on both sides, or a pair: before and after.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, channels)`; with ``"channels_first"``
        `(batch, channels, length)` and `(batch, channels, new_length)`.

    Example:

    >>> import lamina
    >>> lamina.layers.ZeroPadding1D((0, 2))(lamina.ops.array([[[1.0], [2.0]]])).tolist()
    [[[1.0], [2.0], [0.0], [0.0]]]
    """

    rank = 1
    example_input: tuple[Any, ...] = (None, 128, 2)
    example_config: ClassVar[dict[str, Any]] = {"padding": 1}

    def __init__(self, padding: int | Sequence[int] = 1, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.padding = checks.sizes("padding", padding, 2, least=0)


@registry.register("layer")
class ZeroPadding2D(ZeroPadding):
    """Zeros around an image.

    Args:
        padding: how many on all sides; two numbers for height and width; or two pairs,
            ``((top, bottom), (left, right))``.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, channels)`; with
        ``"channels_first"`` `(batch, channels, height, width)` and `(batch, channels, new_height, new_width)`.

    Example:

    >>> import lamina
    >>> lamina.layers.ZeroPadding2D(((1, 1), (2, 0)))(lamina.Input((28, 28, 3))).shape
    (None, 30, 30, 3)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)
    example_config: ClassVar[dict[str, Any]] = {"padding": 2}

    def __init__(
        self, padding: int | Sequence[int | Sequence[int]] = (1, 1), data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.padding = _pairs("padding", padding, 2)


@registry.register("layer")
class ZeroPadding3D(ZeroPadding):
    """Zeros around a volume.

    Args:
        padding: how many on all sides; three numbers for depth, height and width; or three pairs of before and after.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, new_depth, new_height, new_width,
        channels)`; with ``"channels_first"`` the channels stand after the batch.

    Example:

    >>> import lamina
    >>> lamina.layers.ZeroPadding3D(1)(lamina.Input((8, 8, 8, 3))).shape
    (None, 10, 10, 10, 3)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 16, 28, 28, 1)
    example_config: ClassVar[dict[str, Any]] = {"padding": 1}

    def __init__(
        self,
        padding: int | Sequence[int | Sequence[int]] = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.padding = _pairs("padding", padding, 3)


@registry.register("layer")
class Cropping1D(Cropping):
    """The length without some entries at its start and its end.

    Args:
        cropping: how many at both ends, or a pair: at the start and at the end.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, channels)`.

    Raises:
        ShapeError: nothing would be left.

    Example:

    >>> import lamina
    >>> lamina.layers.Cropping1D((0, 1))(lamina.ops.array([[[1.0], [2.0], [3.0]]])).tolist()
    [[[1.0], [2.0]]]
    """

    rank = 1
    shape_arguments: ClassVar[dict[str, str]] = {"cropping": Cropping.shape_arguments["cropping"]}
    example_input: tuple[Any, ...] = (None, 128, 2)
    example_config: ClassVar[dict[str, Any]] = {"cropping": 1}

    def __init__(self, cropping: int | Sequence[int] = (1, 1), **kwargs: Any):
        super().__init__(**kwargs)
        self.cropping = checks.sizes("cropping", cropping, 2, least=0)


@registry.register("layer")
class Cropping2D(Cropping):
    """The middle of an image.

    Args:
        cropping: how many on all sides; two numbers for height and width; or two pairs,
            ``((top, bottom), (left, right))``.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, channels)`; with
        ``"channels_first"`` `(batch, channels, height, width)` and `(batch, channels, new_height, new_width)`.

    Raises:
        ShapeError: nothing would be left.

    Example:

    >>> import lamina
    >>> lamina.layers.Cropping2D(((2, 2), (4, 0)))(lamina.Input((28, 28, 3))).shape
    (None, 24, 24, 3)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)
    example_config: ClassVar[dict[str, Any]] = {"cropping": 2}

    def __init__(
        self,
        cropping: int | Sequence[int | Sequence[int]] = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.cropping = _pairs("cropping", cropping, 2)


@registry.register("layer")
class Cropping3D(Cropping):
    """The middle of a volume.

    Args:
        cropping: how many on all sides; three numbers for depth, height and width; or three pairs of before and
            after.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, new_depth, new_height, new_width,
        channels)`; with ``"channels_first"`` the channels stand after the batch.

    Raises:
        ShapeError: nothing would be left.

    Example:

    >>> import lamina
    >>> lamina.layers.Cropping3D(1)(lamina.Input((8, 8, 8, 3))).shape
    (None, 6, 6, 6, 3)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 16, 28, 28, 1)
    example_config: ClassVar[dict[str, Any]] = {"cropping": 1}

    def __init__(
        self,
        cropping: int | Sequence[int | Sequence[int]] = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.cropping = _pairs("cropping", cropping, 3)
