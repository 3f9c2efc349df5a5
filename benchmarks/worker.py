"""One library at one workload in a process of its own, told what to do line by line.

    python -m benchmarks.worker PEER WORKLOAD

It reads commands from its standard input and answers each with a line of JSON: ``losses`` (of four steps, without
dropout), ``train`` and ``predict`` (seconds of a step), ``latency`` (seconds of one sample, two ways). With
``--first-step`` it trains on one batch and says that it did, what parts of that took, and the memory that it used.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS

_CALLS = 30  # of one sample, of which the median counts


class Worker:
    """See the module."""

    def __init__(self, peer: str, workload: str):
        started = time.perf_counter()
        os.environ.pop("KERAS_BACKEND", None)  # whoever runs this may have set it for programs of their own
        if PEERS[peer].backend:
            os.environ["KERAS_BACKEND"] = PEERS[peer].backend
        self.module = PEERS[peer].load()
        self.imported = time.perf_counter() - started
        self.workload = WORKLOADS[workload]
        self._made: Any = None

    @property
    def model(self) -> Any:
        if self._made is None:
            self._made = self.module.Model(self.workload)
        return self._made

    def library(self) -> str:
        return getattr(self.module, "keras", self.module).__name__

    def losses(self) -> list[float]:
        return self.module.Model(self.workload.without_dropout()).losses(4)

    def train(self) -> float:
        started = time.perf_counter()
        self.model.epoch()
        return (time.perf_counter() - started) / self.workload.batches

    def predict(self) -> float:
        started = time.perf_counter()
        self.model.predict()
        return (time.perf_counter() - started) / self.workload.batches

    def latency(self) -> list[float]:
        return [_median(self.model.call_one), _median(self.model.predict_one)]


def _median(call: Any) -> float:
    call()
    seconds = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Answer commands until there are no more."""
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(2, 1)
    worker = Worker(*sys.argv[1:3])
    if "--first-step" in sys.argv:
        started = time.perf_counter()
        model = worker.model
        built = time.perf_counter() - started
        model.losses(1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"import": worker.imported, "build": built, "memory": peak}), file=answers, flush=True)
        os._exit(0)
    for line in sys.stdin:
        print(json.dumps(getattr(worker, line.strip())()), file=answers, flush=True)


if __name__ == "__main__":
    main()
