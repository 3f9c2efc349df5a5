"""Random noise on what passes through, during training."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax

from lamina.core import checks, registry
from lamina.core.seeds import SeedGenerator, draw_key
from lamina.layers.layer import Layer


@registry.register("layer")
class GaussianNoise(Layer):
    """Adds normal random numbers of mean 0 during training.

    Args:
        stddev: their standard deviation.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: `stddev` is negative or no number.

    Example:

    >>> import lamina
    >>> lamina.layers.GaussianNoise(0.1)(lamina.Input((10,))).shape
    (None, 10)
    """

    signature = "batch ... -> batch ..."
    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"stddev": 0.1}

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.stddev = checks.real("stddev", stddev, low=0.0)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.stddev == 0.0:
            return inputs
        return inputs + self.stddev * jax.random.normal(draw_key(self.seed_generator), inputs.shape, inputs.dtype)


@registry.register("layer")
class GaussianDropout(Layer):
    """Multiplies by normal random numbers of mean 1 during training.

    Their variance is ``rate / (1 - rate)``, that of the factors of `Dropout`.

    Args:
        rate: from 0 to less than 1.
        seed: a whole number for the same random numbers each time.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: `rate` is not a number from 0 to less than 1.

    References:
        Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014

    Example:

    >>> import lamina
    >>> lamina.layers.GaussianDropout(0.1)(lamina.Input((10,))).shape
    (None, 10)
    """

    signature = "batch ... -> batch ..."
    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"rate": 0.1}

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = checks.real("rate", rate, low=0.0, high=1.0)
        if self.rate == 1.0:
            raise ValueError("`rate`=1: expected less than 1, where the variance rate / (1 - rate) is finite")
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return inputs
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return inputs * (1.0 + stddev * jax.random.normal(draw_key(self.seed_generator), inputs.shape, inputs.dtype))
