"""`ModelCheckpoint`: the model's weights, or the model, to a file while it trains."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Any

from lamina.core import checks
from lamina.training.callbacks.callback import Logs
from lamina.training.callbacks.monitor import Monitor
from lamina.training.callbacks.periodic import Periodic


class Saver(Periodic):
    """Says when something is saved: after each epoch or every so many batches, always or when a metric is best.

    Args: those of `ModelCheckpoint`. A class derived from this one says in `write` what is saved where.
    """

    def __init__(
        self,
        monitor: str,
        verbose: int,
        save_best_only: bool,
        save_weights_only: bool,
        mode: str,
        save_freq: int | str,
        initial_value_threshold: float | None,
    ):
        super().__init__(save_freq)
        self.monitor, self.verbose = monitor, verbose
        self._monitor = Monitor(type(self).__name__, monitor, mode)
        self.save_best_only, self.save_weights_only = bool(save_best_only), bool(save_weights_only)
        threshold = initial_value_threshold
        self.best = None if threshold is None else checks.real("initial_value_threshold", threshold)

    def write(self, epoch: int, batch: int | None, logs: Logs) -> Any:
        """Save; what is given back is shown to the user as the place."""
        raise TypeError(f"{type(self).__name__} does not say what is saved: it has no `write`")

    def due(self, epoch: int, batch: int | None, logs: Logs) -> None:
        said = f"\nEpoch {epoch + 1}: "
        if self.save_best_only:
            current = self._monitor.read(logs, self.model, instead=" to be best in, so nothing is saved")
            if current is None:
                return
            if not self._monitor.better(current, self.best):
                if self.verbose:
                    print(f"{said}{self.monitor} is {current:.5f}, not better than {self._shown_best()}")
                return
            said += f"{self.monitor} went from {self._shown_best()} to {current:.5f}; "
            self.best = current
        place = self.write(epoch, batch, logs)
        if self.verbose:
            print(f"{said}saved {place}")

    def _shown_best(self) -> str:
        return "nothing" if self.best is None else f"{self.best:.5f}"


class ModelCheckpoint(Saver):
    """Saves the model, or its weights, after each epoch or every so many batches.

    A file is put in its place when it is whole, so a crash leaves the earlier one.

    Args:
        filepath: where to; may have ``{epoch}`` (counted from 1), ``{batch}`` and any metric in it, such as
            ``"{epoch:02d}-{val_loss:.2f}.keras"``. A whole model's name ends in ``.keras`` or ``.h5``, that of weights
            alone in ``.weights.h5``.
        monitor: the metric that says which is best.
        verbose: 1 says what is done.
        save_best_only: save only when the metric is better than ever.
        save_weights_only: save the weights and the optimizer's state, without what the model is made of.
        mode: ``"min"``, ``"max"``, or ``"auto"`` (by the metric).
        save_freq: ``"epoch"``, or a number of batches, counted over all epochs.
        initial_value_threshold: a value the metric has to beat before anything is saved as best.

    Raises:
        ValueError: an argument is not what is said here, or a metric named in `filepath` does not exist.

    Example:

    >>> import lamina
    >>> keep = lamina.callbacks.ModelCheckpoint("best.keras", monitor="loss", save_best_only=True)
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, verbose, save_best_only, save_weights_only, mode, save_freq, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self._check_path()

    def _check_path(self) -> None:
        allowed = (".weights.h5",) if self.save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(allowed):
            which = "with `save_weights_only`, " if self.save_weights_only else ""
            raise ValueError(
                f"`filepath`={self.filepath!r}: {which}expected a name that ends in {' or '.join(allowed)}"
            )

    def write(self, epoch: int, batch: int | None, logs: Logs) -> Path:
        """Save the model, or its weights; where."""
        path = self._path(epoch, batch, logs)
        path.parent.mkdir(parents=True, exist_ok=True)
        write = self.model.save_weights if self.save_weights_only else self.model.save
        write(path, overwrite=True)
        return path

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> Path:
        values = {**(logs or {}), "epoch": epoch + 1}
        if batch is not None:
            values["batch"] = batch + 1
        names = [field for _, field, _, _ in string.Formatter().parse(self.filepath) if field is not None]
        for name in names:
            if name not in values:
                listed = ", ".join(f"{{{known}}}" for known in values)
                raise ValueError(
                    f"ModelCheckpoint: `filepath`={self.filepath!r} names {{{name}}}, which does not exist here; "
                    f"available: {listed}{checks.did_you_mean(name, values)}"
                )
        try:
            return Path(self.filepath.format(**values))
        except (ValueError, TypeError) as error:
            raise ValueError(f"ModelCheckpoint: `filepath`={self.filepath!r} cannot be filled in: {error}") from error
