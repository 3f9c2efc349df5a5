"""Images: in another size, and varied at random while training."""

from __future__ import annotations

from lamina.layers.images.colours import RandomBrightness, RandomContrast
from lamina.layers.images.moving import RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from lamina.layers.images.sizes import CenterCrop, RandomCrop, Resizing

__all__ = [
    "CenterCrop",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
]
