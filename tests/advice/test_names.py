"""The user's own names are read off the statement at the call site."""

from __future__ import annotations

import linecache

from lamina.advice import names
from lamina.shapes.errors import CallSite

_SOURCE = """\
history = model.fit(
    x_train,
    y=labels[:10],
    epochs=3,
)
model.predict(a + b)
model.evaluate(*pair)
out = layer(first)(second)
model.fit(np.concatenate([one_long_name, another_long_name, third_long_name], axis=-1), y)
model.predict([left, right])
"""


def _site(line: int) -> CallSite:
    name = "<names-test>"
    linecache.cache[name] = (len(_SOURCE), None, _SOURCE.splitlines(True), name)
    return CallSite(name, line, "")


def test_an_argument_by_position_and_by_name_of_a_statement_of_several_lines():
    assert names.argument(_site(1), "fit", "x", 0) == "x_train"
    assert names.argument(_site(3), "fit", "y", 1) == "labels[:10]"


def test_what_cannot_be_read_is_called_by_the_arguments_name():
    assert names.argument(_site(7), "evaluate", "x", 0) == "x"
    assert names.argument(_site(9), "fit", "x", 0) == "x"  # too long to repeat
    assert names.argument(None, "fit", "x", 0, "data") == "data"
    assert names.argument(CallSite("<gone>", 3, ""), "fit", "x", 0) == "x"


def test_an_index_goes_around_a_whole_expression():
    assert names.indexed("x", "[None]") == "x[None]"
    assert names.indexed(names.argument(_site(6), "predict", "x", 0), "[None]") == "(a + b)[None]"


def test_target_and_elements():
    assert names.target(_site(2)) == "history"
    assert names.target(_site(6)) == ""
    (call,) = names.calls(_site(10), "predict")
    assert names.elements(names.argument_node(call, "x", 0)) == ["left", "right"]
