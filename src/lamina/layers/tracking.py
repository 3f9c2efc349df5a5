"""Finding what a layer holds: its variables, its sub-layers, its metrics, through lists, tuples and dicts.

Nothing is registered when an attribute is set; the attributes are looked through when the question is asked, so a
layer appended to a list later is found as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from lamina.core.seeds import SeedGenerator
from lamina.core.variable import Variable

T = TypeVar("T")
PASSED_OVER = (
    "_captured",
    "_made_at",
    "_nodes",
    "_losses",
    "_graph",
    "_loss_tracker",
    "_compile_metrics",
    "_compile_arguments",
)


class Watched:
    """Notes that an attribute of some layer has changed: who knows `changes` need not look through all of them."""

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        _changes[0] += 1

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        _changes[0] += 1


_changes = [0]


def changes() -> int:
    """A number that grows whenever an attribute of any layer is set or deleted."""
    return _changes[0]


def held(owner: Any, kind: type[T] | tuple[type[T], ...]) -> list[T]:
    """Objects of a kind that `owner` holds in its attributes, each once, in the order they were assigned."""
    found: dict[int, T] = {}
    for name, value in vars(owner).items():
        if name not in PASSED_OVER:
            for entry in _inside(value, kind):
                found.setdefault(id(entry), entry)
    return list(found.values())


def _inside(value: Any, kind: Any) -> Iterator[Any]:
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (list, tuple, set)):
        for entry in value:
            yield from _inside(entry, kind)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _inside(entry, kind)


def own_weights(owner: Any) -> list[Variable]:
    """The variables a layer holds itself, as they were made: those that train first. Passing states are no weights."""
    passing = {id(v) for v in _passing(owner)}
    variables = sorted((v for v in held(owner, Variable) if id(v) not in passing), key=lambda v: v.number)
    return [v for v in variables if v.trainable] + [v for v in variables if not v.trainable]


def own_variables(owner: Any) -> list[Variable]:
    """The same with passing states, and the states of its random generators."""
    return own_weights(owner) + _passing(owner) + [g.state for g in held(owner, SeedGenerator)]


def _passing(owner: Any) -> list[Variable]:
    """Variables that hold something from one call to the next only, such as the states of a stateful RNN."""
    return [v for name in getattr(owner, "passing_states", ()) for v in _inside(getattr(owner, name, None), Variable)]


def unique(things: list[T]) -> list[T]:
    """Each object once, in order."""
    return list({id(thing): thing for thing in things}.values())
