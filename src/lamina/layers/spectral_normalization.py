"""`SpectralNormalization`: a layer whose kernel has spectral norm 1."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, context, registry
from lamina.core.variable import Variable
from lamina.layers.layer import Layer
from lamina.layers.wrapper import Wrapper


@registry.register("layer")
class SpectralNormalization(Wrapper):
    """Divides the kernel of the layer inside by its largest singular value, at each call during training.

    Args:
        layer: a layer with a weight `kernel` or `embeddings`.
        power_iterations: steps of the power iteration that estimates the singular value.

    Shapes:
        Those of the layer inside.

    Raises:
        ValueError: `layer` is no layer or has no such weight, or `power_iterations` is less than 1.

    References:
        Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018,
        https://arxiv.org/abs/1802.05957

    Example:

    >>> import lamina
    >>> layer = lamina.layers.SpectralNormalization(lamina.layers.Dense(4))
    >>> layer(lamina.Input((8,))).shape
    (None, 4)
    """

    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {
        "layer": {"module": "keras.layers", "class_name": "Dense", "config": {"units": 32}}
    }

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.power_iterations = checks.positive_int("power_iterations", power_iterations)

    @property
    def signature(self) -> Any:  # type: ignore[override]
        """That of the layer inside."""
        return self.layer.signature

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if kernel is None:
            raise ValueError(
                f'SpectralNormalization: {type(self.layer).__name__} "{self.layer.name}" has no weight '
                f"`kernel` or `embeddings` to normalize"
            )
        self.kernel: Variable = kernel
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]), "truncated_normal", trainable=False, name="vector_u"
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            with context.autocast(None):
                self._normalize()
        return self.layer(inputs)

    def _normalize(self) -> None:
        matrix = self.kernel.value.reshape((-1, self.kernel.shape[-1]))
        u, fixed = self.vector_u.value, jax.lax.stop_gradient(matrix)
        for _ in range(self.power_iterations):
            v = _unit(u @ fixed.T)
            u = _unit(v @ fixed)
        largest = (v @ matrix @ u.T).reshape(())  # a constant u and v give the singular value's gradient
        self.vector_u.assign(u)
        self.kernel.assign(self.kernel.value / largest)


def _unit(vector: jax.Array) -> jax.Array:
    return vector * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vector)), 1e-12))
