"""`accepts` and `solve` on models whose accepted sizes are known, checked by running the sizes."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina.advice import layer_call
from lamina.core.variable import StateScope

layers = lamina.layers
accepts, solve = lamina.shapes.accepts, lamina.shapes.solve


def unet(depth):
    x = inputs = lamina.Input((None, None, 1), name="image")
    skips = []
    for _ in range(depth):
        x = layers.Conv2D(2, 3, padding="same")(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    for skip in reversed(skips):
        x = layers.Concatenate()([skip, layers.UpSampling2D()(x)])
        x = layers.Conv2D(2, 3, padding="same")(x)
    return lamina.Model(inputs, layers.Conv2D(1, 1)(x), name=f"unet_{depth}")


def stack(*parts, channels=2):
    return lamina.Sequential([lamina.Input((None, channels)), *parts])


def pair(merge, shapes=((None, 4), (None, 4))):
    inputs = [lamina.Input(shape, name=name) for name, shape in zip(("left", "right"), shapes, strict=True)]
    return lamina.Model(inputs, merge(*inputs))


def skip(make, shape=(None, 4)):
    x = lamina.Input(shape)
    return lamina.Model(x, make(x))


def autoencoder(depth):
    x = inputs = lamina.Input((None, 1))
    for _ in range(depth):
        x = layers.Conv1D(2, 3, strides=2, padding="same")(x)
    for _ in range(depth):
        x = layers.Conv1DTranspose(2, 3, strides=2, padding="same")(x)
    return lamina.Model(inputs, layers.Subtract()([inputs, layers.Conv1D(1, 1)(x)]))


def same(x):
    return layers.Concatenate()([layers.MaxPooling1D(4)(layers.Cropping1D((0, 1))(x)), layers.Conv1D(1, 4, 4)(x)])


KNOWN = {
    **{
        f"U-Net of depth {d}": (lambda d=d: unet(d), [f"{s}: a multiple of {2**d}" for s in ("height", "width")])
        for d in range(1, 6)
    },
    "valid convolutions": (lambda: stack(layers.Conv1D(4, 3), layers.Conv1D(4, 5)), ["length >= 7"]),
    "valid convolutions and pooling": (
        lambda: stack(layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.Conv1D(4, 5), layers.MaxPooling1D(3)),
        ["length >= 16"],
    ),
    "dilated": (lambda: stack(layers.Conv1D(2, 3, dilation_rate=8)), ["length >= 17"]),
    "recurrent": (lambda: stack(layers.LSTM(3)), ["time: any size"]),
    "autoencoder": (lambda: autoencoder(1), ["length: a multiple of 2, or 1"]),
    "deep autoencoder": (lambda: autoencoder(3), ["length: a multiple of 8, or 1"]),
    "addition": (lambda: pair(lambda a, b: layers.Add()([a, b])), ["left and right: equal length", "length: any size"]),
    "operators": (lambda: pair(lambda a, b: a * b), ["left and right: equal length", "length: any size"]),
    "shared name": (
        lambda: pair(lambda a, b: layers.Concatenate()([a, b]), (("time", 4), ("time", 3))),
        ["left and right: equal time", "time: any size"],
    ),
    "shifted": (
        lambda: pair(lambda a, b: layers.Concatenate()([layers.Conv1D(3, 3)(a), b])),
        ["length_2 = length - 2", "length >= 3"],
    ),
    "twice as long": (
        lambda: pair(lambda a, b: layers.Concatenate()([layers.UpSampling1D(2)(a), b])),
        ["length_2 = 2*length", "length: any size"],
    ),
    "independent": (
        lambda: pair(lambda a, b: layers.Concatenate(axis=1)([a, b])),
        ["length: any size", "length_2: any size"],
    ),
    "reshaped to threes": (lambda: stack(layers.Reshape((-1, 3)), channels=4), ["length: a multiple of 3"]),
    "reshaped to a fixed shape": (lambda: stack(layers.Reshape((5, 4)), channels=4), ["length = 5"]),
    "the user's own reshape": (
        lambda: stack(layers.Lambda(lambda x: jnp.reshape(x, (x.shape[0], -1, 6))), channels=4),
        ["length: a multiple of 3"],
    ),
    "a fixed size": (lambda: stack(layers.Lambda(lambda x: x + jnp.ones((7, 4))), channels=4), ["length = 1 or 7"]),
    "square": (
        lambda: skip(lambda x: layers.Add()([x, layers.Permute((2, 1, 3))(x)]), ("height", "width", 3)),
        ["height = width", "height: any size"],
    ),
    "all but multiples": (lambda: skip(same), ["length: not a multiple of 4, 5 or more"]),
    "declared multiples": (
        lambda: lamina.Sequential([lamina.Input(("16*k", 16, 3)), layers.Conv2D(2, (35, 3))]),
        ["16*k: a multiple of 16, 48 or more"],
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name):
    make, expected = KNOWN[name]
    assert accepts(make()).lines == expected


def traced(model, *sample):
    """The outputs for two samples of that shape."""
    with StateScope(may_create=True):
        return jax.eval_shape(lambda x: model(x), jax.ShapeDtypeStruct((2, *sample), "float32"))


def runs(model, *sample):
    """Whether a call works for samples of that shape; how it could is another question."""
    try:
        with mock.patch.object(layer_call, "advise"):
            return all(0 not in leaf.shape for leaf in jax.tree.leaves(traced(model, *sample)))
    except lamina.ShapeError:
        return False


@pytest.mark.parametrize("name", ["valid convolutions and pooling", "deep autoencoder", "reshaped to threes",
                                  "reshaped to a fixed shape", "all but multiples", "dilated"])  # fmt: skip
def test_every_size_runs_exactly_if_it_is_accepted(name):
    model = KNOWN[name][0]()
    rule = accepts(model).rules["length"]
    channels = model.inputs[0].shape[-1]
    for size in range(1, 40):
        assert runs(model, size, channels) == (size in rule), size


@pytest.mark.parametrize(("name", "sample", "fix"), [
    ("deep autoencoder", (3, 1), "ops.pad(x, ((0, 0), (0, 5), (0, 0)))"),
    ("reshaped to threes", (4, 4), "x[:, :3]"),
    ("reshaped to a fixed shape", (9, 4), "x[:, :5]"),
])  # fmt: skip
def test_data_of_other_sizes_inside_a_function_that_is_traced(name, sample, fix):
    with pytest.raises(lamina.ShapeError) as caught:
        traced(KNOWN[name][0](), *sample)
    assert f"x = {fix}" in [fix.code for fix in caught.value.fixes]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_unet_runs_exactly_at_its_multiples(depth):
    model = unet(depth)
    rules = accepts(model).rules
    for height, width in [(8, 8), (16, 24), (4, 8), (6, 8), (8, 12), (9, 8), (8, 2), (2, 2)]:
        assert runs(model, height, width, 1) == (height in rules["height"] and width in rules["width"])
    size = 2**depth
    assert model.predict(np.ones((1, size, size, 1)), verbose=0).shape == (1, size, size, 1)


def test_equal_sizes_are_told():
    report = accepts(KNOWN["addition"][0]())
    assert report.equal == [["length", "length_2"]]
    assert report.to_dict()["lines"] == report.lines


def test_a_layer_alone_takes_an_input_shape():
    assert accepts(layers.Conv1D(16, 7), (None, None, 2)).lines == ["length >= 7"]
    assert accepts(layers.Dense(2), (None, 3)).lines == ["any number of samples; every other size is fixed"]


def test_what_cannot_be_asked():
    with pytest.raises(ValueError, match="`input_shape` is needed"):
        accepts(layers.Dense(2))
    with pytest.raises(ValueError, match="not the class Dense"):
        accepts(layers.Dense)
    with pytest.raises(ValueError, match="declares its inputs"):
        accepts(unet(1), (None, None, None, 1))


def test_nothing_is_changed_by_asking():
    model = unet(1)
    before = [np.asarray(w) for w in model.weights], len(model.layers[1]._nodes)
    accepts(model)
    assert len(model.layers[1]._nodes) == before[1]
    assert all((a == np.asarray(b)).all() for a, b in zip(before[0], model.weights, strict=True))


@pytest.mark.parametrize("make", [lambda: accepts(unet(1)), lambda: solve(unet(1), (None, 4, 6, 1))])
def test_reports_show_themselves(make):
    report = make()
    for text in (str(report), report.to_text(40), report._repr_html_()):
        assert "unet_1" in text
        assert all(line in text for line in report.lines)


def summary(model, **settings):
    said = []
    model.summary(print_fn=said.append, line_length=120, **settings)
    return said[0]


def test_a_summary_tells_what_is_accepted():
    text = summary(unet(2))
    assert "Accepts height: a multiple of 4" in text
    assert "(None, None, None, 2)" in text
    assert "Accepts" not in summary(lamina.Sequential([lamina.Input((3,)), layers.Dense(2)]))


def test_a_summary_shows_expressions():
    text = summary(stack(layers.Conv1D(16, 3, strides=2), layers.MaxPooling1D(2)), dims=True)
    assert "(batch, (length - 3)//2 + 1, 16)" in text
    assert "(batch, (length - 5)//4 + 1, 16)" in text
    assert "length" not in summary(stack(layers.Conv1D(16, 3))).split("Accepts")[0]


# solve


def test_solutions_are_found_and_run():
    model = stack(layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.Conv1D(4, 5), layers.MaxPooling1D(3))
    report = solve(model, (None, 10, 4))
    assert report.sizes == {"length": [70, 71, 72, 73, 74, 75]}
    for size in (70, 75):
        assert model.predict(np.ones((1, size, 2)), verbose=0).shape == (1, 10, 4)
    assert model.compute_output_shape((None, 69, 2))[1] == 9
    assert report.inputs == {model.input_names[0]: (None, 70, 2)}


def test_a_unet_gives_its_multiples():
    model = unet(4)
    assert solve(model, (None, 128, 64, 1)).sizes == {"height": [128], "width": [64]}
    report = solve(model, (None, 128, 120, 1))
    assert not report.fits
    assert report.lines == ["width is never 120; the nearest are 112 (from width = 112) and 128 (from width = 128)"]
    assert solve(model, (None, None, 96, 1)).lines == ["width = 96", "height: a multiple of 16"]


def test_fixed_sizes_cannot_be_had_otherwise():
    assert solve(unet(1), (None, 8, 8, 3)).lines == ["axis 3 of the output always has size 1, not 3"]


def test_two_inputs_that_go_together_or_alone():
    shifted = KNOWN["shifted"][0]()
    assert solve(shifted, (None, 10, 7)).inputs == {"left": (None, 12, 4), "right": (None, 10, 4)}
    joined = KNOWN["independent"][0]()
    sizes = solve(joined, (None, 10, 4)).inputs
    assert sizes["left"][1] + sizes["right"][1] == 10


def test_malformed_wishes_are_refused():
    for shape, message in [((None, 8, 8), "3 axes"), ((None, 0, 8, 1), "0 is no size"), ([(1, 2), (3, 4)], "2 shapes")]:
        with pytest.raises(ValueError, match=message):
            solve(unet(1), shape)
    with pytest.raises(ValueError, match="declares its inputs"):
        solve(layers.Dense(2), (None, 2))
