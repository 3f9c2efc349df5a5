"""`.h5` files, which Keras 1 and 2 wrote and Keras 3 still writes: whole models and weights."""

from __future__ import annotations

from lamina.saving.legacy.reading import load_model_h5, load_weights_h5
from lamina.saving.legacy.writing import save_model_h5, save_weights_h5

__all__ = ["load_model_h5", "load_weights_h5", "save_model_h5", "save_weights_h5"]
