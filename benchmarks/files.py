"""Saving and loading a model of 100 million parameters: Lamina and Keras, each in a process of its own.

``python benchmarks/files.py`` prints seconds and the most memory taken above the model itself, and their ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

LIBRARIES = ("keras", "lamina")
JOBS = ("save", "load", "save_weights", "load_weights", "save_h5", "load_h5")


def build(k: Any, layers: int, width: int) -> Any:
    """Dense layers, one after the other."""
    return k.Sequential([k.Input((width,)), *(k.layers.Dense(width, use_bias=False) for _ in range(layers))])


class Peak:
    """The most memory that this process holds while something runs, in bytes, sampled every millisecond."""

    def __enter__(self) -> Peak:
        self.before = self.most = resident()
        self._going = True
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while self._going:
            self.most = max(self.most, resident())
            time.sleep(0.001)

    def __exit__(self, *_: Any) -> None:
        self._going = False
        self._thread.join()
        self.most = max(self.most, resident())


def resident() -> int:
    """Bytes of memory that this process holds now."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def run(library: str, job: str, folder: str, layers: int, width: int) -> dict[str, float]:
    """One job in this process."""
    import importlib

    k = importlib.import_module(library)
    importlib.import_module(f"{library}.models")
    end = ".h5" if job.endswith("_h5") else ".keras"
    small, path, weights = Path(folder, f"small{end}"), Path(folder, f"m{end}"), Path(folder, "m.weights.h5")
    build(k, 1, 8).save(small)
    k.models.load_model(small)  # what is loaded and compiled once is not measured
    held = layers * width * width * 4
    makes = job in ("load", "load_h5")
    model = None if makes else build(k, layers, width)
    started = time.perf_counter()
    with Peak() as peak:
        if job in ("save", "save_h5"):
            model.save(path)
        elif makes:
            model = k.models.load_model(path)
        elif job == "save_weights":
            model.save_weights(weights)
        else:
            model.load_weights(weights)
        _ = [w.value.block_until_ready() for w in model.weights]
    seconds = time.perf_counter() - started
    own = held if makes else 0
    return {"seconds": seconds, "above": (peak.most - peak.before - own) / held}


def measure(library: str, job: str, folder: str, args: argparse.Namespace) -> dict[str, float]:
    """One job in a process of its own, a few times; the median."""
    size = [f"--layers={args.layers}", f"--width={args.width}"]
    command = [sys.executable, __file__, "--run", library, job, folder, *size]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    runs = []
    for _ in range(args.repeats):
        out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        runs.append(json.loads(out.splitlines()[-1]))
    return {name: statistics.median(entry[name] for entry in runs) for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs=3, metavar=("LIBRARY", "JOB", "FOLDER"))
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(run(*args.run, args.layers, args.width)))
        return
    megabytes = args.layers * args.width**2 * 4 / 2**20
    print(f"{args.layers * args.width**2 / 1e6:.0f} million parameters, {megabytes:.0f} MB of weights")
    print(f"{'':14}{'seconds':>18}{'':10}{'memory above the model, in weights':>36}")
    print(f"{'':14}{'keras':>8}{'lamina':>10}{'ratio':>10}{'keras':>16}{'lamina':>10}")
    with tempfile.TemporaryDirectory() as keras_folder, tempfile.TemporaryDirectory() as lamina_folder:
        for job in args.jobs:
            theirs, ours = measure("keras", job, keras_folder, args), measure("lamina", job, lamina_folder, args)
            ratio = ours["seconds"] / theirs["seconds"]
            print(
                f"{job:14}{theirs['seconds']:8.2f}{ours['seconds']:10.2f}{ratio:10.2f}"
                f"{theirs['above']:16.2f}{ours['above']:10.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
