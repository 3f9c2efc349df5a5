"""How an error is shown: plain as text, in colour in a terminal, as HTML in a notebook."""

import io
import os
import subprocess
import sys
import types

import pytest
from rich.console import Console

from lamina.shapes import Fix, ShapeError, showing
from lamina.shapes.errors import CallSite

ESCAPE = "\x1b["


@pytest.fixture
def error():
    return ShapeError(
        'Conv1D "conv" cannot take an input of shape (None, 128)',
        expected="(batch, length, channels)   3 axes",
        received="(None, 128)   <2 axes>",
        notes=[("your data", "(300, 128) is 300 samples"), ("", "y (300,)")],
        fixes=[Fix("give the data an axis", "x = x[..., None]", "(300, 128, 1)"), Fix("or <pad>", "pad()")],
        site=CallSite("/home/me/train.py", 12, "model.fit(x < 3, y)"),
    )


def printed(error, **options):
    console = Console(file=io.StringIO(), highlight=False, width=200, **options)
    console.print(error)
    return console.file.getvalue().rstrip("\n")


def test_the_text_is_plain_and_the_colours_change_no_word(error):
    assert ESCAPE not in str(error)
    assert printed(error, color_system=None) == str(error)
    coloured = printed(error, force_terminal=True, color_system="standard")
    assert f"{ESCAPE}32m    expected" in coloured
    assert f"{ESCAPE}31m    received" in coloured
    assert f"{ESCAPE}1mConv1D" in coloured


def test_an_error_with_nothing_but_a_summary():
    bare = ShapeError("no", site=CallSite("f.py", 1, ""))
    assert printed(bare, color_system=None) == "\n".join(line.rstrip() for line in str(bare).split("\n"))
    assert "<dl>" not in bare._repr_html_()
    assert "<ol>" not in bare._repr_html_()


def test_html_holds_everything_escaped(error):
    text = error._repr_html_()
    for words in (
        "ShapeError",
        "model.fit(x &lt; 3, y)",
        "train.py:12",
        "(batch, length, channels)",
        "&lt;2 axes&gt;",
        "300 samples",
        "x = x[..., None]",
        "(300, 128, 1)",
        "or &lt;pad&gt;",
    ):
        assert words in text, words
    assert text.count("<li>") == 2
    assert "<pad>" not in text


class ZMQInteractiveShell:
    pass


def caught(error):
    try:
        raise error
    except ShapeError as same:
        return same


def in_ipython(monkeypatch, shell):
    shown = []
    ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: shell
    display.HTML, display.display = lambda text: text, shown.append
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_notebook_shows_html_and_the_user_s_frames(error, monkeypatch):
    shown = in_ipython(monkeypatch, ZMQInteractiveShell())
    lines = caught(error)._render_traceback_()
    assert shown == [error._repr_html_()]
    assert lines[-1] == f"ShapeError: {error.summary}"
    assert any("raise error" in line for line in lines)


def test_a_terminal_of_ipython_shows_colours(error, monkeypatch):
    shown = in_ipython(monkeypatch, object())
    lines = caught(error)._render_traceback_()
    assert not shown
    assert ESCAPE in lines[-1]
    assert "expected" in lines[-1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_colours_of_an_uncaught_error_only_for_a_person(error, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    raised = caught(error)
    showing._show_uncaught(ShapeError, raised, raised.__traceback__)
    text = sys.stderr.getvalue()
    assert (ESCAPE in text) == (stream is Terminal)
    assert "raise error" in text
    assert "(batch, length, channels)" in text


def test_other_errors_and_other_hooks_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    showing._show_uncaught(KeyError, KeyError("mine"), None)
    assert sys.stderr.getvalue().strip() == "KeyError: 'mine'"
    mine = lambda *_: None
    monkeypatch.setattr(sys, "excepthook", mine)
    showing.install()
    assert sys.excepthook is mine


def test_a_log_gets_plain_text(tmp_path):
    path = tmp_path / "train.py"
    path.write_text("import lamina\nlamina.Sequential([lamina.Input((128,)), lamina.layers.Conv1D(16, 3)])\n")
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "PYTHON_COLORS")}
    result = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 1
    assert ESCAPE not in result.stderr
    assert "train.py:2" in result.stderr


def test_an_uncaught_error_shows_the_users_own_lines_unless_told_otherwise(tmp_path):
    def traceback(first):
        path = tmp_path / "train.py"
        path.write_text(f"import lamina\n{first}\nlamina.Sequential([lamina.Input((128,)), lamina.layers.LSTM(3)])\n")
        return subprocess.run([sys.executable, str(path)], capture_output=True, text=True).stderr

    short, whole = traceback(""), traceback("lamina.config.disable_traceback_filtering()")
    assert short.count('  File "') == 1
    assert whole.count('  File "') > 5
    assert "(batch, time, features)" in short
    assert "(batch, time, features)" in whole
