"""Objects and their descriptions: every class that may be named in a string, a config or a file is registered here.

A name is looked up, never imported: nothing outside the tables can be reached through a config.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lamina.core import checks

_by_kind: dict[str, dict[str, Any]] = {}
_custom: dict[str, Any] = {}
_scoped: list[dict[str, Any]] = []
_homes: dict[Any, tuple[str, str]] = {}


def register(kind: str, *aliases: str, home: str | None = None) -> Callable[[Any], Any]:
    """Register a class or function of Lamina's own.

    Args:
        kind: the family, such as ``"layer"`` or ``"loss"``.
        aliases: further names it goes by, such as ``"mse"``.
        home: the module named in configs, as Keras has it (``"keras.layers"``).
    """

    def decorate(thing: Any) -> Any:
        table = _by_kind.setdefault(kind, {})
        for name in (thing.__name__, *aliases):
            table[name] = thing
        _homes[thing] = (home or f"keras.{_plural(kind)}", thing.__name__)
        return thing

    return decorate


def _plural(kind: str) -> str:
    return {"loss": "losses"}.get(kind, kind + "s")


def known(kind: str) -> dict[str, Any]:
    """Everything of a family, by name (aliases included)."""
    return dict(_by_kind.get(kind, {}))


def find(kind: str, name: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The class or function of that name.

    Raises:
        ValueError: there is none; the message offers near names.
    """
    for table in [custom_objects or {}, *reversed(_scoped), _custom, _by_kind.get(kind, {})]:
        if name in table:
            return table[name]
    for registered, thing in _custom.items():
        if registered.split(">")[-1] == name:
            return thing
    raise ValueError(f"unknown {kind} {name!r}{checks.did_you_mean(name, _by_kind.get(kind, {}))}")


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """Let files and configs name a class or function of the user's as ``package>name``.

    Example:

    >>> import lamina
    >>> @lamina.saving.register_keras_serializable(package="mine")
    ... class Twice(lamina.layers.Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> lamina.saving.get_registered_name(Twice)
    'mine>Twice'
    """

    def decorate(thing: Any) -> Any:
        if isinstance(thing, type) and not hasattr(thing, "get_config"):
            raise ValueError(f"{thing.__name__} needs a `get_config` method to be registered")
        _custom[f"{package}>{name or thing.__name__}"] = thing
        return thing

    return decorate


def get_registered_name(thing: Any) -> str:
    """The name a class or function is registered under; its own name if it is not."""
    return next((n for n, t in _custom.items() if t is thing), thing.__name__)


def get_registered_object(name: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The class or function registered under a name, or ``None``."""
    for table in [custom_objects or {}, *reversed(_scoped), _custom]:
        if name in table:
            return table[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """The table of the user's registered objects; adding to it registers."""
    return _custom


@contextlib.contextmanager
def custom_object_scope(custom_objects: dict[str, Any]) -> Iterator[None]:
    """Names that configs may use inside."""
    _scoped.append(dict(custom_objects))
    try:
        yield
    finally:
        _scoped.pop()


CustomObjectScope = custom_object_scope


def serialize(thing: Any) -> Any:
    """A description of an object out of plain values, as Keras writes it.

    Objects become ``{"module", "class_name", "config", "registered_name"}``; functions become their names.
    """
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if isinstance(thing, np.generic):
        return thing.item()
    if isinstance(thing, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": thing.tolist(), "dtype": thing.dtype.name}}
    if isinstance(thing, (list, tuple, set)):
        return [serialize(entry) for entry in thing]
    if isinstance(thing, dict):
        return {key: serialize(entry) for key, entry in thing.items()}
    if isinstance(thing, types.FunctionType):
        return _serialize_function(thing)
    if isinstance(thing, type):
        return {"class_name": "__typespec__" if thing.__name__ == "TypeSpec" else thing.__name__, "config": None}
    if not hasattr(thing, "get_config"):
        return str(thing)
    home = _homes.get(type(thing))
    module, name = home if home else (type(thing).__module__, type(thing).__name__)
    registered = get_registered_name(type(thing))
    return {
        "module": module,
        "class_name": name,
        "config": serialize(thing.get_config()),
        "registered_name": None if home else registered,
    }


def _serialize_function(function: types.FunctionType) -> Any:
    if function in _homes:
        return _homes[function][1]
    if function.__name__ == "<lambda>":
        return {"class_name": "__lambda__", "config": {"name": "<lambda>"}}
    return {
        "module": function.__module__,
        "class_name": "function",
        "config": function.__name__,
        "registered_name": get_registered_name(function),
    }


def build(kind: str, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The object that a description (see `serialize`) stands for.

    Raises:
        ValueError: the description names nothing known, or is malformed.
    """
    name = config.get("class_name")
    if not isinstance(name, str):
        raise ValueError(f"a {kind}'s config needs a 'class_name'; got {config!r}")
    if name == "function":
        registered = config.get("registered_name")
        return find(kind, config["config"] if registered in (None, "function") else registered, custom_objects)
    registered = config.get("registered_name")
    found = get_registered_object(registered, custom_objects) if isinstance(registered, str) else None
    cls = found if found is not None else find(kind, name, custom_objects)
    settings = config.get("config", {})
    if not isinstance(cls, type):
        return cls
    if not isinstance(settings, dict):
        raise ValueError(f"the config of {kind} {name!r} is not a dict: {settings!r}")
    with custom_object_scope(custom_objects or {}):
        if hasattr(cls, "from_config"):
            return cls.from_config(dict(settings))
        return cls(**settings)


def resolve(kind: str, identifier: Any, base: type | None = None, custom_objects: dict[str, Any] | None = None) -> Any:
    """What a user's argument stands for: a name, a config, a class, an object, or a function.

    Args:
        kind: the family to look in.
        identifier: the argument.
        base: the family's base class; a class is made an instance with its defaults.
        custom_objects: further names.

    Raises:
        ValueError: it stands for nothing; the message offers near names.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return build(kind, identifier, custom_objects)
    if isinstance(identifier, str):
        found = find(kind, identifier, custom_objects)
        return found() if isinstance(found, type) else found
    if isinstance(identifier, type):
        return identifier()
    if callable(identifier) or (base is not None and isinstance(identifier, base)):
        return identifier
    raise ValueError(f"cannot read {identifier!r} as a {kind}: give a name, a {kind} object or a function")


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The object that any description stands for; its family is read off the module it names.

    Raises:
        ValueError: the description names nothing known, or is malformed.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        return config
    name, settings = config["class_name"], config.get("config")
    if name == "__numpy__":
        values: dict[str, Any] = settings or {}
        return np.array(values["value"], dtype=values["dtype"])
    module = str(config.get("module") or "")
    kinds = sorted(_by_kind, key=lambda kind: not module.startswith(f"keras.{_plural(kind)}"))
    holding = next((kind for kind in kinds if name in _by_kind[kind]), kinds[0] if kinds else "object")
    return build(holding, config, custom_objects)
