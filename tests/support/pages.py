"""Runs the programs of a page written in Markdown, and compares what they print with what the page says.

A ```python block may be followed by a ```text block: what it prints. With ``<!-- raises: ShapeError -->`` before it,
the block must raise that exception, with whose message the text block ends. In a text block ``...`` stands for any
text, decimal fractions may differ a little, and times and line numbers are not compared. The blocks of one page share
their variables.

``python tests/support/pages.py docs/four-shapes.md`` writes what the programs print now into a page.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import os
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import noting

WIDTH = "96"

BLOCK = re.compile(r"(?:<!-- raises: (\w+) -->\s*)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FRACTION = r"\d+\.\d{3,}(?:e-?\d+)?"
_TOLERANCE = 0.02
_runs = itertools.count()  # each run has a file name of its own; only its last part is shown


@dataclass(frozen=True)
class Program:
    """A block of code on a page: its line, what it has to print and to raise, where it and its text block end."""

    line: int
    code: str
    prints: str
    raises: str | None
    end: int
    text_end: int


class WrongPage(AssertionError):
    """A page that does not say what happens."""


def programs(page: str) -> Iterator[Program]:
    """The Python blocks of a page, each with the text block right after it."""
    blocks = [*BLOCK.finditer(page), None]
    for block, after in itertools.pairwise(blocks):
        raises, language, code = block.groups()
        if language == "python":
            shown = after is not None and after[2] == "text" and not page[block.end() : after.start()].strip()
            line, text = page.count("\n", 0, block.start(3)), after if shown else None
            yield Program(line, code, text[3] if text else "", raises, block.end(), text.end() if text else block.end())


def check_page(page: str) -> None:
    """Run all the programs of a page, in order."""
    count = len(re.findall("^```text$", page, re.MULTILINE))
    found = list(programs(page))
    if count != sum(bool(program.prints) for program in found):
        raise WrongPage("a text block does not stand right after a python block (or is empty)")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for program in found:
        printed = run(program, namespace)
        if not agrees(program.prints, printed):
            raise WrongPage(f"line {program.line}: the page says\n\n{program.prints}\nbut this comes:\n\n{printed}")


def run(program: Program, namespace: dict[str, Any]) -> str:
    """What a program prints, and the message of what it raises if it is to raise something."""
    name = f"{next(_runs)}/example.py"
    noting.program(name, program.code, namespace)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            exec(compile(program.code, name, "exec"), namespace)
        except Exception as error:
            if type(error).__name__ != program.raises:
                raise WrongPage(f"line {program.line}: {type(error).__name__}: {error}") from error
            return f"{printed.getvalue()}{program.raises}: {error}".replace(name, "example.py")
    if program.raises:
        raise WrongPage(f"line {program.line}: was to raise {program.raises}, but raised nothing")
    return printed.getvalue().replace(name, "example.py")


def agrees(expected: str, printed: str) -> bool:
    """Whether the text is what was printed, but for times, line numbers, ``...`` and the last places of fractions."""
    expected, printed = comparable(expected), comparable(printed)
    parts = re.split(rf"(\.\.\.|{_FRACTION})", expected)
    pattern = "".join(
        re.escape(part) if i % 2 == 0 else ".*?" if part == "..." else f"({_FRACTION})" for i, part in enumerate(parts)
    )
    match = re.fullmatch(pattern, printed, re.DOTALL)
    numbers = [float(part) for part in parts[1::2] if part != "..."]
    return match is not None and all(
        math.isclose(float(came), said, rel_tol=_TOLERANCE) for came, said in zip(match.groups(), numbers, strict=True)
    )


def comparable(text: str) -> str:
    """The text without what differs from run to run, and without space at the ends of its lines."""
    text = re.sub(r"(?<=- )[\d.]+m?s(?= -)", "TIME", text)
    text = re.sub(r" *(\w+\.py):\d+", r" \1:LINE", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def with_outputs(page: str) -> str:
    """The page with what its programs print in its text blocks, where that is not what they say."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    written, done = [], 0
    for program in programs(page):
        printed = run(program, namespace)
        if not agrees(program.prints, printed):
            lines = "\n".join(line.rstrip() for line in printed.strip().splitlines())
            written += [page[done : program.end], f"\n\n```text\n{lines}\n```" if lines else ""]
            done = program.text_end
    return "".join([*written, page[done:]])


def write_outputs(path: Path) -> None:
    """Write what the programs of a page print into its text blocks, where it is not what they say."""
    path.write_text(with_outputs(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    os.environ["COLUMNS"] = WIDTH
    from lamina.shapes.errors import forget_warnings
    from lamina.utils import clear_session

    for argument in sys.argv[1:]:
        clear_session(free_memory=False)  # each page numbers its layers from the start
        forget_warnings()
        write_outputs(Path(argument))
