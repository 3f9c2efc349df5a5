"""Symbolic dimensions: sizes that are not known yet, with names and arithmetic.

A dimension is an ``int`` or a symbolic expression of ``jax.export`` such as ``floordiv(length - 3, 2) + 1``.
All expressions live in one scope, so any two of them can meet in one computation; a name means the same
size wherever it is used. The batch axis is always called ``batch``.
"""

from __future__ import annotations

import contextlib
import itertools
import keyword
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from jax import export

from lamina.shapes import algebra


class _Scope(export.SymbolicScope):
    """The one scope of all names: copies of what has open sizes share it, since names of two scopes never agree."""

    def __reduce__(self) -> str:
        return "SCOPE"


SCOPE = _Scope()
_counter = itertools.count(1)
_labels: dict[str, str] = {}
_given: set[str] = set()  # names that users gave: no label is one of them
_ANONYMOUS = "any_size_"
_FUNCTIONS = ("floordiv", "mod", "max", "min")


def named(expression: str) -> Any:
    """The symbolic dimension that a name or expression such as ``"length"`` or ``"16*k"`` stands for."""
    dim = None
    if not any(keyword.iskeyword(word) for word in re.findall(r"\w+", expression)):
        with contextlib.suppress(Exception):
            (dim,) = export.symbolic_shape(expression, scope=SCOPE)
    if dim is None:
        raise ValueError(
            f"cannot read {expression!r} as a dimension: write a name such as 'length', or an expression "
            f"such as '16*k' or 'length // 2'"
        )
    return dim


BATCH = named("batch")


def fresh() -> Any:
    """A new dimension that equals no other. It shows as ``any`` until `label` names it."""
    return named(f"{_ANONYMOUS}{next(_counter)}")


def is_anonymous(name: str) -> bool:
    """Whether nobody gave the free dimension its name."""
    return name.startswith(_ANONYMOUS)


def is_known(dim: Any) -> bool:
    """Whether the size is a plain number."""
    return isinstance(dim, (int, np.integer))


def symbols(dims: Iterable[Any]) -> list[str]:
    """Names of the free dimensions inside, in order of appearance."""
    found: dict[str, None] = {}
    for dim in dims:
        if not is_known(dim):
            for name in re.findall(r"[A-Za-z_]\w*", str(dim)):
                if name not in _FUNCTIONS:
                    found[name] = None
    return list(found)


def label(dim: Any, name: str) -> None:
    """Give an anonymous dimension a name to be shown by; one that has a name keeps it."""
    text = str(dim)
    if text not in _labels and text.isidentifier() and is_anonymous(text):
        _labels[text] = _untaken(name, {*_labels.values(), *_given})


def _untaken(name: str, taken: Collection[str]) -> str:
    shown, number = name, 2
    while shown in taken:
        shown, number = f"{name}_{number}", number + 1
    return shown


def forget_labels() -> None:
    """Start naming anonymous dimensions afresh."""
    _labels.clear()
    _given.clear()


def from_declared(shape: Iterable[Any], argument: str = "shape") -> tuple[Any, ...]:
    """Dimensions from what a user wrote: numbers, ``None`` (any size), names and expressions.

    Raises:
        ValueError: an entry is negative or of another kind; the message names `argument` and the value.
    """
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        hint = f"({shape!r},)" if isinstance(shape, (str, int, np.integer)) else "such as (10,) or (None, 3)"
        from lamina.shapes.errors import ShapeError  # which shows dimensions

        raise ShapeError(f"`{argument}` takes a tuple of sizes, not {shape!r}; write {hint}")
    shape = tuple(shape)
    dims: list[Any] = []
    for size in shape:
        if size is None:
            dims.append(fresh())
        elif isinstance(size, str):
            dims.append(_of_user(size, shape, argument))
        elif isinstance(size, (int, np.integer)) and not isinstance(size, (bool, np.bool_)):
            if size < 0:
                raise ValueError(f"`{argument}`={shape!r} has the negative size {size}; use None for an open size")
            dims.append(int(size))
        elif type(size).__name__ == "_DimExpr":
            dims.append(size)
        else:
            raise ValueError(f"`{argument}`={shape!r}: {size!r} is not a size; use a whole number, a name or None")
    return tuple(dims)


def _of_user(text: str, shape: Any, argument: str) -> Any:
    try:
        dim = named(text)
    except ValueError as error:
        raise ValueError(f"`{argument}`={shape!r}: {error}") from None
    if is_known(dim):
        return from_declared((int(dim),), argument)[0]
    names = symbols([dim])
    reserved = [name for name in names if is_anonymous(name)]
    if reserved:
        raise ValueError(f"`{argument}`={shape!r}: names that start with {_ANONYMOUS!r} are Lamina's own")
    _given.update(names)
    return dim


def to_public(dims: Iterable[Any]) -> tuple[int | None, ...]:
    """Keras's form of a shape: numbers, and ``None`` where the size is open."""
    return tuple(int(d) if is_known(d) else None for d in dims)


def show(dim: Any, names: Mapping[str, str] | None = None) -> str:
    """A dimension in ordinary notation, simplified: ``(length - 3)//2 + 1``.

    Args:
        dim: a number, ``None`` or an expression.
        names: what to show for a name, such as those of `naming`; by default the labels of anonymous dimensions.
    """
    if dim is None:
        return "None"
    if is_known(dim):
        return str(int(dim))
    shown = names or {}
    return algebra.render(algebra.simplified(str(dim)), lambda name: shown.get(name) or shown_name(name))


@contextlib.contextmanager
def shown_as(names: Mapping[str, str]) -> Iterator[None]:
    """Inside, free dimensions are shown by these names, such as those of `naming` for one model."""
    before, _shown.names = _shown.names, names
    try:
        yield
    finally:
        _shown.names = before


class _Shown(threading.local):
    names: Mapping[str, str] = {}


_shown = _Shown()


def shown_name(name: str) -> str:
    """The name that a free dimension is shown by: its own, or its label if it is anonymous."""
    if name in _shown.names:
        return _shown.names[name]
    return _labels.get(name, "any") if is_anonymous(name) else name


def spell(text: str) -> str:
    """A message of jax, with the labels of anonymous dimensions."""
    return re.sub(rf"\b{_ANONYMOUS}\d+\b", lambda found: shown_name(found[0]), text)


def naming(names: Iterable[str]) -> dict[str, str]:
    """Names to show for the free dimensions of one model: labels without the numbers that others' dimensions cause."""
    names = list(names)
    taken = {name for name in names if not is_anonymous(name)}
    found = {name: name for name in taken}
    for name in names:
        if name not in found:
            found[name] = _untaken(re.sub(r"_\d+$", "", shown_name(name)), taken)
            taken.add(found[name])
    return found


def show_shape(dims: Iterable[Any], names: Mapping[str, str] | None = None) -> str:
    """A shape in ordinary notation: ``(batch, (length - 3)//2 + 1, 16)``."""
    parts = [show(d, names) for d in dims]
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


def size_at(dim: Any, sizes: Mapping[str, int]) -> int:
    """The size for numbers in place of the free dimensions."""
    return int(dim) if is_known(dim) else algebra.compiled(str(dim))(**sizes)


class Dims(tuple):
    """The dimensions of a tensor as expressions; prints in ordinary notation."""

    def __repr__(self) -> str:
        return show_shape(self)

    __str__ = __repr__
