"""`BackupAndRestore`: training that was interrupted goes on where it stopped."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from lamina.training.callbacks.callback import Logs
from lamina.training.callbacks.periodic import Periodic

_NAME = re.compile(r"after_(\d+)_epochs_(\d+)\.weights\.h5")


class BackupAndRestore(Periodic):
    """Keeps the state of training in a folder, and goes on from it when the same program is started again.

    Weights, the optimizer's state and the random generators' are kept. A run that was interrupted within an epoch
    begins that epoch anew, from the last state kept.

    Args:
        backup_dir: the folder, for this run alone.
        save_freq: ``"epoch"``, or a number of batches.
        double_checkpoint: whether the state before the last is kept as well, in case the last cannot be read.
        delete_checkpoint: whether the states are deleted when training ends as planned.

    Raises:
        ValueError: `save_freq` is neither, or the folder is not named.

    Example:

    >>> import lamina, numpy as np, tempfile
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> def run(folder, epochs, callbacks=()):
    ...     model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     backup = lamina.callbacks.BackupAndRestore(folder, delete_checkpoint=False)
    ...     return model.fit(x, y, epochs=epochs, verbose=0, callbacks=[backup])
    >>> folder = tempfile.mkdtemp()
    >>> _ = run(folder, epochs=2)
    >>> run(folder, epochs=5).epoch
    [2, 3, 4]
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: int | str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        if not os.fspath(backup_dir):
            raise ValueError("`backup_dir`='': expected the name of a folder")
        super().__init__(save_freq)
        self.backup_dir = Path(backup_dir)
        self.double_checkpoint, self.delete_checkpoint = bool(double_checkpoint), bool(delete_checkpoint)

    def on_train_begin(self, logs: Logs = None) -> None:
        model = self.model
        self._batches = 0
        kept = self._kept()
        if kept and model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)
        for path in kept:
            try:
                model.load_weights(path)
            except (OSError, ValueError) as error:
                warnings.warn(f"BackupAndRestore: {error}", stacklevel=2)
                continue
            epochs, self._batches = _numbers(path)
            model._initial_epoch = max(model._initial_epoch, epochs)
            return

    def due(self, epoch: int, batch: int | None, logs: Logs) -> None:
        if batch is None:
            self._batches += 1
        self._keep(epoch + 1 if batch is None else epoch)

    def on_train_end(self, logs: Logs = None) -> None:
        if self.delete_checkpoint:
            for path in self._kept():
                path.unlink(missing_ok=True)

    def _keep(self, epochs: int) -> None:
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        # Its name says how far training was, so that state and place are put there in one step.
        self.model.save_weights(self.backup_dir / f"after_{epochs}_epochs_{self._batches}.weights.h5")
        for path in self._kept()[2 if self.double_checkpoint else 1 :]:
            path.unlink(missing_ok=True)

    def _kept(self) -> list[Path]:
        """The states kept, the last one first."""
        files = [path for path in self.backup_dir.glob("*.weights.h5") if _NAME.fullmatch(path.name)]
        return sorted(files, key=_numbers, reverse=True)


def _numbers(path: Path) -> tuple[int, int]:
    """Epochs that were whole, and how often the state was looked at."""
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1]), int(found[2])
