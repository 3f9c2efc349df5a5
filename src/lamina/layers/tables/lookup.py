"""`StringLookup` and `IntegerLookup`: text and whole numbers into their places in a vocabulary, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.core import checks, registry
from lamina.layers.checking import describe
from lamina.layers.tables.hashing import hash_bin
from lamina.layers.tables.vocabulary import Lookup


def _take_keras_entries(kwargs: dict[str, Any]) -> None:
    """Drop what Keras's configs hold besides arguments: it follows from the vocabulary."""
    for name in ("vocabulary_size", "vocabulary_dtype", "has_input_vocabulary"):
        kwargs.pop(name, None)


@registry.register("layer")
class StringLookup(Lookup):
    """Each text becomes the number of its place in a vocabulary.

    Args:
        max_tokens: the most places there are, those for masked and unknown texts among them.
        num_oov_indices: how many places there are for texts that are not in the vocabulary; which of them a text gets
            is decided by its hash.
        mask_token: a text that stands for nothing: place 0, or no place in vectors.
        oov_token: what stands for an unknown text.
        vocabulary: a list of texts, or the path of a file with one on each line; else call `adapt`.
        idf_weights: with ``"tf_idf"`` and a `vocabulary`, a weight for each text.
        invert: whether places become texts instead.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"``, ``"count"``, or ``"tf_idf"`` for counts times weights.
        pad_to_max_tokens: whether vectors are `max_tokens` long, whatever the vocabulary.
        sparse: must be ``False``.
        encoding: of the file that `vocabulary` names.
        salt: a whole number, or two, that decides which place an unknown text gets.

    Shapes:
        Input `(batch, ...)`, output the same; with ``"one_hot"`` an axis of places is added (an axis of size 1 gives
        way to it), in the other modes it takes the place of the last axis. Works on the data, before the model.

    Raises:
        ValueError: an argument is out of its range, or the layer is called inside a model.

    Example:

    >>> import lamina
    >>> layer = lamina.layers.StringLookup()
    >>> layer.adapt(["cat", "dog", "cat"])
    >>> layer.get_vocabulary(), layer([["dog", "cat", "emu"]]).tolist()
    (['[UNK]', 'cat', 'dog'], [[2, 1, 0]])
    """

    token = str

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Sequence[str] | str | Path | None = None,
        idf_weights: Sequence[float] | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: int | Sequence[int] | None = None,
        **kwargs: Any,
    ):
        _take_keras_entries(kwargs)
        method = kwargs.pop("oov_method", "floormod")
        super().__init__(name=name, **kwargs)
        self.encoding = encoding
        settings = {"max_tokens": max_tokens, "num_oov_indices": num_oov_indices, "mask_token": mask_token,
                    "oov_token": oov_token, "invert": invert, "output_mode": output_mode, "sparse": sparse,
                    "pad_to_max_tokens": pad_to_max_tokens, "oov_method": method, "salt": salt}  # fmt: skip
        self._set_up(vocabulary, idf_weights, settings)

    def _as_token(self, value: Any) -> str:
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)

    def _bin(self, token: str) -> int:
        return hash_bin(token, self.num_oov_indices, self._key)


@registry.register("layer")
class IntegerLookup(Lookup):
    """Each whole number becomes the number of its place in a vocabulary.

    Args:
        max_tokens: the most places there are, those for masked and unknown numbers among them.
        num_oov_indices: how many places there are for numbers that are not in the vocabulary.
        mask_token: a number that stands for nothing: place 0, or no place in vectors.
        oov_token: what stands for an unknown number.
        vocabulary: a list of numbers, or the path of a file with one on each line; else call `adapt`.
        vocabulary_dtype: must be ``"int64"``.
        idf_weights: with ``"tf_idf"`` and a `vocabulary`, a weight for each number.
        invert: whether places become numbers instead.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"``, ``"count"``, or ``"tf_idf"`` for counts times weights.
        sparse: must be ``False``.
        pad_to_max_tokens: whether vectors are `max_tokens` long, whatever the vocabulary.
        oov_method: which place an unknown number gets: ``"floormod"`` by its remainder, ``"farmhash"`` by its hash.
        salt: a whole number, or two, that changes these hashes.

    Shapes:
        Input `(batch, ...)`, output as of `StringLookup`. Works on the data, before the model.

    Raises:
        ValueError: an argument is out of its range, or the layer is called inside a model.

    Example:

    >>> import lamina
    >>> lamina.layers.IntegerLookup(vocabulary=[12, 36])([[36, 12, 7]]).tolist()
    [[2, 1, 0]]
    """

    token = int

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Sequence[int] | str | Path | None = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Sequence[float] | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: int | Sequence[int] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        _take_keras_entries(kwargs)
        super().__init__(name=name, **kwargs)
        self.vocabulary_dtype = checks.one_of("vocabulary_dtype", vocabulary_dtype, ("int64",))
        settings = {"max_tokens": max_tokens, "num_oov_indices": num_oov_indices, "mask_token": mask_token,
                    "oov_token": oov_token, "invert": invert, "output_mode": output_mode, "sparse": sparse,
                    "pad_to_max_tokens": pad_to_max_tokens, "oov_method": oov_method, "salt": salt}  # fmt: skip
        self._set_up(vocabulary, idf_weights, settings)

    def _as_token(self, value: Any) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"{describe(self)} takes whole numbers; {value!r} came") from None
        if isinstance(value, float) and number != value:
            raise ValueError(f"{describe(self)} takes whole numbers; {value!r} came")
        return number

    def _bin(self, token: int) -> int:
        if self.oov_method == "farmhash" or self._key is not None:
            return hash_bin(str(token), self.num_oov_indices, self._key)
        return token % self.num_oov_indices
