"""What attention in heads shares: the projections, the gate, dropout, and the settings of them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from lamina import constraints, initializers, regularizers
from lamina.core import checks, context, tree
from lamina.core.seeds import SeedGenerator
from lamina.core.symbolic import KerasTensor
from lamina.layers.attention.masking import MaskingByQuery
from lamina.layers.checking import describe
from lamina.layers.dropout import Dropout
from lamina.layers.einsum_dense import EinsumDense
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


class ProjectedAttention(MaskingByQuery):
    """Attention whose query, key, value and output each go through an `EinsumDense`."""

    signature = "batch queries features, batch values value_features -> batch queries features"
    least_inputs = 1
    inputs_apart = True
    example_input = ((None, 8, 16), (None, 20, 16))
    common_mistakes: tuple[str, ...] = (
        "Query and value come as arguments, layer(query, value), not as a list; for self-attention layer(x, x).",
        "The order is query, value, key: the key comes last, and is the value where it is left out.",
        "Masks of padding come with Embedding(mask_zero=True) by themselves; attention_mask hides further places.",
    )

    def _set_projections(
        self,
        use_bias: bool,
        dropout: float,
        sliding_window: int | None,
        flash_attention: bool | None,
        use_gate: bool,
        seed: int | SeedGenerator | None,
        weights: dict[str, Any],
    ) -> None:
        """Check and keep what all kinds have; `weights` says how kernels and biases start and what holds for them."""
        self.use_bias, self.use_gate = bool(use_bias), bool(use_gate)
        self.dropout = checks.real("dropout", dropout, 0.0, 1.0)
        self.sliding_window = None if sliding_window is None else checks.positive_int("sliding_window", sliding_window)
        self.flash_attention = checks.one_of("flash_attention", flash_attention, (None, True, False))
        if self.flash_attention and self.dropout > 0.0:
            raise ValueError(f"`flash_attention`=True drops no weights: give dropout=0.0, not {self.dropout}")
        get = {"initializer": initializers.get, "regularizer": regularizers.get, "constraint": constraints.get}
        for name, value in weights.items():
            setattr(self, name, get[name.split("_")[1]](value))
        self._regularizer_inside: Any = None
        self._built_for: dict[str, Any] = {}
        self.seed = seed
        self.supports_masking = True

    def _note_shapes(self, query: Any, value: Any, key: Any) -> None:
        shapes = {"query_shape": query, "value_shape": value, "key_shape": key}
        if not tree.is_shape(query):
            given = ", ".join(dims.show_shape(dims.to_public(s)) for s in tree.flatten_shapes(query))
            raise ShapeError(
                f"{describe(self)} takes query and value as two arguments; a list came",
                layer=self.name,
                expected="layer(query, value), or layer(query, value, key)",
                received=f"layer([{given}])",
            )
        self._check_shapes(query, value, key)
        self._built_for = {name: tuple(shape) for name, shape in shapes.items() if shape is not None}

    def _projection(self, name: str, equation: str, sizes: Sequence[int | None], bias_axes: str) -> EinsumDense:
        dense = EinsumDense(
            equation,
            output_shape=sizes,
            bias_axes=bias_axes if self.use_bias else None,
            kernel_initializer=self.kernel_initializer,  # type: ignore[attr-defined]
            bias_initializer=self.bias_initializer,  # type: ignore[attr-defined]
            kernel_regularizer=self.kernel_regularizer,  # type: ignore[attr-defined]
            bias_regularizer=self.bias_regularizer,  # type: ignore[attr-defined]
            kernel_constraint=self.kernel_constraint,  # type: ignore[attr-defined]
            bias_constraint=self.bias_constraint,  # type: ignore[attr-defined]
            activity_regularizer=self._regularizer_inside,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name=name,
        )
        dense.supports_masking = True  # the mask of its input is that of the layer's, which passes it on
        return dense

    def _make_dropout(self) -> None:
        if self.dropout > 0.0:
            self._dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy, seed=self.seed)  # type: ignore[arg-type]

    def _drop(self, weights: Any, training: bool) -> Any:
        return self._dropout_layer(weights, training=training) if self.dropout > 0.0 else weights

    def _check_shapes(self, query: Any, value: Any, key: Any) -> None:
        """Refuse shapes of query, value and key that are no sequences.

        Raises:
            ShapeError: one is missing, or has too few axes, or their numbers of axes differ.
        """
        shapes = {"query": query, "value": value, "key": key}
        given = {name: tuple(shape) for name, shape in shapes.items() if shape is not None}
        if value is None:
            raise self._misfit("takes a query and a value; only a query came", given, "layer(x, x) is self-attention")
        for name, shape in given.items():
            if len(shape) < 3:
                raise self._misfit(f"takes sequences; the {name} has {len(shape)} axes", given)
            if len(shape) != len(given["query"]):
                raise self._misfit(f"takes a query and a {name} with as many axes", given)
        if key is not None:
            pairs = zip(given["value"][1:-1], given["key"][1:-1], strict=True)
            if any(dims.is_known(a) and dims.is_known(b) and a != b for a, b in pairs):
                raise self._misfit("takes a key and a value of the same length", given)

    def _misfit(self, problem: str, shapes: dict[str, Any], repair: str = "") -> ShapeError:
        return ShapeError(
            f"{describe(self)} {problem}",
            layer=self.name,
            expected="query (batch, queries, features), value and key (batch, values, features)",
            received=", ".join(f"{name} {dims.show_shape(dims.to_public(s))}" for name, s in shapes.items()),
            notes=[("to do", repair)] if repair else [],
        )

    def _output_of(self, projected: Any, gate_source: Any) -> Any:
        """The heads' results, gated where there is a gate, through the last projection."""
        if self.use_gate:
            projected = projected * jax.nn.sigmoid(through(self._gate_dense, gate_source))  # type: ignore[attr-defined]
        return through(self._last_projection(), projected)

    def _last_projection(self) -> EinsumDense:
        raise ValueError(f"{type(self).__name__} has no last projection")

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> Any:
        """The shape that comes out for a query and a value of those shapes, found by tracing."""
        shapes = [s for s in (query_shape, value_shape, key_shape) if s is not None]
        return self.compute_output_spec(*(KerasTensor(s, self.compute_dtype) for s in shapes)).shape

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for."""
        return {"shapes_dict": self._built_for} if self.built else None

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "flash_attention"}


def through(dense: EinsumDense, x: Any) -> Any:
    """What a projection gives; the letters of its equation name no axes outside."""
    with context.observing(None):
        return dense(x)
