"""Layers that make one tensor of several, element by element (`Concatenate` and `Dot` are in `joining`)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core import config, registry
from lamina.layers.checking import describe
from lamina.layers.layer import Layer
from lamina.shapes import conditions, dims
from lamina.shapes.errors import ShapeError

_NAMES = {2: "batch features", 3: "batch length features", 4: "batch height width channels",
          5: "batch depth height width channels"}  # fmt: skip


def axis_name(axis: int, rank: int) -> str:
    """What the axis of a tensor of that rank usually is, for messages: ``height``."""
    names = _NAMES.get(rank, "").split() or [f"axis_{i}" for i in range(rank)]
    if rank > 3 and config.image_data_format() == "channels_first":
        names.insert(1, names.pop())
    return names[axis]


def listed(layer: Any, inputs: Any, exactly: int | None = None) -> list[Any]:
    """The inputs of a merging layer as a list.

    Raises:
        ShapeError: they are no list, or not as many as the layer takes.
    """
    several = isinstance(inputs, (list, tuple))
    if several and exactly in (None, len(inputs)):
        return list(inputs)
    shapes = ", ".join(dims.show_shape(dims.to_public(t.shape)) for t in (inputs if several else [inputs]))
    count = f"{exactly} tensors" if exactly is not None else "tensors"
    takes = f"{exactly} inputs; {len(inputs)}" if several else "a list of tensors, such as [a, b]; one tensor"
    raise ShapeError(
        f"{describe(layer)} takes {takes} came",
        layer=layer.name,
        expected=f"a list of {count}",
        received=f"[{shapes}]" if several else shapes,
    )


def same_rank(tensors: Sequence[Any]) -> list[Any]:
    """The tensors with as many axes as the one that has most: axes of size 1 come in after the batch axis."""
    rank = max(t.ndim for t in tensors)
    return [t.reshape(t.shape[:1] + (1,) * (rank - t.ndim) + t.shape[1:]) if t.ndim else t for t in tensors]


def agree(layer: Any, tensors: Sequence[Any], rule: str, axes: Iterable[int], broadcast: bool = False) -> list[Any]:
    """The tensors with the same size along each of the axes (or 1, where they broadcast).

    While shapes are worked out, two open sizes of different names count as equal, and an open size as the number it
    meets; that they are is noted as a condition, for the model to check when data comes.

    Raises:
        ShapeError: two known sizes differ; the message starts with `rule`.
    """
    tensors = list(tensors)
    for axis in axes:
        sizes = [t.shape[axis] for t in tensors]
        counting = [s for s in sizes if not (broadcast and dims.is_known(s) and s == 1)]
        known = [s for s in counting if dims.is_known(s)]
        if any(size != known[0] for size in known):
            raise _disagreement(layer, tensors, axis, known, rule)
        wanted = known[0] if known else counting[0] if counting else 1
        for size in counting:
            conditions.need_equal(wanted, size, describe(layer), axis_name(axis, tensors[0].ndim), broadcast)
        tensors = [_sized(t, axis, wanted) if s in counting else t for t, s in zip(tensors, sizes, strict=True)]
    return tensors


def _sized(tensor: Any, axis: int, size: Any) -> Any:
    """The tensor, whose open size along an axis is taken to be `size`."""
    own = tensor.shape[axis]
    if dims.is_known(own) or own == size:
        return tensor
    shape = (*tensor.shape[:axis], size, *tensor.shape[axis + 1 :])
    return jnp.broadcast_to(jnp.sum(tensor, axis, tensor.dtype, keepdims=True), shape)  # only the shape counts here


def _disagreement(layer: Any, tensors: Sequence[Any], axis: int, known: list[int], rule: str) -> ShapeError:
    name, sizes = axis_name(axis, tensors[0].ndim), [t.shape[axis] for t in tensors]
    other = next(size for size in known if size != known[0])
    clash = ", ".join(f"input {sizes.index(size) + 1} has {name}={size}" for size in (known[0], other))
    return ShapeError(
        f"{describe(layer)}: {rule}: {clash} (axis {axis})",
        layer=layer.name,
        expected=f"the same {name} in every input",
        received=", ".join(dims.show_shape(dims.to_public(t.shape)) for t in tensors),
    )


class _Merge(Layer):
    """Combines tensors element by element."""

    signature = "batch ..., batch ... -> batch ..."
    least_inputs = 1
    common_mistakes = (
        "The inputs come as one list, layer([a, b]), not as two arguments.",
        "All sizes must agree, or be 1; put a Dense or Conv layer before the input whose channels do not fit.",
    )
    example_input = ((None, 10), (None, 10))
    exactly: int | None = None

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def merge(self, a: Any, b: Any) -> Any:
        """Two tensors combined."""
        raise ValueError(f"{type(self).__name__} does not say how two tensors are combined")

    def call(self, inputs: Any) -> Any:
        tensors = same_rank(listed(self, inputs, self.exactly))
        return functools.reduce(self.merge, _broadcastable(self, tensors))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return either(self, mask)


def either(layer: Any, masks: Any) -> Any:
    """True where any of the masks is; ``None`` if a tensor has none."""
    if masks is None or any(m is None for m in masks):
        return None
    return functools.reduce(jnp.logical_or, _broadcastable(layer, same_rank(masks)))


def _broadcastable(layer: Any, tensors: Sequence[Any]) -> list[Any]:
    return agree(layer, tensors, "sizes must agree or be 1", range(tensors[0].ndim), broadcast=True)


class _Skipping(_Merge):
    """Combines tensors element by element; masked elements take no part, and where all are masked there is 0."""

    def neutral(self, dtype: Any) -> Any:
        """The value that changes no other."""
        raise ValueError(f"{type(self).__name__} does not say what stands for a masked element")

    def call(self, inputs: Any, *, mask: Any = None) -> Any:
        masks = mask if isinstance(mask, (list, tuple)) else [None]
        if all(m is None for m in masks):
            return super().call(inputs)
        parts = [
            x if m is None else jnp.where(_wide_mask(m, x), x, self.neutral(x.dtype))
            for x, m in zip(inputs, masks, strict=True)
        ]
        merged, counts = super().call(parts), either(self, masks)
        return merged if counts is None else jnp.where(_wide_mask(counts, merged), merged, 0)


def _wide_mask(mask: Any, x: Any) -> Any:
    return mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))


def _extreme(dtype: Any, sign: int) -> Any:
    if jnp.issubdtype(dtype, jnp.floating):
        return sign * jnp.inf
    return jnp.iinfo(dtype).max if sign > 0 else jnp.iinfo(dtype).min


@registry.register("layer")
class Add(_Merge):
    """The sum of several tensors, as in the skip connections of a residual network.

    Shapes:
        Inputs: a list of tensors `(batch, ...)` whose sizes agree or are 1; output `(batch, ...)`.

    Raises:
        ShapeError: sizes do not fit; the message names the inputs and the axis.

    Example:

    >>> import lamina
    >>> a, b = lamina.Input((4,)), lamina.Input((4,))
    >>> lamina.layers.Add()([a, b]).shape
    (None, 4)
    """

    def merge(self, a: Any, b: Any) -> Any:
        return a + b


@registry.register("layer")
class Subtract(_Merge):
    """The first tensor minus the second.

    Shapes:
        Inputs: a list of two tensors `(batch, ...)` whose sizes agree or are 1; output `(batch, ...)`.

    Raises:
        ShapeError: there are not exactly two inputs, or sizes do not fit; the message names the inputs and the axis.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Subtract()([np.array([[3.0]]), np.array([[1.0]])]).tolist()
    [[2.0]]
    """

    exactly = 2

    def merge(self, a: Any, b: Any) -> Any:
        return a - b


@registry.register("layer")
class Multiply(_Skipping):
    """The product of several tensors, element by element; masked ones take no part.

    Shapes:
        Inputs: a list of tensors `(batch, ...)` whose sizes agree or are 1; output `(batch, ...)`.

    Raises:
        ShapeError: sizes do not fit; the message names the inputs and the axis.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Multiply()([np.array([[3.0]]), np.array([[2.0]])]).tolist()
    [[6.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return a * b

    def neutral(self, dtype: Any) -> Any:
        return 1


@registry.register("layer")
class Average(_Merge):
    """The mean of several tensors, element by element.

    Shapes:
        Inputs: a list of tensors `(batch, ...)` whose sizes agree or are 1; output `(batch, ...)`.

    Raises:
        ShapeError: sizes do not fit; the message names the inputs and the axis.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Average()([np.array([[3.0]]), np.array([[1.0]])]).tolist()
    [[2.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return a + b

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) / len(inputs)


@registry.register("layer")
class Maximum(_Skipping):
    """The largest of several tensors, element by element; masked ones take no part.

    Shapes:
        Inputs: a list of tensors `(batch, ...)` whose sizes agree or are 1; output `(batch, ...)`.

    Raises:
        ShapeError: sizes do not fit; the message names the inputs and the axis.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Maximum()([np.array([[3.0]]), np.array([[1.0]])]).tolist()
    [[3.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return jnp.maximum(a, b)

    def neutral(self, dtype: Any) -> Any:
        return _extreme(dtype, -1)


@registry.register("layer")
class Minimum(_Skipping):
    """The smallest of several tensors, element by element; masked ones take no part.

    Shapes:
        Inputs: a list of tensors `(batch, ...)` whose sizes agree or are 1; output `(batch, ...)`.

    Raises:
        ShapeError: sizes do not fit; the message names the inputs and the axis.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Minimum()([np.array([[3.0]]), np.array([[1.0]])]).tolist()
    [[1.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return jnp.minimum(a, b)

    def neutral(self, dtype: Any) -> Any:
        return _extreme(dtype, 1)


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Add` of a list of tensors.

    >>> import lamina
    >>> lamina.layers.add([lamina.Input((4,)), lamina.Input((4,))]).shape
    (None, 4)
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Subtract` of a list of two tensors.

    >>> import lamina
    >>> lamina.layers.subtract([lamina.Input((4,)), lamina.Input((4,))]).shape
    (None, 4)
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Multiply` of a list of tensors.

    >>> import lamina
    >>> lamina.layers.multiply([lamina.Input((4,)), lamina.Input((4,))]).shape
    (None, 4)
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Average` of a list of tensors.

    >>> import lamina
    >>> lamina.layers.average([lamina.Input((4,)), lamina.Input((4,))]).shape
    (None, 4)
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Maximum` of a list of tensors.

    >>> import lamina
    >>> lamina.layers.maximum([lamina.Input((4,)), lamina.Input((4,))]).shape
    (None, 4)
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Minimum` of a list of tensors.

    >>> import lamina
    >>> lamina.layers.minimum([lamina.Input((4,)), lamina.Input((4,))]).shape
    (None, 4)
    """
    return Minimum(**kwargs)(inputs)
