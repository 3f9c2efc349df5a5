"""The workloads as someone would write them in JAX itself: functions of a dict of arrays, one jitted step."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.workloads import Step, Workload

Weights = dict[str, jax.Array]


class Model:
    """See `benchmarks.peers`."""

    def __init__(self, workload: Workload):
        self.workload = workload
        weights = jax.device_put(workload.weights())
        self.state = {n: w for n, w in weights.items() if "moving" in n}
        self.weights = {n: w for n, w in weights.items() if n not in self.state}
        optimizer = optax.adam(1e-3, eps=1e-7)
        self.slots = jax.device_put(optimizer.init(self.weights))
        self.key = jax.random.key(0)
        self.x, self.y = workload.data()

        def loss_of(weights: Weights, state: Weights, key: Any, x: Any, y: Any) -> Any:
            outputs, state = forward(workload.steps, {**weights, **state}, x, key)
            if not workload.classes:
                return jnp.mean((outputs - y) ** 2), (state, jnp.zeros(()))
            chosen = jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], 1)
            return -jnp.mean(chosen), (state, jnp.sum(jnp.argmax(outputs, -1) == y))

        def step(weights: Any, state: Any, slots: Any, key: Any, x: Any, y: Any) -> Any:
            key, drawn = jax.random.split(key)
            (loss, (state, right)), slopes = jax.value_and_grad(loss_of, has_aux=True)(weights, state, drawn, x, y)
            changes, slots = optimizer.update(slopes, slots)
            return optax.apply_updates(weights, changes), state, slots, key, loss, right

        self._step = jax.jit(step, donate_argnums=(0, 1, 2, 3))
        self._forward = jax.jit(lambda weights, state, x: forward(workload.steps, {**weights, **state}, x, None)[0])

    def _train(self, rows: Any) -> tuple[Any, Any]:
        self.weights, self.state, self.slots, self.key, loss, right = self._step(
            self.weights, self.state, self.slots, self.key, self.x[rows], self.y[rows]
        )
        return loss, right

    def losses(self, batches: int) -> list[float]:
        size = self.workload.batch
        return [float(self._train(slice(i * size, (i + 1) * size))[0]) for i in range(batches)]

    def epoch(self) -> None:
        order = np.random.permutation(len(self.x)).reshape(-1, self.workload.batch)
        total = correct = 0.0
        for rows in order:
            loss, right = self._train(rows)
            total, correct = total + loss, correct + right
        jax.block_until_ready((total, correct, self.weights))

    def predict(self) -> np.ndarray:
        size = self.workload.batch
        parts = [self._forward(self.weights, self.state, self.x[i : i + size]) for i in range(0, len(self.x), size)]
        return np.concatenate([np.asarray(part) for part in parts])

    def call_one(self) -> np.ndarray:
        return np.asarray(self._forward(self.weights, self.state, self.x[:1]))

    predict_one = call_one


def forward(steps: list[Step], weights: Weights, x: Any, key: Any) -> tuple[Any, Weights]:
    """Outputs, and new moving averages; `key` is for training, where there is dropout and batches are normalized."""
    state: Weights = {}
    for number, step in enumerate(steps):
        kind, *settings = step
        own = {n.split("/", 1)[1]: w for n, w in weights.items() if n.startswith(f"{number}_{kind}/")}
        if kind == "dense":
            x = _activated(x @ own["kernel"] + own["bias"], settings[1])
        elif kind == "conv":
            x = _activated(_convolved(x, own["kernel"], settings[2], settings[4]) + own["bias"], settings[3])
        elif kind == "conv_transpose":
            x = _activated(_transposed(x, own["kernel"], settings[2]) + own["bias"], settings[3])
        elif kind == "pool":
            window = (1, *[settings[0]] * (x.ndim - 2), 1)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        elif kind == "flatten":
            x = x.reshape(len(x), -1)
        elif kind == "dropout" and key is not None and settings[0]:
            keep = jax.random.bernoulli(key, 1 - settings[0], x.shape)
            x = jnp.where(keep, x / (1 - settings[0]), 0)
        elif kind == "average":
            x = x.mean(axis=tuple(range(1, x.ndim - 1)))
        elif kind == "greatest":
            x = x.max(axis=1)
        elif kind in ("lstm", "gru"):
            x = (_lstm if kind == "lstm" else _gru)(x, own, settings[1])
        elif kind == "embedding":
            x = own["embeddings"][x]
        elif kind == "residual":
            x = _residual(number, x, weights, state, settings[1], key is not None)
        elif kind == "transformer":
            x = _transformer({n.split("_", 1)[1]: w for n, w in weights.items() if n.startswith(f"{number}_")}, x)
    return x, state


def _activated(x: Any, activation: str | None) -> Any:
    return jax.nn.relu(x) if activation else x


def _convolved(x: Any, kernel: Any, stride: int, padding: str) -> Any:
    rank = x.ndim - 2
    names = ("NHWC", "HWIO", "NHWC") if rank == 2 else ("NWC", "WIO", "NWC")
    return lax.conv_general_dilated(x, kernel, (stride,) * rank, padding.upper(), dimension_numbers=names)


def _transposed(x: Any, kernel: Any, stride: int) -> Any:
    return lax.conv_transpose(x, kernel, (stride, stride), "SAME", transpose_kernel=True)


def _lstm(x: Any, own: Weights, sequences: bool) -> Any:
    units = own["recurrent_kernel"].shape[0]
    projected = jnp.swapaxes(x @ own["kernel"] + own["bias"], 0, 1)

    def step(carry: Any, now: Any) -> Any:
        hidden, cell = carry
        i, f, c, o = jnp.split(now + hidden @ own["recurrent_kernel"], 4, -1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(c)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden

    start = jnp.zeros((len(x), units))
    (hidden, _), all_hidden = lax.scan(step, (start, start), projected)
    return jnp.swapaxes(all_hidden, 0, 1) if sequences else hidden


def _gru(x: Any, own: Weights, sequences: bool) -> Any:
    units = own["recurrent_kernel"].shape[0]
    projected = jnp.swapaxes(x @ own["kernel"] + own["bias"][0], 0, 1)

    def step(hidden: Any, now: Any) -> Any:
        xz, xr, xh = jnp.split(now, 3, -1)
        hz, hr, hh = jnp.split(hidden @ own["recurrent_kernel"] + own["bias"][1], 3, -1)
        z, r = jax.nn.sigmoid(xz + hz), jax.nn.sigmoid(xr + hr)
        hidden = z * hidden + (1 - z) * jnp.tanh(xh + r * hh)
        return hidden, hidden

    hidden, all_hidden = lax.scan(step, jnp.zeros((len(x), units)), projected)
    return jnp.swapaxes(all_hidden, 0, 1) if sequences else hidden


def _residual(number: int, x: Any, weights: Weights, state: Weights, stride: int, training: bool) -> Any:
    def convolved(x: Any, name: str, stride: int) -> Any:
        name = f"{number}_{name}"
        return _normalized(_convolved(x, weights[f"{name}/kernel"], stride, "same"), f"{name}_norm")

    def _normalized(x: Any, name: str) -> Any:
        gamma, beta, mean, variance = (
            weights[f"{name}/{n}"] for n in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        if training:
            now, spread = x.mean((0, 1, 2)), x.var((0, 1, 2))
            state[f"{name}/moving_mean"] = 0.99 * mean + 0.01 * now
            state[f"{name}/moving_variance"] = 0.99 * variance + 0.01 * spread
            mean, variance = now, spread
        return (x - mean) * (lax.rsqrt(variance + 1e-3) * gamma) + beta

    inner = convolved(jax.nn.relu(convolved(x, "first", stride)), "second", 1)
    if f"{number}_shortcut/kernel" in weights:
        x = convolved(x, "shortcut", stride)
    return jax.nn.relu(x + inner)


def _transformer(own: Weights, x: Any) -> Any:
    def normalized(x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scale = lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return centred * scale * own[f"{name}/gamma"] + own[f"{name}/beta"]

    inner = normalized(x, "attention_norm")
    query, key, value = (
        jnp.einsum("btd,dhk->bthk", inner, own[f"attention/{n}/kernel"]) + own[f"attention/{n}/bias"]
        for n in ("query", "key", "value")
    )
    inner = jax.nn.dot_product_attention(query, key, value)
    x = x + jnp.einsum("bthk,hkd->btd", inner, own["attention/attention_output/kernel"])
    x = x + own["attention/attention_output/bias"]
    inner = jax.nn.relu(normalized(x, "feed_norm") @ own["widen/kernel"] + own["widen/bias"])
    return x + inner @ own["narrow/kernel"] + own["narrow/bias"]
