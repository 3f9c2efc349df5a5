"""The benchmarks: all libraries do the same work, and the tables say what was measured."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks import conducting, report
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).parents[1]
SMALL = ["tiny", "text"]


def asked(peer, workload, *commands):
    process = conducting.Process(peer, workload)
    try:
        return [process.ask(command) for command in commands]
    finally:
        process.end()


@pytest.mark.parametrize("workload", [pytest.param(w, marks=[] if w in SMALL else pytest.mark.slow) for w in WORKLOADS])
def test_libraries_compute_the_same(workload):
    found = {peer: asked(peer, workload, "library", "losses") for peer in ("lamina", "keras-jax", "jax")}
    assert [library for library, _ in found.values()] == ["lamina", "keras", "benchmarks.peers.plain_jax"]
    conducting.check_agreement(workload, {peer: losses for peer, (_, losses) in found.items()})


def test_another_model_does_not_pass():
    with pytest.raises(conducting.Disagreement, match=r"tiny: torch has the losses \[1.0, 0.8\]"):
        conducting.check_agreement("tiny", {"lamina": [1.0, 0.9], "jax": [1.0, 0.901], "torch": [1.0, 0.8]})


def test_weights_and_shapes_of_workloads():
    for workload in WORKLOADS.values():
        x, y = workload.data(batches=2)
        assert x.shape == (2 * workload.batch, *workload.shape)
        assert len(y) == len(x)
        assert all(np.isfinite(w).all() for w in workload.weights().values())


def test_tables_give_ratios(tmp_path):
    figures = {
        "tiny": {
            "lamina": {"train": [0.003, 0.002], "losses": [1.0]},
            "keras-torch": {"train": [0.004, 0.008], "losses": [1.0]},
            "jax": {"train": [0.001, 0.005], "losses": [1.0]},
        }
    }
    report.write(tmp_path, figures, ["lamina", "keras-torch", "jax"], {"torch": ["torch"]})
    written = (tmp_path / "benchmarks.md").read_text()
    assert "| tiny | 2 | 4 | 1 | **0.50** | 2.00 |" in written
    assert "Left out, not installed: torch." in written
    assert report.earlier(tmp_path, ["lamina", "keras-torch", "jax"]) == figures
    assert report.earlier(tmp_path, ["lamina", "jax"]) == {}
    assert report.earlier(tmp_path / "elsewhere", ["lamina"]) == {}


def test_the_readme_shows_what_was_measured():
    readme, measured = (ROOT / "README.md").read_text(), (ROOT / "benchmarks/results/benchmarks.md").read_text()
    table = measured.split("### Training")[1].split("###")[0].strip().split("\n\n")[-1]
    assert table.count("\n") == len(WORKLOADS) + 1
    assert table in readme
