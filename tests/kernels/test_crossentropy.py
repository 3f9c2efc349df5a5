"""Entries picked by number, and log-probabilities, are those of the plain formulas: values and derivatives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina import losses, ops
from lamina.kernels import crossentropy as kernel


def of_squares(function):
    """A function of positive numbers as one of any numbers."""
    return lambda numbers, values, axis=-1: function(numbers, jnp.square(values) + 0.1, axis)


PAIRS = [
    (kernel.pick, kernel.pick_reference),
    (kernel.log_probability, kernel.log_probability_reference),
    (of_squares(kernel.log_share), of_squares(kernel.log_share_reference)),
]


@st.composite
def rows(draw):
    """Numbers of classes, some of none, the values of the classes, and their axis."""
    shape = draw(st.lists(st.integers(0, 4), min_size=0, max_size=3))
    classes, place = draw(st.integers(1, 6)), draw(st.integers(0, len(shape)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    scale = draw(st.sampled_from([1.0, 1e3]))
    values = rng.normal(size=[*shape[:place], classes, *shape[place:]]) * scale
    axis = place - draw(st.sampled_from([0, len(shape) + 1]))
    return rng.integers(-2, classes + 2, shape), values, axis


@settings(max_examples=12, deadline=None)
@given(rows())
def test_values_and_derivatives(drawn):
    numbers, values, axis = drawn
    with jax.enable_x64(True):

        @jax.jit
        def everything(numbers, values):
            found = []
            for f in itertools.chain(*PAIRS):
                total = lambda v, f=f: jnp.sum(jnp.sin(f(numbers, v, axis) / 7))
                first = jax.grad(total)
                second = jax.jvp(first, (values,), (jnp.cos(values),))[1]
                found.append((f(numbers, values, axis), first(values), second))
            return found

        found = everything(jnp.asarray(numbers), jnp.asarray(values))
        for ours, reference in zip(found[::2], found[1::2], strict=True):
            for a, b in zip(ours, reference, strict=True):
                np.testing.assert_allclose(a, b, 1e-9, 1e-12)


def test_large_and_ruled_out_logits():
    logits = jnp.asarray([[1e4, 1e4, -jnp.inf], [-1e4, -1e4 + 1, -1e4]], "float32")
    numbers = jnp.asarray([1, 1])
    ours = jax.value_and_grad(lambda z: kernel.log_probability(numbers, z).sum())(logits)
    theirs = jax.value_and_grad(lambda z: kernel.log_probability_reference(numbers, z).sum())(logits)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, 1e-6)


@pytest.mark.parametrize("axis", [-1, 1])
def test_losses_and_operations_use_them(monkeypatch, axis):
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 5, (3, 4)), rng.normal(size=(3, 5, 4) if axis == 1 else (3, 4, 5)).astype("float32")
    shares = np.asarray(ops.softmax(z, axis))
    results = []
    for mode in ("", "reference"):
        monkeypatch.setenv("LAMINA_KERNELS", mode)
        for function in (losses.sparse_categorical_crossentropy, ops.sparse_categorical_crossentropy):
            results += [function(y, z, from_logits=True, axis=axis), function(y, shares, axis=axis)]
    for result in results:
        assert result.shape == (3, 4)
        np.testing.assert_allclose(result, results[0], 1e-5)
    with monkeypatch.context() as patch:
        patch.setenv("LAMINA_KERNELS", "")
        traced = str(jax.make_jaxpr(lambda z: losses.sparse_categorical_crossentropy(y, z, True, axis=axis))(z))
    assert "gather" in traced
