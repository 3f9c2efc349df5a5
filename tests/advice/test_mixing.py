"""Functions in a `Lambda` that put the samples of a batch together, and such that keep them apart."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lamina import Input, layers, ops
from lamina.shapes import ShapeWarning


def scaled(t):
    return (t - ops.mean(t)) / ops.std(t)


@pytest.mark.parametrize(("function", "code"), [
    (lambda t: t / ops.max(t), "ops.max(t, axis=(1, 2), keepdims=True)"),
    (lambda t: t - ops.mean(t, axis=0), "ops.mean(t, axis=(1, 2), keepdims=True)"),
    (scaled, "ops.std(t, axis=(1, 2), keepdims=True)"),
])  # fmt: skip
def test_a_lambda_that_puts_the_samples_together(function, code):
    with pytest.warns(ShapeWarning, match="depends on the others in its batch") as given:
        layers.Lambda(function)(Input((6, 4)))
    assert code in str(given[0].message)


@pytest.mark.parametrize("function", [
    lambda t: t / ops.max(t, axis=-1, keepdims=True),
    lambda t: ops.mean(t, axis=1),
    lambda t: ops.sum(t, axis=(1, 2)),
    lambda t: ops.concatenate([t, ops.ones_like(t)], axis=1),
    lambda t: ops.einsum("btf,bsf->bts", t, t),
    lambda t: ops.vectorized_map(lambda s: s / ops.max(s), t),
    lambda t: t * np.ones((4,), "float32").sum(),
])  # fmt: skip
def test_a_lambda_that_keeps_the_samples_apart(function):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.Lambda(function)(Input((6, 4)))
