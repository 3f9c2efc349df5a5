"""Models of many sorts, each made the same way with Keras and with Lamina: ``MODELS[name](k)`` for the module ``k``."""

import numpy as np

MODELS = {}


def model(build):
    MODELS[build.__name__] = build
    return build


def custom_classes(k):
    """Classes as users write them, for `custom_objects`."""
    L = k.layers

    class Scale(L.Layer):
        def __init__(self, start=1.0, sizes=(), **kwargs):
            super().__init__(**kwargs)
            self.start, self.sizes = start, sizes
            self.first = k.Variable([1.0, 2.0, 3.0], name="first", trainable=False)
            self.free = k.Variable([0.5], name="free")

        def build(self, input_shape):
            self.scale = self.add_weight(
                shape=(input_shape[-1],), initializer=k.initializers.Constant(self.start), name="scale"
            )
            self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

        def call(self, x):
            return x * self.scale + self.seen + self.free + k.ops.sum(self.first)

        def get_config(self):
            return {**super().get_config(), "start": self.start, "sizes": self.sizes}

    class Block(L.Layer):
        """Sub-layers in attributes, lists and dicts; some of the names begin with an underscore."""

        def __init__(self, units=4, inner=None, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.zeta = L.Dense(units, name="zeta")
            self._alpha = L.Dense(units, name="alpha")
            self.many = [L.Dense(units, name="m0"), L.BatchNormalization(name="m1"), L.Dense(units, name="m2")]
            self.table = {"b": L.Dense(units), "a": [L.Dense(units)]}
            self.inner = inner if inner is not None else L.Dense(units)

        def call(self, x):
            x = self.zeta(self._alpha(x))
            for layer in self.many:
                x = layer(x)
            return self.inner(self.table["b"](x) + self.table["a"][0](x))

        def get_config(self):
            config = {**super().get_config(), "units": self.units}
            return {**config, "inner": k.saving.serialize_keras_object(self.inner)}

        @classmethod
        def from_config(cls, config):
            return cls(**{**config, "inner": k.saving.deserialize_keras_object(config["inner"])})

    class Net(k.Model):
        def __init__(self, units=5, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.second = L.Dense(1, name="second")
            self.blocks = [L.Dense(units, activation="tanh", name="b0"), L.Dense(units, name="b1")]
            self.first = L.Dense(units, name="first")
            self._hidden = L.Dense(units, name="hidden")

        def call(self, x, training=None):
            x = self._hidden(self.first(x))
            for block in self.blocks:
                x = block(x)
            return self.second(x)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    class Pieces(k.Model):
        """A subclass with a model of layers inside."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.body = k.Sequential([L.Dense(4, activation="relu"), L.BatchNormalization()], name="body")
            self.head = Scale(0.5, name="head")

        def call(self, x, training=None):
            return self.head(self.body(x, training=training))

    def halved(x):
        return x / 2

    return {"Scale": Scale, "Block": Block, "Net": Net, "Pieces": Pieces, "halved": halved}


def compiled(made, optimizer="adam", loss="mse", **settings):
    made.compile(optimizer, loss, **settings)
    return made


@model
def dense(k):
    L = k.layers
    return compiled(
        k.Sequential(
            [
                k.Input((6,)),
                L.Dense(5, activation="relu", kernel_regularizer="l2", bias_initializer="ones"),
                L.Dropout(0.0),
                L.ActivityRegularization(l2=0.01),
                L.Dense(
                    3, kernel_constraint=k.constraints.MaxNorm(2), kernel_initializer=k.initializers.HeNormal(seed=1)
                ),
                L.Softmax(),
            ]
        ),
        k.optimizers.Adam(0.01, amsgrad=True),
        "categorical_crossentropy",
        metrics=["accuracy", k.metrics.TopKCategoricalAccuracy(2)],
    )


@model
def without_an_input(k):
    made = k.Sequential([k.layers.Dense(3), k.layers.Dense(2)])
    made.build((None, 4))
    return compiled(made, k.optimizers.SGD(0.1, momentum=0.9, nesterov=True))


@model
def convolutions_1d(k):
    L = k.layers
    layers = [L.Conv1D(4, 3, padding="causal"), L.MaxPooling1D(2), L.SeparableConv1D(4, 3), L.DepthwiseConv1D(3)]
    layers += [L.Conv1DTranspose(3, 2), L.ZeroPadding1D(1), L.Cropping1D(1), L.UpSampling1D(2), L.AveragePooling1D(2)]
    layers += [L.SpatialDropout1D(0.0), L.GlobalAveragePooling1D()]
    return compiled(k.Sequential([k.Input((24, 2)), *layers]), k.optimizers.RMSprop(0.01, momentum=0.5, centered=True))


@model
def convolutions_2d(k):
    L = k.layers
    layers = [
        L.Conv2D(4, 3, padding="same", groups=1),
        L.BatchNormalization(),
        L.ReLU(max_value=6.0),
        L.MaxPooling2D(2),
    ]
    layers += [L.SeparableConv2D(4, 3), L.DepthwiseConv2D(2), L.Conv2DTranspose(3, 2), L.ZeroPadding2D(), L.LeakyReLU()]
    layers += [L.Cropping2D(1), L.UpSampling2D(2), L.AveragePooling2D(2), L.SpatialDropout2D(0.0), L.Flatten()]
    return compiled(k.Sequential([k.Input((12, 12, 2)), *layers, L.Dense(2)]), "adamw")


@model
def convolutions_3d(k):
    L = k.layers
    layers = [L.Conv3D(2, 2), L.MaxPooling3D(2), L.ZeroPadding3D(), L.Conv3DTranspose(2, 2), L.Cropping3D(), L.PReLU()]
    layers += [L.UpSampling3D(), L.AveragePooling3D(2), L.SpatialDropout3D(0.0), L.GlobalMaxPooling3D()]
    return compiled(k.Sequential([k.Input((7, 7, 7, 1)), *layers]), "adagrad")


@model
def channels_first(k):
    L = k.layers
    pools = [L.GlobalMaxPooling2D(data_format="channels_first")]
    layers = [L.Conv2D(3, 2, data_format="channels_first"), L.BatchNormalization(axis=1), *pools, L.Dense(1)]
    return compiled(k.Sequential([k.Input((2, 6, 5)), *layers]))


@model
def recurrent(k):
    L = k.layers
    layers = [L.LSTM(4, return_sequences=True), L.GRU(3, return_sequences=True, reset_after=False)]
    layers += [L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode="sum"), L.SimpleRNN(3), L.Dense(1)]
    return compiled(k.Sequential([k.Input((5, 2)), *layers]), "nadam")


@model
def recurrent_cells(k):
    L = k.layers
    cells = L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2), L.SimpleRNNCell(2)])
    both = L.Bidirectional(
        L.LSTM(2, return_sequences=True), backward_layer=L.GRU(2, return_sequences=True, go_backwards=True)
    )
    return compiled(k.Sequential([k.Input((4, 2)), both, L.RNN(cells, return_sequences=True), L.RNN(L.GRUCell(2))]))


@model
def masked(k):
    L = k.layers
    inputs = k.Input((5,), dtype="int32")
    x = L.Embedding(10, 4, mask_zero=True)(inputs)
    x = L.Masking()(L.LSTM(3, return_sequences=True)(x))
    return compiled(k.Model(inputs, L.Dense(2)(L.LSTM(3)(x))), k.optimizers.Adam(clipnorm=1.0))


@model
def stateful(k):
    inputs = k.Input(batch_shape=(4, 3, 2))
    return compiled(k.Model(inputs, k.layers.LSTM(2, stateful=True)(inputs)))


@model
def normalizations(k):
    L = k.layers
    layers = [L.BatchNormalization(momentum=0.8), L.LayerNormalization(axis=[1, 2]), L.GroupNormalization(2)]
    layers += [L.UnitNormalization(), L.RMSNormalization(), L.Rescaling(2.0, offset=0.5), L.GaussianNoise(0.0), L.ELU()]
    layers += [L.GaussianDropout(0.0), L.AlphaDropout(0.0), L.SpectralNormalization(L.Dense(3)), L.Identity()]
    return compiled(k.Sequential([k.Input((3, 4)), *layers]), "adamax")


@model
def normalized_data(k):
    adapted = k.layers.Normalization()
    adapted.adapt(np.arange(12.0, dtype="float32").reshape(4, 3))
    given = k.layers.Normalization(mean=2.0, variance=3.0)
    return compiled(k.Sequential([k.Input((3,)), adapted, given, k.layers.Dense(1)]), "adadelta")


@model
def merging(k):
    L = k.layers
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    merged = [L.Add()([a, b]), L.Subtract()([a, b]), L.Multiply()([a, b]), L.Average()([a, b]), L.Maximum()([a, b])]
    x = L.Concatenate()([*merged, L.Minimum()([a, b]), L.Dot(1)([a, b])])
    return compiled(k.Model([a, b], L.Dense(2)(x)), "ftrl")


@model
def shapes(k):
    L = k.layers
    layers = [L.Reshape((3, 4)), L.Permute((2, 1)), L.Flatten(), L.RepeatVector(3), L.TimeDistributed(L.Dense(4))]
    layers += [
        L.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"),
        L.Activation("gelu"),
        L.Lambda(k.activations.tanh),
    ]
    return compiled(k.Sequential([k.Input((12,)), *layers]), "lion")


@model
def global_pools(k):
    L = k.layers
    x = k.Input((6, 6, 2))
    rows = L.TimeDistributed(L.GlobalMaxPooling1D())(x)
    cubes = L.GlobalAveragePooling3D()(L.Reshape((6, 6, 2, 1))(x))
    parts = [L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling1D()(rows), cubes]
    return compiled(k.Model(x, L.Dense(1)(L.Concatenate()(parts))))


@model
def attention(k):
    L = k.layers
    x = k.Input((5, 4))
    y = L.MultiHeadAttention(2, 3)(x, x)
    y = L.GroupQueryAttention(4, 4, 2)(y, x)
    y = L.Attention(use_scale=True)([y, x])
    y = L.AdditiveAttention()([y, x])
    return compiled(k.Model(x, L.GlobalAveragePooling1D()(y)))


@model
def several_outputs(k):
    L = k.layers
    x = k.Input((4,), name="x")
    shared = L.Dense(4, name="shared")
    y = shared(shared(x))
    return compiled(
        k.Model(x, [L.Dense(2, name="left")(y), L.Dense(1, activation="sigmoid", name="right")(y)]),
        "sgd",
        {"left": "mse", "right": k.losses.BinaryCrossentropy(label_smoothing=0.1)},
        loss_weights={"left": 1.0, "right": 0.5},
        metrics={"left": ["mae"], "right": ["accuracy"]},
    )


@model
def dicts(k):
    L = k.layers
    inputs = {"one": k.Input((3,), name="one"), "two": k.Input((2,), name="two")}
    y = L.Concatenate()([L.Dense(3)(inputs["one"]), inputs["two"]])
    return compiled(k.Model(inputs, {"out": L.Dense(1)(y), "other": L.Dense(2)(y)}))


@model
def operations(k):
    ops = k.ops
    x = k.Input((4, 3))
    y = ops.sin(x) * 2.0 + ops.mean(x, axis=1, keepdims=True) - x[:, :1]
    y = ops.concatenate([ops.reshape(y, (-1, 12)), ops.sum(x, axis=1)], axis=-1)
    return compiled(k.Model(x, k.layers.Dense(1)(ops.relu(y))), k.optimizers.Lamb(0.01))


@model
def nested(k):
    L = k.layers
    inner = k.Sequential([k.Input((4,)), L.Dense(4), L.BatchNormalization()], name="inner")
    lone = k.Sequential([L.Dense(4, activation="relu")], name="lone")
    middle_input = k.Input((4,))
    middle = k.Model(middle_input, inner(middle_input) + 1.0, name="middle")
    x = k.Input((4,))
    return compiled(k.Model(x, L.Dense(1)(middle(lone(x)))))


@model
def layers_of_one_class(k):
    x = k.Input((3,))
    y = x
    for _ in range(12):
        y = k.layers.Dense(3)(y)
    return compiled(k.Model(x, k.layers.Add()([x, y])))


@model
def frozen(k):
    L = k.layers
    made = k.Sequential([k.Input((4,)), L.Dense(3, trainable=False), L.Dense(2), L.BatchNormalization(trainable=False)])
    return compiled(made)


@model
def mixed_precision(k):
    L = k.layers
    layers = [L.Dense(4, dtype="mixed_bfloat16"), L.Dense(3, dtype="bfloat16"), L.Dense(2, dtype="float32")]
    return compiled(k.Sequential([k.Input((4,)), *layers]), "sgd")


@model
def half_precision(k):
    return compiled(k.Sequential([k.Input((4,)), k.layers.Dense(2, dtype="float16")]), "sgd")


@model
def custom_layer(k):
    scale = custom_classes(k)["Scale"]
    return compiled(k.Sequential([k.Input((4,)), scale(2.0, (1, 2), name="mine"), k.layers.Dense(1)]))


@model
def block_of_layers(k):
    made = custom_classes(k)
    return compiled(k.Sequential([k.Input((4,)), made["Block"](4, inner=k.layers.Dense(3)), made["Scale"]()]))


@model
def custom_function(k):
    made = custom_classes(k)
    return compiled(
        k.Sequential([k.Input((4,)), k.layers.Dense(2, activation=made["halved"]), k.layers.Lambda(made["halved"])])
    )


@model
def subclass(k):
    made = custom_classes(k)["Net"](4, name="net")
    made(np.ones((1, 3), "float32"))
    return compiled(made)


@model
def subclass_with_a_model_inside(k):
    made = custom_classes(k)["Pieces"](name="pieces")
    made(np.ones((1, 3), "float32"))
    return compiled(made)


@model
def subclass_inside_a_graph(k):
    x = k.Input((3,))
    return compiled(k.Model(x, k.layers.Dense(2)(custom_classes(k)["Net"](4, name="net")(x))))


@model
def schedules(k):
    rate = k.optimizers.schedules.CosineDecay(0.1, 10, warmup_target=0.2, warmup_steps=2)
    return compiled(k.Sequential([k.Input((3,)), k.layers.Dense(1)]), k.optimizers.SGD(rate, momentum=0.9))


@model
def averaged(k):
    optimizer = k.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, gradient_accumulation_steps=2)
    return compiled(k.Sequential([k.Input((3,)), k.layers.Dense(2), k.layers.Dense(1)]), optimizer)


@model
def scaled_loss(k):
    optimizer = k.optimizers.LossScaleOptimizer(k.optimizers.Adam(0.01), initial_scale=8.0)
    return compiled(k.Sequential([k.Input((3,)), k.layers.Dense(2)]), optimizer)


@model
def factored(k):
    return compiled(k.Sequential([k.Input((3,)), k.layers.Dense(2)]), k.optimizers.Adafactor(0.01))


@model
def not_compiled(k):
    return k.Sequential([k.Input((3,)), k.layers.Dense(2)])


@model
def weighted_metrics(k):
    loss = k.losses.LogCosh(reduction="sum")
    settings = {"metrics": ["mae"], "weighted_metrics": [k.metrics.RootMeanSquaredError()], "steps_per_execution": 1}
    return compiled(k.Sequential([k.Input((3,)), k.layers.Dense(2)]), "rmsprop", loss, **settings)


@model
def open_sizes(k):
    L = k.layers
    x = k.Input((None, 3), name="series")
    return compiled(k.Model(x, L.Dense(1)(L.GlobalMaxPooling1D()(L.Conv1D(4, 3, padding="same")(x)))))
