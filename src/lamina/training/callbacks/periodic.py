"""What is due after each epoch, or every so many batches."""

from __future__ import annotations

from lamina.core import checks
from lamina.training.callbacks.callback import Callback, Logs


class Periodic(Callback):
    """Calls `due` after each epoch or every so many batches.

    Args:
        save_freq: ``"epoch"``, or a number of batches, counted over all epochs.

    Raises:
        ValueError: it is neither.
    """

    def __init__(self, save_freq: int | str):
        if save_freq != "epoch" and (not checks.is_whole(save_freq) or int(save_freq) < 1):
            raise ValueError(f"`save_freq`={save_freq!r}: expected 'epoch' or a positive number of batches")
        self.save_freq = save_freq
        self._epoch = 0
        self._batches = 0

    def due(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """What is to be done now; `batch` is ``None`` after an epoch."""
        raise TypeError(f"{type(self).__name__} does not say what is due: it has no `due`")

    def uses_batches(self, mode: str) -> bool:
        return mode == "train" and self.save_freq != "epoch"

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches % int(self.save_freq) == 0:
            self.due(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self.due(epoch, None, logs)
