"""Data that lies on the device, and many steps in one dispatch: faster, and the same numbers."""

import jax
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.training import loops, resident
from lamina.training.feeding import make_feed
from lamina.training.programs import Program
from lamina.training.resident import Pace, Resident, fits, room_for


def data(samples=70, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, 5)).astype("float32"), rng.integers(0, 3, samples)


def compiled(**kwargs):
    lamina.utils.set_random_seed(3)
    parts = [layers.Dense(6, activation="tanh"), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(3)]
    model = lamina.Sequential([lamina.Input((5,)), *parts])
    loss = lamina.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], **kwargs)
    return model


@pytest.fixture
def way(request, monkeypatch):
    """How batches reach the device."""
    if request.param == "streamed":
        monkeypatch.setattr(loops, "fits", lambda feed: False)
    if request.param in ("in rows", "looped"):
        monkeypatch.setattr(Pace, "loops", request.param == "looped")
        monkeypatch.setattr(Pace, "wants_loop", False)
        monkeypatch.setattr(Pace, "steps", lambda self, left: min(left, 3))


def run(model, shuffle=True, **kwargs):
    x, y = data()
    lamina.utils.set_random_seed(5)
    history = model.fit(x, y, batch_size=16, epochs=3, verbose=0, shuffle=shuffle, validation_split=0.2, **kwargs)
    return history.history, model.get_weights()


@pytest.fixture(scope="module")
def expected():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "fits", lambda feed: False)
        return run(compiled())


@pytest.mark.parametrize("way", ["picked", "in rows", "looped"], indirect=True)
def test_the_numbers_are_those_of_batches_sent_one_by_one(way, expected):
    history, weights = run(compiled())
    assert history.keys() == expected[0].keys()
    for name, values in expected[0].items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)
    for ours, theirs in zip(weights, expected[1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


class Hears(lamina.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.heard = []

    def on_train_batch_begin(self, batch, logs=None):
        self.heard.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.heard.append(("end", batch, sorted(logs)))


@pytest.mark.parametrize("way", ["streamed", "picked", "in rows", "looped"], indirect=True)
def test_callbacks_hear_of_each_batch_in_order(way):
    hears = Hears()
    run(compiled(), callbacks=[hears])
    epoch = [entry for place in range(4) for entry in (("begin", place), ("end", place, ["accuracy", "loss"]))]
    assert hears.heard == 3 * epoch


@pytest.mark.parametrize("way", ["streamed", "picked", "looped"], indirect=True)
def test_callbacks_hear_of_as_many_batches_as_were_asked_for_at_a_time(way):
    hears = Hears()
    run(compiled(steps_per_execution=3), callbacks=[hears])
    assert [entry[1] for entry in hears.heard if entry[0] == "end"][:2] == [2, 3]


@pytest.fixture
def given(monkeypatch):
    """What the programs were given to step through, call by call."""
    calls = []
    original = Program.__call__

    def call(self, state, *data):
        calls.append(data)
        return original(self, state, *data)

    monkeypatch.setattr(Program, "__call__", call)
    return calls


@pytest.mark.parametrize("way", ["in rows"], indirect=True)
def test_steps_go_many_in_a_row_where_nobody_hears_of_each(way, given):
    run(compiled())
    assert [len(data) for data in given if len(data) > 1] == 3 * [3]
    given.clear()
    run(compiled(), callbacks=[Hears()])
    assert {len(data) for data in given} == {1}


def test_large_arrays_are_on_the_device_before_a_step(given):
    model = lamina.Sequential([lamina.Input((400,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.zeros((100, 400), "float32")
    model.train_on_batch(x, x[:, :1])
    ((x_given, y_given, *_),) = given[0]
    assert isinstance(x_given, jax.Array) == (jax.default_backend() == "cpu")
    assert isinstance(y_given, np.ndarray)


@pytest.mark.parametrize("way", ["picked", "looped"], indirect=True)
def test_logs_of_a_users_step_keep_their_form(way):
    class Own(lamina.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return {"zeta": logs["loss"], "alpha": 1}, state

    model = Own()
    model.compile("sgd", "mse")
    x, _ = data()
    history = model.fit(x, x[:, :1], batch_size=16, epochs=2, verbose=0)
    assert list(history.history) == ["zeta", "alpha"]
    assert history.history["alpha"] == [1, 1]


def test_every_sample_is_seen_once_in_an_epoch():
    x, y = np.arange(70.0), np.arange(70)
    feed = make_feed(x, y, batch_size=16, shuffle=True)
    kept = Resident(feed)
    for _ in range(2):
        seen = []
        for start in range(kept.next_epoch()):
            (xs, ys, _), order, place, _ = kept.batches(start, 1)
            rows = np.asarray(order)[place * 16 : place * 16 + 16]
            seen += list(np.asarray(xs)[rows])
            np.testing.assert_array_equal(np.asarray(xs)[rows], np.asarray(ys)[rows])
        seen += list(kept.last()[0])
        assert sorted(seen) == list(range(70))
        assert seen != sorted(seen)


def test_an_epoch_of_chosen_length_goes_on_where_the_last_one_stopped():
    kept = Resident(make_feed(np.arange(48.0), batch_size=8, steps=3))
    assert [kept.next_epoch() for _ in range(3)] == [3, 3, 3]
    orders = [np.asarray(kept.batches(0, 1)[1])[:24].tolist() for _ in range(3) if kept.next_epoch()]
    assert orders == [list(range(24, 48)), list(range(24)), list(range(24, 48))]


def test_close_numbers_of_samples_share_a_program():
    model = compiled()
    for samples in (290, 300, 303):
        x, y = data(samples)
        model.fit(x[: samples // 16 * 16], y[: samples // 16 * 16], batch_size=16, verbose=0)
    made = [len(p._made) for key, p in model._programs._kept.items() if "picking" in key]
    assert made == [1]
    assert room_for(290) == room_for(303) >= 303
    assert all(n <= room_for(n) <= 1.15 * n + 1 for n in range(1, 4000, 7))


def test_what_has_no_room_is_streamed(monkeypatch):
    x, y = data()
    feed = make_feed(x, y, batch_size=16)
    assert fits(feed)
    monkeypatch.setattr(resident, "_room_there_is", lambda: x.nbytes)
    assert not fits(feed)
    assert not fits(make_feed(iter([(x, y)])))
    assert not fits(make_feed(x, y, batch_size=71))


def test_a_pace_tries_the_loop_where_steps_are_short_and_keeps_it_where_it_is_faster():
    pace = Pace()
    assert not pace.wants_loop
    pace.alone = 1.0
    assert not pace.wants_loop
    pace.alone = 1e-4
    assert pace.wants_loop
    assert pace.steps(10**6) == 500
    pace.looped = 1e-5
    assert pace.loops
    assert pace.steps(10**6) == 5000
    assert pace.steps(7) == 7
    pace.looped = 2e-4
    assert not pace.loops


def test_steps_that_are_not_compiled_get_batches():
    x, y = data()
    feed = make_feed(x, y, batch_size=16)
    assert isinstance(loops.on_device(compiled(), feed), Resident)
    assert loops.on_device(compiled(run_eagerly=True), feed) is feed
    assert loops.on_device(compiled(jit_compile=False), feed) is feed
    assert loops.on_device(compiled(), None) is None
