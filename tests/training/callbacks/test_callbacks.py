import csv
import math
import os
import warnings
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from lamina.training.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    TerminateOnNaN,
)


class Optimizer:
    def __init__(self):
        self.learning_rate = 0.1


class Model:
    """What callbacks may use of a model; its weight is the number of epochs it was trained."""

    def __init__(self):
        self.stop_training = False
        self.weight = 0
        self.optimizer = Optimizer()

    def get_weights(self):
        return [np.array(self.weight), np.ones((2, 3), "float32") * self.weight]

    def set_weights(self, weights):
        self.weight = int(weights[0])

    def save(self, path, overwrite=True):
        Path(path).write_text(f"model {self.weight}")

    def save_weights(self, path, overwrite=True):
        Path(path).write_text(f"weights {self.weight}")


def train(callback, values, name="val_loss", model=None, **more):
    """Run epochs whose logs are given; the logs of each that ran."""
    model = model or Model()
    calls = CallbackList([callback], add_history=True, model=model, epochs=len(values))
    calls.on_train_begin()
    for epoch, value in enumerate(values):
        calls.on_epoch_begin(epoch)
        model.weight = epoch + 1
        calls.on_epoch_end(epoch, {name: value, **more})
        if model.stop_training:
            break
    calls.on_train_end()
    return model, calls.history.history


def test_every_hook_is_passed_on():
    heard = []

    class All(Callback):
        pass

    names = [n for n in dir(Callback) if n.startswith("on_")]
    for name in names:
        setattr(All, name, lambda self, *args, logs=None, name=name: heard.append((name, args, logs)))
    calls = CallbackList([All()])
    for name in names:
        args = (3,) if "batch" in name or "epoch" in name else ()
        getattr(calls, name)(*args, logs={"loss": 1.0})
    expected = [n.replace("on_batch", "on_train_batch") for n in names]
    assert [h[0] for h in heard] == expected
    assert all(h[2] == {"loss": 1.0} for h in heard)


def test_hooks_are_those_of_keras():
    import inspect

    import keras

    for name in dir(keras.callbacks.Callback):
        if name.startswith(("on_", "set_")):
            ours, theirs = (inspect.signature(getattr(c, name)) for c in (Callback, keras.callbacks.Callback))
            assert list(ours.parameters) == list(theirs.parameters), name


@pytest.mark.parametrize(
    "name",
    ["CSVLogger", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint",
     "ProgbarLogger", "ReduceLROnPlateau", "TerminateOnNaN", "CallbackList"],
)  # fmt: skip
def test_arguments_are_those_of_keras(name):
    import inspect

    import keras

    import lamina.callbacks as ours

    mine, theirs = (inspect.signature(getattr(m, name)) for m in (ours, keras.callbacks))
    assert [(p.name, p.default) for p in mine.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


def test_batches_are_asked_for_only_where_needed():
    class ByBatch(Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    class ByOldName(Callback):
        def on_batch_begin(self, batch, logs=None):
            pass

    class ByTest(Callback):
        def on_test_batch_end(self, batch, logs=None):
            pass

    assert not CallbackList([Callback(), History(), EarlyStopping()]).needs_batches
    assert CallbackList([ByBatch()]).needs_batches
    assert CallbackList([ByOldName()]).needs_batches
    tests = CallbackList([ByTest()])
    assert (tests.needs_batches, tests.needs_test_batches, tests.needs_predict_batches) == (False, True, False)
    assert CallbackList([LambdaCallback(on_train_batch_end=print)]).needs_batches
    assert not CallbackList([LambdaCallback(on_epoch_end=print)]).needs_batches
    assert CallbackList([ModelCheckpoint("a.keras", save_freq=2)]).needs_batches
    assert not CallbackList([ModelCheckpoint("a.keras")]).needs_batches
    nested = CallbackList([CallbackList([ByBatch()])])
    assert nested.needs_batches


def test_real_keras_callbacks_are_taken():
    import keras

    class Theirs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.seen = dict(logs)

    theirs = Theirs()
    calls = CallbackList([theirs], model=Model())
    assert not calls.needs_batches
    calls.on_epoch_end(0, {"loss": jnp.float32(2)})
    assert theirs.seen == {"loss": 2.0}


def test_logs_are_plain_and_evaluated_only_if_read():
    def logs():
        raise AssertionError("nobody wants them")

    CallbackList([EarlyStopping()]).on_train_batch_end(0, logs)
    seen = {}
    calls = CallbackList([LambdaCallback(on_train_batch_end=lambda batch, logs: seen.update(logs))])
    calls.on_train_batch_end(0, lambda: {"loss": jnp.float32(0.5), "count": np.int32(3)})
    assert seen == {"loss": 0.5, "count": 3}
    assert type(seen["loss"]) is float


def test_logs_added_by_one_reach_the_next_and_the_history():
    adds = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=1))
    _, history = train(adds, [3.0, 2.0])
    assert history == {"val_loss": [3.0, 2.0], "extra": [1, 1]}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([3], "3 is no callback"),
        ([EarlyStopping], r"is a class; give an object: EarlyStopping\(\.\.\.\)"),
        (print, "LambdaCallback"),
    ],
)
def test_what_is_no_callback(bad, message):
    with pytest.raises(ValueError, match=message):
        CallbackList(bad)


def test_lists_may_be_nested_or_a_single_callback():
    assert len(CallbackList(Callback()).callbacks) == 1
    assert len(CallbackList([Callback(), [Callback()]], add_history=True).callbacks) == 3
    own = History()
    assert CallbackList([own], add_history=True).history is own


def test_history():
    model, history = train(Callback(), [3.0, 2.0])
    assert history == {"val_loss": [3.0, 2.0]}
    assert model.history.epoch == [0, 1]


def test_early_stopping_puts_the_best_weights_back(capsys):
    stop = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    model, history = train(stop, [3, 2, 2.5, 2.4, 2.3])
    assert len(history["val_loss"]) == 4
    assert model.weight == 2
    assert (stop.stopped_epoch, stop.best_epoch, stop.best) == (3, 1, 2)
    said = capsys.readouterr().out
    assert "Epoch 4: early stopping" in said
    assert "best epoch: 2" in said


def test_early_stopping_without_restoring_keeps_the_last_weights():
    model, _ = train(EarlyStopping(patience=1), [1, 2, 3])
    assert model.weight == 2


def test_early_stopping_nan_is_never_best():
    stop = EarlyStopping(patience=3, restore_best_weights=True)
    model, history = train(stop, [math.nan, 1, math.nan, 2, 3])
    assert stop.best == 1
    assert len(history["val_loss"]) == 5
    assert model.weight == 2


def test_early_stopping_twice_starts_anew():
    stop = EarlyStopping(patience=1)
    train(stop, [1, 2])
    _, history = train(stop, [5, 4, 3])
    assert len(history["val_loss"]) == 3


@pytest.mark.parametrize(
    ("name", "up"),
    [("val_accuracy", True), ("acc", True), ("out_auc", True), ("val_auc_1", True), ("f1_score", True), ("loss", False),
     ("val_out_loss", False), ("mean_squared_error", False), ("mae", False), ("kl_divergence", False),
     ("val_top_k_categorical_accuracy", True), ("mean_io_u", True), ("false_positives", False)],
)  # fmt: skip
def test_which_way_is_better(name, up):
    stop = EarlyStopping(monitor=name, patience=0)
    train(stop, [1, 2] if up else [2, 1], name)
    assert stop.stopped_epoch == 0
    train(stop, [2, 1] if up else [1, 2], name)
    assert stop.stopped_epoch == 1


def test_which_way_is_better_of_the_models_own_metric():
    class Metric:
        name, _direction = "score", "up"

    model = Model()
    model.metrics = [Metric()]
    stop = EarlyStopping(monitor="val_score", patience=0)
    train(stop, [1, 2, 3, 2], "val_score", model)
    assert stop.stopped_epoch == 3
    with pytest.raises(ValueError, match=r"monitor`='val_score' is better: pass mode='max' or mode='min'"):
        train(EarlyStopping(monitor="val_score"), [1, 2], "val_score")


def test_a_metric_that_does_not_exist_is_named_once_with_the_nearest():
    said = r"EarlyStopping: there is no metric 'val_los' .*available: 'val_loss', 'loss'; did you mean"
    with pytest.warns(UserWarning, match=said) as caught:
        _, history = train(EarlyStopping(monitor="val_los"), [1, 2, 3], loss=1.0)
    assert len(history["val_loss"]) == 3
    assert len([w for w in caught if "no metric" in str(w.message)]) == 1
    with pytest.warns(UserWarning, match="it needs `validation_data`"):
        train(EarlyStopping(), [1, 2], "loss")


@pytest.mark.parametrize(
    "settings",
    [{"mode": "mx"}, {"patience": -1}, {"patience": 1.5}, {"min_delta": "a"}, {"monitor": 3}, {"baseline": "a"},
     {"start_from_epoch": -2}],
)  # fmt: skip
def test_bad_early_stopping(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        EarlyStopping(**settings)


def test_terminate_on_nan(capsys):
    model = Model()
    calls = CallbackList([TerminateOnNaN()], model=model)
    calls.on_train_batch_end(0, {"loss": 1.0})
    assert not model.stop_training
    calls.on_train_batch_end(7, {"loss": jnp.float32("inf")})
    assert model.stop_training
    assert "Batch 7: the loss is inf" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="the loss is nan after batch 2"):
        CallbackList([TerminateOnNaN(raise_error=True)]).on_train_batch_end(2, {"loss": math.nan})


def test_schedules(capsys):
    model, history = train(LearningRateScheduler(lambda epoch, rate: rate * 0.5, verbose=1), [1, 1])
    assert model.optimizer.learning_rate == pytest.approx(0.025)
    assert history["learning_rate"] == pytest.approx([0.05, 0.025])
    assert "Epoch 2: LearningRateScheduler sets the learning rate to 0.025." in capsys.readouterr().out
    _, history = train(LearningRateScheduler(lambda epoch: np.float32(1 / (epoch + 1))), [1, 1])
    assert history["learning_rate"] == [1, 0.5]


def test_an_error_inside_a_schedule_is_not_hidden():
    def broken(epoch, rate):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        train(LearningRateScheduler(broken), [1])


@pytest.mark.parametrize("gives", ["a", None, math.nan, [1.0], True])
def test_bad_schedules(gives):
    with pytest.raises(ValueError, match=r"`schedule` gave .* for epoch 0"):
        train(LearningRateScheduler(lambda epoch: gives), [1])


def test_rates_need_an_optimizer_that_has_one():
    model = Model()
    model.optimizer = None
    with pytest.raises(ValueError, match="has no `learning_rate`"):
        train(LearningRateScheduler(lambda epoch: 1.0), [1], model=model)
    with pytest.raises(ValueError, match="`schedule`=3"):
        LearningRateScheduler(3)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"factor": 1.5}, ValueError, "`factor`=1.5: expected a number under 1"),
        ({"patience": -1}, ValueError, "`patience`"),
        ({"epsilon": 1}, TypeError, "no argument 'epsilon'"),
        ({"min_lr": -1}, ValueError, "`min_lr`"),
    ],
)
def test_bad_plateau(settings, error, message):
    with pytest.raises(error, match=message):
        ReduceLROnPlateau(**settings)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_csv(tmp_path):
    path = tmp_path / "log.csv"
    train(CSVLogger(path), [0.5, 0.25], loss=np.float32(1))
    assert rows(path) == [["epoch", "loss", "val_loss"], ["0", "1.0", "0.5"], ["1", "1.0", "0.25"]]
    train(CSVLogger(path, append=True), [0.1], loss=2)
    assert [r[0] for r in rows(path)] == ["epoch", "0", "1", "0"]
    train(CSVLogger(path, separator=";"), [0.1])
    assert path.read_text() == "epoch;val_loss\n0;0.1\n"
    with pytest.raises(ValueError, match="`separator`='::'"):
        CSVLogger(path, separator="::")


def test_csv_is_readable_while_training_and_lacks_are_na(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0, "each": np.array([1.0, 2.0])})
    assert len(rows(path)) == 2
    logger.on_epoch_end(1, {"loss": 1.0})
    logger.on_train_end()
    assert rows(path)[1:] == [["0", "[1.0, 2.0]", "1.0", "2.0"], ["1", "NA", "1.0", "NA"]]


def test_lambda_callback():
    heard = []
    callback = LambdaCallback(
        on_epoch_end=lambda epoch, logs: heard.append((epoch, logs)),
        on_train_begin=lambda logs: heard.append(logs),
        on_test_end=lambda logs: heard.append("test"),
        tag=3,
    )
    calls = CallbackList([callback])
    calls.on_train_begin({"a": 1})
    calls.on_epoch_end(2, {"b": 1})
    calls.on_test_end()
    assert heard == [{"a": 1}, (2, {"b": 1}), "test"]
    assert calls.callbacks[0].tag == 3
    with pytest.raises(ValueError, match="`on_epoch_end`=3: expected a function"):
        LambdaCallback(on_epoch_end=3)
    with pytest.raises(TypeError, match="no argument 'on_epoch_ends'; did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)


def test_progbar_logger(capsys):
    calls = CallbackList([], add_progbar=True, model=Model(), epochs=2, steps=3, verbose=2)
    assert isinstance(calls.callbacks[0], ProgbarLogger)
    calls.on_train_begin()
    calls.on_epoch_begin(0)
    for batch in range(3):
        calls.on_train_batch_end(batch, {"loss": 1.0})
    calls.on_epoch_end(0, {"loss": 0.5})
    calls.on_train_end()
    assert "Epoch 1/2" in capsys.readouterr().out
    assert not CallbackList([], add_progbar=True, verbose=0).callbacks


# ModelCheckpoint


def test_checkpoints_are_named_by_epoch_and_metric(tmp_path, capsys):
    path = tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}.keras"
    train(ModelCheckpoint(path, verbose=1), [0.5, 0.25])
    assert sorted(os.listdir(tmp_path / "new")) == ["01-0.50.keras", "02-0.25.keras"]
    assert "Epoch 2: saved" in capsys.readouterr().out


def test_only_the_best(tmp_path, capsys):
    path = tmp_path / "best.keras"
    keep = ModelCheckpoint(path, save_best_only=True, verbose=1)
    train(keep, [3, 2, 2.5, math.nan])
    assert path.read_text() == "model 2"
    assert keep.best == 2
    said = capsys.readouterr().out
    assert "val_loss went from 3.00000 to 2.00000" in said
    assert "val_loss is 2.50000, not better than 2.00000" in said


def test_only_better_than_a_threshold(tmp_path):
    path = tmp_path / "best.keras"
    train(ModelCheckpoint(path, save_best_only=True, initial_value_threshold=1.0), [3, 2])
    assert not path.exists()


def test_best_of_a_missing_metric_warns(tmp_path):
    with pytest.warns(UserWarning, match="ModelCheckpoint: there is no metric 'val_loss'.*nothing is saved"):
        train(ModelCheckpoint(tmp_path / "a.keras", save_best_only=True), [1], "loss")
    assert not os.listdir(tmp_path)


def test_every_so_many_batches(tmp_path):
    keep = ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=3)
    calls = CallbackList([keep], model=Model())
    for epoch in range(2):
        calls.on_epoch_begin(epoch)
        for batch in range(4):
            calls.on_train_batch_end(batch, {"loss": 1.0})
        calls.on_epoch_end(epoch, {"loss": 1.0})
    assert sorted(os.listdir(tmp_path)) == ["1-3.keras", "2-2.keras"]


def test_whole_models_or_weights(tmp_path):
    train(ModelCheckpoint(tmp_path / "m.keras"), [1])
    train(ModelCheckpoint(tmp_path / "m.h5"), [1])
    train(ModelCheckpoint(tmp_path / "m.weights.h5", save_weights_only=True), [1])
    said = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert said == {"m.keras": "model 1", "m.h5": "model 1", "m.weights.h5": "weights 1"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filepath": "a.txt"}, r"`filepath`='a.txt': expected a name that ends in .keras or .h5"),
        ({"filepath": "a.keras", "save_weights_only": True}, r"with `save_weights_only`"),
        ({"filepath": "a.keras", "save_freq": "batch"}, "`save_freq`='batch'"),
        ({"filepath": "a.keras", "save_freq": 0}, "`save_freq`=0"),
        ({"filepath": "a.keras", "mode": "best"}, "`mode`='best'"),
        ({"filepath": "a.keras", "initial_value_threshold": "x"}, "`initial_value_threshold`"),
    ],
)
def test_bad_checkpoint(settings, message):
    with pytest.raises(ValueError, match=message):
        ModelCheckpoint(**settings)


def test_names_in_the_path_that_do_not_exist(tmp_path):
    with pytest.raises(
        ValueError, match=r"names \{val_los\}.*available: \{val_loss\}, \{epoch\}; did you mean 'val_loss'"
    ):
        train(ModelCheckpoint(tmp_path / "{val_los:.2f}.keras"), [1])
    with pytest.raises(ValueError, match="cannot be filled in"):
        train(ModelCheckpoint(tmp_path / "{val_loss:d}.keras"), [0.5])


def test_no_warning_in_ordinary_use(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(ModelCheckpoint(tmp_path / "a.keras", save_best_only=True), [2, 1])
        train(EarlyStopping(), [2, 1])
        train(ReduceLROnPlateau(), [2, 1])
