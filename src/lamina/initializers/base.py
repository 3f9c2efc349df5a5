"""What all initializers share: the call, the configuration, and how values get onto the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, dtypes, registry, seeds


class Initializer:
    """Gives the first values of a weight. Subclasses define ``__call__(shape, dtype=None)``.

    Example:

    >>> import lamina
    >>> class Halves(lamina.initializers.Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return 0.5 * lamina.initializers.Ones()(shape, dtype)
    >>> Halves()((2,)).tolist()
    [0.5, 0.5]
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        raise TypeError(f"{type(self).__name__} needs a method `__call__(self, shape, dtype=None)`")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """An initializer with these constructor arguments."""
        return cls(**config)

    def clone(self) -> Initializer:
        """Another initializer with the same arguments; where no seed was given it draws other values."""
        return type(self).from_config(self.get_config())


class RandomInitializer(Initializer):
    """An initializer that draws its values.

    Values are drawn on the host: no program has to be compiled for each shape.

    Args:
        seed: a whole number or ``None`` (the same values at every call), or a `SeedGenerator` (new ones).
    """

    def __init__(self, seed: Any = None):
        if isinstance(seed, dict):
            seed = seeds.SeedGenerator.from_config(seed["config"])
        self._given_seed = seed
        if seed is None:
            seed = seeds.make_seed()
        elif checks.is_whole(seed):
            seed = self._given_seed = int(seed)
        elif not isinstance(seed, seeds.SeedGenerator):
            raise ValueError(f"`seed`={seed!r}: expected a whole number, a SeedGenerator or None")
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        seed = registry.serialize(self._given_seed)
        if isinstance(seed, dict):
            seed |= {"module": "keras.random", "registered_name": None}
        return {"seed": seed}

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        shape, name = as_shape(shape), dtypes.canonical(dtype)
        if not dtypes.is_float(name):
            raise ValueError(f"{type(self).__name__} draws float values; `dtype`={dtype!r} is none of those")
        draw_in = np.float64 if name == "float64" else np.float32
        return on_device(self.draw(seeds.numpy_generator(self.seed), shape, draw_in), name)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """The values, drawn from `rng`, in numpy's ``float32`` or ``float64``."""
        raise TypeError(f"{type(self).__name__} needs a method `draw(self, rng, shape, dtype)` or `__call__`")


def as_shape(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple of sizes."""
    entries = (shape,) if checks.is_whole(shape) else tuple(shape)
    if not all(checks.is_whole(size) and size >= 0 for size in entries):
        raise ValueError(f"`shape`={shape!r}: expected whole numbers of at least 0")
    return tuple(int(size) for size in entries)


def on_device(values: np.ndarray, dtype: str) -> jax.Array:
    """Host values as a tensor of that type; cast on the host, so that nothing is compiled."""
    return jax.device_put(values.astype(jnp.dtype(dtype), copy=False))
