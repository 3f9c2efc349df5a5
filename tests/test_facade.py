"""The thin public modules: what Keras has under these names, with the same behaviour."""

import keras
import numpy as np
import pytest

import lamina


@pytest.mark.parametrize("module", ["backend", "config", "models", "saving", "tree", "utils", "preprocessing"])
def test_public_modules_hold_what_they_say(module):
    loaded = getattr(lamina, module)
    assert all(hasattr(loaded, name) for name in loaded.__all__)
    assert sorted(loaded.__all__, key=str.lower) == sorted(set(loaded.__all__), key=str.lower)


#: Names of Lamina's own in modules that Keras has as well.
OWN = {"load_orbax", "load_safetensors", "save_orbax", "save_safetensors", "show"}


def test_nothing_under_keras_names_that_keras_has_not():
    for module in ("backend", "config", "saving", "tree", "utils"):
        assert set(getattr(lamina, module).__all__) - OWN <= set(dir(getattr(keras, module))), module


@pytest.mark.parametrize("labels", [[0, 2, 1], [[0], [3]], [[0, 1], [2, 2]], np.array([1.0, 0.0]), 2, []])
def test_to_categorical(labels):
    if len(np.shape(labels)) and not len(labels):
        assert lamina.utils.to_categorical(labels, 3).shape == (0, 3)
        return
    ours, theirs = lamina.utils.to_categorical(labels), keras.utils.to_categorical(labels)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(lamina.utils.to_categorical(labels, 5), keras.utils.to_categorical(labels, 5))


@pytest.mark.parametrize(
    ("labels", "count", "message"),
    [
        ([0, 5], 3, "class number 5; with 3 classes they are 0 to 2"),
        ([-1, 1], None, "class number -1"),
        ([0.5], None, "not whole"),
        (["cat"], None, "number the classes first"),
        ([0], 0, "`num_classes`=0"),
    ],
)
def test_to_categorical_refuses(labels, count, message):
    with pytest.raises(ValueError, match=message):
        lamina.utils.to_categorical(labels, count)


@pytest.mark.parametrize(("axis", "order"), [(-1, 2), (-2, 2), (1, 1)])
def test_normalize(axis, order):
    x = np.random.default_rng(0).normal(size=(4, 4))
    x[1] = 0
    if axis == -2:  # Keras takes the first axis for the last one
        np.testing.assert_allclose(np.linalg.norm(lamina.utils.normalize(x, 0), axis=0), 1)
    ours, theirs = lamina.utils.normalize(x, axis, order), keras.utils.normalize(x, axis, order)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("maxlen", [None, 2, 5])
def test_pad_sequences(padding, truncating, maxlen):
    sequences = [[1], [2, 3], [], [4, 5, 6, 7]]
    arguments = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "value": 9}
    ours, theirs = (k.utils.pad_sequences(sequences, **arguments) for k in (lamina, keras))
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


def test_pad_sequences_of_vectors_and_strings():
    sequences = [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]
    np.testing.assert_array_equal(
        lamina.preprocessing.sequence.pad_sequences(sequences, dtype="float32"),
        keras.utils.pad_sequences(sequences, dtype="float32"),
    )
    words = [["a"], ["b", "c"]]
    assert lamina.utils.pad_sequences(words, dtype=object, value="-").tolist() == [["-", "a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2],), r"`sequences`\[0\]=1 is no sequence"),
        ((3,), "`sequences` is a list of sequences"),
        (([[1]], 2, "int32", "before"), "`padding`='before'"),
        (([[[1, 2]], [[3]]],), r"`sequences`\[1\] has entries of shape \(1,\)"),
        (([[1]], 0), "`maxlen`=0"),
    ],
)
def test_pad_sequences_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        lamina.utils.pad_sequences(*arguments)


def test_clear_session_starts_names_afresh():
    lamina.layers.Dense(1)
    lamina.utils.clear_session()
    assert lamina.layers.Dense(1).name == "dense"
    assert lamina.backend.clear_session is lamina.utils.clear_session


def test_set_random_seed_repeats_weights_and_draws():
    drawn = []
    for _ in range(2):
        lamina.utils.set_random_seed(7)
        layer = lamina.layers.Dense(3)
        layer.build((None, 4))
        drawn.append([np.asarray(layer.kernel), np.asarray(lamina.random.normal((3,))), np.random.rand(2)])
    for a, b in zip(*drawn, strict=True):
        np.testing.assert_array_equal(a, b)


def test_trees_behave_as_keras_s():
    structure = {"b": [1, (2, 3)], "a": None}
    assert lamina.tree.flatten(structure) == keras.tree.flatten(structure)
    assert lamina.tree.lists_to_tuples(structure) == keras.tree.lists_to_tuples(structure)
    up = ([0, 0], lambda a, b: (a, b), [[1, 2], 3], [4, {"x": 5}])
    assert lamina.tree.map_structure_up_to(up[0], up[1], *up[2:]) == keras.tree.map_structure_up_to(
        up[0], up[1], *up[2:]
    )

    def negate(part):
        return -part if isinstance(part, int) else None

    for top_down in (True, False):
        both = [k.tree.traverse(negate, [1, {"a": (2, "s")}], top_down) for k in (lamina, keras)]
        assert both[0] == both[1]
    assert lamina.tree.traverse(lambda part: "t" if isinstance(part, tuple) else None, [1, (2,)]) == [1, "t"]


def test_saving_registers_and_scopes():
    @lamina.saving.register_keras_serializable(package="facade")
    class Twice(lamina.layers.Layer):
        def call(self, x):
            return 2 * x

    try:
        assert lamina.saving.get_registered_name(Twice) == "facade>Twice"
        assert lamina.utils.get_registered_object("facade>Twice") is Twice
        config = lamina.saving.serialize_keras_object(Twice(name="t"))
        assert config["registered_name"] == "facade>Twice"
        assert lamina.saving.deserialize_keras_object(config).name == "t"
    finally:
        lamina.saving.get_custom_objects().pop("facade>Twice")

    class Thrice(lamina.layers.Layer):
        def call(self, x):
            return 3 * x

    config = lamina.saving.serialize_keras_object(Thrice())
    with pytest.raises(ValueError, match=r"unknown .*Thrice"):
        lamina.saving.deserialize_keras_object(config)
    with lamina.saving.custom_object_scope({"Thrice": Thrice}):
        assert isinstance(lamina.saving.deserialize_keras_object(config), Thrice)
    assert isinstance(lamina.saving.deserialize_keras_object(config, custom_objects={"Thrice": Thrice}), Thrice)


def test_dtypes_and_symbols():
    assert lamina.backend.backend() == lamina.config.backend() == "jax"
    assert lamina.backend.is_int_dtype("int8")
    assert not lamina.backend.is_int_dtype("bool")
    assert lamina.backend.is_float_dtype("bfloat16")
    assert lamina.utils.is_keras_tensor(lamina.Input((3,)))
    assert not lamina.utils.is_keras_tensor(np.ones(3))
    assert lamina.backend.result_type("int32", "float16") == keras.backend.result_type("int32", "float16")
