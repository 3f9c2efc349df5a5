"""Training goes on here where Keras 2 stopped: settings and the optimizer's state."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

import lamina
from lamina.saving import legacy

sys.path.insert(0, str(Path(__file__).parent))
import fixtures

TRAINED = [name for name in fixtures.names() if name.startswith("trained_")]


@pytest.mark.parametrize("name", TRAINED)
def test_the_next_steps_have_the_same_losses(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = legacy.load_model_h5(fixtures.put(name, tmp_path))
    steps = fixtures.arrays(f"{name}.steps.npz")
    assert int(model.optimizer.iterations.numpy()) == 3
    losses = [float(model.train_on_batch(steps["x"], steps["y"])[0]) for _ in range(3)]
    np.testing.assert_allclose(losses, steps["losses"], rtol=2e-4)


def edited(name, folder, **changes):
    path = fixtures.put(name, folder)
    with h5py.File(path, "r+") as file:
        settings = json.loads(file.attrs["training_config"])
        settings.update(changes)
        file.attrs["training_config"] = json.dumps(settings)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": {"class_name": "MyLoss", "config": {}}},
        {"optimizer_config": {"class_name": "MyOptimizer", "config": {"lr": 0.1}}},
        {"metrics": [["nothing_like_it"]]},
        {"loss": 3},
    ],
)
def test_settings_that_are_unknown_are_named_in_a_warning_and_the_model_opens(changes, tmp_path):
    path = edited("trained_adam", tmp_path, **changes)
    with pytest.warns(UserWarning, match="training settings"):
        model = legacy.load_model_h5(path)
    assert not model.compiled
    inputs, outputs = fixtures.inputs_and_outputs("trained_adam")
    np.testing.assert_allclose(fixtures.predict(model, inputs)[0], outputs[0], rtol=1e-4, atol=1e-6)


def test_a_state_that_does_not_fit_is_named_in_a_warning(tmp_path):
    path = fixtures.put("trained_sgd", tmp_path)
    with h5py.File(path, "r+") as file:
        group = file["optimizer_weights"]
        group.attrs["weight_names"] = group.attrs["weight_names"][:-1]
    with pytest.warns(UserWarning, match="state of the optimizer"):
        model = legacy.load_model_h5(path)
    assert model.compiled
    assert int(model.optimizer.iterations.numpy()) == 0


def test_without_compile_nothing_is_compiled(tmp_path):
    assert not legacy.load_model_h5(fixtures.put("trained_adam", tmp_path), compile=False).compiled


def test_settings_of_keras_1_are_understood(tmp_path):
    """Names and a learning rate that decays, as Keras 1 and early Keras 2 noted them, with unnamed arrays."""
    path = tmp_path / "old.h5"
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
    legacy.save_model_h5(model, path)
    moments = [np.full(shape, value, "float32") for value in (1, 2) for shape in ((3, 2), (2,))]
    with h5py.File(path, "r+") as file:
        for holder in (file, file["model_weights"]):
            holder.attrs["keras_version"] = "2.1.3"
        old = {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {
            "name": model.layers[0].name, "units": 2, "batch_input_shape": [None, 3]}}]}  # fmt: skip
        file.attrs["model_config"] = json.dumps(old)
        optimizer = {"lr": 0.5, "beta_1": 0.9, "beta_2": 0.99, "decay": 0.25, "epsilon": None, "amsgrad": False}
        file.attrs["training_config"] = json.dumps({
            "optimizer_config": {"class_name": "Adam", "config": optimizer}, "loss": "categorical_crossentropy",
            "metrics": ["acc"], "sample_weight_mode": None, "loss_weights": None})  # fmt: skip
        group = file.create_group("optimizer_weights")
        names = ["Adam/iterations:0", *(f"training/Adam/Variable_{i}:0" for i in range(6))]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name, array in zip(names, [np.array(4.0), *moments, np.zeros(1), np.zeros(1)], strict=True):
            group[name] = array
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = legacy.load_model_h5(path)
    assert found.loss == "categorical_crossentropy"
    assert int(found.optimizer.iterations.numpy()) == 4
    assert float(found.optimizer.learning_rate) == pytest.approx(0.5 / (1 + 0.25 * 4))
    assert found.optimizer.epsilon == 1e-7
    assert [float(np.mean(v.numpy())) for v in found.optimizer.variables if v.shape][:4] == [1.0, 2.0, 1.0, 2.0]
