"""The same values in another shape or order: Flatten, Reshape, Permute, RepeatVector."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, config, registry
from lamina.layers import checking
from lamina.layers.layer import Layer
from lamina.shapes import conditions, dims
from lamina.shapes.errors import ShapeError


@registry.register("layer")
class Flatten(Layer):
    """All the axes of a sample laid out in a row.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``, by default the one in `lamina.config`. With
            ``"channels_first"`` the channels are moved to the end first, so that the row has the same order in both.

    Shapes:
        Input `(batch, ...)`, output `(batch, features)`, where ``features`` is the product of the other sizes.

    Example:

    >>> import lamina
    >>> lamina.layers.Flatten()(lamina.Input((7, 7, 64))).shape
    (None, 3136)
    """

    signature = "batch ... -> batch features"
    shape_arguments: ClassVar[dict[str, str]] = {"data_format": "changes the order of the row, not its size"}
    common_mistakes: tuple[str, ...] = (
        "A Dense layer after Flatten needs every size to be known: give input_shape without None.",
        "A Dense layer on an unflattened image works on its last axis only: put Flatten() before it.",
    )
    example_input: tuple[Any, ...] = (None, 7, 7, 64)

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Lay the axes after the batch out in a row."""
        if self.data_format == "channels_first" and inputs.ndim > 1:
            inputs = jnp.moveaxis(inputs, 1, -1)
        return inputs.reshape((inputs.shape[0], math.prod(inputs.shape[1:])))


@registry.register("layer")
class Reshape(Layer):
    """The values of each sample in another shape, in the same order.

    Args:
        target_shape: the new shape of one sample, without the batch; one size may be -1 and is worked out.

    Shapes:
        Input `(batch, ...)`, output `(batch, *target_shape)`.

    Raises:
        ValueError: `target_shape` is malformed.
        ShapeError: the input has another number of values than `target_shape`.

    Example:

    >>> import lamina
    >>> lamina.layers.Reshape((4, -1))(lamina.Input((12,))).shape
    (None, 4, 3)
    """

    shape_arguments: ClassVar[dict[str, str]] = {
        "target_shape": "is the output's shape after the batch axis; -1 stands for what is left over"
    }
    common_mistakes: tuple[str, ...] = (
        "target_shape holds the batch: leave it out, Reshape((28, 28, 1)) gives (batch, 28, 28, 1).",
        "The sizes do not multiply to those of the input: let one of them be -1.",
        "Reshape is used to swap axes: it keeps the order of the values; use Permute to swap.",
    )
    example_input: tuple[Any, ...] = (None, 784)
    example_config: ClassVar[dict[str, Any]] = {"target_shape": (28, 28, 1)}

    def __init__(self, target_shape: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.target_shape = _target(target_shape)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes; those of known size as numbers."""
        return " ".join(["batch ... -> batch", *("rest" if n == -1 else str(n) for n in self.target_shape)])

    def call(self, inputs: jax.Array) -> jax.Array:
        """The inputs in the new shape."""
        batch, *sizes = inputs.shape
        total, known = math.prod(sizes), math.prod(n for n in self.target_shape if n != -1)
        self._check(sizes, total, known)
        rest = total // known if known else 0
        return inputs.reshape((batch, *(rest if n == -1 else n for n in self.target_shape)))

    def _check(self, sizes: Sequence[Any], total: Any, known: int) -> None:
        """Refuse an input whose number of values cannot be that of the target."""
        open_rest = -1 in self.target_shape
        if not dims.is_known(total):
            self._check_open(sizes, known)
            fitting = known * (total // known) if open_rest and known else known
            conditions.need_equal(total, fitting, checking.describe(self), "number of values in a sample")
            return
        if total == known or (open_rest and known and total % known == 0):
            return
        several = "a multiple of " if open_rest else ""
        near = ", ".join(map(dims.show_shape, _candidates(self.target_shape, total)))
        raise ShapeError(
            f"{checking.describe(self)} cannot make {dims.show_shape(self.target_shape)} of samples of shape "
            f"{dims.show_shape(sizes)}: they have {total} values, not {several}{known}",
            layer=self.name,
            expected=f"{several}{known} values in a sample: "
            + " x ".join("any" if n == -1 else str(n) for n in self.target_shape),
            received=f"{total} values in a sample: " + " x ".join(map(str, sizes)),
            notes=[("would fit", near)],
        )

    def _check_open(self, sizes: Sequence[Any], known: int) -> None:
        """Refuse an input with open sizes where no such sizes can fit."""
        fixed = math.prod(size for size in sizes if dims.is_known(size))
        if -1 not in self.target_shape and (not fixed or known % fixed):
            shown = dims.show_shape(dims.to_public(sizes))
            raise ShapeError(
                f"{checking.describe(self)} cannot make {dims.show_shape(self.target_shape)} of samples of shape "
                f"{shown}: no size for None gives {known} values",
                layer=self.name,
                expected=f"{known} values in a sample: {' x '.join(map(str, self.target_shape))}",
                received=f"a multiple of {fixed} values in a sample: {shown}",
            )


def _target(target_shape: Any) -> tuple[int, ...]:
    if checks.is_whole(target_shape):
        target_shape = (target_shape,)
    fits = isinstance(target_shape, (Sequence, np.ndarray)) and not isinstance(target_shape, str)
    sizes = tuple(-1 if n is None else n for n in target_shape) if fits else ()
    if not fits or not all(checks.is_whole(n) and n >= -1 for n in sizes):
        raise ValueError(f"`target_shape`={target_shape!r}: expected a tuple of sizes, such as (28, 28, 1) or (4, -1)")
    if sizes.count(-1) > 1:
        raise ValueError(f"`target_shape`={target_shape!r}: only one size may be -1")
    return tuple(int(n) for n in sizes)


def _candidates(target: tuple[int, ...], total: int, count: int = 3) -> list[tuple[int, ...]]:
    """Shapes of as many axes as the target's that hold `total` values, those most like it first."""
    rank = min(max(len(target), 1), 3)
    divisors = [d for d in range(1, min(total, 4096) + 1) if total % d == 0]
    found = [
        (*sizes, total // math.prod(sizes))
        for sizes in itertools.product(divisors, repeat=rank - 1)
        if total % math.prod(sizes) == 0
    ]
    wanted = target[-rank:]

    def distance(shape: tuple[int, ...]) -> tuple[int, float]:
        changed = sum(a != b for a, b in zip(shape, wanted, strict=False))
        return changed, sum(abs(math.log(a / max(b, 1))) for a, b in zip(shape, wanted, strict=False))

    return sorted(found, key=distance)[:count]


@registry.register("layer")
class Permute(Layer):
    """The axes of a sample in another order.

    Args:
        dims: where each axis of the output comes from, counted from 1 (the batch is left out): ``(2, 1)`` swaps two.

    Shapes:
        Input `(batch, axis_1, axis_2, ...)`, output the same axes in the order of `dims`.

    Raises:
        ValueError: `dims` is not an order of 1, 2, ...

    Example:

    >>> import lamina
    >>> lamina.layers.Permute((2, 1))(lamina.Input((10, 64))).shape
    (None, 64, 10)
    """

    shape_arguments: ClassVar[dict[str, str]] = {"dims": "axis i of the output is axis dims[i] of the input"}
    common_mistakes: tuple[str, ...] = (
        "dims counts from 0 or holds the batch: it counts from 1, and the batch always stays first.",
        "dims leaves an axis out: name each one once.",
    )
    example_input: tuple[Any, ...] = (None, 10, 64)
    example_config: ClassVar[dict[str, Any]] = {"dims": (2, 1)}

    def __init__(self, dims: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.dims = tuple(dims) if isinstance(dims, (Sequence, np.ndarray)) and not isinstance(dims, str) else ()
        whole = all(checks.is_whole(d) for d in self.dims)
        if not whole or not self.dims or sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"`dims`={dims!r}: expected an order of 1, 2, ..., such as (2, 1); the batch is left out")
        self.dims = tuple(int(d) for d in self.dims)

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes by number, and where they go."""
        taken = " ".join(f"axis_{i + 1}" for i in range(len(self.dims)))
        return f"batch {taken} -> batch {' '.join(f'axis_{d}' for d in self.dims)}"

    def call(self, inputs: jax.Array) -> jax.Array:
        """The axes in their new order."""
        return jnp.transpose(inputs, (0, *self.dims))


@registry.register("layer")
class RepeatVector(Layer):
    """Each sample's features, `n` times in a row: a sequence of equal steps.

    Args:
        n: number of times.

    Shapes:
        Input `(batch, features)`, output `(batch, n, features)`.

    Example:

    >>> import lamina
    >>> lamina.layers.RepeatVector(3)(lamina.Input((32,))).shape
    (None, 3, 32)
    """

    signature = "batch features -> batch n features"
    shape_arguments: ClassVar[dict[str, str]] = {"n": "is the size of the new axis after the batch"}
    common_mistakes: tuple[str, ...] = (
        "The input is a sequence already: RepeatVector takes (batch, features); let the layer before it return its "
        "last step only (return_sequences=False).",
    )
    example_input: tuple[Any, ...] = (None, 32)
    example_config: ClassVar[dict[str, Any]] = {"n": 3}

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.n = checks.positive_int("n", n)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The inputs repeated along a new axis."""
        batch, features = inputs.shape
        return jnp.broadcast_to(inputs[:, None, :], (batch, self.n, features))
