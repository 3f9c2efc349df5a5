"""Products of rows give what plain products give: values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina.kernels.products import reference, rows_times


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 5, 3), (2, 1, 4, 3), (0, 5, 3), (2, 0, 3)])
def test_values_and_derivatives(shape):
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        x, w = jnp.asarray(rng.normal(size=shape)), jnp.asarray(rng.normal(size=(3, 4)))
        ours, theirs = (lambda x, w, f=f: jnp.sum(jnp.sin(f(x, w))) for f in (rows_times, reference))
        assert rows_times(x, w).shape == reference(x, w).shape
        for derive in (
            lambda f: f(x, w),
            lambda f: jax.grad(f)(x, w),
            lambda f: jax.grad(f, 1)(x, w),
            lambda f: jax.jvp(jax.grad(f, 1), (x, w), (x, w))[1],
        ):
            np.testing.assert_allclose(derive(ours), derive(theirs), rtol=1e-12, atol=1e-12)


def test_the_reference_on_demand(monkeypatch):
    x, w = jnp.ones((2, 5, 3)), jnp.ones((3, 4))

    def traced():
        return str(jax.make_jaxpr(lambda x, w: rows_times(x, w))(x, w))

    assert "reshape" in traced()
    monkeypatch.setenv("LAMINA_KERNELS", "reference")
    assert "reshape" not in traced()
