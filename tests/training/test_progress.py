import io
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from rich.console import Console

from lamina.training import progress as module
from lamina.training.progress import Progress, clock, duration, number, rate, to_html


def terminal(width=100):
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False)


def pipe(width=80):
    return Console(file=io.StringIO(), force_terminal=False, width=width)


def written(console):
    return console.file.getvalue()


def run(bar, epochs=1, steps=3, logs=None):
    with bar:
        for epoch in range(epochs):
            bar.epoch_begin(epoch)
            for done in range(1, steps + 1):
                bar.step(done, logs)
            bar.epoch_end({"loss": 0.5, "val_loss": 0.25})


@pytest.fixture
def every_step(monkeypatch):
    monkeypatch.setattr(module, "_INTERVAL", 0.0)


def test_a_line_per_epoch_where_the_output_is_no_terminal():
    console = pipe()
    run(Progress(2, 3, 1, console=console), epochs=2)
    lines = written(console).splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"Epoch 2/2 - \d+ms - loss: 0.5000 - val_loss: 0.2500", lines[1])
    assert "\x1b" not in written(console)


def test_a_line_per_epoch_is_never_wrapped():
    console = pipe(width=20)
    run(Progress(1, 3, 2, console=console))
    assert len(written(console).splitlines()) == 1


def test_verbose_two_is_a_line_in_a_terminal_too():
    console = terminal()
    run(Progress(10, 3, 2, console=console))
    assert re.fullmatch(r"Epoch  1/10 - \d+ms - loss: 0.5000 - val_loss: 0.2500\n", written(console))


def test_verbose_zero_is_silent():
    console = terminal()
    run(Progress(2, 3, 0, console=console), epochs=2)
    assert written(console) == ""


@pytest.mark.parametrize("verbose", ["auto", True, 1])
def test_a_bar_in_a_terminal(verbose, every_step):
    console = terminal()
    run(Progress(2, 3, verbose, console=console), epochs=2, logs={"loss": 0.75})
    seen = written(console)
    assert "Epoch 1/2 " in seen
    assert "━" in seen
    assert "2/3" in seen
    assert "loss\u00a00.7500" in seen
    assert "/s" in seen
    assert "val_loss\u00a00.2500" in seen
    assert seen.rstrip().splitlines()[-1].count("\x1b[?25h") + seen.count("\x1b[?25h") >= 1
    assert seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l")


def test_long_metrics_go_to_a_line_of_their_own():
    console = terminal(width=60)
    bar = Progress(1, 3, 1, console=console)
    bar.epoch_begin(0)
    bar.step(3)
    bar.epoch_end({f"a_long_metric_{i}": 0.5 for i in range(4)})
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written(console)).splitlines()
    assert {line.strip().count("\u00a0") for line in last if line.startswith("    a_long")} == {2}


def test_logs_are_read_only_when_drawn():
    reads = []

    def logs():
        reads.append(1)
        return {"loss": 1.0}

    bar = Progress(1, 1000, 1, console=terminal())
    bar.epoch_begin(0)
    for done in range(1000):
        bar.step(done, logs)
    assert len(reads) < 10
    bar.close()
    silent = Progress(1, 1000, 1, console=pipe())
    silent.epoch_begin(0)
    silent.step(1, lambda: pytest.fail("read"))


def test_unknown_number_of_steps(every_step):
    console = terminal()
    bar = Progress(1, None, 1, console=console)
    bar.epoch_begin(0)
    bar.step(5)
    assert "5 steps" in written(console)
    bar.epoch_end()
    assert "5/5" in written(console)


@pytest.mark.parametrize(("mode", "word"), [("test", "Evaluating"), ("predict", "Predicting")])
def test_other_modes(mode, word):
    console = pipe()
    run(Progress(1, 3, 2, mode, console=console))
    assert written(console).startswith(f"{word} - 3 steps - ")


def test_a_run_inside_another_does_not_draw_over_it(every_step):
    outer, inner = terminal(), terminal()
    bar = Progress(1, 3, 1, console=outer)
    bar.epoch_begin(0)
    bar.step(1)
    run(Progress(1, 3, 1, "test", console=inner))
    assert "━" not in written(inner)
    assert "Evaluating - 3 steps" in written(inner)
    bar.close()
    again = terminal()
    run(Progress(1, 3, 1, console=again))
    assert "━" in written(again)


def test_the_cursor_comes_back_when_the_bar_is_forgotten():
    console = terminal()
    bar = Progress(1, 3, 1, console=console)
    bar.epoch_begin(0)
    assert written(console).endswith("\x1b[?25l") or "\x1b[?25l" in written(console)
    del bar
    assert written(console).rfind("\x1b[?25h") > written(console).rfind("\x1b[?25l")


@pytest.mark.parametrize(("closes", "delay"), [(True, 0.5), (False, 0.5), (False, 0)])
def test_the_cursor_comes_back_after_an_interrupt(closes, delay):
    program = textwrap.dedent(
        f"""
        import time
        from lamina.training.progress import Progress
        bar = Progress(1, 100, 1)
        try:
            bar.epoch_begin(0)
            for i in range(1000):
                bar.step(i)
                time.sleep(0.05)
        finally:
            if {closes}:
                bar.close()
        """
    )
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm"}
    )
    os.close(slave)
    seen, start, interrupted = b"", time.monotonic(), False
    while time.monotonic() - start < 60:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
        if not interrupted and b"\x1b[?25l" in seen:
            interrupted = True
            time.sleep(delay)
            child.send_signal(signal.SIGINT)
    child.wait()
    os.close(master)
    assert b"KeyboardInterrupt" in seen
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") >= 0


def test_notebooks_get_one_output_that_is_updated(monkeypatch, every_step):
    import types

    shown = []

    class Handle:
        def update(self, html):
            shown.append(("update", html))

    def display(html, display_id):
        shown.append(("display", html))
        return Handle()

    fake = types.ModuleType("IPython.display")
    fake.HTML, fake.display = str, display
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    console = Console(file=io.StringIO(), force_jupyter=True, width=100)
    run(Progress(2, 3, 1, console=console), epochs=2)
    kinds = [kind for kind, _ in shown]
    assert kinds.count("display") == 2
    assert kinds[0] == "display"
    assert "val_loss" in shown[-1][1]
    assert shown[-1][1].startswith("<pre")
    assert written(console) == ""


def test_html_is_escaped():
    assert "<b>" not in to_html("<b>")


@pytest.mark.parametrize("bad", [3, -1, "yes", None, 1.5])
def test_bad_verbose(bad):
    with pytest.raises(ValueError, match="`verbose`="):
        Progress(verbose=bad)


def test_bad_mode():
    with pytest.raises(ValueError, match=r"`mode`='trian'.*did you mean 'train'"):
        Progress(mode="trian")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.1235"), (1e-5, "1.000e-05"), (0, "0"), (0.0, "0.0000"), (123456.0, "1.235e+05"),
     (float("nan"), "nan"), (float("-inf"), "-inf"), (7, "7"), ("text", "text")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def test_times_and_rates():
    assert [duration(s) for s in (0.0123, 3.21, 245)] == ["12ms", "3.2s", "4:05"]
    assert [clock(s) for s in (0.2, 59.5, 3723)] == ["0:01", "1:00", "1:02:03"]
    assert [rate(s) for s in (None, 1234.5, 2.5, 0.5)] == ["", "1,234/s", "2.5/s", "2.0 s/step"]
