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

    def laid(self, weights: Tensors) -> Tensors:
        """What `step` needs of the weights: laid out in memory once, before the loop."""
        return weights

    def step(self, blocks: Tensors, states: Tensors, weights: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        """One step.

        Args:
            blocks: what the input gives to the gates.
            states: those before the step.
            weights: see `laid`.

        Returns:
            The new states; what takes the place of the blocks; what else `back` or `gather` needs.
        """
        after = VALUES[self.activation](blocks[0] + states[0] @ weights[0])
        return (after,), (after,), ()

    def turned(self, weights: Tensors) -> Tensors:
        """What `back` needs of the weights, likewise."""
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

    def laid(self, weights: Tensors) -> Tensors:
        return weights

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

    Each has a block of its own: XLA for CPUs would make one operation of them all, and no vector instructions of
    that where it reads columns of an entry of an array.
    """

    activation: str
    recurrent_activation: str
    blocks: ClassVar[tuple[int, ...]] = (1, 1, 1)

    def laid(self, weights: Tensors) -> Tensors:
        return weights

    def step(self, blocks: Tensors, states: Tensors, weights: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        (before,) = states
        recurrent = before @ weights[0]
        recurrent = recurrent + weights[1] if len(weights) == 2 else recurrent
        for_z, for_r, inner = jnp.split(recurrent, 3, -1)
        gate = VALUES[self.recurrent_activation]
        z, r = gate(blocks[0] + for_z), gate(blocks[1] + for_r)
        candidate = VALUES[self.activation](blocks[2] + r * inner)
        return (z * before + (1 - z) * candidate,), (z, r, candidate), (inner,)

    def turned(self, weights: Tensors) -> Tensors:
        return (weights[0].T,)

    def back(
        self, turned: Tensors, gates: Tensors, kept: Tensors, before: Any, changes: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        (z, r, candidate), (inner,), (change,) = gates, kept, changes
        outer = change * (1 - z) * slope(self.activation, candidate)
        for_z = change * (before - candidate) * slope(self.recurrent_activation, z)
        for_r = outer * inner * slope(self.recurrent_activation, r)
        reset = outer * r
        before_it = change * z + jnp.concatenate((for_z, for_r, reset), -1) @ turned[0]
        return (before_it,), (for_z, for_r, outer), (reset,)

    def gather(self, parts: Tensors, kept: Tensors, before: Any) -> Tensors:
        parts = (*parts[:2], *kept)
        kernel = jnp.concatenate([_over_rows(before, part) for part in parts], -1)
        return kernel, jnp.concatenate([part.sum((0, 1)) for part in parts], -1)


@dataclass(frozen=True)
class EarlyGRU:
    """`GRU` with the reset gate before the product: ``reset_after=False``; weights ``(W,)``."""

    activation: str
    recurrent_activation: str
    blocks: ClassVar[tuple[int, ...]] = (1, 1, 1)

    def laid(self, weights: Tensors) -> Tensors:
        units = weights[0].shape[0]
        return weights[0][:, : 2 * units], weights[0][:, 2 * units :]

    def step(self, blocks: Tensors, states: Tensors, weights: Tensors) -> tuple[Tensors, Tensors, Tensors]:
        (before,) = states
        for_z, for_r = jnp.split(before @ weights[0], 2, -1)
        gate = VALUES[self.recurrent_activation]
        z, r = gate(blocks[0] + for_z), gate(blocks[1] + for_r)
        inner = r * before
        candidate = VALUES[self.activation](blocks[2] + inner @ weights[1])
        return (z * before + (1 - z) * candidate,), (z, r, candidate), (inner,)

    def turned(self, weights: Tensors) -> Tensors:
        return tuple(part.T for part in self.laid(weights))

    def back(
        self, turned: Tensors, gates: Tensors, kept: Tensors, before: Any, changes: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        (z, r, candidate), (change,) = gates, changes
        outer = change * (1 - z) * slope(self.activation, candidate)
        reset = outer @ turned[1]
        for_z = change * (before - candidate) * slope(self.recurrent_activation, z)
        for_r = reset * before * slope(self.recurrent_activation, r)
        before_it = change * z + reset * r + jnp.concatenate((for_z, for_r), -1) @ turned[0]
        return (before_it,), (for_z, for_r, outer), kept

    def gather(self, parts: Tensors, kept: Tensors, before: Any) -> Tensors:
        rows = (before, before, kept[0])
        return (jnp.concatenate([_over_rows(x, part) for x, part in zip(rows, parts, strict=True)], -1),)


def _over_rows(x: Any, y: Any) -> Any:
    """``(time, batch, a)`` and ``(time, batch, b)`` give ``(a, b)``: one product of two matrices."""
    return x.reshape(-1, x.shape[-1]).T @ y.reshape(-1, y.shape[-1])
