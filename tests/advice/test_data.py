"""Data that does not fit a model: the error says who, where and what to do, and every repair it offers works."""

from __future__ import annotations

import pytest
from repairing import check

_SERIES = """
model = Sequential([Input((50, 3)), layers.GRU(4), layers.Dense(1)], name="sensors")
model.compile("sgd", "mse")
"""
_IMAGES = """
model = Sequential([Input((12, 12, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)], name="photos")
model.compile("sgd", "mse")
"""
_ROWS = """
model = Sequential([Input((6,)), layers.Dense(4), layers.Dense(1)], name="table")
model.compile("sgd", "mse")
"""
_PAIRS = """
left, right = Input((6,), name="left"), Input((4,), name="right")
h = layers.Concatenate()([layers.Dense(4)(left), layers.Dense(4)(right)])
model = Model([left, right], layers.Dense(1)(h), name="siamese")
model.compile("sgd", "mse")
left, right, y = np.zeros((8, 6)), np.zeros((8, 4)), np.zeros((8, 1))
"""

ONE = {
    "swapped_time_and_features": (
        _SERIES
        + """
x_train, y_train = np.zeros((8, 3, 50)), np.zeros((8, 1))
model.fit(x_train, y_train, verbose=0)  # <-
""",
        "sensors",
        r"x_train = np.swapaxes\(x_train, 1, 2\)",
    ),
    "more_features_on_predict": (
        _SERIES
        + """
test = np.zeros((4, 50, 7))
model.predict(test, verbose=0)  # <-
""",
        "sensors",
        r"test = test\[..., :3\]",
    ),
    "longer_series": (
        _SERIES
        + """
x = np.zeros((4, 60, 3))
model.predict(x, verbose=0)  # <-
""",
        "sensors",
        r"x = x\[:, :50\]",
    ),
    "shorter_series": (
        _SERIES
        + """
x = np.zeros((4, 40, 3))
model.evaluate(x, np.zeros((4, 1)), verbose=0)  # <-
""",
        "sensors",
        r"np.pad\(x",
    ),
    "one_series": (
        _SERIES
        + """
series = np.zeros((50, 3))
model.predict(series, verbose=0)  # <-
""",
        "sensors",
        r"series = series\[None\]",
    ),
    "channels_first": (
        _IMAGES
        + """
x, y = np.zeros((5, 3, 12, 12)), np.zeros((5, 2))
model.fit(x, y, verbose=0)  # <-
""",
        "photos",
        r"np.moveaxis\(x, 1, -1\)",
    ),
    "one_image": (
        _IMAGES
        + """
images = np.zeros((5, 12, 12, 3))
model.predict(images[0], verbose=0)  # <-
""",
        "photos",
        r"images\[0\]\[None\]",
    ),
    "one_image_called": (
        _IMAGES
        + """
image = np.zeros((12, 12, 3))
model(image)  # <-
""",
        "photos",
        r"image\[None\]",
    ),
    "expanded_twice": (
        _IMAGES
        + """
image = np.zeros((1, 1, 12, 12, 3))
model.predict(image, verbose=0)  # <-
""",
        "photos",
        r"np.squeeze\(image, 1\)",
    ),
    "grey_for_colour": (
        _IMAGES
        + """
x = np.zeros((5, 12, 12, 1))
model.predict(x, verbose=0)  # <-
""",
        "photos",
        r"np.repeat\(x, 3, axis=-1\)",
    ),
    "transparent_for_colour": (
        _IMAGES
        + """
x = np.zeros((5, 12, 12, 4))
model.predict(x, verbose=0)  # <-
""",
        "photos",
        r"x\[..., :3\]",
    ),
    "another_image_size": (
        _IMAGES
        + """
x = np.zeros((5, 16, 16, 3), "float32")
model.predict(x, verbose=0)  # <-
""",
        "photos",
        r"lamina.ops.image.resize\(x, \(12, 12\)\)|Input\(\(16, 16, 3\)\)",
    ),
    "images_into_dense": (
        """
model = Sequential([Input((784,)), layers.Dense(4), layers.Dense(10)], name="digits")
model.compile("sgd", "mse")
x_train = np.zeros((8, 28, 28))
model.fit(x_train, np.zeros((8, 10)), verbose=0)  # <-
""",
        "digits",
        r"x_train.reshape\(len\(x_train\), -1\)",
    ),
    "rows_into_conv": (
        """
model = Sequential([Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10)], name="digits")
x = np.zeros((8, 64))
model.predict(x, verbose=0)  # <-
""",
        "digits",
        r"x.reshape\(\(-1, 8, 8, 1\)\)",
    ),
    "another_number_of_columns": (
        _ROWS
        + """
x = np.zeros((8, 9))
model.fit(x, np.zeros((8, 1)), verbose=0)  # <-
""",
        "table",
        r"Input\(\(9,\)\)|:6\]",
    ),
    "one_row": (
        _ROWS
        + """
row = np.zeros(6)
model.predict(row, verbose=0)  # <-
""",
        "table",
        r"row\[None\]",
    ),
    "train_on_batch": (
        _ROWS
        + """
x, y = np.zeros((8, 7)), np.zeros((8, 1))
model.train_on_batch(x, y)  # <-
""",
        "table",
        r"Input\(\(7,\)\)|:6\]",
    ),
    "predict_on_batch": (
        _SERIES
        + """
x = np.zeros((8, 3, 50))
model.predict_on_batch(x)  # <-
""",
        "sensors",
        "swapaxes",
    ),
    "deferred_conv2d": (
        """
model = Sequential([layers.Conv2D(4, 3, name="first"), layers.Flatten(), layers.Dense(2)])
model.compile("sgd", "mse")
images = np.zeros((8, 10, 10))
model.fit(images, np.zeros((8, 2)), verbose=0)  # <-
""",
        "first",
        r"images = images\[..., None\]",
    ),
    "deferred_lstm": (
        """
model = Sequential([layers.LSTM(4, name="first"), layers.Dense(2)])
model.compile("sgd", "mse")
x = np.zeros((8, 10))
model.fit(x, np.zeros((8, 2)), verbose=0)  # <-
""",
        "first",
        r"x = x\[..., None\]",
    ),
    "input_shape_of_rows": (
        """
model = Sequential([layers.Dense(4, input_shape=(6,)), layers.Dense(1)], name="table")
x = np.zeros((8, 9))
model.predict(x, verbose=0)  # <-
""",
        "table",
        r"input_shape=\(9,\)",
    ),
    "subclassed_conv1d": (
        """
class Net(Model):
    def __init__(self):
        super().__init__()
        self.conv = layers.Conv1D(4, 3, name="slide")
    def call(self, x):
        return self.conv(x)  # <-
model = Net()
x = np.zeros((8, 20))
model.predict(x, verbose=0)
""",
        "slide",
        r"\[..., None\]",
    ),
    "eager_conv1d": (
        """
layer = layers.Conv1D(4, 3, name="slide")
series = np.zeros((10, 20))
layer(series)  # <-
""",
        "slide",
        r"series\[..., None\]",
    ),
    "a_list_of_samples": (
        _ROWS
        + """
x = [np.zeros(6) for _ in range(5)]
model.predict(x, verbose=0)  # <-
""",
        "table",
        r"np.stack\(x\)",
    ),
}
SEVERAL = {
    "one_array_for_two_inputs": (
        _PAIRS
        + """
model.fit(left, y, verbose=0)  # <-
""",
        "siamese",
        r"\[left, right\]",
    ),
    "swapped_inputs": (
        _PAIRS
        + """
model.fit([right, left], y, verbose=0)  # <-
""",
        "siamese",
        r"\[left, right\]",
    ),
    "swapped_inputs_on_predict": (
        _PAIRS
        + """
model.predict([right, left], verbose=0)  # <-
""",
        "siamese",
        r"\[left, right\]",
    ),
    "one_of_two_inputs_is_off": (
        _PAIRS
        + """
right = np.zeros((8, 9))
model.fit([left, right], y, verbose=0)  # <-
""",
        "right",
        r"right = right\[..., :4\]",
    ),
    "two_arrays_for_one_input": (
        _ROWS
        + """
a, b = np.zeros((8, 4)), np.zeros((8, 2))
model.predict([a, b], verbose=0)  # <-
""",
        "table",
        r"np.concatenate\(\[a, b\], axis=-1\)",
    ),
}
WEIGHTS = {
    "another_number_of_classes": (
        """
def build(classes):
    return Sequential([Input((10,)), layers.Dense(16), layers.Dense(classes, name="head")])
old, new = build(5), build(4)
new.set_weights(old.get_weights())  # <-
""",
        "head",
        r"layers\[:-1\]",
    ),
    "transposed_kernel": (
        """
layer = layers.Dense(3, use_bias=False)
layer.build((None, 4))
weights = [np.zeros((3, 4))]
layer.set_weights(weights)  # <-
""",
        "Dense",
        r"w.T",
    ),
    "without_bias": (
        """
layer = layers.Dense(3, name="plain")
layer.build((None, 4))
layer.set_weights([np.zeros((4, 3))])  # <-
""",
        "plain",
        "use_bias=False",
    ),
}
ALL = {**ONE, **SEVERAL, **WEIGHTS}


@pytest.mark.parametrize("name", ALL)
def test_the_error_explains_itself_and_its_fixes_work(name):
    program, offender, fix = ALL[name]
    check(program, offender, fix)
