"""Models in pickles, and copies: they predict the same, and their training goes on the same way, each for itself."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core import lambdas

X, Y = np.random.default_rng(0).random((2, 8, 3)).astype("float32")
WAYS = {"pickle": lambda m: pickle.loads(pickle.dumps(m)), "deepcopy": copy.deepcopy, "copy": copy.copy}


@lamina.saving.register_keras_serializable("pickles")
class Registered(lamina.Model):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.parts = {"first": layers.Dense(units), "last": layers.Dense(3)}

    def call(self, x):
        return self.parts["last"](lamina.activations.relu(self.parts["first"](x)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Unregistered(layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")

    def call(self, x):
        return x * self.factor


def own_loss(y, p):
    return lamina.ops.mean((y - p) ** 2, axis=-1)


def sequential():
    stack = [layers.Dense(4, activation="relu"), layers.Dropout(0.3), layers.BatchNormalization(), layers.Dense(3)]
    model = lamina.Sequential([lamina.Input((3,)), *stack])
    model.compile(lamina.optimizers.AdamW(0.01, use_ema=True), "mse", metrics=["mae"])
    return model


def functional():
    x = lamina.Input((3,))
    inner = lamina.Sequential([layers.Dense(4), layers.Dense(3)])
    model = lamina.Model(x, inner(x) + inner(2 * x))
    rate = lamina.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    model.compile(lamina.optimizers.SGD(rate, momentum=0.9), "mse")
    return model


def subclass():
    model = Registered(5)
    model.compile("adam", "mse")
    return model


def unregistered():
    model = lamina.Sequential([lamina.Input((3,)), Unregistered(), layers.Dense(3)])
    model.compile("rmsprop", own_loss, metrics=[own_loss])
    return model


def undecayed():
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(3)])
    optimizer = lamina.optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[model.layers[0].kernel])
    model.compile(optimizer, "mse")
    return model


def go_on(model):
    return model.fit(X, Y, epochs=3, shuffle=False, verbose=0).history["loss"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [sequential, functional, subclass, unregistered])
def test_it_is_the_same_model_on_its_own(make, way):
    model = make()
    go_on(model)
    other = WAYS[way](model)
    assert type(other) is type(model)
    assert other.compiled
    assert int(other.optimizer.iterations) == 3
    np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))
    before = other.get_weights()
    losses = go_on(model)
    for one, same in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    assert go_on(other) == losses


def test_a_copy_keeps_what_is_not_decayed():
    model = undecayed()
    go_on(model)
    other = copy.deepcopy(model)
    assert go_on(other) == go_on(model)


@pytest.mark.parametrize("way", WAYS)
def test_a_model_without_weights_yet(way):
    other = WAYS[way](lamina.Sequential([layers.Dense(2)]))
    assert not other.built
    assert other(X).shape == (8, 2)


def test_several_models_and_settings_in_one_pickle():
    model = functional()
    held = pickle.loads(pickle.dumps({"model": model, "again": model, "threshold": 0.5}))
    assert held["model"] is held["again"]
    assert held["threshold"] == 0.5
    np.testing.assert_array_equal(held["model"](X), model(X))


def test_another_program_opens_it(tmp_path):
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    program = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).count_params())"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "model.pickle")], capture_output=True)
    assert done.stdout.strip() == b"4", done.stderr[-2000:]


def test_code_in_an_archive_is_not_run_unless_it_is_allowed(monkeypatch):
    model = lamina.Sequential([lamina.Input((3,)), layers.Lambda(lambda x: x + 1)])
    np.testing.assert_array_equal(copy.deepcopy(model)(X), X + 1)
    with pytest.warns(UserWarning, match="Python lambda"):
        data = pickle.dumps(model)
    with pytest.raises(ValueError, match="enable_unsafe_deserialization"):
        pickle.loads(data)
    monkeypatch.setattr(lambdas, "_everywhere", [True])
    np.testing.assert_array_equal(pickle.loads(data)(X), X + 1)
