import textwrap
import time
import warnings

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.reports.check_script import check_script
from lamina.shapes import ShapeError, ShapeWarning, check


def classifier(loss="sparse_categorical_crossentropy", metrics=None, classes=3):
    parts = [lamina.Input((4,)), layers.Dense(classes, activation="softmax", name="classes")]
    model = lamina.Sequential(parts, name="net")
    model.compile("adam", loss, metrics=metrics)
    return model


def zeros(*shape, dtype="float32"):
    """An array of a shape that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def told(problems):
    return [(problem.kind, problem.message.split("\n")[0]) for problem in problems]


def test_what_fits_gives_nothing():
    model = classifier(metrics=["accuracy"])
    assert check(model, zeros(100, 4)) == []
    assert check(model, zeros(100, 4), zeros(100, dtype="int32"), zeros(100)) == []
    assert check(model, {"input_layer": [[1.0, 2, 3, 4]] * 5}["input_layer"], [0, 1, 2, 0, 1]) == []
    assert check(layers.Dense(3), zeros(7, 4)) == []


def test_all_problems_at_once():
    model = classifier(metrics=["accuracy", "mse"])
    problems = check(model, zeros(100, 5), zeros(90, 2, dtype="int32"), zeros(100, 3))
    lines = [message for _, message in told(problems)]
    assert lines[0] == "the arrays differ in their number of samples"
    assert lines[1] == '"net" cannot take a batch of shape (32, 5)'
    assert lines[2].startswith("sparse_categorical_crossentropy: y_true does not fit y_pred")
    assert sum("mean_squared_error" in line for line in lines) == 1
    assert sum("accuracy" in line for line in lines) == 1
    assert len(lines) == 5
    assert {problem.kind for problem in problems} == {"error"}
    assert all(isinstance(problem.error, ShapeError) for problem in problems)


def test_the_user_s_line_and_names():
    model = classifier()
    images = zeros(100, 5)
    (problem,) = check(model, images, zeros(100, dtype="int32"))
    assert problem.call_site.source == '(problem,) = check(model, images, zeros(100, dtype="int32"))'
    assert str(problem) == problem.message == str(problem.error)
    assert problem.fixes == problem.error.fixes
    assert problem.fixes[0].code.startswith("images")


def test_labels_in_range_metrics_and_weights_by_themselves():
    model = classifier(metrics=["mse"])
    y = np.arange(100)
    lines = [line for _, line in told(check(model, zeros(100, 4), y))]
    assert any("`y` holds the class 3" in line for line in lines)
    assert any("mean_squared_error" in line for line in lines)
    assert len(lines) == 2
    plain = classifier()
    (problem,) = check(plain, zeros(100, 4), zeros(100, dtype="int32"), zeros(100, 2))
    assert "weight" in problem.message


def test_several_outputs_each_have_their_problem():
    x = lamina.Input((4,))
    model = lamina.Model(x, [layers.Dense(2, name="a")(x), layers.Dense(3, name="b")(x), layers.Dense(1, name="c")(x)])
    model.compile("adam", ["mse", "mse", "mse"])
    good = [zeros(10, 2), zeros(10, 3), zeros(10, 1)]
    assert check(model, zeros(10, 4), good) == []
    lines = [m for _, m in told(check(model, zeros(10, 4), [zeros(10, 5), zeros(10, 3), zeros(10, 2, 7)]))]
    assert len(lines) == 2
    assert "y_true has outputs 5, y_pred has outputs 2" in lines[0]
    assert "y_true has 3 axes, y_pred has 2 axes" in lines[1]


def test_warnings_are_problems_every_time_and_only_here():
    model = classifier("mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            problems = check(model, zeros(100, 4), zeros(100, 1))  # one value against three: repeated
            assert [problem.kind for problem in problems] == ["warning"]
            assert isinstance(problems[0].error, ShapeWarning)
            assert "is repeated" in problems[0].message
            assert problems[0].call_site.source.startswith("problems = check(model")
    with pytest.warns(ShapeWarning, match="is repeated"):
        model.fit(np.zeros((100, 4)), np.zeros((100, 1)), verbose=0)


def test_nothing_is_computed_and_the_model_is_left_alone():
    model = classifier()
    before = model.get_weights()
    start = time.perf_counter()
    x, y = zeros(10**9, 4, dtype="float64"), zeros(10**9, dtype="int64")
    assert x.nbytes > 3e10
    assert check(model, x, y) == []
    assert time.perf_counter() - start < 5  # reading it would take minutes
    assert not model.optimizer.built
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_memory_mapped_data(tmp_path):
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "float64", (500, 4))
    y = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", "int64", (500,))
    y[7] = 3
    (problem,) = check(classifier(), x, y)
    assert "`y` holds the class 3" in problem.message


def test_a_model_that_is_not_built_is_built():
    model = lamina.Sequential([layers.Dense(3)])
    assert check(model, zeros(10, 4)) == []
    assert model.output_shape == (None, 3)


def test_streams_give_their_first_batch():
    def batches():
        while True:
            yield np.zeros((8, 4)), np.zeros((8, 2))

    (problem,) = check(classifier(), batches())
    assert "(8, 2)" in problem.message
    (problem,) = check(classifier(), (i for i in ()))
    assert problem.kind == "error"


def test_data_that_is_no_data():
    for wrong in (np.array(["a", "b"]), [[1, 2], [3]], 3.0):
        (problem,) = check(classifier(), wrong)
        assert problem.kind == "error"
        assert "`x`" in problem.message
    lines = [m for _, m in told(check(classifier(), zeros(2, 5), np.array(["cat", "dog"])))]
    assert any("`y` holds text" in line for line in lines)
    assert any('"net" cannot take' in line for line in lines)


def test_a_user_s_own_error_is_a_problem():
    class Net(lamina.Model):
        def call(self, x):
            raise AttributeError("mine")

    (problem,) = check(Net(), zeros(3, 4))
    assert problem.message == "mine"


def test_batch_size():
    fixed = lamina.Model(*(lambda x: (x, layers.Dense(1)(x)))(lamina.Input(batch_shape=(5, 4))))
    assert check(fixed, zeros(20, 4)) == []
    assert len(check(fixed, zeros(20, 4), batch_size=4)) == 1
    with pytest.raises(ValueError, match="`batch_size`=0"):
        check(fixed, zeros(20, 4), batch_size=0)
    with pytest.raises(ValueError, match="a model or a layer"):
        check("model", zeros(3))
    with pytest.raises(ValueError, match="make one first"):
        check(lamina.Sequential, zeros(3))


# Scripts


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        start = "import sys\nimport numpy as np\nimport lamina as keras\nfrom lamina import layers\n"
        path = tmp_path / "train.py"
        path.write_text(start + textwrap.dedent(text))
        return path

    return write


MODEL = """
model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""


def test_a_sound_script(script):
    path = script(
        MODEL
        + """
before = model.get_weights()
x, y = np.zeros((100, 4)), np.zeros(100, int)
history = model.fit(x, y, epochs=3, validation_split=0.2, verbose=0)
assert min(history.history["val_loss"]) == history.history["val_accuracy"][-1] == 0
assert len(history.history["accuracy"]) == len(history.epoch) == 3
assert model.history is history
assert model.evaluate(x, y) == [0, 0]
assert model.evaluate(x, y, return_dict=True) == {"loss": 0, "accuracy": 0}
assert model.predict(x).shape == (100, 3)
assert model.predict(x, batch_size=7).argmax(-1).sum() == 0
for _ in range(5):
    assert model.train_on_batch(x[:8], y[:8]) == [0, 0]
assert model.test_on_batch(x[:8], y[:8]) == [0, 0]
assert model.predict_on_batch(x[:8]).shape == (8, 3)
def batches():
    while True:
        yield x[:8], y[:8]
model.fit(batches(), steps_per_epoch=3)
assert all((a == b).all() for a, b in zip(before, model.get_weights()))
assert sys.argv == [__file__, "--epochs", "3"] and __name__ == "__main__"
import helper
"""
    )
    (path.parent / "helper.py").write_text("")
    fit = lamina.Model.fit
    outcome = check_script(path, ["--epochs", "3"])
    assert outcome.is_clean, (outcome.failure, outcome.problems)
    assert outcome.calls == 13
    assert lamina.Model.fit is fit
    assert "all shapes fit" in outcome.summary()


def test_every_problem_with_its_line(script):
    path = script(
        MODEL
        + """
model.fit(np.zeros((100, 5)), np.zeros(100, int))
model.fit(
    np.zeros((100, 4)), np.zeros(100, int), validation_data=(np.zeros((9, 6)), np.zeros(9, int)),
)
for _ in range(3):
    model.train_on_batch(np.zeros((8, 4)), np.full(8, 3))
print(model.predict(np.zeros((20, 7))).shape)
model.add(layers.Conv2D(3, 3))
raise ValueError("not reached")
"""
    )
    outcome = check_script(path)
    assert [problem.call_site.line for problem in outcome.problems] == [9, 10, 14, 15, 16]
    assert outcome.problems[1].message.startswith("`validation_data`: ")
    assert "Conv2D" in outcome.problems[-1].message
    assert outcome.failure == ""
    assert "5 errors" in outcome.summary()


def test_the_script_s_own_error(script):
    outcome = check_script(script("def deep():\n    raise KeyError('mine')\ndeep()\n"))
    assert outcome.failure.splitlines()[-1] == "KeyError: 'mine'"
    assert "runpy" not in outcome.failure
    assert "check_script" not in outcome.failure
    assert not outcome.is_clean
    assert check_script(script("sys.exit(0)")).is_clean
    assert "exit(3)" in check_script(script("sys.exit(3)")).failure
    assert "SyntaxError" in check_script(script("model(")).failure


def test_a_script_cannot_overwrite_what_was_trained(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained = tmp_path / "best.keras"
    trained.write_text("trained for days")
    path = script(
        MODEL
        + """
model.save("best.keras")
again = keras.models.load_model("best.keras")
assert again.layers[-1].name == model.layers[-1].name
model.save_weights("w.weights.h5")
again.load_weights("w.weights.h5")
"""
    )
    outcome = check_script(path)
    assert outcome.is_clean, outcome.failure
    assert trained.read_text() == "trained for days"
    assert not (tmp_path / "w.weights.h5").exists()


def test_a_model_that_says_nothing_ends_the_check(script):
    outcome = check_script(
        script(
            """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = layers.Conv1D(3, 3)
    def call(self, x):
        return self.conv(x)
y = Net().predict(np.zeros((5, 4)))
raise ValueError("not reached")
"""
        )
    )
    assert len(outcome.problems) == 1
    assert outcome.failure == ""


def test_a_missing_script():
    with pytest.raises(FileNotFoundError, match=r"no script 'nowhere.py'"):
        check_script("nowhere.py")
