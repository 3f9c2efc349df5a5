import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lamina.core import config, seeds
from lamina.shapes.errors import ShapeError
from lamina.training.feeding import ArrayFeed, make_feed, validation_split

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10)


def firsts(feed):
    return [batch[0][:, 0].tolist() for batch in feed.epoch()]


def test_batches_in_order_with_a_smaller_last_one():
    feed = make_feed(X, Y, batch_size=4)
    assert isinstance(feed, ArrayFeed)
    assert (feed.steps, feed.num_samples, feed.batch_size) == (3, 10, 4)
    batches = list(feed.epoch())
    assert [b[1].tolist() for b in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[0][2] is None
    assert feed.shapes() == ((10, 2), (10,), None)


def test_batch_size_is_32_by_default():
    assert make_feed(np.ones((70, 1))).steps == 3


def test_first_takes_nothing_away_from_the_epoch():
    feed = make_feed(X, Y, batch_size=4)
    assert feed.first()[1].tolist() == [0, 1, 2, 3]
    assert len(list(feed.epoch())) == 3


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.ones(3), "float32"),
        (np.ones(3, "float16"), "float32"),
        (np.ones(3, "int64"), "int32"),
        (np.ones(3, "uint8"), "uint8"),
        (np.ones(3, bool), "bool"),
        (np.ones(3, "complex128"), "complex64"),
        (jnp.ones(3, "bfloat16"), "float32"),
        (jnp.ones(3, "int32"), "int32"),
        ([1, 2, 3], "int32"),
        ([1.0, 2, 3], "float32"),
        ([[True], [False]], "bool"),
        (range(3), "int32"),
        ([np.float64(1), np.float64(2)], "float32"),
    ],
)
def test_types(given, kept):
    assert make_feed(given).first()[0].dtype == kept


def test_floats_become_floatx():
    config.set_floatx("float16")
    try:
        assert make_feed(X).first()[0].dtype == "float16"
    finally:
        config.set_floatx("float32")


def test_float64_data_does_not_switch_jax_to_64_bits():
    make_feed(np.ones((3, 1), "float64"))
    assert jnp.ones(1).dtype == "float32"


def test_jax_arrays_stay_on_the_device():
    x = jnp.ones((4, 1))
    assert make_feed(x).arrays[0] is x


def test_structures_keep_their_form():
    feed = make_feed({"a": X, "b": [1] * 10}, (Y, [X, X]), batch_size=6)
    x, y, _ = list(feed.epoch())[1]
    assert x["a"].shape == (4, 2)
    assert x["b"].shape == (4,)
    assert isinstance(y, tuple)
    assert y[1][0].shape == (4, 2)


def test_pandas_tables_and_columns():
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})
    x, y, _ = make_feed(table, pd.Series([0, 1])).first()
    assert x.shape == (2, 2)
    assert y.shape == (2, 1)  # as Keras has it
    nullable = pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})
    assert np.isnan(make_feed(nullable).first()[0][1, 0])


def test_anything_with_array_method():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.ones((4, 2))

    class Torch(Tensor):
        def detach(self):
            return self

        def cpu(self):
            return Tensor()

        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("detach me")

    assert make_feed(Tensor()).num_samples == 4
    assert make_feed(Torch()).num_samples == 4


def test_shuffling_is_a_permutation_of_the_seed():
    def run(seed):
        seeds.set_random_seed(seed)
        feed = make_feed(X, Y, batch_size=3, shuffle=True)
        return [np.concatenate([b[1] for b in feed.epoch()]).tolist() for _ in range(2)]

    first, second = run(1)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert run(1) == [first, second]
    assert run(2) != [first, second]


def test_x_and_y_are_shuffled_together():
    for x, y, _ in make_feed(X, Y, batch_size=3, shuffle=True).epoch():
        assert (x[:, 0] == 2 * y).all()


def test_batch_shuffle_stays_inside_batches():
    feed = make_feed(np.arange(40), batch_size=10, shuffle="batch")
    for i, (x, _, _) in enumerate(feed.epoch()):
        assert sorted(x.tolist()) == list(range(10 * i, 10 * i + 10))
        assert x.tolist() != list(range(10 * i, 10 * i + 10))


def test_order_uses_the_generator_given():
    a, b = (make_feed(X, shuffle=True).order(np.random.default_rng(3)).tolist() for _ in range(2))
    assert a == b
    assert make_feed(X).order().tolist() == list(range(10))


def test_fewer_steps_go_on_in_the_next_epoch():
    feed = make_feed(np.arange(8), batch_size=2, steps=2)
    seen = [[b[0].tolist() for b in feed.epoch()] for _ in range(3)]
    assert seen == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[0, 1], [2, 3]]]
    assert feed.steps == 2


def test_more_steps_than_batches_warns_with_both_numbers():
    feed = make_feed(np.arange(8), batch_size=2, steps=6)
    with pytest.warns(UserWarning, match=r"6 batches of 2 .* 8 samples gave only 4"):
        assert len(list(feed.epoch())) == 4
    assert len(list(feed.epoch())) == 4


def test_lengths_that_differ_name_each_array():
    with pytest.raises(ShapeError) as caught:
        make_feed(np.ones((60, 2)), np.ones(10))
    assert "x: 60 samples, y: 10 samples" in str(caught.value)
    assert "[:10]" in str(caught.value)
    assert caught.value.call_site.source.startswith("make_feed")
    with pytest.raises(ShapeError, match=r"x\['b'\]: 9 samples"):
        make_feed({"a": X, "b": X[:9]}, Y)
    with pytest.raises(ShapeError, match=r"validation_data\[0\]: 10 samples, validation_data\[1\]: 9"):
        make_feed(X, Y[:9], argument="validation_data")


def test_a_list_of_samples_is_told_from_several_inputs():
    with pytest.raises(ShapeError, match=r"np\.stack\(x\)"):
        make_feed([np.ones(3)] * 5, np.ones(5))


def test_samples_along_the_second_axis():
    with pytest.raises(ShapeError, match=r"np\.swapaxes\(x, 0, 1\)"):
        make_feed(np.ones((10, 60)), np.ones(60))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones((0, 3)), r"`x` is empty: its shape \(0, 3\)"),
        ([], r"`x` is empty"),
        ({}, r"`x` is empty"),
        (np.array(3.0), r"`x` is a single number"),
        (3.0, r"`x` is a single number"),
        (None, r"`x` is None"),
        ("train.csv", r"`x` is text \('train.csv'\)"),
        (np.array(["a", "b"]), r"`x` holds text \('a'\)"),
        (["a", "b"], r"`x` holds text"),
        ([[1, 2], [3]], r"`x` is a list that forms no array: its rows have lengths 1, 2"),
        ([1.0, None], r"`x` is an array of objects.*holds None"),
        ([None, 1.0], r"`x` is an array of objects.*holds None"),
        (np.array([1, None]), r"holds None"),
        (np.array([{}, {}]), r"its entries are of type dict"),
        ([np.ones(3), None], r"`x\[1\]` is None"),
        ({"a": None}, r"`x\['a'\]` is None"),
        ({1, 2}, r"`x` is a set, which is no array"),
        (np.array(["2020-01-01"], "datetime64[D]"), r"`x` holds times"),
        (np.array([2**40]), r"to 1099511627776, which do not fit int32"),
        (pd.DataFrame({"city": ["a"], "n": [1]}), r"`x`: column 'city' holds no numbers"),
        (pd.Series(["a"], name="city"), r"column 'city' holds no numbers"),
    ],
)
def test_bad_data_is_refused_by_name(bad, message):
    with pytest.raises(ValueError, match=message):
        make_feed(bad)


def test_object_arrays_of_arrays_say_how_to_join_them():
    same = np.empty(2, object)
    same[:] = [np.ones(3), np.ones(3)]
    with pytest.raises(ValueError, match=r"each entry is an array of shape \(3,\).*np\.stack\(y\)"):
        make_feed(np.ones(2), same)
    ragged = np.empty(2, object)
    ragged[:] = [np.ones(3), np.ones(4)]
    with pytest.raises(ValueError, match=r"shapes \(3,\), \(4,\); pad"):
        make_feed(ragged)


def test_sparse_matrices_are_refused_with_the_way_out():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match=r"`x\.toarray\(\)`"):
        make_feed(sparse.eye(3).tocsr())


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"steps": -1}, {"batch_size": 1.5}, {"shuffle": "batches"}])
def test_bad_settings(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        make_feed(X, **settings)


def test_one_weight_array_holds_for_each_output():
    _, _, weights = make_feed(X, [Y, Y], np.arange(10)).first()
    assert len(weights) == 2
    assert weights[1].dtype == "float32"


def test_weights_of_some_outputs_only():
    _, _, weights = make_feed(X, {"a": Y, "b": Y}, {"a": np.ones(10), "b": None}).first()
    assert weights["b"] is None


@pytest.mark.parametrize("y", [[0, 1, 2, 1], [[0], [1], [2], [1]], np.eye(3)[[0, 1, 2, 1]], [0.0, 1.0, 2.0, 1.0]])
def test_class_weight(y):
    feed = make_feed(np.ones((4, 1)), y, class_weight={1: 5.0, 2: 0})
    assert feed.arrays[2].tolist() == [1, 5, 0, 5]


def test_class_weight_times_sample_weight():
    feed = make_feed(np.ones((3, 1)), [0, 1, 1], [1, 2, 3], class_weight={0: 10, 1: 2})
    assert feed.arrays[2].tolist() == [10, 4, 6]


@pytest.mark.parametrize(
    ("y", "weight", "message"),
    [
        ([[0, 1], [0, 1]], [1.0], "`class_weight`.* expected a dict"),
        ([0, 1], {}, "expected a dict"),
        ([0, 1], {"a": 1.0}, "'a' is no class"),
        ([0, 1], {0.5: 1.0}, "0.5 is no class"),
        ([0, 1], {-1: 1.0}, "-1 is no class"),
        ([0, 1], {0: "heavy"}, r"class_weight\[0\]"),
        ([0, 1], {0: -1.0}, r"class_weight\[0\]"),
        ([0, 1], {7: 1.0}, "7, none of which is in `y`; it holds 0, 1"),
        ([[1, 0], [0, 1]], {2: 1.0}, "names class 2.* 2 classes"),
        ([0.5, 1], {1: 1.0}, "fractions such as 0.5"),
        (None, {1: 1.0}, "needs targets"),
    ],
)
def test_bad_class_weight(y, weight, message):
    with pytest.raises(ValueError, match=message):
        make_feed(np.ones((2, 1)), y, class_weight=weight)


def test_class_weight_with_two_outputs():
    with pytest.raises(ValueError, match="models with one output, and `y` has 2"):
        make_feed(np.ones((2, 1)), (np.ones(2), np.ones(2)), class_weight={1: 1.0})


def test_validation_split_takes_the_end():
    train, held = validation_split(X, Y, None, 0.25)
    assert train[1].tolist() == list(range(7))
    assert held[1].tolist() == [7, 8, 9]
    assert train[2] is None
    assert held[0].shape == (3, 2)


@pytest.mark.parametrize("fraction", [0, 1, 1.5, -0.1, "0.1", 0.99])
def test_bad_validation_split(fraction):
    with pytest.raises(ValueError, match="`validation_split`"):
        validation_split(X[:2], Y[:2], None, fraction)


def test_validation_split_of_a_stream():
    with pytest.raises(ValueError, match=r"needs arrays, and `x` is a generator.*validation_data"):
        validation_split((i for i in range(3)), None, None, 0.1)
