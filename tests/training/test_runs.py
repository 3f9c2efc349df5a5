"""How a run goes: eager or compiled, several steps at a time, epochs, validation, callbacks, kinds of data."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import lamina
from lamina import layers

RNG = np.random.default_rng(1)
X = RNG.normal(size=(22, 4)).astype("float32")
V = RNG.normal(size=(22, 1)).astype("float32")
QUIET = {"batch_size": 4, "shuffle": False, "verbose": 0}


def net(*more, **options):
    lamina.utils.set_random_seed(2)
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(3, activation="tanh"), *more, layers.Dense(1)])
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **options})
    return model


@pytest.fixture(scope="module")
def plain():
    """Losses and weights of an ordinary run."""
    model = net(layers.Dropout(0.3, seed=1), optimizer="sgd")
    history = model.fit(X, V, **QUIET, validation_data=(X[:10], V[:10])).history
    return history, model.get_weights()


@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 2}],
    ids=str,
)
def test_every_way_to_run_gives_the_same_numbers(plain, options):
    model = net(layers.Dropout(0.3, seed=1), optimizer="sgd", **options)
    history = model.fit(X, V, **QUIET, validation_data=(X[:10], V[:10])).history
    for name, values in plain[0].items():
        np.testing.assert_allclose(history[name], values, rtol=2e-5, err_msg=name)
    for ours, theirs in zip(model.get_weights(), plain[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("option", [{"run_eagerly": True}, {"jit_compile": False}], ids=str)
def test_eager_steps_see_values(option):
    seen = []

    class Peek(layers.Layer):
        def call(self, x):
            seen.append(not hasattr(x, "_trace") and type(x).__name__)
            return x

    net(Peek(), **option).predict(X[:4], verbose=0)
    assert any(isinstance(name, str) and "Array" in name for name in seen)


class Log(lamina.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(("end", batch, sorted(logs)))

    def on_test_batch_end(self, batch, logs=None):
        self.seen.append(("test", batch))

    def on_predict_batch_end(self, batch, logs=None):
        self.seen.append(("predict", batch, logs["outputs"].shape))


def test_callbacks_with_several_steps_in_one_dispatch():
    model, log = net(steps_per_execution=2), Log()
    model.fit(X[:18], V[:18], **QUIET, callbacks=[log])
    ends = [("end", last, ["loss", "mae"]) for last in (1, 3, 4)]
    assert log.seen == [("begin", 0), ends[0], ("begin", 2), ends[1], ("begin", 4), ends[2]]
    log.seen.clear()
    model.evaluate(X[:18], V[:18], batch_size=4, verbose=0, callbacks=[log])
    outputs = model.predict(X[:18], batch_size=4, verbose=0, callbacks=[log])
    assert log.seen[:3] == [("test", 1), ("test", 3), ("test", 4)]
    assert log.seen[3:] == [("predict", 1, (8, 1)), ("predict", 3, (8, 1)), ("predict", 4, (2, 1))]
    np.testing.assert_allclose(outputs, model(X[:18]), rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def shared():
    """One compiled model for the tests that only look at how a run goes."""
    return net(optimizer=lamina.optimizers.SGD(0.0))


def test_initial_epoch_and_validation_frequency(shared):
    run = shared.fit(X, V, **QUIET, epochs=5, initial_epoch=1, validation_split=0.2, validation_freq=2)
    assert run.epoch == [1, 2, 3, 4]
    assert len(run.history["loss"]) == 4
    assert len(run.history["val_loss"]) == 2
    run = shared.fit(X, V, **QUIET, epochs=3, validation_data=(X, V), validation_freq=[1, 3])
    assert len(run.history["val_loss"]) == 2
    assert run.params == {"verbose": 0, "epochs": 3, "steps": 6}


def test_validation_split_holds_back_the_end(shared):
    run = shared.fit(X, V, **QUIET, validation_split=0.5)
    assert run.history["loss"][0] == pytest.approx(shared.evaluate(X[:11], V[:11], verbose=0)[0], rel=1e-5)
    assert run.history["val_loss"][0] == pytest.approx(shared.evaluate(X[11:], V[11:], verbose=0)[0], rel=1e-5)


def test_early_stopping_stops(shared):
    stop = lamina.callbacks.EarlyStopping(patience=2)
    run = shared.fit(X, V, **QUIET, epochs=9, validation_data=(X, V), callbacks=[stop])
    assert run.epoch == [0, 1, 2]
    assert shared.stop_training


def test_a_callback_stops_within_an_epoch(shared):
    class Stop(lamina.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    log = Log()
    shared.fit(X, V, **QUIET, epochs=3, callbacks=[log, Stop()])
    assert [entry[1] for entry in log.seen if entry[0] == "end"] == [0, 1]


def test_weights_of_classes_and_samples_multiply(shared):
    labels = (np.arange(22) % 2).astype("float32")[:, None]
    expected = shared.fit(X, labels, **QUIET, sample_weight=np.where(labels[:, 0] == 1, 6.0, 2.0)).history["loss"]
    weights = {"class_weight": {0: 1.0, 1: 3.0}, "sample_weight": np.full(22, 2.0)}
    np.testing.assert_allclose(shared.fit(X, labels, **QUIET, **weights).history["loss"], expected, rtol=1e-6)


@pytest.mark.parametrize("shuffle", [True, False])
def test_shuffling_visits_every_sample_in_a_new_order(shuffle):
    means = []
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(1)])
    model.compile(lamina.optimizers.SGD(0.0), loss=lambda y_true, y_pred: y_true + 0 * y_pred)
    note = lamina.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: means.append(logs["loss"]))
    model.fit(X, np.arange(22.0), batch_size=1, shuffle=shuffle, verbose=0, epochs=2, callbacks=[note])
    sums = np.reshape(means, (2, 22)) * np.arange(1, 23)
    visited = np.diff(sums, prepend=0.0).round().astype(int)
    assert [sorted(row) for row in visited.tolist()] == [list(range(22))] * 2
    in_order = visited.tolist() == [list(range(22))] * 2
    assert in_order is not shuffle
    assert (visited[0] != visited[1]).any() == shuffle


KINDS = {
    "numpy double": (X.astype("float64"), V.astype("float64")),
    "jax": (jnp.asarray(X), jnp.asarray(V)),
    "pandas": (pd.DataFrame(X), pd.Series(V[:, 0])),
    "lists": (X.tolist(), V.tolist()),
    "flat targets": (X, V[:, 0]),
    "a list of one": ([X], [V]),
    "a dict": ({"input": X}, V),
}


@pytest.fixture(scope="module")
def named():
    x = lamina.Input((4,), name="input")
    model = lamina.Model(x, layers.Dense(1)(x))
    model.compile(lamina.optimizers.SGD(0.0), "mse")
    return model, model.evaluate(X, V, verbose=0)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_arrays(named, kind):
    model, expected = named
    x, y = KINDS[kind]
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.fit(x, y, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert model.predict(x, verbose=0).shape == (22, 1)


class Batches(lamina.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(index * 11, index * 11 + 11)
        return X[rows], V[rows]


def endless():
    while True:
        yield X[:11], V[:11]
        yield X[11:], V[11:]


def test_streams(named):
    model, expected = named
    for stream, steps in ((Batches(), None), (endless(), 2)):
        run = model.fit(
            stream, steps_per_epoch=steps, epochs=2, verbose=0, validation_data=Batches() if steps else endless(),
            validation_steps=2,
        )  # fmt: skip
        np.testing.assert_allclose(run.history["loss"] + run.history["val_loss"], expected, rtol=1e-5)
        assert model.evaluate(stream, steps=steps, verbose=0) == pytest.approx(expected, rel=1e-5)
        assert model.predict(stream, steps=steps, verbose=0).shape == (22, 1)


def test_several_inputs_and_outputs_in_lists_and_dicts():
    left, right = lamina.Input((4,), name="left"), lamina.Input((1,), name="right")
    inner = lamina.Sequential([lamina.Input((4,)), layers.Dense(1)], name="inner")
    outputs = {"sum": layers.Add(name="sum")([inner(left), right]), "twice": layers.Rescaling(2.0)(inner(left))}
    model = lamina.Model([left, right], outputs)
    model.compile("sgd", {"sum": "mse", "twice": "mae"})
    targets = {"twice": V, "sum": V}
    by_list = model.evaluate([X, V], targets, verbose=0)
    assert model.evaluate({"right": V, "left": X}, targets, verbose=0) == pytest.approx(by_list, rel=1e-6)
    before = inner.get_weights()[0]
    model.fit({"left": X, "right": V}, targets, verbose=0)
    assert (inner.get_weights()[0] != before).all()
    predicted = model.predict([X, V], verbose=0)
    np.testing.assert_allclose(predicted["twice"], 2 * inner.predict(X, verbose=0), rtol=1e-5)
