"""Outputs of one batch by the shortest way: a compiled program, found by what came.

The usual way looks at the data, at the model and at the line of the call each time. Where a batch of the same shape
went that way before, and nothing in the model has changed since, it would find nothing new.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from lamina.core import context
from lamina.training.frozen import as_compiled
from lamina.training.inventory import Inventory
from lamina.training.programs import Program

_BATCH = 32  # samples, as `predict` takes them where nobody says
_CALLS = 2  # that go the usual way before a program is compiled for their shape
_MOST = 16  # shapes: a model that is called with ever new ones gains nothing by a program for each
_settings: Any = jax.config

Holders = list[list[Any]]
Maker = Callable[[Inventory], tuple[Program, Holders] | None]


class Direct:
    """The short ways of a model, by the shape and type of what comes and by what is asked for."""

    def __init__(self) -> None:
        self._inventory: Inventory | None = None
        self._noted: dict[Any, _Noted] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of a model finds its own."""
        return Direct, ()

    def outputs(self, key: Any, x: Any) -> Any:
        """What the way for a batch gives; None if there is none by now, or the model has changed since it was noted."""
        noted = self._noted.get(key)
        if noted is None:
            return None
        if noted.way is None and not (self._is_current() and noted.prepare(self._inventory, x)):
            return None
        way: Any = noted.way
        try:
            outputs, new = way(x)  # runs while this looks whether it may
        except Exception:
            if self._is_current():
                raise
            return None
        if not self._is_current():
            return None
        noted.keep(new)
        return outputs

    def _is_current(self) -> bool:
        if self._inventory is not None and self._inventory.is_current():
            return True
        self._inventory = None
        self._noted.clear()
        return False

    def note(self, model: Any, key: Any, make: Maker, calls: int = 1) -> None:
        """A batch like that went the usual way; `make` gives the program and variables of the short one, if any."""
        if key in self._noted:
            self._noted[key].calls += calls
        elif len(self._noted) < _MOST:
            self._inventory = self._inventory or Inventory(model)
            self._noted[key] = _Noted(make, calls)


@dataclass
class _Noted:
    """Batches of a shape: how many came, and the way for them, once it is compiled."""

    make: Maker
    calls: int
    made: tuple[Program, Holders] | None = None
    way: Callable[[Any], tuple[Any, Any]] | None = None

    def prepare(self, inventory: Any, x: Any) -> bool:
        """Whether there is a way; it is compiled on a thread when enough batches came."""
        if self.calls >= _CALLS:
            self.made = self.made or self.make(inventory)
        if self.made is None:
            return False
        program, (trained, others) = self.made
        program.prepare(([v._value for v in trained], [v._value for v in others]), x)
        if not program.is_ready(x):
            return False
        run = program.compiled_for(x)
        self.way = lambda x: run(([v._value for v in trained], [v._value for v in others]), x)
        return True

    def keep(self, new: list[Any]) -> None:
        """Set the variables that the way gives new values for."""
        if new and self.made is not None:
            for variable, value in zip(self.made[1][1], new, strict=True):
                variable._value = value


def call(model: Any, x: Any, training: bool | None, usual: Callable[[], Any]) -> Any:
    """The outputs of ``model(x)``; `usual` is how they come otherwise."""
    if not _is_free(model) or not _is_concrete(x) or context.masks.get(x) is not None:
        return usual()
    key = ("call", training, x.shape, x.dtype)
    given = model._direct.outputs(key, x)
    if given is None:
        outputs = usual()
        model._direct.note(model, key, functools.partial(_calling, model, training))
        return outputs
    outputs, masks = given
    if masks:
        for leaf, mask in zip(jax.tree.leaves(outputs), masks, strict=True):
            context.masks.set(leaf, mask)
    return outputs


def predict(model: Any, x: Any, batch_size: int | None, usual: Callable[[], Any]) -> Any:
    """The outputs of ``model.predict(x)`` where nobody is told how it goes; `usual` is how they come otherwise."""
    if not _is_free(model) or not _is_concrete(x) or not x.ndim or not 0 < len(x) <= (batch_size or _BATCH):
        return usual()
    if len(model._graph.input_tensors) != 1 or model._graph.input_tensors[0].ndim != x.ndim:
        return usual()
    key = ("predict", x.shape, x.dtype)
    outputs = model._direct.outputs(key, x)
    if outputs is None:
        outputs = usual()
        model._direct.note(model, key, functools.partial(_predicting, model), calls=_CALLS)
        return outputs
    return np.asarray(outputs) if isinstance(outputs, jax.Array) else jax.tree.map(np.asarray, outputs)


def _is_free(model: Any) -> bool:
    """Whether a model of layers is called from outside, by someone who wants no more than the outputs."""
    state = context.state
    return (
        vars(model).get("_graph") is not None
        and model._programs.compiled
        and not state.depth
        and not state.scopes
        and state.observer is None
        and not _settings.jax_disable_jit
    )


def _is_concrete(x: Any) -> bool:
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "biuf"
    return isinstance(x, jax.Array) and not isinstance(x, jax.core.Tracer)


def _calling(model: Any, training: bool | None, inventory: Inventory) -> tuple[Program, Holders] | None:
    """What a call runs; nothing if some layer may do more than give outputs."""
    if not inventory.is_plain:
        return None

    def step(state: Any, x: Any) -> Any:
        outputs, others = model.stateless_call(*state, x, training=training)
        masks = [context.masks.get(leaf) for leaf in jax.tree.leaves(outputs)]
        return (outputs, masks if any(mask is not None for mask in masks) else []), others

    return Program("predict", step, compiled=True), model._state("predict")


def _predicting(model: Any, _: Inventory) -> tuple[Program, Holders]:
    """What `predict` runs, and has compiled for itself."""
    with as_compiled(model):
        holders = model._state("predict")
        return model._programs.get("predict", model.predict_step, tuple(id(v) for h in holders for v in h)), holders
