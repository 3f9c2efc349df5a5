"""Broken programs: what their errors say. That every repair which they offer works is seen to by `applying`."""

from __future__ import annotations

import itertools
import linecache
import re
import warnings
from typing import Any

import noting

import lamina
from lamina.shapes.errors import ShapeError

_counter = itertools.count()
START = "import numpy as np\nimport lamina\nfrom lamina import Input, Model, Sequential, layers, ops\n"


def run(source: str, variables: dict[str, Any] | None = None, strict: bool = False) -> tuple[str, ShapeError | None]:
    """The file name a program runs under, and the `ShapeError` that it raises.

    Args:
        source: the program.
        variables: what it may use without an import.
        strict: whether warnings count as exceptions.
    """
    lamina.utils.clear_session(free_memory=False)
    name = f"program_{next(_counter)}.py"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    scope = {"__name__": "program", **(variables or {})}
    noting.program(name, source, scope)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        try:
            exec(compile(source, name, "exec"), scope)
        except ShapeError as error:
            return name, error
    return name, None


def check(program: str, offender: str, fix: str) -> ShapeError:
    """Run a broken program: the error says who, where and what to do.

    Args:
        program: its code; the line at fault ends in ``# <-``.
        offender: what the message must name.
        fix: a regular expression that an offered fix must match.
    """
    source = START + program.strip() + "\n"
    name, error = run(source)
    assert error is not None, "the program runs"
    text = str(error)
    marked = [i for i, line in enumerate(source.splitlines(), 1) if "# <-" in line]
    assert offender in text, text
    assert any(f"{name}:{line}" in text for line in marked), text
    assert 1 <= len(error.fixes) <= 3, text
    assert re.search(fix, "\n".join(map(str, error.fixes))), text
    return error
