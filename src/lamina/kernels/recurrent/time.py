"""A cell of `cells` over a whole sequence, with derivatives of every kind.

The gradient goes back through time in a loop of its own, which leaves the weights to one product after it. It is the
transpose of a primitive: a `jax.custom_vjp` has no forward derivatives, and what JAX transposes by itself would hold
the derivatives of the activations for all steps in memory.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from lamina.kernels.recurrent.replacing import replacing_scan

Tensors = tuple[Any, ...]


class Way(NamedTuple):
    """How to go through time: whether the outputs of all steps are wanted, and whether to start from the last."""

    sequences: bool
    reverse: bool


class Weights(NamedTuple):
    """A cell's weights that the loop needs.

    Attributes:
        recurrent: see the cell.
        biases: what is added to each block of the inputs' parts, each `(gates * units,)`; or nothing at all.
    """

    recurrent: Tensors
    biases: Tensors = ()


def over_time(cell: Any, way: Way, blocks: Tensors, mask: Any, states: Tensors, weights: Weights) -> Any:
    """A cell over a sequence.

    Args:
        cell: one of `cells`.
        way: see `Way`.
        blocks: what the inputs give to the gates, each `(time, batch, gates * units)`, as many as ``cell.blocks``.
        mask: `(time, batch)`, false where a sample's states stay as they are; or ``None``.
        states: what the first step starts from, each `(batch, units)`.
        weights: see `Weights`.

    Returns:
        The first state after each step `(time, batch, units)`, or ``None`` if not wanted; all states after the last.
    """
    return _over_time(cell, way, tuple(blocks), mask, tuple(states), weights)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _over_time(cell: Any, way: Way, blocks: Tensors, mask: Any, states: Tensors, weights: Weights) -> Any:
    laid = _laid(cell, weights)

    def step(before: Tensors, entry: Any) -> tuple[Tensors, Any]:
        after = _masked_step(cell, laid, before, *entry)[0]
        return after, after[0] if way.sequences else None

    last, outputs = lax.scan(step, states, (blocks, mask), reverse=way.reverse)
    return outputs, last


def _laid(cell: Any, weights: Weights) -> Weights:
    return Weights(cell.laid(weights.recurrent), weights.biases)


def _masked_step(cell: Any, weights: Weights, before: Tensors, blocks: Tensors, keep: Any) -> tuple[Any, Any, Any]:
    if weights.biases:
        blocks = tuple(block + bias for block, bias in zip(blocks, weights.biases, strict=True))
    after, gates, kept = cell.step(blocks, before, weights.recurrent)
    return (after if keep is None else _choose(keep, after, before)), gates, kept


def _saving_step(cell: Any, weights: Weights, before: Tensors, blocks: Tensors, keep: Any) -> tuple[Any, Any, Any]:
    after, gates, kept = _masked_step(cell, weights, before, blocks, keep)
    return after, gates, (after[0], kept)


def _step_back(cell: Any, turned: Tensors, after: Tensors, replaced: Any, read: Any) -> tuple[Any, Any, None]:
    (gates, kept), (before, keep, output) = replaced, read
    if output is not None:
        after = (after[0] + output, *after[1:])
    if keep is None:
        changes, *parts = cell.back(turned, gates, kept, before, after)
        return changes, tuple(parts), None
    zeros = jax.tree.map(jnp.zeros_like, after)
    changes, *parts = cell.back(turned, gates, kept, before, _choose(keep, after, zeros))
    return jax.tree.map(jnp.add, changes, _choose(keep, zeros, after)), tuple(parts), None


def _choose(keep: Any, new: Tensors, old: Tensors) -> Tensors:
    return jax.tree.map(lambda n, o: jnp.where(keep[:, None], n, o), new, old)


# Derivatives


@_over_time.defjvp
def _changes(cell: Any, way: Way, tensors: Any, tangents: Any) -> tuple[Any, Any]:
    blocks, mask, states, weights = tensors
    saving = functools.partial(_saving_step, cell)
    last, gates, (outputs, kept) = replacing_scan(saving, way.reverse, _laid(cell, weights), states, blocks, mask)
    result = (outputs if way.sequences else None), last
    changes = (tangents[0], *tangents[2:])
    flat, form = jax.tree.flatten((tensors, (gates, kept, outputs), changes))
    return result, jax.tree.unflatten(jax.tree.structure(result), tangent_p.bind(*flat, cell=cell, way=way, form=form))


def _gradient(cell: Any, way: Way, tensors: Any, saved: Any, output: Any, last: Tensors) -> tuple[Any, Tensors, Any]:
    """From derivatives by outputs (or ``None``) and last states, those by blocks, first states and weights."""
    (_, mask, states, weights), (gates, kept, outputs) = tensors, saved
    start = states[0][None]
    before = jnp.concatenate((outputs[1:], start) if way.reverse else (start, outputs[:-1]))
    back = functools.partial(_step_back, cell)
    turned, read = cell.turned(weights.recurrent), (before, mask, output)
    first, (parts, kept), _ = replacing_scan(back, not way.reverse, turned, last, (gates, kept), read)
    recurrent = cell.gather(parts, kept, before)[: len(weights.recurrent)]
    biases = tuple(part.sum((0, 1)) for part, _ in zip(parts, weights.biases, strict=False))
    return parts, first, Weights(recurrent, biases)


tangent_p = Primitive("recurrent_tangent")
tangent_p.multiple_results = True


def _tangent(*flat: Any, cell: Any, way: Way, form: Any) -> list[Any]:
    (blocks, mask, *others), _, changes = jax.tree.unflatten(form, flat)

    def values(blocks: Any, states: Any, weights: Any) -> Any:
        return _over_time.fun(cell, way, blocks, mask, states, weights)

    return jax.tree.leaves(jax.jvp(values, (blocks, *others), changes)[1])


def _tangent_forms(*flat: Any, **params: Any) -> list[Any]:
    specs = jax.eval_shape(functools.partial(_tangent, **params), *flat)
    return [jax.core.ShapedArray(spec.shape, spec.dtype) for spec in specs]


def _tangent_changes(primals: Any, tangents: Any, **params: Any) -> tuple[Any, Any]:
    moving = [i for i, tangent in enumerate(tangents) if type(tangent) is not ad.Zero]

    def values(*moved: Any) -> Any:
        flat = list(primals)
        for i, value in zip(moving, moved, strict=True):
            flat[i] = value
        return _tangent(*flat, **params)

    return jax.jvp(values, [primals[i] for i in moving], [tangents[i] for i in moving])


def _tangent_transposed(results: Any, *flat: Any, cell: Any, way: Way, form: Any) -> list[Any]:
    tensors, saved, _ = jax.tree.unflatten(form, flat)
    output = results[0] if way.sequences and type(results[0]) is not ad.Zero else None
    last = tuple(ad.instantiate_zeros(change) for change in results[1 if way.sequences else 0 :])
    gradients = jax.tree.leaves(_gradient(cell, way, tensors, saved, output, last))
    known = len(flat) - len(gradients)
    wanted = map(ad.is_undefined_primal, flat[known:])
    return [None] * known + [gradient if want else None for gradient, want in zip(gradients, wanted, strict=True)]


def _tangent_batched(flat: Any, axes: Any, **params: Any) -> tuple[Any, Any]:
    results = jax.vmap(functools.partial(_tangent, **params), in_axes=tuple(axes))(*flat)
    return results, [0] * len(results)


tangent_p.def_impl(_tangent)
tangent_p.def_abstract_eval(_tangent_forms)
ad.primitive_jvps[tangent_p] = _tangent_changes
ad.primitive_transposes[tangent_p] = _tangent_transposed
batching.primitive_batchers[tangent_p] = _tangent_batched
mlir.register_lowering(tangent_p, mlir.lower_fun(_tangent, multiple_results=True))
