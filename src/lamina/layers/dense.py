"""`Dense`: weighted sums of features."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from lamina import activations, constraints, initializers, regularizers
from lamina.core import checks, registry
from lamina.kernels.products import rows_times
from lamina.layers.layer import Layer

ADAPTERS = ("lora_rank", "lora_alpha", "quantization_config")


def refuse_adapters(kind: str, **given: Any) -> None:
    """Refuse Keras's arguments for low-rank adapters and quantization, which belong to no layer here.

    Raises:
        ValueError: one of them is not ``None``.
    """
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{kind}: `{name}`={value!r}: layers are neither adapted nor quantized; leave it None")


def without_adapters(config: dict[str, Any]) -> dict[str, Any]:
    """A config as Keras writes it: the adapters' arguments are in it only where they are used."""
    return {name: value for name, value in config.items() if name not in ADAPTERS[:2]}


@registry.register("layer")
class Dense(Layer):
    """Every output feature is a weighted sum of all the input features.

    Computes ``activation(inputs @ kernel + bias)`` along the last axis; all other axes are kept.

    Args:
        units: size of the output's last axis.
        activation: what to apply to the sums; none by default.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel `(features, units)` is drawn.
        bias_initializer: how the bias `(units,)` is drawn.
        kernel_regularizer: a loss of the kernel.
        bias_regularizer: a loss of the bias.
        activity_regularizer: a loss of the output.
        kernel_constraint: a projection of the kernel after each update.
        bias_constraint: a projection of the bias after each update.
        lora_rank, lora_alpha, quantization_config: must be ``None``.

    Shapes:
        Input `(batch, ..., features)`, output `(batch, ..., units)`.

    Raises:
        ValueError: `units` is not a positive whole number, or an activation, initializer ... is unknown.
        ShapeError: the size of the last axis is open, or not the one that the layer was built for.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> layer = lamina.layers.Dense(4, activation="relu")
    >>> layer(np.ones((2, 3))).shape
    (2, 4)
    >>> [(w.name, w.shape) for w in layer.weights]
    [('kernel', (3, 4)), ('bias', (4,))]
    """

    signature = "batch ... features -> batch ... units"
    built_axes = ("features",)
    shape_arguments: ClassVar[dict[str, str]] = {"units": "the size of the output's last axis"}
    common_mistakes = (
        "Images go in with all their axes and only the last one is summed over: put layers.Flatten() before it.",
        "`input_shape=` is the shape of one sample, (10,) for ten numbers; the number of samples is not part of it.",
        "The last Dense of a classifier has one unit for each class, and one unit (with a sigmoid) for two classes.",
    )
    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"units": 32}

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: None = None,
        lora_alpha: None = None,
        quantization_config: None = None,
        **kwargs: Any,
    ):
        refuse_adapters("Dense", lora_rank=lora_rank, lora_alpha=lora_alpha, quantization_config=quantization_config)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = checks.positive_int("units", units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight((self.units,), name="bias") if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        outputs = rows_times(jnp.asarray(inputs), self.kernel.value)
        return self.activation(outputs if self.bias is None else outputs + self.bias.value)

    def get_config(self) -> dict[str, Any]:
        config = without_adapters(super().get_config())
        if config.get("activity_regularizer", ...) is None:
            del config["activity_regularizer"]
        return config
