"""Runs the programs in the guides and in the README, and compares what they print with what the page says.

On a page, a ```python block may be followed by a ```text block: what it prints. With ``<!-- raises: ShapeError -->``
before it, the block must raise that exception, whose message the text block ends with. In a text block ``...`` stands
for any text, decimal fractions may differ a little, and times and line numbers are not compared. The blocks of one page
share their variables.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import linecache
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import lamina

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]

_BLOCK = re.compile(r"(?:<!-- raises: (\w+) -->\s*)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FRACTION = r"\d+\.\d{3,}(?:e-?\d+)?"
_TOLERANCE = 0.02


@dataclass(frozen=True)
class Program:
    """A block of code on a page: where it stands, what it has to print, what it has to raise."""

    line: int
    code: str
    prints: str
    raises: str | None


class WrongPage(AssertionError):
    """A page that does not say what happens."""


def programs(page: str) -> Iterator[Program]:
    """The Python blocks of a page, each with the text block right after it."""
    blocks = [*_BLOCK.finditer(page), None]
    for block, after in itertools.pairwise(blocks):
        raises, language, code = block.groups()
        if language == "python":
            shown = after is not None and after[2] == "text" and not page[block.end() : after.start()].strip()
            yield Program(page.count("\n", 0, block.start(3)), code, after[3] if shown else "", raises)


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
    name = "example.py"
    linecache.cache[name] = (len(program.code), None, program.code.splitlines(keepends=True), name)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            exec(compile(program.code, name, "exec"), namespace)
        except Exception as error:
            if type(error).__name__ != program.raises:
                raise WrongPage(f"line {program.line}: {type(error).__name__}: {error}") from error
            return f"{printed.getvalue()}{program.raises}: {error}"
    if program.raises:
        raise WrongPage(f"line {program.line}: was to raise {program.raises}, but raised nothing")
    return printed.getvalue()


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


@pytest.fixture
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A terminal of a known width, layers numbered from the start, and settings put back afterwards."""
    monkeypatch.setenv("COLUMNS", "96")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "JUPYTER_COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    data_format = lamina.config.image_data_format()
    lamina.utils.clear_session(free_memory=False)
    yield
    lamina.config.set_image_data_format(data_format)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
@pytest.mark.usefixtures("_fresh")
def test_page_says_what_happens(path: Path) -> None:
    check_page(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    prose = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
        assert link.startswith("https://") or (path.parent / link).exists(), link


PAGE = "```python\nx = 2 / 3\n```\n\nText.\n\n```python\nprint(x, 'and more')\n```\n\n```text\n0.667 and ...\n```\n"
FAILING = "<!-- raises: ValueError -->\n```python\nint('a')\n```\n```text\nValueError: invalid literal...: 'a'\n```\n"


@pytest.mark.parametrize("page", [PAGE, FAILING, "no code\n```sh\nlamina\n```\n", "- 3.1s -".join([PAGE, FAILING])])
def test_right_pages_pass(page: str) -> None:
    check_page(page)


@pytest.mark.parametrize(
    "page",
    [
        PAGE.replace("0.667", "0.767"),
        PAGE.replace("and ...", "but ..."),
        PAGE.replace("```text", "So:\n```text"),
        PAGE.replace("x = 2", "print(1)\nx = 2"),
        PAGE.replace("x = 2 / 3", "x = 2 / 0"),
        PAGE.replace("x = 2 / 3", "import warnings\nx = 2 / 3\nwarnings.warn('odd')"),
        PAGE + "```python\ny\n```\n",
        FAILING.replace("ValueError", "KeyError"),
        FAILING.replace("int('a')", "int('b')"),
        FAILING.replace("int('a')", "int('1')"),
        FAILING.replace("<!-- raises: ValueError -->\n", ""),
        FAILING.replace("invalid literal", "valid literal"),
    ],
)
def test_wrong_pages_fail(page: str) -> None:
    with pytest.raises(WrongPage):
        check_page(page)


def test_times_and_line_numbers_are_not_compared() -> None:
    assert agrees("a.py:12\nEpoch 1 - 3.1s - loss: 0.5000", "a.py:345\nEpoch 1 - 26ms - loss: 0.5001")
    assert not agrees("Epoch 1 - 3.1s - loss: 0.5", "Epoch 2 - 3.1s - loss: 0.5")
