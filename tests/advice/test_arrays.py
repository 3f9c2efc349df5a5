"""Arrays that do not fit a model: which of the user's arrays is meant, and what to do to it."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes.errors import ShapeError


def test_the_number_of_samples_in_the_declared_shape():
    x, y = np.zeros((60, 7)), np.zeros((60, 1))
    model = lamina.Sequential([lamina.Input((60, 7)), layers.Dense(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError) as caught:
        model.fit(x, y, verbose=0)
    assert caught.value.fixes[0].code == "Input((7,))"


def test_an_axis_of_channels_and_another_length():
    x = np.zeros((12, 10))
    model = lamina.Sequential([lamina.Input((20, 1)), layers.Conv1D(4, 3), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ShapeError) as caught:
        model.predict(x, verbose=0)
    assert [fix.code for fix in caught.value.fixes] == ["Input((10, 1)) and x = x[..., None]"]


def test_arrays_are_found_by_their_shapes():
    pictures, rows, y = np.zeros((10, 8, 8, 3)), np.zeros((10, 5)), np.zeros((10, 1))
    image, table = lamina.Input((8, 8, 3), name="image"), lamina.Input((5,), name="table")
    model = lamina.Model([image, table], layers.Dense(1)(layers.Concatenate()([layers.Flatten()(image), table])))
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError) as caught:
        model.fit(pictures, y, verbose=0)
    assert caught.value.fixes[0].code == "[pictures, rows]"
    model.fit([pictures, rows], y, verbose=0)


def test_the_call_of_the_model_is_told_from_those_around_it():
    net = lamina.Sequential([lamina.Input((8, 8, 3)), layers.Conv2D(4, 3)])
    picture = np.zeros((8, 8, 3), "float32")
    with pytest.raises(ShapeError) as caught:
        print(net(picture))
    assert caught.value.fixes[0].code == "picture = picture[None]"


@pytest.mark.parametrize("columns", [False, True])
def test_weights_of_classes_for_samples(columns):
    x, y, weights = np.zeros((12, 5)), np.arange(12) % 3, np.array([1.0, 2.0, 3.0])
    y = np.eye(3)[y] if columns else y
    model = lamina.Sequential([lamina.Input((5,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy" if columns else "sparse_categorical_crossentropy")
    with pytest.raises(ShapeError) as caught:
        model.fit(x, y, sample_weight=weights, verbose=0)
    index = "y.argmax(-1)" if columns else "y"
    assert caught.value.fixes[0].code == f"sample_weight=weights[{index}]"


def test_a_list_with_an_array_for_each_sample():
    images = [np.zeros((8, 8, 3)) for _ in range(6)]
    model = lamina.Sequential([lamina.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError, match=r"one array \(6, 8, 8, 3\)") as caught:
        model.fit(images, np.zeros(6), verbose=0)
    assert caught.value.fixes[0].code == "np.stack(images)"
