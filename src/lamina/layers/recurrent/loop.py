"""The loop over time: one `jax.lax.scan`, with masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Body = Callable[[Any, Any, Any], tuple[Any, Any, Any]]


class Plan(NamedTuple):
    """How to go through time.

    Attributes:
        sequences: whether the outputs of all steps are wanted, or only that of the last.
        reverse: whether to go from the last step to the first.
        unroll: whether the steps are written out instead of looped over.
        zero_masked: whether masked steps give zeros; otherwise they give the output before them once more.
    """

    sequences: bool
    reverse: bool
    unroll: bool
    zero_masked: bool


def run(
    body: Body, inputs: Any, mask: Any, states: Any, rest: Any, plan: Plan, echoes: bool = False
) -> tuple[Any, Any, Any]:
    """Go through time.

    Args:
        body: one step, ``body(input, states, rest) -> (output, states, rest)``.
        inputs: `(time, batch, ...)`.
        mask: `(time, batch)`, false where a sample's step is to be passed over and its states kept; or ``None``.
        states: what the first step starts from, a list of `(batch, ...)`. The first state, if it has the form of an
            output, also counts as the output before the first step.
        rest: what else goes from step to step, whatever the mask says.
        plan: see `Plan`.
        echoes: whether the output of a step is its first new state, so that it need not be carried along as well.

    Returns:
        The output of the last step, or those of all steps `(time, batch, ...)` in the order they were worked out;
        the last states; the last `rest`.
    """
    first = jax.ShapeDtypeStruct(inputs.shape[1:], inputs.dtype)
    output_spec = jax.eval_shape(body, first, states, rest)[0]
    blank = jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), output_spec)
    carries = not plan.sequences or mask is not None
    if echoes:
        carries = not plan.sequences and mask is not None and plan.zero_masked
    start = states[0] if _same_form(states[0], blank) else blank

    def step(carry: Any, entry: Any) -> tuple[Any, Any]:
        last, before, rest = carry
        value, keep = entry
        output, after, rest = body(value, before, rest)
        if keep is not None:
            output = choose(keep, output, blank if plan.zero_masked else before[0] if echoes else last)
            after = choose(keep, after, before)
        return (output if carries else None, after, rest), output if plan.sequences else None

    unroll = plan.unroll and isinstance(inputs.shape[0], int)
    first_carry = (start if carries else None, states, rest)
    (last, states, rest), outputs = jax.lax.scan(step, first_carry, (inputs, mask), reverse=plan.reverse, unroll=unroll)
    if plan.sequences and plan.reverse:
        outputs = jax.tree.map(lambda y: jnp.flip(y, 0), outputs)
    if not plan.sequences:
        outputs = last if carries else states[0]
    return outputs, states, rest


def _same_form(a: Any, b: Any) -> bool:
    """Whether two values have the same structure, shapes and types."""
    specs = [jax.tree.map(lambda x: (x.shape, x.dtype), value) for value in (a, b)]
    return specs[0] == specs[1]


def choose(keep: Any, new: Any, old: Any) -> Any:
    """`new` for the samples where `keep` `(batch,)` is true, `old` for the others."""
    return jax.tree.map(lambda n, o: jnp.where(keep.reshape(keep.shape + (1,) * (n.ndim - 1)), n, o), new, old)


def recur(
    step: Any, options: tuple[Any, ...], projected: Any, mask: Any, states: Any, weights: Any, plan: Plan
) -> tuple[Any, Any]:
    """Run a cell's `step` over inputs that are projected already, `(time, batch, gates * units)`.

    Outside of a compiled function the loop is compiled once for all layers that have the same step and shapes.
    """
    compiling = isinstance(projected, jax.core.Tracer)
    loop = _compiled if not compiling and all(_is_plain(option) for option in options) else plain
    return loop(step, options, projected, mask, states, weights, plan)


def plain(
    step: Any, options: tuple[Any, ...], projected: Any, mask: Any, states: Any, weights: Any, plan: Plan
) -> tuple[Any, Any]:
    """The same as `recur`, whatever surrounds it."""

    def body(value: Any, before: Any, rest: Any) -> tuple[Any, Any, Any]:
        output, after = step(value, before, weights, *options)
        return output, after, rest

    return run(body, projected, mask, states, None, plan, echoes=True)[:2]


_compiled = jax.jit(plain, static_argnums=(0, 1, 6))


def _is_plain(option: Any) -> bool:
    """Whether an option is but its value: a number, or one of Lamina's own activations. Others may hold variables."""
    return not callable(option) or getattr(option, "__module__", "").startswith("lamina.activations")
