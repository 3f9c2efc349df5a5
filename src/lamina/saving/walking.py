"""What of a model is kept in files, and under which names: those of Keras 3.

A thing inside another is called by its attribute, attributes in alphabetical order, those with an underscore last (and
the `layers` of a graph first); things in a list, tuple, set or dict by their class in snake case, numbered, and
containers inside containers ``container``. Each thing is kept once, where it is met first.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

from lamina.core import context
from lamina.core.seeds import SeedGenerator
from lamina.layers import tracking
from lamina.layers.layer import Layer
from lamina.metrics import Metric
from lamina.optimizers import Optimizer

#: Of these the weights are kept; metrics count among the names in containers, and keep nothing.
_KINDS = (Layer, Optimizer, Metric, SeedGenerator)
#: Where layers and models hold their parts for their own use, besides the place where Keras has them.
_INTERNAL = frozenset({*tracking.PASSED_OVER, "_stack", "_input_layer", "_tensor", "_weights", "history"})
#: Classes that Keras itself calls otherwise than its users do.
_CLASS_NAMES = {"GroupQueryAttention": "GroupedQueryAttention"}


def walk(model: Any) -> list[tuple[str, Any]]:
    """All that keeps variables in a model or layer, with their places such as ``"layers/dense"``.

    >>> import lamina
    >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1), lamina.layers.Dense(1)])
    >>> [path for path, _ in walk(model)]
    ['', 'layers/dense', 'layers/dense_1']
    """
    found: dict[int, tuple[str, Any]] = {}
    _visit(model, "", found)
    return [entry for entry in found.values() if not isinstance(entry[1], Metric)]


def _visit(thing: Any, path: str, found: dict[int, tuple[str, Any]]) -> None:
    if id(thing) in found:
        return
    found[id(thing)] = (path, thing)
    for name, part in _attributes(thing):
        inner = f"{path}/{name}" if path else name
        if isinstance(part, _KINDS):
            _visit(part, inner, found)
        elif isinstance(part, (list, tuple, set, dict)):
            _visit_entries(part, inner, found)


def _visit_entries(container: Any, path: str, found: dict[int, tuple[str, Any]]) -> None:
    used: collections.Counter[str] = collections.Counter()
    for entry in container.values() if isinstance(container, dict) else container:
        is_container = isinstance(entry, (list, tuple, set, dict))
        if not is_container and not isinstance(entry, _KINDS):
            continue
        name = "container" if is_container else _class_name(entry)
        number, used[name] = used[name], used[name] + 1
        inner = f"{path}/{name}_{number}" if number else f"{path}/{name}"
        (_visit_entries if is_container else _visit)(entry, inner, found)


def _class_name(thing: Any) -> str:
    name = type(thing).__name__
    return context.snake_case(_CLASS_NAMES.get(name, name))


def _attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    """Attributes that may hold parts, in their order; the properties of users' classes are among them."""
    names = set(vars(thing)) - _INTERNAL
    for cls in type(thing).__mro__:
        ours = cls.__module__.startswith("lamina.")
        names |= {n for n, v in vars(cls).items() if isinstance(v, property) and (not ours or n == "layers")}
    is_graph = getattr(thing, "_graph", None) is not None or hasattr(thing, "_stack")
    for name in sorted(names, key=lambda n: (not is_graph or n != "layers", n.startswith("_"), n)):
        try:
            yield name, getattr(thing, name)
        except Exception:  # a property that has no value now holds nothing
            continue
