"""`LSTM`: long short-term memory, and its cell."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lamina import activations
from lamina.core import registry
from lamina.core.seeds import SeedGenerator
from lamina.kernels import recurrent
from lamina.layers.recurrent.cell import RecurrentCell, Weights, gated_product, take_implementation
from lamina.layers.recurrent.rnn import CellLayer, check_cudnn
from lamina.layers.recurrent.whole import FORMS


def lstm_step(
    projected: Any, states: list[Any], weights: Weights, activation: Any, recurrent_activation: Any
) -> tuple[Any, list[Any]]:
    """One step: what goes into memory, what stays there, and what is shown of it."""
    hidden, memory = states
    gates = projected + gated_product(hidden, weights["recurrent_kernel"], weights.get("masks"))
    return lstm_cell_update(gates, memory, activation, recurrent_activation)


def lstm_cell_update(
    gates: Any, memory: Any, activation: Any, recurrent_activation: Any, axis: int = -1
) -> tuple[Any, list[Any]]:
    """Output and new states from what came to the four gates, which lie side by side along an axis."""
    write, keep, candidate, show = jnp.split(gates, 4, axis=axis)
    memory = recurrent_activation(keep) * memory + recurrent_activation(write) * activation(candidate)
    hidden = recurrent_activation(show) * activation(memory)
    return hidden, [hidden, memory]


FORMS[lstm_step] = recurrent.LSTM


@registry.register("layer")
class LSTMCell(RecurrentCell):
    """One time step of `LSTM`.

    Args:
        units: size of the output and of both states.
        activation: what is applied to the candidate for the memory, and to the memory when it is shown.
        recurrent_activation: what is applied to the three gates.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(features, 4 * units)` is drawn; its blocks are for the input gate, the
            forget gate, the candidate and the output gate.
        recurrent_initializer: how the recurrent kernel `(units, 4 * units)` is drawn.
        bias_initializer: how the bias `(4 * units,)` is drawn.
        unit_forget_bias: whether the bias of the forget gate starts at one, so that memory is kept at first.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: losses of the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: projections of the weights after each update.
        dropout: part of the inputs to drop during training.
        recurrent_dropout: part of the hidden state to drop during training, on its way to the gates.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, features)` and a list of two states `(batch, units)`, hidden state and memory; output
        `(batch, units)` and the list of new states.

    Raises:
        ValueError: `units` is not a positive whole number, or a part dropped is not from 0 to 1.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> cell = lamina.layers.LSTMCell(4)
    >>> output, (hidden, memory) = cell(np.ones((2, 3)), cell.get_initial_state(2))
    >>> output.shape, memory.shape
    ((2, 4), (2, 4))
    """

    signature = "batch features -> batch units, batch units, batch units"
    gates = 4
    state_names = ("hidden state", "memory")
    step = staticmethod(lstm_step)

    def __init__(
        self,
        units: int,
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
        take_implementation(kwargs)
        super().__init__(
            units, activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)

    def bias_start(self) -> Any:
        return self._forgetful_bias if self.unit_forget_bias else self.bias_initializer

    def _forgetful_bias(self, shape: Any, dtype: Any = None) -> Any:
        n = self.units
        write, rest = (self.bias_initializer((size,), dtype=dtype) for size in (n, 2 * n))
        return jnp.concatenate([jnp.asarray(write), jnp.ones((n,), dtype), jnp.asarray(rest)])

    def options(self) -> tuple[Any, ...]:
        return (self.activation, self.recurrent_activation)


@registry.register("layer")
class LSTM(CellLayer):
    """Reads a sequence step by step, with a memory that it writes to, keeps and shows through gates.

    Args:
        units: size of the output and of both states.
        activation: what is applied to the candidate for the memory, and to the memory when it is shown.
        recurrent_activation: what is applied to the three gates.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(features, 4 * units)` is drawn; its blocks are for the input gate, the
            forget gate, the candidate and the output gate.
        recurrent_initializer: how the recurrent kernel `(units, 4 * units)` is drawn.
        bias_initializer: how the bias `(4 * units,)` is drawn.
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
        unroll: whether the loop is written out: faster for a few steps, slow to compile for many.
        use_cudnn: ``"auto"`` or ``False``.

    Shapes:
        Input `(batch, time, features)`. Output `(batch, units)`, or `(batch, time, units)` with
        ``return_sequences=True``; with ``return_state=True`` two states `(batch, units)` after it.

    Raises:
        ValueError: `units` is not a positive whole number, or a part dropped is not from 0 to 1.
        ShapeError: the input has not three axes, or a state does not fit.

    References:
        Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> x = np.ones((2, 10, 3))
    >>> lamina.layers.LSTM(4)(x).shape
    (2, 4)
    >>> outputs, hidden, memory = lamina.layers.LSTM(4, return_sequences=True, return_state=True)(x)
    >>> outputs.shape, hidden.shape, memory.shape
    ((2, 10, 4), (2, 4), (2, 4))
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
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ):
        self.use_cudnn = check_cudnn(use_cudnn)
        cell = LSTMCell(
            units, activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, unit_forget_bias,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, seed, **self.cell_arguments(kwargs, "lstm_cell"),
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
    def unit_forget_bias(self) -> bool:
        """The cell's."""
        return self.cell.unit_forget_bias
