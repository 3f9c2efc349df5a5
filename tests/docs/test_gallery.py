"""docs/layers is what tools/make_gallery.py makes now: each layer has a page, whose programs print what it says."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

import lamina

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import make_gallery  # noqa: E402
from gallery.picture import Tensor, picture  # noqa: E402

FOLDER = ROOT / "docs" / "layers"
LAYERS = make_gallery.public_layers()
NOTES = make_gallery.notes()
#: One page of each kind is made anew in every run of the tests; all are with ``-m slow``.
SAMPLE = {"Dense", "Conv1D", "LSTM", "Embedding", "Concatenate", "Reshape", "BatchNormalization", "Softmax", "Layer"}
HOW = "run: python tools/make_gallery.py"


@pytest.fixture(autouse=True)
def _as_pages_are_made(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "JUPYTER_COLUMNS"):
        monkeypatch.setenv(name, "")  # so that it is put back
    make_gallery.prepare()
    yield
    lamina.utils.clear_session(free_memory=False)


@pytest.mark.parametrize("name", [n if n in SAMPLE else pytest.param(n, marks=pytest.mark.slow) for n in LAYERS])
def test_page_is_up_to_date(name: str) -> None:
    page = make_gallery.page(name, LAYERS[name], NOTES[name])
    assert page == (FOLDER / f"{name}.md").read_text("utf-8"), HOW


def test_every_layer_has_a_page_and_no_page_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*LAYERS, "README"}, HOW
    assert {path.stem for path in (FOLDER / "images").glob("*.svg")} == {*LAYERS}, HOW


def test_index_is_up_to_date() -> None:
    assert make_gallery.index(LAYERS, NOTES) == (FOLDER / "README.md").read_text("utf-8"), HOW


@pytest.mark.parametrize("name", LAYERS)
def test_picture_is_up_to_date(name: str) -> None:
    assert make_gallery.image(name) == (FOLDER / "images" / f"{name}.svg").read_text("utf-8"), HOW


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_has_three_mistakes(name: str) -> None:
    assert len(NOTES[name].mistakes) == make_gallery.MISTAKES
    for mistake in NOTES[name].mistakes:
        assert mistake.count("```python") == 2, "a program that fails, and the repair"


def test_notes_are_about_layers_that_exist() -> None:
    assert set(NOTES) == set(LAYERS)


def test_aliases_lead_to_the_page() -> None:
    index = (FOLDER / "README.md").read_text("utf-8")
    for aliases in LAYERS.values():
        assert all(f"`{alias}`" in index for alias in aliases)


TRIED = {name for name in LAYERS if getattr(lamina.layers, name).example_input}


@pytest.mark.parametrize("name", sorted(TRIED))
def test_the_table_of_arguments_tries_them(name: str) -> None:
    """Each argument that changes the shape is shown with another value, but those for which a page has no room."""
    card = make_gallery.card_of(name)
    assert card is not None
    table = make_gallery.shape_arguments(card)
    apart = {"axis", "equation", "layer", "output_shape", "stateful"}
    for argument in card.shape_arguments:
        assert argument in apart or re.search(rf"\| `.*{argument}=", table), argument


def test_picture_has_all_axes_and_sizes() -> None:
    tensors = [Tensor(("batch", "depth", "height", "width", "channels"), (None, 16, 28, 27, 3)), Tensor((), ())]
    out = Tensor(("batch", "height", "new", ""), (None, None, 5, 7))
    svg = ET.fromstring(picture("Conv<3>", ["a=1", "b=2"], tensors, [out]))
    texts = {"".join(element.itertext()): element for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"depth 16", "height 28", "width 27", "channels 3", "height ?", "new 5", "7"} <= set(texts)
    assert {"(None, 16, 28, 27, 3)", "(None, None, 5, 7)", "Conv<3>", "a=1", "b=2"} <= set(texts)
    assert texts["new 5"].get("class") == "new", "an axis that the layer makes stands out"
    assert texts["height ?"].get("class") is None, "one that was there before does not"
