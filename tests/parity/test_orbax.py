"""Checkpoints of Orbax: Keras opens ours, and we open Keras's."""

import importlib

import keras
import numpy as np
import pytest

import lamina
from lamina import saving
from lamina.saving.interop import orbax

pytest.importorskip("orbax.checkpoint.experimental.v1")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Sharding info not provided"),
]

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = np.linspace(0, 1, 16, dtype="float32").reshape(8, 2)


def made(k, nested=True):
    """A model, with a `Sequential` in it: the weights of these Keras loses when it opens a checkpoint of its own."""
    x = k.Input((3,), name="x")
    inner = [k.layers.Dense(4, name="d"), k.layers.BatchNormalization(name="bn")]
    y = k.Sequential([k.Input((3,)), *inner], name="inner")(x) if nested else inner[1](inner[0](x))
    model = k.Model(x, k.layers.Dense(2, name="out")(y), name="m")
    model.compile(k.optimizers.Adam(0.01, name="adam"), "mse", metrics=["mae"])
    return model


def trained(model, epochs, callbacks=(), **settings):
    settings = {"batch_size": 4, "shuffle": False, "verbose": 0, **settings}
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **settings).history["loss"]


@pytest.mark.parametrize(("writer", "reader"), [("keras", "lamina"), ("lamina", "keras")])
def test_training_goes_on_in_the_other(writer, reader, tmp_path):
    writing, reading = importlib.import_module(writer), importlib.import_module(reader)
    importlib.import_module("lamina.models")
    model = made(writing, nested=reader != "keras")
    trained(model, 3, [writing.callbacks.OrbaxCheckpoint(tmp_path / "c", max_to_keep=None)])
    assert orbax.steps_in(tmp_path / "c") == [0, 1, 2]
    again = reading.models.load_model(tmp_path / "c")
    assert int(again.optimizer.iterations) == 6
    assert again.name == "m"
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(trained(again, 2), trained(model, 2), rtol=1e-5)


@pytest.mark.parametrize(("writer", "reader"), [("keras", "lamina"), ("lamina", "keras")])
def test_weights_only(writer, reader, tmp_path):
    writing, reading = importlib.import_module(writer), importlib.import_module(reader)
    model, other = made(writing), made(reading)
    trained(model, 1, [writing.callbacks.OrbaxCheckpoint(tmp_path / "c", save_weights_only=True)])
    other.load_weights(tmp_path / "c")
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_state_of_keras_s(tmp_path):
    model = made(keras)
    trained(model, 1, [keras.callbacks.OrbaxCheckpoint(tmp_path / "c")])
    ours = made(lamina)
    assert saving.load_orbax(ours, tmp_path / "c") == 0
    assert int(ours.optimizer.iterations) == 2
    np.testing.assert_allclose(trained(ours, 2), trained(model, 2), rtol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"save_freq": 3, "max_to_keep": 2}])
def test_the_same_steps(settings, tmp_path):
    for k in (keras, lamina):
        model = made(k)
        model.optimizer.build(model.trainable_variables)
        model.optimizer.iterations.assign(2)
        trained(model, 4, [k.callbacks.OrbaxCheckpoint(tmp_path / k.__name__, **settings)])
    assert orbax.steps_in(tmp_path / "lamina") == orbax.steps_in(tmp_path / "keras")
