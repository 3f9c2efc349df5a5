import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina.core import context
from lamina.core.variable import StateScope, Variable


def test_values_types_and_shapes():
    v = Variable([1.0, 2.0], name="v")
    assert v.shape == (2,)
    assert v.dtype == "float32"
    assert Variable([1, 2]).dtype == "int32"
    assert Variable(np.zeros(2, "float64")).dtype == "float32"
    assert Variable(True).dtype == "bool"
    assert Variable(lambda shape, dtype: np.ones(shape, dtype), shape=(2, 3)).numpy().sum() == 6


def test_assignment_keeps_shape_and_type():
    v = Variable(jnp.zeros(2))
    v.assign([1, 2])
    v.assign_add([1, 1])
    v.assign_sub(v)
    assert v.numpy().tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"shape \(2,\).*\(3,\)"):
        v.assign(np.zeros(3))
    assert v.dtype == "float32"


def test_arithmetic_is_that_of_the_value():
    v = Variable([1.0, 2.0])
    assert (2 * v + 1).tolist() == [3, 5]
    assert (1 - v).tolist() == [0, -1]
    assert (v**2).tolist() == [1, 4]
    assert (-v).tolist() == [-1, -2]
    assert (v > 1).tolist() == [False, True]
    assert jnp.sum(v.value) == 3
    assert float(v[1]) == 2


def test_a_function_needs_a_shape():
    with pytest.raises(ValueError, match="shape"):
        Variable(lambda shape, dtype: np.zeros(shape))
    with pytest.raises(ValueError, match=r"gave the shape \(3,\)"):
        Variable(lambda shape, dtype: np.zeros(3), shape=(2,))
    with pytest.raises(ValueError, match="without '/'"):
        Variable(1.0, name="a/b")


def test_a_scope_takes_assignments_back():
    v = Variable(1.0)
    with StateScope([(v, jnp.asarray(5.0))]) as scope:
        v.assign_add(1.0)
        assert scope.value_of(v) == 6
        with StateScope() as inner:
            v.assign(0.0)
            assert inner.assigned() == [v]
        assert float(v) == 6
    assert float(v) == 1


def test_a_scope_takes_them_back_after_an_error_too():
    v = Variable(1.0)

    def fail():
        with StateScope():
            v.assign(2.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert float(v) == 1


def test_a_program_of_variables_becomes_a_pure_function():
    v = Variable(1.0)

    @jax.jit
    def step(value, x):
        with StateScope([(v, value)]) as scope:
            v.assign_add(x)
            return scope.value_of(v)

    assert step(jnp.asarray(1.0), 2.0) == 3
    assert float(v) == 1


def test_a_variable_cannot_be_made_inside_a_compiled_function():
    with StateScope(), pytest.raises(ValueError, match="make it in __init__ or build"):
        Variable(1.0)


def test_first_values_are_real_even_while_tracing():
    made = []

    def trace(x):
        with StateScope(may_create=True):
            made.append(Variable(lambda shape, dtype: jax.random.normal(jax.random.key(0), shape), shape=(2,)))
        return x

    jax.eval_shape(trace, jnp.ones(1))
    assert np.isfinite(made[0].numpy()).all()


def test_floats_are_read_in_the_compute_type():
    v, whole, kept = Variable(1.0), Variable(1), Variable(1.0, autocast=False)
    with context.autocast("bfloat16"):
        assert v.value.dtype == v.dtype == "bfloat16"
        assert whole.value.dtype == "int32"
        assert kept.value.dtype == "float32"
    assert v.value.dtype == "float32"


def test_paths_follow_the_scope():
    with context.name_scope("a"), context.name_scope("b"):
        assert Variable(1.0, name="c").path == "a/b/c"


def test_copies_are_independent():
    v = Variable(1.0)
    w = copy.deepcopy(v)
    w.assign(2.0)
    assert float(v) == 1
