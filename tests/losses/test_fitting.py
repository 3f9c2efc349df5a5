import warnings

import jax
import numpy as np
import pytest

import lamina
from lamina import losses
from lamina.losses import fitting
from lamina.shapes import ShapeError, ShapeWarning, dims, errors


def _spec(*shape):
    return jax.ShapeDtypeStruct(shape, "float32")


def _refusal(loss, true, pred):
    with pytest.raises(ShapeError) as caught:
        losses.get(loss)(np.zeros(true, "int32"), np.zeros(pred))
    return caught.value


FITTING = [
    ("mse", (32, 3), (32, 3)), ("mse", (32,), (32, 1)), ("mse", (32, 1), (32,)), ("mse", (32, 5, 1), (32, 5)),
    ("mse", (dims.BATCH, 3), (32, 3)), ("mse", (None, 3), (32, 3)), ("mse", (), (32, 3)),
    ("binary_crossentropy", (32,), (32, 1)), ("categorical_crossentropy", (32, 10), (32, 10)),
    ("sparse_categorical_crossentropy", (32,), (32, 10)), ("sparse_categorical_crossentropy", (32, 1), (32, 10)),
    ("sparse_categorical_crossentropy", (32, 7), (32, 7, 10)), ("sparse_categorical_crossentropy", (32, 1), (32, 1)),
    (losses.SparseCategoricalCrossentropy(axis=1), (32, 7), (32, 10, 7)),
    ("ctc", (32, 4), (32, 9, 5)),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "true", "pred"), FITTING)
def test_labels_that_fit_pass(loss, true, pred):
    losses.check_labels(loss, _spec(*true), _spec(*pred))


def test_one_hot_labels_to_a_sparse_loss():
    error = _refusal(losses.SparseCategoricalCrossentropy(), (32, 10), (32, 10))
    text = str(error)
    assert "sparse_categorical_crossentropy" in text
    assert "one-hot" in text
    assert "y_true (batch, classes) = (32, 10)" in text
    assert "y_pred (batch, classes) = (32, 10)" in text
    assert error.expected == "y_true (batch,) = (32,), whole numbers from 0 to 9"
    argmax = "y_true = lamina.ops.argmax(y_true, axis=-1)"
    assert [f.code for f in error.fixes] == [argmax, "lamina.losses.categorical_crossentropy"]


@pytest.mark.parametrize("true", [(32,), (32, 1)])
def test_class_numbers_to_a_categorical_loss(true):
    error = _refusal("categorical_crossentropy", true, (32, 10))
    assert "class numbers" in str(error)
    codes = [f.code for f in error.fixes]
    one_hot = "y_true = lamina.utils.to_categorical(y_true, 10)"
    assert codes == ["lamina.losses.sparse_categorical_crossentropy", one_hot]


def test_a_wrong_number_of_classes():
    error = _refusal("categorical_crossentropy", (32, 3), (32, 10))
    assert "y_true has classes 3, y_pred has classes 10" in str(error)
    assert not error.fixes  # it takes a model, which a loss knows nothing of
    along = _refusal(losses.CategoricalCrossentropy(axis=1), (32, 3, 7), (32, 10, 7))
    assert "y_true (batch, classes, time) = (32, 3, 7)" in str(along)


def test_a_wrong_number_of_outputs():
    error = _refusal("mse", (32, 5), (32, 3))
    assert "y_true (batch, outputs) = (32, 5)" in str(error)
    assert not error.fixes


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", "hinge", "kld"])
@pytest.mark.parametrize(("true", "pred"), [((32,), (32, 10)), ((32, 5, 3), (32, 3)), ((31, 3), (32, 3))])
def test_other_misfits(loss, true, pred):
    error = _refusal(loss, true, pred)
    assert losses.get(loss).__name__ in str(error)
    assert not error.fixes
    assert dims.show_shape(true) in error.received


def test_a_coincidence_of_sizes_is_no_fit():
    with pytest.raises(ShapeError, match="1 axis, y_pred has 2 axes"):
        losses.mean_squared_error(np.ones(4), np.ones((4, 4)))


@pytest.mark.parametrize(
    "name", ["MeanSquaredError", "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "Dice"]
)
def test_calls_refuse_before_jax_does(name):
    y_true = np.ones((4, 5, 3), "int32")
    with pytest.raises(ShapeError, match="does not fit"):
        getattr(losses, name)()(y_true, np.ones((4, 5, 7)))
    with pytest.raises(ShapeError, match="does not fit"):
        jax.jit(getattr(losses, name)())(y_true, np.ones((4, 5, 7)))


def test_labels_that_are_repeated_give_one_warning():
    fitting._told.clear()
    errors.forget_warnings()
    with pytest.warns(ShapeWarning, match=r"mean_absolute_error: y_true \(6, 1\) is repeated") as caught:
        [losses.mean_absolute_error(np.ones((6, 1)), np.ones((6, 5))) for _ in range(3)]
    assert len(caught) == 1


def test_ordinary_labels_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for loss, true, pred in FITTING:
            losses.check_labels(loss, _spec(*true), _spec(*pred))


def test_symbolic_tensors_and_open_batches():
    y_true, y_pred = lamina.KerasTensor((None, 10)), lamina.KerasTensor((None, 10))
    with pytest.raises(ShapeError, match=r"\(batch, classes\) = \(batch, 10\)"):
        losses.sparse_categorical_crossentropy(y_true, y_pred)


def test_losses_of_the_user_are_left_alone():
    losses.check_labels(lambda t, p: 0.0, _spec(3), _spec(4, 5))
    losses.check_labels(losses.LossFunctionWrapper(lambda t, p: 0.0, name="own"), _spec(3), _spec(4, 5))
