"""Objects and their descriptions: every class that may be named in a string, a config or a file is registered here.

A name is looked up, never imported: nothing outside the tables can be reached through a config.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lamina.core import checks, lambdas, plain_values, sharing

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
    hint = checks.did_you_mean(name, _by_kind.get(kind, {}))
    own = "; a class or function of your own is registered, or given in `custom_objects`" if kind == "object" else ""
    raise ValueError(f"unknown {kind} {name!r}{hint or own}")


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

    Objects become ``{"module", "class_name", "config", "registered_name"}``, with the shapes they were built for and
    what they were compiled with where they have such; Lamina's own functions become their names.

    Raises:
        ValueError: it can be described neither as an object nor as a plain value.
    """
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if isinstance(thing, np.generic):
        return thing.item()
    if isinstance(thing, (list, tuple, set)):
        return [serialize(entry) for entry in thing]
    if isinstance(thing, dict):
        return {key: serialize(entry) for key, entry in thing.items()}
    value = plain_values.describe(thing)
    if value is not None:
        return value
    if isinstance(thing, types.FunctionType):
        return _homes[thing][1] if thing in _homes else describe_function(thing)
    if isinstance(thing, type):
        return {"class_name": "__typespec__" if thing.__name__ == "TypeSpec" else thing.__name__, "config": None}
    if not hasattr(thing, "get_config"):
        return str(thing)
    return sharing.describe(thing, _serialize_object)


def _serialize_object(thing: Any) -> dict[str, Any]:
    home = _homes.get(type(thing))
    module, name = home if home else (type(thing).__module__, type(thing).__name__)
    internal = home is None or home[0].startswith("keras.src")  # Keras itself has no public name for these
    described = {
        "module": None if module in ("__main__", "builtins") else module,
        "class_name": name,
        "config": serialize(thing.get_config()),
        "registered_name": get_registered_name(type(thing)) if internal else None,
    }
    for key, method in (("build_config", "get_build_config"), ("compile_config", "get_compile_config")):
        found = getattr(thing, method)() if sharing.in_file() and hasattr(thing, method) else None
        if found is not None:
            described[key] = serialize(found)
    return described


def describe_function(function: Any) -> dict[str, Any]:
    """A function's description where its name alone would not do."""
    if function.__name__ == "<lambda>":
        return serialize(function)
    name = _homes[function][1] if function in _homes else get_registered_name(function)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def build(kind: str, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The object that a description (see `serialize`) stands for.

    Raises:
        ValueError: the description names nothing known, or is malformed.
    """
    name = config.get("class_name")
    if not isinstance(name, str):
        raise ValueError(f"a {kind}'s config needs a 'class_name'; got {config!r}")
    if name in plain_values.NAMES:
        return plain_values.restore(config)
    if name == "function":
        return _find_function(kind, config, custom_objects)
    registered = config.get("registered_name")
    found = get_registered_object(registered, custom_objects) if isinstance(registered, str) else None
    cls = found if found is not None else find(kind, name, custom_objects)
    settings = config.get("config", {})
    if not isinstance(cls, type):
        return cls
    if not isinstance(settings, dict):
        raise ValueError(f"the config of {kind} {name!r} is not a dict: {settings!r}")
    with custom_object_scope(custom_objects or {}):
        return sharing.restore(config, lambda: _make(cls, settings, config))


def _make(cls: type, settings: dict[str, Any], config: dict[str, Any]) -> Any:
    try:
        thing = cls.from_config(dict(settings)) if hasattr(cls, "from_config") else cls(**settings)
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):
            raise
        name = settings.get("name")
        raise ValueError(f"{cls.__name__}{f' {name!r}' if isinstance(name, str) else ''}: {error}") from error
    builds = getattr(cls, "build_from_config", None)
    if isinstance(config.get("build_config"), dict) and builds and not builds.__module__.startswith("lamina."):
        thing.build_from_config(config["build_config"])  # a layer of Lamina's own is built when it is first called
    if config.get("compile_config") and sharing.compiles() and hasattr(thing, "compile_from_config"):
        thing.compile_from_config(config["compile_config"])
    return thing


def _find_function(kind: str, config: dict[str, Any], custom_objects: dict[str, Any] | None) -> Any:
    """A function by the name that its description gives it; no module is ever imported for it."""
    for name in (config.get("config"), config.get("registered_name")):
        found = get_registered_object(name, custom_objects) if isinstance(name, str) else None
        if found is not None and not isinstance(found, type):
            return found
    name = config.get("config")
    if not isinstance(name, str):
        raise ValueError(f"a function's description needs its name as 'config', not {str(name)[:80]}")
    kinds = [kind, *(other for other in _by_kind if name in _by_kind[other])]
    found = find(next((k for k in kinds if name in _by_kind.get(k, {})), kind), name, custom_objects)
    if isinstance(found, type):
        raise ValueError(f"{name!r} is a class, not a function")
    return found


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


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True) -> Any:
    """The object that any description stands for; its family is read off the module it names.

    Args:
        config: the description; lists and dicts of descriptions are gone through.
        custom_objects: further names that it may use.
        safe_mode: whether the code of lambdas in it is refused (``False`` runs it).

    Raises:
        ValueError: the description names nothing known, or is malformed.
    """
    with lambdas.allowing(not safe_mode) if not safe_mode else contextlib.nullcontext():
        return _deserialize(config, custom_objects)


def _deserialize(config: Any, custom_objects: dict[str, Any] | None) -> Any:
    if isinstance(config, (list, tuple)):
        entries = [_deserialize(entry, custom_objects) for entry in config]
        return tuple(entries) if isinstance(config, tuple) else entries
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _deserialize(entry, custom_objects) for key, entry in config.items()}
    with sharing.sharing():
        return build(_kind_of(config), config, custom_objects)


def _kind_of(config: dict[str, Any]) -> str:
    """The family that a description's module names; else one that has a class of that name."""
    name, module = config["class_name"], str(config.get("module") or "")
    if not isinstance(name, str):
        raise ValueError(f"the 'class_name' of a description is not a name: {str(name)[:80]}")
    named = [kind for kind in _by_kind if module.startswith(f"keras.{_plural(kind)}")]
    holding = (kind for kind in [*named, *_by_kind] if name in _by_kind[kind])
    return next(holding, named[0] if named else "object")
