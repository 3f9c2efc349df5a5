"""The figures as tables in Markdown, and as JSON."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS

Figures = dict[str, dict[str, dict[str, Any]]]
_TABLES = {
    "train": ("Training", "milliseconds a step of `fit`", 1e3, min),
    "predict": ("Prediction", "milliseconds a batch of `predict`", 1e3, min),
    "call_one": ("One sample through `model(x)`", "milliseconds", 1e3, min),
    "predict_one": ("One sample through `predict`", "milliseconds", 1e3, min),
    "first_start": ("From the start of the process to the first step", "seconds", 1, statistics.median),
    "second_start": ("The same, when the program starts again", "seconds", 1, statistics.median),
    "build": ("Building the model", "seconds", 1, statistics.median),
    "memory": ("Memory up to the first step", "MB at the peak of the process", 1e-6, statistics.median),
}
_BY_HAND = "jax"
_PACKAGES = ("jax", "keras", "tensorflow", "torch", "flax", "optax", "numpy")


def as_markdown(figures: Figures, peers: list[str], missing: dict[str, list[str]]) -> str:
    """All tables, with the machine and what was left out."""
    parts = [f"{machine()['words']}.\n"]
    parts += [f"Left out, not installed: {', '.join(PEERS[name].title for name in missing)}.\n"] if missing else []
    for name, (title, unit, factor, choose) in _TABLES.items():
        rows = {
            workload: {peer: choose(found[peer][name]) * factor for peer in peers}
            for workload, found in figures.items()
            if name in next(iter(found.values()))
        }
        if rows:
            parts += [f"### {title}\n", f"In {unit}.\n", _table(rows, peers)]
    return "\n".join(parts)


def _table(rows: dict[str, dict[str, float]], peers: list[str]) -> str:
    others = [peer for peer in peers if peer not in ("lamina", _BY_HAND)]
    head = ["workload", *(PEERS[peer].title for peer in peers)]
    head += ["to the best peer"] if others else []
    head += ["to plain JAX"] if _BY_HAND in peers else []
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for workload, row in rows.items():
        cells = [workload, *(_number(row[peer]) for peer in peers)]
        cells += [f"**{row['lamina'] / min(row[peer] for peer in others):.2f}**"] if others else []
        cells += [f"{row['lamina'] / row[_BY_HAND]:.2f}"] if _BY_HAND in peers else []
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    today = datetime.date.today().isoformat()
    device = _processor()
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    words = f"{device}, {cores} cores, Python {platform.python_version()}, {packages}; {today}"
    return {"processor": device, "cores": cores, "versions": versions, "date": today, "words": words}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def earlier(folder: Path, peers: list[str]) -> Figures:
    """What was measured on this machine today, of the same libraries, and written to the folder; else nothing."""
    try:
        found = json.loads((folder / "benchmarks.json").read_text())
    except FileNotFoundError:
        return {}
    same = found["machine"] == machine() and all(list(each) == peers for each in found["figures"].values())
    return found["figures"] if same else {}


def write(folder: Path, figures: Figures, peers: list[str], missing: dict[str, list[str]]) -> None:
    """Keep what was measured so far."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text(as_markdown(figures, peers, missing))
    everything = {"machine": machine(), "unit": "seconds, bytes", "missing": missing, "figures": figures}
    (folder / "benchmarks.json").write_text(json.dumps(everything, indent=1))
