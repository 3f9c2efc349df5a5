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


def convolved(x, kernel):
    axes = "HW"[: x.ndim - 2]
    numbers = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    return lax.conv_general_dilated(x, kernel, (1,) * len(axes), "SAME", dimension_numbers=numbers)


IMAGES = jnp.ones((8, 16, 16, 8)), jnp.ones((3, 3, 8, 8))
ROWS = jnp.ones((8, 16, 8)), jnp.ones((3, 8, 8))


def options(function, arguments):
    return choosing.compiler_options(jax.make_jaxpr(function)(*arguments))


@pytest.mark.usefixtures("understood")
def test_options_on_a_cpu(monkeypatch):
    assert set(options(convolved, IMAGES)) == {choosing._OPTION}
    with monkeypatch.context() as patch:
        patch.setenv("LAMINA_KERNELS", "reference")
        assert options(convolved, IMAGES) == {}
    with monkeypatch.context() as patch:
        patch.setenv("XLA_FLAGS", f"--{choosing._OPTION}=")
        assert options(convolved, IMAGES) == {}
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert options(convolved, IMAGES) == {}


@pytest.mark.usefixtures("understood")
def test_options_where_images_are_convolved_however_deep_inside():
    def looped(x, kernel):
        return lax.fori_loop(0, 3, lambda i, total: jax.jit(convolved)(total, kernel), x)

    def chosen(x, kernel):
        return lax.cond(x.sum() > 0, lambda: x, lambda: jax.checkpoint(jax.grad(lambda x: looped(x, kernel).sum()))(x))

    assert options(looped, IMAGES)
    assert options(chosen, IMAGES)
    assert not options(looped, ROWS)
    assert not options(chosen, ROWS)
    assert not options(jnp.dot, (jnp.ones((4, 4)), jnp.ones((4, 4))))


@pytest.mark.usefixtures("understood")
def test_they_change_how_convolutions_are_compiled():
    def compiled(options):
        return jax.jit(convolved, compiler_options=options).lower(*IMAGES).compile()

    ours, plain = compiled(options(convolved, IMAGES)), compiled({})
    assert "__ynn_fusion" not in ours.as_text()
    assert jnp.allclose(ours(*IMAGES), plain(*IMAGES))


def test_another_xla_is_told_nothing(monkeypatch):
    monkeypatch.setattr(choosing, "_OPTION", "xla_cpu_an_option_of_another_version")
    choosing._is_understood.cache_clear()
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    try:
        assert options(convolved, IMAGES) == {}
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
