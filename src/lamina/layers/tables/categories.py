"""`Discretization` and `CategoryEncoding`: numbers into bins, and the numbers of categories into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from lamina.core import checks, registry
from lamina.layers.checking import describe
from lamina.layers.layer import Layer
from lamina.layers.tables.encoding import MODES, batches_of, encode, no_sparse, signature_of_mode
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


@registry.register("layer")
class Discretization(Layer):
    """Each number becomes the number of the bin that it falls into.

    Args:
        bin_boundaries: where a bin ends and the next begins: ``[0.0, 1.0]`` makes three bins, of which the outer ones
            have no end. A boundary belongs to the bin above it.
        num_bins: how many bins `adapt` makes, with about as much data in each.
        epsilon: how far `adapt` may be off, as a part of the data; less takes more memory.
        output_mode: ``"int"``, or vectors as of `CategoryEncoding`: ``"one_hot"``, ``"multi_hot"``, ``"count"``.
        sparse: must be ``False``.

    Shapes:
        Input `(batch, ...)`, output the same; with ``"one_hot"`` an axis of categories is added (an axis of size 1
        gives way to it), with ``"multi_hot"`` and ``"count"`` it takes the place of the last axis.

    Raises:
        ValueError: neither or both of `bin_boundaries` and `num_bins` are given, or one is out of its range.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Discretization([0.0, 1.0])(np.array([-3.0, 0.0, 0.5, 7.0])).tolist()
    [0, 1, 1, 2]
    """

    shape_arguments: ClassVar[dict[str, str]] = {"output_mode": "'int' keeps the shape, the others give vectors"}
    common_mistakes = (
        "Three boundaries make four bins: below the first, between them, and above the last.",
        "With num_bins the boundaries come from data: call adapt(training_data) first.",
    )
    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"bin_boundaries": [0.0, 1.0]}

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ):
        no_sparse("Discretization", sparse=sparse)
        output_mode = checks.one_of("output_mode", output_mode, MODES)
        super().__init__(dtype=dtype, name=name)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                f"`bin_boundaries`={bin_boundaries!r} and `num_bins`={num_bins!r}: give one of them, the boundaries or "
                f"how many bins adapt is to make"
            )
        self.num_bins = None if num_bins is None else checks.positive_int("num_bins", num_bins)
        self.epsilon = checks.real("epsilon", epsilon, 0.0, 1.0)
        self.output_mode, self.sparse = output_mode, False
        self.bin_boundaries = None if bin_boundaries is None else _ascending(bin_boundaries)
        self._given = bin_boundaries is not None
        self.supports_masking = output_mode == "int"
        self._summary: np.ndarray = np.zeros((2, 0))  # values in ascending order, and how much of the data each is

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, as `output_mode` says."""
        return signature_of_mode(self.output_mode)

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find boundaries, in place of those from earlier data.

        Args:
            data: an array of numbers, or an iterable of such batches.
            steps: how many batches to take at most.

        Raises:
            ValueError: boundaries were given, or there is no data.
        """
        if self._given:
            raise ValueError(f"{describe(self)}: `bin_boundaries` were given; there is nothing to adapt")
        self.reset_state()
        for batch in batches_of(self, data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take one more batch of data into account."""
        values = np.sort(np.asarray(data, "float64").ravel())
        step = max(int(len(values) * self.epsilon), 1)
        kept = values[min(step, len(values)) - 1 :: step] if step > 1 else values
        counts = np.full(len(kept), float(step))
        together = np.concatenate([self._summary, np.stack([kept, counts])], axis=1)
        self._summary = _thinned(together[:, np.argsort(together[0], kind="stable")], self.epsilon)

    def finalize_state(self) -> None:
        """Set the boundaries to what the data says."""
        if self._summary.shape[1] == 0:
            raise ValueError(f"{describe(self)}: adapt was given no data")
        assert self.num_bins is not None
        self.bin_boundaries = _quantiles(self._summary, self.num_bins)[0][:-1].astype("float32").tolist()

    def reset_state(self) -> None:
        """Forget what was adapted to."""
        self._summary = np.zeros((2, 0))
        if not self._given:
            self.bin_boundaries = None

    def call(self, inputs: Any) -> Any:
        if self.bin_boundaries is None:
            raise ValueError(f"{describe(self)} has no boundaries yet: call adapt(data), or give `bin_boundaries`")
        numbers = jnp.searchsorted(jnp.asarray(self.bin_boundaries, "float32"), inputs.astype("float32"), side="right")
        dtype = jnp.dtype("int32") if self.output_mode == "int" else self.compute_dtype
        return encode(numbers.astype("int32"), self.output_mode, len(self.bin_boundaries) + 1, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A new layer from a config; the boundaries that another was adapted to stay."""
        boundaries, bins = config.get("bin_boundaries"), config.get("num_bins")
        if boundaries is None or bins is None:
            return cls(**config)
        layer = cls(**{**config, "bin_boundaries": None})
        layer.bin_boundaries = _ascending(boundaries)
        return layer


def _ascending(boundaries: Any) -> list[float]:
    values = [checks.real("bin_boundaries", b) for b in np.asarray(boundaries, object).ravel().tolist()]
    if not values or sorted(values) != values:
        raise ValueError(f"`bin_boundaries`={boundaries!r}: expected some numbers in ascending order")
    return values


def _quantiles(summary: np.ndarray, parts: float) -> np.ndarray:
    """Values, with how much of the data lies up to them, at equal distances of data."""
    up_to = np.cumsum(summary[1])
    places = np.arange(1, round(parts) + 1) / parts
    values, amounts = (np.interp(places, up_to / up_to[-1], along) for along in (summary[0], up_to))
    return np.stack([values, np.diff(amounts, prepend=0.0)])


def _thinned(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """At most ``1 / epsilon`` values that stand for all."""
    if epsilon == 0.0 or summary.shape[1] * epsilon < 1:
        return summary
    return _quantiles(summary, 1.0 / epsilon)


@registry.register("layer")
class CategoryEncoding(Layer):
    """The numbers of categories as vectors of zeros and ones, or of counts.

    Args:
        num_tokens: how many categories there are; their numbers go from 0 to ``num_tokens - 1``.
        output_mode: ``"one_hot"`` gives each number a vector, ``"multi_hot"`` each row of numbers one vector with a 1
            for each category in it, ``"count"`` with how often it is there.
        sparse: must be ``False``.

    Shapes:
        Input `(batch, ..., values)`, output `(batch, ..., num_tokens)`; with ``"one_hot"`` the values stay, unless
        there is just one: `(batch, ..., values, num_tokens)`. `count_weights` have the input's shape.

    Raises:
        ValueError: `num_tokens` is no positive whole number, or `count_weights` are given without ``"count"``.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.CategoryEncoding(num_tokens=3)(np.array([[0, 1], [2, 2]])).tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    shape_arguments: ClassVar[dict[str, str]] = {
        "num_tokens": "the size of the output's last axis",
        "output_mode": "'one_hot' keeps the axes (an axis of size 1 gives way), the others sum over the last one",
    }
    common_mistakes = (
        "The input holds numbers of categories, 0 ... num_tokens - 1; text goes through StringLookup first.",
        "multi_hot, the default, makes one vector of each row; for one vector per number give output_mode='one_hot'.",
    )
    example_input = (None, 3)
    example_config: ClassVar[dict[str, Any]] = {"num_tokens": 10}

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ):
        no_sparse("CategoryEncoding", sparse=sparse)
        super().__init__(**kwargs)
        self.num_tokens = checks.positive_int("num_tokens", num_tokens)
        self.output_mode = checks.one_of("output_mode", output_mode, MODES[1:])

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, as `output_mode` says."""
        return signature_of_mode(self.output_mode).replace("categories", "num_tokens")

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        if count_weights is not None:
            if self.output_mode != "count":
                raise ValueError(f"`count_weights` are for output_mode='count', not {self.output_mode!r}")
            if jnp.ndim(count_weights) != inputs.ndim:
                raise ShapeError(
                    f"{describe(self)}: `count_weights` do not fit",
                    layer=self.name,
                    expected=f"{dims.show_shape(inputs.shape)}   a weight for each number",
                    received=dims.show_shape(jnp.shape(count_weights)),
                )
        numbers = inputs.astype("int32")
        return encode(numbers, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "sparse"}
