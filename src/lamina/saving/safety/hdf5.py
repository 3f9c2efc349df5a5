"""HDF5 files as groups, datasets and attributes of plain values.

This process never opens the file with HDF5's library: a process apart walks it (see `helper`) and describes it, and
values that lie in one piece are read here, straight from their place.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from lamina.saving.safety import helper, limits
from lamina.saving.safety.errors import FileProblem, naming, show
from lamina.saving.safety.walk import Refused, Window


class Dataset:
    """An array in a file.

    Attributes:
        path: its place in the file, such as ``"/layers/dense/vars/0"``.
        shape: its shape.
        dtype: its type; numpy's ``object`` for text.
        attributes: its attributes.
    """

    def __init__(self, window: Window, path: str, told: dict[str, Any]):
        self.path, self._window, self._told = path, window, told
        self.shape = tuple(int(s) for s in told["shape"])
        self.dtype = np.dtype(object if told["dtype"] == "str" else told["dtype"])
        self.nbytes = math.prod(self.shape) * self.dtype.itemsize
        allowed = told["dtype"] == "str" or self.dtype.kind in "biuf" or self.dtype.str in ("|V1", "|V2")
        if not allowed or any(s < 0 for s in self.shape):
            raise FileProblem(f"{path}: values of type {self.dtype} and shape {self.shape}")

    @functools.cached_property
    def attributes(self) -> dict[str, Any]:
        return {name: _value(entry) for name, entry in self._told["attributes"].items()}

    def read(self) -> np.ndarray:
        """The values; text as an array of ``str``.

        Raises:
            FileProblem: they are not there, or are damaged.
        """
        with naming(show(self._window.path)):
            how = self._told["at"]
            if self.dtype == object:
                return self._texts()
            values = np.empty(self.shape, dtype=self.dtype)
            target = values.reshape(-1).view(np.uint8).data if values.size else memoryview(b"")
            if how == "place":
                self._fill(target, self._told["start"])
            elif how == "packed":
                self._unpack(target)
            elif values.size:
                self._copy(target, [base64.b64decode(self._told["values"])])
            return values.view(np.uint8) != 0 if self.dtype == bool else values

    def _fill(self, target: memoryview, start: int) -> None:
        if self._told["size"] != self.nbytes or start < 0 or start + self.nbytes > self._window.size:
            raise FileProblem(f"{self.path}: its values lie beyond the end of the file")
        self._window.seek(start)
        done = 0
        while done < len(target):
            got = self._window.readinto(target[done : done + limits.ALLOCATION])
            if not got:
                raise FileProblem(f"{self.path}: the file ends before its values do")
            done += got

    def _unpack(self, target: memoryview) -> None:
        self._copy(target, helper.values(self._window, self.path.strip("/").split("/"), self.nbytes))

    def _copy(self, target: memoryview, pieces: Any) -> None:
        done = 0
        with contextlib.closing(iter(pieces)) if hasattr(pieces, "close") else contextlib.nullcontext(pieces) as source:
            for piece in source:
                if done + len(piece) > len(target):
                    raise FileProblem(f"{self.path}: more values than its shape {self.shape} has")
                target[done : done + len(piece)] = piece
                done += len(piece)
        if done != len(target):
            raise FileProblem(f"{self.path}: fewer values than its shape {self.shape} has")

    def _texts(self) -> np.ndarray:
        if not math.prod(self.shape):
            return np.empty(self.shape, dtype=object)
        raw = b"".join(helper.values(self._window, self.path.strip("/").split("/"), limits.Hdf5Limits.string_bytes))
        found = json.loads(raw)
        if len(found) != math.prod(self.shape):
            raise FileProblem(f"{self.path}: {len(found)} texts for the shape {self.shape}")
        return np.array(found, dtype=object).reshape(self.shape)


class Group:
    """A group in a file.

    Attributes:
        path: its place, ``"/"`` for the whole file.
        attributes: text as ``str``, numbers, lists of ``str``, and arrays.
        groups: the groups inside, by name, in the file's order.
        datasets: the datasets inside, by name.
    """

    def __init__(self, window: Window, path: str, told: dict[str, Any]):
        self.path, self._told = path, told
        inside = path.rstrip("/") + "/"
        self.groups = {name: Group(window, inside + name, entry) for name, entry in told["groups"].items()}
        self.datasets = {name: Dataset(window, inside + name, entry) for name, entry in told["datasets"].items()}

    @functools.cached_property
    def attributes(self) -> dict[str, Any]:
        return {name: _value(entry) for name, entry in self._told["attributes"].items()}

    def walk(self) -> Iterator[Dataset]:
        """All datasets, those of the groups inside included."""
        yield from self.datasets.values()
        for group in self.groups.values():
            yield from group.walk()


def _value(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    kind = np.dtype(entry["dtype"])
    if kind.kind not in "biufV":
        raise FileProblem(f"an attribute of type {kind}")
    values = np.frombuffer(base64.b64decode(entry["values"]), dtype=kind).reshape(entry["shape"])
    return values if values.ndim else values.item()


@contextlib.contextmanager
def open_hdf5(source: Any) -> Iterator[Group]:
    """Open an HDF5 file from anyone.

    Args:
        source: a path, a `Window` of a file (as `archive.Archive.window` gives it), or a binary file, which is copied.

    Raises:
        FileProblem: it is damaged, or holds links, values outside of the file, references, or unknown filters.
        OSError: the file is missing or may not be read.
    """
    with contextlib.ExitStack() as stack:
        window = source if isinstance(source, Window) else stack.enter_context(_window(source, stack))
        with naming(show(source) if not isinstance(source, Window) else window.path):
            root = Group(window, "/", helper.describe(window))
        yield root


def _window(source: Any, stack: contextlib.ExitStack) -> Window:
    if isinstance(source, (str, os.PathLike)):
        try:
            return Window(source)
        except Refused as error:
            raise FileProblem(f"{show(source)}: {error}") from error
    if not isinstance(source, io.IOBase) and not hasattr(source, "read"):
        raise FileProblem(f"{show(source)}: neither a path nor a binary file")
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lamina-"))
    copy = os.path.join(folder, "copy.h5")
    source.seek(0)
    with open(copy, "wb") as out:
        shutil.copyfileobj(source, out, limits.ALLOCATION)
    return Window(copy)
