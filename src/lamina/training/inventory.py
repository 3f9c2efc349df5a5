"""Whether a model is still what it was: looking through all attributes of all layers takes longer than a short call."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator
from typing import Any

from lamina.layers import traces
from lamina.layers.tracking import PASSED_OVER, changes

#: What training leaves in a model; its outputs are the same whatever these are.
_OF_TRAINING = ("history", "stop_training", "_output_specs")
_trains = operator.attrgetter("trainable")


class Inventory:
    """What the layers of a model hold at this moment.

    Attributes:
        layers: the model and all layers inside.
    """

    def __init__(self, model: Any):
        self.layers = model._flatten_layers()
        self._seen = changes()
        attributes = [vars(layer) for layer in self.layers]
        counted = [
            name not in _OF_TRAINING or not hasattr(layer, "_programs") for layer in self.layers for name in vars(layer)
        ]
        self._attributes = _Entries(attributes, counted)
        self._containers = _Entries(
            [
                container
                for held in attributes
                for name, value in held.items()
                if name not in PASSED_OVER
                for container in _containers(value)
            ]
        )
        self._variables = model.variables
        self._trainable = [v.trainable for v in self._variables]

    def is_current(self) -> bool:
        """Whether no attribute, list or dict of any layer has changed since, nor which variables train."""
        if not self._containers.are_same() or list(map(_trains, self._variables)) != self._trainable:
            return False
        seen = changes()
        if seen != self._seen:  # some layer's, perhaps of another model
            if not self._attributes.are_same():
                return False
            self._seen = seen
        return True

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether all layers run nothing but Lamina's own code and leave nothing behind."""
        return all(map(_is_plain, self.layers))


def _is_plain(layer: Any) -> bool:
    if hasattr(layer, "_programs"):
        return layer._graph is not None and traces.is_own(type(layer)) and layer.activity_regularizer is None
    return traces.is_known(layer)


class _Entries:
    """What some lists and dicts hold at this moment; `counted` says which entries matter."""

    def __init__(self, containers: list[Any], counted: list[bool] | None = None):
        # Views show what a dict holds at any later moment too.
        self._views = [_view(each) for each in containers]
        self._sizes = [len(view) for view in self._views]
        self._counted = counted
        self._entries = list(self._now())

    def are_same(self) -> bool:
        """Whether they hold the same objects now."""
        return list(map(len, self._views)) == self._sizes and all(map(operator.is_, self._now(), self._entries))

    def _now(self) -> Iterator[Any]:
        entries = itertools.chain.from_iterable(self._views)
        return entries if self._counted is None else itertools.compress(entries, self._counted)


def _containers(value: Any) -> list[Any]:
    """The lists, dicts and sets that can change in a value, itself among them."""
    if not isinstance(value, (list, tuple, dict, set)):
        return []
    own = [] if isinstance(value, tuple) else [value]
    return own + [container for entry in _view(value) for container in _containers(entry)]


def _view(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container
