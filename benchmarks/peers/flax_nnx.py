"""The workloads as modules of Flax NNX, trained with optax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks.workloads import Step, Workload, has_shortcut, shape_after

Arrays = dict[str, np.ndarray]


class Model:
    """See `benchmarks.peers`."""

    def __init__(self, workload: Workload):
        self.workload = workload
        self.module = _Chain(workload)
        self.optimizer = nnx.Optimizer(self.module, optax.adam(1e-3, eps=1e-7), wrt=nnx.Param)
        self.x, self.y = workload.data()

        def loss_of(module: Any, x: Any, y: Any) -> Any:
            outputs = module(x)
            if not workload.classes:
                return jnp.mean((outputs - y) ** 2), jnp.zeros(())
            loss = optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
            return loss, jnp.sum(jnp.argmax(outputs, -1) == y)

        @nnx.jit
        def step(module: Any, optimizer: Any, x: Any, y: Any) -> Any:
            (loss, right), slopes = nnx.value_and_grad(loss_of, has_aux=True)(module, x, y)
            optimizer.update(module, slopes)
            return loss, right

        self._step = nnx.cached_partial(step, self.module, self.optimizer)
        self.module.eval()
        self._forward = nnx.cached_partial(nnx.jit(lambda module, x: module(x)), self.module)
        self.module.train()

    def _train(self, rows: Any) -> tuple[Any, Any]:
        return self._step(self.x[rows], self.y[rows])

    def losses(self, batches: int) -> list[float]:
        self.module.train()
        size = self.workload.batch
        return [float(self._train(slice(i * size, (i + 1) * size))[0]) for i in range(batches)]

    def epoch(self) -> None:
        self.module.train()
        order = np.random.permutation(len(self.x)).reshape(-1, self.workload.batch)
        total = correct = 0.0
        for rows in order:
            loss, right = self._train(rows)
            total, correct = total + loss, correct + right
        jax.block_until_ready((total, correct))

    def predict(self) -> np.ndarray:
        self.module.eval()
        size = self.workload.batch
        return np.concatenate([np.asarray(self._forward(self.x[i : i + size])) for i in range(0, len(self.x), size)])

    def call_one(self) -> np.ndarray:
        self.module.eval()
        return np.asarray(self._forward(self.x[:1]))

    predict_one = call_one


class _Chain(nnx.Module):
    def __init__(self, workload: Workload):
        self.draws = nnx.Rngs(0)
        weights, shape, parts = workload.weights(), workload.shape, []
        for number, step in enumerate(workload.steps):
            parts.append(_part(number, step, shape, weights, self.draws))
            shape = shape_after(step, shape)
        self.parts = nnx.List(parts)

    def __call__(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x


class _Function(nnx.Module):
    """A part without weights."""

    def __init__(self, function: Any):
        self.function = function

    def __call__(self, x: Any) -> Any:
        return self.function(x)


def _part(number: int, step: Step, shape: tuple[int, ...], weights: Arrays, draws: Any) -> Any:
    kind, *settings = step
    name, width = f"{number}_{kind}", shape[-1] if shape else 0
    if kind == "dense":
        return _Activated(_filled(nnx.Linear(width, settings[0], rngs=draws), weights, name), settings[1])
    if kind == "conv":
        filters, kernel, stride, activation, padding = settings
        convolution = nnx.Conv(width, filters, kernel, stride, padding=padding.upper(), rngs=draws)
        return _Activated(_filled(convolution, weights, name), activation)
    if kind == "conv_transpose":
        filters, kernel, stride, activation = settings
        transposed = nnx.ConvTranspose(
            width, filters, kernel, (stride, stride), padding="SAME", transpose_kernel=True, rngs=draws
        )
        return _Activated(_filled(transposed, weights, name), activation)
    if kind == "pool":
        size = (settings[0],) * (len(shape) - 1)
        return _Function(lambda x: nnx.max_pool(x, size, size))
    if kind == "dropout":
        return nnx.Dropout(settings[0], rngs=draws)
    if kind in ("lstm", "gru"):
        return _Recurrent(kind, width, *settings, weights, name, draws)
    if kind == "embedding":
        embedding = nnx.Embed(*settings, rngs=draws)
        embedding.embedding[...] = weights[f"{name}/embeddings"]
        return embedding
    if kind == "residual":
        return _Residual(number, width, *settings, weights, draws)
    if kind == "transformer":
        return _Transformer(number, width, *settings, weights, draws)
    axes = tuple(range(1, len(shape)))
    return _Function(
        {
            "flatten": lambda x: x.reshape(len(x), -1),
            "average": lambda x: x.mean(axes),
            "greatest": lambda x: x.max(1),
        }[kind]
    )


def _filled(module: Any, weights: Arrays, name: str) -> Any:
    module.kernel[...] = weights[f"{name}/kernel"]
    if f"{name}/bias" in weights:
        module.bias[...] = weights[f"{name}/bias"]
    return module


class _Activated(nnx.Module):
    def __init__(self, module: Any, activation: str | None):
        self.module, self.activation = module, activation

    def __call__(self, x: Any) -> Any:
        x = self.module(x)
        return nnx.relu(x) if self.activation else x


class _Recurrent(nnx.Module):
    def __init__(self, kind: str, width: int, units: int, sequences: bool, weights: Arrays, name: str, draws: Any):
        cell: Any = (nnx.OptimizedLSTMCell if kind == "lstm" else nnx.GRUCell)(width, units, rngs=draws)
        kernel, recurrent = (weights[f"{name}/{n}"] for n in ("kernel", "recurrent_kernel"))  # biases begin as 0
        if kind == "gru":  # Keras has the update gate first, Flax the reset gate
            kernel, recurrent = (np.concatenate([b, a, c], -1) for a, b, c in _thirds(kernel, recurrent))
        cell.dense_i.kernel[...] = kernel
        cell.dense_h.kernel[...] = recurrent
        for dense in (cell.dense_i, cell.dense_h):
            if dense.use_bias:
                dense.bias[...] = np.zeros(dense.bias.shape)
        self.inner, self.sequences = nnx.RNN(cell), sequences

    def __call__(self, x: Any) -> Any:
        outputs = self.inner(x)
        return outputs if self.sequences else outputs[:, -1]


def _thirds(*arrays: np.ndarray) -> list[list[np.ndarray]]:
    return [np.split(array, 3, -1) for array in arrays]


class _Residual(nnx.Module):
    def __init__(self, number: int, width: int, filters: int, stride: int, weights: Arrays, draws: Any):
        def convolved(name: str, came: int, size: int, stride: int) -> Any:
            settings = {"padding": "SAME", "use_bias": False, "rngs": draws}
            convolution = nnx.Conv(came, filters, (size, size), stride, **settings)
            _filled(convolution, weights, f"{number}_{name}")
            return nnx.Sequential(convolution, nnx.BatchNorm(filters, momentum=0.99, epsilon=1e-3, rngs=draws))

        self.first, self.second = convolved("first", width, 3, stride), convolved("second", filters, 3, 1)
        projects = has_shortcut(filters, stride, width)
        self.shortcut = convolved("shortcut", width, 1, stride) if projects else _Function(lambda x: x)

    def __call__(self, x: Any) -> Any:
        return nnx.relu(self.shortcut(x) + self.second(nnx.relu(self.first(x))))


class _Transformer(nnx.Module):
    def __init__(self, number: int, width: int, heads: int, size: int, hidden: int, weights: Arrays, draws: Any):
        def normalization() -> Any:
            return nnx.LayerNorm(width, epsilon=1e-5, rngs=draws)

        self.norms = nnx.List([normalization(), normalization()])
        self.attention = nnx.MultiHeadAttention(heads, width, heads * size, decode=False, rngs=draws)
        for own, theirs in (("query", "query"), ("key", "key"), ("value", "value"), ("out", "attention_output")):
            _filled(getattr(self.attention, own), weights, f"{number}_attention/{theirs}")
        self.widen = _filled(nnx.Linear(width, hidden, rngs=draws), weights, f"{number}_widen")
        self.narrow = _filled(nnx.Linear(hidden, width, rngs=draws), weights, f"{number}_narrow")

    def __call__(self, x: Any) -> Any:
        x = x + self.attention(self.norms[0](x))
        return x + self.narrow(nnx.relu(self.widen(self.norms[1](x))))
