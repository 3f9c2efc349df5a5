"""Every registered layer, generically: signature = traced shape = real shape, configs, data formats, gradients."""

import inspect

import drawing as draw
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import lamina
from lamina.core import registry
from lamina.layers.checking import signature_of
from lamina.models import Model
from lamina.shapes import dims, tracing

PLAIN = draw.anything()
RATE = {"rate": st.floats(0.0, 0.5)}
LAYERS = {
    "Activation": draw.anything({"activation": st.sampled_from(["relu", "softmax", "tanh"])}),
    "ActivityRegularization": draw.anything({"l2": st.floats(0.0, 1.0)}),
    "AdaptiveAveragePooling1D": draw.windowed(1, {"output_size": draw.sizes(1)}),
    "AdaptiveAveragePooling2D": draw.windowed(2, {"output_size": draw.sizes(2)}),
    "AdaptiveAveragePooling3D": draw.windowed(3, {"output_size": draw.sizes(3)}),
    "AdaptiveMaxPooling1D": draw.windowed(1, {"output_size": draw.sizes(1)}),
    "AdaptiveMaxPooling2D": draw.windowed(2, {"output_size": draw.sizes(2)}),
    "AdaptiveMaxPooling3D": draw.windowed(3, {"output_size": draw.sizes(3)}),
    "Add": draw.same_shapes(),
    "AdditiveAttention": draw.attended({"use_scale": st.booleans()}),
    "AlphaDropout": draw.anything(RATE),
    "Attention": draw.attended({"use_scale": st.booleans(), "score_mode": st.sampled_from(["dot", "concat"])}),
    "AutoContrast": draw.windowed(2, {}),
    "Average": draw.same_shapes(),
    "AveragePooling1D": draw.pooling(1),
    "AveragePooling2D": draw.pooling(2),
    "AveragePooling3D": draw.pooling(3),
    "BatchNormalization": draw.anything({"momentum": st.floats(0.1, 0.9), "scale": st.booleans()}),
    "Bidirectional": draw.wrapped("both"),
    "CenterCrop": draw.windowed(2, {"height": draw.SMALL, "width": draw.SMALL}),
    "Concatenate": draw.concatenated(),
    "Conv1D": draw.convolution(1, ("valid", "same", "causal")),
    "Conv1DTranspose": draw.transposed(1),
    "Conv2D": draw.convolution(2),
    "Conv2DTranspose": draw.transposed(2),
    "Conv3D": draw.convolution(3),
    "Conv3DTranspose": draw.transposed(3),
    "ConvLSTM1D": draw.convolution_over_time(1),
    "ConvLSTM2D": draw.convolution_over_time(2),
    "ConvLSTM3D": draw.convolution_over_time(3),
    "Cropping1D": st.tuples(st.fixed_dictionaries({"cropping": draw.amounts(1)}), st.just((7, 2))),
    "Cropping2D": draw.windowed(2, {"cropping": draw.amounts(2)}),
    "Cropping3D": draw.windowed(3, {"cropping": draw.amounts(3)}),
    "Dense": draw.anything({"units": draw.SMALL, "use_bias": st.booleans()}),
    "DepthwiseConv1D": draw.depthwise(1),
    "DepthwiseConv2D": draw.depthwise(2),
    "Dot": draw.dotted(),
    "Dropout": draw.anything(RATE),
    "ELU": PLAIN,
    "EinsumDense": st.tuples(
        st.fixed_dictionaries({"equation": st.just("ab,bc->ac"), "output_shape": draw.SMALL}), st.just((3,))
    ),
    "Embedding": draw.anything({"input_dim": st.just(9), "output_dim": draw.SMALL}, least=0, most=2),
    "Flatten": draw.anything(),
    "GRU": draw.recurrent(),
    "GaussianDropout": draw.anything(RATE),
    "GaussianNoise": draw.anything({"stddev": st.floats(0.0, 1.0)}),
    "GlobalAveragePooling1D": draw.pooling_global(1),
    "GlobalAveragePooling2D": draw.pooling_global(2),
    "GlobalAveragePooling3D": draw.pooling_global(3),
    "GlobalMaxPooling1D": draw.pooling_global(1),
    "GlobalMaxPooling2D": draw.pooling_global(2),
    "GlobalMaxPooling3D": draw.pooling_global(3),
    "GroupNormalization": draw.grouped(),
    "Identity": PLAIN,
    "LSTM": draw.recurrent(),
    "Lambda": draw.anything({"function": st.just(jnp.sin)}),
    "LayerNormalization": draw.anything({"center": st.booleans()}),
    "LeakyReLU": draw.anything({"negative_slope": st.floats(0.0, 1.0)}),
    "Masking": draw.anything({"mask_value": st.just(0.0)}, least=2),
    "MaxPooling1D": draw.pooling(1),
    "MaxPooling2D": draw.pooling(2),
    "MaxPooling3D": draw.pooling(3),
    "Maximum": draw.same_shapes(),
    "Minimum": draw.same_shapes(),
    "Multiply": draw.same_shapes(),
    "Normalization": draw.anything({"mean": st.just(1.0), "variance": st.just(2.0), "axis": st.none()}),
    "PReLU": PLAIN,
    "Permute": draw.permutation(),
    "RMSNormalization": PLAIN,
    "ReLU": PLAIN,
    "RepeatVector": st.tuples(st.fixed_dictionaries({"n": draw.SMALL}), st.tuples(draw.SMALL)),
    "Rescaling": draw.anything({"scale": st.just(0.5), "offset": st.just(1.0)}),
    "Resizing": draw.windowed(2, {"height": draw.SMALL, "width": draw.SMALL}),
    "ReversibleEmbedding": draw.anything({"input_dim": st.just(9), "output_dim": draw.SMALL}, least=0, most=2),
    "Reshape": draw.reshaped(),
    "SeparableConv1D": draw.depthwise(1, separable=True),
    "SeparableConv2D": draw.depthwise(2, separable=True),
    "SimpleRNN": draw.recurrent(),
    "Softmax": PLAIN,
    "SpatialDropout1D": st.tuples(st.fixed_dictionaries(RATE), st.tuples(draw.SMALL, draw.SMALL)),
    "SpatialDropout2D": draw.windowed(2, RATE),
    "SpatialDropout3D": draw.windowed(3, RATE),
    "Subtract": draw.same_shapes(2, 2),
    "TimeDistributed": draw.wrapped("time"),
    "UnitNormalization": PLAIN,
    "UpSampling1D": st.tuples(st.fixed_dictionaries({"size": draw.SMALL}), st.tuples(draw.SMALL, draw.SMALL)),
    "UpSampling2D": draw.windowed(2, {"size": draw.sizes(2)}),
    "UpSampling3D": draw.windowed(3, {"size": draw.sizes(3)}),
    "ZeroPadding1D": st.tuples(st.fixed_dictionaries({"padding": draw.amounts(1)}), st.tuples(draw.SMALL, draw.SMALL)),
    "ZeroPadding2D": draw.windowed(2, {"padding": draw.amounts(2)}),
    "ZeroPadding3D": draw.windowed(3, {"padding": draw.amounts(3)}),
}
# Cells step over time inside a layer, and the rest are no layers of one tensor; each has tests of its own.
ELSEWHERE = {
    "Pipeline",
    "RandomBrightness", "RandomContrast", "RandomCrop", "RandomFlip", "RandomRotation", "RandomTranslation",
    "RandomColorDegeneration", "RandomGrayscale", "RandomShear", "RandomZoom",
    "ConvLSTMCell", "GroupQueryAttention", "MultiHeadAttention",
    "CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup",
    "TextVectorization",
    "Highway", "LocallyConnected1D", "LocallyConnected2D", "MaxoutDense", "ThresholdedReLU",  # of Keras 1 and 2 only
    "GRUCell", "InputLayer", "LSTMCell", "RNN", "SimpleRNNCell", "SpectralNormalization", "StackedRNNCells", "Wrapper",
}  # fmt: skip
UNSIGNED = {"Lambda", "EinsumDense"}  # any function, any equation: their axes have no names of their own
QUICK = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def registered():
    return {cls.__name__ for cls in registry.known("layer").values() if not issubclass(cls, Model)}


def test_every_layer_is_drawn():
    import lamina.layers  # noqa: F401

    ours = {cls.__name__ for cls in registry.known("layer").values() if cls.__module__.startswith("lamina.")}
    assert ours - ELSEWHERE == set(LAYERS)


def make(name, config):
    return getattr(lamina.layers, name)(**config)


def values(name, shape, batch=3):
    def one(sample):
        rng = np.random.default_rng(0)
        if name.endswith("Embedding"):
            return rng.integers(0, 9, (batch, *sample))
        return rng.normal(size=(batch, *sample)).astype("float32")

    return [one(s) for s in shape] if isinstance(shape, list) else one(shape)


def open_dims(shape):
    """The shape with the batch axis open."""
    return [(None, *s) for s in shape] if isinstance(shape, list) else (None, *shape)


def dtype_for(name):
    return "int32" if name.endswith("Embedding") else "float32"


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_signature_traced_shape_and_real_shape_agree(name):
    @QUICK
    @given(LAYERS[name])
    def check(drawn):
        config, shape = drawn
        layer = make(name, config)
        inputs = jax.tree.map(
            lambda s: lamina.Input(batch_shape=s, dtype=dtype_for(name)),
            open_dims(shape),
            is_leaf=lambda s: isinstance(s, tuple),
        )
        traced = jax.tree.leaves(layer(inputs))
        real = jax.tree.leaves(layer(values(name, shape)))
        assert len(traced) == len(real)
        for symbol, value in zip(traced, real, strict=True):
            assert tracing.substitute(symbol.dims, {"batch": 3}) == value.shape
        derived = layer.compute_output_shape(open_dims(shape))
        flat = [derived] if isinstance(derived, tuple) and not isinstance(derived[0], tuple) else list(derived)
        assert [tuple(s) for s in flat] == [symbol.shape for symbol in traced]
        agree_with_signature(layer, jax.tree.leaves(inputs), traced)

    check()


def agree_with_signature(layer, inputs, outputs):
    signature = signature_of(layer)
    if type(layer).__name__ in UNSIGNED:
        return
    assert signature is not None, f"{type(layer).__name__} states no signature"
    known = {}
    for place, tensor in enumerate(inputs):
        axes = signature.input_axes(place)
        assert axes.match(tensor.dims) is not None, (axes, tensor.dims)
        for axis, size in axes.sizes(tensor.dims).items():
            known.setdefault(axis, size) if len(inputs) == 1 else None
    for place, tensor in enumerate(outputs):
        axes = signature.output_axes(place)
        matched = axes.match(tensor.dims)
        assert matched is not None, (axes, tensor.dims)
        for axis, size in zip(matched, tensor.dims, strict=True):
            if axis.isdigit():
                assert size == int(axis)
            elif axis in known:
                assert size == known[axis], (axis, size, known)
            promised = getattr(layer, axis, None) if axis.isidentifier() else None
            if isinstance(promised, int) and axis in inspect.signature(type(layer).__init__).parameters:
                assert size == promised, (axis, size, promised)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_layer_made_from_its_config_is_the_same(name):
    @settings(QUICK, max_examples=3)
    @given(LAYERS[name])
    def check(drawn):
        config, shape = drawn
        if name == "Lambda":
            config = {"function": lamina.activations.relu}
        layer = make(name, config)
        described = layer.get_config()
        again = type(layer).from_config(described)
        assert again.get_config() == described
        assert again.name == layer.name
        x = values(name, shape)
        layer(x), again(x)
        again.set_weights(layer.get_weights())
        assert_close(again(x), layer(x), 0)

    check()


def assert_close(a, b, tolerance=1e-5):
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


BOTH_FORMATS = sorted(
    name
    for name in LAYERS
    if name != "Flatten"
    and not name.startswith("ConvLSTM")
    and "data_format" in inspect.signature(getattr(lamina.layers, name).__init__).parameters
)


@pytest.mark.parametrize("name", BOTH_FORMATS)
def test_channels_first_agrees_with_channels_last(name):
    @settings(QUICK, max_examples=4)
    @given(LAYERS[name])
    def check(drawn):
        config, shape = drawn
        config = {key: value for key, value in config.items() if key != "keepdims"}
        if "data_format" not in config:
            return
        if config["data_format"] == "channels_first":
            shape = (*shape[1:], shape[0])
        x = values(name, shape)
        last, first = (make(name, {**config, "data_format": f"channels_{which}"}) for which in ("last", "first"))
        expected, _ = last(x), first(np.moveaxis(x, -1, 1))
        first.set_weights(last.get_weights())
        got = first(np.moveaxis(x, -1, 1))
        assert_close(np.moveaxis(got, 1, -1) if got.ndim > 2 else got, expected, 1e-4)

    check()


@pytest.mark.parametrize("name", sorted(set(LAYERS) - {"Embedding", "ReversibleEmbedding"}))
def test_gradients_are_finite(name):
    @settings(QUICK, max_examples=1)
    @given(LAYERS[name])
    def check(drawn):
        config, shape = drawn
        layer = make(name, config)
        x = values(name, shape)
        layer(x)

        def total(weights, inputs):
            outputs, _ = layer.stateless_call(weights, layer.non_trainable_variables, inputs)
            return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(outputs))

        weights = [v.value for v in layer.trainable_variables]
        gradients = jax.grad(total, argnums=(0, 1))(weights, x)
        assert all(bool(jnp.isfinite(g).all()) for g in jax.tree.leaves(gradients))

    check()


@pytest.mark.parametrize("name", sorted(set(LAYERS) - UNSIGNED))
def test_the_wrong_rank_is_refused_by_name(name):
    signature = signature_of(make(name, example(name)[0]))
    axes = signature.inputs[0]
    if axes.open_at is not None and axes.least_rank <= 1:
        assert axes.fits_rank(1)
        return
    short = lamina.Input(batch_shape=(None,) * (axes.least_rank - 1))
    config, shape = example(name)
    with pytest.raises(lamina.ShapeError, match=name) as caught:
        make(name, config)([short, short] if isinstance(shape, list) else short)
    assert dims.show_shape(short.shape) in str(caught.value)


def example(name):
    found = []

    @settings(max_examples=1, database=None, derandomize=True, deadline=None)
    @given(LAYERS[name])
    def keep(drawn):
        found.append(drawn)

    keep()
    return found[0]
