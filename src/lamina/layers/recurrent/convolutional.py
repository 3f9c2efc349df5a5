"""`ConvLSTM1D`, `ConvLSTM2D` and `ConvLSTM3D`: LSTMs over sequences of signals, images and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, ClassVar

from lamina.core import registry, tree
from lamina.core.seeds import SeedGenerator
from lamina.layers import spatial
from lamina.layers.recurrent.convolutional_cell import ConvLSTMCell
from lamina.layers.recurrent.rnn import RNN, CellLayer


class ConvLSTM(CellLayer):
    """What the three share. A subclass says how many spatial axes: `rank`."""

    rank: ClassVar[int]
    kernel_size: tuple[int, ...]
    padding: str
    data_format: str
    dilation_rate: tuple[int, ...]
    built_axes = ("channels",)
    shape_arguments: ClassVar[dict[str, str]] = {
        **RNN.shape_arguments,
        "filters": "the number of output channels",
        "kernel_size": "with padding='valid' each spatial axis becomes kernel_size - 1 shorter (before strides)",
        "strides": "each spatial axis is divided by it: rounded up with 'same', as far as windows fit with 'valid'",
        "padding": "'same' keeps a spatial axis of size n at n (with strides: n / strides, rounded up)",
        "data_format": "where the channels stand: last, or first after the time",
    }
    common_mistakes: tuple[str, ...] = (
        "The input has a time axis and channels: (batch, time, ..., channels); give single-channel data x[..., None].",
        "To put one on another, the lower one needs return_sequences=True.",
        "With padding='valid' the output is smaller than the input; to predict the next image, use padding='same'.",
    )
    example_config: ClassVar[dict[str, Any]] = {"filters": 16, "kernel_size": 3, "padding": "same"}

    def __init__(
        self,
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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | SeedGenerator | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ):
        cell = ConvLSTMCell(
            self.rank, filters, kernel_size, strides, padding, data_format, dilation_rate,
            activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, unit_forget_bias,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, seed, **self.cell_arguments(kwargs, "conv_lstm_cell"),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        self._check_fits((sequences_shape[0], *sequences_shape[2:]))
        super().build(sequences_shape, initial_state_shape)

    def _check_fits(self, step: Sequence[Any]) -> None:
        if self.padding == "valid":
            spatial.check_window(self, step, "kernel_size", self.kernel_size, self.dilation_rate)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        step = (sequences.shape[0], *sequences.shape[2:])
        self._check_fits(step)
        built_for = self.cell.space
        self.cell.space = self.cell.space_after([step[axis] for axis in self._space])
        try:
            return super().call(sequences, initial_state, mask, training)
        finally:
            self.cell.space = built_for

    @property
    def _space(self) -> tuple[int, ...]:
        """The places of the spatial axes in one step."""
        return spatial.spatial_axes(self.rank, self.data_format)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The input's mask for the sequence of outputs; none for a last output or a state."""
        mask = tree.flatten(previous_mask)[0] if isinstance(previous_mask, (list, tuple)) else previous_mask
        mask = mask if self.return_sequences else None
        return [mask, None, None] if self.return_state else mask


for _name in (
    "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "recurrent_activation",
    "unit_forget_bias",
):  # fmt: skip
    setattr(ConvLSTM, _name, property(attrgetter(f"cell.{_name}")))


@registry.register("layer")
class ConvLSTM1D(ConvLSTM):
    """Reads a sequence of signals with an LSTM whose products are convolutions over length.

    Args:
        filters: number of output channels, and of channels of both states.
        kernel_size: size of both kernels along each spatial axis.
        strides: steps of the kernel over the input.
        padding: ``"valid"`` or ``"same"``, of the input; the states keep their size.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the places of the input's kernel.
        activation: what is applied to the candidate for the memory, and to the memory when it is shown.
        recurrent_activation: what is applied to the three gates.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(*kernel_size, channels, 4 * filters)` is drawn.
        recurrent_initializer: how the recurrent kernel `(*kernel_size, filters, 4 * filters)` is drawn.
        bias_initializer: how the bias `(4 * filters,)` is drawn.
        unit_forget_bias: whether the bias of the forget gate starts at one, so that memory is kept at first.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        activity_regularizer: a loss of the output.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout: part of the inputs to drop during training, the same one at every step of a sequence.
        recurrent_dropout: part of the hidden state to drop during training, on its way to the gates.
        seed: a whole number for the same random numbers each time.
        return_sequences: whether the outputs of all steps are given, or only that of the last.
        return_state: whether the last states, hidden state and memory, are given after the output.
        go_backwards: whether the sequence is read from its end; outputs are in the order they were worked out.
        stateful: whether a batch starts from the states that the batch before ended with.

    Shapes:
        Input `(batch, time, length, channels)`. Output
        `(batch, new_length, filters)`, with the time axis after the batch with
        ``return_sequences=True``; with ``return_state=True`` two states like the last output after it. With
        ``"channels_first"`` the channels come before the spatial axes.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: the kernel does not fit into the input, or a state does not fit.

    References:
        Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", 2015,
        https://arxiv.org/abs/1506.04214

    Example:

    >>> import lamina
    >>> lamina.layers.ConvLSTM1D(8, kernel_size=3)(lamina.Input((10, 64, 3))).shape
    (None, 62, 8)
    """

    rank = 1
    example_input = (None, 10, 64, 3)


@registry.register("layer")
class ConvLSTM2D(ConvLSTM):
    """Reads a sequence of images with an LSTM whose products are convolutions over height and width.

    Args:
        filters: number of output channels, and of channels of both states.
        kernel_size: size of both kernels along each spatial axis.
        strides: steps of the kernel over the input.
        padding: ``"valid"`` or ``"same"``, of the input; the states keep their size.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the places of the input's kernel.
        activation: what is applied to the candidate for the memory, and to the memory when it is shown.
        recurrent_activation: what is applied to the three gates.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(*kernel_size, channels, 4 * filters)` is drawn.
        recurrent_initializer: how the recurrent kernel `(*kernel_size, filters, 4 * filters)` is drawn.
        bias_initializer: how the bias `(4 * filters,)` is drawn.
        unit_forget_bias: whether the bias of the forget gate starts at one, so that memory is kept at first.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        activity_regularizer: a loss of the output.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout: part of the inputs to drop during training, the same one at every step of a sequence.
        recurrent_dropout: part of the hidden state to drop during training, on its way to the gates.
        seed: a whole number for the same random numbers each time.
        return_sequences: whether the outputs of all steps are given, or only that of the last.
        return_state: whether the last states, hidden state and memory, are given after the output.
        go_backwards: whether the sequence is read from its end; outputs are in the order they were worked out.
        stateful: whether a batch starts from the states that the batch before ended with.

    Shapes:
        Input `(batch, time, height, width, channels)`. Output
        `(batch, new_height, new_width, filters)`, with the time axis after the batch with
        ``return_sequences=True``; with ``return_state=True`` two states like the last output after it. With
        ``"channels_first"`` the channels come before the spatial axes.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: the kernel does not fit into the input, or a state does not fit.

    References:
        Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", 2015,
        https://arxiv.org/abs/1506.04214

    Example:

    >>> import lamina
    >>> lamina.layers.ConvLSTM2D(8, kernel_size=3)(lamina.Input((10, 28, 28, 3))).shape
    (None, 26, 26, 8)
    """

    rank = 2
    example_input = (None, 10, 28, 28, 1)


@registry.register("layer")
class ConvLSTM3D(ConvLSTM):
    """Reads a sequence of volumes with an LSTM whose products are convolutions over depth, height, width.

    Args:
        filters: number of output channels, and of channels of both states.
        kernel_size: size of both kernels along each spatial axis.
        strides: steps of the kernel over the input.
        padding: ``"valid"`` or ``"same"``, of the input; the states keep their size.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default the one in `lamina.config`.
        dilation_rate: distance between the places of the input's kernel.
        activation: what is applied to the candidate for the memory, and to the memory when it is shown.
        recurrent_activation: what is applied to the three gates.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(*kernel_size, channels, 4 * filters)` is drawn.
        recurrent_initializer: how the recurrent kernel `(*kernel_size, filters, 4 * filters)` is drawn.
        bias_initializer: how the bias `(4 * filters,)` is drawn.
        unit_forget_bias: whether the bias of the forget gate starts at one, so that memory is kept at first.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        activity_regularizer: a loss of the output.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout: part of the inputs to drop during training, the same one at every step of a sequence.
        recurrent_dropout: part of the hidden state to drop during training, on its way to the gates.
        seed: a whole number for the same random numbers each time.
        return_sequences: whether the outputs of all steps are given, or only that of the last.
        return_state: whether the last states, hidden state and memory, are given after the output.
        go_backwards: whether the sequence is read from its end; outputs are in the order they were worked out.
        stateful: whether a batch starts from the states that the batch before ended with.

    Shapes:
        Input `(batch, time, depth, height, width, channels)`. Output
        `(batch, new_depth, new_height, new_width, filters)`, with the time axis after the batch with
        ``return_sequences=True``; with ``return_state=True`` two states like the last output after it. With
        ``"channels_first"`` the channels come before the spatial axes.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: the kernel does not fit into the input, or a state does not fit.

    References:
        Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", 2015,
        https://arxiv.org/abs/1506.04214

    Example:

    >>> import lamina
    >>> lamina.layers.ConvLSTM3D(8, kernel_size=3)(lamina.Input((5, 8, 8, 8, 3))).shape
    (None, 6, 6, 6, 8)
    """

    rank = 3
    example_input = (None, 5, 16, 16, 16, 1)
