"""How long `lamina.shapes.check`, an error, and `lamina.shapes.draw` take for a model of ResNet50's size.

python benchmarks/check.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import lamina
from lamina import layers


def resnet50(size: int = 224, classes: int = 1000) -> lamina.Model:
    """ResNet50 (He et al. 2015) from layers."""

    def conv(x: Any, filters: int, kernel: int, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    image = lamina.Input((size, size, 3), name="image")
    x = layers.ReLU()(conv(image, 64, 7, 2))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        filters = 64 * 2**stage
        for block in range(blocks):
            strides = 2 if block == 0 and stage else 1
            y = layers.ReLU()(conv(x, filters, 1, strides))
            y = layers.ReLU()(conv(y, filters, 3))
            shortcut = x if block else conv(x, 4 * filters, 1, strides)
            x = layers.ReLU()(layers.Add()([conv(y, 4 * filters, 1), shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return lamina.Model(image, layers.Dense(classes, activation="softmax")(x), name="resnet50")


def timed(name: str, function: Callable[[], Any]) -> Any:
    """Run a function, and print how long it took."""
    start = time.perf_counter()
    result = function()
    print(f"{name:<44} {time.perf_counter() - start:6.3f} s")
    return result


def endless(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array of a shape that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def main() -> None:
    model = timed("build", resnet50)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = endless((1_000_000, 224, 224, 3), "float64"), endless((1_000_000,), "int64")
    for name in ("check, first", "check, again"):
        problems = timed(f"{name} ({x.nbytes / 1e12:.1f} TB of data)", lambda: lamina.shapes.check(model, x, y))
        assert not problems, problems
    problems = timed("check of data that does not fit", lambda: lamina.shapes.check(model, x[..., 0], y))
    assert problems
    timed("draw", lambda: lamina.shapes.draw(model))


if __name__ == "__main__":
    main()
