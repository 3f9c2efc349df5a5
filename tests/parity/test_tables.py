"""Layers for tables and text against what real Keras gave (data/make_table_cases.py), bit by bit."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import lamina
from lamina.layers.tables.fingerprints import fingerprint

CASES = json.loads((Path(__file__).parent / "data" / "table_cases.json").read_text("utf-8"))
NAMES = sorted({case["name"] for case in CASES})


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['name']}-{json.dumps(c['config'])[:60]}")
def test_same_as_keras(case):
    config = {**case["config"], "name": case["keras_config"]["name"]}
    layer = getattr(lamina.layers, case["name"])(**config)
    if case["adapt"] is not None:
        layer.adapt(np.array(case["adapt"]))
    inputs = tuple(map(np.array, case["inputs"])) if case["several"] else np.array(case["inputs"])
    output = layer(inputs)
    expected = np.array(case["output"])
    assert output.shape == expected.shape
    assert np.asarray(output).dtype.kind == expected.dtype.kind
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(output, expected, rtol=1e-5)
    else:
        np.testing.assert_array_equal(output, expected)
    if "vocabulary" in case:
        assert layer.get_vocabulary() == case["vocabulary"]
        assert layer.get_vocabulary(include_special_tokens=False) == case["own_vocabulary"]
        assert layer.vocabulary_size() == case["size"]
    if "bin_boundaries" in case:
        np.testing.assert_allclose(layer.bin_boundaries, case["bin_boundaries"], rtol=1e-6)
    mine = json.loads(json.dumps(layer.get_config()))
    if case["name"] == "Discretization":
        mine["bin_boundaries"] = case["keras_config"]["bin_boundaries"]
    assert mine == case["keras_config"]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['name']}-{json.dumps(c['config'])[:60]}")
def test_keras_configs_are_read(case):
    layer = getattr(lamina.layers, case["name"]).from_config(case["keras_config"])
    if case["adapt"] is not None and case["name"] != "Discretization":
        layer.adapt(np.array(case["adapt"]))
    inputs = tuple(map(np.array, case["inputs"])) if case["several"] else np.array(case["inputs"])
    np.testing.assert_allclose(*(np.array(x, "float64") if np.array(x).dtype.kind != "U" else np.arange(2)
                                 for x in (layer(inputs), case["output"])), rtol=1e-5)  # fmt: skip


def test_cases_cover_all_lengths_of_text():
    """The fingerprint has a formula for each range of lengths."""
    lengths = {len(text.encode()) for case in CASES if case["name"] == "Hashing" for text in map(str, case["inputs"])}
    assert min(lengths) == 0
    assert all(any(low < n <= high for n in lengths) for low, high in ((0, 3), (3, 7), (7, 16), (16, 32), (32, 64), (64, 128), (128, 999)))  # fmt: skip # noqa: E501
    assert fingerprint(b"") == 0x9AE16A3B2F90404F


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name):
    ours = inspect.signature(getattr(lamina.layers, name)).parameters
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    assert [(n, p.default) for n, p in ours.items()] == [(n, p.default) for n, p in theirs.items()]
