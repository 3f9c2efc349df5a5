"""The forms in which each class's arrays were stored, and their present one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.saving.legacy.era import Era

Arrays = list[np.ndarray]


def present_form(part: Any, arrays: Arrays, era: Era) -> Arrays:
    """The arrays of one layer or cell as it holds them now."""
    for cls in type(part).__mro__:
        form = _FORMS.get(cls.__name__)
        if form is not None:
            return form(part, arrays, era)
    return arrays


def stored_count(part: Any, era: Era, split: tuple[list[Any], list[Any]]) -> tuple[int, int]:
    """How many arrays of a layer or cell were stored: those that train, and others. Keras 1 had one for each gate."""
    trained, others = len(split[0]), len(split[1])
    name = type(part).__name__
    if era.major == 1 and name in _GATES:
        return (_GATES[name] * trained, others) if trained else (0, _GATES[name] * others)
    return trained, others


_GATES = {"LSTMCell": 4, "GRUCell": 3, "ConvLSTM2DCell": 4}


def gathered(arrays: Arrays, order: tuple[int, ...]) -> Arrays:
    """Kernel, recurrent kernel and bias out of Keras 1's three arrays for each gate, gates put into `order`."""
    return [np.concatenate([arrays[3 * gate + kind] for gate in order], axis=-1) for kind in range(3)]


def cudnn_kernels(arrays: Arrays, gates: int) -> Arrays:
    """Kernels as cuDNN keeps them: each gate's block is the transposed one, the first under its old shape."""
    kernel, recurrent = arrays[:2]
    blocks = [b.reshape(b.shape[::-1]).T for b in np.split(kernel, gates, axis=1)]
    return [np.hstack(blocks), np.hstack([b.T for b in np.split(recurrent, gates, axis=1)])]


def _lstm(part: Any, arrays: Arrays, era: Era) -> Arrays:
    if len(arrays) == 12:  # Keras 1: input gate, candidate, forget gate, output gate
        arrays = gathered(arrays, (0, 2, 1, 3))
    if len(arrays) == 3 and arrays[2].size == 8 * part.units:  # cuDNN has a bias for the inputs and one for the state
        return [*cudnn_kernels(arrays, 4), arrays[2].reshape(2, -1).sum(axis=0)]
    return arrays


def _gru(part: Any, arrays: Arrays, era: Era) -> Arrays:
    if len(arrays) == 9:
        arrays = gathered(arrays, (0, 1, 2))
    if len(arrays) == 3 and arrays[2].shape == (6 * part.units,):
        return [*cudnn_kernels(arrays, 3), arrays[2].reshape(2, -1)]
    return arrays


def _conv_lstm(part: Any, arrays: Arrays, era: Era) -> Arrays:
    if len(arrays) == 12:
        old_order = part.data_format == "channels_first" and era.major == 1
        arrays = [np.transpose(a, (2, 3, 1, 0)) if old_order and a.ndim == 4 else a for a in arrays]
        arrays = gathered(arrays, (0, 2, 1, 3))
    return [_flipped(a) if a.ndim == 4 and era.flips_kernels else a for a in arrays]


def _flipped(kernel: np.ndarray) -> np.ndarray:
    return kernel[(slice(None, None, -1),) * (kernel.ndim - 2)]


def _convolution(part: Any, arrays: Arrays, era: Era) -> Arrays:
    if not arrays or arrays[0].ndim < 3:
        return arrays
    kernel, *others = arrays
    if era.major == 1:
        kernel = _first_version_kernel(part, kernel)
    return [_flipped(kernel) if era.flips_kernels else kernel, *others]


def _first_version_kernel(part: Any, kernel: np.ndarray) -> np.ndarray:
    """Keras 1 kept kernels of images with channels first as ``(filters, channels, ...)``."""
    spatial = tuple(range(2, kernel.ndim))
    if part.rank == 1 and kernel.ndim == 4:  # a convolution over images one pixel wide
        if (kernel.shape[0], kernel.shape[1]) != (part.kernel_size[0], 1):
            kernel = kernel.transpose(2, 3, 1, 0)
        return kernel[:, 0]
    if "Transpose" in type(part).__name__:
        return kernel.transpose(*spatial, 0, 1) if part.data_format == "channels_first" else kernel.swapaxes(-1, -2)
    return kernel.transpose(*spatial, 1, 0) if part.data_format == "channels_first" else kernel


def _normalization(part: Any, arrays: Arrays, era: Era) -> Arrays:
    shapes = [v.shape for v in part.weights]  # Keras 2 kept axes of size 1 in some versions, in others not
    if len(shapes) != len(arrays):
        return arrays
    return [a.reshape(s) if a.size == int(np.prod(s)) else a for a, s in zip(arrays, shapes, strict=True)]


_FORMS: dict[str, Callable[[Any, Arrays, Era], Arrays]] = {
    "ConvLSTM2DCell": _conv_lstm,
    "Convolution": _convolution,
    "TransposedConvolution": _convolution,
    "GRUCell": _gru,
    "LSTMCell": _lstm,
    "Normalization": _normalization,
}
