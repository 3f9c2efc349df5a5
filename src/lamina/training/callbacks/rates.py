"""Callbacks that change the learning rate."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.core import checks
from lamina.training.callbacks.callback import Callback, Logs
from lamina.training.callbacks.monitor import Monitor
from lamina.training.callbacks.stopping import count


def _get_rate(callback: Callback) -> float:
    optimizer = getattr(callback.model, "optimizer", None)
    name = type(callback).__name__
    if optimizer is None or not hasattr(optimizer, "learning_rate"):
        raise ValueError(f"{name}: the model's optimizer has no `learning_rate` that can be changed")
    try:
        return float(np.asarray(optimizer.learning_rate))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: the optimizer's `learning_rate` is no number: {optimizer.learning_rate!r}"
        ) from error


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: a function of the epoch (from 0), or of the epoch and the present rate, that gives the new rate.
        verbose: 1 says what is done.

    Raises:
        ValueError: `schedule` is no function, or gives something that is no number.

    Example:

    >>> import lamina
    >>> halve = lamina.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        if not callable(schedule):
            raise ValueError(f"`schedule`={schedule!r}: expected a function of the epoch and the learning rate")
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        now = _get_rate(self)
        rate = self.schedule(epoch, now) if self._takes_rate() else self.schedule(epoch)
        is_array = hasattr(rate, "dtype") and np.ndim(rate) == 0
        if not (isinstance(rate, numbers.Real) or is_array) or isinstance(rate, bool) or not np.isfinite(float(rate)):
            raise ValueError(f"LearningRateScheduler: `schedule` gave {rate!r} for epoch {epoch}: expected a number")
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler sets the learning rate to {float(rate):g}.")

    def _takes_rate(self) -> bool:
        try:
            inspect.signature(self.schedule).bind(0, 0.0)
        except TypeError:
            return False
        except ValueError:  # a builtin without a signature
            return True
        return True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = _get_rate(self)


class ReduceLROnPlateau(Callback):
    """Lowers the learning rate when a metric has stopped getting better.

    Args:
        monitor: the metric.
        factor: what the rate is multiplied by, under 1.
        patience: how many epochs without getting better are allowed.
        verbose: 1 says what is done.
        mode: ``"min"``, ``"max"``, or ``"auto"`` (by the metric).
        min_delta: how much better it must be to count as better.
        cooldown: epochs after a change in which nothing is counted.
        min_lr: the rate does not go below this.

    Raises:
        ValueError: an argument is not what is said here.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ):
        checks.no_unknown("ReduceLROnPlateau", kwargs, list(inspect.signature(ReduceLROnPlateau).parameters)[:-1])
        self.monitor, self.verbose = monitor, verbose
        self._monitor = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.min_delta, self.mode = self._monitor.min_delta, self._monitor.mode
        self.factor = checks.real("factor", factor, 0.0)
        if self.factor >= 1.0:
            raise ValueError(f"`factor`={factor!r}: expected a number under 1, which makes the learning rate smaller")
        self.patience, self.cooldown = count("patience", patience), count("cooldown", cooldown)
        self.min_lr = checks.real("min_lr", min_lr, 0.0)
        self._reset()

    def _reset(self) -> None:
        self.best: float | None = None
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        self._reset()

    def in_cooldown(self) -> bool:
        """Whether the rate was changed so lately that nothing is counted."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = _get_rate(self)
        current = self._monitor.read(logs, self.model, instead=", so the learning rate stays")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._monitor.better(current, self.best):
            self.best, self.wait = current, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        now = _get_rate(self)
        # Compared as the optimizer holds it, in 32 bits.
        if now <= np.float32(self.min_lr):
            return
        rate = max(now * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau lowers the learning rate to {rate:g}.")
        self.cooldown_counter, self.wait = self.cooldown, 0
