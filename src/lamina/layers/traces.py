"""A trace is made once for all layers that are equal, on inputs that are equal: deep models repeat themselves.

Only layers of Lamina's own are looked up, and only where everything that their computation reads is known by value:
what a user wrote may look at anything, and is traced each time.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import jax

from lamina.constraints import Constraint
from lamina.core import config, context
from lamina.core.dtypes import DTypePolicy
from lamina.core.seeds import SeedGenerator
from lamina.core.symbolic import KerasTensor, trace_call
from lamina.core.variable import Variable
from lamina.initializers import Initializer
from lamina.layers import calling
from lamina.layers.weights import WeightLists
from lamina.regularizers import Regularizer
from lamina.shapes import dims, errors
from lamina.shapes.conditions import collecting

#: Attributes of a layer that no computation reads.
_BESIDE = frozenset({
    "name", "_captured", "_made_at", "_nodes", "_losses", "_declared_input", "_initial_weights", "_build_shape",
    "_build_shapes", "_trainable", "_weights",
})  # fmt: skip
_MOST = 2048

_kept: dict[Hashable, Any] = {}


class _Unknown(Exception):
    """Something about a call cannot be told by value."""


def trace(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """What comes out of a layer for symbolic tensors, its masks, and what that needs of open sizes.

    The layer has its weights afterwards.
    """
    key = _key_of(layer, args, kwargs)
    known = _kept.get(key)
    if known is not None:
        if not layer.built:
            info = calling.call_info(type(layer).call)
            layer._build_for(info, args, calling.fill_arguments(info, args, kwargs)[0])
        if all(inner.built for inner in layer._flatten_layers()):  # a call may build what is inside
            return known
    said = errors.warnings_said()
    with collecting() as needed, _in_plain_steps(key, layer):
        outputs, masks = trace_call(layer._run, args, kwargs)
    if errors.warnings_said() == said:
        _keep(key, (outputs, masks, needed))
    return outputs, masks, needed


def _key_of(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable | None:
    """What the shapes of a layer's output depend on; ``None`` where that cannot be told."""
    state = context.state
    if state.scopes or state.observer is not None:
        return None
    try:
        surroundings = (state.training, state.autocast, config.floatx(), jax.config.read("jax_enable_x64"))
        leaves, structure = jax.tree.flatten((args, kwargs))
        return (_of(layer), structure, tuple(_of(leaf) for leaf in leaves), surroundings)
    except _Unknown:
        return None


def _keep(key: Hashable | None, traced: tuple[Any, Any, Any]) -> None:
    """Keep a trace, unless it made up a size: the next call makes up another one."""
    if key is None:
        return
    given = {name for leaf in key[2] if leaf[0] is KerasTensor for name in dims.symbols(leaf[1])}  # type: ignore[index]
    if given.issuperset(dims.symbols(d for spec in jax.tree.leaves(traced[0]) for d in spec.shape)):
        if len(_kept) >= _MOST:
            _kept.clear()
        _kept[key] = traced


@contextlib.contextmanager
def _in_plain_steps(key: Hashable | None, layer: Any) -> Iterator[None]:
    """Inside, functions that jax compiles one by one are traced without that: their programs would serve one shape.

    Layers that loop are left alone, since jax then unrolls the loop; so is what a user wrote, which may hold one.
    """
    loops = key is None or any(hasattr(inner, "cell") for inner in layer._flatten_layers())
    with contextlib.nullcontext() if loops else jax.disable_jit():
        yield


def is_known(layer: Any) -> bool:
    """Whether a layer runs nothing but Lamina's own code, so that it does the same each time."""
    try:
        _of(layer)
    except _Unknown:
        return False
    return True


def is_own(thing: Any) -> bool:
    """Whether a class or function is of Lamina or JAX."""
    return thing.__module__.startswith(("lamina.", "jax.")) and "<locals>" not in thing.__qualname__


def forget() -> None:
    """Trace everything afresh."""
    _kept.clear()


def _of(value: Any) -> Hashable:
    """A value by which two objects that compute the same are equal."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return (type(value), value)
    if isinstance(value, (tuple, list)):
        return (type(value), *map(_of, value))
    if isinstance(value, dict):
        return (dict, *((name, _of(entry)) for name, entry in value.items()))
    return _of_object(value)


def _of_object(value: Any) -> Hashable:
    match value:
        case KerasTensor() if value._keras_mask is None:
            return (KerasTensor, value.dims, value.dtype)
        case Variable():
            return (Variable, value.shape, value._value.dtype, value.autocast)
        case DTypePolicy():
            return (DTypePolicy, value.name)
        case Initializer() | Regularizer() | Constraint() | SeedGenerator():
            return (type(value),)  # what they give may differ, its shape does not
        case types.FunctionType() | type() if is_own(value):
            return value
        case WeightLists() if is_own(type(value)) and value.activity_regularizer is None:  # type: ignore[attr-defined]
            return (type(value), *_attributes(vars(value).items()))
    raise _Unknown


def _attributes(items: Iterable[tuple[str, Any]]) -> list[Hashable]:
    return [(name, _of(value)) for name, value in items if name not in _BESIDE]
