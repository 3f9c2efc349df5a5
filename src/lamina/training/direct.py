"""Outputs of one batch by the shortest way: a compiled program, found by what came.

The usual way looks at the data, at the model and at the line of the call each time. Where a batch of the same shape
went that way before, and nothing in the model has changed since, it would find nothing new.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import jax
import numpy as np

from lamina.core import context
from lamina.training.frozen import as_compiled
from lamina.training.inventory import Inventory
from lamina.training.programs import Program

_BATCH = 32  # samples, as `predict` takes them where nobody says
_CALLS = 2  # that go the usual way before a program is compiled for their shape
_MOST = 16  # shapes: a model that is called with ever new ones gains nothing by a program for each

Way = Callable[[Any], Any]
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

    def way(self, key: Any, x: Any) -> Way | None:
        """The way for a batch, if there is one by now and the model is as it was when batches like it were noted."""
        noted = self._noted.get(key)
        if noted is None or self._inventory is None:
            return None
        if not self._inventory.is_current():
            self._inventory = None
            self._noted.clear()
            return None
        if noted.way is None and noted.calls >= _CALLS:
            noted.made = noted.made or noted.make(self._inventory)
            noted.way = _way(*noted.made, x) if noted.made is not None else None
        return noted.way

    def note(self, model: Any, key: Any, make: Maker, calls: int = 1) -> None:
        """A batch like that went the usual way; `make` gives the program and variables of the short one, if any."""
        if key in self._noted:
            self._noted[key].calls += calls
        elif len(self._noted) < _MOST:
            self._inventory = self._inventory or Inventory(model)
            self._noted[key] = _Noted(make, calls)


@dataclass
class _Noted:
    make: Maker
    calls: int
    made: tuple[Program, Holders] | None = None
    way: Way | None = None


def call(model: Any, x: Any, training: bool | None, usual: Callable[[], Any]) -> Any:
    """The outputs of ``model(x)``; `usual` is how they come otherwise."""
    if not _is_free(model) or not _is_concrete(x) or context.masks.get(x) is not None:
        return usual()
    key = ("call", training, x.shape, x.dtype)
    way = model._direct.way(key, x)
    if way is None:
        outputs = usual()
        model._direct.note(model, key, functools.partial(_calling, model, training))
        return outputs
    outputs, masks = way(x)
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
    way = model._direct.way(key, x)
    if way is None:
        outputs = usual()
        model._direct.note(model, key, functools.partial(_predicting, model), calls=_CALLS)
        return outputs
    return jax.tree.map(np.asarray, way(x))


def _is_free(model: Any) -> bool:
    """Whether a model of layers is called from outside, by someone who wants no more than the outputs."""
    state, settings = context.state, cast(Any, jax.config)
    return (
        vars(model).get("_graph") is not None
        and model._programs.compiled
        and not state.depth
        and not state.scopes
        and state.observer is None
        and not settings.jax_disable_jit
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


def _way(program: Program, holders: Holders, x: Any) -> Way | None:
    """Runs the program, once it is compiled."""
    trained, others = holders
    program.prepare(([v._value for v in trained], [v._value for v in others]), x)
    if not program.is_ready(x):
        return None
    run = program.compiled_for(x)

    def way(x: Any) -> Any:
        outputs, new = run(([v._value for v in trained], [v._value for v in others]), x)
        for variable, value in zip(others, new, strict=True):
            variable._value = value
        return outputs

    return way
