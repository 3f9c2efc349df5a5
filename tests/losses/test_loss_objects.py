import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import losses
from lamina.core import context
from lamina.shapes import ShapeError


def test_weights_of_samples_hold_for_all_their_steps():
    y_true, y_pred = np.zeros((3, 3, 2)), np.arange(18.0).reshape(3, 3, 2)
    loss = losses.MeanSquaredError(reduction="none")
    weighted = loss(y_true, y_pred, np.array([1.0, 2.0, 0.0]))
    np.testing.assert_allclose(weighted, loss(y_true, y_pred) * np.array([[1.0], [2.0], [0.0]]))


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="sample_weight does not fit") as caught:
        losses.MeanSquaredError()(np.zeros((4, 3)), np.ones((4, 3)), np.ones(3))
    assert "(4,)" in caught.value.expected
    assert "(3,)" in caught.value.received
    with pytest.raises(ShapeError, match="sample_weight"):
        losses.MeanSquaredError()(np.zeros((4, 3)), np.ones((4, 3)), np.ones((4, 3)))


def test_ignored_classes_do_not_count_under_jit():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=0)
    labels, chances = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]])
    assert float(jax.jit(loss)(labels, chances)) == pytest.approx(np.log(2), rel=1e-5)


def test_masks_hold_under_jit():
    @jax.jit
    def run(p):
        context.masks.set(p, jnp.array([True, False]))
        return losses.MeanSquaredError()(jnp.zeros((2, 1)), p)

    assert float(run(jnp.array([[1.0], [100.0]]))) == pytest.approx(1.0)


def test_class_numbers_stay_exact():
    label = 2**24 + 1
    seen = []

    class Look(losses.SparseCategoricalCrossentropy):
        def call(self, y_true, y_pred):
            seen.append(int(y_true[0]))
            return jnp.zeros(1)

    Look()(np.array([label]), np.ones((1, 3)))
    assert seen == [label]


def test_symbolic_tensors_give_a_symbolic_loss():
    y_true, y_pred = lamina.KerasTensor((None, 3)), lamina.KerasTensor((None, 3))
    assert losses.mean_squared_error(y_true, y_pred).shape == (None,)
    whole = losses.MeanSquaredError()(y_true, y_pred)
    assert whole.shape == ()
    assert len(whole.node.inputs) == 2


@pytest.mark.parametrize(
    "name", [n for n in losses.__all__ if n[0].isupper() and n not in ("Loss", "LossFunctionWrapper")]
)
def test_losses_trace_over_open_sizes(name):
    sparse = name in ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy", "Circle")
    y_true = lamina.KerasTensor((None,) if sparse else (None, 4), dtype="int32" if sparse else "float32")
    y_pred = lamina.KerasTensor((None, 6, 4) if name == "CTC" else (None, 4))
    weight = lamina.KerasTensor((None,))
    assert getattr(losses, name)()(y_true, y_pred, weight).shape == ()


def test_a_function_of_the_user_becomes_a_loss():
    def twice(y_true, y_pred, factor=2.0):
        return factor * abs(y_true - y_pred)[:, 0]

    loss = losses.LossFunctionWrapper(twice, factor=3.0)
    assert loss.name == "twice"
    assert float(loss(np.zeros(4), np.ones((4, 1)))) == 3.0
    with lamina.core.registry.custom_object_scope({"twice": twice}):
        again = losses.LossFunctionWrapper.from_config(loss.get_config())
    assert float(again(np.zeros(4), np.ones((4, 1)))) == 3.0


def test_structures_reach_a_loss_of_the_user():
    class Both(losses.Loss):
        def call(self, y_true, y_pred):
            return abs(y_true["a"] - y_pred["a"]).mean(-1) + y_pred["b"][:, 0]

    given = {"a": np.zeros((2, 3)), "b": np.zeros((2, 1))}
    assert float(Both()(given, {"a": np.ones((2, 3)), "b": np.ones((2, 1))})) == 2.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.get("mean_squred_error"), "did you mean 'mean_squared_error'"),
        (lambda: losses.get(3), "cannot read 3 as a loss"),
        (lambda: losses.MeanSquaredError(reduction="avg"), "`reduction`='avg'.*'mean'"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=2.0), "`label_smoothing`=2.0"),
        (lambda: losses.Huber(delta=float("nan")), "`delta`=nan"),
        (lambda: losses.MeanSquaredError(dtype="float31"), "float31"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.0), "`q`=1.0"),
        (lambda: losses.SparseCategoricalCrossentropy(ignore_class="a"), "`ignore_class`='a'"),
        (lambda: losses.LossFunctionWrapper("mse"), "`fn`='mse'"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_losses_keep_the_type_asked_for():
    loss = losses.MeanSquaredError(dtype="bfloat16")
    assert loss(np.zeros((2, 2)), np.ones((2, 2))).dtype == "bfloat16"
