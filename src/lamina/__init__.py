"""Lamina: the Keras API, compiled by JAX, in which shapes explain themselves.

``import lamina as keras`` and a Keras program runs. Parts load when they are first touched.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = (
    "activations", "backend", "callbacks", "config", "constraints", "initializers", "layers", "losses", "metrics",
    "mixed_precision", "models", "ops", "optimizers", "preprocessing", "random", "regularizers", "saving", "shapes",
    "tree", "utils",
)  # fmt: skip
_NAMES = {
    "DTypePolicy": "lamina.core.dtypes",
    "Functional": "lamina.models",
    "Initializer": "lamina.initializers",
    "Input": "lamina.layers",
    "InputSpec": "lamina.layers",
    "KerasTensor": "lamina.core.symbolic",
    "Layer": "lamina.layers",
    "Loss": "lamina.losses",
    "Metric": "lamina.metrics",
    "Model": "lamina.models",
    "Optimizer": "lamina.optimizers",
    "Regularizer": "lamina.regularizers",
    "Sequential": "lamina.models",
    "ShapeError": "lamina.shapes",
    "ShapeWarning": "lamina.shapes",
    "Variable": "lamina.core.variable",
}

__all__ = [*_MODULES, *_NAMES, "__version__", "version"]


def version() -> str:
    """The version of Lamina."""
    return __version__


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"lamina.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lamina' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
