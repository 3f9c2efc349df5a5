"""Names of variables outside a model: their paths, each once; and which stored name is whose.

A path consists of the names of layers, the last part being the variable's own: ``encoder/dense/kernel``. Where two
variables share a path, the later one has ``_1`` at the end of its name, the next ``_2``, in the order of the model's
lists. Nothing is lost, and the names are the same each time the model is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lamina.core import checks, context
from lamina.core.variable import Variable
from lamina.shapes.errors import ShapeError

_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?")


def by_name(variables: Iterable[Variable]) -> dict[str, Variable]:
    """Variables by their paths; no name is also that of a folder of others.

    >>> import lamina
    >>> v, w = lamina.Variable(1.0, name="v"), lamina.Variable(2.0, name="v")
    >>> list(by_name([v, w]))
    ['v', 'v_1']
    """
    variables = list(variables)
    folders = {"/".join(parts[:i]) for parts in (v.path.split("/") for v in variables) for i in range(1, len(parts))}
    named: dict[str, Variable] = {}
    times: dict[str, int] = {}
    for variable in variables:
        name = path = variable.path
        while name in named or name in folders:
            times[path] = times.get(path, 0) + 1
            name = f"{path}_{times[path]}"
        named[name] = variable
    return named


def matched(
    stored: Mapping[str, Sequence[str]], own: Mapping[str, Iterable[str]], model: Any
) -> dict[str, dict[str, str]]:
    """For each stored name the model's own one, so far as there is one; in each group of names.

    Layers without a name of their own have a number that depends on what was made before them (``dense_7``). Where
    the names of a group differ in such numbers alone, they are matched by the order of the numbers.
    """
    prefixes = _prefixes(model)
    theirs, ours = (_renumbered([n for names in side.values() for n in names], prefixes) for side in (stored, own))
    return {group: _matched(names, list(own[group]), theirs, ours) for group, names in stored.items()}


def _matched(
    stored: Sequence[str], own: list[str], theirs: Mapping[str, str], ours: Mapping[str, str]
) -> dict[str, str]:
    known = set(own)
    exact = {name: name for name in stored if name in known}
    back = {ours[name]: name for name in own}
    plain = [theirs[name] for name in stored]
    if len(exact) == len(stored) or not len(back) == len(own) == len(plain) or set(plain) != set(back):
        return exact
    return {name: back[there] for name, there in zip(stored, plain, strict=True)}


def _prefixes(model: Any) -> set[str]:
    """How the names begin that parts of this model are given by themselves."""
    parts = [*model._flatten_layers(), getattr(model, "optimizer", None)]
    plain = {"seed_generator", *(context.snake_case(type(part).__name__) for part in parts)}
    return plain | {f"{way}_{name}" for way in ("forward", "backward") for name in plain}  # the halves of Bidirectional


def _renumbered(names: Sequence[str], prefixes: set[str]) -> dict[str, str]:
    """The names, with numbers counted from the lowest one that occurs: as where nothing was made before.

    In names of the optimizer's variables the parts of a path are joined by ``_``; they are looked through as words.
    """
    found: dict[str, set[int]] = {}
    for name in names:
        for part in name.split("/")[:-1]:
            prefix, number = _split(part)
            if prefix in prefixes:
                found.setdefault(prefix, set()).add(number)
    plain: dict[str, str] = {}
    for prefix, numbers in found.items():
        for place, number in enumerate(sorted(numbers)):
            plain[_joined(prefix, number)] = _joined(prefix, place)
    longest = sorted(plain, key=len, reverse=True)
    inside = re.compile(r"(?<![^_/])(" + "|".join(map(re.escape, longest)) + r")(?![^_/])(?!_\d+(?:_|$))")
    return {name: _replaced(name, plain, inside) for name in names} if plain else {name: name for name in names}


def _replaced(name: str, plain: Mapping[str, str], inside: re.Pattern[str]) -> str:
    *folders, last = name.split("/")
    return "/".join([*(plain.get(part, part) for part in folders), inside.sub(lambda found: plain[found[1]], last)])


def _split(part: str) -> tuple[str, int]:
    found = _NUMBERED.fullmatch(part)
    assert found is not None
    return found[1], int(found[2] or 0)


def _joined(prefix: str, number: int) -> str:
    return f"{prefix}_{number}" if number else prefix


def unknown(name: str, known: Iterable[str], where: str) -> str:
    """That `where` has no variable of this name, with near ones."""
    known = list(known)
    last = name.rpartition("/")[2]
    hint = checks.did_you_mean(name, known) or checks.did_you_mean(name, [n for n in known if n.endswith("/" + last)])
    shown = ", ".join(repr(n) for n in known[:6]) + (", ..." if len(known) > 6 else "")
    return f"{where} has no variable {name!r}{hint}" + ("" if hint else f"; it has {shown or 'none'}")


def misfit(name: str, variable: Variable, shape: tuple[int, ...], model: Any) -> ShapeError:
    """A value of another shape than the variable's."""
    return ShapeError(
        f'{type(model).__name__} "{model.name}": the value for {name!r} does not fit',
        layer=model.name,
        expected=str(tuple(variable.shape)),
        received=str(tuple(shape)),
    )
