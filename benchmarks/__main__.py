"""Lamina and every installed peer at the same work: steps of training and prediction, single samples, first steps.

    python -m benchmarks [--quick] [--workload NAME ...] [--peer NAME ...] [--rounds 3] [--output FOLDER]

Each library runs in a process of its own, all on the same data and from the same weights; before anything is timed,
their losses over four steps are compared. Rounds take the libraries in turns. Writes ``benchmarks.md`` and
``benchmarks.json``, where workloads that were measured on the same day stay. Peers come with
``pip install -e '.[bench]'``; those that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks import conducting, report
from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS

QUICK_PEERS = ["lamina", "keras-jax", "torch", "jax"]
QUICK_WORKLOADS = ["tiny", "mlp", "cnn", "lstm", "text"]


def main() -> None:
    """See the module."""
    options = _options()
    peers, missing = conducting.installed(options.peer)
    for name, lacks in missing.items():
        print(f"left out: {PEERS[name].title} ({', '.join(lacks)} not installed)", file=sys.stderr)
    if len(peers) < 2:
        sys.exit("nothing to compare with: pip install -e '.[bench]'")
    kept = report.earlier(options.output, peers)
    for workload in options.workload:
        kept[workload] = _measured(workload, peers, options)
        figures = {name: kept[name] for name in WORKLOADS if name in kept}
        report.write(options.output, figures, peers, missing)
    print(report.as_markdown(figures, peers, missing))


def _measured(workload: str, peers: list[str], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    def tell(what: str) -> None:
        print(f"{workload}: {what}", file=sys.stderr)

    figures = conducting.measure(workload, peers, options.rounds, tell)
    if not options.quick:
        tell("first steps")
        for peer, more in conducting.first_steps(workload, peers, 2 if options.rounds > 2 else 1).items():
            figures[peer].update(more)
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="five workloads, three peers, no first steps: three minutes"
    )
    parser.add_argument("--workload", action="append", choices=list(WORKLOADS), help="all by default")
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="all by default; Lamina is always there")
    parser.add_argument("--rounds", type=int, default=None, help="3 by default; 2 if quick")
    parser.add_argument("--output", type=Path, help="where the files go: benchmarks/results, its folder quick if quick")
    options = parser.parse_args()
    options.workload = options.workload or (QUICK_WORKLOADS if options.quick else list(WORKLOADS))
    options.peer = options.peer or (QUICK_PEERS if options.quick else list(PEERS))
    options.peer = ["lamina", *(peer for peer in options.peer if peer != "lamina")]
    options.rounds = options.rounds or (2 if options.quick else 3)
    results = Path("benchmarks/results")
    options.output = options.output or (results / "quick" if options.quick else results)
    return options


if __name__ == "__main__":
    main()
