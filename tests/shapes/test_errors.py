import linecache
import pickle
import warnings

import pytest

from lamina.shapes import Fix, ShapeError, ShapeWarning
from lamina.shapes.errors import call_site, warn


def make():
    return ShapeError(
        'Dense "d" cannot take this',
        layer="d",
        expected="(batch, features)",
        received="(5,)",
        notes=[("your data", "(300,)")],
        fixes=[Fix("add an axis", "x = x[:, None]", "(None, 1)")],
    )


def test_the_text_has_the_line_both_shapes_and_the_fix():
    error = make()
    assert isinstance(error, ValueError)
    text = str(error)
    for part in ("Dense", "expected", "(batch, features)", "received", "(5,)", "your data", "x = x[:, None]"):
        assert part in text
    assert f"test_errors.py:{error.call_site.line}" in text
    assert error.call_site.source == "return ShapeError("


def test_parts_that_are_missing_leave_no_trace():
    text = str(ShapeError("it does not fit"))
    assert "expected" not in text
    assert "Fixes" not in text


def test_it_can_be_pickled():
    error = pickle.loads(pickle.dumps(make()))
    assert error.layer == "d"
    assert "received" in str(error)


def test_a_warning_points_at_the_users_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn("this looks wrong")
    assert caught[0].category is ShapeWarning
    assert "test_errors.py" in caught[0].filename


def test_it_is_caught_as_a_value_error():
    with pytest.raises(ValueError, match="cannot take"):
        raise make()


def test_lines_that_were_typed_in_are_the_users_where_they_are_known(monkeypatch):
    source = "site = call_site()\n"
    for name in ("<typed in>", "<string>"):
        scope = {"call_site": call_site}
        exec(compile(source, name, "exec"), scope)
        assert scope["site"].file == __file__  # nothing is known of it: the line that ran it
    monkeypatch.setitem(linecache.cache, "<typed in>", (len(source), None, [source], "<typed in>"))
    exec(compile(source, "<typed in>", "exec"), scope)
    assert (str(scope["site"]), scope["site"].source) == ("<typed in>:1", source.strip())
