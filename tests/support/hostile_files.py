"""Hostile model files: every published way to make Keras's loader do harm, and those of its file formats.

Each maker writes one file into a folder. What it would do is harmless and can be seen: the file `MARK` would be made
in the folder, the file `SECRET` there would be read, or more memory or time be taken than such a file needs.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import marshal
import os
import pickle
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import model_files as mf
import numpy as np

MARK, SECRET = "mark", "secret.txt"

Maker = Callable[[Path], Path]
#: Makers by name, and a pattern that the error's message must fit; ``None`` where the file may also open.
CASES: dict[str, tuple[Maker, str | None]] = {}


def case(name: str, match: str | None = "") -> Callable[[Maker], Maker]:
    def note(maker: Maker) -> Maker:
        assert name not in CASES, name
        CASES[name] = maker, match
        return maker

    return note


# Configurations: each as .keras, .h5 and JSON


def config_case(name: str, make: Callable[[Path], Any], match: str | None = "", formats: str = "keras h5 json") -> None:
    """The same configuration in several formats."""

    def write_json(folder: Path) -> Path:
        config = make(folder)
        path = folder / "model.json"
        path.write_bytes(config if isinstance(config, bytes) else json.dumps(config).encode())
        return path

    writers: dict[str, Maker] = {
        "keras": lambda folder: mf.write_keras(folder / "model.keras", make(folder)),
        "h5": lambda folder: mf.write_h5(folder / "model.h5", make(folder)),
        "json": write_json,
    }
    for kind in formats.split():
        case(f"{name}.{kind}", match)(writers[kind])


def layer_case(
    name: str, make: Callable[[Path], dict[str, Any]], match: str | None = "", formats: str = "keras h5 json"
):
    """A model with the good layers and one that is hostile, in front."""
    config_case(
        name, lambda folder: mf.sequential(mf.input_layer(3), make(folder), mf.dense()), match, formats
    )  # fmt: skip


def function(module: str, name: str, registered: str | None = "function") -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered}


def run_lambda(folder: Path) -> list[Any]:
    """The body of a lambda that makes the mark."""
    path = str(folder / MARK)
    code = marshal.dumps(eval(f"lambda x: (open({path!r}, 'w').close(), x)[1]").__code__)
    return [base64.encodebytes(code).decode(), None, None]


def lambda_body(folder: Path) -> dict[str, Any]:
    body = run_lambda(folder)
    return {"class_name": "__lambda__", "config": {"code": body[0], "defaults": None, "closure": None, "value": body}}


def lambda_layer(config: dict[str, Any]) -> dict[str, Any]:
    return mf.described("Lambda", **{"name": "evil", **config})


def touch(folder: Path) -> str:
    return f"touch {folder / MARK}"


class Touch:
    """Makes the mark when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.system, (touch(self.folder),)


def in_layer(**fields: Any) -> dict[str, Any]:
    return mf.dense(4, "evil", **fields)


# Code named or brought (CVE-2024-3660, CVE-2025-1550, CVE-2025-8747, CVE-2025-9905, CVE-2025-9906; by way of
# `get_file`, CVE-2025-12060; by way of TFSMLayer, CVE-2026-1462)

layer_case(
    "class-os-system",
    lambda f: {"module": "os", "class_name": "system", "config": {"command": touch(f)}, "registered_name": None},
    "system",
)
layer_case(
    "class-subprocess",
    lambda f: {
        "module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", str(f / MARK)]},
        "registered_name": "subprocess>Popen",
    },
    "Popen",
)  # fmt: skip
layer_case("lambda-code", lambda f: lambda_layer({"function": lambda_body(f)}))
layer_case(
    "lambda-code-keras2",
    lambda f: lambda_layer({"function": run_lambda(f), "function_type": "lambda", "module": "__main__",
                            "output_shape": None, "output_shape_type": "raw", "arguments": {}}),
)  # fmt: skip
layer_case(
    "lambda-code-as-output-shape",
    lambda f: lambda_layer({
        "function": "relu", "function_type": "function", "output_shape": run_lambda(f), "output_shape_type": "lambda",
    }),
)  # fmt: skip
layer_case("lambda-code-as-mask", lambda f: lambda_layer({"function": "relu", "mask": lambda_body(f)}))
layer_case(
    "lambda-function-os-system",
    lambda f: lambda_layer({"function": function("os", "system"), "arguments": {"command": touch(f)}}),
    "system",
)
layer_case(
    "lambda-function-type-exec",
    lambda f: lambda_layer({
        "function": "exec", "function_type": "function", "module": "builtins",
        "arguments": {"source": f"open({str(f / MARK)!r}, 'w')"},
    }),
)  # fmt: skip
layer_case(
    "lambda-function-string",
    lambda f: lambda_layer({"function": "os.system", "arguments": {"command": touch(f)}}),
)
layer_case(
    "lambda-load-model-unsafe",
    lambda f: lambda_layer({
        "function": function("keras.models", "load_model"),
        "arguments": {"filepath": str(f / SECRET), "safe_mode": False},
    }),
    "load_model",
)  # fmt: skip
layer_case(
    "lambda-enable-unsafe",
    lambda f: lambda_layer({"function": function("keras.config", "enable_unsafe_deserialization")}),
    "enable_unsafe",
)
layer_case(
    "lambda-set-global-attribute",
    lambda f: lambda_layer({
        "function": function("keras.src.backend.common.global_state", "set_global_attribute"),
        "arguments": {"name": "safe_mode_saving", "value": False},
    }),
    "set_global_attribute",
)  # fmt: skip
layer_case(
    "lambda-get-file",
    lambda f: lambda_layer({
        "function": function("keras.utils", "get_file"),
        "arguments": {"fname": MARK, "origin": f"file://{f / SECRET}", "cache_dir": str(f), "extract": True},
    }),
    "get_file",
)  # fmt: skip
layer_case(
    "lambda-datasets",
    lambda f: lambda_layer({
        "function": function("keras.datasets.mnist", "load_data"), "arguments": {"path": str(f / SECRET)},
    }),
    "load_data",
)  # fmt: skip
layer_case(
    "lambda-numpy-load",
    lambda f: lambda_layer({"function": function("numpy", "load"), "arguments": {"file": str(f / SECRET)}}),
    "load",
)
layer_case(
    "lambda-eval-in-args",
    lambda f: lambda_layer({"function": function("builtins", "eval"), "arguments": {"x": "1"}}),
    "eval",
)
layer_case(
    "lambda-attribute-path",
    lambda f: lambda_layer({"function": function("keras.ops", "__builtins__.exec")}),
)
layer_case(
    "lambda-in-process-mark",
    lambda f: lambda_layer({"function": {"class_name": "function", "config": "system", "in_process": "0" * 32}}),
)
layer_case(
    "module-get-file",
    lambda f: {
        "module": "keras.utils", "class_name": "get_file",
        "config": {"fname": MARK, "origin": "http://127.0.0.1:9/x", "cache_dir": str(f)}, "registered_name": None,
    },
    "get_file",
)  # fmt: skip
for _field in ("activation", "kernel_initializer", "bias_regularizer", "kernel_constraint", "dtype"):
    layer_case(
        f"field-{_field}-system",
        lambda f, field=_field: in_layer(
            **{
                field: {
                    "module": "os",
                    "class_name": "system",
                    "config": {"command": touch(f)},
                    "registered_name": None,
                }
            }
        ),
        "system",
    )
    layer_case(
        f"field-{_field}-function",
        lambda f, field=_field: in_layer(**{field: function("subprocess", "getoutput")}),
    )
layer_case("activation-lambda", lambda f: in_layer(activation=lambda_body(f)), "safe_mode")
layer_case(
    "wrapped-class",
    lambda f: mf.described(
        "TimeDistributed", name="evil", layer={"module": "os", "class_name": "system", "config": {"command": touch(f)}}
    ),
    "system",
)
layer_case(
    "rnn-cell",
    lambda f: mf.described(
        "RNN", name="evil", cell={"module": "os", "class_name": "system", "config": {"command": touch(f)}}
    ),
    "system",
)
layer_case(
    "torch-module-pickle",
    lambda f: mf.described("TorchModuleWrapper", name="evil", module=base64.b64encode(pickle.dumps(Touch(f))).decode()),
    "TorchModuleWrapper",
)
layer_case("tfsm-layer", lambda f: mf.described("TFSMLayer", name="evil", filepath=str(f)), "TFSMLayer")
layer_case("jax-layer", lambda f: mf.described("JaxLayer", name="evil", call_fn=function("os", "system")), "JaxLayer")
layer_case("wrong-kind-optimizer", lambda f: mf.described("Adam", "keras.optimizers", name="evil"))
layer_case("wrong-kind-policy", lambda f: mf.described("DTypePolicy", "keras", name="float32"))
layer_case("wrong-kind-initializer", lambda f: mf.described("Zeros", "keras.initializers"))
layer_case("wrong-kind-in-field", lambda f: in_layer(activation=mf.dense(4, "inner")), formats="keras h5")
layer_case("class-name-list", lambda f: {"module": "keras.layers", "class_name": ["Dense"], "config": {}})
layer_case("class-name-attribute", lambda f: mf.described("Dense.__init__.__globals__", name="evil"))
layer_case("typespec", lambda f: {"class_name": "__typespec__", "config": {"name": "os.system"}, "module": "os"})
# Paths and addresses in configurations (CVE-2025-12058)

for _class in ("StringLookup", "IntegerLookup", "TextVectorization"):
    layer_case(
        f"vocabulary-path-{_class}",
        lambda f, c=_class: mf.described(c, name="evil", vocabulary=str(f / SECRET), max_tokens=None),
    )
layer_case(
    "vocabulary-address",
    lambda f: mf.described("StringLookup", name="evil", vocabulary="http://127.0.0.1:9/words", max_tokens=None),
)
layer_case("idf-path", lambda f: mf.described("TextVectorization", name="evil", idf_weights=str(f / SECRET)))

# Values


def with_array(dtype: str, value: Any = 1) -> Callable[[Path], dict[str, Any]]:
    held = {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}
    return lambda f: mf.described("Normalization", name="evil", axis=-1, mean=held, variance=held)


for _name, _dtype in {
    "object": "O", "subarray": "(1000000000,)f8", "void": "V2000000000", "text": "U500000000", "bytes": "S2000000000",
    "records": "f8,(500000000,)f8", "datetime": "M8[s]",
}.items():  # fmt: skip
    layer_case(f"array-dtype-{_name}", with_array(_dtype))
layer_case("array-unequal-texts", with_array("str", ["x" * 4_000_000, *["y"] * 400]))
layer_case(
    "constant-initializer-array",
    lambda f: in_layer(kernel_initializer=mf.described(
        "Constant", "keras.initializers",
        value={"class_name": "__numpy__", "config": {"value": 1, "dtype": "V99999999"}},
    )),
)  # fmt: skip

# Sizes

HUGE = 10**12
for _name, _layer in {
    "dense": mf.dense(HUGE, "evil"),
    "dense-near": mf.dense(2**31 - 1, "evil"),
    "embedding": mf.described("Embedding", name="evil", input_dim=HUGE, output_dim=8),
    "embedding-near": mf.described("Embedding", name="evil", input_dim=2**30, output_dim=8),
    "repeat": mf.described("RepeatVector", name="evil", n=HUGE),
    "reshape": mf.described("Reshape", name="evil", target_shape=[HUGE, HUGE]),
    "negative": mf.dense(-HUGE, "evil"),
    "digits": mf.dense(10**300, "evil"),
    "float": mf.dense(1e300, "evil"),
    "infinite": mf.dense(float("inf"), "evil"),
    "axis": mf.described("BatchNormalization", name="evil", axis=2**31 - 1),
    "zero-padding": mf.described("ZeroPadding1D", name="evil", padding=[HUGE, HUGE]),
    "upsampling": mf.described("UpSampling1D", name="evil", size=HUGE),
}.items():
    layer_case(f"size-{_name}", lambda f, layer=_layer: layer, "evil" if _name != "digits" else "digits")
for _name, _layer in {
    "lstm": mf.described("LSTM", name="evil", units=10**6),
    "conv": mf.described("Conv1D", name="evil", filters=10**8, kernel_size=8),
    "repeated": mf.described("SeparableConv1D", name="evil", filters=4, kernel_size=2, depth_multiplier=2**30),
    "bidirectional": mf.described("Bidirectional", name="evil", layer=mf.described("GRU", units=2**20, name="in")),
    "per-part": mf.described("AdaptiveMaxPooling1D", name="evil", output_size=10**6),
    "per-step": mf.described("TimeDistributed", name="evil", layer=mf.dense(2**30, "in")),
}.items():
    config_case(
        f"size-{_name}",
        lambda f, layer=_layer: mf.sequential(mf.input_layer(10, 3), layer, mf.described("Flatten"), mf.dense()),
        "would take|not taken",
    )
config_case("size-input", lambda f: mf.sequential(mf.input_layer(HUGE), mf.dense()), "input")
config_case(
    "size-build-config",
    lambda f: mf.sequential({**mf.dense(), "build_config": {"input_shape": [None, HUGE]}}), "dense",
)  # fmt: skip
config_case(
    "size-build-near",
    lambda f: mf.sequential({**mf.dense(), "build_config": {"input_shape": [None, 2**31 - 1]}},
                            {**mf.dense(name="more"), "build_config": {"input_shape": [None, 2**30]}}),
    None, "keras json",
)  # fmt: skip
config_case("size-input-dim", lambda f: mf.sequential(mf.dense(input_dim=10**11)), "dense", "h5 json")
config_case(
    "size-unroll",
    lambda f: mf.sequential(mf.input_layer(10**7, 2), mf.described("SimpleRNN", name="evil", units=2, unroll=True)),
    formats="keras h5",
)
config_case("many-layers", lambda f: mf.sequential(mf.input_layer(3), *[{"class_name": "X"}] * 150_000))
config_case("deep", lambda f: b'{"class_name": "Sequential", "config": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001)
config_case("deep-lists", lambda f: b"[" * 200_000 + b"]" * 200_000)


def nested(depth: int) -> dict[str, Any]:
    model = mf.good_config()
    for number in range(depth):
        model = mf.sequential(model, name=f"m{number}")
    return model


config_case("deep-models", lambda f: nested(150))
config_case("long-name", lambda f: mf.sequential(mf.input_layer(3), mf.dense(name="x" * 2_000_000)), "name")
config_case(
    "same-key-twice", lambda f: b'{"class_name": "Sequential", "class_name": "Functional", "config": {}}', "twice"
)
config_case("no-object", lambda f: b"[1, 2, 3]")
config_case("not-json", lambda f: b"{'class_name': 'Sequential'}")
config_case("not-utf8", lambda f: b'{"class_name": "\xff\xfe"}', formats="keras json")
config_case("many-brackets", lambda f: b"[" + b"[]," * 3_000_000 + b"[]]", formats="keras json")
config_case(
    "long-number", lambda f: json.dumps(mf.good_config()).replace('"units": 2', '"units": ' + "9" * 5000).encode()
)
config_case("layers-not-list", lambda f: {**mf.good_config(), "config": {"name": "m", "layers": {"0": mf.dense()}}})
config_case("layer-not-dict", lambda f: mf.sequential(mf.input_layer(3), "Dense"))  # type: ignore[arg-type]
config_case("config-null", lambda f: {"module": "keras", "class_name": "Sequential", "config": None})

# Graphs


def graph_case(name: str, make: Callable[[Path], list[dict[str, Any]]], match: str | None = "") -> None:
    """A functional model: an input and the layers given, of which the last one is called ``dense``."""
    config_case(
        name,
        lambda f: mf.functional([mf.node(mf.input_layer(3)), *make(f)], [["dense", 0, 0]]),
        match,
    )  # fmt: skip


def op(class_name: str, *args: Any, module: str = "keras.src.ops.numpy", name: str = "evil", **config: Any) -> Any:
    entry = {"module": module, "class_name": class_name, "config": {"name": name, **config}}
    return mf.node({**entry, "registered_name": class_name}, *args, name=name)


X = mf.tensor("input", 3)
LAST = mf.node(mf.dense(), mf.tensor("evil", 3))
graph_case("graph-op-load", lambda f: [op("Load", str(f / SECRET)), LAST], "Load")
graph_case("graph-op-save", lambda f: [op("Savetxt", X, fname=str(f / MARK)), LAST], "Savetxt")
graph_case("graph-op-system", lambda f: [op("system", touch(f), module="os.ops.x"), LAST])
graph_case("graph-op-map", lambda f: [op("Map", function("os", "system"), X, module="keras.src.ops.core"), LAST])
graph_case("graph-op-vectorize", lambda f: [op("Vectorize", function("os", "system")), LAST])
graph_case("graph-op-no-tensor", lambda f: [op("Ones", [200_000, 200_000]), LAST])
graph_case("graph-op-arange", lambda f: [op("Arange", 2**31 - 1), LAST])
graph_case("graph-op-custom-gradient", lambda f: [op("CustomGradient", function("os", "system")), LAST])
graph_case("graph-op-unstack", lambda f: [op("Unstack", X, module="keras.src.ops.core", num=2**31 - 1), LAST])
graph_case("graph-op-convert-to-numpy", lambda f: [op("ConvertToNumpy", X), LAST])
graph_case("graph-class-not-op", lambda f: [op("KerasTensor", X, module="keras.src.ops.operation"), LAST])
graph_case("graph-cycle", lambda f: [
    mf.node(mf.dense(3, "a"), mf.tensor("b", 3)), mf.node(mf.dense(3, "b"), mf.tensor("a", 3)),
    mf.node(mf.dense(), mf.tensor("a", 3)),
])  # fmt: skip
graph_case("graph-unknown-tensor", lambda f: [mf.node(mf.dense(), mf.tensor("nobody", 3))])
graph_case("graph-output-index", lambda f: [mf.node(mf.dense(), mf.tensor("input", 3, output=10**9))])
graph_case("graph-negative-index", lambda f: [mf.node(mf.dense(), mf.tensor("input", 3, output=-1))])
graph_case("graph-history-odd", lambda f: [mf.node(mf.dense(), {"class_name": "__keras_tensor__", "config": {}})])
graph_case("graph-calls-odd", lambda f: [{**mf.dense(), "name": "dense", "inbound_nodes": [[[{}]], 7]}])
graph_case("graph-path-as-input", lambda f: [mf.node(mf.dense(), str(f / SECRET))])
graph_case("graph-call-object", lambda f: [mf.node(mf.dense(), X, training=mf.described("Zeros"))], None)
graph_case(
    "graph-two-of-a-name",
    lambda f: [mf.node(mf.dense(2), X), mf.node(mf.dense(3), X)],
)

# Training settings: what cannot be used is left out with a warning, and does no harm


def compile_case(name: str, make: Callable[[Path], dict[str, Any]]) -> None:
    def settings(folder: Path) -> dict[str, Any]:
        return {"optimizer": "sgd", "loss": "mse", "loss_weights": None, "metrics": None, **make(folder)}

    def keras(folder: Path) -> Path:
        config = {**mf.good_config(), "build_config": {"input_shape": [None, 3]}, "compile_config": settings(folder)}
        return mf.write_keras(folder / "model.keras", config)

    def h5(folder: Path) -> Path:
        made = settings(folder)
        told = {**made, "optimizer_config": made["optimizer"]}
        fill = lambda file: file.attrs.__setitem__("training_config", json.dumps(told))
        return mf.write_h5(folder / "model.h5", fill=fill)

    case(f"compile-{name}.keras", None)(keras)
    case(f"compile-{name}.h5", None)(h5)


def metric(class_name: str, **config: Any) -> dict[str, Any]:
    return {"metrics": [mf.described(class_name, "keras.metrics", **config)]}


SYSTEM = {"module": "os", "class_name": "system", "registered_name": None}
compile_case("loss-system", lambda f: {"loss": function("os", "system")})
compile_case("loss-class", lambda f: {"loss": {**SYSTEM, "config": {"command": touch(f)}}})
compile_case("optimizer-class", lambda f: {"optimizer": {**SYSTEM, "config": {"command": touch(f)}}})
compile_case("metric-class", lambda f: {"metrics": [{**SYSTEM, "config": {"command": touch(f)}}]})
compile_case("metric-lambda", lambda f: {"metrics": [lambda_body(f)]})
compile_case("metric-fn", lambda f: metric("MeanMetricWrapper", fn=function("os", "system"), name="m"))
compile_case("thresholds", lambda f: metric("AUC", num_thresholds=10**9))
compile_case("thresholds-list", lambda f: metric("Precision", thresholds=[0.5] * 10**6))
compile_case("confusion", lambda f: metric("MeanIoU", num_classes=10**6))
compile_case("huge", lambda f: metric("AUC", num_thresholds=10**15))
compile_case(
    "rate-steps",
    lambda f: {"optimizer": mf.described("SGD", "keras.optimizers", learning_rate=mf.described(
        "PiecewiseConstantDecay", "keras.optimizers.schedules",
        boundaries=list(range(10**5)), values=[0.1] * (10**5 + 1),
    ))},
)  # fmt: skip

# Archives


def zip_case(name: str, match: str | None = "") -> Callable[[Callable[[Path, Path], Any]], Any]:
    """The maker gets the folder and the path of the archive to write."""

    def note(maker: Callable[[Path, Path], Any]) -> Any:
        def write(folder: Path) -> Path:
            path = folder / "model.keras"
            maker(folder, path)
            return path

        case(f"zip-{name}", match)(write)
        return maker

    return note


def info(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


def with_member(path: Path, entry: zipfile.ZipInfo | str, data: bytes = b"x", **options: Any) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in mf.members().items():
            archive.writestr(name, value)
        archive.writestr(entry, data, **options)


for _label, _name in {
    "parent": "assets/../../mark", "absolute": "/tmp/lamina-mark", "backslash": "assets\\..\\..\\mark",
    "drive": "C:/mark", "dot": "assets/./mark", "empty-part": "assets//mark", "newline": "assets/a\nb",
    "stream": "assets/a:b", "long": "assets/" + "x" * 3000, "deep": "a/" * 200 + "b", "case": "CONFIG.JSON",
    "unicode-case": "config.jſon",
}.items():  # fmt: skip
    zip_case(f"name-{_label}", "called|name")(lambda f, path, name=_name: with_member(path, name))


@zip_case("name-twice", "two members")
def _(folder: Path, path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with_member(path, "config.json", json.dumps(mf.sequential(mf.input_layer(3), mf.dense(9))).encode())


zip_case("symlink", "link")(
    lambda f, p: with_member(p, info("assets/words.txt", stat.S_IFLNK | 0o777), b"../" + SECRET.encode())
)
zip_case("device", "special")(lambda f, p: with_member(p, info("assets/words.txt", stat.S_IFCHR | 0o777)))
zip_case("symlink-config", "link")(
    lambda f, p: mf.write_zip(p, {}) and with_replaced(p, "config.json", info("config.json", stat.S_IFLNK | 0o777))
)


def with_replaced(path: Path, name: str, entry: zipfile.ZipInfo) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for member, value in mf.members().items():
            archive.writestr(entry if member == name else member, value)


@zip_case("encrypted", "encrypted")
def _(folder: Path, path: Path) -> None:
    raw = bytearray(mf.write_keras(path).read_bytes())
    place = 0
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = raw.find(mark)
        while place >= 0:
            raw[place + offset] |= 1
            place = raw.find(mark, place + 4)
    path.write_bytes(raw)


for _kind in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
    zip_case(f"compression-{_kind}", "packed")(lambda f, p, kind=_kind: mf.write_zip(p, mf.members(), kind))


@zip_case("bomb-config")
def _(folder: Path, path: Path) -> None:
    bomb(path, "config.json")


def bomb(path: Path, name: str, size: int = 3_500_000_000) -> None:
    """An archive with a member of zeros that unpacks to 3.5 GB, made without having them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros, packed, check = bytes(2**20), bytearray(), 0
    block = bytearray(packer.compress(zeros * 16) + packer.flush(zlib.Z_FULL_FLUSH))
    count = size // (16 * 2**20)
    packed = block * count
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed += packer.flush()
    with zipfile.ZipFile(path, "w") as archive:
        for member, value in mf.members().items():
            if member != name:
                archive.writestr(member, value)
    held = path.read_bytes()
    total = count * 16 * 2**20
    place, listing = _split(held)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 33, check, len(packed), total, len(name), 0)
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, check, len(packed), total, len(name), 0, 0, 0, 0, 0, place
    )
    body = held[:place] + local + name.encode() + bytes(packed)
    listing += central + name.encode()
    count = len(mf.members())
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(listing), len(body), 0)
    path.write_bytes(body + listing + end)


def _split(held: bytes) -> tuple[int, bytes]:
    length, start = struct.unpack("<2L", held[-10:-2])
    return start, held[start : start + length]


zip_case("bomb-weights")(lambda f, p: bomb(p, "model.weights.h5"))
zip_case("bomb-asset")(lambda f, p: bomb_asset(p))


def bomb_asset(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, value in mf.members().items():
            archive.writestr(name, value)
        for number in range(5):
            archive.writestr(f"assets/{number}", bytes(50 * 2**20))


@zip_case("overlap", "over another")
def _(folder: Path, path: Path) -> None:
    """The listing names the weights a second time, at the same place."""
    raw = mf.write_keras(path).read_bytes()
    start, listing = _split(raw)
    last = listing[listing.rfind(b"PK\x01\x02") :].replace(b"model.weights.h5", b"other.weights.h5")
    body = raw[:start].replace(b"model.weights.h5", b"model.weights.h5")
    listing += last
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 4, 4, len(listing), len(body), 0)
    path.write_bytes(body + listing + end)


def edit_listing(path: Path, name: bytes, change: Callable[[bytearray, int], None]) -> None:
    raw = bytearray(mf.write_keras(path).read_bytes())
    place = raw.rfind(name) - 46
    assert raw[place : place + 4] == b"PK\x01\x02"
    change(raw, place)
    path.write_bytes(raw)


zip_case("size-lie")(
    lambda f, p: edit_listing(
        p, b"model.weights.h5", lambda raw, at: raw.__setitem__(slice(at + 24, at + 28), b"\xf0\xff\xff\x7f")
    )
)
zip_case("offset-lie")(
    lambda f, p: edit_listing(
        p, b"config.json", lambda raw, at: raw.__setitem__(slice(at + 42, at + 46), b"\x00\x00\x00\x00")
    )
)
zip_case("crc")(
    lambda f, p: edit_listing(p, b"model.weights.h5", lambda raw, at: raw.__setitem__(slice(at + 16, at + 20), b"abcd"))
)
zip_case("crc-config")(
    lambda f, p: edit_listing(p, b"config.json", lambda raw, at: raw.__setitem__(slice(at + 16, at + 20), b"abcd"))
)


@zip_case("zip64-lie")
def _(folder: Path, path: Path) -> None:
    raw = mf.write_keras(path).read_bytes()
    start, listing = _split(raw)
    body = raw[: start + len(listing)]
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**60, 2**60, 2**62, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(body + end64 + locator + end)


@zip_case("member-zip64-lie")
def _(folder: Path, path: Path) -> None:
    entry = info("assets/big")
    entry.extra = struct.pack("<2H3Q", 1, 24, 2**60, 2**60, 2**60)
    with_member(path, entry)
    raw = bytearray(path.read_bytes())
    place = raw.rfind(b"assets/big") - 46
    raw[place + 20 : place + 28] = b"\xff" * 8
    path.write_bytes(raw)


zip_case("prefix", "")(lambda f, p: p.write_bytes(b"#!/bin/sh\n" + mf.write_keras(p).read_bytes()))
zip_case("suffix", "")(lambda f, p: p.write_bytes(mf.write_keras(p).read_bytes() + b"<script>"))
zip_case("two-archives", "")(lambda f, p: p.write_bytes(mf.write_keras(p).read_bytes() * 2))
zip_case("many-members", "members")(lambda f, p: many_members(p))
zip_case("truncated", "")(lambda f, p: p.write_bytes(mf.write_keras(p).read_bytes()[:-100]))
zip_case("empty", "")(lambda f, p: p.write_bytes(b""))
zip_case("only-end", "")(lambda f, p: p.write_bytes(b"PK\x05\x06" + bytes(18)))
zip_case("nested", "")(lambda f, p: mf.write_zip(p, {"model.keras": mf.write_keras(f / "inner.keras").read_bytes()}))
zip_case("no-config", "config.json")(
    lambda f, p: mf.write_zip(p, {k: v for k, v in mf.members().items() if k != "config.json"})
)
zip_case("weights-pickle")(lambda f, p: mf.write_zip(p, mf.members(weights=pickle.dumps(Touch(f)))))
zip_case("weights-zip")(lambda f, p: mf.write_zip(p, mf.members(weights=mf.write_keras(f / "i.keras").read_bytes())))


def many_members(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in mf.members().items():
            archive.writestr(name, value)
        for number in range(25_000):
            archive.writestr(f"assets/{number}", b"")


@zip_case("npz-object", "")
def _(folder: Path, path: Path) -> None:
    held = io.BytesIO()
    np.savez(held, a=np.array([Touch(folder)], dtype=object))
    entries = {k: v for k, v in mf.members().items() if k != "model.weights.h5"}
    mf.write_zip(path, {**entries, "model.weights.npz": held.getvalue()})


@zip_case("npz-bomb", "")
def _(folder: Path, path: Path) -> None:
    head = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (400000000,), }".ljust(117)
        + b"\n"
    )
    entries = {k: v for k, v in mf.members().items() if k != "model.weights.h5"}
    inner = folder / "inner.npz"
    mf.write_zip(inner, {"0.npy": head})
    mf.write_zip(path, {**entries, "model.weights.npz": inner.read_bytes()})


# Folders in the place of archives


def folder_case(name: str, spoil: Callable[[Path, Path], Any], match: str = "") -> None:
    """`spoil` gets the folder of the model, and the one around it."""

    def write(folder: Path) -> Path:
        path = folder / "model"
        path.mkdir()
        for member, data in mf.members().items():
            (path / member).write_bytes(data)
        spoil(path, folder)
        return path

    case(f"folder-{name}", match)(write)


def _relinked(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


folder_case("link-weights", lambda p, f: _relinked(p / "model.weights.h5", pipe(f)), "link")
folder_case("link-config", lambda p, f: _relinked(p / "config.json", str(f / SECRET)), "link")
folder_case("link-assets", lambda p, f: (p / "assets").symlink_to(f), "link")
folder_case("pipe", lambda p, f: ((p / "model.weights.h5").unlink(), os.mkfifo(p / "model.weights.h5")), "special")
folder_case("no-weights", lambda p, f: (p / "model.weights.h5").unlink())
folder_case("external", lambda p, f: (p / "model.weights.h5").write_bytes(
    mf.weights_bytes(lambda file: file.__setitem__("layers", h5py.ExternalLink(pipe(f), "/x")))
), "external link")  # fmt: skip


# HDF5: each inside a .keras archive, as an .h5 model and as .weights.h5 (external storage: CVE-2026-1669)


def hdf5_case(name: str, spoil: Callable[[Any, str, Path], Any], match: str | None = "", **options: Any) -> None:
    """`spoil` gets the open file, the path of a dataset with weights in it, and the folder."""

    def in_weights(file: Any, folder: Path) -> None:
        mf.fill_weights(file)
        spoil(file, "layers/dense/vars/0", folder)

    def in_model(file: Any, folder: Path) -> None:
        mf.fill_model(file)
        spoil(file, "model_weights/dense/model/dense/kernel", folder)

    def model(folder: Path) -> Path:
        path = folder / "model.h5"
        with h5py.File(path, "w", **options) as file:
            in_model(file, folder)
        return path

    def keras(folder: Path) -> Path:
        weights = folder / "inner.h5"
        with h5py.File(weights, "w", **options) as file:
            in_weights(file, folder)
        return mf.write_keras(folder / "model.keras", weights=weights.read_bytes())

    def weights(folder: Path) -> Path:
        path = folder / "model.weights.h5"
        with h5py.File(path, "w", **options) as file:
            in_weights(file, folder)
        return path

    case(f"hdf5-{name}.h5", match)(model)
    case(f"hdf5-{name}.keras", match)(keras)
    case(f"hdf5-{name}.weights.h5", match)(weights)


def replaced(make: Callable[[Any, str, Path], Any]) -> Callable[[Any, str, Path], None]:
    """The weights' dataset is deleted, and something else put in its place."""

    def spoil(file: Any, path: str, folder: Path) -> None:
        del file[path]
        make(file, path, folder)

    return spoil


def pipe(folder: Path) -> str:
    """A named pipe: whoever opens it to read waits for ever."""
    path = folder / "pipe.h5"
    if not path.exists():
        os.mkfifo(path)
    return str(path)


def put_link(link: Callable[[Path], Any], where: str = "") -> Callable[[Any, str, Path], None]:
    def spoil(file: Any, path: str, folder: Path) -> None:
        place = where or path
        place = path.rsplit("/", 2)[0] if where == "GROUP" else path.split("/")[0] if where == "TOP" else place
        if place in file:
            del file[place]
        file[place] = link(folder)

    return spoil


EXTERNAL = lambda f: h5py.ExternalLink(pipe(f), "/x")
hdf5_case("external-dataset", put_link(EXTERNAL), "external link")
hdf5_case("external-group", put_link(EXTERNAL, "GROUP"), "external link")
hdf5_case("external-top", put_link(EXTERNAL, "TOP"), "external link")
hdf5_case("external-unused", put_link(EXTERNAL, "aside"), "external link")
hdf5_case("soft-link", put_link(lambda f: h5py.SoftLink("/elsewhere")), "soft link")
hdf5_case("soft-link-group", put_link(lambda f: h5py.SoftLink("/"), "GROUP"), "soft link")


@replaced
def _external_storage(file: Any, path: str, folder: Path) -> None:
    (folder / "raw.bin").write_bytes(bytes(24))
    file.create_dataset(path, (3, 2), "f4", external=[(pipe(folder), 0, 24)])


hdf5_case("external-storage", _external_storage, "external storage")


@replaced
def _virtual(file: Any, path: str, folder: Path) -> None:
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource(pipe(folder), "x", (3, 2))
    file.create_virtual_dataset(path, layout)


hdf5_case("virtual", _virtual, "virtual")
hdf5_case("shape-bomb", replaced(lambda f, p, _: f.create_dataset(p, (900_000_000,), "f4")), "declares")
hdf5_case("shape-bomb-huge", replaced(lambda f, p, _: f.create_dataset(p, (2**31, 2**27), "f4")), "declares")
hdf5_case(
    "shape-bomb-chunked",
    replaced(lambda f, p, _: f.create_dataset(p, (900_000_000,), "f4", chunks=(1000,))),
    "declares",
)


@replaced
def _gzip_bomb(file: Any, path: str, folder: Path) -> None:
    """3 GB of zeros in a few MB."""
    made = file.create_dataset(path, (800_000_000,), "f4", chunks=(4_000_000,), compression="gzip", compression_opts=9)
    packed = zlib.compress(bytes(16_000_000), 9)
    for number in range(200):
        made.id.write_direct_chunk((number * 4_000_000,), packed)


hdf5_case("gzip-bomb", _gzip_bomb, "declares")


@replaced
def _chunk_bomb(file: Any, path: str, folder: Path) -> None:
    """One chunk of 1 GB."""
    made = file.create_dataset(path, (250_000_000,), "f4", chunks=(250_000_000,), compression="gzip")
    made.id.write_direct_chunk((0,), zlib.compress(bytes(10**6), 9) * 20)


hdf5_case("chunk-bomb", _chunk_bomb)


@replaced
def _bad_gzip(file: Any, path: str, folder: Path) -> None:
    made = file.create_dataset(path, (3, 2), "f4", chunks=(3, 2), compression="gzip")
    made.id.write_direct_chunk((0, 0), b"not gzip at all")


hdf5_case("gzip-damaged", _bad_gzip)


def _filter(code: int) -> Callable[[Any, str, Path], None]:
    def make(file: Any, path: str, folder: Path) -> None:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((3, 2))
        plan.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (1, 2))
        space = h5py.h5s.create_simple((3, 2))
        h5py.h5d.create(file.id, path.encode(), h5py.h5t.IEEE_F32LE, space, plan).write_direct_chunk(
            (0, 0), bytes(24), 1
        )

    return replaced(make)


hdf5_case("filter-unknown", _filter(32015), "filter")
hdf5_case("filter-szip", _filter(4))
hdf5_case("references", replaced(lambda f, p, _: f.create_dataset(p, (3, 2), h5py.ref_dtype)), "type")
hdf5_case("compound", replaced(lambda f, p, _: f.create_dataset(p, data=np.zeros(3, "f4,i4"))), "type")
hdf5_case("lists", replaced(lambda f, p, _: f.create_dataset(p, (3,), h5py.vlen_dtype("f4"))), "type")
hdf5_case("texts-as-weights", replaced(lambda f, p, _: f.create_dataset(p, data=[b"a", b"b"])))
hdf5_case("named-type", put_link(lambda f: np.dtype("f4"), "kind"), "neither")
hdf5_case("wrong-shape", replaced(lambda f, p, _: f.create_dataset(p, data=np.zeros((3, 5), "f4"))))
hdf5_case("missing-dataset", replaced(lambda f, p, _: None))
hdf5_case(
    "dataset-for-group", lambda f, p, _: (f.__delitem__(p.rsplit("/", 1)[0]), f.__setitem__(p.rsplit("/", 1)[0], 1.0))
)
hdf5_case("hard-link-cycle", lambda f, p, _: f.__setitem__(p.rsplit("/", 1)[0] + "/again", f["/"]), "same object")


def _many_links(file: Any, path: str, folder: Path) -> None:
    """Forty levels of two links each: 2 ** 40 paths."""
    group = file.create_group("aside")
    for _ in range(40):
        inner = group.create_group("a")
        group["b"] = inner
        group = inner


hdf5_case("hard-link-maze", _many_links, "same object")


def _deep(file: Any, path: str, folder: Path) -> None:
    group = file
    for _ in range(3000):
        group = group.create_group("g")


hdf5_case("deep", _deep, "deep")
hdf5_case("attribute-references", lambda f, p, _: f.attrs.create("evil", f.ref, dtype=h5py.ref_dtype), "type")
hdf5_case("attribute-compound", lambda f, p, _: f.attrs.create("evil", np.zeros(2, "f4,i4")), "type")
hdf5_case(
    "attribute-lists",
    lambda f, p, _: f.attrs.create("evil", np.array([np.zeros(2), np.zeros(3)], object), dtype=h5py.vlen_dtype("f8")),
    "type",
)
hdf5_case(
    "attribute-large", lambda f, p, _: f.attrs.create("evil", np.zeros(40 * 2**20, "u1")), "bytes", libver="latest"
)
hdf5_case("user-block", lambda f, p, _: None, "", userblock_size=512)
hdf5_case("odd-float", replaced(lambda f, p, _: _odd_float(f, p)), "type")


def _odd_float(file: Any, path: str) -> None:
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(31, 24, 7, 0, 24)
    kind.set_ebias(63)
    h5py.h5d.create(file.id, path.encode(), kind, h5py.h5s.create_simple((3, 2)))


def raw_hdf5_case(name: str, change: Callable[[bytes], bytes]) -> None:
    for kind in ("h5", "weights.h5", "keras"):

        def write(folder: Path, kind: str = kind) -> Path:
            if kind == "keras":
                return mf.write_keras(folder / "model.keras", weights=change(mf.weights_bytes()))
            path = folder / f"model.{kind}"
            path = mf.write_h5(path) if kind == "h5" else mf.write_weights(path)
            path.write_bytes(change(path.read_bytes()))
            return path

        case(f"hdf5-{name}.{kind}")(write)


raw_hdf5_case("truncated", lambda raw: raw[: len(raw) * 2 // 3])
raw_hdf5_case("head-only", lambda raw: raw[:9])
raw_hdf5_case("zeros-after-head", lambda raw: raw[:96] + bytes(len(raw) - 96))
raw_hdf5_case("addresses-high", lambda raw: raw[:40] + b"\xff" * 8 + raw[48:])
raw_hdf5_case("root-address", lambda raw: raw[:64] + struct.pack("<Q", 2**62) + raw[72:])
raw_hdf5_case("dense-noise", lambda raw: raw[:96] + bytes((i * 73) % 256 for i in range(len(raw) - 96)))


def _weight_names(names: Any) -> Maker:
    def write(folder: Path) -> Path:
        def change(file: Any) -> None:
            file["model_weights/dense"].attrs["weight_names"] = names

        return mf.write_h5(folder / "model.h5", fill=change)

    return write


for _label, _names in {
    "parent": [b"../../secret", b"model/dense/bias"], "absolute": [b"/model_weights/dense", b"model/dense/bias"],
    "missing": [b"nowhere", b"model/dense/bias"], "group": [b"model", b"model/dense/bias"], "number": 7,
    "too-many": [b"model/dense/kernel"] * 3000,
}.items():  # fmt: skip
    case(f"h5-weight-names-{_label}")(_weight_names(_names))


@case("h5-layer-names-missing")
def _(folder: Path) -> Path:
    def change(file: Any) -> None:
        file["model_weights"].attrs["layer_names"] = [b"nobody"]

    return mf.write_h5(folder / "model.h5", fill=change)


@case("h5-no-config")
def _(folder: Path) -> Path:
    return mf.write_h5(folder / "model.h5", fill=lambda file: file.attrs.__delitem__("model_config"))


@case("h5-config-number")
def _(folder: Path) -> Path:
    return mf.write_h5(folder / "model.h5", fill=lambda file: file.attrs.__setitem__("model_config", 3.5))


# Places where a guard could be forgotten: inside wrappers, in keys that are read early, in lists

layer_case(
    "wrapped-lambda-deep",
    lambda f: functools.reduce(
        lambda inner, i: mf.described("TimeDistributed", name=f"t{i}", layer=inner),
        range(20), lambda_layer({"function": lambda_body(f)}),
    ),
    "safe_mode",
)  # fmt: skip
layer_case(
    "bidirectional-backward",
    lambda f: mf.described("Bidirectional", name="evil", layer=mf.described("LSTM", units=2), backward_layer={
        **SYSTEM, "config": {"command": touch(f)},
    }),
    "backward_layer.*system",
)  # fmt: skip
layer_case(
    "wrapped-initializer",
    lambda f: mf.described(
        "Bidirectional", name="evil", layer=mf.described("LSTM", units=2, kernel_initializer=lambda_body(f))
    ),
    "kernel_initializer.*safe_mode",
)
for _label, _name in {"list": ["os>system"], "dict": {"a": 1}, "builtin": "builtins>eval", "empty": ""}.items():
    layer_case(
        f"registered-name-{_label}",
        lambda f, name=_name: {**mf.described("Zz", "os", name="evil"), "registered_name": name},
        "unknown object 'Zz'",
    )
for _label, _dtype in {"object": "O", "void": "V1000000000", "long": "float32" * 100_000, "number": 7}.items():
    layer_case(f"policy-{_label}", lambda f, dtype=_dtype: in_layer(dtype=dtype), "evil")
layer_case(
    "input-spec",
    lambda f: in_layer(input_spec={"class_name": "InputSpec", "config": {"shape": [None, HUGE], "ndim": HUGE}}),
    "evil",
)
layer_case("text-half-pair", lambda f: mf.dense(3, "\ud800"), "not Unicode")
for _label, _argument in {"standardize": function("os", "system"), "split": function("os", "popen")}.items():
    layer_case(
        f"text-{_label}",
        lambda f, label=_label, value=_argument: mf.described(
            "TextVectorization", name="evil", vocabulary=["a"], **{label: value}
        ),
        "evil",
    )
layer_case(
    "size-out-of-vocabulary",
    lambda f: mf.described("StringLookup", name="evil", vocabulary=["a"], num_oov_indices=2**31 - 1),
    "num_oov_indices",
)
config_case(
    "size-cells",
    lambda f: mf.sequential(mf.input_layer(4, 3), mf.described("RNN", name="evil", cell=mf.described(
        "StackedRNNCells", cells=[mf.described("SimpleRNNCell", units=2) for _ in range(20_000)]
    ))),
    "`cells` of 20000 entries",
)  # fmt: skip
config_case(
    "size-doubled",
    lambda f: mf.functional([mf.node(mf.input_layer(3)), *(
        mf.node(mf.described("Concatenate", name=f"c{i}"), [mf.tensor(f"c{i - 1}" if i else "input", 3 * 2**i)] * 2)
        for i in range(60)
    ), mf.node(mf.dense(), mf.tensor("c59", 3 * 2**60))], [["dense", 0, 0]]),
)  # fmt: skip
for _label, _shape in {
    "rank": [None] * 20_000, "text": "../../x", "number": 3.5, "negative": [None, -5], "deep": [[[[None]]]],
}.items():  # fmt: skip
    config_case(
        f"build-shape-{_label}",
        lambda f, shape=_shape: {**mf.sequential(mf.dense()), "build_config": {"input_shape": shape}},
        formats="keras",
    )
config_case(
    "build-arguments",
    lambda f: {**mf.sequential(mf.dense()), "build_config": {"shapes_dict": {"a_shape": [None, 2]}}},
    "build_config",
    "keras",
)
config_case(
    "graph-long",
    lambda f: mf.sequential(
        mf.input_layer(3),
        *(mf.described("Activation", name=f"a{i}", activation="relu") for i in range(2000)),
        mf.dense(),
    ),
    None,
    "keras",
)  # fmt: skip
for _label, _op in {
    "tile": ("Tile", {"repeats": [2**31 - 1] * 2}), "broadcast": ("BroadcastTo", {"shape": [2**15] * 8}),
    "expand": ("ExpandDims", {"axis": list(range(60_000))}), "cast": ("Cast", {"dtype": "V99999999"}),
}.items():  # fmt: skip
    graph_case(f"graph-op-{_label}", lambda f, op_=_op: [op(op_[0], X, **op_[1]), LAST])

# Vocabularies among the assets


def vocabulary_case(name: str, make: Callable[[], bytes], match: str, file: str = "vocabulary.txt") -> None:
    def write(folder: Path) -> Path:
        config = mf.sequential(mf.described("StringLookup", name="lookup", vocabulary=None))
        entries = {**mf.members(config), f"assets/layers/string_lookup/{file}": make()}
        return mf.write_zip(folder / "model.keras", entries, zipfile.ZIP_DEFLATED)

    case(f"vocabulary-{name}.keras", match)(write)


vocabulary_case("newlines", lambda: b"\n" * (60 * 2**20), "vocabularies of more than")
vocabulary_case("not-utf8", lambda: b"\xff\xfe", "string_lookup.*utf-8")
vocabulary_case("missing", lambda: b"a", "'lookup' needs 'vocabulary.txt'", "words.txt")

# Models of Keras 1 and 2


def old_case(name: str, config: Callable[[Path], Any], match: str, version: str = "1.2.2") -> None:
    case(f"h5-old-{name}", match)(lambda folder: mf.write_h5(folder / "model.h5", config(folder), version))


def merge(layers: Any, **settings: Any) -> dict[str, Any]:
    settings = {"name": "merge", "layers": layers, "mode": "sum", "mode_type": "raw", **settings}
    return {"class_name": "Sequential", "config": [{"class_name": "Merge", "config": settings}]}


def branch() -> dict[str, Any]:
    layer = {"class_name": "Dense", "config": {"name": "dense", "output_dim": 2, "batch_input_shape": [None, 3]}}
    return {"class_name": "Sequential", "config": [layer]}


def tf_function(name: str, **arguments: Any) -> dict[str, Any]:
    first = {"class_name": "InputLayer", "name": "input", "inbound_nodes": [], "config": {
        "batch_input_shape": [None, 3], "name": "input", "dtype": "float32",
    }}  # fmt: skip
    second = {"class_name": "TFOpLambda", "name": "dense", "config": {"name": "dense", "function": name},
              "inbound_nodes": [["input", 0, 0, arguments]]}  # fmt: skip
    graph = {"name": "m", "layers": [first, second], "input_layers": [["input", 0, 0]]}
    return {"class_name": "Functional", "config": {**graph, "output_layers": [["dense", 0, 0]]}}


old_case("merge-code", lambda f: merge([branch()] * 2, mode=run_lambda(f), mode_type="lambda"), "mode")
old_case("merge-number", lambda f: merge(7), "`layers` is no list")
old_case("tf-read-file", lambda f: tf_function("io.read_file", filename=str(f / SECRET)), "io.read_file", "2.8.0")
old_case("tf-tile", lambda f: tf_function("tile", multiples=[2**31 - 1] * 2), "", "2.8.0")
for _number, _version in enumerate(("9" * 100, "-1.0", 3.5, ["2.0"])):
    case(f"h5-version-{_number}", "version")(
        lambda folder, version=_version: mf.write_h5(folder / "model.h5", None, version)
    )

# More of archives and HDF5


@zip_case("local-name", "header")
def _(folder: Path, path: Path) -> None:
    raw = mf.write_keras(path).read_bytes()
    path.write_bytes(raw.replace(b"config.json", b"c0nfig.json", 1))


@zip_case("inside-another", "over another")
def _(folder: Path, path: Path) -> None:
    """The listing leads to a config that lies within an asset."""
    inner = mf.write_keras(folder / "inner.keras").read_bytes()
    with_member(path, "assets/x", inner)
    raw = bytearray(path.read_bytes())
    listed = raw.rfind(b"config.json") - 46
    raw[listed + 42 : listed + 46] = struct.pack("<L", raw.find(inner) + inner.find(b"config.json") - 30)
    path.write_bytes(raw)


zip_case("folder-with-bytes", "special")(lambda f, p: with_member(p, info("assets/a/"), b"data"))
zip_case("metadata-deep", "metadata.json")(
    lambda f, p: mf.write_zip(p, {**mf.members(), "metadata.json": b"[" * 100_000 + b"]" * 100_000})
)
hdf5_case("no-values", replaced(lambda f, p, _: f.create_dataset(p, data=h5py.Empty("f4"))), "no values")
hdf5_case("empty-huge", replaced(lambda f, p, _: f.create_dataset(p, (2**62, 0), "f4")))
hdf5_case("complex", replaced(lambda f, p, _: f.create_dataset(p, data=np.ones((3, 2), "c8"))), "type")
hdf5_case("filter-scale", replaced(lambda f, p, _: f.create_dataset(p, data=mf.KERNEL, scaleoffset=3)), "filter")
hdf5_case("attribute-rank", lambda f, p, _: f.attrs.create("evil", np.zeros((1,) * 32)), "shape", libver="latest")
hdf5_case("many-groups", lambda f, p, _: [f.create_group(f"g{i}") for i in range(9_000)], None, libver="latest")


@replaced
def _swollen_chunk(file: Any, path: str, folder: Path) -> None:
    """One chunk of 24 bytes that unpacks to 320 MB."""
    made = file.create_dataset(path, (3, 2), "f4", chunks=(3, 2), compression="gzip")
    packer, zeros = zlib.compressobj(9), bytes(2**24)
    made.id.write_direct_chunk((0, 0), b"".join(packer.compress(zeros) for _ in range(20)) + packer.flush())


hdf5_case("chunk-swollen", _swollen_chunk, None)
