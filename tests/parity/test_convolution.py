"""Convolutions against the real Keras: outputs, gradients, shapes, configs, weight names."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

import lamina

FIRST = {"data_format": "channels_first"}
ONE = (2, 11, 4)
TWO = (2, 7, 8, 4)

CONV = [
    ("Conv1D", {"filters": 6, "kernel_size": 3}, ONE, (None, 4)),
    ("Conv1D", {"filters": 6, "kernel_size": 4, "strides": 3, "padding": "same", "use_bias": False}, ONE, (None, 4)),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "dilation_rate": 2, "padding": "causal"}, ONE, (None, 4)),
    ("Conv1D", {"filters": 6, "kernel_size": 4, "strides": 2, "padding": "causal", "groups": 2}, ONE, (None, 4)),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "causal", **FIRST}, (2, 4, 9), (4, None)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "activation": "relu", "groups": 4, **FIRST}, (2, 4, 9), (4, None)),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 2), "activation": "tanh"}, TWO, (None, None, 4)),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "strides": (2, 3), "padding": "same"}, TWO, (None, 8, 4)),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "dilation_rate": (2, 3)}, TWO, (None, None, 4)),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "dilation_rate": 2, "padding": "same", "groups": 2}, TWO, None),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "strides": 2, **FIRST}, (2, 4, 7, 8), (4, None, None)),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "padding": "same", "groups": 2, **FIRST}, (2, 4, 7, 8), None),
    ("Conv3D", {"filters": 4, "kernel_size": (2, 3, 2), "strides": 2}, (1, 4, 6, 5, 2), (None, None, None, 2)),
    ("Conv3D", {"filters": 4, "kernel_size": 2, "padding": "same", **FIRST}, (1, 2, 3, 4, 3), None),
]

BY_CHANNEL = [
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, ONE, (None, 4)),
    ("DepthwiseConv1D", {"kernel_size": 3, "strides": 2, "padding": "same", **FIRST}, (2, 4, 9), (4, None)),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "depth_multiplier": 3, "padding": "same"}, TWO, (None, None, 4)),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "use_bias": False}, TWO, (None, None, 4)),
    ("DepthwiseConv2D", {"kernel_size": 3, "dilation_rate": 2, **FIRST}, (2, 4, 7, 8), None),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}, ONE, (None, 4)),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same", **FIRST}, (2, 4, 9), None),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "dilation_rate": 2, "activation": "elu"}, TWO, None),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}, TWO, (None, None, 4)),
    ("SeparableConv2D", {"filters": 5, "kernel_size": (2, 3), **FIRST}, (2, 4, 7, 8), (4, None, None)),
]

TRANSPOSED = [
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, (2, 5, 4), (None, 4)),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3, "padding": "same"}, (2, 5, 4), (None, 4)),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 1}, (2, 5, 4), None),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, **FIRST}, (2, 4, 5), None),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": (3, 2), "strides": 2, "padding": "same"}, (2, 4, 5, 4), None),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": (2, 4), "strides": (3, 2)}, (2, 4, 5, 4), (None, None, 4)),
    (
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same", "output_padding": (0, 1), **FIRST},
        (2, 4, 3, 5),
        None,
    ),
    ("Conv3DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"}, (1, 2, 3, 2, 2), None),
]


@pytest.mark.parametrize(("name", "config", "shape", "open_shape"), CONV + BY_CHANNEL + TRANSPOSED)
def test_convolution(same_as_keras, name, config, shape, open_shape):
    same_as_keras(name, config, shape, open_shape, tolerance=1e-4)


NAMES = sorted({case[0] for case in CONV + BY_CHANNEL + TRANSPOSED})


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name):
    ours = inspect.signature(getattr(lamina.layers, name)).parameters
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    assert list(ours) == list(theirs)
    for argument, parameter in theirs.items():
        alone = parameter.default
        if isinstance(alone, tuple):  # the same number for all axes is written once
            alone = alone[0]
            assert set(parameter.default) == {alone}
        assert ours[argument].default == alone


def test_integer_inputs():
    theirs = keras.layers.Conv2D(3, 3)
    image = np.arange(2 * 5 * 5 * 2, dtype="uint8").reshape(2, 5, 5, 2)
    expected = theirs(image)
    ours = lamina.layers.Conv2D(3, 3)
    ours.build(image.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(image), expected, rtol=1e-4)
    assert ours(image).dtype == "float32"


def test_regularizers_constraints_and_initializers_cross_over():
    theirs = keras.layers.SeparableConv1D(
        2,
        3,
        depthwise_regularizer="l2",
        pointwise_constraint="non_neg",
        bias_initializer=keras.initializers.Constant(0.5),
        activity_regularizer="l1",
    )
    ours = lamina.layers.SeparableConv1D.from_config(theirs.get_config())
    x = np.ones((1, 5, 2), "float32")
    theirs(x), ours(x)
    ours.set_weights(theirs.get_weights())
    theirs(x), ours(x)
    np.testing.assert_allclose(sorted(map(float, ours.losses)), sorted(map(float, theirs.losses)), rtol=1e-5)
    assert [w.constraint is not None for w in ours.weights] == [w.constraint is not None for w in theirs.weights]
    assert float(lamina.layers.SeparableConv1D.from_config(theirs.get_config()).bias_initializer((1,))[0]) == 0.5
