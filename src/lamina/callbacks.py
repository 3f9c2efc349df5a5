"""Callbacks, under Keras's names."""

from __future__ import annotations

from lamina.training.callbacks import *  # noqa: F403
from lamina.training.callbacks import __all__ as __all__
