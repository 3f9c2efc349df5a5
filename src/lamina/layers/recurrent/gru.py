"""`GRU`: the gated recurrent unit, and its cell."""

from __future__ import annotations

from typing import Any

from lamina import activations
from lamina.core import registry
from lamina.core.seeds import SeedGenerator
from lamina.kernels import recurrent
from lamina.layers.recurrent.cell import RecurrentCell, Weights, gated_product, take_implementation
from lamina.layers.recurrent.rnn import CellLayer, check_cudnn
from lamina.layers.recurrent.whole import FORMS


def gru_step(
    projected: Any,
    states: list[Any],
    weights: Weights,
    activation: Any,
    recurrent_activation: Any,
    reset_after: bool,
) -> tuple[Any, list[Any]]:
    """One step: how much of the state to keep, and what to put in place of the rest."""
    (hidden,) = states
    kernel, masks = weights["recurrent_kernel"], weights.get("masks")
    units = hidden.shape[-1]
    if reset_after:
        recurrent = gated_product(hidden, kernel, masks)
        if "recurrent_bias" in weights:
            recurrent = recurrent + weights["recurrent_bias"]
    else:
        recurrent = gated_product(hidden, kernel[:, : 2 * units], masks and masks[:2])
    both = recurrent_activation(projected[:, : 2 * units] + recurrent[:, : 2 * units])
    keep, reset = both[:, :units], both[:, units:]
    if reset_after:
        candidate = reset * recurrent[:, 2 * units :]
    else:
        candidate = gated_product(reset * hidden, kernel[:, 2 * units :], masks and masks[2:])
    candidate = activation(projected[:, 2 * units :] + candidate)
    hidden = keep * hidden + (1 - keep) * candidate
    return hidden, [hidden]


def _form(activation: str, recurrent_activation: str, reset_after: bool) -> Any:
    return (recurrent.GRU if reset_after else recurrent.EarlyGRU)(activation, recurrent_activation)


FORMS[gru_step] = _form


@registry.register("layer")
class GRUCell(RecurrentCell):
    """One time step of `GRU`.

    Args:
        units: size of the output and of the state.
        activation: what is applied to the candidate for the new state.
        recurrent_activation: what is applied to the two gates.
        use_bias: whether biases are added.
        kernel_initializer: how the kernel `(features, 3 * units)` is drawn; its blocks are for the update gate, the
            reset gate and the candidate.
        recurrent_initializer: how the recurrent kernel `(units, 3 * units)` is drawn.
        bias_initializer: how the bias is drawn: `(2, 3 * units)`, for the inputs and for the state, or `(3 * units,)`
            with ``reset_after=False``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout: part of the inputs to drop during training.
        recurrent_dropout: part of the state to drop during training, on its way to the gates and the candidate.
        reset_after: whether the reset gate acts after the product with the recurrent kernel, or before it.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, features)` and a list of one state `(batch, units)`; output `(batch, units)` and the list of the
        new state.

    Raises:
        ValueError: `units` is not a positive whole number, or a part dropped is not from 0 to 1.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> cell = lamina.layers.GRUCell(4)
    >>> output, states = cell(np.ones((2, 3)), cell.get_initial_state(2))
    >>> output.shape, len(states)
    ((2, 4), 1)
    """

    gates = 3
    step = staticmethod(gru_step)

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        take_implementation(kwargs)
        super().__init__(
            units, activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = bool(reset_after)

    def bias_shape(self) -> tuple[int, ...]:
        shape = super().bias_shape()
        return (2, *shape) if self.reset_after else shape

    def input_bias(self) -> Any:
        bias = super().input_bias()
        return bias[0] if bias is not None and self.reset_after else bias

    def recurrent_weights(self, batch: Any, training: bool = False) -> Weights:
        weights = super().recurrent_weights(batch, training)
        if self.bias is not None and self.reset_after:
            weights["recurrent_bias"] = self.bias.value[1]
        return weights

    def options(self) -> tuple[Any, ...]:
        return (self.activation, self.recurrent_activation, self.reset_after)


@registry.register("layer")
class GRU(CellLayer):
    """Reads a sequence step by step, with gates that decide how much of its state each step replaces.

    Args:
        units: size of the output and of the state.
        activation: what is applied to the candidate for the new state.
        recurrent_activation: what is applied to the two gates.
        use_bias: whether biases are added.
        kernel_initializer: how the kernel `(features, 3 * units)` is drawn; its blocks are for the update gate, the
            reset gate and the candidate.
        recurrent_initializer: how the recurrent kernel `(units, 3 * units)` is drawn.
        bias_initializer: how the bias is drawn: `(2, 3 * units)`, for the inputs and for the state, or `(3 * units,)`
            with ``reset_after=False``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        activity_regularizer: a loss of the output.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout: part of the inputs to drop during training, the same one at every step of a sequence.
        recurrent_dropout: part of the state to drop during training, on its way to the gates and the candidate.
        seed: a whole number for the same random numbers each time.
        return_sequences: whether the outputs of all steps are given, or only that of the last.
        return_state: whether the last state is given after the output.
        go_backwards: whether the sequence is read from its end; outputs are in the order they were worked out.
        stateful: whether a batch starts from the state that the batch before ended with.
        unroll: whether the loop is written out: faster for a few steps, slow to compile for many.
        reset_after: whether the reset gate acts after the product with the recurrent kernel, or before it.
        use_cudnn: ``"auto"`` or ``False``.

    Shapes:
        Input `(batch, time, features)`. Output `(batch, units)`, or `(batch, time, units)` with
        ``return_sequences=True``; with ``return_state=True`` the state `(batch, units)` after it.

    Raises:
        ValueError: `units` is not a positive whole number, or a part dropped is not from 0 to 1.
        ShapeError: the input has not three axes, or a state does not fit.

    References:
        Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
        Translation", 2014

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.GRU(4, return_sequences=True)(np.ones((2, 10, 3))).shape
    (2, 10, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
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
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ):
        self.use_cudnn = check_cudnn(use_cudnn)
        cell = GRUCell(
            units, activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, reset_after, seed, **self.cell_arguments(kwargs, "gru_cell"),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip

    @property
    def recurrent_activation(self) -> Any:
        """The cell's."""
        return self.cell.recurrent_activation

    @property
    def reset_after(self) -> bool:
        """The cell's."""
        return self.cell.reset_after
