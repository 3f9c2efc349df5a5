"""Training settings and the state of the optimizer in `.h5` files, of Keras 1, 2 and 3."""

from __future__ import annotations

import math
import warnings
from typing import Any

from lamina.core import registry
from lamina.core.variable import Variable
from lamina.layers import tracking
from lamina.saving import compiled
from lamina.saving.legacy import groups, values, weights
from lamina.saving.legacy.era import Era
from lamina.saving.safety.config import making, read_json
from lamina.saving.safety.hdf5 import Dataset

Config = dict[str, Any]

_RENAMED = {"lr": "learning_rate"}
_LEFT_OUT = ("is_legacy_optimizer", "jit_compile", "schedule_decay", "decay", "experimental_aggregate_gradients")
_SLOTS = {
    "accum_grad": "accumulated_grad",
    "accum_var": "accumulated_delta_var",
    "accumulated_delta_var": "accumulated_delta_var",
    "accumulated_grad": "accumulated_grad",
    "accumulator": "accumulator",
    "average_gradient": "average_gradient",
    "linear": "linear",
    "m": "momentum",
    "mg": "average_gradient",
    "momentum": "momentum",
    "rms": "velocity",
    "u": "norm",
    "v": "velocity",
    "velocity": "velocity",
    "velocity_hat": "velocity_hat",
    "vhat": "velocity_hat",
}
_OWN_SLOTS = {"Adamax": {"v": "norm"}, "Adagrad": {"v": "accumulator"}}


def restore(model: Any, root: Any, era: Era, available: int) -> None:
    """Compile a model as it was when it was written; what cannot be had is named in a warning.

    Args:
        model: the model.
        root: the file.
        era: who wrote it.
        available: bytes of weights in the file.
    """
    written = root.attributes.get("training_config")
    if written is None:
        return
    try:
        settings = upgrade_settings(values.plain(read_json(written, "`training_config`")), era)
        with making(settings, available):
            compiled.restore(model, settings)
    except Exception as error:
        warnings.warn(f"the training settings of {model.name!r} cannot be used: {error}", stacklevel=2)
        return
    if not model.compiled or model.optimizer is None or "optimizer_weights" not in root.groups:
        return
    try:
        stored = groups.read_layer(root.groups["optimizer_weights"], "optimizer")
        pairs = _matched(model.optimizer, stored, era, _orders(model, root, era))
        state = [(variable, weights.placed(variable, dataset.read())) for variable, dataset in pairs]
    except (ValueError, KeyError) as error:
        warnings.warn(f"the state of the optimizer of {model.name!r} is left as new: {error}", stacklevel=2)
        return
    for variable, value in state:
        variable.assign(value)


# Settings


def upgrade_settings(config: Config, era: Era) -> Config:
    """The arguments of `compile`, in Keras 3's form.

    Raises:
        ValueError: a part is malformed.
    """
    settings = {"optimizer": _optimizer(config.get("optimizer_config"))}
    settings["loss"] = _each(config.get("loss"), _loss)
    for name in ("metrics", "weighted_metrics"):
        found = _each(config.get(name), _metric)
        one_output = isinstance(found, list) and len(found) == 1 and isinstance(found[0], list)
        settings[name] = found[0] if one_output else found
    settings["loss_weights"] = config.get("loss_weights")
    if era.major >= 3:
        kept = ("run_eagerly", "steps_per_execution", "jit_compile")
        settings |= {name: config[name] for name in kept if config.get(name) is not None}
    return {name: value for name, value in settings.items() if value not in (None, [], {})}


def _each(value: Any, upgrade: Any) -> Any:
    """A structure of losses or metrics, every one brought up to date."""
    if isinstance(value, list):
        return [_each(entry, upgrade) for entry in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _each(entry, upgrade) for key, entry in value.items()}
    return upgrade(value) if isinstance(value, dict) else value


def _optimizer(described: Any) -> Any:
    if not isinstance(described, dict):
        return described
    config = {_RENAMED.get(key, key): value for key, value in (described.get("config") or {}).items()}
    rate, decay = config.get("learning_rate"), config.get("decay")
    if decay and isinstance(rate, (int, float)):  # the rate fell with every step
        settings = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
        config["learning_rate"] = {"class_name": "InverseTimeDecay", "config": settings}
    if config.get("epsilon", 0) is None:
        config["epsilon"] = 1e-7
    if not config.get("weight_decay", True):
        config["weight_decay"] = None
    name = str(described.get("class_name")).split(">")[-1]
    kept = {key: value for key, value in config.items() if key not in _LEFT_OUT}
    return {"module": "keras.optimizers", "class_name": name, "config": kept, "registered_name": None}


def _loss(described: Config) -> Any:
    if described.get("class_name") == "function" or values.is_custom(str(described.get("class_name"))):
        return described
    config = {key: value for key, value in (described.get("config") or {}).items() if key != "fn"}
    if config.get("reduction") in ("auto", "AUTO"):
        config["reduction"] = "sum_over_batch_size"
    return {"module": "keras.losses", "registered_name": None, **described, "config": config}


def _metric(described: Config) -> Any:
    config = dict(described.get("config") or {})
    if described.get("class_name") in ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper"):
        function = config.get("fn")
        if not isinstance(function, str):
            return function
        known = registry.known("metric").get(function)
        if known is None or "name" not in config:
            return function
        return {"module": "keras.metrics", "class_name": known.__name__, "config": {"name": config["name"]}}
    config.pop("fn", None)
    return {"module": "keras.metrics", "registered_name": None, **described, "config": config}


# The optimizer's state


def _orders(model: Any, root: Any, era: Era) -> list[list[Variable]]:
    """Orders in which an optimizer may have kept the variables that train, the likeliest first.

    Layer by layer as the file lists them; before Keras 2.1, sorted by the names that the variables had.
    """
    group = groups.weights_group(root)
    layers = {layer.name: layer for layer in model.layers}
    listed: list[tuple[str, Variable]] = []
    for name in groups.names_in(group, "layer_names") or []:
        own = weights.stored_order(layers[name]) if name in layers else []
        names = groups.names_of_weights(group, name)
        trained = {id(v) for v in layers[name].trainable_weights} if name in layers else set()
        called = names if len(names) == len(own) else [v.path for v in own]
        listed += [(path, v) for path, v in zip(called, own, strict=True) if id(v) in trained]
    as_listed = tracking.unique([v for _, v in listed])
    if len(as_listed) != len(model.trainable_variables):
        return [model.trainable_variables]
    by_name = tracking.unique([v for _, v in sorted(listed, key=lambda entry: entry[0])])
    return [by_name, as_listed] if era.version < (2, 1) else [as_listed, by_name]


def _matched(
    optimizer: Any, stored: groups.Stored, era: Era, orders: list[list[Variable]]
) -> list[tuple[Variable, Dataset]]:
    """Which array goes into which of the optimizer's variables.

    Args:
        optimizer: the optimizer, made for its variables.
        stored: its arrays.
        era: who wrote them.
        orders: the variables that train, in the orders that may have been theirs.

    Raises:
        ValueError: they do not fit.
    """
    own = optimizer.variables
    if era.major >= 3:
        pairs = list(zip(own, stored.datasets, strict=False))
        if len(own) != len(stored.datasets) or any(v.shape != a.shape for v, a in pairs):
            raise ValueError(f"it has {len(own)} variables, the file {len(stored.datasets)} for it, or shapes differ")
        return pairs
    named = list(zip((path.removesuffix(":0") for path in stored.paths), stored.datasets, strict=True))
    steps = [(optimizer._iterations, array) for name, array in named if _counts_steps(name, array)][:1]
    slots = [slot for group in optimizer.slot_groups() for slot in group]
    arrays = [(name, array) for name, array in named if not _is_scalar_setting(name, array)]
    found = _by_slot(type(optimizer).__name__, arrays, slots, len(orders[0]))
    for order in orders:
        shapes = [v.shape for v in order]
        if all([a.shape for a in found.get(slot, [])] == shapes for slot in slots):
            return steps + [
                pair for i, slot in enumerate(slots) for pair in _slot_pairs(optimizer, order, i, found[slot])
            ]
    counts = ", ".join(f"{len(found.get(slot, []))} of its {slot!r}" for slot in slots)
    raise ValueError(f"it trains {len(orders[0])} variables; the file has {counts}, or their shapes differ")


def _slot_pairs(
    optimizer: Any, order: list[Variable], place: int, arrays: list[Dataset]
) -> list[tuple[Variable, Dataset]]:
    slots = [optimizer._slots[optimizer._get_variable_index(v)][place] for v in order]
    return list(zip(slots, arrays, strict=True))


def _counts_steps(name: str, array: Dataset) -> bool:
    return math.prod(array.shape) == 1 and name.split("/")[-1].split("_")[0] in ("iter", "iterations", "iteration")


def _is_scalar_setting(name: str, array: Dataset) -> bool:
    """Numbers that are no slot of a variable: the step, the rate, a product of decays."""
    words = {part.rsplit("_", 1)[0] if part.rsplit("_", 1)[-1].isdigit() else part for part in name.split("/")}
    scalars = {"iter", "iterations", "iteration", "learning_rate", "decay", "momentum_cache", "u_product", "m_schedule"}
    return array.shape == () and (bool(words & scalars) or "Variable" not in name)


def _by_slot(
    optimizer: str, arrays: list[tuple[str, Dataset]], slots: list[str], count: int
) -> dict[str, list[Dataset]]:
    """The arrays of each slot in the order of the variables: by their names where these tell, else by their place."""
    known = {**_SLOTS, **_OWN_SLOTS.get(optimizer, {})}
    keys = [_slot_of(name, known) for name, _ in arrays]
    if arrays and all(keys):
        return {slot: [a for key, (_, a) in zip(keys, arrays, strict=True) if key == slot] for slot in slots}
    values_only = [array for _, array in arrays]
    return {slot: values_only[i * count : (i + 1) * count] for i, slot in enumerate(slots)}


def _slot_of(name: str, known: dict[str, str]) -> str | None:
    """``Adam/m/dense/kernel`` and ``Adam/dense/kernel/m`` are both of the slot ``m``."""
    parts = name.split("/")
    last = parts[-1].rsplit("_", 1)[0] if parts[-1].rsplit("_", 1)[-1].isdigit() else parts[-1]
    if last in known:
        return known[last]
    return known.get(parts[1]) if len(parts) > 2 else None
