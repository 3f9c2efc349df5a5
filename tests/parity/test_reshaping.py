"""Layers that move values about against the real Keras: outputs, gradients, shapes, configs."""

from __future__ import annotations

import inspect

import keras
import pytest

import lamina

FIRST = {"data_format": "channels_first"}
LAST = {"data_format": "channels_last"}
TWO = (2, 5, 6, 3)

CASES = [
    ("Flatten", {}, TWO, (None, 6, 3)),
    ("Flatten", FIRST, (2, 3, 5, 6), None),
    ("Flatten", {}, (4,), None),
    ("Reshape", {"target_shape": (6, 5)}, (2, 10, 3), None),
    ("Reshape", {"target_shape": (5, -1)}, (2, 10, 3), (None, 5)),
    ("Reshape", {"target_shape": (-1, 4)}, (2, 8, 2), (None, 2)),
    ("Reshape", {"target_shape": (3, 4)}, (2, 6, 2), (None, 2)),
    ("Reshape", {"target_shape": (-1,)}, (2, 3, 2), None),
    ("Reshape", {"target_shape": ()}, (3, 1), None),
    ("Permute", {"dims": (2, 1)}, (2, 4, 3), (None, 3)),
    ("Permute", {"dims": (3, 1, 2)}, TWO, (None, 6, None)),
    ("RepeatVector", {"n": 3}, (2, 4), None),
    ("ZeroPadding1D", {}, (2, 5, 3), (None, 3)),
    ("ZeroPadding1D", {"padding": (0, 2), **FIRST}, (2, 3, 5), (3, None)),
    ("ZeroPadding2D", {}, TWO, (None, None, 3)),
    ("ZeroPadding2D", {"padding": (1, 2), **FIRST}, (2, 3, 5, 6), (3, None, 6)),
    ("ZeroPadding2D", {"padding": ((0, 1), (2, 3))}, TWO, None),
    ("ZeroPadding3D", {"padding": (1, 0, 2)}, (1, 3, 2, 3, 2), None),
    ("ZeroPadding3D", {"padding": ((1, 0), (0, 2), (1, 1)), **FIRST}, (1, 2, 3, 2, 3), None),
    ("Cropping1D", {}, (2, 5, 3), (None, 3)),
    ("Cropping1D", {"cropping": (0, 3)}, (2, 5, 3), None),
    ("Cropping2D", {}, TWO, (None, None, 3)),
    ("Cropping2D", {"cropping": ((1, 0), (2, 1))}, TWO, (None, None, 3)),
    ("Cropping2D", {"cropping": (1, 2), **FIRST}, (2, 3, 5, 6), (3, None, 6)),
    ("Cropping3D", {}, (1, 3, 4, 5, 2), None),
    ("Cropping3D", {"cropping": 1, **FIRST}, (1, 2, 3, 4, 5), None),
    ("UpSampling1D", {"size": 3}, (2, 4, 3), (None, 3)),
    ("UpSampling2D", {"size": (2, 3)}, (2, 3, 4, 2), (None, None, 2)),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, (2, 3, 4, 2), (None, None, 2)),
    ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear", **FIRST}, (2, 2, 3, 4), (2, None, None)),
    ("UpSampling2D", {"interpolation": "bicubic"}, (2, 3, 4, 2), None),
    ("UpSampling2D", {"interpolation": "lanczos3", **LAST}, (2, 3, 4, 2), None),
    ("UpSampling3D", {"size": (1, 2, 3), **FIRST}, (1, 2, 2, 3, 2), None),
]


@pytest.mark.parametrize(("name", "config", "shape", "open_shape"), CASES)
def test_reshaping(same_as_keras, name, config, shape, open_shape):
    same_as_keras(name, config, shape, open_shape)


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_arguments(name):
    ours = inspect.signature(getattr(lamina.layers, name)).parameters
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    assert [(n, p.default) for n, p in ours.items()] == [(n, p.default) for n, p in theirs.items()]
