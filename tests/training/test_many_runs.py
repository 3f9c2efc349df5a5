"""Run after run of the same model: nothing is compiled again, nothing piles up."""

import gc

import jax
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.training import programs

X = np.random.default_rng(0).normal(size=(50, 6)).astype("float32")
Y = (X.sum(1) > 0).astype("int32")


@pytest.fixture
def compilations():
    """Names of what JAX compiles meanwhile."""
    seen = []

    def listen(event, seconds, **_):
        if "backend_compile" in event:
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.clear_event_listeners()


def run(model, x, y):
    model.fit(x, y, batch_size=16, epochs=2, validation_data=(x, y), verbose=0)
    model.evaluate(x, y, batch_size=16, verbose=0)
    model.predict(x, batch_size=16, verbose=0)
    model.predict(x[:3], verbose=0)
    model(x[:3])


def test_nothing_piles_up(compilations):
    model = lamina.Sequential([lamina.Input((6,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(2)])
    loss = lamina.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    for _ in range(8):  # shorter ways are tried and compiled beside the first runs
        run(model, X, Y)
    programs._background.submit(int).result()
    run(model, X, Y)
    gc.collect()
    arrays, kept, before = len(jax.live_arrays()), len(model._programs._kept), len(compilations)
    for _ in range(25):
        run(model, X, Y)
    gc.collect()
    assert len(compilations) == before > 0
    assert len(model._programs._kept) == kept
    assert len(jax.live_arrays()) <= arrays + 2
