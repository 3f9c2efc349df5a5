import sys

import numpy as np
import pytest

import lamina
from lamina import layers, ops
from lamina.shapes import watch


def body(x):
    turned = ops.transpose(x, (0, 2, 1))
    means = ops.mean(turned, axis=-1)
    return ops.concatenate([means, means * 2], -1)


class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.wide, self.narrow = layers.Dense(8, name="wide"), layers.Dense(4, name="narrow")

    def call(self, x):
        return self.narrow(ops.relu(self.wide(x)))


def small():
    parts = [
        lamina.Input((10, 6), name="series"),
        layers.Conv1D(5, 3, name="conv"),
        layers.Lambda(body, name="own"),
        Block(name="block"),
        layers.Dense(2, name="head"),
    ]
    return lamina.Sequential(parts, name="small")


def shapes(seen):
    return [(step.name, step.shape) for step in seen.steps]


ALL = [
    ("series", (32, 10, 6)),
    ("conv", (32, 8, 5)),
    ("turned", (32, 5, 8)),
    ("means", (32, 5)),
    ("own", (32, 10)),
    ("wide", (32, 8)),
    ("narrow", (32, 4)),
    ("block", (32, 4)),
    ("head", (32, 2)),
]


def test_each_layer_and_each_line_of_a_lambda(capsys):
    model = small()
    seen = model.trace_shapes(np.zeros((100, 10, 6)))
    assert shapes(seen) == ALL
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'Sequential "small"'
    assert lines[1].split() == ["series", "(batch=32,", "length=10,", "channels=6)"]
    assert lines[2].split() == ["conv", "(Conv1D)", "(batch=32,", "length=8,", "filters=5)"]
    assert " ".join(lines[3].split()) == "| turned = ops.transpose(x, (0, 2, 1)) turned (batch=32, 5, 8)"
    assert lines[5].split() == ["own", "(Lambda)", "(batch=32,", "10)"]
    assert lines[6].startswith("    wide")
    assert len(lines) == len(seen.steps) + 1


def test_nothing_is_computed_and_tracing_functions_are_as_before():
    model = small()
    before = sys.gettrace()
    huge = np.broadcast_to(np.zeros((), "float32"), (10**12, 10, 6))
    assert shapes(model.trace_shapes(huge, print_fn=None)) == ALL
    with pytest.raises(lamina.ShapeError):
        model.trace_shapes(np.zeros((3, 10, 7)), print_fn=None)
    failing = lamina.Sequential([layers.Lambda(lambda x: x + ops.ones((7, 3)))])
    with pytest.raises(ValueError):
        failing.trace_shapes(np.zeros((3, 2)), print_fn=None)
    assert sys.gettrace() is before


def test_fit_tells_once_for_each_size_of_batch():
    model = small()
    model.compile("adam", "mse")
    with watch(None) as seen:
        model.fit(np.zeros((40, 10, 6)), np.zeros((40, 2)), epochs=3, verbose=0)
    assert shapes(seen)[: len(ALL)] == ALL
    assert shapes(seen)[len(ALL) :] == [(name, (8, *shape[1:])) for name, shape in ALL]
    with watch(None) as again:
        model.fit(np.zeros((40, 10, 6)), np.zeros((40, 2)), verbose=0)
    assert not again.steps  # compiled before, so no Python runs


def test_eager_calls_and_what_comes_after_an_error():
    model = small()
    lines = []
    with watch(lines.append) as seen:
        with pytest.raises(ValueError):
            model(np.zeros((3, 10, 5)))
        model(np.zeros((3, 10, 6)))
        model(np.zeros((3, 10, 6)))  # the same again
    assert shapes(seen) == [("series", (3, 10, 5))] + [(name, (3, *shape[1:])) for name, shape in ALL]
    model(np.zeros((4, 10, 6)))
    assert len(lines) == len(seen.steps) + 2


def test_models_inside_several_inputs_and_functions():
    encoder = lamina.Sequential([lamina.Input((20, 8)), layers.LSTM(6, name="reader")], name="encoder")
    left, right = lamina.Input((20, 8), name="left"), lamina.Input((20, 8), name="right")
    model = lamina.Model([left, right], encoder(left) - encoder(right))
    seen = model.trace_shapes({"left": np.zeros((7, 20, 8)), "right": np.zeros((7, 20, 8))}, print_fn=None)
    names = [step.name for step in seen.steps]
    assert names[:2] == ["left", "right"]
    assert names.count("reader") == 2
    assert names[-1].startswith("subtract")
    reader = next(step for step in seen.steps if step.name == "reader")
    assert (reader.axes, reader.shape, reader.depth, reader.kind) == (("batch", "units"), (7, 6), 2, "LSTM")


def test_a_class_that_is_not_built_yet():
    class Net(lamina.Model):
        def __init__(self):
            super().__init__(name="net")
            self.head = layers.Dense(3, name="head")

        def call(self, x, training=False):
            return self.head(x[:, 0] if training else x)

    model = Net()
    assert shapes(model.trace_shapes(np.zeros((5, 4, 2)), print_fn=None)) == [("x", (5, 4, 2)), ("head", (5, 4, 3))]
    assert model.trace_shapes(np.zeros((5, 4, 2)), training=True, print_fn=None).steps[-1].shape == (5, 3)


def test_a_generator_gives_its_first_batch():
    model = small()
    batches = ((np.zeros((8, 10, 6)), np.zeros((8, 2))) for _ in range(3))
    assert model.trace_shapes(batches, print_fn=None).steps[0].shape == (8, 10, 6)


def test_the_record_shows_itself():
    model = small()
    seen = model.trace_shapes(np.zeros((9, 10, 6)), print_fn=None)
    assert "conv" in seen.to_text(100)
    assert "length=8" in seen._repr_html_()
    assert seen.to_dict()["steps"][1]["shape"] == (9, 8, 5)
    assert repr(seen) == "<Shapes of 9 tensors>"
