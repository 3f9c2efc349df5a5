"""Every fix that a test sees is applied: the program that made the error is written anew with it, and runs.

While a test runs, each error (or warning) about shapes with fixes is noted. After the test, each of its fixes is
written into the test's own module, or into the program that the test ran, and that is run again up to the call which
failed: now it must go through. See `rewriting` for how a fix becomes a change of the program.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from noting import Recorder, recorders
from replaying import Replay, plain

_PROPERTY = "fixes applied"


class Work(NamedTuple):
    """How many fixes were applied, how many calls had offered them, and the processor's time that it took."""

    fixes: int
    calls: int
    seconds: float


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> Any:
    """Run a test; then apply each fix that it saw."""
    if pyfuncitem.config.getoption("fixes") != "apply":
        return (yield)
    recorder = Recorder()
    recorders.append(recorder)
    try:
        result = yield
    finally:
        recorders.pop()
    if recorder.seen:
        began = time.process_time()
        found = list(outcomes(Replay(pyfuncitem, recorder)))
        work = Work(len(found), len({seen.witness for seen in recorder.seen}), time.process_time() - began)
        pyfuncitem.user_properties.append((_PROPERTY, tuple(work)))
        failures = [outcome for outcome in found if outcome]
        if failures:
            pytest.fail("fixes that do not work:\n\n" + "\n\n".join(failures), pytrace=False)
    return result


def pytest_addoption(parser: Any) -> None:
    """The option that turns this off."""
    parser.addoption("--fixes", choices=("apply", "off"), default="apply", help="apply every fix that a test sees")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many fixes were applied, in all processes."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    of_calls = [dict(r.user_properties) for r in reports if getattr(r, "when", "") == "call"]
    done = [Work(*properties[_PROPERTY]) for properties in of_calls if _PROPERTY in properties]
    if done:
        fixes, calls, seconds = map(sum, zip(*done))
        terminalreporter.write_line(
            f"fixes applied: {fixes}, offered by {calls} calls of {len(done)} tests, in {seconds:.0f} s"
        )


def outcomes(replay: Replay) -> Iterator[str]:
    """For each fix that a test saw what is wrong with it; ``""`` if it works."""
    done = set()
    came: collections.Counter[Any] = collections.Counter()
    for seen in replay.recorder.seen:
        occurrence = came[plain(seen.summary), seen.witness]
        came[plain(seen.summary), seen.witness] += 1
        for fix in seen.fixes:
            key = (seen.summary, fix.code, seen.witness)
            if key not in done:
                done.add(key)
                reason = replay.attempt(seen, fix, occurrence)
                at = f"{seen.witness.file}:{seen.witness.line}"
                yield f"{fix}\n  {reason}\n  of: {seen.summary}\n  at: {at}" if reason else ""
