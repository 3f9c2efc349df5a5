"""What the engine around a compiled step costs: `fit` beside a loop written by hand over the same step.

    python -m benchmarks.by_hand [--rounds 10] [--workload cnn]

Both run the same kernels, on data that lies on the device, in an order drawn for each epoch, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers.keras_like import Model
from benchmarks.workloads import WORKLOADS
from lamina.kernels.choosing import compiler_options


def looped_by_hand(model: Any, x: Any, y: Any, batch: int) -> Any:
    """An epoch of steps as a function of an order of samples; the model's own weights stay as they are."""

    def step(state: Any, x: Any, y: Any, rows: Any) -> Any:
        logs, new = model.train_step(state, (x[rows], y[rows], None))
        return logs["loss"], tuple(list(group) for group in new)

    state = tuple([jnp.array(variable._value) for variable in group] for group in model._state("train"))
    traced = jax.jit(step, donate_argnums=0).trace(state, x, y, jnp.arange(batch))
    run = traced.lower().compile(compiler_options(traced.jaxpr))

    def epoch(order: np.ndarray) -> None:
        nonlocal state
        loss = None
        for rows in list(jnp.asarray(order.reshape(-1, batch))):
            loss, state = run(state, x, y, rows)
        jax.block_until_ready(loss)

    return epoch


def seconds_of(call: Any, *arguments: Any) -> float:
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


def measured(name: str, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a step in each round: of `fit`, and of the loop."""
    workload = WORKLOADS[name]
    ours = Model(workload)
    for _ in range(3):  # compiles, and finds its pace
        ours.epoch()
    count = len(ours.x) // workload.batch
    by_hand = looped_by_hand(ours.model, jnp.asarray(ours.x), jnp.asarray(ours.y), workload.batch)
    rng = np.random.default_rng(0)
    fits, loops = [], []
    for _ in range(rounds + 1):
        order = rng.permutation(len(ours.x))[: count * workload.batch].astype("int32")
        loops.append(1e3 * seconds_of(by_hand, order) / count)
        fits.append(1e3 * seconds_of(ours.epoch) / count)
    return fits[1:], loops[1:]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workload", action="append", choices=list(WORKLOADS), help="all by default")
    options = parser.parse_args()
    print("ms a step, the least and the median of the rounds: fit, the loop by hand, and their ratio")
    for name in options.workload or WORKLOADS:
        fits, loops = measured(name, options.rounds)
        pairs = [(least(fits), least(loops)) for least in (min, statistics.median)]
        print(
            f"{name:12}" + "   ".join(f"{ours:7.4g} {hand:7.4g} {ours / hand:5.2f}" for ours, hand in pairs), flush=True
        )


if __name__ == "__main__":
    main()
