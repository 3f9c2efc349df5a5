"""What fit, evaluate, predict and the ``_on_batch`` methods give: names, order, form and numbers as in Keras."""

import keras
import numpy as np
import pytest

import lamina

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4)).astype("float32")
Y = RNG.integers(0, 3, 20)
V = RNG.normal(size=(20, 1)).astype("float32")
ONE_HOT = np.eye(3, dtype="float32")[Y]
ONCE = {"batch_size": 20, "shuffle": False, "verbose": 0}


def one(K):
    return K.Sequential([K.Input((4,)), K.layers.Dense(3, activation="softmax", kernel_initializer="ones")])


def two(K, as_dict=False):
    x = K.Input((4,), name="x")
    kind = K.layers.Dense(3, activation="softmax", kernel_initializer="ones", name="kind")(x)
    size = K.layers.Dense(1, kernel_initializer="ones", name="a_size")(x)
    return K.Model(x, {"kind": kind, "a_size": size} if as_dict else [kind, size])


def all_forms(model, x, y, **more):
    """Everything that can be asked, with the metrics' numbers."""
    history = model.fit(x, y, **ONCE, **more).history
    return {
        "history": history,
        "evaluate": model.evaluate(x, y, batch_size=20, verbose=0),
        "evaluate dict": model.evaluate(x, y, batch_size=20, verbose=0, return_dict=True),
        "train": model.train_on_batch(x, y),
        "train dict": model.train_on_batch(x, y, return_dict=True),
        "test": model.test_on_batch(x, y),
        "predict": model.predict(x, verbose=0),
        "predict batch": model.predict_on_batch(x),
    }


def loss_alone(K):
    model = one(K)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return all_forms(model, X, Y, validation_data=(X, Y))


def objects_and_weighted_metrics(K):
    model = one(K)
    top = K.metrics.SparseTopKCategoricalAccuracy(2, name="top")
    loss = K.losses.SparseCategoricalCrossentropy()
    model.compile(K.optimizers.SGD(0.1), loss, metrics=["accuracy", top], weighted_metrics=["acc"])
    return all_forms(model, X, Y, sample_weight=np.linspace(0, 1, 20), validation_data=(X, Y, np.ones(20)))


def functions(K):
    def largest(y_true, y_pred):
        return K.ops.max(y_pred, axis=-1)

    model = one(K)
    model.compile("sgd", lambda y, p: K.ops.mean((y - p) ** 2, axis=-1), metrics=[largest, "mae"])
    return all_forms(model, X, ONE_HOT)


def lists_for_two_outputs(K):
    model = two(K)
    losses = ["sparse_categorical_crossentropy", "mse"]
    model.compile("sgd", losses, loss_weights=[1, 0.5], metrics=[["accuracy"], ["mse", "mae"]])
    return all_forms(model, X, [Y, V], sample_weight=[np.linspace(0, 1, 20), np.linspace(1, 2, 20)])


def dicts_for_two_outputs(K):
    model = two(K)
    losses = {"a_size": "mse", "kind": K.losses.SparseCategoricalCrossentropy()}
    weights = {"kind": 2.0, "a_size": 0.5}
    model.compile("sgd", losses, loss_weights=weights, metrics={"a_size": ["mse", "mae"], "kind": "accuracy"})
    return all_forms(model, X, {"kind": Y, "a_size": V})


def dict_of_outputs(K):
    model = two(K, as_dict=True)
    losses = {"kind": "sparse_categorical_crossentropy", "a_size": "mse"}
    more = {"metrics": {"a_size": ["mae"], "kind": "accuracy"}, "weighted_metrics": {"kind": ["accuracy"]}}
    model.compile("sgd", losses, **more)
    return all_forms(model, {"x": X}, {"a_size": V, "kind": Y})


def one_loss_for_all(K):
    model = two(K)
    model.compile("sgd", "mse")
    return all_forms(model, X, [ONE_HOT, V])


def no_loss_for_one(K):
    model = two(K)
    model.compile("sgd", [None, "mse"], metrics=[None, ["mae"]])
    return all_forms(model, X, [Y, V])


def subclassed(K):
    class Net(K.Model):
        def __init__(self):
            super().__init__()
            self.first = K.layers.Dense(1, kernel_initializer="ones")
            self.second = K.layers.Dense(3, kernel_initializer="ones")

        def call(self, x):
            return self.first(x[0]), self.second(x[1])

    model = Net()
    model.compile("sgd", ["mse", "mae"], metrics=["mae", "mse"])
    return all_forms(model, [X, X], [V, ONE_HOT])


def weights_of_steps(K):
    model = K.Sequential([K.Input((5, 2)), K.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    x = X[:, :2, None] * np.ones((20, 2, 5), "float32")
    x = x.transpose(0, 2, 1)
    return all_forms(model, x, x[..., :1] * 2, sample_weight=RNG.permuted(np.arange(100)).reshape(20, 5) % 3)


def same(ours, theirs, where=""):
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), where
        for key, value in theirs.items():
            same(ours[key], value, f"{where}/{key}")
    elif isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs), where
        assert len(ours) == len(theirs), where
        for place, value in enumerate(theirs):
            same(ours[place], value, f"{where}/{place}")
    else:
        assert type(ours) is type(theirs), where
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6, err_msg=where)


CASES = [
    loss_alone,
    objects_and_weighted_metrics,
    functions,
    lists_for_two_outputs,
    dicts_for_two_outputs,
    dict_of_outputs,
    one_loss_for_all,
    no_loss_for_one,
    subclassed,
    weights_of_steps,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_as_in_keras(case):
    state = RNG.bit_generator.state
    theirs = case(keras)
    RNG.bit_generator.state = state
    same(case(lamina), theirs)


def test_lists_are_named_by_metrics_names():
    model = two(lamina)
    model.compile("sgd", "mse", metrics=[["mae"], ["mse"]])
    values = model.evaluate(X, [ONE_HOT, V], verbose=0)
    assert model.metrics_names == ["loss", "kind_loss", "a_size_loss", "a_size_mse", "kind_mae"]
    assert dict(zip(model.metrics_names, values, strict=True)) == model.evaluate(
        X, [ONE_HOT, V], verbose=0, return_dict=True
    )


def test_a_metric_given_twice_is_told_apart():
    model = one(lamina)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    model.evaluate(X, Y, verbose=0)
    assert model.metrics_names == ["loss", "accuracy", "weighted_accuracy"]


def test_two_outputs_with_one_loss_keep_both_numbers_where_keras_drops_one():
    class Net(lamina.Model):
        def __init__(self):
            super().__init__()
            self.dense = lamina.layers.Dense(1)

        def call(self, x):
            return self.dense(x), self.dense(x) + 1.0

    model = Net()
    model.compile("sgd", "mse")
    logs = model.evaluate(X, [V, V], verbose=0, return_dict=True)
    assert list(logs) == ["loss", "mse_loss", "mse_loss_1"]
    assert logs["loss"] == pytest.approx(logs["mse_loss"] + logs["mse_loss_1"], rel=1e-5)


def test_each_batch_has_its_own_numbers():
    model = one(lamina)
    model.compile(lamina.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    first = model.train_on_batch(X[:5], Y[:5])
    assert model.train_on_batch(X[5:], Y[5:]) != first
    assert model.train_on_batch(X[:5], Y[:5]) == first == model.test_on_batch(X[:5], Y[:5])
    weighted = model.train_on_batch(X[:5], Y[:5], class_weight={0: 2.0, 1: 2.0, 2: 2.0})
    assert weighted == pytest.approx(2 * first, rel=1e-5)
