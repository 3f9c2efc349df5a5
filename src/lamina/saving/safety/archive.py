"""Zip archives from anyone: looked over as a whole before a member is read."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from lamina.saving.safety import config, limits
from lamina.saving.safety.errors import FileProblem, naming, quote, show
from lamina.saving.safety.walk import Window

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_LOCAL = struct.Struct("<4s5H3L2H")


class Archive:
    """An archive that has been looked over.

    Attributes:
        path: the file.
        names: its members, in the file's order; folders are left out.
    """

    def __init__(self, path: str, file: BinaryIO, zipped: zipfile.ZipFile, starts: dict[str, int], folder: str):
        self.path, self._file, self._zip, self._starts, self._folder = path, file, zipped, starts, folder
        self.names = [entry.filename for entry in zipped.infolist() if not entry.is_dir()]

    def __contains__(self, name: str) -> bool:
        return name in self._starts

    def size(self, name: str) -> int:
        """Bytes of a member, unpacked."""
        return self._entry(name).file_size

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of a member.

        Raises:
            FileProblem: there is no such member, it has more bytes than `limit`, or it is damaged.
        """
        entry = self._entry(name)
        if entry.file_size > limit:
            raise FileProblem(f"{self.path}: {name}: {entry.file_size} bytes; at most {limit} are read")
        with naming(f"{self.path}: {name}"), self._zip.open(entry) as member:
            data = member.read(limit + 1)
            if len(data) != entry.file_size:
                raise FileProblem(f"{len(data)} bytes; {entry.file_size} are declared")
            return data

    def read_json(self, name: str) -> Any:
        """A member that is JSON, decoded and bounded."""
        data = self.read(name, limits.CONFIG_BYTES)
        with naming(self.path):
            return config.read_json(data, name)

    def window(self, name: str) -> Window:
        """A member as a binary file: in its place if it is stored as it is, else unpacked to a temporary file."""
        entry = self._entry(name)
        with naming(f"{self.path}: {name}"):
            if entry.compress_type != zipfile.ZIP_STORED:
                return Window(self._unpacked(entry))
            window = Window(self.path, self._starts[name], entry.file_size)
            if _checksum(window) != entry.CRC:
                window.close()
                raise FileProblem("damaged: its checksum does not fit")
            return window

    def extract(self, prefix: str, folder: str) -> None:
        """Unpack the members below a folder of the archive into a folder that exists."""
        for name in self.names:
            if name.startswith(prefix.rstrip("/") + "/"):
                target = inside(folder, name[len(prefix.rstrip("/")) + 1 :])
                os.makedirs(os.path.dirname(target), exist_ok=True)
                self._copy(self._entry(name), target)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self._starts:
            raise FileProblem(f"{self.path}: has no member {name!r}")
        return self._zip.getinfo(name)

    def _unpacked(self, entry: zipfile.ZipInfo) -> str:
        target = os.path.join(self._folder, f"{self._zip.infolist().index(entry)}.bin")
        if not os.path.exists(target):
            self._copy(entry, target)
        return target

    def _copy(self, entry: zipfile.ZipInfo, target: str) -> None:
        with naming(f"{self.path}: {entry.filename}"), self._zip.open(entry) as member, open(target, "xb") as out:
            left = entry.file_size
            while data := member.read(limits.MB):
                left -= len(data)
                if left < 0:
                    break
                out.write(data)
            if left:
                raise FileProblem(f"does not have the {entry.file_size} bytes it declares")


def inside(folder: str, name: str) -> str:
    """The path of a name below a folder.

    Raises:
        FileProblem: the name leads out of the folder.
    """
    _check_name(name)
    return os.path.join(folder, *name.split("/"))


def check_folder(folder: str | os.PathLike[str]) -> None:
    """See that a folder in the place of an archive holds plain files and folders only, and not too many.

    Raises:
        FileProblem: it holds a link or a special file.
    """
    count = 0
    for place, folders, files in os.walk(folder):
        count += len(folders) + len(files)
        if count > limits.MEMBERS:
            raise FileProblem(f"{show(folder)}: more than {limits.MEMBERS} files")
        for name in (*folders, *files):
            mode = os.lstat(os.path.join(place, name)).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise FileProblem(f"{show(folder)}: {quote(name)} is a link or a special file")


@contextlib.contextmanager
def open_archive(path: str | os.PathLike) -> Iterator[Archive]:
    """Open a zip archive from anyone.

    Raises:
        FileProblem: it is damaged, or has members that no model's archive has.
        OSError: the file is missing or may not be read.
    """
    shown = show(path)
    with contextlib.ExitStack() as stack:
        with naming(shown):
            file = stack.enter_context(open(path, "rb"))
            start = _check_end(file)
            zipped = stack.enter_context(zipfile.ZipFile(file))
            starts = _look_over(zipped, file, start)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lamina-"))
        yield Archive(shown, file, zipped, starts, folder)


def _check_end(file: BinaryIO) -> int:
    """Where the list of members begins. It must fill the file from there to the closing record, and not be long."""
    size = os.fstat(file.fileno()).st_size
    if file.read(4) != b"PK\x03\x04":
        raise FileProblem("not a zip archive: it does not begin with a member")
    if size < _END.size:
        raise FileProblem("not a zip archive: too short")
    file.seek(size - _END.size)
    mark, disk, first_disk, here, count, length, start, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\x05\x06" or comment or disk or first_disk or here != count:
        raise FileProblem("not a whole zip archive: its last bytes are not a zip's closing record")
    end = size - _END.size
    if count == 0xFFFF or 0xFFFFFFFF in (length, start):
        count, length, start, end = _large_end(file, end)
    if count > limits.MEMBERS or length > limits.DIRECTORY_BYTES:
        raise FileProblem(f"{count} members; at most {limits.MEMBERS} are read")
    if start + length != end:
        raise FileProblem("damaged: its list of members is not where it should be")
    file.seek(0)
    return int(start)


def _large_end(file: BinaryIO, end: int) -> tuple[int, int, int, int]:
    if end < _LOCATOR.size + _END64.size:
        raise FileProblem("damaged: its closing record is missing")
    file.seek(end - _LOCATOR.size - _END64.size)
    fields = _END64.unpack(file.read(_END64.size))
    mark, _, disks, place = _LOCATOR.unpack(file.read(_LOCATOR.size))
    expected = end - _LOCATOR.size - _END64.size
    if mark != b"PK\x06\x07" or fields[0] != b"PK\x06\x06" or place != expected or disks or fields[6] != fields[7]:
        raise FileProblem("damaged: its closing records do not fit together")
    return fields[7], fields[8], fields[9], expected


def _look_over(zipped: zipfile.ZipFile, file: BinaryIO, end: int) -> dict[str, int]:
    """Check all members; where the bytes of each begin."""
    entries = sorted(zipped.infolist(), key=lambda entry: entry.header_offset)
    seen: dict[str, str] = {}
    starts: dict[str, int] = {}
    total, free = 0, 0
    for entry in entries:
        _check_member(entry, seen)
        starts[entry.filename] = start = _start_of(entry, file)
        if entry.header_offset < free:
            raise FileProblem(f"{quote(entry.filename)} lies over another member")
        free = start + entry.compress_size
        total += entry.file_size
    if free > end:
        raise FileProblem(f"{quote(entries[-1].filename)} runs into the list of members")
    if total > max(limits.FREE_BYTES, limits.RATIO * end):
        raise FileProblem(f"its members unpack to {total} bytes, more than {limits.RATIO} for each byte stored")
    return {name: start for name, start in starts.items() if not name.endswith("/")}


def _check_member(entry: zipfile.ZipInfo, seen: dict[str, str]) -> None:
    name = entry.filename
    _check_name(name.removesuffix("/"))
    if entry.orig_filename != name:
        raise FileProblem(f"a member may not be called {quote(entry.orig_filename)}")
    folded = unicodedata.normalize("NFKC", name).casefold().removesuffix("/")
    if folded in seen:
        raise FileProblem(f"two members of one name, {quote(seen[folded])} and {quote(name)}")
    seen[folded] = name
    if entry.flag_bits & 0x2041:
        raise FileProblem(f"{quote(name)} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileProblem(f"{quote(name)} is packed in an unknown way, number {entry.compress_type}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (name.endswith("/") and entry.file_size):
        raise FileProblem(f"{quote(name)} is a link or a special file")
    stored = entry.compress_size
    if entry.compress_type == zipfile.ZIP_STORED and stored != entry.file_size:
        raise FileProblem(f"{quote(name)} declares {entry.file_size} bytes and stores {stored}")
    if entry.file_size > max(limits.FREE_BYTES, limits.RATIO * stored):
        raise FileProblem(f"{quote(name)} declares {entry.file_size} bytes and stores {stored}")


def _check_name(name: str) -> None:
    parts = name.split("/")
    strange = any(ord(letter) < 32 or letter in "\\:\x7f" for letter in name)
    if strange or any(part in ("", ".", "..") for part in parts):
        raise FileProblem(f"a member may not be called {quote(name)}")
    if len(name) > limits.NAME_LENGTH or len(parts) > limits.MEMBER_DEPTH:
        raise FileProblem(f"a name of {len(name)} characters in {len(parts)} parts, {quote(name)}")


def _start_of(entry: zipfile.ZipInfo, file: BinaryIO) -> int:
    file.seek(entry.header_offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
        raise FileProblem(f"{quote(entry.filename)} is not where the list of members says")
    fields = _LOCAL.unpack(head)
    return int(entry.header_offset + _LOCAL.size + fields[9] + fields[10])


def _checksum(window: Window) -> int:
    found, piece = 0, bytearray(limits.MB)
    view = memoryview(piece)
    window.seek(0)
    while got := window.readinto(view):
        found = zlib.crc32(view[:got], found)
    window.seek(0)
    return found
