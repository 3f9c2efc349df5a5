"""Axes named in a pattern, and sliding blocks of images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks
from lamina.core.symbolic import op
from lamina.ops.arrays import array
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "fold", "rearrange", "unfold",
]  # fmt: skip


Sizes = int | Sequence[int]


def _groups(side: str, pattern: str) -> list[list[str]]:
    tokens = re.findall(r"\([^()]*\)|[A-Za-z_]\w*|1|\S", side)
    groups = [t[1:-1].split() if t.startswith("(") else [t] for t in tokens]
    names = [n for g in groups for n in g]
    bad = [n for n in names if not re.fullmatch(r"[A-Za-z_]\w*|1", n)]
    if bad or len({n for n in names if n != "1"}) != len([n for n in names if n != "1"]):
        raise ValueError(f"`pattern`={pattern!r}: {(bad or names)[0]!r} is no axis, or an axis is named twice")
    return [[n for n in g if n != "1"] for g in groups]


@op
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> jax.Array:
    """Axes put in another order, split and merged by a pattern in the notation of einops.

    Args:
        tensor: a tensor.
        pattern: ``"b h w c -> b (h w) c"``.
        axes_lengths: sizes of the parts of an axis that is split.

    Raises:
        ValueError: the pattern cannot be read, or names other axes on its two sides.
        ShapeError: the tensor does not fit the pattern.

    >>> import lamina
    >>> lamina.ops.rearrange(lamina.ops.ones((2, 4, 3)), "b (h k) c -> b h (k c)", k=2).shape
    (2, 2, 6)
    """
    x = array(tensor)
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"`pattern`={pattern!r} needs one '->'")
    left, right = _groups(sides[0], pattern), _groups(sides[1], pattern)
    names, wanted = [n for g in left for n in g], [n for g in right for n in g]
    if sorted(names) != sorted(wanted):
        raise ValueError(f"`pattern`={pattern!r}: the two sides name different axes")
    checks.no_unknown("rearrange", axes_lengths, names)
    misfit = ShapeError(
        "`rearrange`: the tensor does not fit the pattern", expected=sides[0].strip(), received=dims.show_shape(x.shape)
    )
    if len(left) != x.ndim:
        raise misfit
    sizes: dict[str, Any] = dict(axes_lengths)
    for group, size in zip(left, x.shape, strict=True):
        known = int(np.prod([sizes[n] for n in group if n in sizes]))
        unknown = [n for n in group if n not in sizes]
        if len(unknown) > 1:
            raise ValueError(f"`rearrange`: give the sizes of all but one of {', '.join(unknown)}")
        if size % known != 0 or (not unknown and size != known):
            raise misfit
        sizes.update(dict.fromkeys(unknown, size // known))
    x = x.reshape([sizes[n] for n in names]).transpose([names.index(n) for n in wanted])
    merged: list[Any] = []
    for group in right:
        total: Any = 1
        for name in group:
            total = total * sizes[name]
        merged.append(total)
    return x.reshape(merged)


def _block_index(shape: Sequence[int], kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Any, Any]:
    """Rows and columns of each element of each block, ``(kh * kw, blocks)``."""
    ranges = []
    for size, k, d, p, s in zip(shape, kernel, dilation, padding, stride, strict=True):
        count = (size + 2 * p - d * (k - 1) - 1) // s + 1
        if count < 1:
            raise ShapeError(f"a block of {d * (k - 1) + 1} places does not fit into {size} with padding {p}")
        ranges.append(np.arange(k)[:, None] * d + np.arange(count) * s)
    rows, columns = ranges
    grid = (rows.shape[0], columns.shape[0], rows.shape[1], columns.shape[1])
    flat = (grid[0] * grid[1], grid[2] * grid[3])
    row = np.broadcast_to(rows[:, None, :, None], grid).reshape(flat)
    return row, np.broadcast_to(columns[None, :, None, :], grid).reshape(flat)


def _pairs(kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> tuple[Any, Any, Any, Any]:
    return (
        checks.sizes("kernel_size", kernel_size, 2),
        checks.sizes("dilation", dilation, 2),
        checks.sizes("padding", padding, 2, least=0),
        checks.sizes("stride", stride, 2),
    )


@op
def unfold(x: Any, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> jax.Array:
    """Sliding blocks of images ``(batch, channels, height, width)`` as columns: ``(batch, elements, blocks)``."""
    x = array(x)
    if x.ndim != 4 or not all(dims.is_known(s) for s in x.shape[1:]):
        raise ShapeError(
            "`unfold` takes images of known size",
            expected="(batch, channels, height, width)",
            received=dims.show_shape(x.shape),
        )
    kernel, gaps, pads, steps = _pairs(kernel_size, dilation, padding, stride)
    rows, columns = _block_index(x.shape[2:], kernel, gaps, pads, steps)
    padded = jnp.pad(x, [(0, 0), (0, 0), *((p, p) for p in pads)])
    blocks = padded[:, :, rows, columns]
    return blocks.reshape(x.shape[0], x.shape[1] * rows.shape[0], rows.shape[1])


@op
def fold(
    x: Any, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> jax.Array:
    """Columns of blocks (as of `unfold`) summed into images ``(batch, channels, height, width)``."""
    x, size = array(x), checks.sizes("output_size", output_size, 2)
    kernel, gaps, pads, steps = _pairs(kernel_size, dilation, padding, stride)
    rows, columns = _block_index(size, kernel, gaps, pads, steps)
    if x.ndim != 3 or x.shape[1] % rows.shape[0] != 0 or x.shape[2] != rows.shape[1]:
        raise ShapeError(
            "`fold`: the columns do not fit the blocks",
            expected=f"(batch, channels * {rows.shape[0]}, {rows.shape[1]})",
            received=dims.show_shape(x.shape),
        )
    channels = x.shape[1] // rows.shape[0]
    blocks = x.reshape(x.shape[0], channels, *rows.shape)
    whole = jnp.zeros((x.shape[0], channels, *(s + 2 * p for s, p in zip(size, pads, strict=True))), x.dtype)
    summed = whole.at[:, :, rows, columns].add(blocks)
    return summed[:, :, pads[0] : pads[0] + size[0], pads[1] : pads[1] + size[1]]
