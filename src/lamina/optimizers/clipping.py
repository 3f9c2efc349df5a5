"""Gradients that are not longer than a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp


def by_norm(gradient: Any, limit: float) -> Any:
    """The gradient, shortened to the norm `limit` where it is longer."""
    norm = jnp.sqrt(jnp.sum(jnp.square(gradient)))
    return gradient * limit / jnp.maximum(norm, limit)


def by_global_norm(gradients: Sequence[Any], limit: float) -> list[Any]:
    """The gradients, all shortened by one factor where their common norm exceeds `limit`."""
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in gradients))
    return [g * (limit / jnp.maximum(norm, limit)).astype(g.dtype) for g in gradients]
