"""Draws a configuration and an input shape for each registered layer."""

import hypothesis.strategies as st

SMALL = st.integers(1, 4)
FORMATS = st.sampled_from(["channels_last", "channels_first"])


def sizes(rank, low=1, high=3):
    return st.one_of(st.integers(low, high), st.tuples(*[st.integers(low, high)] * rank))


def arrange(shape, channels, data_format):
    return (*shape, channels) if data_format == "channels_last" else (channels, *shape)


@st.composite
def windowed(draw, rank, settings, least=5, most=9, channels=SMALL):
    """Spatial layers: a configuration and the shape of one sample."""
    config = {name: draw(strategy) for name, strategy in settings.items()}
    config["data_format"] = draw(FORMATS)
    spatial = tuple(draw(st.integers(least, most)) for _ in range(rank))
    return config, arrange(spatial, draw(channels), config["data_format"])


@st.composite
def convolution(draw, rank, paddings=("valid", "same")):
    groups = draw(st.sampled_from([1, 1, 2]))
    config = {
        "filters": groups * draw(st.integers(1, 3)),
        "kernel_size": draw(sizes(rank)),
        "padding": draw(st.sampled_from(paddings)),
        "groups": groups,
        "use_bias": draw(st.booleans()),
        "data_format": draw(FORMATS),
    }
    config["strides" if draw(st.booleans()) else "dilation_rate"] = draw(sizes(rank, 1, 2))
    spatial = tuple(draw(st.integers(6, 9)) for _ in range(rank))
    return config, arrange(spatial, groups * draw(st.integers(1, 2)), config["data_format"])


def transposed(rank):
    settings = {
        "filters": SMALL,
        "kernel_size": sizes(rank),
        "strides": sizes(rank, 1, 2),
        "padding": st.sampled_from(["valid", "same"]),
    }
    return windowed(rank, settings, least=2, most=5)


def depthwise(rank, separable=False):
    settings = {
        "kernel_size": sizes(rank),
        "depth_multiplier": st.integers(1, 2),
        "padding": st.sampled_from(["valid", "same"]),
    }
    if separable:
        settings["filters"] = SMALL
    return windowed(rank, settings)


def pooling(rank):
    settings = {
        "pool_size": sizes(rank, 1, 3),
        "strides": st.one_of(st.none(), sizes(rank, 1, 3)),
        "padding": st.sampled_from(["valid", "same"]),
    }
    return windowed(rank, settings)


def pooling_global(rank):
    return windowed(rank, {"keepdims": st.booleans()})


def amounts(rank):
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return pair if rank == 1 else st.one_of(st.integers(0, 2), st.tuples(*[pair] * rank))


@st.composite
def recurrent(draw, cell=None):
    config = {
        "units": draw(SMALL),
        "return_sequences": draw(st.booleans()),
        "return_state": draw(st.booleans()),
        "go_backwards": draw(st.booleans()),
        "use_bias": draw(st.booleans()),
    }
    return config, (draw(st.integers(2, 4)), draw(SMALL))


def anything(config=None, least=1, most=3):
    drawn = st.fixed_dictionaries(config or {})
    return st.tuples(drawn, st.lists(SMALL, min_size=least, max_size=most).map(tuple))


@st.composite
def permutation(draw):
    shape = draw(st.lists(SMALL, min_size=1, max_size=3).map(tuple))
    return {"dims": tuple(draw(st.permutations(range(1, len(shape) + 1))))}, shape


@st.composite
def same_shapes(draw, least=2, most=3):
    shape = draw(st.lists(SMALL, min_size=1, max_size=3).map(tuple))
    return {}, [shape] * draw(st.integers(least, most))


@st.composite
def concatenated(draw):
    shape = draw(st.lists(SMALL, min_size=1, max_size=3).map(tuple))
    axis = draw(st.integers(1, len(shape)))
    others = [(*shape[: axis - 1], draw(SMALL), *shape[axis:]) for _ in range(draw(st.integers(1, 2)))]
    return {"axis": axis}, [shape, *others]


@st.composite
def dotted(draw):
    shared, a, b = draw(SMALL), draw(SMALL), draw(SMALL)
    return {"axes": (2, 1), "normalize": draw(st.booleans())}, [(a, shared), (shared, b)]


@st.composite
def reshaped(draw):
    return draw(
        st.sampled_from(
            [
                ({"target_shape": (6, 4)}, (2, 3, 4)),
                ({"target_shape": (-1, 4)}, (2, 3, 4)),
                ({"target_shape": (24,)}, (24,)),
                ({"target_shape": (2, -1, 2)}, (4, 5)),
            ]
        )
    )


@st.composite
def grouped(draw):
    groups = draw(st.integers(1, 2))
    return {"groups": groups}, (draw(SMALL), groups * draw(st.integers(1, 2)))


@st.composite
def wrapped(draw, kind):
    import lamina

    layers = lamina.layers
    if kind == "time":
        return {"layer": layers.Dense(draw(SMALL))}, (draw(SMALL), draw(SMALL))
    inner = layers.LSTM(draw(SMALL), return_sequences=draw(st.booleans()))
    mode = draw(st.sampled_from(["concat", "sum", "ave", "mul"]))
    return {"layer": inner, "merge_mode": mode}, (draw(st.integers(2, 3)), draw(SMALL))


@st.composite
def attended(draw, settings):
    config = {name: draw(strategy) for name, strategy in settings.items()}
    features = draw(SMALL)
    return config, [(draw(SMALL), features), (draw(SMALL), features)]


@st.composite
def convolution_over_time(draw, rank):
    config = {
        "filters": draw(SMALL),
        "kernel_size": draw(sizes(rank, 1, 2)),
        "strides": draw(sizes(rank, 1, 2)),
        "padding": draw(st.sampled_from(["valid", "same"])),
        "data_format": draw(FORMATS),
        "return_sequences": draw(st.booleans()),
        "return_state": draw(st.booleans()),
    }
    spatial = tuple(draw(st.integers(3, 4)) for _ in range(rank))
    return config, (draw(st.integers(2, 3)), *arrange(spatial, draw(SMALL), config["data_format"]))
