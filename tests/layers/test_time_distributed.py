"""`TimeDistributed` and `Wrapper`: folding, masks, signatures, messages."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

RNG = np.random.default_rng(4)


def test_every_step_is_what_the_layer_gives_for_it():
    x = RNG.normal(size=(2, 3, 5, 4)).astype("float32")
    inner = layers.Conv1D(2, 3)
    y = layers.TimeDistributed(inner)(x)
    for t in range(3):
        np.testing.assert_allclose(y[:, t], inner(x[:, t]), atol=1e-6)


def test_nested_for_several_leading_axes():
    x = RNG.normal(size=(2, 3, 4, 5, 5, 1)).astype("float32")
    inner = layers.Conv2D(2, 2)
    y = layers.TimeDistributed(layers.TimeDistributed(inner))(x)
    assert y.shape == (2, 3, 4, 4, 4, 2)
    np.testing.assert_allclose(y[1, 2, 3], inner(x[1, 2, 3:4])[0], atol=1e-6)


def test_signatures():
    conv = layers.TimeDistributed(layers.Conv2D(2, 2, data_format="channels_last"))
    assert str(conv.signature).startswith("batch time height width channels -> batch time")
    assert str(layers.TimeDistributed(layers.Dense(3)).signature) == "batch time ... features -> batch time ... units"
    nested = "batch steps time features -> batch steps units"
    assert str(layers.TimeDistributed(layers.LSTM(3)).signature) == nested
    assert layers.TimeDistributed(layers.Lambda(jnp.sin)).built_axes == ()


def test_open_axes():
    dims.forget_labels()
    y = layers.TimeDistributed(layers.GRU(3))(lamina.Input((None, None, 4)))
    assert y.shape == (None, None, 3)
    assert repr(y.dims) == "(batch, steps, 3)"


def test_no_time_axis():
    with pytest.raises(ShapeError, match=r"batch, time, height, width, channels"):
        layers.TimeDistributed(layers.Conv2D(2, 2))(np.ones((2, 8, 8, 1)))
    with pytest.raises(ShapeError, match="needs a time axis"):
        layers.TimeDistributed(layers.Lambda(lambda x: x))(np.ones((2,)))
    with pytest.raises(ValueError, match="`layer`=3 is no layer"):
        layers.TimeDistributed(3)


def test_mask_of_steps_goes_through():
    x = layers.Masking()(jnp.array([[[1.0, 2.0], [0.0, 0.0]]]))
    y = layers.TimeDistributed(layers.Dense(3))(x)
    assert lamina.core.context.masks.get(y).tolist() == [[True, False]]


def test_a_masked_step_is_masked_in_all_its_parts():
    x = RNG.normal(size=(1, 2, 4, 3)).astype("float32")
    inner = layers.GRU(3, return_sequences=True)
    y = layers.TimeDistributed(inner)(x, mask=jnp.array([[True, False]]))
    np.testing.assert_allclose(y[:, 0], inner(x[:, 0]), atol=1e-6)
    assert not np.asarray(y[:, 1]).any()


def test_masks_of_words_within_sentences():
    words = jnp.array([[[1, 2, 0], [0, 0, 0]], [[3, 0, 0], [1, 1, 1]]])
    embedded = layers.TimeDistributed(layers.Embedding(9, 2, mask_zero=True))(words)
    masks = lamina.core.context.masks
    assert masks.get(embedded).tolist() == (words != 0).tolist()
    inner = layers.LSTM(4)
    y = layers.TimeDistributed(inner)(embedded)
    np.testing.assert_allclose(y[0, 0], inner(embedded[0, :1, :2])[0], atol=1e-6)
    assert masks.get(y).tolist() == [[True, False], [True, True]]


def test_training_and_config():
    layer = layers.TimeDistributed(layers.Dropout(0.5, seed=1))
    x = np.ones((2, 50, 4), "float32")
    assert (np.asarray(layer(x, training=True)) == 0).any()
    np.testing.assert_array_equal(layer(x), x)
    config = layers.TimeDistributed(layers.Dense(3, activation="relu")).get_config()
    again = layers.TimeDistributed.from_config(config)
    assert again.layer.units == 3
    assert again.get_config() == config


def test_wrapper_of_the_users():
    class Residual(layers.Wrapper):
        def call(self, inputs):
            return inputs + self.layer(inputs)

    layer = Residual(layers.Dense(3, kernel_initializer="zeros"))
    assert layer(np.ones((2, 3))).tolist() == [[1.0] * 3] * 2
    assert [w.path for w in layer.weights] == ["residual/" + w.path.split("/", 1)[1] for w in layer.weights]
    assert len(layer.trainable_weights) == 2
