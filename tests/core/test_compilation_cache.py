"""Compiled programs on disk: where, how much, and whose word counts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamina.core import compilation_cache
from lamina.core.compilation_cache import folder, prune

PROGRAM = """
import numpy as np, jax, lamina
from lamina.core import compilation_cache
compilation_cache._SECONDS = 0.0
if {own!r}:
    jax.config.update("jax_compilation_cache_dir", {own!r})
model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
model.compile("sgd", "mse")
model.fit(np.zeros((4, 3)), np.zeros((4, 2)), verbose=0)
"""


def run(cache, own=""):
    environment = {**os.environ, "LAMINA_COMPILATION_CACHE": str(cache)}
    subprocess.run([sys.executable, "-c", PROGRAM.format(own=str(own))], env=environment, check=True)


def programs(path):
    return sorted(entry.name for entry in path.iterdir() if entry.name.endswith("-cache")) if path.exists() else []


def test_a_second_start_finds_the_programs_of_the_first(tmp_path):
    run(tmp_path / "kept")
    first = programs(tmp_path / "kept")
    assert first
    run(tmp_path / "kept")
    assert programs(tmp_path / "kept") == first


def test_where_the_user_told_jax_counts(tmp_path):
    (tmp_path / "own").mkdir()
    run(tmp_path / "kept", own=tmp_path / "own")
    assert programs(tmp_path / "kept") == []


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("in the way")
    run(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("word", ["0", "off", "OFF", "no"])
def test_the_switch(monkeypatch, word):
    monkeypatch.setenv("LAMINA_COMPILATION_CACHE", word)
    assert folder() is None


def test_the_place(monkeypatch, tmp_path):
    monkeypatch.setenv("LAMINA_COMPILATION_CACHE", str(tmp_path))
    assert folder() == tmp_path
    monkeypatch.delenv("LAMINA_COMPILATION_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder() == tmp_path / "lamina" / "programs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert folder() == Path.home() / ".cache" / "lamina" / "programs"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert folder() == Path.home() / "Library" / "Caches" / "lamina" / "programs"


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    for age, name in enumerate(["new", "middle", "old"]):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    (tmp_path / "folder").mkdir()
    prune(tmp_path, 250)
    assert sorted(os.listdir(tmp_path)) == ["folder", "middle", "new"]
    prune(tmp_path, 250)
    assert sorted(os.listdir(tmp_path)) == ["folder", "middle", "new"]
    prune(tmp_path, 0)
    assert os.listdir(tmp_path) == ["folder"]
    assert compilation_cache.MOST_BYTES > 2**30
