"""What a newcomer reads when something is wrong: each message names the thing at fault, what came, and what fits."""

import keras as keras_oracle
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes.errors import ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4)).astype("float32")
Y = RNG.integers(0, 3, 20)
Y[:3] = 0, 1, 2
V = RNG.normal(size=(20, 1)).astype("float32")
ONE_HOT = np.eye(3, dtype="float32")[Y]
QUIET = {"verbose": 0}
SPARSE = "sparse_categorical_crossentropy"


def sequential(*stack, loss=None, **options):
    model = lamina.Sequential(list(stack))
    if loss is not None:
        model.compile("sgd", loss, **options)
    return model


def net(outputs=3, activation="softmax", loss=SPARSE, **options):
    return sequential(
        lamina.Input((4,)), layers.Dense(outputs, activation=activation, name="out"), loss=loss, **options
    )


def two_outputs(targets, **options):
    x = lamina.Input((4,))
    model = lamina.Model(x, [layers.Dense(3, name="kind")(x), layers.Dense(1, name="size")(x)])
    model.compile("sgd", **options)
    model.fit(X, targets, **QUIET)


def two_inputs(x):
    left, right = lamina.Input((4,), name="left"), lamina.Input((4,), name="right")
    model = lamina.Model([left, right], layers.Dense(1)(left + right))
    model.compile("sgd", "mse")
    model.fit(x, V, **QUIET)


def batches(*parts, count=2):
    for _ in range(count):
        yield parts


def changing():
    yield X[:5], Y[:5]
    yield X[:5, :2], Y[:5]


class TensorFlowStep(lamina.Model):
    def train_step(self, data):
        return {}


class LogsAlone(lamina.Model):
    def train_step(self, state, data):
        return {"loss": 1.0}


class LosesState(lamina.Model):
    def train_step(self, state, data):
        return {"loss": 1.0}, (*state[:3], [])


def own_step(cls):
    x = lamina.Input((4,))
    model = cls(x, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    model.fit(X, V, **QUIET)


def without_call():
    class Net(lamina.Model):
        pass

    model = Net()
    model.compile("sgd", "mse")
    model.fit(X, V, **QUIET)


def images(shape):
    flat = sequential(lamina.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1))
    flat.predict(np.ones(shape), **QUIET)


# What is done, and what the message must contain.
SHAPES = {
    "wrong rank": (lambda: net().fit(X[:, 0], Y, **QUIET), ["(None, 4)", "(20,)", "1 axis, not 2"]),
    "rank too high": (lambda: net().fit(X[:, :, None, None], Y, **QUIET), ["(20, 4, 1, 1)", "4 axes, not 2"]),
    "wrong features": (lambda: net().fit(X[:, :3], Y, **QUIET), ["axis 1 has size 3, not 4"]),
    "wrong channels": (lambda: images((2, 8, 8, 1)), ["(None, 8, 8, 3)", "axis 3 has size 1, not 3"]),
    "channels first": (lambda: images((2, 3, 8, 8)), ["(2, 3, 8, 8)", "axis 1 has size 3, not 8"]),
    "a layer before data": (
        lambda: sequential(lamina.Input((128,)), layers.Conv1D(16, 3, name="conv")),
        ['Conv1D "conv"', "(batch, length, channels)", "(None, 128)", "1 too few"],
    ),
    "batch in input_shape": (
        lambda: sequential(layers.Dense(1, input_shape=(300, 10)), loss="mse").fit(
            np.ones((300, 10)), np.ones(300), **QUIET
        ),
        ["leave the number of samples out", "(10,), not (300, 10)", "x (300, 10) is 300 samples, each of shape (10,)"],
    ),
    "batch in Input": (
        lambda: sequential(lamina.Input((300, 10)), layers.Dense(1)).predict(np.ones((300, 10)), **QUIET),
        ["leave the number of samples out", "(10,), not (300, 10)"],
    ),
    "batch in input_shape of a convolution": (
        lambda: sequential(layers.Conv1D(4, 3, input_shape=(300, 20, 2))),
        ["leave the number of samples out of `input_shape`: (20, 2), not (300, 20, 2)"],
    ),
    "one sample": (lambda: net().predict(X[0], **QUIET), ["one sample needs the batch axis too: x[None]"]),
    "predict": (lambda: net().predict(X[:, :2], **QUIET), ["(None, 4)", "(20, 2)"]),
    "predict_on_batch": (lambda: net().predict_on_batch(X[:, :2]), ["(None, 4)", "(20, 2)"]),
    "one input of two": (lambda: two_inputs(X), ["takes 2 inputs; 1 came", "left (None, 4), right (None, 4)"]),
    "three inputs for two": (lambda: two_inputs([X, X, X]), ["takes 2 inputs; 3 came"]),
    "targets among the inputs": (lambda: net().fit((X, Y), **QUIET), ["takes 1 input; 2 came"]),
    "one-hot for class numbers": (lambda: net().fit(X, ONE_HOT, **QUIET), ["one-hot", "y.argmax", f'"{SPARSE[7:]}"']),
    "class numbers for one-hot": (
        lambda: net(loss="categorical_crossentropy").fit(X, Y, **QUIET),
        ["class numbers", f'loss="{SPARSE}"', "to_categorical("],
    ),
    "one label for three outputs": (
        lambda: net(3, "sigmoid", "binary_crossentropy").fit(X, (Y > 0) * 1.0, **QUIET),
        ["y_true has 1 axis, y_pred has 2 axes", 'layers.Dense(1, activation="sigmoid"'],
    ),
    "more targets than outputs": (
        lambda: net(2, None, "mse").fit(X, np.ones((20, 5)), **QUIET),
        ["(20, 5)", "(20, 2)", "layers.Dense(5"],
    ),
    "targets for one output of two": (lambda: two_outputs(V, loss="mse"), ["2 outputs; `y` has 1", "kind, size"]),
    "lengths": (lambda: net().fit(X, Y[:10], **QUIET), ["x: 20 samples, y: 10 samples"]),
    "lengths of weights": (
        lambda: net().fit(X, Y, sample_weight=np.ones(7), **QUIET),
        ["sample_weight: 7 samples", "x: 20 samples"],
    ),
    "weights of another shape": (
        lambda: net().fit(X, Y, sample_weight=np.ones((20, 3)), **QUIET),
        ["sample_weight does not fit", "sample_weight (20,)", "sample_weight (20, 3)"],
    ),
    "validation data of another shape": (
        lambda: net().fit(X, Y, validation_data=(X[:, :2], Y), **QUIET),
        ["`validation_data`", "(None, 4)", "(20, 2)"],
    ),
    "validation lengths": (
        lambda: net().fit(X, Y, validation_data=(X, Y[:5]), **QUIET),
        ["validation_data[0]: 20 samples, validation_data[1]: 5 samples"],
    ),
    "a batch of another shape": (lambda: net().fit(changing(), **QUIET), ["(5, 2)", "axis 1 has size 2, not 4"]),
    "a loss without arguments": (
        lambda: net(loss=lambda y: y).fit(X, Y, **QUIET),
        ['the loss "lambda" failed', "takes 1 positional argument but 2 were given"],
    ),
    "a loss that returns nothing": (
        lambda: net(loss=lambda y, p: None).fit(X, Y, **QUIET),
        ["returned None", "a value for each sample"],
    ),
    "a metric that fails": (
        lambda: net(metrics=[lambda y, p: p @ p]).fit(X, Y, **QUIET),
        ["the metric", "y_pred (20, 3)", "contracting dimensions"],
    ),
}

VALUES = {
    "negative units": (lambda: layers.Dense(-3), ["`units`=-3", "positive whole number"]),
    "a fraction of units": (lambda: layers.Dense(3.5), ["`units`=3.5"]),
    "units as text": (lambda: layers.Dense("3"), ["`units`='3'"]),
    "activation": (lambda: layers.Dense(3, activation="rellu"), ["'rellu'", "did you mean 'relu'"]),
    "initializer": (
        lambda: layers.Dense(3, kernel_initializer="glorot_unifrom"),
        ["initializer 'glorot_unifrom'", "did you mean 'glorot_uniform'"],
    ),
    "loss": (lambda: net(loss="mean_square_error"), ["loss 'mean_square_error'", "did you mean 'mean_squared_error'"]),
    "loss of a wrong type": (lambda: net(loss=5), ["cannot read 5 as a loss"]),
    "optimizer": (lambda: sequential().compile("adamm", "mse"), ["optimizer 'adamm'", "did you mean 'Adam'"]),
    "optimizer of a wrong type": (lambda: sequential().compile(5), ["cannot read 5 as an optimizer", "'adam'"]),
    "metric": (lambda: net(metrics=["acuracy"]), ["metric 'acuracy'", "did you mean 'Accuracy'"]),
    "metric of a wrong type": (lambda: net(metrics=[5]), ["cannot read 5 as a metric"]),
    "NaN rate": (lambda: layers.Dropout(float("nan")), ["`rate`=nan", "from 0 to 1"]),
    "NaN learning rate": (lambda: lamina.optimizers.Adam(float("nan")), ["`learning_rate`=nan"]),
    "classes from 1": (lambda: net().fit(X, Y + 1, **QUIET), ["the class 3", "classes 0 to 2", "y = y - 1"]),
    "negative classes": (lambda: net().fit(X, Y - 1, **QUIET), ["the class -1", "'out'", "from 0 to 2"]),
    "too many classes": (lambda: net().evaluate(X, Y * 10, **QUIET), ["0, 10, 20", "21 of them"]),
    "two classes, one output": (
        lambda: net(1, "sigmoid").fit(X, np.minimum(Y, 1), **QUIET),
        ["there is one output", "binary_crossentropy"],
    ),
    "classes in one batch": (lambda: net().train_on_batch(X, Y + 7), ["classes 0 to 2"]),
    "classes of validation": (
        lambda: net().fit(X, Y, validation_data=(X, Y + 5), **QUIET),
        ["`validation_data`", "classes 0 to 2"],
    ),
    "values for classes": (lambda: net().fit(X, V, **QUIET), ["which is no class", "'mse'"]),
    "empty": (lambda: net().fit(X[:0], Y[:0], **QUIET), ["`x` is empty", "(0, 4)"]),
    "empty lists": (lambda: net().fit([], [], **QUIET), ["`x` is empty"]),
    "empty validation": (lambda: net().fit(X, Y, validation_data=(X[:0], Y[:0]), **QUIET), ["`validation_data[0]`"]),
    "objects": (
        lambda: net().fit(np.array([None, 1], dtype=object), Y[:2], **QUIET),
        ["array of objects", "holds None", "drop the missing"],
    ),
    "ragged": (lambda: net().fit([[1, 2], [3]], Y[:2], **QUIET), ["lengths 1, 2", "padding"]),
    "text": (lambda: net().fit(np.array(["a", "b"]), Y[:2], **QUIET), ["`x` holds text ('a')"]),
    "no data": (lambda: net().fit(None, Y, **QUIET), ["`x` is None"]),
    "nothing to predict from": (lambda: net().predict(None, **QUIET), ["`x` is None"]),
    "no targets": (lambda: net().fit(X, **QUIET), [SPARSE, "'out'", "give `y`"]),
    "a function for data": (lambda: net().fit(lambda: X, Y, **QUIET), ["`x` is a function"]),
    "weights as text": (lambda: net().fit(X, Y, sample_weight="temporal", **QUIET), ["`sample_weight` is text"]),
    "batches of four": (lambda: net().fit(batches(X, Y, Y, Y), **QUIET), ["4 entries", "(x, y, sample_weight)"]),
    "batches without targets": (lambda: net().fit(batches(X), **QUIET), ["needs targets", "batches be (x, y)"]),
    "an empty generator": (lambda: net().fit(batches(X, Y, count=0), **QUIET), ["generator", "no batch at all"]),
    "a generator and a split": (lambda: net().fit(batches(X, Y), validation_split=0.1, **QUIET), ["`validation_data`"]),
    "validation in four parts": (lambda: net().fit(X, Y, validation_data=(X, Y, Y, Y), **QUIET), ["has 4 parts"]),
    "validation without targets": (lambda: net().fit(X, Y, validation_data=X, **QUIET), ["`validation_data`", SPARSE]),
    "a split beyond all": (lambda: net().fit(X, Y, validation_split=1.5, **QUIET), ["`validation_split`=1.5"]),
    "not compiled": (lambda: net(loss=None).fit(X, Y, **QUIET), ["call compile(", "before fit"]),
    "no loss": (lambda: uncompiled_loss(), ["no loss to compute", "`compile`", "add_loss"]),
    "no optimizer": (lambda: no_optimizer(), ["`optimizer` is None", "'adam'"]),
    "no layers": (lambda: sequential(loss="mse").fit(X, V, **QUIET), ["has no layers yet"]),
    "no layers but an input": (lambda: sequential(lamina.Input((4,)), loss="mse").fit(X, V, **QUIET), ["no layers"]),
    "no call": (without_call, ["Net computes nothing", "call(self, inputs)"]),
    "metrics of an unknown output": (
        lambda: two_outputs([ONE_HOT, V], loss="mse", metrics={"kinds": "mae"}),
        ["`metrics` names the output 'kinds'", "kind, size", "did you mean 'kind'"],
    ),
    "loss of an unknown output": (
        lambda: two_outputs([ONE_HOT, V], loss={"kinds": "mse", "size": "mse"}),
        ["`loss` names the output 'kinds'", "did you mean 'kind'"],
    ),
    "too few losses": (lambda: two_outputs([ONE_HOT, V], loss=["mse"]), ["`loss` has 1", "2 outputs: kind, size"]),
    "too many losses": (lambda: two_outputs([ONE_HOT, V], loss=["mse"] * 3), ["`loss` has 3", "2 outputs"]),
    "too few weights of losses": (
        lambda: two_outputs([ONE_HOT, V], loss="mse", loss_weights=[1]),
        ["`loss_weights` has 1", "2 outputs"],
    ),
    "weights of losses as text": (
        lambda: two_outputs([ONE_HOT, V], loss="mse", loss_weights=["a", 1]),
        ["`loss_weights`='a'"],
    ),
    "targets of an unknown output": (
        lambda: two_outputs({"kind": ONE_HOT, "sizes": V}, loss="mse"),
        ["`y` names the output 'sizes'", "did you mean 'size'"],
    ),
    "targets of one output": (lambda: two_outputs({"kind": ONE_HOT}, loss="mse"), ["'mse'", "the output 'size'"]),
    "an unknown input": (lambda: two_inputs({"left": X, "q": X}), ["'right' is missing", "'q'"]),
    "batch size": (lambda: net().fit(X, Y, batch_size=0, **QUIET), ["`batch_size`=0", "positive"]),
    "epochs": (lambda: net().fit(X, Y, epochs=-1, **QUIET), ["`epochs`=-1", "from 0 on"]),
    "half an epoch": (lambda: net().fit(X, Y, epochs=1.5, **QUIET), ["`epochs`=1.5", "whole number"]),
    "steps per execution": (lambda: net(steps_per_execution=0), ["`steps_per_execution`=0"]),
    "callbacks": (lambda: net().fit(X, Y, callbacks=["x"], **QUIET), ["`callbacks`", "'x' is no callback"]),
    "class_weight": (lambda: net().fit(X, Y, class_weight=[1, 2], **QUIET), ["`class_weight`=[1, 2]", "{0: 1.0}"]),
    "verbose": (lambda: net().fit(X, Y, verbose="loud"), ["`verbose`='loud'", "'auto'"]),
    "validation_freq": (lambda: net().fit(X, Y, validation_data=(X, Y), validation_freq=0), ["`validation_freq`=0"]),
    "TensorFlow's train_step": (
        lambda: own_step(TensorFlowStep),
        ["train_step(self, state, data)", "(logs, new state)"],
    ),
    "a step without state": (lambda: own_step(LogsAlone), ["train_step gave a dict", "(logs, state)"]),
    "a step that loses state": (lambda: own_step(LosesState), ["train_step gave a new state", "the state has"]),
}


def uncompiled_loss():
    model = net(loss=None)
    model.compile("sgd")
    model.fit(X, Y, **QUIET)


def no_optimizer():
    model = net(loss=None)
    model.compile(None, SPARSE)
    model.fit(X, Y, **QUIET)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    run, parts = SHAPES[name]
    with pytest.raises(ShapeError) as caught:
        run()
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert caught.value.call_site.file == __file__, "the user's line"
    assert "expected" in message or "Fixes" in message


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    run, parts = VALUES[name]
    with pytest.raises(ValueError) as caught:
        run()
    for part in parts:
        assert part in str(caught.value)


def test_a_generator_that_ends_early():
    with pytest.warns(UserWarning, match="ended after 2 batches; 5 x 2 epochs = 10 were expected"):
        history = net().fit(batches(X, Y), steps_per_epoch=5, epochs=2, **QUIET)
    assert len(history.history["loss"]) == 1


def test_bad_validation_data_is_found_before_the_first_epoch():
    begun = []
    note = lamina.callbacks.LambdaCallback(on_train_begin=lambda logs: begun.append(logs))
    model = net()
    before = [w.copy() for w in model.get_weights()]
    for validation in ((X[:, :2], Y), (X, ONE_HOT), (X, Y + 5), (X, Y, np.ones((20, 7)))):
        with pytest.raises(ValueError, match="validation_data"):
            model.fit(X, Y, validation_data=validation, callbacks=[note], **QUIET)
    assert not begun
    for old, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


def test_labels_in_range_are_left_alone():
    """What Keras trains on is not refused: ignored classes, floats that are whole, the last class."""
    ignoring = net(loss=lamina.losses.SparseCategoricalCrossentropy(ignore_class=-1))
    labels = np.where(Y == 1, -1, Y)
    assert np.isfinite(ignoring.evaluate(X, labels, **QUIET))
    theirs = keras_oracle.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    expected = float(theirs(labels, ignoring.predict(X, **QUIET)))
    assert ignoring.evaluate(X, labels, **QUIET) == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(net().evaluate(X, Y.astype("float64")[:, None], **QUIET))


def test_an_error_in_the_users_own_layer_stays_what_it_is():
    class Broken(layers.Layer):
        def call(self, x):
            return undefined_name(x)  # noqa: F821

    with pytest.raises(NameError, match="undefined_name"):
        sequential(lamina.Input((4,)), Broken())
