"""`RNN`: a cell, run over the time axis."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, registry, tree
from lamina.core.symbolic import KerasTensor, trace_call
from lamina.core.variable import Variable
from lamina.layers import checking
from lamina.layers.layer import Layer
from lamina.layers.recurrent import custom, whole
from lamina.layers.recurrent.cell import RecurrentCell
from lamina.layers.recurrent.loop import Plan, recur
from lamina.layers.recurrent.stacked import StackedRNNCells
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError
from lamina.shapes.signatures import Axes, Signature


@registry.register("layer")
class RNN(Layer):
    """Reads a sequence step by step with a cell, handing the states on from each step to the next.

    A cell is a layer (or any object) with ``call(inputs, states) -> (output, new_states)`` for one step,
    ``state_size`` (a whole number, or a list of whole numbers or shapes, one for each state) and, if it should not
    start from zeros, ``get_initial_state(batch_size)``.

    Args:
        cell: the cell, or a list of cells that are put one above the other.
        return_sequences: whether the outputs of all steps are given, or only that of the last.
        return_state: whether the last states are given after the output.
        go_backwards: whether the sequence is read from its end; outputs are in the order they were worked out.
        stateful: whether a batch starts from the states that the batch before ended with.
        unroll: whether the loop is written out: faster for a few steps, slow to compile for many.
        zero_output_for_mask: whether masked steps give zeros; otherwise they give the output before them once more.

    Shapes:
        Input `(batch, time, ...)`. Output `(batch, ...)`, or `(batch, time, ...)` with ``return_sequences=True``; with
        ``return_state=True`` the states `(batch, ...)` after it.

    Raises:
        ValueError: `cell` is no cell.
        ShapeError: a state does not fit, or a stateful layer does not know the batch size.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> class Sum(lamina.layers.Layer):
    ...     state_size = 3
    ...     def call(self, inputs, states):
    ...         total = states[0] + inputs
    ...         return total, [total]
    >>> lamina.layers.RNN(Sum())(np.ones((1, 5, 3))).tolist()
    [[5.0, 5.0, 5.0]]
    """

    built_axes = ("features",)
    passing_states = ("states",)
    shape_arguments: ClassVar[dict[str, str]] = {
        "return_sequences": "True keeps the time axis (one output for each step), False gives the last output only",
        "return_state": "True gives the last states as further outputs",
        "stateful": "True fixes the size of the batch axis",
    }
    common_mistakes: tuple[str, ...] = (
        "A sequence of single numbers, (300, 100), has no features axis: give x[..., None], of shape (300, 100, 1).",
        "To put one recurrent layer on another, the lower one needs return_sequences=True.",
        "The time axis is the second one and the features come last: (batch, time, features).",
    )
    example_input: tuple[Any, ...] = (None, 20, 8)
    example_config: ClassVar[dict[str, Any]] = {
        "cell": {"module": "keras.layers", "class_name": "LSTMCell", "config": {"units": 16}}
    }

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.cell = custom.check_cell(StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell)
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.state_size = self.cell.state_size
        self.states: Any = None
        self.supports_masking = True

    @property
    def signature(self) -> Signature | None:  # type: ignore[override]
        """That of the cell, with a time axis."""
        own = checking.signature_of(self.cell) if isinstance(self.cell, Layer) else None
        step = own or Signature.parse("batch ... -> batch ..., batch ...")
        first = step.outputs[0]
        outputs = (with_axis(first, "time") if self.return_sequences else first, *step.outputs[1:])
        return Signature((with_axis(step.inputs[0], "time"),), outputs if self.return_state else outputs[:1])

    @property
    def weights(self) -> list[Variable]:
        """The cell's weights; the states of a stateful layer are variables, but no weights."""
        states = {id(v) for v in jax.tree.leaves(self.states)}
        return [v for v in super().weights if id(v) not in states]

    # Building

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        step_shape = (sequences_shape[0], *sequences_shape[2:])
        if isinstance(self.cell, Layer):
            if not self.cell.built:
                self.cell.build(step_shape)
            self._build_inner_layers(step_shape)
        if self.stateful:
            self._make_states(sequences_shape[0])

    def _build_inner_layers(self, step_shape: tuple[Any, ...]) -> None:
        """Let layers inside the cell that are built by their first call have it here, outside of the loop."""
        if any(not layer.built for layer in self.cell._flatten_layers()):
            inputs = KerasTensor(step_shape, self.compute_dtype)
            states = trace_call(self._zeros_like_batch, (inputs,), {})
            trace_call(self.cell._run, (inputs, jax.tree.map(KerasTensor.of_spec, states)), {})

    def _zeros_like_batch(self, inputs: Any) -> list[Any]:
        return self.get_initial_state(inputs.shape[0])

    def _make_states(self, batch: Any) -> None:
        if not dims.is_known(batch):
            raise self._unknown_batch("(None, ...)")
        with jax.ensure_compile_time_eval():  # they outlive the trace in which the layer may be built
            values = self.get_initial_state(batch)
        self.states = jax.tree.map(lambda v: Variable(v, trainable=False, autocast=False, name="rnn_state"), values)

    def _unknown_batch(self, received: str) -> ShapeError:
        return ShapeError(
            f"{checking.describe(self)} is stateful, so it must know the batch size",
            layer=self.name,
            expected="a known batch axis: Input(shape, batch_size=32), or batch_input_shape=(32, ...)",
            received=received,
        )

    # States

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """What a sequence starts from, a list of states `(batch, ...)`."""
        return custom.initial_states(self.cell, batch_size, self.compute_dtype)

    def reset_state(self, states: Any = None) -> None:
        """Start afresh: a stateful layer's states become what a sequence starts from, or `states`.

        Raises:
            ShapeError: one of `states` does not fit.
        """
        if self.states is None:
            return
        variables = jax.tree.leaves(self.states)
        values = self.get_initial_state(variables[0].shape[0])
        if states is not None:
            values = self._fit(states, values, "states")
        for variable, value in zip(variables, jax.tree.leaves(values), strict=True):
            variable.assign(value)

    def reset_states(self, states: Any = None) -> None:
        """The same as `reset_state`."""
        self.reset_state(states)

    def _fit(self, states: Any, like: list[Any], argument: str) -> list[Any]:
        names = custom.state_names(self.cell, len(jax.tree.leaves(like)))
        return custom.fit_states(checking.describe(self), states, like, names, argument)

    def _first_states(self, initial_state: Any, batch: Any) -> list[Any]:
        if self.stateful:
            held = jax.tree.leaves(self.states)[0].shape[0]
            if not dims.is_known(batch):
                raise self._unknown_batch(f"({dims.show(batch)}, ...)")
            if batch != held:
                raise ShapeError(
                    f"{checking.describe(self)} is stateful and keeps the states of {held} samples",
                    layer=self.name,
                    expected=f"a batch of {held}",
                    received=f"a batch of {batch}",
                )
        start = self.get_initial_state(batch)
        if initial_state is not None:
            return self._fit(initial_state, start, "initial_state")
        return jax.tree.map(lambda v: v.value, self.states) if self.stateful else start

    # Running

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        states = self._first_states(initial_state, sequences.shape[0])
        inputs = jnp.swapaxes(sequences, 0, 1)
        keep = None if mask is None else self._time_major(mask, sequences)
        plan = Plan(self.return_sequences, self.go_backwards, self.unroll, self.zero_output_for_mask)
        cells = custom.cells_with_dropout(self.cell)
        try:
            for cell in cells:
                cell.new_masks(sequences.shape[0] if training else None)
            outputs, states = self._go(inputs, keep, states, plan, training)
        finally:
            for cell in cells:
                cell.new_masks(None)
        if self.stateful:
            jax.tree.map(lambda variable, value: variable.assign(value), self.states, states)
        if self.return_sequences:
            outputs = jax.tree.map(lambda y: jnp.swapaxes(y, 0, 1), outputs)
        return (outputs, *states) if self.return_state else outputs

    def _go(self, inputs: Any, keep: Any, states: Any, plan: Plan, training: bool) -> tuple[Any, Any]:
        cell = self.cell
        if self._can_project_first():
            step, options, weights = type(cell).step, cell.options(), cell.recurrent_weights(inputs.shape[1], training)
            form = whole.form_of(step, options, inputs, states, weights, plan) if cell.projects_plainly() else None
            if form is not None:
                blocks, biases = cell.project_blocks(inputs, form.blocks, training)
                return whole.recur(form, step, options, blocks, biases, keep, states, weights, plan)
            return recur(step, options, cell.project(inputs, training), keep, states, weights, plan)
        outputs, states, losses = custom.recur_cell(cell, inputs, keep, states, plan)
        if losses is not None:
            self.add_loss(losses)
        return outputs, states

    def _can_project_first(self) -> bool:
        """Whether the cell is one of ours as it stands, so that its inputs can be projected before the loop."""
        cell = self.cell
        return (
            isinstance(cell, RecurrentCell)
            and type(cell).call is RecurrentCell.call
            and cell.activity_regularizer is None
            and cell.compute_dtype == self.compute_dtype
            and cell.dtype_policy == self.dtype_policy
        )

    def _time_major(self, mask: Any, sequences: Any) -> Any:
        if custom.differs(mask.shape, sequences.shape[:2]):
            raise ShapeError(
                f"{checking.describe(self)}: the mask does not fit the input",
                layer=self.name,
                expected=f"{dims.show_shape(sequences.shape[:2])}   (batch, time)",
                received=dims.show_shape(mask.shape),
            )
        return jnp.swapaxes(jnp.asarray(mask, bool), 0, 1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The input's mask for the sequence of outputs; none for a last output or a state."""
        mask = tree.flatten(previous_mask)[0] if isinstance(previous_mask, (list, tuple)) else previous_mask
        mask = mask if self.return_sequences else None
        if not self.return_state:
            return mask
        return [mask, *(None for _ in jax.tree.leaves(self.get_initial_state(1)))]

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """A new layer from a config; its weights are new."""
        with registry.custom_object_scope(custom_objects or {}):
            return super().from_config(config)


def with_axis(axes: Axes, name: str) -> Axes:
    """The axes with another one after the first."""
    return Axes((axes.names[0], name, *axes.names[1:]))


class CellLayer(RNN):
    """A recurrent layer with a cell of its own, whose arguments are the layer's."""

    example_config: ClassVar[dict[str, Any]] = {"units": 16}

    @staticmethod
    def cell_arguments(kwargs: dict[str, Any], name: str) -> dict[str, Any]:
        """The cell's share of a layer's further arguments."""
        own = {"implementation": kwargs.pop("implementation")} if "implementation" in kwargs else {}
        return {"dtype": kwargs.get("dtype"), "trainable": kwargs.get("trainable", True), "name": name, **own}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {name: value for name, value in config.items() if name not in ("cell", "use_cudnn")}


for _name in (
    "units", "activation", "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer",
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "kernel_constraint", "recurrent_constraint",
    "bias_constraint", "dropout", "recurrent_dropout", "seed",
):  # fmt: skip
    setattr(CellLayer, _name, property(attrgetter(f"cell.{_name}")))


def check_cudnn(value: Any) -> Any:
    """`use_cudnn`, if it can be met.

    Raises:
        ValueError: it is neither ``"auto"`` nor ``False``.
    """
    if value is True:
        raise ValueError("`use_cudnn`=True cannot be met: the loop is compiled by XLA; leave it 'auto', or give False")
    return checks.one_of("use_cudnn", value, ("auto", False))
