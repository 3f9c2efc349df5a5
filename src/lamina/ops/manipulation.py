"""Moving elements: reshaping, joining, splitting, repeating, padding, sorting, picking."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, dtypes
from lamina.core.symbolic import op
from lamina.core.variable import Variable
from lamina.ops.arrays import array, axes_tuple, axis_index, common, operands, unary
from lamina.shapes import dims, layouts
from lamina.shapes.errors import Fix, ShapeError, warn

__all__ = [
    "append", "array_split", "broadcast_to", "concatenate", "copy", "diag", "diagflat", "diagonal", "dsplit",
    "dstack", "expand_dims", "flip", "fliplr", "flipud", "hsplit", "hstack", "moveaxis", "pad", "ravel",
    "repeat", "reshape", "roll", "rot90", "split", "squeeze", "stack", "swapaxes", "tile", "transpose", "tril",
    "triu", "vectorize", "view", "vsplit", "vstack",
]  # fmt: skip


ravel = unary("ravel", jnp.ravel, "All elements in one row.")
copy = unary("copy", jnp.array, "A copy.")
fliplr = unary("fliplr", jnp.fliplr, "The second axis turned round.")
flipud = unary("flipud", jnp.flipud, "The first axis turned round.")


@op
def reshape(x: Any, newshape: Any) -> jax.Array:
    """The same elements in another shape.

    Args:
        x: a tensor.
        newshape: sizes; one may be -1 (what is left over); ``None`` is the size of `x` at the same place.

    Raises:
        ShapeError: the number of elements differs.

    >>> import lamina
    >>> lamina.ops.reshape(lamina.ops.arange(6), (-1, 2)).shape
    (3, 2)
    """
    x = array(x)
    sizes = list(newshape) if isinstance(newshape, Sequence) or hasattr(newshape, "__iter__") else [newshape]
    if sizes.count(None) == 1 and not any(checks.is_whole(s) and s == -1 for s in sizes):
        sizes[sizes.index(None)] = -1
    sizes = [x.shape[i] if s is None and i < x.ndim else s for i, s in enumerate(sizes)]
    sizes = [int(s) if isinstance(s, jax.Array) and s.ndim == 0 else s for s in sizes]
    try:
        result = jnp.reshape(x, sizes)
        _warn_of_order(x, result)
        return result
    except TypeError as error:
        raise ShapeError(
            f"`reshape` cannot give the shape {dims.show_shape(sizes)}: the number of elements differs",
            expected=f"a shape of as many elements as {dims.show_shape(x.shape)}",
            received=dims.show_shape(sizes),
        ) from error


def _warn_of_order(x: jax.Array, result: jax.Array) -> None:
    """Say, while a model is traced, that axes do not change places by another shape."""
    if not x.ndim or not result.ndim or str(x.shape[0]) != str(dims.BATCH) or str(result.shape[0]) != str(dims.BATCH):
        return
    order = layouts.swapped_axes(x.shape[1:], result.shape[1:])
    if order is not None:
        before, to = (dims.show_shape(dims.to_public(t.shape)) for t in (x, result))
        fixes = [Fix("to swap axes", f"ops.transpose(x, {(0, *order)})", to)]
        warn(f"reshape of {before} to {to}: numbers are cut at other places, axes do not change places by that", fixes)


@op
def transpose(x: Any, axes: Sequence[int] | None = None) -> jax.Array:
    """The axes in another order (turned round by default).

    Raises:
        ShapeError: `axes` does not name each axis once.
    """
    x = array(x)
    if axes is not None and sorted(axis_index("axes", a, x.ndim) for a in axes) != list(range(x.ndim)):
        raise ShapeError(
            f"`transpose` cannot put {x.ndim} axes in the order {tuple(axes)!r}",
            expected=f"each of the axes 0 to {x.ndim - 1} once",
            received=f"axes={tuple(axes)!r} for {dims.show_shape(x.shape)}",
        )
    return jnp.transpose(x, axes)


@op
def broadcast_to(x: Any, shape: Any) -> jax.Array:
    """`x` stretched to a shape; ``None`` keeps the size that `x` has there."""
    x, sizes = array(x), list(shape)
    sizes = [x.shape[i - len(sizes)] if s is None else s for i, s in enumerate(sizes)]
    try:
        return jnp.broadcast_to(x, tuple(sizes))
    except ValueError as error:
        raise ShapeError(
            "`broadcast_to`: the shapes do not fit",
            expected=f"a tensor that stretches to {dims.show_shape(sizes)}",
            received=dims.show_shape(x.shape),
        ) from error


@op
def expand_dims(x: Any, axis: int | Sequence[int]) -> jax.Array:
    """New axes of size 1 at the places `axis` of the result."""
    x = array(x)
    count = 1 if checks.is_whole(axis) else len(axis)  # type: ignore[arg-type]
    return jnp.expand_dims(x, axes_tuple(axis, x.ndim + count) or ())


@op
def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> jax.Array:
    """Without the axes of size 1 (all of them, or those named).

    Raises:
        ShapeError: an axis named has another size.
    """
    x = array(x)
    axes = axes_tuple(axis, x.ndim)
    for a in axes or ():
        if dims.is_known(x.shape[a]) and x.shape[a] != 1:
            raise ShapeError(
                f"`squeeze`: axis {a} has size {x.shape[a]}, not 1",
                expected="size 1",
                received=dims.show_shape(x.shape),
            )
    if axes is None:
        axes = tuple(i for i, s in enumerate(x.shape) if dims.is_known(s) and s == 1)
    return jnp.squeeze(x, axes)


@op
def moveaxis(x: Any, source: Any, destination: Any) -> jax.Array:
    """Axes moved to other places; the others keep their order."""
    x = array(x)
    return jnp.moveaxis(x, axes_tuple(source, x.ndim, "source"), axes_tuple(destination, x.ndim, "destination"))  # type: ignore[arg-type]


@op
def swapaxes(x: Any, axis1: int, axis2: int) -> jax.Array:
    """Two axes swapped."""
    x = array(x)
    return jnp.swapaxes(x, axis_index("axis1", axis1, x.ndim), axis_index("axis2", axis2, x.ndim))


def _arrays(xs: Any, name: str) -> list[jax.Array]:
    items = list(xs)
    if not items:
        raise ValueError(f"`{name}` needs at least one tensor")
    return common(*items)


@op
def concatenate(xs: Sequence[Any], axis: int = 0) -> jax.Array:
    """Tensors joined along an axis.

    Raises:
        ShapeError: they differ along another axis.

    >>> import lamina
    >>> lamina.ops.concatenate([[[1, 2]], [[3, 4]]], axis=0).shape
    (2, 2)
    """
    arrays = _arrays(xs, "concatenate")
    at = axis_index("axis", axis, arrays[0].ndim)
    _alike("concatenate", arrays, at)
    return jnp.concatenate(arrays, at)


def _alike(name: str, arrays: Sequence[jax.Array], skip: int | None = None) -> None:
    first = arrays[0].shape
    for other in arrays[1:]:
        same_rank = len(other.shape) == len(first)
        known = [(a, b) for i, (a, b) in enumerate(zip(first, other.shape, strict=False)) if i != skip]
        if not same_rank or builtins.any(dims.is_known(a) and dims.is_known(b) and a != b for a, b in known):
            raise ShapeError(
                f"`{name}`: the shapes do not fit together",
                expected="the same shape" + ("" if skip is None else f" but for axis {skip}"),
                received=" and ".join(dims.show_shape(a.shape) for a in arrays),
            )


@op
def stack(x: Sequence[Any], axis: int = 0) -> jax.Array:
    """Tensors of one shape joined along a new axis."""
    arrays = _arrays(x, "stack")
    _alike("stack", arrays)
    return jnp.stack(arrays, axis_index("axis", axis, arrays[0].ndim + 1))


@op
def append(x1: Any, x2: Any, axis: int | None = None) -> jax.Array:
    """`x2` joined to the end of `x1` along an axis (both in one row by default)."""
    a, b = common(x1, x2)
    return jnp.append(a, b, axis=axis)


@op
def hstack(xs: Sequence[Any]) -> jax.Array:
    """Tensors joined along the second axis (the first, of vectors)."""
    return jnp.hstack(_arrays(xs, "hstack"))


@op
def vstack(xs: Sequence[Any]) -> jax.Array:
    """Tensors joined along the first axis."""
    return jnp.vstack(_arrays(xs, "vstack"))


@op
def dstack(xs: Sequence[Any]) -> jax.Array:
    """Tensors joined along the third axis."""
    return jnp.dstack(_arrays(xs, "dstack"))


def _sections(indices_or_sections: Any) -> Any:
    if checks.is_whole(indices_or_sections):
        return int(indices_or_sections)
    return [int(i) for i in indices_or_sections]


@op
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[jax.Array]:
    """`x` cut along an axis, into equal parts (a number) or at places (a sequence).

    Raises:
        ShapeError: the axis cannot be cut into that many equal parts.
    """
    x, parts = array(x), _sections(indices_or_sections)
    at = axis_index("axis", axis, x.ndim)
    if isinstance(parts, int) and dims.is_known(x.shape[at]) and (parts < 1 or x.shape[at] % parts):
        raise ShapeError(
            f"`split`: axis {axis} of size {x.shape[at]} cannot be cut into {parts} equal parts",
            expected=f"a size that {parts} divides",
            received=dims.show_shape(x.shape),
        )
    return list(jnp.split(x, parts, at))


@op
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[jax.Array]:
    """`x` cut along an axis into parts of nearly the same size."""
    return list(jnp.array_split(array(x), _sections(indices_or_sections), axis))


@op
def hsplit(x: Any, indices_or_sections: Any) -> list[jax.Array]:
    """`x` cut along the second axis (the first, of a vector)."""
    return list(jnp.hsplit(array(x), _sections(indices_or_sections)))


@op
def vsplit(x: Any, indices_or_sections: Any) -> list[jax.Array]:
    """`x` cut along the first axis."""
    return list(jnp.vsplit(array(x), _sections(indices_or_sections)))


@op
def dsplit(x: Any, indices_or_sections: Any) -> list[jax.Array]:
    """`x` cut along the third axis."""
    return list(jnp.dsplit(array(x), _sections(indices_or_sections)))


@op
def flip(x: Any, axis: int | Sequence[int] | None = None) -> jax.Array:
    """The elements in opposite order along the axes (all by default)."""
    x = array(x)
    return jnp.flip(x, axes_tuple(axis, x.ndim))


@op
def roll(x: Any, shift: Any, axis: Any = None) -> jax.Array:
    """The elements moved along the axes; those that fall off come in at the other end."""
    return jnp.roll(array(x), shift, axis)


@op
def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> jax.Array:
    """The plane of two axes turned by `k` right angles, from the first axis towards the second."""
    return jnp.rot90(operands(array)[0], k, tuple(axes))  # type: ignore[arg-type]


@op
def repeat(x: Any, repeats: Any, axis: int | None = None) -> jax.Array:
    """Each element `repeats` times (a number, or one for each element) along an axis."""
    x = array(x)
    return jnp.repeat(x, array(repeats) if isinstance(repeats, (jax.Array, Variable)) else np.asarray(repeats), axis)


@op
def tile(x: Any, repeats: Any) -> jax.Array:
    """`x` laid out `repeats` times along each axis."""
    return jnp.tile(array(x), repeats if checks.is_whole(repeats) else tuple(repeats))


@op
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> jax.Array:
    """`x` with a border.

    Args:
        x: a tensor.
        pad_width: elements before and after, ``((before, after), ...)`` for each axis, or one pair or number for all.
        mode: ``"constant"``, ``"reflect"``, ``"symmetric"``, ``"edge"``, ``"wrap"`` and numpy's others.
        constant_values: the value of a constant border, 0 by default.
    """
    x = array(x)
    if mode != "constant":
        if constant_values is not None:
            raise ValueError(f"`constant_values`={constant_values!r} goes with mode='constant', not {mode!r}")
        return jnp.pad(x, pad_width, mode=mode)
    return jnp.pad(x, pad_width, mode=mode, constant_values=0 if constant_values is None else constant_values)


@op
def diag(x: Any, k: int = 0) -> jax.Array:
    """The `k`-th diagonal of a matrix, or the matrix with a vector on it."""
    return jnp.diag(array(x), k)


@op
def diagflat(x: Any, k: int = 0) -> jax.Array:
    """The matrix with all elements in a row on its `k`-th diagonal."""
    return jnp.diagflat(array(x), k)


@op
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The diagonal of the plane of two axes, as the last axis."""
    return jnp.diagonal(array(x), offset, axis1, axis2)


@op
def tril(x: Any, k: int = 0) -> jax.Array:
    """Zeros above the `k`-th diagonal of the last two axes."""
    return jnp.tril(array(x), k)


@op
def triu(x: Any, k: int = 0) -> jax.Array:
    """Zeros below the `k`-th diagonal of the last two axes."""
    return jnp.triu(array(x), k)


@op
def view(x: Any, dtype: Any = None) -> jax.Array:
    """The same bytes read as another data type."""
    x = array(x)
    return x if dtype is None else x.view(dtypes.canonical(dtype))


def vectorize(pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None) -> Callable[..., Any]:
    """A function of numbers (or of the axes in `signature`) as one of tensors that broadcast."""
    return jnp.vectorize(pyfunc, excluded=excluded or frozenset(), signature=signature)
