import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import metrics
from lamina.core import context
from lamina.metrics.resolve import resolve_accuracy
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

BINARY = (np.array([[1.0], [0.0], [1.0]], "float32"), np.array([[0.8], [0.6], [0.3]], "float32"))
CLASSES = (np.eye(3, dtype="float32")[[0, 1, 1]], np.full((3, 3), 0.2, "float32") + np.eye(3, dtype="float32") * 0.4)
ALL = [
    (metrics.BinaryAccuracy, BINARY),
    (metrics.AUC, BINARY),
    (metrics.Precision, BINARY),
    (metrics.MeanSquaredError, BINARY),
    (metrics.RootMeanSquaredError, BINARY),
    (metrics.CategoricalAccuracy, CLASSES),
    (metrics.F1Score, CLASSES),
    (metrics.R2Score, CLASSES),
    (lambda: metrics.MeanIoU(3), (CLASSES[0].argmax(1), CLASSES[1].argmax(1))),
    (lambda: metrics.PrecisionAtRecall(0.5), BINARY),
]


@pytest.mark.parametrize(("make", "batch"), ALL)
def test_stateless_under_jit(make, batch):
    plain, pure = make(), make()
    for metric in (plain, pure):
        metric.update_state(*batch)
        metric.reset_state()
    state = pure.stateless_reset_state()
    update, result = jax.jit(pure.stateless_update_state), jax.jit(pure.stateless_result)
    for weights in (np.array([1.0, 2.0, 3.0], "float32"), np.array([0.0, 1.0, 1.0], "float32")):
        plain.update_state(*batch, sample_weight=weights)
        state = update(state, *batch, sample_weight=weights)
    np.testing.assert_allclose(np.asarray(result(state)), np.asarray(plain.result()), rtol=1e-6)
    assert all((v.numpy() == 0).all() for v in pure.variables)
    assert isinstance(plain.result(), jax.Array)


@pytest.mark.parametrize(("make", "batch"), ALL[:6])
def test_free_batch_size(make, batch):
    metric = make()
    shapes = [jax.ShapeDtypeStruct((dims.BATCH, *b.shape[1:]), b.dtype) for b in batch]
    values = [v.value for v in metric.variables]
    after = jax.eval_shape(metric.stateless_update_state, values, *shapes)
    assert [a.shape for a in after] == [v.shape for v in metric.variables]


def test_user_metric_with_metrics_inside():
    class Both(metrics.Metric):
        def __init__(self, name="both"):
            super().__init__(name=name)
            self.parts = [metrics.Mean(name="a"), metrics.Sum(name="b")]
            self.seen = self.add_weight(name="seen", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            for part in self.parts:
                part.update_state(y_pred)
            self.seen.assign_add(1)

        def result(self):
            return {part.name: part.result() for part in self.parts}

    metric = Both()
    found = metric([0, 0], [1.0, 3.0])
    assert {k: float(v) for k, v in found.items()} == {"a": 2.0, "b": 4.0}
    assert [v.path for v in metric.variables] == ["both/seen", "a/total", "a/count", "b/total"]
    metric.reset_state()
    assert float(metric.parts[1].result()) == 0


def test_sample_weights_and_a_mask_together():
    values = jnp.asarray([[[1.0], [1.0]], [[2.0], [5.0]]])
    mask = jnp.asarray([[True, True], [True, False]])
    context.masks.set(values, mask)
    metric = metrics.MeanSquaredError()
    metric.update_state(np.zeros((2, 2, 1)), values, sample_weight=np.array([1.0, 3.0]))
    assert float(metric.result()) == pytest.approx((1 + 1 + 3 * 4) / 5)


def test_sums_in_sixteen_bit_programs_stay_exact():
    lamina.config.set_floatx("bfloat16")
    try:
        metric = metrics.Mean()
        for _ in range(3):
            metric.update_state(jnp.ones(300, "bfloat16"))
    finally:
        lamina.config.set_floatx("float32")
    assert metric.count.dtype == "float32"
    assert float(metric.count.value) == 900


@pytest.mark.parametrize(
    ("name", "true", "pred", "kind"),
    [
        ("accuracy", (None,), (None, 1), "BinaryAccuracy"),
        ("acc", (None, 1), (None, 1), "BinaryAccuracy"),
        ("accuracy", (None,), (None, 10), "SparseCategoricalAccuracy"),
        ("accuracy", (None, 1), (None, 10), "SparseCategoricalAccuracy"),
        ("accuracy", (None, 10), (None, 10), "CategoricalAccuracy"),
        ("accuracy", (None, 5), (None, 5, 7), "SparseCategoricalAccuracy"),
        ("crossentropy", (None, 10), (None, 10), "CategoricalCrossentropy"),
        ("ce", (None,), (None, 1), "BinaryCrossentropy"),
    ],
)
def test_accuracy_is_chosen_by_shape(name, true, pred, kind):
    chosen = resolve_accuracy(name, true, pred)
    assert (type(chosen).__name__, chosen.name) == (kind, name)


def test_unknown_family():
    with pytest.raises(ValueError, match="expected one of 'accuracy'"):
        resolve_accuracy("accurate", (1,), (1,))


@pytest.mark.parametrize(
    ("make", "true", "pred", "words"),
    [
        (metrics.BinaryAccuracy, (4,), (4, 3), ["binary_accuracy", "(4,)", "(4, 3)"]),
        (metrics.CategoricalAccuracy, (4, 1), (4, 3), ["categorical_accuracy", "(4, 1)", "(4, 3)"]),
        (metrics.SparseCategoricalAccuracy, (4, 3), (4, 3), ["sparse_categorical_accuracy", "one-hot", "(4, 3)"]),
        (metrics.MeanSquaredError, (4, 2), (4, 3), ["mean_squared_error", "(4, 2)", "(4, 3)"]),
        (metrics.AUC, (4, 2), (4, 3), ["auc", "(4, 2)", "(4, 3)"]),
        (metrics.F1Score, (4,), (4, 3), ["f1_score", "(4,)", "(4, 3)"]),
        (metrics.R2Score, (5, 3), (4, 3), ["r2_score", "(5, 3)", "(4, 3)"]),
        (lambda: metrics.MeanIoU(3), (4,), (5,), ["mean_io_u", "(4,)", "(5,)"]),
    ],
)
def test_labels_that_do_not_fit(make, true, pred, words):
    with pytest.raises(ShapeError) as caught:
        make().update_state(np.ones(true, "float32"), np.ones(pred, "float32"))
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("make", [metrics.BinaryAccuracy, metrics.AUC, metrics.RootMeanSquaredError])
def test_weights_that_do_not_fit(make):
    with pytest.raises(ShapeError, match="sample_weight"):
        make().update_state(*BINARY, sample_weight=np.ones(5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.get("acuracy"), "did you mean 'Accuracy'"),
        (lambda: metrics.get("mean_iou"), "MeanIoU needs num_classes"),
        (lambda: metrics.AUC(curve="ROCK"), "did you mean 'ROC'"),
        (lambda: metrics.AUC(num_thresholds=1), "`num_thresholds`=1"),
        (lambda: metrics.AUC(num_labels=3), "multi_label=True"),
        (lambda: metrics.Precision(thresholds=[0.5, 2.0]), "`thresholds`=2.0"),
        (lambda: metrics.Precision(top_k=0), "`top_k`=0"),
        (lambda: metrics.Precision(class_id=5).update_state(*CLASSES), "`class_id`=5"),
        (lambda: metrics.F1Score(average="mikro"), "did you mean 'micro'"),
        (lambda: metrics.MeanMetricWrapper("mse"), "`fn`='mse'"),
        (lambda: metrics.IoU(3, [3]), "classes from 0 to 2"),
        (lambda: metrics.RecallAtPrecision(1.5), "`precision`=1.5"),
        (lambda: metrics.Mean().stateless_result([1.0]), "1 values"),
        (lambda: metrics.deserialize({"class_name": "Meen", "config": {}}), "did you mean"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrapped_functions_go_through_configs():
    described = {"class_name": "function", "config": "mean_absolute_error", "registered_name": "function"}
    config = {"name": "m", "dtype": "float32", "fn": described}
    metric = metrics.deserialize({"class_name": "MeanMetricWrapper", "config": config})
    assert float(metric([[0.0]], [[3.0]])) == 3
    again = metrics.deserialize(metrics.serialize(metrics.MeanMetricWrapper(metrics.binary_accuracy, threshold=0.9)))
    assert float(again([[1.0]], [[0.8]])) == 0
