"""Arrays in files: of which type and size they are, and how to read their values."""

from __future__ import annotations

import contextlib
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.saving import weight_store
from lamina.saving.safety import limits
from lamina.saving.safety.archive import Archive
from lamina.saving.safety.config import read_json
from lamina.saving.safety.errors import FileProblem, naming, quote
from lamina.saving.safety.hdf5 import Dataset


@dataclass
class StoredArray:
    """An array in a file.

    Attributes:
        path: its name in the file.
        shape: its shape.
        dtype: name of its type; ``"text"`` for strings.
        role: ``"weight"``, ``"optimizer"``, ``"metric"`` or ``"random state"``.
        nbytes: bytes of its values.
        read: gives the values; only while the file is open.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    role: str
    nbytes: int
    read: Callable[[], np.ndarray]

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def of_dataset(dataset: Dataset, role: str) -> StoredArray:
    """An array in HDF5."""
    dtype = weight_store.type_of(dataset)

    def read() -> np.ndarray:
        values = dataset.read()
        return values.view(dtype) if values.dtype.kind == "V" else values

    kind = "text" if dtype.hasobject else dtype.name
    return StoredArray(dataset.path, dataset.shape, kind, role, dataset.nbytes, read)


def of_npz(archive: Archive, name: str) -> StoredArray:
    """An array in a .npz file, from its header."""
    with naming(f"{archive.path}: {name}"), contextlib.closing(archive.window(name)) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise FileProblem(f"numpy's format {version} is not read")
        read_header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        nbytes = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and file.tell() + nbytes != archive.size(name):
            raise FileProblem(f"its header tells of {nbytes} bytes of values; there are {archive.size(name)} in all")

    def read() -> np.ndarray:
        with naming(f"{archive.path}: {name}"), contextlib.closing(archive.window(name)) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    kind = "Python objects" if dtype.hasobject else "text" if dtype.kind in "SU" else str(dtype)
    return StoredArray(name.removesuffix(".npy"), tuple(shape), kind, "weight", nbytes, read)


def is_safetensors(path: Path, head: bytes) -> bool:
    """Whether a file begins as safetensors do: a length, then a header that is JSON."""
    if len(head) < 10 or head[8:9] != b"{":
        return False
    return bool(struct.unpack("<Q", head[:8])[0] + 8 <= path.stat().st_size)


_SAFE_TYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip


def of_safetensors(path: Path) -> tuple[list[StoredArray], dict[str, str]]:
    """The arrays in a file of safetensors, and the notes in it."""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        if length > limits.CONFIG_BYTES:
            raise FileProblem(f"{path}: its header has {length} bytes; at most {limits.CONFIG_BYTES} are read")
        header = read_json(file.read(length), "the header")
    if not isinstance(header, dict):
        raise FileProblem(f"{path}: its header is no object")
    notes = header.pop("__metadata__", {})
    texts = {key: value for key, value in notes.items() if isinstance(value, str)} if isinstance(notes, dict) else {}
    return [_safetensor(path, name, entry, 8 + length) for name, entry in header.items()], texts


def _safetensor(path: Path, name: str, entry: Any, start: int) -> StoredArray:
    told = entry if isinstance(entry, dict) else {}
    dtype, shape, place = told.get("dtype"), told.get("shape"), told.get("data_offsets")
    kind = _SAFE_TYPES.get(dtype) if isinstance(dtype, str) else None
    lists = isinstance(shape, list) and isinstance(place, list) and len(place) == 2
    if kind is None or not lists or not all(isinstance(n, int) and n >= 0 for n in [*shape, *place]):  # type: ignore[misc]
        raise FileProblem(f"{path}: the entry of {quote(name)} is no array: {quote(json.dumps(entry))}")
    begin, end = place  # type: ignore[misc]
    size = math.prod(shape) * np.dtype(_numpy_type(kind)).itemsize  # type: ignore[arg-type]
    if end - begin != size or start + end > path.stat().st_size:
        raise FileProblem(f"{path}: {quote(name)} of shape {tuple(shape)} has not the {size} bytes it takes")  # type: ignore[arg-type]

    def read() -> np.ndarray:
        with open(path, "rb") as file:
            file.seek(start + begin)
            return np.fromfile(file, np.uint8, size).view(_numpy_type(kind)).reshape(shape)  # type: ignore[arg-type]

    return StoredArray(name, tuple(shape), kind, "weight", size, read)  # type: ignore[arg-type]


def _numpy_type(name: str) -> Any:
    return np.dtype(jnp.dtype(name))
