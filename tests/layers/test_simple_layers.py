"""Dense, activations, dropout, noise, normalizations, Embedding, Masking, Lambda: refusals, types, randomness."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core import context
from lamina.shapes import ShapeError

REFUSED = [
    (lambda: layers.Dense(-3), "`units`=-3: expected a positive whole number"),
    (lambda: layers.Dense(2.5), "`units`=2.5"),
    (lambda: layers.Dense(True), "`units`=True"),
    (lambda: layers.Dense(3, activation="rleu"), "'rleu'; did you mean 'relu'"),
    (lambda: layers.Dense(3, kernel_initializer="glorot_unifrm"), "glorot_uniform"),
    (lambda: layers.Dense(3, lora_rank=4), "`lora_rank`=4"),
    (lambda: layers.Embedding(3, 2, quantization_config={}), "`quantization_config`"),
    (lambda: layers.EinsumDense("ab,bc->ac", -1), "`output_shape`=-1"),
    (lambda: layers.EinsumDense("ab,bc", 3), "'ab,bc'"),
    (lambda: layers.EinsumDense("ab,bd->ac", 3), "kernel's axis 'd'"),
    (lambda: layers.EinsumDense("...b,bc->ac", 3), r"'\.\.\.' stands"),
    (lambda: layers.EinsumDense("ab,bc->ac", 3, bias_axes="d"), "has no axis 'd'"),
    (lambda: layers.Activation("sofmax"), "softmax"),
    (lambda: layers.ReLU(max_value=-1.0), "`max_value`=-1.0"),
    (lambda: layers.LeakyReLU(None), "`negative_slope`=None"),
    (lambda: layers.ELU("big"), "`alpha`='big'"),
    (lambda: layers.PReLU(shared_axes=[0]), "axis 0 is the batch"),
    (lambda: layers.Softmax(axis="last"), "`axis`='last'"),
    (lambda: layers.Dropout(1.5), "`rate`=1.5: expected a finite number from 0 to 1"),
    (lambda: layers.Dropout(0.5, seed="x"), "`seed`='x'"),
    (lambda: layers.SpatialDropout2D(0.5, data_format="channel_last"), "channels_last"),
    (lambda: layers.GaussianDropout(1.0), "less than 1"),
    (lambda: layers.GaussianNoise(-1.0), "`stddev`=-1.0"),
    (lambda: layers.GaussianNoise(float("nan")), "`stddev`=nan"),
    (lambda: layers.ActivityRegularization(l1=-1.0), "`l1`=-1.0"),
    (lambda: layers.BatchNormalization(axis=[1, 2]), r"`axis`=\[1, 2\]"),
    (lambda: layers.BatchNormalization(momentum=2.0), "`momentum`=2.0"),
    (lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmx": 1.0}), "did you mean 'rmax'"),
    (lambda: layers.BatchNormalization(renorm_clipping={"rmax": 1.0}), "needs renorm=True"),
    (lambda: layers.LayerNormalization(epsilon=-1.0), "`epsilon`=-1.0"),
    (lambda: layers.LayerNormalization(axis=None), "`axis`=None"),
    (lambda: layers.GroupNormalization(groups=0), "`groups`=0"),
    (lambda: layers.Embedding(0, 4), "`input_dim`=0"),
    (lambda: layers.Embedding(4, 0), "`output_dim`=0"),
    (lambda: layers.Masking("zero"), "`mask_value`='zero'"),
    (lambda: layers.Lambda(3), "`function`=3 cannot be called"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_synchronized_on_several_devices(monkeypatch):
    assert layers.BatchNormalization(synchronized=True).synchronized
    monkeypatch.setattr("jax.device_count", lambda: 4)
    with pytest.raises(ValueError, match="4 devices"):
        layers.BatchNormalization(synchronized=True)


MISFITS = [
    (lambda: layers.Dense(3)(np.ones(4)), r"cannot take an input of shape \(4,\)", "1 axis, 1 too few"),
    (lambda: layers.Dense(3)(lamina.Input((4, None))), "cannot take", "features is open"),
    (lambda: layers.BatchNormalization(axis=1)(lamina.Input((None, 4))), "cannot take", "features is open"),
    (lambda: layers.BatchNormalization(axis=3)(np.ones((2, 4))), "cannot take", "2 too few"),
    (lambda: layers.LayerNormalization(axis=[1, 2])(lamina.Input((None, 4))), "cannot take", "features_1 is open"),
    (lambda: layers.PReLU()(lamina.Input((None, 4))), "cannot take", "axis_1 is open"),
    (lambda: layers.GroupNormalization(4)(np.ones((2, 6))), "6 channels cannot be divided into 4", "groups=4"),
    (lambda: layers.SpatialDropout1D(0.1)(np.ones((2, 6))), "cannot take", "2 axes, 1 too few"),
    (lambda: layers.Dropout(0.5, noise_shape=(2, 3))(np.ones((2, 4)), training=True), "`noise_shape`", r"(2, 4)"),
    (lambda: layers.Dropout(0.5, noise_shape=(2,))(np.ones((2, 4)), training=True), "`noise_shape`", r"(2, 4)"),
    (lambda: layers.EinsumDense("abc,cd->abd", (None, 3))(np.ones((2, 4))), "cannot take", "2 axes, 1 too few"),
    (lambda: layers.EinsumDense("abc,cd->abd", 3)(np.ones((2, 4, 3))), "output_shape has 1 axes without", "(2, 4, 3)"),
    (lambda: layers.EinsumDense("abc,cd->abd", (None, 3))(lamina.Input((4, None))), "cannot take", "c is open"),
    (lambda: layers.EinsumDense("abc,cd->abd", (5, 3))(np.ones((2, 4, 3))), "b=5 in output_shape is 4", "(2, 4, 3)"),
    (lambda: layers.Embedding(3, 2, weights=np.ones((3, 4))), "does not fit", "(3, 4)"),
]


@pytest.mark.parametrize(("make", "words", "received"), MISFITS)
def test_shapes_that_do_not_fit(make, words, received):
    with pytest.raises(ShapeError, match=words) as caught:
        make()
    assert received in caught.value.received


def test_groups_that_would_fit():
    with pytest.raises(ShapeError) as caught:
        layers.GroupNormalization(4)(np.ones((2, 6)))
    assert caught.value.expected == "groups=1 or 2 or 3 or 6 for 6 channels"


SIGNATURES = [
    (layers.BatchNormalization(), "batch ... features -> batch ... features"),
    (layers.BatchNormalization(axis=1), "batch features ... -> batch features ..."),
    (layers.BatchNormalization(axis=3), "batch axis_1 axis_2 features ... -> batch axis_1 axis_2 features ..."),
    (layers.LayerNormalization(axis=[-2, -1]), "batch ... features_1 features_2 -> batch ... features_1 features_2"),
    (layers.LayerNormalization(axis=[-1, 1]), "batch ... -> batch ..."),
    (layers.SpatialDropout2D(0.1, "channels_first"), "batch channels height width -> batch channels height width"),
]


@pytest.mark.parametrize(("layer", "signature"), SIGNATURES)
def test_signature_follows_the_configuration(layer, signature):
    assert layer.signature == signature


def test_dropout_moves_on_and_repeats_with_its_seed():
    x = np.ones((8, 8), "float32")
    layer = layers.Dropout(0.5, seed=3)
    first, second = layer(x, training=True), layer(x, training=True)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layers.Dropout(0.5, seed=3)(x, training=True), first)
    np.testing.assert_array_equal(layer(x), x)
    assert np.all(np.asarray(layers.Dropout(1.0)(x, training=True)) == 0)
    assert np.all(np.asarray(layers.AlphaDropout(1.0)(x, training=True)) == 0)


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (layers.Dropout(0.5, noise_shape=(None, 1), seed=1), (9, 5), (1,)),
        (layers.AlphaDropout(0.5, noise_shape=(None, 1), seed=1), (9, 5), (1,)),
        (layers.SpatialDropout1D(0.5, seed=1), (4, 6, 5), (1,)),
        (layers.SpatialDropout2D(0.5, "channels_last", seed=1), (4, 6, 5, 3), (1, 2)),
        (layers.SpatialDropout2D(0.5, "channels_first", seed=1), (4, 6, 5, 3), (2, 3)),
        (layers.SpatialDropout3D(0.5, "channels_last", seed=1), (4, 2, 3, 2, 5), (1, 2, 3)),
    ],
)
def test_what_is_dropped_together(layer, shape, axes):
    out = np.asarray(layer(np.ones(shape, "float32"), training=True))
    assert np.array_equal(out.max(axes), out.min(axes))
    assert len(np.unique(out)) == 2


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(0).normal(size=(200, 500)).astype("float32")
    out = np.asarray(layers.AlphaDropout(0.2, seed=1)(x, training=True))
    assert abs(out.mean()) < 0.02
    assert abs(out.std() - 1) < 0.02


def test_leaky_relu_takes_keras_2s_alpha():
    assert layers.LeakyReLU(alpha=0.25).negative_slope == 0.25


def test_softmax_takes_a_mask_of_steps():
    x = layers.Masking()(np.array([[[1.0, 1.0], [0.0, 0.0]]]))
    assert layers.Softmax()(x).tolist() == [[[0.5, 0.5], [0.0, 0.0]]]


def test_batch_normalization_does_not_train_outside_of_training():
    layer = layers.BatchNormalization()
    layer(np.full((4, 2), 7.0))
    assert layer.moving_mean.numpy().tolist() == [0.0, 0.0]


def test_normalizing_in_a_narrow_type_sums_in_a_wide_one():
    x = np.full((1, 64), 700.0, "float16")
    x[0, ::2] = 100.0
    out = layers.LayerNormalization(dtype="float16", epsilon=1e-6)(x)  # the squares alone overflow float16
    np.testing.assert_allclose(np.asarray(out, "float32")[0, :2], [-1.0, 1.0], atol=1e-2)


def test_embedding_of_keras_2():
    table = np.arange(6.0).reshape(3, 2)
    layer = layers.Embedding(3, 2, input_length=5, weights=[table])
    assert layer._declared_input == (None, 5)
    assert layer.built
    np.testing.assert_array_equal(layer.embeddings.numpy(), table)
    assert "weights" not in layer.get_config()
    assert layers.Embedding.from_config(layer.get_config()).input_dim == 3


def test_embedding_in_a_narrow_type_does_not_round_its_numbers():
    layer = layers.Embedding(5000, 1, weights=np.arange(5000.0)[:, None] % 7, dtype="mixed_float16")
    out = layer(np.array([[4097.0]], "float32"))
    assert out.dtype == "float16"
    assert float(out[0, 0, 0]) == 4097 % 7  # float16 would make 4096 of it


def test_masks():
    embedded = layers.Embedding(4, 2, mask_zero=True)(np.array([[1, 0, 3]]))
    assert np.asarray(context.masks.get(embedded)).tolist() == [[True, False, True]]
    assert layers.Embedding(4, 2)(lamina.Input((3,), dtype="int32"))._keras_mask is None
    assert layers.Embedding(4, 2, mask_zero=True)(lamina.Input((3,), dtype="int32"))._keras_mask.shape == (None, 3)
    x = np.array([[[5.0, 5.0], [5.0, 1.0]]])
    out = layers.Masking(mask_value=5.0)(x)
    assert out.tolist() == [[[0.0, 0.0], [5.0, 1.0]]]


def wrong(x):
    return jnp.matmul(x, jnp.ones((4, 4)))  # the line to find


def test_lambda_names_the_users_line():
    for inputs in (np.ones((2, 3), "float32"), lamina.Input((3,))):
        with pytest.raises(ShapeError, match='Lambda "lambda') as caught:
            layers.Lambda(wrong)(inputs)
        assert "the line to find" in caught.value.call_site.source
        assert caught.value.call_site.file == __file__
    with pytest.raises(ZeroDivisionError):
        layers.Lambda(lambda x: x / (1 // 0))(np.ones((2, 3)))


def test_lambda_sees_the_batch():
    seen = []
    layers.Lambda(lambda x: (seen.append(x.shape), x)[1])(np.ones((32, 10)))
    assert seen == [(32, 10)]
    layer = layers.Lambda(lambda x, training: x * (2.0 if training else 1.0))
    assert float(layer(np.ones(1), training=True)[0]) == 2.0
    assert float(layer(np.ones(1))[0]) == 1.0
    assert layers.Lambda(lambda x: [x, x[:, :2]])(lamina.Input((5,)))[1].shape == (None, 2)


@pytest.mark.parametrize("said", [(3,), 3, lambda shape: (shape[0], 3)])
def test_lambda_output_shape_is_compared(said):
    assert layers.Lambda(lambda x: x[:, :3], output_shape=said)(lamina.Input((5,))).shape == (None, 3)
    with pytest.raises(ShapeError, match="`output_shape` does not say") as caught:
        layers.Lambda(lambda x: x[:, :4], output_shape=said)(lamina.Input((5,)))
    assert "(batch, 4)" in caught.value.received


def twice(x):
    return 2 * x


def test_lambda_config():
    layer = layers.Lambda(lambda x: x + 1, name="plus")
    again = layers.Lambda.from_config(layer.get_config())
    assert again(np.zeros((1, 1))).tolist() == [[1.0]]
    elsewhere = layer.get_config()
    elsewhere["function"].pop("in_process")
    with pytest.raises(ValueError, match="the code of a Python lambda"):
        layers.Lambda.from_config(elsewhere)
    config = layers.Lambda(twice, arguments={}).get_config()
    config["function"].pop("in_process")
    with pytest.raises(ValueError, match="twice"):
        layers.Lambda.from_config(config)
    with lamina.saving.custom_object_scope({"twice": twice}):
        assert layers.Lambda.from_config(config).function is twice
    relu = layers.Lambda(lamina.activations.relu).get_config()
    assert layers.Lambda.from_config(relu).function is lamina.activations.relu
