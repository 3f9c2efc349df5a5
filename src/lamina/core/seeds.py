"""Random numbers that a program can repeat: seeds, and generators that move on with each draw."""

from __future__ import annotations

import functools
import math
import random as python_random
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, context
from lamina.core.variable import Variable

_RARE = 0.01  # rates closer than this to 0 or 1 are drawn with 32 bits, not 16

_state: dict[str, Any] = {"rng": np.random.default_rng(), "generator": None}


def set_random_seed(seed: int) -> None:
    """Seed Python's, numpy's and Lamina's random numbers, so that a program gives the same numbers each time.

    Raises:
        ValueError: `seed` is not a whole number.
    """
    if not checks.is_whole(seed):
        raise ValueError(f"`seed`={seed!r}: expected a whole number")
    seed = int(seed) % 2**32
    python_random.seed(seed)
    np.random.seed(seed)
    _state["rng"] = np.random.default_rng(seed)
    _state["generator"] = None


def make_seed() -> int:
    """A new seed from the program's random numbers."""
    return int(_state["rng"].integers(0, 2**31 - 1))


class SeedGenerator:
    """A source of keys that moves on with each draw; its state is a variable and so part of a model.

    Args:
        seed: a whole number, or ``None`` for a random one.
        name: a name.

    Example:

    >>> import lamina
    >>> generator = lamina.random.SeedGenerator(seed=1)
    >>> a = lamina.random.uniform((2,), seed=generator)
    >>> b = lamina.random.uniform((2,), seed=generator)
    >>> bool((a == b).all())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any):
        checks.no_unknown("SeedGenerator", kwargs, [])
        if seed is not None and not checks.is_whole(seed):
            raise ValueError(f"`seed`={seed!r}: expected a whole number or None")
        self.name = name or context.auto_name("seed_generator")
        self._initial_seed = seed
        start = make_seed() if seed is None else int(seed)
        first = np.array([start % 2**32, 0], dtype="uint32")
        with context.name_scope(self.name):
            self.state = Variable(first, dtype="uint32", trainable=False, name="seed_generator_state")

    @property
    def seed(self) -> int | None:
        """The seed it was made with."""
        return self._initial_seed

    def next(self) -> jax.Array:
        """The seed for one draw, ``uint32 (2,)``; the next call gives another one."""
        seed = self.state._value
        self.state.set_raw(seed + jnp.array([0, 1], dtype="uint32"))
        return seed

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._initial_seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


def global_seed_generator() -> SeedGenerator:
    """The generator behind draws that name no seed."""
    if _state["generator"] is None:
        _state["generator"] = SeedGenerator(make_seed(), name="global_seed_generator")
    return _state["generator"]


def forget_global_generator() -> None:
    """Let the next draw that names no seed start a new generator."""
    _state["generator"] = None


def draw_key(seed: int | SeedGenerator | jax.Array | None) -> jax.Array:
    """The JAX key for one draw.

    Args:
        seed: ``None`` (the global generator), a whole number (the same draw each time), a `SeedGenerator`
            (the next draw of it), or a ``uint32 (2,)`` array.
    """
    if seed is None:
        seed = global_seed_generator()
    if isinstance(seed, SeedGenerator):
        return jax.random.wrap_key_data(seed.next(), impl="threefry2x32")
    if checks.is_whole(seed):
        return jax.random.key(int(seed) % 2**32, impl="threefry2x32")
    if hasattr(seed, "shape") and seed.shape == (2,):
        return jax.random.wrap_key_data(jnp.asarray(seed, "uint32"), impl="threefry2x32")
    raise ValueError(f"`seed`={seed!r}: expected None, a whole number or a SeedGenerator")


def kept(seed: int | SeedGenerator | jax.Array | None, rate: float, shape: Sequence[Any]) -> jax.Array:
    """Random truth values of that shape, false with probability `rate`: what dropout keeps.

    Two are made of each random number of 32 bits, as numbers cost more than all else in dropout. The probability
    is `rate` to within ``2**-17``.

    Args:
        seed: see `draw_key`.
        rate: from 0 to 1.
        shape: of the result.
    """
    known = all(isinstance(size, int) for size in shape)
    if not known or not _RARE <= rate <= 1.0 - _RARE:
        return jax.random.bernoulli(draw_key(seed), 1.0 - rate, shape)
    return _kept(draw_key(seed), round(rate * 2**16), tuple(shape))


@functools.partial(jax.jit, static_argnums=2)
def _kept(key: jax.Array, least: Any, shape: tuple[int, ...]) -> jax.Array:
    count = math.prod(shape)
    pairs = jax.random.bits(key, (-(-count // 2),), "uint32")
    return jax.lax.bitcast_convert_type(pairs, jnp.uint16).reshape(-1)[:count].reshape(shape) >= least


def numpy_generator(seed: int | SeedGenerator | None) -> np.random.Generator:
    """A numpy generator for drawing weights on the host, where no program has to be compiled for each shape."""
    if isinstance(seed, SeedGenerator):
        with jax.ensure_compile_time_eval():
            key = [int(s) for s in np.asarray(seed.next())]
        return np.random.Generator(np.random.SFC64(key))
    return np.random.Generator(np.random.SFC64(make_seed() if seed is None else int(seed) % 2**32))
