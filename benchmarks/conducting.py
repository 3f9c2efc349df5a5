"""Runs the peers' processes in turns and gathers what they measured."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.peers import PEERS

TOLERANCE = 5e-3  # relative, of losses over four steps: libraries round, and place Adam's epsilon, in their own ways
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", "PYTHONWARNINGS": "ignore"}


class Disagreement(Exception):
    """A peer did other work than the rest."""


class Process:
    """A worker; see `benchmarks.worker`."""

    def __init__(self, peer: str, workload: str, *options: str, cache: str = ""):
        environment = {**os.environ, **_ENVIRONMENT, "LAMINA_COMPILATION_CACHE": cache or "0"}
        self.peer, self.errors = peer, tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", peer, workload, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )

    def ask(self, command: str = "") -> Any:
        """The answer to a command; without one, what the process says by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            if command:
                print(command, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{self.peer} ended:\n{self.errors.read()[-2000:]}")
        return json.loads(line)

    def end(self) -> None:
        """Stop the process."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def processes(peers: list[str], workload: str) -> Iterator[list[Process]]:
    """A process for each peer, ended at the end."""
    started = [Process(peer, workload) for peer in peers]
    try:
        yield started
    finally:
        for process in started:
            process.end()


def measure(workload: str, peers: list[str], rounds: int, tell: Any) -> dict[str, dict[str, Any]]:
    """Figures of each peer at a workload, in seconds and bytes.

    Each round asks every peer once for each figure; the least of the rounds counts for steps, the median was taken by
    the worker for single samples.

    Raises:
        Disagreement: the losses of a peer are not those of the others.
    """
    with processes(peers, workload) as running:
        tell("agreement")
        losses = {process.peer: process.ask("losses") for process in running}
        check_agreement(workload, losses)
        figures: dict[str, dict[str, Any]] = {peer: {"losses": losses[peer]} for peer in peers}
        for turn in range(rounds + 1):  # the first compiles
            tell(f"round {turn} of {rounds}")
            for process in running:
                note = figures[process.peer].setdefault
                for name in ("train", "predict"):
                    seconds = process.ask(name)
                    if turn:
                        note(name, []).append(seconds)
                for name, seconds in zip(("call_one", "predict_one"), process.ask("latency"), strict=True):
                    if turn:
                        note(name, []).append(seconds)
    return figures


def check_agreement(workload: str, losses: dict[str, list[float]]) -> None:
    """Whether all peers compute the same."""
    reference = next(iter(losses.values()))
    for peer, found in losses.items():
        off = max(abs(a - b) / abs(b) for a, b in zip(found, reference, strict=True))
        if off > TOLERANCE:
            raise Disagreement(f"{workload}: {peer} has the losses {found}, the first peer {reference}")


def first_steps(workload: str, peers: list[str], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds from a process's start to its first finished step: on a first start, and on the second of the same."""
    figures: dict[str, dict[str, list[float]]] = {peer: {} for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            with tempfile.TemporaryDirectory() as cache:
                for name in ("first_start", "second_start"):
                    started = time.perf_counter()
                    process = Process(peer, workload, "--first-step", cache=cache)
                    parts = process.ask()
                    figures[peer].setdefault(name, []).append(time.perf_counter() - started)
                    process.end()
                for name, figure in parts.items():
                    figures[peer].setdefault(name, []).append(figure)
    return figures


def installed(names: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Peers that can be run, and packages that the others lack."""
    missing = {name: PEERS[name].missing() for name in names}
    return [name for name in names if not missing[name]], {name: lacks for name, lacks in missing.items() if lacks}
