"""Activation functions: each works on numbers, arrays and symbolic tensors, element by element unless said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import config, dtypes, registry, symbolic


def activation(*aliases: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of a float tensor; whole numbers become floats first."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        return registry.register("activation", *aliases)(symbolic.op(function))

    return decorate


def _float(x: Any) -> jax.Array:
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(dtypes.canonical(config.floatx()))


@activation()
def linear(x: Any) -> Any:
    """`x` as it is.

    Example:

    >>> import lamina
    >>> lamina.activations.linear(3.0)
    3.0
    """
    return x


@activation()
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """``max(x, 0)``, with options.

    Args:
        x: a tensor.
        negative_slope: slope below the threshold.
        max_value: values above become this one.
        threshold: values below become 0 (or ``negative_slope * (x - threshold)``).

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.activations.relu(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    x = jnp.asarray(x)
    if negative_slope == 0.0 and threshold == 0.0:
        kept = jax.nn.relu(x)
    else:
        x = _float(x)
        kept = jnp.where(x > threshold, x, negative_slope * (x - threshold))
    return kept if max_value is None else jnp.minimum(kept, jnp.asarray(max_value, kept.dtype))


@activation()
def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``.

    >>> import lamina
    >>> float(lamina.activations.relu6(8.0))
    6.0
    """
    return jax.nn.relu6(jnp.asarray(x))


@activation()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """`x` where positive, ``negative_slope * x`` elsewhere.

    >>> import lamina
    >>> float(lamina.activations.leaky_relu(-10.0))
    -2.0
    """
    return jax.nn.leaky_relu(_float(x), negative_slope)


@activation()
def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, ``alpha * (exp(x) - 1)`` elsewhere (Clevert et al., https://arxiv.org/abs/1511.07289).

    >>> import lamina
    >>> float(lamina.activations.elu(2.0))
    2.0
    """
    return jax.nn.elu(_float(x), alpha)


@activation()
def celu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, ``alpha * (exp(x / alpha) - 1)`` elsewhere (Barron, https://arxiv.org/abs/1704.07483).

    >>> import lamina
    >>> float(lamina.activations.celu(2.0))
    2.0
    """
    return jax.nn.celu(_float(x), alpha)


@activation()
def selu(x: Any) -> Any:
    """An `elu` scaled so that layers keep mean 0 and variance 1 (Klambauer et al., https://arxiv.org/abs/1706.02515).

    >>> import lamina
    >>> round(float(lamina.activations.selu(1.0)), 4)
    1.0507
    """
    return jax.nn.selu(_float(x))


@activation()
def gelu(x: Any, approximate: bool = False) -> Any:
    """``x * P(X <= x)`` of a standard normal X (Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415).

    Args:
        x: a tensor.
        approximate: use the formula with the hyperbolic tangent.

    >>> import lamina
    >>> round(float(lamina.activations.gelu(1.0)), 4)
    0.8413
    """
    return jax.nn.gelu(_float(x), approximate=approximate)


@activation()
def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``.

    >>> import lamina
    >>> float(lamina.activations.sigmoid(0.0))
    0.5
    """
    return jax.nn.sigmoid(_float(x))


@activation()
def hard_sigmoid(x: Any) -> Any:
    """``x / 6 + 1 / 2``, kept between 0 and 1.

    >>> import lamina
    >>> float(lamina.activations.hard_sigmoid(3.0))
    1.0
    """
    return jax.nn.hard_sigmoid(_float(x))


@activation()
def log_sigmoid(x: Any) -> Any:
    """``log(sigmoid(x))``.

    >>> import lamina
    >>> round(float(lamina.activations.log_sigmoid(0.0)), 4)
    -0.6931
    """
    return jax.nn.log_sigmoid(_float(x))


@activation()
def sparse_sigmoid(x: Any) -> Any:
    """``(x + 1) / 2``, kept between 0 and 1 (Blondel et al., https://arxiv.org/abs/1901.02324).

    >>> import lamina
    >>> float(lamina.activations.sparse_sigmoid(2.0))
    1.0
    """
    return jax.nn.sparse_sigmoid(_float(x))


@activation("swish")
def silu(x: Any) -> Any:
    """``x * sigmoid(x)``, also called swish (Ramachandran et al., https://arxiv.org/abs/1710.05941).

    >>> import lamina
    >>> float(lamina.activations.silu(0.0))
    0.0
    """
    return jax.nn.silu(_float(x))


@activation("hard_swish")
def hard_silu(x: Any) -> Any:
    """``x * hard_sigmoid(x)``, also called hard swish (Howard et al., https://arxiv.org/abs/1905.02244).

    >>> import lamina
    >>> float(lamina.activations.hard_silu(3.0))
    3.0
    """
    return jax.nn.hard_silu(_float(x))


@activation()
def mish(x: Any) -> Any:
    """``x * tanh(softplus(x))`` (Misra, https://arxiv.org/abs/1908.08681).

    >>> import lamina
    >>> float(lamina.activations.mish(0.0))
    0.0
    """
    return jax.nn.mish(_float(x))


@activation()
def tanh(x: Any) -> Any:
    """Hyperbolic tangent.

    >>> import lamina
    >>> float(lamina.activations.tanh(0.0))
    0.0
    """
    return jnp.tanh(_float(x))


@activation()
def hard_tanh(x: Any) -> Any:
    """`x`, kept between -1 and 1.

    >>> import lamina
    >>> float(lamina.activations.hard_tanh(3.0))
    1.0
    """
    return jax.nn.hard_tanh(_float(x))


@activation()
def tanh_shrink(x: Any) -> Any:
    """``x - tanh(x)``.

    >>> import lamina
    >>> float(lamina.activations.tanh_shrink(0.0))
    0.0
    """
    x = _float(x)
    return x - jnp.tanh(x)


@activation()
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` where its magnitude is above the threshold, 0 elsewhere.

    >>> import lamina
    >>> float(lamina.activations.hard_shrink(0.4))
    0.0
    """
    x = _float(x)
    return jnp.where(jnp.abs(x) > threshold, x, 0)


@activation()
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` moved towards 0 by the threshold, 0 where its magnitude is below it.

    >>> import lamina
    >>> float(lamina.activations.soft_shrink(2.0))
    1.5
    """
    x = _float(x)
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0))


@activation()
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` where it is above the threshold, a default value elsewhere.

    >>> import lamina
    >>> float(lamina.activations.threshold(0.5, 1.0, 9.0))
    9.0
    """
    x = _float(x)
    return jnp.where(x > threshold, x, jnp.asarray(default_value, x.dtype))


@activation()
def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``.

    >>> import lamina
    >>> round(float(lamina.activations.softplus(0.0)), 4)
    0.6931
    """
    return jax.nn.softplus(_float(x))


@activation()
def sparse_plus(x: Any) -> Any:
    """0 up to -1, `x` from 1 on, ``(x + 1)**2 / 4`` between.

    >>> import lamina
    >>> float(lamina.activations.sparse_plus(0.0))
    0.25
    """
    return jax.nn.sparse_plus(_float(x))


@activation()
def squareplus(x: Any, b: float = 4) -> Any:
    """``(x + sqrt(x**2 + b)) / 2`` (Barron, https://arxiv.org/abs/2112.11687).

    >>> import lamina
    >>> float(lamina.activations.squareplus(0.0))
    1.0
    """
    return jax.nn.squareplus(_float(x), b)


@activation()
def softsign(x: Any) -> Any:
    """``x / (1 + abs(x))``.

    >>> import lamina
    >>> float(lamina.activations.softsign(1.0))
    0.5
    """
    return jax.nn.soft_sign(_float(x))


@activation()
def exponential(x: Any) -> Any:
    """``exp(x)``.

    >>> import lamina
    >>> float(lamina.activations.exponential(0.0))
    1.0
    """
    return jnp.exp(_float(x))


@activation()
def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """Exponentials divided by their sum, so that the values along `axis` add up to 1.

    Args:
        x: a tensor, such as ``(batch, classes)``.
        axis: the axis, or several.

    >>> import lamina
    >>> import numpy as np
    >>> lamina.activations.softmax(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    return jax.nn.softmax(_float(x), axis=_axes(axis))


@activation()
def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """The logarithm of `softmax`, computed without leaving the range of floats.

    >>> import lamina
    >>> import numpy as np
    >>> round(float(lamina.activations.log_softmax(np.zeros((1, 4)))[0, 0]), 4)
    -1.3863
    """
    return jax.nn.log_softmax(_float(x), axis=_axes(axis))


@activation()
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The nearest point of the probability simplex: like `softmax`, with true zeros.

    Martins and Astudillo, `From softmax to sparsemax` (https://arxiv.org/abs/1602.02068), 2016.

    >>> import lamina
    >>> import numpy as np
    >>> lamina.activations.sparsemax(np.array([3.0, 0.0])).tolist()
    [1.0, 0.0]
    """
    x = jnp.moveaxis(_float(x), axis, -1)
    ordered = -jnp.sort(-x, axis=-1)
    excess = jnp.cumsum(ordered, axis=-1) - 1
    count = jnp.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    support = jnp.sum(count * ordered > excess, axis=-1, keepdims=True)
    cut = jnp.take_along_axis(excess, support - 1, axis=-1) / support.astype(x.dtype)
    return jnp.moveaxis(jnp.maximum(x - cut, 0), -1, axis)


@activation()
def glu(x: Any, axis: int = -1) -> Any:
    """The first half along `axis` times the `sigmoid` of the second (Dauphin et al., https://arxiv.org/abs/1612.08083).

    Raises:
        ValueError: the axis has an odd size.

    >>> import lamina
    >>> import numpy as np
    >>> lamina.activations.glu(np.array([6.0, 0.0])).tolist()
    [3.0]
    """
    x = _float(x)
    if x.shape[axis] % 2 != 0:
        raise ValueError(f"glu splits axis {axis} in halves; its size {x.shape[axis]} is odd (shape {x.shape})")
    return jax.nn.glu(x, axis=axis)


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, (list, tuple)) else axis


swish, hard_swish = silu, hard_silu
