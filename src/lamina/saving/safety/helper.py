"""The process apart that walks HDF5 files: started on demand, kept for later files, replaced when it breaks."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from lamina.saving.safety import limits, walk
from lamina.saving.safety.errors import FileProblem

_lock = threading.RLock()
_process: subprocess.Popen[bytes] | None = None
_owner = os.getpid()
_cannot_start = False


class _Refusal(Exception):
    """The process has refused a file, and may go on (`is_sound`) or not."""

    def __init__(self, text: str, is_sound: bool):
        super().__init__(text)
        self.is_sound = is_sound


def describe(window: walk.Window) -> dict[str, Any]:
    """What is in an HDF5 file (see `walk.describe`).

    Raises:
        FileProblem: it holds what is not opened, or breaks HDF5's library.
    """
    seconds = limits.WALK_SECONDS + limits.WALK_SECONDS_PER_MB * window.size / limits.MB
    [told] = _ask(window, {"do": "describe"}, seconds)
    return told


def values(window: walk.Window, path: list[str], size: int) -> Iterator[bytes]:
    """The bytes of a dataset that is kept packed (see `walk.pieces`)."""
    seconds = limits.WALK_SECONDS + limits.READ_SECONDS_PER_MB * size / limits.MB
    return _ask(window, {"do": "pieces", "dataset": path}, seconds)


def _ask(window: walk.Window, request: dict[str, Any], seconds: float) -> Iterator[Any]:
    bounds = dataclasses.asdict(limits.Hdf5Limits())
    with _lock:
        process = _running()
        if process is None:
            yield from _here(window, request, bounds)
            return
        place = {"path": os.path.abspath(window.path), "start": window.start, "size": window.size}
        work = {**request, **place, "limits": bounds, "seconds": math.ceil(seconds)}
        line = json.dumps(work).encode() + b"\n"
        finished = False
        try:
            yield from _talk(process, line, limits.CLOCK_FACTOR * seconds)
            finished = True
        except _Refusal as refusal:
            finished = refusal.is_sound
            raise FileProblem(str(refusal)) from None
        finally:
            if not finished:
                stop()


def _here(window: walk.Window, request: dict[str, Any], bounds: dict[str, int]) -> Iterator[Any]:
    """The same walk in this process, where no other can be had."""
    try:
        if request["do"] == "describe":
            yield walk.describe(window, bounds)
        else:
            yield from walk.pieces(window, request["dataset"], bounds)
    except walk.Refused as error:
        raise FileProblem(str(error)) from error


def _talk(process: subprocess.Popen[bytes], line: bytes, seconds: float) -> Iterator[Any]:
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdin is not None
        process.stdin.write(line)
        process.stdin.flush()
        while True:
            head, body = _receive(process)
            if "refused" in head:
                raise _Refusal(str(head["refused"]), bool(head.get("sound")))
            if "piece" in head:
                yield body
                continue
            if head["done"] is not None:
                yield head["done"]
            return
    except (EOFError, BrokenPipeError, json.JSONDecodeError, struct.error) as error:
        slow = late.is_set() or _ended_by_time(process)
        why = "did not come to an end" if slow else "broke down"
        raise FileProblem(f"damaged: HDF5's library {why} on it") from error
    finally:
        timer.cancel()


def _ended_by_time(process: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    return process.returncode == -getattr(signal, "SIGXCPU", 0)


def _receive(process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], bytes]:
    assert process.stdout is not None
    sizes = process.stdout.read(8)
    if len(sizes) < 8:
        raise EOFError
    head_size, body_size = struct.unpack("<II", sizes)
    head, body = process.stdout.read(head_size), process.stdout.read(body_size)
    if len(head) < head_size or len(body) < body_size:
        raise EOFError
    return json.loads(head), body


def _running() -> subprocess.Popen[bytes] | None:
    """The process, started if there is none; ``None`` where none can be had."""
    global _process, _cannot_start
    if _process is not None and _process.poll() is None:
        return _process
    if _cannot_start or not sys.executable:
        return None
    try:
        _process = _start()
    except (OSError, EOFError, ValueError, struct.error):
        _cannot_start = True
        return None
    return _process


def _start() -> subprocess.Popen[bytes]:
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}
    process = subprocess.Popen(
        [sys.executable, "-I", walk.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **quiet},
        start_new_session=True,
    )
    timer = threading.Timer(60.0, process.kill)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdin is not None
        hello = {"sys_path": sys.path, "memory": limits.MEMORY_BYTES}
        process.stdin.write(json.dumps(hello).encode() + b"\n")
        process.stdin.flush()
        _receive(process)
    except BaseException:
        process.kill()
        raise
    finally:
        timer.cancel()
    return process


def stop() -> None:
    """End the process; the next file starts another."""
    global _process
    with _lock:
        process, _process = _process, None
        if process is None or _owner != os.getpid():
            return
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _forget() -> None:
    """In a copy of this process: the other one belongs to the original."""
    global _lock, _process, _owner
    _lock, _process, _owner = threading.RLock(), None, os.getpid()


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
