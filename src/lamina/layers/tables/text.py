"""`TextVectorization`: texts into the numbers of their words."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.core import checks, registry
from lamina.layers.checking import describe
from lamina.layers.tables.encoding import HostLayer, batches_of, host_array, no_sparse
from lamina.layers.tables.lookup import StringLookup
from lamina.layers.tables.vocabulary import refuse_path
from lamina.shapes.errors import ShapeError

PUNCTUATION = str.maketrans("", "", string.punctuation)
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation", None)
SPLIT = ("whitespace", "character", None)


@registry.register("layer")
class TextVectorization(HostLayer):
    """Each text becomes the row of the numbers of its words, or a vector of which words are in it.

    Args:
        max_tokens: the most places the vocabulary has, those for padding and unknown words among them.
        standardize: what is done to a text first: ``"lower_and_strip_punctuation"``, ``"lower"``,
            ``"strip_punctuation"`` (both of ASCII letters and signs), ``None``, or a function of an array of texts.
        split: how a text becomes words: ``"whitespace"``, ``"character"``, ``None`` for not at all, or a function of
            an array of texts that gives a list of words for each.
        ngrams: besides words, sequences of up to so many of them; or, as a tuple, of just these lengths.
        output_mode: ``"int"`` for the places of the words in order; ``"multi_hot"``, ``"count"`` or ``"tf_idf"`` for
            one vector for each text.
        output_sequence_length: with ``"int"``, the length that rows are cut or filled to; by default that of the
            longest text.
        pad_to_max_tokens: whether vectors are `max_tokens` long, whatever the vocabulary.
        vocabulary: a list of words, or the path of a file with one on each line; else call `adapt`.
        idf_weights: with ``"tf_idf"`` and a `vocabulary`, a weight for each word.
        sparse, ragged: must be ``False``.
        encoding: of the file that `vocabulary` names.

    Shapes:
        Input: texts `(batch,)` or `(batch, 1)`. Output: `(batch, length)` with ``"int"``, else `(batch, places)`.
        Works on the data, before the model.

    Raises:
        ValueError: an argument is out of its range, or the layer is called inside a model.

    Example:

    >>> import lamina
    >>> layer = lamina.layers.TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["The cat sat.", "The dog!"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'the', 'sat', 'dog', 'cat']
    >>> layer(["The cat ran"]).tolist()
    [[2, 5, 1, 0]]
    """

    common_mistakes = (
        "It works on the data, before the model: x = layer(texts), then model.fit(x, ...).",
        "Call adapt(training_texts) first, or give vocabulary=[...].",
        "Place 0 is padding and 1 what is unknown; an Embedding after it needs input_dim=layer.vocabulary_size().",
    )

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[..., Any] | None = "lower_and_strip_punctuation",
        split: str | Callable[..., Any] | None = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Sequence[str] | str | Path | None = None,
        idf_weights: Sequence[float] | None = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ):
        kwargs.pop("vocabulary_size", None)
        no_sparse("TextVectorization", sparse=sparse, ragged=ragged)
        super().__init__(name=name, **kwargs)
        self.max_tokens = None if max_tokens is None else checks.positive_int("max_tokens", max_tokens)
        self.standardize = (
            standardize if callable(standardize) else checks.one_of("standardize", standardize, STANDARDIZE)
        )
        self.split = split if callable(split) else checks.one_of("split", split, SPLIT)
        self.ngrams = _checked_ngrams(ngrams)
        self.output_mode = checks.one_of("output_mode", output_mode, ("int", "multi_hot", "count", "tf_idf"))
        length = output_sequence_length
        self.output_sequence_length = None if length is None else checks.positive_int("output_sequence_length", length)
        if length is not None and self.output_mode != "int":
            raise ValueError(f"`output_sequence_length`={length} is for output_mode='int', not {output_mode!r}")
        self.pad_to_max_tokens, self.sparse, self.ragged = bool(pad_to_max_tokens), False, False
        self.encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens, mask_token="", vocabulary=vocabulary, idf_weights=idf_weights, output_mode=self.output_mode,
            pad_to_max_tokens=pad_to_max_tokens, encoding=encoding,
        )  # fmt: skip
        self.vocabulary, self.idf_weights = self._lookup_layer.vocabulary, self._lookup_layer.idf_weights

    # The vocabulary

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """What stands at each place, from place 0 on; see `StringLookup`."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """How many places there are, those for padding and unknown words among them."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary: a list of words, or the path of a file with one on each line."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Make the vocabulary of the words in texts, the most frequent first, in place of an earlier one.

        Args:
            data: an array or list of texts, or an iterable of such batches.
            batch_size: how many texts of an array to take at a time; changes nothing in the result.
            steps: how many batches to take at most.

        Raises:
            ValueError: the vocabulary was given to the constructor, or there is no data.
        """
        if self.vocabulary is not None:
            raise ValueError(f"{describe(self)}: a `vocabulary` was given; there is nothing to adapt")
        if batch_size is not None and (isinstance(data, (list, tuple)) or hasattr(data, "shape")):
            size = checks.positive_int("batch_size", batch_size)
            whole = data
            data = (whole[at : at + size] for at in range(0, len(whole), size))
        self.reset_state()
        for batch in batches_of(self, data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the words of one more batch of texts."""
        self._lookup_layer.count(self._words(host_array(self, data))[0])

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forget what was adapted to."""
        self._lookup_layer.reset_state()

    # Texts

    def call(self, inputs: Any) -> Any:
        array = host_array(self, inputs)
        lookup = self._lookup_layer
        lookup._check_ready()
        rows, flat = self._words(array)
        if self.output_mode == "int" and flat:
            return lookup.encoded(lookup.places(np.array([row[0] for row in rows], str)))
        longest = max((len(row) for row in rows), default=0)
        length = longest if self.output_sequence_length is None else self.output_sequence_length
        padded = [(row + [""] * (length - len(row)))[:length] for row in rows]
        if array.ndim == 0:
            return lookup.encoded(lookup.places(np.array(padded[0], str)))
        return lookup.encoded(lookup.places(np.array(padded, str).reshape(len(rows), length)))

    def _words(self, array: np.ndarray) -> tuple[list[list[str]], bool]:
        """The words of each text; and whether texts stay whole, one place for each."""
        if array.dtype.kind != "U":
            raise ValueError(f"{describe(self)} takes texts, not {array.dtype}")
        if array.ndim > 1 and array.shape[-1] != 1 and self.split is not None:
            raise ShapeError(
                f"{describe(self)} takes one text for each sample",
                layer=self.name,
                expected="(batch,) or (batch, 1)",
                received=f"{array.shape}",
            )
        texts = self._standardized(array if self.split is None else array.reshape(-1))
        if self.split is None:
            rows = texts.reshape(len(texts), -1).tolist() if texts.ndim else [[str(texts)]]
        elif callable(self.split):
            rows = [[str(word) for word in row] for row in self.split(texts)]
        elif self.split == "whitespace":
            rows = [re.findall(r"[^ \t\n\r\f\v]+", text) for text in texts.tolist()]
        else:
            rows = [list(text) for text in texts.tolist()]
        if self.ngrams is not None:
            rows = [_sequences(row, self.ngrams) for row in rows]
        return rows, self.split is None and self.ngrams is None and array.ndim < 2

    def _standardized(self, texts: np.ndarray) -> np.ndarray:
        if callable(self.standardize):
            return host_array(self, self.standardize(texts))
        if self.standardize is None:
            return texts
        changed = texts.ravel().tolist()
        if "lower" in self.standardize:
            changed = [text.translate(LOWER) for text in changed]
        if "strip" in self.standardize:
            changed = [text.translate(PUNCTUATION) for text in changed]
        return np.array(changed, str).reshape(texts.shape)

    # Files

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary that was adapted to into ``vocabulary.txt``, one word on each line."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Read the vocabulary that `save_assets` wrote."""
        self._lookup_layer.load_assets(dir_path)

    def save_own_variables(self, store: Any) -> None:
        """Keep the weights of ``"tf_idf"``."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Take the weights of ``"tf_idf"`` from where they are kept."""
        self._lookup_layer.load_own_variables(store)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A new layer from a config.

        Raises:
            ValueError: its vocabulary is a path: a config does not choose which files are read.
        """
        refuse_path(cls.__name__, config)
        return super().from_config(config)


def _checked_ngrams(ngrams: Any) -> int | tuple[int, ...] | None:
    if ngrams is None or checks.is_whole(ngrams):
        return None if ngrams is None else checks.positive_int("ngrams", ngrams)
    if not isinstance(ngrams, (list, tuple)) or not ngrams:
        raise ValueError(f"`ngrams`={ngrams!r}: expected a whole number or several of them")
    return tuple(checks.positive_int("ngrams", n) for n in ngrams)


def _sequences(words: list[str], ngrams: int | tuple[int, ...]) -> list[str]:
    """Sequences of words, the shorter ones first."""
    lengths = range(1, ngrams + 1) if isinstance(ngrams, int) else ngrams
    return [" ".join(words[i : i + n]) for n in lengths for i in range(len(words) - n + 1)]
