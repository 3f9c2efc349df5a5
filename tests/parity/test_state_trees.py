"""`get_state_tree`: the same trees as Keras gives, under the same names; each sets the other's."""

import re

import jax
import keras
import numpy as np
import pytest

import lamina


def named(k):
    """Names that do not depend on what was made before."""
    layers = k.layers
    x = k.Input((5, 3), name="x")
    y = layers.Bidirectional(layers.SimpleRNN(4, name="rnn"), name="both")(x)
    inner = [k.Input((8,)), layers.Dense(4, name="d"), layers.BatchNormalization(name="bn")]
    y = k.Sequential(inner, name="inner")(y)
    shared = layers.Dense(4, name="shared")
    y = shared(shared(y))
    model = k.Model(x, [layers.Dense(1, name="one")(y), layers.Dense(2, name="two")(y)], name="model")
    metrics = [["mae"], [k.metrics.CosineSimilarity(name="near")]]
    model.compile(k.optimizers.SGD(0.1, momentum=0.9, name="sgd"), loss=["mse", "mae"], metrics=metrics)
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.random((4, 5, 3)), [rng.random((4, 1)), rng.random((4, 2))])
    return model


def in_line(k):
    layers = k.layers
    late = k.Sequential([layers.Dense(3, name="d"), layers.LayerNormalization(name="ln")], name="late")
    model = k.Sequential([k.Input((4,)), layers.Dense(5, name="d"), late], name="line")
    model.add(layers.Dense(2, name="last"))
    model.compile(k.optimizers.Adam(name="adam"), "mse")
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 2)))
    return model


def subclassed(k):
    class Net(k.Model):
        def __init__(self):
            super().__init__(name="net")
            self.a = k.layers.Dense(3, name="a")
            self.rest = k.Sequential([k.layers.Dense(2, name="b")], name="rest")

        def call(self, x):
            return self.rest(self.a(x))

    model = Net()
    model.compile(k.optimizers.RMSprop(name="r"), "mse")
    model.train_on_batch(np.ones((2, 4)), np.ones((2, 2)))
    return model


def leaves(tree):
    found = [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
    plain = [(re.sub(r"(seed_generator)_\d+", r"\1", path), leaf) for path, leaf in found]  # they have no other names
    return sorted((path, tuple(leaf.shape), str(leaf.dtype)) for path, leaf in plain)


@pytest.fixture(scope="module", params=[named, in_line, subclassed])
def models(request):
    """A model in Keras and here; the tests are run in their order."""
    return request.param(keras), request.param(lamina)


def test_the_same_trees(models):
    theirs, ours = models
    assert leaves(ours.get_state_tree()) == leaves(theirs.get_state_tree("numpy_array"))


def test_each_takes_the_other_s(models):
    theirs, ours = models
    ours.set_state_tree(theirs.get_state_tree("numpy_array"))
    for weight, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), np.asarray(other.value))
    assert int(ours.optimizer.iterations) == 1
    slots = zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True)
    assert all(np.array_equal(slot.numpy(), np.asarray(other.value)) for slot, other in slots)
    moved = jax.tree.map(lambda leaf: np.asarray(leaf) + 1, ours.get_state_tree("numpy_array"))
    theirs.set_state_tree(moved)
    np.testing.assert_array_equal(np.asarray(theirs.weights[0].value), ours.weights[0].numpy() + 1)
