"""What lies in a file of a model or of weights, read through the guards of `saving.safety`; nothing is made of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina.reports.file_arrays import StoredArray, of_dataset, of_npz, of_safetensors
from lamina.saving import keras_archive, sharded
from lamina.saving.interop.safetensors import is_safetensors, read_metadata
from lamina.saving.legacy import descriptions, reading
from lamina.saving.legacy.era import Era, era_of
from lamina.saving.legacy.groups import names_in, names_of_weights
from lamina.saving.safety import limits
from lamina.saving.safety.archive import Archive, check_folder, open_archive
from lamina.saving.safety.config import read_json
from lamina.saving.safety.errors import FileProblem, naming, quote
from lamina.saving.safety.hdf5 import Dataset, open_hdf5

UNDERSTOOD = (
    "whole models (.keras, .h5), architectures (.json), weights (.h5, .weights.h5, .weights.json, .safetensors, .npz)"
)
_MAGIC = (
    (b"\x80\x02", "a Python pickle, which could run code and is never opened"),
    (b"\x80\x03", "a Python pickle, which could run code and is never opened"),
    (b"\x80\x04", "a Python pickle, which could run code and is never opened"),
    (b"\x80\x05", "a Python pickle, which could run code and is never opened"),
    (b"\x93NUMPY", "a single numpy array (.npy)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"GGUF", "a GGUF model"),
    (b"CDF", "a NetCDF file"),
    (b"version https://git-lfs", "a Git LFS pointer: the file itself has not been downloaded"),
)


@dataclass
class Contents:
    """What lies in a file.

    Attributes:
        kind: ``"model"``, ``"architecture"``, ``"weights"`` or ``"arrays"``.
        format: the format, in words.
        size: bytes of the file, or of all its files.
        arrays: all arrays.
        root: where the arrays of layers begin: ``"/model_weights/"`` in a whole model's `.h5`, else ``"/"``.
        layout: how they are arranged: ``"keras3"`` (by place in the model), ``"names"`` (by layers' names) or ``""``.
        layer_names: in the layout by names, the layers.
        labels: names of layers by their groups, where a file in the layout by places notes them.
        config: the model's description as the file has it.
        era: who wrote it.
        training: what `compile` was given, as the file has it.
        keras_version, lamina_version, backend, saved: what the file says of its writer.
        metadata: further notes in the file, text by text.
        files: further files that belong to it.
    """

    kind: str
    format: str
    size: int = 0
    arrays: list[StoredArray] = field(default_factory=list)
    root: str = "/"
    layout: str = ""
    layer_names: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    config: Any = None
    era: Era | None = None
    training: Any = None
    keras_version: str | None = None
    lamina_version: str | None = None
    backend: str | None = None
    saved: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @property
    def weights(self) -> list[StoredArray]:
        """The arrays, but for the optimizer's state and that of random generators."""
        return [array for array in self.arrays if array.role == "weight"]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """What lies in a file; its arrays can be read inside.

    Raises:
        FileProblem: it is damaged, hostile, or of another kind.
        OSError: it is missing, or may not be read.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    with naming(path), contextlib.ExitStack() as stack:
        contents = _folder(path, stack) if path.is_dir() else _file(path, stack)
        contents.size = contents.size or path.stat().st_size
        yield contents


def _file(path: Path, stack: contextlib.ExitStack) -> Contents:
    if not path.is_file():
        raise FileProblem(f"{path}: is no ordinary file")
    with open(path, "rb") as file:
        head = file.read(1024)
    if head.startswith(b"PK\x03\x04"):
        return _zip(stack.enter_context(open_archive(path)), stack)
    if _is_hdf5(path):
        return _hdf5(stack.enter_context(open_hdf5(path)))
    if is_safetensors(path):  # before JSON: the length in front may look like a bracket
        return Contents("arrays", "arrays, safetensors", arrays=of_safetensors(path), metadata=read_metadata(path))
    if head.lstrip()[:1] in (b"{", b"["):
        return _json(path, stack)
    raise FileProblem(f"{path}: it is {_what(head)}; what can be shown are {UNDERSTOOD}")


def _what(head: bytes) -> str:
    """What a file of another kind seems to be."""
    if not head:
        return "empty"
    known = next((words for mark, words in _MAGIC if head.startswith(mark)), None)
    if known is None and head[4:8] == b"TFL3":
        known = "a TensorFlow Lite model"
    if known is None and head.isascii() and all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        known = f"text that begins with {quote(head[:40].decode())}"
    return known or f"of a kind that is not known: it begins with the bytes {head[:8].hex(' ')}"


def _is_hdf5(path: Path) -> bool:
    """HDF5's mark may stand at the beginning, or at 512, 1024 and so on."""
    with open(path, "rb") as file:
        for place in (0, *(2**power for power in range(9, 17))):
            file.seek(place)
            if file.read(8) == b"\x89HDF\r\n\x1a\n":
                return True
    return False


# .keras and .npz


def _folder(path: Path, stack: contextlib.ExitStack) -> Contents:
    config = path / keras_archive.CONFIG
    if not config.is_file():
        marks = {"saved_model.pb": "a SavedModel of TensorFlow", "_CHECKPOINT_METADATA": "a checkpoint of Orbax"}
        what = next((words for name, words in marks.items() if (path / name).is_file()), None)
        what = what or f"a folder without {keras_archive.CONFIG}"
        raise FileProblem(f"{path}: it is {what}; what can be shown are {UNDERSTOOD}")
    check_folder(path)
    texts = {}
    for file in (config, path / keras_archive.METADATA):
        with open(file, "rb") if file.is_file() else open(os.devnull, "rb") as opened_file:
            texts[file.name] = opened_file.read(limits.CONFIG_BYTES + 1)
    metadata = read_json(texts[keras_archive.METADATA] or b"{}", keras_archive.METADATA)
    contents = _whole(read_json(texts[keras_archive.CONFIG], keras_archive.CONFIG), metadata)
    contents.format = "whole model, folder"
    if (path / keras_archive.WEIGHTS).is_file():
        _add_places(contents, stack.enter_context(open_hdf5(path / keras_archive.WEIGHTS)))
    every = sorted(file for file in path.rglob("*") if file.is_file())
    contents.size = sum(file.stat().st_size for file in every)
    contents.files = [file.relative_to(path / "assets").as_posix() for file in every if path / "assets" in file.parents]
    return contents


def _zip(archive: Archive, stack: contextlib.ExitStack) -> Contents:
    if keras_archive.CONFIG in archive:
        metadata = archive.read_json(keras_archive.METADATA) if keras_archive.METADATA in archive else {}
        contents = _whole(archive.read_json(keras_archive.CONFIG), metadata)
        if keras_archive.WEIGHTS in archive:
            _add_places(contents, stack.enter_context(open_hdf5(archive.window(keras_archive.WEIGHTS))))
        prefix = f"{keras_archive.ASSETS}/"
        contents.files = [name.removeprefix(prefix) for name in archive.names if name.startswith(prefix)]
        return contents
    if archive.names and all(name.endswith(".npy") for name in archive.names):
        arrays = [of_npz(archive, name) for name in archive.names]
        return Contents("arrays", "numpy arrays, .npz", arrays=arrays)
    pickled = any(name.endswith("data.pkl") for name in archive.names)
    held = ", ".join(quote(name) for name in archive.names[:6]) + (", ..." if len(archive.names) > 6 else "")
    what = "a PyTorch file, which is a Python pickle and is never opened" if pickled else f"a zip archive with {held}"
    raise FileProblem(f"{archive.path}: it is {what}; what can be shown are {UNDERSTOOD}")


def _whole(config: Any, metadata: Any) -> Contents:
    """A model as a .keras archive describes it."""
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise FileProblem(f"{keras_archive.CONFIG}: describes no model: it has no 'class_name'")
    contents = Contents("model", "whole model, .keras archive", config=config, layout="keras3")
    notes = metadata if isinstance(metadata, dict) else {}
    _note_writer(contents, notes)
    contents.saved = _text(notes.get("date_saved"))
    contents.era = era_of(contents.keras_version, otherwise=3)
    contents.training = config.get("compile_config") or None
    return contents


def _note_writer(contents: Contents, notes: Any) -> None:
    contents.keras_version = _text(notes.get("keras_version"))
    contents.lamina_version = _text(notes.get("lamina_version"))
    contents.backend = _text(notes.get("backend"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


# HDF5


def _hdf5(root: Any) -> Contents:
    attributes = root.attributes
    if "model_config" in attributes:
        contents = Contents("model", "whole model, HDF5", layout="names")
        contents.config = read_json(attributes["model_config"], "`model_config`")
        written = attributes.get("training_config")
        contents.training = read_json(written, "`training_config`") if isinstance(written, (str, bytes)) else None
        group = root.groups.get("model_weights")
        contents.root = "/model_weights/" if group is not None else "/"
    elif "layer_names" in attributes or names_in(root, "layer_names") is not None:
        contents, group = Contents("weights", "weights by layer name, HDF5", layout="names"), root
    else:
        contents, group = Contents("weights", "weights, HDF5", layout="keras3"), None
        _add_places(contents, root)
        if not contents.labels:
            contents.kind, contents.format, contents.layout = "arrays", "arrays, HDF5", ""
        _note_writer(contents, attributes)
        return contents
    _note_writer(contents, {**(group.attributes if group is not None else {}), **attributes})
    contents.era = reading.era_of_group(group if group is not None and "keras_version" not in attributes else root)
    contents.layer_names = (names_in(group, "layer_names") if group is not None else None) or []
    order = _order(group, contents)
    for dataset in sorted(_all(root), key=lambda found: order.get(found.path, len(order))):
        contents.arrays.append(of_dataset(dataset, "optimizer" if dataset.path.startswith("/optimizer") else "weight"))
    return contents


def _order(group: Any, contents: Contents) -> dict[str, int]:
    """The places of arrays in the order of the layers and of each layer's weights."""
    paths: list[str] = []
    for name in contents.layer_names:
        with contextlib.suppress(FileProblem):  # a layer whose group is missing has no order
            paths += [f"{contents.root}{name}/{weight}" for weight in names_of_weights(group, name)]
    return {path: place for place, path in enumerate(paths)}


def _add_places(contents: Contents, root: Any) -> None:
    """Arrays in Keras 3's layout, where each part of a model has a group ``vars``."""
    contents.arrays = [of_dataset(dataset, _role(dataset.path)) for dataset in _all(root)]
    _label(contents, root)


def _role(path: str) -> str:
    """What an array in Keras 3's layout is for."""
    first, *_ = parts = path.strip("/").split("/")
    if first in ("optimizer", "metrics"):
        return first.removesuffix("s")
    return "random state" if any(part.startswith("seed_generator") for part in parts) else "weight"


def _label(contents: Contents, group: Any) -> None:
    """Note the names of layers beside the groups that hold their arrays."""
    for name, inner in group.groups.items():
        if name == "vars":
            own = inner.attributes.get("name")
            contents.labels[group.path] = own if isinstance(own, str) else group.path.rsplit("/", 1)[-1]
        _label(contents, inner)


def _all(root: Any) -> list[Dataset]:
    """All datasets; numbered ones of a group in the order of their numbers."""

    def order(item: tuple[str, Any]) -> tuple[int, int]:
        return (0, int(item[0])) if item[0].isdecimal() and len(item[0]) < 10 else (1, 0)

    found = [dataset for _, dataset in sorted(root.datasets.items(), key=order)]
    for group in root.groups.values():
        found += _all(group)
    return found


# JSON


def _json(path: Path, stack: contextlib.ExitStack) -> Contents:
    with open(path, "rb") as file:
        described = read_json(file.read(limits.CONFIG_BYTES + 1), path.name)
    if isinstance(described, str):  # a text that holds JSON, as json.dump(model.to_json(), file) writes it
        described = read_json(described, path.name)
    if isinstance(described, dict) and "weight_map" in described:
        contents = Contents("weights", "weights, several HDF5 files", layout="keras3")
        _add_places(contents, stack.enter_context(sharded.opened(path)))
        contents.files = sorted({name for names in described["weight_map"].values() for name in _listed(names)})
        contents.size = path.stat().st_size + sum((path.parent / name).stat().st_size for name in contents.files)
        return contents
    if not isinstance(described, dict) or not isinstance(described.get("class_name"), str):
        raise FileProblem(
            f"{path}: it is JSON, but neither a model's architecture (no 'class_name') nor an index of weights "
            f"(no 'weight_map'); what can be shown are {UNDERSTOOD}"
        )
    contents = Contents("architecture", "architecture without weights, JSON", config=described)
    _note_writer(contents, described)
    contents.era = descriptions.era_of_json(described)
    contents.training = described.get("compile_config") or None
    return contents


def _listed(names: Any) -> list[str]:
    return names if isinstance(names, list) else [names]
