"""`lamina.saving.show` of files that Keras 1 and 2 wrote: it says what loading them gives."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import lamina

sys.path.insert(0, str(Path(__file__).parent))
import fixtures


@pytest.mark.parametrize("name", fixtures.names())
def test_what_is_shown_is_what_is_loaded(name, tmp_path):
    path = fixtures.put(name, tmp_path)
    model = lamina.models.load_model(path, compile=False)
    report = lamina.saving.show(path)
    assert report.architecture.problems == []
    assert all(row.problem is None and row.shapes for row in report.rows)
    assert [t.shape for t in report.architecture.inputs] == [tuple(t.shape) for t in model.inputs]
    assert [t.shape for t in report.architecture.outputs] == [tuple(t.shape) for t in model.outputs]
    counts = {layer.name: layer.count_params() for layer in model.layers}
    assert {row.name: row.parameters for row in report.rows if not row.depth and row.name in counts} == counts
    if name != "keras2_cudnn":  # which has a bias twice
        assert report.parameters == model.count_params()
    written = report.contents.keras_version or "1"
    assert written.startswith("1" if name.startswith("keras1") else "2.")


@pytest.mark.parametrize("name", fixtures.names(".json"))
def test_architectures(name, tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(fixtures.read(f"{name}.json"))
    model = lamina.models.model_from_json(path.read_text())
    report = lamina.saving.show(path)
    assert report.parameters == model.count_params()
    assert [t.shape for t in report.architecture.outputs] == [tuple(t.shape) for t in model.outputs]


def test_training_settings(tmp_path):
    text = lamina.saving.show(fixtures.put("trained_adam", tmp_path)).to_text(100)
    assert "Training    Adam (learning rate 0.01), loss mean_squared_error, metrics mae" in text
    assert "state of the optimizer" in text
