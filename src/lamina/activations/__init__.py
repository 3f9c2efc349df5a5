"""Activations: functions applied to what a layer has computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamina.activations import keras2  # noqa: F401  (registered for old files)
from lamina.activations.functions import (
    celu,
    elu,
    exponential,
    gelu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    linear,
    log_sigmoid,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    swish,
    tanh,
    tanh_shrink,
    threshold,
)
from lamina.core import registry

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


def serialize(activation: Any) -> Any:
    """A description of an activation out of plain values: the name of one of Lamina's own.

    >>> import lamina
    >>> lamina.activations.serialize(lamina.activations.relu)
    'relu'
    """
    return registry.serialize(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Callable[..., Any]:
    """The activation that a name or a description stands for; a layer's description gives that layer.

    Raises:
        ValueError: it names no activation; the message offers near names.
    """
    if config is None:
        return linear
    if isinstance(config, dict) and config.get("class_name") in registry.known("layer"):
        return registry.build("layer", config, custom_objects)
    found = registry.resolve("activation", config, None, custom_objects)
    if not callable(found):
        raise ValueError(f"{config!r} is not an activation: it cannot be called")
    return found


def get(identifier: Any) -> Callable[..., Any]:
    """The activation that an argument stands for.

    Args:
        identifier: ``None`` (`linear`), a name such as ``"relu"``, a config, a function, or a layer.

    Raises:
        ValueError: it stands for none; the message offers near names.

    Example:

    >>> import lamina
    >>> lamina.activations.get("softmax").__name__
    'softmax'
    """
    return deserialize(identifier)
