import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.models.summary import memory


def text_of(model, **kwargs):
    lines = []
    model.summary(print_fn=lines.append, **kwargs)
    (text,) = lines
    return text


def row(text, name):
    (line,) = [line for line in text.splitlines() if f" {name} (" in line]
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_a_chain():
    text = text_of(
        lamina.Sequential([lamina.Input((4,)), layers.Dense(1000, name="d"), layers.ReLU(name="r")], name="s")
    )
    assert text.splitlines()[0] == 'Model: "s"   (None, 4) -> (None, 1000)'
    assert row(text, "d") == ["d (Dense)", "(None, 1000)", "5,000"]
    assert row(text, "r") == ["r (ReLU)", "(None, 1000)", "0"]
    assert "Connected" not in text
    assert "Trainable │" not in text
    assert " Total params: 5,000 (19.53 KB)" in text
    assert " Trainable params: 5,000 (19.53 KB)" in text
    assert " Non-trainable params: 0 (0 B)" in text
    assert "Optimizer" not in text


def test_unbuilt_layers_show_a_question_mark():
    text = text_of(lamina.Sequential([layers.Dense(3, name="d")]))
    assert row(text, "d") == ["d (Dense)", "?", "? (unbuilt)"]
    assert "give it data" in text


def test_branches_say_what_they_are_connected_to():
    x = lamina.Input((4,), name="x")
    shared = layers.Dense(4, name="sh")
    h = shared(x)
    model = lamina.Model(x, layers.Add(name="sum")([shared(h), h + 1.0]))
    text = text_of(model, line_length=120)
    assert row(text, "sum") == ["sum (Add)", "(None, 4)", "0", "sh[1][0],"]
    added = next(op.name for op in model.operations if op.name.startswith("add"))
    assert row(text, added) == [f"{added} (Add)", "(None, 4)", "0", "sh[0][0]"]


def test_trainable_marks():
    model = lamina.Sequential(
        [lamina.Input((4,)), layers.Dense(3, name="d"), layers.Dense(3, name="e"), layers.ReLU(name="r")]
    )
    model.get_layer("e").trainable = False
    text = text_of(model, show_trainable=True)
    assert [row(text, name)[-1] for name in "der"] == ["Y", "N", "-"]
    assert " Trainable params: 15 (60 B)" in text
    assert " Non-trainable params: 12 (48 B)" in text


def test_nested_models_on_demand():
    inner = lamina.Sequential([lamina.Input((4,)), layers.Dense(3, name="in")], name="inner")
    deeper = lamina.Sequential([inner], name="deeper")
    model = lamina.Sequential([deeper, layers.Dense(2, name="out")])
    assert "in (Dense)" not in text_of(model)
    text = text_of(model, expand_nested=True)
    assert "│ └ inner (Sequential)" in text
    assert "│   └ in (Dense)" in text


def test_a_subclassed_model_shows_shapes_with_an_open_batch():
    class Net(lamina.Model):
        def __init__(self):
            super().__init__()
            self.d = layers.Dense(3, name="d")
            self.unused = layers.Dense(3, name="unused")

        def call(self, x):
            return self.d(x)

    net = Net()
    assert row(text_of(net), "d")[1] == "?"
    net(np.ones((7, 5)))
    assert row(text_of(net), "d") == ["d (Dense)", "(None, 3)", "18"]
    assert row(text_of(net), "unused")[1:] == ["?", "? (unbuilt)"]


def test_layer_range():
    model = lamina.Sequential([lamina.Input((4,)), *(layers.Dense(4, name=f"d{i}") for i in range(5))])
    text = text_of(model, layer_range=("d1", "d3"))
    assert "d1 (" in text
    assert "d3 (" in text
    assert "d0 (" not in text
    assert "d4 (" not in text
    with pytest.raises(ValueError, match="no layer matches 'x9'"):
        text_of(model, layer_range=("x9", "d3"))
    with pytest.raises(ValueError, match="first and the last"):
        text_of(model, layer_range=("d1",))


def test_width_and_positions():
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(4, name="a_name_that_is_rather_long")])
    assert max(map(len, text_of(model, line_length=40).splitlines()[1:6])) <= 40
    text = text_of(model, line_length=100, positions=[0.6, 0.85, 1.0])
    assert 95 <= len(text.splitlines()[1]) <= 100
    with pytest.raises(ValueError, match="rising numbers"):
        text_of(model, positions=[0.9, 0.5, 1.0])


def test_optimizer_values_are_counted():
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(3)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
    text = text_of(model)
    assert " Optimizer params: 32 (128 B)" in text  # two moments, the step count and the learning rate
    assert " Total params: 47 " in text


def test_printed_without_print_fn(capsys):
    lamina.Sequential([lamina.Input((4,)), layers.Dense(3, name="d")]).summary()
    assert "d (Dense)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KB"), (102_400_000, "97.66 MB"), (2**40, "1.00 TB")]
)
def test_memory(size, text):
    assert memory(size) == text
