"""A fix that does not work is found out: the applier of all tests, on programs whose fixes are known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import applying
import pytest
import repairing
from noting import Recorder, during
from replaying import Replay

from lamina.shapes.errors import Fix

STACKED = 'model = Sequential([Input((5, 3)), layers.LSTM(4, name="first"), layers.LSTM(2, name="second")])\n'
SOFTMAX = 'model = Sequential([Input((4,)), layers.Dense(1, activation="softmax", name="out")])\n'
SERIES = "model = Sequential([Input((5, 1)), layers.LSTM(2)])\nx = np.zeros((8, 5, 2))\nmodel.predict(x, verbose=0)\n"
OWN_LOSS = """
def loss(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred[:, 0]))

x, y = np.zeros((6, 4)), np.zeros((6, 1))
model = Sequential([Input((4,)), layers.Dense(1)])
model.compile("sgd", loss)
model.fit(x, y, verbose=0)
"""


def tried(program: str, code: str) -> str:
    """What is said of a program with this fix in place of those that it offers."""
    recorder = Recorder()
    during(recorder, lambda: repairing.run(repairing.START + program))
    (seen,) = recorder.seen
    assert seen.fixes
    recorder.seen = [replace(seen, fixes=(Fix("do", code),))]
    (outcome,) = applying.outcomes(Replay(SimpleNamespace(path="no test"), recorder))
    return outcome


@pytest.mark.parametrize(("program", "code"), [
    (STACKED, 'return_sequences=True in "first"'),
    (STACKED, 'layers.RepeatVector(5) before "second"'),
    (SOFTMAX, 'activation="sigmoid" in "out"'),
    (SOFTMAX, 'units=2 in "out"'),
    (SERIES, "x = x[..., :1]"),
    (SERIES, "Input((5, 2))"),
    (OWN_LOSS, "y_true = ops.squeeze(y_true, -1)"),
])  # fmt: skip
def test_a_right_fix_passes(program, code):
    assert tried(program, code) == ""


@pytest.mark.parametrize(("program", "code", "reason"), [
    (STACKED, 'units=7 in "first"', "ShapeError: LSTM"),
    (STACKED, 'return_sequences=True in "second"', "ShapeError: LSTM"),
    (STACKED, 'return_sequences=True in "third"', "no place"),
    (SOFTMAX, 'activation="softmax" in "out"', "the same comes again"),
    (SERIES, "x = x[..., :2]", "cannot take"),
    (SERIES, "x = x[None]", "cannot take"),
    (SERIES, "Input((6, 1))", "cannot take"),
    (OWN_LOSS, "y_pred = ops.squeeze(ops.expand_dims(y_pred, -1), -1)", "the same comes again"),
])  # fmt: skip
def test_a_wrong_fix_does_not(program, code, reason):
    with pytest.raises(AssertionError, match=reason):
        assert tried(program, code) == ""


@pytest.mark.parametrize(("code", "works"), [('return_sequences=True in "first"', True), ('units=7 in "first"', False)])
def test_a_test_fails_if_it_sees_a_wrong_fix(code, works):
    options = SimpleNamespace(getoption=lambda name: "apply")
    item = SimpleNamespace(path="no test", config=options, user_properties=[])
    around = applying.pytest_pyfunc_call(item)
    next(around)
    _, error = repairing.run(repairing.START + STACKED)
    error.with_fixes([Fix("do", code)])
    with pytest.raises(StopIteration if works else pytest.fail.Exception, match=None if works else "units=7"):
        around.send("what the test gives")
    ((_, (fixes, calls, _)),) = item.user_properties
    assert (fixes, calls) == (1, 1)
