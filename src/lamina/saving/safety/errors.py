"""The one error for a file that is broken, hostile or of an unknown kind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any


class FileProblem(ValueError):
    """A file cannot be read; the message names the file and what in it is wrong."""


@contextlib.contextmanager
def naming(path: Any) -> Iterator[None]:
    """Whatever goes wrong inside is a `FileProblem` whose message names the file.

    Errors of the system that name the file themselves (it is missing, it may not be read) stay as they are.
    """
    shown = show(path)
    try:
        yield
    except FileProblem as error:
        if shown in str(error):
            raise
        raise FileProblem(f"{shown}: {error}") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError):
        raise
    except MemoryError as error:
        raise FileProblem(f"{shown}: takes more memory than there is") from error
    except RecursionError as error:
        raise FileProblem(f"{shown}: nested too deeply") from error
    except ValueError as error:
        raise FileProblem(f"{shown}: {shorten(str(error))}") from error
    except Exception as error:
        raise FileProblem(f"{shown}: cannot be read ({type(error).__name__}: {shorten(str(error))})") from error


def show(path: Any) -> str:
    """A file's name for messages."""
    name = getattr(path, "name", path) if not isinstance(path, (str, bytes, os.PathLike)) else os.fspath(path)
    return str(name) if isinstance(name, (str, bytes, int)) else type(path).__name__


def quote(value: Any) -> str:
    """A value out of a file for a message: in one line, not long."""
    return repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."


def shorten(text: str) -> str:
    """A message that does not repeat a whole file."""
    return text if len(text) <= 4000 else text[:4000] + "..."
