"""`Attention` and `AdditiveAttention`: one head, without projections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.core.seeds import SeedGenerator, kept
from lamina.layers.attention.masking import MaskingByQuery, both, far_below, near
from lamina.layers.checking import describe
from lamina.layers.merging import agree
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


class _Attention(MaskingByQuery):
    """Weights from scores, and the mean of the values with these weights. A subclass says how a key scores."""

    signature = "batch queries features, batch values features -> batch queries features"
    common_mistakes: tuple[str, ...] = (
        "The inputs come as one list, layer([query, value]); MultiHeadAttention takes them as arguments.",
        "The order is [query, value, key], the key last; without a key the value is the key as well.",
        "A sequence has three axes, (batch, length, features): one vector for each sample is no sequence.",
    )
    example_input: tuple[Any, ...] = ((None, 8, 16), (None, 20, 16))

    def _set_dropout(self, dropout: float, seed: int | SeedGenerator | None) -> None:
        self.dropout = checks.real("dropout", dropout, 0.0, 1.0)
        self.seed = seed
        if self.dropout > 0.0:
            self.seed_generator = seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)
        self.supports_masking = True

    def score(self, query: Any, key: Any) -> Any:
        """How well each key `(batch, values, features)` fits each query: `(batch, queries, values)`."""
        raise ValueError(f"{type(self).__name__} does not say how a key scores")

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        query, value, key = self._fitting(inputs)
        query_mask, value_mask = self._masks(mask, len(inputs))
        scores = self.score(query, key)
        seen = near(query.shape[1], key.shape[1], use_causal_mask)
        seen = both(seen, None if value_mask is None else value_mask[:, None, :])
        if seen is not None:
            scores = jnp.where(seen, scores, far_below(scores.dtype))
        weights = jax.nn.softmax(scores, axis=-1)
        if training and self.dropout > 0.0:
            keep = kept(self.seed_generator, self.dropout, weights.shape)
            weights = jnp.where(keep, weights / (1.0 - min(self.dropout, 0.9999)), 0.0).astype(weights.dtype)
        outputs = jnp.einsum("bqv,bvf->bqf", weights, value)
        if query_mask is not None:
            outputs = outputs * query_mask[:, :, None].astype(outputs.dtype)
        return (outputs, weights) if return_attention_scores else outputs

    def _fitting(self, inputs: Any) -> list[Any]:
        """Query, value and key, of agreeing sizes."""
        tensors = self._listed(inputs)
        query, value, key = (*tensors, tensors[1])[:3]
        query, value, key = agree(self, (query, value, key), "query, value and key must be of as many samples", (0,))
        value, key = agree(self, (value, key), "value and key must have the same length", (1,))
        query, key = agree(self, (query, key), "query and key must have as many features", (2,))
        return [query, value, key]

    def _listed(self, inputs: Any) -> list[Any]:
        """The inputs as a list of two or three.

        Raises:
            ShapeError: they are something else.
        """
        several = isinstance(inputs, (list, tuple))
        if several and len(inputs) in (2, 3):
            return list(inputs)
        given = [dims.show_shape(dims.to_public(t.shape)) for t in (inputs if several else [inputs])]
        raise ShapeError(
            f"{describe(self)} takes a list of [query, value] or [query, value, key]",
            layer=self.name,
            expected=inputs_in_words(self.signature),
            received=f"[{', '.join(given)}]" if several else f"one tensor, {given[0]}",
            notes=[("to do", "let a sequence look at itself with layer([x, x])")] if len(given) == 1 else [],
        )

    def _masks(self, mask: Any, count: int) -> tuple[Any, Any]:
        if mask is None:
            return None, None
        if not isinstance(mask, (list, tuple)) or not 2 <= len(mask) <= count:
            raise ValueError(
                f"{describe(self)}: `mask` takes a list of masks, [query_mask, value_mask], either may be None; "
                f"{type(mask).__name__} came"
            )
        masks = [None if m is None else jnp.asarray(m, bool) for m in mask[:2]]
        return masks[0], masks[1]


def inputs_in_words(signature: str) -> str:
    """The inputs of a signature, as a list in words."""
    taken = signature.split("->")[0].split(",")
    return "[" + ", ".join(f"({', '.join(axes.split())})" for axes in taken) + "]"


@registry.register("layer")
class Attention(_Attention):
    """Each query takes the mean of the values, weighted by how well their keys fit the query.

    Weights are ``softmax(query @ key^T)`` over the values; the output is ``weights @ value``.

    Args:
        use_scale: whether scores are multiplied by a number that is learned.
        score_mode: ``"dot"`` for the dot product of query and key, ``"concat"`` for the sum of
            ``tanh(query + key)``, times a number that is learned.
        dropout: part of the weights to drop during training.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Inputs: a list of a query `(batch, queries, features)`, a value `(batch, values, features)` and perhaps a key
        `(batch, values, features)`, by default the value; output `(batch, queries, features)`, with as many features
        as the value; with ``return_attention_scores=True`` the weights `(batch, queries, values)` after it. Masks: a
        list of `(batch, queries)` and `(batch, values)`.

    Raises:
        ValueError: an argument is out of its range.
        ShapeError: query, value and key do not fit together.

    References:
        Luong et al., "Effective Approaches to Attention-based Neural Machine Translation", 2015,
        https://arxiv.org/abs/1508.04025

    Example:

    >>> import lamina
    >>> query, value = lamina.Input((8, 16)), lamina.Input((20, 16))
    >>> lamina.layers.Attention()([query, value]).shape
    (None, 8, 16)
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | SeedGenerator | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.use_scale = bool(use_scale)
        self.score_mode = checks.one_of("score_mode", score_mode, ("dot", "concat"))
        self._set_dropout(dropout, seed)

    def build(self, input_shape: Sequence[Any]) -> None:
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        self.concat_score_weight = None
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def score(self, query: Any, key: Any) -> Any:
        """The dot product of query and key, or what `score_mode` says."""
        scale = 1.0 if self.scale is None else self.scale.value
        if self.concat_score_weight is None:
            return jnp.einsum("bqf,bvf->bqv", query, key) * scale
        sums = jnp.sum(jnp.tanh(scale * (query[:, :, None] + key[:, None])), axis=-1)
        return sums * self.concat_score_weight.value


@registry.register("layer")
class AdditiveAttention(_Attention):
    """Each query takes the mean of the values, weighted by a sum over ``tanh(query + key)``.

    Args:
        use_scale: whether each feature of that sum is multiplied by a number that is learned.
        dropout: part of the weights to drop during training.

    Shapes:
        Inputs: a list of a query `(batch, queries, features)`, a value `(batch, values, features)` and perhaps a key
        `(batch, values, features)`, by default the value; output `(batch, queries, features)`, with as many features
        as the value; with ``return_attention_scores=True`` the weights `(batch, queries, values)` after it. Masks: a
        list of `(batch, queries)` and `(batch, values)`.

    Raises:
        ValueError: `dropout` is not a number from 0 to 1.
        ShapeError: query, value and key do not fit together, or the number of features is open.

    References:
        Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate", 2014,
        https://arxiv.org/abs/1409.0473

    Example:

    >>> import lamina
    >>> query, value = lamina.Input((8, 16)), lamina.Input((20, 16))
    >>> layer = lamina.layers.AdditiveAttention()
    >>> layer([query, value]).shape, layer.scale.shape
    ((None, 8, 16), (16,))
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any):
        seed = kwargs.pop("seed", None)
        super().__init__(**kwargs)
        self.use_scale = bool(use_scale)
        self._set_dropout(dropout, seed)

    def build(self, input_shape: Sequence[Any]) -> None:
        features = input_shape[0][-1] if isinstance(input_shape[0], Sequence) else input_shape[-1]
        self.scale = self.add_weight((features,), "glorot_uniform", name="scale") if self.use_scale else None

    def score(self, query: Any, key: Any) -> Any:
        """The sum over the features of ``tanh(query + key)``, times `scale`."""
        bent = jnp.tanh(query[:, :, None] + key[:, None])
        if self.scale is None:
            return jnp.sum(bent, axis=-1)
        if bent.shape[-1] != self.scale.shape[0]:
            raise ShapeError(
                f"{describe(self)} was built for {self.scale.shape[0]} features",
                layer=self.name,
                expected=f"query and key with features={self.scale.shape[0]}",
                received=f"features={dims.show(bent.shape[-1])}",
            )
        return jnp.einsum("bqvf,f->bqv", bent, self.scale.value)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
