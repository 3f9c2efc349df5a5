"""Files that were made to do harm: each is refused in time, by name, and nothing that it asked for happens."""

import contextlib
import os
import re
import warnings
from pathlib import Path

import h5py
import hostile_files as hostile
import model_files as made
import numpy as np
import pytest
import watching

import lamina
from lamina.core import lambdas
from lamina.saving.safety import helper

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, to see files being opened")


def good_model():
    return lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2, name="dense")], name="model")


def load(path: Path):
    if path.name.endswith(".weights.h5"):
        model = good_model()
        model.load_weights(path)
        return model
    if path.suffix == ".json":
        return lamina.models.model_from_json(path.read_bytes().decode())
    return lamina.models.load_model(path)


@pytest.mark.parametrize("name", sorted(hostile.CASES))
def test_is_refused(name, tmp_path, watched):
    maker, match = hostile.CASES[name]
    (tmp_path / hostile.SECRET).write_text("alpha\nbeta\n")
    path = maker(tmp_path)
    left = {p.name for p in tmp_path.iterdir()}
    watching.forget()  # what the maker did
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = load(path)
        except (ValueError, OSError) as error:
            message = str(error)
        else:
            assert match is None, "it was opened"
            message = f"{path} opened"
            assert model(np.zeros((1, 3))).shape == (1, 2)
    assert path.suffix == ".json" or path.name.removesuffix(".weights.h5") in message
    assert match is None or re.search(match, message.replace(str(tmp_path), "")), message
    assert len(message) < 5000
    assert {p.name for p in tmp_path.iterdir()} == left
    assert not (tmp_path / hostile.MARK).exists()


def test_there_are_many():
    formats = [".keras", ".h5", ".json", ".weights.h5"]
    counts = {end: sum(name.endswith(end) for name in hostile.CASES) for end in formats}
    assert len(hostile.CASES) >= 600
    assert all(count >= 39 for count in counts.values()), counts


@pytest.mark.parametrize("write", [made.write_keras, made.write_h5, made.write_weights])
def test_the_same_file_without_harm_opens(write, tmp_path, watched):
    ending = {"write_keras": ".keras", "write_h5": ".h5", "write_weights": ".weights.h5"}[write.__name__]
    path = write(tmp_path / f"good{ending}")
    watching.forget()
    model = load(path)
    inputs = np.array([[1.0, 2.0, 3.0]], "float32")
    np.testing.assert_allclose(model(inputs), inputs @ made.KERNEL + made.BIAS, rtol=1e-6)


def test_the_harmless_settings_open(tmp_path, watched):
    for name in ("compile-loss-system.keras", "compile-loss-system.h5"):
        maker, _ = hostile.CASES[name]
        path = maker(tmp_path)
        watching.forget()
        with pytest.warns(UserWarning, match="cannot be used"):
            model = load(path)
        assert not model.compiled


def test_code_runs_only_if_it_is_allowed(tmp_path):
    """The mark is real: with safe_mode=False, for files of one's own, the same file makes it."""
    maker, _ = hostile.CASES["lambda-code.keras"]
    path = maker(tmp_path)
    with pytest.raises(ValueError):
        lamina.models.load_model(path)
    assert not (tmp_path / hostile.MARK).exists()
    with contextlib.suppress(ValueError):  # its weights do not fit; the code has run by then
        lamina.models.load_model(path, safe_mode=False)
    assert (tmp_path / hostile.MARK).exists()
    assert not lambdas.allowed()


def test_a_refused_file_of_weights_changes_nothing(tmp_path):
    for name in ("hdf5-wrong-shape.weights.h5", "hdf5-missing-dataset.weights.h5", "hdf5-gzip-damaged.weights.h5"):
        maker, _ = hostile.CASES[name]
        model = good_model()
        before = model.get_weights()
        with pytest.raises(ValueError):
            model.load_weights(maker(tmp_path))
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_guard_sees_what_it_should(tmp_path):
    """Each sign of harm is noticed, so that its absence means something."""
    watching._seen = []
    try:
        (tmp_path / hostile.SECRET).write_text("x")
        open(tmp_path / hostile.SECRET).close()
        os.system("true")
        open(os.path.expanduser("~/.lamina-test"), "w").close()
        seen = watching._seen
    finally:
        watching._seen = None
        Path("~/.lamina-test").expanduser().unlink(missing_ok=True)
    assert [line.split()[0] for line in seen] == ["opened", "opened", "os.system", "wrote"]


def test_files_open_where_no_other_process_can_be_had(tmp_path, monkeypatch):
    helper.stop()
    monkeypatch.setattr(helper, "_cannot_start", True)
    monkeypatch.setattr(helper, "_process", None)
    path = made.write_h5(tmp_path / "good.h5")
    assert load(path).count_params() == 8
    maker, match = hostile.CASES["hdf5-external-group.h5"]
    with pytest.raises(ValueError, match=match):
        load(maker(tmp_path))


@pytest.mark.parametrize(("place", "value"), [("5", np.zeros((7, 7))), ("3", [b"a"] * 3), ("5", None)])
def test_of_a_damaged_optimizer_nothing_is_taken(place, value, tmp_path):
    model = good_model()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5", "r+") as file:
        del file["optimizer/vars"][place]
        if value is not None:
            file["optimizer/vars"][place] = value
    model.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)
    before = [variable.numpy() for variable in model.optimizer.variables]
    with pytest.warns(UserWarning, match="the state of optimizer 'adam.*' was not loaded"):
        model.load_weights(tmp_path / "a.weights.h5")
    for variable, earlier in zip(model.optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), earlier)


def test_names_that_lead_out_of_a_folder_stay_names(tmp_path, watched):
    """A file may call its layers what it likes; no path of a file is made of that (CVE-2026-12479)."""
    lookup = made.described("StringLookup", name="../../../mark", vocabulary=None)
    entries = made.members(made.sequential(lookup, name="../../model"))
    path = made.write_zip(tmp_path / "named.keras", {**entries, "assets/layers/string_lookup/vocabulary.txt": b"a\nb"})
    watching.forget()
    model = lamina.models.load_model(path)
    assert model.layers[0].get_vocabulary() == ["[UNK]", "a", "b"]
    (tmp_path / "deep/er").mkdir(parents=True)
    model.save(tmp_path / "deep/er/again.keras")
    lamina.saving.save_model(model, tmp_path / "deep/er/folder", zipped=False)
    assert lamina.models.load_model(tmp_path / "deep/er/folder").layers[0].get_vocabulary() == ["[UNK]", "a", "b"]
    assert {p.name for p in tmp_path.iterdir()} == {"named.keras", "deep"}
    assert {p.name for p in (tmp_path / "deep").iterdir()} == {"er"}
