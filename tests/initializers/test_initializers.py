import numpy as np
import pytest

import lamina
from lamina import initializers
from lamina.core import seeds
from lamina.initializers.drawn import fans

RANDOM = ["RandomNormal", "RandomUniform", "TruncatedNormal", "GlorotUniform", "HeNormal", "Orthogonal"]


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_gives_the_same_values_at_every_call_and_a_generator_new_ones(name):
    cls = getattr(initializers, name)
    for fixed in (cls(seed=3), cls()):
        assert (fixed((4, 5)) == fixed((4, 5))).all()
    assert (cls(seed=3)((4, 5)) == cls(seed=3)((4, 5))).all()
    assert (cls(seed=3)((4, 5)) != cls(seed=4)((4, 5))).any()
    moving = cls(seed=seeds.SeedGenerator(3))
    first, second = moving((4, 5)), moving((4, 5))
    assert (first != second).any()
    again = cls(seed=seeds.SeedGenerator(3))
    assert (again((4, 5)) == first).all()


def test_a_clone_without_a_seed_draws_anew():
    first = initializers.HeNormal()
    assert (first.clone()((4, 4)) != first((4, 4))).any()
    seeded = initializers.HeNormal(seed=1)
    assert (seeded.clone()((4, 4)) == seeded((4, 4))).all()


def test_the_seed_of_the_program_decides():
    seeds.set_random_seed(5)
    first = initializers.GlorotUniform()((3, 3))
    seeds.set_random_seed(5)
    assert (initializers.GlorotUniform()((3, 3)) == first).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", [*RANDOM, "Zeros", "Ones", "Constant", "Identity"])
def test_the_type_asked_for_comes(name, dtype):
    assert getattr(initializers, name)()((3, 4), dtype=dtype).dtype == dtype


def test_whole_numbers_can_be_filled_but_not_drawn():
    assert initializers.Ones()((2,), "int32").dtype == "int32"
    with pytest.raises(ValueError, match=r"HeNormal draws float values.*int32"):
        initializers.HeNormal()((2, 2), "int32")


def test_no_value_lies_outside_the_cut():
    values = np.asarray(initializers.TruncatedNormal(mean=1.0, stddev=2.0, seed=0)((200000,)))
    assert values.min() >= -3
    assert values.max() <= 5
    assert values.max() > 4.9


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 2, 6)])
def test_orthogonal(shape):
    values = np.asarray(initializers.Orthogonal(gain=2.0, seed=0)(shape)).reshape(-1, shape[-1])
    small = values if values.shape[0] <= values.shape[1] else values.T
    np.testing.assert_allclose(small @ small.T, 4 * np.eye(len(small)), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "expected"), [((), (1, 1)), ((7,), (7, 7)), ((4, 6), (4, 6)), ((3, 3, 4, 6), (36, 54))]
)
def test_fans(shape, expected):
    assert fans(shape) == expected
    assert fans((2, 3, 5), (0,), (1, 2)) == (2, 15)


def test_values_given_by_an_array():
    assert initializers.get(np.array([1.0, 2.0]))((3, 2)).tolist() == [[1.0, 2.0]] * 3
    source = np.zeros(1000, "f4")
    kept = initializers.Constant(source)((1000,))
    source[:] = 7
    assert float(kept.max()) == 0
    again = initializers.deserialize(initializers.serialize(initializers.Constant(np.array([1.0, 2.0]))))
    assert again((2,)).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"shape \(2,\), the weight has shape \(3,\)"):
        initializers.Constant([1.0, 2.0])((3,))


def test_get_takes_what_keras_takes():
    own = lambda shape, dtype=None: np.ones(shape, dtype)
    assert initializers.get(None) is None
    assert initializers.get(own) is own
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)
    same = initializers.HeNormal()
    assert initializers.get(same) is same
    described = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_in", "distribution": "normal"}}
    assert initializers.get(described).distribution == "truncated_normal"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.get("glorot_unifrom"), "did you mean 'glorot_uniform'"),
        (lambda: initializers.get(3.0), "cannot read 3.0 as a initializer"),
        (lambda: initializers.HeNormal(seed="x"), "`seed`='x'"),
        (lambda: initializers.RandomNormal(stddev=float("nan")), "`stddev`=nan"),
        (lambda: initializers.VarianceScaling(scale=-1.0), "`scale`=-1.0"),
        (lambda: initializers.VarianceScaling(mode="fan"), "`mode`='fan'.*fan_in"),
        (lambda: initializers.VarianceScaling(input_axes=(0,)), "give both"),
        (lambda: initializers.Identity()((3,)), r"2 axes; the weight has shape \(3,\)"),
        (lambda: initializers.Orthogonal()((3,)), r"2 axes or more; the weight has shape \(3,\)"),
        (lambda: initializers.STFT()((8, 5)), r"\(length, 1, frequencies\)"),
        (lambda: initializers.STFT(window="hanm"), "'hanm' is no window.*'hann'"),
        (lambda: initializers.Zeros()((2, -1)), r"`shape`=\(2, -1\)"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_variable_takes_any_of_them():
    v = lamina.Variable(initializers.Constant(2.0), shape=(2, 2), name="v")
    assert v.numpy().tolist() == [[2.0, 2.0], [2.0, 2.0]]
