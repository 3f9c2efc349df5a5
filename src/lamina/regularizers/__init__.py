"""Regularizers: penalties on weights or outputs that are added to the loss."""

from __future__ import annotations

from typing import Any

from lamina.core import registry
from lamina.regularizers.penalties import L1, L1L2, L2, OrthogonalRegularizer, Regularizer

l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


def serialize(regularizer: Any) -> Any:
    """A description of a regularizer out of plain values."""
    return registry.serialize(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that a description or a name stands for.

    Raises:
        ValueError: it names no regularizer; the message offers near names.
    """
    return registry.resolve("regularizer", config, Regularizer, custom_objects)


def get(identifier: Any) -> Any:
    """The regularizer that an argument stands for.

    Args:
        identifier: ``None``, a name such as ``"l2"``, a config, a class, a regularizer, or a function of a tensor.

    Raises:
        ValueError: it stands for none; the message offers near names.

    Example:

    >>> import lamina
    >>> lamina.regularizers.get("l2").get_config()
    {'l2': 0.01}
    """
    return registry.resolve("regularizer", identifier, Regularizer)
