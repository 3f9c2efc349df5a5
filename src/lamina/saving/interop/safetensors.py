"""Weights as ``.safetensors``: arrays by name, and nothing that could be run.

The format is small enough to be written here, one array at a time: eight bytes with the length of a header, the
header, which is JSON and says of each name the type, the shape and the place of its bytes, and then the bytes.
"""

from __future__ import annotations

import json
import math
import os
import struct
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks
from lamina.core.variable import Variable
from lamina.saving import names, places
from lamina.saving.atomic import writing
from lamina.saving.safety import limits
from lamina.saving.safety.config import read_json
from lamina.saving.safety.errors import FileProblem, naming, quote
from lamina.shapes.errors import ShapeError, ShapeWarning

_METADATA = "__metadata__"
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "BF16": "bfloat16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}
_LABELS = {dtype: label for label, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class Tensor:
    """What a header says of one array, checked against the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    nbytes: int


def save_safetensors(model: Any, filepath: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write a model's weights as ``.safetensors``, which other libraries read.

    The names are the paths of the weights, such as ``"encoder/dense/kernel"``; where two weights share one, the second
    has ``_1`` at the end, in the order of ``model.weights``. The optimizer's state is not written. Nothing has to be
    installed for this.

    Args:
        model: the model, built.
        filepath: where to; an existing file is replaced when the new one is whole.
        metadata: texts by name to keep in the file.

    Raises:
        ValueError: the model is not built, a weight is of a type that the format has not, or `metadata` is no such
            dict.
        OSError: the file cannot be written.

    Example:

    >>> import lamina, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2, name="dense")], name="small")
    >>> lamina.saving.save_safetensors(model, path)
    >>> sorted(lamina.saving.interop.safetensors.read_header(path))
    ['small/dense/bias', 'small/dense/kernel']
    """
    checked = _checked_metadata(metadata)
    if not model.built:
        raise ValueError(f"{model.name!r} has no weights yet: build it, or call it once, before they are saved")
    named = names.by_name(model.weights)
    if _METADATA in named:
        raise ValueError(f"{model.name!r} has a weight {_METADATA!r}, a name that the format keeps for itself")
    for name, variable in named.items():
        if variable._value.dtype.name not in _LABELS:
            raise ValueError(f"{name!r} is {variable._value.dtype.name}, which .safetensors cannot hold")
    # Large items first, as other writers have it: so each array lies at a multiple of its item's size.
    order = sorted(named.items(), key=lambda entry: -entry[1]._value.dtype.itemsize)
    with writing(places.target(filepath)) as file:
        file.write(_header(order, checked))
        for _, variable in order:
            file.write(_bytes(variable.numpy()))


def load_safetensors(
    model: Any, filepath: Any, skip_mismatch: bool = False, objects_to_skip: Iterable[Any] = ()
) -> None:
    """Set a model's weights from a ``.safetensors`` file; all of them, or, where something does not fit, none.

    Weights are matched by name: each must be in the file, and nothing else. Where names differ only in numbers that
    layers without a name of their own are given (``dense_7``), they are matched in the order of these numbers.

    Args:
        model: the model, built.
        filepath: the file; it may come from anyone.
        skip_mismatch: whether weights that are not in the file, or do not fit, are left as they are, with a warning.
        objects_to_skip: layers to leave as they are.

    Raises:
        ShapeError: a weight has another shape in the file.
        ValueError: names are missing or unknown, or the file is damaged.
        OSError: there is no such file, or it may not be read.
    """
    path = places.existing(filepath)
    if not model.built:
        raise ValueError(f"{model.name!r} has no weights yet: build it, or call it once, before they are loaded")
    skipped = {id(weight) for layer in objects_to_skip for weight in layer.weights}
    with open(path, "rb") as file:
        with naming(path):
            tensors = _read_header(file)
        pairs, problems = _matched(model, tensors, skipped)
        if problems and not skip_mismatch:
            raise _summed_up(problems, path)
        with naming(path):
            values = [(variable, _read(file, tensor, variable)) for variable, tensor in pairs]
    for problem in problems:
        warnings.warn(f"left as it is: {problem}", ShapeWarning, stacklevel=2)
    for variable, value in values:
        variable.set_raw(value)


def read_header(filepath: Any) -> dict[str, Tensor]:
    """The arrays in a ``.safetensors`` file by name, without their values.

    Raises:
        ValueError: it is no such file, or is damaged; the message names the file and the array.
        OSError: there is no such file, or it may not be read.
    """
    with open(filepath, "rb") as file, naming(filepath):
        return _read_header(file)


def read_metadata(filepath: Any) -> dict[str, str]:
    """The texts that a ``.safetensors`` file keeps beside its arrays.

    Raises:
        ValueError: it is no such file, or is damaged.
        OSError: there is no such file, or it may not be read.
    """
    with open(filepath, "rb") as file, naming(filepath):
        return _parts(file)[1]


def is_safetensors(path: Path) -> bool:
    """Whether a file looks like one: the format has no mark, but begins with a length and a brace."""
    with open(path, "rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] <= path.stat().st_size - 8


# Writing


def _checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    given = {} if metadata is None else metadata
    if not isinstance(given, Mapping) or not all(isinstance(text, str) for item in given.items() for text in item):
        raise ValueError(f"`metadata`={metadata!r}: expected a dict of texts")
    return {"format": "lamina", **given}


def _header(order: list[tuple[str, Variable]], metadata: dict[str, str]) -> bytes:
    header: dict[str, Any] = {_METADATA: metadata}
    place = 0
    for name, variable in order:
        array = variable._value
        offsets = [place, place + array.nbytes]
        header[name] = {"dtype": _LABELS[array.dtype.name], "shape": list(array.shape), "data_offsets": offsets}
        place = offsets[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _bytes(array: np.ndarray) -> Any:
    """The array's bytes, in rows, the lowest first; without a copy where they lie so."""
    rows = np.ascontiguousarray(array).reshape(-1)
    return rows.astype(rows.dtype.newbyteorder("<"), copy=False).view(np.uint8).data


# Reading


def _read_header(file: BinaryIO) -> dict[str, Tensor]:
    header, _, base = _parts(file)
    tensors = [_tensor(name, entry, base) for name, entry in header.items()]
    _check_places(tensors, base, file.seek(0, os.SEEK_END))
    return {tensor.name: tensor for tensor in tensors}


def _parts(file: BinaryIO) -> tuple[dict[str, Any], dict[str, str], int]:
    """What the header says of arrays, the texts in it, and where it ends."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size < 10:
        raise FileProblem(f"{size} bytes are too few for a .safetensors file")
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(size - 8, limits.CONFIG_BYTES):
        raise FileProblem(f"the header is said to have {length} bytes; the file has {size}")
    header = read_json(file.read(length), "header")
    if not isinstance(header, dict):
        raise FileProblem("the header is no object, so this is no .safetensors file")
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise FileProblem(f"{_METADATA} is no object of texts")
    return header, metadata, length + 8


def _tensor(name: str, entry: Any, base: int) -> Tensor:
    """One entry of the header; its bytes are as many as its shape and type say."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FileProblem(f"{quote(name)}: expected 'dtype', 'shape' and 'data_offsets', not {quote(entry)}")
    dtype = _DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        hint = checks.did_you_mean(str(entry["dtype"])[:20], _DTYPES)
        raise FileProblem(f"{quote(name)}: values of the unknown type {quote(entry['dtype'])}{hint}")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _is_counts(shape) or len(shape) > limits.AXES:
        raise FileProblem(f"{quote(name)}: {quote(shape)} is no shape")
    if not _is_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FileProblem(f"{quote(name)}: {quote(offsets)} is no place in the file")
    nbytes = math.prod(shape) * jnp.dtype(dtype).itemsize
    if nbytes != offsets[1] - offsets[0]:
        raise FileProblem(
            f"{quote(name)}: {entry['dtype']} of shape {quote(tuple(shape))} takes {quote(nbytes)} bytes; "
            f"its place {quote(offsets)} has {quote(offsets[1] - offsets[0])}"
        )
    return Tensor(name, dtype, tuple(shape), base + offsets[0], nbytes)


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(count) is int and 0 <= count < 2**63 for count in value)


def _check_places(tensors: list[Tensor], base: int, size: int) -> None:
    """The arrays follow each other without gaps, and end with the file."""
    end, last = base, "the header"
    for tensor in sorted(tensors, key=lambda t: (t.start, t.nbytes)):
        if tensor.start != end:
            what = "overlaps with" if tensor.start < end else "leaves a gap after"
            raise FileProblem(f"{quote(tensor.name)} {what} {last}: it begins at {tensor.start}, that ends at {end}")
        end, last = tensor.start + tensor.nbytes, quote(tensor.name)
        if end > size:
            raise FileProblem(f"{last} ends at byte {end}, the file at {size}: it is cut off")
    if end != size:
        raise FileProblem(f"after {last} come {size - end} bytes that belong to nothing")


def _matched(
    model: Any, tensors: dict[str, Tensor], skipped: set[int]
) -> tuple[list[tuple[Variable, Tensor]], list[Exception]]:
    """Which array goes into which weight; and what does not fit."""
    own = names.by_name(model.weights)
    which = names.matched({"": list(tensors)}, {"": own}, model)[""]
    problems: list[Exception] = []
    pairs: list[tuple[Variable, Tensor]] = []
    where = f"{type(model).__name__} {model.name!r}"
    for stored, tensor in tensors.items():
        variable = own.get(which.get(stored, ""))
        if variable is None:
            problems.append(ValueError(names.unknown(stored, own, where)))
        elif id(variable) not in skipped:
            problem = _misfit(which[stored], variable, tensor, model)
            problems.extend([problem] if problem else [])
            pairs.extend([] if problem else [(variable, tensor)])
    found = set(which.values())
    for name, variable in own.items():
        if name not in found and id(variable) not in skipped:
            problems.append(ValueError(names.unknown(name, tensors, "the file")))
    return pairs, problems


def _misfit(name: str, variable: Variable, tensor: Tensor, model: Any) -> Exception | None:
    if tuple(variable.shape) != tensor.shape:
        return names.misfit(name, variable, tensor.shape, model)
    kept = variable._value.dtype
    if not any(jnp.issubdtype(kept, kind) and jnp.issubdtype(tensor.dtype, kind) for kind in _KINDS):
        return ValueError(f"{name!r} is {kept.name}; the file has {tensor.dtype} for it")
    return None


_KINDS = (jnp.floating, jnp.integer, jnp.bool_, jnp.complexfloating)


def _summed_up(problems: list[Exception], path: Path) -> Exception:
    """One error for all that does not fit; of a shape, where there is one."""
    first = next((problem for problem in problems if isinstance(problem, ShapeError)), problems[0])
    others = [str(problem).splitlines()[0] for problem in problems if problem is not first]
    shown = "; ".join(others[:4]) + ("; ..." if len(others) > 4 else "")
    if isinstance(first, ShapeError):
        notes = [("file", str(path)), *([(f"{len(others)} more", shown)] if others else [])]
        return first.about(notes=notes)
    return ValueError(f"{path} does not fit: {first}" + (f"; and {len(others)} more: {shown}" if others else ""))


def _read(file: BinaryIO, tensor: Tensor, variable: Variable) -> jax.Array:
    """The values of one array, in the type of the variable."""
    array = np.empty(tensor.nbytes, np.uint8)
    file.seek(tensor.start)
    if file.readinto(array.data) != tensor.nbytes:  # type: ignore[attr-defined]
        raise FileProblem(f"{quote(tensor.name)}: the file ends within its values")
    if tensor.dtype == "bool":
        values = array != 0
    else:
        values = array.view(jnp.dtype(tensor.dtype).newbyteorder("<")).astype(variable._value.dtype, copy=False)
    value = jnp.asarray(values.reshape(tensor.shape), variable._value.dtype)
    return value.block_until_ready()  # until then the copy holds on to what it is made of
