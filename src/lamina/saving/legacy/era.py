"""When and by what a file was written: the meaning of its words follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Era:
    """The Keras that wrote something.

    Args:
        version: its version, ``(2, 2, 4)``.
        backend: what computed under it, ``"tensorflow"`` or ``"theano"``; ``None`` where the file does not say.
    """

    version: tuple[int, ...]
    backend: str | None = None

    @property
    def major(self) -> int:
        """1, 2 or 3."""
        return self.version[0]

    @property
    def flips_kernels(self) -> bool:
        """Theano slid kernels over images turned around, as mathematics defines a convolution."""
        return self.backend == "theano" and self.major < 3

    def __str__(self) -> str:
        return "Keras " + ".".join(map(str, self.version))


def era_of(version: Any, backend: Any = None, otherwise: int = 1) -> Era:
    """The era that the words of a file tell.

    Args:
        version: such as ``"2.2.4-tf"``; ``None`` where the file has none.
        backend: such as ``"tensorflow"``.
        otherwise: the major version to take where there is none; Keras began to note it late in its first version.

    Raises:
        ValueError: the version is not one of Keras's.
    """
    backend = backend if isinstance(backend, str) else None
    if version is None:
        return Era((otherwise,), backend)
    numbers = re.match(r"(\d{1,4}(?:\.\d{1,9}){0,3})", version) if isinstance(version, str) else None
    if numbers is None:
        raise ValueError(f"`keras_version`={version!r} is no version")
    parts = tuple(int(part) for part in numbers.group(1).split("."))
    if parts[0] not in (0, 1, 2, 3):
        raise ValueError(f"`keras_version`={version!r}: files of Keras 1, 2 and 3 can be read")
    return Era((max(parts[0], 1), *parts[1:]), backend)
