"""Model files as Lamina writes and reads them: round trips, hooks, wrong files, and nothing half loaded."""

import json
import os
import zipfile

import h5py
import jax
import numpy as np
import pytest

import lamina
from lamina import layers, saving
from lamina.saving import weight_store
from lamina.saving.atomic import writing
from lamina.saving.places import writing_elsewhere
from lamina.saving.walking import walk
from lamina.shapes import ShapeError


def small(units=3, name="small"):
    return lamina.Sequential([lamina.Input((4,)), layers.Dense(5, name="a"), layers.Dense(units, name="b")], name=name)


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


X = np.linspace(-1, 1, 32, dtype="float32").reshape(8, 4)
Y = np.linspace(0, 1, 24, dtype="float32").reshape(8, 3)


# Round trips


@pytest.mark.parametrize("zipped", [None, False])
def test_a_model_comes_back_with_its_training(tmp_path, zipped):
    path = tmp_path / ("m.keras" if zipped is None else "m")
    model = small()
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(path, zipped=zipped)
    again = lamina.models.load_model(path)
    assert equal(model, again)
    assert again.get_compile_config() == model.get_compile_config()
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations) == 2
    assert model.train_on_batch(X, Y) == again.train_on_batch(X, Y)
    assert model.train_on_batch(X, Y) == again.train_on_batch(X, Y)


def test_dropout_goes_on_with_the_same_random_numbers(tmp_path):
    model = lamina.Sequential([lamina.Input((4,)), layers.Dropout(0.5), layers.Dense(3)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras")
    again = lamina.models.load_model(tmp_path / "m.keras")
    assert [model.train_on_batch(X, Y) for _ in range(3)] == [again.train_on_batch(X, Y) for _ in range(3)]


def test_a_file_opens_in_another_process_state(tmp_path):
    """Names that are taken in this process do not matter to a file."""
    model = small()
    model.save_weights(tmp_path / "w.weights.h5")
    other = lamina.Sequential([lamina.Input((4,)), layers.Dense(5), layers.Dense(3)])
    other.load_weights(tmp_path / "w.weights.h5")
    assert equal(model, other)


def test_without_training_settings(tmp_path):
    model = small()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras", include_optimizer=False)
    assert not lamina.models.load_model(tmp_path / "m.keras").compiled
    assert b"optimizer" not in (tmp_path / "m.keras").read_bytes()
    model.save(tmp_path / "m.keras")
    assert not lamina.models.load_model(tmp_path / "m.keras", compile=False).compiled
    assert lamina.models.load_model(tmp_path / "m.keras").compiled


def test_weights_in_several_files(tmp_path):
    model = small()
    model.save_weights(tmp_path / "w.weights.json", max_shard_size=5e-8)
    files = sorted(os.listdir(tmp_path))
    assert files[0] == "w.weights.json"
    assert len(files) > 3
    other = small()
    other.load_weights(tmp_path / "w.weights.json")
    assert equal(model, other)
    index = json.loads((tmp_path / "w.weights.json").read_text())
    for name in ("other_00000.weights.h5", "w_/../../w_00000.weights.h5", "/etc/passwd", 3):
        index["weight_map"]["/vars"] = [name]
        (tmp_path / "w.weights.json").write_text(json.dumps(index))
        with pytest.raises(ValueError, match="not a file of weights beside it"):
            other.load_weights(tmp_path / "w.weights.json")


def test_weights_out_of_a_whole_model(tmp_path):
    model, other = small(), small()
    model.save(tmp_path / "m.keras")
    other.load_weights(tmp_path / "m.keras")
    assert equal(model, other)


def test_types_that_hdf5_does_not_have(tmp_path):
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(3, dtype="bfloat16"), layers.Dense(2, dtype="float16")])
    model.save(tmp_path / "m.keras")
    again = lamina.models.load_model(tmp_path / "m.keras")
    assert [w.dtype for w in again.weights] == ["bfloat16"] * 2 + ["float16"] * 2
    assert equal(model, again)


def test_large_weights_that_no_file_holds_are_drawn_as_ever(tmp_path):
    @saving.register_keras_serializable("files")
    class Forgetful(layers.Dense):
        def save_own_variables(self, store):
            store["bias"] = self.bias

        def load_own_variables(self, store):
            self.bias.assign(store["bias"])

    model = lamina.Sequential([lamina.Input((300,)), Forgetful(300, bias_initializer="ones"), layers.Dense(300)])
    model.save(tmp_path / "m.keras")
    again = lamina.models.load_model(tmp_path / "m.keras")
    drawn = again.layers[0].kernel.value
    assert isinstance(drawn, jax.Array)
    assert 0.01 < float(drawn.std()) < 0.1
    np.testing.assert_array_equal(again.layers[1].kernel, model.layers[1].kernel)


# What users write


@saving.register_keras_serializable("files")
class Kept(layers.Layer):
    """Keeps what it knows in its own way: values under names, words in an asset, the shape it was built for."""

    def __init__(self, words=(), **kwargs):
        super().__init__(**kwargs)
        self.words, self.built_from = list(words), None

    def build(self, input_shape):
        self.offset = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="offset")

    def call(self, x):
        return x + self.offset

    def save_own_variables(self, store):
        store["offset"], store["count"] = self.offset, np.array(len(self.words))

    def load_own_variables(self, store):
        assert sorted(store) == ["count", "offset"]
        assert int(store["count"]) == 2
        self.offset.assign(store["offset"])

    def save_assets(self, folder):
        with open(os.path.join(folder, "words.txt"), "w") as file:
            file.write("\n".join(self.words))

    def load_assets(self, folder):
        with open(os.path.join(folder, "words.txt")) as file:
            self.words = file.read().split("\n")

    def get_build_config(self):
        return {"input_shape": self._build_shape, "mark": 7}

    def build_from_config(self, config):
        self.built_from = config["mark"]
        self.build(tuple(config["input_shape"]))


@pytest.mark.parametrize("zipped", [None, False])
def test_hooks(tmp_path, zipped):
    model = lamina.Sequential([lamina.Input((2,)), Kept(name="kept")])
    model.layers[0].words = ["one", "two"]
    model.layers[0].offset.assign([1.0, 2.0])
    path = tmp_path / ("m.keras" if zipped is None else "m")
    model.save(path, zipped=zipped)
    kept = lamina.models.load_model(path).layers[0]
    assert (kept.words, kept.built_from) == (["one", "two"], 7)
    assert kept.offset.numpy().tolist() == [1.0, 2.0]
    if zipped is None:
        assert "assets/layers/kept/words.txt" in zipfile.ZipFile(path).namelist()


def halved(x):
    return x / 2


def test_names_that_are_not_registered_have_to_be_given(tmp_path):
    class Mine(layers.Dense):
        pass

    model = lamina.Sequential([lamina.Input((4,)), Mine(3, activation=halved)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"m\.keras.*unknown object 'Mine'.*`custom_objects`"):
        lamina.models.load_model(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="halved"):
        lamina.models.load_model(tmp_path / "m.keras", custom_objects={"Mine": Mine})
    given = {"Mine": Mine, "halved": halved}
    again = lamina.models.load_model(tmp_path / "m.keras", custom_objects=given)
    assert type(again.layers[0]) is Mine
    with saving.custom_object_scope(given):
        assert equal(lamina.models.load_model(tmp_path / "m.keras"), model)


def test_layers_in_several_places_stay_one(tmp_path):
    x = lamina.Input((4,))
    shared = layers.Dense(4, name="shared")
    inner = lamina.Sequential([lamina.Input((4,)), shared], name="inner")
    model = lamina.Model(x, inner(shared(shared(x))))
    model.save(tmp_path / "m.keras")
    again = lamina.models.load_model(tmp_path / "m.keras")
    assert again.get_layer("inner").layers[0] is again.get_layer("shared")
    np.testing.assert_array_equal(again(X), model(X))


def test_lambdas_run_only_where_that_is_allowed(tmp_path):
    two = 2.0
    model = lamina.Sequential([lamina.Input((4,)), layers.Lambda(lambda x: x * two)])
    with pytest.warns(UserWarning, match="opens only with safe_mode=False"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"m\.keras.*Lambda.*`function`.*safe_mode=False"):
        lamina.models.load_model(tmp_path / "m.keras")
    again = lamina.models.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_array_equal(again(X), model(X))
    with pytest.raises(ValueError, match="safe_mode"):  # it was allowed for that one file
        lamina.models.load_model(tmp_path / "m.keras")


def test_unsafe_files_may_be_allowed_for_good(tmp_path, monkeypatch):
    from lamina.core import lambdas

    monkeypatch.setattr(lambdas, "_everywhere", [])
    model = lamina.Sequential([lamina.Input((4,)), layers.Lambda(lambda x: x + 1)])
    with pytest.warns(UserWarning, match="lambda"):
        model.save(tmp_path / "m.keras")
    lamina.config.enable_unsafe_deserialization()
    np.testing.assert_array_equal(lamina.models.load_model(tmp_path / "m.keras")(X), X + 1)


def test_values_in_configs(tmp_path):
    @saving.register_keras_serializable("files")
    class Holder(layers.Layer):
        def __init__(self, given, **kwargs):
            super().__init__(**kwargs)
            self.given = given

        def call(self, x):
            return x

    given = {"array": np.arange(3, dtype="int8"), "deep": [{"slice": slice(1, None, 2)}, ..., b"bytes", 1.5, None]}
    model = lamina.Sequential([lamina.Input((4,)), Holder(given)])
    model.save(tmp_path / "m.keras")
    back = lamina.models.load_model(tmp_path / "m.keras").layers[0].given
    assert back["array"].dtype == np.int8
    assert back["array"].tolist() == [0, 1, 2]
    assert back["deep"] == given["deep"]


def test_settings_that_no_file_can_hold(tmp_path):
    import optax

    model = small()
    model.compile(optax.adam(0.01), "mse")
    model.fit(X, Y, verbose=0)
    with pytest.warns(UserWarning, match="training settings of 'small' are left out.*optax"):
        model.save(tmp_path / "m.keras")
    again = lamina.models.load_model(tmp_path / "m.keras")
    assert not again.compiled
    assert equal(model, again)


def test_settings_that_no_longer_resolve(tmp_path):
    def mine(y_true, y_pred):
        return y_pred

    model = small()
    model.compile("adam", mine)
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="training settings of 'small' cannot be used.*mine"):
        again = lamina.models.load_model(tmp_path / "m.keras")
    assert equal(model, again)
    assert not again.compiled
    assert lamina.models.load_model(tmp_path / "m.keras", custom_objects={"mine": mine}).loss is mine


def test_places_are_keras_s():
    """By attribute, public ones first, then by class; `layers` is a model's list of all of them."""

    class Net(lamina.Model):
        def __init__(self):
            super().__init__()
            self.second = layers.Dense(1)
            self._hidden = layers.Dense(1)
            self.blocks = [layers.Dense(1), (layers.Conv1D(1, 1), {"a": layers.Dense(1)})]
            self.again = self.second
            self.first = layers.Dense(1)
            self.zeta = lamina.random.SeedGenerator(1)

        @property
        def above(self):
            return self.first

    nested = ["blocks/container/container/dense", "blocks/container/conv1d", "blocks/dense"]
    assert sorted(path for path, _ in walk(Net())) == ["", "above", "again", *nested, "layers/dense_1", "zeta"]
    x = lamina.Input((2,))
    model = lamina.Model(x, layers.Dense(1)(x))
    model.again, model.other = model.layers[1], layers.Dense(1)
    assert [path for path, _ in walk(model)] == ["", "layers/input_layer", "layers/dense", "other"]
    block = lamina.layers.Layer()
    block._one = block.two = layers.Dense(1)
    block._three = layers.Dense(1)
    assert [path for path, _ in walk(block)] == ["", "two", "_three"]


# Weights that do not fit


def test_nothing_is_set_when_one_layer_does_not_fit(tmp_path):
    small(units=3).save_weights(tmp_path / "w.weights.h5")
    other = small(units=2)
    before = [w.copy() for w in other.get_weights()]
    with pytest.raises(ShapeError, match='"b"') as caught:
        other.load_weights(tmp_path / "w.weights.h5")
    assert "(5, 2)" in str(caught.value)
    assert "(5, 3)" in str(caught.value)
    assert "w.weights.h5" in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))


def test_layers_that_do_not_fit_may_be_skipped(tmp_path):
    model, other = small(units=3), small(units=2)
    model.save_weights(tmp_path / "w.weights.h5")
    last = other.layers[1].kernel.numpy()
    with pytest.warns(UserWarning, match='left as it is: Dense "b"'):
        other.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(other.layers[0].kernel, model.layers[0].kernel)
    np.testing.assert_array_equal(other.layers[1].kernel, last)
    other = small(units=2)
    other.load_weights(tmp_path / "w.weights.h5", objects_to_skip=[other.layers[1]])
    np.testing.assert_array_equal(other.layers[0].kernel, model.layers[0].kernel)


def test_more_or_fewer_layers(tmp_path):
    small().save_weights(tmp_path / "w.weights.h5")
    longer = lamina.Sequential([*small().layers, layers.Dense(1, name="c")])
    longer.build((None, 4))
    before = [w.copy() for w in longer.get_weights()]
    with pytest.raises(ShapeError, match='"c" has 2 weights; 0 were given'):
        longer.load_weights(tmp_path / "w.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, longer.get_weights(), strict=True))
    shorter = lamina.Sequential([lamina.Input((4,)), layers.Dense(5)])
    with pytest.warns(UserWarning, match="no layer: /layers/dense_1"):
        shorter.load_weights(tmp_path / "w.weights.h5")


def test_a_hook_that_fails_leaves_all_as_it_was(tmp_path):
    model = lamina.Sequential([lamina.Input((2,)), layers.Dense(2), Kept(["a", "b"])])
    model.save_weights(tmp_path / "w.weights.h5")

    class Broken(Kept):
        def load_own_variables(self, store):
            self.offset.assign([9.0, 9.0])
            raise ValueError("not mine")

    other = lamina.Sequential([lamina.Input((2,)), layers.Dense(2), Broken(["a", "b"], name="broken")])
    before = [w.copy() for w in other.get_weights()]
    with pytest.raises(ValueError, match="not mine"):
        other.load_weights(tmp_path / "w.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))


# Files and names


def test_the_earlier_file_stays_when_saving_fails(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    small().save(path)
    before = path.read_bytes()

    def breaks(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(weight_store, "write_weights", breaks)
    for target in (path, tmp_path / "new.keras"):
        with pytest.raises(KeyboardInterrupt):
            small().save(target)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.keras"]


def test_permissions(tmp_path):
    path = tmp_path / "m.keras"
    small().save(path)
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    path.chmod(0o640)
    small().save(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_keeps_leading_to_its_file(tmp_path):
    real, link = tmp_path / "real.keras", tmp_path / "link.keras"
    small().save(real)
    link.symlink_to(real)
    small(units=2).save(link)
    assert link.is_symlink()
    assert lamina.models.load_model(real).output_shape == (None, 2)


def test_litter_of_processes_that_were_killed_is_removed(tmp_path, monkeypatch):
    from lamina.saving import atomic

    left = tmp_path / f".m.keras.{atomic._HOST}-999999999-abcd.keras"
    living = tmp_path / f".m.keras.{atomic._HOST}-{os.getpid()}-abcd.keras"
    left.write_text("half")
    living.write_text("half")
    small().save(tmp_path / "m.keras")
    assert not left.exists()
    assert living.exists()


def test_writing_where_files_need_names(tmp_path, monkeypatch):
    from lamina.saving import atomic

    monkeypatch.setattr(atomic, "_UNNAMED", None)
    target = tmp_path / "f"
    for content in (b"one", b"two"):
        with writing(target) as file:
            file.write(content)
        assert target.read_bytes() == content
    with pytest.raises(TypeError), writing(target) as file:
        file.write(3)
    assert target.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["f"]


def test_overwrite_asks(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    small(units=3).save(path)
    answers = iter(["n", "y"])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    small(units=2).save(path, overwrite=False)
    assert lamina.models.load_model(path).output_shape == (None, 3)
    small(units=2).save(path, overwrite=False)
    assert lamina.models.load_model(path).output_shape == (None, 2)

    def nobody(_):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(ValueError, match=r"exists, and `overwrite` is False"):
        small().save(path, overwrite=False)


def test_a_kind_is_told_by_content(tmp_path):
    model = small()
    model.save(tmp_path / "m.keras")
    os.rename(tmp_path / "m.keras", tmp_path / "m.h5")
    assert equal(lamina.models.load_model(tmp_path / "m.h5"), model)
    model.save_weights(tmp_path / "w.weights.h5")
    os.rename(tmp_path / "w.weights.h5", tmp_path / "w.keras")
    model.load_weights(tmp_path / "w.keras")
    with pytest.raises(ValueError, match=r"w\.keras"):
        lamina.models.load_model(tmp_path / "w.keras")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, d: m.save(d / "m.txt"), r"m.txt'.*ends in .keras"),
        (lambda m, d: m.save(d / "m.keras", zipped=False), "zipped=False it is a folder"),
        (lambda m, d: m.save_weights(d / "m.keras"), r"ends in .weights.h5"),
        (lambda m, d: m.save_weights(d / "m.weights.h5", max_shard_size=1), r"ends in .weights.json"),
        (lambda m, d: lamina.Sequential([layers.Dense(1)]).save_weights(d / "m.weights.h5"), "has no weights yet"),
        (lambda m, d: lamina.models.load_model(d), "holds no config.json"),
    ],
)
def test_bad_names(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(small(), tmp_path)
    assert not os.listdir(tmp_path)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.keras"):
        lamina.models.load_model(tmp_path / "none.keras")
    with pytest.raises(FileNotFoundError, match=r"none\.weights\.h5"):
        small().load_weights(tmp_path / "none.weights.h5")
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*elsewhere'"):
        small().save(tmp_path / "elsewhere" / "m.keras")
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.keras: neither a .keras archive nor an HDF5 file"):
        lamina.models.load_model(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(ValueError, match=r"other.keras: is no model: it has no config.json; it holds a.txt"):
        lamina.models.load_model(tmp_path / "other.keras")


def test_a_dataset_that_is_missing(tmp_path):
    model = small()
    model.save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "w.weights.h5", "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/2"] = np.zeros((4, 5), "float32")
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(ValueError, match=r'Dense "a": /layers/dense/vars has no \'0\''):
        model.load_weights(tmp_path / "w.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


# While training


def test_checkpoints_can_be_opened(tmp_path):
    model = small()
    model.compile("adam", "mse")
    callbacks = [
        lamina.callbacks.ModelCheckpoint(tmp_path / "new" / "{epoch}.keras"),
        lamina.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True),
    ]
    model.fit(X, Y, epochs=2, verbose=0, callbacks=callbacks)
    assert sorted(os.listdir(tmp_path / "new")) == ["1.keras", "2.keras"]
    last = lamina.models.load_model(tmp_path / "new" / "2.keras")
    assert equal(last, model)
    assert int(last.optimizer.iterations) == 2
    first = small()
    first.load_weights(tmp_path / "1.weights.h5")
    assert not equal(first, model)


class Stop(lamina.callbacks.Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def backed_up(folder, stop=None, **settings):
    """Losses of a run; one that is stopped has none."""
    lamina.utils.set_random_seed(1)
    model = lamina.Sequential([lamina.Input((4,)), layers.Dropout(0.5, seed=1), layers.Dense(3)])
    model.compile(lamina.optimizers.Adam(0.1), "mse")
    callbacks = [lamina.callbacks.BackupAndRestore(folder, **settings)] if folder else []
    callbacks += [Stop(stop)] if stop is not None else []
    try:
        return model.fit(X, Y, epochs=5, shuffle=False, batch_size=4, verbose=0, callbacks=callbacks).history["loss"]
    except KeyboardInterrupt:
        return None


@pytest.mark.parametrize("double", [False, True])
def test_training_that_was_interrupted_goes_on(tmp_path, double):
    whole = backed_up(None)
    assert backed_up(tmp_path, stop=3, double_checkpoint=double) is None
    states = sorted(os.listdir(tmp_path))
    assert states == [f"after_{n}_epochs_{n}.weights.h5" for n in ((2, 3) if double else (3,))]
    if double:  # the last state cannot be read, so the one before it has to do
        (tmp_path / states[1]).write_bytes(b"broken")
        with pytest.warns(UserWarning, match="BackupAndRestore.*after_3_epochs"):
            rest = backed_up(tmp_path, double_checkpoint=True)
        assert rest == pytest.approx(whole[2:])
    else:
        assert backed_up(tmp_path) == pytest.approx(whole[3:])
    assert not os.listdir(tmp_path)


def test_states_every_so_many_batches(tmp_path):
    assert backed_up(tmp_path, stop=2, save_freq=3) is None
    assert os.listdir(tmp_path) == ["after_1_epochs_3.weights.h5"]
    assert len(backed_up(tmp_path, save_freq=3, delete_checkpoint=False)) == 4
    assert os.listdir(tmp_path) == ["after_3_epochs_9.weights.h5"]
    for wrong in ({"save_freq": 0}, {"save_freq": "batch"}):
        with pytest.raises(ValueError, match="`save_freq`"):
            lamina.callbacks.BackupAndRestore(tmp_path, **wrong)
    with pytest.raises(ValueError, match="`backup_dir`"):
        lamina.callbacks.BackupAndRestore("")


def test_while_a_program_is_looked_at_files_go_elsewhere(tmp_path):
    paths = [tmp_path / name for name in ("m.keras", "m.h5", "m.weights.h5", "m.safetensors")]
    with writing_elsewhere():
        for path in paths * 3:
            model, other = small(), small()
            (model.save if path.name in ("m.keras", "m.h5") else model.save_weights)(path)
            other.load_weights(path)
            assert equal(model, other)
        saving.save_safetensors(model, tmp_path / "m.safetensors")
        saving.load_safetensors(model, tmp_path / "m.safetensors")
    assert not any(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        model.load_weights(paths[0])
