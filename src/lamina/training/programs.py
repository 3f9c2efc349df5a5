"""Compiled steps: made once for a model, kept until what they were made from changes."""

from __future__ import annotations

import collections
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import compilation_cache
from lamina.kernels.choosing import compiler_options
from lamina.training.resident import Pace
from lamina.training.steps import pack_x_y_sample_weight

_MOST = 16
_background = ThreadPoolExecutor(1, thread_name_prefix="lamina-compile")
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
        self.paces: collections.defaultdict[Any, Pace] = collections.defaultdict(Pace)
        self._kept: dict[tuple[Any, ...], Program] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of a model compiles its own."""
        return Programs, (self.compiled,)

    def get(self, kind: str, step: Step, key: tuple[Any, ...]) -> Program:
        """The step, compiled on first use; a training step's state is donated: its old values are gone."""
        return self._get(kind, ("one", *key), lambda: step)

    def get_many(self, kind: str, step: Step, key: tuple[Any, ...]) -> Program:
        """Several steps in one dispatch: takes a list of batches of one shape, gives the last logs."""
        return self._get(kind, ("many", *key), lambda: _many(step))

    def get_picking(self, kind: str, step: Step, key: tuple[Any, ...], batch_size: int) -> Program:
        """The step on one batch of data that lies on the device."""
        return self._get(kind, ("picking", batch_size, *key), lambda: _picking(step, batch_size))

    def get_looping(self, kind: str, step: Step, key: tuple[Any, ...], batch_size: int) -> Program:
        """Any number of steps in one dispatch, on data that lies on the device; gives the last logs."""
        return self._get(kind, ("looping", batch_size, *key), lambda: _looping(_picking(step, batch_size)))

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
        self._made: dict[Any, Future[Any]] = {}
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

    def prepare(self, state: Any, data: Any) -> None:
        """Begin to compile for data of these shapes, on a thread, unless that was done."""
        shapes = shapes_of(data)
        if self.compiled and shapes not in self._made:
            compilation_cache.use()
            traced = self._run.trace(state, data)  # here: it runs the model's Python code
            self._made[shapes] = _background.submit(traced.lower().compile, compiler_options(traced.jaxpr))

    def is_ready(self, data: Any) -> bool:
        """Whether it is compiled for data of these shapes."""
        made = self._made.get(shapes_of(data))
        return not self.compiled or (made is not None and made.done())

    def make_ready(self, state: Any, data: Any) -> None:
        """Compile for data of these shapes, so that the call itself is short."""
        if self.compiled:
            self.prepare(state, data)
            self.compiled_for(data)

    def compiled_for(self, data: Any) -> Any:
        """The compiled function for data of these shapes, which was prepared."""
        return self._made[shapes_of(data)].result()

    def __call__(self, state: Any, *data: Any) -> tuple[Any, Any]:
        """The step on each of the data, which are of one shape: the last logs, or outputs, and the state after it."""
        run = self.compiled_for(data[0]) if self.compiled else self._run
        for one in data:
            logs, state = run(state, one)
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


def _picking(step: Step, batch_size: int) -> Step:
    """The step on data as `resident.Resident.batches` gives it."""

    def pick(state: Any, data: Any) -> tuple[Any, Any]:
        arrays, order, start, _ = data
        rows = jax.lax.dynamic_slice_in_dim(order, start * batch_size, batch_size)
        batch = jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), arrays)
        return step(state, pack_x_y_sample_weight(*batch))

    return pick


def _looping(pick: Step) -> Step:
    def steps(state: Any, data: Any) -> tuple[Any, Any]:
        arrays, order, start, count = data

        @jax.jit  # traced once, for what it gives and for the loop
        def one(state: Any, place: Any) -> tuple[Any, Any]:
            logs, new = pick(state, (arrays, order, place, 1))
            return logs, jax.tree.map(lambda now, before: now.astype(before.dtype), _listed(new), state)

        state = _listed(state)
        logs = jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), jax.eval_shape(one, state, start)[0])
        return jax.lax.fori_loop(start, start + count, lambda place, carry: one(carry[1], place), (logs, state))

    return steps


def _listed(state: Any) -> Any:
    return tuple(list(group) for group in state)


def same_shapes(batches: list[Any]) -> bool:
    """Whether the batches can be stacked."""
    first = shapes_of(batches[0])
    return all(shapes_of(batch) == first for batch in batches[1:])


def shapes_of(batch: Any) -> Any:
    """Structure, shapes and types of a batch's arrays."""
    leaves, structure = jax.tree.flatten(batch)
    return structure, tuple([(getattr(leaf, "shape", None), getattr(leaf, "dtype", None)) for leaf in leaves])
