"""Trying repairs of a layer inside a subclassed model (or a deferred one): on copies of the whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax

from lamina.advice import trying
from lamina.core import context
from lamina.core.symbolic import KerasTensor
from lamina.core.variable import StateScope
from lamina.shapes.errors import ShapeError


class InnerTrial(trying.Trial):
    """A call that failed inside another layer's `call`.

    Args:
        origin: the call that failed.
        outer: the model or layer that was called.
        args, kwargs: what it was called with.
        was_built: whether the outer one had its weights before.
    """

    def __init__(self, origin: Any, outer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], was_built: bool):
        super().__init__(origin.layer, _specs(origin.args), _specs(origin.kwargs), origin.was_built)
        self.outer, self.outer_built = outer, was_built
        self.outer_args, self.outer_kwargs = _specs(args), _specs(kwargs)
        self.order = list(outer._flatten_layers())
        self.before: list[tuple[Any, trying.Shape | None]] = []
        self._record()

    def _place(self, layer: Any) -> int:
        return next((i for i, other in enumerate(self.order) if other is layer), -1)

    def producers(self, place: int = 0) -> list[Any]:
        return [layer for layer, _ in self.before] if place == 0 else []

    def input_of(self, layer: Any) -> trying.Shape | None:
        return next((shape for other, shape in self.before if other is layer), None)

    def layers_before(self) -> list[Any]:
        return [layer for layer, _ in reversed(self.before)]

    def attempt(
        self,
        *,
        changes: dict[Any, Any] | None = None,
        sources: dict[Any, trying.Shape] | None = None,
        before: dict[int, trying.Step] | None = None,
        layer: Any = None,
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if time.monotonic() > self.deadline or sources or kwargs or (changes and None in changes.values()):
            return None
        model, layers = self._copy()
        places = {self._place(old): new for old, new in (changes or {}).items()}
        at = self._place(self.layer)
        if model is None or at < 0 or -1 in places:
            return None
        result: list[Any] = []
        target = layers[at]
        run = layer._run if layer is not None and hasattr(layer, "_run") else target._run

        def changed(*args: Any, **keywords: Any) -> Any:
            leaves, structure = jax.tree.flatten((args, keywords))
            for place, step in (before or {}).items():
                tensors = [i for i, leaf in enumerate(leaves) if hasattr(leaf, "shape")]
                leaves[tensors[place]] = step(leaves[tensors[place]])
            args, keywords = jax.tree.unflatten(structure, leaves)
            outputs = run(*args, **keywords)
            result[:] = [jax.tree.map(trying.spec_of, outputs[0])]
            return outputs

        target._run = changed
        for place, new in places.items():
            layers[place]._run = lambda *args, new=new, **keywords: (trying.apply(new, *args, **keywords), None)
        whole = self._traced(lambda args, keywords: trying.apply(model, *args, **keywords))
        return result[0] if whole is not None and result else None

    def _copy(self) -> tuple[Any, list[Any]]:
        try:
            model = trying.copy_of(self.outer)
        except Exception:  # it holds something that cannot be copied
            return None, []
        layers = list(model._flatten_layers())
        if not self.outer_built:
            trying.unbuild(model)
        return model, layers

    def _traced(self, function: Callable[..., Any]) -> Any:
        leaves, structure = jax.tree.flatten((self.outer_args, self.outer_kwargs))
        places = [i for i, leaf in enumerate(leaves) if hasattr(leaf, "shape")]

        def run(*values: Any) -> Any:
            filled = list(leaves)
            for place, value in zip(places, values, strict=True):
                filled[place] = value
            args, keywords = jax.tree.unflatten(structure, filled)
            return function(args, keywords)

        return trying.traced(run, *(trying.spec_of(leaves[i]) for i in places))

    def _record(self) -> None:
        """Which layers lead to the one that fails: the call is traced again, and watched."""
        model, layers = self._copy()
        made: dict[int, tuple[Any, Any, Any]] = {}
        held: list[Any] = []

        def observer(operation: Any, _: str, inputs: Any) -> Callable[[Any], None]:
            tensors = [leaf for leaf in jax.tree.leaves(inputs) if hasattr(leaf, "shape")]
            at = next((i for i, layer in enumerate(layers) if layer is operation), -1)

            def leave(outputs: Any) -> None:
                held.append((tensors, outputs))
                for leaf in jax.tree.leaves(outputs):
                    if at > 0:
                        made.setdefault(id(leaf), (self.order[at], tensors[0] if len(tensors) == 1 else None, leaf))

            return leave

        def run(args: Any, keywords: Any) -> Any:
            with StateScope(may_create=True, abstract=True), context.observing(observer):
                try:
                    trying.apply(model, *args, **keywords)
                except ShapeError as error:
                    origin = getattr(error, "_origin", None)
                    leaves = [x for x in jax.tree.leaves(origin.args if origin else ()) if hasattr(x, "shape")]
                    self.before = _chain(leaves[0], made) if leaves else []
                    raise

        if model is not None:
            self._traced(run)


def _chain(tensor: Any, made: dict[int, tuple[Any, Any, Any]]) -> list[tuple[Any, trying.Shape | None]]:
    """The layers that led to a tensor, the last one first, each with the shape it was given."""
    found: list[tuple[Any, trying.Shape | None]] = []
    while tensor is not None and id(tensor) in made and len(found) < 200:
        layer, tensor, _ = made[id(tensor)]
        found.append((layer, tuple(tensor.shape) if tensor is not None else None))
    return found


def _specs(structure: Any) -> Any:
    return jax.tree.map(
        lambda leaf: trying.spec_of(leaf) if hasattr(leaf, "shape") and not isinstance(leaf, KerasTensor) else leaf,
        structure,
    )
