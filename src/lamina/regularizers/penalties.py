"""The penalties: each takes a tensor and gives one number."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, config, registry


class Regularizer:
    """A penalty on a tensor. Subclasses define ``__call__(x)``, which gives one number.

    Example:

    >>> import lamina
    >>> class Mean(lamina.regularizers.Regularizer):
    ...     def __call__(self, x):
    ...         return 0.1 * x.mean()
    >>> round(float(Mean()(lamina.initializers.Ones()((2,)))), 4)
    0.1
    """

    def __call__(self, x: Any) -> Any:
        raise TypeError(f"{type(self).__name__} needs a method `__call__(self, x)`")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """A regularizer with these constructor arguments."""
        return cls(**config)


@registry.register("regularizer", "l1l2", "l1_l2")
class L1L2(Regularizer):
    """``l1 * sum(abs(x)) + l2 * sum(x**2)``.

    Args:
        l1: factor of the sum of magnitudes.
        l2: factor of the sum of squares.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> float(lamina.regularizers.L1L2(1.0, 0.5)(np.array([-2.0])))
    4.0
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0):
        self.l1 = checks.real("l1", 0.0 if l1 is None else l1, low=0.0)
        self.l2 = checks.real("l2", 0.0 if l2 is None else l2, low=0.0)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}

    def __call__(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        penalty = jnp.zeros((), x.dtype)
        if self.l1:
            penalty += self.l1 * jnp.sum(jnp.abs(x))
        if self.l2:
            penalty += self.l2 * jnp.sum(jnp.square(x))
        return penalty


@registry.register("regularizer", "l1")
class L1(Regularizer):
    """``l1 * sum(abs(x))``: drives weights to exactly zero.

    Args:
        l1: factor.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> float(lamina.regularizers.L1(0.5)(np.array([-2.0, 1.0])))
    1.5
    """

    def __init__(self, l1: float = 0.01):
        self.l1 = checks.real("l1", l1, low=0.0)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}

    def __call__(self, x: Any) -> jax.Array:
        return self.l1 * jnp.sum(jnp.abs(jnp.asarray(x)))


@registry.register("regularizer", "l2")
class L2(Regularizer):
    """``l2 * sum(x**2)``: keeps weights small.

    Args:
        l2: factor.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> float(lamina.regularizers.L2(0.5)(np.array([-2.0, 1.0])))
    2.5
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = checks.real("l2", l2, low=0.0)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}

    def __call__(self, x: Any) -> jax.Array:
        return self.l2 * jnp.sum(jnp.square(jnp.asarray(x)))


@registry.register("regularizer", "orthogonal_regularizer")
class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean magnitude of the cosines between the rows (or columns) of a matrix.

    Args:
        factor: factor.
        mode: ``"rows"`` or ``"columns"``: which are to stand at right angles.

    Raises:
        ValueError: the weight is not a matrix.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> float(lamina.regularizers.OrthogonalRegularizer()(np.eye(3)))
    0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = checks.real("factor", factor)
        self.mode = checks.one_of("mode", mode, ("rows", "columns"))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}

    def __call__(self, x: Any) -> jax.Array:
        x = jnp.asarray(x)
        if x.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer needs a matrix, with 2 axes; the weight has shape {x.shape}")
        vectors = x if self.mode == "rows" else x.T
        length = jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(vectors), axis=1, keepdims=True), config.epsilon() ** 2))
        vectors = vectors / length
        count = vectors.shape[0]
        cosines = jnp.abs(vectors @ vectors.T) * (1 - jnp.eye(count, dtype=vectors.dtype))
        return self.factor * jnp.sum(cosines) / max(count * (count - 1), 1)
