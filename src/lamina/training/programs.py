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
        self.holders: dict[str, Any] = {}  # the variables of each kind of step, gathered once for a loop
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
            self._kept[key] = Program(kind, make(), self.compiled)
        return self._kept[key]


class Program:
    """A step, compiled or not. A compiled function sorts the names in a dict; here logs keep the step's order."""

    def __init__(self, kind: str, step: Step, compiled: bool):
        self.kind, self.compiled = kind, compiled
        self._step = step
        self._order: list[str] = []
        self._ready: set[Any] = set()
        donated = 0 if kind == "train" else ()
        self._run: Any = jax.jit(self._checked, donate_argnums=donated) if compiled else self._checked

    def _checked(self, state: Any, batch: Any) -> tuple[Any, Any]:
        """The step, which may be a user's own: what it gives must be of the right form.

        Raises:
            ValueError: it is not.
        """
        given = self._step(state, batch)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            what = "outputs, non_trainable_variables" if self.kind == "predict" else "logs, state"
            raise ValueError(f"{self.kind}_step gave a {type(given).__name__}: expected a pair ({what})")
        logs, new = given
        wanted, came = ([state[1]], [new]) if self.kind == "predict" else (state, new)
        sizes = [[len(group) for group in groups] for groups in (wanted, came)]
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"{self.kind}_step gave a new state with {sizes[1]} values in its parts, and the state has {sizes[0]}: "
                f"expected a new value for each, in the same order"
            )
        self._order = list(logs) if self.kind != "predict" and isinstance(logs, dict) else []
        return logs, new

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
