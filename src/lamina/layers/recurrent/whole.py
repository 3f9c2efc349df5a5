"""Whole sequences by a kernel, for the cells that have one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina import activations
from lamina.kernels import recurrent
from lamina.kernels.choosing import on_cpu, only_reference
from lamina.kernels.recurrent.squashing import VALUES
from lamina.layers.recurrent import loop
from lamina.layers.recurrent.loop import Plan

FORMS: dict[Any, Callable[..., Any]] = {}  # by a cell's step: what makes the kernel's cell of the step's options


def form_of(step: Any, options: tuple[Any, ...], inputs: Any, states: Any, weights: Any, plan: Plan) -> Any:
    """The kernel's cell for a step, or ``None`` where there is none for these options and values."""
    if step not in FORMS or plan.unroll or "masks" in weights or only_reference():
        return None
    if not all(isinstance(size, int) for size in inputs.shape) or inputs.size == 0:
        return None
    kinds = {value.dtype.name for value in (inputs, *states, *weights.values())}
    if len(kinds) > 1 or not kinds < {"float32", "float64"}:
        return None
    names = [_name_of(option) if callable(option) else option for option in options]
    return None if None in names else FORMS[step](*names)


def _name_of(activation: Any) -> str | None:
    """What the kernels call an activation, if they know it."""
    return next((name for name in VALUES if getattr(activations, name) is activation), None)


def recur(
    form: Any, step: Any, options: tuple[Any, ...], blocks: Any, biases: Any, mask: Any, states: Any, weights: Any,
    plan: Plan,
) -> tuple[Any, Any]:  # fmt: skip
    """What `loop.recur` gives, by a kernel where the platform has one.

    Args:
        form: from `form_of`.
        step, options, mask, states, weights, plan: as for `loop.recur`.
        blocks: the projected inputs, each `(time, batch, gates * units)`, as many as the form has.
        biases: what is added to each of the blocks; or nothing.
    """
    go = _go if isinstance(blocks[0], jax.core.Tracer) else _compiled
    return go(form, step, options, blocks, biases, mask, states, weights, plan)


def _go(
    form: Any, step: Any, options: tuple[Any, ...], blocks: Any, biases: Any, mask: Any, states: Any, weights: Any,
    plan: Plan,
) -> tuple[Any, Any]:  # fmt: skip
    def ours(blocks: Any, biases: Any, mask: Any, states: Any, weights: Any) -> tuple[Any, Any]:
        inner = tuple(weights[name] for name in ("recurrent_kernel", "recurrent_bias") if name in weights)
        way, held = recurrent.Way(plan.sequences, plan.reverse), recurrent.Weights(inner, biases)
        outputs, last = recurrent.over_time(form, way, blocks, mask, states, held)
        return _outputs(outputs, last[0], mask, plan), list(last)

    def plain(blocks: Any, biases: Any, mask: Any, states: Any, weights: Any) -> tuple[Any, Any]:
        projected = jnp.concatenate(blocks, -1)
        projected = projected + jnp.concatenate(biases, -1) if biases else projected
        return loop.plain(step, options, projected, mask, states, weights, plan)

    return on_cpu(ours, plain)(blocks, biases, mask, states, weights)


_compiled = jax.jit(_go, static_argnums=(0, 1, 2, 8))


def _outputs(outputs: Any, last: Any, mask: Any, plan: Plan) -> Any:
    """The outputs as `plan` wants them, from the states after each step or after the last one."""
    zeros = plan.zero_masked and mask is not None
    if not plan.sequences:
        return jnp.where(mask[0 if plan.reverse else -1][:, None], last, 0) if zeros else last
    outputs = jnp.where(mask[..., None], outputs, 0) if zeros else outputs
    return jnp.flip(outputs, 0) if plan.reverse else outputs
