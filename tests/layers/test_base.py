"""The layer base: weights, building, calling, losses, masks, types, configuration, errors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core import context
from lamina.shapes import ShapeError


class Scale(layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

    def call(self, inputs):
        return inputs * self.factor


class Tower(layers.Layer):
    """Sub-layers in a list, in a dict of lists, and one more."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.own = self.add_weight((), "zeros", name="own", trainable=False)
        self.steps = [layers.Dense(2)]
        self.branches = {"a": [layers.Dense(3, use_bias=False)], "b": (layers.BatchNormalization(),)}

    def call(self, x):
        for layer in [*self.steps, *self.branches["a"], *self.branches["b"]]:
            x = layer(x)
        return x


def names(variables):
    return [v.path for v in variables]


def test_weights_through_lists_and_dicts():
    tower = Tower(name="tower")
    tower.steps.append(layers.Dense(4, name="late"))
    tower(np.ones((2, 3), "float32"))
    assert len(tower.weights) == 1 + 2 + 2 + 1 + 4
    assert len(tower.trainable_weights) == 2 + 2 + 1 + 2
    assert len(tower.non_trainable_weights) == 3
    assert any(name.startswith("late") or "/late/" in name for name in names(tower.weights))
    assert tower.weights[0] is tower.own
    assert tower.count_params() == 1 + (3 * 2 + 2) + (2 * 4 + 4) + 4 * 3 + 4 * 3
    values = [w + 1 for w in tower.get_weights()]
    tower.set_weights(values)
    for got, value in zip(tower.get_weights(), values):
        np.testing.assert_array_equal(got, value)


def test_trainable_reaches_inner_layers():
    tower = Tower()
    tower(np.ones((2, 3), "float32"))
    tower.trainable = False
    assert tower.trainable_weights == []
    assert not tower.steps[0].trainable
    tower.trainable = True
    tower.steps[0].trainable = False
    assert len(tower.trainable_weights) == 1 + 2
    assert len(tower.weights) == len(tower.trainable_weights) + len(tower.non_trainable_weights)


def test_set_weights_refuses_without_setting():
    layer = layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(ShapeError, match="2 weights; 1 were given") as caught:
        layer.set_weights(before[:1])
    assert caught.value.expected == "kernel (3, 2), bias (2,)"
    with pytest.raises(ShapeError, match="bias"):
        layer.set_weights([before[0] + 1, np.zeros(3)])
    np.testing.assert_array_equal(layer.get_weights()[0], before[0])


def test_count_params_needs_a_built_layer():
    with pytest.raises(ValueError, match="not built"):
        layers.Dense(2).count_params()


def test_add_weight_finds_its_settings_by_name():
    class Own(layers.Layer):
        def __init__(self):
            super().__init__()
            self.slope_initializer = "ones"
            self.slope_regularizer = "l2"
            self.slope_constraint = "non_neg"
            self.slope = self.add_weight((2,), name="slope")
            self.count = self.add_weight((), dtype="int32", trainable=False)

        def call(self, x):
            return x * self.slope

    layer = Own()
    assert layer.slope.numpy().tolist() == [1.0, 1.0]
    assert layer.slope.constraint is not None
    assert float(layer.losses[0]) == pytest.approx(0.02)
    assert layer.count.dtype == "int32"
    assert int(layer.count) == 0


def test_add_weight_with_an_open_size():
    class Wrong(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((input_shape[1],), name="w")

        def call(self, x):
            return x

    with pytest.raises(ShapeError, match="weight 'w' cannot have the shape"):
        Wrong()(lamina.Input((None, 3)))


def test_losses_are_those_of_the_last_call():
    class Costly(layers.Layer):
        def call(self, x):
            self.add_loss(jnp.sum(x))
            return x

    layer = Costly()
    layer(np.ones((2, 3)))
    layer(np.full((2, 3), 2.0))
    assert [float(loss) for loss in layer.losses] == [12.0]
    assert float(layer.stateless_call([], [], np.ones((1, 2)), return_losses=True)[2][0]) == 2.0
    symbolic = Costly()
    symbolic(lamina.Input((3,)))
    assert symbolic.losses == []


def test_activity_regularizer_counts_per_sample():
    layer = layers.Activation("linear", activity_regularizer="l1")
    layer(np.full((4, 3), -1.0))
    assert float(layer.losses[0]) == pytest.approx(0.01 * 3)
    assert layer.get_config()["activity_regularizer"]["class_name"] == "L1"


def test_masks_are_passed_on_and_end_with_a_warning():
    x = np.array([[[1.0], [0.0]]])
    masked = layers.Masking()(x)
    passed = layers.Dense(2)(masked)
    assert np.asarray(context.masks.get(passed)).tolist() == [[True, False]]

    class Blind(layers.Layer):
        def call(self, inputs):
            return inputs + 1

    with pytest.warns(UserWarning, match="does not support masks"):
        out = Blind()(passed)
    assert context.masks.get(out) is None

    class Sees(Blind):
        def call(self, inputs, mask=None):
            return inputs * mask[..., None]

        def compute_mask(self, inputs, mask=None):
            return ~mask

    seen = Sees()(masked)
    assert np.asarray(seen).ravel().tolist() == [1.0, 0.0]
    assert np.asarray(context.masks.get(seen)).tolist() == [[False, True]]
    symbolic = layers.Masking()(lamina.Input((5, 1)))
    assert symbolic._keras_mask.shape == (None, 5)
    assert Sees()(symbolic)._keras_mask.shape == (None, 5)


@pytest.mark.parametrize(
    ("dtype", "weights", "outputs"),
    [("mixed_bfloat16", "float32", "bfloat16"), ("float16", "float16", "float16"), ("float32", "float32", "float32")],
)
def test_dtype_policies(dtype, weights, outputs):
    layer = layers.Dense(2, dtype=dtype)
    out = layer(np.ones((2, 3)))
    assert out.dtype == outputs
    assert layer.kernel.dtype == weights
    assert (layer.compute_dtype, layer.variable_dtype, layer.dtype) == (outputs, weights, weights)
    assert layers.Dense(2, dtype=dtype)(lamina.Input((3,))).dtype == outputs
    assert layers.Dense.from_config(layer.get_config()).dtype_policy == layer.dtype_policy


def test_float64():
    with jax.enable_x64(True):
        layer = layers.Dense(2, dtype="float64")
        assert layer(np.ones((2, 3))).dtype == "float64"
        assert layer.kernel.numpy().dtype == "float64"


def test_autocast_off_keeps_the_inputs_type():
    class Types(layers.Layer):
        def call(self, x):
            self.seen = str(x.dtype)
            return x

    layer = Types(dtype="float16")
    layer(np.ones((1,), "float32"))
    assert layer.seen == "float16"
    layer = Types(dtype="float16", autocast=False)
    layer(np.ones((1,), "float32"))
    assert layer.seen == "float32"
    layer(np.ones((1,), "int32"))
    assert layer.seen == "int32"


def test_unknown_dtype():
    with pytest.raises(ValueError, match="mixed_bfloat16"):
        layers.Dense(2, dtype="mixed_bfloat61")


def test_stateless_call_is_pure():
    layer = layers.BatchNormalization()
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    layer.build(x.shape)
    before = layer.get_weights()
    trainable = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]

    @jax.jit
    def step(trainable, others, x):
        return layer.stateless_call(trainable, others, x, training=True)

    out, after = step([2 * t for t in trainable], others, x)
    for a, b in zip(layer.get_weights(), before):
        np.testing.assert_array_equal(a, b)
    assert not np.allclose(after[0], others[0])
    layer.set_weights([2 * before[0], 2 * before[1], *before[2:]])
    np.testing.assert_allclose(layer(x, training=True), out, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.moving_mean.numpy(), after[0], rtol=1e-5)
    with pytest.raises(ValueError, match="`trainable_variables` has 1 values"):
        layer.stateless_call(trainable[:1], others, x)
    with pytest.raises(ValueError, match="has no weights yet"):
        layers.Dense(2).stateless_call([], [], x)


def test_compute_output_shape_leaves_the_layer_unbuilt():
    tower = Tower()
    assert tower.compute_output_shape((None, 5)) == (None, 3)
    assert not tower.built
    assert not tower.steps[0].built
    assert tower(np.ones((2, 7), "float32")).shape == (2, 3)
    assert layers.Dense(2).compute_output_shape((8, None, 3)) == (8, None, 2)
    with pytest.raises(ShapeError):
        layers.Dense(2).compute_output_shape((3,))


def test_config_of_a_layer_without_get_config():
    class Plain(layers.Layer):
        def __init__(self, width, power=2.0, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(width)
            self.exponent = power

        def call(self, x):
            return self.dense(x) ** self.exponent

    layer = Plain(3, power=3.0, name="mine", trainable=False)
    config = layer.get_config()
    assert (config["width"], config["power"], config["name"], config["trainable"]) == (3, 3.0, "mine", False)
    again = Plain.from_config(config)
    assert (again.dense.units, again.exponent, again.name, again.trainable) == (3, 3.0, "mine", False)


def test_config_of_a_layer_with_get_config():
    class Careful(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.n = units * 2

        def get_config(self):
            return {**super().get_config(), "units": self.n // 2}

        def call(self, x):
            return x

    assert Careful.from_config(Careful(4).get_config()).n == 8


def test_subclass_of_a_built_in():
    class Named(layers.Dense):
        def __init__(self, units, label="x", **kwargs):
            super().__init__(units, **kwargs)
            self.label = label

        def call(self, inputs):
            return super().call(inputs) + 1.0

    layer = Named(2, label="y", activation="relu", kernel_initializer="zeros")
    assert layer(np.ones((1, 3), "float32")).tolist() == [[1.0, 1.0]]
    again = Named.from_config(layer.get_config())
    assert (again.units, again.label, again.activation.__name__) == (2, "y", "relu")
    assert again(np.ones((1, 3), "float32")).tolist() == [[1.0, 1.0]]

    class Fixed(layers.Dense):
        def __init__(self):
            super().__init__(5, activation="tanh")

    assert Fixed.from_config(Fixed().get_config()).units == 5


def test_a_build_that_calls_its_parents():
    class More(layers.Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.extra = self.add_weight((1,), "ones", name="extra")

        def call(self, inputs):
            return super().call(inputs) * self.extra

    layer = More(2)
    layer(np.ones((1, 3)))
    assert [w.name for w in layer.weights] == ["kernel", "bias", "extra"]
    with pytest.raises(ShapeError, match="features=4"):
        layer(np.ones((1, 4)))


def test_super_init_missing():
    class Forgot(layers.Layer):
        def __init__(self):
            self.units = 3

        def call(self, x):
            return x

    with pytest.raises(ValueError, match=r"Forgot.__init__ must call super\(\).__init__\(\)"):
        Forgot()(np.ones(3))


def test_wrong_compute_output_shape():
    class Liar(Scale):
        def compute_output_shape(self, input_shape):
            return (input_shape[0], 7)

    with pytest.raises(ShapeError, match="does not say what call gives") as caught:
        Liar()(lamina.Input((3,)))
    assert "(None, 7)" in caught.value.expected
    assert "(None, 3)" in caught.value.received


def test_no_call():
    with pytest.raises(ValueError, match="has no `call"):
        layers.Layer()(np.ones(3))


def test_input_and_output():
    x = lamina.Input((3,))
    layer = layers.Dense(2)
    with pytest.raises(AttributeError, match="has not been called"):
        layer.output
    y = layer(x)
    assert layer.input is x
    assert layer.output is y
    assert (layer.input_shape, layer.output_shape) == ((None, 3), (None, 2))
    layer(lamina.Input((3,)))
    assert layer.input is x
    assert layer.output is y


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        ({"ndim": 3}, (2, 3), "3 axes"),
        ({"min_ndim": 3}, (2, 3), "3 axes or more"),
        ({"max_ndim": 2}, (2, 3, 4), "2 axes at most"),
        ({"axes": {-1: 4}}, (2, 3), "axis -1 of size 4"),
        ({"shape": (None, 4)}, (2, 3), "axis 1 of size 4"),
    ],
)
def test_input_spec(spec, shape, words):
    class Demanding(layers.Layer):
        def __init__(self):
            super().__init__()
            self.input_spec = layers.InputSpec(**spec)

        def call(self, x):
            return x

    with pytest.raises(ShapeError) as caught:
        Demanding()(np.ones(shape))
    assert words in caught.value.expected
    assert layers.InputSpec.from_config(layers.InputSpec(**spec).get_config()).problem(shape) == words + (
        f" ({next(iter(spec))}={next(iter(spec.values()))})" if "dim" in next(iter(spec)) else ""
    )


def test_input_spec_accepts():
    spec = layers.InputSpec(ndim=2, axes={-1: 4})
    assert spec.problem((None, 4)) is None
    assert spec.problem((None, None)) is None


def test_keras_2_arguments():
    assert layers.Dense(np.int64(3), input_shape=(4,))._declared_input == (None, 4)
    assert layers.Dense(3, input_dim=4)._declared_input == (None, 4)
    assert layers.Dense(3, batch_input_shape=(8, 4))._declared_input == (8, 4)
    layer = layers.Dense(2, weights=[np.ones((3, 2)), np.ones(2)])
    assert layer(np.ones((1, 3), "float32")).tolist() == [[4.0, 4.0]]
    with pytest.raises(ValueError, match=r"write \(4,\)"):
        layers.Dense(3, input_shape=4)


def test_unknown_argument():
    with pytest.raises(TypeError, match="did you mean 'trainable'"):
        layers.Dense(3, trainabel=False)


def test_object_arrays_are_refused():
    with pytest.raises(ValueError, match="array of object"):
        layers.Dense(3)(np.array([["a", None]], dtype=object))
