"""Make table_cases.json: what Keras's layers for tables and text give. They need TensorFlow, which the tests have not.

Run with keras 3.15 and tensorflow-cpu 2.21 installed: KERAS_BACKEND=tensorflow python make_table_cases.py
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np

WORDS = ["cat", "dog", "cat", "bird", "dog", "cat", "fish", "ant"]
TEXTS = ["The cat, the DOG É!", "a bird's nest", "the cat sat\ton the   mat.", ""]
LONG = ["x" * n for n in range(0, 140, 3)] + ["é" * 9, "some words of text, quite a few of them, so that it is long"]
MIXED = [["cat", "dog"], ["emu", "cat"]]
NUMBERS = [[12, 7, 7], [3, 12, 12]]
S, I, T = "StringLookup", "IntegerLookup", "TextVectorization"  # noqa: E741

CASES = [
    ("Discretization", {"bin_boundaries": [0.0, 1.0, 2.0]}, None, [[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]]),
    ("Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "one_hot"}, None, [-1.5, 1.0, 0.3]),
    ("Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "multi_hot"}, None, [[-1.5, 1.0], [0.3, 0.4]]),
    ("Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "count"}, None, [[-1.5, 1.0], [0.3, 0.4]]),
    ("Discretization", {"num_bins": 4, "epsilon": 0.01}, [float(i * i % 37) for i in range(60)],
     [[1.0, 9.0, 30.0, 99.0]]),
    ("Discretization", {"num_bins": 3, "epsilon": 0.1}, [[1.0, 5.0], [2.0, 2.0], [9.0, 7.0]], [[1.0, 3.0, 7.0, 9.0]]),
    ("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, None, [3, 2, 0, 1]),
    ("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, None, [[3], [2]]),
    ("CategoryEncoding", {"num_tokens": 4}, None, [[0, 1], [0, 0], [1, 2], [3, 1]]),
    ("CategoryEncoding", {"num_tokens": 4, "output_mode": "count"}, None, [[0, 1], [0, 0], [1, 2], [3, 1]]),
    ("CategoryEncoding", {"num_tokens": 4}, None, [0, 3]),
    ("Hashing", {"num_bins": 1000}, None, LONG),
    ("Hashing", {"num_bins": 3}, None, [["A"], ["B"], ["C"], ["D"], ["E"]]),
    ("Hashing", {"num_bins": 3, "mask_value": ""}, None, [["A"], ["B"], [""], ["C"], ["D"]]),
    ("Hashing", {"num_bins": 1000, "salt": [133, 137]}, None, LONG),
    ("Hashing", {"num_bins": 3, "salt": 133}, None, [["A"], ["B"], ["C"], ["D"], ["E"]]),
    ("Hashing", {"num_bins": 100}, None, [[0, 1, 2], [-7, 1234567, 99]]),
    ("Hashing", {"num_bins": 5, "mask_value": 0, "salt": 7}, None, [[0, 1, 2], [-7, 12345, 0]]),
    ("Hashing", {"num_bins": 5, "output_mode": "one_hot"}, None, [["A"], ["B"]]),
    ("Hashing", {"num_bins": 5, "output_mode": "multi_hot"}, None, [["A", "B", "C"], ["B", "B", "D"]]),
    ("Hashing", {"num_bins": 5, "output_mode": "count"}, None, [["A", "B", "C"], ["B", "B", "D"]]),
    ("HashedCrossing", {"num_bins": 5}, None, (["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102])),
    ("HashedCrossing", {"num_bins": 1000}, None, ([1, 2, 3, -4], [5, 6, 7, 8])),
    ("HashedCrossing", {"num_bins": 1000}, None, (LONG[:4], LONG[4:8], [5, 6, 7, 8])),
    ("HashedCrossing", {"num_bins": 1000}, None, ([["A"], ["B"]], [["C"], ["D"]])),
    ("HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, None, (["A", "B"], [101, 102])),
    (S, {"vocabulary": ["a", "b", "c"]}, None, [["a", "c", "d"], ["d", "z", "b"]]),
    (S, {"vocabulary": ["a", "b", "c"], "num_oov_indices": 2}, None, [["a", "c", "d"], ["m", "z", "b"]]),
    (S, {"vocabulary": ["a", "b", "c"], "num_oov_indices": 0}, None, [["a", "c"]]),
    (S, {"vocabulary": ["a", "b"], "mask_token": "", "oov_token": "?"}, None, [["a", "", "d"]]),
    (S, {"vocabulary": ["a", "b"], "mask_token": "", "invert": True}, None, [[0, 1, 2, 3]]),
    (S, {"vocabulary": ["a", "b", "c"], "invert": True}, None, [[1, 3, 0]]),
    (S, {}, WORDS, MIXED),
    (S, {"max_tokens": 3}, WORDS, MIXED),
    (S, {"num_oov_indices": 2, "max_tokens": 5, "mask_token": ""}, [*WORDS, "", ""], MIXED),
    (S, {"vocabulary": ["a", "b", "c"], "output_mode": "one_hot"}, None, ["a", "b", "c", "z"]),
    (S, {"vocabulary": ["a", "b", "c"], "output_mode": "one_hot"}, None, [["a"], ["z"]]),
    (S, {"vocabulary": ["a", "b", "c"], "output_mode": "multi_hot"}, None, [["a", "c", "c"], ["d", "z", "b"]]),
    (S, {"vocabulary": ["a", "b"], "output_mode": "multi_hot", "num_oov_indices": 2}, None,
     [["a", "d", "m"], ["z", "z", "b"]]),
    (S, {"vocabulary": ["a", "b"], "output_mode": "count", "mask_token": ""}, None, [["a", "a", ""], ["d", "z", "b"]]),
    (S, {"vocabulary": ["a", "b"], "output_mode": "count", "max_tokens": 6, "pad_to_max_tokens": True}, None,
     [["a", "a"]]),
    (S, {"vocabulary": ["a", "b", "c"], "idf_weights": [0.25, 0.75, 0.6], "output_mode": "tf_idf"}, None,
     [["a", "c", "c"], ["d", "z", "b"]]),
    (S, {"output_mode": "tf_idf"}, [["cat", "dog", "cat"], ["dog", "bird", "ant"]], MIXED),
    (S, {"output_mode": "tf_idf", "max_tokens": 6, "pad_to_max_tokens": True}, [["cat", "dog"], ["dog", "ant"]], MIXED),
    (I, {"vocabulary": [12, 36, 1138, 42]}, None, [[12, 1138, 42], [42, 1000, 36]]),
    (I, {"vocabulary": [12, 36, 1138, 42], "num_oov_indices": 2}, None, [[12, 1138, 42], [37, 1000, -36]]),
    (I, {"vocabulary": [12, 36], "mask_token": 0}, None, [[12, 0, 7, -1]]),
    (I, {"vocabulary": [12, 36], "invert": True}, None, [[0, 1, 2]]),
    (I, {}, NUMBERS, [[12, 7, 3, 99]]),
    (I, {"max_tokens": 3}, NUMBERS, [[12, 7, 3, 99]]),
    (I, {"vocabulary": [12, 36], "output_mode": "one_hot"}, None, [12, 36, 5]),
    (I, {"vocabulary": [12, 36], "output_mode": "multi_hot", "mask_token": 0}, None, [[12, 12, 0], [36, 5, 0]]),
    (I, {"output_mode": "tf_idf"}, NUMBERS, NUMBERS),
    (T, {}, TEXTS, TEXTS),
    (T, {"max_tokens": 5, "output_sequence_length": 4}, TEXTS, TEXTS),
    (T, {"vocabulary": ["the", "cat", "dog"]}, None, TEXTS),
    (T, {"output_sequence_length": 2}, TEXTS, [[t] for t in TEXTS]),
    (T, {"standardize": "lower", "split": "character"}, TEXTS, TEXTS[:2]),
    (T, {"standardize": "strip_punctuation"}, TEXTS, TEXTS),
    (T, {"standardize": None, "split": None}, TEXTS, TEXTS),
    (T, {"ngrams": 2}, TEXTS, TEXTS),
    (T, {"ngrams": (1, 3)}, TEXTS, TEXTS),
    (T, {"output_mode": "multi_hot", "max_tokens": 5}, TEXTS, TEXTS),
    (T, {"output_mode": "count", "max_tokens": 20, "pad_to_max_tokens": True}, TEXTS, TEXTS),
    (T, {"output_mode": "tf_idf"}, TEXTS, TEXTS),
    (T, {"output_mode": "tf_idf", "vocabulary": ["the", "cat"], "idf_weights": [0.3, 0.7]}, None, TEXTS),
]  # fmt: skip


def plain(value: object) -> object:
    array = np.asarray(value)
    if array.dtype.kind in "SO":
        array = np.vectorize(lambda s: s.decode() if isinstance(s, bytes) else s, otypes=[object])(array)
    return array.tolist()


def main() -> None:
    found = []
    for name, config, data, inputs in CASES:
        layer = getattr(keras.layers, name)(**config)
        if data is not None:
            layer.adapt(np.array(data))
        given = tuple(np.array(x) for x in inputs) if isinstance(inputs, tuple) else np.array(inputs)
        output = layer(given)
        case = {"name": name, "config": config, "adapt": data, "inputs": inputs, "output": plain(output)}
        case["several"], case["dtype"] = isinstance(inputs, tuple), keras.backend.standardize_dtype(output.dtype)
        case["keras_config"] = layer.get_config()
        if hasattr(layer, "get_vocabulary"):
            case["vocabulary"] = plain(layer.get_vocabulary())
            case["own_vocabulary"] = plain(layer.get_vocabulary(include_special_tokens=False))
            case["size"] = int(layer.vocabulary_size())
        if name == "Discretization":
            case["bin_boundaries"] = plain(layer.bin_boundaries)
        found.append(json.loads(json.dumps(case, default=plain)))
    text = json.dumps(found, indent=1, ensure_ascii=False)
    Path(__file__).with_name("table_cases.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
