"""Compiled programs are kept on disk, so that a program that ran once starts at once the next time.

JAX keeps them; here is said where, up to which size, and that it is to be done without being asked.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path
from typing import Any

import jax

_VARIABLE = "LAMINA_COMPILATION_CACHE"
_OFF = ("0", "off", "false", "no")
_SECONDS = 0.2  # a program that compiles faster is not worth a file
MOST_BYTES = 2 * 2**30


def folder() -> Path | None:
    """Where compiled programs are kept: ``$LAMINA_COMPILATION_CACHE``, or ``lamina`` in the user's cache folder.

    ``None`` where the variable is ``0`` or ``off``.
    """
    chosen = os.environ.get(_VARIABLE, "")
    if chosen.lower() in _OFF:
        return None
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lamina" / "programs"


@functools.cache
def use() -> None:
    """Keep compiled programs from now on, unless the user told JAX where to keep them, or Lamina not to."""
    path = folder()
    settings: Any = jax.config
    if path is None or settings.jax_compilation_cache_dir is not None or not settings.jax_enable_compilation_cache:
        return
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        prune(path, MOST_BYTES)
    except OSError:  # a folder that cannot be written: programs are compiled each time
        return
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _SECONDS)


def prune(path: Path, most: int) -> None:
    """Remove the files that were not used for longest until the rest takes at most so many bytes."""
    files = []
    for entry in os.scandir(path):
        if entry.is_file(follow_symlinks=False):
            told = entry.stat(follow_symlinks=False)
            files.append((max(told.st_atime, told.st_mtime), told.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, name in sorted(files):
        if total <= most:
            break
        with contextlib.suppress(OSError):
            os.remove(name)
            total -= size
