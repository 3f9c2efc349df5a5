"""Files that are replaced as a whole: a crash at any moment leaves the earlier one as it was."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_UNNAMED = getattr(os, "O_TMPFILE", None)
_HOST = "".join(c for c in socket.gethostname() if c.isalnum())[:16] or "host"


@contextlib.contextmanager
def writing(path: Any) -> Iterator[BinaryIO]:
    """Write a file all or nothing.

    Args:
        path: the file to be.

    Yields:
        A file open for reading and writing bytes (``h5py.File(file, "w")`` takes it too). Where the system allows
        it, it has no name before it is whole, so that nothing is left of it when the process is killed.

    Raises:
        OSError: it cannot be written; the earlier file, if there was one, is whole.

    Example:

    >>> import pathlib, tempfile
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "numbers.txt"
    >>> with writing(target) as file:
    ...     _ = file.write(b"1 2 3")
    >>> target.read_text()
    '1 2 3'
    """
    target = Path(os.path.realpath(path))
    mode = _mode_of(target)
    _remove_litter(target)
    descriptor, beside = _open_unnamed(target)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
            if beside is None:
                _put_in_place(descriptor, target)
        if beside is not None:
            os.replace(beside, target)
        _sync_folder(target.parent)
    except BaseException:
        if beside is not None:
            beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writing_folder(path: Any) -> Iterator[Path]:
    """Write a folder of files all or nothing, in the place of an earlier one.

    Yields:
        A new folder to write into.
    """
    target = Path(os.path.realpath(path))
    _remove_litter(target)
    beside, before = _name_beside(target), _name_beside(target)
    beside.mkdir()
    try:
        yield beside
        for file in beside.rglob("*"):
            if file.is_file():
                with open(file, "rb") as opened:
                    os.fsync(opened.fileno())
        if target.exists():
            os.rename(target, before)
        os.rename(beside, target)
        shutil.rmtree(before, ignore_errors=True)
    except BaseException:
        if before.exists() and not target.exists():
            os.rename(before, target)
        shutil.rmtree(beside, ignore_errors=True)
        raise
    finally:
        _sync_folder(target.parent)


def _mode_of(target: Path) -> int | None:
    """The permissions of the earlier file, which stay.

    Raises:
        OSError: it is no file, may not be written, or there is no folder for it.
    """
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(target.parent))
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is not a file", str(target))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "may not be written", str(target))
    return stat.S_IMODE(found.st_mode)


def _open_unnamed(target: Path) -> tuple[int, Path | None]:
    """A new file in the target's folder: without a name where the system has such files, else with the name given."""
    if _UNNAMED is not None and os.path.isdir("/proc/self/fd"):
        try:
            return os.open(target.parent, _UNNAMED | os.O_RDWR, 0o666), None
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                raise
    beside = _name_beside(target)
    return os.open(beside, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666), beside


def _put_in_place(descriptor: int, target: Path) -> None:
    """Give an unnamed file the target's name; where that is taken, by way of another, which it has for a moment."""
    beside = _name_beside(target)
    folder = os.open("/proc/self/fd", os.O_RDONLY)
    try:  # linkat follows the link in /proc only if it is told to, which os.link does with a folder
        if not target.exists():
            with contextlib.suppress(FileExistsError):
                os.link(str(descriptor), target, src_dir_fd=folder, follow_symlinks=True)
                return
        os.link(str(descriptor), beside, src_dir_fd=folder, follow_symlinks=True)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        os.close(folder)


def _name_beside(target: Path) -> Path:
    """A hidden name that says which process it belongs to."""
    return target.with_name(f".{target.name}.{_HOST}-{os.getpid()}-{secrets.token_hex(4)}{target.suffix}")


def _remove_litter(target: Path) -> None:
    """Remove what earlier processes left that were killed while they wrote the same file."""
    start = f".{target.name}.{_HOST}-"
    try:
        names = [name for name in os.listdir(target.parent) if name.startswith(start)]
    except OSError:
        return
    for name in names:
        number = name.removeprefix(start).split("-")[0]
        if number.isdigit() and not _is_running(int(number)):
            left = target.with_name(name)
            with contextlib.suppress(OSError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make a renaming last; not every system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
