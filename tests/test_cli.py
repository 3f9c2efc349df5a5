"""The command `lamina`."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import lamina
from lamina.cli import app

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, list(arguments), env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"})


def test_version():
    result = run("--version")
    assert (result.exit_code, result.output.strip()) == (0, f"lamina {lamina.__version__}")


def test_help_lists_the_commands():
    result = run("--help")
    assert result.exit_code == 0
    for command in ("tour", "explain", "check", "show"):
        assert command in result.output
        assert run(command, "--help").exit_code == 0
    assert run().exit_code == 2  # no command: the help is shown


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom lamina.cli import main\nsys.argv = ['lamina', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'jax', 'jaxlib', 'numpy', 'h5py', 'optax', 'matplotlib'} & {m.split('.')[0] for m in sys.modules}\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "explain" in result.stdout


def test_it_is_installed_as_a_program():
    result = subprocess.run(
        [sys.executable, "-c", "from lamina.cli import main; main()", "explain", "Dens"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "Dense" in result.stderr


def test_explain():
    result = run("explain", "Conv1D", "--input", "(None, 128, 2)", "--set", "filters=16", "--set", "padding=same")
    assert result.exit_code == 0
    assert "(None, 128, 16)" in result.output
    assert "Conv1D(filters=16, kernel_size=3, padding='same')" in result.output
    assert run("explain", "lstm").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "Cov1D"), "did you mean 'Conv1D'"),
        (("explain", "Conv1D", "--set", "filter=3"), "did you mean 'filters'"),
        (("explain", "Conv1D", "--set", "filters"), "expected NAME=VALUE"),
        (("explain", "Conv1D", "--set", "filters=-3"), "`filters`=-3"),
        (("explain", "Conv1D", "--input", "128"), "expected a shape such as"),
        (("explain", "Conv1D", "--input", "(None, 128"), "expected a shape such as"),
        (("explain", "Conv1D", "--input", "(128, 2)"), "lacks the batch axis"),
        (("tour", "conv3d"), "did you mean conv2d or conv1d"),
        (("tour", "xyz"), "there are dense, conv1d, conv2d, lstm"),
        (("check", "nowhere.py"), "there is no script 'nowhere.py'"),
    ],
)
def test_what_cannot_be_done_is_said_with_status_2(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_unknown_commands_and_options_have_status_2():
    assert run("explian").exit_code == 2
    assert run("explain", "Dense", "--inputs", "(None, 3)").exit_code == 2
    assert run("check").exit_code == 2


SCRIPT = """import sys
import numpy as np
import lamina as keras
print("given", sys.argv[1:])
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(np.zeros((10, {features})), np.zeros((10, 1)))
"""


def test_check_of_a_sound_script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT.format(features=4))
    result = run("check", str(path), "--epochs", "3", "data")
    assert result.exit_code == 0, result.output
    assert "given ['--epochs', '3', 'data']" in result.output
    assert result.output.strip().endswith("train.py: 1 call of fit, evaluate and predict checked; all shapes fit")


def test_check_of_a_script_with_a_problem(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT.format(features=5))
    result = run("check", str(path))
    assert result.exit_code == 1
    assert "train.py:7: error 1" in result.output
    assert "cannot take a batch of shape (10, 5)" in result.output
    assert "1 error" in result.output.splitlines()[-1]


def test_check_of_a_script_that_fails(tmp_path):
    path = tmp_path / "train.py"
    path.write_text("first = 1\nsecond = unknown\n")
    result = run("check", str(path))
    assert result.exit_code == 1
    assert "line 2" in result.output
    assert "NameError: name 'unknown' is not defined" in result.output


@pytest.mark.slow
def test_tour_of_one_stop():
    result = run("tour", "dense")
    assert result.exit_code == 0, result.output
    for words in ("1 of 1", "model.compile(", "on data it has not seen", "better"):
        assert words in result.output


def test_a_tour_whose_model_is_no_better_has_status_1(monkeypatch):
    from types import SimpleNamespace

    from lamina.tour import guide

    led = []
    monkeypatch.setattr(guide, "lead", lambda names: led.append(names) or [SimpleNamespace(is_better=False)])
    assert run("tour", "LSTM").exit_code == 1
    assert run("tour").exit_code == 1
    assert led == [["lstm"], None]


def test_show(tmp_path):
    path = tmp_path / "model.keras"
    layers = [lamina.Input(("length", 8), name="sound"), lamina.layers.LSTM(3, name="lstm")]
    lamina.Sequential(layers).save(path)
    result = run("show", str(path), "--weights")
    assert result.exit_code == 0, result.output
    assert "(batch, time, features=8)" in result.output
    assert "lstm (LSTM)" in result.output
    assert "lstm/lstm_cell/kernel" in result.output
    described = json.loads(run("show", "--json", str(path)).stdout)
    assert (described["parameters"], described["layers"][0]["output_shapes"]) == (144, [[None, 3]])
    assert "weights" not in described
    assert len(json.loads(run("show", "--json", "--weights", str(path)).stdout)["weights"]) == 3


@pytest.mark.parametrize("name", ["nowhere.keras", "text.h5", "broken.keras"])
def test_show_of_what_is_no_model_has_status_1(name, tmp_path):
    (tmp_path / "text.h5").write_text("words \x1b[2J")
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04 and no more")
    for options in ([], ["--json"]):
        result = run("show", str(tmp_path / name), *options)
        assert (result.exit_code, result.stdout) == (1, "")
        assert name in result.stderr
        assert "Traceback" not in result.stderr
        assert "\x1b" not in result.stderr
