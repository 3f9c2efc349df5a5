"""The state of a model as a tree of arrays, and back: whole or not at all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.saving import names, state_tree
from lamina.shapes import ShapeError

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = np.linspace(0, 1, 16, dtype="float32").reshape(8, 2)


def small(**names):
    stack = [lamina.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)]
    model = lamina.Sequential(stack, **names)
    model.compile(lamina.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def leaves(tree):
    return {jax.tree_util.keystr(path): np.asarray(v) for path, v in jax.tree_util.tree_leaves_with_path(tree)}


def same(one, other):
    one, other = leaves(one), leaves(other)
    return set(one) == set(other) and all(np.array_equal(one[key], other[key]) for key in one)


def step(model):
    return model.train_on_batch(X, Y)


def test_training_goes_on_from_a_tree():
    model = small()
    step(model)
    tree = model.get_state_tree()
    expected = [step(model) for _ in range(3)]
    model.set_state_tree(tree)
    assert [step(model) for _ in range(3)] == expected


def test_a_tree_stays_as_it_is_while_training_goes_on():
    model = small()
    step(model)
    tree = model.get_state_tree()
    before = leaves(model.get_state_tree("numpy_array"))
    step(model)
    assert all(np.array_equal(value, before[key]) for key, value in leaves(tree).items())


def test_formats():
    tree = small().get_state_tree()
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(tree))
    arrays = jax.tree.leaves(small().get_state_tree("numpy_array"))
    assert arrays
    assert all(isinstance(leaf, np.ndarray) for leaf in arrays)
    with pytest.raises(ValueError, match=r"`value_format`='numpy'.*numpy_array"):
        small().get_state_tree("numpy")


def test_a_new_model_whose_layers_have_other_numbers():
    """Its optimizer, which has made no step, takes its state as well; so do its random generators."""
    first, second = small(), small()
    assert first.weights[0].path != second.weights[0].path
    step(first)
    second.set_state_tree(first.get_state_tree())
    assert [step(first) for _ in range(2)] == [step(second) for _ in range(2)]


@pytest.mark.parametrize("made_between", range(3))
def test_names_that_differ_in_numbers_are_those_of_the_same_variables(made_between):
    def make():
        x = lamina.Input((6, 4))
        inner = lamina.Model(x, layers.SimpleRNN(4, return_sequences=True)(layers.Dense(4)(x)))
        y = layers.TimeDistributed(layers.Dense(4))(layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x))
        y = lamina.Sequential([layers.Dense(4), layers.Dropout(0.1), layers.Dense(4)])(inner(y))
        model = lamina.Model(x, layers.MultiHeadAttention(2, 2)(y, layers.Dense(4)(y)))
        model.compile(lamina.optimizers.SGD(0.1, momentum=0.9), "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    one = make()
    _ = [(layers.Dense(1), layers.LSTM(1)) for _ in range(made_between)]
    other = make()
    groups = state_tree.GROUPS[:3]
    stored, own = ({group: list(state_tree._variables(m, group)) for group in groups} for m in (one, other))
    found = names.matched(stored, own, other)
    assert found == {group: dict(zip(stored[group], own[group], strict=True)) for group in groups}
    assert stored["optimizer_variables"][5] != own["optimizer_variables"][5]


def test_numbers_do_not_cross():
    """More layers than fit, and layers in the other order, are no matter of numbers."""
    first, second = small(), small()
    tree = first.get_state_tree()["trainable_variables"]
    (name,) = tree
    layer = next(key for key in tree[name] if key.startswith("dense"))
    with pytest.raises(ValueError, match="has no variable"):
        second.set_state_tree({"trainable_variables": {name: {layer: tree[name][layer]}}})


def test_a_part_of_a_tree():
    model = small(name="m")
    kernel = model.layers[0].kernel
    bias = model.layers[0].bias.numpy()
    model.set_state_tree({"trainable_variables": {"m": {model.layers[0].name: {"kernel": jnp.ones((3, 4))}}}})
    assert np.array_equal(kernel.numpy(), np.ones((3, 4)))
    assert np.array_equal(model.layers[0].bias.numpy(), bias)
    model.set_state_tree({"optimizer_variables": {model.optimizer.name: {"learning_rate": 0.5}}})
    assert float(model.optimizer.learning_rate) == 0.5


def test_kinds_of_values():
    model = small(name="m")
    path = {"m": {model.layers[0].name: {"bias": [1, 2, 3, 4]}}}
    model.set_state_tree({"trainable_variables": path})
    assert model.layers[0].bias.numpy().tolist() == [1.0, 2.0, 3.0, 4.0]
    path["m"][model.layers[0].name]["bias"] = model.layers[0].bias
    model.set_state_tree({"trainable_variables": path})
    assert model.layers[0].bias.dtype == "float32"


def test_trees_pass_through_functions_of_jax():
    model = small()
    doubled = jax.tree.map(lambda leaf: leaf * 2, model.get_state_tree())
    model.set_state_tree(doubled)
    assert same(model.get_state_tree(), doubled)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda t: None, ValueError, "expected a dict as get_state_tree gives, not NoneType"),
        (lambda t: [1], ValueError, "not list"),
        (lambda t: {**t, "trainable": {}}, ValueError, "'trainable'.*did you mean 'trainable_variables'"),
        (lambda t: {**t, "trainable_variables": 3}, ValueError, "under 'trainable_variables', not int"),
        (lambda t: put(t, "d", "kernel", np.ones((3, 5))), ShapeError, r"m/d/kernel.*(\n.*)*\(3, 4\)(\n.*)*\(3, 5\)"),
        (lambda t: put(t, "d", "kernal", np.ones((3, 4))), ValueError, "no variable 'm/d/kernal'; did you mean"),
        (lambda t: put(t, "d", "kernel", "text"), ValueError, "'trainable_variables/m/d/kernel' is no array of num"),
        (lambda t: put(t, "d", "kernel", [[1], [2, 3]]), ValueError, "m/d/kernel' is no array"),
        (lambda t: put(t, "d", "kernel", np.ones((3, 4), complex)), ValueError, "is complex, the variable float32"),
        (lambda t: put(t, "d", 3, np.ones((3, 4))), ValueError, "the key 3 under .* is no string"),
        (lambda t: put(t, "d", "kernel", {"deeper": 1}), ValueError, "no variable 'm/d/kernel/deeper'"),
    ],
)
def test_bad_trees_change_nothing(change, error, message):
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(4, name="d"), layers.Dense(2, name="z")], name="m")
    model.compile("adam", "mse")
    step(model)
    before = model.get_state_tree("numpy_array")
    tree = jax.tree.map(lambda leaf: leaf + 1, before)
    with pytest.raises(error, match=message):
        model.set_state_tree(change(tree))
    assert same(model.get_state_tree(), before)


def put(tree, layer, name, value):
    inner = tree["trainable_variables"]["m"]
    return {**tree, "trainable_variables": {"m": {**inner, layer: {**inner[layer], name: value}}}}


def test_models_that_are_not_compiled():
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(2, name="d")], name="m")
    tree = model.get_state_tree()
    assert tree["optimizer_variables"] == tree["metrics_variables"] == {}
    with pytest.raises(ValueError, match="has no optimizer: call compile first"):
        model.set_state_tree({"optimizer_variables": {"adam": {"iteration": 1}}})


def test_a_layer_that_was_frozen_in_between_is_named():
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(2, name="d")], name="m")
    tree = model.get_state_tree()
    model.trainable = False
    with pytest.raises(ValueError, match="one of `non_trainable_variables` here"):
        model.set_state_tree(tree)


def test_variables_of_one_path_are_all_kept():
    """Keras refuses such a model."""
    inner = lamina.Sequential([lamina.Input((3,)), layers.Dense(3, name="d")], name="m")
    x = lamina.Input((3,))
    model = lamina.Model(x, layers.Dense(3, name="d")(lamina.Model(x, layers.Dense(3, name="d")(inner(x)))(x)))
    tree = model.get_state_tree()["trainable_variables"]
    assert sorted(tree["d"]) == ["bias", "bias_1", "kernel", "kernel_1"]
    assert sorted(tree["m"]["d"]) == ["bias", "kernel"]
    doubled = jax.tree.map(lambda leaf: leaf * 2 + 1, model.get_state_tree())
    model.set_state_tree(doubled)
    assert same(model.get_state_tree(), doubled)


def test_a_name_is_never_a_folder_s():
    made = [lamina.Variable(1.0, name=name) for name in ("a", "v", "a", "a_1")]
    made[1].path = "a/v"
    assert list(names.by_name(made)) == ["a_1", "a/v", "a_2", "a_1_1"]


def test_an_optimizer_from_optax():
    optax = pytest.importorskip("optax")
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(2, name="d")], name="m")
    model.compile(optax.adam(0.01), "mse")
    step(model)
    tree = model.get_state_tree()
    expected = [step(model) for _ in range(2)]
    model.set_state_tree(tree)
    assert [step(model) for _ in range(2)] == expected


@pytest.mark.parametrize("seen", [False, True])
def test_metrics(seen):
    model, other = small(name="m"), small(name="m")
    step(model)
    tree = model.get_state_tree()
    assert float(tree["metrics_variables"]["loss"]["count"]) > 0
    if seen:
        step(other)
    other.set_state_tree(tree)
    if seen:
        assert same(other.get_state_tree()["metrics_variables"], tree["metrics_variables"])
