"""Configurations of Keras 1 and 2 in words: what they become, and what is refused."""

from __future__ import annotations

import base64
import json
import marshal

import h5py
import numpy as np
import pytest

import lamina
from lamina.saving import legacy
from lamina.saving.legacy.era import Era, era_of
from lamina.saving.legacy.upgrade import upgrade

OLD, TWO = Era((1, 2, 2)), Era((2, 2, 4))


def one(class_name, era=TWO, **config):
    """The only layer of a Sequential, brought up to date."""
    described = {"class_name": "Sequential", "config": [{"class_name": class_name, "config": config}]}
    layer = upgrade(described, era)["config"]["layers"][-1]
    return layer["class_name"], layer["config"]


@pytest.mark.parametrize(
    ("old", "config", "new", "has"),
    [
        ("Convolution2D", {"nb_filter": 4, "nb_row": 3, "nb_col": 2, "border_mode": "same", "dim_ordering": "tf"},
         "Conv2D", {"filters": 4, "kernel_size": [3, 2], "padding": "same", "data_format": "channels_last"}),
        ("Convolution3D", {"nb_filter": 4, "kernel_dim1": 1, "kernel_dim2": 2, "kernel_dim3": 3},
         "Conv3D", {"kernel_size": [1, 2, 3]}),
        ("Deconvolution2D", {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "subsample": [2, 2], "output_shape": [0]},
         "Conv2DTranspose", {"strides": [2, 2]}),
        ("Dense", {"output_dim": 3, "init": "uniform", "bias": False}, "Dense",
         {"units": 3, "kernel_initializer": "uniform", "use_bias": False}),
        ("Embedding", {"input_dim": 5, "output_dim": 3, "dropout": 0.1}, "Embedding",
         {"input_dim": 5, "output_dim": 3}),
        ("Dropout", {"p": 0.25}, "Dropout", {"rate": 0.25}),
        ("GaussianNoise", {"sigma": 0.1}, "GaussianNoise", {"stddev": 0.1}),
        ("GRU", {"units": 3}, "GRU", {"reset_after": False, "recurrent_activation": "keras2_hard_sigmoid"}),
        ("GRU", {"units": 3, "reset_after": True, "time_major": False}, "GRU", {"reset_after": True}),
        ("CuDNNGRU", {"units": 3}, "GRU", {"reset_after": True, "recurrent_activation": "sigmoid"}),
        ("LeakyReLU", {"alpha": 0.1}, "LeakyReLU", {"negative_slope": 0.1}),
        ("BatchNormalization", {"axis": [3], "fused": True}, "BatchNormalization", {"axis": 3}),
        ("Activation", {"activation": "hard_sigmoid"}, "Activation", {"activation": "keras2_hard_sigmoid"}),
        ("MaxPooling1D", {"pool_length": 2, "stride": 3}, "MaxPooling1D", {"pool_size": 2, "strides": 3}),
        ("ZeroPadding2D", {"padding": {"top_pad": 1, "left_pad": 2}}, "ZeroPadding2D", {"padding": [[1, 0], [2, 0]]}),
        ("Dense", {"units": 2, "dtype": {"class_name": "Policy", "config": {"name": "mixed_float16"}}},
         "Dense", {"dtype": "mixed_float16"}),
        ("Dense", {"units": 2, "kernel_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.5}},
         "Dense", {"kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}}}),
        ("LeakyReLU", {"alpha": {"type": "ndarray", "value": 0.3}}, "LeakyReLU", {"negative_slope": 0.3}),
        ("Permute", {"dims": {"class_name": "__tuple__", "items": [2, 1]}}, "Permute", {"dims": [2, 1]}),
    ],
)  # fmt: skip
def test_names_and_arguments(old, config, new, has):
    name, found = one(old, **config)
    assert name == new
    assert {key: found.get(key) for key in has} == has


def test_what_is_new_is_left_as_it_is():
    described = {"module": "keras", "class_name": "Sequential", "config": {"layers": [
        {"module": "keras.layers", "class_name": "Activation", "config": {"activation": "hard_sigmoid"}}]}}  # fmt: skip
    assert upgrade(described, Era((3, 5)))["config"]["layers"][0]["config"]["activation"] == "hard_sigmoid"


def test_a_class_of_the_users_own_is_left_as_it_is():
    with lamina.saving.custom_object_scope({"Dense": lamina.layers.Identity}):
        assert one("Dense", output_dim=3) == ("Dense", {"output_dim": 3})


@pytest.mark.parametrize(
    ("class_name", "config", "words"),
    [
        ("LSTM", {"name": "l", "units": 2, "time_major": True}, "LSTM 'l'.*time_major"),
        ("BatchNormalization", {"name": "b", "mode": 1}, "BatchNormalization 'b'.*mode"),
        ("InputLayer", {"name": "i", "batch_input_shape": [None, 3], "sparse": True}, "sparse"),
        ("Dense", {"name": "d", "units": 2, "activation": "<lambda>"}, "custom_objects"),
        ("Merge", {"name": "m", "mode": "other"}, "mode"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(class_name, config, words):
    entry = {"class_name": class_name, "name": config["name"], "config": config, "inbound_nodes": []}
    graph = {"layers": [entry], "input_layers": [], "output_layers": []}
    with pytest.raises(ValueError, match=words):
        upgrade({"class_name": "Model", "config": graph}, TWO)


@pytest.mark.parametrize(
    ("version", "major", "backend"),
    [("1.2.2", 1, None), ("2.2.4-tf", 2, "tensorflow"), (None, 1, None), ("3.5.0", 3, "jax")],
)
def test_eras(version, major, backend):
    era = era_of(version, backend)
    assert era.major == major
    assert era.backend == backend


@pytest.mark.parametrize("version", ["", "four", "9.1", 7, []])
def test_no_eras(version):
    with pytest.raises(ValueError, match="keras_version"):
        era_of(version)


@pytest.mark.parametrize(
    "described", [{}, [], {"class_name": 3}, {"class_name": "Sequential", "config": 3},
                  {"class_name": "Model", "config": {"layers": 3}},
                  {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": 3}]},
                  {"class_name": "Model", "config": {"layers": [{"class_name": "Dense", "config": {"units": 2},
                   "name": "d", "inbound_nodes": [[["nobody", 0, 0]]]}], "input_layers": [], "output_layers": []}}],
)  # fmt: skip
def test_malformed_descriptions_are_value_errors(described):
    with pytest.raises(ValueError):
        upgrade(described, TWO)


# Lambdas


def with_lambda(path, function, name="fn", kind="lambda"):
    layers = [{"class_name": "Lambda", "config": {
        "name": name, "function": function, "function_type": kind, "batch_input_shape": [None, 3]}}]  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode()]
        group.create_group(name).attrs["weight_names"] = np.array([], dtype="S1")
    return path


def code(function):
    return [base64.b64encode(marshal.dumps(function.__code__)).decode(), None, None]


def test_code_is_run_only_where_it_is_allowed(tmp_path):
    path = with_lambda(tmp_path / "model.h5", code(lambda x: x * 3 + 1))
    with pytest.raises(ValueError, match="safe_mode"):
        legacy.load_model_h5(path)
    model = legacy.load_model_h5(path, safe_mode=False)
    assert model(np.ones((1, 3))).tolist() == [[4.0, 4.0, 4.0]]


def test_a_function_of_the_users_takes_the_place_of_code(tmp_path):
    path = with_lambda(tmp_path / "model.h5", code(lambda x: x))
    model = legacy.load_model_h5(path, custom_objects={"fn": lambda x: x + 2})
    assert model(np.ones((1, 3))).tolist() == [[3.0, 3.0, 3.0]]


def doubled(x):
    return 2 * x


def test_a_function_is_found_by_its_name(tmp_path):
    path = with_lambda(tmp_path / "model.h5", "doubled", kind="function")
    with pytest.raises(ValueError, match="doubled"):
        legacy.load_model_h5(path)
    assert legacy.load_model_h5(path, custom_objects={"doubled": doubled})(np.ones((1, 3))).tolist() == [[2.0] * 3]


# Layers that only Keras 1 had


def sequential_1(path, entry, arrays):
    entry["config"] |= {"name": "layer", "batch_input_shape": [None, 4], "trainable": True}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "1.2.2"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": [entry]})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"layer"]
        own = group.create_group("layer")
        names = [f"layer_{i}" for i in range(len(arrays))]
        own.attrs["weight_names"] = [name.encode() for name in names]
        for name, array in zip(names, arrays, strict=True):
            own[name] = array
    return legacy.load_model_h5(path)


def test_maxout(tmp_path):
    rng = np.random.default_rng(0)
    kernel, bias, x = (rng.normal(size=s).astype("float32") for s in ((3, 4, 2), (3, 2), (5, 4)))
    entry = {"class_name": "MaxoutDense", "config": {"output_dim": 2, "nb_feature": 3, "init": "uniform", "bias": True}}
    model = sequential_1(tmp_path / "m.h5", entry, [kernel, bias])
    expected = np.max(np.einsum("nf,kfu->nku", x, kernel) + bias, axis=1)
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-5)


def test_highway(tmp_path):
    rng = np.random.default_rng(0)
    kernel, carry, bias, carry_bias, x = (rng.normal(size=s).astype("float32") for s in ((4, 4), (4, 4), 4, 4, (5, 4)))
    entry = {"class_name": "Highway", "config": {"activation": "tanh", "init": "uniform", "transform_bias": -2}}
    model = sequential_1(tmp_path / "m.h5", entry, [kernel, carry, bias, carry_bias])
    gate = 1 / (1 + np.exp(-(x @ carry + carry_bias)))
    np.testing.assert_allclose(np.asarray(model(x)), gate * np.tanh(x @ kernel + bias) + (1 - gate) * x, rtol=1e-5)


def test_the_hard_sigmoid_of_each_time():
    x = np.linspace(-4, 4, 9).astype("float32")
    old, new = (np.asarray(lamina.activations.get(n)(x)) for n in ("keras2_hard_sigmoid", "hard_sigmoid"))
    np.testing.assert_allclose(old, np.clip(0.2 * x + 0.5, 0, 1), rtol=1e-6)
    assert np.abs(old - new).max() > 0.05
