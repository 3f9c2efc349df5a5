import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lamina
from lamina import optimizers
from lamina.core.variable import Variable

ALL = ["SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "Lamb", "Adafactor"]


def variables():
    return [Variable(np.arange(6.0).reshape(2, 3) - 2, name="kernel"), Variable(np.ones(3), name="bias")]


def gradients():
    return [np.full((2, 3), 0.5, "float32"), np.array([1.0, -2.0, 0.1], "float32")]


@pytest.mark.parametrize(
    "options", [{}, {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2}]
)
@pytest.mark.parametrize("name", ALL)
def test_stateless_under_jit_is_apply(name, options):
    plain, pure = (getattr(optimizers, name)(**options) for _ in range(2))
    changed, kept = variables(), variables()
    pure.build(kept)
    before = [v.numpy() for v in kept]
    state = [v.value for v in kept], [v.value for v in pure.variables]
    step = jax.jit(pure.stateless_apply)
    for _ in range(4):
        plain.apply(gradients(), changed)
        state = step(state[1], gradients(), state[0])
    for a, b in zip([*changed, *plain.variables], [*state[0], *state[1]], strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-5, atol=1e-6)
    for variable, value in zip(kept, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert int(pure.iterations) == 0


def test_building_compiles_nothing():
    wanted = [Variable(np.ones((n, 7), "float32")) for n in range(3, 40)]
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration, **kw: compiled.append(event) if "backend_compile" in event else None
    )
    optimizers.Adam(amsgrad=True, use_ema=True).build(wanted)
    assert compiled == []


def test_keras_style_subclass():
    class Momentum(optimizers.Optimizer):
        def __init__(self, learning_rate=0.1, rho=0.5, **kwargs):
            super().__init__(learning_rate=learning_rate, **kwargs)
            self.rho = rho

        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self.moves = [self.add_variable_from_reference(v, name="move") for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            move = self.moves[self._get_variable_index(variable)]
            self.assign(move, self.rho * move + gradient)
            self.assign_sub(variable, learning_rate * move)

        def get_config(self):
            return {**super().get_config(), "rho": self.rho}

    optimizer, ours = Momentum(), variables()
    for _ in range(2):
        optimizer.apply(gradients(), ours)
    np.testing.assert_allclose(ours[1].numpy(), 1 - 0.1 * 2.5 * gradients()[1], rtol=1e-5)
    assert [v.name for v in optimizer.variables] == ["iteration", "learning_rate", "kernel_move", "bias_move"]
    assert Momentum.from_config(optimizer.get_config()).rho == 0.5
    assert optimizers.deserialize(optimizers.serialize(optimizer), {"Momentum": Momentum}).rho == 0.5


@pytest.mark.parametrize("make", [lambda: optax.adam(1e-2), lambda: optax.chain(optax.clip(0.3), optax.sgd(0.1, 0.9))])
def test_optax_is_followed(make):
    optimizer, ours = optimizers.get(make()), variables()
    values = [v.value for v in ours]
    transformation = make()
    state = transformation.init(values)
    for _ in range(3):
        optimizer.apply(gradients(), ours)
        updates, state = transformation.update([jnp.asarray(g) for g in gradients()], state, values)
        values = optax.apply_updates(values, updates)
    for a, b in zip(ours, values, strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-5)
    stored = {}
    optimizer.save_own_variables(stored)
    assert len(stored) == len(jax.tree.leaves(state)) + 1
    pure = jax.jit(optimizer.stateless_apply)([v.value for v in optimizer.variables], gradients(), values)
    assert int(pure[1][0]) == 4


def test_optax_learning_rate():
    optimizer = optimizers.get(optax.inject_hyperparams(optax.sgd)(0.5))
    optimizer.build(variables())
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate) == 0.25
    with pytest.raises(AttributeError, match="inject_hyperparams"):
        _ = optimizers.get(optax.sgd(0.5)).learning_rate
    with pytest.raises(ValueError, match="optax transformation"):
        optimizers.get(optax.sgd(0.5)).get_config()


def test_learning_rate_is_read_and_set():
    optimizer = optimizers.SGD(0.5)
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate) == 0.25
    optimizer.learning_rate.assign(0.125)
    assert optimizer.get_config()["learning_rate"] == 0.125
    optimizer.learning_rate = optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    assert [v.name for v in optimizer.variables] == ["iteration"]
    with pytest.raises(TypeError, match="follows"):
        optimizer.learning_rate = 0.5
    seen = optimizers.SGD(lambda step: 0.5 * (step + 1))
    v = Variable(np.zeros(1))
    seen.apply([np.ones(1)], [v])
    seen.apply([np.ones(1)], [v])
    assert v.numpy() == pytest.approx(-1.5)


def test_a_variable_without_gradient_stays():
    ours = variables()
    with pytest.warns(UserWarning, match="bias"):
        optimizers.SGD(1.0, weight_decay=0.5).apply([gradients()[0], None], ours)
    np.testing.assert_array_equal(ours[1].numpy(), 1)


def test_loss_scale_runs_without_jit():
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0, dynamic_growth_steps=2)
    v = Variable(np.ones(2))
    optimizer.apply([np.array([np.inf, 1.0])], [v])
    np.testing.assert_array_equal(v.numpy(), 1)
    assert float(optimizer.scale_loss(1.0)) == 2
    optimizer.apply([np.array([2.0, 1.0])], [v])
    np.testing.assert_array_equal(v.numpy(), [0, 0.5])
    optimizer.learning_rate = 0.5
    assert float(optimizer.inner_optimizer.learning_rate) == 0.5
    with pytest.raises(ValueError, match="inner optimizer"):
        optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.Adam(lr=0.1), "learning_rate=0.1"),
        (lambda: optimizers.SGD(decay=1e-6), "InverseTimeDecay"),
        (lambda: optimizers.Adam(beta1=0.9), "did you mean 'beta_1'"),
        (lambda: optimizers.Adam(learning_rate="fast"), "`learning_rate`='fast'"),
        (lambda: optimizers.Adam(float("nan")), "`learning_rate`=nan"),
        (lambda: optimizers.Adam(beta_1=1.5), "`beta_1`=1.5"),
        (lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), "only one"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=1), "2 or more"),
        (lambda: optimizers.SGD(use_ema=True, ema_momentum=2), "`ema_momentum`=2"),
        (lambda: optimizers.AdamW(weight_decay=None), "AdamW needs a number"),
        (lambda: optimizers.get("adm"), "did you mean 'Adam'"),
        (lambda: optimizers.get(3), "cannot read 3"),
        (lambda: optimizers.deserialize({"class_name": "Sdg", "config": {}}), "unknown optimizer 'Sdg'"),
        (lambda: optimizers.SGD().apply([None], [Variable(1.0)]), "no variable has a gradient"),
        (lambda: optimizers.SGD().apply([np.ones(2)], [Variable(np.ones(3), name="w")]), r"'w' has another shape"),
        (lambda: optimizers.SGD().apply([1.0, 2.0], [Variable(1.0)]), "2 gradients came for 1"),
        (lambda: optimizers.SGD().apply([1.0]), "not built"),
        (lambda: optimizers.SGD().stateless_apply([], [], []), "not built"),
        (lambda: optimizers.schedules.PiecewiseConstantDecay([1], [1.0]), "need 2 `values`; 1 came"),
        (lambda: optimizers.schedules.CosineDecay(0.1, 0), "`decay_steps`=0"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_foreign_variables_and_late_exclusion():
    optimizer = optimizers.SGD()
    optimizer.build(variables())
    with pytest.raises(ValueError, match="was not built for"):
        optimizer.apply([np.ones(2)], [Variable(np.ones(2))])
    with pytest.raises(ValueError, match="before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    with pytest.raises(ValueError, match="`var_list` takes variables; 'bias' is none"):
        lamina.optimizers.AdamW().exclude_from_weight_decay(var_list=["bias"])
    with pytest.warns(UserWarning, match="was not loaded"):
        optimizer.load_own_variables({"0": 1, "1": 2, "2": 3})


def test_half_precision_variables():
    v = Variable(np.ones(4), dtype="bfloat16")
    optimizer = lamina.optimizers.Adam(0.5)
    optimizer.apply([jnp.ones(4, "bfloat16")], [v])
    assert v.dtype == "bfloat16"
    assert optimizer.variables[2].dtype == "bfloat16"
    np.testing.assert_allclose(v.numpy().astype("float32"), 0.5, atol=0.02)
