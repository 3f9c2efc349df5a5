"""Metrics against the real Keras: streamed over batches, with and without weights, and through configs."""

import inspect

import keras
import numpy as np
import pytest

import lamina

BATCHES = 3


def rng():
    return np.random.default_rng(7)


def numbers(shape=(5, 3), low=0.05, high=0.95):
    def draw(r):
        return r.uniform(low, high, shape).astype("float32"), r.uniform(low, high, shape).astype("float32")

    return draw


def signs(r):
    return r.choice([-1.0, 1.0], (5, 3)).astype("float32"), r.normal(size=(5, 3)).astype("float32")


def binary(shape=(6, 3)):
    def draw(r):
        return r.integers(0, 2, shape).astype("float32"), r.uniform(size=shape).astype("float32")

    return draw


def one_hot(r, n=6, classes=4):
    return np.eye(classes, dtype="float32")[r.integers(0, classes, n)], r.dirichlet(np.ones(classes), n).astype(
        "float32"
    )


def sparse(r):
    true, pred = one_hot(r)
    return true.argmax(-1), pred


def sparse_column(r):
    true, pred = sparse(r)
    return true[:, None], pred


def sparse_time(r):
    return r.integers(0, 4, (5, 3)), r.dirichlet(np.ones(4), (5, 3)).astype("float32")


def whole(r):
    return r.integers(0, 3, (6, 2)), r.integers(0, 3, (6, 2))


def images(r):
    return r.integers(0, 3, (2, 3, 4)), r.integers(0, 3, (2, 3, 4))


CASES = [
    ("MeanSquaredError", {}, numbers()),
    ("MeanSquaredError", {}, numbers((4, 5, 2))),
    ("RootMeanSquaredError", {}, numbers()),
    ("MeanAbsoluteError", {}, numbers()),
    ("MeanAbsolutePercentageError", {}, numbers()),
    ("MeanSquaredLogarithmicError", {}, numbers()),
    ("LogCoshError", {}, numbers()),
    ("CosineSimilarity", {}, numbers()),
    ("CosineSimilarity", {"axis": 1}, numbers((4, 5, 2))),
    ("KLDivergence", {}, numbers()),
    ("Poisson", {}, numbers()),
    ("Hinge", {}, signs),
    ("SquaredHinge", {}, signs),
    ("CategoricalHinge", {}, one_hot),
    ("BinaryCrossentropy", {}, binary()),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, binary()),
    ("CategoricalCrossentropy", {}, one_hot),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, one_hot),
    ("SparseCategoricalCrossentropy", {}, sparse),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}, sparse),
    ("Accuracy", {}, whole),
    ("BinaryAccuracy", {}, binary()),
    ("BinaryAccuracy", {"threshold": 0.3}, binary((6, 1))),
    ("CategoricalAccuracy", {}, one_hot),
    ("SparseCategoricalAccuracy", {}, sparse),
    ("SparseCategoricalAccuracy", {}, sparse_column),
    ("SparseCategoricalAccuracy", {}, sparse_time),
    ("TopKCategoricalAccuracy", {"k": 2}, one_hot),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, sparse),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, sparse_time),
    *[(n, {"thresholds": [0.2, 0.7]}, binary()) for n in ("TruePositives", "TrueNegatives")],
    *[(n, {}, binary()) for n in ("FalsePositives", "FalseNegatives")],
    ("Precision", {}, binary()),
    ("Precision", {"thresholds": [0.0, 0.5, 1.0]}, binary()),
    ("Precision", {"top_k": 2}, binary()),
    ("Precision", {"class_id": 1}, binary()),
    ("Recall", {"thresholds": 0.3}, binary()),
    ("Recall", {"top_k": 2, "class_id": 2}, binary()),
    ("AUC", {}, binary()),
    ("AUC", {"num_thresholds": 11, "curve": "PR"}, binary()),
    ("AUC", {"num_thresholds": 11, "curve": "PR", "summation_method": "majoring"}, binary()),
    ("AUC", {"num_thresholds": 11, "curve": "PRGAIN"}, binary((40,))),
    ("AUC", {"num_thresholds": 11, "summation_method": "minoring"}, binary()),
    ("AUC", {"thresholds": [0.1, 0.3, 0.8]}, binary()),
    ("AUC", {"from_logits": True}, binary()),
    ("AUC", {"multi_label": True}, binary()),
    ("AUC", {"multi_label": True, "num_labels": 3, "label_weights": [1.0, 2.0, 0.5]}, binary()),
    ("AUC", {"label_weights": [1.0, 2.0, 0.5]}, binary()),
    ("AUC", {"num_thresholds": 21}, numbers()),
    ("SensitivityAtSpecificity", {"specificity": 0.4}, binary()),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6, "class_id": 1}, binary()),
    ("PrecisionAtRecall", {"recall": 0.5, "num_thresholds": 20}, binary()),
    ("PrecisionAtRecall", {"recall": 0.5, "num_thresholds": 1}, binary()),
    ("RecallAtPrecision", {"precision": 0.6}, binary()),
    *[("F1Score", {"average": a}, one_hot) for a in (None, "micro", "macro", "weighted")],
    ("F1Score", {"threshold": 0.4}, binary()),
    ("FBetaScore", {"beta": 2.0, "threshold": 0.3, "average": "weighted"}, binary()),
    *[("R2Score", {"class_aggregation": a}, numbers()) for a in (None, "uniform_average", "variance_weighted_average")],
    ("R2Score", {"num_regressors": 3}, numbers()),
    ("PearsonCorrelation", {}, numbers()),
    ("PearsonCorrelation", {"axis": 1}, numbers((4, 5, 2))),
    ("ConcordanceCorrelation", {}, numbers()),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, whole),
    ("IoU", {"num_classes": 3, "target_class_ids": [1], "sparse_y_pred": False, "dtype": "float32"}, None),
    ("MeanIoU", {"num_classes": 3, "dtype": "float32"}, images),
    ("MeanIoU", {"num_classes": 3, "ignore_class": 1, "dtype": "float32"}, images),
    ("BinaryIoU", {"threshold": 0.4, "dtype": "float32"}, binary()),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [1, 3], "dtype": "float32"}, one_hot),
    ("OneHotMeanIoU", {"num_classes": 4, "dtype": "float32"}, one_hot),
]


def scores(r):
    return r.integers(0, 3, (6,)), r.uniform(size=(6, 3)).astype("float32")


def stream(metric, draw, weighted):
    r = rng()
    for _ in range(BATCHES):
        true, pred = (draw or scores)(r)
        weights = r.uniform(0.1, 2.0, true.shape[:1]).astype("float32")
        if weighted == "places":
            weights = r.uniform(0.1, 2.0, true.shape[:2]).astype("float32")
        metric.update_state(true, pred, sample_weight=weights if weighted else None)
    return metric


def compare(ours, theirs):
    np.testing.assert_allclose(np.asarray(ours.result()), np.asarray(theirs.result()), rtol=2e-5, atol=1e-6)
    assert [v.shape for v in ours.variables] == [tuple(v.shape) for v in theirs.variables]
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-5, atol=1e-5, err_msg=b.name)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("name", "options", "draw"), CASES, ids=lambda v: getattr(v, "__name__", str(v)))
def test_streams(name, options, draw, weighted):
    ours, theirs = (getattr(m.metrics, name)(**options) for m in (lamina, keras))
    if weighted and name in ("IoU", "BinaryIoU", "MeanIoU"):
        weighted = "places" if draw not in (images, None) else bool(draw is None)  # Keras takes no other weights here
    compare(stream(ours, draw, weighted), stream(theirs, draw, weighted))
    ours.reset_state()
    assert all((v.numpy() == 0).all() for v in ours.variables)


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("MeanSquaredError", numbers((4, 5, 2))),
        ("SparseCategoricalAccuracy", sparse_time),
        ("BinaryAccuracy", binary()),
        ("RootMeanSquaredError", numbers()),
        ("AUC", binary()),
        ("Recall", binary()),
        ("R2Score", numbers()),
    ],
)
def test_weights_of_places(name, draw):
    ours, theirs = (getattr(m.metrics, name)() for m in (lamina, keras))
    compare(stream(ours, draw, "places"), stream(theirs, draw, "places"))


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize("weights", [None, (4,), (4, 1), (4, 3), ()])
def test_mean_and_sum(name, weights):
    ours, theirs = (getattr(m.metrics, name)() for m in (lamina, keras))
    r = rng()
    for _ in range(BATCHES):
        values = r.normal(size=(4, 3)).astype("float32")
        weight = None if weights is None else r.uniform(size=weights).astype("float32")
        ours.update_state(values, sample_weight=weight)
        theirs.update_state(values, sample_weight=weight)
    compare(ours, theirs)
    for metric in (ours, theirs):
        metric.reset_state()
        metric.update_state(5)
    compare(ours, theirs)


@pytest.mark.parametrize("weights", [None, (2, 1), (2, 4)])
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryAccuracy", "RootMeanSquaredError", "AUC"])
def test_masks(name, weights):
    from keras.src.backend import set_keras_mask

    r = rng()
    true, pred = binary((2, 4, 1))(r)
    mask = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    weight = None if weights is None else r.uniform(size=weights).astype("float32")
    results = []
    for module, mark in ((lamina, lamina.core.context.masks.set), (keras, set_keras_mask)):
        marked = keras.ops.convert_to_tensor(pred) + 0.0
        mark(marked, keras.ops.convert_to_tensor(mask))
        metric = getattr(module.metrics, name)()
        metric.update_state(true, marked, sample_weight=weight)
        results.append(float(metric.result()))
    assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_functions():
    r = rng()
    for name, draw in (
        ("binary_accuracy", binary()),
        ("categorical_accuracy", one_hot),
        ("sparse_categorical_accuracy", sparse_column),
        ("top_k_categorical_accuracy", one_hot),
        ("sparse_top_k_categorical_accuracy", sparse_time),
        ("pearson_correlation", numbers()),
        ("concordance_correlation", numbers()),
    ):
        true, pred = draw(r)
        options = {"k": 2} if "top_k" in name else {}
        ours, theirs = (np.asarray(getattr(m.metrics, name)(true, pred, **options)) for m in (lamina, keras))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=name)


def names():
    found = [n for n in dir(keras.metrics) if isinstance(getattr(keras.metrics, n), type)]
    return [n for n in found if n not in ("Metric", "MeanMetricWrapper")]


@pytest.mark.parametrize("name", names())
def test_signatures_and_configs(name):
    ours, theirs = getattr(lamina.metrics, name), getattr(keras.metrics, name)
    parameters = [inspect.signature(cls).parameters.values() for cls in (ours, theirs)]
    assert [(p.name, p.default) for p in parameters[0]] == [(p.name, p.default) for p in parameters[1]]
    needed = {"num_classes": 3, "target_class_ids": [0], "recall": 0.5, "precision": 0.5, "sensitivity": 0.5}
    needed["specificity"] = 0.5
    options = {p.name: needed[p.name] for p in parameters[1] if p.default is p.empty}
    theirs = theirs(name="mine", **options)
    written = keras.metrics.serialize(theirs)
    again = lamina.metrics.deserialize(written)
    assert type(again) is ours
    config = again.get_config()
    assert {k: config[k] for k in theirs.get_config()} == written["config"]
    back = keras.metrics.deserialize(lamina.metrics.serialize(again))
    assert back.get_config() == theirs.get_config()
    assert lamina.metrics.deserialize(lamina.metrics.serialize(again)).get_config() == config


@pytest.mark.parametrize("alias", ["mse", "MSE", "mae", "mape", "msle", "bce", "AUC", "auc", "precision", "f1_score"])
def test_aliases(alias):
    assert type(lamina.metrics.get(alias)).__name__ == type(keras.metrics.get(alias)).__name__
