"""Shapes that explain themselves: the four forms, the cards of the layers, named dimensions and clear errors."""

from __future__ import annotations

import importlib
from typing import Any

from lamina.shapes.errors import CallSite, Fix, ShapeError, ShapeWarning
from lamina.shapes.signatures import Axes, Signature

_REPORTS = {
    "accepts": "lamina.reports.accepts",
    "check": "lamina.reports.check",
    "draw": "lamina.reports.draw",
    "explain": "lamina.reports.explain",
    "forms": "lamina.reports.forms",
    "solve": "lamina.reports.solve",
    "watch": "lamina.reports.watch",
}

__all__ = [
    "Axes",
    "CallSite",
    "Fix",
    "ShapeError",
    "ShapeWarning",
    "Signature",
    "accepts",
    "check",
    "draw",
    "explain",
    "forms",
    "solve",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name in _REPORTS:
        return getattr(importlib.import_module(_REPORTS[name]), name)
    raise AttributeError(f"module 'lamina.shapes' has no attribute {name!r}")
