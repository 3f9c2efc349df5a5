"""Small layers that Keras 1 and 2 had and Keras 3 has not: models out of old files use them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina import activations, constraints, initializers, regularizers
from lamina.core import checks, registry
from lamina.layers.layer import Layer


@registry.register("layer")
class ThresholdedReLU(Layer):
    """Leaves what is greater than `theta` and makes the rest zero.

    Args:
        theta: the threshold.

    Shapes:
        Input `(batch, ...)`, output the same.
    """

    signature = "batch ... -> batch ..."

    def __init__(self, theta: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.theta = checks.real("theta", theta, low=0.0)
        self.supports_masking = True

    def call(self, inputs: jax.Array) -> jax.Array:
        return jnp.where(inputs > self.theta, inputs, jnp.zeros_like(inputs))


class _Sums(Layer):
    """The arguments that layers of weighted sums share."""

    def __init__(
        self,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)


@registry.register("layer")
class MaxoutDense(_Sums):
    """The largest of several weighted sums for every output feature, of Keras 1.

    Args:
        units: size of the output's last axis.
        nb_feature: how many sums there are to choose from.
        kwargs: as of `Dense`.

    Shapes:
        Input `(batch, features)`, output `(batch, units)`.

    References:
        Goodfellow et al., "Maxout Networks", 2013
    """

    signature = "batch features -> batch units"
    built_axes = ("features",)

    def __init__(self, units: int, nb_feature: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = checks.positive_int("units", units)
        self.nb_feature = checks.positive_int("nb_feature", nb_feature)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((self.nb_feature, input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight((self.nb_feature, self.units), name="bias") if self.use_bias else None

    def call(self, inputs: jax.Array) -> jax.Array:
        sums = jnp.einsum("nf,kfu->nku", inputs, self.kernel.value)
        return jnp.max(sums if self.bias is None else sums + self.bias.value, axis=1)


@registry.register("layer")
class Highway(_Sums):
    """A mixture of a dense layer's output and its input, by a gate that is learned; of Keras 1.

    Args:
        activation: what is applied to the sums.
        transform_bias: where the gate's bias starts.
        kwargs: as of `Dense`.

    Shapes:
        Input `(batch, features)`, output the same.

    References:
        Srivastava, Greff and Schmidhuber, "Highway Networks", 2015
    """

    signature = "batch features -> batch features"
    built_axes = ("features",)

    def __init__(self, activation: Any = None, transform_bias: float = -1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.transform_bias = checks.real("transform_bias", transform_bias)

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        start = initializers.get("zeros") if not self.use_bias else initializers.Constant(self.transform_bias)
        self.kernel = self.add_weight((size, size), name="kernel")
        self.carry_kernel = self.add_weight((size, size), self.kernel_initializer, name="carry_kernel")
        self.bias = self.add_weight((size,), name="bias") if self.use_bias else None
        self.carry_bias = self.add_weight((size,), start, name="carry_bias") if self.use_bias else None

    def call(self, inputs: jax.Array) -> jax.Array:
        sums, gate = jnp.matmul(inputs, self.kernel.value), jnp.matmul(inputs, self.carry_kernel.value)
        if self.bias is not None:
            sums, gate = sums + self.bias.value, gate + self.carry_bias.value  # type: ignore[union-attr]
        share = jax.nn.sigmoid(gate)
        return share * self.activation(sums) + (1 - share) * inputs
