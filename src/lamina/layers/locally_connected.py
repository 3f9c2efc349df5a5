"""Convolutions without shared weights, which Keras 1 and 2 had: models out of old files use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, registry
from lamina.layers import checking, spatial
from lamina.layers.convolution_base import BaseConvolution
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


class LocallyConnected(BaseConvolution):
    """Windows that slide over `rank` spatial axes, with a kernel of its own at every place."""

    paddings = ("valid",)
    shape_arguments: ClassVar[dict[str, str]] = {
        "filters": "the number of output channels",
        "kernel_size": "each spatial axis becomes kernel_size - 1 shorter (before strides)",
        "strides": "each spatial axis is divided by it, as far as windows fit",
        "data_format": "where the channels stand: last, or first after the batch",
    }

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
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
        self._set_window(kernel_size, strides, padding, data_format, 1)
        self._set_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_output(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        return f"{taken} -> {spatial.axes(self.rank, self.data_format, 'filters', before='new_')}"

    @property
    def built_axes(self) -> tuple[str, ...]:  # type: ignore[override]
        """All but the batch: there is a kernel for every place."""
        return ("channels", *spatial.NAMES[self.rank])

    def _places(self, shape: Sequence[Any]) -> tuple[int, ...]:
        """How many windows there are along each spatial axis."""
        sizes = [shape[place] for place in spatial.spatial_axes(self.rank, self.data_format)]
        if not all(dims.is_known(size) for size in sizes):
            raise ShapeError(
                f"{checking.describe(self)} has a kernel for every place, so the sizes must be known",
                layer=self.name,
                expected=f"{spatial.axes(self.rank, self.data_format)} with known sizes",
                received=dims.show_shape(dims.to_public(shape)),
            )
        return tuple((n - k) // s + 1 for n, k, s in zip(sizes, self.kernel_size, self.strides, strict=True))

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights: ``kernel`` ``(places, window * channels, filters)`` and ``bias`` ``(*places, filters)``."""
        channels = self._channels(input_shape)
        spatial.check_window(self, input_shape, "kernel_size", self.kernel_size)
        places = self._places(input_shape)
        window = int(np.prod(self.kernel_size))
        self.kernel = self.add_weight((int(np.prod(places)), window * channels, self.filters), name="kernel")
        self.bias = self.add_weight((*places, self.filters), name="bias") if self.use_bias else None

    def call(self, inputs: jax.Array) -> jax.Array:
        """Multiply each window with the kernel of its place, add the bias, apply the activation."""
        first = self.data_format == "channels_first"
        windows = self._windows(jnp.moveaxis(inputs, 1, -1) if first else inputs)
        if first:
            windows = jnp.swapaxes(windows, -1, -2)  # in each window the channels vary slowest
        places = windows.shape[1:-2]
        flat = windows.reshape((windows.shape[0], int(np.prod(places)), -1))
        sums = jnp.einsum("npw,pwf->npf", flat, self.kernel.value)
        sums = sums.reshape((windows.shape[0], *places, self.filters))
        outputs = self.activation(sums if self.bias is None else sums + self.bias.value)
        return jnp.moveaxis(outputs, -1, 1) if first else outputs

    def _windows(self, inputs: jax.Array) -> jax.Array:
        """All windows of the inputs, channels last: `(batch, *places, window, channels)`."""
        shape = list(inputs.shape)
        for axis in range(self.rank):
            size, step = self.kernel_size[axis], self.strides[axis]
            count = (shape[axis + 1] - size) // step + 1
            picked = np.arange(count)[:, None] * step + np.arange(size)
            inputs = jnp.take(inputs, picked, axis=1 + 2 * axis)
        places = inputs.shape[1 : 1 + 2 * self.rank : 2]
        order = (0, *range(1, 2 * self.rank, 2), *range(2, 2 * self.rank + 1, 2), 2 * self.rank + 1)
        return inputs.transpose(order).reshape((inputs.shape[0], *places, -1, shape[-1]))


@registry.register("layer")
class LocallyConnected1D(LocallyConnected):
    """A window that slides along the length, with a kernel of its own at every place.

    Keras 1 and 2 had it; Keras 3 has not.

    Args:
        filters: number of filters: size of the output's channels axis.
        kernel_size: length of the window.
        strides: step of the window.
        padding: ``"valid"``.
        data_format: ``"channels_last"`` or ``"channels_first"``.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added at each place to each filter.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        kernel_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, length, channels)`, output `(batch, new_length, filters)`.

    Raises:
        ShapeError: the length is open, or shorter than the window.
    """

    rank = 1


@registry.register("layer")
class LocallyConnected2D(LocallyConnected):
    """A window that slides over an image, with a kernel of its own at every place.

    Keras 1 and 2 had it; Keras 3 has not.

    Args:
        filters: number of filters: size of the output's channels axis.
        kernel_size: height and width of the window, or one number for both.
        strides: steps of the window, or one number for both.
        padding: ``"valid"``.
        data_format: ``"channels_last"`` or ``"channels_first"``.
        activation: what to apply to the sums; none by default.
        use_bias: whether a number is added at each place to each filter.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: losses on the weights.
        activity_regularizer: a loss on the output.
        kernel_constraint, bias_constraint: projections after each update.

    Shapes:
        Input `(batch, height, width, channels)`, output `(batch, new_height, new_width, filters)`.

    Raises:
        ShapeError: the image's size is open, or smaller than the window.
    """

    rank = 2
