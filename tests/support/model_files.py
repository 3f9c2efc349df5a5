"""Model files made by hand, out of the formats themselves, so that they can hold what no program would write."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

KERNEL = np.arange(6, dtype="float32").reshape(3, 2) / 10
BIAS = np.array([0.5, -0.5], dtype="float32")


def described(class_name: str, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    """An object's description in Keras 3's form."""
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def input_layer(*shape: Any, dtype: str = "float32", name: str = "input") -> dict[str, Any]:
    return described("InputLayer", batch_shape=[None, *shape], dtype=dtype, name=name)


def dense(units: Any = 2, name: str = "dense", **config: Any) -> dict[str, Any]:
    return described("Dense", units=units, name=name, **config)


def sequential(*layers: dict[str, Any], name: str = "model") -> dict[str, Any]:
    return described("Sequential", "keras", name=name, layers=list(layers))


def good_config() -> dict[str, Any]:
    return sequential(input_layer(3), dense())


def functional(layers: list[dict[str, Any]], outputs: list[Any], inputs: Any = None) -> dict[str, Any]:
    """A functional model; its layers carry their `inbound_nodes`."""
    return described(
        "Functional", "keras", name="model", trainable=True, layers=layers,
        input_layers=inputs or [["input", 0, 0]], output_layers=outputs,
    )  # fmt: skip


def tensor(name: str, *shape: Any, call: int = 0, output: int = 0) -> dict[str, Any]:
    """A reference to a tensor in a functional model."""
    config = {"shape": [None, *shape], "dtype": "float32", "keras_history": [name, call, output]}
    return {"class_name": "__keras_tensor__", "config": config}


def node(entry: dict[str, Any], *args: Any, name: str | None = None, **kwargs: Any) -> dict[str, Any]:
    """A layer's description with one call of it."""
    calls = [{"args": list(args), "kwargs": kwargs}]
    return {**entry, "name": name or entry["config"]["name"], "inbound_nodes": calls if args or kwargs else []}


# The formats


def fill_weights(file: Any) -> None:
    """Keras 3's weights of the good model."""
    for path in ("vars", "layers/dense/vars"):
        file.create_group(path).attrs["name"] = path.split("/")[-2] if "/" in path else "model"
    file["layers/dense/vars/0"] = KERNEL
    file["layers/dense/vars/1"] = BIAS


def weights_bytes(fill: Any = fill_weights, **options: Any) -> bytes:
    held = io.BytesIO()
    with h5py.File(held, "w", **options) as file:
        fill(file)
    return held.getvalue()


def members(config: Any = None, weights: bytes | None = None) -> dict[str, bytes]:
    """The members of a .keras archive."""
    config = good_config() if config is None else config
    return {
        "metadata.json": json.dumps({"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}).encode(),
        "config.json": config if isinstance(config, bytes) else json.dumps(config).encode(),
        "model.weights.h5": weights_bytes() if weights is None else weights,
    }


def write_zip(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def write_keras(path: Path, config: Any = None, weights: bytes | None = None) -> Path:
    return write_zip(path, members(config, weights))


def fill_model(file: Any, config: Any = None, version: str = "3.15.1") -> None:
    """A whole model as Keras keeps it in an .h5 file."""
    config = good_config() if config is None else config
    file.attrs["keras_version"], file.attrs["backend"] = version, "jax"
    file.attrs["model_config"] = config if isinstance(config, (bytes, str)) else json.dumps(config)
    group = file.create_group("model_weights")
    fill_legacy_weights(group, version)


def fill_legacy_weights(group: Any, version: str = "3.15.1") -> None:
    group.attrs["layer_names"] = [b"dense"]
    group.attrs["keras_version"], group.attrs["backend"] = version, "jax"
    layer = group.create_group("dense")
    layer.attrs["weight_names"] = [b"model/dense/kernel", b"model/dense/bias"]
    layer["model/dense/kernel"], layer["model/dense/bias"] = KERNEL, BIAS


def write_h5(path: Path, config: Any = None, version: str = "3.15.1", fill: Any = None) -> Path:
    """An .h5 file of a whole model; `fill` may change it before it is closed."""
    with h5py.File(path, "w") as file:
        fill_model(file, config, version)
        if fill is not None:
            fill(file)
    return path


def write_weights(path: Path, fill: Any = fill_weights, **options: Any) -> Path:
    path.write_bytes(weights_bytes(fill, **options))
    return path
