"""`Callback`, the hooks of training, and `History`, the one that is always there."""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any] | None


class Callback:
    """Hooks that are called while a model trains, is evaluated or predicts. Override those you need.

    Attributes:
        model: the model; set ``self.model.stop_training = True`` to end training after this batch or epoch.
        params: a dict with ``verbose``, ``epochs`` and ``steps``.

    `logs` holds plain numbers by the metric's name: of a batch hook, the averages of the epoch so far; of
    `on_epoch_end`, the epoch's, with those of the validation data under ``val_``.

    Example:

    >>> import lamina
    >>> class Losses(lamina.callbacks.Callback):
    ...     def on_train_begin(self, logs=None):
    ...         self.losses = []
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.losses.append(logs["loss"])
    """

    model: Any = None
    params: dict[str, Any] | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the settings of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model."""
        self.model = model

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """The same as `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The same as `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch (counted from 0)."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch (counted from 0) of `fit`."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `fit`."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `evaluate`, or of the validation in `fit`."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `evaluate`, or of the validation in `fit`."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `predict`; ``logs["outputs"]`` are its outputs."""

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before training."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After training."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before an evaluation or validation."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After an evaluation or validation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before predicting."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After predicting."""

    def uses_batches(self, mode: str) -> bool:
        """Whether a hook of the batches of this mode does anything.

        Where no callback uses batches, many steps run in one go.

        Args:
            mode: ``"train"``, ``"test"`` or ``"predict"``.
        """
        return overrides_batches(self, mode)


def overrides_batches(callback: Any, mode: str) -> bool:
    """Whether a callback, which need not be derived from `Callback`, has batch hooks of its own."""
    prefixes = ("on_train_batch", "on_batch") if mode == "train" else (f"on_{mode}_batch",)
    for name in (f"{prefix}_{edge}" for prefix in prefixes for edge in ("begin", "end")):
        hook = getattr(callback, name, None)
        function = getattr(hook, "__func__", hook)
        module = getattr(function, "__module__", "") or ""
        # The empty hooks of the real Keras's base class count as ours do.
        plain = getattr(function, "__qualname__", "") == f"Callback.{name}" and module.startswith(("lamina.", "keras."))
        if hook is not None and not plain:
            return True
    return False


class History(Callback):
    """Records the metrics of each epoch; `fit` returns it.

    Attributes:
        history: for each metric the list of its values, one an epoch.
        epoch: the numbers of the epochs.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self
