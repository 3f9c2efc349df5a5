"""The libraries that are compared: each reads the same workloads, begins with the same weights, does the same work.

A peer's module has a class `Model`, made from a workload, with:

- ``losses(x, y, batches)``: trains on so many batches in order; the loss of each, before its update;
- ``epoch()``: trains on all data once, in random order, as its users would, and waits for the end;
- ``predict()``: outputs of all data as an array;
- ``call_one()``, ``predict_one()``: outputs of one sample, by the shortest way and by the way for data sets.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Peer:
    """A library to compare.

    Attributes:
        title: how reports call it.
        module: of this folder.
        needs: packages.
        backend: of Keras.
    """

    title: str
    module: str
    needs: tuple[str, ...]
    backend: str = ""

    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]

    def load(self) -> Any:
        """Its module."""
        return importlib.import_module(f"benchmarks.peers.{self.module}")


PEERS = {
    "lamina": Peer("Lamina", "keras_like", ("lamina",)),
    "keras-jax": Peer("Keras/JAX", "keras_like", ("keras", "jax"), "jax"),
    "keras-tensorflow": Peer("Keras/TF", "keras_like", ("keras", "tensorflow"), "tensorflow"),
    "keras-torch": Peer("Keras/torch", "keras_like", ("keras", "torch"), "torch"),
    "torch": Peer("torch", "torch_modules", ("torch",)),
    "torch-compiled": Peer("torch.compile", "torch_compiled", ("torch",)),
    "flax": Peer("Flax NNX", "flax_nnx", ("flax", "optax")),
    "jax": Peer("plain JAX", "plain_jax", ("jax", "optax")),
}
