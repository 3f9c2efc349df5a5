"""Initializers: the first values of weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.core import registry
from lamina.core.variable import Variable
from lamina.initializers.base import Initializer, RandomInitializer
from lamina.initializers.drawn import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from lamina.initializers.fixed import STFT, Constant, Identity, Ones, Zeros

IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT
constant, identity, ones, orthogonal, stft, zeros = Constant, Identity, Ones, Orthogonal, STFT, Zeros
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform, variance_scaling = LecunNormal, LecunUniform, VarianceScaling
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]


def serialize(initializer: Any) -> Any:
    """A description of an initializer out of plain values."""
    return registry.serialize(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that a description or a name stands for.

    Raises:
        ValueError: it names no initializer; the message offers near names.
    """
    return registry.resolve("initializer", config, Initializer, custom_objects)


def get(identifier: Any) -> Any:
    """The initializer that an argument stands for.

    Args:
        identifier: ``None``, a name such as ``"he_normal"``, a config, a class, an initializer, a function
            ``f(shape, dtype=None)``, or an array of values.

    Raises:
        ValueError: it stands for none; the message offers near names.

    Example:

    >>> import lamina
    >>> lamina.initializers.get("he_normal").get_config()
    {'seed': None, 'input_axes': None, 'output_axes': None}
    """
    if hasattr(identifier, "shape") and not callable(identifier):
        return Constant(np.asarray(identifier.value if isinstance(identifier, Variable) else identifier))
    return registry.resolve("initializer", identifier, Initializer)
