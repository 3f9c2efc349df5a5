"""Configurations of Keras 1 and 2 brought up to date: plain values in, plain values in Keras 3's form out.

Nothing is built and nothing is looked up outside the tables; what comes out is what `models` reads for any file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from lamina.core import registry
from lamina.saving.legacy import merges, nodes, tables, tf_ops, values
from lamina.saving.legacy.era import Era

Config = dict[str, Any]


def upgrade(description: Any, era: Era) -> Config:
    """A model's description in Keras 3's form.

    Args:
        description: ``{"class_name": ..., "config": ...}`` as the file has it.
        era: who wrote it.

    Raises:
        ValueError: the description is malformed, or asks for what has no counterpart; the message names the layer.
    """
    if not isinstance(description, dict) or not isinstance(description.get("class_name"), str):
        raise ValueError(f"a model's description needs a 'class_name', not {str(description)[:80]}")
    return _layer(values.plain(description), era)


def _layer(entry: Any, era: Era) -> Config:
    """The description of a layer or model."""
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise ValueError(f"a layer's description needs a 'class_name', not {str(entry)[:80]}")
    name, settings = entry["class_name"], entry.get("config", {})
    if name == "Sequential":
        return _sequential(entry, era)
    if not isinstance(settings, dict):
        raise ValueError(f"the config of {name!r} is no object: {str(settings)[:80]}")
    if _is_graph(name, settings):
        return _graph(entry, era)
    if values.is_custom(name) or values.is_custom(str(entry.get("registered_name"))):
        return entry
    if era.major >= 3:
        return _nested(entry, era)
    if name in _REWRITTEN:
        return _REWRITTEN[name](entry, era)
    return _ordinary(name, settings, era)


def _is_graph(name: str, settings: Config) -> bool:
    if name in tables.GRAPHS:
        return True
    if not {"layers", "input_layers", "output_layers"} <= set(settings) or values.is_custom(name):
        return False
    warnings.warn(
        f"the model class {name!r} is unknown; its graph of layers is opened as a functional model", stacklevel=2
    )
    return True


def is_operation(entry: Config) -> bool:
    """Whether Keras 3 wrote a function's call; in `.h5` files it leaves out what tells them from layers otherwise."""
    settings = entry.get("config")
    if "module" in entry or not isinstance(settings, dict) or "layers" in settings:
        return ".ops." in str(entry.get("module"))
    return not {"trainable", "dtype", "batch_shape"} & set(settings)


def _described(class_name: str, settings: Config, module: str = "keras.layers") -> Config:
    return {"module": module, "class_name": class_name, "config": settings, "registered_name": None}


# Models


def _sequential(entry: Config, era: Era) -> Config:
    settings = entry.get("config", {})
    if isinstance(settings, list):
        settings = {"layers": settings}
    layers = settings.get("layers") if isinstance(settings, dict) else None
    if not isinstance(layers, list):
        raise ValueError("the config of a 'Sequential' needs a list of 'layers'")
    if layers and isinstance(layers[0], dict) and layers[0].get("class_name") == "Merge":
        return _graph(merges.as_graph(settings), era)
    if era.major < 3 and layers:
        layers = [*_input_of(layers[0]), *layers]
    upgraded = {**settings, "layers": [_layer(layer, era) for layer in layers]}
    if isinstance(layers[0], dict) and layers[0].get("class_name") == "InputLayer":
        upgraded.pop("build_input_shape", None)
    return _described("Sequential", upgraded, "keras")


def _input_of(layer: Any) -> list[Config]:
    """The `InputLayer` that the first layer of a `Sequential` of Keras 1 or 2 declares by its arguments."""
    settings = layer.get("config") if isinstance(layer, dict) else None
    if not isinstance(settings, dict) or layer.get("class_name") == "InputLayer":
        return []
    shape = settings.get("batch_input_shape")
    if shape is None and isinstance(settings.get("layer"), dict):  # a wrapper: the layer inside may have it
        return _input_of(settings["layer"])
    if not isinstance(shape, (list, tuple)):
        return []
    dtype = values.policy(settings.get("input_dtype", settings.get("dtype")))
    name = f"{settings.get('name', 'sequential')}_input"
    floats = isinstance(dtype, str) and not dtype.startswith("mixed")
    return [_described("InputLayer", {"batch_shape": shape, "dtype": dtype if floats else "float32", "name": name})]


def _graph(entry: Config, era: Era) -> Config:
    settings = entry.get("config")
    if not isinstance(settings, dict) or not isinstance(settings.get("layers"), list):
        raise ValueError("the config of a functional model needs a list of 'layers'")
    if era.major < 3:
        settings = nodes.upgrade_calls(settings)
    layers = []
    for layer in settings["layers"]:
        if tf_ops.is_operation(layer):
            layers.append(tf_ops.upgrade_operation(layer))
            continue
        if era.major >= 3 and is_operation(layer):
            layers.append({**layer, "module": "keras.src.ops.numpy", "registered_name": layer["class_name"]})
            continue
        kept = {key: layer[key] for key in ("name", "inbound_nodes") if key in layer}
        layers.append({**_layer({k: v for k, v in layer.items() if k not in kept}, era), **kept})
    return _described("Functional", {**settings, "layers": layers}, "keras")


# Layers


def _ordinary(old_name: str, settings: Config, era: Era) -> Config:
    """A layer of Lamina's own: its name and arguments as they are now."""
    bare = old_name.removeprefix("Addons>").removeprefix("tf.keras.layers.").removeprefix("keras.layers.")
    name = tables.CLASSES.get(bare, bare)
    if name not in registry.known("layer"):
        return _described(old_name, settings)
    given = f"{name} {settings.get('name', '')!r}"
    defaults = tables.DEFAULTS.get(bare, tables.DEFAULTS.get(name, []))
    config = _renamed(name, settings)
    for argument, value in defaults:
        if config.get(argument) is None:
            config[argument] = value
    _leave_out(name, config, given, era)
    for make in (_window, _axes):
        make(name, config)
    return _described(name, {key: _value(key, value, era) for key, value in config.items()})


def _renamed(name: str, settings: Config) -> Config:
    own = tables.OWN_ARGUMENTS.get(name, {})
    names = {old: own.get(old, tables.ARGUMENTS.get(old, old)) for old in settings}
    taken = {new for old, new in names.items() if old == new}
    return {new: settings[old] for old, new in names.items() if old == new or new not in taken}


def _leave_out(name: str, config: Config, given: str, era: Era) -> None:
    for argument, allowed in {**tables.LEFT_OUT, **tables.OWN_LEFT_OUT.get(name, {})}.items():
        if argument not in config:
            continue
        value = config.pop(argument)
        if allowed is not tables.ANY and value not in allowed:
            raise ValueError(f"{given}: `{argument}`={value!r} of {era} has no counterpart")


def _window(name: str, config: Config) -> None:
    """The sizes of Keras 1's kernels, an argument for each axis."""
    for parts in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")):
        if parts[0] in config:
            config["kernel_size"] = [config.pop(part) for part in parts]
    if name == "ZeroPadding2D" and isinstance(config.get("padding"), dict):
        sides = config["padding"]
        config["padding"] = [[sides.get("top_pad", 0), sides.get("bottom_pad", 0)],
                             [sides.get("left_pad", 0), sides.get("right_pad", 0)]]  # fmt: skip


def _axes(name: str, config: Config) -> None:
    """One axis, in a list in tf.keras."""
    axis = config.get("axis")
    if name in ("BatchNormalization", "LayerNormalization") and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]


def _value(argument: str, value: Any, era: Era) -> Any:
    """The value of an argument, which may describe a further object."""
    if argument in ("activation", "recurrent_activation") and not isinstance(value, dict):
        return values.activation(value, era)
    if argument.endswith(("_initializer", "_regularizer", "_constraint")):
        return values.part(argument, value, era)
    if argument == "dtype":
        return values.policy(value)
    if argument in tables.VALUES and isinstance(value, str):
        return tables.VALUES[argument].get(value, value)
    if isinstance(value, list):
        return [_value(argument, entry, era) for entry in value] if argument == "cells" else value
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        return _layer(value, era) if _names_layer(value["class_name"]) else value
    return value


def _names_layer(name: str) -> bool:
    known = registry.known("layer")
    return name in known or name in tables.CLASSES or name in _REWRITTEN or name in ("Sequential", *tables.GRAPHS)


def _nested(entry: Config, era: Era) -> Config:
    """A layer of Keras 3: models and layers inside it are gone through."""
    config = {key: _value(key, value, era) if key != "dtype" else value for key, value in entry["config"].items()}
    return {"module": "keras.layers", "registered_name": None, **entry, "config": config}


# Layers that need more than names


def _input(entry: Config, era: Era) -> Config:
    settings = entry["config"]
    shape = settings.get("batch_input_shape", settings.get("batch_shape"))
    if not isinstance(shape, list):
        raise ValueError(f"InputLayer {settings.get('name')!r}: it has no 'batch_input_shape'")
    for refused in ("sparse", "ragged"):
        if settings.get(refused):
            raise ValueError(f"InputLayer {settings.get('name')!r}: `{refused}`=True has no counterpart")
    dtype = values.policy(settings.get("dtype", settings.get("input_dtype"))) or "float32"
    return _described("InputLayer", {"batch_shape": shape, "dtype": dtype, "name": settings.get("name")})


def _lambda(entry: Config, era: Era) -> Config:
    """A function of the user's: found by its name, or by the layer's, among the custom objects; else stored code."""
    settings = entry["config"]
    name, function = str(settings.get("name")), settings.get("function")
    if registry.get_registered_object(name) is not None:
        function = _by_name(name)
    elif settings.get("function_type") == "function" and isinstance(function, str):
        function = _by_name(function)
    elif not isinstance(function, dict):
        function = {"class_name": "__lambda__", "config": {"value": function}}
    config = {"name": name, "function": function, "arguments": settings.get("arguments") or {}}
    config |= {"trainable": settings.get("trainable", True), "dtype": values.policy(settings.get("dtype"))}
    return _described("Lambda", {key: value for key, value in config.items() if value is not None})


def _by_name(function: str) -> Config:
    return {"module": "builtins", "class_name": "function", "config": function, "registered_name": "function"}


_REWRITTEN: dict[str, Callable[[Config, Era], Config]] = {
    "InputLayer": _input,
    "Lambda": _lambda,
    "Merge": lambda entry, era: _layer(merges.as_layer(entry), era),
}
