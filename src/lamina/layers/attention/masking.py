"""Which places may look at which, and the weights that follow from scores."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.layers.checking import describe
from lamina.layers.layer import Layer
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


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


def check_mask(layer: Layer, mask: Any, queries: Any, keys: Any) -> None:
    """Refuse an `attention_mask` that does not say for each query which of the keys it may look at.

    Raises:
        ShapeError: its last two axes have other sizes than the numbers of queries and keys.
    """
    if mask is None or mask.ndim < 2:
        return
    pairs = zip(mask.shape[-2:], (queries, keys), strict=True)
    off = any(dims.is_known(size) and size != 1 and dims.is_known(n) and size != n for size, n in pairs)
    if off or (mask.ndim == 2 and not dims.is_known(mask.shape[0]) and dims.is_known(queries)):
        raise ShapeError(
            f"{describe(layer)}: the attention_mask does not fit {queries} queries and {keys} values",
            layer=layer.name,
            expected=f"{dims.show_shape((dims.BATCH, queries, keys))}   (batch, queries, values)",
            received=dims.show_shape(mask.shape),
        )


def far_below(dtype: Any) -> Any:
    """A score that leaves nothing after the softmax."""
    return jnp.asarray(-65500.0 if dtype == jnp.float16 else -1e9, dtype)
