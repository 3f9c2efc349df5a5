"""`lamina.saving.show` of files that real Keras wrote, with layers that are unknown here."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np
import pytest

from lamina.saving import show


class Scale(keras.layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), name="factor")

    def call(self, inputs):
        return inputs * self.factor


class Halves(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.split(inputs, 2, axis=-1)


def listener():
    sound = keras.Input((None, 8), name="sound")
    x = keras.layers.Conv1D(16, 3, strides=2, name="conv")(sound)
    x = Scale(name="scale")(x)
    left, right = Halves(name="halves")(x)
    x = keras.layers.LSTM(5, name="lstm")(left * right)
    return keras.Model(sound, keras.layers.Dense(3, name="probs")(x), name="listener")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", [".keras", ".h5", ".json"])
def test_unknown_layers_have_the_shapes_that_keras_notes(ending, tmp_path):
    path, model = tmp_path / f"model{ending}", listener()
    model.compile("adam", "mse")
    if ending == ".json":
        path.write_text(model.to_json())
    else:
        model.save(path)
    report = show(path)
    rows = {row.name: row for row in report.rows}
    assert rows["halves"].problem == rows["scale"].problem == "unknown class"
    for layer in model.layers:
        if layer.name in rows and layer.name != "sound":
            shapes = [tuple(t.shape) for t in keras.tree.flatten(layer.output)]
            assert rows[layer.name].shapes == list(dict.fromkeys(shapes)), layer.name
            assert ending == ".json" or rows[layer.name].parameters == layer.count_params()
    assert rows["lstm"].dims == ["(batch, 5)"]
    if ending != ".json":
        assert report.parameters == model.count_params()
        assert report.contents.keras_version == keras.__version__


def test_a_subclass_that_keras_wrote(tmp_path):
    @keras.saving.register_keras_serializable("show")
    class Net(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first, self.blocks = keras.layers.Dense(4), [Scale(), keras.layers.Dense(3)]

        def call(self, inputs):
            x = self.first(inputs)
            for block in self.blocks:
                x = block(x)
            return x

    model = Net()
    model(np.zeros((2, 6)))
    model.save(tmp_path / "model.keras")
    report = show(tmp_path / "model.keras", weights=True)
    assert report.architecture.is_unknown
    assert [(row.place, row.parameters) for row in report.rows] == [
        ("blocks/dense", 15),
        ("blocks/scale", 4),
        ("first", 28),
    ]
    assert report.parameters == model.count_params() == sum(int(np.prod(v.shape)) for v in report.values)
