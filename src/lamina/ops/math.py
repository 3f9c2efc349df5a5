"""Segments, ranks, special functions, Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

from lamina.core import checks
from lamina.core.symbolic import op
from lamina.ops.arrays import array, axes_tuple, common, floats, unary
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "cdist", "erf", "erfc", "erfinv", "extract_sequences", "fft", "fft2", "ifft2", "in_top_k", "irfft", "istft",
    "logsumexp", "psnr", "rfft", "rsqrt", "segment_max", "segment_min", "segment_prod", "segment_sum", "stft",
    "top_k", "view_as_complex", "view_as_real",
]  # fmt: skip


erf = unary("erf", special.erf, "Gauss's error function.", floats)
erfc = unary("erfc", special.erfc, "One less Gauss's error function.", floats)
erfinv = unary("erfinv", special.erfinv, "Inverse of Gauss's error function.", floats)
rsqrt = unary("rsqrt", jax.lax.rsqrt, "``1 / sqrt(x)``.", floats)


@op
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> jax.Array:
    """Logarithm of the sum of exponentials along the axes, without overflow."""
    x = floats(x)
    return special.logsumexp(x, axis=axes_tuple(axis, x.ndim), keepdims=keepdims)


def _segments(reduce: Callable[..., Any], data: Any, segment_ids: Any, num_segments: int | None, sorted: bool) -> Any:
    data, ids = array(data), array(segment_ids)
    if ids.ndim > data.ndim:
        raise ShapeError(
            "`segment_ids` has more axes than `data`",
            expected=f"at most {data.ndim} axes",
            received=dims.show_shape(ids.shape),
        )
    if num_segments is None:
        if isinstance(ids, jax.core.Tracer):
            raise ValueError("`num_segments` is needed where the segment ids are not known yet (inside jit)")
        num_segments = int(jnp.max(ids)) + 1
    flat = data.reshape(-1, *data.shape[ids.ndim :])
    return reduce(flat, ids.ravel(), num_segments, indices_are_sorted=sorted)


@op
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
    """The sum of the elements of each segment.

    >>> import lamina
    >>> lamina.ops.segment_sum([1, 2, 10, 20], [0, 0, 1, 1], 2).tolist()
    [3, 30]
    """
    return _segments(jax.ops.segment_sum, data, segment_ids, num_segments, sorted)


@op
def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
    """The greatest element of each segment."""
    return _segments(jax.ops.segment_max, data, segment_ids, num_segments, sorted)


@op
def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
    """The smallest element of each segment."""
    return _segments(jax.ops.segment_min, data, segment_ids, num_segments, sorted)


@op
def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
    """The product of the elements of each segment."""
    return _segments(jax.ops.segment_prod, data, segment_ids, num_segments, sorted)


@op
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[jax.Array, jax.Array]:
    """The `k` greatest elements along the last axis, from the greatest down, and their indices.

    They are sorted also where `sorted` is false, which leaves the order open.
    """
    x = array(x)
    k = checks.positive_int("k", k)
    if not x.ndim or (dims.is_known(x.shape[-1]) and k > x.shape[-1]):
        raise ShapeError(f"`top_k`: the last axis has no {k} elements", received=dims.show_shape(x.shape))
    values, indices = jax.lax.top_k(x, k)
    return values, indices


@op
def in_top_k(targets: Any, predictions: Any, k: int) -> jax.Array:
    """Whether each target class ``(batch,)`` is among the `k` best predictions ``(batch, classes)``; ties count."""
    targets, predictions = array(targets).astype("int32"), array(predictions)
    classes = predictions.shape[-1]
    own = jnp.take_along_axis(predictions, jnp.clip(targets, 0, classes - 1)[..., None], axis=-1)
    better = jnp.sum((predictions > own).astype("int32"), axis=-1)
    return (better < k) & (targets >= 0) & (targets < classes)


@op
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> jax.Array:
    """Windows along the last axis, ``(..., count, sequence_length)``, whose starts are `sequence_stride` apart."""
    x = array(x)
    length = checks.positive_int("sequence_length", sequence_length)
    stride = checks.positive_int("sequence_stride", sequence_stride)
    count = 1 + (x.shape[-1] - length) // stride
    index = jnp.arange(count)[:, None] * stride + jnp.arange(length)
    return jnp.take(x, index, axis=-1)


def _complex(x: Any) -> jax.Array:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"`x` must be a pair of the real and the imaginary part, not {type(x).__name__}")
    return jax.lax.complex(*common(floats(x[0]), floats(x[1])))


def _parts(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.real(x), jnp.imag(x)


@op
def fft(x: Any) -> tuple[jax.Array, jax.Array]:
    """Fourier transform along the last axis; takes and gives real and imaginary parts."""
    return _parts(jnp.fft.fft(_complex(x)))


@op
def fft2(x: Any) -> tuple[jax.Array, jax.Array]:
    """Fourier transform along the last two axes; takes and gives real and imaginary parts."""
    return _parts(jnp.fft.fft2(_complex(x)))


@op
def ifft2(x: Any) -> tuple[jax.Array, jax.Array]:
    """Inverse Fourier transform along the last two axes; takes and gives real and imaginary parts."""
    return _parts(jnp.fft.ifft2(_complex(x)))


@op
def rfft(x: Any, fft_length: int | None = None) -> tuple[jax.Array, jax.Array]:
    """Fourier transform of a real signal along the last axis, cut or filled with zeros to `fft_length`."""
    return _parts(jnp.fft.rfft(floats(x), n=fft_length))


@op
def irfft(x: Any, fft_length: int | None = None) -> jax.Array:
    """The real signal of `fft_length` elements whose Fourier transform has these real and imaginary parts."""
    return jnp.fft.irfft(_complex(x), n=fft_length)


def _stft_window(window: Any, sequence_length: int, fft_length: int) -> jax.Array:
    """The window in the middle of `fft_length` elements."""
    checks.positive_int("sequence_length", sequence_length)
    if fft_length < sequence_length:
        raise ValueError(f"`fft_length`={fft_length} must be at least `sequence_length`={sequence_length}")
    if window is None:
        values = jnp.ones(sequence_length)
    elif isinstance(window, str):
        kind = checks.one_of("window", window, ("hann", "hamming"))
        turn = 2 * np.pi * np.arange(sequence_length) / sequence_length
        low = {"hann": 0.5, "hamming": 0.54}[kind]
        values = jnp.asarray((low - (1 - low) * np.cos(turn)).astype("float32"))
    else:
        values = floats(window)
        if values.shape != (sequence_length,):
            raise ShapeError(
                "`window` must be a vector of `sequence_length` elements",
                expected=f"({sequence_length},)",
                received=dims.show_shape(values.shape),
            )
    before = (fft_length - sequence_length) // 2
    return jnp.pad(values, (before, fft_length - sequence_length - before))


@op
def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> tuple[jax.Array, jax.Array]:
    """Short-time Fourier transform along the last axis, ``(..., count, fft_length // 2 + 1)``.

    Args:
        x: a real signal.
        sequence_length: length of the window.
        sequence_stride: distance between windows.
        fft_length: length of each transform, at least `sequence_length`.
        window: ``"hann"``, ``"hamming"``, a vector or ``None``.
        center: whether the signal is mirrored at its ends, so that window ``t`` has its middle at ``t * stride``.
    """
    x = floats(x)
    values = _stft_window(window, sequence_length, fft_length).astype(x.dtype)
    if center:
        half = fft_length // 2
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], mode="reflect")
    return _parts(jnp.fft.rfft(extract_sequences(x, fft_length, sequence_stride) * values))


@op
def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> jax.Array:
    """The signal whose short-time Fourier transform has these real and imaginary parts.

    Args:
        x: the pair that `stft` gives.
        sequence_length, sequence_stride, fft_length, window, center: as of `stft`.
        length: the length of the signal; as long as the windows reach by default.
    """
    spectrum = _complex(x)
    frames = jnp.fft.irfft(spectrum, n=fft_length)
    values = _stft_window(window, sequence_length, fft_length).astype(frames.dtype)
    count = frames.shape[-2]
    total = fft_length + (count - 1) * sequence_stride
    index = jnp.arange(count)[:, None] * sequence_stride + jnp.arange(fft_length)
    signal = jnp.zeros((*frames.shape[:-2], total), frames.dtype).at[..., index].add(frames * values)
    weight = jnp.zeros(total, frames.dtype).at[index].add(jnp.broadcast_to(values**2, (count, fft_length)))
    signal = signal / jnp.where(weight > 1e-10, weight, 1.0)
    start = fft_length // 2 if center else 0
    end = total - start if length is None else start + length
    return signal[..., start:end]


@op
def view_as_complex(x: Any) -> jax.Array:
    """Complex numbers from their real and imaginary parts, which lie along the last axis."""
    x = floats(x)
    if not x.ndim or x.shape[-1] != 2:
        raise ShapeError("`view_as_complex` takes a last axis of size 2", received=dims.show_shape(x.shape))
    return jax.lax.complex(x[..., 0], x[..., 1])


@op
def view_as_real(x: Any) -> jax.Array:
    """The real and imaginary parts of complex numbers, along a new last axis."""
    return jnp.stack(_parts(array(x)), axis=-1)


@op
def cdist(x: Any, y: Any) -> jax.Array:
    """Euclidean distances between vectors, ``(..., m, d)`` and ``(..., n, d)`` to ``(..., m, n)``."""
    a, b = common(floats(x), floats(y))
    return jnp.sqrt(jnp.sum(jnp.square(a[..., :, None, :] - b[..., None, :, :]), axis=-1))


@op
def psnr(x1: Any, x2: Any, max_val: float) -> jax.Array:
    """Peak signal-to-noise ratio in decibels, where `max_val` is the greatest value possible."""
    a, b = common(floats(x1), floats(x2))
    if a.shape != b.shape:
        raise ShapeError("`psnr`: the signals differ in shape", expected=str(a.shape), received=str(b.shape))
    return 20 * jnp.log10(jnp.asarray(max_val, a.dtype)) - 10 * jnp.log10(jnp.mean(jnp.square(a - b)))
