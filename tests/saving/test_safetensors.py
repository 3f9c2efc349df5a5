"""Weights as `.safetensors`: the same bytes as the format's own library reads and writes, and files that are broken."""

import json
import os
import re
import struct

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers, saving
from lamina.saving.interop import safetensors
from lamina.shapes import ShapeError, ShapeWarning

library = pytest.importorskip("safetensors.numpy")


def small(units=2, name="m"):
    stack = [lamina.Input((3,)), layers.Dense(4, name="a"), layers.BatchNormalization(name="n")]
    return lamina.Sequential([*stack, layers.Dropout(0.5), layers.Dense(units, name="b")], name=name)


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


# Round trips


def test_round_trip(tmp_path):
    one, other = small(), small()
    one.save_weights(tmp_path / "w.safetensors")
    assert not equal(one, other)
    other.load_weights(tmp_path / "w.safetensors")
    assert equal(one, other)


def test_the_format_s_library_reads_it(tmp_path):
    model = small()
    saving.save_safetensors(model, tmp_path / "w.safetensors", metadata={"licence": "none"})
    found = library.load_file(tmp_path / "w.safetensors")
    assert set(found) == {weight.path for weight in model.weights}
    assert all(np.array_equal(found[weight.path], weight.numpy()) for weight in model.weights)
    with library.safe_open(tmp_path / "w.safetensors", "np") as opened:
        assert opened.metadata() == {"format": "lamina", "licence": "none"}


def test_what_the_format_s_library_writes(tmp_path):
    model = small()
    values = {weight.path: np.full(weight.shape, i, "float32") for i, weight in enumerate(model.weights)}
    library.save_file(values, tmp_path / "w.safetensors")
    model.load_weights(tmp_path / "w.safetensors")
    assert all(np.array_equal(value, values[w.path]) for w, value in zip(model.weights, model.get_weights()))


KINDS = ["bool", "uint8", "int8", "int16", "float16", "bfloat16", "int32", "uint32"]
EIGHTH = ["float8_e4m3fn", "float8_e5m2"]  # the library's side for numpy does not read them


def holding(dtypes):
    """A layer with variables of these types, some of them scalars or empty."""
    layer = layers.Layer(name="all")
    for number, dtype in enumerate(dtypes):
        shape = [(3,), (), (2, 0)][number % 3]
        value = jnp.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) + number % 2).astype(dtype)
        setattr(layer, f"v{number}", lamina.Variable(value, dtype=dtype, trainable=False, name=f"v{number}_{dtype}"))
    layer.built = True
    x = lamina.Input((3,))
    model = lamina.Model(x, layers.Dense(1, name="d")(x), name="m")
    model.extra = layer
    return model


@pytest.mark.parametrize("kinds", [KINDS, EIGHTH])
def test_every_type(kinds, tmp_path):
    model = holding(kinds)
    before = {weight.path: np.array(weight.numpy()) for weight in model.weights}

    def is_taken_from(path):
        for weight in model.weights:
            weight.assign(jnp.zeros_like(weight.value))
        model.load_weights(path)
        return all(np.array_equal(before[w.path], w.numpy()) and w.numpy().dtype == before[w.path].dtype
                   for w in model.weights)  # fmt: skip

    saving.save_safetensors(model, tmp_path / "w.safetensors")
    assert is_taken_from(tmp_path / "w.safetensors")
    library.save_file(before, tmp_path / "theirs.safetensors")
    assert is_taken_from(tmp_path / "theirs.safetensors")
    if kinds is KINDS:
        found = library.load_file(tmp_path / "w.safetensors")
        assert all(np.array_equal(found[path], before[path]) for path in before)
        assert all(found[path].dtype == before[path].dtype for path in before)


def test_arrays_lie_at_multiples_of_their_item_s_size(tmp_path):
    model = holding(["bool", "float16", "uint8", "float32", "int8", "bfloat16", "int32"])
    saving.save_safetensors(model, tmp_path / "w.safetensors")
    tensors = safetensors.read_header(tmp_path / "w.safetensors").values()
    assert all(tensor.start % jnp.dtype(tensor.dtype).itemsize == 0 for tensor in tensors)


def test_floats_of_another_size_are_cast(tmp_path):
    model = small()
    half = {w.path: w.numpy().astype(jnp.bfloat16 if i % 2 else "float64") for i, w in enumerate(model.weights)}
    library.save_file(half, tmp_path / "w.safetensors")
    model.load_weights(tmp_path / "w.safetensors")
    assert all(w.dtype == "float32" for w in model.weights)
    assert all(np.array_equal(w.numpy(), half[w.path].astype("float32")) for w in model.weights)


def test_types_that_the_format_has_not(tmp_path):
    model = small()
    model.weights[1].set_raw(jnp.zeros(4, "int4"))
    with pytest.raises(ValueError, match=r"m/a/bias' is int4, which \.safetensors cannot hold"):
        saving.save_safetensors(model, tmp_path / "w.safetensors")
    assert not any(tmp_path.iterdir())


# Names


def test_numbers_of_layers_do_not_matter(tmp_path):
    def unnamed():
        return lamina.Sequential([lamina.Input((3,)), layers.Dense(3), layers.Dense(3), layers.BatchNormalization()])

    one, other = unnamed(), unnamed()
    one.save_weights(tmp_path / "w.safetensors")
    assert not {w.path for w in one.weights} & {w.path for w in other.weights}
    other.load_weights(tmp_path / "w.safetensors")
    assert equal(one, other)


def test_weights_of_one_path_are_all_kept(tmp_path):
    def twice():
        x = lamina.Input((3,))
        inner = lamina.Model(x, layers.Dense(3, name="d")(x))
        return lamina.Model(x, layers.Dense(3, name="d")(inner(x)), name="m")

    one, other = twice(), twice()
    one.save_weights(tmp_path / "w.safetensors")
    assert set(safetensors.read_header(tmp_path / "w.safetensors")) == {"d/kernel", "d/bias", "d/kernel_1", "d/bias_1"}
    other.load_weights(tmp_path / "w.safetensors")
    assert equal(one, other)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda v: v.pop("m/a/bias"), ValueError, "the file has no variable 'm/a/bias'.*'m/b/bias'"),
        (lambda v: v.update({"m/c/bias": v["m/b/bias"]}), ValueError, "'m' has no variable 'm/c/bias'; did you mean"),
        (lambda v: v.update({"m/a/kernal": v.pop("m/a/kernel")}), ValueError, "'m/a/kernal'.*and 1 more: the file ha"),
        (lambda v: v.update({"m/a/bias": np.ones(5, "f4")}), ShapeError, r"'m/a/bias' does not fit(.|\n)*\(4,\)"),
        (lambda v: v.update({"m/a/bias": np.ones(4, "i4")}), ValueError, "'m/a/bias' is float32; the file has int32"),
    ],
)
def test_what_does_not_fit(change, error, message, tmp_path):
    model = small()
    values = {w.path: np.ones(w.shape, "float32") for w in model.weights}
    change(values)
    library.save_file(values, tmp_path / "w.safetensors")
    before = model.get_weights()
    with pytest.raises(error, match=message) as caught:
        model.load_weights(tmp_path / "w.safetensors")
    assert "w.safetensors" in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    with pytest.warns(ShapeWarning, match="left as it is"):
        model.load_weights(tmp_path / "w.safetensors", skip_mismatch=True)
    assert np.array_equal(model.get_layer("b").bias.numpy(), np.ones(2))


def test_layers_may_be_left_as_they_are(tmp_path):
    one, other = small(), small(units=5)
    one.save_weights(tmp_path / "w.safetensors")
    before = other.get_layer("b").kernel.numpy()
    other.load_weights(tmp_path / "w.safetensors", objects_to_skip=[other.get_layer("b")])
    assert np.array_equal(other.get_layer("b").kernel.numpy(), before)
    assert np.array_equal(other.get_layer("a").kernel.numpy(), one.get_layer("a").kernel.numpy())


# What is refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, p: m.save_weights(p, max_shard_size=1), r"ends in \.weights\.json"),
        (lambda m, p: saving.save_safetensors(m, p, metadata={"a": 1}), "expected a dict of texts"),
        (lambda m, p: saving.save_safetensors(lamina.Sequential([layers.Dense(1)]), p), "no weights yet"),
        (lambda m, p: m.load_weights(p, by_name=True), "all is by name"),
        (lambda m, p: lamina.Sequential([layers.Dense(1)]).load_weights(p), "no weights yet"),
        (lambda m, p: lamina.models.load_model(p), "neither a .keras archive nor an HDF5 file"),
    ],
)
def test_bad_calls(call, message, tmp_path):
    model = small()
    model.save_weights(tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=message):
        call(model, tmp_path / "w.safetensors")


def test_the_earlier_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    small().save_weights(path)
    before = path.read_bytes()
    monkeypatch.setattr(safetensors, "_bytes", lambda array: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        small().save_weights(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.safetensors"]


def written(header, data=b"\0" * 32, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(8,), offsets=(0, 32), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


BROKEN = {
    "empty": (b"", "too few"),
    "too short": (b"\x02\0\0\0\0\0\0\0{", "too few"),
    "header beyond the file": (written({"a": entry()}, length=10**6), "said to have 1000000 bytes"),
    "header of 2**64 bytes": (written({"a": entry()}, length=2**64 - 1), "said to have 18446744073709551615"),
    "cut off": (written({"a": entry()}, data=b"\0" * 31), "it is cut off"),
    "bytes left over": (written({"a": entry()}, data=b"\0" * 33), "1 bytes that belong to nothing"),
    "no JSON": (written(b"{" + b"x" * 40), "not JSON"),
    "no UTF-8": (written(b'{"\xff\xfe": 1}  '), "not UTF-8"),
    "no object": (written([1, 2]), "is no object"),
    "deep": (written(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested more than"),
    "a name twice": (written(b'{"a": 1, "a": 2}     '), "'a' stands twice"),
    "entry is no object": (written({"a": [1]}), "expected 'dtype'"),
    "entry with more": (written({"a": entry(path="/etc/passwd")}), "expected 'dtype'"),
    "entry with less": (written({"a": {"dtype": "F32", "shape": [8]}}), "expected 'dtype'"),
    "unknown type": (written({"a": entry("F23")}), "unknown type 'F23'; did you mean"),
    "type is no text": (written({"a": entry(["F32"])}), "unknown type"),
    "shape is no list": (written({"a": {**entry(), "shape": "8"}}), "no shape"),
    "negative sizes": (written({"a": entry(shape=(-2, -4))}), "no shape"),
    "sizes with a point": (written({"a": entry(shape=(8.0,))}), "no shape"),
    "sizes that are true": (written({"a": entry(shape=(True, 8))}), "no shape"),
    "many axes": (written({"a": entry(shape=[1] * 65 + [8])}), "no shape"),
    "huge shape": (written({"a": entry(shape=(2**62, 2**62))}), "takes .* bytes"),
    "product that wraps": (written({"a": entry(shape=(2**32, 2**32, 8))}), "takes .* bytes"),
    "number of many digits": (written(b'{"a": ' + b"9" * 5000 + b"}"), "5000 digits"),
    "fewer bytes than the shape": (written({"a": entry(shape=(9,))}), "takes 36 bytes"),
    "offsets beyond the file": (written({"a": entry(shape=(2**40,), offsets=(0, 2**42))}), "it is cut off"),
    "offsets backwards": (written({"a": entry(offsets=(32, 0))}), "no place"),
    "offsets below zero": (written({"a": entry(offsets=(-32, 0))}), "no place"),
    "one offset": (written({"a": entry(offsets=(0,))}), "no place"),
    "overlap": (written({"a": entry(shape=(5,), offsets=(0, 20)), "b": entry(offsets=(0, 32))}), "overlaps with"),
    "gap": (written({"a": entry(shape=(4,), offsets=(0, 16)), "b": entry(shape=(2,), offsets=(24, 32))}), "a gap"),
    "metadata is no object": (written({"__metadata__": 3, "a": entry()}), "no object of texts"),
    "metadata holds numbers": (written({"__metadata__": {"a": 3}, "a": entry()}), "no object of texts"),
    "long name": (written({"a" * 1000: entry()}), "a key of 1000 characters"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name, tmp_path):
    content, message = BROKEN[name]
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    model = small()
    before = model.get_weights()
    for read in (model.load_weights, safetensors.read_header):
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert re.search(r"w\.safetensors", str(caught.value))
        assert len(str(caught.value)) < 1000
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_files_that_shrink_while_they_are_read(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    model = small(units=5000)  # more than the file's buffer
    model.save_weights(path)
    before = model.get_weights()
    real = safetensors._matched

    def cut(*args):
        os.truncate(path, path.stat().st_size - 8)
        return real(*args)

    monkeypatch.setattr(safetensors, "_matched", cut)
    with pytest.raises(ValueError, match="the file ends within its values"):
        model.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_the_kind_is_told_by_content(tmp_path):
    one, other = small(), small()
    one.save_weights(tmp_path / "w.safetensors")
    os.rename(tmp_path / "w.safetensors", tmp_path / "weights.bin")
    other.load_weights(tmp_path / "weights.bin")
    assert equal(one, other)
    one.save_weights(tmp_path / "one.weights.h5")
    os.rename(tmp_path / "one.weights.h5", tmp_path / "h5.safetensors")
    small().load_weights(tmp_path / "h5.safetensors")
