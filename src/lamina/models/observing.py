"""What passes between the layers of a model, whichever way the model was written, found by tracing its call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import context
from lamina.core.symbolic import trace_call
from lamina.layers.layer import Layer
from lamina.training.trainer import Trainer


@dataclass
class Seen:
    """One call of a layer (or of a function in a graph) inside a model.

    Attributes:
        operation: the layer, or the graph's node of a function.
        name: its name.
        depth: 0 for the model itself, 1 for its layers, 2 for those of models inside.
        outputs: what came out: a structure of `jax.ShapeDtypeStruct`, dimensions symbolic where open.
    """

    operation: Any
    name: str
    depth: int
    outputs: Any = None


@dataclass
class _Recorder:
    """Notes the calls of layers that stand directly in a model; what happens inside a layer is its own business."""

    seen: list[Seen] = field(default_factory=list)
    stack: list[Any] = field(default_factory=list)

    def __call__(self, operation: Any, name: str) -> Callable[[Any], None]:
        depth = len(self.stack)
        entry = Seen(operation, name, depth)
        if all(isinstance(outer, Trainer) for outer in self.stack):
            self.seen.append(entry)
        self.stack.append(operation)

        def leave(outputs: Any) -> None:
            del self.stack[depth:]
            entry.outputs = jax.tree.map(lambda t: jax.ShapeDtypeStruct(t.shape, t.dtype), outputs)

        return leave


def observe(model: Layer, *inputs: Any, **kwargs: Any) -> list[Seen]:
    """The calls inside ``model(*inputs)``, in the order they start, the model's own first.

    Args:
        model: a model or a layer; it is built on the way if it was not.
        inputs: symbolic tensors, or structures of them.
        kwargs: other arguments of the call.
    """
    recorders: list[_Recorder] = []

    def run(*args: Any, **keywords: Any) -> Any:
        recorder = _Recorder()
        recorders.append(recorder)
        with context.observing(recorder):
            model(*args, **keywords)
        # Tensors of zeros: those that were seen may belong to a loop that has ended.
        return [jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), entry.outputs) for entry in recorder.seen]

    outputs = trace_call(run, inputs, kwargs)
    seen = recorders[-1].seen
    for entry, specs in zip(seen, outputs, strict=True):
        entry.outputs = specs
    return seen
