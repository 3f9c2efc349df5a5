"""Stopping and rate callbacks take the same decisions as Keras's on the same metrics."""

import warnings

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lamina.callbacks as ours

# Sums of few powers of two, so that 32 and 64 bits compare alike.
VALUES = st.lists(st.sampled_from([0.5, 0.875, 0.9375, 1.0, 1.0625, 1.125, 2.0]), min_size=1, max_size=14)


class Model:
    def __init__(self):
        self.stop_training = False
        self.weight = 0
        self.optimizer = keras.optimizers.SGD(0.5)
        self.metrics = []

    def get_weights(self):
        return [np.array(self.weight)]

    def set_weights(self, weights):
        self.weight = int(weights[0])


def run(callback, values):
    """The epochs that ran, the weight at the end, the rate after each epoch."""
    model, rates = Model(), []
    callback.set_model(model)
    callback.set_params({"epochs": len(values)})
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.weight = epoch + 1
        callback.on_epoch_end(epoch, {"val_loss": value})
        rates.append(float(model.optimizer.learning_rate.value))
        if model.stop_training:
            break
    callback.on_train_end()
    return len(rates), model.weight, rates


@settings(deadline=None, max_examples=60)
@given(
    values=VALUES,
    patience=st.integers(0, 3),
    min_delta=st.sampled_from([0, 0.125]),
    baseline=st.sampled_from([None, 0.96875]),
    restore=st.booleans(),
    start=st.integers(0, 3),
    mode=st.sampled_from(["min", "max", "auto"]),
)
def test_early_stopping(values, patience, min_delta, baseline, restore, start, mode):
    arguments = {
        "patience": patience, "min_delta": min_delta, "baseline": baseline, "restore_best_weights": restore,
        "start_from_epoch": start, "mode": mode,
    }  # fmt: skip
    results = [run(module.EarlyStopping(**arguments), values)[:2] for module in (ours, keras.callbacks)]
    assert results[0] == results[1]


@settings(deadline=None, max_examples=40)
@given(
    values=VALUES,
    patience=st.integers(1, 3),
    cooldown=st.integers(0, 2),
    min_lr=st.sampled_from([0.0, 0.1]),
    mode=st.sampled_from(["min", "max", "auto"]),
)
def test_reduce_on_plateau(values, patience, cooldown, min_lr, mode):
    arguments = {"factor": 0.5, "patience": patience, "cooldown": cooldown, "min_lr": min_lr, "mode": mode}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        results = [run(module.ReduceLROnPlateau(**arguments), values)[2] for module in (ours, keras.callbacks)]
    assert results[0] == pytest.approx(results[1])


@pytest.mark.parametrize("best_only", [False, True])
def test_checkpoints_are_made_after_the_same_epochs(best_only, tmp_path):
    saved = []

    class Savable(Model):
        def save(self, path, overwrite=True):
            saved[-1].append(self.weight)
            open(path, "w").close()

    for module in (ours, keras.callbacks):
        saved.append([])
        callback = module.ModelCheckpoint(str(tmp_path / "{epoch}.keras"), save_best_only=best_only)
        model = Savable()
        callback.set_model(model)
        for epoch, value in enumerate([3.0, 2.0, 2.5, 2.0, 1.0]):
            callback.on_epoch_begin(epoch)
            model.weight = epoch + 1
            callback.on_epoch_end(epoch, {"val_loss": value})
    assert saved[0] == saved[1]
    assert saved[0] == ([1, 2, 5] if best_only else [1, 2, 3, 4, 5])
