"""One time step of a convolutional LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina import activations
from lamina.core import checks, config, registry
from lamina.core.seeds import SeedGenerator
from lamina.layers import checking, spatial
from lamina.layers.recurrent.cell import RecurrentCell, Weights
from lamina.layers.recurrent.lstm import lstm_cell_update
from lamina.ops.convolution import conv
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


def conv_lstm_step(
    projected: Any, states: list[Any], weights: Weights, activation: Any, recurrent_activation: Any, data_format: str
) -> tuple[Any, list[Any]]:
    """One step: that of an LSTM, where the hidden state goes through a convolution."""
    hidden, memory = states
    seen = hidden * weights["mask"] if "mask" in weights else hidden
    gates = projected + conv(seen, weights["recurrent_kernel"], 1, "same", data_format)
    axis = 1 if data_format == "channels_first" else -1
    return lstm_cell_update(gates, memory, activation, recurrent_activation, axis)


@registry.register("layer", home="keras.src.layers.rnn.conv_lstm")
class ConvLSTMCell(RecurrentCell):
    """One time step of `ConvLSTM1D`, `ConvLSTM2D` or `ConvLSTM3D`.

    Args:
        rank: number of spatial axes.
        filters: number of output channels, and of channels of both states.
        kernel_size: size of both kernels along each spatial axis.
        strides: steps of the kernel over the input.
        padding: ``"valid"`` or ``"same"``, of the input; the states keep their size.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the places of the input's kernel.
        activation, recurrent_activation: of memory, and of gates.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(*kernel_size, channels, 4 * filters)` is drawn.
        recurrent_initializer: how the recurrent kernel `(*kernel_size, filters, 4 * filters)` is drawn.
        bias_initializer: how the bias `(4 * filters,)` is drawn.
        unit_forget_bias: whether the bias of the forget gate starts at one.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout, recurrent_dropout: part of the inputs, and of the hidden state, to drop during training.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, ..., channels)` and a list of two states `(batch, ..., filters)`; output `(batch, ..., filters)`
        and the list of new states.

    Raises:
        ValueError: an argument is out of its range.
    """

    built_axes = ("channels",)
    gates = 1  # one mask of dropout serves all gates
    state_names = ("hidden state", "memory")
    step = staticmethod(conv_lstm_step)

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        self.filters = checks.positive_int("filters", filters)
        super().__init__(
            filters, activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self.rank = checks.one_of("rank", rank, (1, 2, 3))
        self.kernel_size = checks.sizes("kernel_size", kernel_size, self.rank)
        self.strides = checks.sizes("strides", strides, self.rank)
        self.padding = checks.one_of("padding", padding, ("valid", "same"))
        self.data_format = config.standardize_data_format(data_format)
        self.dilation_rate = checks.sizes("dilation_rate", dilation_rate, self.rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"`strides`={self.strides} and `dilation_rate`={self.dilation_rate}: only one of them may be above 1"
            )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)
        self.space: tuple[Any, ...] | None = None

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes of one step, in the order that `data_format` says."""
        taken = spatial.axes(self.rank, self.data_format)
        given = spatial.axes(self.rank, self.data_format, "filters", before="new_")
        return f"{taken} -> {given}, {given}, {given}"

    # Weights

    def build(self, input_shape: Any) -> None:
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        self.kernel = self.add_weight((*self.kernel_size, channels, 4 * self.filters), name="kernel")
        self.recurrent_kernel = self.add_weight(
            (*self.kernel_size, self.filters, 4 * self.filters),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        start = self._forgetful_bias if self.unit_forget_bias else self.bias_initializer
        self.bias = self.add_weight((4 * self.filters,), start, name="bias") if self.use_bias else None
        space = tuple(input_shape[axis] for axis in spatial.spatial_axes(self.rank, self.data_format))
        self.space = self.space_after(space) if all(dims.is_known(size) for size in space) else None

    def _forgetful_bias(self, shape: Any, dtype: Any = None) -> Any:
        n = self.filters
        write, rest = (self.bias_initializer((size,), dtype=dtype) for size in (n, 2 * n))
        return jnp.concatenate([jnp.asarray(write), jnp.ones((n,), dtype), jnp.asarray(rest)])

    # The step, in two parts

    def project(self, inputs: Any, training: bool = False) -> Any:
        """What the inputs `(..., batch, *space, channels)` give to the gates."""
        outer, step = inputs.shape[: -self.rank - 2], inputs.shape[-self.rank - 2 :]
        masks = self._held_masks("input", self.dropout, tuple(step)) if training else None
        inputs = inputs if masks is None else inputs * masks[0]
        projected = self._convolve(inputs.reshape((-1, *step[1:])), self.kernel.value)
        if self.bias is not None:
            ones = (1,) * self.rank if self.data_format == "channels_first" else ()
            projected = projected + self.bias.value.reshape((-1, *ones))
        return projected.reshape((*outer, step[0], *projected.shape[1:]))

    def _convolve(self, inputs: Any, kernel: Any) -> Any:
        return conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def recurrent_weights(self, batch: Any, training: bool = False) -> Weights:
        weights: Weights = {"recurrent_kernel": self.recurrent_kernel.value}
        shape = self._arranged(batch)
        masks = self._held_masks("recurrent", self.recurrent_dropout, shape) if training else None
        return weights if masks is None else {**weights, "mask": masks[0]}

    def options(self) -> tuple[Any, ...]:
        return (self.activation, self.recurrent_activation, self.data_format)

    def new_masks(self, batch: Any) -> None:
        """Forget the masks of the last batch: those of the next are drawn when its shape is known."""
        self._masks.clear()

    # States

    def space_after(self, space: Sequence[Any]) -> tuple[Any, ...]:
        """Spatial sizes of the states for inputs of those spatial sizes."""
        last = self.data_format == "channels_last"
        shape = (1, *space, 1) if last else (1, 1, *space)
        specs = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct((*self.kernel_size, 1, 1), jnp.float32)
        out = jax.eval_shape(self._convolve, *specs).shape
        return tuple(out[axis] for axis in spatial.spatial_axes(self.rank, self.data_format))

    def _arranged(self, batch: Any) -> tuple[Any, ...]:
        space = self.space or (1,) * self.rank
        return (batch, *space, self.filters) if self.data_format == "channels_last" else (batch, self.filters, *space)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros for both states, of the spatial size that the cell was built for.

        Raises:
            ShapeError: that size is open.
        """
        if self.space is None:
            raise ShapeError(
                f"{checking.describe(self)} does not know the size of its states yet",
                layer=self.name,
                expected="a cell built for an input with known spatial sizes",
            )
        return [jnp.zeros(self._arranged(batch_size), self.compute_dtype) for _ in self.state_names]

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "units"}
