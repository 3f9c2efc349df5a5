"""Initializers whose values follow from the shape alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from lamina.core import checks, dtypes, registry
from lamina.initializers.base import Initializer, as_shape, on_device
from lamina.shapes.errors import ShapeError


@registry.register("initializer", "zeros", "zero")
class Zeros(Initializer):
    """All zeros.

    Example:

    >>> import lamina
    >>> lamina.initializers.Zeros()((2,)).tolist()
    [0.0, 0.0]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return on_device(np.zeros(as_shape(shape), np.float32), dtypes.canonical(dtype))


@registry.register("initializer", "ones", "one")
class Ones(Initializer):
    """All ones.

    Example:

    >>> import lamina
    >>> lamina.initializers.Ones()((2,)).tolist()
    [1.0, 1.0]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return on_device(np.ones(as_shape(shape), np.float32), dtypes.canonical(dtype))


@registry.register("initializer", "constant")
class Constant(Initializer):
    """One value everywhere, or given values.

    Args:
        value: a number, or an array that has the weight's shape or broadcasts to it.

    Raises:
        ValueError: the values do not broadcast to the weight's shape.

    Example:

    >>> import lamina
    >>> lamina.initializers.Constant(3.0)((2,)).tolist()
    [3.0, 3.0]
    """

    def __init__(self, value: Any = 0.0):
        self.value = registry.deserialize(value)

    def get_config(self) -> dict[str, Any]:
        value = self.value
        return {"value": registry.serialize(np.asarray(value) if hasattr(value, "__array__") else value)}

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        shape, values = as_shape(shape), np.asarray(self.value)
        try:
            filled = np.broadcast_to(values, shape)
        except ValueError as error:
            raise ShapeError(
                f"Constant holds values of shape {values.shape}, the weight has shape {shape}",
                expected=f"a number, or an array of shape {shape}",
                received=str(values.shape),
            ) from error
        return on_device(filled.copy(), dtypes.canonical(dtype))


@registry.register("initializer", "identity", "IdentityInitializer")
class Identity(Initializer):
    """The identity matrix: ones on the diagonal, times `gain`.

    Args:
        gain: factor.

    Raises:
        ValueError: the weight is not a matrix.

    Example:

    >>> import lamina
    >>> lamina.initializers.Identity()((2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, gain: float = 1.0):
        self.gain = checks.real("gain", gain)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        shape = as_shape(shape)
        if len(shape) != 2:
            raise ValueError(f"Identity makes a matrix, with 2 axes; the weight has shape {shape}")
        return on_device(self.gain * np.eye(*shape), dtypes.canonical(dtype))


@registry.register("initializer", "stft", "STFTInitializer")
class STFT(Initializer):
    """Kernels of a convolution that computes a short-time Fourier transform.

    The weight has the shape ``(length, 1, frequencies)``: channel ``k`` is a (windowed) cosine or negative sine with
    ``k`` turns in ``2 * (frequencies - 1)`` samples.

    Args:
        side: ``"real"`` (cosines) or ``"imag"`` (negative sines).
        window: name of a window in `scipy.signal.windows`, its values, or ``None``.
        scaling: ``"density"`` divides by the window's Euclidean norm, ``"spectrum"`` by its sum; or ``None``.
        periodic: whether the window is periodic.

    Raises:
        ValueError: the weight has no such shape, or the window does not have `length` values.

    Example:

    >>> import lamina
    >>> lamina.initializers.STFT("real", window=None, scaling=None)((4, 1, 3))[:, 0, 0].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ):
        self.side = checks.one_of("side", side, ("real", "imag"))
        self.scaling = checks.one_of("scaling", scaling, ("density", "spectrum", None))
        self.window = registry.deserialize(window)
        self.periodic = bool(periodic)
        if isinstance(window, str):
            self._window_of(4)

    def get_config(self) -> dict[str, Any]:
        window = self.window if isinstance(self.window, (str, type(None))) else np.asarray(self.window)
        window = registry.serialize(window)
        return {"side": self.side, "window": window, "periodic": self.periodic, "scaling": self.scaling}

    def _window_of(self, length: int) -> np.ndarray:
        if self.window is None:
            return np.ones(length)
        if not isinstance(self.window, str):
            values = np.asarray(self.window)
            if values.shape != (length,):
                raise ValueError(f"`window` has shape {values.shape}, the kernel needs ({length},)")
            return values
        from scipy.signal import windows

        try:
            return windows.get_window(self.window, length, fftbins=self.periodic)
        except ValueError as error:
            near = checks.did_you_mean(self.window, windows.__all__)
            raise ValueError(f"`window`={self.window!r} is no window of scipy.signal.windows{near}") from error

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        shape = as_shape(shape)
        if len(shape) != 3 or shape[1] != 1 or shape[2] < 2:
            raise ValueError(f"STFT makes kernels of shape (length, 1, frequencies); the weight has shape {shape}")
        length, _, frequencies = shape
        window = self._window_of(length)
        if self.scaling == "density":
            window = window / np.sqrt(np.sum(window**2))
        elif self.scaling == "spectrum":
            window = window / np.abs(np.sum(window))
        turns = np.outer(np.arange(length), np.arange(frequencies)) / (2 * (frequencies - 1))
        wave = np.cos(2 * np.pi * turns) if self.side == "real" else -np.sin(2 * np.pi * turns)
        return on_device((window[:, None] * wave)[:, None, :], dtypes.canonical(dtype))
