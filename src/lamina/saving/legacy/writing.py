"""Whole models and weights into `.h5` files, in the layout of Keras 3."""

from __future__ import annotations

import importlib
import json
from typing import Any

import h5py
import numpy as np

from lamina.core import registry, sharing
from lamina.saving import compiled
from lamina.saving.atomic import writing
from lamina.saving.legacy import groups, weights

#: The Keras whose layout is written.
KERAS_VERSION = "3.15.1"
_MARKS = {"backend": "jax", "keras_version": KERAS_VERSION}


def save_model_h5(model: Any, path: Any, include_optimizer: bool = True) -> None:
    """Write a whole model: architecture, weights, training settings and the optimizer's state.

    Args:
        model: the model; a `Sequential` or a functional one, built.
        path: the file; an earlier one is replaced as a whole.
        include_optimizer: whether training settings and the optimizer's state go in.

    Raises:
        ValueError: the model is not built, or is a subclass whose layers no description holds.
    """
    if not model.built:
        raise ValueError(f"{model.name!r} has no weights yet: build it, or call it once, before it is saved")
    if getattr(model, "_graph", None) is None:
        raise ValueError(
            f"{model.name!r} is a subclass of Model, not a graph of layers, which .h5 files cannot hold: save it as "
            f".keras, or its weights only"
        )
    with sharing.writing_file():
        described = registry.serialize(model)
    text = json.dumps({"class_name": described["class_name"], "config": described["config"]})
    with writing(path) as file, h5py.File(file, "w") as root:
        root.attrs.update({**_MARKS, "lamina_version": importlib.import_module("lamina").__version__})
        root.attrs["model_config"] = text
        _write_layers(model, root.create_group("model_weights"))
        if include_optimizer and model.compiled:
            _write_training(model, root)


def save_weights_h5(model: Any, path: Any) -> None:
    """Write a model's weights, with a group for each layer, as Keras 1 and 2 did.

    Raises:
        ValueError: the model is not built.
    """
    if not model.built:
        raise ValueError(f"{model.name!r} has no weights yet: build it, or call it once, before they are saved")
    with writing(path) as file, h5py.File(file, "w") as root:
        _write_layers(model, root)


def _write_layers(model: Any, root: h5py.Group) -> None:
    root.attrs.update(_MARKS)
    groups.write_names(root, "layer_names", [layer.name for layer in model.layers])
    for layer in model.layers:
        _write_variables(root.create_group(layer.name), weights.stored_order(layer))
    inside = {id(v) for layer in model.layers for v in layer.weights}
    own = [v for v in weights.stored_order(model) if id(v) not in inside]
    _write_variables(root.create_group("top_level_model_weights"), own)


def _write_variables(group: h5py.Group, variables: list[Any]) -> None:
    groups.write_layer(group, [v.path for v in variables], [np.asarray(v.numpy()) for v in variables])


def _write_training(model: Any, root: h5py.File) -> None:
    described = compiled.describe(model)
    if not described:
        return
    for name in ("loss", "metrics", "weighted_metrics"):
        described[name] = _by_full_names("loss" if name == "loss" else "metric", described.get(name))
    optimizer = described.pop("optimizer")
    kept = {key: optimizer[key] for key in ("class_name", "config")} if isinstance(optimizer, dict) else optimizer
    root.attrs["training_config"] = json.dumps({**described, "optimizer_config": kept})
    if model.optimizer is not None and model.optimizer.built:
        group = root.create_group("optimizer_weights")
        _write_variables(group, model.optimizer.variables)


def _by_full_names(kind: str, value: Any) -> Any:
    """Losses and metrics by their own names: Keras 3 does not find ``"mse"`` in its own `.h5` files."""
    if isinstance(value, list):
        return [_by_full_names(kind, entry) for entry in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _by_full_names(kind, entry) for key, entry in value.items()}
    found = registry.known("loss").get(value) if kind == "loss" and isinstance(value, str) else None
    return value if found is None else found.__name__
