"""The bodies of Python lambdas in descriptions: written as Keras does, and run again only where the user allows it."""

from __future__ import annotations

import base64
import builtins
import contextlib
import importlib
import marshal
import threading
import types
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np


class _Permission(threading.local):
    def __init__(self) -> None:
        self.given: list[bool] = []


_permission = _Permission()
_everywhere: list[bool] = []


def enable_unsafe_deserialization() -> None:
    """Let files run the code they bring, from now on and for every file: only where all of them are your own.

    The default is not to. ``load_model(..., safe_mode=False)`` allows it for one file.
    """
    _everywhere[:] = [True]


@contextlib.contextmanager
def allowing(unsafe: bool) -> Iterator[None]:
    """Whether the code of lambdas may be run inside."""
    _permission.given.append(unsafe)
    try:
        yield
    finally:
        _permission.given.pop()


def allowed() -> bool:
    """Whether the code of lambdas may be run now."""
    return bool(_everywhere) or (bool(_permission.given) and _permission.given[-1])


def encode(function: types.FunctionType) -> dict[str, Any]:
    """A lambda as plain values: its compiled body, its defaults, and what it takes from around it."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    return {"code": code, "defaults": _plain(function.__defaults__), "closure": _plain(cells or None)}


def _plain(values: Any) -> Any:
    kinds = (bool, int, float, str, type(None))
    entries = list(values) if values is not None else []
    for entry in entries:
        if not isinstance(entry, (*kinds, list, tuple)):
            raise ValueError(
                f"a lambda uses {entry!r} from around it, which a file cannot hold; define a function with `def` and "
                f"register it with lamina.saving.register_keras_serializable()"
            )
    return entries or None


def _names() -> dict[str, Any]:
    """What a lambda finds by name, usually: the modules that users import under these names."""
    lamina = importlib.import_module("lamina")
    common = {"np": np, "numpy": np, "jax": jax, "jnp": jax.numpy, "ops": lamina.ops}
    return {"__name__": "__main__", "__builtins__": builtins, "keras": lamina, "lamina": lamina, **common}


def decode(config: Any) -> types.FunctionType:
    """The function that `encode`, or Keras, described.

    Raises:
        ValueError: running code out of descriptions is not allowed, or it is none that this Python can run.
    """
    if not allowed():
        raise ValueError(
            "it holds the code of a Python lambda, which could do anything; if you trust where it comes from, give "
            "safe_mode=False or call lamina.config.enable_unsafe_deserialization(). Better, replace it: a function "
            "defined with `def` and registered with lamina.saving.register_keras_serializable() needs no code in files"
        )
    try:
        parts = config.get("value") or [config.get(key) for key in ("code", "defaults", "closure")]
        code, defaults, closure = parts
        body = marshal.loads(base64.b64decode(code))
        cells = tuple(types.CellType(value) for value in closure or ()) or None
        return types.FunctionType(body, _names(), body.co_name, tuple(defaults or ()) or None, cells)
    except Exception as error:
        raise ValueError(
            f"the code of a lambda cannot be run by this version of Python ({error}); the model must be made anew "
            f"from the program that defines the function"
        ) from error
