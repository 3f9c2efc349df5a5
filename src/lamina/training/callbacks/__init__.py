"""What a program may do while a model trains: stop, save, log, change the learning rate."""

from __future__ import annotations

from lamina.training.callbacks.callback import Callback, History
from lamina.training.callbacks.callback_list import CallbackList

__all__ = ["Callback", "CallbackList", "History"]
