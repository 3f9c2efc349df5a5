"""Layers on images against the real Keras; those that draw, with bounds that leave them no choice."""

from __future__ import annotations

import inspect
import json

import keras
import numpy as np
import pytest

import lamina

RNG = np.random.default_rng(8)
X = RNG.uniform(0, 255, (2, 5, 6, 3)).astype("float32")
NAMES = [
    "AutoContrast", "CenterCrop", "RandomBrightness", "RandomColorDegeneration", "RandomContrast", "RandomCrop",
    "RandomFlip", "RandomGrayscale", "RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom", "Resizing",
]  # fmt: skip
CASES = [
    ("Resizing", {"height": 3, "width": 4}),
    ("Resizing", {"height": 9, "width": 4, "interpolation": "nearest"}),
    ("Resizing", {"height": 3, "width": 9, "interpolation": "bicubic", "antialias": True}),
    ("Resizing", {"height": 4, "width": 4, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 4, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 7.0}),
    ("CenterCrop", {"height": 2, "width": 3}),
    ("CenterCrop", {"height": 3, "width": 6}),
    ("CenterCrop", {"height": 7, "width": 3}),
    ("RandomCrop", {"height": 5, "width": 6}),
    *(("RandomTranslation", {"height_factor": (0.3, 0.3), "width_factor": (-0.2, -0.2), "fill_mode": mode})
      for mode in ("reflect", "wrap", "nearest", "constant")),
    ("RandomTranslation", {"height_factor": (-0.3, -0.3), "width_factor": 0.0, "interpolation": "nearest"}),
    *(("RandomZoom", {"height_factor": (0.4, 0.4), "fill_mode": mode})
      for mode in ("reflect", "wrap", "nearest", "constant")),
    ("RandomZoom", {"height_factor": (-0.4, -0.4), "width_factor": (0.3, 0.3), "interpolation": "nearest"}),
    ("RandomZoom", {"height_factor": (0.3, 0.3), "fill_mode": "constant", "fill_value": 9.0}),
    *(("RandomRotation", {"factor": (0.1, 0.1), "fill_mode": mode})
      for mode in ("reflect", "wrap", "nearest", "constant")),
    ("RandomRotation", {"factor": (-0.3, -0.3), "interpolation": "nearest"}),
    ("AutoContrast", {}),
    ("AutoContrast", {"value_range": (0, 1)}),
    ("RandomGrayscale", {"factor": 1.0}),
    ("RandomColorDegeneration", {"factor": (0.3, 0.3)}),
    ("RandomColorDegeneration", {"factor": (-0.5, -0.5), "value_range": (0, 200)}),
    ("RandomBrightness", {"factor": (0.3, 0.3)}),
    ("RandomBrightness", {"factor": (-0.3, -0.3), "value_range": (0, 200)}),
]  # fmt: skip


def pair(name, config):
    theirs = getattr(keras.layers, name)(**config)
    ours = getattr(lamina.layers, name).from_config(theirs.get_config())
    mine, wanted = (json.loads(json.dumps(layer.get_config())) for layer in (ours, theirs))
    assert {k: v for k, v in mine.items() if k in wanted} == wanted
    assert set(mine) - set(wanted) <= {"data_format"}
    return ours, theirs


@pytest.mark.parametrize(("name", "config"), CASES)
def test_same_as_keras(name, config):
    ours, theirs = pair(name, config)
    expected = np.asarray(theirs(X, training=True))
    np.testing.assert_allclose(ours(X, training=True), expected, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(ours(X[0], training=True), expected[0], rtol=1e-4, atol=1e-2)
    if "data_format" in inspect.signature(getattr(keras.layers, name)).parameters:
        first = type(ours)(**config, data_format="channels_first")
        moved = first(np.moveaxis(X, -1, 1), training=True)
        np.testing.assert_allclose(np.moveaxis(moved, 1, -1), expected, rtol=1e-4, atol=1e-2)
    symbol = type(ours)(**config)(lamina.Input(X.shape[1:]))
    assert symbol.shape == (None, *expected.shape[1:])


@pytest.mark.parametrize(("name", "config"), [CASES[0], CASES[5], CASES[-2], CASES[10], ("RandomFlip", {})])
def test_whole_numbers(name, config):
    ours, theirs = pair(name, config)
    x = X.astype("uint8")
    mine, wanted = ours(x, training=True), theirs(x, training=True)
    assert str(mine.dtype) == keras.backend.standardize_dtype(wanted.dtype)
    if name not in ("RandomFlip", "RandomBrightness"):  # one draws; the other overflows in Keras, and is cut off here
        np.testing.assert_allclose(np.asarray(mine, "float32"), np.asarray(wanted, "float32"), atol=1)


@pytest.mark.parametrize("config", [{"factor": 0.5}, {"factor": (0.5, 0.2)}, {"factor": (0.3, 0.4)}])
def test_contrast_has_the_same_bounds(config):
    """Both draw; what they draw lies in the same range."""
    x = np.full((500, 2, 1, 1), 50.0, "float32")
    x[:, 1] = 150.0
    strengths = [
        (100 - np.asarray(layer(x, training=True))[:, 0, 0, 0]) / 50 for layer in pair("RandomContrast", config)
    ]
    np.testing.assert_allclose(strengths[0].min(), strengths[1].min(), atol=0.02)
    np.testing.assert_allclose(strengths[0].max(), strengths[1].max(), atol=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name):
    ours = inspect.signature(getattr(lamina.layers, name)).parameters
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    assert [(n, p.default) for n, p in ours.items()] == [(n, p.default) for n, p in theirs.items()]


@pytest.mark.parametrize(
    "config",
    [
        {"x_factor": (0.3, 0.3), "fill_mode": "constant"},
        {"x_factor": (0.2, 0.2), "y_factor": (0.4, 0.4), "interpolation": "nearest"},
    ],
)
def test_shear_has_the_same_ways(config):
    """Each image is slanted to one side or the other, here as there."""
    many = np.repeat(X[:1], 40, axis=0)
    mine, wanted = (np.asarray(layer(many, training=True)).reshape(40, -1) for layer in pair("RandomShear", config))
    found = [np.unique(images.round(1), axis=0) for images in (mine, wanted)]
    assert len(found[0]) == len(found[1]) == 2
    np.testing.assert_allclose(*found, atol=0.11)
