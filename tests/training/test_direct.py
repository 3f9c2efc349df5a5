"""Single batches by the short way: the same outputs, and never those of a model that was."""

import copy
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core import context
from lamina.training import direct

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


@pytest.fixture
def taken(monkeypatch):
    """How often the short way was taken."""
    count = []
    original = direct.Direct.outputs

    def outputs(self, key, x):
        found = original(self, key, x)
        if found is not None:
            count.append(key[0])
        return found

    monkeypatch.setattr(direct.Direct, "outputs", outputs)
    return count


def until_direct(call, taken):
    """Call until the short way is taken."""
    before = len(taken)
    for _ in range(500):
        outputs = call()
        if len(taken) > before:
            return outputs
        time.sleep(0.01)
    raise AssertionError("the short way was never taken")


def model_of(*parts, shape=(4,)):
    return lamina.Sequential([lamina.Input(shape), *parts])


def test_the_same_outputs(taken):
    model = model_of(layers.Dense(5, activation="relu"), layers.Dense(2))
    usual = np.asarray(model(X))
    np.testing.assert_allclose(until_direct(lambda: model(X), taken), usual, rtol=1e-6)
    usual = model.predict(X, verbose=0)
    found = until_direct(lambda: model.predict(X, verbose=0), taken)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, usual)
    np.testing.assert_allclose(model(X.astype("float64")), usual, rtol=1e-6)
    np.testing.assert_allclose(until_direct(lambda: model(jnp.asarray(X)), taken), usual, rtol=1e-6)
    np.testing.assert_allclose(until_direct(lambda: model.predict(X.astype("float64"), verbose=0), taken), usual)


def test_several_outputs_and_other_shapes(taken):
    inputs = lamina.Input((4,))
    model = lamina.Model(inputs, {"a": layers.Dense(2)(inputs), "b": inputs + 1})
    for x in (X, X[:2]):
        found = until_direct(lambda: model(x), taken)
        np.testing.assert_allclose(found["b"], x + 1)
        assert until_direct(lambda: model.predict(x, verbose=0), taken)["a"].shape == (len(x), 2)


def change_weights(model):
    model.layers[0].kernel.assign(model.layers[0].kernel * 0)


def change_setting(model):
    model.layers[0].activation = lamina.activations.get("relu")


def change_layer(model):
    model.pop()
    model.add(layers.Dense(2, kernel_initializer="zeros"))


def change_variable(model):
    model.layers[0]._weights[0] = model.layers[0].kernel = lamina.Variable(np.zeros((4, 2), "float32"))


@pytest.mark.parametrize("change", [change_weights, change_setting, change_layer, change_variable])
def test_a_model_that_was_changed(change, taken):
    model = model_of(layers.Dense(2))
    for call in (lambda: model(X), lambda: model.predict(X, verbose=0)):
        until_direct(call, taken)
    change(model)
    expected = np.maximum(X @ np.asarray(model.layers[0].kernel), 0)
    ways = [lambda: model(X), lambda: model.predict(X, verbose=0)]
    for call in ways[: 1 if change is change_setting else 2]:  # what `predict` compiled holds, as in Keras
        np.testing.assert_allclose(call(), expected, atol=1e-6)
        np.testing.assert_allclose(until_direct(call, taken), expected, atol=1e-6)


def test_training_goes_on_from_it(taken):
    model = model_of(layers.Dense(2))
    model.compile("sgd", "mse")
    model.fit(X, np.ones((3, 2)), verbose=0)
    until_direct(lambda: model(X), taken)
    before = until_direct(lambda: model.predict(X, verbose=0), taken)
    model.fit(X, np.ones((3, 2)), verbose=0)
    kernel, bias = model.get_weights()
    taken.clear()
    for call in (lambda: model(X), lambda: model.predict(X, verbose=0)):
        np.testing.assert_allclose(call(), X @ kernel + bias, rtol=1e-5)
    assert taken == ["call", "predict"]  # at once: training changed values, not what is computed
    assert np.abs(X @ kernel + bias - before).max() > 1e-3


def test_states_go_on(taken):
    model = model_of(layers.Dropout(0.5), layers.BatchNormalization(momentum=0.5))
    first = until_direct(lambda: model(X, training=True), taken)
    mean = np.asarray(model.layers[1].moving_mean)
    second = model(X, training=True)
    assert taken == ["call"] * 2
    assert np.abs(first - second).max() > 0
    assert np.abs(mean - np.asarray(model.layers[1].moving_mean)).max() > 0
    np.testing.assert_allclose(until_direct(lambda: model(X, training=False), taken), model.predict(X, verbose=0))


def test_masks_go_with_outputs(taken):
    model = model_of(layers.Masking(), shape=(2, 2))
    x = X.reshape(3, 2, 2).copy()
    x[0, 1] = 0
    outputs = until_direct(lambda: model(x), taken)
    np.testing.assert_array_equal(context.masks.get(outputs), x.any(-1))


class Noisy(layers.Layer):
    calls = 0

    def call(self, x):
        Noisy.calls += 1
        return x * 2


@pytest.mark.parametrize(
    "parts",
    [[Noisy()], [layers.Lambda(lambda x: x)], [layers.Dense(2, activity_regularizer="l2")], [model_of(Noisy())]],
)
def test_the_code_of_others_runs_each_time(parts, taken):
    model = model_of(*parts)
    Noisy.calls = 0
    for _ in range(6):
        model(X)
    assert "call" not in taken
    assert Noisy.calls in (0, 6)
    assert len(model.losses) == (parts[0].activity_regularizer is not None)


def test_what_looks_on_or_differentiates_goes_the_usual_way(taken, capsys):
    model = model_of(layers.Dense(2))
    until_direct(lambda: model(X), taken)
    del taken[:]
    with lamina.shapes.watch():
        model(X)
    assert "dense" in capsys.readouterr().out
    slope = jax.grad(lambda x: model(x).sum())(X)
    np.testing.assert_allclose(slope, np.tile(np.asarray(model.layers[0].kernel).sum(1), (3, 1)), rtol=1e-6)
    with jax.disable_jit():
        model(X)
    assert jax.jit(lambda x: model(x))(X).shape == (3, 2)
    assert taken == []
    with pytest.raises(lamina.ShapeError):
        model(X[:, :3])


def test_a_callback_and_a_bar_see_each_batch(taken):
    model = model_of(layers.Dense(2))
    until_direct(lambda: model.predict(X, verbose=0), taken)
    del taken[:]
    seen = []
    callback = lamina.callbacks.LambdaCallback(on_train_begin=None)
    callback.on_predict_batch_end = lambda batch, logs=None: seen.append(batch)
    model.predict(X, verbose=0, callbacks=[callback])
    model.predict(X, verbose=2)
    model.predict(X, batch_size=2, verbose=0)
    assert (taken, seen) == ([], [0])


def test_ever_new_shapes_are_not_compiled_for(taken):
    model = model_of(layers.Dense(2), shape=(None, 4))
    for length in range(1, 40):
        for _ in range(2):
            model(np.zeros((1, length, 4), "float32"))
    assert taken == []
    assert len(model._direct._noted) == direct._MOST


def test_a_copy_has_its_own(taken):
    model = model_of(layers.Dense(2))
    model.compile("sgd", "mse")
    model.fit(X, np.ones((3, 2)), verbose=0)
    until_direct(lambda: model(X), taken)
    until_direct(lambda: model.predict(X, verbose=0), taken)
    other = copy.deepcopy(model)
    change_weights(model)
    assert np.abs(other(X) - model(X)).max() > 1e-3
    np.testing.assert_allclose(until_direct(lambda: other(X), taken), other.predict(X, verbose=0), rtol=1e-6)
