"""`Embedding`: a learned vector for each number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from lamina import constraints, initializers, regularizers
from lamina.core import checks, registry
from lamina.layers.dense import refuse_adapters, without_adapters
from lamina.layers.layer import Layer


@registry.register("layer")
class Embedding(Layer):
    """Looks up a learned vector for each whole number, such as the number of a word.

    Args:
        input_dim: how many numbers there are; the inputs are 0 up to ``input_dim - 1``.
        output_dim: length of each vector.
        embeddings_initializer: how the table `(input_dim, output_dim)` is drawn.
        embeddings_regularizer: a loss of the table.
        embeddings_constraint: a projection of the table after each update.
        mask_zero: whether 0 stands for padding that later layers skip.
        weights: a table to start from, as an array or a list of one array.
        lora_rank, lora_alpha, quantization_config: must be ``None``.

    Shapes:
        Input `(batch, ...)`, usually `(batch, time)`, output `(batch, ..., output_dim)`. Keras 2's ``input_length=``
        says how long a sequence is.

    Raises:
        ValueError: a size is not a positive whole number.
        ShapeError: `weights` does not have the shape `(input_dim, output_dim)`.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> layer = lamina.layers.Embedding(1000, 8)
    >>> layer(np.array([[4, 7, 0]])).shape
    (1, 3, 8)
    """

    signature = "batch ... -> batch ... output_dim"
    shape_arguments: ClassVar[dict[str, str]] = {"output_dim": "the size of the axis that is added at the end"}
    common_mistakes: tuple[str, ...] = (
        "The input is the numbers themselves, (batch, time): not one-hot vectors, and without a features axis.",
        "input_dim is the largest number plus 1; a model refuses data with other numbers, the layer alone gives NaN.",
    )
    example_input = (None, 20)
    example_config: ClassVar[dict[str, Any]] = {"input_dim": 1000, "output_dim": 16}

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: None = None,
        lora_alpha: None = None,
        quantization_config: None = None,
        **kwargs: Any,
    ):
        refuse_adapters(
            "Embedding", lora_rank=lora_rank, lora_alpha=lora_alpha, quantization_config=quantization_config
        )
        kwargs.setdefault("autocast", False)  # large numbers would be rounded in a 16-bit float
        first = weights if weights is None or isinstance(weights, (list, tuple)) else [weights]
        super().__init__(weights=first, **kwargs)
        self.input_dim = checks.positive_int("input_dim", input_dim)
        self.output_dim = checks.positive_int("output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.supports_masking = self.mask_zero
        if weights is not None:
            self.build()

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        self.embeddings = self.add_weight((self.input_dim, self.output_dim), name="embeddings")

    def call(self, inputs: Any) -> Any:
        numbers = inputs if jnp.issubdtype(inputs.dtype, np.integer) else inputs.astype("int32")
        return jnp.take(self.embeddings.value, numbers, axis=0).astype(self.compute_dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return jnp.asarray(inputs) != 0 if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        config = {"activity_regularizer": None, **without_adapters(super().get_config())}
        config.pop("weights", None)  # values, not configuration
        return config
