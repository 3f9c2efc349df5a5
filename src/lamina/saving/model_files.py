"""Models to files and back. A file's kind is told by what is in it; what is written, by its name."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lamina.saving import keras_archive, places, sharded, weight_store
from lamina.saving.atomic import writing
from lamina.saving.interop import orbax, safetensors
from lamina.saving.safety.archive import open_archive
from lamina.saving.safety.errors import FileProblem, naming
from lamina.saving.safety.hdf5 import Group, open_hdf5
from lamina.shapes.errors import ShapeError

_WHOLE = (".h5", ".hdf5", ".hd5")
_SAFETENSORS = ".safetensors"
_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, include_optimizer: bool = True
) -> None:
    """Write a whole model: what it is made of, its weights, its training settings and the optimizer's state.

    Args:
        model: the model.
        filepath: where to: a name that ends in ``.keras``, or in ``.h5`` for the format of Keras 1 and 2.
        overwrite: whether an existing file may be replaced without asking.
        zipped: ``False`` writes a folder, whose name does not end in ``.keras``.
        include_optimizer: whether training settings and the optimizer's state are written.

    The file is replaced as a whole: whatever happens while it is written, the earlier one stays.

    Raises:
        ValueError: the name has another ending, or the model cannot be described.
        OSError: the file cannot be written.

    Example:

    >>> import lamina, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.keras"
    >>> lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)]).save(path)
    >>> lamina.models.load_model(path).output_shape
    (None, 2)
    """
    path = places.target(filepath)
    is_folder = zipped is False
    if is_folder and path.suffix == ".keras":
        raise ValueError(
            f"`filepath`={str(path)!r}: with zipped=False it is a folder, whose name does not end in .keras"
        )
    if not is_folder and path.suffix not in (".keras", *_WHOLE):
        raise ValueError(f"`filepath`={str(path)!r}: expected a name that ends in .keras (or .h5)")
    if not _may_write(path, overwrite):
        return
    if is_folder:
        keras_archive.write_folder(model, path, include_optimizer)
    elif path.suffix == ".keras":
        keras_archive.write(model, path, include_optimizer)
    else:
        _legacy().save_model_h5(model, path, include_optimizer)


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Open a model that Lamina or Keras (1, 2 or 3) wrote.

    Files from anyone may be opened: only classes and functions of Lamina's own and those you registered, or name in
    `custom_objects`, are used, and no code out of the file is run.

    Args:
        filepath: a ``.keras`` or ``.h5`` file, whatever its name, or a folder: one written with ``zipped=False``, or
            one of checkpoints of Orbax (those of your own; Orbax, which reads them, expects no harm).
        custom_objects: your classes and functions that it uses, by name.
        compile: whether its training settings and the optimizer's state are taken up.
        safe_mode: ``False`` runs the code of Python lambdas in the file. Only for files of your own.

    Returns:
        The model, compiled if it was compiled when it was written.

    Raises:
        ValueError: it is no model, is damaged, or uses what is unknown; the message names the file and the place.
        OSError: there is no such file, or it may not be read.
    """
    path = places.existing(filepath)
    with naming(path):
        if orbax.is_checkpoint(path):
            return orbax.load_model(path, custom_objects, compile, safe_mode)
        if path.is_dir():
            if not (path / keras_archive.CONFIG).is_file():
                raise FileProblem(f"{path}: this folder holds no {keras_archive.CONFIG}, so it is no model")
            return keras_archive.read_folder(path, custom_objects, compile, safe_mode)
        kind = _kind(path)
        if kind == _ZIP:
            return keras_archive.read(path, custom_objects, compile, safe_mode)
        if kind == _HDF5:
            return _legacy().load_model_h5(path, custom_objects, compile, safe_mode)
    raise FileProblem(f"{path}: neither a .keras archive nor an HDF5 file")


def save_weights(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None) -> None:
    """Write a model's weights, and its optimizer's state.

    Args:
        model: the model, built.
        filepath: where to: a name that ends in ``.weights.h5``, or in ``.weights.json`` for several files. A name
            that ends in ``.h5`` alone gives the layout of Keras 1 and 2, with layers by name; one that ends in
            ``.safetensors`` the weights alone, by their paths (see `save_safetensors`).
        overwrite: whether an existing file may be replaced without asking.
        max_shard_size: the most that one of several files holds, in GB.

    Raises:
        ValueError: the name has another ending, or the model is not built.
        OSError: the file cannot be written.
    """
    path = places.target(filepath)
    ending = ".weights.h5" if max_shard_size is None else ".weights.json"
    layered = max_shard_size is None and path.suffix in _WHOLE and not path.name.endswith(ending)
    by_path = max_shard_size is None and path.suffix == _SAFETENSORS
    if not layered and not by_path and not path.name.endswith(ending):
        how = "" if max_shard_size is None else "with `max_shard_size`, "
        raise ValueError(f"`filepath`={str(path)!r}: {how}expected a name that ends in {ending}")
    if not model.built:
        raise ValueError(f"{model.name!r} has no weights yet: build it, or call it once, before they are saved")
    if not _may_write(path, overwrite):
        return
    if max_shard_size is not None:
        sharded.write(model, path, max_shard_size)
        return
    if layered:
        _legacy().save_weights_h5(model, path)
        return
    if by_path:
        safetensors.save_safetensors(model, filepath)
        return
    with writing(path) as file:
        weight_store.write_hdf5(model, file)


def load_weights(
    model: Any,
    filepath: Any,
    skip_mismatch: bool = False,
    by_name: bool = False,
    objects_to_skip: Iterable[Any] = (),
) -> None:
    """Set a model's weights from a file; all of them, or, where something does not fit, none.

    Args:
        model: the model, built.
        filepath: a file of weights, or a whole model, that Lamina or Keras wrote; ``.safetensors``; or a folder of
            checkpoints of Orbax, of which the last is taken.
        skip_mismatch: whether layers that do not fit are left as they are, with a warning.
        by_name: for ``.h5`` files of Keras 1 and 2: match layers by name instead of by their order.
        objects_to_skip: layers to leave as they are.

    Raises:
        ShapeError: a layer has other weights than the file holds for it; nothing is set then.
        ValueError: it is no file of weights, or is damaged.
        OSError: there is no such file, or it may not be read.
    """
    path = places.existing(filepath)
    if orbax.is_checkpoint(path):
        orbax.load_weights(model, path, skip_mismatch, by_name, objects_to_skip)
        return
    if _is_safetensors(path):
        if by_name:
            raise ValueError("`by_name`=True: in .safetensors all is by name; `skip_mismatch` passes over what differs")
        safetensors.load_safetensors(model, filepath, skip_mismatch, objects_to_skip)
        return
    misfit: ShapeError | None = None
    with naming(path), _weights_in(path) as root:
        if root is None or "layer_names" in root.attributes or "model_weights" in root.groups:
            _legacy().load_weights_h5(model, path, by_name, skip_mismatch)
            return
        if by_name:
            raise ValueError("`by_name`=True: this file has layers by their place; only .h5 files of Keras 1 and 2 do")
        try:
            weight_store.read_weights(model, root, skip_mismatch, objects_to_skip)
        except ShapeError as error:
            misfit = error.about(notes=[("file", str(path))])
    if misfit is not None:  # the file is whole: it is the model that it does not fit
        raise misfit


@contextlib.contextmanager
def _weights_in(path: Path) -> Iterator[Group]:
    """The groups with the weights in a file of any kind."""
    if path.name.endswith(".weights.json"):
        with sharded.opened(path) as root:
            yield root
        return
    kind = _kind(path)
    if kind == _ZIP:
        with open_archive(path) as archive, open_hdf5(archive.window(keras_archive.WEIGHTS)) as root:
            yield root
    elif kind == _HDF5:
        with open_hdf5(path) as root:
            yield root
    else:
        raise FileProblem(f"{path}: neither an HDF5 file nor a .keras archive")


def _legacy() -> Any:
    """The formats of Keras 1 and 2, with their tables, only where a file needs them."""
    return importlib.import_module("lamina.saving.legacy")


def _kind(path: Path) -> bytes | None:
    """The mark of a zip archive or an HDF5 file; the latter may begin further on."""
    with open(path, "rb") as file:
        first = file.read(8)
        if first.startswith(_ZIP):
            return _ZIP
        place = 512
        while first and first != _HDF5 and place <= 2**16:
            file.seek(place)
            first, place = file.read(8), place * 2
        return _HDF5 if first == _HDF5 else None


def _is_safetensors(path: Path) -> bool:
    """Told by the name or, where that says nothing, by how it begins."""
    if not path.is_file() or _kind(path) is not None or path.name.endswith(".weights.json"):
        return False
    return path.suffix == _SAFETENSORS or safetensors.is_safetensors(path)


def _may_write(path: Path, overwrite: bool) -> bool:
    """Whether a file may be written: there is none, or the user says so."""
    if overwrite or not os.path.lexists(path):
        return True
    try:
        return input(f"{path} exists. Replace it? [y/n] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise ValueError(f"{path} exists, and `overwrite` is False") from None
