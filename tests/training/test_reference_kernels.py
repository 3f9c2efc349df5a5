"""Training with the kernels off gives the same numbers."""

import numpy as np
import pytest

import lamina
from lamina import layers

IMAGES, SERIES, WORDS = (8, 8, 3), (6, 4), (7,)
MODELS = {
    "images": (
        IMAGES,
        lambda: [
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(4, 3, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.Conv2D(4, 1),
            layers.Conv2DTranspose(3, 3, strides=2),
            layers.Flatten(),
        ],
    ),
    "series": (
        SERIES,
        lambda: [
            layers.LSTM(5, return_sequences=True),
            layers.GRU(4, return_sequences=True),
            layers.Dense(3),
            layers.SimpleRNN(3),
        ],
    ),
    "words": (WORDS, lambda: [layers.Embedding(9, 4, mask_zero=True), layers.Bidirectional(layers.LSTM(3))]),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_same_trajectory(name, monkeypatch):
    shape, parts = MODELS[name]
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (20, *shape)) if name == "words" else rng.normal(size=(20, *shape)).astype("float32")
    y = rng.integers(0, 3, 20)
    results = []
    for mode in ("", "reference"):
        monkeypatch.setenv("LAMINA_KERNELS", mode)
        lamina.utils.set_random_seed(1)
        model = lamina.Sequential([lamina.Input(shape), *parts(), layers.Dense(3)])
        loss = lamina.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(lamina.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
        history = model.fit(x, y, batch_size=5, epochs=3, shuffle=False, verbose=0).history
        results.append((history["loss"], model.predict(x, verbose=0)))
    for ours, reference in zip(*results, strict=True):
        np.testing.assert_allclose(ours, reference, rtol=2e-4, atol=1e-5)
