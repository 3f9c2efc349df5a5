"""The `.keras` format of Keras 3: ``config.json``, ``metadata.json``, ``model.weights.h5`` and assets, in a zip."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lamina.core import registry, sharing
from lamina.core.variable import drawing_later
from lamina.saving import architecture, weight_store
from lamina.saving.atomic import writing, writing_folder
from lamina.saving.safety import config as safe_config
from lamina.saving.safety import limits
from lamina.saving.safety.archive import Archive, check_folder, open_archive
from lamina.saving.safety.errors import FileProblem
from lamina.saving.safety.hdf5 import open_hdf5
from lamina.saving.walking import walk
from lamina.saving.zip_writer import ZipWriter

CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"
#: The version of Keras whose format this is; readers compare it with their own.
_KERAS_VERSION = "3.15.1"


# Writing


def describe(model: Any, include_optimizer: bool = True) -> str:
    """The model's ``config.json``."""
    with sharing.writing_file():
        config = registry.serialize(model)
    if not include_optimizer:
        config.pop("compile_config", None)
    return json.dumps(config)


def _metadata() -> bytes:
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    own = importlib.import_module("lamina").__version__  # Keras reads over it
    return json.dumps({"keras_version": _KERAS_VERSION, "date_saved": now, "lamina_version": own}).encode()


def write(model: Any, path: Any, include_optimizer: bool = True) -> None:
    """Write a whole model as an archive."""
    config = describe(model, include_optimizer).encode()
    with writing(path) as file:
        _write_archive(model, config, file, include_optimizer)


def packed(model: Any) -> bytes:
    """A whole model as the bytes of an archive, for `pickle`; `unpacked` takes them."""
    file = io.BytesIO()
    _write_archive(model, describe(model).encode(), file, include_optimizer=True)
    return file.getvalue()


def _write_archive(model: Any, config: bytes, file: BinaryIO, include_optimizer: bool) -> None:
    with assets_of(model) as assets, ZipWriter(file) as archive:
        archive.write(METADATA, _metadata())
        archive.write(CONFIG, config)
        with archive.member(WEIGHTS) as member:
            weight_store.write_hdf5(model, member, include_optimizer)
        for name, asset in assets:
            archive.write(f"{ASSETS}/{name}", asset.read_bytes())


def write_folder(model: Any, path: Any, include_optimizer: bool = True) -> None:
    """Write a whole model as a folder with the same files."""
    config = describe(model, include_optimizer)
    with assets_of(model) as assets, writing_folder(path) as folder:
        (folder / METADATA).write_bytes(_metadata())
        (folder / CONFIG).write_text(config)
        with open(folder / WEIGHTS, "w+b") as file:
            weight_store.write_hdf5(model, file, include_optimizer)
        for name, asset in assets:
            target = folder / ASSETS / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(asset.read_bytes())


@contextlib.contextmanager
def assets_of(model: Any) -> Iterator[list[tuple[str, Path]]]:
    """The files that layers write in `save_assets`, with their names in the archive."""
    with tempfile.TemporaryDirectory(prefix="lamina-") as name:
        root = Path(name)
        for path, thing in walk(model):
            if hasattr(thing, "save_assets"):
                folder = root / path
                folder.mkdir(parents=True, exist_ok=True)
                thing.save_assets(os.fspath(folder))
        files = sorted(file for file in root.rglob("*") if file.is_file())
        yield [(file.relative_to(root).as_posix(), file) for file in files]


# Reading


def read(path: Any, custom_objects: dict[str, Any] | None, compile: bool, safe_mode: bool) -> Any:
    """The model in an archive."""
    with open_archive(path) as archive, drawing_later():
        for name in (CONFIG, WEIGHTS):
            if name not in archive:
                held = ", ".join(archive.names[:8])
                raise FileProblem(f"{archive.path}: is no model: it has no {name}; it holds {held or 'nothing'}")
        metadata = archive.read_json(METADATA) if METADATA in archive else {}
        config = _modern(archive.read_json(CONFIG), metadata)
        with safe_config.making(config, archive.size(WEIGHTS)):
            model = make(config, custom_objects, compile, safe_mode)
        with open_hdf5(archive.window(WEIGHTS)) as root:
            weight_store.read_weights(model, root)
        _read_assets(model, archive)
    return model


def unpacked(data: bytes, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model that `packed` described. Code of Python lambdas in it is not run, unless that is allowed for all files.

    Raises:
        ValueError: it uses what is unknown here.
    """
    with tempfile.TemporaryDirectory(prefix="lamina-") as folder:
        path = Path(folder, "pickled.keras")
        path.write_bytes(data)
        return read(path, custom_objects, compile=True, safe_mode=True)


def read_folder(path: Any, custom_objects: dict[str, Any] | None, compile: bool, safe_mode: bool) -> Any:
    """The model in a folder of the same files."""
    folder = Path(path)
    check_folder(folder)
    weights = folder / WEIGHTS
    with open(folder / CONFIG, "rb") as file:
        config = safe_config.read_json(file.read(limits.CONFIG_BYTES + 1), CONFIG)
    with open(folder / METADATA, "rb") if (folder / METADATA).is_file() else io.BytesIO(b"{}") as file:
        config = _modern(config, safe_config.read_json(file.read(limits.CONFIG_BYTES + 1), METADATA))
    with drawing_later():
        with safe_config.making(config, weights.stat().st_size):
            model = make(config, custom_objects, compile, safe_mode)
        with open_hdf5(weights) as root:
            weight_store.read_weights(model, root)
    _load_assets(model, lambda place: os.fspath(folder / ASSETS / place))
    return model


def _modern(config: Any, metadata: Any) -> Any:
    """The configuration as Keras 3 has it; tf.keras 2 wrote archives as well."""
    return architecture.of_archive(config, metadata.get("keras_version") if isinstance(metadata, dict) else None)


def make(config: Any, custom_objects: dict[str, Any] | None, compile: bool, safe_mode: bool) -> Any:
    """The model that a ``config.json`` describes, built; its weights are new.

    Raises:
        ValueError: the description names what is unknown, is malformed, or describes something else.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise FileProblem(f"{CONFIG}: describes no model: it has no 'class_name'")
    with sharing.reading_file(compile):
        model = registry.deserialize({**config, "compile_config": None}, custom_objects, safe_mode=safe_mode)
        if not hasattr(model, "load_own_variables"):
            raise FileProblem(f"{CONFIG}: describes no model but {config['class_name']!r}")
        with registry.custom_object_scope(custom_objects or {}):
            if not model.built and isinstance(config.get("build_config"), dict):
                _build(model, config["build_config"])
            if compile and config.get("compile_config"):
                model.compile_from_config(config["compile_config"])
    return model


def _build(model: Any, config: dict[str, Any]) -> None:
    try:
        model.build_from_config(config)
    except TypeError as error:
        raise FileProblem(f"{CONFIG}: {model.name!r} cannot be built from `build_config`: {error}") from error


def _read_assets(model: Any, archive: Archive) -> None:
    if not any(name.startswith(f"{ASSETS}/") for name in archive.names):
        return
    with tempfile.TemporaryDirectory(prefix="lamina-") as name:

        def extracted(place: str) -> str:
            folder = tempfile.mkdtemp(dir=name)
            archive.extract(f"{ASSETS}/{place}", folder)
            return folder

        _load_assets(model, extracted)


def _load_assets(model: Any, folder_of: Callable[[str], str]) -> None:
    lines = 0
    for place, thing in walk(model):
        if not hasattr(thing, "load_assets"):
            continue
        folder = folder_of(place)
        lines += _lines_in(folder)
        if lines > limits.VOCABULARY_LINES:
            raise FileProblem(f"{ASSETS}/{place}: vocabularies of more than {limits.VOCABULARY_LINES} lines")
        try:
            thing.load_assets(folder)
        except FileNotFoundError as error:
            raise FileProblem(f"{thing.name!r} needs {Path(str(error.filename)).name!r} in {ASSETS}/{place}") from error
        except ValueError as error:
            raise FileProblem(f"{ASSETS}/{place}: {error}") from error


def _lines_in(folder: str) -> int:
    """Lines of all texts in a folder."""
    count = 0
    for path in Path(folder).rglob("*.txt"):
        with open(path, "rb") as file:
            while piece := file.read(limits.MB):
                count += piece.count(b"\n")
    return count
