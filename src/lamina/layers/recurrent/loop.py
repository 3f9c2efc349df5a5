"""The loop over time: one `jax.lax.scan`, with masks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Body = Callable[[Any, Any], tuple[Any, Any]]


class Plan(NamedTuple):
    """How to go through time.

    Attributes:
        sequences: whether the outputs of all steps are wanted, or that of the last.
        reverse: whether to go from the last step to the first.
        unroll: whether to write the steps out instead of looping.
        zero_masked: whether masked steps give zeros; otherwise they give the output before them.
    """

    sequences: bool
    reverse: bool
    unroll: bool
    zero_masked: bool


def run(body: Body, inputs: Any, mask: Any, carry: Any, plan: Plan) -> tuple[Any, Any]:
    """Go through time.

    Args:
        body: ``body(carry, input) -> (output, carry)`` for one step.
        inputs: `(time, batch, ...)`.
        mask: `(time, batch)`, false where a step is to be passed over; or ``None``.
        carry: what the first step starts from; its leaves that a mask holds back are `(batch, ...)`.
        plan: see `Plan`.

    Returns:
        The output of the last step, or of all `(time, batch, ...)` in the order they were worked out; and the last carry.
    """
    first = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), inputs)
    output_spec, _ = jax.eval_shape(body, carry, first)
    blank = jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), output_spec)

    def step(before: Any, entry: Any) -> tuple[Any, Any]:
        last, carry = before
        value, keep = entry
        output, new = body(carry, value)
        if keep is not None:
            output = choose(keep, output, blank if plan.zero_masked else last)
            new = choose(keep, new, carry)
        return (output, new), output if plan.sequences else None

    length = jax.tree.leaves(inputs)[0].shape[0]
    unroll = plan.unroll and isinstance(length, int)
    (last, carry), outputs = jax.lax.scan(step, (blank, carry), (inputs, mask), reverse=plan.reverse, unroll=unroll)
    if plan.sequences and plan.reverse:
        outputs = jax.tree.map(lambda y: jnp.flip(y, 0), outputs)
    return (outputs if plan.sequences else last), carry


def choose(keep: Any, new: Any, old: Any) -> Any:
    """`new` for the samples where `keep` `(batch,)` is true, `old` for the others."""
    return jax.tree.map(lambda n, o: jnp.where(keep.reshape(keep.shape + (1,) * (n.ndim - 1)), n, o), new, old)


def recur(step: Any, options: tuple[Any, ...], projected: Any, mask: Any, states: Any, weights: Any, plan: Plan) -> Any:
    """Run a cell's `step` over inputs that are projected already, `(time, batch, gates * units)`.

    Outside of a compiled function the loop is compiled once for all layers that have the same step and shapes.
    """
    loop = _compiled if all(_is_plain(option) for option in options) else _loop
    return loop(step, options, projected, mask, states, weights, plan)


def _loop(step: Any, options: tuple[Any, ...], projected: Any, mask: Any, states: Any, weights: Any, plan: Plan) -> Any:
    return run(lambda before, value: step(value, before, weights, *options), projected, mask, states, plan)


_compiled = jax.jit(_loop, static_argnums=(0, 1, 6))


@functools.lru_cache(maxsize=1024)
def _is_plain(option: Any) -> bool:
    """Whether nothing else than the value of an option matters: a number, or an activation of Lamina's own."""
    return not callable(option) or getattr(option, "__module__", "").startswith("lamina.activations")
