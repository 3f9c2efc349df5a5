"""Weights in several files of a bounded size, with a ``.weights.json`` that says which layer's are where."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lamina.core import checks
from lamina.saving import weight_store
from lamina.saving.atomic import writing
from lamina.saving.safety import limits
from lamina.saving.safety.config import read_json
from lamina.saving.safety.errors import FileProblem, quote
from lamina.saving.safety.hdf5 import Dataset, Group, open_hdf5

_GB = 1024**3


class _Shards:
    """An HDF5 file in pieces: stands where `weight_store.write_weights` expects the file."""

    def __init__(self, path: Path, limit: float, stack: contextlib.ExitStack):
        self._stem, self._folder, self._limit, self._stack = _stem(path), path.parent, limit, stack
        self._open: h5py.File | None = None
        self._used, self._count = 0, 0
        self.name = ""
        self.total = 0
        self.places: dict[str, list[str]] = {}

    def create_group(self, path: str) -> _ShardedGroup:
        return _ShardedGroup(self, "/" + path.lstrip("/"))

    def put(self, path: str, name: str, array: np.ndarray) -> h5py.Group:
        """The group to write an array into, in the present piece or a new one."""
        if self._open is None or (self._used and self._used + array.nbytes > self._limit):
            self._next()
        assert self._open is not None
        self._used += array.nbytes
        self.total += array.nbytes
        files = self.places.setdefault(path, [])
        if self.name not in files:
            files.append(self.name)
        return self._open.require_group(path)

    def _next(self) -> None:
        self.close()
        self.name = f"{self._stem}_{self._count:05d}.weights.h5"
        self._count, self._used = self._count + 1, 0
        self._open = h5py.File(self._stack.enter_context(writing(self._folder / self.name)), "w")

    def close(self) -> None:
        """Finish the present piece."""
        if self._open is not None:
            self._open.close()


class _ShardedGroup:
    """A group whose datasets may lie in several files."""

    def __init__(self, shards: _Shards, path: str):
        self._shards, self._path = shards, path
        self._where: dict[str, h5py.Group] = {}
        self.attrs: dict[str, Any] = {}

    def create_dataset(self, name: str, data: np.ndarray) -> None:
        group = self._shards.put(self._path, name, data)
        group.attrs.update(self.attrs)
        group.create_dataset(name, data=data)
        self._where[name] = group

    def __getitem__(self, name: str) -> h5py.Dataset:
        return self._where[name][name]

    def __delitem__(self, name: str) -> None:
        del self._where.pop(name)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)


def write(model: Any, path: Path, max_shard_size: float) -> None:
    """Write all weights into files of at most `max_shard_size` GB, named after `path`."""
    limit = checks.real("max_shard_size", max_shard_size, low=0.0) * _GB
    with contextlib.ExitStack() as stack:
        index = stack.enter_context(writing(path))  # entered first, so it is put in place last
        shards = _Shards(path, limit, stack)
        weight_store.write_weights(model, shards)
        shards.close()
        content = {"metadata": {"total_size": shards.total}, "weight_map": shards.places}
        index.write(json.dumps(content, indent=4).encode())


@dataclass
class _Merged:
    """Groups of the same place in several files, as one."""

    path: str
    groups: dict[str, Any] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    def add(self, group: Group) -> None:
        self.datasets |= group.datasets
        for name, inner in group.groups.items():
            self.groups.setdefault(name, _Merged(inner.path)).add(inner)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The weights in all the files that an index names; they lie beside it.

    Raises:
        FileProblem: it is no such index, or names a file elsewhere.
    """
    with open(path, "rb") as file:
        index = read_json(file.read(limits.CONFIG_BYTES + 1), path.name)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict):
        raise FileProblem(f"{path}: has no 'weight_map', so it is no index of weights")
    merged = _Merged("/")
    with contextlib.ExitStack() as stack:
        for name in dict.fromkeys(_listed(places, path)):
            merged.add(stack.enter_context(open_hdf5(path.parent / name)))
        yield merged


def _listed(places: dict[str, Any], path: Path) -> list[str]:
    names = [name for files in places.values() for name in (files if isinstance(files, list) else [files])]
    for name in names:
        if not isinstance(name, str) or not name.startswith(_stem(path) + "_") or Path(name).name != name:
            raise FileProblem(f"{path}: names {quote(name)}, which is not a file of weights beside it")
    return names


def _stem(path: Path) -> str:
    return path.name.removesuffix(".weights.json")
