"""Compiled steps: made once for a model, kept until what they were made from changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import tree

_MOST = 16
Step = Callable[[Any, Any], tuple[Any, Any]]


class Programs:
    """The steps of a model as compiled functions.

    Args:
        compiled: whether to compile; otherwise the steps run operation by operation.
    """

    def __init__(self, compiled: bool):
        self.compiled = compiled
        self._kept: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def get(self, kind: str, step: Step, key: tuple[Any, ...]) -> Callable[[Any, Any], tuple[Any, Any]]:
        """The step, compiled on first use; a training step's state is donated: its old values are gone."""
        return self._get(kind, ("one", *key), lambda: step)

    def get_many(self, kind: str, step: Step, key: tuple[Any, ...]) -> Callable[[Any, Any], tuple[Any, Any]]:
        """Several steps in one dispatch: takes a list of batches of one shape, gives the last logs."""
        return self._get(kind, ("many", *key), lambda: _many(step))

    def _get(self, kind: str, key: tuple[Any, ...], make: Callable[[], Step]) -> Callable[..., Any]:
        key = (kind, *key)
        if key not in self._kept:
            if len(self._kept) >= _MOST:  # variables were swapped again and again: forget the oldest
                del self._kept[next(iter(self._kept))]
            self._kept[key] = _Program(make(), self.compiled, donates=kind == "train")
        return self._kept[key]


class _Program:
    """A step, compiled or not. A compiled function sorts the names in a dict; here logs keep the step's order."""

    def __init__(self, step: Step, compiled: bool, donates: bool):
        self._order: list[str] = []
        self._step = step
        self._run = jax.jit(self._noting_order, donate_argnums=0 if donates else ()) if compiled else step

    def _noting_order(self, state: Any, batch: Any) -> tuple[Any, Any]:
        logs, state = self._step(state, batch)
        self._order = list(logs) if isinstance(logs, dict) else []
        return logs, state

    def __call__(self, state: Any, batch: Any) -> tuple[Any, Any]:
        logs, state = self._run(state, batch)
        return ({name: logs[name] for name in self._order} if self._order else logs), state


def _many(step: Step) -> Step:
    def steps(state: Any, batches: Any) -> tuple[Any, Any]:
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)

        def one(carry: Any, batch: Any) -> tuple[Any, Any]:
            logs, new = step(carry, batch)
            return new, logs

        state, logs = jax.lax.scan(one, state, stacked)
        return jax.tree.map(lambda leaf: leaf[-1], logs), state

    return steps


def same_shapes(batches: list[Any]) -> bool:
    """Whether the batches can be stacked."""
    first = _shapes(batches[0])
    return all(_shapes(batch) == first for batch in batches[1:])


def _shapes(batch: Any) -> Any:
    return [(getattr(leaf, "shape", None), str(getattr(leaf, "dtype", ""))) for leaf in tree.flatten(batch)]
