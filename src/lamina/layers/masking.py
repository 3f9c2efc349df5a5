"""`Masking`: steps that are to be skipped."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.layers.layer import Layer


@registry.register("layer")
class Masking(Layer):
    """Marks the time steps at which all features equal `mask_value`; later layers skip them.

    Args:
        mask_value: the value that padding is made of.

    Shapes:
        Input `(batch, ..., features)`, usually `(batch, time, features)`, output the same with 0 at masked steps.
        The mask is `(batch, ...)`, true at steps that count.

    Raises:
        ValueError: `mask_value` is no number.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> x = np.array([[[1.0, 2.0], [0.0, 3.0], [0.0, 0.0]]])
    >>> lamina.layers.Masking().compute_mask(x).tolist()
    [[True, True, False]]
    """

    signature = "batch ... features -> batch ... features"
    common_mistakes = ("A step is masked only where every one of its features equals mask_value, not just one.",)
    example_input = (None, 20, 3)

    def __init__(self, mask_value: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.mask_value = checks.real("mask_value", mask_value)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return jnp.any(jnp.asarray(inputs) != self.mask_value, axis=-1)

    def call(self, inputs: Any) -> Any:
        counts = jnp.any(inputs != self.mask_value, axis=-1, keepdims=True)
        return inputs * counts.astype(inputs.dtype)
