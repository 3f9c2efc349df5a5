"""Models out of files whose layers cannot all be made here: something else stands in those layers' places.

A layer of an unknown class, one with Python code in it, and one that is described wrongly become a `StandIn`, whose
output has the shape that the file notes where other layers take it. Nothing of the file is run for that.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import context, registry
from lamina.core.symbolic import KerasTensor, Node, trace_call
from lamina.layers.layer import Layer
from lamina.layers.merging import axis_name
from lamina.saving.legacy import nodes, tables, tf_ops
from lamina.saving.legacy.upgrade import is_operation, upgrade
from lamina.saving.safety.errors import FileProblem, shorten
from lamina.shapes import dims

Config = dict[str, Any]

#: The name that stand-ins go by in descriptions.
NAME = "lamina>stand in"
CODE = "holds Python code, which was not run"
UNKNOWN = "unknown class"


class StandIn(Layer):
    """Stands for a layer that cannot be made; its class has that layer's name.

    Args:
        problem: why the layer cannot be made.
        calls: for each call of the layer, shape and type of each output; empty where the file does not note them.
        name: the layer's name.
    """

    def __init__(self, problem: str, calls: list[list[Any]], name: str | None = None):
        super().__init__(name=name)
        self.problem, self.calls = problem, calls
        self.built = True

    @classmethod
    def from_config(cls, config: Config) -> StandIn:
        kind = re.sub(r"\W", "_", str(config.get("kind")))
        own = type(kind, (StandIn,), {"__module__": __name__})
        return own(str(config.get("problem")), config.get("calls") or [], config.get("name"))  # type: ignore[no-any-return]

    def call(self, inputs: Any, *others: Any, **kwargs: Any) -> Any:
        """Zeros of the shapes that the file notes."""
        return self._zeros(0, inputs, *others, **kwargs)

    def _call_symbolic(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        number = len(self._nodes)
        specs = trace_call(lambda *a, **k: self._zeros(number, *a, **k), args, kwargs)
        outputs = jax.tree.map(KerasTensor.of_spec, specs)
        self._nodes.append(Node(self, args, kwargs, outputs, number))
        return outputs

    def _zeros(self, number: int, *args: Any, **kwargs: Any) -> Any:
        noted = self.calls[min(number, len(self.calls) - 1)] if self.calls else []
        if not noted or any(entry is None for entry in noted):
            raise ValueError(f"{type(self).__name__} {self.name!r}: the file does not note the shape of its output")
        source = next(leaf for leaf in jax.tree.leaves((args, kwargs)) if hasattr(leaf, "shape"))
        outputs = [jnp.zeros(_sizes(shape, source.shape), dtype) for shape, dtype in noted]
        return outputs[0] if len(outputs) == 1 else outputs


def _sizes(shape: list[Any], source: Any) -> tuple[Any, ...]:
    """A noted shape with dimensions where it leaves sizes open: the input's batch, and new ones."""
    sizes = []
    for axis, size in enumerate(shape):
        if size is None and not axis:
            size = source[0] if len(source) else dims.BATCH
        elif size is None:
            size = dims.fresh()
            dims.label(size, axis_name(axis, len(shape)))
        sizes.append(size)
    return tuple(sizes)


# Which layers need one


def put_in(
    description: Any, modern: Callable[[Config], Config] | None = None
) -> tuple[Any, dict[tuple[str, ...], str]]:
    """A model's description with stand-ins for the layers that cannot be made.

    Args:
        description: the description, as the file has it.
        modern: brings the description of a layer into Keras 3's form.

    Returns:
        The description, and for each layer (by its name, after those of the models around it) why it cannot be made.
    """
    problems: dict[tuple[str, ...], str] = {}
    return _model(description, modern or (lambda entry: entry), (), problems), problems


def upgrading(era: Any) -> Callable[[Config], Config]:
    """What brings a layer's description of that era into Keras 3's form."""

    def modern(entry: Config) -> Config:
        if tf_ops.is_operation(entry):
            return tf_ops.upgrade_operation(entry)
        if era.major >= 3 and is_operation(entry):
            return {**entry, "module": "keras.src.ops.numpy"}
        return upgrade({key: value for key, value in entry.items() if key not in ("name", "inbound_nodes")}, era)

    return modern


def layers_of(description: Any) -> list[Config] | None:
    """The layers that a model's description lists; ``None`` if it is no description of a model."""
    settings = description.get("config") if isinstance(description, dict) else None
    if isinstance(settings, dict):
        graph = "input_layers" in settings or description.get("class_name") in ("Sequential", *tables.GRAPHS)
        settings = settings.get("layers") if graph else None
    elif description is None or description.get("class_name") != "Sequential":
        return None
    return settings if isinstance(settings, list) and all(isinstance(entry, dict) for entry in settings) else None


def name_of(entry: Config) -> str:
    """A layer's name."""
    settings = entry.get("config")
    name = entry.get("name", settings.get("name") if isinstance(settings, dict) else None)
    return name if isinstance(name, str) else str(entry.get("class_name"))


def _model(
    description: Any, modern: Callable[[Config], Config], path: tuple[str, ...], problems: dict[tuple[str, ...], str]
) -> Any:
    layers = layers_of(description)
    if layers is None:
        return description
    settings, noted = description["config"], _noted_shapes(layers)
    called = _operations_called(settings, layers)
    changed = [_layer(entry, modern, path, problems, (noted, called)) for entry in layers]
    return {**description, "config": {**settings, "layers": changed} if isinstance(settings, dict) else changed}


def _layer(
    entry: Config,
    modern: Callable[[Config], Config],
    path: tuple[str, ...],
    problems: dict[tuple[str, ...], str],
    around: tuple[dict[str, Any], dict[str, Config]],
) -> Config:
    name, (noted, called) = name_of(entry), around
    if layers_of(entry) is not None:
        return _model(entry, modern, (*path, name), problems)
    problem = _problem(called.get(name, entry), modern)
    if problem is None:
        return entry
    problems[*path, name] = problem
    if tf_ops.is_operation(entry):
        return stand_in(entry, problem, None)
    plain = {**entry, "config": _without_functions(entry.get("config"))}
    if entry.get("class_name") != "Lambda" and _problem(plain, modern) is None:
        return plain
    return stand_in(entry, problem, noted.get(name) or _declared(entry))


def _operations_called(settings: Any, layers: list[Config]) -> dict[str, Config]:
    """TensorFlow's functions in a graph, by name, with their calls in Keras 3's form: they are part of the function."""
    if not any(tf_ops.is_operation(entry) for entry in layers):
        return {}
    with contextlib.suppress(ValueError):
        called = nodes.upgrade_calls(settings)["layers"]
        return {name_of(entry): entry for entry in called if tf_ops.is_operation(entry)}
    return {}


def stand_in(entry: Config, problem: str, calls: Any) -> Config:
    """The description of a stand-in for a layer."""
    settings = {"kind": str(entry.get("class_name")).split(">")[-1], "problem": problem, "calls": calls}
    around: Config = {key: entry[key] for key in ("name", "inbound_nodes") if key in entry}
    return {"class_name": NAME, "config": {**settings, "name": name_of(entry), "trainable": True}, **around}


def _problem(entry: Config, modern: Callable[[Config], Config]) -> str | None:
    """Why a layer cannot be made."""
    if entry.get("class_name") == "Merge":  # it may stand for a model of its own, and is made with that
        return None
    try:
        described = modern(entry)
        if has_code(described):
            return CODE
        if ".ops." in str(described.get("module")):
            return None
        bare = {k: v for k, v in described.items() if k not in ("name", "inbound_nodes", "build_config")}
        with context.names_kept():
            layer = registry.deserialize(bare)
    except context.TooLarge:
        raise
    except FileProblem:
        raise
    except Exception as error:
        said = shorten(str(error)).removeprefix(f"{entry.get('class_name')} {name_of(entry)!r}: ")
        return UNKNOWN if _is_unknown(entry) else said
    return None if isinstance(layer, Layer) else f"{entry.get('class_name')!r} is no layer"


def _without_functions(value: Any) -> Any:
    """A layer's settings without what changes no shape: functions of each entry, initializers and the like."""
    if isinstance(value, list):
        return [_without_functions(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {k: v for k, v in value.items() if not k.endswith(("_initializer", "_regularizer", "_constraint"))}
    return {k: "linear" if k in _FUNCTIONS and v is not None else _without_functions(v) for k, v in kept.items()}


_FUNCTIONS = ("activation", "recurrent_activation")


def _is_unknown(entry: Config) -> bool:
    name = str(entry.get("class_name"))
    known = registry.known("layer")
    return name not in known and tables.CLASSES.get(name.removeprefix("Addons>")) not in known


def has_code(value: Any) -> bool:
    """Whether the body of a Python lambda is in a description."""
    if isinstance(value, dict):
        if value.get("class_name") == "__lambda__" or value.get("function_type") == "lambda":
            return True
        return any(has_code(inner) for inner in value.values())
    return any(has_code(inner) for inner in value) if isinstance(value, list) else False


# Shapes that the file notes


def _noted_shapes(layers: list[Config]) -> dict[str, list[list[Any]]]:
    """Shape and type of the outputs of each layer's calls, as the layers that take them note them."""
    found: dict[str, dict[int, dict[int, Any]]] = {}
    pending: list[Any] = [entry.get("inbound_nodes") for entry in layers]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            _note(value, found)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    for entry, after in itertools.pairwise(layers):
        built = after.get("build_config")
        shape = _shape(built.get("input_shape")) if isinstance(built, dict) else None
        if "inbound_nodes" not in after and shape is not None:  # one after the other
            found.setdefault(name_of(entry), {})[0] = {0: (shape, "float32")}
    return {
        name: [[calls[number].get(i) for i in range(max(calls[number]) + 1)] for number in sorted(calls)]
        for name, calls in found.items()
        if all(max(places) < 256 for places in calls.values())
    }


def _note(value: Config, found: dict[str, dict[int, dict[int, Any]]]) -> None:
    settings = value.get("config")
    if value.get("class_name") != "__keras_tensor__" or not isinstance(settings, dict):
        return
    shape, dtype, history = _shape(settings.get("shape")), settings.get("dtype"), settings.get("keras_history")
    if shape is None or not isinstance(history, list) or len(history) < 3 or not isinstance(history[0], str):
        return
    if all(isinstance(n, int) and n >= 0 for n in history[1:3]):
        known = dtype if isinstance(dtype, str) and dtype in _TYPES else "float32"
        found.setdefault(history[0], {}).setdefault(history[1], {})[history[2]] = (shape, known)


_TYPES = frozenset({
    "bool", "float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16",
    "uint32", "uint64",
})  # fmt: skip


def _shape(value: Any) -> list[Any] | None:
    fits = isinstance(value, list) and 0 < len(value) <= 32
    if not fits or not all(n is None or (isinstance(n, int) and not isinstance(n, bool) and n >= 0) for n in value):
        return None
    return list(value)


def _declared(entry: Config) -> list[list[Any]] | None:
    """The shape that a `Lambda` of Keras 1 and 2 was given for its output, which is that of one sample."""
    settings = entry.get("config")
    if not isinstance(settings, dict) or settings.get("output_shape_type") != "raw":
        return None
    shape = _shape(settings.get("output_shape"))
    return None if shape is None else [[([None, *shape], "float32")]]
