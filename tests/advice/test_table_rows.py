"""Numbers that an `Embedding` has no row for, and fractions: found before anything is computed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from failing import codes, failed

from lamina import Input, Model, Sequential, layers, ops
from lamina.shapes import ShapeWarning, check
from lamina.shapes.errors import forget_warnings


def reader(rows: int = 10, **kwargs) -> Sequential:
    table = layers.Embedding(rows, 3, name="table", **kwargs)
    model = Sequential([Input((4,)), table, layers.LSTM(2), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_number_beyond_the_table(method):
    words = np.full((8, 4), 3)
    words[5, 2] = 12
    model = reader()
    targets = () if method == "predict" else (np.zeros((8, 1)),)
    error = failed(lambda: getattr(model, method)(words, *targets, verbose=0))
    assert codes(error) == ['input_dim=13 in "table"']
    assert "holds 12, and its table has the rows 0 to 9" in str(error)
    assert "0 to 9" in error.expected


def test_numbers_that_start_at_one():
    ids = np.arange(1, 11).repeat(4).reshape(10, 4)
    assert codes(failed(lambda: reader().predict(ids, verbose=0))) == ['input_dim=11 in "table"', "ids = ids - 1"]


def test_the_input_at_fault_is_named():
    users, items = Input((1,), name="users"), Input((1,), name="items")
    rows = [layers.Flatten()(layers.Embedding(n, 4)(x)) for n, x in ((5, users), (7, items))]
    model = Model([users, items], layers.Dot(-1)(rows))
    first, second = np.zeros((6, 1), "int32"), np.full((6, 1), 7)
    assert "second holds 7" in str(failed(lambda: model.predict([first, second], verbose=0)))
    data = {"users": first, "items": second}
    assert "data['items'] holds 7" in str(failed(lambda: model.predict(data, verbose=0)))
    assert model.predict([first, second - 1], verbose=0).shape == (6, 1)


def test_in_models_inside_and_in_ones_that_are_classes():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.rows, self.head = layers.Embedding(10, 3), layers.Dense(1)

        def call(self, x):
            return self.head(ops.mean(self.rows(x), axis=1))

    def batches():
        yield np.full((4, 6), 11), np.zeros((4, 1))

    net = Net()
    net.compile("sgd", "mse")
    assert 'input_dim=12 in "embedding' in str(failed(lambda: net.fit(batches(), verbose=0)))
    outer = Sequential([Input((4,)), reader()])
    assert "holds 10" in str(failed(lambda: outer.predict(np.full((2, 4), 10), verbose=0)))


def test_validation_data_and_check():
    x, y = np.zeros((8, 4), "int32"), np.zeros((8, 1))
    error = failed(lambda: reader().fit(x, y, validation_data=(x + 10, y), verbose=0))
    assert error.summary.startswith("`validation_data`")
    (problem,) = check(reader(), x + 10, y)
    assert "0 to 9" in str(problem)
    assert not check(reader(), x, y)


def test_fractions_are_warned_of_once():
    forget_warnings()
    x = np.linspace(0, 1, 32).reshape(8, 4)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        reader().predict(x, verbose=0)
    (only,) = given
    assert issubclass(only.category, ShapeWarning)
    assert "layers.Reshape((4, 1)) instead of Embedding" in str(only.message)


def test_what_is_sound_passes():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader(mask_zero=True).predict(np.arange(8).reshape(2, 4), verbose=0)
        reader().predict(np.full((2, 4), 9.0), verbose=0)  # whole numbers as floats
        reader().predict(np.full((2, 4), -1), verbose=0)  # counted from the end
        shifted = Sequential([Input((4,)), layers.Lambda(lambda x: x - 10), layers.Embedding(10, 3)])
        shifted.predict(np.full((2, 4), 15), verbose=0)  # what the table reads is another tensor
