"""Optimizers: how gradients change a model's variables."""

from __future__ import annotations

from typing import Any

from lamina.core import registry
from lamina.optimizers import schedules
from lamina.optimizers.adafactor import Adafactor
from lamina.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam
from lamina.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from lamina.optimizers.gradient_descent import SGD, Lion
from lamina.optimizers.loss_scale import LossScaleOptimizer
from lamina.optimizers.optax_adapter import OptaxOptimizer, is_transformation
from lamina.optimizers.optimizer import Optimizer

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "Nadam",
    "OptaxOptimizer",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]


def get(identifier: Any) -> Any:
    """The optimizer that a name, a config, an optimizer or an optax transformation stands for.

    Args:
        identifier: such as ``"adam"``, ``{"class_name": "SGD", "config": {"momentum": 0.9}}``, ``Adam()``, or
            ``optax.adam(1e-3)``; ``None`` stays ``None``.

    Raises:
        ValueError: it stands for no optimizer; the message offers near names.

    Example:

    >>> import lamina
    >>> lamina.optimizers.get("adam").name.startswith("adam")
    True
    """
    if isinstance(identifier, Optimizer) or identifier is None:
        return identifier
    if is_transformation(identifier):
        return OptaxOptimizer(identifier)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return _by_name(identifier)()
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg]
    raise ValueError(
        f"cannot read {identifier!r} as an optimizer: give a name such as 'adam', an optimizer, "
        f"or an optax transformation"
    )


def _by_name(name: str, custom_objects: dict[str, Any] | None = None) -> Any:
    names = registry.known("optimizer")
    return registry.find("optimizer", name.lower() if name.lower() in names else name, custom_objects)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """A description of an optimizer out of plain values, as Keras writes it."""
    return registry.serialize(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer that a description stands for.

    Raises:
        ValueError: the description names no known optimizer, or is malformed.
    """
    if str(config.get("class_name")).lower() in registry.known("optimizer"):
        config = {**config, "class_name": str(config["class_name"]).lower()}
    return registry.build("optimizer", config, custom_objects)
