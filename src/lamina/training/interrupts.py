"""Ctrl-C at a moment that leaves a usable model.

A compiled step is given the model's state for good; what it gives back takes its place. An interrupt between the two
would leave a model without weights, so it waits until the new state is in place.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


class _State(threading.local):
    busy = False
    waiting: Callable[[], Any] | None = None


_state = _State()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Around a loop over steps: Ctrl-C is taken at once, but for what runs in `unbroken`."""
    before = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
    if not callable(before):
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if _state.busy:
            _state.waiting = lambda: before(number, frame)
        else:
            before(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Inside, a Ctrl-C waits; it is taken at the end."""
    outer, _state.busy = _state.busy, True
    try:
        yield
    finally:
        _state.busy = outer
        if not outer and _state.waiting is not None:
            take, _state.waiting = _state.waiting, None
            take()
