"""The transpose of a convolution, with a gradient of the kernel that is fast on CPUs.

XLA derives that gradient as a convolution of the input, spread out with zeros, by windows as large as the output. It
is also the kernel gradient of an ordinary convolution from the output to the input, which takes a tenth of the time:
what comes out when the convolution's two operands change places before JAX transposes it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.kernels.choosing import on_cpu, only_reference

Sizes = tuple[int, ...]
_SPATIAL = "DHW"


def reference(x: Any, kernel: Any, steps: Sizes, pads: Any, gaps: Sizes, channels_first: bool) -> Any:
    """The transpose of a convolution as JAX has it; see `spread`."""
    axes = _SPATIAL[-len(steps) :]
    data = f"NC{axes}" if channels_first else f"N{axes}C"
    return lax.conv_transpose(
        x,
        kernel,
        strides=steps,
        padding=pads,
        rhs_dilation=gaps,
        dimension_numbers=(data, f"{axes}IO", data),
        transpose_kernel=True,
    )


def spread(
    x: Any, kernel: Any, steps: Sequence[int], pads: Any, gaps: Sequence[int], channels_first: bool = False
) -> Any:
    """Each element of a tensor, spread over a window of the result.

    Args:
        x: ``(batch, *spatial, channels)``, or with channels first.
        kernel: ``(*window, filters, channels)``.
        steps: how far apart the windows of neighbours lie.
        pads: places before and after, for each spatial axis, around `x` with ``step - 1`` zeros between its elements.
        gaps: distances between a window's elements.
        channels_first: whether channels stand before the spatial axes.

    Example:

    >>> import jax.numpy as jnp
    >>> spread(jnp.ones((1, 2, 1)), jnp.ones((3, 1, 1)), (2,), ((2, 2),), (1,)).ravel().tolist()
    [1.0, 1.0, 2.0, 1.0, 1.0]
    """
    settings = tuple(steps), tuple(map(tuple, pads)), tuple(gaps), channels_first
    known = all(isinstance(size, int) for size in (*x.shape, *kernel.shape))
    if only_reference() or not known or x.size == 0 or not jnp.issubdtype(x.dtype, jnp.floating):
        return reference(x, kernel, *settings)
    return _spread(x, kernel, *settings)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4, 5))
def _spread(x: Any, kernel: Any, steps: Sizes, pads: Any, gaps: Sizes, channels_first: bool) -> Any:
    return reference(x, kernel, steps, pads, gaps, channels_first)


@_spread.defjvp
def _change(steps: Sizes, pads: Any, gaps: Sizes, channels_first: bool, primals: Any, tangents: Any) -> Any:
    (x, kernel), (change_x, change_kernel) = primals, tangents
    settings = steps, pads, gaps, channels_first
    outputs = _spread(x, kernel, *settings)
    sizes = outputs.shape[2:] if channels_first else outputs.shape[1:-1]
    ours = functools.partial(_with_operands_swapped, sizes=sizes, settings=settings)
    by_kernel = on_cpu(lambda change, x: ours(x, change), lambda change, x: reference(x, change, *settings))
    return outputs, _spread(change_x, kernel, *settings) + by_kernel(change_kernel, x)


def _with_operands_swapped(x: Any, kernel: Any, sizes: Sizes, settings: Any) -> Any:
    """The same, as a convolution over the kernel by windows that are the samples of `x`, last element first."""
    steps, pads, gaps, channels_first = settings
    axes = _SPATIAL[-len(steps) :]
    spatial = range(2, x.ndim) if channels_first else range(1, x.ndim - 1)
    around = [
        (step * (x.shape[axis] - 1) - gap * (window - 1) + low, size - 1 - low)
        for axis, step, gap, window, (low, _), size in zip(
            spatial, steps, gaps, kernel.shape[:-2], pads, sizes, strict=True
        )
    ]
    numbers = (f"{axes}NC", f"OI{axes}", f"CN{axes}") if channels_first else (f"{axes}NC", f"O{axes}I", f"C{axes}N")
    return lax.conv_general_dilated(
        kernel,
        lax.rev(x, tuple(spatial)),
        window_strides=(1,) * len(steps),
        padding=around,
        lhs_dilation=gaps,
        rhs_dilation=steps,
        dimension_numbers=numbers,
    )
