"""Generators and datasets whose batches do not fit: what to yield instead, in the user's own names."""

from __future__ import annotations

import failing
import numpy as np

import lamina
from lamina import Input, Model, Sequential, layers


def codes(function) -> list[str]:
    return failing.codes(failing.failed(function))


def images() -> Sequential:
    model = Sequential([Input((16, 16, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def rows(units: int = 1, loss: str = "mse") -> Sequential:
    model = Sequential([Input((5,)), layers.Dense(units, activation="softmax" if units > 1 else None)])
    model.compile("sgd", loss)
    return model


def pairs() -> Model:
    words, image = Input((20,), name="words"), Input((8, 8, 3), name="image")
    model = Model([words, image], layers.Dense(1)(layers.Concatenate()([words, layers.Flatten()(image)])))
    model.compile("sgd", "mse")
    return model


def test_channels_in_another_place():
    def batches():
        while True:
            pictures, labels = np.zeros((4, 3, 16, 16)), np.zeros((4, 1))
            yield pictures, labels

    found = codes(lambda: images().fit(batches(), steps_per_epoch=2, verbose=0))
    assert found == ["yield np.moveaxis(pictures, 1, -1), labels"]


def test_inputs_in_another_order():
    def batches():
        while True:
            yield [np.zeros((4, 8, 8, 3)), np.zeros((4, 20))], np.zeros((4, 1))

    found = codes(lambda: pairs().fit(batches(), steps_per_epoch=2, verbose=0))
    assert found == ["yield (np.zeros((4, 20)), np.zeros((4, 8, 8, 3))), np.zeros((4, 1))"]


def test_inputs_under_another_name():
    def batches():
        while True:
            yield {"text": np.zeros((4, 20)), "image": np.zeros((4, 8, 8, 3))}, np.zeros((4, 1))

    found = codes(lambda: pairs().fit(batches(), steps_per_epoch=2, verbose=0))
    assert found == ["yield {'words': np.zeros((4, 20)), 'image': np.zeros((4, 8, 8, 3))}, np.zeros((4, 1))"]


def test_targets_before_inputs():
    def batches():
        while True:
            yield np.zeros((4, 1)), np.zeros((4, 5))

    assert codes(lambda: rows().fit(batches(), steps_per_epoch=2, verbose=0))[0] == (
        "yield np.zeros((4, 5)), np.zeros((4, 1))"
    )


def test_more_than_is_taken():
    def batches():
        while True:
            yield np.zeros((4, 5)), np.zeros((4, 1)), np.ones(4), "train.csv"

    found = codes(lambda: rows().fit(batches(), steps_per_epoch=2, verbose=0))
    assert found[0] == "yield np.zeros((4, 5)), np.zeros((4, 1)), np.ones(4)"


def test_labels_of_a_generator():
    def batches():
        while True:
            x, classes = np.zeros((4, 5)), np.arange(4) % 3
            yield x, classes

    found = codes(lambda: rows(3, "categorical_crossentropy").fit(batches(), steps_per_epoch=2, verbose=0))
    assert found == ['loss="sparse_categorical_crossentropy"', "yield x, keras.utils.to_categorical(classes, 3)"]


class OneHot(lamina.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        columns = np.eye(3)[[0, 1, 2, 0]]
        return np.zeros((4, 5)), columns


class Single(lamina.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.zeros(5), np.zeros(1)


def test_batches_of_a_dataset():
    found = codes(lambda: rows(3, "sparse_categorical_crossentropy").fit(OneHot(), verbose=0))
    assert found[0] == "return np.zeros((4, 5)), columns.argmax(-1)"
    assert codes(lambda: rows().fit(Single(), verbose=0))[0] == "return np.zeros(5)[None], np.zeros(1)[None]"
