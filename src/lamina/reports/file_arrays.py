"""Arrays in files: of which type and size they are, and how to read their values."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from lamina.saving import weight_store
from lamina.saving.interop import safetensors
from lamina.saving.safety.archive import Archive
from lamina.saving.safety.errors import FileProblem, naming
from lamina.saving.safety.hdf5 import Dataset


@dataclass
class StoredArray:
    """An array in a file.

    Attributes:
        path: its name in the file.
        shape: its shape.
        dtype: name of its type; ``"text"``, ``"records"`` or ``"Python objects"`` where its values are no numbers.
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
    def is_numeric(self) -> bool:
        """Whether its values are real numbers or truth values; text, records and objects are not."""
        try:
            kind = jnp.dtype(self.dtype)
        except TypeError:
            return False
        return any(jnp.issubdtype(kind, of) for of in (jnp.floating, jnp.integer, jnp.bool_))

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

    named = {"S": "text", "U": "text", "V": "records", "O": "Python objects"}
    kind = "Python objects" if dtype.hasobject else named.get(dtype.kind, dtype.name)
    return StoredArray(name.removesuffix(".npy"), tuple(shape), kind, "weight", nbytes, read)


def of_safetensors(path: Path) -> list[StoredArray]:
    """The arrays in a file of safetensors."""
    return [_of_tensor(path, tensor) for tensor in safetensors.read_header(path).values()]


def _of_tensor(path: Path, tensor: safetensors.Tensor) -> StoredArray:
    def read() -> np.ndarray:
        with open(path, "rb") as file:
            file.seek(tensor.start)
            values = np.fromfile(file, np.uint8, tensor.nbytes)
        kind = np.dtype(jnp.dtype(tensor.dtype))
        return (values != 0 if kind.kind == "b" else values.view(kind)).reshape(tensor.shape)

    return StoredArray(tensor.name, tensor.shape, tensor.dtype, "weight", tensor.nbytes, read)
