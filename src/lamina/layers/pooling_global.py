"""Pooling over everything: one number for each channel."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import config, registry
from lamina.layers import spatial
from lamina.layers.layer import Layer


class GlobalPooling(Layer):
    """What all poolings over whole axes share. A subclass says how many spatial axes: `rank`."""

    rank: ClassVar[int]
    shape_arguments: ClassVar[dict[str, str]] = {
        "keepdims": "True keeps the pooled axes, with size 1",
        "data_format": "where the channels stand: last, or first after the batch",
    }
    common_mistakes: tuple[str, ...] = (
        "A Flatten after it does nothing: the output is (batch, channels) already.",
        "The data has its channels first: pass data_format='channels_first', else the channels are pooled.",
    )

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.keepdims = bool(keepdims)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        ones = ["1"] * self.rank if self.keepdims else []
        kept = ["batch", "channels", *ones] if self.data_format == "channels_first" else ["batch", *ones, "channels"]
        return f"{spatial.axes(self.rank, self.data_format)} -> {' '.join(kept)}"

    @property
    def _pooled_axes(self) -> tuple[int, ...]:
        return spatial.spatial_axes(self.rank, self.data_format)


class GlobalMaxPooling(GlobalPooling):
    """The largest over the spatial axes."""

    def call(self, inputs: jax.Array) -> jax.Array:
        """The largest value of each channel."""
        return jnp.max(inputs, axis=self._pooled_axes, keepdims=self.keepdims)


class GlobalAveragePooling(GlobalPooling):
    """The mean over the spatial axes."""

    def call(self, inputs: jax.Array) -> jax.Array:
        """The mean of each channel."""
        return jnp.mean(inputs, axis=self._pooled_axes, keepdims=self.keepdims)


@registry.register("layer", "GlobalMaxPool1D")
class GlobalMaxPooling1D(GlobalMaxPooling):
    """The largest value of each channel over the whole length.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        keepdims: whether the length stays, with size 1.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, channels)`; with ``"channels_first"`` the input is
        `(batch, channels, length)`.

    Example:

    >>> import lamina
    >>> lamina.layers.GlobalMaxPooling1D()(lamina.ops.array([[[1.0, 5.0], [3.0, 2.0]]])).tolist()
    [[3.0, 5.0]]
    """

    rank = 1
    example_input: tuple[Any, ...] = (None, 128, 2)


@registry.register("layer", "GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalMaxPooling):
    """The largest value of each channel over the whole image.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        keepdims: whether height and width stay, with size 1.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, channels)`; with ``"channels_first"`` the input is
        `(batch, channels, height, width)`.

    Example:

    >>> import lamina
    >>> lamina.layers.GlobalMaxPooling2D()(lamina.Input((None, None, 8))).shape
    (None, 8)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)


@registry.register("layer", "GlobalMaxPool3D")
class GlobalMaxPooling3D(GlobalMaxPooling):
    """The largest value of each channel over the whole volume.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        keepdims: whether depth, height and width stay, with size 1.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, channels)`; with ``"channels_first"`` the
        input is `(batch, channels, depth, height, width)`.

    Example:

    >>> import lamina
    >>> lamina.layers.GlobalMaxPooling3D(keepdims=True)(lamina.Input((4, 5, 6, 8))).shape
    (None, 1, 1, 1, 8)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 16, 28, 28, 1)


@registry.register("layer", "GlobalAvgPool1D")
class GlobalAveragePooling1D(GlobalAveragePooling):
    """The mean of each channel over the whole length; masked steps do not count.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        keepdims: whether the length stays, with size 1.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, channels)`; with ``"channels_first"`` the input is
        `(batch, channels, length)`. A mask is `(batch, length)`, and ends here.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> average = lamina.layers.GlobalAveragePooling1D()
    >>> average(np.array([[[1.0], [3.0], [8.0]]]), mask=np.array([[True, True, False]])).tolist()
    [[2.0]]
    """

    rank = 1
    example_input: tuple[Any, ...] = (None, 128, 2)

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: jax.Array, mask: Any = None) -> jax.Array:
        """The mean of each channel over the steps that count."""
        if mask is None:
            return super().call(inputs)
        counts = jnp.expand_dims(jnp.asarray(mask).astype(inputs.dtype), 3 - self._pooled_axes[0])
        total = jnp.sum(inputs * counts, axis=self._pooled_axes, keepdims=self.keepdims)
        return total / jnp.sum(counts, axis=self._pooled_axes, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """No mask: there is no length left that it could speak of."""
        return None


@registry.register("layer", "GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalAveragePooling):
    """The mean of each channel over the whole image.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        keepdims: whether height and width stay, with size 1.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, channels)`; with ``"channels_first"`` the input is
        `(batch, channels, height, width)`.

    Example:

    >>> import lamina
    >>> lamina.layers.GlobalAveragePooling2D()(lamina.Input((None, None, 8))).shape
    (None, 8)
    """

    rank = 2
    example_input: tuple[Any, ...] = (None, 28, 28, 3)


@registry.register("layer", "GlobalAvgPool3D")
class GlobalAveragePooling3D(GlobalAveragePooling):
    """The mean of each channel over the whole volume.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        keepdims: whether depth, height and width stay, with size 1.

    Shapes:
        Input `(batch, depth, height, width, channels)`, output `(batch, channels)`; with ``"channels_first"`` the
        input is `(batch, channels, depth, height, width)`.

    Example:

    >>> import lamina
    >>> lamina.layers.GlobalAveragePooling3D(keepdims=True)(lamina.Input((4, 5, 6, 8))).shape
    (None, 1, 1, 1, 8)
    """

    rank = 3
    example_input: tuple[Any, ...] = (None, 16, 28, 28, 1)


GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
