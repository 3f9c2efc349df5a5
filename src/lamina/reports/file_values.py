"""The values of weights in a few numbers, one array at a time, and in pieces: a large one takes no memory twice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.reports.file_arrays import StoredArray

_PIECE = 2**20


@dataclass
class Values:
    """An array's values in a few numbers; those that are not finite are counted, and left out otherwise.

    Attributes:
        path: its name in the file.
        label: its name in the model, ``""`` where that is not known.
        shape, dtype: its shape and type.
        least, mean, most, deviation: of the finite values; ``None`` if there are none.
        zeros: share of zeros.
        nan, infinite: how many values are no numbers, and infinite.
    """

    path: str
    label: str
    shape: tuple[int, ...]
    dtype: str
    least: float | None = None
    mean: float | None = None
    most: float | None = None
    deviation: float | None = None
    zeros: float | None = None
    nan: int = 0
    infinite: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The attributes."""
        return {
            "path": self.path, "name": self.label or None, "shape": list(self.shape), "dtype": self.dtype,
            "min": self.least, "mean": self.mean, "max": self.most, "std": self.deviation, "zeros": self.zeros,
            "nan": self.nan, "inf": self.infinite,
        }  # fmt: skip

    @property
    def flags(self) -> str:
        """What is wrong with the values: ``2 NaN, 1 infinite``."""
        counts = ((self.nan, "NaN"), (self.infinite, "infinite"))
        return ", ".join(f"{count:,} {word}" for count, word in counts if count)


def summarize(array: StoredArray, label: str = "") -> Values:
    """An array's values in a few numbers.

    Raises:
        FileProblem: they are damaged.
    """
    found = Values(array.path, label, array.shape, array.dtype)
    if not array.is_numeric:
        return found
    values = array.read().reshape(-1)
    if not values.size:
        return found
    total, count, zeros = 0.0, 0, 0
    least, most = math.inf, -math.inf
    for piece in _pieces(values):
        finite = piece[np.isfinite(piece)]
        found.nan += int(np.isnan(piece).sum())
        found.infinite += int(np.isinf(piece).sum())
        zeros += int((finite == 0).sum())
        if finite.size:
            count += finite.size
            total += float(finite.sum())
            least, most = min(least, float(finite.min())), max(most, float(finite.max()))
    found.zeros = zeros / values.size
    if count:
        found.least, found.mean, found.most = least, total / count, most
        found.deviation = math.sqrt(sum(_squares(piece, found.mean) for piece in _pieces(values)) / count)
    return found


def _pieces(values: np.ndarray) -> Any:
    return (values[at : at + _PIECE].astype(np.float64) for at in range(0, values.size, _PIECE))


def _squares(piece: np.ndarray, mean: float) -> float:
    apart = piece[np.isfinite(piece)] - mean
    return float(apart @ apart)
