"""Objects that a description holds in several places: written once with a number, and made once."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any


@dataclasses.dataclass
class _Written:
    """What was described: the thing, its description in its first place, that description as it was, its number."""

    thing: Any
    first: dict[str, Any]
    described: dict[str, Any]
    number: int | None = None


class _State(threading.local):
    def __init__(self) -> None:
        self.written: dict[int, _Written] | None = None
        self.numbers = 0
        self.made: dict[Any, Any] | None = None
        self.compiles = False


_state = _State()


@contextlib.contextmanager
def writing_file() -> Iterator[None]:
    """Inside, descriptions are for a file: objects that come up again are numbered, and what they were built for
    and compiled with is described too."""
    before, _state.written = _state.written, {}
    try:
        yield
    finally:
        _state.written = before


@contextlib.contextmanager
def reading_file(compiles: bool) -> Iterator[None]:
    """Inside, descriptions come from one file.

    Args:
        compiles: whether training settings in it are taken up.
    """
    before = _state.made, _state.compiles
    _state.made, _state.compiles = {}, compiles
    try:
        yield
    finally:
        _state.made, _state.compiles = before


@contextlib.contextmanager
def sharing() -> Iterator[None]:
    """Inside, a number in descriptions stands for one object (as around, where that holds already)."""
    outermost = _state.made is None
    if outermost:
        _state.made = {}
    try:
        yield
    finally:
        if outermost:
            _state.made = None


def in_file() -> bool:
    """Whether descriptions are for a file now."""
    return _state.written is not None


def compiles() -> bool:
    """Whether training settings are taken up now."""
    return _state.compiles


def describe(thing: Any, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """The description that `write` gives; where it comes up again, all of them get the same number."""
    if _state.written is None:
        return write(thing)
    entry = _state.written.get(id(thing))
    if entry is None:
        described = write(thing)
        _state.written[id(thing)] = _Written(thing, described, dict(described))
        return described
    if entry.number is None:
        _state.numbers += 1
        entry.number = entry.first["shared_object_id"] = _state.numbers
    return {**entry.described, "shared_object_id": entry.number}


def restore(description: dict[str, Any], make: Callable[[], Any]) -> Any:
    """The object that a description stands for: the one made before under its number, if it has one."""
    number = description.get("shared_object_id")
    if number is None or _state.made is None or not isinstance(number, (int, str)):
        return make()
    if number not in _state.made:
        _state.made[number] = make()
    return _state.made[number]
