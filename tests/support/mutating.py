"""Good model files, and random changes of them: of any byte, within an archive, of a configuration's values."""

from __future__ import annotations

import copy
import io
import json
import random
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

import lamina

KINDS = ("keras", "h5", "weights.h5")
VALUES = [
    None, True, False, -1, 0, 1, 7, 10**6, 10**9, 2**31, 2**63, 10**20, 1e308, -0.5, float("nan"), float("inf"), "",
    "x", "../../mark", "/etc/passwd", "relu", "Dense", "os.system", "\u0000", "x" * 1000, [], {}, [None], [1, 2],
    [[None, 3]], {"class_name": "Dense", "config": {}},
    {"class_name": "__numpy__", "config": {"value": 1, "dtype": "O"}},
    {"module": "os", "class_name": "system", "config": {"command": "touch mark"}, "registered_name": None},
    {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
]  # fmt: skip
WORDS = [b"\xff" * 8, b"\x00" * 8, b"\xff\xff\xff\x7f\x00\x00\x00\x00", b"PK\x03\x04", b"TREE", b"SNOD", b"OHDR", b'"']


def models() -> list[Any]:
    layers, Input = lamina.layers, lamina.Input
    plain = lamina.Sequential([Input((3,)), layers.Dense(4, "relu"), layers.Dropout(0.5), layers.Dense(2)])
    plain.compile("adam", "mse", metrics=["mae"])
    plain.optimizer.build(plain.trainable_variables)
    image = Input((8, 8, 3), name="image")
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(image))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
    other = Input((3,), name="other")
    both = layers.Concatenate()([x, layers.Dense(4)(other) * 2.0])
    graph = lamina.Model([image, other], [layers.Dense(1, name="one")(both), layers.Softmax(name="two")(both)])
    steps = lamina.Sequential([
        Input((5,), dtype="int32"), layers.Embedding(10, 4, mask_zero=True), layers.Bidirectional(layers.LSTM(3)),
        lamina.Sequential([layers.Dense(3), layers.LayerNormalization()], name="inner"),
    ])  # fmt: skip
    return [plain, graph, steps]


class Good:
    """Good files, with the models whose weights some of them hold."""

    def __init__(self, folder: Path):
        self.files: list[tuple[str, Any, bytes]] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, model in enumerate(models()):
                for kind in KINDS:
                    path = folder / f"good{number}.{kind}"
                    model.save_weights(path) if kind == "weights.h5" else model.save(path)
                    self.files.append((kind, model, path.read_bytes()))

    def mutation(self, seed: int) -> tuple[str, Any, bytes]:
        """One changed file: its kind, the model, the bytes. Half of them are changed within."""
        draw = random.Random(seed)
        kind, model, raw = self.files[seed % len(self.files)]
        within = draw.random() < 0.5
        if kind == "keras" and within:
            return kind, model, _in_archive(raw, draw)
        if kind == "h5" and within:
            return kind, model, _in_attribute(raw, draw)
        return kind, model, change_bytes(raw, draw)


def change_bytes(raw: bytes, draw: random.Random) -> bytes:
    """Bytes overwritten, copied elsewhere, put in or cut off."""
    changed = bytearray(raw)
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        if len(changed) < 16:
            break
        at = draw.randrange(len(changed)) if draw.random() < 0.6 else draw.randrange(min(len(changed), 2048))
        match draw.randrange(7):
            case 0 | 1:
                changed[at] = draw.randrange(256)
            case 2:
                changed[at] ^= 1 << draw.randrange(8)
            case 3:
                word = draw.choice([*WORDS, draw.randrange(len(changed)).to_bytes(8, "little")])
                changed[at : at + len(word)] = word
            case 4:
                source, length = draw.randrange(len(changed)), draw.randrange(1, 64)
                changed[at : at + length] = changed[source : source + length]
            case 5:
                changed[at:at] = draw.randbytes(draw.randrange(1, 9))
            case 6:
                del changed[at : at + draw.choice([1, 8, len(changed)])]
    return bytes(changed)


def _in_archive(raw: bytes, draw: random.Random) -> bytes:
    """One member changed, and a whole archive made of all of them."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(["config.json", "config.json", "model.weights.h5", "model.weights.h5", "metadata.json"])
    if name.endswith(".json") and draw.random() < 0.8:
        members[name] = json.dumps(change_value(json.loads(members[name]), draw)).encode()
    else:
        members[name] = change_bytes(members[name], draw)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return out.getvalue()


def _in_attribute(raw: bytes, draw: random.Random) -> bytes:
    """The configuration in an .h5 file changed."""
    held = io.BytesIO(raw)
    with h5py.File(held, "r+") as file:
        name = draw.choice([n for n in ("model_config", "model_config", "training_config") if n in file.attrs])
        text = json.dumps(change_value(json.loads(file.attrs[name]), draw))
        del file.attrs[name]
        file.attrs[name] = text.replace("\\u0000", "")[:60_000]
    return held.getvalue()


def change_value(config: Any, draw: random.Random) -> Any:
    """A configuration with entries replaced, taken away, doubled or put in the place of others."""
    config = copy.deepcopy(config)
    for _ in range(draw.choice([1, 1, 2, 5])):
        places = list(_places(config))
        if not places:
            break
        owner, key = draw.choice(places)
        match draw.randrange(5):
            case 0 | 1:
                owner[key] = copy.deepcopy(draw.choice(VALUES))
            case 2:
                del owner[key]
            case 3:
                other, place = draw.choice(places)
                owner[key] = copy.deepcopy(other[place])
            case 4:
                if isinstance(owner, list):
                    owner.insert(key, copy.deepcopy(owner[key]))
                else:
                    owner[draw.choice(["name", "units", "extra", "class_name"])] = owner[key]
    return config


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])
