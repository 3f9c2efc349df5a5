"""Transposed convolutions give what JAX's own give: values, gradients, tangents and second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.kernels.convolution_transpose import _with_operands_swapped, reference, spread


@st.composite
def convolutions(draw):
    rank = draw(st.integers(1, 2))
    sizes, window, steps, gaps = ([draw(st.integers(1, most)) for _ in range(rank)] for most in (4, 3, 3, 2))
    around = [(k - 1) * g for k, g in zip(window, gaps, strict=True)]
    pads = tuple((draw(st.integers(0, most + 1)), draw(st.integers(most, most + 2))) for most in around)
    first = draw(st.booleans())
    shape = (2, 3, *sizes) if first else (2, *sizes, 3)
    return shape, (*window, 2, 3), (tuple(steps), pads, tuple(gaps), first)


def checked(convolution, seed):
    shape, window, options = convolution
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        x, kernel, change, other = (jnp.asarray(rng.normal(size=s)) for s in (shape, window, shape, window))
        expected = reference(x, kernel, *options)
        sizes = expected.shape[2:] if options[3] else expected.shape[1:-1]
        if not expected.size:
            return
        np.testing.assert_allclose(_with_operands_swapped(x, kernel, sizes, options), expected, atol=1e-12)
        ours, theirs = (lambda x, k, f=f: jnp.sum(jnp.sin(f(x, k, *options))) for f in (spread, reference))
        for derive in (
            lambda f: f(x, kernel),
            lambda f: jax.grad(f, (0, 1))(x, kernel),
            lambda f: jax.jvp(jax.grad(f, 1), (x, kernel), (change, other))[1],
            lambda f: jax.vmap(jax.grad(f, 1), (0, None))(jnp.stack([x, change]), kernel),
        ):
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-11), derive(ours), derive(theirs))


@pytest.mark.parametrize(
    "convolution",
    [
        ((2, 4, 3), (3, 2, 3), ((2,), ((2, 3),), (1,), False)),
        ((2, 3, 3, 2), (3, 2, 2, 3), ((2, 1), ((1, 4), (3, 2)), (1, 2), True)),
    ],
)
def test_values_and_derivatives(convolution):
    checked(convolution, 0)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(convolutions(), st.integers(0, 99))
def test_many_values_and_derivatives(convolution, seed):
    checked(convolution, seed)


def test_the_reference_on_demand(monkeypatch):
    x, kernel = jnp.ones((1, 4, 2)), jnp.ones((3, 1, 2))

    def traced():
        gradient = jax.grad(lambda kernel: spread(x, kernel, (2,), ((2, 2),), (1,)).sum())
        return str(jax.make_jaxpr(gradient)(kernel))

    assert "platform_index" in traced()
    monkeypatch.setenv("LAMINA_KERNELS", "reference")
    assert "platform_index" not in traced()
