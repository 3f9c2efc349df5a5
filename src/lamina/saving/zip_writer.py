"""Zip archives of stored members, each written straight into its place, whatever its size."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_MOST = 0xFFFFFFFF
_PIECE = 2**20
_UTF8 = 0x800


class Window(io.RawIOBase):
    """A part of a file from some offset on, as a file of its own."""

    def __init__(self, file: BinaryIO, start: int):
        self._file, self._start, self._at, self.size = file, start, 0, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: max(self.size - self._at, 0)]
        self._file.seek(self._start + self._at)
        got = self._file.readinto(view) or 0  # type: ignore[attr-defined]
        self._at += got
        return got

    def write(self, data: Any) -> int:
        self._file.seek(self._start + self._at)
        count = self._file.write(data)
        self._at += count
        self.size = max(self.size, self._at)
        return count

    def truncate(self, size: int | None = None) -> int:
        self.size = self._at if size is None else size
        self._file.truncate(self._start + self.size)
        return self.size

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class ZipWriter:
    """Writes an archive into an open file, member after member.

    Example:

    >>> import io, zipfile
    >>> file = io.BytesIO()
    >>> with ZipWriter(file) as archive:
    ...     with archive.member("a.txt") as member:
    ...         _ = member.write(b"abc")
    >>> zipfile.ZipFile(file).read("a.txt")
    b'abc'
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._entries: list[bytes] = []
        self._end = 0
        now = time.localtime()
        date = (max(now.tm_year - 1980, 0) << 9) | (now.tm_mon << 5) | now.tm_mday
        self._when = ((now.tm_hour << 11) | (now.tm_min << 5) | (now.tm_sec // 2), date)

    def __enter__(self) -> ZipWriter:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self._close()

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[BinaryIO]:
        """A new member, as a file to write into."""
        encoded = name.encode("utf-8")
        start = self._end
        window = Window(self._file, start + _LOCAL.size + len(encoded) + 20)
        yield window  # type: ignore[misc]
        checksum = _checksum(window)
        large = struct.pack("<2H2Q", 1, 16, window.size, window.size)  # always there, so that its room is known before
        common = (45, _UTF8, 0, *self._when, checksum)
        self._file.seek(start)
        self._file.write(_LOCAL.pack(b"PK\x03\x04", *common, _MOST, _MOST, len(encoded), len(large)) + encoded + large)
        extra = struct.pack("<2H3Q", 1, 24, window.size, window.size, start)
        fields = (0, 0, 0, 0o644 << 16, _MOST)
        head = _CENTRAL.pack(b"PK\x01\x02", 45, *common, _MOST, _MOST, len(encoded), len(extra), *fields)
        self._entries.append(head + encoded + extra)
        self._end = start + _LOCAL.size + len(encoded) + len(large) + window.size

    def write(self, name: str, data: bytes) -> None:
        """A new member with that content."""
        with self.member(name) as member:
            member.write(data)

    def _close(self) -> None:
        self._file.seek(self._end)
        directory = b"".join(self._entries)
        self._file.write(directory)
        end, count = self._end + len(directory), len(self._entries)
        if count >= 0xFFFF or end > _MOST:
            self._file.write(_END64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), self._end))
            self._file.write(_LOCATOR.pack(b"PK\x06\x07", 0, end, 1))
        few, length, start = min(count, 0xFFFF), min(len(directory), _MOST), min(self._end, _MOST)
        self._file.write(_END.pack(b"PK\x05\x06", 0, 0, few, few, length, start, 0))
        self._file.truncate()


def _checksum(window: Window) -> int:
    found, piece = 0, memoryview(bytearray(_PIECE))
    window.seek(0)
    while got := window.readinto(piece):
        found = zlib.crc32(piece[:got], found)
    return found
