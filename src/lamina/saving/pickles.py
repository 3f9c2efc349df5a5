"""Models in pickles, and copies of models.

A pickle holds a model as a ``.keras`` archive, and by reference the classes and functions of the user's that the
archive names. A copy shares nothing with the model that can be changed.
"""

from __future__ import annotations

import copy
import importlib
import types
from collections.abc import Iterable
from typing import Any

import jax

from lamina.core import registry
from lamina.saving import keras_archive
from lamina.saving.walking import walk


def reduced(model: Any) -> tuple[Any, ...]:
    """What `pickle` keeps of a model."""
    return restored, (keras_archive.packed(model), own_objects(model))


def restored(archive: bytes, own: dict[str, Any]) -> Any:
    """The model in a pickle.

    Raises:
        ValueError: it uses what is unknown here, or code of Python lambdas, which is not run unless
            `lamina.config.enable_unsafe_deserialization` was called.
    """
    importlib.import_module("lamina.models")
    return keras_archive.unpacked(archive, own)


def copied(model: Any, memo: dict[int, Any]) -> Any:
    """A copy for `copy.deepcopy`, which needs no description of the model."""
    made = object.__new__(type(model))
    memo[id(model)] = made
    made.__dict__.update(copy.deepcopy(vars(model), memo))
    return made


def own_objects(model: Any) -> dict[str, Any]:
    """Classes and functions of the user's, by name, that a model is made of and that are not registered."""
    given = jax.tree.leaves(model._compile_arguments)
    used = [*(thing for _, thing in walk(model)), *given]
    return {thing.__name__: thing for thing in _definitions(used) if _is_own(thing)}


def _definitions(things: Iterable[Any]) -> list[Any]:
    return [thing if isinstance(thing, (type, types.FunctionType)) else type(thing) for thing in things]


def _is_own(thing: Any) -> bool:
    if thing.__module__.split(".")[0] in ("lamina", "builtins") or thing.__name__ == "<lambda>":
        return False
    return registry.get_registered_object(registry.get_registered_name(thing)) is not thing
