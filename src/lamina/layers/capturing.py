"""Configuration is captured, not retyped: a layer's config follows from its constructor."""

from __future__ import annotations

import inspect
from typing import Any

from lamina.core import registry

_BASE = ("name", "trainable", "dtype")


def constructor_config(thing: Any, base: type) -> dict[str, Any]:
    """The constructor's arguments, by name.

    For Lamina's own classes an argument's value is the attribute of the same name (checked and in its full form);
    for a user's class it is what was passed, since an attribute may hold something else.
    """
    args, kwargs = thing._captured
    passed = inspect.signature(type(thing).__init__).bind_partial(thing, *args, **kwargs).arguments
    passed.update(passed.pop("kwargs", {}))
    values: dict[str, Any] = {}
    for cls in reversed(type(thing).__mro__):
        if cls is base or not issubclass(cls, base) or "__init__" not in vars(cls):
            continue
        ours = cls.__module__.startswith("lamina.")
        for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            name = parameter.name
            if ours and hasattr(thing, name):
                values[name] = getattr(thing, name)
            elif name in passed or parameter.default is not parameter.empty:
                values[name] = passed.get(name, parameter.default)
    accepted = accepted_arguments(type(thing))
    return {n: _described(v) for n, v in values.items() if n not in _BASE and (not accepted or n in accepted)}


def _described(value: Any) -> Any:
    """A plain description; a tuple of an argument stays one, as in Keras."""
    return tuple(map(registry.serialize, value)) if isinstance(value, tuple) else registry.serialize(value)


def accepted_arguments(cls: type) -> tuple[str, ...]:
    """The names a constructor takes; empty if it takes any (``**kwargs``)."""
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return ()
    return tuple(p.name for p in parameters)


def revive(config: dict[str, Any]) -> dict[str, Any]:
    """A config with the objects that its descriptions stand for.

    Raises:
        ValueError: a description names nothing known, or is malformed; the message names the argument.
    """
    return {name: _revived(config, name) for name in config}


def _revived(config: dict[str, Any], name: str) -> Any:
    try:
        return _revive(config[name])
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise ValueError(f"`{name}`: {error}") from error


def _revive(value: Any) -> Any:
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return registry.deserialize(value)
        return {key: _revive(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_revive(entry) for entry in value]
    return value
