"""How much tracing adds to building a model, and how soon an error comes.

    python -m benchmarks.tracing [--rounds 5]

The time inside traces (without the making of weights, which happens there too) is held against the rest of the build.
"First" is the first model of a process, "fresh" one whose layers have not been seen before in a warm process, and
"again" the same model once more.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import lamina
from benchmarks.build import build
from benchmarks.check import resnet50
from lamina import layers
from lamina.layers import layer, traces

_spent = {"inside": 0.0, "weights": 0.0, "depth": 0.0}


def clock() -> None:
    """Note the time spent in traces from now on."""
    trace_call, build_for = traces.trace_call, layer.Layer._build_for

    def tracing(*args: Any, **kwargs: Any) -> Any:
        _spent["depth"] += 1
        started = time.perf_counter()
        try:
            return trace_call(*args, **kwargs)
        finally:
            _spent["depth"] -= 1
            _spent["inside"] += time.perf_counter() - started

    def building(*args: Any) -> Any:
        started = time.perf_counter()
        try:
            return build_for(*args)
        finally:
            if _spent["depth"]:
                _spent["weights"] += time.perf_counter() - started

    traces.trace_call, layer.Layer._build_for = tracing, building  # type: ignore[assignment, method-assign]


def measured(make: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of a build without tracing, and of the tracing."""
    _spent.update(inside=0.0, weights=0.0)
    lamina.utils.clear_session()
    started = time.perf_counter()
    for weight in make().weights:
        weight.value.block_until_ready()
    traced = _spent["inside"] - _spent["weights"]
    return time.perf_counter() - started - traced, traced


def perceptron() -> lamina.Model:
    """A hundred Dense layers, each of another width."""
    return lamina.Sequential([lamina.Input((32,)), *(layers.Dense(400 + i, activation="relu") for i in range(100))])


def error_seconds() -> float:
    """From the call of a layer that does not fit at the end of ResNet50 to the error's text."""
    end = resnet50().layers[-2].output
    started = time.perf_counter()
    with contextlib.suppress(lamina.ShapeError):
        layers.Conv2D(8, 3)(end)
        raise AssertionError("no error came")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    clock()
    models = {"101 layers": lambda: build(lamina), "ResNet50": resnet50, "100 widths": perceptron}
    for name, make in models.items():
        for when in ("first", "fresh", "again"):
            times = []
            for _ in range(1 if when == "first" else rounds):
                if when != "again":
                    traces.forget()
                times.append(measured(make))
            rest, traced = (statistics.median(part) for part in zip(*times, strict=True))
            print(f"{name:<12} {when:<6} {rest:6.3f} s, tracing adds {traced:6.3f} s: {traced / rest:5.0%}")
    print(f"an error: {statistics.median(error_seconds() for _ in range(rounds)):.3f} s")


if __name__ == "__main__":
    main()
