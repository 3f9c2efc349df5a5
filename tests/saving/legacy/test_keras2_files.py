"""Whole models of Keras 1 and 2 predict here what they predicted there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import lamina
from lamina.saving import legacy

sys.path.insert(0, str(Path(__file__).parent))
import fixtures

WHOLE = [name for name in fixtures.names() if not name.startswith("trained_")]
LOOSE = {"mixed_policy": 2e-2}


@pytest.mark.parametrize("name", WHOLE)
def test_predictions(name, tmp_path):
    model = legacy.load_model_h5(fixtures.put(name, tmp_path))
    inputs, outputs = fixtures.inputs_and_outputs(name)
    found = fixtures.predict(model, inputs)
    assert len(found) == len(outputs)
    for ours, theirs in zip(found, outputs, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=LOOSE.get(name, 2e-6))


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_read_is_written_and_read_again(name, tmp_path):
    model = legacy.load_model_h5(fixtures.put(name, tmp_path))
    legacy.save_model_h5(model, tmp_path / "again.h5")
    again = legacy.load_model_h5(tmp_path / "again.h5")
    assert again.get_config() == model.get_config()
    for first, second in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(first.numpy(), second.numpy())


@pytest.mark.parametrize("name", fixtures.names(".json"))
def test_architectures_and_weights_apart(name, tmp_path):
    model = lamina.models.model_from_json(fixtures.read(f"{name}.json").decode())
    legacy.load_weights_h5(model, fixtures.put(name, tmp_path))
    inputs, outputs = fixtures.inputs_and_outputs(name)
    for ours, theirs in zip(fixtures.predict(model, inputs), outputs, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=LOOSE.get(name, 2e-6))
    again = lamina.models.model_from_json(model.to_json())
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


def test_archives_of_keras_2(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(fixtures.read("archive.keras"))
    model = lamina.models.load_model(path)
    inputs, outputs = fixtures.inputs_and_outputs("archive")
    np.testing.assert_allclose(fixtures.predict(model, inputs)[0], outputs[0], rtol=1e-4, atol=2e-6)
    steps = fixtures.arrays("archive.steps.npz")
    losses = [float(model.train_on_batch(steps["x"], steps["y"])[0]) for _ in range(3)]
    np.testing.assert_allclose(losses, steps["losses"], rtol=2e-4)
