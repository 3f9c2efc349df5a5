"""Recurrent layers by kernels give what the plain loop gives: values, gradients, tangents and second derivatives."""

import dataclasses
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lamina import activations, layers
from lamina.kernels.recurrent import GRU, LSTM, EarlyGRU, SimpleRNN, Way, Weights, over_time
from lamina.kernels.recurrent.squashing import VALUES, slope, squash
from lamina.layers.recurrent import loop, whole
from lamina.layers.recurrent.gru import gru_step
from lamina.layers.recurrent.loop import Plan
from lamina.layers.recurrent.lstm import lstm_step
from lamina.layers.recurrent.simple_rnn import simple_step

KINDS = [LSTM, GRU, EarlyGRU, SimpleRNN]
SECOND = ["tangent of gradient", "gradient of gradient", "tangent of tangent", "gradient of tangent"]
BATCHED = ["gradients, batched", "gradient of a batch"]


class Case:
    """A cell with tensors, and the same by the kernel and by the plain loop."""

    def __init__(self, kind, seed, activation="tanh", inner="sigmoid", most=3):
        draw, rng = random.Random(seed), np.random.default_rng(seed)
        time, batch, units = (draw.randint(low, most) for low in (2, 1, 1))
        self.cell = SimpleRNN(activation) if kind is SimpleRNN else kind(activation, inner)
        self.way = Way(sequences=seed % 4 > 1, reverse=seed % 2 == 1)
        self.mask = jnp.asarray(rng.random((time, batch)) < 0.7) if seed % 3 else None
        count = sum(self.cell.blocks)
        self.biased = draw.random() < 0.7
        bias = [rng.normal(size=n * units) for n in self.cell.blocks if self.biased]
        recurrent = [rng.normal(size=(units, count * units)) / 2]
        if kind is GRU and self.biased:
            recurrent.append(rng.normal(size=count * units))
        self.tensors = jax.tree.map(
            jnp.asarray,
            (
                tuple(rng.normal(size=(time, batch, n * units)) for n in self.cell.blocks),
                tuple(rng.normal(size=(batch, units)) for _ in range(2 if kind is LSTM else 1)),
                Weights(tuple(recurrent), tuple(bias)),
            ),
        )
        self.change = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), self.tensors)

    def ours(self, blocks, states, weights):
        outputs, last = over_time(self.cell, self.way, blocks, self.mask, states, weights)
        return (outputs if self.way.sequences else last[0]), last

    def plain(self, blocks, states, weights):
        step, options = simple_step, [getattr(activations, name) for name in dataclasses.astuple(self.cell)]
        if not isinstance(self.cell, SimpleRNN):
            step = lstm_step if isinstance(self.cell, LSTM) else gru_step
        if step is gru_step:
            options.append(isinstance(self.cell, GRU))
        named = dict(zip(("recurrent_kernel", "recurrent_bias"), weights.recurrent, strict=False))
        projected = jnp.concatenate(blocks, -1) + (jnp.concatenate(weights.biases, -1) if self.biased else 0)
        plan = Plan(self.way.sequences, self.way.reverse, False, False)
        outputs, last = loop.plain(step, options, projected, self.mask, list(states), named, plan)
        return (jnp.flip(outputs, 0) if self.way.sequences and self.way.reverse else outputs), tuple(last)

    def derivatives(self, form, names):
        """Derivatives of a number that depends on all outputs in ways of their own."""

        def total(tensors):
            leaves = jax.tree.leaves(form(*tensors))
            weights = (jnp.cos(jnp.arange(y.size).reshape(y.shape)) for y in leaves)
            return sum(jnp.vdot(jnp.sin(y + i), w) for i, (y, w) in enumerate(zip(leaves, weights, strict=True)))

        def along(tensors):
            return jax.tree.reduce(jnp.add, jax.tree.map(jnp.vdot, jax.grad(total)(tensors), self.change))

        tensors, change = self.tensors, self.change
        several = jax.tree.map(lambda x, d: jnp.stack([x, x + d]), tensors, change)
        all_of_them = {
            "values": lambda: form(*tensors),
            "gradient": lambda: jax.grad(total)(tensors),
            "tangent": lambda: jax.jvp(total, (tensors,), (change,))[1],
            "tangent of gradient": lambda: jax.jvp(jax.grad(total), (tensors,), (change,))[1],
            "gradient of gradient": lambda: jax.grad(along)(tensors),
            "tangent of tangent": lambda: jax.jvp(lambda x: jax.jvp(total, (x,), (change,))[1], (tensors,), (change,)),
            "gradient of tangent": lambda: jax.grad(lambda x: jax.jvp(total, (x,), (change,))[1])(tensors),
            "gradients, batched": lambda: jax.vmap(jax.grad(total))(several),
            "gradient of a batch": lambda: jax.grad(lambda t: jnp.sum(jax.vmap(total)(t)))(several),
        }
        return {name: derive() for name, derive in all_of_them.items() if name in (names or all_of_them)}

    def check(self, *names):
        ours, theirs = (jax.jit(lambda f=f: self.derivatives(f, names))() for f in (self.ours, self.plain))
        for name in ours:
            for a, b in zip(jax.tree.leaves(ours[name]), jax.tree.leaves(theirs[name]), strict=True):
                np.testing.assert_allclose(
                    a, b, rtol=1e-9, atol=1e-11 * (1 + jnp.abs(b).max()), err_msg=f"{name} of {self.cell}, {self.way}"
                )


# The kernels


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients(kind, seed):
    with jax.enable_x64(True):
        Case(kind, seed).check("values", "gradient")


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives(kind):
    with jax.enable_x64(True):
        Case(kind, 7).check(*() if kind is SimpleRNN else ("tangent of gradient", "gradient of gradient"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8, 12))
@pytest.mark.parametrize("kind", KINDS)
def test_all_derivatives_of_many(kind, seed):
    draw = random.Random(seed)
    activation, inner = draw.choice(sorted(VALUES)), draw.choice(["sigmoid", "tanh", "hard_sigmoid"])
    with jax.enable_x64(True):
        Case(kind, seed, activation, inner, most=5).check("gradient", draw.choice(SECOND), draw.choice(BATCHED))


@pytest.mark.parametrize("place", range(3))
def test_derivatives_by_some_of_the_tensors(place):
    with jax.enable_x64(True):
        case = Case(LSTM, 1)

        def gradient(form):
            def total(x):
                tensors = (*case.tensors[:place], x, *case.tensors[place + 1 :])
                return sum(jnp.sum(y**2) for y in jax.tree.leaves(form(*tensors)))

            return jax.tree.leaves(jax.jit(jax.grad(total))(case.tensors[place]))

        for a, b in zip(gradient(case.ours), gradient(case.plain), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_no_copies_of_what_all_steps_gave(kind):
    cell = kind("relu") if kind is SimpleRNN else kind("relu", "hard_sigmoid")
    count = sum(cell.blocks)
    blocks = tuple(jnp.ones((7, 3, 5 * n)) for n in cell.blocks)
    states = tuple(jnp.ones((3, 5)) for _ in range(2 if kind is LSTM else 1))
    weights = Weights((jnp.ones((5, 5 * count)),))

    def total(x, weights):
        projected = tuple(jnp.sin(x * block) for block in blocks)
        return over_time(cell, Way(True, False), projected, None, states, weights)[0].sum()

    compiled = jax.jit(jax.grad(total, (0, 1))).lower(1.0, weights).compile().as_text()
    assert compiled.count(" while(") == 2
    loops = compiled.split("\nENTRY")[0]
    assert not [line for line in loops.splitlines() if "f32[7,3," in line and " copy(" in line]


# Activations


@pytest.mark.parametrize("name", VALUES)
def test_slopes_from_values(name):
    with jax.enable_x64(True):
        x = jnp.linspace(-4.03, 4.0, 21)
        expected = jax.vmap(jax.grad(VALUES[name]))(x)
        np.testing.assert_allclose(slope(name, VALUES[name](x)), expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(VALUES[name](x), getattr(activations, name)(x), rtol=1e-12)


@pytest.mark.parametrize("kinds", [("sigmoid", "tanh"), ("relu",) * 2, ("tanh", "linear", "relu", "sigmoid", "tanh")])
def test_several_activations_in_one_row(kinds):
    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3 * len(kinds)))) * 3
        expected = [VALUES[kind](part) for kind, part in zip(kinds, jnp.split(x, len(kinds), -1), strict=True)]
        np.testing.assert_allclose(squash(x, kinds), jnp.concatenate(expected, -1), rtol=1e-12, atol=1e-14)


# The layers


def is_own(layer, shape=(2, 4, 3), dtype="float32"):
    """Whether the layer runs by a kernel."""
    x = jnp.ones(shape, dtype)
    layer(x)
    return "platform_index" in str(jax.make_jaxpr(lambda x: layer(x, training=True))(x))


class Doubling(layers.LSTMCell):
    @staticmethod
    def step(projected, states, weights, *options):
        return lstm_step(2 * projected, states, weights, *options)


class Shifted(layers.GRUCell):
    def project(self, inputs, training=False):
        return super().project(inputs, training) + 1


def test_where_the_kernels_are_used(monkeypatch):
    for kind in (layers.LSTM, layers.GRU, layers.SimpleRNN):
        assert is_own(kind(2))
        assert is_own(kind(2, activation="relu", dropout=0.5, go_backwards=True))
        assert not is_own(kind(2, activation=lambda x: jnp.tanh(x)))
        assert not is_own(kind(2, activation="gelu"))
        assert not is_own(kind(2, recurrent_dropout=0.5))
        assert not is_own(kind(2, unroll=True))
        assert not is_own(kind(2, dtype="bfloat16"))
    assert is_own(layers.GRU(2, reset_after=False))
    assert not is_own(layers.RNN(Doubling(2)))
    assert not is_own(layers.RNN(Shifted(2)))
    assert not is_own(layers.RNN([layers.LSTMCell(2)]))
    monkeypatch.setenv("LAMINA_KERNELS", "reference")
    assert not is_own(layers.LSTM(2))


OPTIONS = {
    "sequences": {"return_sequences": True, "return_state": True},
    "states": {"return_state": True},
    "backwards": {"return_sequences": True, "go_backwards": True},
    "zeros": {"return_sequences": True, "zero_output_for_mask": True, "go_backwards": True},
    "last": {"zero_output_for_mask": True},
    "last, backwards": {"zero_output_for_mask": True, "go_backwards": True},
    "without bias": {"use_bias": False},
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_layers_give_the_same_with_and_without(kind, options, monkeypatch):
    rng = np.random.default_rng(1)
    x, mask = rng.normal(size=(3, 4, 2)).astype("float32"), np.array([[1, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 0]], bool)
    layer = getattr(layers, kind)(2, bias_initializer="random_normal", **OPTIONS[options])
    layer.build((None, None, 2))
    states = [jnp.full((3, 2), 0.5) for _ in layer.get_initial_state(3)]
    assert whole.form_of(type(layer.cell).step, layer.cell.options(), jnp.asarray(x), states, {}, Plan(*[False] * 4))
    results = [jax.tree.leaves(layer(x, mask=jnp.asarray(mask), initial_state=states))]
    monkeypatch.setenv("LAMINA_KERNELS", "reference")
    results.append(jax.tree.leaves(layer(x, mask=jnp.asarray(mask), initial_state=states)))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
