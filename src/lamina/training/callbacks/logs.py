"""Callbacks that write down or show how training goes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from lamina.core import checks
from lamina.training.callbacks.callback import Callback, Logs
from lamina.training.progress import Progress


class LambdaCallback(Callback):
    """A callback out of functions.

    Args:
        on_epoch_begin: called with ``(epoch, logs)``.
        on_epoch_end: called with ``(epoch, logs)``.
        on_train_begin: called with ``(logs)``.
        on_train_end: called with ``(logs)``.
        on_train_batch_begin: called with ``(batch, logs)``.
        on_train_batch_end: called with ``(batch, logs)``.
        kwargs: any other hook of `Callback` by its name, or an attribute to set.

    Raises:
        ValueError: a hook is no function.

    Example:

    >>> import lamina
    >>> show = lamina.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ):
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        known = [name for name in dir(Callback) if name.startswith("on_")]
        for name, value in {**hooks, **kwargs}.items():
            if name.startswith("on_"):
                checks.no_unknown("LambdaCallback", [name], known)
                if value is None:
                    continue
                if not callable(value):
                    raise ValueError(f"`{name}`={value!r}: expected a function")
                if name.endswith(("_batch_begin", "_batch_end", "_epoch_begin", "_epoch_end")):
                    value = _indexed(value)
                else:
                    value = _unindexed(value)
            setattr(self, name, value)


def _indexed(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda index, logs=None: function(index, logs)


def _unindexed(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda logs=None: function(logs)


class CSVLogger(Callback):
    """Writes the metrics of each epoch to a file, one line each; the file can be read while training goes on.

    Args:
        filename: the file.
        separator: what stands between values.
        append: whether to go on in a file that exists (its first line is kept), instead of starting it anew.

    Raises:
        ValueError: `separator` is not one character.
    """

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False):
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"`separator`={separator!r}: expected one character")
        self.filename, self.sep, self.append = str(filename), separator, bool(append)
        self._file: TextIO | None = None
        self._names: list[str] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._names = None
        path = Path(self.filename)
        if self.append and path.is_file():
            with path.open(newline="") as old:
                header = next(csv.reader(old, delimiter=self.sep), None)
            self._names = header[1:] if header else None
        self._file = path.open("a" if self.append else "w", newline="")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self._file is None:
            raise ValueError("CSVLogger: `on_epoch_end` before `on_train_begin`")
        logs = logs or {}
        writer = csv.writer(self._file, delimiter=self.sep, lineterminator="\n")
        if self._names is None:
            self._names = sorted(logs)
            writer.writerow(["epoch", *self._names])
        # Names are fixed by the first line; an epoch without one of them (no validation) has NA there.
        writer.writerow([epoch, *(_cell(logs.get(name, "NA")) for name in self._names)])
        self._file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _cell(value: Any) -> Any:
    array = np.asarray(value)
    return value if array.ndim == 0 else "[" + ", ".join(str(v) for v in array.reshape(-1).tolist()) + "]"


class ProgbarLogger(Callback):
    """Shows the progress of training, as `fit` does by itself with ``verbose=1``."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def _start(self, mode: str) -> None:
        params = self.params or {}
        verbose = params.get("verbose", 1)
        self._progress = Progress(params.get("epochs") or 1, params.get("steps"), verbose, mode)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._start("train")

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self._progress is not None:
            self._progress.epoch_begin(epoch)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self._progress is not None:
            self._progress.step(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self._progress is not None:
            self._progress.epoch_end(logs)

    def on_train_end(self, logs: Logs = None) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None
