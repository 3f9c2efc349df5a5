"""`SimpleRNN`: the plainest recurrent layer, and its cell."""

from __future__ import annotations

from typing import Any

from lamina.core import registry
from lamina.core.seeds import SeedGenerator
from lamina.kernels import recurrent
from lamina.layers.recurrent.cell import RecurrentCell, Weights, gated_product
from lamina.layers.recurrent.rnn import CellLayer
from lamina.layers.recurrent.whole import FORMS


def simple_step(projected: Any, states: list[Any], weights: Weights, activation: Any) -> tuple[Any, list[Any]]:
    """One step: the output is the new state."""
    hidden = projected + gated_product(states[0], weights["recurrent_kernel"], weights.get("masks"))
    hidden = activation(hidden)
    return hidden, [hidden]


FORMS[simple_step] = recurrent.SimpleRNN


@registry.register("layer")
class SimpleRNNCell(RecurrentCell):
    """One time step of `SimpleRNN`.

    Args:
        units: size of the output and of the state.
        activation: what is applied to the sum of input, state and bias.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(features, units)` is drawn.
        recurrent_initializer: how the recurrent kernel `(units, units)` is drawn.
        bias_initializer: how the bias `(units,)` is drawn.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout: part of the inputs to drop during training.
        recurrent_dropout: part of the state to drop during training.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, features)` and a list of one state `(batch, units)`; output `(batch, units)` and the list of the
        new state.

    Raises:
        ValueError: `units` is not a positive whole number, or a part dropped is not from 0 to 1.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> cell = lamina.layers.SimpleRNNCell(4)
    >>> output, states = cell(np.ones((2, 3)), cell.get_initial_state(2))
    >>> output.shape, len(states)
    ((2, 4), 1)
    """

    step = staticmethod(simple_step)

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            units, activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip


@registry.register("layer")
class SimpleRNN(CellLayer):
    """Reads a sequence step by step; its output at each step is also what it remembers for the next one.

    Args:
        units: size of the output and of the state.
        activation: what is applied to the sum of input, state and bias.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(features, units)` is drawn.
        recurrent_initializer: how the recurrent kernel `(units, units)` is drawn.
        bias_initializer: how the bias `(units,)` is drawn.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        activity_regularizer: a loss of the output.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout: part of the inputs to drop during training, the same one at every step of a sequence.
        recurrent_dropout: part of the state to drop during training.
        return_sequences: whether the outputs of all steps are given, or only that of the last.
        return_state: whether the last state is given after the output.
        go_backwards: whether the sequence is read from its end; outputs are in the order they were worked out.
        stateful: whether a batch starts from the state that the batch before ended with.
        unroll: whether the loop is written out: faster for a few steps, slow to compile for many.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, time, features)`. Output `(batch, units)`, or `(batch, time, units)` with
        ``return_sequences=True``; with ``return_state=True`` the state `(batch, units)` after it.

    Raises:
        ValueError: `units` is not a positive whole number, or a part dropped is not from 0 to 1.
        ShapeError: the input has not three axes, or a state does not fit.

    References:
        Elman, "Finding Structure in Time", 1990

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.SimpleRNN(4)(np.ones((2, 10, 3))).shape
    (2, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        cell = SimpleRNNCell(
            units, activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, seed, **self.cell_arguments(kwargs, "simple_rnn_cell"),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
