"""A scan whose outputs take the place of its inputs in memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Step = Callable[[Any, Any, Any, Any], tuple[Any, Any, Any]]


def reference(step: Step, reverse: bool, fixed: Any, carry: Any, replaced: Any, read: Any) -> tuple[Any, Any, Any]:
    """The same by `jax.lax.scan`, which has other memory for what comes out; see `replacing_scan`."""

    def body(carry: Any, entry: Any) -> tuple[Any, Any]:
        carry, after, made = step(fixed, carry, *entry)
        return carry, (after, made)

    carry, (replaced, made) = lax.scan(body, carry, (replaced, read), reverse=reverse)
    return carry, replaced, made


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def replacing_scan(step: Step, reverse: bool, fixed: Any, carry: Any, replaced: Any, read: Any) -> tuple[Any, Any, Any]:
    """``step(fixed, carry, replaced[t], read[t]) -> (carry, replaced[t], made[t])`` for each `t`.

    XLA copies a whole array before it writes to a place that it may still read. So what a step is to replace is read
    in the step before it, and handed over.

    Args:
        step: one step. It holds no tensors: those come as `fixed`.
        reverse: whether to start from the last entry.
        fixed: what is the same for all steps.
        carry: what goes from step to step.
        replaced: arrays whose entries along the first axis the step takes, and gives again in another form.
        read: arrays whose entries along the first axis the step takes.

    Returns:
        The last `carry`, `replaced` as the steps gave it, and what else they made.
    """
    count = jax.tree.leaves((replaced, read))[0].shape[0]
    _, _, made = jax.eval_shape(functools.partial(step, fixed), carry, *_at((replaced, read), 0))
    made = jax.tree.map(lambda spec: jnp.zeros((count, *spec.shape), spec.dtype), made)

    def body(n: Any, state: Any) -> Any:
        carry, entry, replaced, made = state
        place = count - 1 - n if reverse else n
        carry, after, new = step(fixed, carry, entry, _at(read, place))
        replaced = _put(replaced, after, place)
        following = place - 1 if reverse else place + 1
        return carry, _at(replaced, following), replaced, _put(made, new, place)

    first = _at(replaced, count - 1 if reverse else 0)
    carry, _, replaced, made = lax.fori_loop(0, count, body, (carry, first, replaced, made))
    return carry, replaced, made


@replacing_scan.defjvp
def _change(step: Step, reverse: bool, primals: Any, tangents: Any) -> tuple[Any, Any]:
    return jax.jvp(functools.partial(reference, step, reverse), primals, tangents)


def _at(arrays: Any, place: Any) -> Any:
    return jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, place, 0, keepdims=False), arrays)


def _put(arrays: Any, entries: Any, place: Any) -> Any:
    return jax.tree.map(lambda x, entry: lax.dynamic_update_index_in_dim(x, entry, place, 0), arrays, entries)
