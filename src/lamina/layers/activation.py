"""Activations as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina import activations, constraints, initializers, regularizers
from lamina.core import checks, registry
from lamina.layers.layer import Layer

_EVERY_ELEMENT = "batch ... -> batch ..."


@registry.register("layer")
class Activation(Layer):
    """Applies an activation function.

    Args:
        activation: its name, such as ``"relu"``, or a function of a tensor.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: no activation has that name.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Activation("relu")(np.array([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    signature = _EVERY_ELEMENT
    common_mistakes = ("A softmax over an axis of size 1 always gives 1: use a sigmoid for a single unit.",)
    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"activation": "relu"}

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)


@registry.register("layer")
class ReLU(Layer):
    """``max(x, 0)``, with options.

    Args:
        max_value: larger outputs become this one; none by default.
        negative_slope: slope below the threshold.
        threshold: values below become 0, or ``negative_slope * (x - threshold)``.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: an argument is negative or no number.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.ReLU(max_value=1.0)(np.array([[-1.0, 0.5, 2.0]])).tolist()
    [[0.0, 0.5, 1.0]]
    """

    signature = _EVERY_ELEMENT
    example_input = (None, 10)

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else checks.real("max_value", max_value, low=0.0)
        self.negative_slope = checks.real("negative_slope", negative_slope, low=0.0)
        self.threshold = checks.real("threshold", threshold, low=0.0)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


@registry.register("layer")
class LeakyReLU(Layer):
    """`x` where positive, ``negative_slope * x`` elsewhere.

    Args:
        negative_slope: slope below 0 (``alpha=`` in Keras 2).

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: `negative_slope` is negative or no number.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.LeakyReLU(0.5)(np.array([[-1.0, 2.0]])).tolist()
    [[-0.5, 2.0]]
    """

    signature = _EVERY_ELEMENT
    example_input = (None, 10)

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = checks.real("negative_slope", slope, low=0.0)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(inputs, self.negative_slope)


@registry.register("layer")
class PReLU(Layer):
    """`x` where positive, ``alpha * x`` elsewhere; every element's slope `alpha` is learned.

    Args:
        alpha_initializer: how the slopes are drawn.
        alpha_regularizer: a loss of the slopes.
        alpha_constraint: a projection of the slopes after each update.
        shared_axes: axes (counted from 1, after the batch axis) along which one slope is shared; ``[1, 2]`` for
            images gives one slope for each channel.

    Shapes:
        Input `(batch, ...)`, output the same. The slopes have the shape of one sample, 1 along shared axes.

    Raises:
        ValueError: `shared_axes` holds something else than whole numbers of at least 1.

    References:
        He et al., "Delving Deep into Rectifiers", 2015, https://arxiv.org/abs/1502.01852

    Example:

    >>> import lamina
    >>> layer = lamina.layers.PReLU(shared_axes=[1, 2])
    >>> y = layer(lamina.Input((28, 28, 3)))
    >>> layer.alpha.shape
    (1, 1, 3)
    """

    signature = "batch *axis -> batch *axis"
    common_mistakes = ("Images of several sizes need shared_axes=[1, 2]: otherwise each pixel has its own slope.",)
    example_input = (None, 28, 28, 3)
    example_config: ClassVar[dict[str, Any]] = {"shared_axes": [1, 2]}

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Sequence[int] | int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = None if shared_axes is None else _axes_after_batch(shared_axes)
        self.supports_masking = True

    @property
    def built_axes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The axes along which every element has its own slope."""
        return tuple(f"axis_{i}" for i in range(1, 8) if i not in (self.shared_axes or ()))

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or ()
        self.alpha = self.add_weight([1 if i in shared else n for i, n in enumerate(input_shape)][1:], name="alpha")

    def call(self, inputs: Any) -> Any:
        return jax.nn.relu(inputs) - self.alpha.value * jax.nn.relu(-inputs)


def _axes_after_batch(axes: Any) -> list[int]:
    entries = [axes] if checks.is_whole(axes) else list(axes)
    if not all(checks.is_whole(a) and a >= 1 for a in entries):
        raise ValueError(f"`shared_axes`={axes!r}: expected axes counted from 1 (axis 0 is the batch)")
    return [int(a) for a in entries]


@registry.register("layer")
class ELU(Layer):
    """`x` where positive, ``alpha * (exp(x) - 1)`` elsewhere.

    Args:
        alpha: the negative of the smallest output.

    Shapes:
        Input `(batch, ...)`, output the same.

    References:
        Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2015,
        https://arxiv.org/abs/1511.07289

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.ELU()(np.array([[0.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    signature = _EVERY_ELEMENT
    example_input = (None, 10)

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = checks.real("alpha", alpha)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, self.alpha)


@registry.register("layer")
class Softmax(Layer):
    """Positive numbers that add up to 1 along an axis.

    Args:
        axis: the axis, or several of them that add up to 1 together.

    Shapes:
        Input `(batch, ...)`, output the same; called with ``mask=`` of the input's shape (``True`` where an element
        counts), masked elements get 0.

    Raises:
        ValueError: `axis` is no whole number and no sequence of them.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Softmax()(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    signature = _EVERY_ELEMENT
    common_mistakes = ("A softmax over an axis of size 1 always gives 1: use a sigmoid for a single unit.",)
    example_input = (None, 10)

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = checked_axis(axis)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        if mask is None:
            return jax.nn.softmax(inputs, axis=axis)
        mask = jnp.asarray(mask, "bool")
        mask = mask.reshape(mask.shape + (1,) * (inputs.ndim - mask.ndim))  # a mask of time steps covers all features
        far_below = jnp.asarray(jnp.finfo(inputs.dtype).min / 2, inputs.dtype)
        return jnp.where(mask, jax.nn.softmax(jnp.where(mask, inputs, far_below), axis=axis), 0.0)


def checked_axis(axis: Any, name: str = "axis") -> int | list[int]:
    """One axis as an ``int``, several as a list.

    Raises:
        ValueError: it is neither a whole number nor some of them.
    """
    if checks.is_whole(axis):
        return int(axis)
    if not isinstance(axis, Sequence) or isinstance(axis, str) or not axis or not all(map(checks.is_whole, axis)):
        raise ValueError(f"`{name}`={axis!r}: expected a whole number or several of them")
    return [int(a) for a in axis]
