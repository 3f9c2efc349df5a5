"""Convolutions as products, and of inputs smaller than the window: what plain convolutions give, and when."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina import layers
from lamina.kernels import convolution
from lamina.kernels.convolution import Form, convolve, reference


@st.composite
def convolutions(draw):
    """Sizes, window and form, most of them of inputs about as large as the window."""
    rank = draw(st.integers(1, 3))
    window = [draw(st.sampled_from([1, 2, 3, 4]))] * rank if draw(st.booleans()) else [1 + i for i in range(rank)]
    steps, gaps = (draw(st.integers(1, 3)),) * rank, (1,) * rank
    if draw(st.integers(0, 5)) == 0:
        steps, gaps = (1,) * rank, (2,) * rank
    pads = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(rank))
    pads = draw(st.sampled_from([((0, 0),) * rank, pads]))
    reach = [(size - 1) * gap + 1 for size, gap in zip(window, gaps, strict=True)]
    least = [max(1, r - low - high) for r, (low, high) in zip(reach, pads, strict=True)]
    sizes = [size + draw(st.sampled_from([0, 0, 1, 2])) for size in least]
    groups = draw(st.sampled_from([1, 1, 1, 2]))
    form = Form(steps, pads, gaps, draw(st.booleans()), groups)
    x = (2, 2 * groups, *sizes) if form.channels_first else (2, *sizes, 2 * groups)
    return x, (*window, 2, 2 * groups), form


def first(f, x, w):
    return jax.grad(lambda *a: jnp.sum(jnp.sin(f(*a))), (0, 1))(x, w)


def agree(drawn, seed, short):
    *shapes, form = drawn
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True), pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "_SHORT", 128 if short else 0)
        x, w = (jnp.asarray(rng.normal(size=shape)) for shape in shapes)

        @jax.jit
        def everything(x, w):
            found = []
            for f in (convolve, reference):
                g = functools.partial(f, form=form)
                forward = jax.jvp(g, (x, w), (jnp.cos(x), jnp.cos(w)))
                second = jax.jvp(lambda x, w, g=g: first(g, x, w), (x, w), (jnp.cos(x), jnp.sin(w)))
                found.append((forward, second))
            return found

        ours, theirs = (jax.tree.leaves(each) for each in everything(x, w))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@settings(max_examples=10, deadline=None)
@given(convolutions(), st.integers(0, 99), st.booleans())
def test_values_and_derivatives(drawn, seed, short):
    agree(drawn, seed, short)


@pytest.mark.parametrize(("steps", "gaps"), [(2, 3), (1, 2), (3, 1)])
def test_short_sequences(steps, gaps):
    agree(((2, 12, 2), (3, 2, 4), Form((steps,), ((1, 2),), (gaps,))), 0, short=True)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(convolutions(), st.integers(0, 99), st.booleans())
def test_values_and_derivatives_of_many(drawn, seed, short):
    agree(drawn, seed, short)


def traced(shape, kernel, form):
    f = jax.grad(lambda x, w: convolve(x, w, form).sum())
    return str(jax.make_jaxpr(f)(jnp.ones(shape), jnp.ones(kernel)))


NONE, SAME = ((0, 0), (0, 0)), ((1, 1), (1, 1))


@pytest.mark.parametrize(
    ("shape", "kernel", "form", "sign", "chosen"),
    [
        ((2, 8, 8, 3), (1, 1, 3, 4), Form((2, 2), NONE, (1, 1)), "dot_general", True),
        ((2, 8, 8, 3), (8, 8, 3, 4), Form((1, 1), NONE, (1, 1)), "dot_general", True),
        ((2, 3, 8, 8), (1, 1, 3, 4), Form((1, 1), NONE, (1, 1), True), "dot_general", False),
        ((2, 64, 3), (7, 3, 4), Form((2,), ((0, 0),), (1,)), "dot_general", True),
        ((3, 64, 3), (7, 3, 4), Form((2,), ((0, 0),), (1,)), "dot_general", False),
        ((2, 3, 64), (7, 3, 4), Form((2,), ((0, 0),), (1,), True), "dot_general", False),
        ((2, 2, 2, 3), (3, 3, 3, 4), Form((1, 1), SAME, (1, 1)), "optimization_barrier", True),
        ((2, 4, 4, 3), (3, 3, 3, 4), Form((2, 2), SAME, (1, 1)), "optimization_barrier", True),
        ((2, 3, 3, 3), (3, 3, 3, 4), Form((1, 1), SAME, (1, 1)), "optimization_barrier", False),
        ((2, 16, 16, 3), (5, 5, 3, 4), Form((4, 4), NONE, (1, 1)), "optimization_barrier", False),
    ],
)
def test_which_form_is_taken(shape, kernel, form, sign, chosen, monkeypatch):
    assert (sign in traced(shape, kernel, form)) == chosen
    monkeypatch.setenv("LAMINA_KERNELS", "reference")
    assert sign not in traced(shape, kernel, form)


@pytest.mark.parametrize(
    ("shape", "kernel", "dtype", "form", "convolutions", "calls"),
    [
        ((2, 9, 9, 4), (3, 3, 4, 4), "float32", Form((1, 1), SAME, (1, 1)), 3, 2),
        ((2, 4, 9, 9), (3, 3, 4, 4), "float32", Form((2, 2), SAME, (1, 1), True), 3, 2),
        ((2, 9, 9, 1), (3, 3, 1, 4), "float32", Form((1, 1), SAME, (1, 1)), 1, 0),
        ((2, 31, 31, 1), (3, 3, 1, 4), "float32", Form((1, 1), SAME, (1, 1)), 2, 0),
        ((2, 1, 9, 9), (3, 3, 1, 4), "float32", Form((1, 1), SAME, (1, 1), True), 2, 0),
        ((2, 9, 9, 1), (3, 3, 1, 4), "bfloat16", Form((1, 1), SAME, (1, 1)), 3, 2),
        ((2, 9, 9, 4), (3, 3, 2, 4), "float32", Form((1, 1), SAME, (1, 1), groups=2), 3, 0),
    ],
)
def test_what_is_compiled_for_training(shape, kernel, dtype, form, convolutions, calls, monkeypatch):
    def text():
        f = jax.grad(lambda x, w: jnp.sum(convolve(x, w, form) ** 2), (0, 1))
        lowered = jax.jit(f).trace(jnp.ones(shape, dtype), jnp.ones(kernel, dtype)).lower(lowering_platforms=("cpu",))
        return lowered.as_text()

    found = text()
    assert found.count("stablehlo.convolution") == convolutions
    assert sum("call @" in line and 'inlineable = "false"' in line for line in found.splitlines()) == calls
    monkeypatch.setenv("LAMINA_KERNELS", "reference")
    found = text()
    assert found.count("stablehlo.convolution") == 3
    assert 'inlineable = "false"' not in found


def test_layers_use_them(monkeypatch):
    x = np.random.default_rng(0).normal(size=(2, 2, 2, 3)).astype("float32")
    for layer in (layers.Conv2D(4, 3, padding="same"), layers.Conv2D(4, 1, strides=2), layers.Conv2D(4, 2)):
        found = layer(x)
        with monkeypatch.context() as patch:
            patch.setenv("LAMINA_KERNELS", "reference")
            np.testing.assert_allclose(found, layer(x), rtol=1e-5, atol=1e-6)
