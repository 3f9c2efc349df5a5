"""Which places may look at which, and the weights that follow from scores."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.layers.layer import Layer


class MaskingByQuery(Layer):
    """A layer whose output has the places, and so the mask, of its query; the scores have none."""

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The query's mask."""
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def _pass_masks(self, inputs: Any, outputs: Any) -> Any:
        first, *scores = jax.tree.leaves(outputs)
        return [*super()._pass_masks(inputs, first), *(None for _ in scores)]


def near(queries: Any, keys: Any, causal: bool, window: int | None = None) -> Any:
    """Which of so many keys each query may look at, `(queries, keys)`; ``None`` for all.

    Args:
        queries, keys: how many there are.
        causal: whether a query sees no key behind its own place.
        window: if given, a query sees keys that are less than this far away.
    """
    apart = jnp.arange(queries)[:, None] - jnp.arange(keys)[None, :]
    seen = apart >= 0 if causal else None
    if window is None:
        return seen
    return both(seen, jnp.abs(apart) < window)


def both(a: Any, b: Any) -> Any:
    """True where both masks are; ``None`` stands for true everywhere."""
    return b if a is None else a if b is None else jnp.logical_and(a, b)


def far_below(dtype: Any) -> Any:
    """A score that leaves nothing after the softmax."""
    return jnp.asarray(-65500.0 if dtype == jnp.float16 else -1e9, dtype)
