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
        self.checked: set[Any] = set()  # shapes of batches that were found to fit
        self._kept: dict[tuple[Any, ...], Program] = {}

    def get(self, kind: str, step: Step, key: tuple[Any, ...]) -> Program:
        """The step, compiled on first use; a training step's state is donated: its old values are gone."""
        return self._get(kind, ("one", *key), lambda: step)

    def get_many(self, kind: str, step: Step, key: tuple[Any, ...]) -> Program:
        """Several steps in one dispatch: takes a list of batches of one shape, gives the last logs."""
        return self._get(kind, ("many", *key), lambda: _many(step))

    def _get(self, kind: str, key: tuple[Any, ...], make: Callable[[], Step]) -> Program:
        key = (kind, *key)
        if key not in self._kept:
            if len(self._kept) >= _MOST:  # variables were swapped again and again: forget the oldest
                del self._kept[next(iter(self._kept))]
            self._kept[key] = Program(make(), self.compiled, donates=kind == "train")
        return self._kept[key]


class Program:
    """A step, compiled or not. A compiled function sorts the names in a dict; here logs keep the step's order."""

    def __init__(self, step: Step, compiled: bool, donates: bool):
        self.compiled = compiled
        self._order: list[str] = []
        self._ready: set[Any] = set()
        self._run: Any = jax.jit(self._noting_order, donate_argnums=0 if donates else ()) if compiled else step
        self._step = step

    def _noting_order(self, state: Any, batch: Any) -> tuple[Any, Any]:
        logs, state = self._step(state, batch)
        self._order = list(logs) if isinstance(logs, dict) else []
        return logs, state

    def make_ready(self, state: Any, batch: Any) -> None:
        """Compile for batches of these shapes, so that the call itself is short."""
        shapes = tuple(shapes_of(batch))
        if self.compiled and shapes not in self._ready:
            self._run.lower(state, batch).compile()
            self._ready.add(shapes)

    def __call__(self, state: Any, batch: Any) -> tuple[Any, Any]:
        logs, state = self._run(state, batch)
        return ({name: logs[name] for name in self._order} if self._order else logs), state


def _many(step: Step) -> Step:
    def steps(state: Any, batches: Any) -> tuple[Any, Any]:
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)

        def one(carry: Any, batch: Any) -> tuple[Any, Any]:
            logs, new = step(carry, batch)
            return tuple(list(group) for group in new), logs

        state, logs = jax.lax.scan(one, state, stacked)
        return jax.tree.map(lambda leaf: leaf[-1], logs), state

    return steps


def same_shapes(batches: list[Any]) -> bool:
    """Whether the batches can be stacked."""
    first = shapes_of(batches[0])
    return all(shapes_of(batch) == first for batch in batches[1:])


def shapes_of(batch: Any) -> Any:
    """Shapes and types of a batch's arrays."""
    return [(getattr(leaf, "shape", None), str(getattr(leaf, "dtype", ""))) for leaf in tree.flatten(batch)]
