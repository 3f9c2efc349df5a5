"""`lamina.saving.show`: what a file is, without loading it."""

import json
import pickle
import struct
import warnings
import zipfile

import jax.numpy as jnp
import model_files as made
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core import lambdas
from lamina.core.variable import Variable
from lamina.reports.file_arrays import StoredArray
from lamina.reports.file_values import summarize
from lamina.saving import show
from lamina.saving.safety import hdf5


class Scale(layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), name="factor")

    def call(self, inputs):
        return inputs * self.factor


class Halved(layers.Layer):
    def call(self, inputs):
        return inputs[:, ::2]


class Net(lamina.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.others = layers.Dense(4, name="first"), [Scale(name="scale"), layers.Dense(3, name="last")]

    def call(self, inputs):
        x = self.first(inputs)
        for layer in self.others:
            x = layer(x)
        return x


def listener(custom=None):
    sound = lamina.Input(("length", 8), name="sound")
    x = layers.Conv1D(16, 3, strides=2, name="conv")(sound)
    x = custom(x) if custom else x
    x = layers.LSTM(5, name="lstm")(x)
    model = lamina.Model(sound, layers.Dense(3, activation="softmax", name="probs")(x), name="listener")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def rows(report):
    return {row.name: row for row in report.rows}


def dims(report):
    return {row.name: row.dims for row in report.rows}


# Models whose layers are known


@pytest.mark.parametrize("ending", [".keras", ".h5", "", ".json"])
def test_a_model_in_each_format(ending, tmp_path):
    path, model = tmp_path / f"model{ending}", listener()
    if ending == ".json":
        path.write_text(model.to_json())
    else:
        model.save(path, zipped=False if not ending else None)
    report = show(path)
    assert report.contents.kind == ("architecture" if ending == ".json" else "model")
    assert dims(report) == {
        "sound": ["(batch, length, 8)"], "conv": ["(batch, (length - 3)//2 + 1, 16)"], "lstm": ["(batch, 5)"],
        "probs": ["(batch, 3)"],
    }  # fmt: skip
    (sound,), (probs,) = report.architecture.inputs, report.architecture.outputs
    assert (sound.name, sound.shape, sound.axes) == ("sound", (None, None, 8), ("batch", "length", "channels"))
    assert (probs.name, probs.shape, probs.axes) == ("probs", (None, 3), ("batch", "units"))
    assert report.parameters == model.count_params() == sum(row.parameters for row in report.rows)
    assert rows(report)["conv"].weights == [("conv/kernel", (3, 8, 16)), ("conv/bias", (16,))]
    text = report.to_text(80)
    assert "sound  (batch, length, channels=8)  float32" in text
    assert "Connected to" not in text  # one after the other
    if ending in (".keras", ".h5"):
        assert "Adam (learning rate 0.001), loss sparse_categorical_crossentropy, metrics accuracy" in " ".join(text.split())  # fmt: skip  # noqa: E501
        assert f"Lamina {lamina.__version__}, in the format of Keras 3" in text


def test_models_inside_and_several_ends(tmp_path):
    left, right = lamina.Input((4,), name="left"), lamina.Input((4,), name="right")
    head = lamina.Sequential([lamina.Input((8,)), layers.Dense(3, name="inner"), layers.ReLU(name="relu")], name="head")
    joined = layers.Concatenate(name="joined")([left, right])
    model = lamina.Model([left, right], [head(joined), layers.Dense(1, name="aux")(joined + 1.0)])
    model.save(tmp_path / "model.keras")
    report = show(tmp_path / "model.keras")
    assert [(row.path[0], row.depth) for row in report.rows if row.path[0] == "head"] == [
        ("head", 0), ("head", 1), ("head", 1)
    ]  # fmt: skip
    assert rows(report)["inner"].dims == ["(batch, 3)"]
    assert rows(report)["joined"].sources == ["left", "right"]
    assert report.parameters == model.count_params()
    assert [t.name for t in report.architecture.outputs] == ["head", "aux"]
    assert [t.axes for t in report.architecture.outputs] == [("batch", "units")] * 2
    text = report.to_text(100)
    assert "└ inner (Dense)" in text
    assert "Connected to" in text


def test_nothing_is_loaded_and_no_memory_taken(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    lamina.Sequential([lamina.Input((400,)), layers.Dense(400)]).save(path)
    monkeypatch.setattr(Variable, "_draw", lambda self, *_: pytest.fail(f"{self.path} was given values"))
    monkeypatch.setattr(hdf5.Dataset, "read", lambda self: pytest.fail(f"{self.path} was read"))
    monkeypatch.setattr("lamina.core.variable._LARGE", 1)
    assert show(path).parameters == 160_400


def test_it_leaves_no_trace(tmp_path):
    path = tmp_path / "model.keras"
    lamina.Sequential([lamina.Input((4,)), Scale(), Halved()]).save(path)  # it can be made in part
    before = lamina.Sequential().name
    show(path, weights=True)
    numbers = [int(name.removeprefix("sequential").strip("_") or 0) for name in (before, lamina.Sequential().name)]
    assert numbers[1] == numbers[0] + 1
    assert {p.name for p in tmp_path.iterdir()} == {"model.keras"}


# Layers that are unknown


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_an_unknown_layer_has_the_shapes_that_the_file_notes(ending, tmp_path):
    path = tmp_path / f"model{ending}"
    listener(Scale(name="scale")).save(path)
    report = show(path)
    scale = rows(report)["scale"]
    assert (scale.kind, scale.problem, scale.parameters) == ("Scale", "unknown class", 16)
    assert scale.shapes == [(None, None, 16)]
    assert [shape for _, shape in scale.weights] == [(16,)]
    assert dims(report)["probs"] == ["(batch, 3)"]  # what follows is known again
    text = report.to_text(100)
    assert "scale (Scale, unknown)" in text
    assert 'custom_objects={"Scale": Scale}' in text
    assert report.to_dict()["layers"][2]["known"] is False


def test_unknown_sizes_are_named_anew(tmp_path):
    path = tmp_path / "model.keras"
    listener(Halved(name="halved")).save(path)
    report = show(path)
    halved = rows(report)["halved"]
    assert halved.shapes == [(None, None, 16)]
    assert halved.dims != rows(report)["conv"].dims  # nobody says that the length stays as it is
    assert dims(report)["probs"] == ["(batch, 3)"]


def test_layers_that_take_unknown_sizes_are_known(tmp_path):
    path = tmp_path / "model.keras"
    x = lamina.Input(("length", 8), name="x")
    y = layers.Conv1D(8, 3, name="conv")(x)
    lamina.Model(x, layers.Add(name="added")([y, Scale(name="scale")(y)])).save(path)
    assert dims(show(path))["added"] == ["(batch, length - 2, 8)"]


def test_an_unknown_layer_in_a_sequential_and_at_its_end(tmp_path):
    path = tmp_path / "model.keras"
    model = lamina.Sequential([lamina.Input((6,)), Scale(name="a"), layers.Dense(2, name="dense"), Scale(name="z")])
    model.save(path)
    report = show(path)
    assert dims(report) == {"a": ["(batch, 6)"], "dense": ["(batch, 2)"], "z": []}
    assert [(t.name, t.shape) for t in report.architecture.outputs] == [("z", None)]
    assert [row.parameters for row in report.rows] == [6, 14, 2]
    assert report.parameters == model.count_params()


def old_model(*entries):
    """A file of Keras 2, which notes no shapes between layers."""
    first = {"class_name": "Dense", "config": {"name": "first", "units": 2, "batch_input_shape": [None, 3]}}
    return {"class_name": "Sequential", "keras_version": "2.2.4", "config": {"layers": [first, *entries]}}


def test_what_follows_an_unknown_layer_of_keras_2_is_not_known(tmp_path):
    path = tmp_path / "model.json"
    last = {"class_name": "Dense", "config": {"name": "last", "units": 2}}
    path.write_text(json.dumps(old_model({"class_name": "Mystery", "config": {"name": "mystery"}}, last)))
    report = show(path)
    assert dims(report) == {"first": ["(batch, 2)"], "mystery": [], "last": []}
    assert rows(report)["last"].problem is None
    assert report.parameters is None
    text = report.to_text(80)
    assert "mystery (Mystery, unknown)" in text
    assert "? follows from layers whose output shape the file does not note" in text
    assert "not known: some layers are unknown; the file holds no weights" in text


def test_a_graph_is_made_as_far_as_it_goes(tmp_path):
    x = lamina.Input((4,), name="x")
    known = layers.Dense(3, name="known")(x)
    model = lamina.Model(
        x, [layers.Dense(2, name="after")(Scale(name="scale")(known)), layers.ReLU(name="other")(known)]
    )
    described = json.loads(model.to_json())
    for entry in described["config"]["layers"]:
        for call in entry["inbound_nodes"]:
            for tensor in call["args"]:
                tensor["config"].pop("shape")  # so that nothing is noted
    path = tmp_path / "model.json"
    path.write_text(json.dumps(described))
    report = show(path)
    assert dims(report) == {
        "x": ["(batch, 4)"],
        "known": ["(batch, 3)"],
        "scale": [],
        "after": [],
        "other": ["(batch, 3)"],
    }
    assert [(t.name, t.shape) for t in report.architecture.outputs] == [("after", None), ("other", (None, 3))]


@pytest.mark.parametrize("everywhere", [False, True])
def test_code_in_a_file_is_never_run(everywhere, tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    path = tmp_path / "model.keras"
    code = f"lambda x: (open({str(mark)!r}, 'w').close(), x)[1]"
    x = lamina.Input((3,), name="x")
    y = layers.Lambda(lambda t: t * 2.0, name="double")(x)
    model = lamina.Model(x, layers.Dense(2, activation=lambda t: t, name="dense")(y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    body = lambdas.encode(eval(code))
    text = members["config.json"].decode()
    for entry in json.loads(text)["config"]["layers"]:
        value = entry["config"].get("function") or entry["config"].get("activation")
        if isinstance(value, dict):
            text = text.replace(json.dumps(value["config"]["code"]), json.dumps(body["code"]))
    assert text.count(json.dumps(body["code"])) == 4  # in two forms each
    made.write_zip(path, {**members, "config.json": text.encode()})
    monkeypatch.setattr(lambdas, "_everywhere", [True] if everywhere else [])
    report = show(path)
    assert not mark.exists()
    assert dims(report) == {"x": ["(batch, 3)"], "double": ["(batch, 3)"], "dense": ["(batch, 2)"]}
    assert "double (Lambda, code not run)" in report.to_text(100)
    assert "dense (Dense, code not run)" in report.to_text(100)


def test_an_unknown_activation_changes_no_shape(tmp_path):
    path = tmp_path / "model.json"
    dense = {"class_name": "Dense", "config": {"name": "last", "units": 7, "activation": "mine"}}
    path.write_text(json.dumps(old_model(dense)))
    report = show(path)
    assert dims(report)["last"] == ["(batch, 7)"]
    assert rows(report)["last"].parameters == 21
    assert "'mine'" in rows(report)["last"].problem
    assert "last (Dense, see below)" in report.to_text(80)


def test_a_model_of_an_unknown_class_is_known_by_its_weights(tmp_path):
    model = Net(name="net")
    model(np.zeros((2, 6), "float32"))
    model.save(tmp_path / "model.keras")
    report = show(tmp_path / "model.keras")
    assert report.architecture.is_unknown
    assert {(row.name, row.parameters) for row in report.rows} == {("first", 28), ("last", 15), ("scale", 4)}
    place = next(row.place for row in report.rows if row.name == "last")
    text = report.to_text(80)
    assert f"{place} (last)" in text
    assert 'custom_objects={"Net": Net}' in text


# Weights


def test_weights_alone(tmp_path):
    model = listener()
    model.save_weights(tmp_path / "a.weights.h5")
    model.save_weights(tmp_path / "b.h5")
    model.save_weights(tmp_path / "c.weights.json", max_shard_size=1e-6)
    for name in ("a.weights.h5", "b.h5", "c.weights.json"):
        report = show(tmp_path / name)
        assert report.contents.kind == "weights"
        assert report.parameters == model.count_params()
        assert sorted(shape for row in report.rows for _, shape in row.weights) == sorted(
            v.shape for v in model.weights
        )
    assert "layers/dense (probs)" in show(tmp_path / "a.weights.h5").to_text(80)
    assert "kernel (3, 8, 16), bias (16,)" in show(tmp_path / "b.h5").to_text(80)
    sharded = show(tmp_path / "c.weights.json")
    assert len(sharded.contents.files) > 1
    assert sharded.contents.size == sum(p.stat().st_size for p in tmp_path.iterdir() if p.name.startswith("c"))


def test_the_values_of_weights(tmp_path):
    model = listener()
    kernel = model.get_layer("conv").kernel
    values = kernel.numpy().copy()
    values[0, 0, :3] = np.nan, np.inf, 0.0
    kernel.assign(values)
    model.save(tmp_path / "model.keras")
    report = show(tmp_path / "model.keras", weights=True)
    found = {v.label: v for v in report.values}
    assert set(found) == {v.path for v in model.weights}  # the optimizer's state is not among them
    assert [v.label for v in report.values] == [v.path for v in model.weights]
    model.save(tmp_path / "model.h5")
    assert [v.label for v in show(tmp_path / "model.h5", weights=True).values] == [v.path for v in model.weights]
    conv, finite = found["conv/kernel"], values[np.isfinite(values)].astype("float64")
    assert (conv.nan, conv.infinite, conv.zeros) == (1, 1, 1 / values.size)
    np.testing.assert_allclose(
        [conv.least, conv.mean, conv.most, conv.deviation],
        [finite.min(), finite.mean(), finite.max(), finite.std()],
        rtol=1e-9,
    )
    for width in (60, 140):
        assert "1 NaN, 1 infinite" in report.to_text(width)
    assert show(tmp_path / "model.keras").values is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.arange(6, dtype="int8").reshape(2, 3), (0, 2.5, 5, np.std(range(6)), 1 / 6)),
        (np.array([True, False]), (0, 0.5, 1, 0.5, 0.5)),
        (np.float32(3.0), (3, 3, 3, 0, 0)),
        (np.array([], "float32"), (None, None, None, None, None)),
        (np.array([np.nan], "float32"), (None, None, None, None, 0)),
        (np.full(3_000_000, 1e30, "float32"), (np.float32(1e30), np.float32(1e30), np.float32(1e30), 0, 0)),
        (np.asarray(jnp.ones((2,), "bfloat16")), (1, 1, 1, 0, 0)),
    ],
)
def test_values_of_each_kind(values, expected):
    values = np.asarray(values)
    array = StoredArray("a", values.shape, values.dtype.name, "weight", values.nbytes, lambda: values)
    found = summarize(array)
    for got, wanted in zip((found.least, found.mean, found.most, found.deviation, found.zeros), expected, strict=True):
        assert got == wanted if wanted is None else got == pytest.approx(wanted, abs=1e15 if values.size > 9 else 1e-9)


def test_npz(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, kernel=np.ones((2, 3), "float32"), objects=np.array([{}, {}], dtype=object))
    report = show(path, weights=True)
    assert [(v.path, v.shape, v.dtype, v.mean) for v in report.values] == [
        ("kernel", (2, 3), "float32", 1.0), ("objects", (2,), "Python objects", None)
    ]  # fmt: skip
    assert "numpy arrays" in report.to_text(80)


def safetensors(path, entries, data, **notes):
    header = json.dumps({"__metadata__": notes, **entries}).encode()
    header += b" " * (-(len(header) - ord("{")) % 256)  # its length begins as JSON does
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def test_safetensors(tmp_path):
    values = np.arange(6, dtype="float32").reshape(2, 3)
    entry = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    half = {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]}
    data = values.tobytes() + np.asarray(jnp.ones(2, "bfloat16")).tobytes()
    report = show(safetensors(tmp_path / "a", {"kernel": entry, "half": half}, data, format="np"), weights=True)
    assert [(v.path, v.dtype, v.mean) for v in report.values] == [("kernel", "float32", 2.5), ("half", "bfloat16", 1.0)]
    assert report.contents.metadata == {"format": "np"}
    saved = tmp_path / "model.safetensors"
    lamina.saving.save_safetensors(listener(), saved)
    assert show(saved).parameters == listener().count_params()
    for change in (
        {"data_offsets": [0, 20]},
        {"data_offsets": [24, 48]},
        {"shape": [10**12]},
        {"dtype": "X"},
        {"shape": "a"},
    ):
        with pytest.raises(ValueError, match="kernel"):
            show(safetensors(tmp_path / "b", {"kernel": {**entry, **change}}, data))


# Other files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (pickle.dumps({"a": 1}), "Python pickle, which could run code and is never opened"),
        (b"just words\n", "text that begins with 'just words"),
        (b"\x89PNG\r\n\x1a\n....", "a PNG image"),
        (b"\x07\x07\x07\x07", "begins with the bytes 07 07 07 07"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b'{"a": 1}', "JSON, but neither a model's architecture"),
        (b"{", "not JSON"),
    ],
)
def test_other_files_are_named(content, words, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        show(path)
    assert str(path) in str(caught.value)


def test_other_archives_and_folders(tmp_path):
    made.write_zip(tmp_path / "torch", {"archive/data.pkl": b"x"})
    made.write_zip(tmp_path / "zip", {"a.txt": b"x"})
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    for name, words in (
        ("torch", "PyTorch"),
        ("zip", "'a.txt'"),
        ("saved", "SavedModel"),
        ("nowhere", "there is no file"),
    ):
        with pytest.raises((ValueError, OSError), match=words):
            show(tmp_path / name)


def test_names_in_a_file_do_not_reach_the_terminal_as_they_are(tmp_path):
    evil = "\x1b[2J\x07[red]x\u202e"
    path = made.write_keras(
        tmp_path / "model.keras", made.sequential(made.input_layer(3), made.dense(name=evil), name=evil)
    )
    report = show(path)
    for text in (report.to_text(120), report._repr_html_()):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "\\x1b[2J\\x07[red]x\\x202e" in report.to_text(120)
    assert json.loads(report.to_json())["layers"][0]["name"] == evil


# As data


def test_the_keys_of_the_plain_values(tmp_path):
    path = tmp_path / "model.keras"
    listener().save(path)
    found = json.loads(show(path, weights=True).to_json())
    assert list(found) == [
        "file", "bytes", "kind", "format", "written_by", "model", "inputs", "outputs", "layers", "parameters",
        "training", "stored", "files", "metadata", "problems", "weights",
    ]  # fmt: skip
    assert found["inputs"] == [{
        "name": "sound", "shape": [None, None, 8], "dims": "(batch, length, 8)", "dtype": "float32",
        "axes": ["batch", "length", "channels"],
    }]  # fmt: skip
    conv = found["layers"][1]
    assert (conv["class"], conv["output_shapes"], conv["known"]) == ("Conv1D", [[None, None, 16]], True)
    assert found["training"]["optimizer"] == "Adam"
    assert found["written_by"]["lamina"] == lamina.__version__
    assert {entry["name"] for entry in found["weights"]} >= {"conv/kernel", "probs/bias"}


def test_it_is_html_in_a_notebook(tmp_path):
    path = tmp_path / "model.keras"
    listener(Scale(name="<b>")).save(path)
    html = show(path, weights=True)._repr_html_()
    assert "(batch, length, channels=8)" in html
    assert "&lt;b&gt;" in html
    assert "<b><b>" not in html
