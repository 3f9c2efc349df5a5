"""What a program may do while a model trains: stop, save, log, change the learning rate."""

from __future__ import annotations

from lamina.training.callbacks.backup import BackupAndRestore
from lamina.training.callbacks.callback import Callback, History
from lamina.training.callbacks.callback_list import CallbackList
from lamina.training.callbacks.checkpoint import ModelCheckpoint
from lamina.training.callbacks.logs import CSVLogger, LambdaCallback, ProgbarLogger
from lamina.training.callbacks.orbax import OrbaxCheckpoint
from lamina.training.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau
from lamina.training.callbacks.stopping import EarlyStopping, TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]
