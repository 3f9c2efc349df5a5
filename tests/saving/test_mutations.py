"""Good files changed at random: each opens, or is refused by name; nothing crashes, hangs or takes the memory."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import watching
from mutating import KINDS, Good

import lamina


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Good:
    return Good(tmp_path_factory.mktemp("good"))


def attempt(good: Good, seed: int, folder: Path) -> str:
    """Open one changed file: ``"opened"`` or ``"refused"``."""
    kind, model, data = good.mutation(seed)
    path = folder / f"changed{seed}.{kind}"
    path.write_bytes(data)
    before = model.get_weights() if kind == "weights.h5" else []
    watching.forget()
    refused = _refusal(model, kind, path)
    path.unlink()
    unchanged = all((a == b).all() for a, b in zip(before, model.get_weights(), strict=False))
    if before:
        model.set_weights(before)
    if refused is None:
        return "opened"
    assert isinstance(refused, (ValueError, OSError)), f"seed {seed}: {type(refused).__name__}: {refused}"
    is_named = path.name in str(refused) or kind == "weights.h5"  # what does not fit the model is said of the model
    assert is_named, f"seed {seed}: {refused}"
    assert unchanged, f"seed {seed}: half-loaded"
    return "refused"


def _refusal(model: Any, kind: str, path: Path) -> Exception | None:
    try:
        model.load_weights(path) if kind == "weights.h5" else lamina.models.load_model(path)
    except Exception as error:
        return error
    return None


def go_through(good: Good, seeds: range, folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ways = [attempt(good, seed, folder) for seed in seeds]
    assert ways.count("refused") > len(ways) // 4
    assert ways.count("opened") > len(ways) // 20
    assert not list(folder.iterdir())


@pytest.mark.parametrize("start", range(0, 72, 24))
def test_changed_files(good, start, tmp_path, watched):
    go_through(good, range(start, start + 24), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 1720, 24))
def test_many_changed_files(good, start, tmp_path, watched):
    go_through(good, range(start, start + 24), tmp_path)


def test_unchanged_files_open(good, tmp_path):
    assert {kind for kind, _, _ in good.files} == set(KINDS)
    for kind, model, data in good.files:
        path = tmp_path / f"good.{kind}"
        path.write_bytes(data)
        model.load_weights(path) if kind == "weights.h5" else lamina.models.load_model(path)


def test_changes_are_the_same_for_the_same_seed(good):
    assert good.mutation(11)[2] == good.mutation(11)[2]
    changed = [good.mutation(seed)[2] for seed in range(90)]
    assert len(set(changed)) > 80
