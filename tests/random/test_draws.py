"""Random draws: distributions, seeds, shapes, errors."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import lamina
from lamina import random

DRAWS = {
    "normal": lambda shape, **k: random.normal(shape, 2.0, 3.0, **k),
    "uniform": lambda shape, **k: random.uniform(shape, -1.0, 3.0, **k),
    "truncated_normal": lambda shape, **k: random.truncated_normal(shape, 1.0, 2.0, **k),
    "gamma": lambda shape, **k: random.gamma(shape, 3.0, **k),
    "beta": lambda shape, **k: random.beta(shape, 2.0, 6.0, **k),
    "binomial": lambda shape, **k: random.binomial(shape, 10.0, 0.3, **k),
}
MEANS = {"normal": 2.0, "uniform": 1.0, "truncated_normal": 1.0, "gamma": 3.0, "beta": 0.25, "binomial": 3.0}
SPREADS = {
    "normal": 3.0, "uniform": 4 / 12**0.5, "truncated_normal": 2 * 0.8796, "gamma": 3**0.5,
    "beta": (12 / (64 * 9)) ** 0.5, "binomial": 2.1**0.5,
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_mean_and_spread(name):
    draws = np.asarray(DRAWS[name]((4000,), seed=1))
    np.testing.assert_allclose(draws.mean(), MEANS[name], atol=5 * SPREADS[name] / 4000**0.5)
    np.testing.assert_allclose(draws.std(), SPREADS[name], rtol=0.08)
    assert draws.dtype == "float32"


@pytest.mark.parametrize("name", DRAWS)
def test_seeds(name):
    draw = DRAWS[name]
    assert (draw((8,), seed=3) == draw((8,), seed=3)).all()
    assert (draw((8,), seed=3) != draw((8,), seed=4)).any()
    generator = random.SeedGenerator(5)
    assert (draw((8,), seed=generator) != draw((8,), seed=generator)).any()
    assert (draw((8,)) != draw((8,))).any()


def test_bounds():
    assert abs(np.asarray(random.truncated_normal((500,), seed=1))).max() <= 2.0
    low = np.asarray(random.uniform((500,), 2.0, 3.0, seed=1))
    assert low.min() >= 2.0
    assert low.max() < 3.0
    whole = np.asarray(random.randint((500,), -2, 3, seed=1))
    assert set(whole.tolist()) == {-2, -1, 0, 1, 2}
    assert whole.dtype == "int32"


def test_categorical_follows_the_logits():
    classes = random.categorical([[0.0, 3.0, -40.0], [-40.0, -40.0, 0.0]], 300, seed=1)
    assert classes.shape == (2, 300)
    assert np.asarray(classes[0] == 1).mean() == pytest.approx(1 / (1 + np.exp(-3)), abs=0.07)
    assert (classes[1] == 2).all()


def test_shuffle_keeps_the_slices():
    x = np.arange(24).reshape(8, 3)
    found = np.asarray(random.shuffle(x, seed=1))
    assert sorted(map(tuple, found)) == sorted(map(tuple, x))
    assert (found != x).any()
    turned = np.asarray(random.shuffle(x.T, axis=1, seed=1)).T
    assert sorted(map(tuple, turned)) == sorted(map(tuple, x))


def test_dropout():
    x = np.ones((100, 50), "float32")
    found = np.asarray(random.dropout(x, 0.25, seed=1))
    assert set(np.unique(found).round(4)) == {0.0, np.float32(1 / 0.75).round(4)}
    assert found.mean() == pytest.approx(1.0, abs=0.05)
    rows = np.asarray(random.dropout(x, 0.5, noise_shape=(None, 1), seed=1))
    assert (rows == rows[:, :1]).all()
    assert (random.dropout(x, 0.0) == x).all()
    assert (random.dropout(x, 1.0) == 0).all()
    assert random.dropout(x.astype("float16"), 0.5, seed=1).dtype == "float16"


def test_traces_and_jit():
    assert random.dropout(lamina.KerasTensor((None, "time", 4)), 0.5).shape == (None, None, 4)
    assert random.normal((2,), dtype="bfloat16").dtype == "bfloat16"
    assert (jax.jit(lambda: random.normal((4,), seed=1))() == random.normal((4,), seed=1)).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: random.dropout(np.ones(3), 1.5), "`rate`=1.5"),
        (lambda: random.normal((None, 2)), "None is not a size"),
        (lambda: random.normal((2,), dtype="int32"), "floating"),
        (lambda: random.randint((2,), 0, 5, dtype="float32"), "integer"),
        (lambda: random.normal((2,), seed="one"), "`seed`='one'"),
        (lambda: random.categorical([0.0, 1.0], 2), "batch, classes"),
        (lambda: random.shuffle(np.ones(3), axis=2), "`axis`=2"),
        (lambda: random.dropout(np.ones((3, 2)), 0.5, noise_shape=(3,)), "noise_shape"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
