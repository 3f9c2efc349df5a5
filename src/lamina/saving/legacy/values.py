"""Values of arguments out of old configurations, brought into Keras 3's form."""

from __future__ import annotations

from typing import Any

from lamina.core import registry
from lamina.saving.legacy import tables
from lamina.saving.legacy.era import Era

_MARKS = {"__tuple__": "items", "TensorShape": "items"}


def plain(value: Any) -> Any:
    """A value without the wrapping that TensorFlow's JSON puts around tuples, shapes, arrays and numbers."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "ndarray" and "value" in value:
        return value["value"]
    items = _MARKS.get(str(value.get("class_name")))
    if items is not None and isinstance(value.get(items), list):
        return [plain(entry) for entry in value[items]]
    return {key: plain(entry) for key, entry in value.items()}


def activation(value: Any, era: Era) -> Any:
    """An activation: those whose function has changed under the same name keep the old function."""
    if not isinstance(value, str) or is_custom(value):
        return value
    if value == "<lambda>":
        raise ValueError(
            "an activation was a Python lambda, of which the file holds no more than that: give the function, "
            "custom_objects={'<lambda>': function}"
        )
    return tables.ACTIVATIONS.get(value, value) if era.major < 3 else value


def part(argument: str, value: Any, era: Era) -> Any:
    """An initializer, regularizer or constraint."""
    if not isinstance(value, dict):
        return value
    if "class_name" not in value and isinstance(value.get("name"), str):  # the form of Keras 1
        settings = {key: entry for key, entry in value.items() if key != "name"}
        value = {"class_name": value["name"], "config": settings}
    name = str(value.get("class_name"))
    if is_custom(name):
        return value
    name = tables.OBJECTS.get(name, name)
    settings = dict(value.get("config") or {}) if isinstance(value.get("config"), (dict, type(None))) else {}
    if "m" in settings:
        settings["max_value"] = settings.pop("m")
    if argument.endswith("_initializer"):
        settings.pop("dtype", None)
        if settings.get("distribution") in tables.VALUES["distribution"]:
            settings["distribution"] = tables.VALUES["distribution"][settings["distribution"]]
    return {**value, "class_name": name, "config": settings}


def policy(value: Any) -> Any:
    """A dtype or dtype policy, by its name."""
    if not isinstance(value, dict):
        return value
    settings = value.get("config")
    name = settings.get("name") if isinstance(settings, dict) else None
    if not isinstance(name, str) or name.startswith("_infer") or name == "infer":
        return None
    return name


def is_custom(name: str) -> bool:
    """Whether a name stands for a class or function of the user's, which no table speaks of."""
    custom = registry.get_custom_objects()
    return registry.get_registered_object(name) is not None or any(key.split(">")[-1] == name for key in custom)
