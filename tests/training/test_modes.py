"""Layers that behave differently in training, losses and metrics inside layers, states, precisions, seeds."""

import numpy as np
import optax
import pytest

import lamina
from lamina import layers

RNG = np.random.default_rng(1)
X = RNG.normal(size=(12, 4)).astype("float32")
V = RNG.normal(size=(12, 1)).astype("float32")
QUIET = {"batch_size": 6, "verbose": 0, "shuffle": False}


def net(*stack, optimizer="sgd", loss="mse", **options):
    model = lamina.Sequential([lamina.Input((4,)), *stack])
    model.compile(optimizer, loss, **options)
    return model


def test_losses_and_metrics_of_layers():
    class Watched(layers.Layer):
        def __init__(self):
            super().__init__()
            self.size = lamina.metrics.Mean(name="size")

        def call(self, x):
            self.add_loss(0.5 * lamina.ops.mean(x**2))
            self.size.update_state(lamina.ops.mean(x))
            return x

    dense = layers.Dense(1, kernel_regularizer="l2", activity_regularizer=lamina.regularizers.L1(0.1))
    model = net(Watched(), dense)
    kernel, bias = dense.get_weights()
    outputs = X @ kernel + bias
    expected = (
        ((V - outputs) ** 2).mean() + 0.5 * (X**2).mean() + 0.01 * (kernel**2).sum() + 0.1 * np.abs(outputs).mean()
    )
    logs = model.evaluate(X, V, batch_size=12, verbose=0, return_dict=True)
    assert logs == pytest.approx({"loss": expected, "size": X.mean()}, rel=1e-4)
    model.compile("sgd")
    history = model.fit(X, V, **QUIET, epochs=3).history
    assert history["loss"][2] < history["loss"][0]
    assert history["size"] == pytest.approx([X.mean()] * 3, rel=1e-4)


def test_batch_normalization_learns_its_averages_in_training_alone():
    layer = layers.BatchNormalization(momentum=0.5)
    model = net(layer, layers.Dense(1))
    model.predict(X, verbose=0)
    model.evaluate(X, V, verbose=0)
    assert (layer.moving_mean.numpy() == 0).all()
    model.fit(X, V, **QUIET)
    expected = 0.5 * (0.5 * X[:6].mean(0)) + 0.5 * X[6:].mean(0)
    np.testing.assert_allclose(layer.moving_mean.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_dropout_differs_from_step_to_step_and_rests_in_predict():
    model = net(layers.Dropout(0.5), loss=lambda y, p: lamina.ops.abs(p), optimizer=lamina.optimizers.SGD(0.0))
    ones, targets = np.ones((64, 4), "float32"), np.ones((64, 4))
    losses = [model.train_on_batch(ones, targets) for _ in range(6)]
    assert len(set(losses)) > 3
    assert np.mean(losses) == pytest.approx(1.0, abs=0.2)
    assert model.evaluate(ones, targets, verbose=0) == pytest.approx(1.0)
    np.testing.assert_array_equal(model.predict(ones, verbose=0), ones)


def test_a_seed_repeats_a_run():
    def run(seed):
        lamina.utils.set_random_seed(seed)
        model = net(layers.Dense(8), layers.Dropout(0.5), layers.Dense(1))
        return model.fit(X, V, batch_size=3, epochs=2, verbose=0).history["loss"]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_states_go_on_from_batch_to_batch():
    model = lamina.Sequential([lamina.Input(batch_shape=(2, 3, 1)), layers.SimpleRNN(3, stateful=True)])
    model.compile("sgd", "mse")
    x = np.ones((4, 3, 1), "float32")
    first = model.predict(x, batch_size=2, verbose=0)
    assert np.abs(first[:2] - first[2:]).max() > 1e-3
    model.reset_states()
    np.testing.assert_allclose(model.predict(x, batch_size=2, verbose=0), first, rtol=1e-6)
    model.fit(x, np.ones((4, 3)), batch_size=2, verbose=0, shuffle=False)
    assert np.isfinite(model.layers[0].states[0].numpy()).all()


@pytest.mark.parametrize(
    ("policy", "stored", "given"),
    [
        ("mixed_bfloat16", "float32", "bfloat16"),
        ("mixed_float16", "float32", "float16"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("float64", "float64", "float64"),
    ],
)
def test_precisions(policy, stored, given):
    stack = [layers.Dense(4, dtype=policy), layers.BatchNormalization(dtype=policy), layers.Dense(1, dtype=policy)]
    model = net(*stack, optimizer=lamina.optimizers.Adam(0.01), metrics=["mae"])
    before = model.get_weights()[0].copy()
    losses = model.fit(X, V, **QUIET, epochs=10).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert model.get_weights()[0].dtype == stored
    assert (model.get_weights()[0] != before).any()
    assert model.predict(X, verbose=0).dtype == given


def test_float16_scales_the_loss_by_itself():
    class Half(lamina.Model):
        def __init__(self):
            super().__init__(dtype="mixed_float16")
            self.dense = layers.Dense(1, dtype="mixed_float16")

        def call(self, x):
            return self.dense(x)

    model = Half()
    model.compile("sgd", "mse")
    assert isinstance(model.optimizer, lamina.optimizers.LossScaleOptimizer)
    tiny = 1e-6 * np.ones((4, 1), "float32")
    model.fit(np.ones((4, 4), "float32"), tiny, verbose=0, epochs=3)
    assert np.isfinite(model.get_weights()[0]).all()
    assert float(model.optimizer.dynamic_scale) > 1
    model.compile("sgd", "mse", auto_scale_loss=False)
    assert isinstance(model.optimizer, lamina.optimizers.SGD)


def test_optax():
    transformation = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.05))
    model = net(layers.Dense(1), optimizer=transformation)
    losses = model.fit(X, V, **QUIET, epochs=5).history["loss"] + model.fit(X, V, **QUIET).history["loss"]
    assert losses == sorted(losses, reverse=True)
