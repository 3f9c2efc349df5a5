"""Saves that are cut off at any moment: the earlier file stays whole, and nothing is left beside it."""

import collections
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import interrupting
import numpy as np
import pytest

import lamina
from lamina.saving import atomic

KINDS = list(interrupting.NAMES)
needs_processes = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be killed")


def run(folder: Path, seed: int, count: int) -> list[dict]:
    """The reports of `interrupting`, which runs as a program of its own."""
    program = [sys.executable, interrupting.__file__, str(folder), str(seed), str(count), *KINDS]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(reports: list[dict]) -> None:
    for report in reports:
        assert len(report["held"]) == 1, f"a half-written file: {report}"
        assert report["held"][0] in report["allowed"], f"neither the earlier file nor the new one: {report}"
        assert report["how"] != "broken", report
        assert not report["left_later"], f"litter that the next save leaves: {report}"
        if report["how"] == "full":
            assert report["held"] == report["allowed"][:1], f"a full disk took the earlier file: {report}"
    # Between two calls of the system a new file has a second name; the next save removes it if a kill came just there.
    assert sum(len(report["left"]) for report in reports) <= 1
    ways = collections.Counter(report["how"] for report in reports)
    assert ways["killed"] >= len(reports) // 4
    assert ways["full"] >= len(reports) // 8


@needs_processes
def test_killed_or_full_the_earlier_file_stays(tmp_path):
    reports = run(tmp_path, seed=0, count=2)
    assert len(reports) == 10
    check(reports)


@needs_processes
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_killed_many_times(tmp_path, seed):
    check(run(tmp_path, seed, count=40))


# Exceptions midway


class Failing(lamina.layers.Layer):
    """Its weights cannot be written when `FAILURE` is set."""

    failure: BaseException | None = None

    def build(self, input_shape):
        self.kernel = self.add_weight((2,), "ones", name="kernel")

    def call(self, x):
        return x + self.kernel

    def save_own_variables(self, store):
        if Failing.failure is not None:
            raise Failing.failure
        super().save_own_variables(store)


@pytest.fixture
def model():
    layers = [lamina.layers.Dense(64), lamina.layers.Dense(2), Failing(name="failing")]
    made = lamina.Sequential([lamina.Input((3,)), *layers])
    made.compile("adam", "mse")
    yield made
    Failing.failure = None


def save_folder(model, path):
    lamina.saving.save_model(model, path, zipped=False)


def checkpoint(model, path):
    callback = lamina.callbacks.ModelCheckpoint(path, save_weights_only=path.name.endswith(".weights.h5"))
    model.fit(np.zeros((2, 3)), np.zeros((2, 2)), verbose=0, callbacks=[callback])


WRITERS = {
    "model.keras": lambda model, path: model.save(path),
    "model.weights.h5": lambda model, path: model.save_weights(path),
    "model.weights.json": lambda model, path: model.save_weights(path, max_shard_size=1e-7),
    "folder": save_folder,
    "best.keras": checkpoint,
    "best.weights.h5": checkpoint,
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("failure", [RuntimeError("midway"), KeyboardInterrupt(), MemoryError(), OSError(28, "full")])
def test_an_exception_midway_changes_nothing(name, failure, model, tmp_path):
    write = WRITERS[name]
    write(model, tmp_path / name)
    before = contents(tmp_path)
    assert before
    Failing.failure = failure
    with pytest.raises(type(failure)):
        write(model, tmp_path / name)
    assert contents(tmp_path) == before
    Failing.failure = None
    write(model, tmp_path / name)
    assert set(contents(tmp_path)) == set(before)


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_a_disk_that_fails_at_the_end_changes_nothing(name, moment, tmp_path, monkeypatch):
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
    write = WRITERS.get(name, WRITERS["model.keras"])
    write(model, tmp_path / name)
    before = contents(tmp_path)

    def fail(*_, **__):
        raise OSError(5, "input/output error")

    monkeypatch.setattr(atomic.os, moment, fail)
    with pytest.raises(OSError, match="input/output"):
        write(model, tmp_path / name)
    monkeypatch.undo()
    assert contents(tmp_path) == before
    assert not [n for n in os.listdir(tmp_path) if n != name]


@needs_processes
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_a_folder_that_may_not_be_written_is_an_error(name):
    """In a process without rights, as root may write everywhere."""
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "locked")
        folder.mkdir()
        model.save_weights(folder / name) if name.endswith("weights.h5") else model.save(folder / name)
        before = contents(folder)
        os.chmod(place, 0o755)
        os.chmod(folder, 0o555)
        ended = -9
        for _ in range(3):
            process = os.fork() if ended == -9 else None
            if process == 0:
                code = 9
                try:
                    if os.geteuid() == 0:
                        os.setuid(65534)
                    model.save_weights(folder / name) if name.endswith("weights.h5") else model.save(folder / name)
                except OSError:
                    code = 3
                finally:
                    os._exit(code)
            ended = ended if process is None else interrupting.wait(process, 10.0)
        assert ended == 3
        assert contents(folder) == before
        os.chmod(folder, 0o755)


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, monkeypatch):
    """Where files always have names: those of processes that are gone are removed."""
    monkeypatch.setattr(atomic, "_UNNAMED", None)
    target = tmp_path / "model.keras"
    program = (
        "import os, sys; from lamina.saving import atomic; atomic._UNNAMED = None\n"
        "with atomic.writing(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert len(os.listdir(tmp_path)) == 1
    assert not target.exists()
    lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)]).save(target)
    assert os.listdir(tmp_path) == ["model.keras"]
