"""`Hashing` and `HashedCrossing`: text and whole numbers into a fixed number of bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, registry
from lamina.layers.checking import describe
from lamina.layers.tables.encoding import MODES, HostLayer, encode, host_array, no_sparse
from lamina.layers.tables.fingerprints import fingerprint, join, keyed
from lamina.shapes.errors import ShapeError

CROSSING_START = 0xDECAFCAFFE  # the hash that a crossing starts from, TensorFlow's


def hash_bin(text: str, bins: int, key: tuple[int, int] | None) -> int:
    """The bin of a text, from 0 to ``bins - 1``."""
    data = text.encode("utf-8")
    return (fingerprint(data) if key is None else keyed(data, key)) % bins


def checked_salt(salt: Any) -> tuple[int, int] | None:
    """A key for hashing out of `salt`: one whole number, or two.

    Raises:
        ValueError: it is something else.
    """
    if salt is None:
        return None
    entries = (salt, salt) if checks.is_whole(salt) else salt
    if not isinstance(entries, Sequence) or len(entries) != 2 or not all(map(checks.is_whole, entries)):
        raise ValueError(f"`salt`={salt!r}: expected a whole number or two of them")
    return int(entries[0]), int(entries[1])


class _Binned(HostLayer):
    """Numbers of bins, as they are or as vectors."""

    def _set_output(self, kind: str, num_bins: int, output_mode: str, sparse: bool) -> None:
        no_sparse(kind, sparse=sparse)
        self.num_bins = checks.positive_int("num_bins", num_bins)
        self.output_mode, self.sparse = checks.one_of("output_mode", output_mode, MODES), False

    def _encoded(self, numbers: np.ndarray) -> jax.Array:
        dtype = "float32" if "int" in self.compute_dtype else self.compute_dtype
        return encode(jnp.asarray(numbers, "int32"), self.output_mode, self.num_bins, dtype)


@registry.register("layer")
class Hashing(_Binned):
    """Text, or whole numbers, into a fixed number of bins: the same always into the same, different ones perhaps.

    Args:
        num_bins: number of bins.
        mask_value: a text or number that has bin 0 for itself.
        salt: one or two whole numbers; other ones give other bins. With it SipHash is used, else FarmHash.
        output_mode: ``"int"``, or vectors as of `CategoryEncoding`: ``"one_hot"``, ``"multi_hot"``, ``"count"``.
        sparse: must be ``False``.

    Shapes:
        Input `(batch, ...)`, output as of `Discretization`. Works on the data, before the model.

    Raises:
        ValueError: an argument is out of its range, or the layer is called inside a model.

    Example:

    >>> import lamina
    >>> lamina.layers.Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).tolist()
    [[1], [0], [1], [1], [2]]
    """

    common_mistakes = (
        "It works on the data, before the model: x = layer(data).",
        "With few bins different texts share one; take several times as many bins as there are texts.",
    )

    def __init__(
        self,
        num_bins: int,
        mask_value: str | int | None = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ):
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else None
        super().__init__(**kwargs)
        self._set_output("Hashing", num_bins, output_mode, sparse)
        self.mask_value = mask_value
        self._key = checked_salt(salt)
        self.salt = None if self._key is None else list(self._key)

    def call(self, inputs: Any) -> Any:
        array = host_array(self, inputs)
        if array.dtype.kind == "f":
            raise ValueError(f"{describe(self)} takes text or whole numbers, not {array.dtype}")
        shift = 0 if self.mask_value is None else 1
        bins, masked = self.num_bins - shift, str(self.mask_value)
        found = {t: self._bin(t, bins, shift, masked) for t in map(str, np.unique(array).tolist())}
        numbers = np.array([found[str(t)] for t in array.ravel().tolist()], "int64").reshape(array.shape)
        return self._encoded(numbers)

    def _bin(self, text: str, bins: int, shift: int, masked: str) -> int:
        if (shift and text == masked) or bins == 0:
            return 0
        return shift + hash_bin(text, bins, self._key)


@registry.register("layer")
class HashedCrossing(_Binned):
    """Two or more features together, such as city and weekday, into a fixed number of bins.

    Args:
        num_bins: number of bins.
        output_mode: ``"int"``, or ``"one_hot"`` for a vector of each bin's number.
        sparse: must be ``False``.

    Shapes:
        Inputs: a list of features, each `(batch,)`, `(batch, 1)` or a single text or whole number; output the same,
        or `(batch, num_bins)` with ``"one_hot"``. Works on the data, before the model.

    Raises:
        ValueError: an argument is out of its range, or the layer is called inside a model.
        ShapeError: there are fewer than two features, or their shapes differ.

    Example:

    >>> import lamina
    >>> cities, days = ["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]
    >>> lamina.layers.HashedCrossing(num_bins=5)((cities, days)).tolist()
    [1, 4, 1, 1, 3]
    """

    common_mistakes = (
        "The features come as one list, layer([cities, days]), not as several arguments.",
        "It works on the data, before the model: x = layer([cities, days]).",
    )

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        dtype = ("int64" if output_mode == "int" else None) if dtype is None else dtype
        super().__init__(name=name, dtype=dtype, **kwargs)
        self._set_output("HashedCrossing", num_bins, output_mode, sparse)
        checks.one_of("output_mode", output_mode, ("int", "one_hot"))

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ShapeError(f"{describe(self)} takes a list of two features or more: layer([a, b])", layer=self.name)
        features = [host_array(self, feature) for feature in inputs]
        shape = features[0].shape
        fits = len(shape) < 2 or (len(shape) == 2 and shape[1] == 1)
        if not fits or any(f.shape != shape or f.dtype.kind == "f" for f in features):
            raise ShapeError(
                f"{describe(self)}: the features do not fit together",
                layer=self.name,
                expected="text or whole numbers, all of shape (batch,), or all of shape (batch, 1)",
                received=", ".join(f"{f.shape} of {f.dtype}" for f in features),
            )
        rows = zip(*(f.ravel().tolist() for f in features), strict=True)
        numbers = np.array([self._cross(row) for row in rows], "int64").reshape(shape)
        return self._encoded(numbers)

    def _cross(self, row: Sequence[str | int]) -> int:
        result = CROSSING_START
        for value in row:
            own = fingerprint(value.encode("utf-8")) if isinstance(value, str) else value & (1 << 64) - 1
            result = join(result, own)
        return result % self.num_bins

    def get_config(self) -> dict[str, Any]:
        config = {name: value for name, value in super().get_config().items() if name != "trainable"}
        return {**config, "dtype": self.dtype}
