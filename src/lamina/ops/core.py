"""Tensors themselves: conversion, shape, types, slices, gradients and control flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, dtypes
from lamina.core.symbolic import KerasTensor, op
from lamina.core.variable import Variable
from lamina.ops.arrays import array, axis_index
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "associative_scan", "cast", "cond", "convert_to_numpy", "convert_to_tensor", "custom_gradient", "dtype",
    "fori_loop", "get_item", "is_tensor", "jvp", "map", "ndim", "saturate_cast", "scan", "scatter",
    "scatter_update", "shape", "slice", "slice_update", "stop_gradient", "switch", "unstack", "vectorized_map",
    "while_loop",
]  # fmt: skip


def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """`x` (number, list, numpy array, variable) as a tensor.

    >>> import lamina
    >>> lamina.ops.convert_to_tensor([1, 2.5]).dtype.name
    'float32'

    Raises:
        ValueError: `x` is no array of numbers, or a sparse or ragged tensor is asked for.
    """
    if sparse or ragged:
        raise ValueError("`sparse` and `ragged` tensors are not supported; leave both out for a dense tensor")
    if isinstance(x, KerasTensor):
        return x if dtype is None else cast(x, dtype)
    return array(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """A tensor or variable as a numpy array."""
    return np.array(x.value if isinstance(x, Variable) else x)


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor (numpy arrays and variables are not)."""
    return isinstance(x, (jax.Array, KerasTensor))


def shape(x: Any) -> tuple[Any, ...]:
    """The sizes of `x`; ``None`` for the open ones of a symbolic tensor.

    >>> import lamina
    >>> lamina.ops.shape(lamina.ops.zeros((8, 12)))
    (8, 12)
    """
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def ndim(x: Any) -> int:
    """The number of axes of `x`."""
    return len(shape(x))


def dtype(x: Any) -> str:
    """The name of the data type of `x`."""
    return str(x.dtype) if hasattr(x, "dtype") else array(x).dtype.name


@op
def cast(x: Any, dtype: Any) -> jax.Array:
    """`x` in another data type."""
    x = array(x)
    name = dtypes.canonical(dtype)
    if jnp.issubdtype(x.dtype, jnp.complexfloating) and not jnp.issubdtype(jnp.dtype(name), jnp.complexfloating):
        x = x.real
    return x.astype(name)


@op
def saturate_cast(x: Any, dtype: Any) -> jax.Array:
    """`x` in another data type; values beyond its range become the nearest bound."""
    x, name = array(x), dtypes.canonical(dtype)
    target = jnp.dtype(name)
    if "bool" in (name, x.dtype.name):
        return x.astype(name)
    if jnp.issubdtype(target, jnp.complexfloating):
        return x.astype(name)
    limits = jnp.finfo(target) if jnp.issubdtype(target, jnp.floating) else jnp.iinfo(target)
    own = jnp.finfo(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype)
    low, high = max(float(limits.min), float(own.min)), min(float(limits.max), float(own.max))
    if not jnp.issubdtype(x.dtype, jnp.floating):
        low, high = int(low), int(high)
    clipped = jnp.clip(x, jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype)).astype(name)
    if jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(target, jnp.integer):
        clipped = jnp.where(x >= float(limits.max), limits.max, clipped)
    return clipped


@op
def stop_gradient(variable: Any) -> jax.Array:
    """The value, taken as a constant by differentiation."""
    return jax.lax.stop_gradient(array(variable))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function its own gradient.

    Args:
        f: returns ``(outputs, grad)``, where ``grad(*upstream)`` gives the gradient of each argument.
    """
    function = jax.custom_gradient(lambda *args, **kwargs: f(*args, **kwargs))
    return lambda *args, **kwargs: function(*jax.tree.map(_plain, args), **jax.tree.map(_plain, kwargs))


def _plain(x: Any) -> Any:
    return x.value if isinstance(x, Variable) else x


def _arrays(structure: Any) -> Any:
    return jax.tree.map(array, structure)


@op
def slice(inputs: Any, start_indices: Any, shape: Sequence[Any]) -> jax.Array:
    """The block of `inputs` of that shape (-1: to the end) that starts at `start_indices`."""
    x = array(inputs)
    if len(shape) != x.ndim:
        raise ShapeError(
            f"`slice`: `shape`={tuple(shape)} has {len(shape)} sizes for {x.ndim} axes",
            expected=f"{x.ndim} sizes",
            received=dims.show_shape(x.shape),
        )
    starts = array(start_indices) if isinstance(start_indices, (jax.Array, Variable)) else start_indices
    sizes = [x.shape[i] - starts[i] if checks.is_whole(s) and s == -1 else s for i, s in enumerate(shape)]
    return jax.lax.dynamic_slice(x, list(starts), sizes)


@op
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> jax.Array:
    """`inputs` with the block that starts at `start_indices` replaced by `updates`."""
    x = array(inputs)
    return jax.lax.dynamic_update_slice(x, array(updates).astype(x.dtype), list(start_indices))


@op
def scatter(indices: Any, values: Any, shape: Sequence[Any]) -> jax.Array:
    """Zeros of that shape, with `values` added at `indices` (one index tuple per row)."""
    values = array(values)
    return jnp.zeros(tuple(shape), values.dtype).at[_index_tuple(indices)].add(values)


@op
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> jax.Array:
    """`inputs` with the elements at `indices` (one index tuple per row) replaced by or combined with `updates`.

    Args:
        inputs: the tensor to start from.
        indices: ``(count, axes)``.
        updates: the new values, ``(count, ...)``.
        reduction: ``None`` (replace), ``"add"``, ``"max"``, ``"min"`` or ``"mul"``.
    """
    x = array(inputs)
    place, updates = x.at[_index_tuple(indices)], array(updates).astype(x.dtype)
    kind = checks.one_of("reduction", reduction, (None, "add", "max", "min", "mul"))
    return getattr(place, {None: "set", "mul": "multiply"}.get(kind, kind))(updates)


def _index_tuple(indices: Any) -> tuple[jax.Array, ...]:
    indices = array(indices)
    return tuple(jnp.moveaxis(indices, -1, 0))


@op
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    """The slices of `x` along an axis, as a list."""
    x = array(x)
    at = axis_index("axis", axis, x.ndim)
    count = x.shape[at]
    if not dims.is_known(count):
        if num is None:
            raise ValueError(f"`unstack` needs `num`: the size of axis {axis} is open")
        count = num
    elif num is not None and num != count:
        raise ShapeError(f"`unstack`: `num`={num}, but axis {axis} has size {count}", expected=str(count))
    return [jax.lax.index_in_dim(x, i, at, keepdims=False) for i in range(count)]


@op
def get_item(x: Any, key: Any) -> jax.Array:
    """``x[key]``."""
    return array(x)[jax.tree.map(_plain, key) if isinstance(key, (tuple, list)) else _plain(key)]


@op
def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What `true_fn` gives where `pred` is true, else what `false_fn` gives; both have the same structure."""
    return jax.lax.cond(array(pred).astype(bool), lambda: true_fn(), lambda: false_fn())


@op
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What the branch at `index` (kept within range) gives for the operands."""
    return jax.lax.switch(array(index), list(branches), *_arrays(operands))


@op
def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Apply `body` to the loop variables for as long as `cond` of them is true.

    >>> import lamina
    >>> int(lamina.ops.while_loop(lambda i: i < 10, lambda i: i + 3, 0))
    12
    """
    several = isinstance(loop_vars, (tuple, list))
    start = tuple(loop_vars) if several else (loop_vars,)

    def holds(state: Any) -> Any:
        count, values = state
        going = jnp.asarray(cond(*values), bool)
        return going if maximum_iterations is None else going & (count < maximum_iterations)

    def step(state: Any) -> Any:
        count, values = state
        new = body(*values)
        return count + 1, tuple(new) if several else (new,)

    _, values = jax.lax.while_loop(holds, step, (jnp.zeros((), "int32"), _arrays(start)))
    return list(values) if isinstance(loop_vars, list) else values if several else values[0]


@op
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """Apply ``body_fun(i, value)`` for each `i` from `lower` up to but without `upper`."""
    return jax.lax.fori_loop(_plain(lower), _plain(upper), body_fun, _arrays(init_val))


@op
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Go along the first axis of `xs`: ``carry, y = f(carry, x)``; gives the last carry and all `y` stacked.

    >>> import lamina
    >>> total, sums = lamina.ops.scan(lambda c, x: (c + x, c + x), 0, lamina.ops.array([1, 2, 3]))
    >>> int(total), sums.tolist()
    (6, [1, 3, 6])
    """
    return jax.lax.scan(f, _arrays(init), None if xs is None else _arrays(xs), length, reverse, unroll)


@op
def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All partial results of an associative function along an axis, computed in parallel."""
    return jax.lax.associative_scan(f, _arrays(elems), reverse, axis)


@op
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """`f` of each slice along the first axis, one after the other, stacked."""
    return jax.lax.map(f, _arrays(xs))


@op
def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """`function` of each slice along the first axis, all at once, stacked."""
    return jax.vmap(function)(_arrays(elements))


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """The value of `fun` and its derivative along `tangents`."""
    return jax.jvp(fun, tuple(_arrays(primals)), tuple(_arrays(tangents)), has_aux=has_aux)
