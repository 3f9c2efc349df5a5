"""A model's whole state as a tree of arrays (a JAX pytree), and back."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.core import checks
from lamina.core.variable import Variable
from lamina.saving import names

GROUPS = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
_FORMATS = ("backend_tensor", "numpy_array")


def get(model: Any, value_format: str = "backend_tensor") -> dict[str, Any]:
    """The tree; see `Model.get_state_tree`."""
    checks.one_of("value_format", value_format, _FORMATS)
    return {
        group: _nested({name: v.numpy() if value_format == "numpy_array" else v.value for name, v in own.items()})
        for group, own in ((group, _variables(model, group)) for group in GROUPS)
    }


def set_(model: Any, tree: Any) -> None:
    """Set the state from a tree, all of it or, where anything is wrong, none; see `Model.set_state_tree`."""
    for variable, value in pairs(model, tree):
        variable.assign(value)


def pairs(model: Any, tree: Any, source: str = "`state_tree`") -> list[tuple[Variable, Any]]:
    """Each variable that a tree has a value for, with the value, which may also be a description with a shape.

    Args:
        model: the model.
        tree: the tree.
        source: where it is from, for messages.

    Raises:
        ShapeError: a value has another shape.
        ValueError: the tree is none, the model has no such variable, or a value is no array of numbers.
    """
    if not isinstance(tree, Mapping):
        raise ValueError(f"{source}: expected a dict as get_state_tree gives, not {type(tree).__name__}")
    for group in tree:
        if group not in GROUPS:
            hint = checks.did_you_mean(str(group), GROUPS)
            raise ValueError(f"{source} has the key {group!r}{hint}; expected some of {', '.join(GROUPS)}")
    flat = {group: _flattened(inner, group, source) for group, inner in tree.items()}
    _build_optimizer(model, flat.get("optimizer_variables", {}))
    return _pairs(model, flat, source)


def _variables(model: Any, group: str) -> dict[str, Variable]:
    """The model's variables of one group by name."""
    optimizer = getattr(model, "optimizer", None)
    if group == "optimizer_variables":
        return names.by_name(optimizer.variables if optimizer is not None else [])
    return names.by_name(getattr(model, group))


def _build_optimizer(model: Any, stored: dict[str, Any]) -> None:
    """Make what an optimizer remembers, where a state for it comes before the first step."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or optimizer.built:
        return
    known = {variable.name for variable in optimizer.variables}
    if any(name.rpartition("/")[2] not in known for name in stored):
        optimizer.build(model.trainable_variables)


def _pairs(model: Any, flat: dict[str, dict[str, Any]], source: str) -> list[tuple[Variable, Any]]:
    own = {group: _variables(model, group) for group in flat}
    which = names.matched({group: list(inner) for group, inner in flat.items()}, own, model)
    found_pairs: list[tuple[Variable, Any]] = []
    for group, inner in flat.items():
        for name, value in inner.items():
            found = which[group].get(name)
            if found is None and group == "metrics_variables":
                continue  # made when data is first seen, and set to their start before they count
            if found is None:
                raise ValueError(f"{source}: {_unknown(model, group, name, own[group])}")
            variable = own[group][found]
            found_pairs.append((variable, _checked(model, variable, f"{group}/{name}", value, source)))
    return found_pairs


def _unknown(model: Any, group: str, name: str, own: Mapping[str, Variable]) -> str:
    where = f"{type(model).__name__} {model.name!r}, `{group}`"
    if group == "optimizer_variables" and not own:
        return f"{model.name!r} has no optimizer: call compile first, or leave {group!r} out"
    elsewhere = [g for g in GROUPS[:2] if g != group and name in _variables(model, g)]
    also = f" (it is one of `{elsewhere[0]}` here: `trainable` differs)" if elsewhere else ""
    return f"{names.unknown(name, own, where)}{also}"


def _checked(model: Any, variable: Variable, name: str, value: Any, source: str) -> Any:
    """A value for a variable, as an array."""
    array = value.value if isinstance(value, Variable) else value
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        try:
            array = np.asarray(array)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{source}: the value for {name!r} is no array: {error}") from None
    kind = np.dtype(array.dtype).kind
    if kind not in "biufcV":
        raise ValueError(f"{source}: the value for {name!r} is no array of numbers but {array.dtype}")
    if kind == "c" and np.dtype(variable.dtype).kind != "c":
        raise ValueError(f"{source}: the value for {name!r} is complex, the variable {variable.dtype}")
    if tuple(array.shape) != tuple(variable.shape):
        raise names.misfit(name, variable, array.shape, model).about(notes=[("in", source)])
    return array


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *folders, last = name.split("/")
        inner = tree
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[last] = value
    return tree


def _flattened(tree: Any, group: str, source: str) -> dict[str, Any]:
    """Leaves by their names, which are the keys on the way joined by ``/``."""
    if not isinstance(tree, Mapping):
        raise ValueError(f"{source}: expected a dict under {group!r}, not {type(tree).__name__}")
    flat: dict[str, Any] = {}
    waiting: collections.deque[tuple[str, Any]] = collections.deque([("", tree)])
    while waiting:
        path, inner = waiting.popleft()
        for key, value in inner.items():
            if not isinstance(key, str):
                raise ValueError(f"{source}: the key {key!r} under {group + path!r} is no string")
            if isinstance(value, Mapping):
                waiting.append((f"{path}/{key}", value))
            else:
                flat[f"{path}/{key}".removeprefix("/")] = value
    return flat
