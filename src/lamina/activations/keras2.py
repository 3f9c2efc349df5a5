"""Activations of Keras 1 and 2 that Keras 3 computes otherwise; models out of old files use them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from lamina.activations.functions import activation


@activation()
def keras2_hard_sigmoid(x: Any) -> Any:
    """``0.2 x + 1 / 2``, kept between 0 and 1: the `hard_sigmoid` of Keras 1 and 2.

    Keras 3 has ``x / 6 + 1 / 2`` under that name.

    Example:

    >>> import lamina
    >>> round(float(lamina.activations.get("keras2_hard_sigmoid")(1.0)), 6)
    0.7
    """
    return jnp.clip(0.2 * jnp.asarray(x) + 0.5, 0.0, 1.0)
