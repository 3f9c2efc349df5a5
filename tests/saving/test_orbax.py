"""Checkpoints in Orbax's format: training goes on where it stopped; folders that are broken."""

import json
import shutil
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers, saving
from lamina.saving.interop import orbax
from lamina.shapes import ShapeError

pytest.importorskip("orbax.checkpoint.experimental.v1")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:orbax")

X = np.linspace(-1, 1, 48, dtype="float32").reshape(16, 3)
Y = np.linspace(0, 1, 32, dtype="float32").reshape(16, 2)


def small(units=4, optimizer="adam", **names):
    stack = [lamina.Input((3,)), layers.Dense(units), layers.BatchNormalization(), layers.Dropout(0.5)]
    model = lamina.Sequential([*stack, layers.Dense(2)], **names)
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def trained(model, epochs=1, callbacks=(), **settings):
    settings = {"batch_size": 4, "shuffle": False, "verbose": 0, **settings}
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **settings).history["loss"]


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


# Training goes on


@pytest.mark.parametrize("anew", [False, True])
def test_training_goes_on_where_it_stopped(tmp_path, anew):
    model = small()
    trained(model, 2)
    assert saving.save_orbax(model, tmp_path / "c") == 8
    expected = trained(model, 3)
    if anew:
        again = lamina.models.load_model(tmp_path / "c")
        assert again.get_compile_config()["metrics"] == ["mae"]
    else:
        again = small()
        assert saving.load_orbax(again, tmp_path / "c") == 8
    assert int(again.optimizer.iterations) == 8
    assert trained(again, 3) == expected


def test_the_callback_and_a_run_that_was_interrupted(tmp_path):
    first = small(name="m")
    state = first.get_state_tree()
    straight = trained(first, 5)
    second = small(name="m")
    second.set_state_tree(state)
    trained(second, 3, [lamina.callbacks.OrbaxCheckpoint(tmp_path / "c")])
    third = small(name="m")
    epoch = saving.load_orbax(third, tmp_path / "c")
    assert epoch == 2
    assert trained(third, 5, initial_epoch=epoch + 1) == straight[3:]


def test_optimizers_from_optax_and_schedules(tmp_path):
    optax = pytest.importorskip("optax")
    for made in (
        lambda: optax.adam(0.01),
        lambda: lamina.optimizers.SGD(lamina.optimizers.schedules.CosineDecay(0.1, 9)),
    ):
        model, again = small(optimizer=made()), small(optimizer=made())
        trained(model)
        saving.save_orbax(model, tmp_path / "c", step=1)
        saving.load_orbax(again, tmp_path / "c")
        assert trained(again) == trained(model)


def test_half_precision_and_empty_weights(tmp_path):
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(2, dtype="bfloat16", name="d")], name="m")
    model.extra = layers.Layer()
    model.extra.none = lamina.Variable(np.zeros((0, 3)), name="none")
    before = model.get_weights()
    saving.save_orbax(model, tmp_path / "c")
    for weight in model.weights:
        weight.assign(jnp.zeros_like(weight.value))
    saving.load_orbax(model, tmp_path / "c")
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(before, model.get_weights(), strict=True))


# Which are kept


def test_steps(tmp_path):
    model = small()
    for step in (1, 5, 11):
        model.optimizer.iterations.assign(step)
        assert saving.save_orbax(model, tmp_path / "c", max_to_keep=2) == step
    assert orbax.steps_in(tmp_path / "c") == [5, 11]
    assert saving.load_orbax(model, tmp_path / "c") == 11
    assert saving.load_orbax(model, tmp_path / "c", step=5) == 5
    assert int(model.optimizer.iterations) == 5
    assert saving.load_orbax(model, tmp_path / "c" / "11") == 11
    with pytest.raises(ValueError, match=r"`step`=3: .* holds the steps 5, 11"):
        saving.load_orbax(model, tmp_path / "c", step=3)


def test_a_step_is_replaced(tmp_path):
    one, other, third = small(), small(), small()
    saving.save_orbax(one, tmp_path / "c", step=1)
    saving.save_orbax(other, tmp_path / "c", step=1)
    saving.load_orbax(third, tmp_path / "c")
    assert equal(third, other)


@pytest.mark.parametrize("background", [False, True])
def test_how_many_the_callback_keeps(tmp_path, background):
    model = small()
    for keep, expected in ((1, [2]), (2, [1, 2]), (None, [0, 1, 2])):
        folder = tmp_path / str(keep)
        callback = lamina.callbacks.OrbaxCheckpoint(folder, max_to_keep=keep, save_on_background=background)
        trained(model, 3, [callback])
        assert orbax.steps_in(folder) == expected


def test_every_so_many_batches(tmp_path):
    """Steps are those of the optimizer, which go on when training does."""
    model = small()
    trained(model)
    trained(model, 2, [lamina.callbacks.OrbaxCheckpoint(tmp_path / "c", save_freq=3, max_to_keep=None)])
    assert orbax.steps_in(tmp_path / "c") == [7, 10]


def test_only_the_best(tmp_path, capsys):
    settings = {"monitor": "loss", "save_best_only": True, "verbose": 1, "max_to_keep": None}
    callback = lamina.callbacks.OrbaxCheckpoint(tmp_path / "c", initial_value_threshold=1e9, **settings)
    model = small(optimizer=lamina.optimizers.SGD(0.0))  # dropout alone makes the losses differ
    losses = trained(model, 6, [callback])
    best = [i for i in range(6) if losses[i] < min([1e9, *losses[:i]])]
    assert orbax.steps_in(tmp_path / "c") == best
    assert len(best) < 6
    said = capsys.readouterr().out
    assert f"saved {tmp_path / 'c' / '0'}" in said
    assert "not better than" in said


def test_nothing_is_said_where_all_is_well(tmp_path, caplog, recwarn):
    model = small()
    saving.save_orbax(model, tmp_path / "c")
    lamina.models.load_model(tmp_path / "c")
    saving.load_orbax(model, tmp_path / "c")
    assert not caplog.records
    assert not recwarn.list


@pytest.mark.parametrize("background", [False, True])
def test_waiting(background, tmp_path):
    seen = []

    class Look(lamina.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if background:
                keep.wait_until_finished()
            seen.append(orbax.steps_in(tmp_path / "c"))

    keep = lamina.callbacks.OrbaxCheckpoint(tmp_path / "c", save_on_background=background)
    trained(small(), 2, [keep, Look()])
    assert seen == [[0], [1]]


# Parts


def test_weights_only(tmp_path):
    model, other = small(), small()
    trained(model, 1, [lamina.callbacks.OrbaxCheckpoint(tmp_path / "c", save_weights_only=True)])
    other.load_weights(tmp_path / "c")
    assert equal(model, other)
    assert int(other.optimizer.iterations) == 0
    with pytest.raises(ValueError, match=r"c/0: holds weights only; make the model"):
        lamina.models.load_model(tmp_path / "c")


def test_weights_of_a_whole_checkpoint(tmp_path):
    model = small()
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(4)
    saving.save_orbax(model, tmp_path / "c")
    plain = small()
    plain.load_weights(tmp_path / "c")
    assert int(plain.optimizer.iterations) == 4
    other = small(optimizer="sgd")
    with pytest.warns(UserWarning, match="the state of the optimizer, SGD, was not loaded"):
        other.load_weights(tmp_path / "c")
    assert equal(other, model)
    bare = lamina.models.clone_model(model)
    bare.load_weights(tmp_path / "c")
    assert equal(bare, model)
    loaded = lamina.models.load_model(tmp_path / "c", compile=False)
    assert equal(loaded, model)
    assert not loaded.compiled


@saving.register_keras_serializable("test_orbax")
class Noted(layers.Layer):
    """Keeps a text in a file of its own."""

    text = ""

    def call(self, x):
        return x

    def save_assets(self, folder):
        (Path(folder) / "inner").mkdir()
        (Path(folder) / "inner" / "note.txt").write_text(self.text)

    def load_assets(self, folder):
        self.text = (Path(folder) / "inner" / "note.txt").read_text()


def test_assets(tmp_path):
    noted = Noted(name="noted")
    noted.text = "a note"
    saving.save_orbax(lamina.Sequential([lamina.Input((3,)), noted, layers.Dense(1)]), tmp_path / "c")
    assert lamina.models.load_model(tmp_path / "c").get_layer("noted").text == "a note"


# What is refused


def test_a_model_that_does_not_fit_is_left_alone(tmp_path):
    saving.save_orbax(small(name="m", units=5), tmp_path / "c", step=0)
    model = small(name="m")
    before = model.get_weights()
    for load in (lambda: saving.load_orbax(model, tmp_path / "c"), lambda: model.load_weights(tmp_path / "c")):
        with pytest.raises(ShapeError, match=r"does not fit(.|\n)*4(.|\n)*5(.|\n)*c/0"):
            load()
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    bare = lamina.Sequential([lamina.Input((3,)), layers.Dense(5)])
    with pytest.raises(ValueError, match="has no"):
        saving.load_orbax(bare, tmp_path / "c")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"directory": ""}, "`directory`=''"),
        ({"save_freq": 0}, "`save_freq`=0"),
        ({"save_freq": "batch"}, "`save_freq`='batch'"),
        ({"mode": "best"}, "`mode`='best'"),
        ({"max_to_keep": 0}, "`max_to_keep`"),
        ({"monitor": 3}, "`monitor`=3"),
        ({"initial_value_threshold": "x"}, "`initial_value_threshold`"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        lamina.callbacks.OrbaxCheckpoint(**{"directory": "c", **settings})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, p: saving.save_orbax(m, p, step=-1), "`step`=-1"),
        (lambda m, p: saving.save_orbax(m, p, step="x"), "`step`='x'"),
        (lambda m, p: saving.save_orbax(m, p, max_to_keep=0), "`max_to_keep`"),
        (lambda m, p: saving.save_orbax(lamina.Sequential([layers.Dense(1)]), p), "no weights yet"),
        (lambda m, p: saving.load_orbax(m, p, step=1.5), "`step`=1.5"),
        (lambda m, p: saving.load_orbax(m, p.parent), "holds no checkpoint"),
        (lambda m, p: m.load_weights(p, skip_mismatch=True), "`skip_mismatch`=True: .* as a whole"),
        (lambda m, p: m.load_weights(p, by_name=True), "`by_name`=True"),
        (lambda m, p: m.load_weights(p, objects_to_skip=[m.layers[0]]), "`objects_to_skip`"),
    ],
)
def test_bad_calls(call, message, tmp_path):
    model = small()
    saving.save_orbax(model, tmp_path / "c", step=0)
    with pytest.raises(ValueError, match=message):
        call(model, tmp_path / "c")
    with pytest.raises(FileNotFoundError):
        saving.load_orbax(model, tmp_path / "nothing")


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint.experimental.v1", None)
    for call in (lambda: saving.save_orbax(small(), tmp_path / "c"), lambda: lamina.callbacks.OrbaxCheckpoint("c")):
        with pytest.raises(ImportError, match=r"pip install 'lamina\[orbax\]'"):
            call()


@pytest.mark.parametrize(
    ("part", "how"),
    [
        ("_CHECKPOINT_METADATA", "gone"),
        ("pytree", "gone"),
        *((f"pytree/{name}", how) for name in ("_METADATA", "manifest.ocdbt") for how in ("gone", "garbage")),
    ],
)
def test_broken_checkpoints(part, how, tmp_path):
    model = small()
    saving.save_orbax(model, tmp_path / "c", step=0)
    place = tmp_path / "c" / "0" / part
    if place.is_dir():
        shutil.rmtree(place)
    elif how == "gone":
        place.unlink()
    else:
        place.write_bytes(b"{[" * 50)
    model.layers[0].bias.assign(jnp.ones(4))
    with pytest.raises((ValueError, OSError)) as caught:
        saving.load_orbax(model, tmp_path / "c")
    assert str(tmp_path / "c") in str(caught.value)
    assert np.array_equal(model.layers[0].bias.numpy(), np.ones(4))


def test_configurations_in_checkpoints_are_no_more_trusted_than_others(tmp_path):
    model = small(name="m")
    saving.save_orbax(model, tmp_path / "c", step=0)
    place = tmp_path / "c" / "0" / "model_config" / "_strings.json"
    config = json.loads(json.loads(place.read_text())["config"])
    config["config"]["layers"][1]["config"]["units"] = 10**12
    place.write_text(json.dumps({"config": json.dumps(config)}))
    with pytest.raises(ValueError, match="units"):
        lamina.models.load_model(tmp_path / "c")
    config["config"]["layers"][1] |= {"module": "os", "class_name": "system"}
    place.write_text(json.dumps({"config": json.dumps(config)}))
    with pytest.raises(ValueError, match="system"):
        lamina.models.load_model(tmp_path / "c")


def test_links_are_refused(tmp_path):
    model = small()
    saving.save_orbax(model, tmp_path / "c", step=0)
    (tmp_path / "c" / "0" / "pytree" / "link").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="is a link"):
        saving.load_orbax(model, tmp_path / "c")
