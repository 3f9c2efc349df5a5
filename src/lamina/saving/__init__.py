"""Models in files; objects as plain values; and the names that files and configs may use."""

from __future__ import annotations

import importlib
from typing import Any

from lamina.core.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from lamina.core.registry import deserialize as deserialize_keras_object
from lamina.core.registry import serialize as serialize_keras_object

#: They need the classes of models, which stand above this package.
_FILES = {
    "load_model": "model_files",
    "load_weights": "model_files",
    "save_model": "model_files",
    "save_weights": "model_files",
    "load_orbax": "interop.orbax",
    "load_safetensors": "interop.safetensors",
    "save_orbax": "interop.orbax",
    "save_safetensors": "interop.safetensors",
}

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_orbax",
    "load_safetensors",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_orbax",
    "save_safetensors",
    "save_weights",
    "serialize_keras_object",
    "show",
]


def __getattr__(name: str) -> Any:
    if name in _FILES:
        importlib.import_module("lamina.models")
        return getattr(importlib.import_module(f"lamina.saving.{_FILES[name]}"), name)
    if name == "show":
        return importlib.import_module("lamina.reports.file_report").show
    raise AttributeError(f"module 'lamina.saving' has no attribute {name!r}")
