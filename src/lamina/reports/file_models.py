"""Models out of files for a look at them: without values in their weights, and as much of them as can be made."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lamina import layers as own_layers  # noqa: F401  (registers them)
from lamina.core import context, lambdas, registry, sharing
from lamina.core.variable import drawing_nothing
from lamina.layers.input_layer import InputLayer
from lamina.models.graph_config import Restored, entry_name, histories
from lamina.models.model import Model
from lamina.models.sequential import Sequential
from lamina.reports import stand_ins
from lamina.reports.file_contents import Contents
from lamina.saving import architecture, keras_archive
from lamina.saving.legacy.upgrade import upgrade
from lamina.saving.safety.config import making
from lamina.saving.safety.errors import FileProblem, shorten


@contextlib.contextmanager
def looking(problems: list[str]) -> Iterator[None]:
    """Inside, models are made without values, without running code, and without traces in this process."""
    with (
        warnings.catch_warnings(record=True) as caught,
        registry.custom_object_scope({stand_ins.NAME: stand_ins.StandIn}),
        lambdas.allowing(False),
        drawing_nothing(),
        context.names_kept(),
    ):
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if warning.category is UserWarning:  # advice on shapes is for who writes a model
            problems.append(str(warning.message))


def is_old(contents: Contents) -> bool:
    """Whether descriptions have to be brought into Keras 3's form: all but those in archives of Keras 3."""
    old = contents.era is not None and contents.era.major < 3
    return old or contents.layout != "keras3"


def present(contents: Contents, description: Any, problems: list[str]) -> Any:
    """The whole description in Keras 3's form, as far as it can be had."""
    if not is_old(contents):
        return _as_graph(description)
    try:
        if contents.layout == "keras3":
            return architecture.of_archive(description, contents.keras_version)
        return upgrade(description, contents.era)  # type: ignore[arg-type]
    except ValueError as error:
        problems.append(shorten(str(error)))
        return None


def _as_graph(description: Any) -> Any:
    """A model of an unknown class whose description is a graph is one all the same."""
    settings = description.get("config")
    is_graph = isinstance(settings, dict) and {"layers", "input_layers", "output_layers"} <= set(settings)
    if not is_graph or registry.get_registered_object(str(description.get("registered_name"))) is not None:
        return description
    return {**description, "class_name": "Functional", "module": "keras", "registered_name": None}


def is_model(description: Any) -> bool:
    """Whether the class that a description names is that of a model, or at least known."""
    registered = description.get("registered_name")
    if isinstance(registered, str) and registry.get_registered_object(registered) is not None:
        return True
    try:
        registry.find("model", description["class_name"])
    except ValueError:
        return False
    return True


# Making it


@dataclass
class Made:
    """A model, or as much of it as can be made.

    Attributes:
        model: it.
        is_whole: whether all of it could be made.
        outputs: its outputs, ``(name, tensor)``; ``None`` in the place of a tensor that is not known.
    """

    model: Any
    is_whole: bool
    outputs: list[tuple[str, Any]]


def make(description: Any, available: int | None, problems: list[str]) -> Made | None:
    """The model that a description in Keras 3's form stands for, or a part of it; ``None`` if that is nothing.

    Args:
        description: the description, with stand-ins.
        available: bytes of weights in the file; ``None`` for a description without any.
        problems: takes what could not be made, in words.

    Raises:
        FileProblem: its sizes are absurd.
    """
    if stand_ins.layers_of(description) is None and stand_ins.has_code(description):
        problems.append(f"the model {stand_ins.CODE}")
        return None
    try:
        with making(description, available):
            model = keras_archive.make(description, None, compile=False, safe_mode=True)
        tensors = model._graph.output_tensors if model._graph is not None else []
        return Made(model, True, [(t.node.name if t.node is not None else t.name, t) for t in tensors])
    except FileProblem:
        raise
    except Exception as error:
        reason = shorten(str(error)) or type(error).__name__
    if stand_ins.layers_of(description) is None:
        problems.append(reason)
        return None
    with making(description, available), sharing.reading_file(False):
        if description["class_name"] == "Sequential":
            return _part_of_stack(description["config"], problems)
        return _part_of_graph(description["config"], problems)


def _part_of_stack(settings: Any, problems: list[str]) -> Made | None:
    """The layers up to the first whose output is not known."""
    model = Sequential()
    for entry in settings["layers"]:
        try:
            model.add(registry.deserialize({k: v for k, v in entry.items() if k != "name"}))
        except FileProblem:
            raise
        except Exception as error:
            _tell(problems, entry, error)
            break
    last = stand_ins.name_of(settings["layers"][-1]) if settings["layers"] else ""
    return Made(model, False, [(last, None)]) if model._graph is not None else None


def _part_of_graph(settings: Any, problems: list[str]) -> Made | None:
    """All calls whose inputs are known, as a model that gives all that comes out of them."""
    restored = Restored()
    waiting: list[tuple[Any, Any, list[Any]]] = []
    inputs: list[Any] = []
    for entry in settings["layers"]:
        try:
            operation = restored.make(entry)
            waiting.append((entry, operation, list(entry.get("inbound_nodes", []))))
        except FileProblem:
            raise
        except Exception as error:
            _tell(problems, entry, error)
            continue
        inputs += [operation.output] if isinstance(operation, InputLayer) else []
    moved = True
    while moved:
        moved = sum(_call_next(restored, *item, problems) for item in waiting) > 0
    tensors = [tensor for found in restored.outputs.values() for tensor in found]
    computed = [tensor for tensor in tensors if all(tensor is not given for given in inputs)]
    if not inputs or not computed:
        return None
    ends = [(str(end[0]), _tensor_at(restored, end)) for end in _ends(settings.get("output_layers"))]
    try:
        return Made(Model(inputs, computed), False, ends)
    except ValueError as error:
        problems.append(shorten(str(error)))
        return None


def _call_next(restored: Restored, entry: Any, operation: Any, calls: list[Any], problems: list[str]) -> bool:
    """Repeat the next call of a layer if its inputs are there; whether something was done."""
    if not calls or not histories(calls[0]) or not restored.can_call(calls[0]):
        return False
    try:
        restored.call(entry_name(entry), operation, calls.pop(0))
    except FileProblem:
        raise
    except Exception as error:
        calls.clear()
        _tell(problems, entry, error)
    return True


def _tensor_at(restored: Restored, reference: Any) -> Any:
    try:
        return restored.tensor(reference)
    except ValueError:
        return None


def _ends(references: Any) -> list[Any]:
    """All ``[name, call, output]`` in a structure."""
    if isinstance(references, dict):
        return [end for entry in references.values() for end in _ends(entry)]
    if not isinstance(references, list) or not references:
        return []
    if isinstance(references[0], str):
        return [references] if len(references) >= 3 else []
    return [end for entry in references for end in _ends(entry)]


def _tell(problems: list[str], entry: Any, error: Exception) -> None:
    """Note why a layer could not be made or called; of stand-ins it is told elsewhere."""
    if entry.get("class_name") != stand_ins.NAME:
        problems.append(f"{entry.get('class_name')} {stand_ins.name_of(entry)!r}: {shorten(str(error))}")
