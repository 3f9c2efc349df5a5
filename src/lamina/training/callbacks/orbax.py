"""`OrbaxCheckpoint`: checkpoints in Orbax's format while a model trains."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from lamina.core import checks
from lamina.training.callbacks.callback import Logs
from lamina.training.callbacks.checkpoint import Saver


class OrbaxCheckpoint(Saver):
    """Saves model and training with Orbax after each epoch or every so many batches, while training goes on.

    Needs the package orbax-checkpoint: ``pip install 'lamina[orbax]'``. `lamina.saving.load_orbax` takes a state up
    again, and `lamina.models.load_model` makes the model anew, as Keras does.

    Args:
        directory: the folder of checkpoints. Each has an inner folder of its own, named by its step: the epoch (from
            0), or with `save_freq` in batches the number of steps of the optimizer.
        monitor: the metric that says which is best.
        verbose: 1 says what is done.
        save_best_only: save only when the metric is better than ever.
        mode: ``"min"``, ``"max"``, or ``"auto"`` (by the metric).
        save_freq: ``"epoch"``, or a number of batches, counted over all epochs.
        initial_value_threshold: a value the metric has to beat before anything is saved as best.
        max_to_keep: how many checkpoints stay, the last ones; ``None`` keeps all.
        save_on_background: whether training goes on while a checkpoint is written.
        save_weights_only: whether to leave out the optimizer, and what the model is made of.

    Raises:
        ImportError: Orbax is not installed.
        ValueError: an argument is not what is said here.

    Example:

    >>> import lamina
    >>> keep = lamina.callbacks.OrbaxCheckpoint("checkpoints", max_to_keep=3)  # doctest: +SKIP
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ):
        super().__init__(monitor, verbose, save_best_only, save_weights_only, mode, save_freq, initial_value_threshold)
        if not os.fspath(directory):
            raise ValueError("`directory`='': expected the name of a folder")
        self.directory = Path(directory)
        self.max_to_keep = None if max_to_keep is None else checks.positive_int("max_to_keep", max_to_keep)
        self.save_on_background = bool(save_on_background)
        # Files are no part of training, so what knows of them is looked for when it is wanted.
        self._files = importlib.import_module("lamina.saving.interop.orbax")
        self._files.need_orbax()
        self._checkpoints: Any = None

    def write(self, epoch: int, batch: int | None, logs: Logs) -> Path:
        """Save the state; where."""
        if self._checkpoints is None:
            self._checkpoints = self._files.Checkpoints(self.directory, self.max_to_keep)
        step = epoch if batch is None else int(self.model.optimizer.iterations)
        self._checkpoints.save(self.model, step, self.save_weights_only, self.save_on_background)
        return self.directory / str(step)

    def on_train_end(self, logs: Logs = None) -> None:
        checkpoints, self._checkpoints = self._checkpoints, None
        if checkpoints is not None:
            checkpoints.close()

    def wait_until_finished(self) -> None:
        """Until all that was saved in the background is written.

        Raises:
            OSError: it could not be.
        """
        if self._checkpoints is not None:
            self._checkpoints.wait()
