"""Weights alone, by order and by name, and what happens where they do not fit."""

from __future__ import annotations

import warnings

import h5py
import numpy as np
import pytest

import lamina
from lamina.saving import legacy
from lamina.saving.legacy import weights
from lamina.saving.safety.hdf5 import Dataset

L = lamina.layers


def model(first=4, last=2, names=("a", "b"), features=3):
    return lamina.Sequential([lamina.Input((features,)), L.Dense(first, name=names[0]), L.Dense(last, name=names[1])])


def values(net):
    return [w.numpy().copy() for w in net.weights]


def same(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.h5"


def test_by_order_under_other_names(tmp_path):
    source, target = model(), model(names=("x", "y"))
    source.save_weights(tmp_path / "old.h5")
    target.load_weights(tmp_path / "old.h5")
    assert same(values(source), values(target))


def test_by_name_whatever_the_order(path):
    source = model(first=3, last=3)
    target = model(first=3, last=3, names=("b", "a"))
    legacy.save_weights_h5(source, path)
    legacy.load_weights_h5(target, path)
    assert same(values(source)[2:], values(target)[:2])


def test_by_name_leaves_unknown_layers(path):
    source, target = model(), model(names=("a", "new"))
    before = values(target)
    legacy.save_weights_h5(source, path)
    legacy.load_weights_h5(target, path, by_name=True)
    assert same(values(target)[:2], values(source)[:2])
    assert same(values(target)[2:], before[2:])


@pytest.mark.parametrize("by_name", [False, True])
def test_nothing_is_set_where_one_layer_does_not_fit(path, by_name):
    source, target = model(), model(last=5)
    before = values(target)
    legacy.save_weights_h5(source, path)
    with pytest.raises(ValueError, match=r"'b' \(Dense\).*\(4, 5\).*\(4, 2\)"):
        legacy.load_weights_h5(target, path, by_name=by_name)
    assert same(values(target), before)


@pytest.mark.parametrize("by_name", [False, True])
def test_layers_that_do_not_fit_may_be_skipped(path, by_name):
    source, target = model(), model(last=5)
    before = values(target)
    legacy.save_weights_h5(source, path)
    with pytest.warns(UserWarning, match="'b'"):
        legacy.load_weights_h5(target, path, by_name=by_name, skip_mismatch=True)
    assert same(values(target)[:2], values(source)[:2])
    assert same(values(target)[2:], before[2:])


def test_another_number_of_layers_is_refused(path):
    legacy.save_weights_h5(model(), path)
    with pytest.raises(ValueError, match=r"1 layers with weights.*2"):
        legacy.load_weights_h5(lamina.Sequential([lamina.Input((3,)), L.Dense(4)]), path)


def test_weights_of_a_whole_model(path):
    source, target = model(), model(names=("x", "y"))
    legacy.save_model_h5(source, path)
    target.load_weights(path)
    assert same(values(source), values(target))


def test_an_unbuilt_model_is_refused(path):
    legacy.save_weights_h5(model(), path)
    unbuilt = lamina.Sequential([L.Dense(4), L.Dense(2)])
    for attempt in (legacy.load_weights_h5, legacy.save_weights_h5, legacy.save_model_h5):
        with pytest.raises(ValueError, match="build it"):
            attempt(unbuilt, path)


def test_a_missing_array_is_named(path):
    legacy.save_weights_h5(model(), path)
    with h5py.File(path, "r+") as file:
        name = file["a"].attrs["weight_names"][1]
        del file["a"][name]
    with pytest.raises(ValueError, match=r"weights\.h5.*bias.*missing"):
        legacy.load_weights_h5(model(), path)


def test_many_layers_have_their_names_in_pieces(path):
    """An attribute holds 64 KiB at most."""
    from lamina.saving.legacy import groups
    from lamina.saving.safety.hdf5 import open_hdf5

    names = [f"layer_{i:04d}_{'x' * 40}" for i in range(3000)]
    with h5py.File(path, "w") as file:
        groups.write_names(file, "layer_names", names)
        assert "layer_names" not in file.attrs
        assert "layer_names1" in file.attrs
    with open_hdf5(path) as root:
        assert groups.names_in(root, "layer_names") == names


def test_a_model_of_another_sort_is_refused(path):
    class Net(lamina.Model):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(2)

        def call(self, x):
            return self.dense(x)

    net = Net()
    net(np.ones((1, 3)))
    with pytest.raises(ValueError, match="subclass"):
        legacy.save_model_h5(net, path)
    assert not path.exists()


def test_a_file_without_a_model_says_so(path):
    legacy.save_weights_h5(model(), path)
    with pytest.raises(ValueError, match="load_weights"):
        legacy.load_model_h5(path)


def test_no_warning_where_all_is_well(path):
    source = lamina.models.model_from_json(model().to_json())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        legacy.save_model_h5(source, path)
        assert same(values(legacy.load_model_h5(path)), values(source))


def test_of_a_model_inside_all_that_trains_is_stored_first(path):
    def nested():
        inner = lamina.Sequential([lamina.Input((3,)), L.BatchNormalization(), L.BatchNormalization()], name="inner")
        return lamina.Sequential([lamina.Input((3,)), inner])

    source, target = nested(), nested()
    for number, variable in enumerate(source.weights):
        variable.assign(np.full(variable.shape, number + 1.0))
    legacy.save_weights_h5(source, path)
    with h5py.File(path) as file:
        stored = [float(file["inner"][name][0]) for name in file["inner"].attrs["weight_names"]]
    assert stored == [1, 2, 5, 6, 3, 4, 7, 8]
    legacy.load_weights_h5(target, path)
    assert same(values(source), values(target))


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".hd5"])
def test_every_suffix_that_people_use(suffix, tmp_path):
    source, target = model(), model()
    source.save(tmp_path / f"whole{suffix}")
    assert same(values(lamina.models.load_model(tmp_path / f"whole{suffix}")), values(source))
    source.save_weights(tmp_path / f"weights{suffix}")
    target.load_weights(tmp_path / f"weights{suffix}", by_name=True)
    assert same(values(target), values(source))


def test_arrays_are_let_go_of_layer_by_layer(path, monkeypatch):
    """What was read of a layer is placed before the next one is read, and set when all has been read."""
    source, target = model(), model()
    before = values(target)
    legacy.save_weights_h5(source, path)
    events = []
    real_read, real_place = Dataset.read, weights.placed
    monkeypatch.setattr(Dataset, "read", lambda self: events.append("read") or real_read(self))

    def place(variable, array):
        events.append("placed" if same(values(target), before) else "set too early")
        return real_place(variable, array)

    monkeypatch.setattr(weights, "placed", place)
    legacy.load_weights_h5(target, path)
    assert events == ["read", "read", "placed", "placed"] * 2
    assert same(values(target), values(source))
