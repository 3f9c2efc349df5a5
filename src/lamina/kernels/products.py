"""Products with a matrix of weights, as one product of two matrices.

XLA for CPUs takes twice as long, and one core only, for the gradient of a product over several leading axes.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lamina.kernels.choosing import only_reference


def reference(x: Any, weights: Any) -> Any:
    """``x @ weights`` as it stands; see `rows_times`."""
    return jnp.matmul(x, weights)


def rows_times(x: Any, weights: Any) -> Any:
    """``x @ weights`` for `x` ``(..., features)`` and `weights` ``(features, units)``.

    Example:

    >>> import jax.numpy as jnp
    >>> rows_times(jnp.ones((2, 5, 3)), jnp.ones((3, 4))).shape
    (2, 5, 4)
    """
    known = all(isinstance(size, int) for size in x.shape)
    if x.ndim < 3 or weights.ndim != 2 or not known or x.size == 0 or only_reference():
        return reference(x, weights)
    rows = jnp.matmul(x.reshape(-1, x.shape[-1]), weights)
    return rows.reshape(*x.shape[:-1], weights.shape[-1])
