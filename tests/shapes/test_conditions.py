import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina.shapes import dims

layers = lamina.layers


def two(*shapes):
    names = ("left", "right")
    return [lamina.Input(shape, name=name) for name, shape in zip(names, shapes, strict=True)]


def merged(merge, *shapes):
    inputs = two(*(shapes or ((None, 4), (None, 4))))
    return lamina.Model(inputs, merge(inputs), name="pair")


def ones(*lengths):
    return [np.ones((2, length, 4), "float32") for length in lengths]


MERGES = {
    "operator": lambda x: x[0] + x[1],
    "ops": lambda x: lamina.ops.concatenate(x, axis=-1),
    "Add": lambda x: layers.Add()(x),
    "Concatenate": lambda x: layers.Concatenate()(x),
    "Lambda": lambda x: layers.Lambda(lambda t: t[0] * t[1])(x),
    "Lambda with a loop": lambda x: layers.Lambda(lambda t: sum((t[0] * t[1])[:, i] for i in range(t[0].shape[1])))(x),
}


@pytest.mark.parametrize("merge", MERGES)
def test_two_open_sizes_may_meet_and_data_must_agree(merge):
    model = merged(MERGES[merge])
    model.predict(ones(5, 5), verbose=0)
    for run in (model, lambda x: model.predict(x, verbose=0)):
        with pytest.raises(lamina.ShapeError) as caught:
            run(ones(5, 6))
        for said in ('"pair"', '"left"', '"right"', "=5", "=6"):
            assert said in str(caught.value)


def test_sizes_that_stretch_are_taken():
    assert merged(MERGES["Add"]).predict(ones(5, 1), verbose=0).shape == (2, 5, 4)


def test_a_condition_may_hold_expressions():
    model = merged(lambda x: layers.Concatenate()([layers.Conv1D(3, 3)(x[0]), x[1]]))
    assert model.predict(ones(7, 5), verbose=0).shape == (2, 5, 7)
    with pytest.raises(lamina.ShapeError, match=r"length - 2 = length_2"):
        model(ones(7, 7))


def test_a_name_used_twice_is_one_size():
    model = merged(lambda x: layers.Dense(2)(x[0]), ("time", 4), ("time", 4))
    model(ones(5, 5))
    with pytest.raises(lamina.ShapeError, match='inputs "left" and "right" must agree in time'):
        model(ones(5, 6))


def test_a_declared_multiple_is_checked():
    model = lamina.Sequential([lamina.Input(("16*k", "16*m", 3)), layers.Conv2D(2, 3)])
    assert str(model.output.dims) == "(batch, 16*k - 2, 16*m - 2, 2)"
    model(np.ones((1, 32, 16, 3)))
    with pytest.raises(lamina.ShapeError, match=r"declared as 16\*m; 15 is no such size"):
        model(np.ones((1, 32, 15, 3)))


def test_a_model_inside_another_keeps_its_conditions():
    inner = merged(MERGES["Add"])
    inputs = two((None, 4), (None, 4))
    outer = lamina.Model(inputs, inner(inputs), name="outer")
    with pytest.raises(lamina.ShapeError, match='"outer"'):
        outer(ones(5, 6))


@pytest.mark.parametrize(
    "make",
    [
        lambda shape: lamina.Input(shape),
        lambda shape: lamina.Input(batch_shape=(None, *shape)),
        lambda shape: lamina.Sequential([layers.Dense(2, input_shape=shape)]).inputs[0],
        lambda shape: lamina.Sequential([layers.Dense(2, batch_input_shape=(None, *shape))]).inputs[0],
    ],
)
def test_names_and_expressions_wherever_a_shape_is_declared(make):
    tensor = make(("2*time + 1", 8))
    assert str(tensor.dims) == "(batch, 2*time + 1, 8)"
    assert tensor.shape == (None, None, 8)


@pytest.mark.parametrize(
    ("shape", "message"), [(("a b",), "as a dimension"), (("-3",), "negative"), (("any_size_1",), "own")]
)
def test_bad_names_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        lamina.Input(shape)


def test_open_sizes_are_named_after_the_axes_of_the_first_layer():
    lamina.utils.clear_session()
    a, b = two((None, 3), (None, 3))
    layers.LSTM(2)(a), layers.Conv1D(2, 3)(b)
    assert (str(a.dims), str(b.dims)) == ("(batch, time, 3)", "(batch, length, 3)")
    c = lamina.Input((None, 3))
    layers.LSTM(2)(c)
    assert str(c.dims) == "(batch, time_2, 3)"
    assert dims.naming(dims.symbols(c.dims)) == {str(c.dims[0]): "batch", str(c.dims[1]): "time"}


def reshaping(shape):
    return layers.Lambda(lambda x: jnp.reshape(x, (x.shape[0], *shape)))


@pytest.mark.parametrize("shape", [(3, 3), (5,), (2, 2, 3)])
def test_a_reshape_that_cannot_fit_is_refused_while_the_batch_is_open(shape):
    with pytest.raises(lamina.ShapeError, match="reshape"):
        reshaping(shape)(lamina.Input((4,)))


def test_a_reshape_that_fits_one_open_size_makes_it_a_condition():
    x = lamina.Input((None, 4))
    model = lamina.Model(x, reshaping((20,))(x), name="m")
    assert model.output_shape == (None, 20)
    assert model(np.ones((2, 5, 4))).shape == (2, 20)
    with pytest.raises(lamina.ShapeError, match="length=6"):
        model(np.ones((2, 6, 4)))
