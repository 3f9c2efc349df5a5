"""Values that JSON does not know, as Keras writes them: arrays, tensors, bytes, slices and lambdas."""

from __future__ import annotations

import re
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import lambdas

#: Class names of descriptions that stand for values, not for objects of a class.
NAMES = frozenset({
    "__numpy__", "__tensor__", "__bytes__", "__slice__", "__ellipsis__", "__lambda__", "__tuple__",
})  # fmt: skip
_MOST_LETTERS = 2**26
_ARRAY_TYPES = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|bfloat16|float8_\w{4,8}|complex(64|128)|str\d*")


def describe(value: Any) -> dict[str, Any] | None:
    """A value as plain values; ``None`` where it is not one of these."""
    is_variable = hasattr(value, "assign") and hasattr(value, "numpy")
    if is_variable or isinstance(value, (np.ndarray, jax.Array)):
        array = np.asarray(value)
        kind = "__numpy__" if isinstance(value, np.ndarray) else "__tensor__"
        return {"class_name": kind, "config": {"value": array.tolist(), "dtype": array.dtype.name}}
    if isinstance(value, bytes):
        return {"class_name": "__bytes__", "config": {"value": value.decode("utf-8")}}
    if isinstance(value, slice):
        return {"class_name": "__slice__", "config": {"start": value.start, "stop": value.stop, "step": value.step}}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, types.FunctionType) and value.__name__ == "<lambda>":
        body = lambdas.encode(value)
        return {"class_name": "__lambda__", "config": {**body, "value": [body[key] for key in body]}}
    return None


def restore(description: dict[str, Any]) -> Any:
    """The value that a description stands for.

    Raises:
        ValueError: the description is malformed, or holds code that may not be run.
    """
    kind, config = description["class_name"], description.get("config")
    if not isinstance(config, dict):
        raise ValueError(f"the config of {kind} is not a dict: {config!r}")
    try:
        match kind:
            case "__numpy__":
                return _array(config)
            case "__tensor__":
                return jnp.asarray(_array(config))
            case "__bytes__":
                return str(config["value"]).encode("utf-8")
            case "__slice__":
                return slice(*(_index(config[part]) for part in ("start", "stop", "step")))
            case "__tuple__":
                return tuple(config["value"])
            case "__lambda__":
                return lambdas.decode(config)
    except KeyError as missing:
        raise ValueError(f"the config of {kind} lacks {missing}") from None
    return Ellipsis


def _array(config: dict[str, Any]) -> np.ndarray:
    name = str(config["dtype"])
    if not _ARRAY_TYPES.fullmatch(name):  # numpy would read more into a name: objects, records, huge strings
        raise ValueError(f"an array of the data type {name!r}: expected numbers such as 'float32'")
    if name.startswith("str"):
        return _texts(config["value"])
    return np.array(config["value"], dtype=jnp.dtype(name))


def _texts(value: Any) -> np.ndarray:
    """An array of strings. numpy gives each the room of the longest, so one long one among many is refused."""
    held = np.array(value, dtype=object)
    longest = max((len(str(entry)) for entry in held.reshape(-1)), default=0)
    if longest * held.size > _MOST_LETTERS:
        raise ValueError(f"an array of {held.size} strings, the longest of {longest} characters")
    return held.astype(str)


def _index(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f"{value!r} in a slice: expected a whole number or nothing")
    return value
