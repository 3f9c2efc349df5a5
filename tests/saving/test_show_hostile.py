"""Files that were made to do harm, looked at: each is refused or shown, and nothing that it asked for happens."""

import json
import os
import warnings

import hostile_files as hostile
import model_files as made
import mutating
import numpy as np
import pytest
import watching

import lamina

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, to see files being opened")


def look_at(path):
    """What is shown of a file, in each form; or the one message that refuses it."""
    try:
        report = lamina.saving.show(path, weights=True)
    except (ValueError, OSError) as error:
        return [str(error)]
    return [report.to_text(80), report.to_json(), report._repr_html_()]


@pytest.mark.parametrize("name", sorted(hostile.CASES))
def test_is_shown_or_refused(name, tmp_path, watched):
    maker, _ = hostile.CASES[name]
    (tmp_path / hostile.SECRET).write_text("alpha\nbeta\n")
    path = maker(tmp_path)
    left = {p.name for p in tmp_path.iterdir()}
    watching.forget()  # what the maker did
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        texts = look_at(path)
    assert path.name in texts[0]
    assert not any("alpha" in text for text in texts)
    if len(texts) == 1:
        assert len(texts[0]) < 5000
    else:
        assert all(letter.isprintable() or letter == "\n" for letter in texts[0])
        assert json.loads(texts[1])["file"] == str(path)
    assert {p.name for p in tmp_path.iterdir()} == left
    assert not (tmp_path / hostile.MARK).exists()


def test_arrays_with_python_objects_are_not_unpickled(tmp_path, watched):
    path = tmp_path / "arrays.npz"
    np.savez(path, evil=np.array([hostile.Touch(tmp_path)], dtype=object), good=np.ones(2))
    watching.forget()
    texts = look_at(path)
    assert "Python objects" in texts[0]
    assert not (tmp_path / hostile.MARK).exists()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '|V2000000000', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '(1000000000,)f8', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os').system('true')}",
        "{'descr': '<f4'}",
        "[" * 3000,
    ],
)
def test_arrays_with_a_lying_header_are_refused(header, tmp_path, watched):
    text = header.encode() + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)
    path = made.write_zip(tmp_path / "arrays.npz", {"a.npy": data})
    watching.forget()
    (message,) = look_at(path)
    assert "a.npy" in message


def test_of_very_many_arrays_some_are_shown(tmp_path, watched):
    """A table of 200,000 lines takes a terminal a minute."""
    header = {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(5000)}
    text = json.dumps(header).encode()
    path = tmp_path / "many.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    report = lamina.saving.show(path, weights=True)
    shown = report.to_text(80)
    assert "and 3,000 more weights; all of them are in the JSON" in shown
    assert len(shown.splitlines()) < 7000
    assert len(json.loads(report.to_json())["weights"]) == 5000


def test_of_very_many_outputs_some_are_shown(tmp_path, watched):
    layers = [made.node(made.input_layer(3)), made.node(made.dense(), made.tensor("input", 3))]
    path = made.write_keras(tmp_path / "many.keras", made.functional(layers, [["dense", 0, 0]] * 20_000))
    report = lamina.saving.show(path)
    assert "and 19,950 more" in report.to_text(80)
    assert len(report.to_dict()["outputs"]) == 20_000


@pytest.mark.parametrize("start", [0, 30])
def test_files_changed_at_random(start, tmp_path, watched):
    good = mutating.Good(tmp_path)
    ways = []
    for seed in range(start, start + 30):
        kind, _, data = good.mutation(seed)
        path = tmp_path / f"changed{seed}.{kind}"
        path.write_bytes(data)
        watching.forget()
        texts = look_at(path)
        assert path.name in texts[0]
        ways.append(len(texts) > 1)
    assert set(ways) == {True, False}
