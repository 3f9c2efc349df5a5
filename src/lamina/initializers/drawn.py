"""Initializers that draw their values at random."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lamina.core import checks, registry
from lamina.initializers.base import RandomInitializer

# Cutting a normal distribution at two standard deviations leaves a standard deviation of this.
_TRUNCATED_STDDEV = 0.8796256610342397


def truncated_normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Standard normal values between -2 and 2: those outside (4.6 %) are drawn again."""
    values = rng.standard_normal(shape, dtype=dtype)
    flat = values.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > 2)
    while outside.size:
        again = rng.standard_normal(outside.size, dtype=dtype)
        flat[outside] = again
        outside = outside[np.abs(again) > 2]
    return values


def fans(
    shape: Sequence[int], input_axes: Iterable[int] | None = None, output_axes: Iterable[int] | None = None
) -> tuple[int, int]:
    """How many inputs feed one output of a weight, and how many outputs one input feeds.

    The last two axes are inputs and outputs, and all others are places of a convolution's window, unless the axes
    are named.

    >>> fans((3, 3, 8, 16))
    (72, 144)
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


@registry.register("initializer", "random_normal", "normal")
class RandomNormal(RandomInitializer):
    """Draws from a normal distribution.

    Args:
        mean: mean.
        stddev: standard deviation.
        seed: a whole number or ``None`` (the same values at every call), or a `SeedGenerator` (new ones).

    Example:

    >>> import lamina
    >>> lamina.initializers.RandomNormal(stddev=0.1, seed=1)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean, self.stddev = checks.real("mean", mean), checks.real("stddev", stddev, low=0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return _scaled(rng.standard_normal(shape, dtype=dtype), self.stddev, self.mean)


@registry.register("initializer", "truncated_normal")
class TruncatedNormal(RandomInitializer):
    """Draws from a normal distribution without the values beyond two standard deviations.

    Args:
        mean: mean.
        stddev: standard deviation before the cut.
        seed: a whole number or ``None`` (the same values at every call), or a `SeedGenerator` (new ones).

    Example:

    >>> import lamina
    >>> bool(abs(lamina.initializers.TruncatedNormal(seed=1)((50,))).max() <= 0.1)
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean, self.stddev = checks.real("mean", mean), checks.real("stddev", stddev, low=0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return _scaled(truncated_normal(rng, shape, dtype), self.stddev, self.mean)


@registry.register("initializer", "random_uniform", "uniform")
class RandomUniform(RandomInitializer):
    """Draws uniformly between two bounds.

    Args:
        minval: lower bound (included).
        maxval: upper bound (excluded).
        seed: a whole number or ``None`` (the same values at every call), or a `SeedGenerator` (new ones).

    Example:

    >>> import lamina
    >>> bool((lamina.initializers.RandomUniform(0.0, 1.0, seed=1)((50,)) >= 0).all())
    True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.minval, self.maxval = checks.real("minval", minval), checks.real("maxval", maxval)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return _scaled(rng.random(shape, dtype=dtype), self.maxval - self.minval, self.minval)


@registry.register("initializer", "variance_scaling")
class VarianceScaling(RandomInitializer):
    """Draws with a variance of ``scale / fan``, so that signals keep their size from layer to layer.

    Args:
        scale: factor of the variance.
        mode: the fan: ``"fan_in"`` (inputs of one output), ``"fan_out"`` (outputs of one input) or ``"fan_avg"``.
        distribution: ``"truncated_normal"``, ``"untruncated_normal"`` or ``"uniform"``.
        seed: a whole number or ``None`` (the same values at every call), or a `SeedGenerator` (new ones).
        input_axes: axes of the weight that are its inputs, and
        output_axes: its outputs, where they are not the last two and the others a convolution's window.

    Example:

    >>> import lamina
    >>> lamina.initializers.VarianceScaling(2.0, seed=1)((3, 3, 8, 16)).shape
    (3, 3, 8, 16)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(seed)
        self.scale = checks.real("scale", scale)
        if self.scale <= 0:
            raise ValueError(f"`scale`={scale!r}: expected a positive number")
        self.mode = checks.one_of("mode", mode, ("fan_in", "fan_out", "fan_avg"))
        distribution = "truncated_normal" if distribution == "normal" else distribution
        kinds = ("truncated_normal", "untruncated_normal", "uniform")
        self.distribution = checks.one_of("distribution", distribution, kinds)
        if (input_axes is None) != (output_axes is None):
            raise ValueError(f"give both `input_axes`={input_axes!r} and `output_axes`={output_axes!r}, or neither")
        self.input_axes, self.output_axes = input_axes, output_axes

    def get_config(self) -> dict[str, Any]:
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        rule = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**super().get_config(), **rule, **axes}

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        fan_in, fan_out = fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, fan))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return _scaled(rng.random(shape, dtype=dtype), 2 * limit, -limit)
        if self.distribution == "untruncated_normal":
            return _scaled(rng.standard_normal(shape, dtype=dtype), stddev)
        return _scaled(truncated_normal(rng, shape, dtype), stddev / _TRUNCATED_STDDEV)


class _Named(VarianceScaling):
    """A variance scaling that the literature gives a name."""

    _rule: tuple[float, str, str]

    def __init__(
        self, seed: Any = None, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
    ):
        super().__init__(*self._rule, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {key: config[key] for key in ("seed", "input_axes", "output_axes")}


_ARGS = """

    Args:
        seed: a whole number or ``None`` (the same values at every call), or a `SeedGenerator` (new ones).
        input_axes: axes of the weight that are its inputs, and
        output_axes: its outputs, where they are not the last two and the others a convolution's window.

    Example:

    >>> import lamina
    >>> lamina.initializers.{name}(seed=1)((4, 8)).shape
    (4, 8)
    """
_GLOROT = "Glorot and Bengio, `Understanding the difficulty of training deep feedforward neural networks`, 2010."
_HE = "He et al., `Delving deep into rectifiers` (https://arxiv.org/abs/1502.01852), 2015."
_LECUN = "LeCun et al., `Efficient BackProp`, 1998."


def _named(name: str, alias: str, rule: tuple[float, str, str], summary: str, paper: str) -> Any:
    text = f"{summary}\n\n    {paper}{_ARGS.format(name=name)}"
    cls = type(name, (_Named,), {"_rule": rule, "__doc__": text, "__module__": __name__})
    return registry.register("initializer", alias)(cls)


_UNIFORM, _NORMAL = "uniform", "truncated_normal"
GlorotUniform: type[_Named] = _named(
    "GlorotUniform", "glorot_uniform", (1.0, "fan_avg", _UNIFORM),
    "Draws uniformly within ``sqrt(6 / (fan_in + fan_out))`` of zero.", _GLOROT,
)  # fmt: skip
GlorotNormal: type[_Named] = _named(
    "GlorotNormal", "glorot_normal", (1.0, "fan_avg", _NORMAL),
    "Draws from a truncated normal distribution of variance ``2 / (fan_in + fan_out)``.", _GLOROT,
)  # fmt: skip
HeUniform: type[_Named] = _named(
    "HeUniform", "he_uniform", (2.0, "fan_in", _UNIFORM),
    "Draws uniformly within ``sqrt(6 / fan_in)`` of zero.", _HE,
)  # fmt: skip
HeNormal: type[_Named] = _named(
    "HeNormal", "he_normal", (2.0, "fan_in", _NORMAL),
    "Draws from a truncated normal distribution of variance ``2 / fan_in``.", _HE,
)  # fmt: skip
LecunUniform: type[_Named] = _named(
    "LecunUniform", "lecun_uniform", (1.0, "fan_in", _UNIFORM),
    "Draws uniformly within ``sqrt(3 / fan_in)`` of zero.", _LECUN,
)  # fmt: skip
LecunNormal: type[_Named] = _named(
    "LecunNormal", "lecun_normal", (1.0, "fan_in", _NORMAL),
    "Draws from a truncated normal distribution of variance ``1 / fan_in``.", _LECUN,
)  # fmt: skip


@registry.register("initializer", "orthogonal", "OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """Draws an orthogonal matrix: columns (or, in a wide matrix, rows) of length 1 at right angles.

    A weight with more axes is filled as a matrix ``(product of the other axes, last axis)``.

    Saxe et al., `Exact solutions to the nonlinear dynamics of learning in deep linear neural networks`
    (https://arxiv.org/abs/1312.6120), 2013.

    Args:
        gain: factor.
        seed: a whole number or ``None`` (the same values at every call), or a `SeedGenerator` (new ones).

    Raises:
        ValueError: the weight has fewer than 2 axes.

    Example:

    >>> import lamina
    >>> w = lamina.initializers.Orthogonal(seed=1)((3, 3))
    >>> bool((abs(w @ w.T - lamina.initializers.Identity()((3, 3))) < 1e-5).all())
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        super().__init__(seed)
        self.gain = checks.real("gain", gain)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal makes a matrix, with 2 axes or more; the weight has shape {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        normal = rng.standard_normal((max(rows, columns), min(rows, columns)), dtype=dtype)
        q, r = np.linalg.qr(normal)
        q *= np.where(np.diagonal(r) < 0, -1, 1).astype(dtype)  # the signs make the distribution uniform
        return _scaled((q.T if rows < columns else q).reshape(shape), self.gain)


def _scaled(values: np.ndarray, factor: float, offset: float = 0.0) -> np.ndarray:
    """``factor * values + offset`` without another copy."""
    values *= values.dtype.type(factor)
    if offset:
        values += values.dtype.type(offset)
    return values
