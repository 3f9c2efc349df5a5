import jax
import numpy as np
import pytest

import lamina
from lamina import activations

NAMES = [n for n in activations.__all__ if n not in ("get", "serialize", "deserialize")]


PLAIN = [n for n in NAMES if n not in ("linear", "threshold")]


@pytest.mark.parametrize("name", NAMES)
def test_symbolic_shapes_are_real_shapes(name):
    extra = {"threshold": 0.5, "default_value": 0.0} if name == "threshold" else {}
    function = getattr(activations, name)
    symbolic = function(lamina.KerasTensor((None, "length", 4)), **extra)
    real = jax.eval_shape(lambda x: function(x, **extra), jax.ShapeDtypeStruct((2, 3, 4), "float32"))
    assert symbolic.shape == (None, None, real.shape[-1])
    assert symbolic.dtype == real.dtype.name
    assert symbolic.node.operation is function


def test_whole_numbers_count_as_floats():
    x = np.array([[-3, 0, 1, 8]])
    run = jax.jit(lambda v: {name: getattr(activations, name)(v) for name in PLAIN})
    whole, real = run(x), run(x.astype("f4"))
    for name in PLAIN:
        np.testing.assert_allclose(whole[name], real[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", PLAIN)
def test_half_precision_stays(name):
    assert jax.eval_shape(getattr(activations, name), jax.ShapeDtypeStruct((2, 4), "float16")).dtype == "float16"


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    rng = np.random.default_rng(0)
    x = 2 * rng.normal(size=(50, 6)).astype("f4")
    found = np.asarray(activations.sparsemax(x))
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)
    assert found.min() >= 0
    others = rng.dirichlet(np.full(6, 0.3), size=(50, 200))
    nearest = ((others - x[:, None]) ** 2).sum(-1).min(-1)
    assert (((found - x) ** 2).sum(-1) <= nearest + 1e-5).all()
    np.testing.assert_allclose(activations.sparsemax(x.T, axis=0), found.T)


def test_get_takes_what_keras_takes():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    own = lambda x: x
    assert activations.get(own) is own


@pytest.mark.parametrize(("given", "hint"), [("rellu", "did you mean 'relu'"), ("Softmax", "'softmax'"), (3, "3")])
def test_unknown_activations_are_refused_with_near_names(given, hint):
    with pytest.raises(ValueError, match=hint):
        activations.get(given)


def test_odd_sizes_cannot_be_halved():
    with pytest.raises(ValueError, match="size 3 is odd"):
        activations.glu(np.ones((2, 3)))
