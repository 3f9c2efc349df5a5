"""Sequences of different lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.core import checks

__all__ = ["pad_sequences"]


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """One array ``(samples, maxlen, ...)`` from sequences of different lengths.

    Args:
        sequences: the sequences, each a list or array ``(length, ...)``.
        maxlen: the common length; that of the longest by default.
        dtype: data type of the array.
        padding: where short ones are filled up: ``"pre"``, at the beginning, or ``"post"``.
        truncating: where long ones are cut: ``"pre"``, at the beginning, or ``"post"``.
        value: what they are filled up with.

    Raises:
        ValueError: an entry is no sequence, or the entries' further axes differ.

    Example:

    >>> import lamina
    >>> lamina.utils.pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2).tolist()
    [[0, 1], [2, 3], [5, 6]]
    """
    checks.one_of("padding", padding, ("pre", "post"))
    checks.one_of("truncating", truncating, ("pre", "post"))
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"`sequences` is a list of sequences, not {type(sequences).__name__}")
    lengths = [_length(entry, place) for place, entry in enumerate(sequences)]
    size = max(lengths, default=0) if maxlen is None else checks.positive_int("maxlen", maxlen)
    dtype = np.dtype(object) if isinstance(value, str) and np.dtype(dtype).kind != "U" else np.dtype(dtype)
    rest = next((np.asarray(e).shape[1:] for e, length in zip(sequences, lengths, strict=True) if length), ())
    padded = np.full((len(lengths), size, *rest), value, dtype=dtype)
    for place, entry in enumerate(sequences):
        kept = np.asarray(entry[-size:] if truncating == "pre" else entry[:size], dtype=dtype)
        if not len(kept):
            continue
        if kept.shape[1:] != rest:
            raise ValueError(f"`sequences`[{place}] has entries of shape {kept.shape[1:]}; those before it have {rest}")
        where = slice(size - len(kept), None) if padding == "pre" else slice(None, len(kept))
        padded[place, where] = kept
    return padded


def _length(entry: Any, place: int) -> int:
    if not hasattr(entry, "__len__") or isinstance(entry, str):
        raise ValueError(f"`sequences`[{place}]={entry!r} is no sequence; write it as a list, such as [{entry!r}]")
    return len(entry)
