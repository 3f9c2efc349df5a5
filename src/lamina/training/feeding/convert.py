"""The user's data as arrays: what can be read as one becomes one, anything else is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.advice import lengths
from lamina.core import config, tree
from lamina.shapes.errors import Fix, ShapeError

_MANY = 8
_REAL = (int, float, np.integer, np.floating)


def to_arrays(value: Any, name: str, *, may_lack: bool = False) -> Any:
    """A structure of numpy or JAX arrays from nested lists, tuples and dicts of anything array-like.

    A list that holds nothing but numbers (at any depth) is one array; other lists and tuples are structures.
    Floats become ``lamina.config.floatx()``, 64-bit whole numbers 32-bit ones unless JAX computes in 64 bits.

    Args:
        value: the user's argument.
        name: how errors call it.
        may_lack: whether ``None`` may stand in place of an array inside a structure.

    Raises:
        ValueError: something in it cannot be read as an array of numbers with a samples axis.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        _refuse_nothing(value, name)
        return {key: _entry(entry, f"{name}[{key!r}]", may_lack) for key, entry in value.items()}
    if isinstance(value, (list, tuple, range)):
        _refuse_nothing(value, name)
        if isinstance(value, range) or _is_numbers(value):
            return _leaf(_from_numbers(value, name), name)
        entries = [_entry(entry, f"{name}[{i}]", may_lack) for i, entry in enumerate(value)]
        if hasattr(value, "_fields"):
            return type(value)(*entries)
        return entries if isinstance(value, list) else tuple(entries)
    return _leaf(value, name)


def _refuse_nothing(value: Sequence[Any] | Mapping[Any, Any], name: str) -> None:
    if len(value) == 0:
        raise ValueError(f"`{name}` is empty: {value!r} holds no samples")


def _entry(value: Any, name: str, may_lack: bool) -> Any:
    if value is None and not may_lack:
        raise ValueError(f"`{name}` is None: give an array for every entry")
    return to_arrays(value, name, may_lack=may_lack)


def _is_numbers(value: Any) -> bool:
    while isinstance(value, (list, tuple)) and len(value):
        value = value[0] if value[0] is not None or len(value) == 1 else value[1]
    return isinstance(value, (bool, int, float, complex, str, bytes, np.generic))


def _from_numbers(value: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        rows = [row for row in value if isinstance(row, (list, tuple))]
        lengths, numbers = sorted(set(map(len, rows))), [n for row in rows for n in row]
        seen = f": its rows have lengths {_listed(lengths)}" if len(lengths) > 1 else f" ({error})"
        plain = len(lengths) > 1 and len(rows) == len(value) and all(isinstance(n, _REAL) for n in numbers)
        kind = ", dtype='float32'" if any(isinstance(n, (float, np.floating)) for n in numbers) else ""
        code = f"{name} = keras.utils.pad_sequences({name}, padding='post'{kind})"
        padded = Fix("pad the shorter ones with zeros", code)
        raise ShapeError(
            f"`{name}` is a list that forms no array{seen}; "
            "make all rows equally long, for example by padding the shorter ones",
            expected="rows of the same length",
            received=f"a list of {len(value)} rows of different lengths" if len(lengths) > 1 else "",
            fixes=[padded] if plain else [],
        ) from error


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(str(v) for v in values[:_MANY])
    return shown + (", ..." if len(values) > _MANY else "")


def _leaf(value: Any, name: str) -> Any:
    if isinstance(value, jax.Array):
        return _checked(value, name)
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "to_numpy"):
        return _checked(_from_pandas(value, name), name)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise ValueError(f"`{name}` is a sparse matrix of shape {value.shape}: pass `{name}.toarray()`")
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
    if isinstance(value, (str, bytes)):
        raise ValueError(f"`{name}` is text ({value!r}): models take arrays of numbers")
    if not hasattr(value, "__array__") and not isinstance(value, (bool, int, float, complex)):
        raise ValueError(
            f"`{name}` is a {type(value).__name__}, which is no array: give a numpy or JAX array, a pandas table, "
            "a list of numbers, or a list or dict of these"
        )
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"`{name}` ({type(value).__name__}) cannot be read as a numpy array: {error}") from error
    return _checked(array, name)


def _from_pandas(value: Any, name: str) -> np.ndarray:
    """The numbers of a table (``(rows, columns)``) or of one column (``(rows, 1)``), as Keras has them."""
    columns = value.items() if value.ndim == 2 else [(value.name, value)]
    bad = [repr(label) for label, column in columns if not _is_numeric(column.dtype)]
    if bad:
        what = f"columns {_listed(bad)} hold" if len(bad) > 1 else f"column {bad[0]} holds"
        raise ShapeError(
            f"`{name}`: {what} no numbers; encode them (pandas.get_dummies, .cat.codes) or drop them "
            f"({name}.select_dtypes('number'))",
            expected="columns of numbers",
            received=f"{tuple(value.shape)}, of which {what} no numbers",
        )
    array = value.to_numpy()
    if array.dtype.kind == "O":
        array = value.to_numpy(dtype="float64", na_value=np.nan)
    return array if array.ndim > 1 else array[:, None]


def _is_numeric(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") in "biufc" or bool(getattr(dtype, "_is_numeric", False))


def _checked(array: Any, name: str) -> Any:
    """The array in the type that models take, or an error."""
    _refuse_type(array, name)
    if array.ndim == 0:
        raise ShapeError(
            f"`{name}` is a single number ({array}): give an array whose first axis counts the samples",
            expected="(samples, ...)",
            received="()",
            fixes=[Fix("for a single sample, give it the samples axis", f"{name} = np.array([{name}])", "(1,)")],
        )
    if array.size == 0:
        raise ValueError(f"`{name}` is empty: its shape {tuple(array.shape)} holds no samples")
    wanted = _wanted(array.dtype)
    if array.dtype == wanted:
        return array
    if array.dtype.kind in "iu":
        limits = np.iinfo(wanted)
        low, high = int(array.min()), int(array.max())
        if low < limits.min or high > limits.max:
            raise ValueError(
                f"`{name}` holds whole numbers from {low} to {high}, which do not fit {wanted}: "
                "scale them, or make them floats"
            )
    return array.astype(wanted)


def _wanted(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.floating):
        return jnp.dtype(config.floatx())
    return jax.dtypes.canonicalize_dtype(dtype)


def _refuse_type(array: Any, name: str) -> None:
    dtype = array.dtype
    if dtype.kind == "O":
        raise ShapeError(
            f"`{name}` is an array of objects, not of numbers: {_about_objects(array, name)}",
            expected="an array of numbers, each sample of the same shape",
            received=f"{array.shape} objects",
        )
    if jnp.issubdtype(dtype, jnp.number) or dtype.kind == "b":
        return
    if dtype.kind in "US":
        example = repr(array.reshape(-1)[0].item()) if array.size else "text"
        raise ShapeError(
            f"`{name}` holds text ({example}): turn it into numbers first (a class index, a one-hot row)",
            expected="numbers",
            received=f"{tuple(array.shape)} texts",
        )
    if dtype.kind in "Mm":
        raise ValueError(f"`{name}` holds times ({dtype}): turn them into numbers, for example days since a start")
    raise ValueError(f"`{name}` has data type {dtype}: models take numbers")


def _about_objects(array: Any, name: str) -> str:
    entries = array.reshape(-1)[:1000]
    if any(e is None for e in entries):
        return "it holds None; fill or drop the missing values"
    shapes = sorted({np.shape(e) for e in entries if isinstance(e, (np.ndarray, list, tuple))})
    if len(shapes) == 1:
        return f"each entry is an array of shape {shapes[0]}; join them with `np.stack({name})`"
    if shapes:
        return f"its entries have shapes {_listed(shapes)}; pad them to one shape: {_padding(array, name)}"
    kinds = sorted({type(e).__name__ for e in entries})
    return f"its entries are of type {_listed(kinds)}; `{name}.astype('float32')` makes numbers of those that can be"


def _padding(array: Any, name: str) -> str:
    """How to make one array of entries that differ in length."""
    if all(np.ndim(entry) == 1 for entry in array.reshape(-1)[:1000]):
        return f"`keras.utils.pad_sequences({name})`"
    return f"`np.stack` of the entries of {name}, each padded by `np.pad`"


def named_leaves(structure: Any, name: str) -> list[tuple[str, Any]]:
    """Each array of a structure with the name errors give it, such as ``x['left']``."""
    paths = tree.flatten_with_path(structure)
    return [(name + "".join(f"[{p!r}]" for p in path), leaf) for path, leaf in paths if leaf is not None]


def same_length(parts: Sequence[tuple[str, Any]], where: str = "") -> int:
    """The number of samples, which must be the same in all arrays.

    Args:
        parts: names and structures of arrays.
        where: words to put before the message.

    Raises:
        ShapeError: they differ; the message gives the length of each.
    """
    leaves = [pair for name, structure in parts for pair in named_leaves(structure, name)]
    counts = {leaf.shape[0] for _, leaf in leaves}
    if len(counts) == 1:
        return counts.pop()
    if lengths.is_list_of_samples(parts, leaves):
        name, count, shape = parts[0][0], len(parts[0][1]), tuple(leaves[0][1].shape)
        raise ShapeError(
            f"{where}`{name}` is a list of {count} arrays, which stands for {count} inputs",
            expected=f"one array {(count, *shape)}: {count} samples, each of shape {shape}",
            received=f"{count} arrays of shape {shape}",
            fixes=lengths.repairs(parts, leaves),
        )
    listed = ", ".join(f"{name}: {leaf.shape[0]} samples" for name, leaf in leaves[:_MANY])
    raise ShapeError(
        f"{where}the arrays differ in their number of samples",
        expected="the same length along the first axis of every array",
        received=listed + (f", and {len(leaves) - _MANY} more" if len(leaves) > _MANY else ""),
        fixes=lengths.repairs(parts, leaves),
    )
