"""The examples in the docstrings of every module print what they say."""

from __future__ import annotations

import doctest
import importlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import noting
import pytest

import lamina

PACKAGE = Path(lamina.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _modules() -> list[str]:
    """Modules with examples, by name; found without importing them."""
    files = [file for file in sorted(PACKAGE.rglob("*.py")) if ">>> " in file.read_text(encoding="utf-8")]
    parts = [("lamina", *file.relative_to(PACKAGE).with_suffix("").parts) for file in files]
    return [".".join(part for part in each if part != "__init__") for each in parts]


def _tests(module: ModuleType) -> Iterator[doctest.DocTest]:
    """The examples of each docstring, those of functions included that say they belong to the package above."""
    finder = doctest.DocTestFinder()
    yield from finder.find(module)
    for name, value in vars(module).items():
        if callable(value) and module.__name__.startswith(f"{getattr(value, '__module__', None)}."):
            yield from finder.find(value, name, module=False)


@pytest.fixture
def _settings() -> Iterator[None]:
    """Layers numbered from the start; an example that changes a setting does not touch the next module."""
    config = lamina.config
    before = config.floatx(), config.epsilon(), config.image_data_format(), config.dtype_policy()
    lamina.utils.clear_session(free_memory=False)
    yield
    config.set_floatx(before[0])
    config.set_epsilon(before[1])
    config.set_image_data_format(before[2])
    config.set_dtype_policy(before[3])


@pytest.mark.parametrize("name", _modules())
@pytest.mark.usefixtures("_settings")
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    found = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for test in _tests(module):
            lamina.utils.clear_session(free_memory=False)
            for number, example in enumerate(test.examples):
                noting.program(f"<doctest {test.name}[{number}]>", example.source, test.globs)
            runner.run(test, out=report.append, clear_globs=False)
            found += len(test.examples)
    assert not report, "".join(report)
    written = len(re.findall(r"^\s*>>> ", Path(module.__file__ or "").read_text(encoding="utf-8"), re.MULTILINE))
    assert found >= written, f"{written - found} examples of {name} are in no docstring that is found"


def test_a_wrong_example_is_noticed() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=lambda _: None).failed == 1
