"""Images: in another size, and varied at random while training."""

from __future__ import annotations

from lamina.layers.images.colour_range import AutoContrast, RandomColorDegeneration, RandomGrayscale
from lamina.layers.images.colours import RandomBrightness, RandomContrast
from lamina.layers.images.moving import RandomFlip, RandomRotation, RandomShear, RandomTranslation, RandomZoom
from lamina.layers.images.sizes import CenterCrop, RandomCrop, Resizing

__all__ = [
    "AutoContrast",
    "CenterCrop",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomGrayscale",
    "RandomRotation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
]
