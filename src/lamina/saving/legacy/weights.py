"""Stored arrays as the weights of our layers: what was split, merged, turned around or ordered otherwise.

Arrays are stored layer by layer: those that train first. They are dealt out to the parts that hold weights (a cell
inside a recurrent layer, the layers of a model inside), and each part's arrays are brought into its present form by
the one table here, `_FORMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.variable import Variable
from lamina.layers import tracking
from lamina.saving.legacy import forms
from lamina.saving.legacy.era import Era
from lamina.saving.legacy.groups import Stored

Plan = list[tuple[Variable, jax.Array]]


class Misfit(ValueError):
    """Stored arrays do not fit a layer."""


def stored_order(layer: Any) -> list[Variable]:
    """A layer's weights in the order of `.h5` files: those that train first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def plan(layer: Any, stored: Stored, era: Era) -> Plan:
    """Which array goes into which weight.

    Raises:
        Misfit: number or shapes differ; the message names layer and arrays.
    """
    parts = [part for part in layer._flatten_layers() if tracking.own_weights(part)]
    last: Misfit | None = None
    for counts, ordered in ((forms.stored_count, True), (_own_count, True), (forms.stored_count, False)):
        needed = sum(sum(counts(part, era, group)) for part in parts for group in [_split(part, layer)])
        if needed != len(stored.datasets):
            continue
        try:
            return _dealt(layer, parts, stored, era, counts, ordered)
        except Misfit as error:
            last = last or error
    raise last or Misfit(
        f"layer {layer.name!r} ({type(layer).__name__}) has {len(layer.weights)} weights; "
        f"the file has {len(stored.datasets)} arrays for it: {', '.join(stored.paths) or 'none'}"
    )


def _own_count(part: Any, era: Era, split: tuple[list[Variable], list[Variable]]) -> tuple[int, int]:
    return len(split[0]), len(split[1])


def _split(part: Any, root: Any) -> tuple[list[Variable], list[Variable]]:
    """A part's own weights: those that train as the whole layer stands, and the others."""
    trained = {id(v) for v in root.trainable_weights}
    own = tracking.own_weights(part)
    return [v for v in own if id(v) in trained], [v for v in own if id(v) not in trained]


def _dealt(
    layer: Any, parts: list[Any], stored: Stored, era: Era, counts: Callable[..., tuple[int, int]], ordered: bool
) -> Plan:
    numbers = [counts(part, era, _split(part, layer)) for part in parts]
    arrays = stored.read()
    if ordered:  # all that train, then all others
        first = [[arrays.pop(0) for _ in range(trained)] for trained, _ in numbers]
        rest = [[arrays.pop(0) for _ in range(others)] for _, others in numbers]
        shares = [a + b for a, b in zip(first, rest, strict=True)]
    else:
        shares = [[arrays.pop(0) for _ in range(sum(number))] for number in numbers]
    return [pair for part, share in zip(parts, shares, strict=True) for pair in _fitted(layer, part, share, era)]


def _fitted(layer: Any, part: Any, share: Sequence[np.ndarray], era: Era) -> Plan:
    targets = tracking.own_weights(part)
    arrays = forms.present_form(part, list(share), era)
    shapes = [v.shape for v in targets]
    if [a.shape for a in arrays] != shapes:
        inside = "" if part is layer else f", in its {type(part).__name__} {part.name!r}"
        raise Misfit(
            f"layer {layer.name!r} ({type(layer).__name__}){inside}: weights of shapes "
            f"{', '.join(map(str, shapes))}; the file has {', '.join(str(a.shape) for a in share)}"
        )
    return [(target, placed(target, array)) for target, array in zip(targets, arrays, strict=True)]


def placed(variable: Variable, array: np.ndarray) -> jax.Array:
    """An array as the variable will hold it; what it was made of can be let go of."""
    return jnp.asarray(array, variable._value.dtype).block_until_ready()
