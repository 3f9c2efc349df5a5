"""`ReversibleEmbedding`: a table of vectors that is read both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core import checks, dtypes, registry
from lamina.layers.checking import describe
from lamina.layers.embedding import Embedding
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


@registry.register("layer")
class ReversibleEmbedding(Embedding):
    """Looks up a learned vector for each whole number; called with ``reverse=True``, scores each number for a vector.

    A language model reads its words with it and, at the end, tells with the same table which word comes next.

    Args:
        input_dim: how many numbers there are; the inputs are 0 up to ``input_dim - 1``.
        output_dim: length of each vector.
        tie_weights: whether both ways use one table; otherwise the way back has one of its own.
        embeddings_initializer: how a table is drawn.
        embeddings_regularizer: a loss of the tables.
        embeddings_constraint: a projection of the tables after each update.
        mask_zero: whether 0 stands for padding that later layers skip.
        reverse_dtype: the type that the way back is computed in, such as ``"float32"``; by default the layer's.
        logit_soft_cap: a bound that the scores are bent towards: ``cap * tanh(score / cap)``.

    Shapes:
        Input `(batch, ...)`, output `(batch, ..., output_dim)`; with ``reverse=True`` input
        `(batch, ..., output_dim)`, output `(batch, ..., input_dim)`.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: vectors to be scored are not `output_dim` long.

    References:
        Press and Wolf, "Using the Output Embedding to Improve Language Models", 2016,
        https://arxiv.org/abs/1608.05859

    Example:

    >>> import lamina
    >>> words = lamina.layers.ReversibleEmbedding(1000, 8)
    >>> vectors = words(lamina.Input((20,), dtype="int32"))
    >>> vectors.shape, words(vectors, reverse=True).shape
    ((None, 20, 8), (None, 20, 1000))
    """

    common_mistakes = (*Embedding.common_mistakes, "The way back is the same layer, called with reverse=True.")

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: str | None = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero,
            **kwargs,
        )  # fmt: skip
        self.tie_weights = bool(tie_weights)
        self.reverse_dtype = None if reverse_dtype is None else dtypes.standardize_dtype(reverse_dtype)
        self.logit_soft_cap = None if logit_soft_cap is None else checks.real("logit_soft_cap", logit_soft_cap, 0.0)
        if self.logit_soft_cap == 0.0:
            raise ValueError("`logit_soft_cap`=0.0: a bound of 0 leaves no scores; expected more, or None")

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        super().build(input_shape)
        self.reverse_embeddings = None
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                (self.output_dim, self.input_dim),
                self.embeddings_initializer,
                regularizer=self.embeddings_regularizer,
                constraint=self.embeddings_constraint,
                name="reverse_embeddings",
            )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if not reverse:
            return super().call(inputs)
        if inputs.ndim == 0 or (dims.is_known(inputs.shape[-1]) and inputs.shape[-1] != self.output_dim):
            raise ShapeError(
                f"{describe(self)} scores vectors of {self.output_dim} numbers",
                layer=self.name,
                expected=f"(batch, ..., output_dim)   output_dim={self.output_dim}",
                received=dims.show_shape(dims.to_public(inputs.shape)),
            )
        own = self.reverse_embeddings
        table = self.embeddings.value.T if own is None else own.value
        dtype = self.reverse_dtype or self.compute_dtype
        scores = jnp.matmul(inputs.astype(dtype), table.astype(dtype))
        cap = self.logit_soft_cap
        return scores if cap is None else jnp.tanh(scores / cap) * cap

    def _pass_masks(self, inputs: Any, outputs: Any) -> Any:
        return [None] if outputs.ndim == inputs.ndim else super()._pass_masks(inputs, outputs)  # scores have no mask
