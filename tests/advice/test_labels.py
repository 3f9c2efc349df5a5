"""Labels, weights and batches that do not fit: what the error says, and that every repair it offers works."""

from __future__ import annotations

import re

import numpy as np
import pytest
import repairing

import lamina
from lamina import Input, Model, Sequential, layers, losses, ops
from lamina.shapes import ShapeError

RNG = np.random.default_rng(0)


def rand(*shape):
    return RNG.random(shape, dtype="float32")


def classes(n, size=24):
    return RNG.permutation(np.arange(size) % n)


def one_hot(n, size=24):
    return np.eye(n, dtype="float32")[classes(n, size)]


@pytest.fixture(autouse=True)
def _afresh():
    lamina.utils.clear_session(free_memory=False)


def program(shape, stack, loss, labels):
    """A program with one layer on each line; `labels` are statements that make `y`."""
    lines = [f"    {layer}," for layer in stack]
    return "\n".join(
        [
            f"x = rand(24, *{shape})",
            labels,
            f"model = Sequential([\n    Input({shape}),",
            *lines,
            "])",
            f'model.compile("sgd", loss="{loss}")',
            "model.fit(x, y, epochs=1, verbose=0)",
        ]
    )


def run(source):
    """The error that a program raises; warnings about shapes count as errors."""
    scope = {"np": np, "rand": rand, "classes": classes, "one_hot": one_hot, "keras": lamina}
    scope |= {"Sequential": Sequential, "Input": Input, "layers": layers, "ops": ops, "Model": Model}
    return repairing.run(source, scope, strict=True)[1]


SOFTMAX3 = 'layers.Dense(3, activation="softmax", name="out")'
RNN = 'layers.LSTM(4, name="memory")'
RNN_ALL = 'layers.LSTM(4, return_sequences=True, name="memory")'
CASES = {
    "numbers_for_categorical": (
        (4,),
        [SOFTMAX3],
        "categorical_crossentropy",
        "y = classes(3)",
        r"sparse_cat.*\n.*to_cat",
    ),
    "column_for_categorical": ((4,), [SOFTMAX3], "categorical_crossentropy", "y = classes(3)[:, None]", r"sparse_cat"),
    "one_hot_for_sparse": ((4,), [SOFTMAX3], "sparse_categorical_crossentropy", "y = one_hot(3)", r"argmax\(-1\)"),
    "one_hot_wider_for_sparse": ((4,), [SOFTMAX3], "sparse_categorical_crossentropy", "y = one_hot(5)", r"Dense\(5"),
    "too_many_columns": ((4,), [SOFTMAX3], "categorical_crossentropy", "y = one_hot(5)", r"Dense\(5, .*name=\"out\""),
    "empty_first_column": (
        (4,),
        [SOFTMAX3],
        "categorical_crossentropy",
        "y = np.eye(4)[classes(3) + 1]",
        r"y\[\.\.\., 1:\].*\n.*Dense\(4",
    ),
    "one_unit_for_one_hot": (
        (4,),
        ['layers.Dense(1, activation="sigmoid", name="out")'],
        "binary_crossentropy",
        "y = one_hot(7)",
        r"Dense\(7, activation=\"softmax\".*categorical_crossentropy",
    ),
    "one_unit_for_two": (
        (4,),
        ['layers.Dense(1, activation="sigmoid", name="out")'],
        "binary_crossentropy",
        "y = one_hot(2)",
        r"\[:, 1:\]",
    ),
    "values": ((4,), ['layers.Dense(2, name="out")'], "mse", "y = rand(24, 5)", r"Dense\(5, name=\"out\"\)"),
    "flat_for_three_units": ((4,), ['layers.Dense(3, name="out")'], "mse", "y = rand(24)", r"Dense\(1, name"),
    "numbers_for_binary": (
        (4,),
        ['layers.Dense(2, activation="softmax", name="out")'],
        "binary_crossentropy",
        "y = classes(2)",
        r"sparse_categorical.*\n.*Dense\(1, activation=\"sigmoid\"",
    ),
    "class_beyond": ((4,), [SOFTMAX3], "sparse_categorical_crossentropy", "y = classes(4)", r"Dense\(4, activation"),
    "class_from_one": (
        (4,),
        [SOFTMAX3],
        "sparse_categorical_crossentropy",
        "y = classes(3) + 1",
        r"y - 1.*\n.*Dense\(4",
    ),
    "one_unit_for_classes": (
        (4,),
        ['layers.Dense(1, name="out")'],
        "sparse_categorical_crossentropy",
        "y = classes(3)",
        r"Dense\(3, activation=\"softmax",
    ),
    "sequence_for_one": (
        (6, 3),
        [RNN_ALL, 'layers.Dense(1, activation="sigmoid", name="out")'],
        "binary_crossentropy",
        "y = classes(2)",
        r"return_sequences=False in \"memory\"",
    ),
    "sequence_for_class": (
        (6, 3),
        [RNN_ALL, SOFTMAX3],
        "sparse_categorical_crossentropy",
        "y = classes(3)",
        r"GlobalAveragePooling1D",
    ),
    "one_for_sequence": (
        (6, 3),
        [RNN, SOFTMAX3],
        "sparse_categorical_crossentropy",
        "y = RNG_CLASSES",
        r"return_sequences=True in \"memory\"",
    ),
    "no_flatten": (
        (8, 8, 3),
        ["layers.Conv2D(4, 3)", SOFTMAX3],
        "categorical_crossentropy",
        "y = one_hot(3)",
        r"GlobalAveragePooling2D\(\) before \"out\".*\n.*Flatten",
    ),
    "pooled_for_map": (
        (8, 8, 3),
        ['layers.GlobalAveragePooling2D(name="gap")', 'layers.Dense(1, name="out")'],
        "mse",
        "y = rand(24, 8, 8, 1)",
        r"leave \"gap\" out",
    ),
    "masks_in_colour": (
        (8, 8, 3),
        ['layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask")'],
        "binary_crossentropy",
        "y = np.repeat(RNG_MASKS, 3, axis=-1)",
        r"\[\.\.\., :1\].*\n.*Conv2D\(3, 3",
    ),
    "colour_class_masks": (
        (8, 8, 3),
        ['layers.Conv2D(2, 3, padding="same", activation="softmax", name="mask")'],
        "sparse_categorical_crossentropy",
        "y = np.repeat(RNG_MASKS, 3, axis=-1)",
        r"\[\.\.\., :1\]",
    ),
    "masks_channels_first": (
        (8, 8, 3),
        ['layers.Conv2D(1, 3, padding="same", name="mask")'],
        "binary_crossentropy",
        "y = rand(24, 1, 8, 8)",
        r"transpose\(0, 2, 3, 1\)",
    ),
    "series_swapped": (
        (6, 3),
        [RNN_ALL, 'layers.Dense(2, name="out")'],
        "mse",
        "y = rand(24, 2, 6)",
        r"transpose\(0, 2, 1\)",
    ),
    "smaller_map": (
        (12, 12, 3),
        ['layers.Conv2D(4, 3, name="a")', 'layers.Conv2D(1, 3, name="b")'],
        "mse",
        "y = rand(24, 12, 12, 1)",
        r"padding=\"same\" in a, b.*\n.*y\[:, 2:10, 2:10\]",
    ),
    "pooled_map": (
        (8, 8, 3),
        ['layers.MaxPooling2D(2, name="pool")', 'layers.Conv2D(1, 1, name="out")'],
        "mse",
        "y = rand(24, 8, 8, 1)",
        r"UpSampling2D\(2\)",
    ),
    "rounded_up": (
        (6, 6, 3),
        [
            'layers.MaxPooling2D(2, padding="same")',
            'layers.MaxPooling2D(2, padding="same")',
            "layers.UpSampling2D(4)",
            'layers.Conv2D(3, 3, padding="same", name="out")',
        ],
        "mse",
        "y = x",
        r"Cropping2D\(\(\(1, 1\), \(1, 1\)\)\) at the end",
    ),
    "flat_map": (
        (8, 8, 3),
        ['layers.Conv2D(1, 1, name="out")'],
        "mse",
        "y = rand(24, 64)",
        r"reshape\(-1, 8, 8, 1\).*\n.*Flatten",
    ),
    "axis_too_many": ((4,), ['layers.Dense(3, name="out")'], "mse", "y = rand(24, 1, 3)", r"y\.reshape\(-1, 3\)"),
    "activation_apart": (
        (4,),
        ['layers.Dense(3, name="out")', 'layers.Activation("softmax")'],
        "categorical_crossentropy",
        "y = one_hot(4)",
        r"layers\.Dense\(4, name=\"out\"\)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_error_explains_itself_and_its_fixes_work(case):
    shape, stack, loss, labels, wanted = CASES[case]
    labels = labels.replace("RNG_CLASSES", "np.arange(24 * 6).reshape(24, 6) % 3")
    labels = labels.replace("RNG_MASKS", "(np.arange(24 * 64).reshape(24, 8, 8, 1) % 2)")
    source = program(shape, stack, loss, labels)
    error = run(source)
    assert error is not None
    text = "\n".join(map(str, error.fixes))
    assert re.search(wanted, text), text
    assert 1 <= len(error.fixes) <= 3
    assert not error.fixes[0].title.startswith("or ")
    assert "model.fit(x, y" in str(error)


def error_of(function):
    with pytest.raises(ShapeError) as caught:
        function()
    return caught.value


def classifier(units=3, loss="categorical_crossentropy"):
    model = Sequential([Input((4,)), layers.Dense(units, activation="softmax", name="out")])
    model.compile("sgd", loss)
    return model


# Names


def test_the_users_own_names():
    targets = classes(3)
    error = error_of(lambda: classifier().fit(rand(24, 4), targets, verbose=0))
    assert "targets = keras.utils.to_categorical(targets, 3)" in str(error)


def test_labels_made_one_hot_in_the_call():
    labels = classes(3) + 1
    error = error_of(lambda: classifier().fit(rand(24, 4), lamina.utils.to_categorical(labels), verbose=0))
    assert "keras.utils.to_categorical(labels - 1)" in str(error.fixes[0])


def test_labels_to_validate_on():
    x, y, masks = rand(24, 4), one_hot(3), np.eye(4)[classes(3) + 1]
    error = error_of(lambda: classifier().fit(x, y, validation_data=(x, masks), verbose=0))
    assert "masks = masks[..., 1:]" in str(error.fixes[0])
    assert "validation_data" in str(error)


def test_labels_of_one_of_several_outputs():
    x, kinds = Input((4,)), classes(3)
    model = Model(x, [layers.Dense(1, name="size")(x), layers.Dense(3, name="kind")(x)])
    model.compile("sgd", ["mse", "categorical_crossentropy"])
    error = error_of(lambda: model.fit(rand(24, 4), [rand(24, 1), kinds], verbose=0))
    assert "kinds = keras.utils.to_categorical(kinds, 3)" in str(error)


def test_a_model_without_a_graph():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.out = layers.Dense(3, activation="softmax", name="out")

        def call(self, x):
            return self.out(x)

    model = Net()
    model.compile("sgd", "categorical_crossentropy")
    error = error_of(lambda: model.fit(rand(24, 4), one_hot(5), verbose=0))
    assert 'layers.Dense(5, activation="softmax", name="out")' in str(error)


def test_nothing_of_the_users_is_changed_by_trying():
    model = classifier()
    before = [w.copy() for w in model.get_weights()]
    nodes = [len(layer._nodes) for layer in model.layers]
    error_of(lambda: model.fit(rand(24, 4), one_hot(5), verbose=0))
    assert [len(layer._nodes) for layer in model.layers] == nodes
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert layers.Dense(2).name == "dense"


# Metrics, custom functions


def test_a_metric_for_the_other_kind_of_labels():
    model = classifier(loss="sparse_categorical_crossentropy")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[lamina.metrics.CategoricalAccuracy()])
    error = error_of(lambda: model.fit(rand(24, 4), classes(3), verbose=0))
    assert 'metrics=["sparse_categorical_accuracy"]' in str(error.fixes[0])


def test_the_failing_line_of_a_loss_with_its_tensors():
    def weighted(y_true, y_pred):
        scale = ops.ones((3,))
        return ops.mean(scale * (y_true - y_pred))

    model = Sequential([Input((4,)), layers.Dense(2)])
    model.compile("sgd", weighted)
    error = error_of(lambda: model.fit(rand(24, 4), rand(24, 2), verbose=0))
    assert "return ops.mean(scale * (y_true - y_pred))" in str(error)
    assert "scale (3,)   y_true (24, 2)   y_pred (24, 2)" in str(error)


def test_the_failing_line_of_a_layer_with_its_tensors():
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight((3,), name="scale")

        def call(self, x):
            doubled = x * 2
            return doubled * self.scale

    error = error_of(lambda: Scale()(Input((5,))))
    assert "return doubled * self.scale" in str(error)
    assert "doubled (None, 5)   self.scale (3,)" in str(error)


# Weights


def regressor(*stack, shape=(6, 3)):
    model = Sequential([Input(shape), *stack])
    model.compile("sgd", "mse")
    return model


def test_repairs_of_weights_work():
    x, y, weights = rand(4, 8, 8, 1), rand(4, 8, 8, 1), rand(4, 64)
    model = regressor(layers.Conv2D(1, 1), shape=(8, 8, 1))
    error = error_of(lambda: model.fit(x, y, sample_weight=weights, verbose=0))
    assert error.fixes[0].code == "weights = weights.reshape(-1, 8, 8)"
    for fix in error.fixes:
        scope = {"weights": weights}
        exec(fix.code, scope)
        model.fit(x, y, sample_weight=scope["weights"], verbose=0)


def test_weights_of_steps_for_one_output():
    x, y, w = rand(24, 6, 3), rand(24, 1), rand(24, 6)
    model = regressor(layers.LSTM(4), layers.Dense(1))
    error = error_of(lambda: model.fit(x, y, sample_weight=w, verbose=0))
    assert [fix.code for fix in error.fixes] == ["w = w.mean(axis=1)", "w = w[:, -1]"]


def test_a_loss_that_gives_one_value_for_two_samples():
    def pairs(y_true, y_pred):
        return ops.mean(ops.reshape(ops.square(y_true - y_pred), (-1, 2)), axis=-1)

    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", pairs)
    error = error_of(lambda: model.fit(rand(16, 4), rand(16, 1), sample_weight=rand(16), verbose=0))
    assert "one value per sample" in str(error)
    assert "ops.repeat(values, 2" in str(error.fixes[0])


@pytest.mark.parametrize(
    ("weights", "labels", "fix"),
    [
        ({"cat": 1.0, "dog": 2.0}, classes(3), "class_weight={0: 1.0, 1: 2.0}"),
        ({1: 1.0, 2: 2.0, 3: 1.0}, one_hot(3), "class_weight={0: 1.0, 1: 2.0, 2: 1.0}"),
        ([1.0, 2.0, 1.0], classes(3), "class_weight=dict(enumerate(weights))"),
    ],
)
def test_keys_of_class_weights(weights, labels, fix):
    loss = "sparse_categorical_crossentropy" if labels.ndim == 1 else "categorical_crossentropy"
    error = error_of(lambda: classifier(loss=loss).fit(rand(24, 4), labels, class_weight=weights, verbose=0))
    assert fix in str(error)
    assert "test_labels.py" in str(error)


# Data


def test_labels_of_another_split():
    x_train, y_train = rand(24, 4), classes(3)
    y_test = y_train[:10]
    error = error_of(lambda: classifier(loss="sparse_categorical_crossentropy").fit(x_train, y_test, verbose=0))
    assert "x_train[:10]" in str(error)
    with pytest.raises(ShapeError, match=r"same number of samples: y=y_train"):
        classifier(loss="sparse_categorical_crossentropy").fit(x_train, y_test, verbose=0)


def test_a_generator_of_single_samples():
    def samples():
        while True:
            yield rand(6, 3), np.float32(1)

    model = regressor(layers.LSTM(4), layers.Dense(1))
    error = error_of(lambda: model.fit(samples(), steps_per_epoch=2, verbose=0))
    assert "yield rand(6, 3)[None], np.array([np.float32(1)])" in str(error.fixes[0])
    assert "test_labels.py" in str(error)


def test_a_generator_of_too_many_parts():
    def batches():
        a, b, c, target = rand(8, 4), rand(8, 5), rand(8, 6), one_hot(3, 8)
        while True:
            yield a, b, c, target

    inputs = [Input((n,)) for n in (4, 5, 6)]
    model = Model(inputs, layers.Dense(3, activation="softmax")(layers.Concatenate()(inputs)))
    model.compile("sgd", "categorical_crossentropy")
    error = error_of(lambda: model.fit(batches(), steps_per_epoch=2, verbose=0))
    assert [fix.code for fix in error.fixes] == ["yield (a, b, c), target"]
    assert "4 entries of shapes (8, 4), (8, 5), (8, 6), (8, 3)" in str(error)


def test_a_generator_of_several_inputs_in_a_row():
    def batches():
        while True:
            yield rand(8, 4), rand(8, 5), rand(8, 1)

    first, second = Input((4,)), Input((5,))
    model = Model([first, second], layers.Dense(1)(layers.Concatenate()([first, second])))
    model.compile("sgd", "mse")
    error = error_of(lambda: model.fit(batches(), steps_per_epoch=2, verbose=0))
    assert [fix.code for fix in error.fixes] == ["yield (rand(8, 4), rand(8, 5)), rand(8, 1)"]


def test_a_generator_without_targets():
    error = error_of(lambda: classifier().fit(iter([rand(8, 4)]), verbose=0))
    assert "x and y" in error.expected
    assert "give `y`, or let the stream's batches be (x, y)" in str(error)
    assert not error.fixes  # nobody knows the targets


def test_a_mask_value_among_the_classes():
    model = classifier(loss="sparse_categorical_crossentropy")
    error = error_of(lambda: model.fit(rand(24, 4), classes(3) - 1, verbose=0))
    assert "ignore_class=-1" in str(error.fixes[0])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=-1))
    model.fit(rand(24, 4), classes(3) - 1, verbose=0)


def test_a_direct_call_of_a_loss_has_repairs():
    error = error_of(lambda: losses.sparse_categorical_crossentropy(one_hot(3), rand(24, 3)))
    assert "argmax" in str(error.fixes[0])
