"""Reading ahead on a thread."""

from __future__ import annotations

import collections
import threading
import weakref
from collections.abc import Iterator
from typing import Any

_END = object()


class _Buffer:
    """A bounded queue with one writer and one reader, which either side may close."""

    def __init__(self, depth: int):
        self._items: collections.deque[Any] = collections.deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: Any) -> bool:
        """Wait for room and append; false once the buffer is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._depth)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self) -> Any:
        """Wait for an item and take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._items)
            item = self._items.popleft() if self._items else (_END, None)
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


def _fill(items: Iterator[Any], buffer: _Buffer) -> None:
    # This function holds nothing of `Prefetch`, so that one that is forgotten can be collected and ends the thread.
    try:
        for item in items:
            if not buffer.put((item, None)):
                return
        buffer.put((_END, None))
    except BaseException as error:  # whatever it is, it belongs to the reader
        buffer.put((_END, error))


class Prefetch:
    """The items of an iterator, some of which are made ahead on a thread.

    An exception of the iterator is raised where its item would have come. The thread ends at the end of the
    iterator, after `close`, and when this object is forgotten.

    Args:
        items: the iterator.
        depth: how many items may wait.
    """

    def __init__(self, items: Iterator[Any], depth: int = 10):
        self._buffer = _Buffer(depth)
        self._thread = threading.Thread(target=_fill, args=(items, self._buffer), name="lamina-prefetch", daemon=True)
        self._finalize = weakref.finalize(self, self._buffer.close)
        self._thread.start()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item, error = self._buffer.get()
        if item is not _END:
            return item
        self.close()
        if error is not None:
            raise error
        raise StopIteration

    def close(self, patience: float = 5.0) -> None:
        """End the thread; one that is busy in the user's code ends after its item."""
        self._finalize()
        if self._thread is not threading.current_thread():
            self._thread.join(patience)
