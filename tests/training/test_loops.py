"""What the loops do at their edges."""

import warnings

import numpy as np
import pytest

import lamina


@pytest.fixture(scope="module")
def model():
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def batches(number):
    for _ in range(number):
        yield np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


def test_data_that_ends_with_an_epoch_leaves_no_empty_epoch(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = model.fit(batches(4), steps_per_epoch=2, epochs=3, verbose=0)
    assert history.epoch == [0, 1]
    assert len(history.history["loss"]) == 2


def test_validation_data_hears_that_an_epoch_has_ended(model):
    class Data(lamina.utils.PyDataset):
        ended = 0

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return np.ones((4, 3), "float32"), np.ones((4, 1), "float32")

        def on_epoch_end(self):
            self.ended += 1

    data = Data()
    model.fit(np.ones((8, 3)), np.ones((8, 1)), epochs=2, validation_data=data, verbose=0)
    assert data.ended == 2


def test_a_progress_bar_of_the_users_own_replaces_ours(model, capsys):
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=2, callbacks=[lamina.callbacks.ProgbarLogger()])
    assert capsys.readouterr().out.count("Epoch 1/1") <= 1
