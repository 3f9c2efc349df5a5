"""A walk through an HDF5 file that says what is in it. The only code here that touches HDF5's library.

HDF5's C library can crash, hang or take all memory on a broken file. So this file is also a program of its own: run in
a process apart, it answers requests with descriptions of files, and with values that are kept packed. Values that lie
in one piece are only described (where they begin and how long they are): whoever asked reads them itself.
It imports nothing of Lamina, so that the process starts quickly.
"""

from __future__ import annotations

import base64
import io
import json
import math
import os
import struct
import sys
from collections.abc import Iterator
from typing import Any

FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}


class Refused(Exception):
    """The file holds something that is not opened; the text says what and where."""


class Broken(Refused):
    """HDF5's library failed on the file; after that it is not trusted with another one."""


class Window(io.RawIOBase):
    """A part of a file as a binary file of its own.

    Args:
        path: the file.
        start: where the part begins.
        size: its bytes; all to the end if not given.
    """

    def __init__(self, path: str | os.PathLike, start: int = 0, size: int | None = None):
        self.path, self.start = os.fspath(path), start
        self._file = open(path, "rb")  # noqa: SIM115 - closed with the window
        whole = os.fstat(self._file.fileno()).st_size
        self.size = whole - start if size is None else size
        if start < 0 or self.size < 0 or start + self.size > whole:
            self._file.close()
            raise Refused(f"bytes {start} to {start + self.size} of a file of {whole}")
        self.is_whole = start == 0 and self.size == whole
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        at = offset + (0, self._at, self.size)[whence]
        if at < 0:
            raise ValueError(f"position {at}")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self.size - self._at))
        self._file.seek(self.start + self._at)
        got = self._file.readinto(view[:count]) if count else 0
        self._at += got
        return got

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def describe(window: Window, limits: dict[str, int]) -> dict[str, Any]:
    """All groups, datasets and attributes of a file.

    Raises:
        Refused: it holds something that is not opened.
    """
    with _opened(window) as file:
        return _Walk(window, limits).group(file.id, "/", 0)


def pieces(window: Window, path: list[str], limits: dict[str, int]) -> Iterator[bytes]:
    """The values of a dataset that is kept packed, as the bytes of one array, piece by piece.

    Raises:
        Refused: it is not what a dataset may be.
    """
    import numpy as np

    with _opened(window) as file:
        walk, where, group = _Walk(window, limits), "/", file.id
        for name in path[:-1]:
            group = walk.child(group, name, where, {})[1]
            where = _join(where, name)
        dataset = walk.child(group, path[-1], where, {})[1]
        where = _join(where, path[-1])
        told = walk.dataset(dataset, where)
        import h5py

        values = h5py.Dataset(dataset)
        if told["dtype"] == "str":
            yield json.dumps(walk.strings(values[()], where)).encode()
            return
        kept = np.dtype(told["dtype"])
        rows = max(1, limits["piece_bytes"] // max(1, kept.itemsize * math.prod(told["shape"][1:])))
        for first in range(0, told["shape"][0], rows):
            yield np.ascontiguousarray(values[first : first + rows]).view(np.uint8).tobytes()


def _opened(window: Window) -> Any:
    import h5py

    options: dict[str, Any] = {"rdcc_nbytes": 0}
    try:
        if window.is_whole:
            file = h5py.File(window.path, "r", locking=False, **options)
        else:
            window.seek(0)
            file = h5py.File(window, "r", **options)
    except Exception as error:
        raise Broken(f"not an HDF5 file that can be opened ({_text(error)})") from error
    if file.userblock_size:
        file.close()
        raise Refused("the file begins with a user block")
    return file


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"


def _join(where: str, name: str) -> str:
    return where.rstrip("/") + "/" + name


class _Walk:
    """The state of one walk: what has been seen, and how much of the bounds is used."""

    def __init__(self, window: Window, limits: dict[str, int]):
        self.window, self.limits = window, limits
        self.seen: dict[Any, str] = {}
        self.spent = 0
        self.unpacked = 0

    def spend(self, size: int, where: str) -> None:
        self.spent += size
        if self.spent > self.limits["description_bytes"]:
            raise Refused(f"{where}: names and attributes take more than {self.limits['description_bytes']} bytes")

    # Groups and links

    def group(self, group: Any, where: str, depth: int) -> dict[str, Any]:
        import h5py

        if depth > self.limits["depth"]:
            raise Refused(f"{where[:200]}...: groups nested more than {self.limits['depth']} deep")
        groups: dict[str, Any] = {}
        datasets: dict[str, Any] = {}
        for name in self.names(group, where):
            path = _join(where, name)
            self.spend(len(path), where)
            kind, child = self.child(group, name, where, self.seen)
            if kind == h5py.h5o.TYPE_GROUP:
                groups[name] = self.group(child, path, depth + 1)
            else:
                datasets[name] = self.dataset(child, path)
        return {"attributes": self.attributes(group, where), "groups": groups, "datasets": datasets}

    def names(self, group: Any, where: str) -> list[str]:
        """Names of a group's members, checked, in the order that the group keeps."""
        import h5py

        found: list[bytes] = []

        def note(name: bytes, *_: Any) -> Any:
            found.append(name)
            return True if len(found) > self.limits["links"] else None

        by_creation = group.get_create_plist().get_link_creation_order() & h5py.h5p.CRT_ORDER_TRACKED
        order = h5py.h5.INDEX_CRT_ORDER if by_creation else h5py.h5.INDEX_NAME
        try:
            group.links.iterate(note, idx_type=order)
        except Exception as error:
            raise Broken(f"{where}: its members cannot be listed ({_text(error)})") from error
        if len(found) > self.limits["links"]:
            raise Refused(f"{where}: more than {self.limits['links']} members")
        return [self.name(name, where) for name in found]

    def name(self, raw: Any, where: str) -> str:
        try:
            text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        except UnicodeDecodeError as error:
            raise Refused(f"{where}: a name that is not UTF-8, {raw[:40]!r}") from error
        if not text or text in (".", "..") or "/" in text or "\0" in text:
            raise Refused(f"{where}: a member may not be called {text[:40]!r}")
        if len(text) > self.limits["name_length"]:
            raise Refused(f"{where}: a name of {len(text)} characters, {text[:40]!r}...")
        return str(text)

    def child(self, group: Any, name: str, where: str, seen: dict[Any, str]) -> tuple[int, Any]:
        """The kind of a member and its handle; links are looked at before they are followed."""
        import h5py

        path, raw = _join(where, self.name(name, where)), name.encode()
        try:
            link = group.links.get_info(raw)
        except Exception as error:
            raise Broken(f"{path}: its link cannot be read ({_text(error)})") from error
        if link.type != h5py.h5l.TYPE_HARD:
            kind = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "an external link"}
            raise Refused(f"{path}: {kind.get(link.type, 'a link of unknown kind')}; links are not followed")
        try:
            info = h5py.h5o.get_info(group, raw)
            if info.type not in (h5py.h5o.TYPE_GROUP, h5py.h5o.TYPE_DATASET):
                raise Refused(f"{path}: neither a group nor a dataset")
            place = (info.fileno, info.addr)
            if place in seen:
                raise Refused(f"{path}: the same object as {seen[place]}")
            seen[place] = path
            if len(seen) > self.limits["objects"]:
                raise Refused(f"more than {self.limits['objects']} objects")
            return info.type, h5py.h5o.open(group, raw)
        except Refused:
            raise
        except Exception as error:
            raise Broken(f"{path}: cannot be opened ({_text(error)})") from error

    # Attributes

    def attributes(self, thing: Any, where: str) -> dict[str, Any]:
        import h5py

        try:
            count = h5py.h5a.get_num_attrs(thing)
            if count > self.limits["attributes"]:
                raise Refused(f"{where}: {count} attributes")
            found = {}
            for index in range(count):
                attribute = h5py.h5a.open(thing, index=index)
                name = self.name_of(attribute, where)
                found[name] = self.attribute(attribute, f"{where}@{name}")
                self.spend(64 + len(name), where)
            return found
        except Refused:
            raise
        except Exception as error:
            raise Broken(f"{where}: its attributes cannot be read ({_text(error)})") from error

    def name_of(self, attribute: Any, where: str) -> str:
        name = attribute.name
        name = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        if not name or len(name) > self.limits["name_length"]:
            raise Refused(f"{where}: an attribute with a name of {len(name)} characters")
        return name

    def attribute(self, attribute: Any, where: str) -> Any:
        """A value as JSON can hold it: text, a number, a list of texts, or the bytes of an array."""
        import h5py
        import numpy as np

        space, kind = attribute.get_space(), attribute.get_type()
        form, shape = self.type_of(kind, where), self.shape_of(space, where)
        if shape is None:
            return []
        size = math.prod(shape) * max(1, kind.get_size())
        if size == 0:
            return []
        if size > self.limits["attribute_bytes"]:
            raise Refused(f"{where}: a value of {size} bytes")
        self.spend(size, where)
        if form == "str":
            values = np.empty(shape, dtype=attribute.dtype)
            attribute.read(values, mtype=h5py.h5t.py_create(attribute.dtype))
            texts = self.strings(values, where)
            return texts if shape else texts[0]
        values = np.empty(shape, dtype=np.dtype(form))
        attribute.read(values)
        if shape:
            packed = base64.b64encode(values.tobytes()).decode()
            return {"dtype": form, "shape": list(shape), "values": packed}
        return {"dtype": form, "shape": [], "values": base64.b64encode(values.tobytes()).decode()}

    def strings(self, values: Any, where: str) -> list[str]:
        """Texts of an array of strings, one after the other."""
        import numpy as np

        found = []
        for entry in np.asarray(values, dtype=object).reshape(-1).tolist():
            raw = entry if isinstance(entry, bytes) else str(entry).encode("utf-8", "surrogateescape")
            self.spend(len(raw), where)
            try:
                found.append(raw.decode("utf-8"))
            except UnicodeDecodeError as error:
                raise Refused(f"{where}: text that is not UTF-8") from error
        return found

    # Datasets

    def dataset(self, dataset: Any, where: str) -> dict[str, Any]:
        try:
            return self._dataset(dataset, where)
        except Refused:
            raise
        except Exception as error:
            raise Broken(f"{where}: cannot be read ({_text(error)})") from error

    def _dataset(self, dataset: Any, where: str) -> dict[str, Any]:
        import h5py
        import numpy as np

        plan = dataset.get_create_plist()
        layout = plan.get_layout()
        if plan.get_external_count():
            raise Refused(f"{where}: its values lie outside the file (external storage)")
        if layout == h5py.h5d.VIRTUAL:
            raise Refused(f"{where}: its values lie in other datasets (a virtual dataset)")
        if layout not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
            raise Refused(f"{where}: stored in an unknown way")
        kind, shape = dataset.get_type(), self.shape_of(dataset.get_space(), where)
        form = self.type_of(kind, where)
        if shape is None:
            raise Refused(f"{where}: has no values")
        size, stored = math.prod(shape) * max(1, kind.get_size()), dataset.get_storage_size()
        self.stored(where, size, stored)
        told = {"dtype": form, "shape": list(shape), "attributes": self.attributes(dataset, where)}
        if size == 0:
            return {**told, "at": "inline", "values": ""}
        if form == "str":
            if size > self.limits["string_bytes"]:
                raise Refused(f"{where}: {size} bytes of strings")
            return {**told, "at": "packed"}
        if layout == h5py.h5d.CHUNKED:
            self.chunked(dataset, plan, where, size, stored)
            return {**told, "at": "packed"}
        if layout == h5py.h5d.CONTIGUOUS:
            return {**told, "at": "place", "start": self.place(dataset, where, size, stored), "size": size}
        values = np.empty(shape, dtype=np.dtype(form))
        if size > self.limits["inline_bytes"]:
            raise Refused(f"{where}: {size} bytes in a header")
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        return {**told, "at": "inline", "values": base64.b64encode(values.tobytes()).decode()}

    def stored(self, where: str, size: int, stored: int) -> None:
        """Hold the bytes that a dataset declares against those that are there."""
        if stored > self.window.size:
            raise Refused(f"{where}: says that it holds {stored} bytes; the file has {self.window.size}")
        self.unpacked += size
        allowed = max(self.limits["free_bytes"], self.limits["ratio"] * stored)
        total = max(self.limits["free_bytes"], self.limits["ratio"] * self.window.size)
        if size > allowed or self.unpacked > total:
            raise Refused(f"{where}: declares {size} bytes of values and stores {stored}")

    def place(self, dataset: Any, where: str, size: int, stored: int) -> int:
        start = dataset.get_offset()
        if start is None or stored < size:
            raise Refused(f"{where}: declares {size} bytes of values and stores {stored}")
        if start < 0 or start + size > self.window.size:
            raise Refused(f"{where}: its values lie beyond the end of the file")
        return int(start)

    def chunked(self, dataset: Any, plan: Any, where: str, size: int, stored: int) -> None:
        for index in range(plan.get_nfilters()):
            code = plan.get_filter(index)[0]
            if code not in FILTERS:
                raise Refused(f"{where}: packed with an unknown filter, number {code}")
        chunk = math.prod(plan.get_chunk()) * dataset.get_type().get_size()
        if chunk > max(self.limits["chunk_bytes"], 0):
            raise Refused(f"{where}: chunks of {chunk} bytes")
        if stored == 0:
            raise Refused(f"{where}: declares {size} bytes of values and stores none")

    # Types and shapes

    def shape_of(self, space: Any, where: str) -> tuple[int, ...] | None:
        import h5py

        if space.get_simple_extent_type() == h5py.h5s.NULL:
            return None
        shape = tuple(int(s) for s in space.get_simple_extent_dims())
        if len(shape) > self.limits["rank"] or any(s < 0 for s in shape) or math.prod(shape) >= 2**62:
            raise Refused(f"{where}: of shape {shape}")
        return shape

    def type_of(self, kind: Any, where: str) -> str:
        """``"str"`` for text, else the name of numpy's type that has the same bytes."""
        import h5py
        import numpy as np

        sort = kind.get_class()
        if sort == h5py.h5t.STRING:
            if not kind.is_variable_str() and kind.get_size() > self.limits["attribute_bytes"]:
                raise Refused(f"{where}: strings of {kind.get_size()} bytes")
            return "str"
        if sort == h5py.h5t.OPAQUE and kind.get_size() in (1, 2):
            return f"|V{kind.get_size()}"
        if sort in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM) and kind.get_size() in (1, 2, 4, 8):
            found = np.dtype(kind.dtype)
            plain = np.dtype(found.str)
            same = kind == h5py.h5t.py_create(np.dtype(bool) if sort == h5py.h5t.ENUM else plain)
            if same and plain.kind in "biuf" and plain.itemsize == kind.get_size():
                return plain.str
        names = {h5py.h5t.REFERENCE: "references to objects", h5py.h5t.COMPOUND: "records", h5py.h5t.VLEN: "lists"}
        raise Refused(f"{where}: values of a type that is not read ({names.get(sort, 'an unusual one')})")


# The process apart


def _bound(memory: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass  # this system has no such limits: those on time hold


def _bound_time(seconds: int) -> None:
    """End this process if it computes for so long from now on."""
    try:
        import resource
    except ImportError:
        return  # whoever asked ends it by the clock
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = math.ceil(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _send(out: Any, header: dict[str, Any], body: bytes = b"") -> None:
    head = json.dumps(header).encode()
    out.write(struct.pack("<II", len(head), len(body)) + head + body)
    out.flush()


def _answer(request: dict[str, Any], out: Any) -> None:
    window = Window(request["path"], request["start"], request["size"])
    with window:
        if request["do"] == "describe":
            _send(out, {"done": describe(window, request["limits"])})
            return
        for piece in pieces(window, request["dataset"], request["limits"]):
            _send(out, {"piece": True}, piece)
        _send(out, {"done": None})


def serve(source: Any, out: Any) -> None:
    """Answer requests, one a line, until there are no more."""
    start = json.loads(source.readline())
    sys.path[:] = start["sys_path"]
    import h5py  # noqa: F401

    _bound(start["memory"])
    _send(out, {"done": "ready"})
    for line in source:
        try:
            request = json.loads(line)
            _bound_time(request["seconds"])
            _answer(request, out)
        except Refused as error:
            _send(out, {"refused": str(error), "sound": not isinstance(error, Broken)})
        except MemoryError:
            _send(out, {"refused": "takes more memory than any file of its size should", "sound": False})
        except Exception as error:
            _send(out, {"refused": f"cannot be read ({_text(error)})", "sound": False})


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
