"""What all convolutions share: their arguments, their axes, and what happens around the sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina import activations, constraints, initializers, regularizers
from lamina.core import checks, config
from lamina.layers import checking, spatial
from lamina.layers.layer import Layer
from lamina.ops.convolution import conv
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


class BaseConvolution(Layer):
    """The arguments and axes that every convolution has. A subclass says how many spatial axes: `rank`."""

    rank: ClassVar[int]
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")
    built_axes = ("channels",)
    shape_arguments: ClassVar[dict[str, str]] = {
        "filters": "the number of output channels",
        "kernel_size": "with padding='valid' each spatial axis becomes kernel_size - 1 shorter (before strides)",
        "strides": "each spatial axis is divided by it: rounded up with 'same', as far as windows fit with 'valid'",
        "padding": "'same' keeps a spatial axis of size n at n (with strides: n / strides, rounded up)",
        "dilation_rate": "spreads the kernel: it reaches over (kernel_size - 1) * dilation_rate + 1 entries",
        "data_format": "where the channels stand: last, or first after the batch",
    }

    def _set_window(
        self, kernel_size: Any, strides: Any, padding: str, data_format: str | None, dilation_rate: Any
    ) -> None:
        """Check and keep what says where the kernel goes."""
        self.kernel_size = checks.sizes("kernel_size", kernel_size, self.rank)
        self.strides = checks.sizes("strides", strides, self.rank)
        self.padding = checks.one_of("padding", padding, self.paddings)
        self.data_format = config.standardize_data_format(data_format)
        self.dilation_rate = checks.sizes("dilation_rate", dilation_rate, self.rank)

    def _set_weight(self, name: str, initializer: Any, regularizer: Any, constraint: Any) -> None:
        """Keep how one weight starts, what its size costs, and where it may lie."""
        setattr(self, f"{name}_initializer", initializers.get(initializer))
        setattr(self, f"{name}_regularizer", regularizers.get(regularizer))
        setattr(self, f"{name}_constraint", constraints.get(constraint))

    def _weight_settings(self, name: str) -> dict[str, Any]:
        """What `_set_weight` kept, for a weight that goes by another name than its settings."""
        return {kind: getattr(self, f"{name}_{kind}") for kind in ("initializer", "regularizer", "constraint")}

    def _set_output(self, activation: Any, use_bias: bool, initializer: Any, regularizer: Any, constraint: Any) -> None:
        """Keep what is done with the sums: a bias, then the activation."""
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self._set_weight("bias", initializer, regularizer, constraint)

    def _refuse_strides_with_dilation(self) -> None:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"`strides`={self.strides} and `dilation_rate`={self.dilation_rate}: "
                f"at most one of them may be more than 1"
            )

    def _channels(self, input_shape: Sequence[Any]) -> int:
        """The number of channels in an input's shape."""
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        if channels is None:
            shown = dims.show_shape(input_shape)
            raise ShapeError(
                f"{checking.describe(self)} cannot be built for an input of shape {shown}: the channels are open",
                layer=self.name,
                expected=f"{checking.signature_of(self).inputs[0].show()} with known channels",  # type: ignore[union-attr]
                received=shown,
            )
        return int(channels)

    def _check_fits(self, inputs: jax.Array) -> None:
        if self.padding == "valid":
            spatial.check_window(self, inputs.shape, "kernel_size", self.kernel_size, self.dilation_rate)

    def _padded(self, inputs: jax.Array) -> tuple[jax.Array, str]:
        """The inputs, and the padding that is left to do: zeros before the start are put there at once."""
        if self.padding != "causal":
            return inputs, self.padding
        before = [((size - 1) * step, 0) for size, step in zip(self.kernel_size, self.dilation_rate, strict=True)]
        return jnp.pad(inputs, spatial.per_axis(self.rank, self.data_format, before, (0, 0))), "valid"

    def _add_bias_weight(self, filters: int) -> None:
        self.bias = self.add_weight((filters,), name="bias") if self.use_bias else None

    def _finish(self, sums: jax.Array) -> jax.Array:
        """The bias added, the activation applied."""
        if self.bias is not None:
            bias = self.bias.value
            if self.data_format == "channels_first":
                bias = bias.reshape((-1, *(1,) * self.rank))
            sums = sums + bias
        return self.activation(sums)


class Convolution(BaseConvolution):
    """The ordinary convolution over `rank` spatial axes."""

    common_mistakes: tuple[str, ...] = (
        "The input has no channels axis: give it one with x[..., None] and end input_shape with 1.",
        "input_shape holds the number of samples: it is the shape of one sample, without the batch.",
        "The data has its channels first: pass data_format='channels_first', or use np.moveaxis(x, 1, -1).",
        "kernel_size is larger than what is left of an axis after some pooling: use padding='same' or fewer poolings.",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        groups: int = 1,
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
        self.groups = checks.positive_int("groups", groups)
        if self.filters % self.groups:
            raise ValueError(f"`filters`={self.filters} must be a multiple of `groups`={self.groups}")
        self._set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self._refuse_strides_with_dilation()
        self._set_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_output(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        return f"{taken} -> {spatial.axes(self.rank, self.data_format, 'filters', before='new_')}"

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights: ``kernel`` of shape ``(*kernel_size, channels // groups, filters)``, and ``bias``."""
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ShapeError(
                f"{checking.describe(self)}: groups={self.groups} does not divide the {channels} channels of its input",
                layer=self.name,
                expected=f"a number of channels that is a multiple of {self.groups}",
                received=f"{dims.show_shape(input_shape)}   channels={channels}",
            )
        self.kernel = self.add_weight((*self.kernel_size, channels // self.groups, self.filters), name="kernel")
        self._add_bias_weight(self.filters)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Convolve the inputs with the kernel, add the bias, apply the activation."""
        self._check_fits(inputs)
        inputs, padding = self._padded(inputs)
        kernel = self.kernel.value
        return self._finish(conv(inputs, kernel, self.strides, padding, self.data_format, self.dilation_rate))
