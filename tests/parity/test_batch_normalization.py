"""BatchNormalization against the real Keras: training, inference, masks, renormalization, gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina.layers.batch_normalization import _moments_in_one_pass

MASK = np.array([[1, 1, 0, 0, 1, 0]] * 3 + [[0] * 6], bool)

CASES = [
    ({}, None),
    ({}, MASK),
    ({"axis": 1, "scale": False, "momentum": 0.5}, None),
    ({"axis": -1, "center": False, "epsilon": 0.1}, None),
    ({"renorm": True}, None),
    ({"renorm": True, "renorm_clipping": {"rmax": 1.1, "rmin": 0.9, "dmax": 0.1}, "renorm_momentum": 0.7}, None),
]


@pytest.mark.parametrize(("config", "mask"), CASES)
def test_training_and_inference(config, mask):
    theirs = keras.layers.BatchNormalization(**config)
    ours = lamina.layers.BatchNormalization.from_config(theirs.get_config())
    rng = np.random.default_rng(3)
    x = rng.normal(2.0, 3.0, size=(4, 6, 5)).astype("float32")
    for layer in (ours, theirs):
        layer.build(x.shape)
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    values = [rng.uniform(0.5, 1.5, size=w.shape).astype("float32") for w in theirs.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    factors = rng.normal(size=x.shape).astype("float32")

    def run(layer, training):
        others = [v.value for v in layer.non_trainable_variables]

        def loss(weights, x):
            out, after = layer.stateless_call(weights, others, x, training=training, mask=mask)
            return jnp.sum(out * factors), (out, after)

        (_, (out, after)), grads = jax.value_and_grad(loss, (0, 1), has_aux=True)(
            [v.value for v in layer.trainable_variables], jnp.asarray(x)
        )
        return out, after, grads

    for training in (True, False):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * max(1.0, float(jnp.abs(b).max()))),
            run(ours, training),
            run(theirs, training),
        )
    open_shape = (None, 5) if config.get("axis", -1) == -1 else (6, None)
    assert ours(lamina.Input(open_shape)).shape == tuple(theirs(keras.Input(open_shape)).shape)


def test_frozen():
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    ours, theirs = lamina.layers.BatchNormalization(), keras.layers.BatchNormalization()
    for layer in (ours, theirs):
        layer(x, training=True)
        layer.trainable = False
    before = ours.get_weights()
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(before[2], ours.get_weights()[2])
    assert [w.name for w in ours.non_trainable_weights] == [w.name for w in theirs.non_trainable_weights]


@pytest.mark.parametrize(("shape", "axes"), [((6, 3), (0,)), ((4, 5, 5, 3), (0, 1, 2)), ((4, 3, 5), (0, 2))])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_moments_in_one_pass(shape, axes, offset):
    x = (np.random.default_rng(0).normal(size=shape) + offset).astype("float32")
    mean, variance = _moments_in_one_pass(jnp.asarray(x), axes)
    exact = x.astype("float64")
    np.testing.assert_allclose(mean, exact.mean(axes), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(variance, exact.var(axes), rtol=2e-3 if offset else 1e-5)
    with jax.enable_x64(True):
        ours = jax.grad(lambda x: jnp.sum(_moments_in_one_pass(x, axes)[1] ** 1.5))(exact - offset)
        theirs = jax.grad(lambda x: jnp.sum(jnp.var(x, axes) ** 1.5))(exact - offset)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
