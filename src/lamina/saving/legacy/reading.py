"""Whole models and weights out of `.h5` files of Keras 1, 2 and 3."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lamina.core import lambdas, registry
from lamina.core.variable import drawing_later
from lamina.saving.legacy import groups, training, weights
from lamina.saving.legacy.era import Era, era_of
from lamina.saving.legacy.groups import Stored
from lamina.saving.legacy.upgrade import upgrade
from lamina.saving.safety.config import making, read_json
from lamina.saving.safety.errors import FileProblem, naming
from lamina.saving.safety.hdf5 import open_hdf5


def load_model_h5(path: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True,
                  safe_mode: bool = True) -> Any:  # fmt: skip
    """The model that an `.h5` file of Keras 1, 2 or 3 holds, with its weights.

    Args:
        path: the file.
        custom_objects: classes and functions of the user's that it names. A function under a `Lambda` layer's name
            takes the place of that layer's stored code.
        compile: whether to compile the model as it was, and restore the optimizer's state.
        safe_mode: whether to refuse the code of lambdas; only give ``False`` for a file of your own.

    Raises:
        FileProblem: the file is broken, or holds what cannot be had; the message names the file and the place in it.
    """
    with naming(path), open_hdf5(path) as root, lambdas.allowing(not safe_mode), drawing_later():
        written = root.attributes.get("model_config")
        if written is None:
            raise FileProblem("there is no model in it: `model_config` is missing. Weights alone are read by "
                              "model.load_weights(path)")  # fmt: skip
        era = era_of_group(root)
        with registry.custom_object_scope(custom_objects or {}):
            available = _bytes_in(root)
            model = model_of(read_json(written, "`model_config`"), era, available)
            group = groups.weights_group(root)
            apply(plan_layers(model, groups.read_layers(group), era) + _top_level(model, group, era))
            if compile:
                training.restore(model, root, era, available)
    return model


def load_weights_h5(model: Any, path: Any, by_name: bool = False, skip_mismatch: bool = False) -> None:
    """Set a model's weights from an `.h5` file with a group for each layer.

    Args:
        model: the model, built.
        path: a file of weights, or of a whole model.
        by_name: whether layers are matched by name, and layers that the file does not know stay as they are;
            otherwise all are matched, by name where the names are those of the file, else in order.
        skip_mismatch: whether layers whose shapes differ stay as they are, with a warning.

    Raises:
        FileProblem: the file is broken, or does not fit; no weight is changed then.
    """
    if not model.built:
        raise ValueError(f"{model.name!r} has no weights to load into yet: build it, or call it once, first")
    with naming(path), open_hdf5(path) as root:
        group = groups.weights_group(root)
        era = era_of_group(group if "keras_version" in group.attributes else root)
        stored = groups.read_layers(group)
        pairs = pairs_by_name(model, stored) if by_name else pairs_in_order(model, stored)
        plan: weights.Plan = []
        for layer, entry in pairs:
            try:
                plan += weights.plan(layer, entry, era)
            except weights.Misfit as error:
                if not skip_mismatch:
                    raise
                warnings.warn(f"{path}: skipped: {error}", stacklevel=3)
        apply(plan + ([] if by_name else _top_level(model, group, era)))


def era_of_group(group: Any) -> Era:
    """Who wrote a file, by its attributes."""
    return era_of(group.attributes.get("keras_version"), group.attributes.get("backend"))


def model_of(description: Any, era: Era, available: int | None) -> Any:
    """The model that a description stands for, with new weights."""
    description = upgrade(description, era)
    with _models_known(), making(description, available):
        model = registry.deserialize(description)
    if not hasattr(model, "load_weights") and not hasattr(model, "predict"):
        raise FileProblem(f"its description is that of a {type(model).__name__}, not of a model")
    return model


@contextmanager
def _models_known() -> Iterator[None]:
    importlib.import_module("lamina.models")  # a floor above: it registers Sequential and Functional
    yield


def _bytes_in(root: Any) -> int:
    return sum(dataset.nbytes for dataset in root.walk())


# Layers and groups


def plan_layers(model: Any, stored: list[Stored], era: Era) -> weights.Plan:
    """Which array goes into which weight, for a whole model."""
    return [pair for layer, entry in pairs_in_order(model, stored) for pair in weights.plan(layer, entry, era)]


def pairs_in_order(model: Any, stored: list[Stored]) -> list[tuple[Any, Stored]]:
    """Each layer with weights and its group.

    Raises:
        FileProblem: there are more layers with weights here than in the file, or fewer.
    """
    layers = [layer for layer in model.layers if layer.weights]
    filled = [entry for entry in stored if entry.datasets]
    by_name = {entry.name: entry for entry in filled}
    if set(by_name) == {layer.name for layer in layers} and len(layers) == len(by_name):
        return [(layer, by_name[layer.name]) for layer in layers]
    if len(layers) != len(filled):
        raise FileProblem(
            f"the model has {len(layers)} layers with weights ({_some([x.name for x in layers])}), "
            f"the file {len(filled)} ({_some([x.name for x in filled])})"
        )
    return list(zip(layers, filled, strict=True))


def pairs_by_name(model: Any, stored: list[Stored]) -> list[tuple[Any, Stored]]:
    """The layers whose names the file knows, and their groups."""
    by_name = {entry.name: entry for entry in stored}
    known = [layer for layer in model.layers if layer.name in by_name]
    return [(layer, by_name[layer.name]) for layer in known if layer.weights or by_name[layer.name].datasets]


def _top_level(model: Any, group: Any, era: Era) -> weights.Plan:
    """Weights that the model holds itself, outside of its layers."""
    inner = group.groups.get("top_level_model_weights")
    entry = groups.read_layer(inner, "top_level_model_weights") if inner is not None else None
    held = {id(v) for layer in model.layers for v in layer.weights}
    own = [v for v in weights.stored_order(model) if id(v) not in held]
    held_there = entry.datasets if entry is not None else ()
    if [v.shape for v in own] != [dataset.shape for dataset in held_there]:
        raise FileProblem(f"the model itself has {len(own)} weights, the file {len(held_there)} for it")
    return [(v, weights.placed(v, dataset.read())) for v, dataset in zip(own, held_there, strict=True)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "none"


def apply(plan: weights.Plan) -> None:
    """Set the weights; all arrays were read and found to fit before."""
    for variable, array in plan:
        variable.assign(array)
