"""`Lookup`: a vocabulary, learned or given, and the places of things in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from lamina.core import checks
from lamina.layers.checking import describe
from lamina.layers.tables.encoding import MODES, HostLayer, batches_of, encode, host_array, no_sparse
from lamina.layers.tables.hashing import checked_salt


class Lookup(HostLayer):
    """What looking up text and numbers shares. Places: the mask's, those for what is unknown, the vocabulary's."""

    common_mistakes: tuple[str, ...] = (
        "It works on the data, before the model: x = layer(data), then model.fit(x, ...).",
        "The vocabulary comes from adapt(training_data), or from vocabulary=[...]; one of them is needed.",
        "Place 0 is for what is unknown, so an Embedding after it needs input_dim=layer.vocabulary_size().",
    )
    token: ClassVar[type]

    def _set_up(self, vocabulary: Any, idf_weights: Any, settings: dict[str, Any]) -> None:
        kind = type(self).__name__
        no_sparse(kind, sparse=settings["sparse"])
        most = settings["max_tokens"]
        self.max_tokens = None if most is None else checks.positive_int("max_tokens", most)
        if not checks.is_whole(settings["num_oov_indices"]) or settings["num_oov_indices"] < 0:
            raise ValueError(
                f"`num_oov_indices`={settings['num_oov_indices']!r}: expected a whole number of at least 0"
            )
        self.num_oov_indices = int(settings["num_oov_indices"])
        self.output_mode = checks.one_of("output_mode", settings["output_mode"], (*MODES, "tf_idf"))
        self.invert, self.sparse = bool(settings["invert"]), False
        if self.invert and (self.output_mode != "int" or self.num_oov_indices > 1):
            raise ValueError(f"{kind}: `invert`=True goes with output_mode='int' and at most one index for the unknown")
        self.pad_to_max_tokens = bool(settings["pad_to_max_tokens"])
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError(f"{kind}: `pad_to_max_tokens`=True needs `max_tokens`")
        self.mask_token, self.oov_token = settings["mask_token"], settings["oov_token"]
        self.oov_method = checks.one_of("oov_method", settings["oov_method"], ("floormod", "farmhash"))
        self._key = checked_salt(settings["salt"])
        self.salt = settings["salt"]
        if idf_weights is not None and (self.output_mode != "tf_idf" or vocabulary is None):
            raise ValueError(f"{kind}: `idf_weights` go with output_mode='tf_idf' and a `vocabulary`")
        if vocabulary is not None and idf_weights is None and self.output_mode == "tf_idf":
            raise ValueError(f"{kind}: a `vocabulary` with output_mode='tf_idf' needs `idf_weights`")
        self.vocabulary: list[Any] | None = None
        self.idf_weights: list[float] | None = None
        self._tokens: list[Any] | None = None
        self._idf: np.ndarray | None = None
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
            self.vocabulary, self.idf_weights = list(self._tokens or []), _listed(idf_weights)

    # The vocabulary

    @property
    def _first(self) -> int:
        """The first place for what is unknown."""
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    @property
    def _special(self) -> list[Any]:
        return [self.mask_token] * self._first + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """What stands at each place, from place 0 on.

        Args:
            include_special_tokens: whether the mask and what stands for the unknown are listed too.
        """
        own = list(self._tokens or [])
        return self._special + own if include_special_tokens else own

    def vocabulary_size(self) -> int:
        """How many places there are, those of the mask and the unknown among them."""
        return len(self._special) + len(self._tokens or [])

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary.

        Args:
            vocabulary: a list of tokens, or the path of a text file with one on each line.
            idf_weights: with output_mode ``"tf_idf"``, a weight for each token.

        Raises:
            ValueError: a token comes twice or is reserved, or there are more than `max_tokens`.
        """
        if isinstance(vocabulary, (str, Path)):
            vocabulary = Path(vocabulary).read_text(getattr(self, "encoding", "utf-8")).splitlines()
        tokens = [self._as_token(t) for t in np.asarray(vocabulary).ravel().tolist()]
        special = self._special
        if special and tokens[: len(special)] == special:
            tokens = tokens[len(special) :]
        repeated = [t for t, count in Counter(tokens).items() if count > 1]
        if repeated:
            raise ValueError(f"`vocabulary`: {repeated[0]!r} is in it {tokens.count(repeated[0])} times")
        reserved = [t for t in tokens if t in (self.mask_token, *special)]
        if reserved:
            raise ValueError(f"`vocabulary`: {reserved[0]!r} stands for what is masked or unknown; leave it out")
        if self.max_tokens is not None and len(special) + len(tokens) > self.max_tokens:
            raise ValueError(
                f"`vocabulary` has {len(special) + len(tokens)} places, {len(special)} for what is masked or unknown "
                f"among them; `max_tokens`={self.max_tokens}"
            )
        self._take(tokens, idf_weights)

    def _take(self, tokens: list[Any], idf_weights: Any) -> None:
        weights = None
        if self.output_mode == "tf_idf" and idf_weights is not None:
            weights = np.asarray(idf_weights, "float32").ravel()
            if len(weights) == len(tokens) + self.num_oov_indices and self.num_oov_indices:
                weights = weights[self.num_oov_indices :]
            if len(weights) != len(tokens):
                raise ValueError(f"`idf_weights` has {len(weights)} entries for a vocabulary of {len(tokens)}")
        self._tokens = tokens
        self._places = {token: len(self._special) + i for i, token in enumerate(tokens)}
        self._idf = None if weights is None else self._with_unknown(weights)

    def _with_unknown(self, weights: np.ndarray) -> np.ndarray:
        """The weights with those of what is unknown, which count as the mean of the others."""
        mean = float(weights.mean()) if len(weights) else 1.0
        return np.concatenate([np.full(self.num_oov_indices, mean, "float32"), weights]).astype("float32")

    # Learning it

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Make the vocabulary of what is in data, the most frequent first, in place of an earlier one.

        Args:
            data: an array or list of tokens, or an iterable of such batches; for ``"tf_idf"`` each row is a document.
            steps: how many batches to take at most.

        Raises:
            ValueError: the vocabulary was given to the constructor, or there is no data.
        """
        if self.vocabulary is not None:
            raise ValueError(f"{describe(self)}: a `vocabulary` was given; there is nothing to adapt")
        self.reset_state()
        for batch in batches_of(self, data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count one more batch of data."""
        array = host_array(self, data)
        documents = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(-1, 1)
        self.count(map(self._as_token, row) for row in documents.tolist())

    def count(self, documents: Iterable[Iterable[Any]]) -> None:
        """Count the tokens of documents."""
        for document in documents:
            tokens = list(document)
            self._counts.update(tokens)
            self._in_documents.update(set(tokens))
            self._documents += 1

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        if self._documents == 0:
            return
        for token in (self.mask_token, self.oov_token):
            self._counts.pop(token, None)
        ranked = sorted(self._counts, key=lambda token: (self._counts[token], token), reverse=True)
        if self.max_tokens is not None:
            ranked = ranked[: max(self.max_tokens - len(self._special), 0)]
        idf = [np.log1p(self._documents / (1 + self._in_documents[token])) for token in ranked]
        self._take(ranked, idf if self.output_mode == "tf_idf" else None)

    def reset_state(self) -> None:
        """Forget what was adapted to."""
        self._counts: Counter[Any] = Counter()
        self._in_documents: Counter[Any] = Counter()
        self._documents = 0
        if self.vocabulary is None:
            self._tokens, self._idf = None, None

    # Looking up

    def call(self, inputs: Any) -> Any:
        array = host_array(self, inputs)
        self._check_ready()
        return self._back(array) if self.invert else self.encoded(self.places(array))

    def _check_ready(self) -> None:
        if self._tokens is None:
            raise ValueError(f"{describe(self)} has no vocabulary yet: call adapt(data), or give `vocabulary`")

    def places(self, array: np.ndarray) -> np.ndarray:
        """The place of each token; -1 for a masked one where the mask has no place."""
        tokens = [self._as_token(t) for t in array.ravel().tolist()]
        found = {t: self._place(t) for t in set(tokens)}
        return np.array([found[t] for t in tokens], "int64").reshape(array.shape)

    def _place(self, token: Any) -> int:
        if self.mask_token is not None and token == self._as_token(self.mask_token):
            return 0 if self.output_mode == "int" else -1
        if token in self._places:
            return self._places[token]
        if self.num_oov_indices == 0:
            raise ValueError(
                f"{describe(self)}: {token!r} is not in the vocabulary, and num_oov_indices=0 leaves no place for it"
            )
        return self._first + (self._bin(token) if self.num_oov_indices > 1 else 0)

    def encoded(self, places: np.ndarray) -> Any:
        """Places as `output_mode` says."""
        size = self.max_tokens if self.pad_to_max_tokens else self.vocabulary_size()
        numbers = jnp.asarray(places, "int32")
        if self.output_mode != "tf_idf":
            return encode(numbers, self.output_mode, size, "int32")  # type: ignore[arg-type]
        assert self._idf is not None
        weights = np.zeros(size, "float32")  # type: ignore[arg-type]
        weights[: len(self._idf)] = self._idf
        return encode(numbers, "count", size, self.compute_dtype) * jnp.asarray(weights, self.compute_dtype)  # type: ignore[arg-type]

    def _back(self, array: np.ndarray) -> np.ndarray:
        """What stands at each of the places; where nothing does, what stands for the unknown."""
        if array.dtype.kind not in "iu":
            raise ValueError(f"{describe(self)} takes places, whole numbers, since invert=True; {array.dtype} came")
        known = self.get_vocabulary()
        tokens = [known[i] if 0 <= i < len(known) else self.oov_token for i in array.ravel().tolist()]
        return np.array(tokens, self.token).reshape(array.shape)

    def _as_token(self, value: Any) -> Any:
        raise ValueError(f"{type(self).__name__} does not say what its tokens are")

    def _bin(self, token: Any) -> int:
        raise ValueError(f"{type(self).__name__} does not say where the unknown goes")

    # Files

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary that was adapted to into ``vocabulary.txt``, one token on each line."""
        if self.vocabulary is None:
            tokens = [str(token) for token in self.get_vocabulary()]
            broken = [token for token in tokens if "\n" in token]
            if broken:
                raise ValueError(f"{describe(self)}: {broken[0]!r} has a line break, so it cannot be a line of a file")
            lines = "\n".join(tokens)
            Path(dir_path, "vocabulary.txt").write_text(lines, "utf-8")

    def load_assets(self, dir_path: str) -> None:
        """Read the vocabulary that `save_assets` wrote."""
        if self.vocabulary is None:
            lines = Path(dir_path, "vocabulary.txt").read_text("utf-8").split("\n")
            tokens = [self._as_token(line) for line in lines if line != "" or self.token is str]
            special = len(self._special)
            self._take(tokens[special:] if tokens[:special] == self._special else tokens, None)

    def save_own_variables(self, store: Any) -> None:
        """Keep the weights of ``"tf_idf"``."""
        if self.output_mode == "tf_idf" and self._idf is not None:
            store["idf_weights"] = self._idf

    def load_own_variables(self, store: Any) -> None:
        """Take the weights of ``"tf_idf"`` from where they are kept."""
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            self._idf = np.asarray(store["idf_weights"], "float32")

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        own = ("invert", "max_tokens", "num_oov_indices", "oov_token", "mask_token", "output_mode", "sparse",
               "pad_to_max_tokens", "idf_weights", "vocabulary", "oov_method", "salt")  # fmt: skip
        size = self.vocabulary_size() if self._tokens is not None else None
        return {**config, **{name: getattr(self, name) for name in own}, "vocabulary_size": size}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A new layer from a config.

        Raises:
            ValueError: its vocabulary is a path: a config does not choose which files are read.
        """
        refuse_path(cls.__name__, config)
        return super().from_config(config)


def refuse_path(kind: str, config: dict[str, Any]) -> None:
    """Refuse a config whose vocabulary is the path of a file.

    Raises:
        ValueError: it is.
    """
    if isinstance(config.get("vocabulary"), (str, bytes, Path)):
        raise ValueError(
            f"{kind}: the config names the file {config['vocabulary']!r} as its vocabulary; a config does not choose "
            f"which files are read: put the tokens in its place, or call set_vocabulary(path) yourself"
        )


def _listed(values: Any) -> list[Any] | None:
    return None if values is None else np.asarray(values).tolist()
