"""The layers of a model in a file, with the shapes that come out of them; no weight is read."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jax

from lamina.core import context
from lamina.core.symbolic import symbolic_leaves
from lamina.layers.layer import Layer
from lamina.models import summary
from lamina.models.observing import axes_in_graph
from lamina.models.sequential import Sequential
from lamina.reports import file_models, stand_ins
from lamina.reports.file_arrays import StoredArray
from lamina.reports.file_contents import Contents
from lamina.saving.safety.config import making
from lamina.saving.walking import walk
from lamina.shapes import dims

Path = tuple[str, ...]


@dataclass
class Tensor:
    """What goes in or comes out.

    Attributes:
        name: its name.
        shape: Keras's form, ``None`` for an open size; ``None`` as a whole if it is not known.
        dims: the same with names and expressions for open sizes.
        axes: names of the axes, ``""`` where one has none.
        dtype: its type.
    """

    name: str
    shape: tuple[int | None, ...] | None = None
    dims: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    dtype: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The attributes; the dims as one text."""
        shape = None if self.shape is None else list(self.shape)
        dims = None if self.shape is None else _joined(self.dims)
        return {"name": self.name, "shape": shape, "dims": dims, "axes": list(self.axes), "dtype": self.dtype}


@dataclass
class LayerRow:
    """A layer of the table.

    Attributes:
        path: its name, after those of the models around it.
        kind: its class; ``""`` where the file holds weights only.
        problem: why it cannot be made here; ``None`` for a layer that can.
        shapes: of its outputs, in Keras's form; empty where they are not known.
        dims: the same with names and expressions.
        parameters: number of values in its weights; ``None`` where that is not known.
        weights: name and shape of each weight.
        sources: names of the layers whose outputs it takes.
        place: where its weights are in the file.
        stored_input_shape: the shape of its input, as the file notes it.
        trained: how many of the parameters training changes; ``None`` where that is not known.
    """

    path: Path
    kind: str
    problem: str | None = None
    shapes: list[tuple[int | None, ...]] = field(default_factory=list)
    dims: list[str] = field(default_factory=list)
    parameters: int | None = None
    weights: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    place: str = ""
    stored_input_shape: Any = None
    trained: int | None = None

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def depth(self) -> int:
        """0 for the model's own layers."""
        return len(self.path) - 1

    def to_dict(self) -> dict[str, Any]:
        """The attributes as plain values."""
        return {
            "name": self.name, "within": list(self.path[:-1]), "class": self.kind or None,
            "known": self.problem is None, "problem": self.problem, "output_shapes": [list(s) for s in self.shapes],
            "output_dims": self.dims, "parameters": self.parameters, "trainable_parameters": self.trained,
            "weights": [{"name": name, "shape": list(shape)} for name, shape in self.weights],
            "place": self.place.strip("/") or None,
            "connected_to": self.sources, "stored_input_shape": self.stored_input_shape,
        }  # fmt: skip


@dataclass
class Architecture:
    """A model as a file describes it.

    Attributes:
        name, kind: the model's.
        rows: its layers, those of models inside after them.
        inputs, outputs: what goes in and comes out, as far as it is known.
        problems: what could not be made out, in words.
        labels: names of arrays in the file, by their paths.
        trained: how many of the parameters training changes; ``None`` where that is not known.
        is_unknown: whether the model's own class is unknown, and what the file says of it is no list of layers.
    """

    name: str
    kind: str
    rows: list[LayerRow] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    is_unknown: bool = False
    trained: int | None = None


def describe(contents: Contents) -> Architecture:
    """The model that a file describes.

    Raises:
        FileProblem: its sizes are absurd.
    """
    described = contents.config
    kind = str(described["class_name"]).split(">")[-1]
    settings = described.get("config")
    name = settings.get("name") if isinstance(settings, dict) else None
    found = Architecture(name if isinstance(name, str) else kind, kind)
    with file_models.looking(found.problems):
        available = sum(array.nbytes for array in contents.arrays) if contents.kind == "model" else None
        modern = stand_ins.upgrading(contents.era) if file_models.is_old(contents) else None
        with making(described, available):
            replaced, unmade = stand_ins.put_in(described, modern)
        present = file_models.present(contents, replaced, found.problems)
        found.is_unknown = stand_ins.layers_of(described) is None and not file_models.is_model(described)
        known = present is not None and not found.is_unknown
        made = file_models.make(present, available, found.problems) if known else None
        is_listed = bool(stand_ins.layers_of(described)) and not _became_graph(described, made)
        found.rows = list(_rows_of_config(described, unmade)) if is_listed else []
        if made is not None:
            _add_shapes(found, made)
        if made is not None and made.is_whole:
            found.labels = _labels(made.model)
            found.trained = None if unmade else sum(v.size for v in made.model.trainable_weights)
    _add_stored(found, contents)
    return found


def _became_graph(described: Any, made: file_models.Made | None) -> bool:
    """Whether a `Sequential` of Keras 1 that begins with a `Merge` was made: more layers than its list says."""
    is_stack = isinstance(made.model, Sequential) if made is not None else True
    return described["class_name"] == "Sequential" and not is_stack


# Rows


def _rows_of_config(description: Any, problems: dict[Path, str], around: Path = (), place: str = "") -> Any:
    """A row for each layer that a description lists, those of models inside after it."""
    used: collections.Counter[str] = collections.Counter()
    is_stack = description.get("class_name") == "Sequential"
    for entry in stand_ins.layers_of(description) or []:
        name, kind = stand_ins.name_of(entry), str(entry.get("class_name")).split(">")[-1]
        if is_stack and kind == "InputLayer":
            continue
        snake = context.snake_case(kind)
        number, used[snake] = used[snake], used[snake] + 1
        inner = f"{place}layers/{snake}_{number}/" if number else f"{place}layers/{snake}/"
        built = entry.get("build_config")
        row = LayerRow((*around, name), kind, problems.get((*around, name)), place=inner)
        row.stored_input_shape = built.get("input_shape") if isinstance(built, dict) else None
        row.sources = _sources(entry.get("inbound_nodes"))
        yield row
        if stand_ins.layers_of(entry) is not None:
            yield from _rows_of_config(entry, problems, row.path, inner)


def _sources(calls: Any) -> list[str]:
    """Names of the layers whose outputs are taken, in the notations of Keras 1 to 3."""
    found: dict[str, None] = {}
    pending = [calls]
    while pending:
        value = pending.pop(0)
        if isinstance(value, dict):
            pending = [*value.values(), *pending]
        elif isinstance(value, list):
            is_reference = len(value) >= 3 and isinstance(value[0], str) and all(isinstance(n, int) for n in value[1:3])
            if is_reference and value[0] != "_CONSTANT_VALUE":
                found[value[0]] = None
            pending = [*value[3 if is_reference else 0 :], *pending]
    return list(found)


def _add_shapes(found: Architecture, made: file_models.Made) -> None:
    """Shapes and numbers of parameters from the model; for one without a list of layers, its rows as well."""
    model, rows = made.model, {row.path: row for row in found.rows}
    is_listed = bool(rows)
    path: Path = ()
    named = list(summary.rows_of(model, True, 0, summary.shower(model)))
    public = summary.rows_of(model, True, 0, _public)
    for shown, plain in zip(named, public, strict=True):
        path = (*path[: shown.depth], shown.name)
        row = rows.get(path)
        if row is None and not is_listed:
            row = LayerRow(path, shown.kind, sources=[])
            found.rows.append(row)
        if row is None:
            continue
        row.shapes, row.dims = plain.shapes, shown.shapes  # type: ignore[assignment]
        layer = shown.layer
        if isinstance(layer, Layer) and not isinstance(layer, stand_ins.StandIn):
            row.weights = [(v.path, tuple(v.shape)) for v in layer.weights]
            row.parameters = sum(v.size for v in layer.weights)
            row.trained = sum(v.size for v in layer.trainable_weights)
        elif layer is None:
            row.parameters = row.trained = 0
    if model._graph is not None:
        _add_ends(found, made)


def _public(structures: list[Any]) -> Any:
    leaves = [leaf for structure in structures for leaf in symbolic_leaves(structure) or jax.tree.leaves(structure)]
    return list(dict.fromkeys(dims.to_public(getattr(leaf, "dims", leaf.shape)) for leaf in leaves))


def _add_ends(found: Architecture, made: file_models.Made) -> None:
    """Inputs and outputs, with the names of their axes."""
    model = made.model
    names, axes_of = model._graph.open_sizes.shown, axes_in_graph(model._graph)
    for name, tensor in zip(model._graph.input_names, model._graph.input_tensors, strict=True):
        found.inputs.append(_tensor(name, tensor, axes_of(tensor), names))
    for name, tensor in made.outputs:
        found.outputs.append(Tensor(name) if tensor is None else _tensor(name, tensor, axes_of(tensor), names))


def _tensor(name: str, tensor: Any, axes: tuple[str, ...], names: Any) -> Tensor:
    shown = tuple(dims.show(dim, names) for dim in tensor.dims)
    first = ("batch",) if shown[:1] == ("batch",) else axes[:1]
    return Tensor(name, tensor.shape, shown, (*first, *axes[1:]), tensor.dtype)


def _joined(entries: Any) -> str:
    return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"


def _labels(model: Any) -> dict[str, str]:
    """Names of weights by where Keras 3's layout keeps them."""
    found = {}
    with contextlib.suppress(Exception):  # they are a help, no more
        for path, thing in walk(model):
            if isinstance(thing, Layer):
                for number, variable in enumerate(thing._weights):
                    found["/".join(["", *filter(None, [path]), "vars", str(number)])] = variable.path
    return found


def labels_by_names(contents: Contents) -> dict[str, str]:
    """The same in the layout by names, where an array's path often holds the layer's name twice."""
    found, known = {}, set(contents.layer_names)
    for array in contents.weights:
        path = array.path.removeprefix(contents.root).removesuffix(":0")
        name = next((name for name in _beginnings(path) if name in known), "")
        inner = path.removeprefix(f"{name}/")
        found[array.path] = inner if name and f"/{name}/" in f"/{inner}" else path
    return found


def in_order(rows: list[LayerRow], arrays: list[StoredArray]) -> list[StoredArray]:
    """Arrays in the order of the layers that hold them."""
    places = {row.place.strip("/"): number for number, row in enumerate(rows) if row.place}

    def order(array: StoredArray) -> int:
        return next((places[place] for place in _beginnings(array.path.strip("/")) if place in places), len(places))

    return sorted(arrays, key=order) if places else arrays


def _beginnings(path: str) -> Iterator[str]:
    """``a/b/c``, ``a/b``, ``a``."""
    while path:
        yield path
        path = path.rpartition("/")[0]


# What the file stores


def _add_stored(found: Architecture, contents: Contents) -> None:
    """Weights as the file holds them, for layers that cannot be made, and for models that cannot."""
    if contents.layout == "keras3" and not found.rows:
        found.rows = rows_of_places(contents)
        return
    missing = [row for row in found.rows if row.parameters is None]
    if contents.kind != "model" or not missing:
        return
    held = _by_place(contents, missing) if contents.layout == "keras3" else _by_part(contents)
    for row in missing:
        key = row.place.strip("/") if contents.layout == "keras3" else (row.path[0], row.name)
        stored = held.get(key, [])
        if stored or not row.depth:
            row.parameters = sum(array.size for _, array in stored)
            row.weights = [(name, array.shape) for name, array in stored]


Held = dict[Any, list[tuple[str, StoredArray]]]


def _by_place(contents: Contents, rows: list[LayerRow]) -> Held:
    """The arrays of each layer in the layout by places, with their names in its group; also those of layers inside."""
    places, held = {row.place.strip("/") for row in rows}, Held()
    for array in contents.weights:
        path = array.path.strip("/")
        for place in _beginnings(path):
            if place in places:
                held.setdefault(place, []).append((path.removeprefix(f"{place}/"), array))
    return held


def _by_part(contents: Contents) -> Held:
    """The same in the layout by names, where layers of a model inside are parts of the paths in its group."""
    known, held = set(contents.layer_names), Held()
    for array in contents.weights:
        path = array.path.removeprefix(contents.root)
        layer = next((name for name in _beginnings(path) if name in known), None)
        if layer is not None:
            inner = path.removeprefix(f"{layer}/")
            for part in {layer, *inner.split("/")[:-1]}:
                held.setdefault((layer, part), []).append((inner, array))
    return held


def rows_of_places(contents: Contents) -> list[LayerRow]:
    """A row for each part that has weights of its own, in the layout by places."""
    rows: dict[str, LayerRow] = {}
    for array in contents.weights:
        place, _, name = array.path.rpartition("/")
        place = place.removesuffix("/vars") if place != "/vars" else "/"
        name_here = contents.labels.get(place, place.rpartition("/")[-1])
        row = rows.setdefault(place, LayerRow((name_here,), "", parameters=0, place=place.strip("/")))
        row.parameters = (row.parameters or 0) + array.size
        row.weights.append((name, array.shape))
    return list(rows.values())


def rows_of_names(contents: Contents) -> list[LayerRow]:
    """A row for each layer with weights, in the layout by names."""
    rows, held = [], _by_part(contents)
    for name in contents.layer_names:
        stored = held.get((name, name), [])
        weights = [(inner, array.shape) for inner, array in stored]
        rows += [LayerRow((name,), "", parameters=sum(a.size for _, a in stored), weights=weights)] if stored else []
    return rows
