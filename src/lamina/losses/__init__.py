"""Losses: how far predictions are from labels."""

from __future__ import annotations

from typing import Any

from lamina.core import registry
from lamina.losses.base import Loss, LossFunctionWrapper
from lamina.losses.fitting import check_labels
from lamina.losses.formulas import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from lamina.losses.probability import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from lamina.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from lamina.losses.structured import (
    CTC,
    CategoricalHinge,
    Circle,
    Dice,
    Hinge,
    SquaredHinge,
    Tversky,
    categorical_hinge,
    circle,
    ctc,
    dice,
    hinge,
    squared_hinge,
    tversky,
)

__all__ = [
    "CTC",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "check_labels",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]


def serialize(loss: Any) -> Any:
    """A description of a loss out of plain values."""
    return registry.serialize(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss that a description or a name stands for.

    Raises:
        ValueError: it names no loss; the message offers near names.
    """
    return registry.resolve("loss", name, Loss, custom_objects)


def get(identifier: Any) -> Any:
    """The loss that an argument stands for.

    Args:
        identifier: ``None``, a name (that of a function, such as ``"mse"``, or of a class, such as ``"Huber"``), a
            config, a class, a loss, or a function ``f(y_true, y_pred)``.

    Raises:
        ValueError: it stands for none; the message offers near names.

    Example:

    >>> import lamina
    >>> lamina.losses.get("mse").__name__
    'mean_squared_error'
    """
    return registry.resolve("loss", identifier, Loss)
