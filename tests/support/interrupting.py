"""Saves that are cut off: run as a program, it saves in processes that it then kills, and tells what was left.

    python interrupting.py FOLDER SEED COUNT KIND ...

For each kind of file, an earlier file is written with all weights 1; then `COUNT` processes are started that write it
anew, over and over, with weights 2, 3, ..., and each is stopped at a random moment. Every line of the output is one
interruption, as JSON: what is in the file afterwards, and what else is in the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import lamina

UNITS = 600
NAMES = {
    "keras": "model.keras", "h5": "model.h5", "weights": "model.weights.h5",
    "checkpoint": "best.keras", "checkpoint-weights": "best.weights.h5",
}  # fmt: skip


def make_model() -> Any:
    layers = lamina.layers
    model = lamina.Sequential([lamina.Input((UNITS,)), *[layers.Dense(UNITS, name=f"dense_{i}") for i in range(3)]])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def fill(model: Any, value: float) -> None:
    model.set_weights([np.full(w.shape, value, "float32") for w in model.get_weights()])
    for variable in [*model.variables, *model.optimizer.variables]:
        variable.numpy()  # JAX keeps the array: copies of this process must not wait for its threads, which they lack


def save(model: Any, kind: str, path: Path) -> None:
    if kind.startswith("checkpoint"):
        callback = lamina.callbacks.ModelCheckpoint(path, save_weights_only=kind.endswith("weights"))
        callback.set_model(model)
        callback.on_epoch_end(0, {"loss": 1.0})
    elif kind == "weights":
        model.save_weights(path)
    else:
        model.save(path)


def held(model: Any, kind: str, path: Path) -> list[float]:
    """The different values of the weights in a file."""
    if kind.endswith("weights"):
        model.load_weights(path)
    else:
        model = lamina.models.load_model(path)
    return sorted({float(value) for w in model.get_weights() for value in np.unique(w)})


def cut_off(model: Any, kind: str, path: Path, draw: random.Random) -> str:
    """Save in another process that is ended on the way; how it ended."""
    small = draw.random() < 0.4
    process = os.fork()
    if process == 0:
        with contextlib.suppress(BaseException):
            if small:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                most = draw.randrange(100_000 if kind.endswith("weights") else 1_000, 4_000_000)
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            try:
                save(model, kind, path)
                while not small:
                    save(model, kind, path)
            except OSError:
                os._exit(3)
        os._exit(4)
    ended = wait(process, 5.0 if small else draw.uniform(0.0, 0.25))
    return {3: "full", 4: "done", -9: "killed"}.get(ended, "broken")


def wait(process: int, seconds: float) -> int:
    """How a process ended; it is killed if it takes longer. (A copy of a process with threads may get stuck.)"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        gone, status = os.waitpid(process, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main(folder: Path, seed: int, count: int, kinds: list[str]) -> None:
    warnings.simplefilter("ignore")
    model, other = make_model(), make_model()
    for kind in kinds:
        draw = random.Random(f"{seed} {kind}")
        path = folder / kind / NAMES[kind]
        path.parent.mkdir(parents=True)
        fill(model, 1.0)
        save(model, kind, path)
        for number in range(count):
            fill(model, number + 2.0)
            how = cut_off(model, kind, path, draw)
            found = held(other, kind, path)
            left = sorted(set(os.listdir(path.parent)) - {path.name})
            fill(model, number + 2.0)
            save(model, kind, path)
            after = sorted(set(os.listdir(path.parent)) - {path.name})
            told = {"kind": kind, "how": how, "held": found, "allowed": [number + 1.0, number + 2.0]}
            print(json.dumps({**told, "left": left, "left_later": after}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
