"""Configs of functional models: the same as Keras's in both directions, with the same order of layers and weights."""

import importlib
import inspect
import json

import keras
import numpy as np
import pytest

import lamina
from lamina.models import graph_config


def chain(k):
    x = k.Input((6,), name="x")
    return k.Model(x, k.layers.Dense(2, name="b")(k.layers.Dense(4, activation="relu", name="a")(x)))


def branches(k):
    a, b = k.Input((6,), name="a"), k.Input((3,), name="b")
    u, v = k.layers.Dense(4, name="u")(a), k.layers.Dense(4, name="v")(b)
    s = k.layers.Add(name="s")([k.layers.Dense(4, name="w")(v), u])
    t = k.layers.Concatenate(name="t")([s, v])
    return k.Model([a, b], [k.layers.Dense(1, name="o")(t), k.layers.Dense(2, name="p")(u)])


def shared(k):
    d = k.layers.Dense(5, name="d")
    a, b = k.Input((5,), name="a"), k.Input((5,), name="b")
    return k.Model({"a": a, "b": b}, {"q": k.layers.Dense(2, name="q")(d(d(a)) + d(b) * 2.0)})


def nested(k):
    inner = k.Sequential(
        [k.Input((4,)), k.layers.Dense(3, name="i1"), k.layers.BatchNormalization(name="bn")], name="i"
    )
    y = k.Input((3,), name="y")
    two = k.Model(y, [k.layers.Dense(3, name="z")(y), k.layers.Dense(2, name="w")(y)], name="two")
    x = k.Input((4,), name="x")
    f, g = two(inner(x))
    return k.Model(x, k.layers.Concatenate(name="c")([f, g, k.layers.Dense(2, name="last")(x)]))


def operations(k):
    ops = k.ops
    x, y = k.Input((4, 6), name="x"), k.Input((4, 6), name="y")
    z = ops.concatenate([x - ops.mean(x, axis=1, keepdims=True), y], axis=-1)[:, 1:3]
    z = ops.reshape(z, (-1, 24))
    z = ops.relu(ops.where(z > 0, z, 0.0)) / 2
    others = [
        x @ np.ones((6, 2), "float32"),
        ops.einsum("bij,bkj->bik", x, y),
        1 - x**2,
        ops.stack([x, y])[0, ..., None],
    ]
    return k.Model([x, y], [k.layers.Dense(3, name="d")(z), *others])


def residual(k):
    x = k.Input((8, 8, 2), name="x")
    h = k.layers.Conv2D(4, 3, padding="same", name="c1")(x)
    s = k.layers.Conv2D(4, 1, name="shortcut")(h)
    h = k.layers.Conv2D(4, 3, padding="same", name="c2")(k.layers.ReLU(name="r")(h))
    h = k.layers.Add(name="sum")([s, h])
    return k.Model(x, k.layers.Dense(2, name="head")(k.layers.GlobalAveragePooling2D(name="g")(h)))


def sequence(k):
    x = k.Input((None, 3), name="x")
    h, state, _ = k.layers.LSTM(4, return_sequences=True, return_state=True, name="l")(x)
    return k.Model(x, [k.layers.GRU(2, name="g")(h), k.layers.Dense(1, name="d")(state)])


TOPOLOGIES = [chain, branches, shared, nested, operations, residual, sequence]


def data_for(model):
    rng = np.random.default_rng(0)
    arrays = [
        rng.normal(size=(5, *(7 if s is None else s for s in t.shape[1:]))).astype("float32") for t in model.inputs
    ]
    if isinstance(model.input, dict):
        return dict(zip(model.input, arrays, strict=True))
    return arrays if len(arrays) > 1 else arrays[0]


def agree(one, other, data):
    for a, b in zip(keras.tree.flatten(one(data)), keras.tree.flatten(other(data)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_layers_and_weights_stand_in_keras_order(topology):
    theirs, ours = topology(keras), topology(lamina)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert len(ours.operations) == len(theirs.operations)
    ours.set_weights(theirs.get_weights())
    agree(ours, theirs, data_for(theirs))


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_configs_are_read_in_both_directions(topology):
    theirs, ours = topology(keras), topology(lamina)
    weights, data = theirs.get_weights(), data_for(theirs)
    ours.set_weights(weights)
    plain = json.loads(json.dumps(ours.get_config()))
    for restored in (
        lamina.Model.from_config(plain),
        keras.Model.from_config(plain),
        lamina.Model.from_config(json.loads(json.dumps(theirs.get_config()))),
        lamina.models.clone_model(ours),
    ):
        assert [layer.name for layer in restored.layers] == [layer.name for layer in theirs.layers]
        restored.set_weights(weights)
        agree(restored, theirs, data)


def test_the_form_is_keras_s():
    theirs, ours = branches(keras).get_config(), branches(lamina).get_config()
    assert ours.keys() == theirs.keys()
    assert ours["input_layers"] == theirs["input_layers"]
    assert ours["output_layers"] == theirs["output_layers"]
    for mine, other in zip(ours["layers"], theirs["layers"], strict=True):
        assert mine["class_name"] == other["class_name"]
        assert mine["module"] == other["module"]
        assert mine["name"] == other["name"]
        assert json.dumps(mine["inbound_nodes"]) == json.dumps(other["inbound_nodes"])


def test_each_operation_is_described_as_keras_divides_its_arguments():
    # What Keras does in one class only, or with functions as arguments, cannot be compared in this way.
    others = {"arange", "full", "linspace", "logspace", "geomspace", "map", "scan", "cond", "switch", "while_loop"}
    others |= {"fori_loop", "associative_scan", "jvp", "layer_normalization", "custom_gradient"}
    compared = 0
    for name in {n for n in graph_config._names() if hasattr(lamina.ops, n)} - others:
        function = getattr(lamina.ops, name)
        module = importlib.import_module(f"keras.src.ops.{graph_config._HOMES.get(name) or graph_config._home(name)}")
        theirs = getattr(module, graph_config._class_name(name), None)
        if theirs is None:
            assert not _takes_tensors(function), f"{name}: Keras has no such operation"
            continue
        settings = set(inspect.signature(theirs.__init__).parameters) - {"self", "name", "args", "kwargs"}
        tensors = graph_config._OWN_TENSORS.get(function.__name__, graph_config._TENSORS)
        parameters = inspect.signature(function).parameters.values()
        named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
        assert named - tensors == settings, name
        compared += 1
    assert compared > 200


def _takes_tensors(function):
    """Whether a function records calls on symbolic tensors."""
    try:
        result = function(lamina.Input((3, 3)))
    except Exception:
        return False
    return isinstance(result, lamina.KerasTensor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(layers=3), "needs 'layers'"),
        (lambda c: c["layers"][1].update(class_name="Dens"), "unknown layer 'Dens'; did you mean 'Dense'"),
        (lambda c: c["layers"].pop(0), "'a'.*no layer in it gives"),
        (lambda c: c.update(output_layers=["b", 0, 7]), "output 7 of call 0 of 'b'"),
        (lambda c: c.update(output_layers=3), "references"),
        (lambda c: c["layers"][1].update(name=None), "has no name"),
    ],
)
def test_bad_configs_are_refused(change, message):
    config = chain(lamina).get_config()
    change(config)
    with pytest.raises(ValueError, match=message):
        lamina.Model.from_config(config)


def test_unknown_operations_are_refused():
    x = lamina.Input((3,))
    config = lamina.Model(x, x + 1).get_config()
    config["layers"][1]["class_name"] = "Ad"
    with pytest.raises(ValueError, match="unknown operation 'Ad'; did you mean 'Pad' or 'Add'"):
        lamina.Model.from_config(config)


def test_a_function_that_is_none_of_ours_cannot_be_written():
    from lamina.core.symbolic import op

    @op
    def homemade(x):
        return x * 2

    x = lamina.Input((3,))
    with pytest.raises(ValueError, match=r"'homemade'.*put the computation into a layer of your own"):
        lamina.Model(x, homemade(x)).get_config()


def test_clone_function_and_input_tensors():
    model = branches(lamina)
    seen = []

    def clone(layer):
        seen.append(layer.name)
        config = layer.get_config()
        return type(layer).from_config({**config, "units": 7} if layer.name == "o" else config)

    copy = lamina.models.clone_model(model, clone_function=clone)
    assert copy.output_shape == [(None, 7), (None, 2)]
    assert sorted(seen) == ["o", "p", "s", "t", "u", "v", "w"]
    a, b = lamina.Input((6,), batch_size=2), lamina.Input((3,), batch_size=2)
    assert lamina.models.clone_model(model, input_tensors=[a, b]).output_shape == [(2, 1), (2, 2)]
    with pytest.raises(ValueError, match="takes 2; 1 symbolic"):
        lamina.models.clone_model(model, input_tensors=[a])
    with pytest.raises(ValueError, match="must give a layer"):
        lamina.models.clone_model(model, clone_function=lambda layer: None)
    with pytest.raises(ValueError, match="takes a model"):
        lamina.models.clone_model(3)


def test_clone_goes_into_models_when_asked():
    model = nested(lamina)
    seen = []

    def clone(layer):
        seen.append(layer.name)
        return type(layer).from_config(layer.get_config())

    lamina.models.clone_model(model, clone_function=clone)
    assert "i1" not in seen
    assert "two" in seen
    seen.clear()
    copy = lamina.models.clone_model(model, clone_function=clone, recursive=True)
    assert {"i1", "z", "last"} <= set(seen)
    assert "two" not in seen
    assert copy.get_layer("two") is not model.get_layer("two")


def test_clone_of_a_sequential():
    model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(3)], name="s")
    copy = lamina.models.clone_model(model)
    assert copy.name == "s"
    assert copy.output_shape == (None, 3)
    assert not np.allclose(copy.get_weights()[0], model.get_weights()[0])
    deferred = lamina.models.clone_model(lamina.Sequential([lamina.layers.Dense(3)]))
    assert not deferred.built
    assert lamina.models.clone_model(model, input_tensors=lamina.Input((4,), batch_size=2)).output_shape == (2, 3)
