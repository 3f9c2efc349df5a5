"""Memory that a step frees is kept for the next one.

Glibc gives large blocks back to the system at once, and the next step asks for them again: the system hands them out
page by page, cleared. A step on images spends a quarter of its time on that. Here glibc is told to keep them. Blocks of
more than 64 MB it keeps for the first thread only, so JAX is told to run programs for the CPU in the thread that calls
them; that also spares short ones the way to another thread.
"""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

import jax

_VARIABLE = "LAMINA_KEEP_MEMORY"
_OFF = ("0", "off", "false", "no")
_TRIM_ABOVE, _GROW_BY, _MAP_ABOVE = -1, -2, -3  # the parameters of mallopt(3)
_MOST_KEPT = 2**30
_SETTINGS = {_MAP_ABOVE: _MOST_KEPT, _TRIM_ABOVE: _MOST_KEPT, _GROW_BY: 2**26}


@functools.cache
def keep() -> bool:
    """Keep up to 1 GiB of freed memory in the process from now on, under glibc, and run programs where it is kept.

    To be called before JAX starts. ``LAMINA_KEEP_MEMORY=0`` in the environment leaves all as it is.

    Returns:
        Whether it was done.
    """
    if os.environ.get(_VARIABLE, "").lower() in _OFF:
        return False
    try:
        tell: Any = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another system, another library
        return False
    told = [tell(parameter, size) for parameter, size in _SETTINGS.items()]
    if done := all(told):
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    return done
