"""`MultiHeadAttention`: attention in several heads, each with its own projections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp

from lamina import regularizers
from lamina.core import checks, registry
from lamina.core.seeds import SeedGenerator
from lamina.layers.activation import Softmax
from lamina.layers.attention.masking import both, check_mask, near
from lamina.layers.attention.projected import ProjectedAttention, through
from lamina.layers.merging import agree
from lamina.ops.neural import dot_product_attention

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@registry.register("layer")
class MultiHeadAttention(ProjectedAttention):
    """Attention in several heads: each projects query, key and value its own way; the results are brought together.

    Args:
        num_heads: number of heads.
        key_dim: size of query and key in each head.
        value_dim: size of the value in each head; by default `key_dim`.
        dropout: part of the weights to drop during training.
        use_bias: whether the projections add biases.
        output_shape: size of the output's features, one number or several; by default that of the query.
        attention_axes: the axes along which places look at each other, counted with the batch axis; by default all
            between batch and features. Along the other axes query and value agree.
        sliding_window: if given, places see only those that are less than this far away.
        flash_attention: whether to use cuDNN's fused kernel, which needs a GPU and drops no weights.
        kernel_initializer, bias_initializer: how kernels and biases are drawn.
        kernel_regularizer, bias_regularizer: losses of kernels and biases.
        activity_regularizer: a loss of what each of the projections gives.
        kernel_constraint, bias_constraint: projections of kernels and biases after each update.
        use_gate: whether the heads' results are multiplied by a sigmoid of a further projection of the query (Qiu et
            al., "Gated Attention for Large Language Models", 2025).
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
        Vaswani et al., "Attention Is All You Need", 2017, https://arxiv.org/abs/1706.03762

    Example:

    >>> import lamina
    >>> layer = lamina.layers.MultiHeadAttention(num_heads=2, key_dim=8)
    >>> query, value = lamina.Input((8, 16)), lamina.Input((20, 16))
    >>> output, weights = layer(query, value, return_attention_scores=True)
    >>> output.shape, weights.shape
    ((None, 8, 16), (None, 2, 8, 20))
    """

    shape_arguments: ClassVar[dict[str, str]] = {"output_shape": "the size of the output's features"}
    example_config: ClassVar[dict[str, Any]] = {"num_heads": 2, "key_dim": 8}

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
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
        super().__init__(**kwargs)
        self.num_heads = checks.positive_int("num_heads", num_heads)
        self.key_dim = checks.positive_int("key_dim", key_dim)
        self.value_dim = self.key_dim if value_dim is None else checks.positive_int("value_dim", value_dim)
        self._set_projections(
            use_bias, dropout, sliding_window, flash_attention, use_gate, seed,
            {"kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
             "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
             "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint},
        )  # fmt: skip
        self._regularizer_inside = regularizers.get(activity_regularizer)
        sizes = (output_shape,) if checks.is_whole(output_shape) else output_shape
        self._sizes = None if sizes is None else tuple(checks.positive_int("output_shape", n) for n in sizes)  # type: ignore[union-attr]
        axes = (attention_axes,) if checks.is_whole(attention_axes) else attention_axes
        if axes is not None and (isinstance(axes, str) or not axes or not all(map(checks.is_whole, axes))):  # type: ignore[arg-type]
            raise ValueError(f"`attention_axes`={attention_axes!r}: expected a whole number or several of them")
        self.attention_axes = None if axes is None else tuple(int(a) for a in axes)  # type: ignore[union-attr,arg-type]

    @property
    def signature(self) -> str:  # type: ignore[override]
        """Places may have several axes; the output's features are as `output_shape` says."""
        out = ["features"] if self._sizes is None else [str(n) for n in self._sizes]
        return f"batch ... queries features, batch ... values value_features -> batch ... queries {' '.join(out)}"

    # Weights

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        self._note_shapes(query_shape, value_shape, key_shape)
        key_shape = value_shape if key_shape is None else key_shape
        places = _LETTERS[: len(query_shape) - 1]
        into = f"{places}x,xyz->{places}yz"
        self.query_dense = self._into_heads("query", into, query_shape, self.key_dim)
        self.key_dense = self._into_heads("key", into, key_shape, self.key_dim)
        if self.use_gate:
            self._gate_dense = self._into_heads("gate", into, query_shape, self.value_dim)
        self.value_dense = self._into_heads("value", into, value_shape, self.value_dim)
        self._softmax = Softmax(dtype=self.dtype_policy)
        self._softmax.built = True  # where attention runs as one operation nobody calls it
        self._make_dropout()
        sizes = (query_shape[-1],) if self._sizes is None else self._sizes
        new = _LETTERS[len(places) : len(places) + len(sizes)]
        out_of = f"{places}yz,yz{new}->{places}{new}"
        self.output_dense = self._projection("attention_output", out_of, (*query_shape[1:-1], *sizes), new)
        self.output_dense.build((*query_shape[:-1], self.num_heads, self.value_dim))

    def _into_heads(self, name: str, equation: str, shape: Any, size: int) -> Any:
        dense = self._projection(name, equation, (*shape[1:-1], self.num_heads, size), "yz")
        dense.build(shape)
        return dense

    def _last_projection(self) -> Any:
        return self.output_dense

    # Running

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
        axes = self._axes(query.ndim)
        others = [a for a in range(1, query.ndim - 1) if a not in axes]
        query, value, key = agree(self, (query, value, key), "query, value and key must agree", [0, *others])
        value, key = agree(self, (value, key), "value and key must have the same length", axes)
        if axes == [1]:
            check_mask(self, attention_mask, query.shape[1], key.shape[1])
        mask = self._mask(query, key, (query_mask, value_mask, key_mask), attention_mask, use_causal_mask, axes)
        order = (0, *others, *axes, query.ndim - 1, query.ndim)
        q, k, v = (
            jnp.transpose(through(dense, x), order)
            for dense, x in ((self.query_dense, query), (self.key_dense, key), (self.value_dense, value))
        )
        fused = self.dropout == 0.0 and not return_attention_scores and q.ndim == 4 and self.key_dim == self.value_dim
        if fused:
            outputs = dot_product_attention(q, k, v, mask=mask, flash_attention=self.flash_attention)
        else:
            outputs, weights = self._attend(q, k, v, mask, len(axes), training)
        back = sorted(range(len(order)), key=order.__getitem__)
        outputs = self._output_of(jnp.transpose(outputs, back), query)
        return (outputs, weights) if return_attention_scores else outputs

    def _attend(self, q: Any, k: Any, v: Any, mask: Any, looked: int, training: bool) -> tuple[Any, Any]:
        """Outputs and weights; axes are the batch's, `looked` axes of places, heads and features."""
        batch = _LETTERS[: q.ndim - 2 - looked]
        rest = _LETTERS[len(batch) :]
        queries, keys = rest[:looked], rest[looked : 2 * looked]
        scores = f"{batch}Y{queries}{keys}"
        q = q * (1.0 / math.sqrt(self.key_dim))
        weights = jnp.einsum(f"{batch}{queries}YZ,{batch}{keys}YZ->{scores}", q, k)
        flat = weights.reshape((*weights.shape[:-looked], -1)) if looked > 1 else weights
        if mask is not None:
            mask = jnp.broadcast_to(mask, weights.shape).reshape(flat.shape)
        weights = self._softmax(flat, mask=mask).reshape(weights.shape)
        dropped = self._drop(weights, training)
        return jnp.einsum(f"{scores},{batch}{keys}YZ->{batch}{queries}YZ", dropped, v), weights

    def _axes(self, rank: int) -> list[int]:
        """The axes along which places look at each other.

        Raises:
            ShapeError: the query has no such axis.
        """
        if self.attention_axes is None:
            return list(range(1, rank - 1))
        axes = sorted({a % rank for a in self.attention_axes if -rank <= a < rank})
        if len(axes) != len(self.attention_axes) or axes[0] == 0 or axes[-1] == rank - 1:
            shown = {"attention_axes": (*self.attention_axes,)}
            raise self._misfit(f"cannot look along {shown} of a query with {rank} axes", {}, "batch and features apart")
        return axes

    def _mask(self, query: Any, key: Any, padding: Any, given: Any, causal: bool, axes: list[int]) -> Any:
        """Where queries may look, in a shape that broadcasts to that of the weights; ``None`` for everywhere."""
        mask = None
        for place, own in enumerate(padding):
            if own is not None:
                mask = both(mask, self._spread(own, query.ndim - 1, axes, of_query=place == 0))
        if causal or self.sliding_window is not None:
            if len(axes) > 1:
                raise self._misfit(
                    "sees an order only along one axis: give attention_axes, one axis", {"query": query.shape}
                )
            mask = both(mask, near(query.shape[axes[0]], key.shape[axes[0]], causal, self.sliding_window))
        if given is None:
            return mask
        given = jnp.asarray(given, bool)
        heads = -1 - 2 * len(axes)
        for _ in range(query.ndim + len(axes) - given.ndim):
            given = jnp.expand_dims(given, max(heads, -given.ndim - 1))
        return both(mask, given)

    def _spread(self, mask: Any, places: int, axes: list[int], of_query: bool) -> Any:
        """A mask of the first axes of query or key, spread out as the weights are."""
        mask = jnp.asarray(mask, bool)
        mask = mask.reshape(mask.shape + (1,) * (places - mask.ndim))
        others = [a for a in range(places) if a not in axes]
        mask = jnp.transpose(mask, (*others, *axes))
        shape, at = mask.shape, len(others)
        ones = (1,) * len(axes)
        looked = (*shape[at:], *ones) if of_query else (*ones, *shape[at:])
        return mask.reshape((*shape[:at], 1, *looked))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_shape": self._sizes, "activity_regularizer": self._own_regularizer()}

    def _own_regularizer(self) -> Any:
        return registry.serialize(self._regularizer_inside)
