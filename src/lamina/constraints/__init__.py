"""Constraints: what weights must satisfy; they are applied after each update."""

from __future__ import annotations

from typing import Any

from lamina.constraints.projections import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from lamina.core import registry

max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]


def serialize(constraint: Any) -> Any:
    """A description of a constraint out of plain values."""
    return registry.serialize(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that a description or a name stands for.

    Raises:
        ValueError: it names no constraint; the message offers near names.
    """
    return registry.resolve("constraint", config, Constraint, custom_objects)


def get(identifier: Any) -> Any:
    """The constraint that an argument stands for.

    Args:
        identifier: ``None``, a name such as ``"non_neg"``, a config, a class, a constraint, or a function of a tensor.

    Raises:
        ValueError: it stands for none; the message offers near names.

    Example:

    >>> import lamina
    >>> lamina.constraints.get("max_norm").get_config()
    {'max_value': 2.0, 'axis': 0}
    """
    return registry.resolve("constraint", identifier, Constraint)
