"""The layout of weights in `.h5` files: a group for each layer, with the names of its arrays in their order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.saving.safety.errors import FileProblem
from lamina.saving.safety.hdf5 import Dataset

_ATTRIBUTE_BYTES = 60_000  # HDF5 keeps at most 64 KiB in one attribute; longer lists are cut into several


@dataclass(frozen=True)
class Stored:
    """What a file holds for one layer.

    Args:
        name: the layer's name.
        paths: where its arrays are, for messages.
        datasets: the arrays in the file, in order.
    """

    name: str
    paths: tuple[str, ...]
    datasets: tuple[Dataset, ...]

    def read(self) -> list[np.ndarray]:
        """The arrays; they are not kept, so that those of one layer are in memory at a time."""
        return [dataset.read() for dataset in self.datasets]


# Reading


def weights_group(root: Any) -> Any:
    """The group with the weights: the file's root, or that inside a file of a whole model.

    Raises:
        FileProblem: the file holds no weights in this layout.
    """
    for group in (root, root.groups.get("model_weights")):
        if group is not None and names_in(group, "layer_names") is not None:
            return group
    raise FileProblem("no weights of layers in it: neither 'layer_names' nor 'model_weights' is there")


def names_in(group: Any, attribute: str) -> list[str] | None:
    """The names that an attribute (or several, where they are many) lists; ``None`` if there is none."""
    attributes = group.attributes
    if attribute in attributes:
        return _texts(attributes[attribute], f"{group.path}: `{attribute}`")
    pieces = itertools.takewhile(lambda key: key in attributes, (f"{attribute}{i}" for i in itertools.count()))
    found = [name for key in pieces for name in _texts(attributes[key], f"{group.path}: `{key}`")]
    return found or None


def _texts(value: Any, where: str) -> list[str]:
    entries = value.ravel().tolist() if isinstance(value, np.ndarray) else value
    entries = entries if isinstance(entries, (list, tuple)) else [entries]
    if all(isinstance(entry, (int, float)) for entry in entries) and not len(entries):
        return []
    texts = [entry.decode("utf-8", "replace") if isinstance(entry, bytes) else entry for entry in entries]
    if not all(isinstance(text, str) for text in texts):
        raise FileProblem(f"{where} is no list of names")
    return texts


def read_layers(group: Any) -> list[Stored]:
    """What the file holds for each layer, in the file's order."""
    names = names_in(group, "layer_names") or []
    if len(set(names)) != len(names):
        raise FileProblem(f"{group.path}: a layer's name stands twice in `layer_names`")
    return [read_layer(_inside(group, name), name) for name in names]


def read_layer(group: Any, name: str) -> Stored:
    """The arrays of one layer's group."""
    paths = names_in(group, "weight_names") or []
    datasets = [_dataset(group, path) for path in paths]
    return Stored(name, tuple(paths), tuple(datasets))


def names_of_weights(group: Any, layer: str) -> list[str]:
    """The names of a layer's arrays."""
    return names_in(_inside(group, layer), "weight_names") or []


def _inside(group: Any, name: str) -> Any:
    """The group of a layer, whose name may have slashes in it."""
    found = group
    for part in name.split("/"):
        if part and found is not None:
            found = found.groups.get(part)
    if found is None:
        raise FileProblem(f"{group.path}: the group of the layer {name!r} is missing")
    return found


def _dataset(group: Any, path: str) -> Any:
    *folders, last = [part for part in path.split("/") if part] or [""]
    holder = group
    for part in folders:
        holder = holder.groups.get(part) if holder is not None else None
    if holder is None or last not in holder.datasets:
        raise FileProblem(f"{group.path}: the array {path!r} is missing")
    dataset = holder.datasets[last]
    if dataset.dtype.kind not in "biufV":
        raise FileProblem(f"{dataset.path}: weights are numbers, not {dataset.dtype}")
    return dataset


# Writing


def write_names(group: Any, attribute: str, names: Sequence[str]) -> None:
    """Note a list of names, in pieces where it is long."""
    encoded = [name.encode("utf-8") for name in names]
    width = max((len(name) for name in encoded), default=1)
    most = max(_ATTRIBUTE_BYTES // max(width, 1), 1)
    pieces = [encoded[i : i + most] for i in range(0, len(encoded), most)] or [[]]
    for number, piece in enumerate(pieces):
        key = attribute if len(pieces) == 1 else f"{attribute}{number}"
        group.attrs[key] = np.array(piece, dtype=f"S{max(width, 1)}") if piece else np.array([], dtype="S1")


def write_layer(group: Any, names: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
    """Put a layer's arrays into its group."""
    used: set[str] = set()
    unique = []
    for name in names:
        free = next(c for c in itertools.chain([name], (f"{name}_{i}" for i in itertools.count(1))) if c not in used)
        used.add(free)
        unique.append(free)
    write_names(group, "weight_names", unique)
    for name, array in zip(unique, arrays, strict=True):
        group.create_dataset(name, data=array)
