"""The constraints: each takes a weight and gives the weight that satisfies it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, config, registry


class Constraint:
    """Gives the weight that satisfies it. Subclasses define ``__call__(w)``.

    Example:

    >>> import lamina
    >>> class Halved(lamina.constraints.Constraint):
    ...     def __call__(self, w):
    ...         return w / 2
    >>> Halved()(lamina.initializers.Ones()((2,))).tolist()
    [0.5, 0.5]
    """

    def __call__(self, w: Any) -> Any:
        raise TypeError(f"{type(self).__name__} needs a method `__call__(self, w)`")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """A constraint with these constructor arguments."""
        return cls(**config)


def _check_axis(axis: Any) -> Any:
    entries = [axis] if checks.is_whole(axis) else axis
    if not isinstance(entries, (list, tuple)) or not all(checks.is_whole(a) for a in entries):
        raise ValueError(f"`axis`={axis!r}: expected a whole number or several")
    return int(axis) if checks.is_whole(axis) else [int(a) for a in axis]


def _norm(w: jax.Array, axis: Any) -> jax.Array:
    axes = tuple(axis) if isinstance(axis, list) else axis
    return jnp.sqrt(jnp.sum(jnp.square(w), axis=axes, keepdims=True))


@registry.register("constraint", "max_norm")
class MaxNorm(Constraint):
    """Scales down weight vectors longer than a bound (Srivastava et al., Dropout, 2014).

    Args:
        max_value: the greatest length.
        axis: axes along which the length is taken; 0 for a `Dense` kernel ``(features, units)``,
            ``[0, 1, 2]`` for a `Conv2D` kernel ``(height, width, channels, filters)``.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> w = lamina.constraints.MaxNorm(1.0)(np.array([[3.0], [4.0]]))
    >>> [round(v, 3) for v in w[:, 0].tolist()]
    [0.6, 0.8]
    """

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0):
        self.max_value, self.axis = checks.real("max_value", max_value, low=0.0), _check_axis(axis)

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}

    def __call__(self, w: Any) -> jax.Array:
        w = jnp.asarray(w)
        norm = _norm(w, self.axis)
        return w * (jnp.clip(norm, 0, self.max_value) / (config.epsilon() + norm))


@registry.register("constraint", "non_neg")
class NonNeg(Constraint):
    """Sets negative weights to zero.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.constraints.NonNeg()(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, w: Any) -> jax.Array:
        return jnp.maximum(jnp.asarray(w), 0)


@registry.register("constraint", "unit_norm")
class UnitNorm(Constraint):
    """Scales weight vectors to length 1.

    Args:
        axis: axes along which the length is taken (see `MaxNorm`).

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> w = lamina.constraints.UnitNorm()(np.array([[3.0], [4.0]]))
    >>> [round(v, 3) for v in w[:, 0].tolist()]
    [0.6, 0.8]
    """

    def __init__(self, axis: int | Sequence[int] = 0):
        self.axis = _check_axis(axis)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}

    def __call__(self, w: Any) -> jax.Array:
        w = jnp.asarray(w)
        return w / (config.epsilon() + _norm(w, self.axis))


@registry.register("constraint", "min_max_norm")
class MinMaxNorm(Constraint):
    """Keeps the length of weight vectors between two bounds.

    Args:
        min_value: the least length.
        max_value: the greatest length.
        rate: how far a length outside is moved to the bound: 1 all the way, less to go there step by step.
        axis: axes along which the length is taken (see `MaxNorm`).

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> w = lamina.constraints.MinMaxNorm(1.0, 2.0)(np.array([[0.3], [0.4]]))
    >>> [round(v, 3) for v in w[:, 0].tolist()]
    [0.6, 0.8]
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | Sequence[int] = 0
    ):
        self.min_value = checks.real("min_value", min_value, low=0.0)
        self.max_value = checks.real("max_value", max_value, low=self.min_value)
        self.rate = checks.real("rate", rate, 0.0, 1.0)
        self.axis = _check_axis(axis)

    def get_config(self) -> dict[str, Any]:
        bounds = {"min_value": self.min_value, "max_value": self.max_value}
        return {**bounds, "rate": self.rate, "axis": self.axis}

    def __call__(self, w: Any) -> jax.Array:
        w = jnp.asarray(w)
        norm = _norm(w, self.axis)
        wanted = self.rate * jnp.clip(norm, self.min_value, self.max_value) + (1 - self.rate) * norm
        return w * (wanted / (config.epsilon() + norm))
