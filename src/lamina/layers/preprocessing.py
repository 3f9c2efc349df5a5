"""`Rescaling` and `Normalization`: raw numbers brought into a range that is easy to learn from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from lamina.core import config, registry
from lamina.layers.activation import checked_axis
from lamina.layers.checking import check_inputs
from lamina.layers.layer import Layer
from lamina.layers.normalizing import axis_signature, places
from lamina.shapes.errors import ShapeError


@registry.register("layer")
class Rescaling(Layer):
    """``x * scale + offset``; ``Rescaling(1 / 255)`` brings the bytes of an image to 0 ... 1.

    Args:
        scale: what to multiply with: a number, or one for each entry of the last axis.
        offset: what to add afterwards, likewise.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: `scale` or `offset` holds something else than finite numbers.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.layers.Rescaling(0.5, offset=-1.0)(np.array([[0, 2, 4]], "uint8")).tolist()
    [[-1.0, 0.0, 1.0]]
    """

    signature = "batch ... -> batch ..."
    example_input = (None, 28, 28, 1)
    example_config: ClassVar[dict[str, Any]] = {"scale": 1 / 255}

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale, self.offset = _numbers("scale", scale), _numbers("offset", offset)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        dtype = self.compute_dtype
        return inputs.astype(dtype) * jnp.asarray(self.scale, dtype) + jnp.asarray(self.offset, dtype)


def _numbers(name: str, value: Any) -> Any:
    """A number as it is, several as a (nested) list."""
    try:
        array = np.asarray(value, "float64")
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"`{name}`={value!r}: expected a finite number, or several of them")
    return value if isinstance(value, (int, float)) else np.asarray(value).tolist()


@registry.register("layer")
class Normalization(Layer):
    """Shifts and scales each feature to mean 0 and variance 1 over the data given to `adapt`.

    Args:
        axis: the axis, or several of them, along which each entry has a mean and variance of its own; ``None`` for
            one mean and variance of everything.
        mean: the mean, instead of `adapt`.
        variance: the variance, instead of `adapt`; of the same shape as `mean`.
        invert: do the opposite: multiply by the standard deviation and add the mean.

    Shapes:
        Input `(batch, ..., features)`, output the same.

    Raises:
        ValueError: only one of `mean` and `variance` is given, their shapes differ, or a variance is negative.
        ShapeError: the size of an axis named by `axis` is open.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> layer = lamina.layers.Normalization()
    >>> layer.adapt(np.array([[1.0], [3.0]]))
    >>> layer(np.array([[3.0]])).tolist()
    [[1.0]]
    """

    common_mistakes = ("Call adapt(training_data) before training; until then nothing is changed.",)
    example_input = (None, 10)

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        axes = () if axis is None or axis == () or axis == [] else checked_axis(axis)
        self.axis = (axes,) if isinstance(axes, int) else tuple(axes)
        if (mean is None) != (variance is None):
            raise ValueError(f"`mean`={mean!r} and `variance`={variance!r}: give both, or neither and call adapt")
        self.input_mean = None if mean is None else _numbers("mean", mean)
        self.input_variance = None if variance is None else _numbers("variance", variance)
        if np.shape(mean) != np.shape(variance):
            raise ValueError(f"`mean` has shape {np.shape(mean)}, `variance` {np.shape(variance)}: they must agree")
        if variance is not None and np.any(np.asarray(variance) < 0):
            raise ValueError(f"`variance`={variance!r}: expected numbers of at least 0")
        self.invert = bool(invert)
        self.supports_masking = True

    @property
    def _named(self) -> dict[int, str]:
        alone = len(self.axis) == 1
        return {axis: "features" if alone else f"features_{i + 1}" for i, axis in enumerate(sorted(self.axis))}

    @property
    def signature(self) -> str:  # type: ignore[override]
        """The axes, with those of `axis` named ``features``."""
        return axis_signature(self._named)

    @property
    def built_axes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The axes along which each entry has a mean and variance of its own."""
        return tuple(self._named.values())

    def build(self, input_shape: Any) -> None:
        own = places(self.axis, len(input_shape))
        sizes = [input_shape[axis] for axis in own]
        self._spread = [size if axis in own else 1 for axis, size in enumerate(input_shape)]
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(sizes, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(sizes, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")
        else:
            self._check_statistics(tuple(sizes), input_shape)

    def _check_statistics(self, sizes: tuple[Any, ...], input_shape: Any) -> None:
        """Refuse a mean and variance that are not one number for each feature."""
        given = np.asarray(self.input_mean).shape
        spread = tuple(self._spread)
        if None in sizes or math.prod(given) == math.prod(sizes):
            return
        fits = len(given) <= len(spread) and all(
            a in (1, b) for a, b in zip(reversed(given), reversed(spread), strict=False)
        )
        if not fits:
            raise ShapeError(
                f'Normalization "{self.name}": `mean` and `variance` do not fit an input of shape {tuple(input_shape)}',
                layer=self.name,
                expected=f"{sizes}   one mean and one variance per feature",
                received=f"{given}",
            )

    @property
    def mean(self) -> Any:
        """The mean that is subtracted, in a shape that broadcasts to the input."""
        return self._placed(self.input_mean, "adapt_mean")

    @property
    def variance(self) -> Any:
        """The variance that is divided by (its root), in a shape that broadcasts to the input."""
        return self._placed(self.input_variance, "adapt_variance")

    def _placed(self, given: Any, weight: str) -> Any:
        if not self.built:
            raise AttributeError(f"Normalization {self.name!r} has not seen data yet: call adapt, or call the layer")
        value = getattr(self, weight).value if given is None else jnp.asarray(given, self.compute_dtype)
        same_size = value.size == math.prod(self._spread)
        return value.reshape(self._spread) if same_size else jnp.broadcast_to(value, self._spread)

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data, in place of those from earlier data.

        Args:
            data: an array `(samples, ..., features)`, or an iterable of batches of this shape.

        Raises:
            ValueError: mean and variance were given to the constructor, or the data is empty.
            ShapeError: the data has other features than earlier data.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Normalization {self.name!r}: `mean` and `variance` were given; there is nothing to adapt"
            )
        batches = [data] if hasattr(data, "shape") or isinstance(data, (list, tuple)) else data
        total, mean, squares = 0, np.float64(0), np.float64(0)
        for batch in _arrays(batches):
            if not self.built:
                self.build((None, *batch.shape[1:]))
            check_inputs(self, batch)
            axes = tuple(a for a in range(batch.ndim) if a not in places(self.axis, batch.ndim))
            count = int(np.prod([batch.shape[a] for a in axes]))
            if count == 0:
                continue
            shift = batch.mean(axes) - mean
            squares = squares + batch.var(axes) * count + shift**2 * (total * count / (total + count))
            mean = mean + shift * (count / (total + count))
            total += count
        if total == 0:
            raise ValueError(f"Normalization {self.name!r}: adapt was given no data")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(squares / total)

    def call(self, inputs: Any) -> Any:
        x = inputs.astype(self.compute_dtype)
        mean = self.mean.astype(x.dtype)
        stddev = jnp.maximum(jnp.sqrt(self.variance), config.epsilon()).astype(x.dtype)
        return x * stddev + mean if self.invert else (x - mean) / stddev

    def get_config(self) -> dict[str, Any]:
        own = {"axis": self.axis, "mean": self.input_mean, "variance": self.input_variance}
        return {**super().get_config(), **own}


def _arrays(batches: Iterable[Any]) -> Iterable[np.ndarray]:
    """Each batch in float64."""
    for batch in batches:
        array = np.asarray(batch)
        if array.dtype.kind not in "biuf" or array.ndim == 0:
            raise ShapeError(
                "adapt takes an array of numbers, (samples, ..., features), or an iterable of such batches",
                received=f"{type(batch).__name__} of {array.dtype}, shape {array.shape}",
            )
        yield array.astype("float64")
