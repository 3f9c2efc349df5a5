import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError


def test_with_an_input_it_is_built_at_once():
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(3), layers.Dense(2)])
    assert model.built
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))
    assert [w.shape for w in model.weights] == [(4, 3), (3,), (3, 2), (2,)]
    assert len(model.layers) == 2  # the input is none of the layers, as in Keras


@pytest.mark.parametrize(
    ("first", "shape"),
    [
        ({"input_shape": (4,)}, (None, 4)),
        ({"input_dim": 4}, (None, 4)),
        ({"batch_input_shape": (8, 4)}, (8, 4)),
        ({"input_shape": (4,), "batch_size": 8}, (8, 4)),
    ],
)
def test_the_first_layer_may_declare_the_input(first, shape):
    model = lamina.Sequential([layers.Dense(3, **first), layers.Dense(2)])
    assert model.input_shape == shape
    assert model.output_shape == (shape[0], 2)


def test_without_an_input_it_waits_for_data():
    model = lamina.Sequential([layers.Dense(3), layers.Dense(2)])
    assert not model.built
    assert model.weights == []
    assert model(np.ones((5, 4))).shape == (5, 2)
    assert model.built
    assert model.input_shape == (None, 4)
    assert model(np.ones((7, 4))).shape == (7, 2)
    with pytest.raises(ShapeError, match="cannot take"):
        model(np.ones((7, 3)))


def test_build_makes_the_weights():
    model = lamina.Sequential([layers.Dense(3)])
    with pytest.raises(ValueError, match=r"`input_shape` is needed to build 'sequential.*\(None, 10\)"):
        model.build()
    model.build((None, 4))
    assert [w.shape for w in model.weights] == [(4, 3), (3,)]
    with pytest.raises(ValueError, match="no layers yet"):
        lamina.Sequential().build((None, 4))


def test_a_failed_build_can_be_repeated():
    model = lamina.Sequential([layers.Dense(3), layers.Conv1D(2, 3)])
    with pytest.raises(ShapeError):
        model.build((None, 4))
    assert not model.built
    model.build((None, 9, 4))
    assert model.output_shape == (None, 7, 2)


def test_add_and_pop_keep_the_model_right():
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(3, name="a")])
    model.add(layers.Dense(2, name="b"))
    assert model.output_shape == (None, 2)
    before = np.asarray(model(np.ones((1, 4))))
    popped = model.pop()
    assert popped.name == "b"
    assert model.output_shape == (None, 3)
    assert model(np.ones((1, 4))).shape == (1, 3)
    model.add(popped)
    np.testing.assert_allclose(model(np.ones((1, 4))), before, rtol=1e-6)
    model.pop(), model.pop()
    with pytest.raises(ValueError, match="no layer to pop"):
        model.pop()


@pytest.mark.parametrize("wrong", [layers.Dense, 3, None, "Dense", np.ones(3)])
def test_only_layers_can_be_added(wrong):
    with pytest.raises(ValueError, match="Sequential takes layers, not"):
        lamina.Sequential([wrong])
    if wrong is layers.Dense:
        with pytest.raises(ValueError, match=r"the class Dense; write Dense\(\.\.\.\)"):
            lamina.Sequential([wrong])


def test_names_are_taken_once():
    with pytest.raises(ValueError, match=r"'d' is taken in 's'.*give the new layer another"):
        lamina.Sequential([layers.Dense(1, name="d"), layers.ReLU(name="d")], name="s")


def test_an_input_comes_first_or_not_at_all():
    with pytest.raises(ValueError, match="an Input can only come first"):
        lamina.Sequential([layers.Dense(3), lamina.Input((4,))])
    with pytest.raises(ValueError, match="an Input can only come first"):
        lamina.Sequential([lamina.Input((4,)), lamina.Input((4,))])


def test_a_layer_that_does_not_fit_is_refused_when_added():
    model = lamina.Sequential([lamina.Input((10,)), layers.Dense(3)], name="s")
    with pytest.raises(ShapeError, match=r'Conv1D "c" cannot take an input of shape \(None, 3\)'):
        model.add(layers.Conv1D(2, 3, name="c"))
    assert model.output_shape == (None, 3)
    assert len(model.layers) == 1
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)


def test_a_layer_with_several_outputs_is_refused():
    with pytest.raises(ValueError, match=r"gives 3 outputs.*functional model"):
        lamina.Sequential([lamina.Input((5, 2)), layers.LSTM(3, return_state=True)])


def test_models_inside():
    inner = lamina.Sequential([lamina.Input((4,)), layers.Dense(3)], name="inner")
    model = lamina.Sequential([inner, layers.Dense(2)])
    assert model.built
    assert model.output_shape == (None, 2)
    assert [w.path for w in model.weights] == [w.path for w in (*inner.weights, *model.layers[1].weights)]
    deferred = lamina.Sequential([lamina.Sequential([layers.Dense(3)]), layers.Dense(2)])
    assert deferred(jnp.ones((1, 4))).shape == (1, 2)


def test_named_dimensions():
    model = lamina.Sequential([lamina.Input(("length", 2)), layers.Conv1D(4, 3)])
    assert model.output_shape == (None, None, 4)
    assert str(model.outputs[0].dims) == "(batch, length - 2, 4)"


def test_training_reaches_every_layer():
    model = lamina.Sequential([lamina.Input((100,)), layers.Dropout(0.5), lamina.Sequential([layers.Dropout(0.5)])])
    x = np.ones((10, 100), "float32")
    np.testing.assert_allclose(model(x), x)
    np.testing.assert_allclose(model(x, training=False), x)
    kept = float((np.asarray(model(x, training=True)) != 0).mean())
    assert 0.15 < kept < 0.35


def test_config_round_trip():
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)], name="s")
    copy = lamina.Sequential.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(copy(x), model(x), rtol=1e-6)
    assert copy.name == "s"
    assert lamina.Sequential.from_config(lamina.Sequential([layers.Dense(3)]).get_config()).built is False


def test_data_that_does_not_fit_leaves_a_deferred_model_unbuilt():
    layers = lamina.layers
    model = lamina.Sequential([layers.Dense(4), layers.Conv1D(2, 3), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(lamina.ShapeError, match="Conv1D"):
        model.fit(np.ones((8, 5)), np.ones((8, 1)), verbose=0)
    assert [layer.built for layer in model.layers] == [False] * 3
    assert model.weights == []
    model.fit(np.ones((8, 6, 7)), np.ones((8, 4, 1)), verbose=0)
    assert model.layers[0].kernel.shape == (7, 4)


def test_data_that_does_not_fit_leaves_a_subclassed_model_unbuilt():
    class Net(lamina.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = lamina.layers.Dense(4), lamina.layers.LSTM(2)

        def call(self, x):
            return self.second(self.first(x))

    model = Net()
    with pytest.raises(lamina.ShapeError, match="LSTM"):
        model.predict(np.ones((8, 5)), verbose=0)
    assert not model.first.built
    assert model.predict(np.ones((8, 3, 6)), verbose=0).shape == (8, 2)
