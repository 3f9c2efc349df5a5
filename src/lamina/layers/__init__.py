"""The layers, one family to a file."""

from __future__ import annotations

from lamina.layers.checking import InputSpec
from lamina.layers.input_layer import Input, InputLayer
from lamina.layers.layer import Layer

__all__ = ["Input", "InputLayer", "InputSpec", "Layer"]
