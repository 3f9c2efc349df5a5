"""Layers for tables and text: batches, files, refusals, use inside of models."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError

WORDS = [["cat", "dog"], ["cat", "emu"], ["cat", "dog"]]
TEXTS = ["the cat sat", "the dog"]


def test_batches_add_up():
    whole, parts = layers.StringLookup(output_mode="tf_idf"), layers.StringLookup(output_mode="tf_idf")
    whole.adapt(WORDS)
    parts.adapt(iter([WORDS[:1], WORDS[1:]]))
    assert parts.get_vocabulary() == whole.get_vocabulary() == ["[UNK]", "cat", "dog", "emu"]
    np.testing.assert_array_equal(parts(WORDS), whole(WORDS))
    first = layers.StringLookup()
    first.adapt(iter([WORDS[:1], WORDS[1:]]), steps=1)
    assert first.get_vocabulary() == ["[UNK]", "dog", "cat"]
    first.adapt([["x"]])
    assert first.get_vocabulary() == ["[UNK]", "x"], "adapt begins afresh"
    text = layers.TextVectorization()
    text.adapt(TEXTS, batch_size=1)
    assert text.get_vocabulary()[:3] == ["", "[UNK]", "the"]


def test_quantiles():
    data = np.random.default_rng(0).normal(size=5000)
    layer = layers.Discretization(num_bins=4, epsilon=0.001)
    layer.adapt(data[i : i + 1000] for i in range(0, 5000, 1000))
    np.testing.assert_allclose(layer.bin_boundaries, np.quantile(data, [0.25, 0.5, 0.75]), atol=0.03)
    assert np.bincount(layer(data)).min() > 1150
    again = layers.Discretization.from_config(layer.get_config())
    np.testing.assert_array_equal(again(data), layer(data))
    again.adapt(data * 2)
    assert abs(again.bin_boundaries[0]) > abs(layer.bin_boundaries[0])


@pytest.mark.parametrize(
    ("make", "data"),
    [
        (lambda: layers.StringLookup(mask_token=""), WORDS),
        (lambda: layers.StringLookup(output_mode="tf_idf", max_tokens=6, pad_to_max_tokens=True), WORDS),
        (lambda: layers.IntegerLookup(num_oov_indices=2), [[2**40, 7], [7, -3]]),
        (lambda: layers.TextVectorization(), TEXTS),
        (lambda: layers.TextVectorization(output_mode="tf_idf"), TEXTS),
    ],
)
def test_vocabulary_in_files(make, data, tmp_path):
    layer = make()
    layer.adapt(data)
    store: dict[str, np.ndarray] = {}
    layer.save_assets(str(tmp_path))
    layer.save_own_variables(store)
    again = type(layer).from_config(layer.get_config())
    again.load_assets(str(tmp_path))
    again.load_own_variables(store)
    assert again.get_vocabulary() == layer.get_vocabulary()
    np.testing.assert_array_equal(again(data), layer(data))
    assert again.get_config() == layer.get_config()


def test_files_as_keras_writes_them(tmp_path):
    """What is in the archive that Keras 3.15 wrote for these layers."""
    (tmp_path / "vocabulary.txt").write_bytes(b"\n[UNK]\nb\nc\na")
    layer = layers.TextVectorization()
    layer.load_assets(str(tmp_path))
    assert layer(["a b c x"]).tolist() == [[4, 2, 3, 1]]
    layer.save_assets(str(tmp_path))
    assert (tmp_path / "vocabulary.txt").read_bytes() == b"\n[UNK]\nb\nc\na"


def test_a_path_is_read_for_the_user_and_not_for_a_config(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("cat\ndog\n", "utf-8")
    for kind in (layers.StringLookup, layers.TextVectorization):
        layer = kind(vocabulary=str(path))
        assert layer.get_vocabulary()[-2:] == ["cat", "dog"]
        config = layer.get_config()
        assert config["vocabulary"] == ["cat", "dog"]
        assert kind.from_config(config).get_vocabulary() == layer.get_vocabulary()
        for named in (str(path), path, str(path).encode()):
            with pytest.raises(ValueError, match="does not choose which files are read"):
                kind.from_config({**config, "vocabulary": named})
        described = lamina.layers.serialize(layer)
        described["config"]["vocabulary"] = str(path)
        with pytest.raises(ValueError, match="does not choose"):
            lamina.layers.deserialize(described)


def test_functions_of_the_user():
    layer = layers.TextVectorization(
        standardize=lambda t: np.char.lower(t), split=lambda t: [s.split("-") for s in t.tolist()]
    )
    layer.adapt(["A-B", "a"])
    assert layer.get_vocabulary() == ["", "[UNK]", "a", "b"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.StringLookup(vocabulary=["a"]),
        lambda: layers.TextVectorization(vocabulary=["a"]),
        lambda: layers.Hashing(3),
    ],
)
def test_no_place_in_a_model(make):
    with pytest.raises(ValueError, match="works on the data, before the model"):
        make()(lamina.Input((1,)))
    with pytest.raises(ValueError, match="depends on the data"):
        make().compute_output_shape((None, 1))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_numbers_in_a_model(mode):
    x = np.array([[0.5, -1.0, 3.0], [9.0, 0.5, 0.6]], "float32")
    shape = lamina.Input((3,))
    layer = layers.Discretization([0.0, 1.0], output_mode=mode)
    model = lamina.Model(shape, layer(shape))
    np.testing.assert_array_equal(model.predict(x, verbose=0), layer(x))
    assert model.output_shape[1:] == layer(x).shape[1:]
    if mode != "int":
        numbers = lamina.Input((3,), dtype="int32")
        coder = layers.CategoryEncoding(4, output_mode=mode)
        assert coder(numbers).shape[1:] == coder(np.array([[0, 1, 3]])).shape[1:]
        assert coder(np.array([[7, -1, 0]])).sum() == 1, "what is out of range counts nowhere"


def test_count_weights():
    coder = layers.CategoryEncoding(3, output_mode="count")
    assert coder(np.array([[1, 2, 1]]), count_weights=np.array([[0.5, 2, 3]])).tolist() == [[0.0, 3.5, 2.0]]
    with pytest.raises(ShapeError, match="`count_weights` do not fit"):
        coder(np.array([[1, 2, 1]]), count_weights=np.array([0.5, 2, 3]))
    with pytest.raises(ValueError, match="for output_mode='count'"):
        layers.CategoryEncoding(3)(np.array([[1]]), count_weights=np.array([[1.0]]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.Discretization(), "give one of them"),
        (lambda: layers.Discretization([1.0, 0.0]), "ascending order"),
        (lambda: layers.Discretization(num_bins=3)(np.ones(3)), "has no boundaries yet"),
        (lambda: layers.Discretization([1.0]).adapt([1.0]), "nothing to adapt"),
        (lambda: layers.Discretization([1.0], sparse=True), "tensors are dense"),
        (lambda: layers.CategoryEncoding(), "`num_tokens`=None"),
        (lambda: layers.Hashing(3, salt="x"), "`salt`='x'"),
        (lambda: layers.Hashing(3)(np.ones(3)), "text or whole numbers"),
        (lambda: layers.HashedCrossing(3)(["a"]), "list of two features"),
        (lambda: layers.HashedCrossing(3)((["a"], ["b", "c"])), "do not fit together"),
        (lambda: layers.StringLookup()(["a"]), "has no vocabulary yet"),
        (lambda: layers.StringLookup(vocabulary=["a", "a"]), "'a' is in it 2 times"),
        (lambda: layers.StringLookup(vocabulary=["a", "[UNK]"]), "stands for what is masked or unknown"),
        (lambda: layers.StringLookup(vocabulary=["a", "b"], max_tokens=2), "`max_tokens`=2"),
        (lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]), "leaves no place for it"),
        (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["a"]), "nothing to adapt"),
        (lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"), "needs `idf_weights`"),
        (lambda: layers.StringLookup(vocabulary=["a"], invert=True)(["a"]), "takes places, whole numbers"),
        (lambda: layers.StringLookup(vocabulary=["a"])([["a"], ["b", "c"]]), "rows of different lengths"),
        (lambda: layers.StringLookup().adapt(iter([])), "adapt was given no data"),
        (lambda: layers.IntegerLookup(vocabulary=[1])(np.array([1.5])), "takes whole numbers; 1.5 came"),
        (lambda: layers.IntegerLookup(vocabulary=["x"]), "takes whole numbers; 'x' came"),
        (lambda: layers.TextVectorization(ragged=True), "`ragged`=True"),
        (lambda: layers.TextVectorization(ngrams="x"), "`ngrams`='x'"),
        (lambda: layers.TextVectorization(split="words"), "`split`='words'"),
        (lambda: layers.TextVectorization(vocabulary=["a"])(np.ones(3)), "takes texts, not float64"),
        (lambda: layers.TextVectorization(vocabulary=["a"])([["a", "b"]]), "one text for each sample"),
        (lambda: layers.TextVectorization(output_mode="count", output_sequence_length=3), "is for output_mode='int'"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_line_breaks_cannot_be_kept(tmp_path):
    layer = layers.StringLookup(vocabulary=None)
    layer.adapt(["a\nb"])
    with pytest.raises(ValueError, match="line break"):
        layer.save_assets(str(tmp_path))


def test_pipeline():
    words = layers.StringLookup(vocabulary=["cat", "dog"])
    prepare = layers.Pipeline([words, layers.CategoryEncoding(3)], name="prepare")
    assert prepare([["dog"], ["emu"]]).tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    again = lamina.layers.deserialize(lamina.layers.serialize(prepare))
    assert again.get_config() == prepare.get_config()
    assert again([["dog"]]).tolist() == [[0.0, 0.0, 1.0]]
    images = layers.Pipeline([layers.Rescaling(2.0), layers.RandomFlip("horizontal", seed=1)])
    x = np.arange(16.0).reshape(8, 1, 2, 1)
    assert np.array_equal(images(x, training=False), 2 * x)
    assert not np.array_equal(images(x), 2 * x)
    inputs = lamina.Input((1, 2, 1))
    model = lamina.Model(inputs, images(inputs))
    np.testing.assert_array_equal(model.predict(x, verbose=0), 2 * x)
    for wrong in (layers.Rescaling(2.0), [layers.Rescaling], "x"):
        with pytest.raises(ValueError, match="expected a list of layers"):
            layers.Pipeline(wrong)
