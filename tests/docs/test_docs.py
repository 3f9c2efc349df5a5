"""The programs in the guides and in the README do what the pages say; see `pages`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pages
import pytest
from pages import WrongPage, agrees, check_page

import lamina
from lamina import layers
from lamina.shapes.errors import forget_warnings

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "four-shapes.md"
GALLERY = ROOT / "docs" / "layers"  # made, and so run, by test_gallery
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


@pytest.fixture
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A terminal of a known width, layers numbered from the start, and settings put back afterwards."""
    monkeypatch.setenv("COLUMNS", pages.WIDTH)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "JUPYTER_COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    data_format = lamina.config.image_data_format()
    lamina.utils.clear_session(free_memory=False)
    forget_warnings()
    yield
    lamina.config.set_image_data_format(data_format)


@pytest.mark.parametrize("path", [p for p in PAGES if p.parent != GALLERY], ids=lambda p: str(p.relative_to(ROOT)))
@pytest.mark.usefixtures("_fresh")
def test_page_says_what_happens(path: Path) -> None:
    check_page(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    prose = pages.BLOCK.sub("", path.read_text(encoding="utf-8"))
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


def test_outputs_are_written_where_they_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE.replace("0.667 and ...", "nonsense") + FAILING + "End.\n")
    pages.write_outputs(path)
    assert path.read_text() == PAGE.replace("0.667 and ...", "0.6666666666666666 and more") + FAILING + "End.\n"


ROW = r"^\| `(\w+)\((.*)\)` \| `(\(.*?\))`.* \| `(\(.*\))` \| `(\(.*\))` \|$"
SHEET = re.findall(ROW, GUIDE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("layer", "arguments", "declared", "array", "shown"), SHEET)
def test_cheat_sheet(layer: str, arguments: str, declared: str, array: str, shown: str) -> None:
    made = eval(f"{layer}({arguments})", vars(layers) | {layer: getattr(layers, layer)})
    sample, samples = ast.literal_eval(declared), ast.literal_eval(array)
    assert samples == (300, *sample)
    assert made(lamina.Input(shape=sample)).shape == ast.literal_eval(shown)


def test_cheat_sheet_is_read() -> None:
    assert len(SHEET) >= 10


TABLE = (ROOT / "README.md").read_text(encoding="utf-8").split("Not there yet:")[1]
LISTED = re.findall(r"`([\w*]+)`", TABLE)


@pytest.mark.parametrize("part", ["keras", "keras.layers", "keras.callbacks", "keras.optimizers"])
def test_readme_lists_what_is_missing(part: str) -> None:
    theirs, ours = import_module(part), import_module(part.replace("keras", "lamina"))
    apart = {"src", "legacy", "serialize", "deserialize"}
    kept = [name for name in dir(theirs) if name[0] != "_" and name not in apart]
    missing = [name for name in kept if not hasattr(ours, name)]
    assert [name for name in missing if not any(fnmatch(name, pattern) for pattern in LISTED)] == []
    assert [name for name in LISTED if name in kept and name not in missing] == [], "these are there by now"
