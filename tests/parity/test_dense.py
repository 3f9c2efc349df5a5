"""Dense, EinsumDense, activation layers and normalizations of samples against the real Keras."""

from __future__ import annotations

import inspect
import json

import keras
import numpy as np
import pytest

import lamina

DENSE = [
    ("Dense", {"units": 5}, (2, 3), None),
    ("Dense", {"units": 4, "activation": "gelu", "use_bias": False}, (2, 6, 3), (None, 3)),
    (
        "Dense",
        {"units": 2, "activation": "softmax", "kernel_regularizer": "l2", "bias_constraint": "non_neg"},
        (2, 3),
        None,
    ),
    ("Dense", {"units": 3, "activity_regularizer": "l1"}, (2, 2, 3, 4), (None, None, 4)),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (3, 7), "bias_axes": "d"}, (2, 3, 4), None),
    ("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 4, "bias_axes": "y"}, (2, 3, 4), (None, 4)),
    (
        "EinsumDense",
        {"equation": "abc,cde->abde", "output_shape": (3, 8, 9), "bias_axes": "de"},
        (2, 3, 4),
        None,
    ),
    ("EinsumDense", {"equation": "abc,cde->abed", "output_shape": (3, 9, 8), "bias_axes": "d"}, (2, 3, 4), None),
    ("EinsumDense", {"equation": "abcd,cde->abe", "output_shape": (3, 5), "activation": "tanh"}, (2, 3, 4, 5), None),
    ("EinsumDense", {"equation": "ab...,bc->ac...", "output_shape": 9, "bias_axes": "c"}, (2, 3, 4), (3, None)),
    ("EinsumDense", {"equation": "ab...,bc->ac...", "output_shape": 9}, (2, 3), None),
]


def test_einsum_dense_with_open_sizes():
    """Keras's compute_output_shape answers None for an axis that the input has a size for; a symbolic call knows it."""
    for shape in ((None, 4), (3, 4)):
        config = {"equation": "abc,cd->abd", "output_shape": (None, 7), "bias_axes": "d"}
        ours = lamina.layers.EinsumDense(**config)
        assert ours(lamina.Input(shape)).shape == (None, shape[0], 7)
        assert ours.get_config()["output_shape"] == (None, 7)


ACTIVATIONS = [
    ("Activation", {"activation": "tanh"}, (2, 3), (None, 3)),
    ("Activation", {"activation": "log_softmax"}, (2, 3), (None, 3)),
    ("ReLU", {}, (2, 3), (None,)),
    ("ReLU", {"max_value": 0.5, "negative_slope": 0.1, "threshold": 0.2}, (4, 5), None),
    ("LeakyReLU", {}, (2, 5), None),
    ("LeakyReLU", {"negative_slope": 0.7}, (2, 5), None),
    ("PReLU", {}, (2, 3, 4), None),
    ("PReLU", {"shared_axes": [1]}, (2, 3, 4), (None, 4)),
    ("PReLU", {"shared_axes": [1, 2], "alpha_initializer": "ones"}, (2, 3, 4, 2), (None, None, 2)),
    ("ELU", {"alpha": 0.5}, (2, 5), None),
    ("Softmax", {}, (2, 5), (None,)),
    ("Softmax", {"axis": 1}, (2, 3, 4), (None, 4)),
    ("Softmax", {"axis": [1, 2]}, (2, 3, 4), (None, 4)),
    ("Identity", {}, (2, 3), (None,)),
    ("ActivityRegularization", {"l1": 0.3, "l2": 0.1}, (2, 3), None),
    ("Masking", {"mask_value": 1.5}, (2, 3, 4), (None, 4)),
]

NORMALIZATIONS = [
    ("LayerNormalization", {}, (2, 6), None),
    ("LayerNormalization", {"axis": [1, 2], "epsilon": 0.1}, (2, 3, 4), None),
    ("LayerNormalization", {"axis": 1, "center": False}, (2, 3, 4), (3, None)),
    ("LayerNormalization", {"axis": -2, "scale": False}, (2, 3, 4), (3, None)),
    ("LayerNormalization", {"rms_scaling": True}, (2, 3, 4), (None, 4)),
    ("RMSNormalization", {}, (2, 3, 4), (None, 4)),
    ("RMSNormalization", {"axis": [1, 2], "epsilon": 0.1}, (2, 3, 4), None),
    ("GroupNormalization", {"groups": 2}, (2, 3, 5, 4), (None, None, 4)),
    ("GroupNormalization", {"groups": -1, "axis": 1, "center": False}, (2, 4, 5), (4, None)),
    ("GroupNormalization", {"groups": 1, "scale": False, "epsilon": 0.1}, (2, 4), None),
    ("UnitNormalization", {}, (2, 5), None),
    ("UnitNormalization", {"axis": [1, 2]}, (2, 3, 4), (None, 4)),
]


@pytest.mark.parametrize(("name", "config", "shape", "open_shape"), DENSE + ACTIVATIONS + NORMALIZATIONS)
def test_layer(same_as_keras, name, config, shape, open_shape):
    same_as_keras(name, config, shape, open_shape)


RANDOM = [
    ("Dropout", {"rate": 0.3, "noise_shape": [None, 1]}, (2, 3), (None,)),
    ("SpatialDropout1D", {"rate": 0.3}, (2, 3, 4), (None, 4)),
    ("SpatialDropout2D", {"rate": 0.3, "data_format": "channels_first"}, (2, 3, 4, 2), (3, None, None)),
    ("SpatialDropout3D", {"rate": 0.3}, (2, 3, 4, 2, 2), None),
    ("AlphaDropout", {"rate": 0.3}, (2, 3), None),
    ("GaussianNoise", {"stddev": 0.3, "seed": 3}, (2, 3), None),
    ("GaussianDropout", {"rate": 0.3}, (2, 3), None),
]


@pytest.mark.parametrize(("name", "config", "shape", "open_shape"), RANDOM)
def test_random_layer_outside_of_training(name, config, shape, open_shape):
    theirs = getattr(keras.layers, name)(**config)
    ours = getattr(lamina.layers, name).from_config(theirs.get_config())
    first, second = (json.loads(json.dumps(layer.get_config())) | {"dtype": ""} for layer in (ours, theirs))
    assert first == second
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    np.testing.assert_array_equal(ours(x), x)
    for inputs in (shape[1:], open_shape or shape[1:]):
        assert ours(lamina.Input(inputs)).shape == tuple(theirs(keras.Input(inputs)).shape)
    assert len(ours.weights) == len(theirs.weights)
    assert len(ours.variables) == len(theirs.variables)


@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D"])
def test_random_layer_in_training(name):
    """The draws differ; mean and spread of the outputs must not."""
    x = np.ones((50, 1, 200), "float32")
    for layers in (lamina.layers, keras.layers):
        out = np.asarray(getattr(layers, name)(0.3, seed=2)(x, training=True))
        wide = 1.0 if name == "AlphaDropout" else 0.3 if name == "GaussianNoise" else (0.3 / 0.7) ** 0.5
        expected = np.asarray(getattr(keras.layers, name)(0.3, seed=5)(x, training=True))
        assert abs(out.mean() - expected.mean()) < 0.05
        assert abs(out.std() - expected.std()) < 0.05 * wide


NAMES = sorted({case[0] for case in DENSE + ACTIVATIONS + NORMALIZATIONS + RANDOM} | {
    "BatchNormalization", "Embedding", "Lambda", "Concatenate", "Add", "Subtract", "Multiply", "Average", "Maximum",
    "Minimum", "Dot", "add", "subtract", "multiply", "average", "maximum", "minimum", "dot", "concatenate",
})  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name):
    ours = inspect.signature(getattr(lamina.layers, name)).parameters
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    assert {n: p.default for n, p in ours.items()} == {n: p.default for n, p in theirs.items()}
    assert list(ours) == list(theirs)


@pytest.mark.parametrize("mask", [[[True, True, False], [False, True, True]], [[False] * 3, [True] * 3]])
def test_softmax_with_a_mask(mask):
    x = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    theirs = keras.layers.Softmax()(x, mask=np.array(mask))
    np.testing.assert_allclose(lamina.layers.Softmax()(x, mask=np.array(mask)), theirs, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["Dense", "LayerNormalization", "RMSNormalization", "BatchNormalization", "PReLU"])
def test_narrow_types(name, dtype):
    config = {"dtype": dtype} | ({"units": 3} if name == "Dense" else {})
    x = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    ours, theirs = getattr(lamina.layers, name)(**config), getattr(keras.layers, name)(**config)
    expected = theirs(x)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    got = ours(x)
    assert got.dtype == expected.dtype
    assert [w.dtype for w in ours.weights] == [w.dtype for w in theirs.weights]
    np.testing.assert_allclose(np.asarray(got, "float32"), np.asarray(expected, "float32"), rtol=0.02, atol=0.02)


def test_losses_of_activities_and_weights():
    x = np.ones((4, 3), "float32")
    config = {"units": 2, "kernel_regularizer": "l1", "activity_regularizer": "l2"}
    ours, theirs = lamina.layers.Dense(**config), keras.layers.Dense(**config)
    theirs(x)
    ours.build((4, 3))
    ours.set_weights(theirs.get_weights())
    ours(x)
    np.testing.assert_allclose(sorted(map(float, ours.losses)), sorted(map(float, theirs.losses)), rtol=1e-5)
