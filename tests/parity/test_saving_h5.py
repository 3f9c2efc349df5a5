"""`.h5` files, whole models and weights: Keras 3 opens ours, and we open its."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

import lamina
from lamina.saving import legacy


def dense(k):
    return k.Sequential([
        k.Input((5,)), k.layers.Dense(4, activation="hard_sigmoid", kernel_regularizer="l2"),
        k.layers.BatchNormalization(), k.layers.LeakyReLU(), k.layers.Dropout(0.3), k.layers.Dense(2)])  # fmt: skip


def images(k):
    x = k.Input((8, 8, 3))
    y = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = k.layers.DepthwiseConv2D(3)(y)
    y = k.layers.Concatenate()([k.layers.MaxPooling2D(2)(y), k.layers.AveragePooling2D(2)(y)])
    return k.Model(x, [k.layers.Flatten()(y), k.layers.GlobalMaxPooling2D()(y)])


def sequences(k):
    x = k.Input((6, 3))
    y = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True))(x)
    y = k.layers.TimeDistributed(k.layers.Dense(4, activation="tanh"))(y)
    y = k.layers.GRU(3, return_sequences=True, reset_after=False)(y)
    return k.Model(x, k.layers.SimpleRNN(2)(y))


def nested(k):
    normal = [
        k.layers.BatchNormalization(),
        k.layers.BatchNormalization(),
    ]  # stored: what trains of both, then the rest
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(4, activation="relu"), *normal])
    for variable in inner.weights[2:]:
        variable.assign(np.random.default_rng(len(variable.path)).uniform(0.5, 2.0, variable.shape))
    a, b = k.Input((4,)), k.Input((4,))
    shared = k.layers.Dense(4)
    return k.Model([a, b], k.layers.Add()([inner(shared(a)), inner(shared(b))]))


def words(k):
    x = k.Input((6,), dtype="int32")
    y = k.layers.Embedding(9, 4, mask_zero=True)(x)
    return k.Model(x, k.layers.LSTM(3)(y))


MODELS = {
    dense: [(3, 5)],
    images: [(2, 8, 8, 3)],
    sequences: [(2, 6, 3)],
    nested: [(3, 4), (3, 4)],
    words: [(2, 6)],
}


def sliced(k):
    x = k.Input((6, 4))
    y = k.layers.LayerNormalization(axis=[-1])(x[:, 1:5] * 2.0)
    y = k.layers.Add()([y, k.ops.relu(y)])
    return k.Model(x, k.ops.mean(y, axis=1) + k.layers.Attention()([y, y])[:, 0])


def data(shapes, model):
    rng = np.random.default_rng(0)
    whole = "int" in str(model.inputs[0].dtype)
    values = [rng.integers(0, 9, s) if whole else rng.normal(size=s).astype("float32") for s in shapes]
    return values if len(values) > 1 else values[0]


def predicted(model, x):
    outputs = model.predict(x, verbose=0)
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("make", MODELS)
def test_keras_opens_ours(make, tmp_path):
    model = make(lamina)
    model.compile("adam", "mse")
    x = data(MODELS[make], model)
    legacy.save_model_h5(model, tmp_path / "model.h5")
    opened = keras.models.load_model(tmp_path / "model.h5")
    same(predicted(model, x), predicted(opened, x))
    assert [layer.name for layer in opened.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("make", MODELS)
def test_we_open_theirs(make, tmp_path):
    model = make(keras)
    x = data(MODELS[make], model)
    model.save(tmp_path / "model.h5")
    opened = legacy.load_model_h5(tmp_path / "model.h5")
    same(predicted(opened, x), predicted(model, x))
    assert [layer.name for layer in opened.layers] == [layer.name for layer in model.layers]


def test_we_open_what_keras_cannot_open_of_its_own(tmp_path):
    model = sliced(keras)
    x = data([(2, 6, 4)], model)
    model.save(tmp_path / "model.h5")
    same(predicted(legacy.load_model_h5(tmp_path / "model.h5"), x), predicted(model, x))


def test_keras_opens_our_functions_in_a_graph(tmp_path):
    model = sliced(lamina)
    x = data([(2, 6, 4)], model)
    legacy.save_model_h5(model, tmp_path / "model.h5")
    same(predicted(model, x), predicted(keras.models.load_model(tmp_path / "model.h5"), x))


@pytest.mark.parametrize("make", MODELS)
def test_weights_alone(make, tmp_path):
    """Keras 3 reads such files, in the order of the layers, though it no longer writes them."""
    model, other = make(lamina), make(keras)
    x = data(MODELS[make], model)
    legacy.save_weights_h5(model, tmp_path / "old.h5")
    other.load_weights(tmp_path / "old.h5")
    same(predicted(model, x), predicted(other, x))


def trained(k):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 5)).astype("float32"), rng.normal(size=(8, 2)).astype("float32")
    first = k.layers.Dense(4, activation="tanh", name="first")
    model = k.Sequential([k.Input((5,)), first, k.layers.Dense(2, name="second")], name="model")
    model.compile(k.optimizers.Adam(0.01, name="adam"), "mean_squared_error", metrics=["mean_absolute_error"])
    model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    return model, x, y


def test_training_goes_on_where_keras_stopped(tmp_path):
    model, x, y = trained(keras)
    model.save(tmp_path / "model.h5")
    opened = legacy.load_model_h5(tmp_path / "model.h5")
    ours, theirs = ([float(m.train_on_batch(x, y)[0]) for _ in range(3)] for m in (opened, model))
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


def texts(names):
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def test_the_state_of_the_optimizer_has_the_names_and_shapes_of_keras(tmp_path):
    """Keras itself cannot train on from its `.h5` files (it makes the optimizer for no variables)."""
    trained(keras)[0].save(tmp_path / "theirs.h5")
    legacy.save_model_h5(trained(lamina)[0], tmp_path / "ours.h5")
    with h5py.File(tmp_path / "theirs.h5") as theirs, h5py.File(tmp_path / "ours.h5") as ours:
        for place in ("optimizer_weights", "model_weights/first", "model_weights/second"):
            names = [texts(file[place].attrs["weight_names"]) for file in (ours, theirs)]
            assert names[0]
            assert names[0] == names[1]
            for name in names[0]:
                assert ours[place][name].shape == theirs[place][name].shape
                assert ours[place][name].dtype == theirs[place][name].dtype
        assert set(ours.attrs) - {"lamina_version"} == set(theirs.attrs)
        assert set(ours) == set(theirs)
        for key in ("backend", "keras_version"):
            assert ours.attrs[key] == theirs.attrs[key]
        names = [texts(file["model_weights"].attrs["layer_names"]) for file in (ours, theirs)]
        assert names[0] == names[1]
