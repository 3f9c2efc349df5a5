"""What the cells of Lamina share: arguments, weights, dropout masks, and a step split into two parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from lamina import activations, constraints, initializers, regularizers
from lamina.core import checks, context
from lamina.core.seeds import SeedGenerator, kept
from lamina.kernels.products import rows_times
from lamina.layers.layer import Layer
from lamina.shapes.signatures import Signature

Weights = dict[str, Any]
Step = Callable[..., tuple[Any, list[Any]]]


class RecurrentCell(Layer):
    """One time step of a recurrent layer, in two parts.

    `project` is what does not depend on the state, the input times the kernel plus the bias; a layer does it for all
    steps at once. `step` is the recurrence, a plain function of values:
    ``step(projected_input, states, weights, *options) -> (output, new_states)``.

    Attributes:
        gates: how many blocks of `units` columns the kernels have.
        state_names: what the states are, for messages.
        step: the recurrence.
    """

    signature: str | Signature | None = "batch features -> batch units, batch units"
    built_axes = ("features",)
    gates: ClassVar[int] = 1
    state_names: ClassVar[tuple[str, ...]] = ("hidden state",)
    step: ClassVar[Step]

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        seed: int | SeedGenerator | None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = checks.positive_int("units", units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = checks.real("dropout", dropout, 0.0, 1.0)
        self.recurrent_dropout = checks.real("recurrent_dropout", recurrent_dropout, 0.0, 1.0)
        self.seed = seed
        self.seed_generator = seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)
        self.state_size: Any = self.units if len(self.state_names) == 1 else [self.units] * len(self.state_names)
        self.output_size = self.units
        self._masks: dict[str, list[Any]] = {}

    # Weights

    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias."""
        return (self.gates * self.units,)

    def bias_start(self) -> Any:
        """The initializer of the bias."""
        return self.bias_initializer

    def build(self, input_shape: Any) -> None:
        width = self.gates * self.units
        self.kernel = self.add_weight((input_shape[-1], width), name="kernel")
        self.recurrent_kernel = self.add_weight(
            (self.units, width),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        self.bias = self.add_weight(self.bias_shape(), self.bias_start(), name="bias") if self.use_bias else None

    # The step, in two parts

    def project(self, inputs: Any, training: bool = False) -> Any:
        """What the inputs `(..., batch, features)` give to the gates: `(..., batch, gates * units)`."""
        (projected,), biases = self.project_blocks(inputs, (self.gates,), training)
        return projected + biases[0] if biases else projected

    def project_blocks(
        self, inputs: Any, blocks: tuple[int, ...], training: bool = False
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The same for each block of so many gates, and the biases that are yet to be added to them, if any."""
        masks = self._held_masks("input", self.dropout, (inputs.shape[-2], inputs.shape[-1])) if training else None
        kernel, bias = self.kernel.value, self.input_bias()
        ends = list(itertools.accumulate(blocks))
        places = [(end - count, end) for end, count in zip(ends, blocks, strict=True)]
        columns = [slice(start * self.units, end * self.units) for start, end in places]
        products = [
            gated_product(inputs, kernel[:, part], masks and masks[start:end])
            for part, (start, end) in zip(columns, places, strict=True)
        ]
        return tuple(products), () if bias is None else tuple(bias[part] for part in columns)

    def projects_plainly(self) -> bool:
        """Whether `project` is what is written here, and not a subclass's own."""
        return type(self).project is RecurrentCell.project

    def input_bias(self) -> Any:
        """The bias that the projected input gets, or ``None``."""
        return None if self.bias is None else self.bias.value

    def recurrent_weights(self, batch: Any, training: bool = False) -> Weights:
        """The tensors that `step` needs besides input and states; `batch` is the number of samples."""
        weights: Weights = {"recurrent_kernel": self.recurrent_kernel.value}
        masks = self._held_masks("recurrent", self.recurrent_dropout, (batch, self.units)) if training else None
        return weights if masks is None else {**weights, "masks": masks}

    def options(self) -> tuple[Any, ...]:
        """What `step` needs that is no tensor."""
        return (self.activation,)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        several = isinstance(states, (list, tuple))
        weights = self.recurrent_weights(inputs.shape[0], training)
        before = list(states) if several else [states]
        output, after = type(self).step(self.project(inputs, training), before, weights, *self.options())
        return output, after if several else after[0]

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros `(batch, units)` for each state."""
        return [jnp.zeros((batch_size, self.units), self.compute_dtype) for _ in self.state_names]

    # Dropout: one mask for a whole sequence, and another one for each gate

    def _held_masks(self, which: str, rate: float, shape: tuple[Any, ...]) -> list[Any] | None:
        if rate == 0.0:
            return None
        held = self._masks.get(which)
        if held is None or held[0].shape != shape:
            held = self._masks[which] = [self._draw_mask(rate, shape) for _ in range(self.gates)]
            if context.state.scopes:
                context.state.scopes[-1].at_end(self._masks.clear)
        return held

    def _draw_mask(self, rate: float, shape: tuple[Any, ...]) -> Any:
        mask = kept(self.seed_generator, rate, shape).astype(self.compute_dtype)
        return mask * (1.0 / (1.0 - rate) if rate < 1.0 else 0.0)

    def new_masks(self, batch: Any) -> None:
        """Draw the masks for a batch of that many sequences; with ``None``, only forget those of the last."""
        self._masks.clear()
        if batch is not None:
            self._held_masks("input", self.dropout, (batch, self.kernel.shape[0]))
            self._held_masks("recurrent", self.recurrent_dropout, (batch, self.units))

    def get_dropout_mask(self, step_input: Any) -> Any:
        """The masks for inputs like `step_input` `(batch, features)`; the same ones until `reset_dropout_mask`."""
        masks = self._held_masks("input", self.dropout, tuple(step_input.shape))
        return masks[0] if masks and self.gates == 1 else masks

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """The masks for states like `step_input` `(batch, units)`; the same ones until they are reset."""
        masks = self._held_masks("recurrent", self.recurrent_dropout, tuple(step_input.shape))
        return masks[0] if masks and self.gates == 1 else masks

    def reset_dropout_mask(self) -> None:
        """Draw new masks for the inputs next time."""
        self._masks.pop("input", None)

    def reset_recurrent_dropout_mask(self) -> None:
        """Draw new masks for the states next time."""
        self._masks.pop("recurrent", None)


def gated_product(values: Any, kernel: Any, masks: list[Any] | None) -> Any:
    """``values @ kernel``, where each gate's block of the kernel's columns sees the values through its own mask."""
    if masks is None:
        return rows_times(values, kernel)
    blocks = jnp.split(kernel, len(masks), axis=-1)
    return jnp.concatenate([(values * mask) @ block for mask, block in zip(masks, blocks, strict=True)], axis=-1)


def take_implementation(kwargs: dict[str, Any]) -> None:
    """Accept `implementation=` of older programs: 0, 1 and 2 compute the same.

    Raises:
        ValueError: it is another value.
    """
    checks.one_of("implementation", kwargs.pop("implementation", 2), (0, 1, 2))
