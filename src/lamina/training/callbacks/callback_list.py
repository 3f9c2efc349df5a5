"""`CallbackList`: many callbacks as one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from lamina.core import tree
from lamina.training.callbacks.callback import Callback, History, overrides_batches

LogsOrMaker = dict[str, Any] | Callable[[], dict[str, Any]] | None


class CallbackList(Callback):
    """Calls each hook of all its callbacks.

    Batch hooks go only to the callbacks that have some, and the logs, which may be a function, are worked out only
    if there are such. Every hook that gets logs gives them back, as plain numbers, with what callbacks added.

    Args:
        callbacks: one callback or nested lists of them.
        add_history: whether to add a `History` if there is none.
        add_progbar: whether to add a `ProgbarLogger` if there is none.
        model: the model, for `set_model`.
        params: for `set_params`.

    Raises:
        ValueError: an entry is no callback.
    """

    def __init__(
        self,
        callbacks: Callback | Iterable[Any] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        self.callbacks: list[Any] = []
        for callback in [] if callbacks is None else tree.flatten(callbacks):
            self.append(callback)
        if add_progbar and params.get("verbose", 1):
            from lamina.training.callbacks.logs import ProgbarLogger

            if not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
                self.append(ProgbarLogger())
        if add_history and self.history is None:
            self.append(History())
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def append(self, callback: Any) -> None:
        """Add a callback.

        Raises:
            ValueError: it is none.
        """
        if isinstance(callback, type):
            raise ValueError(f"`callbacks`: {callback.__name__} is a class; give an object: {callback.__name__}(...)")
        if not (
            isinstance(callback, Callback) or (hasattr(callback, "set_model") and hasattr(callback, "on_train_begin"))
        ):
            raise ValueError(
                f"`callbacks`: {callback!r} is no callback; derive a class from lamina.callbacks.Callback, or wrap a "
                "function in lamina.callbacks.LambdaCallback"
            )
        self.callbacks.append(callback)
        self.__dict__.pop("_by_mode", None)

    @property
    def history(self) -> History | None:
        """The `History` among the callbacks."""
        return next((c for c in self.callbacks if isinstance(c, History)), None)

    @property
    def needs_batches(self) -> bool:
        """Whether any callback has a hook for the batches of training."""
        return bool(self._users("train"))

    @property
    def needs_test_batches(self) -> bool:
        """Whether any callback has a hook for the batches of evaluation."""
        return bool(self._users("test"))

    @property
    def needs_predict_batches(self) -> bool:
        """Whether any callback has a hook for the batches of prediction."""
        return bool(self._users("predict"))

    @functools.cached_property
    def _by_mode(self) -> dict[str, list[Any]]:
        def uses(callback: Any, mode: str) -> bool:
            asked = getattr(callback, "uses_batches", None)
            return asked(mode) if asked is not None else overrides_batches(callback, mode)

        return {mode: [c for c in self.callbacks if uses(c, mode)] for mode in ("train", "test", "predict")}

    def _users(self, mode: str) -> list[Any]:
        return self._by_mode[mode]

    def uses_batches(self, mode: str) -> bool:
        return bool(self._users(mode))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.callbacks)

    def __len__(self) -> int:
        return len(self.callbacks)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)


def _hook(name: str) -> Callable[..., Any]:
    indexed = "batch" in name or "epoch" in name
    mode = "test" if "test" in name else "predict" if "predict" in name else "train"
    by_batch = "batch" in name

    def call(self: CallbackList, *args: Any, logs: LogsOrMaker = None) -> dict[str, Any]:
        callbacks = self._users(mode) if by_batch else self.callbacks
        if not callbacks:
            return {}
        values = plain_logs(logs)
        for callback in callbacks:
            getattr(callback, name)(*args, logs=values)
        return values

    def hook_at(self: CallbackList, index: int, logs: LogsOrMaker = None) -> dict[str, Any]:
        return call(self, index, logs=logs)

    def hook(self: CallbackList, logs: LogsOrMaker = None) -> dict[str, Any]:
        return call(self, logs=logs)

    chosen = hook_at if indexed else hook
    chosen.__name__, chosen.__qualname__ = name, f"CallbackList.{name}"
    chosen.__doc__ = f"`{name}` of each callback; gives the logs back."
    return chosen


def plain_logs(logs: LogsOrMaker) -> dict[str, Any]:
    """The logs with each scalar as a plain Python number; a dict is changed in place."""
    values = logs() if callable(logs) else logs
    if values is None:
        return {}
    for name, value in values.items():
        if not isinstance(value, (int, float, str)) and np.ndim(value) == 0 and hasattr(value, "dtype"):
            values[name] = np.asarray(value).item()
    return values


for _name in dir(Callback):
    if _name.startswith("on_"):
        setattr(CallbackList, _name, _hook("on_train_" + _name[3:] if _name.startswith("on_batch") else _name))
