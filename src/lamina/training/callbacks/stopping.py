"""Callbacks that end training."""

from __future__ import annotations

import math
from typing import Any

from lamina.core import checks
from lamina.training.callbacks.callback import Callback, Logs
from lamina.training.callbacks.monitor import Monitor


class EarlyStopping(Callback):
    """Ends training when a metric has stopped getting better.

    Args:
        monitor: the metric.
        min_delta: how much better it must be to count as better.
        patience: how many epochs without getting better are allowed.
        verbose: 1 says what is done.
        mode: ``"min"``, ``"max"``, or ``"auto"`` (by the metric).
        baseline: a value to beat; without it beaten, patience runs out even while the metric gets better.
        restore_best_weights: put the weights of the best epoch back when training ends.
        start_from_epoch: epochs before this one are not watched.

    Attributes:
        best: the best value.
        best_epoch: the epoch it came from.
        stopped_epoch: the epoch after which training was ended; 0 if it was not.

    Raises:
        ValueError: an argument is not what is said here.

    Example:

    >>> import lamina
    >>> stop = lamina.callbacks.EarlyStopping(monitor="loss", patience=3, restore_best_weights=True)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        self.monitor, self.verbose = monitor, verbose
        self._monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self.min_delta, self.mode = self._monitor.min_delta, self._monitor.mode
        self.patience = count("patience", patience)
        self.start_from_epoch = count("start_from_epoch", start_from_epoch)
        self.baseline = None if baseline is None else checks.real("baseline", baseline)
        self.restore_best_weights = bool(restore_best_weights)
        self._reset()

    def _reset(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        current = self._monitor.read(logs, self.model, instead=" to stop by, so training goes on")
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if self._monitor.better(current, self.best):
            self.best = current
            self._keep(epoch)
            if self.baseline is None or self._monitor.better(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch > 0 and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)


def count(name: str, value: Any) -> int:
    """`value` as a whole number of at least 0."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if not checks.is_whole(whole) or whole < 0:
        raise ValueError(f"`{name}`={value!r}: expected a whole number of at least 0")
    return int(whole)


class TerminateOnNaN(Callback):
    """Ends training when the loss is no longer a finite number.

    Args:
        raise_error: raise an error, instead of ending training in good order.

    Raises:
        RuntimeError: from `fit`, with `raise_error`.
    """

    def __init__(self, raise_error: bool = False):
        self.raise_error = bool(raise_error)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"the loss is {loss} after batch {batch}; training ends")
        print(f"Batch {batch}: the loss is {loss}; training ends")
        self.model.stop_training = True
