"""Models: `Sequential`, `Functional` and subclasses of `Model`."""

from __future__ import annotations

from lamina.models.cloning import clone_model
from lamina.models.model import Functional, Model
from lamina.models.sequential import Sequential
from lamina.saving.architecture import model_from_json
from lamina.saving.model_files import load_model, save_model

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
