"""Whose the weights are: arrays that others hold, interrupts, frozen layers, compiled programs kept."""

import os
import signal
import threading
import weakref

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.training import interrupts

RNG = np.random.default_rng(1)
X = RNG.normal(size=(8, 4)).astype("float32")
V = RNG.normal(size=(8, 1)).astype("float32")
QUIET = {"batch_size": 4, "verbose": 0}


def net(*more, optimizer="adam"):
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(4), *more, layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


@pytest.fixture(scope="module")
def trained():
    model = net(layers.BatchNormalization())
    model.fit(X, V, **QUIET)
    return model


def readable(model):
    state = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return state and all(np.isfinite(v.numpy()).all() for v in state)


def test_arrays_that_the_user_holds_stay(trained):
    held = [v.value for v in [*trained.variables, *trained.optimizer.variables]]
    weights = trained.get_weights()
    copies = [w.copy() for w in weights]
    trained.fit(X, V, **QUIET)
    trained.train_on_batch(X[:4], V[:4])
    assert all(np.asarray(array) is not None for array in held)
    for kept, copy, now in zip(weights, copies, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, copy)
        assert (kept != now).any()


def test_arrays_of_nobody_else_are_donated(trained):
    trained.fit(X, V, **QUIET)
    array = weakref.ref(trained.layers[0].kernel._value)
    trained.train_on_batch(X[:4], V[:4])
    assert array() is None


def test_variables_that_share_an_array():
    model, other = net(), net()
    same = jnp.ones((4, 4))
    model.layers[0].kernel.assign(same)
    for mine, its in zip(model.variables, other.variables, strict=True):
        its.assign(mine.value)
    model.fit(X, V, **QUIET)
    other.fit(X, V, **QUIET)
    assert float(same.sum()) == 16.0
    assert readable(model)
    assert readable(other)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end"])
def test_an_error_in_a_callback_leaves_a_usable_model(trained, hook, error):
    def fail(*_, **__):
        raise error("stop")

    callback = lamina.callbacks.Callback()
    setattr(callback, hook, fail)
    with pytest.raises(error, match="stop"):
        trained.fit(X, V, **QUIET, callbacks=[callback])
    assert readable(trained)
    assert np.isfinite(trained.fit(X, V, **QUIET).history["loss"]).all()


def test_an_error_in_the_data_leaves_a_usable_model(trained):
    def batches():
        yield X[:4], V[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained.fit(batches(), verbose=0)
    assert readable(trained)


def test_control_c_during_a_step_waits_for_the_new_state(trained, monkeypatch):
    """The signal comes after the old state is gone and before the new one is in place."""
    program = trained._programs.get("train", trained.train_step, ("probe",))
    run = type(program).__call__

    def interrupted(self, state, batch):
        result = run(self, state, batch)
        if self.kind == "train":
            os.kill(os.getpid(), signal.SIGINT)
        return result

    monkeypatch.setattr(type(program), "__call__", interrupted)
    steps = int(trained.optimizer.iterations)
    for train in (lambda: trained.fit(X, V, **QUIET), lambda: trained.train_on_batch(X[:4], V[:4])):
        with pytest.raises(KeyboardInterrupt):
            train()
        steps += 1
        assert readable(trained)
        assert int(trained.optimizer.iterations) == steps
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_control_c_outside_of_a_step_is_taken_at_once():
    @interrupts.interruptible()
    def loop():
        with interrupts.unbroken():
            pass
        os.kill(os.getpid(), signal.SIGINT)
        return "the interrupt was lost"

    with pytest.raises(KeyboardInterrupt):
        loop()


def test_training_in_another_thread(trained):
    losses = []
    thread = threading.Thread(target=lambda: losses.extend(trained.fit(X, V, **QUIET).history["loss"]))
    thread.start()
    thread.join()
    assert len(losses) == 1


def test_programs_are_compiled_once():
    traced = []

    class Count(layers.Layer):
        def call(self, x):
            traced.append(x.shape)
            return x

    model = net(Count())
    counts = []
    for run in (
        lambda: model.fit(X, V, **QUIET),
        lambda: model.evaluate(X, V, **QUIET),
        lambda: model.predict(X, **QUIET),
        lambda: model.train_on_batch(X[:4], V[:4]),
    ):
        run()
        counts.append(len(traced))
        run()
        assert len(traced) == counts[-1]
    model.compile("adam", "mse")
    model.fit(X, V, **QUIET)
    assert len(traced) > counts[3]


def test_a_second_fit_goes_on_where_the_first_stopped():
    a = net(optimizer=lamina.optimizers.Adam(0.1))
    b = net(optimizer=lamina.optimizers.Adam(0.1))
    b.set_weights(a.get_weights())
    a.fit(X, V, **QUIET, epochs=4, shuffle=False)
    for _ in range(2):
        b.fit(X, V, **QUIET, epochs=2, shuffle=False)
    for ours, theirs in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_trainable_takes_effect_at_compile():
    model = net()
    first = model.layers[0]
    model.fit(X, V, **QUIET)
    first.trainable = False
    before = first.get_weights()[0].copy()
    with pytest.warns(UserWarning, match=r"takes effect when compile\(\) is called again"):
        model.fit(X, V, **QUIET)
    assert (first.get_weights()[0] != before).all()
    model.compile("adam", "mse")
    before = first.get_weights()[0].copy()
    model.fit(X, V, **QUIET)
    assert (first.get_weights()[0] == before).all()
    first.trainable = True
    model.compile("adam", "mse")
    model.fit(X, V, **QUIET)
    assert (first.get_weights()[0] != before).all()


def test_part_of_a_trained_model_in_another_one(trained):
    features = lamina.Model(trained.inputs, trained.layers[1].output)
    features.trainable = False
    model = lamina.Sequential([features, layers.Dense(1)])
    model.compile("adam", "mse")
    before = [w.copy() for w in trained.get_weights()]
    head = model.layers[-1].get_weights()[0].copy()
    model.fit(X, V, **QUIET, epochs=2)
    for old, now in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    assert (model.layers[-1].get_weights()[0] != head).all()
    features.trainable = True
    model.compile("adam", "mse")
    model.fit(X, V, **QUIET)
    assert (trained.get_weights()[0] != before[0]).all()
    assert readable(trained)


def test_an_optimizer_serves_one_set_of_variables():
    optimizer = lamina.optimizers.Adam()
    net(optimizer=optimizer).fit(X, V, **QUIET)
    with pytest.raises(ValueError, match=r"an optimizer serves one set of variables.*lamina\.optimizers\.Adam"):
        net(optimizer=optimizer).fit(X, V, **QUIET)
