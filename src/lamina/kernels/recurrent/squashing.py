"""The activations that the recurrent kernels know, and their slopes as functions of what they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

VALUES: dict[str, Callable[[Any], Any]] = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "relu": jax.nn.relu,
    "linear": lambda x: x,
}
_SLOPES: dict[str, Callable[[Any], Any]] = {
    "tanh": lambda y: 1 - y * y,
    "sigmoid": lambda y: y - y * y,
    "hard_sigmoid": lambda y: jnp.where((y > 0) & (y < 1), np.array(1 / 6, y.dtype), 0),
    "relu": lambda y: jnp.where(y > 0, np.array(1, y.dtype), 0),
    "linear": jnp.ones_like,
}


def slope(kind: str, y: Any) -> Any:
    """The slope of an activation where it gives `y`."""
    return _SLOPES[kind](y)


def squash(x: Any, kinds: Sequence[str]) -> Any:
    """Activations of the blocks of columns of `x` ``(batch, len(kinds) * units)``, one kind for each block.

    All columns go through the same operations: XLA for CPUs makes vector instructions of those, but not of ones on a
    block of columns. A sigmoid is a tanh at half the scale.

    Example:

    >>> squash(jnp.array([[0.0, -1.0]]), ("sigmoid", "relu")).tolist()
    [[0.5, 0.0]]
    """
    distinct = sorted(set(kinds))
    if len(distinct) == 1:
        return VALUES[distinct[0]](x)
    units = x.shape[-1] // len(kinds)
    curved = [kind for kind in distinct if kind in ("sigmoid", "tanh")]
    result = x
    for kind in distinct:
        if kind not in curved and kind != "linear":
            result = jnp.where(_columns(kinds, units, kind), VALUES[kind](x), result)
    if curved:
        values = _tanh_and_sigmoid(x, kinds, units) if len(curved) == 2 else VALUES[curved[0]](x)
        result = values if distinct == curved else jnp.where(_columns(kinds, units, *curved), values, result)
    return result


def _columns(kinds: Sequence[str], units: int, *wanted: str) -> Any:
    return np.repeat([kind in wanted for kind in kinds], units)


def _tanh_and_sigmoid(x: Any, kinds: Sequence[str], units: int) -> Any:
    half = _columns(kinds, units, "sigmoid")
    scale = np.where(half, 0.5, 1).astype(x.dtype)
    return scale * jnp.tanh(scale * x) + np.where(half, 0.5, 0).astype(x.dtype)
