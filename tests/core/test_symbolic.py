import jax.numpy as jnp
import numpy as np
import pytest

from lamina.core.symbolic import KerasTensor, op
from lamina.core.variable import Variable
from lamina.shapes.errors import ShapeError


def test_shapes_in_both_forms():
    x = KerasTensor((None, "time", 8))
    assert x.shape == (None, None, 8)
    assert repr(x.dims) == "(batch, time, 8)"
    assert x.ndim == 3


def test_arithmetic_is_traced():
    x = KerasTensor((None, 3))
    assert (x + 1).shape == (None, 3)
    assert (1.0 / x).dtype == "float32"
    assert (x @ jnp.ones((3, 5))).shape == (None, 5)
    assert x[:, 0].shape == (None,)
    assert x[..., None].shape == (None, 3, 1)
    assert (x > 0).dtype == "bool"
    assert (-x + Variable(np.ones(3))).shape == (None, 3)


def test_one_decorator_serves_values_and_symbols():
    @op
    def both(x, scale, axis=0):
        return {"sum": (x * scale).sum(axis), "same": x}

    out = both(KerasTensor((None, 3)), 2.0, axis=1)
    assert out["sum"].shape == (None,)
    assert out["sum"].node is out["same"].node
    assert out["same"].node.operation is both
    assert both(jnp.ones((2, 3)), 2.0, axis=1)["sum"].tolist() == [6, 6]


def test_clashes_are_refused():
    with pytest.raises(ShapeError, match="`matmul` cannot take") as caught:
        KerasTensor((None, 3)) @ jnp.ones((4, 5))
    assert caught.value.received == "(None, 3), (4, 5)"


def test_symbols_have_no_values():
    x = KerasTensor((None, 3))
    for use in (bool, len, np.asarray, jnp.asarray):
        with pytest.raises((TypeError, ValueError), match=r"symbolic tensor|KerasTensor"):
            use(x)
    with pytest.raises(TypeError, match="open first axis"):
        list(x)
    assert len(list(KerasTensor((2, 3)))) == 2


def test_assignments_while_tracing_are_taken_back():
    v = Variable(0.0)

    @op
    def count(x):
        v.assign_add(1.0)
        return x

    count(KerasTensor((None,)))
    assert float(v) == 0
