"""`Concatenate` and `Dot`: tensors joined along an axis, or summed over one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, registry
from lamina.layers.layer import Layer
from lamina.layers.merging import agree, axis_name, listed
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


@registry.register("layer")
class Concatenate(Layer):
    """Puts tensors one after the other along an axis.

    Args:
        axis: the axis, counted with the batch axis; the last one by default.

    Shapes:
        Inputs: a list of tensors `(batch, ...)` that agree in all axes but `axis`; output `(batch, ...)`.

    Raises:
        ValueError: `axis` is no whole number, or the inputs are no list.
        ShapeError: sizes do not fit; the message names the inputs and the axis.

    Example:

    >>> import lamina
    >>> a, b = lamina.Input((28, 28, 8)), lamina.Input((28, 28, 16))
    >>> lamina.layers.Concatenate()([a, b]).shape
    (None, 28, 28, 24)
    """

    signature = "batch ..., batch ... -> batch ..."
    least_inputs = 1
    shape_arguments: ClassVar[dict[str, str]] = {"axis": "the sizes along this axis add up; all others must agree"}
    common_mistakes = (
        "The inputs come as one list, layer([a, b]), not as two arguments.",
        "axis counts the batch axis: axis=1 is the first axis of a sample.",
    )
    example_input = ((None, 10), (None, 5))

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        if not checks.is_whole(axis):
            raise ValueError(f"`axis`={axis!r}: expected a whole number")
        self.axis = int(axis)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        tensors = listed(self, inputs)
        rank = tensors[0].ndim
        for place, tensor in enumerate(tensors):
            if tensor.ndim != rank:
                raise self._misfit(f"input 1 has {rank} axes, input {place + 1} has {tensor.ndim}", tensors)
        if not -rank <= self.axis < rank:
            raise self._misfit(f"there is no axis {self.axis} in tensors of {rank} axes", tensors)
        rule, others = f"all axes but axis {self.axis} must agree", self._other_axes(rank)
        return jnp.concatenate(agree(self, tensors, rule, others), self.axis)

    def _misfit(self, problem: str, tensors: Sequence[Any]) -> ShapeError:
        shapes = ", ".join(dims.show_shape(dims.to_public(t.shape)) for t in tensors)
        return ShapeError(f'Concatenate "{self.name}": {problem}', layer=self.name, received=shapes)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None or all(m is None for m in mask):
            return None
        rank, kept = inputs[0].ndim, max(m.ndim for m in mask if m is not None)
        masks = [_full_mask(x, m) for x, m in zip(inputs, mask, strict=True)]
        joined = jnp.concatenate(agree(self, masks, "masks must agree", self._other_axes(rank)), self.axis)
        return jnp.any(joined, axis=tuple(range(kept, rank)))

    def _other_axes(self, rank: int) -> list[int]:
        return [axis for axis in range(rank) if axis != self.axis % rank]


def _full_mask(x: Any, mask: Any) -> Any:
    """A mask of the tensor's own shape; all true for a tensor that has none."""
    if mask is None:
        return jnp.ones(x.shape, "bool")
    return jnp.broadcast_to(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), x.shape)


@registry.register("layer")
class Dot(Layer):
    """Products of two tensors, summed over one axis of each, sample by sample.

    Args:
        axes: the axis to sum over in both tensors, or a pair with one axis for each; counted with the batch axis,
            which itself cannot be summed over.
        normalize: whether vectors along these axes are scaled to length 1 first; the result is their cosine
            similarity then.

    Shapes:
        Inputs: a list of two tensors `(batch, ...)`; output: the first one's axes without the one summed over, then
        the second one's without it and without the batch axis; `(batch, 1)` where none is left.

    Raises:
        ValueError: `axes` is no whole number and no pair of them, or an axis is the batch axis.
        ShapeError: the two axes differ in size; the message names them.

    Example:

    >>> import lamina
    >>> query, keys = lamina.Input((8, 4)), lamina.Input((20, 4))
    >>> lamina.layers.Dot(axes=2)([query, keys]).shape
    (None, 8, 20)
    """

    signature = "batch ..., batch ... -> batch ..."
    common_mistakes = ("axes counts the batch axis: axes=1 for two tensors of shape (batch, features).",)
    example_input = ((None, 8, 4), (None, 20, 4))
    example_config: ClassVar[dict[str, Any]] = {"axes": 2}

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        pair: Any = [axes, axes] if checks.is_whole(axes) else axes
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(map(checks.is_whole, pair)):
            raise ValueError(f"`axes`={axes!r}: expected a whole number or two of them")
        if 0 in pair:
            raise ValueError(f"`axes`={axes!r}: axis 0 is the batch, which cannot be summed over")
        self.axes = axes
        self._pair = (int(pair[0]), int(pair[1]))
        self.normalize = bool(normalize)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        a, b = listed(self, inputs, exactly=2)
        i, j = (self._place(axis, tensor) for axis, tensor in zip(self._pair, (a, b), strict=True))
        if self.normalize:
            a, b = _unit(a, i), _unit(b, j)
        a, b = jnp.moveaxis(a, i, 1), jnp.moveaxis(b, j, 1)
        self._check_sizes(a.shape[1], b.shape[1], (i, j), inputs)
        a, b = agree(self, (a, b), "the batch axes must agree", (0, 1))
        product = jax.lax.dot_general(a, b, (((1,), (1,)), ((0,), (0,))))
        return product[:, None] if product.ndim == 1 else product

    def _place(self, axis: int, tensor: Any) -> int:
        place = axis % tensor.ndim if -tensor.ndim <= axis < tensor.ndim else 0
        if place == 0:
            raise ShapeError(
                f'Dot "{self.name}": an input has no axis {axis} to sum over',
                layer=self.name,
                expected=f"an axis {axis} behind the batch axis",
                received=dims.show_shape(dims.to_public(tensor.shape)),
            )
        return place

    def _check_sizes(self, m: Any, n: Any, places: tuple[int, int], inputs: Any) -> None:
        if dims.is_known(m) and dims.is_known(n) and m != n:
            names = [axis_name(p, x.ndim) for p, x in zip(places, inputs, strict=True)]
            raise ShapeError(
                f'Dot "{self.name}": the axes summed over must agree: input 1 has {names[0]}={m} (axis {places[0]}), '
                f"input 2 has {names[1]}={n} (axis {places[1]})",
                layer=self.name,
                expected="the same size along both axes",
                received=", ".join(dims.show_shape(dims.to_public(x.shape)) for x in inputs),
            )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


def _unit(x: Any, axis: int) -> Any:
    squares = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate` of a list of tensors.

    >>> import lamina
    >>> lamina.layers.concatenate([lamina.Input((4,)), lamina.Input((2,))]).shape
    (None, 6)
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """`Dot` of a list of two tensors.

    >>> import lamina
    >>> lamina.layers.dot([lamina.Input((4,)), lamina.Input((4,))]).shape
    (None, 1)
    """
    return Dot(axes=axes, **kwargs)(inputs)
