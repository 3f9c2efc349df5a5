import gc
import threading
import time
import warnings

import numpy as np
import pytest
from numbers_dataset import Numbers, batch

from lamina.shapes.errors import ShapeError
from lamina.training.feeding import PyDataset, StreamFeed, make_feed, validation_split  # noqa: F401
from lamina.training.feeding.prefetch import Prefetch


def generate(count, log=None):
    for i in range(count):
        if log is not None:
            log.append(i)
        yield batch(i)


def marks(feed):
    return [int(x[0, 0]) for x, _, _ in feed.epoch()]


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("lamina") and not t.name.startswith("lamina-compile")]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    for _ in range(100):
        if not threads():
            return
        time.sleep(0.02)
    raise AssertionError(f"left behind: {threads()}")


def test_a_generator_for_one_epoch():
    feed = make_feed(generate(4), epochs=1)
    assert isinstance(feed, StreamFeed)
    assert feed.steps is None
    assert marks(feed) == [0, 1, 2, 3]
    assert feed.exhausted


def test_floats_are_converted_as_in_arrays():
    x, y, weights = make_feed(generate(1)).first()
    assert (x.dtype, y.dtype, weights) == ("float32", "int32", None)


def test_first_takes_nothing_away():
    feed = make_feed(generate(3))
    assert feed.first()[0][0, 0] == feed.first()[0][0, 0] == 0
    assert marks(feed) == [0, 1, 2]


def test_a_generator_is_advanced_by_what_is_used():
    log = []
    source = generate(100, log)
    feed = make_feed(source, steps=3)
    assert marks(feed) == [0, 1, 2]
    assert marks(feed) == [3, 4, 5]
    assert log == [0, 1, 2, 3, 4, 5]
    feed.close()
    assert int(next(source)[0][0, 0]) == 6


def test_a_generator_that_ends_early_warns_with_both_numbers():
    feed = make_feed(generate(7), steps=3, epochs=3)
    assert marks(feed) == [0, 1, 2]
    assert marks(feed) == [3, 4, 5]
    assert not feed.exhausted
    with pytest.warns(UserWarning, match="a generator ended after 7 batches; 3 x 3 epochs = 9 were expected"):
        assert marks(feed) == [6]
    assert feed.exhausted


def test_a_generator_that_ends_with_an_epoch_warns_in_the_next():
    feed = make_feed(generate(3), steps=3, epochs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert marks(feed) == [0, 1, 2]
    with pytest.warns(UserWarning, match="ended after 3 batches; 3 x 2 epochs = 6"):
        assert marks(feed) == []
    assert feed.exhausted


def test_a_generator_without_steps_has_one_epoch():
    feed = make_feed(generate(3), epochs=2)
    with pytest.warns(UserWarning, match="ended after 3 batches; 2 epochs were asked for.*cannot start again"):
        assert marks(feed) == [0, 1, 2]
    assert feed.exhausted


def test_enough_batches_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        feed = make_feed(generate(6), steps=3, epochs=2)
        assert [marks(feed), marks(feed)] == [[0, 1, 2], [3, 4, 5]]


def test_an_empty_generator():
    with pytest.raises(ValueError, match="a generator gave no batch at all"):
        make_feed(generate(0)).first()
    with pytest.raises(ValueError, match="Numbers gave no batch at all"):
        make_feed(Numbers(0)).first()


@pytest.mark.parametrize("given", [lambda x, y: x, lambda x, y: (x,), lambda x, y: [x]])
def test_x_alone(given):
    x, y, weights = make_feed(iter([given(*batch(1))] * 2).__iter__()).first()
    assert x.shape == (2, 3)
    assert y is weights is None


def test_three_parts_and_lists():
    x, y = batch(1)
    assert make_feed(b for b in [(x, y, np.ones(2))]).first()[2].tolist() == [1, 1]
    assert make_feed(b for b in [[x, y]]).first()[1].tolist() == [1, 1]
    assert make_feed(b for b in [({"a": x, "b": x}, (y, y))]).first()[0]["b"].shape == (2, 3)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ((1, 2, 3, 4), "a batch of `x` is a tuple of 4 entries: expected x, .*several inputs"),
        ((), "tuple of 0 entries"),
        (None, "a batch of `x` is None"),
        ((np.ones((2, 1)), np.array(["a", "b"])), "a batch of `x`: `y` holds text"),
        (np.array(1.0), "is a single number"),
        (object(), "is a object, which is no array"),
    ],
)
def test_bad_batches(item, message):
    with pytest.raises(ValueError, match=message):
        make_feed(b for b in [item]).first()


def test_a_later_bad_batch_is_raised_in_the_caller():
    feed = make_feed(b for b in [batch(0), (1, 2, 3, 4)])
    with pytest.raises(ValueError, match="4 entries"):
        marks(feed)


def test_lengths_within_a_batch():
    with pytest.raises(ShapeError, match=r"(?s)a batch of `x`.*x: 2 samples, y: 3 samples"):
        make_feed(b for b in [(np.ones((2, 1)), np.ones(3))]).first()


@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_targets_beside_a_stream(name):
    with pytest.raises(ValueError, match=f"`x` is a generator, so `{name}` cannot be given"):
        make_feed(generate(2), **{name: np.ones(2)})


def test_batch_size_beside_a_stream_is_named_in_a_warning():
    with pytest.warns(UserWarning, match="`batch_size`=8 is ignored: a generator decides"):
        make_feed(generate(2), batch_size=8)


def test_class_weight_of_batches():
    feed = make_feed(generate(2), class_weight={1: 3.0})
    assert [w.tolist() for _, _, w in feed.epoch()] == [[1, 1], [3, 3]]


def test_errors_of_the_generator_reach_the_caller():
    def failing():
        yield batch(0)
        yield batch(1)
        raise KeyError("disk")

    epoch = make_feed(failing()).epoch()
    seen = [int(next(epoch)[0][0, 0]) for _ in range(2)]
    with pytest.raises(KeyError, match="disk"):
        next(epoch)
    assert seen == [0, 1]


def test_no_thread_is_left_after_an_error_in_the_loop():
    feed = make_feed(generate(10**6))

    def loop():
        for _ in feed.epoch():
            assert threads()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        loop()
    assert caught.traceback  # which keeps the frame of the loop alive
    feed.close()
    assert not threads()


def test_a_forgotten_feed_ends_its_thread():
    feed = make_feed(generate(10**6))
    epoch = feed.epoch()
    next(epoch)
    next(epoch)
    assert threads()
    del feed, epoch
    gc.collect()


def test_a_forgotten_prefetch_ends_its_thread():
    ahead = Prefetch(iter(range(10**6)), depth=2)
    assert next(ahead) == 0
    del ahead
    gc.collect()


def test_prefetch_reads_no_further_than_its_depth():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    ahead = Prefetch(items(), depth=3)
    time.sleep(0.2)
    assert len(made) <= 4
    assert list(ahead) == list(range(100))


def test_a_dataset_starts_again_and_hears_of_epochs():
    data = Numbers()
    feed = make_feed(data, epochs=2)
    assert feed.steps == 4
    feed.first()
    for _ in range(2):
        assert marks(feed) == [0, 1, 2, 3]
        feed.on_epoch_end()
    assert data.log == ["begin", "end", "begin", "end"]
    assert not feed.exhausted


def test_a_dataset_with_fewer_steps_goes_on():
    feed = make_feed(Numbers(), steps=2)
    assert [marks(feed) for _ in range(3)] == [[0, 1], [2, 3], [0, 1]]
    feed.close()


def test_an_epoch_left_early_is_followed_by_a_new_pass():
    feed = make_feed(Numbers(50))
    for x, _, _ in feed.epoch():
        if x[0, 0] == 2:
            break
    assert marks(feed) == list(range(50))


def test_a_dataset_with_more_steps_warns():
    feed = make_feed(Numbers(), steps=6, epochs=2)
    with pytest.warns(UserWarning, match="ended after 4 batches; 6 were expected in an epoch and 4 came"):
        assert marks(feed) == [0, 1, 2, 3]
    assert not feed.exhausted


def test_a_dataset_is_shuffled_by_batches():
    feed = make_feed(Numbers(50), shuffle=True)
    first, second = marks(feed), marks(feed)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second


def test_workers_keep_the_order():
    class Slow(Numbers):
        def __getitem__(self, index):
            time.sleep(0.02 if index % 2 == 0 else 0)
            return batch(index)

    feed = make_feed(Slow(12, workers=4, max_queue_size=4))
    assert marks(feed) == list(range(12))
    feed.close()


def test_workers_are_stopped_with_the_feed():
    feed = make_feed(Numbers(10**6, workers=3))
    epoch = feed.epoch()
    for _ in range(3):
        next(epoch)
    assert len(threads()) >= 3
    feed.close()


def test_processes_make_batches():
    feed = make_feed(Numbers(3, workers=2, use_multiprocessing=True))
    assert marks(feed) == [0, 1, 2]
    feed.close()


def test_a_dataset_that_cannot_be_sent_to_processes():
    data = Numbers(3, workers=2, use_multiprocessing=True)
    data.file = lambda: None
    with pytest.raises(ValueError, match=r"Numbers could not be sent to worker processes.*use_multiprocessing=False"):
        make_feed(data).first()


def test_an_endless_dataset_needs_steps():
    class Endless(PyDataset):
        def __getitem__(self, index):
            return batch(index)

    with pytest.raises(ValueError, match=r"a Endless that never ends.*`steps_per_epoch`"):
        make_feed(Endless())
    feed = make_feed(Endless(), steps=2)
    assert [marks(feed), marks(feed)] == [[0, 1], [2, 3]]
    feed.close()


def test_a_dataset_without_getitem():
    class Nothing(PyDataset):
        def __len__(self):
            return 1

    with pytest.raises(TypeError, match="Nothing needs a method `__getitem__"):
        make_feed(Nothing()).first()


@pytest.mark.parametrize("settings", [{"workers": 1.5}, {"max_queue_size": 0}])
def test_bad_dataset_settings(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        Numbers(**settings)


def test_a_subclass_that_forgets_the_base_constructor():
    class Bare(PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return batch(index)

    assert marks(make_feed(Bare())) == [0, 1]


def test_loaders_that_start_again_each_epoch():
    class Loader:
        def __iter__(self):
            return generate(3)

        def __len__(self):
            return 3

    feed = make_feed(Loader(), epochs=2)
    assert feed.steps == 3
    assert [marks(feed), marks(feed)] == [[0, 1, 2], [0, 1, 2]]


def test_tensorflow_datasets_by_their_numpy_iterator():
    class Dataset:
        def __init__(self, size):
            self.size = size

        def cardinality(self):
            return self.size

        def __iter__(self):
            raise AssertionError("tensors, not arrays")

        def as_numpy_iterator(self):
            return generate(3)

    feed = make_feed(Dataset(3))
    assert feed.steps == 3
    assert [marks(feed), marks(feed)] == [[0, 1, 2], [0, 1, 2]]
    assert make_feed(Dataset(-2)).steps is None
    with pytest.raises(ValueError, match="never ends"):
        make_feed(Dataset(-1))


def test_iterating_a_dataset_of_the_real_keras():
    import keras

    class Theirs(keras.utils.PyDataset):
        def __init__(self):
            super().__init__(workers=2)

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return batch(index)

    feed = make_feed(Theirs())
    assert marks(feed) == [0, 1, 2]
    feed.close()
