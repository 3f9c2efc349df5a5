"""Layers that do not fit together: the error says who, where and what to do, and every repair it offers works."""

from __future__ import annotations

import pytest
from repairing import check

# name: (program, who is named, what a fix must say)
RANKS = {
    "stacked_lstm": (
        """
model = Sequential()
model.add(Input((12, 8)))
model.add(layers.LSTM(16, name="first"))
model.add(layers.LSTM(8, name="second"))  # <-
""",
        "second",
        'return_sequences=True in "first"',
    ),
    "stacked_gru_with_dropout_between": (
        """
x = Input((12, 8))
h = layers.GRU(6, name="lower")(x)
h = layers.Dropout(0.2)(h)
y = layers.GRU(4, name="upper")(h)  # <-
""",
        "upper",
        'return_sequences=True in "lower"',
    ),
    "bidirectional_then_lstm": (
        """
x = Input((12, 8))
h = layers.Bidirectional(layers.LSTM(6), name="both")(x)
y = layers.LSTM(4, name="upper")(h)  # <-
""",
        "upper",
        'return_sequences=True in "both"',
    ),
    "conv1d_after_lstm": (
        """
x = Input((12, 8))
h = layers.LSTM(6)(x)
y = layers.Conv1D(4, 3)(h)  # <-
""",
        "conv1d",
        'return_sequences=True in "lstm"',
    ),
    "global_pooling_after_gru": (
        """
x = Input((12, 8))
h = layers.GRU(6)(x)
y = layers.GlobalAveragePooling1D()(h)  # <-
""",
        "GlobalAveragePooling1D",
        "return_sequences=True",
    ),
    "decoder_without_repeat": (
        """
x = Input((10, 5))
code = layers.LSTM(3, name="encoder")(x)
y = layers.LSTM(5, name="decoder", return_sequences=True)(code)  # <-
""",
        "decoder",
        r"layers.RepeatVector\(10\) before",
    ),
    "decoder_after_dense": (
        """
x = Input((10, 5))
code = layers.Dense(3)(layers.Flatten()(x))
y = layers.GRU(5, name="decoder")(code)  # <-
""",
        "decoder",
        r"RepeatVector\(10\)",
    ),
    "conv1d_on_rows": (
        """
model = Sequential()
model.add(Input((24,)))
model.add(layers.Conv1D(8, 3, name="slide"))  # <-
x = np.zeros((5, 24))
model.predict(x, verbose=0)
""",
        "slide",
        r"Input\(\(24, 1\)\) and x = x\[..., None\]",
    ),
    "conv1d_on_rows_input_shape": (
        """
model = Sequential()
model.add(layers.Conv1D(8, 3, input_shape=(24,)))  # <-
x = np.zeros((5, 24))
model.predict(x, verbose=0)
""",
        "conv1d",
        r"input_shape=\(24, 1\)",
    ),
    "lstm_on_rows": (
        """
x = np.zeros((5, 24))
inputs = Input((24,))
h = layers.LSTM(4)(inputs)  # <-
model = Model(inputs, h)
model.predict(x, verbose=0)
""",
        "LSTM",
        r"Input\(\(24, 1\)\)",
    ),
    "conv2d_on_grey_images": (
        """
x = np.zeros((2, 28, 28))
inputs = Input((28, 28))
h = layers.Conv2D(4, 3)(inputs)  # <-
model = Model(inputs, h)
model.predict(x, verbose=0)
""",
        "Conv2D",
        r"Input\(\(28, 28, 1\)\) and x = x\[..., None\]",
    ),
    "conv2d_after_flatten": (
        """
x = Input((28, 28, 1))
h = layers.Flatten()(x)
y = layers.Conv2D(4, 3)(h)  # <-
""",
        "conv2d",
        'remove Flatten "flatten"',
    ),
    "max_pooling_after_flatten": (
        """
model = Sequential([Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(name="row"), layers.MaxPooling2D()])  # <-
""",
        "MaxPooling2D",
        'remove Flatten "row"',
    ),
    "generator_without_reshape": (
        """
x = Input((16,))
h = layers.Dense(7 * 7 * 32)(x)
y = layers.Conv2DTranspose(8, 3)(h)  # <-
""",
        "Conv2DTranspose",
        r"layers.Reshape\(\(7, 7, 32\)\)",
    ),
    "time_distributed_on_images": (
        """
x = Input((12, 12, 3))
y = layers.TimeDistributed(layers.Conv2D(4, 3, name="frame"), name="frames")(x)  # <-
""",
        "frames",
        r"Input\(\(10, 12, 12, 3\)\)",
    ),
    "samples_in_the_shape": (
        """
x = np.zeros((40, 12, 5))
inputs = Input(shape=x.shape)
h = layers.LSTM(8)(inputs)  # <-
model = Model(inputs, h)
""",
        "LSTM",
        r"shape\[1:\]",
    ),
    "samples_in_the_shape_of_images": (
        """
x = np.zeros((60, 16, 16, 1))
model = Sequential()
model.add(Input(shape=x.shape))
model.add(layers.Conv2D(4, 3, name="letters"))  # <-
""",
        "letters",
        r"Input\(\(16, 16, 1\)\)",
    ),
    "samples_in_input_shape": (
        """
model = Sequential()
model.add(layers.LSTM(4, input_shape=(100, 12, 5)))  # <-
""",
        "lstm",
        r"input_shape=\(12, 5\)",
    ),
    "samples_in_the_shape_of_sequences": (
        """
inputs = Input((100, 20, 3))
h = layers.Conv1D(4, 3)(inputs)  # <-
""",
        "conv1d",
        r"Input\(\(20, 3\)\)",
    ),
    "embedding_on_one_hot": (
        """
words = Input((14, 50))
h = layers.Embedding(50, 6, name="vectors")(words)
y = layers.Conv1D(8, 3)(h)  # <-
""",
        "Conv1D",
        r"argmax\(-1\)",
    ),
    "embedding_then_lstm": (
        """
words = Input((14, 1), dtype="int32")
h = layers.Embedding(50, 6, name="vectors")(words)
y = layers.LSTM(8)(h)  # <-
""",
        "LSTM",
        r"Input\(\(14,\)",
    ),
    "lstm_on_feature_maps": (
        """
x = Input((10, 8, 3))
h = layers.Conv2D(4, 3, padding="same")(x)
y = layers.LSTM(5)(h)  # <-
""",
        "LSTM",
        r"layers.Reshape\(\(10, 32\)\)",
    ),
    "dense_then_conv2d_in_a_subclass": (
        """
class Net(Model):
    def __init__(self):
        super().__init__()
        self.flat = layers.Flatten()
        self.conv = layers.Conv2D(4, 3)
    def call(self, x):
        x = self.flat(x)
        return self.conv(x)  # <-
model = Net()
model(np.zeros((2, 8, 8, 1)))
""",
        "conv2d",
        'remove Flatten "flatten"',
    ),
    "stacked_lstm_in_a_subclass": (
        """
class Net(Model):
    def __init__(self):
        super().__init__()
        self.first = layers.LSTM(4, name="first")
        self.second = layers.LSTM(3, name="second")
        self.out = layers.Dense(1)
    def call(self, x):
        x = self.first(x)
        x = self.second(x)  # <-
        return self.out(x)
model = Net()
model.compile("sgd", "mse")
model.fit(np.zeros((8, 5, 3)), np.zeros((8, 1)), verbose=0)
""",
        "second",
        'return_sequences=True in "first"',
    ),
    "stacked_rnn_in_a_deferred_model": (
        """
model = Sequential([layers.SimpleRNN(4, name="first"), layers.SimpleRNN(3, name="second")])
model.compile("sgd", "mse")
x = np.zeros((8, 5, 3))
model.fit(x, np.zeros((8, 3)), verbose=0)  # <-
""",
        "second",
        'return_sequences=True in "first"',
    ),
}
WINDOWS = {
    "kernel_after_poolings": (
        """
model = Sequential([Input((29, 8)), layers.Conv1D(8, 3), layers.MaxPooling1D(3), layers.Conv1D(8, 3),
                    layers.MaxPooling1D(3)])
model.add(layers.Conv1D(8, 3, name="third"))  # <-
""",
        "third",
        'padding="same" in "third"',
    ),
    "kernel_larger_than_image": (
        """
x = Input((4, 4, 3))
y = layers.Conv2D(8, 5, name="wide")(x)  # <-
""",
        "wide",
        'padding="same"|kernel_size=4',
    ),
    "too_many_poolings": (
        """
h = x = Input((8, 8, 3))
h = layers.MaxPooling2D()(h)
h = layers.MaxPooling2D()(h)
h = layers.MaxPooling2D()(h)
y = layers.MaxPooling2D(name="last")(h)  # <-
""",
        "last",
        "remove MaxPooling2D|pool_size=1|padding",
    ),
    "average_pooling_1d": (
        """
x = Input((3, 2))
y = layers.AveragePooling1D(4)(x)  # <-
""",
        "average_pooling1d",
        "pool_size=3|padding",
    ),
    "colours_first": (
        """
x = np.zeros((2, 1, 28, 28))
inputs = Input((1, 28, 28))
h = layers.Conv2D(4, 3)(inputs)  # <-
model = Model(inputs, h)
model.predict(x, verbose=0)
""",
        "Conv2D",
        "moveaxis|channels_first",
    ),
    "colours_first_pooling": (
        """
inputs = Input((1, 28, 28))
h = layers.MaxPooling2D(2)(inputs)  # <-
""",
        "max_pooling2d",
        'data_format="channels_first"',
    ),
    "separable_kernel": (
        """
x = Input((2, 2, 3))
y = layers.SeparableConv2D(4, 3)(x)  # <-
""",
        "separable_conv2d",
        'padding="same"',
    ),
}
MERGES = {
    "unet_valid": (
        """
image = Input((32, 32, 1))
c1 = layers.Conv2D(8, 3)(layers.Conv2D(8, 3)(image))
low = layers.Conv2D(8, 3)(layers.MaxPooling2D(2)(c1))
up = layers.UpSampling2D(2)(low)
y = layers.Concatenate(name="skip")([up, c1])  # <-
""",
        "skip",
        r"layers.Cropping2D\(2\)\(c1\)",
    ),
    "unet_odd_size": (
        """
image = Input((7, 7, 1))
c1 = layers.Conv2D(4, 3, padding="same")(image)
up = layers.UpSampling2D(2)(layers.MaxPooling2D(2)(c1))
y = layers.Concatenate(name="skip")([up, c1])  # <-
""",
        "skip",
        r"Cropping2D|ZeroPadding2D",
    ),
    "unet_rounded_up": (
        """
image = Input((7, 7, 1))
c1 = layers.Conv2D(4, 3, padding="same")(image)
up = layers.UpSampling2D(2)(layers.MaxPooling2D(2, padding="same")(c1))
y = layers.Add(name="skip")([c1, up])  # <-
""",
        "skip",
        r"Cropping2D\(\(\(0, 1\), \(0, 1\)\)\)\(up\)",
    ),
    "residual_channels": (
        """
x = Input((16, 16, 32))
h = layers.Conv2D(64, 3, padding="same")(x)
y = layers.Add(name="shortcut")([h, x])  # <-
""",
        "shortcut",
        r"layers.Conv2D\(64, 1\)\(x\)",
    ),
    "residual_strides": (
        """
x = Input((16, 16, 32))
h = layers.Conv2D(64, 3, strides=2, padding="same")(x)
y = layers.Add(name="shortcut")([h, x])  # <-
""",
        "shortcut",
        r"layers.Conv2D\(64, 1, strides=2",
    ),
    "residual_dense": (
        """
x = Input((10,))
h = layers.Dense(12)(x)
y = layers.Add()([h, x])  # <-
""",
        "add",
        r"layers.Dense\(12\)\(x\)",
    ),
    "plus": (
        """
x = Input((16, 16, 32))
h = layers.Conv2D(64, 3, padding="same")(x)
y = h + x  # <-
""",
        "add",
        r"layers.Conv2D\(64, 1\)\(x\)",
    ),
    "multiply_attention": (
        """
words = Input((12, 8))
scores = Input((12,))
y = layers.Multiply()([words, scores])  # <-
""",
        "multiply",
        r"layers.Reshape\(\(12, 1\)\)\(scores\)",
    ),
    "sequence_and_vector": (
        """
words = Input((12, 8))
topic = Input((5,))
y = layers.Concatenate()([words, topic])  # <-
""",
        "concatenate",
        r"layers.RepeatVector\(12\)\(topic\)",
    ),
    "image_and_vector": (
        """
image = Input((6, 6, 8))
facts = Input((5,))
y = layers.Concatenate()([image, facts])  # <-
""",
        "concatenate",
        r"layers.Flatten\(\)\(image\)",
    ),
    "sequences_of_two_lengths": (
        """
a = Input((12, 8))
b = Input((9, 8))
y = layers.Concatenate()([a, b])  # <-
""",
        "concatenate",
        "axis=1|Cropping1D",
    ),
    "concatenate_along_batchlike_axis": (
        """
a = Input((12, 8))
b = Input((12, 5))
y = layers.Concatenate(axis=1, name="join")([a, b])  # <-
""",
        "join",
        "axis=-1",
    ),
    "dot_axes": (
        """
words, question = Input((12, 8)), Input((8,))
y = layers.Dot(axes=1, name="scores")([words, question])  # <-
""",
        "scores",
        r"axes=\(2, 1\)",
    ),
    "dot_of_sequences": (
        """
a, b = Input((12, 8)), Input((9, 8))
y = layers.Dot(axes=1, name="scores")([a, b])  # <-
""",
        "scores",
        r"axes=2",
    ),
}
SIZES = {
    "flatten_open_image": (
        """
x = Input((None, None, 3))
h = layers.Flatten()(layers.Conv2D(8, 3)(x))
y = layers.Dense(2, name="verdict")(h)  # <-
""",
        "verdict",
        "GlobalAveragePooling2D",
    ),
    "flatten_open_sequence": (
        """
x = Input((None, 4))
h = layers.Flatten()(x)
y = layers.Dense(2, name="verdict")(h)  # <-
""",
        "verdict",
        "GlobalAveragePooling1D",
    ),
    "open_features": (
        """
x = Input((None, None))
y = layers.LSTM(4)(x)  # <-
""",
        "lstm",
        r"Input\(\(None, \d+\)\)",
    ),
    "open_channels": (
        """
x = Input((8, 8, None))
y = layers.Conv2D(4, 3)(x)  # <-
""",
        "conv2d",
        r"Input\(\(8, 8, 3\)\)",
    ),
    "reshape_total": (
        """
x = Input((29, 16))
y = layers.Reshape((10, 16), name="words")(x)  # <-
""",
        "words",
        r"target_shape=\(-1, 16\)",
    ),
    "reshape_image": (
        """
x = Input((784,))
y = layers.Reshape((26, 26, 1))(x)  # <-
""",
        "reshape",
        r"\(28, 28, 1\)",
    ),
    "reshape_after_dense": (
        """
x = Input((16,))
h = layers.Dense(100, name="wide")(x)
y = layers.Reshape((7, 7, 4))(h)  # <-
""",
        "reshape",
        "units=196",
    ),
    "shared_dense": (
        """
shared = layers.Dense(4, name="shared")
a, b = Input((10,)), Input((12,))
first = shared(a)
second = shared(b)  # <-
""",
        "shared",
        r"layers.Dense\(10\) before|a new layers.Dense",
    ),
    "normalization_statistics": (
        """
x = np.random.default_rng(0).random((40, 11))
inputs = Input((11,))
scale = layers.Normalization(mean=x.mean(axis=1), variance=x.var(axis=1), name="scale")
h = scale(inputs)  # <-
""",
        "scale",
        "axis=0",
    ),
}
STATES = {
    "stateful": (
        """
x = Input((10, 3))
y = layers.LSTM(6, stateful=True, name="memory")(x)  # <-
""",
        "memory",
        r"batch_shape=\(32, 10, 3\)",
    ),
    "stateful_gru_input_shape": (
        """
model = Sequential()
model.add(layers.GRU(6, stateful=True, input_shape=(10, 3)))  # <-
""",
        "gru",
        "batch_input_shape|stateful=False",
    ),
    "state_of_another_size": (
        """
x, state = Input((10, 3)), Input((5,))
y = layers.GRU(6, name="decoder")(x, initial_state=state)  # <-
""",
        "decoder",
        "units=5",
    ),
    "one_state_for_lstm": (
        """
x, state = Input((10, 3)), Input((6,))
y = layers.LSTM(6, name="decoder")(x, initial_state=state)  # <-
""",
        "decoder",
        r"initial_state=\[state, state\]",
    ),
    "two_states_for_gru": (
        """
x, h, c = Input((10, 3)), Input((6,)), Input((6,))
y = layers.GRU(6, name="decoder")(x, initial_state=[h, c])  # <-
""",
        "decoder",
        "initial_state",
    ),
    "mask_with_features": (
        """
x = np.zeros((2, 10, 3), "float32")
y = layers.LSTM(4)(x, mask=(x != 0))  # <-
""",
        "LSTM",
        r"mask=",
    ),
}
CUSTOM = {
    "positions_too_long": (
        """
class Positions(layers.Layer):
    def __init__(self, maxlen, **kwargs):
        super().__init__(**kwargs)
        self.maxlen = maxlen
    def call(self, x):
        return x + ops.ones((self.maxlen, 8))  # <-
x = Input((40, 8))
y = Positions(50, name="positions")(x)
""",
        "positions",
        r"maxlen=40|Input\(\(50, 8\)\)",
    ),
    "positions_too_short": (
        """
class Positions(layers.Layer):
    def call(self, x):
        return x + ops.ones((30, 8))  # <-
x = Input((40, 8))
y = Positions(name="positions")(x)
""",
        "positions",
        r"x\[:, :30\]|Input\(\(30, 8\)\)",
    ),
    "lambda_broadcast": (
        """
x = Input((10, 8))
y = layers.Lambda(lambda t: t + ops.ones((9, 8)), name="shift")(x)  # <-
""",
        "shift",
        r"9",
    ),
    "wrong_output_shape": (
        """
class Sum(layers.Layer):
    def call(self, x):
        return ops.sum(x, axis=1)
    def compute_output_shape(self, input_shape):
        return (input_shape[0], 6)
x = Input((7, 4))
y = Sum(name="summed")(x)  # <-
""",
        "compute_output_shape",
        r"return \(input_shape\[0\], input_shape\[-1\]\)",
    ),
    "wrong_output_shape_of_lambda": (
        """
x = Input((7, 4))
y = layers.Lambda(lambda t: t[:, 0], output_shape=(7, 4), name="first")(x)  # <-
""",
        "first",
        r"output_shape=\(4,\)",
    ),
}
ALL = {**RANKS, **WINDOWS, **MERGES, **SIZES, **STATES, **CUSTOM}


@pytest.mark.parametrize("name", ALL)
def test_the_error_explains_itself_and_its_fixes_work(name):
    program, offender, fix = ALL[name]
    check(program, offender, fix)
