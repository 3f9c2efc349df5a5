import json

import numpy as np
import pytest
from rich.console import Console

import lamina
from lamina import layers
from lamina.shapes import ShapeError, forms


def rows_of(report):
    return {row.name: row for row in report.rows}


def sound():
    stack = [layers.Conv1D(16, 3, name="conv"), layers.MaxPooling1D(2, name="pool"), layers.Flatten(name="flat")]
    return lamina.Sequential([*stack, layers.Dense(10, name="out")], name="sound")


def test_four_forms_and_the_last_batch():
    model = sound()
    report = forms(model, np.zeros((300, 128, 2)), batch_size=32)
    assert model.built  # it was deferred
    conv = rows_of(report)["conv"]
    assert conv.axes == ("batch", "new_length", "filters")
    assert conv.declared == (126, 16)
    assert conv.symbolic == (None, 126, 16)
    assert conv.array == (300, 126, 16)
    assert conv.tensor == (32, 126, 16)
    assert conv.last == (12, 126, 16)
    first = report.rows[0]
    assert (first.kind, first.axes) == ("Input", ("batch", "length", "channels"))
    assert (first.declared, first.symbolic, first.array, first.tensor, first.last) == (
        (128, 2),
        (None, 128, 2),
        (300, 128, 2),
        (32, 128, 2),
        (12, 128, 2),
    )
    assert rows_of(report)["out"].last == (12, 10)
    assert [row.name for row in report.rows[1:]] == ["conv", "pool", "flat", "out"]
    assert report.last_batch == 12
    assert report.division() == "300 = 9 x 32 + 12"


@pytest.mark.parametrize(
    ("samples", "batch", "tensor", "last"),
    [(64, 32, (32, 3), None), (20, 32, (20, 3), None), (33, 32, (32, 3), (1, 3)), (7, 1, (1, 3), None)],
)
def test_batches(samples, batch, tensor, last):
    model = lamina.Sequential([layers.Dense(3, name="d")])
    row = rows_of(forms(model, np.zeros((samples, 4)), batch_size=batch))["d"]
    assert (row.array, row.tensor, row.last) == ((samples, 3), tensor, last)


def test_what_it_says_is_what_call_sees():
    seen = []

    class Spy(layers.Layer):
        def call(self, x):
            seen.append(tuple(d if isinstance(d, int) else None for d in x.shape))
            return x

    model = lamina.Sequential([layers.Dense(3), Spy(name="spy")])
    row = rows_of(forms(model, np.zeros((300, 4))))["spy"]
    assert {row.symbolic, row.array, row.tensor, row.last} <= set(seen)


def test_several_inputs_nested_models_operations_and_shared_layers():
    a, b = lamina.Input(("length", 2), name="a"), lamina.Input((3,), name="b")
    inner = lamina.Sequential([layers.Dense(8, name="deep"), layers.ReLU(name="relu")], name="inner")
    shared = layers.Dense(8, name="shared")
    h = shared(shared(layers.LSTM(8, name="lstm")(a))) + inner(b)
    model = lamina.Model({"a": a, "b": b}, [layers.Dense(1, name="out")(h), layers.Conv1D(4, 3, name="conv")(a)])
    report = forms(model, {"b": np.zeros((40, 3)), "a": np.zeros((40, 20, 2))})
    rows = rows_of(report)
    assert rows["a"].declared == ("length", 2)
    assert rows["a"].axes == ("batch", "time", "features")
    assert rows["conv"].dims == "(batch, length - 2, 4)"
    assert rows["conv"].symbolic == (None, None, 4)
    assert (rows["conv"].array, rows["conv"].tensor, rows["conv"].last) == ((40, 18, 4), (32, 18, 4), (8, 18, 4))
    assert (rows["inner"].depth, rows["deep"].depth) == (1, 2)
    assert rows["shared (call 2)"].tensor == (32, 8)
    assert any(row.kind == "Add" and row.axes == ("batch", "units") for row in report.rows)
    names = [row.name for row in report.rows]
    assert names.index("inner") < names.index("deep") < names.index("relu")


def test_subclassed_models():
    class Net(lamina.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(5, name="first"), layers.Dense(2, name="second")

        def call(self, x, training=None):
            return self.second(self.first(x))

    net = Net()
    report = forms(net, np.zeros((10, 4)), batch_size=4)
    assert [row.name for row in report.rows] == ["x", "first", "second"]
    assert rows_of(report)["second"].last == (2, 2)
    assert net.built


def test_several_outputs_are_numbered():
    x = lamina.Input((5, 2))
    model = lamina.Model(x, layers.LSTM(3, return_sequences=True, return_state=True, name="l")(x))
    rows = rows_of(forms(model, np.zeros((4, 5, 2))))
    assert rows["l[0]"].declared == (5, 3)
    assert rows["l[2]"].declared == (3,)


def test_axes_keep_their_names_through_layers_that_keep_axes():
    model = lamina.Sequential(
        [layers.Conv2D(3, 3, name="c"), layers.BatchNormalization(name="n"), layers.Dropout(0.5, name="d")]
    )
    rows = rows_of(forms(model, np.zeros((4, 8, 8, 1))))
    assert rows["d"].axes == ("batch", "new_height", "new_width", "features")


def test_a_layer_without_a_signature_keeps_the_batch_axis():
    model = lamina.Sequential([layers.Lambda(lambda x: x[:, ::2], name="half")])
    row = rows_of(forms(model, np.zeros((5, 9))))["half"]
    assert row.axes == ("batch", "")
    assert "(batch, axis 1)" in forms(model, np.zeros((5, 9))).to_text(100)


def test_an_open_axis():
    x = lamina.Input((None, 2))
    model = lamina.Model(x, layers.Conv1D(4, 3, name="c")(x))
    row = rows_of(forms(model, np.zeros((4, 9, 2))))["c"]
    assert (row.declared, row.symbolic, row.tensor) == ((None, 4), (None, None, 4), (4, 7, 4))


def test_a_fixed_batch():
    x = lamina.Input((4,), batch_size=8)
    model = lamina.Model(x, layers.Dense(3, name="d")(x), name="m")
    row = rows_of(forms(model, np.zeros((16, 4)), batch_size=8))["d"]
    assert (row.symbolic, row.array, row.tensor) == ((8, 3), (16, 3), (8, 3))
    with pytest.raises(ValueError, match=r"'m' is declared with batches of 8.*\(16\) a multiple"):
        forms(model, np.zeros((16, 4)), batch_size=4)


def test_the_model_is_left_as_it_was():
    model = lamina.Sequential([lamina.Input((4,)), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)])
    before = [np.asarray(v) for v in model.variables]
    forms(model, np.ones((10, 4)))
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable)


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_printed_at_any_width(width):
    text = forms(sound(), np.zeros((300, 128, 2))).to_text(width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("declared", "symbolic", "array", "tensor", "the last: 12", "new_length", "predict", "fit"):
        assert word in text
    if width >= 80:
        for shape in ("(126, 16)", "(None, 126, 16)", "(300, 126, 16)", "(32, 126, 16)", "(12, 126, 16)"):
            assert shape in text
    assert "300 = 9 x 32" in text


def test_shown_everywhere():
    report = forms(sound(), np.zeros((300, 128, 2)))
    assert str(report) == repr(report)
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(report)
    assert "conv" in console.export_text()
    html = report._repr_html_()
    assert html.count("<tr>") == 1 + len(report.rows)
    assert '(<b class="batch">300</b>, 126, 16)' in html
    plain = report.to_dict()
    assert plain["rows"][1]["tensor"] == (32, 126, 16)
    assert (plain["samples"], plain["batch_size"], plain["last_batch"]) == (300, 32, 12)
    json.dumps(plain)


def test_html_is_escaped():
    model = lamina.Sequential([layers.Dense(3, name="<b>")], name="<script>")
    html = forms(model, np.zeros((3, 2)))._repr_html_()
    assert "<script>" not in html
    assert "&lt;b&gt;" in html


def test_wrong_arguments():
    model = sound()
    with pytest.raises(ShapeError, match="cannot take"):
        forms(model, np.zeros((300, 128)))
    with pytest.raises(ValueError, match="`batch_size`=0"):
        forms(model, np.zeros((300, 128, 2)), batch_size=0)
    with pytest.raises(ValueError, match="`model` is a model or a layer, not the class Dense"):
        forms(layers.Dense, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="`x` is needed"):
        forms(model, None)
    with pytest.raises(ValueError, match="`x`"):
        forms(model, np.zeros((0, 128, 2)))
    inputs = [lamina.Input((2,)), lamina.Input((2,))]
    two = lamina.Model(inputs, layers.Add()(inputs))
    with pytest.raises(ShapeError, match="differ in their number of samples"):
        forms(two, [np.zeros((3, 2)), np.zeros((4, 2))])


def test_open_sizes_have_the_names_that_the_model_shows():
    for _ in range(2):  # the names of the second model's open sizes are numbered inside
        model = lamina.Sequential([lamina.Input((None, 2)), layers.Conv1D(4, 3)])
    assert forms(model, np.zeros((6, 9, 2))).rows[-1].dims == "(batch, length - 2, 4)"
