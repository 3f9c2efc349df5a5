"""Initializers, regularizers, constraints and activations against the real Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina

RNG = np.random.default_rng(0)


def _public(module):
    return sorted(n for n in dir(module) if not n.startswith("_"))


@pytest.mark.parametrize("module", ["initializers", "regularizers", "constraints", "activations"])
def test_every_public_name_is_there(module):
    assert not [n for n in _public(getattr(keras, module)) if not hasattr(getattr(lamina, module), n)]


DRAWN = [
    ("RandomNormal", {}), ("RandomNormal", {"mean": 1.0, "stddev": 2.0}), ("RandomUniform", {}),
    ("RandomUniform", {"minval": 1.0, "maxval": 3.0}), ("TruncatedNormal", {}), ("GlorotUniform", {}),
    ("GlorotNormal", {}), ("HeUniform", {}), ("HeNormal", {}), ("LecunUniform", {}), ("LecunNormal", {}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "uniform", "input_axes": (0,), "output_axes": (1, 2)}),
]  # fmt: skip


@pytest.mark.parametrize("shape", [(5000,), (3, 5, 40, 30)])
@pytest.mark.parametrize(("name", "kwargs"), DRAWN)
def test_draws_come_from_the_distributions_of_keras(name, kwargs, shape):
    if "input_axes" in kwargs and len(shape) < 3:
        pytest.skip("names three axes")
    ours, theirs = (np.asarray(getattr(m.initializers, name)(seed=3, **kwargs)(shape)).ravel() for m in (lamina, keras))
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    spread = theirs.std()
    assert abs(ours.mean() - theirs.mean()) < 6 * spread / np.sqrt(ours.size)
    assert abs(ours.std() / spread - 1) < 6 / np.sqrt(ours.size)
    for part in (0.01, 0.25, 0.5, 0.75, 0.99):
        assert abs((ours < np.quantile(theirs, part)).mean() - part) < 5 / np.sqrt(ours.size)
    if "ormal" not in name + str(kwargs) or "runcated" in name or name in ("GlorotNormal", "HeNormal", "LecunNormal"):
        np.testing.assert_allclose([ours.min(), ours.max()], [theirs.min(), theirs.max()], atol=0.05 * np.ptp(theirs))


@pytest.mark.parametrize(("name", "kwargs", "shape"), [
    ("Zeros", {}, (2, 3)), ("Ones", {}, (2, 3)), ("Constant", {"value": 3.5}, (2, 3)),
    ("Constant", {"value": [1.0, 2.0, 3.0]}, (2, 3)), ("Identity", {"gain": 2.0}, (3, 4)),
    ("STFT", {}, (8, 1, 5)), ("STFT", {"side": "imag"}, (8, 1, 5)),
    ("STFT", {"window": "hamming", "scaling": "spectrum", "periodic": True}, (6, 1, 9)),
    ("STFT", {"window": None, "scaling": None}, (8, 1, 5)),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [None, "float16"])
def test_fixed_values(name, kwargs, shape, dtype):
    if name == "STFT" and dtype:
        pytest.skip("Keras computes the angles in half precision, where they are wrong")
    ours, theirs = (np.asarray(getattr(m.initializers, name)(**kwargs)(shape, dtype)) for m in (lamina, keras))
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, atol=1e-3 if dtype else 1e-6)


def _classes(module):
    bases = ("Initializer", "Regularizer", "Constraint")
    names = [n for n in _public(getattr(keras, module)) if n[0].isupper() and n not in bases]
    return [(module, n) for n in names]


@pytest.mark.parametrize(
    ("module", "name"), _classes("initializers") + _classes("regularizers") + _classes("constraints")
)
def test_configs_go_both_ways(module, name):
    ours, theirs = getattr(lamina, module), getattr(keras, module)
    thing = getattr(theirs, name)()
    back = ours.deserialize(theirs.serialize(thing))
    assert type(back).__name__ == type(thing).__name__
    for key, value in thing.get_config().items():
        if isinstance(value, float):
            assert back.get_config()[key] == pytest.approx(value)
        else:
            assert back.get_config()[key] == value
    again = theirs.deserialize(ours.serialize(getattr(ours, name)()))
    assert type(again).__name__ == type(thing).__name__
    assert type(ours.get(name)) is type(back)


def test_a_config_with_a_seed_generator_loads():
    theirs = keras.initializers.HeNormal(seed=keras.random.SeedGenerator(3))
    ours = lamina.initializers.deserialize(keras.initializers.serialize(theirs))
    assert isinstance(ours.seed, lamina.random.SeedGenerator if hasattr(lamina, "random") else object)
    assert ours.seed.seed == 3
    back = keras.initializers.deserialize(lamina.initializers.serialize(ours))
    assert back.get_config()["seed"]["config"]["seed"] == 3


SNAKE = [n for n in _public(keras.initializers) if n[0].islower() and n not in ("get", "serialize", "deserialize")]


@pytest.mark.parametrize("name", [*SNAKE, "uniform", "normal", "zero", "one"])
def test_initializers_by_name(name):
    found = lamina.initializers.get(name)
    expected = keras.initializers.Constant() if name == "constant" else keras.initializers.get(name)
    assert type(found).__name__ == type(expected).__name__


MATRIX = RNG.normal(size=(4, 3)).astype("f4")


@pytest.mark.parametrize(("name", "kwargs"), [
    ("L1", {}), ("L1", {"l1": 0.3}), ("L2", {"l2": 0.3}), ("L1L2", {"l1": 0.1, "l2": 0.2}), ("L1L2", {}),
    ("OrthogonalRegularizer", {}), ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
])  # fmt: skip
def test_regularizers(name, kwargs):
    ours, theirs = (getattr(m.regularizers, name)(**kwargs) for m in (lamina, keras))
    for a, b in zip(*(jax.jit(jax.value_and_grad(f))(jnp.asarray(MATRIX)) for f in (ours, theirs))):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["l1", "l2", "L1", "L2", "L1L2", "l1l2", "orthogonal_regularizer"])
def test_regularizers_by_name(name):
    ours, theirs = (m.regularizers.get(name).get_config() for m in (lamina, keras))
    assert ours == pytest.approx(theirs) if "mode" not in ours else ours["mode"] == theirs["mode"]


@pytest.mark.parametrize(("name", "kwargs", "shape"), [
    ("MaxNorm", {}, (4, 3)), ("MaxNorm", {"max_value": 0.5, "axis": 1}, (4, 3)),
    ("MaxNorm", {"max_value": 0.5, "axis": [0, 1, 2]}, (2, 3, 4, 5)), ("NonNeg", {}, (4, 3)),
    ("UnitNorm", {}, (4, 3)), ("UnitNorm", {"axis": [0, 1, 2]}, (2, 3, 4, 5)), ("MinMaxNorm", {}, (4, 3)),
    ("MinMaxNorm", {"min_value": 2.5, "max_value": 3.0, "rate": 0.4, "axis": 1}, (4, 3)),
])  # fmt: skip
def test_constraints(name, kwargs, shape):
    w = RNG.normal(size=shape).astype("f4")
    ours, theirs = (getattr(m.constraints, name)(**kwargs) for m in (lamina, keras))
    np.testing.assert_allclose(ours(w), theirs(w), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours(0 * w), theirs(0 * w), atol=1e-7)


@pytest.mark.parametrize("name", ["max_norm", "MaxNorm", "non_neg", "NonNeg", "unit_norm", "min_max_norm"])
def test_constraints_by_name(name):
    assert lamina.constraints.get(name).get_config() == keras.constraints.get(name).get_config()


EXTRA = {
    "relu": [{}, {"negative_slope": 0.1}, {"max_value": 1.0}, {"threshold": 0.5},
             {"negative_slope": 0.2, "max_value": 0.7, "threshold": 0.3}],
    "leaky_relu": [{}, {"negative_slope": 0.5}], "elu": [{}, {"alpha": 0.3}], "celu": [{}, {"alpha": 0.3}],
    "gelu": [{}, {"approximate": True}], "softmax": [{}, {"axis": 0}, {"axis": (0, 1)}],
    "log_softmax": [{}, {"axis": 0}], "glu": [{}, {"axis": 0}],
    "squareplus": [{}, {"b": 2}], "hard_shrink": [{}, {"threshold": 0.2}], "soft_shrink": [{}, {"threshold": 0.2}],
    "threshold": [{"threshold": 0.3, "default_value": -2.0}],
}  # fmt: skip
FUNCTIONS = [n for n in _public(keras.activations) if n not in ("get", "serialize", "deserialize")]
ACTIVATIONS = [(n, kwargs) for n in FUNCTIONS if n != "sparsemax" for kwargs in EXTRA.get(n, [{}])]


INPUT = np.concatenate([3 * RNG.normal(size=(4, 6)), [[-40, 0, 40, 1, -1, 2]], [[6, 7, 0.5, -3, 3, -6]]]).astype("f4")
FACTORS = RNG.normal(size=(6, 6)).astype("f4")


def _all_activations(module):
    """Values, and gradients off the corners (where either one-sided slope is right), in one program."""

    def run(x):
        found = []
        for name, kwargs in ACTIVATIONS:
            function = lambda v, f=getattr(module, name), kwargs=kwargs: f(v, **kwargs)
            values = function(x)
            factors = FACTORS[: values.shape[0], : values.shape[1]]
            found.append((values, jax.grad(lambda v, f=function, k=factors: jnp.sum(f(v) * k))(x + 0.013)))
        return found

    return jax.jit(run)(INPUT)


@pytest.fixture(scope="module")
def activations():
    return list(zip(_all_activations(lamina.activations), _all_activations(keras.activations)))


@pytest.mark.parametrize("case", range(len(ACTIVATIONS)), ids=[f"{n}-{k}" for n, k in ACTIVATIONS])
def test_activations(case, activations):
    ours, theirs = activations[case]
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-4, atol=1e-5)


def test_activations_by_name_and_description():
    for name in FUNCTIONS:
        ours, theirs = lamina.activations.get(name), keras.activations.get(name)
        assert ours.__name__ == theirs.__name__
        assert lamina.activations.serialize(ours) == keras.activations.serialize(theirs)
    described = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}
    assert lamina.activations.get(described) is lamina.activations.relu
