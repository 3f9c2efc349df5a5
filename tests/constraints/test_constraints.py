import numpy as np
import pytest

from lamina import constraints


def test_get_takes_what_keras_takes():
    own = lambda w: w
    assert constraints.get(None) is None
    assert constraints.get(own) is own
    assert constraints.get(constraints.MaxNorm).max_value == 2


def test_lengths_end_where_they_should():
    w = np.random.default_rng(0).normal(size=(6, 4)).astype("f4") * 3
    length = lambda v: np.linalg.norm(v, axis=0)
    assert (length(constraints.MaxNorm(1.5)(w)) <= 1.5 + 1e-5).all()
    np.testing.assert_allclose(length(constraints.UnitNorm()(w)), 1, rtol=1e-5)
    bounded = length(constraints.MinMaxNorm(0.5, 0.7)(w))
    assert (bounded <= 0.7 + 1e-5).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constraints.get("maxnorm"), "did you mean 'max_norm' or 'MaxNorm'|did you mean"),
        (lambda: constraints.MaxNorm(-1.0), "`max_value`=-1.0"),
        (lambda: constraints.MinMaxNorm(2.0, 1.0), "`max_value`=1.0"),
        (lambda: constraints.UnitNorm(axis="x"), "`axis`='x'"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
