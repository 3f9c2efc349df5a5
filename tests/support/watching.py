"""What a process does while a file is opened: files opened, programs run, addresses asked for, memory, time."""

import contextlib
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from lamina.core import lambdas, registry
from lamina.saving.safety import walk

SECONDS = 60
MOST_MEMORY = 2**30  # above what the process had before the file
WATCHED = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn", "subprocess.Popen", "socket.connect",
    "socket.getaddrinfo", "urllib.Request", "pickle.find_class", "ftplib.connect", "webbrowser.open",
)  # fmt: skip

#: Names of files that are there to be opened by a loader that may not.
FORBIDDEN = ("secret.txt", "pipe.h5", "raw.bin")

_seen: list[str] | None = None


def _watch(event: str, arguments: tuple) -> None:
    if _seen is None:
        return
    if event == "open":
        path, mode = str(arguments[0]), "" if isinstance(arguments[0], int) else str(arguments[1] or "r")
        if os.path.basename(path) in FORBIDDEN:
            _seen.append(f"opened {path}")
        if set(mode) & set("wax+") and not path.startswith((tempfile.gettempdir(), "/dev/", "/proc/")):
            _seen.append(f"wrote {path}")
    elif event in WATCHED and not (event == "subprocess.Popen" and walk.__file__ in map(str, arguments[1])):
        _seen.append(f"{event} {arguments}")


sys.addaudithook(_watch)


@pytest.fixture
def watched():
    """Fails the test if anything is opened, run or connected to that should not be; ends it if it hangs."""
    global _seen
    _seen = []
    environment, customs = _environment(), dict(registry.get_custom_objects())
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    _forget_peak()
    start = _peak()
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        seen, _seen = _seen, None
    assert not seen
    assert _environment() == environment
    assert registry.get_custom_objects() == customs
    assert not lambdas.allowed()
    assert _peak() - start < MOST_MEMORY


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def _too_long(*_):
    raise BaseException(f"not done after {SECONDS} seconds")


def _forget_peak():
    with contextlib.suppress(OSError):  # the peak is then that of the whole process
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


def forget() -> None:
    """What was seen up to now was the test's own doing."""
    if _seen is not None:
        _seen.clear()
