import sys
import xml.etree.ElementTree as ET

import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.reports.draw_graph import diagram
from lamina.reports.draw_layout import arrange
from lamina.reports.draw_order import Edge
from lamina.shapes import draw

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawing):
    return ["".join(t.itertext()) for t in ET.fromstring(drawing.svg).iter(f"{SVG}text")]


def resnet(blocks):
    x = image = lamina.Input((32, 32, 8), name="image")
    for _ in range(blocks):
        y = layers.Conv2D(8, 3, padding="same")(x)
        y = layers.BatchNormalization()(y)
        y = layers.ReLU()(y)
        y = layers.Conv2D(8, 3, padding="same")(y)
        x = layers.ReLU()(layers.Add()([x, y]))
    return lamina.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)), name="resnet")


def unet(depth, size):
    x = image = lamina.Input((size, size, 3), name="image")
    skips = []
    for level in range(depth):
        x = layers.Conv2D(4 * 2**level, 3, padding="same")(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(4 * 2**depth, 3, padding="same")(x)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(4 * 2**level, 2, strides=2)(x)
        x = layers.Conv2D(4 * 2**level, 3, padding="same")(layers.Concatenate()([skips[level], x]))
    return lamina.Model(image, x, name="unet")


def siamese():
    encoder = lamina.Sequential([lamina.Input((20, 8)), layers.LSTM(16, name="reader")], name="encoder")
    left, right = lamina.Input((20, 8), name="left"), lamina.Input((20, 8), name="right")
    a, b = encoder(left), encoder(right)
    joined = layers.Concatenate()([a - b, a * b]) + 1.0
    outputs = [layers.Dense(1, activation="sigmoid", name="same")(joined), layers.Dense(7, name="topic")(joined)]
    return lamina.Model([left, right], outputs, name="siamese")


def test_every_layer_and_every_shape_is_in_the_picture():
    words = texts(draw(unet(2, 16)))
    for name in ("image", "output", "concatenate", "Conv2DTranspose"):
        assert any(name in text for text in words), name
    shapes = [text for text in words if text.startswith("(batch")]
    assert len(shapes) == len(diagram(unet(2, 16)).arrows)
    assert "(batch, height 16, width 16, channels 3)" in shapes
    # from the first convolution to the pooling and to the concatenation, from the transposed one, and to the output
    assert shapes.count("(batch, height 16, width 16, filters 4)") == 4


def test_open_sizes_are_shown_by_name_and_expression():
    x = lamina.Input((None, 2))
    words = texts(draw(lamina.Model(x, layers.Conv1D(5, 3)(x))))
    assert "(batch, length, channels 2)" in words
    assert "(batch, length - 2, filters 5)" in words
    named = lamina.Input(("steps", 2))
    assert "(batch, steps - 2, filters 5)" in texts(draw(lamina.Model(named, layers.Conv1D(5, 3)(named))))


def test_functions_several_inputs_outputs_and_shared_layers():
    words = texts(draw(siamese()))
    for name in ("left", "right", "encoder", "encoder (call 2)", "subtract", "multiply", "add", "output 1", "output 2"):
        assert name in words or any(text.startswith(name) for text in words), name
    assert "(batch, time 20, features 8)" in words
    assert "reader" not in words


def test_models_inside_are_opened_on_demand():
    drawing = draw(siamese(), expand_nested=True)
    assert texts(drawing).count("reader") == 2
    boxes = [r for r in ET.fromstring(drawing.svg).iter(f"{SVG}rect") if r.get("stroke-dasharray")]
    assert len(boxes) == 2


def test_what_is_shown_can_be_chosen():
    model = siamese()
    plain = texts(draw(model, show_shapes=False, show_layer_names=False))
    assert not any("batch" in text or "same" in text for text in plain)
    model.get_layer("topic").trainable = False
    words = texts(draw(model, show_dtype=True, show_layer_activations=True, show_trainable=True))
    assert "float32 (batch, units 32)" in words
    assert {"activation sigmoid", "trains", "frozen"} <= set(words)
    assert texts(draw(model, show_shapes=False, show_dtype=True)).count("float32") == len(diagram(model).arrows)


def boxes_of(model):
    shown = diagram(model)
    sizes = [(100.0, 40.0)] * len(shown.boxes)
    edges = [Edge(a.source, a.target, 150.0, 14.0) for a in shown.arrows]
    return arrange(sizes, edges), edges


def overlap(a, b):
    return abs(a.x - b.x) < (a.across + b.across) / 2 and abs(a.y - b.y) < (a.along + b.along) / 2


@pytest.mark.parametrize("make", [lambda: resnet(14), lambda: unet(4, 64), siamese])
def test_no_box_lies_on_another_and_arrows_run_along(make):
    layout, edges = boxes_of(make())
    for i, a in enumerate(layout.items):
        assert 0 <= a.x <= layout.across
        assert 0 <= a.y <= layout.along
        assert not any(overlap(a, b) for b in layout.items[i + 1 :])
    for edge in edges:
        source, target = layout.items[edge.source], layout.items[edge.target]
        assert source.y < target.y or source.column < target.column
        assert edge.stops[0][1] == pytest.approx(source.y + source.along / 2)
        assert edge.stops[-1][1] == pytest.approx(target.y - target.along / 2)


def test_labels_do_not_lie_on_each_other():
    layout, edges = boxes_of(siamese())
    places = [edge.label for edge in edges]
    for i, (x, y) in enumerate(places):
        for other_x, other_y in places[i + 1 :]:
            assert abs(x - other_x) >= 150 or abs(y - other_y) >= 14
    assert layout.along > 0


def test_the_main_line_is_straight_and_skips_run_beside_it():
    layout, edges = boxes_of(unet(4, 64))
    main = {round(layout.items[e.source].x, 3) for e in edges if len(e.items) == 2}
    assert len(main) == 1
    for edge in edges:
        if len(edge.items) > 2:
            lines = {round(layout.items[p].x, 3) for p in edge.items[1:-1]}
            assert len(lines) == 1
            assert lines.pop() > main.copy().pop()


def test_a_long_drawing_is_broken_into_columns():
    layout, edges = boxes_of(resnet(14))
    columns = {item.column for item in layout.items}
    assert len(columns) > 2
    assert layout.along < 3 * layout.across
    crossing = [e for e in edges if layout.items[e.source].column != layout.items[e.target].column]
    assert len(crossing) == len(columns) - 1
    assert draw(resnet(14), columns=1).height > 3 * draw(resnet(14)).height


@pytest.mark.parametrize(("rankdir", "lines"), [("TB", "ortho"), ("BT", "curved"), ("LR", "line"), ("rl", "ortho")])
def test_directions_and_lines(rankdir, lines):
    drawing = draw(siamese(), rankdir=rankdir, lines=lines)
    places = {}
    for text in ET.fromstring(drawing.svg).iter(f"{SVG}text"):
        places["".join(text.itertext())] = (float(text.get("x")), float(text.get("y")))
    (x0, y0), (x1, y1) = places["left"], places["output 1"]
    assert {"TB": y0 < y1, "BT": y1 < y0, "LR": x0 < x1, "rl": x1 < x0}[rankdir]
    assert (" C " in drawing.svg) == (lines != "line")
    assert (drawing.width > drawing.height) == (rankdir in ("LR", "rl"))


def test_a_class_is_called_to_find_its_graph():
    class Net(lamina.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(4, name="first"), layers.Dense(3, name="second")

        def call(self, x):
            hidden = self.first(x)
            return self.second(hidden) + self.second(hidden * 2.0)

    model = Net()
    with pytest.raises(ValueError, match="is not built"):
        draw(model)
    model(np.zeros((2, 5), "float32"))
    nodes = [len(layer._nodes) for layer in model.layers]
    words = texts(draw(model))
    assert {"first", "second", "second (call 2)"} <= set(words)
    assert "(batch, units 3)" in words
    assert [len(layer._nodes) for layer in model.layers] == nodes


def test_a_class_that_needs_values_is_one_box():
    class Net(lamina.Model):
        def __init__(self):
            super().__init__(name="whole")
            self.inner = layers.Dense(4, name="inner")

        def call(self, x):
            return jnp.tanh(self.inner(x))

    model = Net()
    model.build((None, 5))
    words = texts(draw(model))
    assert "whole" in words
    assert "inner" not in words
    assert "(batch, units 4)" in words or "(batch, 4)" in words


def test_a_single_layer_and_a_model_without_layers():
    layer = layers.Dense(3, name="only")
    layer.build((None, 4))
    assert "only" in texts(draw(layer))
    x = lamina.Input((5,), name="in")
    assert texts(draw(lamina.Model({"a": x}, {"o": x}))) == ["in", "output", "(batch, 5)"]


def test_names_are_escaped():
    x = lamina.Input((5,), name="a<b&c")
    assert "a<b&c" in texts(draw(lamina.Model(x, layers.Dense(2)(x))))


def test_files(tmp_path):
    drawing = draw(siamese(), tmp_path / "model.svg")
    assert (tmp_path / "model.svg").read_text() == drawing.svg == drawing._repr_svg_()
    assert "siamese" in repr(drawing)
    pytest.importorskip("matplotlib")
    draw(siamese(), tmp_path / "model.png", dpi=96)
    head = (tmp_path / "model.png").read_bytes()[:24]
    assert head[1:4] == b"PNG"
    assert int.from_bytes(head[16:20]) == pytest.approx(drawing.width, abs=2)
    draw(siamese(), tmp_path / "model.pdf")
    assert (tmp_path / "model.pdf").read_bytes().startswith(b"%PDF")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "matplotlib"] or ["matplotlib"]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"lamina\[plots\].*model.svg"):
        draw(siamese(), tmp_path / "model.png")


def test_plot_model_has_keras_arguments(tmp_path):
    import inspect

    import keras

    theirs = inspect.signature(keras.utils.plot_model).parameters
    ours = inspect.signature(lamina.utils.plot_model).parameters
    assert list(ours) == [name for name in theirs if name != "kwargs"]
    assert all(ours[name].default == theirs[name].default for name in ours)
    path = tmp_path / "m.svg"
    drawing = lamina.utils.plot_model(siamese(), path, show_shapes=True, show_layer_names=True, expand_nested=True)
    assert path.exists()
    assert "reader" in texts(drawing)
    words = texts(lamina.utils.plot_model(siamese(), None, splines="polyline"))
    assert "Dense" in words
    assert not any("batch" in text for text in words)


def test_bad_arguments(tmp_path):
    model = siamese()
    with pytest.raises(ValueError, match=r"`to_file`='.bmp'"):
        draw(model, tmp_path / "x.bmp")
    with pytest.raises(ValueError, match="`rankdir`='up'"):
        draw(model, rankdir="up")
    with pytest.raises(ValueError, match="`lines`='wavy'"):
        draw(model, lines="wavy")
    with pytest.raises(ValueError, match="`columns`=0"):
        draw(model, columns=0)
    with pytest.raises(ValueError, match="`splines`='x'"):
        lamina.utils.plot_model(model, None, splines="x")
    with pytest.raises(ValueError, match="a model or a layer"):
        draw(3)
