"""Operations on symbolic tensors that do not fit: the line, the shape, and calls that work."""

from __future__ import annotations

import warnings

import failing
import numpy as np

from lamina import Input, layers, ops
from lamina.shapes import ShapeWarning
from lamina.shapes.errors import ShapeError, forget_warnings


def failed(function) -> ShapeError:
    error = failing.failed(function)
    assert error.received
    return error


def codes(function) -> list[str]:
    return failing.codes(failed(function))


def test_an_axis_that_is_not_there():
    x = Input((10, 4))
    assert codes(lambda: ops.sum(x, axis=3)) == ["ops.sum(x, axis=-1)", "ops.sum(x, axis=1)"]
    assert codes(lambda: ops.expand_dims(x, 5))[0] == "ops.expand_dims(x, -1)"
    assert "(None, 10, 4)" in str(failed(lambda: ops.moveaxis(x, 3, 1)))


def test_the_order_of_axes_names_that_of_the_batch():
    x = Input((5, 4))
    assert codes(lambda: ops.transpose(x, (1, 0))) == ["ops.transpose(x, (0, 2, 1))"]
    assert codes(lambda: ops.transpose(x, axes=(2, 1))) == ["ops.transpose(x, axes=(0, 2, 1))"]
    image = Input((5, 4, 3))
    assert codes(lambda: ops.transpose(image, (2, 0, 1)))[0] == "ops.transpose(image, (0, 3, 1, 2))"


def test_an_axis_that_cannot_be_dropped():
    x, y = Input((5, 4)), Input((1, 4))
    assert codes(lambda: ops.squeeze(x, axis=-1)) == ["ops.mean(x, axis=-1)"]
    assert codes(lambda: ops.squeeze(y, -1))[0] == "ops.squeeze(y, 1)"


def test_parts_that_do_not_come_out_even():
    x = Input((5, 10))
    assert codes(lambda: ops.split(x, 3, axis=-1)) == [
        "ops.split(x, 2, axis=-1)", "ops.split(x, [4, 8], axis=-1)", "Input((5, 9))",
    ]  # fmt: skip


def test_too_many_indices():
    x = Input((10, 4))
    error = failed(lambda: x[:, :, :, 0])
    assert "too many indices" in error.summary
    assert error.received == "(None, 10, 4)"


def test_operands_are_called_by_their_names():
    x, mean, spread = Input((8,)), np.zeros((7,), "float32"), np.ones((7,), "float32")
    assert codes(lambda: (x - mean) / spread) == ["layers.Dense(7)(x)", "Input((7,))"]
    query, key = Input((5, 4)), Input((7, 4))
    assert codes(lambda: ops.matmul(query, key)) == ["ops.matmul(query, ops.swapaxes(key, -1, -2))"]


def test_a_reshape_that_seems_to_mean_a_transpose():
    forget_warnings()
    x = Input((20, 6))
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        ops.reshape(x, (-1, 6, 20))
    (only,) = given
    assert issubclass(only.category, ShapeWarning)
    assert "ops.transpose(x, (0, 2, 1))" in str(only.message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ops.reshape(x, (-1, 120))
        ops.reshape(x, (-1, 10, 12))
        ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, 6, 20))
        ops.reshape(Input((32, 32, 3)), (-1, 32 * 32, 3))


def test_masks_of_attention():
    x, padding = Input((12, 4)), Input((12,), dtype="bool")
    attend = layers.MultiHeadAttention(2, 4)
    found = codes(lambda: attend(x, x, attention_mask=padding))
    assert found == ["attention_mask=padding[:, None]"]
    query, turned = Input((5, 4)), Input((12, 5), dtype="bool")
    assert codes(lambda: attend(query, x, attention_mask=turned))[0] == "attention_mask=ops.swapaxes(turned, -1, -2)"
    for fits in (Input((1, 12)), Input((5, 1)), Input((2, 5, 12)), np.ones((5, 12))):
        attend(query, x, attention_mask=fits)


def test_states_and_masks_are_called_by_their_names():
    x, h, c = Input((6, 5)), Input((32,)), Input((32,))
    assert codes(lambda: layers.LSTM(16)(x, initial_state=[h, c]))[1] == (
        "initial_state=[layers.Dense(16)(h), layers.Dense(16)(c)]"
    )
    assert codes(lambda: layers.GRU(32)(x, initial_state=[h, c]))[0] == "initial_state=[h]"
    short = Input((4,), dtype="bool")
    assert codes(lambda: layers.GRU(3)(x, mask=short)) == ["mask=ops.pad(short, ((0, 0), (0, 2)))"]


def test_channels_first_in_a_network_with_skips():
    image = Input((3, 50, 50))
    first = layers.Conv2D(4, 3, data_format="channels_first")(image)
    second = layers.Conv2D(4, 3, data_format="channels_first")(first)
    assert codes(lambda: layers.Concatenate(axis=1)([first, second]))[0] == (
        'layers.Cropping2D(1, data_format="channels_first")(first)'
    )
    wide = layers.Conv2D(8, 3, padding="same", data_format="channels_first")(first)
    assert 'layers.Conv2D(4, 1, data_format="channels_first")(wide)' in codes(lambda: layers.Add()([first, wide]))


def test_channels_first_of_open_sizes():
    image = Input((3, None, None))
    found = codes(lambda: layers.Conv2D(8, 3, name="first")(image))
    assert found[:2] == [
        "Input((None, None, 3)) and x = np.moveaxis(x, 1, -1)",
        'data_format="channels_first" in "first"',
    ]
