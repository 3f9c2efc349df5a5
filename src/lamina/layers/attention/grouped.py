"""`GroupQueryAttention`: attention in heads, of which several share a key and a value."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax.numpy as jnp

from lamina.core import checks, context, registry
from lamina.core.seeds import SeedGenerator
from lamina.layers.activation import Softmax
from lamina.layers.attention.masking import both, check_mask, near
from lamina.layers.attention.projected import ProjectedAttention, through
from lamina.layers.merging import agree
from lamina.ops.neural import dot_product_attention


@registry.register("layer")
class GroupQueryAttention(ProjectedAttention):
    """Attention in several heads, where groups of query heads share one head of keys and values.

    With one head of keys and values it is multi-query attention, with as many as query heads `MultiHeadAttention`.

    Args:
        head_dim: size of query, key and value in each head.
        num_query_heads: number of heads.
        num_key_value_heads: number of heads that keys and values have; it divides `num_query_heads`.
        dropout: part of the weights to drop during training.
        use_bias: whether the projections add biases.
        sliding_window: if given, places see only those that are less than this far away.
        flash_attention: whether to use cuDNN's fused kernel, which needs a GPU and drops no weights.
        kernel_initializer, bias_initializer: how kernels and biases are drawn.
        kernel_regularizer, bias_regularizer: losses of kernels and biases.
        activity_regularizer: a loss of the output, and of what each of the projections gives.
        kernel_constraint, bias_constraint: projections of kernels and biases after each update.
        use_gate: whether the heads' results are multiplied by a sigmoid of a further projection of the query.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Query `(batch, queries, features)`, value and key `(batch, values, features)`; output
        `(batch, queries, features)`; with ``return_attention_scores=True`` the weights
        `(batch, heads, queries, values)` after it. Masks are `(batch, queries)` and `(batch, values)`;
        `attention_mask` is `(batch, queries, values)`, true where a query may look.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: query, value and key do not fit together.

    References:
        Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints", 2023,
        https://arxiv.org/abs/2305.13245

    Example:

    >>> import lamina
    >>> layer = lamina.layers.GroupQueryAttention(head_dim=8, num_query_heads=4, num_key_value_heads=2)
    >>> query, value = lamina.Input((8, 16)), lamina.Input((20, 16))
    >>> layer(query, value).shape
    (None, 8, 16)
    """

    example_config: ClassVar[dict[str, Any]] = {"head_dim": 8, "num_query_heads": 4, "num_key_value_heads": 2}

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        kwargs.setdefault("name", context.auto_name("GroupedQueryAttention"))  # as Keras names it
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.head_dim = checks.positive_int("head_dim", head_dim)
        self.num_query_heads = checks.positive_int("num_query_heads", num_query_heads)
        self.num_key_value_heads = checks.positive_int("num_key_value_heads", num_key_value_heads)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"`num_query_heads`={num_query_heads} must be a multiple of `num_key_value_heads`={num_key_value_heads}"
            )
        self._set_projections(
            use_bias, dropout, sliding_window, flash_attention, use_gate, seed,
            {"kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
             "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
             "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint},
        )  # fmt: skip
        self._regularizer_inside = self.activity_regularizer

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        self._note_shapes(query_shape, value_shape, key_shape)
        key_shape = value_shape if key_shape is None else key_shape
        self._query_dense = self._into_heads("query", query_shape, self.num_query_heads)
        self._key_dense = self._into_heads("key", key_shape, self.num_key_value_heads)
        if self.use_gate:
            self._gate_dense = self._into_heads("gate", query_shape, self.num_query_heads)
        self._value_dense = self._into_heads("value", value_shape, self.num_key_value_heads)
        self._softmax = Softmax(dtype=self.dtype_policy)
        self._softmax.built = True  # where attention runs as one operation nobody calls it
        self._make_dropout()
        features = query_shape[-1]
        self._output_dense = self._projection("attention_output", "abyz,yzx->abx", (query_shape[1], features), "x")
        self._output_dense.build((*query_shape[:2], self.num_query_heads, self.head_dim))

    def _into_heads(self, name: str, shape: Any, heads: int) -> Any:
        dense = self._projection(name, "abx,xyz->abyz", (shape[1], heads, self.head_dim), "yz")
        dense.build(shape)
        return dense

    def _last_projection(self) -> Any:
        return self._output_dense

    def call(
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check_shapes(query.shape, None if value is None else value.shape, None if key is None else key.shape)
        key = value if key is None else key
        query, value, key = agree(self, (query, value, key), "query, value and key must be of as many samples", (0,))
        value, key = agree(self, (value, key), "value and key must have the same length", (1,))
        check_mask(self, attention_mask, query.shape[1], key.shape[1])
        seen = near(query.shape[1], key.shape[1], use_causal_mask, self.sliding_window)
        for axis, own in ((-1, query_mask), (1, value_mask), (1, key_mask)):
            seen = both(seen, None if own is None else jnp.expand_dims(jnp.asarray(own, bool), axis))
        seen = both(seen, None if attention_mask is None else jnp.asarray(attention_mask, bool))
        if seen is not None and seen.ndim == 3:
            seen = seen[:, None]
        q, k, v = (
            through(dense, x)
            for dense, x in ((self._query_dense, query), (self._key_dense, key), (self._value_dense, value))
        )
        if self.dropout == 0.0 and not return_attention_scores:
            outputs = dot_product_attention(q, k, v, mask=seen, flash_attention=self.flash_attention)
            return self._output_of(outputs, query)
        shared = self.num_query_heads // self.num_key_value_heads
        k, v = jnp.repeat(k, shared, axis=2), jnp.repeat(v, shared, axis=2)
        scores = jnp.einsum("bqhf,bvhf->bhqv", q * (1.0 / math.sqrt(self.head_dim)), k)
        mask = None if seen is None else jnp.broadcast_to(seen, scores.shape)
        weights = self._softmax(scores, mask=mask)
        outputs = jnp.einsum("bhqv,bvhf->bqhf", self._drop(weights, training), v)
        outputs = self._output_of(outputs, query)
        return (outputs, weights) if return_attention_scores else outputs
