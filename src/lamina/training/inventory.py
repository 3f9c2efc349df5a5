"""Whether a model is still what it was: looking through all attributes of all layers takes longer than a short call."""

from __future__ import annotations

import functools
import operator
from typing import Any

from lamina.layers import traces
from lamina.layers.tracking import PASSED_OVER

#: What training leaves in a model; its outputs are the same whatever these are.
_OF_TRAINING = ("history", "stop_training", "_output_specs")


class Inventory:
    """What the layers of a model hold at this moment.

    Attributes:
        layers: the model and all layers inside.
    """

    def __init__(self, model: Any):
        self.layers = model._flatten_layers()
        attributes = [(vars(layer), _OF_TRAINING if hasattr(layer, "_programs") else ()) for layer in self.layers]
        self._attributes = [(held, passed, list(_values(held, passed))) for held, passed in attributes]
        self._containers = [
            (container, _entries(container))
            for held, _ in attributes
            for name, value in held.items()
            if name not in PASSED_OVER
            for container in _containers(value)
        ]
        self._variables = model.variables
        self._trainable = [v.trainable for v in self._variables]

    def is_current(self) -> bool:
        """Whether no attribute, list or dict of any layer has changed since, nor which variables train."""
        for held, passed, values in self._attributes:
            now = _values(held, passed)
            if len(now) != len(values) or not all(map(operator.is_, now, values)):
                return False
        for container, entries in self._containers:
            now = _entries(container)
            if len(now) != len(entries) or not all(map(operator.is_, now, entries)):
                return False
        return [v.trainable for v in self._variables] == self._trainable

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether all layers run nothing but Lamina's own code and leave nothing behind."""
        return all(map(_is_plain, self.layers))


def _values(held: dict[str, Any], passed: tuple[str, ...]) -> Any:
    return [value for name, value in held.items() if name not in passed] if passed else held.values()


def _is_plain(layer: Any) -> bool:
    if hasattr(layer, "_programs"):
        return layer._graph is not None and traces.is_own(type(layer)) and layer.activity_regularizer is None
    return traces.is_known(layer)


def _containers(value: Any) -> list[Any]:
    """The lists, dicts and sets that can change in a value, itself among them."""
    if not isinstance(value, (list, tuple, dict, set)):
        return []
    own = [] if isinstance(value, tuple) else [value]
    return own + [container for entry in _entries(value) for container in _containers(entry)]


def _entries(container: Any) -> list[Any]:
    return list(container.values() if isinstance(container, dict) else container)
