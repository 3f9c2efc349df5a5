"""How cost grows with the work: a training step against width, batch, length and depth; compiling against depth.

    python -m benchmarks.scaling [--rounds 3]

Each size is doubled from one point to the next. ``growth`` is the last point over the first, ``work`` how much more
there is to compute; a step may grow more slowly than the work, since small steps use the machine badly. The time to the
first step is compared with Keras on JAX, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

_POINTS = 4
_DEPTHS = (10, 50, 200)


def dense(layers: Any, keras: Any, width: int, depth: int) -> Any:
    """A stack of equal layers."""
    hidden = [layers.Dense(width, activation="relu") for _ in range(depth)]
    return keras.Sequential([keras.Input((width,)), *hidden, layers.Dense(10)])


def step_seconds(model: Any, x: np.ndarray, batch: int, keras: Any) -> float:
    """Seconds of a training step, the least of a few epochs."""
    y = np.zeros(len(x), "int32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    best = float("inf")
    for _ in range(6):
        started = time.perf_counter()
        model.fit(x, y, batch_size=batch, verbose=0)
        best = min(best, (time.perf_counter() - started) * batch / len(x))
    return best


def growth(rounds: int) -> dict[str, list[float]]:
    """Seconds of a step at each point, for each size that grows; medians of the rounds."""
    import lamina as keras

    layers, rng = keras.layers, np.random.default_rng(0)

    def ones(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype("float32")

    def lstm(length: int) -> Any:
        return keras.Sequential([keras.Input((length, 32)), layers.LSTM(64), layers.Dense(10)])

    kinds = {
        "width, 128 doubled": lambda n: (dense(layers, keras, 128 * n, 3), ones(640, 128 * n), 64),
        "batch, 32 doubled": lambda n: (dense(layers, keras, 512, 3), ones(320 * n, 512), 32 * n),
        "length, 25 doubled": lambda n: (lstm(25 * n), ones(160, 25 * n, 32), 32),
        "depth, 4 doubled": lambda n: (dense(layers, keras, 256, 4 * n), ones(640, 256), 64),
    }
    return {
        name: [
            statistics.median(step_seconds(*make(2**point), keras) for _ in range(rounds)) for point in range(_POINTS)
        ]
        for name, make in kinds.items()
    }


def first_step(library: str, depth: int) -> dict[str, float]:
    """Seconds to build a deep model, and to its first step from there, in this process."""
    if library == "keras":
        os.environ["KERAS_BACKEND"] = "jax"
    import importlib

    keras: Any = importlib.import_module(library)
    keras.layers.Dense(1)(np.ones((1, 1), "float32"))  # what a first layer costs is not what a deep model does
    started = time.perf_counter()
    model = dense(keras.layers, keras, 64, depth)
    built = time.perf_counter() - started
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(np.ones((32, 64), "float32"), np.zeros(32, "int32"), verbose=0)
    return {"build": built, "first step": time.perf_counter() - started - built}


def _first_steps(rounds: int) -> None:
    environment = {**os.environ, "LAMINA_COMPILATION_CACHE": "0"}
    for depth in _DEPTHS:
        found: dict[str, list[dict[str, float]]] = {"lamina": [], "keras": []}
        for _ in range(rounds):
            for library, figures in found.items():
                command = [sys.executable, "-m", "benchmarks.scaling", "--first-step", library, str(depth)]
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                figures.append(json.loads(done.stdout.splitlines()[-1]))
        for part in ("build", "first step"):
            ours, theirs = (statistics.median(f[part] for f in found[library]) for library in found)
            print(f"{depth:4} layers, {part:10}: {ours:.2f} s, Keras/JAX {theirs:.2f} s, ratio {ours / theirs:.2f}")


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--first-step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first_step:
        print(json.dumps(first_step(options.first_step[0], int(options.first_step[1]))))
        return
    works = {"width": 4 ** (_POINTS - 1)}
    for name, seconds in growth(options.rounds).items():
        points = ", ".join(f"{s * 1e3:.3g}" for s in seconds)
        work = works.get(name.split(",")[0], 2 ** (_POINTS - 1))
        print(f"{name}: {points} ms; growth {seconds[-1] / seconds[0]:.1f}, work {work}")
    _first_steps(options.rounds)


if __name__ == "__main__":
    main()
