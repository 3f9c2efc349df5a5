"""The workloads as modules of PyTorch, run eagerly; images and sequences in PyTorch's own order, channels first."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.workloads import Step, Workload, has_shortcut, shape_after

Arrays = dict[str, np.ndarray]


class Model:
    """See `benchmarks.peers`."""

    compiled = False

    def __init__(self, workload: Workload):
        self.workload = workload
        self.module = _module(workload)
        self.forward: Any = torch.compile(self.module) if self.compiled else self.module
        trained = [p for p in self.module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, 1e-3, eps=1e-7)
        x, y = workload.data()
        if _is_image_or_wave(workload):
            x = np.moveaxis(x, -1, 1)
        self.x = torch.tensor(np.ascontiguousarray(x))
        self.y = self.x if not workload.classes else torch.tensor(y, dtype=torch.long)

    def _train(self, rows: Any) -> tuple[Any, Any]:
        x, y = self.x[rows], self.y[rows]
        self.module.train()
        outputs = self.forward(x)
        loss = functional.cross_entropy(outputs, y) if self.workload.classes else functional.mse_loss(outputs, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        right = (outputs.detach().argmax(-1) == y).sum() if self.workload.classes else 0
        return loss.detach(), right

    def losses(self, batches: int) -> list[float]:
        size = self.workload.batch
        return [float(self._train(slice(i * size, (i + 1) * size))[0]) for i in range(batches)]

    def epoch(self) -> None:
        total, correct = torch.zeros(()), torch.zeros(())
        for rows in torch.randperm(len(self.x)).split(self.workload.batch):
            loss, right = self._train(rows)
            total, correct = total + loss, correct + right
        float(total + correct)

    def predict(self) -> np.ndarray:
        self.module.eval()
        with torch.inference_mode():
            return np.concatenate([self.forward(part).numpy() for part in self.x.split(self.workload.batch)])

    def call_one(self) -> np.ndarray:
        self.module.eval()
        with torch.inference_mode():
            return self.forward(self.x[:1]).numpy()

    predict_one = call_one


def _is_image_or_wave(workload: Workload) -> bool:
    return workload.steps[0][0] == "conv"


class _Channels(nn.Module):
    """Between ``(time, features)`` and ``(features, time)``."""

    def forward(self, x: Any) -> Any:
        return x.transpose(1, 2)


class _Mean(nn.Module):
    def __init__(self, axes: list[int]):
        super().__init__()
        self.axes = axes

    def forward(self, x: Any) -> Any:
        return x.mean(self.axes)


class _Greatest(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.amax(-1)


class _Padded(nn.Module):
    """What "same" adds for steps of 2: one at each axis's end."""

    def forward(self, x: Any) -> Any:
        return functional.pad(x, (0, 1, 0, 1))


class _Cropped(nn.Module):
    def forward(self, x: Any) -> Any:
        return x[..., :-1, :-1]


class _Recurrent(nn.Module):
    def __init__(self, kind: str, width: int, units: int, sequences: bool, weights: Arrays, name: str):
        super().__init__()
        self.inner = (nn.LSTM if kind == "lstm" else nn.GRU)(width, units, batch_first=True)
        self.sequences = sequences
        kernel, recurrent, bias = (_gates(kind, weights[f"{name}/{n}"]) for n in ("kernel", "recurrent_kernel", "bias"))
        biases = [bias, np.zeros_like(bias)] if kind == "lstm" else bias
        self.inner.bias_hh_l0.requires_grad_(kind == "gru")
        _fill(self.inner.weight_ih_l0, kernel.T)
        _fill(self.inner.weight_hh_l0, recurrent.T)
        _fill(self.inner.bias_ih_l0, biases[0])
        _fill(self.inner.bias_hh_l0, biases[1])

    def forward(self, x: Any) -> Any:
        outputs, _ = self.inner(x)
        return outputs if self.sequences else outputs[:, -1]


def _gates(kind: str, array: np.ndarray) -> np.ndarray:
    """Keras has a GRU's update gate first, PyTorch its reset gate."""
    if kind == "lstm":
        return array
    update, reset, new = np.split(array, 3, -1)
    return np.concatenate([reset, update, new], -1)


class _Residual(nn.Module):
    def __init__(self, number: int, width: int, filters: int, stride: int, weights: Arrays):
        super().__init__()

        def convolved(name: str, came: int, size: int, stride: int) -> nn.Module:
            parts = [_Padded()] if size == 3 and stride == 2 else []
            padding = 1 if size == 3 and stride == 1 else 0
            convolution = nn.Conv2d(came, filters, size, stride, padding, bias=False)
            _fill(convolution.weight, weights[f"{number}_{name}/kernel"].transpose(3, 2, 0, 1))
            return nn.Sequential(*parts, convolution, nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01))

        self.first, self.second = convolved("first", width, 3, stride), convolved("second", filters, 3, 1)
        self.shortcut = (
            convolved("shortcut", width, 1, stride) if has_shortcut(filters, stride, width) else nn.Identity()
        )

    def forward(self, x: Any) -> Any:
        return functional.relu(self.shortcut(x) + self.second(functional.relu(self.first(x))))


class _Transformer(nn.Module):
    def __init__(self, number: int, width: int, heads: int, weights: Arrays):
        super().__init__()
        own = {n.removeprefix(f"{number}_"): w for n, w in weights.items() if n.startswith(f"{number}_")}
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        parts = [own[f"attention/{n}/kernel"].reshape(width, -1).T for n in ("query", "key", "value")]
        _fill(self.attention.in_proj_weight, np.concatenate(parts))
        _fill(self.attention.in_proj_bias, np.zeros(3 * width))
        _fill(self.attention.out_proj.weight, own["attention/attention_output/kernel"].reshape(-1, width).T)
        _fill(self.attention.out_proj.bias, own["attention/attention_output/bias"])
        self.widen, self.narrow = _dense(own, "widen"), _dense(own, "narrow")

    def forward(self, x: Any) -> Any:
        inner = self.norms[0](x)
        x = x + self.attention(inner, inner, inner, need_weights=False)[0]
        return x + self.narrow(functional.relu(self.widen(self.norms[1](x))))


def _fill(parameter: Any, array: np.ndarray) -> None:
    with torch.no_grad():
        parameter.copy_(torch.tensor(np.ascontiguousarray(array)))


def _dense(weights: Arrays, name: str, flattened: tuple[int, ...] = ()) -> nn.Module:
    kernel = weights[f"{name}/kernel"]
    if flattened:  # rows in the order in which channels-first images are flattened
        kernel = np.moveaxis(kernel.reshape(*flattened, -1), -2, 0).reshape(kernel.shape)
    dense = nn.Linear(*kernel.shape)
    _fill(dense.weight, kernel.T)
    _fill(dense.bias, weights[f"{name}/bias"])
    return dense


def _module(workload: Workload) -> nn.Module:
    weights, shape = workload.weights(), workload.shape
    parts: list[nn.Module] = []
    first = _is_image_or_wave(workload)  # whether channels stand first now
    flattened: tuple[int, ...] = ()
    for number, step in enumerate(workload.steps):
        if step[0] == "conv" and not first:
            parts.append(_Channels())
            first = True
        parts += _parts(number, step, shape, weights, first, flattened)
        flattened = shape if step[0] == "flatten" else () if step[0] == "dense" else flattened
        shape = shape_after(step, shape)
    return nn.Sequential(*parts)


def _parts(
    number: int, step: Step, shape: tuple[int, ...], weights: Arrays, first: bool, flattened: tuple[int, ...]
) -> list[nn.Module]:
    kind, *settings = step
    name, width = f"{number}_{kind}", shape[-1] if shape else 0
    if kind == "dense":
        return [_dense(weights, name, flattened), *([nn.ReLU()] if settings[1] else [])]
    if kind == "conv":
        return _convolution(name, width, weights, *settings)
    if kind == "conv_transpose":
        filters, kernel, stride, activation = settings
        transposed = nn.ConvTranspose2d(width, filters, kernel, stride)
        _fill(transposed.weight, weights[f"{name}/kernel"].transpose(3, 2, 0, 1))
        _fill(transposed.bias, weights[f"{name}/bias"])
        return [transposed, _Cropped(), *([nn.ReLU()] if activation else [])]
    if kind == "pool":
        return [(nn.MaxPool2d if len(shape) == 3 else nn.MaxPool1d)(settings[0])]
    if kind == "flatten":
        return [nn.Flatten()]
    if kind == "dropout":
        return [nn.Dropout(settings[0])]
    if kind == "average":
        return [_Mean(list(range(2, len(shape) + 1)) if first else [1])]
    if kind == "greatest":
        return [_Greatest()]
    if kind in ("lstm", "gru"):
        return [_Recurrent(kind, width, *settings, weights, name)]
    if kind == "embedding":
        embedding = nn.Embedding(*settings)
        _fill(embedding.weight, weights[f"{name}/embeddings"])
        return [embedding]
    if kind == "residual":
        return [_Residual(number, width, *settings, weights)]
    return [_Transformer(number, width, settings[0], weights)]


def _convolution(
    name: str, width: int, weights: Arrays, filters: int, kernel: Any, stride: int, activation: Any, padding: str
) -> list[nn.Module]:
    rank = len(kernel)
    before = [_Padded()] if padding == "same" and stride == 2 else []
    around = kernel[0] // 2 if padding == "same" and stride == 1 else 0
    convolution = (nn.Conv2d if rank == 2 else nn.Conv1d)(width, filters, kernel, stride, around)
    _fill(convolution.weight, np.moveaxis(weights[f"{name}/kernel"], (-1, -2), (0, 1)))
    _fill(convolution.bias, weights[f"{name}/bias"])
    return [*before, convolution, *([nn.ReLU()] if activation else [])]
