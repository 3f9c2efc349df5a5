"""Model files both ways with real Keras: the same predictions, names and training, whoever wrote them."""

import io
import json
import zipfile

import h5py
import jax
import keras
import numpy as np
import pytest
from saved_models import MODELS, custom_classes

import lamina
from lamina.core import registry

pytestmark = pytest.mark.filterwarnings("ignore")
BOTH = [(keras, lamina), (lamina, keras)]
WAYS = ["theirs to ours", "ours to theirs"]


def inputs_of(made):
    """Inputs for a model: one array, or a dict by the names of its inputs."""
    rng = np.random.default_rng(7)

    def draw(tensor):
        shape = (4, *(size or 5 for size in tensor.shape[1:]))
        return rng.integers(0, 9, shape) if "int" in str(tensor.dtype) else rng.normal(size=shape).astype("float32")

    if type(made).__name__ in custom_classes(lamina):  # a subclass does not say what it takes
        return rng.normal(size=(4, 3)).astype("float32")
    inputs = {tensor.name: draw(tensor) for tensor in made.inputs}
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))


def outputs_of(made, x):
    return [np.asarray(leaf, "float32") for leaf in jax.tree.leaves(made(x, training=False))]


def targets_for(made, x):
    """Targets as the outputs are: shares of classes, numbers from 0 to 1, so that every loss takes them."""
    rng = np.random.default_rng(8)
    values = jax.tree.map(lambda leaf: np.asarray(rng.uniform(size=leaf.shape), "float32"), made(x, training=False))
    return jax.tree.map(lambda y: y / y.sum(-1, keepdims=True) if y.shape[-1] > 1 else y, values)


def open_with(k, path):
    return k.models.load_model(path, custom_objects=custom_classes(k))


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = np.asarray(a, "float32"), np.asarray(b, "float32")
        assert a.shape == b.shape
        assert not a.size or np.abs(a - b).max() <= 1e-6 * max(np.abs(a).max(), np.abs(b).max())


@pytest.mark.parametrize("way", [0, 1], ids=WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_the_same_predictions_and_names(name, way, tmp_path):
    writer, reader = BOTH[way]
    made, path = MODELS[name](writer), tmp_path / "model.keras"
    rng = np.random.default_rng(3)
    if name != "normalized_data":  # Keras takes up what was measured only when it loads
        made.set_weights([rng.uniform(0.1, 0.9, w.shape).astype(w.dtype) for w in made.get_weights()])
    made.save(path)
    again = open_with(reader, path)
    x = inputs_of(made)
    assert_equal(outputs_of(made, x), outputs_of(again, x))
    assert again.name == made.name
    assert [layer.name for layer in again.layers] == [layer.name for layer in made.layers]
    assert [w.name for w in again.weights] == [w.name for w in made.weights]
    assert [w.dtype for w in again.weights] == [w.dtype for w in made.weights]
    assert [w.name for w in again.trainable_weights] == [w.name for w in made.trainable_weights]
    again.save(tmp_path / "again.keras")
    assert stored(path) == stored(tmp_path / "again.keras")
    other = MODELS[name](reader)
    made.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    assert_equal([np.asarray(w) for w in made.get_weights()], [np.asarray(w) for w in other.get_weights()])


def stored(path):
    """Datasets with their shapes and types, without the optimizer's, which is not built yet; Keras keeps no
    state of random generators."""
    found = {}
    file = h5py.File(io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5")))

    def note(name, thing):
        if isinstance(thing, h5py.Dataset):
            found[name] = (thing.shape, str(thing.dtype))

    file.visititems(note)
    return {name: entry for name, entry in found.items() if "seed_generator" not in name and "optimizer" not in name}


#: No training to go on with; numbers too coarse to compare; states between batches, which Keras does not keep either.
_LEFT_OUT = ("not_compiled", "mixed_precision", "half_precision", "stateful")
TRAINED = [name for name in MODELS if name not in _LEFT_OUT]
QUICK = ("dense", "several_outputs", "averaged", "scaled_loss", "schedules", "normalizations", "subclass", "nested")
QUICK += ("convolutions_3d",)  # a convolution of few elements before max pooling


@pytest.mark.parametrize("way", [0, 1], ids=WAYS)
@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in TRAINED])
def test_training_goes_on(name, way, tmp_path):
    writer, reader = BOTH[way]
    made, path = MODELS[name](writer), tmp_path / "model.keras"
    x = inputs_of(made)
    y = targets_for(made, x)
    for _ in range(3):
        made.train_on_batch(x, y)
    made.save(path)
    again = open_with(reader, path)
    assert [v.shape for v in again.optimizer.variables] == [v.shape for v in made.optimizer.variables]
    for ours, theirs in zip(again.optimizer.variables, made.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    for _ in range(2):  # the second loss shows whether the optimizer went on from its state
        losses = [np.asarray(jax.tree.leaves(m.train_on_batch(x, y))) for m in (made, again)]
        np.testing.assert_allclose(losses[0], losses[1], rtol=2e-6, atol=1e-7)


def example_of(cls):
    """A model of one layer, set up as its documentation shows it."""
    layer = cls(**{name: registry.deserialize(value) for name, value in cls.example_config.items()})
    shapes = cls.example_input if isinstance(cls.example_input[0], (tuple, list)) else [cls.example_input]
    inputs = [lamina.Input(batch_shape=shape) for shape in shapes]
    apart = getattr(cls, "inputs_apart", False)
    outputs = layer(*inputs) if apart or len(inputs) == 1 else layer(inputs)
    return lamina.Model(inputs if len(inputs) > 1 else inputs[0], outputs)


@pytest.mark.slow
def test_every_other_layer(tmp_path):
    held = {type(layer).__name__ for build in MODELS.values() for layer in build(lamina)._flatten_layers()}
    # Bases; RandomCrop, of which Keras leaves the sizes as they were outside of training, unlike what it declares; and
    # RandomShear, whose own config with one number for a factor Keras does not read.
    left_out = {"Layer", "Wrapper", "Pipeline", "RandomCrop", "RandomShear"}
    for name, cls in registry.known("layer").items():
        if name in held | left_out or cls.__name__ != name or not hasattr(keras.layers, name):
            continue
        if cls.__module__.startswith("lamina.layers.tables"):  # from words and numbers: see tests/layers/test_tables.py
            continue
        made = example_of(cls)
        made.save(tmp_path / "ours.keras")
        theirs = open_with(keras, tmp_path / "ours.keras")
        theirs.save(tmp_path / "theirs.keras")
        again = open_with(lamina, tmp_path / "theirs.keras")
        x = inputs_of(made)
        expected = outputs_of(made, x)
        assert_equal(outputs_of(theirs, list(x.values()) if isinstance(x, dict) else x), expected)
        assert_equal(outputs_of(again, x), expected)
        assert stored(tmp_path / "ours.keras") == stored(tmp_path / "theirs.keras")


def test_the_config_is_keras_s(tmp_path):
    """Whatever Keras writes at the top of a file is there, and in the same form."""
    for name in ("dense", "nested", "subclass", "not_compiled"):
        configs = []
        for k in (keras, lamina):
            path = tmp_path / f"{k.__name__}.keras"
            keras.backend.clear_session()
            MODELS[name](k).save(path)
            with zipfile.ZipFile(path) as archive:
                assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
                assert archive.testzip() is None
                configs.append(json.loads(archive.read("config.json")))
        theirs, ours = configs
        assert set(ours) == set(theirs)
        assert [ours[key] for key in ("class_name", "registered_name")] == [
            theirs[key] for key in ("class_name", "registered_name")
        ]
        assert ours.get("compile_config", {}).keys() == theirs.get("compile_config", {}).keys()
