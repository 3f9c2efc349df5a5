"""Losses between distributions, as objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.core import checks, registry
from lamina.losses.base import LossFunctionWrapper
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

_DEFAULT = "sum_over_batch_size"


@registry.register("loss")
class BinaryCrossentropy(LossFunctionWrapper):
    """Cross entropy of yes-or-no labels (see `binary_crossentropy`).

    Args:
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: how far labels are moved towards 1/2: 0 not at all, 1 all the way.
        axis: the axis of the mean.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> round(float(lamina.losses.BinaryCrossentropy()([[1.0]], [[0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _DEFAULT,
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ):
        self.from_logits, self.axis = bool(from_logits), axis
        self.label_smoothing = checks.real("label_smoothing", label_smoothing, 0.0, 1.0)
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
            axis=axis,
        )


@registry.register("loss")
class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Cross entropy of yes-or-no labels in which easy examples count little (see `binary_focal_crossentropy`).

    Args:
        apply_class_balancing: whether to weight 1 by `alpha` and 0 by ``1 - alpha``.
        alpha: see `apply_class_balancing`.
        gamma: how much less easy examples count.
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: how far labels are moved towards 1/2: 0 not at all, 1 all the way.
        axis: the axis of the mean.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> round(float(lamina.losses.BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4)
    0.1733
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _DEFAULT,
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        self.from_logits, self.axis = bool(from_logits), axis
        self.label_smoothing = checks.real("label_smoothing", label_smoothing, 0.0, 1.0)
        self.apply_class_balancing = bool(apply_class_balancing)
        self.alpha = checks.real("alpha", alpha)
        self.gamma = checks.real("gamma", gamma, low=0.0)
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=self.apply_class_balancing,
            alpha=self.alpha,
            gamma=self.gamma,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
            axis=axis,
        )


@registry.register("loss")
class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross entropy of labels with one column per class (see `categorical_crossentropy`).

    Args:
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: part of each label that is spread evenly over the classes.
        axis: the axis of the classes.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> round(float(lamina.losses.CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _DEFAULT,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ):
        self.from_logits, self.axis = bool(from_logits), axis
        self.label_smoothing = checks.real("label_smoothing", label_smoothing, 0.0, 1.0)
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
            axis=axis,
        )


@registry.register("loss")
class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Cross entropy of one-hot labels in which easy examples count little (see `categorical_focal_crossentropy`).

    Args:
        alpha: factor, or one for each class.
        gamma: how much less easy examples count.
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: part of each label that is spread evenly over the classes.
        axis: the axis of the classes.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> round(float(lamina.losses.CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.0433
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _DEFAULT,
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        self.from_logits, self.axis = bool(from_logits), axis
        self.label_smoothing = checks.real("label_smoothing", label_smoothing, 0.0, 1.0)
        self.gamma = checks.real("gamma", gamma, low=0.0)
        self.alpha = alpha = np.asarray(alpha).tolist()
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=self.gamma,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
            axis=axis,
        )


@registry.register("loss")
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross entropy of labels that are class numbers (see `sparse_categorical_crossentropy`).

    Args:
        from_logits: whether predictions are logits rather than probabilities.
        ignore_class: a class number whose places count as masked.
        axis: the axis of the classes.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> round(float(lamina.losses.SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    casts_labels = False

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = _DEFAULT,
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        self.from_logits, self.axis = bool(from_logits), axis
        self.ignore_class = ignore_class
        if ignore_class is not None and not checks.is_whole(ignore_class):
            raise ValueError(f"`ignore_class`={ignore_class!r}: expected a class number or None")
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=self.from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


@registry.register("loss")
class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """A cross entropy that is robust to wrong labels (see `categorical_generalized_cross_entropy`).

    Args:
        q: between 0 (like cross entropy) and 1 (like absolute error), both excluded.
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]]))
    1.0
    """

    casts_labels = False

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = _DEFAULT,
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        self.q = checks.real("q", q)
        if not 0 < self.q < 1:
            raise ValueError(f"`q`={q!r}: expected a number between 0 and 1, both excluded")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=self.q)


@registry.register("loss")
class KLDivergence(LossFunctionWrapper):
    """How much a distribution differs from another (see `kl_divergence`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]]))
    0.0
    """

    def __init__(
        self,
        reduction: str | None = _DEFAULT,
        name: str = "kl_divergence",
        dtype: Any = None,
    ):
        super().__init__(kl_divergence, reduction, name, dtype)


@registry.register("loss")
class Poisson(LossFunctionWrapper):
    """The loss for counts (see `poisson`).

    Args:
        reduction: how the values become one number (see `Loss`).
        name: a name.
        dtype: data type of the computation; the default float.

    Example:

    >>> import lamina
    >>> float(lamina.losses.Poisson()([[0.0]], [[2.0]]))
    2.0
    """

    def __init__(
        self,
        reduction: str | None = _DEFAULT,
        name: str = "poisson",
        dtype: Any = None,
    ):
        super().__init__(poisson, reduction, name, dtype)
