"""What holds while layers run: training or not, the casting of variables, masks, names."""

from __future__ import annotations

import collections
import contextlib
import math
import re
import threading
import weakref
from collections.abc import Iterator
from typing import Any


class _State(threading.local):
    def __init__(self) -> None:
        self.depth = 0
        self.training: bool | None = None
        self.autocast: str | None = None
        self.names: list[str] = []
        self.scopes: list[Any] = []
        self.observer: Any = None
        self.allowance: Allowance | None = None
        self.later: list[Any] | None = None


class TooLarge(ValueError):
    """A variable would take more memory than is allowed now.

    Attributes:
        path, shape: the variable's.
    """

    def __init__(self, path: str, shape: tuple[int, ...], size: int, left: int):
        super().__init__(f"the weight {path!r} of shape {shape} would take {size} bytes; {left} are allowed")
        self.path, self.shape = path, shape


class Allowance:
    """Bytes that variables may take in all while a model is made out of a file that says how large they are.

    Args:
        size: the bytes.
    """

    def __init__(self, size: int):
        self.left = size

    def take(self, path: str, shape: tuple[int, ...], itemsize: int) -> None:
        """Take the bytes of one variable.

        Raises:
            TooLarge: they are not there.
        """
        size = math.prod(shape) * itemsize
        if size > self.left:
            raise TooLarge(path, shape, size, self.left)
        self.left -= size


@contextlib.contextmanager
def allowing(allowance: Allowance | None) -> Iterator[None]:
    """Variables made inside take their memory from an allowance."""
    outer, state.allowance = state.allowance, allowance
    try:
        yield
    finally:
        state.allowance = outer


state = _State()


@contextlib.contextmanager
def calling(training: bool | None) -> Iterator[bool]:
    """One layer call; gives whether it is the outermost. `training` holds for the calls inside."""
    outer = state.training
    state.depth += 1
    state.training = training
    try:
        yield state.depth == 1
    finally:
        state.depth -= 1
        state.training = outer


@contextlib.contextmanager
def autocast(dtype: str | None) -> Iterator[None]:
    """Float variables are read as this type inside (``None``: as they are kept)."""
    outer, state.autocast = state.autocast, dtype
    try:
        yield
    finally:
        state.autocast = outer


@contextlib.contextmanager
def observing(observer: Any) -> Iterator[None]:
    """Inside, calls of layers are told to ``observer(operation, name, inputs)``, their outputs to what that gives."""
    outer, state.observer = state.observer, observer
    try:
        yield
    finally:
        state.observer = outer


@contextlib.contextmanager
def name_scope(name: str) -> Iterator[None]:
    """Variables made inside have `name` in their path."""
    state.names.append(name)
    try:
        yield
    finally:
        state.names.pop()


def path_of(name: str) -> str:
    """The path of something called `name` in the present scope."""
    return "/".join([*state.names, name])


class _Masks:
    """Masks of tensors. A `jax.Array` holds no attributes, so they are kept beside it for as long as it lives."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref, Any]] = {}

    def get(self, tensor: Any) -> Any:
        entry = self._entries.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def set(self, tensor: Any, mask: Any) -> None:
        key = id(tensor)
        if mask is None:
            self._entries.pop(key, None)
            return
        entries = self._entries
        self._entries[key] = (weakref.ref(tensor, lambda _: entries.pop(key, None)), mask)


masks = _Masks()

_uids: collections.Counter[str] = collections.Counter()


def snake_case(name: str) -> str:
    """``MaxPooling1D`` as ``max_pooling1d``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower().lstrip("_")


def auto_name(prefix: str) -> str:
    """``dense``, then ``dense_1``, ``dense_2``."""
    prefix = snake_case(prefix)
    number = _uids[prefix]
    _uids[prefix] += 1
    return prefix if number == 0 else f"{prefix}_{number}"


def get_uid(prefix: str = "") -> int:
    """The next number for names that start with `prefix`, counted from 1."""
    _uids[prefix] += 1
    return _uids[prefix]


@contextlib.contextmanager
def names_kept() -> Iterator[None]:
    """Layers made inside take no number: the naming of those made later goes on as if they had not been."""
    before = dict(_uids)
    try:
        yield
    finally:
        _uids.clear()
        _uids.update(before)


def reset_names() -> None:
    """Start naming layers afresh."""
    _uids.clear()
