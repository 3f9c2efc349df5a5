import numpy as np
import pytest

import lamina
from lamina import layers, ops
from lamina.shapes import ShapeError


def two_inputs():
    a, b = lamina.Input((4,), name="a"), lamina.Input((3,), name="b")
    h = layers.Concatenate()([layers.Dense(2, name="left")(a), b])
    return a, b, layers.Dense(1, name="out")(h)


def test_several_inputs_as_lists_and_dicts():
    a, b, out = two_inputs()
    x, y = np.ones((5, 4)), np.zeros((5, 3))
    model = lamina.Model([a, b], out)
    expected = np.asarray(model([x, y]))
    np.testing.assert_allclose(model({"a": x, "b": y}), expected)
    np.testing.assert_allclose(model({"b": y, "a": x}), expected)
    by_name = lamina.Model({"a": a, "b": b}, out)
    np.testing.assert_allclose(by_name({"b": y, "a": x}), expected)
    assert model.input_names == ["a", "b"]
    assert model.output_names == ["out"]


def test_wrong_inputs_are_named():
    a, b, out = two_inputs()
    model = lamina.Model([a, b], out, name="m")
    with pytest.raises(ShapeError, match='"m" takes 2 inputs; 1 came') as caught:
        model(np.ones((5, 4)))
    assert "a (None, 4)" in str(caught.value)
    assert "b (None, 3)" in str(caught.value)
    with pytest.raises(ValueError, match="'b' is missing"):
        model({"a": np.ones((5, 4))})
    with pytest.raises(ShapeError, match=r'input "b" of "m" cannot take an array of shape \(5, 7\)'):
        model([np.ones((5, 4)), np.ones((5, 7))])


def test_outputs_keep_their_structure():
    x = lamina.Input((4,))
    p, q = layers.Dense(2)(x), layers.Dense(3)(x)
    data = np.ones((5, 4))
    assert [t.shape for t in lamina.Model(x, [p, q])(data)] == [(5, 2), (5, 3)]
    assert {k: t.shape for k, t in lamina.Model(x, {"p": p, "q": q})(data).items()} == {"p": (5, 2), "q": (5, 3)}
    assert lamina.Model(x, {"p": p, "q": q}).output_shape == {"p": (None, 2), "q": (None, 3)}


def test_shared_layers_have_their_weights_once():
    shared = layers.Dense(3)
    a, b = lamina.Input((3,)), lamina.Input((3,))
    model = lamina.Model([a, b], layers.Subtract()([shared(shared(a)), shared(b)]))
    assert len(model.weights) == 2
    x = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    k, c = model.get_weights()
    np.testing.assert_allclose(model([x, x]), (x @ k + c) @ k + c - (x @ k + c), rtol=1e-5, atol=1e-6)


def test_operations_in_the_graph():
    x = lamina.Input((4,), name="x")
    model = lamina.Model(x, (2 * x - 1) / ops.max(x, axis=-1, keepdims=True))
    data = np.array([[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(model(data), [[0.25, 0.75, 1.25, 1.75]])
    assert model.layers[0].name == "x"
    assert len(model.layers) == 1
    assert [op.name.split("_")[0] for op in model.operations[1:]] == ["multiply", "subtract", "max", "true"]


def test_nested_models():
    inner_x = lamina.Input((3,))
    inner = lamina.Model(inner_x, [layers.Dense(2)(inner_x), layers.Dense(1)(inner_x)], name="inner")
    x = lamina.Input((3,))
    p, q = inner(x)
    model = lamina.Model(x, layers.Concatenate()([p, q]))
    assert model.output_shape == (None, 3)
    assert len(model.weights) == 4
    assert model.get_layer("inner") is inner
    assert [t.shape for t in lamina.Model(inner.inputs, inner.outputs)(np.ones((2, 3)))] == [(2, 2), (2, 1)]


def test_a_model_from_inside_another():
    x = lamina.Input((4,))
    h = layers.Dense(3, name="h")(x)
    model = lamina.Model(x, layers.Dense(1)(h))
    part = lamina.Model(model.input, model.get_layer("h").output)
    tail = lamina.Model(h, model.output)
    data = np.ones((2, 4))
    np.testing.assert_allclose(tail(part(data)), model(data), rtol=1e-6)
    assert len(tail.weights) == 2


def test_outputs_that_do_not_follow_from_the_inputs():
    a, _b, out = two_inputs()
    with pytest.raises(ValueError, match=r"depend on the input 'b'.*add it to `inputs`"):
        lamina.Model(a, out)
    with pytest.raises(ValueError, match=r"`outputs` of a model are symbolic tensors.*ndarray"):
        lamina.Model(a, np.ones(3))
    with pytest.raises(ValueError, match="`inputs`"):
        lamina.Model([], out)
    with pytest.raises(ValueError, match=r"comes from no Input; start from lamina\.Input"):
        lamina.Model(a, lamina.KerasTensor((None, 3)))


def test_two_layers_of_one_name_are_refused():
    x = lamina.Input((4,))
    with pytest.raises(ValueError, match=r"two layers of the model are named 'same' \(Dense and ReLU\)"):
        lamina.Model(x, layers.ReLU(name="same")(layers.Dense(2, name="same")(x)))


def test_get_layer():
    x = lamina.Input((4,), name="x")
    model = lamina.Model(x, layers.Dense(2, name="dense_out")(x), name="m")
    assert model.get_layer("dense_out") is model.get_layer(index=1) is model.get_layer(index=-1)
    with pytest.raises(ValueError, match=r"'m' has no layer 'dense_ou'; did you mean 'dense_out'\?"):
        model.get_layer("dense_ou")
    with pytest.raises(ValueError, match="has 2 layers"):
        model.get_layer(index=2)
    for wrong in ({}, {"name": "x", "index": 0}):
        with pytest.raises(ValueError, match="either `name` or `index`"):
            model.get_layer(**wrong)


def test_a_missing_last_axis_of_size_one_is_added():
    x = lamina.Input((1,))
    model = lamina.Model(x, layers.Dense(1)(x))
    assert model(np.ones(5)).shape == (5, 1)


def test_masks_flow_through():
    x = lamina.Input((4,), dtype="int32")
    embedded = layers.Embedding(10, 3, mask_zero=True)(x)
    model = lamina.Model(x, layers.LSTM(2)(layers.Dropout(0.5)(embedded)))
    short, padded = np.array([[5, 6, 0, 0]]), np.array([[5, 6]])
    shorter = lamina.Input((2,), dtype="int32")
    other = lamina.Model(shorter, model.layers[3](model.layers[1](shorter)))
    np.testing.assert_allclose(model(short), other(padded), rtol=1e-5)
    inner = lamina.Model(x, embedded)
    y = lamina.Input((4,), dtype="int32")
    nested = lamina.Model(y, model.layers[3](inner(y)))
    np.testing.assert_allclose(nested(short), model(short), rtol=1e-5)


def test_training_false_given_in_the_graph_holds():
    x = lamina.Input((50,))
    model = lamina.Model(x, layers.Dropout(0.5)(x, training=False))
    data = np.ones((4, 50), "float32")
    np.testing.assert_allclose(model(data, training=True), data)
    restored = lamina.Model.from_config(model.get_config())
    np.testing.assert_allclose(restored(data, training=True), data)
    free = lamina.Model(x, layers.Dropout(0.5)(x))
    assert (np.asarray(free(data, training=True)) == 0).any()


def test_named_dimensions():
    a, b = lamina.Input(("length", 2)), lamina.Input(("length", 3))
    model = lamina.Model([a, b], layers.Conv1D(4, 3)(layers.Concatenate()([a, b])))
    assert model.output_shape == (None, None, 4)
    assert str(model.outputs[0].dims) == "(batch, length - 2, 4)"


def test_deep_graphs_need_no_deep_stack():
    x = h = lamina.Input((1,))
    for _ in range(1500):
        h = -h
    model = lamina.Model(x, h)
    assert len(model.operations) == 1501


class Net(lamina.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [layers.Dense(units), lamina.Sequential([layers.Dense(2), layers.Dropout(0.5)])]

    def call(self, x, training=None):
        for block in self.blocks:
            x = block(x)
        return x


def test_subclassed_models():
    net = Net()
    assert not net.built
    assert net(np.ones((4, 5))).shape == (4, 2)
    assert [w.shape for w in net.weights] == [(5, 3), (3,), (3, 2), (2,)]
    assert [layer.name.split("_")[0] for layer in net.layers] == ["dense", "sequential"]
    assert (np.asarray(net(np.ones((40, 5)), training=True)) == 0).any()
    copy = Net.from_config(net.get_config())
    copy.build((None, 5))
    copy.set_weights(net.get_weights())
    np.testing.assert_allclose(copy(np.ones((4, 5))), net(np.ones((4, 5))), rtol=1e-6)


def test_a_subclass_without_call_says_so():
    class Empty(lamina.Model):
        pass

    with pytest.raises(ValueError, match="Empty computes nothing: it has no `call"):
        Empty()(np.ones((2, 3)))


def test_a_subclassed_model_in_a_functional_one():
    x = lamina.Input((5,))
    net = Net()
    model = lamina.Model(x, layers.Dense(1)(net(x)))
    assert model.output_shape == (None, 1)
    assert len(model.weights) == 6


def test_a_subclass_made_from_tensors():
    class Named(lamina.Model):
        def __init__(self, units):
            x = lamina.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x))
            self.units = units

    model = Named(3)
    assert isinstance(model, Named)
    assert model.output_shape == (None, 3)
    assert Named.from_config(model.get_config()).output_shape == (None, 3)
