"""Max pooling gives what XLA's own formulation gives: values, gradients, tangents and second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.kernels.max_pooling import max_window, reference


@st.composite
def pools(draw):
    rank = draw(st.integers(1, 3))
    sizes = [draw(st.integers(1, 7)) for _ in range(rank)]
    window = [draw(st.integers(1, 3)) for _ in range(rank)]
    padding = draw(st.sampled_from(["VALID", "SAME"]))
    sizes = [max(size, span) for size, span in zip(sizes, window, strict=True)]
    steps = [draw(st.integers(1, 3)) for _ in range(rank)]
    return (2, *sizes, 2), (1, *window, 1), (1, *steps, 1), padding


@settings(max_examples=8, deadline=None)
@given(pools(), st.booleans(), st.integers(0, 99))
def test_values_and_derivatives(pool, ties, seed):
    shape, window, steps, padding = pool
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        x = jnp.asarray(rng.integers(0, 3, shape) if ties else rng.normal(size=shape), "float64")
        ours, theirs = (
            lambda x, f=f: jnp.sum(jnp.sin(f(x, window, steps, padding)) ** 2) for f in (max_window, reference)
        )
        change = jnp.asarray(rng.normal(size=shape))
        for derive in (
            lambda f: f,
            lambda f: jax.grad(f),
            lambda f: lambda x: jax.vmap(jax.grad(f))(jnp.stack([x, -x])),
        ):
            ours_now, theirs_now = (jax.jit(derive(f))(x) for f in (ours, theirs))
            np.testing.assert_allclose(ours_now, theirs_now, rtol=1e-12, atol=1e-12)
        tangent = jax.jit(lambda x: jax.jvp(ours, (x,), (change,))[1])(x)
        np.testing.assert_allclose(tangent, jnp.vdot(jax.jit(jax.grad(ours))(x), change), rtol=1e-10, atol=1e-10)
        if not ties:  # XLA's own tangent takes another one of equal elements than its gradient does
            second, expected = (
                jax.jit(lambda x, f=f: jax.jvp(jax.grad(f), (x,), (change,))[1])(x) for f in (ours, theirs)
            )
            np.testing.assert_allclose(second, expected, rtol=1e-12, atol=1e-12)


def test_the_gradient_goes_to_the_first_of_equals():
    x = jnp.zeros((1, 4, 1))
    gradient = jax.grad(lambda x: max_window(x, (1, 2, 1), (1, 2, 1), "VALID").sum())(x)
    assert gradient.ravel().tolist() == [1.0, 0.0, 1.0, 0.0]


def is_own(x, window=(1, 2, 1)):
    """Whether the gradient is chosen for the platform."""
    gradient = jax.grad(lambda x: max_window(x, window, window, "VALID").sum())
    return "platform_index" in str(jax.make_jaxpr(gradient)(x))


@pytest.mark.parametrize("steps", [2, 1])
def test_the_places_of_the_greatest_are_found_once(steps):
    """XLA would find them again for each element that they are compared with."""
    f = jax.grad(lambda x: jnp.sum(max_window(jnp.sin(x), (1, 2, 2, 1), (1, steps, steps, 1), "VALID") ** 2))
    lines = jax.jit(f).trace(jnp.ones((2, 6, 6, 3))).lower(lowering_platforms=("cpu",)).as_text().splitlines()
    assert ["xi8>" in line for line in lines if "call @" in line and 'inlineable = "false"' in line] == [True]


def test_the_reference_is_used_where_it_is_asked_for_and_where_windows_are_large(monkeypatch):
    x = jnp.zeros((1, 80, 1))
    assert is_own(x)
    assert not is_own(x, (1, 40, 1))
    monkeypatch.setenv("LAMINA_KERNELS", "reference")
    assert not is_own(x)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16", "bfloat16"])
def test_other_types(dtype):
    x = jnp.arange(12).reshape(1, 6, 2).astype(dtype)
    ours, theirs = (f(x, (1, 2, 1), (1, 2, 1), "SAME") for f in (max_window, reference))
    assert ours.dtype == theirs.dtype == x.dtype
    np.testing.assert_array_equal(ours.astype("float32"), theirs.astype("float32"))
