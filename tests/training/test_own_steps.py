"""Steps of the user's own, written the way Keras asks for on JAX."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers

RNG = np.random.default_rng(1)
X = RNG.normal(size=(16, 4)).astype("float32")
V = RNG.normal(size=(16, 1)).astype("float32")
QUIET = {"batch_size": 8, "shuffle": False, "verbose": 0}


def build(cls):
    lamina.utils.set_random_seed(3)
    x = lamina.Input((4,))
    return cls(x, layers.Dense(1)(layers.BatchNormalization()(layers.Dense(3, activation="tanh")(x))))


@pytest.fixture(scope="module")
def ordinary():
    model = build(lamina.Model)
    model.compile("adam", "mse", metrics=["mae"])
    return model.fit(X, V, epochs=2, **QUIET, validation_data=(X, V)).history, model.get_weights()


class FullStep(lamina.Model):
    """Everything by hand: gradients, updates, all metrics."""

    def compute_loss_and_updates(self, trainable, non_trainable, x, y, training=False):
        y_pred, non_trainable = self.stateless_call(trainable, non_trainable, x, training=training)
        return self.compute_loss(x, y, y_pred), (y_pred, non_trainable)

    def measured(self, values, y, y_pred, loss):
        logs, after = {}, []
        for metric in self.metrics:
            mine = values[len(after) : len(after) + len(metric.variables)]
            mine = metric.stateless_update_state(mine, *([loss] if metric.name == "loss" else [y, y_pred]))
            logs[metric.name] = metric.stateless_result(mine)
            after += mine
        return logs, after

    def train_step(self, state, data):
        trainable, non_trainable, optimizer, metrics = state
        x, y = data
        gradients_of = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (y_pred, non_trainable)), gradients = gradients_of(trainable, non_trainable, x, y, training=True)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        logs, metrics = self.measured(metrics, y, y_pred, loss)
        return logs, (trainable, non_trainable, optimizer, metrics)

    def test_step(self, state, data):
        trainable, non_trainable, metrics = state
        x, y = data
        loss, (y_pred, non_trainable) = self.compute_loss_and_updates(trainable, non_trainable, x, y)
        logs, metrics = self.measured(metrics, y, y_pred, loss)
        return logs, (trainable, non_trainable, metrics)


@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 2}], ids=str)
def test_a_step_by_hand_trains_as_the_built_in_one(ordinary, options):
    model = build(FullStep)
    model.compile("adam", "mse", metrics=["mae"], **options)
    history = model.fit(X, V, epochs=2, **QUIET, validation_data=(X, V)).history
    assert history.keys() == ordinary[0].keys()
    for name, values in ordinary[0].items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, err_msg=name)
    for ours, theirs in zip(model.get_weights(), ordinary[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


class OwnMetrics(lamina.Model):
    """Metrics as attributes, listed by the class, and no loss in compile."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = lamina.metrics.Mean(name="loss")
        self.mae_metric = lamina.metrics.MeanAbsoluteError(name="mae")
        self.loss_fn = lamina.losses.MeanSquaredError()

    @property
    def metrics(self):
        return [self.loss_tracker, self.mae_metric]

    def compute_loss_and_updates(self, trainable, non_trainable, x, y, training=False):
        y_pred, non_trainable = self.stateless_call(trainable, non_trainable, x, training=training)
        return self.loss_fn(y, y_pred), (y_pred, non_trainable)

    def train_step(self, state, data):
        trainable, non_trainable, optimizer, metrics = state
        x, y = data
        gradients_of = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (y_pred, non_trainable)), gradients = gradients_of(trainable, non_trainable, x, y, training=True)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        many = len(self.loss_tracker.variables)
        losses = self.loss_tracker.stateless_update_state(metrics[:many], loss)
        errors = self.mae_metric.stateless_update_state(metrics[many:], y, y_pred)
        logs = {"loss": self.loss_tracker.stateless_result(losses), "mae": self.mae_metric.stateless_result(errors)}
        return logs, (trainable, non_trainable, optimizer, losses + errors)


def test_metrics_of_the_models_own(ordinary):
    model = build(OwnMetrics)
    model.compile(optimizer="adam")
    history = model.fit(X, V, epochs=2, **QUIET).history
    assert list(history) == ["loss", "mae"]
    for name, values in history.items():
        np.testing.assert_allclose(values, ordinary[0][name], rtol=1e-4)


def test_predict_step():
    class Doubled(lamina.Model):
        def predict_step(self, state, data):
            outputs, others = super().predict_step(state, data)
            return {"doubled": 2 * outputs}, others

    model = build(Doubled)
    np.testing.assert_allclose(model.predict(X, verbose=0)["doubled"], 2 * model(X, training=False), rtol=1e-5)


@pytest.mark.parametrize("knows_training", [True, False])
def test_a_loss_of_ones_own(knows_training):
    def loss(self, x, y, y_pred, sample_weight):
        return jnp.mean(jnp.abs(x)) + jnp.mean((y - y_pred) ** 2)

    if knows_training:

        class Net(lamina.Model):
            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                return loss(self, x, y, y_pred, sample_weight)
    else:

        class Net(lamina.Model):
            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
                return loss(self, x, y, y_pred, sample_weight)

    model = build(Net)
    model.compile("adam")
    expected = np.abs(X).mean() + ((V - model.predict(X, verbose=0)) ** 2).mean()
    assert model.evaluate(X, V, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.fit(X, V, **QUIET, epochs=2).history["loss"][1] > 0


def test_metrics_beside_the_loss():
    class Net(lamina.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            self.largest.update_state(jnp.max(y_pred))
            return 1.0 + super().compute_loss(x, y, y_pred, sample_weight, training)

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "least": jnp.min(y_pred)}

    model = build(Net)
    model.largest = lamina.metrics.Mean(name="largest")
    model.compile("adam", "mse", metrics=["mae"])
    predicted = model.predict(X, verbose=0)
    logs = model.evaluate(X, V, batch_size=16, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(1 + ((V - predicted) ** 2).mean(), rel=1e-5)
    assert (logs["largest"], logs["least"]) == pytest.approx((predicted.max(), predicted.min()), rel=1e-5)
    assert set(model.fit(X, V, **QUIET).history) == {"loss", "mae", "largest", "least"}


class Rivals(lamina.Model):
    """A generator and a discriminator, each with an optimizer of its own."""

    def __init__(self, discriminator, generator):
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.d_loss, self.g_loss = lamina.metrics.Mean(name="d_loss"), lamina.metrics.Mean(name="g_loss")
        self.built = True

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile(optimizer=None)
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn
        d_optimizer.build(self.discriminator.trainable_variables)
        g_optimizer.build(self.generator.trainable_variables)

    @property
    def metrics(self):
        return [self.d_loss, self.g_loss]

    def call(self, x):
        return self.discriminator(self.generator(x))

    def train_step(self, state, data):
        trainable, others, optimizers, metrics = state
        d, g = self.discriminator, self.generator
        many, kept = len(d.trainable_variables), len(self.d_optimizer.variables)
        d_values, g_values = trainable[:many], trainable[many:]
        noise = jax.random.normal(jax.random.key(0), (data.shape[0], 4))

        def d_loss(values):
            images = jnp.concatenate([g.stateless_call(g_values, [], noise)[0], data])
            labels = jnp.concatenate([jnp.ones((len(noise), 1)), jnp.zeros((len(data), 1))])
            return self.loss_fn(labels, d.stateless_call(values, [], images)[0])

        def g_loss(values):
            fakes, _ = g.stateless_call(values, [], noise)
            return self.loss_fn(jnp.zeros((len(noise), 1)), d.stateless_call(d_values, [], fakes)[0])

        first, gradients = jax.value_and_grad(d_loss)(d_values)
        d_values, d_state = self.d_optimizer.stateless_apply(optimizers[:kept], gradients, d_values)
        second, gradients = jax.value_and_grad(g_loss)(g_values)
        g_values, g_state = self.g_optimizer.stateless_apply(optimizers[kept:], gradients, g_values)
        a = self.d_loss.stateless_update_state(metrics[:2], first)
        b = self.g_loss.stateless_update_state(metrics[2:], second)
        logs = {"d_loss": self.d_loss.stateless_result(a), "g_loss": self.g_loss.stateless_result(b)}
        return logs, (d_values + g_values, others, d_state + g_state, a + b)


def test_two_optimizers():
    d = lamina.Sequential([lamina.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(1)])
    g = lamina.Sequential([lamina.Input((4,)), layers.Dense(4)])
    model = Rivals(d, g)
    model.compile(
        lamina.optimizers.Adam(0.01), lamina.optimizers.SGD(0.1), lamina.losses.BinaryCrossentropy(from_logits=True)
    )
    before = [w.copy() for w in model.get_weights()]
    history = model.fit(X, epochs=2, **QUIET).history
    assert list(history) == ["d_loss", "g_loss"]
    assert np.isfinite(list(history.values())).all()
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert int(model.d_optimizer.iterations) == int(model.g_optimizer.iterations) == 4


def test_the_classic_rivals_of_two_compiled_models():
    """`trainable` counts as it was at compile: the discriminator learns alone, and rests in the combined model."""
    d = lamina.Sequential([lamina.Input((4,)), layers.Dense(1, activation="sigmoid")])
    g = lamina.Sequential([lamina.Input((4,)), layers.Dense(4)])
    d.compile("adam", "binary_crossentropy")
    d.trainable = False
    z = lamina.Input((4,))
    both = lamina.Model(z, d(g(z)))
    both.compile("adam", "binary_crossentropy")
    start = d.get_weights()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the combined model was compiled with it frozen: so it is meant
        d.train_on_batch(X, np.ones(16))
    trained = d.get_weights()
    assert (trained[0] != start[0]).all()
    own = g.get_weights()[0]
    both.train_on_batch(X, np.ones(16))
    assert (d.get_weights()[0] == trained[0]).all()
    assert (g.get_weights()[0] != own).all()
    assert d.trainable is False
