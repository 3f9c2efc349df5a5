"""What XLA is told: only where it understands it, and nobody else has said it."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from lamina.kernels import choosing


@pytest.fixture
def understood(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    if not choosing._is_understood():
        pytest.skip("this XLA knows no such option")


@pytest.mark.usefixtures("understood")
def test_options_on_a_cpu(monkeypatch):
    options = choosing.compiler_options()
    assert set(options) == {choosing._OPTION}
    with monkeypatch.context() as patch:
        patch.setenv("LAMINA_KERNELS", "reference")
        assert choosing.compiler_options() == {}
    with monkeypatch.context() as patch:
        patch.setenv("XLA_FLAGS", f"--{choosing._OPTION}=")
        assert choosing.compiler_options() == {}
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert choosing.compiler_options() == {}


@pytest.mark.usefixtures("understood")
def test_they_change_how_convolutions_are_compiled():
    def convolved(x, kernel):
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    arguments = jnp.ones((8, 16, 16, 8)), jnp.ones((3, 3, 8, 16))

    def compiled(options):
        return jax.jit(convolved, compiler_options=options).lower(*arguments).compile()

    ours, plain = compiled(choosing.compiler_options()), compiled({})
    assert "__ynn_fusion" not in ours.as_text()
    assert jnp.allclose(ours(*arguments), plain(*arguments))


def test_another_xla_is_told_nothing(monkeypatch):
    monkeypatch.setattr(choosing, "_OPTION", "xla_cpu_an_option_of_another_version")
    choosing._is_understood.cache_clear()
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    try:
        assert choosing.compiler_options() == {}
    finally:
        choosing._is_understood.cache_clear()


def test_what_stands_apart_is_not_merged():
    def moved(x, around):
        return jnp.sum(around(lambda x: x.T)(jnp.tanh(x)) * 2)

    compiled = [
        jax.jit(lambda x, around=around: moved(x, around)).lower(jnp.ones((64, 32))).compile().as_text()
        for around in (choosing.apart, lambda f: f)
    ]
    assert [" call(" in text for text in compiled] == [True, False]
    x = jnp.arange(6.0).reshape(2, 3)
    assert jnp.array_equal(jax.grad(moved)(x, choosing.apart), jax.grad(moved)(x, lambda f: f))
