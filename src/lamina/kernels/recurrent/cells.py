"""One step of each kind of cell, forward and backward, as `time.over_time` needs it.

A step turns blocks, what the inputs give to the gates, into what the gates and the candidate let through; the step
back turns these into the derivatives by the blocks. Each takes the place of the other in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from lamina.kernels.recurrent.squashing import VALUES, slope, squash

Tensors = tuple[Any, ...]


@dataclass(frozen=True)
class SimpleRNN:
    """``h = activation(x + h @ W)``; states ``(h,)``, weights ``(W,)``."""

    activation: str
    blocks: ClassVar[tuple[int, ...]] = (1,)

    def step(self, blocks: Tensors, states: Tensors, weights: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        """One step.

        Returns:
            The new states; what takes the place of the blocks; what else `back` or `gather` needs.
        """
        after = VALUES[self.activation](blocks[0] + states[0] @ weights[0])
        return (after,), (after,), ()

    def turned(self, weights: Tensors) -> Tensors:
        """What `back` needs of the weights: laid out in memory once, before the loop."""
        return (weights[0].T,)

    def back(
        self, turned: Tensors, gates: Tensors, kept: Tensors, before: Any, changes: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        """One step back.

        Args:
            turned: see `turned`.
            gates: what took the place of the blocks.
            kept: what else `step` gave.
            before: the first state before the step.
            changes: derivatives by the states after the step.

        Returns:
            Derivatives by the states before the step; those by the blocks; what takes the place of `kept`.
        """
        part = changes[0] * slope(self.activation, gates[0])
        return (part @ turned[0],), (part,), kept

    def gather(self, parts: Tensors, kept: Tensors, before: Any) -> Tensors:
        """Derivatives by the weights from what all steps back gave."""
        return (_over_rows(before, parts[0]),)


@dataclass(frozen=True)
class LSTM:
    """Gates ``i, f, g, o`` of ``x + h @ W``; states ``(h, c)``, weights ``(W,)``."""

    activation: str
    recurrent_activation: str
    blocks: ClassVar[tuple[int, ...]] = (4,)

    def step(self, blocks: Tensors, states: Tensors, weights: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        hidden, memory = states
        inner = self.recurrent_activation
        gates = squash(blocks[0] + hidden @ weights[0], (inner, inner, self.activation, inner))
        i, f, g, o = jnp.split(gates, 4, -1)
        after = f * memory + i * g
        return (o * VALUES[self.activation](after), after), (gates,), (memory,)

    def turned(self, weights: Tensors) -> Tensors:
        return (weights[0].T,)

    def back(
        self, turned: Tensors, gates: Tensors, kept: Tensors, before: Any, changes: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        i, f, g, o = jnp.split(gates[0], 4, -1)
        (memory,), (hidden, remembered) = kept, changes
        outer, inner = self.activation, self.recurrent_activation
        shown = VALUES[outer](f * memory + i * g)
        remembered = remembered + hidden * o * slope(outer, shown)
        parts = (
            remembered * g * slope(inner, i),
            remembered * memory * slope(inner, f),
            remembered * i * slope(outer, g),
            hidden * shown * slope(inner, o),
        )
        part = jnp.concatenate(parts, -1)
        return (part @ turned[0], remembered * f), (part,), kept

    def gather(self, parts: Tensors, kept: Tensors, before: Any) -> Tensors:
        return (_over_rows(before, parts[0]),)


@dataclass(frozen=True)
class GRU:
    """Gates ``z, r`` and a candidate; states ``(h,)``, weights ``(W,)``, or ``(W, b)`` with a bias of the state's.

    The candidate's part of the input is a block of its own: it is added later than that of the gates.
    """

    activation: str
    recurrent_activation: str
    blocks: ClassVar[tuple[int, ...]] = (2, 1)

    def step(self, blocks: Tensors, states: Tensors, weights: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        (before,) = states
        units = before.shape[-1]
        recurrent = before @ weights[0]
        if len(weights) == 2:
            recurrent = recurrent + weights[1]
        gates = squash(blocks[0] + recurrent[:, : 2 * units], (self.recurrent_activation,) * 2)
        z, r = jnp.split(gates, 2, -1)
        inner = recurrent[:, 2 * units :]
        candidate = VALUES[self.activation](blocks[1] + r * inner)
        return (z * before + (1 - z) * candidate,), (gates, candidate), (inner,)

    def turned(self, weights: Tensors) -> Tensors:
        return (weights[0].T,)

    def back(
        self, turned: Tensors, gates: Tensors, kept: Tensors, before: Any, changes: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        z, r = jnp.split(gates[0], 2, -1)
        (change,), candidate, inner = changes, gates[1], self.recurrent_activation
        outer = change * (1 - z) * slope(self.activation, candidate)
        both = jnp.concatenate((change * (before - candidate) * slope(inner, z), outer * kept[0] * slope(inner, r)), -1)
        reset = outer * r
        return (change * z + jnp.concatenate((both, reset), -1) @ turned[0],), (both, outer), (reset,)

    def gather(self, parts: Tensors, kept: Tensors, before: Any) -> Tensors:
        kernel = jnp.concatenate((_over_rows(before, parts[0]), _over_rows(before, kept[0])), -1)
        bias = jnp.concatenate((parts[0].sum((0, 1)), kept[0].sum((0, 1))), -1)
        return kernel, bias


@dataclass(frozen=True)
class EarlyGRU:
    """`GRU` with the reset gate before the product: ``reset_after=False``; weights ``(W,)``."""

    activation: str
    recurrent_activation: str
    blocks: ClassVar[tuple[int, ...]] = (2, 1)

    def step(self, blocks: Tensors, states: Tensors, weights: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        (before,) = states
        units = before.shape[-1]
        gates = squash(blocks[0] + before @ weights[0][:, : 2 * units], (self.recurrent_activation,) * 2)
        z, r = jnp.split(gates, 2, -1)
        inner = r * before
        candidate = VALUES[self.activation](blocks[1] + inner @ weights[0][:, 2 * units :])
        return (z * before + (1 - z) * candidate,), (gates, candidate), (inner,)

    def turned(self, weights: Tensors) -> Tensors:
        units = weights[0].shape[0]
        return weights[0][:, : 2 * units].T, weights[0][:, 2 * units :].T

    def back(
        self, turned: Tensors, gates: Tensors, kept: Tensors, before: Any, changes: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        z, r = jnp.split(gates[0], 2, -1)
        (change,), candidate, inner = changes, gates[1], self.recurrent_activation
        outer = change * (1 - z) * slope(self.activation, candidate)
        reset = outer @ turned[1]
        both = jnp.concatenate((change * (before - candidate) * slope(inner, z), reset * before * slope(inner, r)), -1)
        return (change * z + reset * r + both @ turned[0],), (both, outer), kept

    def gather(self, parts: Tensors, kept: Tensors, before: Any) -> Tensors:
        return (jnp.concatenate((_over_rows(before, parts[0]), _over_rows(kept[0], parts[1])), -1),)


def _over_rows(x: Any, y: Any) -> Any:
    """``(time, batch, a)`` and ``(time, batch, b)`` give ``(a, b)``: one product of two matrices."""
    return x.reshape(-1, x.shape[-1]).T @ y.reshape(-1, y.shape[-1])
