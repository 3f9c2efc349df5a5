"""Types, trees, seeds, checks and the registry."""

import subprocess
import sys

import numpy as np
import pytest

from lamina.core import checks, context, dtypes, registry, seeds, tree


def test_dtype_names():
    assert dtypes.standardize_dtype(None) == "float32"
    assert dtypes.standardize_dtype(np.float16) == "float16"
    assert dtypes.standardize_dtype("bfloat16") == "bfloat16"
    assert dtypes.result_type("int32", "float16") == "float16"
    with pytest.raises(ValueError, match="did you mean 'float32'"):
        dtypes.standardize_dtype("flaot32")


def test_policies():
    mixed = dtypes.DTypePolicy("mixed_float16")
    assert (mixed.compute_dtype, mixed.variable_dtype) == ("float16", "float32")
    assert dtypes.get_policy({"class_name": "DTypePolicy", "config": {"name": "bfloat16"}}).compute_dtype == "bfloat16"
    assert dtypes.DTypePolicy.from_config(mixed.get_config()) == mixed
    with pytest.raises(ValueError, match="unknown dtype policy 'mixed_float32'"):
        dtypes.DTypePolicy("mixed_float32")


def test_float64_computes_in_64_bits():
    code = (
        "import lamina, numpy as np; layer = lamina.layers.Dense(2, dtype='float64');"
        "y = layer(np.ones((1, 3))); print(y.dtype, layer.kernel.dtype)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["float64", "float64"]


def test_trees():
    assert tree.flatten({"b": [1, None], "a": (2,)}) == [2, 1, None]
    assert tree.map_structure(lambda a: a + 1, {"a": [1, 2]}) == {"a": [2, 3]}
    assert tree.flatten_with_path({"a": [5]}) == [(("a", 0), 5)]
    assert tree.pack_sequence_as({"a": [0, 0]}, [1, 2]) == {"a": [1, 2]}
    with pytest.raises(ValueError, match="differ"):
        tree.assert_same_structure([1], (1,))
    tree.assert_same_paths([1], (1,))
    assert [tree.is_nested(s) for s in ([1], (), {}, {"a": 1}, 3, None, "ab")] == [True] * 4 + [False] * 3


def test_seeds_repeat():
    seeds.set_random_seed(3)
    first = seeds.make_seed()
    seeds.set_random_seed(3)
    assert seeds.make_seed() == first
    generator = seeds.SeedGenerator(1)
    a, b = np.asarray(generator.next()), np.asarray(generator.next())
    assert (a != b).any()
    assert (np.asarray(seeds.SeedGenerator(1).next()) == a).all()
    for bad in ("1", 1.5, True):
        with pytest.raises(ValueError, match="whole number"):
            seeds.SeedGenerator(bad)


@pytest.mark.parametrize("rate", [0.0, 1e-4, 0.1, 0.5, 0.9, 0.9999, 1.0])
def test_what_dropout_keeps(rate):
    kept = np.asarray(seeds.kept(3, rate, (401, 501)))
    assert kept.dtype == bool
    error = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs(np.mean(~kept) - rate) <= 4 * error + 2**-17
    for neighbours in (kept[:, :-1] == kept[:, 1:], kept[:-1] == kept[1:]):  # nothing repeats
        assert abs(np.mean(neighbours) - (rate**2 + (1 - rate) ** 2)) <= 6 * error + 2**-16
    np.testing.assert_array_equal(kept, seeds.kept(3, rate, (401, 501)))
    for shape in ((), (0, 3), (3,)):
        assert seeds.kept(3, rate, shape).shape == shape


def test_names_are_numbered():
    context.reset_names()
    assert [context.auto_name("MaxPooling1D") for _ in range(2)] == ["max_pooling1d", "max_pooling1d_1"]
    assert context.snake_case("LSTM") == "lstm"
    assert context.snake_case("TimeDistributed") == "time_distributed"
    context.reset_names()


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: checks.positive_int("units", -3), "`units`=-3: expected a positive whole number"),
        (lambda: checks.positive_int("units", 2.5), "2.5"),
        (lambda: checks.positive_int("units", True), "True"),
        (lambda: checks.sizes("strides", (1, 2, 3), 2), "a whole number or 2 of them"),
        (lambda: checks.sizes("strides", 0, 2), "1 or more"),
        (lambda: checks.one_of("padding", "smae", ("same", "valid")), "did you mean 'same'"),
        (lambda: checks.real("rate", float("nan")), "finite number"),
        (lambda: checks.real("rate", 1.5, 0, 1), "from 0 to 1"),
    ],
)
def test_checks_name_argument_and_value(check, message):
    with pytest.raises(ValueError, match=message):
        check()


def test_numpy_integers_are_sizes():
    assert checks.positive_int("units", np.int64(3)) == 3
    assert checks.sizes("kernel_size", np.int32(2), 2) == (2, 2)


def test_registered_names():
    @registry.register_keras_serializable("mine")
    class Thing:
        def __init__(self, a=1):
            self.a = a

        def get_config(self):
            return {"a": self.a}

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    described = registry.serialize(Thing(5))
    assert described["registered_name"] == "mine>Thing"
    assert registry.deserialize(described).a == 5
    del registry.get_custom_objects()["mine>Thing"]
    with pytest.raises(ValueError, match="unknown"):
        registry.deserialize(described)
    with registry.custom_object_scope({"Thing": Thing}):
        assert registry.deserialize(described).a == 5
    with pytest.raises(ValueError, match="get_config"):
        registry.register_keras_serializable()(type("Bare", (), {}))


def test_a_config_cannot_reach_past_the_registry():
    with pytest.raises(ValueError, match="unknown"):
        registry.deserialize({"module": "os", "class_name": "system", "config": {"command": "true"}})
