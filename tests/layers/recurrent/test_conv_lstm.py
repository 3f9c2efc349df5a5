"""Convolutional LSTMs: masks, states that stay, open sizes, data formats, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError

RNG = np.random.default_rng(4)
X = RNG.normal(size=(2, 4, 5, 6, 2)).astype("float32")


def test_masked_steps_are_passed_over():
    layer = layers.ConvLSTM2D(3, 2, return_state=True)
    mask = np.array([[1, 1, 1, 0], [0, 1, 1, 0]], bool)
    for i, steps in enumerate((slice(0, 3), slice(1, 3))):
        for a, b in zip(layer(X, mask=mask), layer(X[i : i + 1, steps]), strict=True):
            np.testing.assert_allclose(a[i], b[0], rtol=1e-4, atol=1e-5)


def test_stateful():
    layer = layers.ConvLSTM2D(3, 2, stateful=True, return_sequences=True)
    whole = layers.ConvLSTM2D(3, 2, return_sequences=True)
    whole.build(X.shape)
    layer.build(X[:, :2].shape)
    layer.set_weights(whole.get_weights())
    halves = [layer(X[:, :2]), layer(X[:, 2:])]
    np.testing.assert_allclose(np.concatenate(halves, 1), whole(X), rtol=1e-4, atol=1e-5)
    layer.reset_state()
    np.testing.assert_allclose(layer(X[:, :2]), halves[0], rtol=1e-4, atol=1e-5)


def test_channels_first():
    last, first = (layers.ConvLSTM2D(3, 2, data_format=f"channels_{f}", dropout=0.2) for f in ("last", "first"))
    moved = np.moveaxis(X, -1, 2)
    last.build(X.shape)
    first.build(moved.shape)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(first(moved), 1, -1), last(X), rtol=1e-4, atol=1e-5)
    assert first(moved, training=True).shape == (2, 3, 4, 5)


def test_open_sizes_and_states():
    layer = layers.ConvLSTM2D(3, 3, return_sequences=True, return_state=True)
    outputs = layer(lamina.Input((None, None, None, 2)))
    assert [t.shape for t in outputs] == [(None, None, None, None, 3)] + [(None, None, None, 3)] * 2
    assert [y.shape for y in layer(X)] == [(2, 4, 3, 4, 3)] + [(2, 3, 4, 3)] * 2
    assert [y.shape for y in layer(X[:, :, :4])] == [(2, 4, 2, 4, 3)] + [(2, 2, 4, 3)] * 2
    state = [np.ones((2, 3, 4, 3), "float32")] * 2
    assert np.abs(layer(X, initial_state=state)[1] - layer(X)[1]).max() > 1e-3


@pytest.mark.parametrize("which", ["dropout", "recurrent_dropout"])
def test_dropout_is_for_training(which):
    layer = layers.ConvLSTM2D(3, 2, seed=1, **{which: 0.5})
    np.testing.assert_array_equal(layer(X), layer(X))
    a, b = (layer(X, training=True) for _ in range(2))
    assert np.abs(a - b).max() > 1e-3


def test_refusals():
    with pytest.raises(ShapeError, match=r"kernel_size\[0\]=7 does not fit into the height axis"):
        layers.ConvLSTM2D(3, 7)(X)
    with pytest.raises(ShapeError, match=r"ConvLSTM2D.*cannot take an input"):
        layers.ConvLSTM2D(3, 2)(X[0])
    with pytest.raises(ValueError, match="only one of them"):
        layers.ConvLSTM1D(3, 2, strides=2, dilation_rate=2)
    with pytest.raises(ShapeError, match="initial_state"):
        layers.ConvLSTM2D(3, 2)(X, initial_state=[np.ones((2, 5, 6, 3))] * 2)


def test_a_cell_alone():
    cell = layers.ConvLSTM2D(3, 2).cell
    cell.build((None, 5, 6, 2))
    output, states = cell(X[:, 0], cell.get_initial_state(2))
    assert output.shape == states[1].shape == (2, 4, 5, 3)
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
