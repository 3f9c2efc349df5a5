"""Learning rates that follow the step."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core import checks, config, registry
from lamina.core.variable import Variable

_KIND = "schedule"
_HOME = "keras.optimizers.schedules"


class LearningRateSchedule:
    """Base of the schedules: a function of the step that knows its own arguments.

    Example:

    >>> import lamina
    >>> class Halving(lamina.optimizers.schedules.LearningRateSchedule):
    ...     def __init__(self, first):
    ...         self.first = first
    ...     def __call__(self, step):
    ...         return self.first / (step + 1)
    ...     def get_config(self):
    ...         return {"first": self.first}
    >>> float(lamina.optimizers.SGD(Halving(0.5)).learning_rate)
    0.5
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`, counted from 0."""
        raise TypeError(f"{type(self).__name__} does not say its learning rate: write `__call__(self, step)`")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {n: registry.serialize(getattr(self, n)) for n in names if hasattr(self, n)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The schedule that `get_config` described."""
        return cls(**config)


def _step(step: Any, dtype: Any = None) -> Any:
    return jnp.asarray(step.value if isinstance(step, Variable) else step, dtype or config.floatx())


def _steps(name: str, value: Any) -> Any:
    if checks.real(name, value, low=0.0) <= 0:
        raise ValueError(f"`{name}`={value!r}: expected more than 0 steps")
    return value


@registry.register(_KIND, home=_HOME)
class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: where it starts.
        decay_steps: after so many steps it is multiplied by `decay_rate`.
        decay_rate: the factor.
        staircase: whether it falls in steps rather than smoothly.
        name: a name.

    Example:

    >>> import lamina
    >>> rate = lamina.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
    >>> round(float(rate(20)), 6)
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.initial_learning_rate = checks.real("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.decay_rate = checks.real("decay_rate", decay_rate)
        self.staircase = staircase
        self.name = name

    def _turns(self, step: Any) -> Any:
        turns = _step(step) / self.decay_steps
        return jnp.floor(turns) if self.staircase else turns

    def __call__(self, step: Any) -> Any:
        return self.initial_learning_rate * jnp.power(self.decay_rate, self._turns(step))


@registry.register(_KIND, home=_HOME)
class InverseTimeDecay(ExponentialDecay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: where it starts.
        decay_steps: how many steps count as one.
        decay_rate: how fast it falls.
        staircase: whether it falls in steps rather than smoothly.
        name: a name.

    Example:

    >>> import lamina
    >>> rate = lamina.optimizers.schedules.InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)
    >>> round(float(rate(10)), 6)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: Any) -> Any:
        return self.initial_learning_rate / (1 + self.decay_rate * self._turns(step))


@registry.register(_KIND, home=_HOME)
class PiecewiseConstantDecay(LearningRateSchedule):
    """A constant rate up to each boundary.

    Args:
        boundaries: steps, rising; the boundary itself still has the rate before it.
        values: rates, one more than there are boundaries.
        name: a name.

    Raises:
        ValueError: the numbers of boundaries and values do not fit, or the boundaries do not rise.

    Example:

    >>> import lamina
    >>> rate = lamina.optimizers.schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.1])
    >>> [round(float(rate(step)), 6) for step in (10, 11, 21)]
    [1.0, 0.5, 0.1]
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"):
        if len(boundaries) + 1 != len(values):
            raise ValueError(f"{len(boundaries)} `boundaries` need {len(boundaries) + 1} `values`; {len(values)} came")
        if any(a >= b for a, b in itertools.pairwise(boundaries)):
            raise ValueError(f"`boundaries`={boundaries!r}: expected rising steps")
        self.boundaries = list(boundaries)
        self.values = [checks.real("values", v) for v in values]
        self.name = name

    def __call__(self, step: Any) -> Any:
        now = step.value if isinstance(step, Variable) else jnp.asarray(step)
        position = jnp.sum(now > jnp.asarray(self.boundaries)) if self.boundaries else 0
        return jnp.asarray(self.values, config.floatx())[position]


@registry.register(_KIND, home=_HOME)
class PolynomialDecay(LearningRateSchedule):
    """From one rate to another along ``(1 - step / decay_steps) ** power``.

    Args:
        initial_learning_rate: where it starts.
        decay_steps: when it ends.
        end_learning_rate: where it ends.
        power: the exponent; 1 is a straight line.
        cycle: whether it rises again to the curve of the next multiple of `decay_steps`.
        name: a name.

    Example:

    >>> import lamina
    >>> rate = lamina.optimizers.schedules.PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)
    >>> round(float(rate(5)), 6)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.initial_learning_rate = checks.real("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.end_learning_rate = checks.real("end_learning_rate", end_learning_rate)
        self.power = checks.real("power", power)
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Any:
        now = _step(step)
        steps: Any = float(self.decay_steps)
        if self.cycle:
            steps = steps * jnp.where(now == 0, 1.0, jnp.ceil(now / steps))
        else:
            now = jnp.minimum(now, steps)
        fall = self.initial_learning_rate - self.end_learning_rate
        return fall * jnp.power(1 - now / steps, self.power) + self.end_learning_rate


@registry.register(_KIND, home=_HOME)
class CosineDecay(LearningRateSchedule):
    """Half a cosine wave down, after an optional straight warm-up (Loshchilov and Hutter, arXiv:1608.03983).

    Args:
        initial_learning_rate: where it starts.
        decay_steps: how long it falls.
        alpha: the share of the top rate that remains at the end.
        name: a name.
        warmup_target: rate at the end of the warm-up; none by default.
        warmup_steps: how long the warm-up is.

    Example:

    >>> import lamina
    >>> rate = lamina.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=5)
    >>> [round(float(rate(step)), 6) for step in (0, 5, 10, 15)]
    [0.0, 0.1, 0.05, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        self.initial_learning_rate = checks.real("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _steps("decay_steps", decay_steps)
        self.alpha = checks.real("alpha", alpha)
        self.name = name
        self.warmup_steps = warmup_steps
        self.warmup_target = warmup_target

    def _fall(self, now: Any, top: float) -> Any:
        done = jnp.clip(now / self.decay_steps, 0.0, 1.0)
        wave = 0.5 * (1 + jnp.cos(math.pi * done))
        return top * ((1 - self.alpha) * wave + self.alpha)

    def __call__(self, step: Any) -> Any:
        now = _step(step)
        start, target = self.initial_learning_rate, self.warmup_target
        if target is None:
            return self._fall(now, start)
        if not self.warmup_steps:
            return self._fall(now, target)
        rise = start + (target - start) * now / self.warmup_steps
        return jnp.where(now < self.warmup_steps, rise, self._fall(now - self.warmup_steps, target))


@registry.register(_KIND, home=_HOME)
class CosineDecayRestarts(LearningRateSchedule):
    """Half cosine waves down that start again and again (Loshchilov and Hutter, arXiv:1608.03983).

    Args:
        initial_learning_rate: where it starts.
        first_decay_steps: length of the first wave.
        t_mul: each wave is so many times longer than the one before.
        m_mul: each wave starts at so many times the rate of the one before.
        alpha: the share of `initial_learning_rate` that remains at the end of a wave.
        name: a name.

    Example:

    >>> import lamina
    >>> rate = lamina.optimizers.schedules.CosineDecayRestarts(0.1, first_decay_steps=10)
    >>> [round(float(rate(step)), 6) for step in (0, 5, 10, 20)]
    [0.1, 0.05, 0.1, 0.05]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.initial_learning_rate = checks.real("initial_learning_rate", initial_learning_rate)
        self.first_decay_steps = _steps("first_decay_steps", first_decay_steps)
        self.t_mul = checks.real("t_mul", t_mul, low=1.0)
        self.m_mul = checks.real("m_mul", m_mul)
        self.alpha = checks.real("alpha", alpha)
        self.name = name

    def __call__(self, step: Any) -> Any:
        done = _step(step) / self.first_decay_steps
        if self.t_mul == 1.0:
            wave = jnp.floor(done)
            share = done - wave
        else:
            wave = jnp.floor(jnp.log(1 - done * (1 - self.t_mul)) / math.log(self.t_mul))
            before = (1 - self.t_mul**wave) / (1 - self.t_mul)
            share = (done - before) / self.t_mul**wave
        height = self.m_mul**wave
        fall = 0.5 * height * (1 + jnp.cos(math.pi * share))
        return self.initial_learning_rate * ((1 - self.alpha) * fall + self.alpha)


def get(identifier: Any) -> Any:
    """The schedule that a config or a schedule stands for."""
    return registry.resolve(_KIND, identifier, LearningRateSchedule)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """A description of a schedule out of plain values."""
    return registry.serialize(learning_rate_schedule)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule that a description stands for."""
    return registry.build(_KIND, config, custom_objects)


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]
