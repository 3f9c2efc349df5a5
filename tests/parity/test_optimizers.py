"""Optimizers and schedules against the real Keras: ten steps on a few variables, for each option."""

import inspect

import jax
import keras
import numpy as np
import pytest

import lamina
from lamina.core.variable import Variable
from lamina.optimizers import schedules

SHAPES = [(3, 4), (4,), (), (2, 3, 2)]
OWN = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.8, "momentum": 0.5}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("Adam", {}),
    ("Adam", {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.1, "amsgrad": True}),
    ("Adagrad", {}),
    ("Adagrad", {"initial_accumulator_value": 0.5}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.5}),
    ("Adamax", {}),
    ("Nadam", {}),
    ("Nadam", {"beta_1": 0.8}),
    ("Ftrl", {"learning_rate": 0.1}),
    ("Ftrl", {"l1_regularization_strength": 0.05, "l2_regularization_strength": 0.1, "beta": 0.3}),
    ("Ftrl", {"l2_shrinkage_regularization_strength": 0.2, "learning_rate_power": -0.3}),
    ("Lion", {}),
    ("Lion", {"beta_1": 0.5}),
    ("Lamb", {}),
    ("Adafactor", {}),
    ("Adafactor", {"relative_step": False, "learning_rate": 0.05, "clip_threshold": 0.5}),
]
SHARED = [
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.7},
    {"use_ema": True, "ema_momentum": 0.8},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    {"loss_scale_factor": 4.0},
    {"gradient_accumulation_steps": 3},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.6, "clipnorm": 0.4, "weight_decay": 0.1},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2},
]


def data(steps=10):
    rng = np.random.default_rng(0)
    first = [rng.normal(size=s).astype("float32") for s in SHAPES]
    return first, [[rng.normal(size=s).astype("float32") for s in SHAPES] for _ in range(steps)]


def run_keras(optimizer, constraint=None):
    first, grads = data()
    variables = [keras.Variable(v, name=f"v{i}") for i, v in enumerate(first)]
    variables[0].constraint = constraint
    if optimizer.gradient_accumulation_steps:  # Keras compiles two branches at each step unless all of it is compiled
        optimizer.build(variables)
        step, state = jax.jit(optimizer.stateless_apply), [v.value for v in optimizer.variables]
        values = [v.value for v in variables]
        for gradient in grads:
            values, state = step(state, gradient, values)
        for variable, value in zip([*variables, *optimizer.variables], [*values, *state], strict=True):
            variable.assign(value)
        return variables, optimizer
    for step in grads:
        optimizer.apply(step, variables)
    return variables, optimizer


def run_lamina(optimizer, constraint=None):
    first, grads = data()
    variables = [Variable(v, name=f"v{i}") for i, v in enumerate(first)]
    variables[0].constraint = constraint
    for step in grads:
        optimizer.apply(step, variables)
    return variables, optimizer


def agree(ours, theirs, state=True):
    (our_variables, our_optimizer), (their_variables, their_optimizer) = ours, theirs
    for a, b in zip(our_variables, their_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-5, atol=2e-6)
    if state:
        assert [v.shape for v in our_optimizer.variables] == [tuple(v.shape) for v in their_optimizer.variables]
        for a, b in zip(our_optimizer.variables, their_optimizer.variables, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-5, atol=2e-6, err_msg=b.path)


@pytest.mark.parametrize(("name", "options"), OWN, ids=str)
def test_ten_steps(name, options):
    ours = run_lamina(getattr(lamina.optimizers, name)(**options))
    theirs = run_keras(getattr(keras.optimizers, name)(**options))
    agree(ours, theirs)
    if name not in ("Nadam", "Adafactor"):  # Keras leaves some of their variables unnamed
        assert [v.name for v in ours[1].variables] == [v.name for v in theirs[1].variables]


@pytest.mark.parametrize("options", SHARED, ids=str)
@pytest.mark.parametrize(("name", "own"), [("SGD", {"momentum": 0.9, "learning_rate": 0.1}), ("Nadam", {})])
def test_shared_options(name, own, options):
    ours = run_lamina(getattr(lamina.optimizers, name)(**own, **options))
    theirs = run_keras(getattr(keras.optimizers, name)(**own, **options))
    agree(ours, theirs)
    ours[1].finalize_variable_values(ours[0])
    theirs[1].finalize_variable_values(theirs[0])
    agree(ours, theirs)


def test_constraint_follows_the_update():
    ours = run_lamina(lamina.optimizers.SGD(0.5), lambda w: w * (w >= 0))
    theirs = run_keras(keras.optimizers.SGD(0.5), lambda w: w * (w >= 0))
    agree(ours, theirs)
    assert (ours[0][0].numpy() >= 0).all()


def test_variables_left_out_of_decay():
    ours, theirs = lamina.optimizers.AdamW(weight_decay=0.5), keras.optimizers.AdamW(weight_decay=0.5)
    for optimizer in (ours, theirs):
        optimizer.exclude_from_weight_decay(var_names=["v[12]"])
    agree(run_lamina(ours), run_keras(theirs))


@pytest.mark.parametrize("rate", [lambda: 0.05, "schedule"])
def test_rates_that_change(rate):
    def make(module):
        return module.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5) if rate == "schedule" else rate

    agree(run_lamina(lamina.optimizers.Adam(make(lamina))), run_keras(keras.optimizers.Adam(make(keras))))


def test_loss_scale():
    def values(optimizer, variable):
        state = ([variable.value], [v.value for v in optimizer.variables])
        for gradient in ([8, 8], [np.inf, 1], [8, 4], [8, 8], [np.nan, 2], [1, 1]):
            state = optimizer.stateless_apply(state[1], [np.array(gradient, "float32")], state[0])
        return [np.asarray(v) for part in state for v in part]

    options = {"initial_scale": 8.0, "dynamic_growth_steps": 2}
    ours = lamina.optimizers.LossScaleOptimizer(lamina.optimizers.SGD(0.1, momentum=0.9), **options)
    theirs = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1, momentum=0.9), **options)
    a, b = Variable(np.ones(2, "float32")), keras.Variable(np.ones(2, "float32"))
    ours.build([a])
    theirs.build([b])
    for x, y in zip(values(ours, a), values(theirs, b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)


SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.6}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.6, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.6}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.6, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [5, 10], "values": [1.0, 0.5, 0.1]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "power": 2.0}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "end_learning_rate": 0.01, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 12, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 12, "warmup_target": 0.3, "warmup_steps": 6}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 1.0, "m_mul": 0.9}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5, "m_mul": 0.5, "alpha": 0.2}),
]


@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=str)
def test_schedules(name, options):
    ours = getattr(schedules, name)(**options)
    theirs = getattr(keras.optimizers.schedules, name)(**options)
    for step in [0, 1, 4, 5, 6, 7, 9, 10, 11, 12, 18, 19, 30, 40]:
        np.testing.assert_allclose(ours(step), np.asarray(theirs(step)), rtol=1e-5, atol=1e-7, err_msg=str(step))
    assert ours.get_config() == theirs.get_config()
    assert schedules.serialize(ours) == keras.optimizers.schedules.serialize(theirs)
    again = schedules.deserialize(keras.optimizers.schedules.serialize(theirs))
    assert again.get_config() == ours.get_config()


def names():
    public = set(dir(lamina.optimizers)) & set(dir(keras.optimizers))
    return sorted(n for n in public if isinstance(getattr(keras.optimizers, n), type))


@pytest.mark.parametrize("name", names())
def test_signatures(name):
    ours, theirs = (inspect.signature(getattr(m.optimizers, name)) for m in (lamina, keras))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.parametrize("name", [n for n in names() if n not in ("Optimizer", "LossScaleOptimizer")])
def test_configs(name):
    options = {"name": "mine", "clipnorm": 2.0, "gradient_accumulation_steps": 4, "use_ema": True}
    ours = getattr(lamina.optimizers, name)(learning_rate=0.25, **options)
    theirs = getattr(keras.optimizers, name)(learning_rate=0.25, **options)
    assert ours.get_config() == theirs.get_config()
    assert list(ours.get_config()) == list(theirs.get_config())
    written = keras.optimizers.serialize(theirs)
    assert lamina.optimizers.serialize(ours) == written
    assert lamina.optimizers.deserialize(written).get_config() == ours.get_config()
    assert type(lamina.optimizers.get(name.lower())) is type(ours)


def test_config_with_schedule_and_loss_scale():
    rate = keras.optimizers.schedules.CosineDecay(0.1, 10)
    theirs = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(rate, name="a"), name="l")
    written = keras.optimizers.serialize(theirs)
    ours = lamina.optimizers.deserialize(written)
    assert lamina.optimizers.serialize(ours) == written
    assert isinstance(ours.inner_optimizer._learning_rate, schedules.CosineDecay)


def test_state_goes_from_keras_to_lamina():
    _, theirs = run_keras(keras.optimizers.Adam(0.01, use_ema=True))
    store = {}
    theirs.save_own_variables(store)
    variables, ours = [Variable(v) for v in data()[0]], lamina.optimizers.Adam(0.5, use_ema=True)
    ours.build(variables)
    ours.load_own_variables(store)
    back = {}
    ours.save_own_variables(back)
    assert list(back) == list(store)
    for key in store:
        np.testing.assert_array_equal(back[key], store[key])
