"""The loops over batches and epochs."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from lamina.training.callbacks import CallbackList, History
from lamina.training.callbacks.logs import ProgbarLogger
from lamina.training.feeding import Feed
from lamina.training.frozen import as_compiled
from lamina.training.interrupts import interruptible, unbroken
from lamina.training.programs import Program, same_shapes
from lamina.training.progress import Progress
from lamina.training.resident import Pace, Resident, fits
from lamina.training.steps import pack_x_y_sample_weight

Data = Feed | Resident
Find = Callable[..., Program]
_SMALL = 100_000  # bytes of an array that JAX puts on a device at once


@interruptible()
def run_fit(
    model: Any,
    feed: Feed,
    validation: Feed | None,
    start: int,
    epochs: int,
    verbose: Any,
    callbacks: Any,
    validate_after: Callable[[int], bool],
) -> History:
    """Epochs of training, with validation and callbacks."""
    calls: Any = _callbacks(callbacks, model, feed, epochs, verbose, add_history=True)
    history: Any = calls.history
    model.history = history
    has_own_bar = any(isinstance(callback, ProgbarLogger) for callback in calls)
    progress = Progress(epochs, feed.steps, 0 if has_own_bar else verbose, mode="train")
    data, held_back = on_device(model, feed), on_device(model, validation)
    model.stop_training = False
    model._initial_epoch = start  # a callback may let training begin later
    calls.on_train_begin()
    logs: dict[str, Any] = {}
    try:
        for epoch in range(model._initial_epoch, epochs):
            model.reset_metrics()
            calls.on_epoch_begin(epoch)
            progress.epoch_begin(epoch)
            epoch_logs = _train_epoch(model, data, calls, progress)
            if feed.exhausted and not epoch_logs:  # the data ended with the epoch before
                break
            logs = epoch_logs
            if validation is not None and validate_after(epoch):
                progress.status("validating")
                measured = _test_epoch(model, held_back, calls)
                validation.on_epoch_end()
                logs = {**logs, **{f"val_{name}": value for name, value in measured.items()}}
            logs = calls.on_epoch_end(epoch, logs) or logs
            progress.epoch_end(logs)
            feed.on_epoch_end()
            if model.stop_training or feed.exhausted:
                break
        _finish_weights(model)
        calls.on_train_end(logs)
    finally:
        progress.close()
    return history


def _callbacks(
    callbacks: Any, model: Any, feed: Feed, epochs: int, verbose: Any, add_history: bool = False
) -> CallbackList:
    if isinstance(callbacks, CallbackList):
        return callbacks
    params = {"epochs": epochs, "steps": feed.steps, "verbose": verbose}
    return CallbackList(callbacks, add_history=add_history, model=model, **params)


def _finish_weights(model: Any) -> None:
    """Let an optimizer that averages weights put the averages in place."""
    if model.optimizer is not None and model.optimizer.built:
        with as_compiled(model):
            model.optimizer.finalize_variable_values(model.trainable_variables)


def _train_epoch(model: Any, data: Data, calls: Any, progress: Progress) -> dict[str, Any]:
    logs: Any = {}
    done = 0
    for count, run in dispatches(model, "train", data, calls.needs_batches):
        calls.on_train_batch_begin(done)
        logs = run()
        done += count
        calls.on_train_batch_end(done - 1, functools.partial(to_floats, logs))
        progress.step(done, functools.partial(to_floats, logs))
        if model.stop_training:
            break
    return to_floats(logs)


@interruptible()
def run_evaluate(model: Any, feed: Feed, verbose: Any, callbacks: Any) -> dict[str, Any]:
    """Evaluation on all batches."""
    calls: Any = _callbacks(callbacks, model, feed, 1, verbose)
    progress = Progress(1, feed.steps, verbose, mode="test")
    try:
        progress.epoch_begin(0)
        logs = _test_epoch(model, on_device(model, feed), calls, progress)
        progress.epoch_end(logs)
    finally:
        progress.close()
    return logs


def _test_epoch(model: Any, data: Data, calls: Any, progress: Progress | None = None) -> dict[str, Any]:
    logs: Any = {}
    done = 0
    model.reset_metrics()
    calls.on_test_begin()
    for count, run in dispatches(model, "test", data, calls.needs_test_batches):
        calls.on_test_batch_begin(done)
        logs = run()
        done += count
        calls.on_test_batch_end(done - 1, functools.partial(to_floats, logs))
        if progress is not None:
            progress.step(done, functools.partial(to_floats, logs))
    logs = to_floats(logs)
    calls.on_test_end(logs)
    return logs


@interruptible()
def run_predict(model: Any, feed: Feed, verbose: Any, callbacks: Any) -> Any:
    """Outputs of all batches, one after the other."""
    calls: Any = _callbacks(callbacks, model, feed, 1, verbose)
    progress = Progress(1, feed.steps, verbose, mode="predict")
    parts: list[Any] = []
    done = 0
    try:
        progress.epoch_begin(0)
        calls.on_predict_begin()
        model._programs.holders.clear()
        for group in grouped(feed.epoch(), model.steps_per_execution):
            calls.on_predict_batch_begin(done)
            outputs = [run_step(model, "predict", [batch]) for batch in group]
            parts += outputs
            done += len(group)
            calls.on_predict_batch_end(done - 1, lambda outputs=outputs: {"outputs": joined(outputs)})
            progress.step(done, {})
        calls.on_predict_end()
        progress.epoch_end({})
    finally:
        progress.close()
    return joined(parts)


def joined(parts: list[Any]) -> Any:
    """Batches of outputs as one, in numpy arrays ``(samples, ...)``."""
    return jax.tree.map(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves]), *parts)


def on_device(model: Any, feed: Any) -> Any:
    """The feed's data on the device, where steps are compiled and there is room; otherwise the feed."""
    return Resident(feed) if feed is not None and model._programs.compiled and fits(feed) else feed


def dispatches(model: Any, kind: str, data: Data, one_by_one: bool) -> Iterator[tuple[int, Callable[[], Any]]]:
    """The dispatches of an epoch: how many batches each takes, and what runs it and gives the logs.

    Args:
        model: the model.
        kind: ``"train"`` or ``"test"``.
        data: a feed, or what `on_device` made of it.
        one_by_one: whether someone wants to hear of each batch.
    """
    model._programs.holders.clear()
    asked = model.steps_per_execution
    if not isinstance(data, Resident):
        for group in grouped(data.epoch(), asked):
            yield len(group), functools.partial(run_step, model, kind, group)
        return
    full, done = data.next_epoch(), 0
    pace = model._programs.paces[kind, data.batch_size]
    pace.begin()
    if full:  # first, so that what the model's code says is of a whole batch
        loops = asked > 1 or (pace.loops and not one_by_one)
        _prepare(model, kind, _finder(model, kind, data, loops), data.batches(0, 1))
    if data.last() is not None:
        _prepare(model, kind, functools.partial(model._programs.get, kind), pack_x_y_sample_weight(*data.last()))
    while done < full:
        many = asked > 1 or not one_by_one
        loops = many and (pace.loops or _loop_is_ready(model, kind, data, pace))
        count = min(asked, full - done) if asked > 1 else pace.steps(full - done) if many else 1
        yield count, functools.partial(run_resident, model, kind, data, done, count, pace, loops)
        done += count
    if data.last() is not None:
        yield 1, functools.partial(run_step, model, kind, [data.last()])


def _loop_is_ready(model: Any, kind: str, data: Resident, pace: Pace) -> bool:
    """Whether a loop over steps can be tried; it is compiled beside the steps that go on meanwhile."""
    if not pace.wants_loop:
        return False
    return _prepare(model, kind, _finder(model, kind, data, True), data.batches(0, 1))


def _finder(model: Any, kind: str, data: Resident, loops: bool) -> Find:
    """What gets the program for data on the device: of many steps in a loop, or of one."""
    get = model._programs.get_looping if loops else model._programs.get_picking
    return functools.partial(get, kind, batch_size=data.batch_size)


def run_resident(model: Any, kind: str, data: Resident, start: int, count: int, pace: Pace, loops: bool) -> Any:
    """Some steps on batches that lie on the device, in one dispatch if it `loops`; gives the last logs."""
    find = _finder(model, kind, data, loops)
    if loops:
        logs = _run(model, kind, find, data.batches(start, count))
        pace.ran_looped(logs, count)
    else:
        logs = _run(model, kind, find, *[data.batches(place, 1) for place in range(start, start + count)])
        pace.ran_alone(logs, count)
    return logs


def run_step(model: Any, kind: str, batches: list[Any]) -> Any:
    """The batches go through the model's step of that kind: in one dispatch where they are alike."""
    data = [pack_x_y_sample_weight(*batch) for batch in batches]
    if model._programs.compiled and kind != "predict":
        data = jax.tree.map(_arrived, data)
    if len(data) > 1 and same_shapes(data):
        return _run(model, kind, functools.partial(model._programs.get_many, kind), data)
    for batch in data:
        logs = _run(model, kind, functools.partial(model._programs.get, kind), batch)
    return logs


def _arrived(array: Any) -> Any:
    """A large array, on its device. What waits for data runs in a thread of JAX's, where `core.memory` keeps less."""
    if not isinstance(array, np.ndarray) or array.nbytes < _SMALL or jax.default_backend() != "cpu":
        return array
    return jax.block_until_ready(jax.device_put(array))


def _run(model: Any, kind: str, find: Find, *data: Any) -> Any:
    """A dispatch for each of the data: the last logs, or outputs; the model's variables have their new values."""
    with as_compiled(model):
        holders, program = _program(model, kind, find)
        state = tuple([v._value for v in group] for group in holders)
        if kind == "train":
            _own(state)
        program.make_ready(state, data[0])
        with unbroken() if program.compiled else contextlib.nullcontext():
            logs, state = program(state, *data)
            _take(holders[1:] if kind == "predict" else holders, [state] if kind == "predict" else state)
    return logs


def _prepare(model: Any, kind: str, find: Find, data: Any) -> bool:
    """Begin to compile a program, on a thread; gives whether it is ready."""
    with as_compiled(model):
        holders, program = _program(model, kind, find)
        program.prepare(tuple([v._value for v in group] for group in holders), data)
    return program.is_ready(data)


def _program(model: Any, kind: str, find: Find) -> tuple[list[list[Any]], Program]:
    """The variables of a step, gathered once for a loop, and its program."""
    gathered = model._programs.holders
    if kind not in gathered:
        holders = model._state(kind)
        gathered[kind] = holders, tuple(id(v) for group in holders for v in group)
    holders, key = gathered[kind]
    return holders, find(step=getattr(model, f"{kind}_step"), key=key)


def _take(holders: list[list[Any]], state: Any) -> None:
    """Give variables their new values."""
    for group, new in zip(holders, state, strict=True):
        for variable, value in zip(group, new, strict=True):
            variable._value = value


def _own(state: tuple[list[Any], ...]) -> None:
    """Copies of arrays that someone else holds too (the user, another variable), since the state is donated."""
    for values in state:
        for place in range(len(values)):
            if sys.getrefcount(values[place]) > _ALONE:
                values[place] = values[place].copy()


def _count_of_one() -> int:
    """The reference count, as `_own` sees it, of a value that only its variable and the state hold."""
    variable = SimpleNamespace(_value=object())
    values = [variable._value]
    return sys.getrefcount(values[0])


_ALONE = _count_of_one()


def grouped(batches: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Lists of so many batches; the last may be shorter."""
    group: list[Any] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def to_floats(logs: Any) -> dict[str, Any]:
    """Logs as plain numbers (arrays stay arrays, dicts inside are taken out)."""
    if not isinstance(logs, dict):
        raise ValueError(f"a step gave the logs {logs!r}: expected a dict of numbers by name")
    plain: dict[str, Any] = {}
    for name, value in logs.items():
        plain.update(
            to_floats(value)
            if isinstance(value, dict)
            else {name: float(value) if np.ndim(value) == 0 else np.asarray(value)}
        )
    return plain
