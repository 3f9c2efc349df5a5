"""Convolutions, in the forms that XLA for CPUs computes well.

- A window of one element, or of all there are, is a product of two matrices. As convolutions, the kernel's gradient
  takes four times as long for the one, that of the input fifty times as long for the other.
- Short sequences, as a product too, begin sooner.
- A window of few elements is a sum that is written out, in training: in `predict` XLA makes one of convolution,
  activation and pooling by itself.
- The gradient of the kernel takes its tensors in another order of axes. Left alone, XLA computes what came before the
  convolution once more in that order, which costs more than the gradient.
- Inputs, or their gradients, smaller than the window: XLA has a plain loop for them, thirty times slower than what it
  does with the same tensors after zeros are put around them.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.kernels.choosing import apart, on_cpu, only_reference

_SPATIAL = "DHW"
_FEW = 16  # elements of a window, over all channels: so few are written out as a sum
_GATHERED = 2**13  # inputs that all windows of a sample meet: where each stands is written in the program
_SHORT = 128  # places of all samples along one axis: a convolution waits longer for threads to wake than it computes
_MOST_WINDOWS = 4  # at every place, for each that is wanted: beyond, XLA's plain loop is faster


class Form(NamedTuple):
    """How a convolution goes over its input.

    Attributes:
        steps: from one window to the next.
        pads: zeros before and after, for each spatial axis.
        gaps: distances between a window's elements.
        channels_first: whether channels stand before the spatial axes.
        groups: of channels, each convolved by itself.
    """

    steps: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    gaps: tuple[int, ...]
    channels_first: bool = False
    groups: int = 1

    @property
    def numbers(self) -> tuple[str, str, str]:
        """The axes of input, kernel and output, as XLA is told."""
        rank = len(self.steps)
        axes = _SPATIAL[-rank:] if rank <= len(_SPATIAL) else "".join(chr(ord("a") + i) for i in range(rank))
        data = f"NC{axes}" if self.channels_first else f"N{axes}C"
        return data, f"{axes}IO", data

    def around(self, pads: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Pads of all axes, for those of the spatial ones."""
        return [(0, 0), (0, 0), *pads] if self.channels_first else [(0, 0), *pads, (0, 0)]

    def spatial(self, tensor: Any) -> tuple[int, ...]:
        """The sizes of a tensor's spatial axes."""
        return tensor.shape[2:] if self.channels_first else tensor.shape[1:-1]


def reference(x: Any, kernel: Any, form: Form) -> Any:
    """The convolution as JAX has it; see `convolve`."""
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=form.steps,
        padding=form.pads,
        rhs_dilation=form.gaps,
        dimension_numbers=form.numbers,
        feature_group_count=form.groups,
    )


def convolve(x: Any, kernel: Any, form: Form) -> Any:
    """A convolution (in the sense of the field: a cross-correlation).

    Args:
        x: ``(batch, *spatial, channels)``, or with channels first.
        kernel: ``(*window, channels // groups, filters)``.
        form: see `Form`.

    Example:

    >>> import jax.numpy as jnp
    >>> form = Form(steps=(2,), pads=((0, 0),), gaps=(1,))
    >>> convolve(jnp.arange(5.0).reshape(1, 5, 1), jnp.ones((3, 1, 1)), form).ravel().tolist()
    [3.0, 9.0]
    """
    known = all(isinstance(size, int) for size in (*x.shape, *kernel.shape))
    if only_reference() or not known or form.groups > 1 or not x.size or not jnp.issubdtype(x.dtype, jnp.floating):
        return reference(x, kernel, form)
    product = _product if _is_product(x, kernel, form) else _side_by_side if _is_short(x, kernel, form) else None
    if product is not None:
        return on_cpu(lambda x, k: product(x, k, form), lambda x, k: reference(x, k, form))(x, kernel)
    return _convolve(x, kernel, form)


def _is_product(x: Any, kernel: Any, form: Form) -> bool:
    window = kernel.shape[:-2]
    is_one_or_all = max(window) == 1 or window == form.spatial(x)
    plain = max(form.gaps) == 1 and not form.channels_first and not any(map(any, form.pads))
    return is_one_or_all and plain


def _product(x: Any, kernel: Any, form: Form) -> Any:
    *window, channels, filters = kernel.shape
    chosen = x[(slice(None), *(slice(None, None, step) for step in form.steps))] if max(window) == 1 else x
    places = [size // taken for size, taken in zip(form.spatial(chosen), window, strict=True)]
    rows = chosen.reshape(-1, math.prod(window) * channels) @ _rows(kernel)
    return rows.reshape(x.shape[0], *places, filters)


def _is_short(x: Any, kernel: Any, form: Form) -> bool:
    return len(form.steps) == 1 and not form.channels_first and x.shape[0] * x.shape[1] <= _SHORT


def _side_by_side(x: Any, kernel: Any, form: Form) -> Any:
    """A product of all that each window holds, laid out in a row, with the kernel."""
    x = _padded(x, form)
    rows = jnp.concatenate([x[:, cut] for (cut,) in _cuts(form.spatial(x), kernel, form)], -1)
    return rows @ _rows(kernel)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _convolve(x: Any, kernel: Any, form: Form) -> Any:
    if not _is_small(form.spatial(x), kernel, form):
        return reference(x, kernel, form)
    return on_cpu(lambda x, k: _padded_first(x, k, form), lambda x, k: reference(x, k, form))(x, kernel)


@_convolve.defjvp
def _change(form: Form, primals: Any, tangents: Any) -> Any:
    (x, kernel), (change_x, change_kernel) = primals, tangents

    def plain(x: Any, kernel: Any) -> Any:
        return reference(x, kernel, form)

    # XLA adds shorter floats up as float32.
    few = math.prod(kernel.shape[:-1]) <= _FEW and x.dtype.itemsize >= 4
    outputs = on_cpu(lambda x, k: _written_out(x, k, form), plain)(x, kernel) if few else _convolve(x, kernel, form)
    sizes = form.spatial(outputs)
    windows = math.prod(form.spatial(x)) / math.prod(sizes)
    cuts = _is_small(sizes, kernel, form) and windows <= _MOST_WINDOWS
    by_x = on_cpu(lambda x, k: _cut_out(x, k, form, sizes), plain) if cuts else plain
    by_kernel = plain
    if not few:
        by_kernel = on_cpu(lambda x, k: _reordered(x, k, form), plain)
    elif not form.channels_first and math.prod((*sizes, *kernel.shape[:-1])) <= _GATHERED:
        by_kernel = on_cpu(lambda x, k: _as_products(x, k, form), plain)
    return outputs, by_x(change_x, kernel) + by_kernel(x, change_kernel)


def _reordered(x: Any, kernel: Any, form: Form) -> Any:
    """The same, its operands in the order of axes in which XLA computes the gradient of the kernel."""
    data, window, _ = form.numbers
    axes = window[:-2]
    own, channels_last = f"C{axes}N", f"{axes}NC"
    x = apart(lambda x: jnp.transpose(x, [data.index(axis) for axis in own]))(x)
    outputs = lax.conv_general_dilated(
        x,
        kernel,
        window_strides=form.steps,
        padding=form.pads,
        rhs_dilation=form.gaps,
        dimension_numbers=(own, window, channels_last),
    )
    return apart(lambda y: jnp.transpose(y, [channels_last.index(axis) for axis in data]))(outputs)


def _is_small(sizes: Sequence[int], kernel: Any, form: Form) -> bool:
    return max(form.gaps) == 1 and any(size < window for size, window in zip(sizes, kernel.shape, strict=False))


def _written_out(x: Any, kernel: Any, form: Form) -> Any:
    """A sum over the window's elements."""
    x = _padded(x, form)
    filters = kernel.reshape(-1, kernel.shape[-1], *[1] * len(form.steps)) if form.channels_first else _rows(kernel)
    axis = 1 if form.channels_first else -1
    parts = zip(_met(x, kernel, form), filters, strict=True)
    return functools.reduce(operator.add, (jnp.expand_dims(part, axis) * f for part, f in parts))


def _as_products(x: Any, kernel: Any, form: Form) -> Any:
    """A product of matrices for each sample. Its transpose, the gradient of the kernel, is one too."""
    x = _padded(x, form)
    samples, *sizes = x.shape
    met = np.concatenate(list(_met(np.arange(math.prod(sizes)).reshape(1, *sizes), kernel, form)))
    rows = x.reshape(samples, -1).at[:, met.reshape(len(met), -1)].get(mode="promise_in_bounds")
    kernels = jnp.broadcast_to(_rows(kernel), (samples, len(met), kernel.shape[-1]))
    return jnp.einsum("nkp,nkf->npf", rows, kernels).reshape(samples, *met.shape[1:], -1)


def _rows(kernel: Any) -> Any:
    return kernel.reshape(-1, kernel.shape[-1])


def _padded(x: Any, form: Form) -> Any:
    return lax.pad(x, jnp.zeros((), x.dtype), [(*pads, 0) for pads in form.around(form.pads)])


def _met(x: Any, kernel: Any, form: Form) -> Iterator[Any]:
    """What each element of the window meets at all places of a padded input, in the order of the kernel's rows."""
    for cut in _cuts(form.spatial(x), kernel, form):
        for channel in range(kernel.shape[-2]):
            yield x[(slice(None), channel, *cut) if form.channels_first else (slice(None), *cut, channel)]


def _cuts(sizes: Sequence[int], kernel: Any, form: Form) -> Iterator[tuple[slice, ...]]:
    """For each place in the window, where it stands in a padded input of these sizes, for all windows."""
    window = kernel.shape[:-2]
    last = [max(0, size - (w - 1) * gap) for size, w, gap in zip(sizes, window, form.gaps, strict=True)]
    for place in itertools.product(*map(range, window)):
        starts = [at * gap for at, gap in zip(place, form.gaps, strict=True)]
        yield tuple(slice(start, start + end, step) for start, end, step in zip(starts, last, form.steps, strict=True))


def _padded_first(x: Any, kernel: Any, form: Form) -> Any:
    # Without the barrier XLA makes both one again.
    x = lax.optimization_barrier(_padded(x, form))
    return reference(x, kernel, form._replace(pads=((0, 0),) * len(form.pads)))


def _cut_out(x: Any, kernel: Any, form: Form, sizes: Sequence[int]) -> Any:
    """The same out of the windows at every place. Its transpose puts zeros around the gradient, and then convolves."""
    around = [[max(window - 1, pad) for pad in pads] for window, pads in zip(kernel.shape, form.pads, strict=False)]
    whole = form._replace(steps=(1,) * len(sizes), pads=tuple(map(tuple, around)))
    outputs = lax.optimization_barrier(reference(x, kernel, whole))
    cut = []
    for size, step, (more, _), (before, _) in zip(sizes, form.steps, around, form.pads, strict=True):
        cut.append(slice(more - before, more - before + (size - 1) * step + 1, step))
    return outputs[(slice(None), slice(None), *cut) if form.channels_first else (slice(None), *cut)]
