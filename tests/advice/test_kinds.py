"""Kinds of shape problems from public questions: each error names the line, and its first repair is the right one."""

from __future__ import annotations

import numpy as np
from failing import codes, failed

import lamina
from lamina import layers, ops


def test_a_layer_in_a_list_is_shown_with_the_line_that_makes_it():
    error = failed(
        lambda: lamina.Sequential([
            layers.Input((8,)),
            layers.LSTM(12, name="memory"),
        ])
    )  # fmt: skip
    assert "made here" in str(error)
    assert 'layers.LSTM(12, name="memory"),' in str(error)


def test_states_of_both_directions_are_joined_for_one():
    source, target = lamina.Input((None, 7)), lamina.Input((None, 9))
    _, fh, fc, bh, bc = layers.Bidirectional(layers.LSTM(8, return_state=True))(source)
    error = failed(lambda: layers.LSTM(16)(target, initial_state=[fh, fc, bh, bc]))
    joined = "initial_state=[layers.Concatenate()([fh, bh]), layers.Concatenate()([fc, bc])]"
    assert codes(error)[0] == joined
    assert layers.LSTM(16)(target, initial_state=[layers.Concatenate()([fh, bh]), layers.Concatenate()([fc, bc])]).shape


def test_maps_of_each_step_become_rows_before_a_recurrent_layer():
    error = failed(lambda: layers.LSTM(8)(lamina.Input((5, 7, 7, 4))))
    assert "TimeDistributed(layers.Flatten())" in codes(error)[0]


def test_axes_that_the_input_does_not_have():
    sequence = lamina.Input((12, 5))
    assert "dims=(2, 1)" in codes(failed(lambda: layers.Permute((1, 3, 2))(sequence)))[0]
    assert "axis=-1" in codes(failed(lambda: layers.BatchNormalization(axis=3)(sequence)))[0]


def test_vectors_of_two_widths_in_a_dot():
    left, right = layers.Dense(16, name="left")(lamina.Input((3,))), layers.Dense(32)(lamina.Input((4,)))
    assert codes(failed(lambda: layers.Dot(axes=1)([left, right])))[0] == 'units=32 in "left"'


def test_a_branch_with_strides_keeps_its_size():
    image = lamina.Input((14, 14, 3))
    pooled = layers.MaxPooling2D(2, name="pool")(image)
    error = failed(lambda: layers.Concatenate()([image, pooled, image]))
    assert any(code == 'strides=1, padding="same" in "pool"' for code in codes(error))


def test_a_product_of_matrices_offers_the_transposed_one():
    class Scores(lamina.Layer):
        def call(self, q):
            k = q * 2
            return ops.matmul(q, k)

    error = failed(lambda: Scores()(lamina.Input((9, 8))))
    assert codes(error)[0] == "ops.matmul(q, ops.swapaxes(k, -1, -2))"
    assert error.fixes[0].shape == "(batch, 9, 9)"


def test_names_that_no_input_or_output_has_are_located():
    title, tags = lamina.Input((6,), name="title"), lamina.Input((4,), name="tags")
    model = lamina.Model([title, tags], layers.Concatenate()([title, tags]))
    error = failed(lambda: model.predict({"title_ids": np.zeros((8, 6)), "tags": np.zeros((8, 4))}, verbose=0))
    assert error.call_site.file == __file__
    assert codes(error)[0] == '{"title": np.zeros((8, 6)), "tags": np.zeros((8, 4))}'
    model.compile("sgd", loss={"concat": "mse"})
    assert failed(lambda: model.fit([np.zeros((2, 6)), np.zeros((2, 4))], np.zeros((2, 10)), verbose=0)).call_site


def test_validation_data_is_repaired_and_not_the_training_data():
    model = lamina.Sequential([lamina.Input((6,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y, x_val, y_val = np.zeros((8, 6)), np.zeros(8), np.zeros((4, 9)), np.zeros(4)
    error = failed(lambda: model.fit(x, y, validation_data=(x_val, y_val), verbose=0))
    assert codes(error)[0] == "x_val = x_val[..., :6]"


def test_compute_loss_of_the_users_is_located():
    class Quantiles(lamina.Model):
        def __init__(self):
            super().__init__()
            self.out = layers.Dense(3)

        def call(self, x):
            return self.out(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return ops.mean(y - y_pred)

    model = Quantiles()
    model.compile("sgd")
    error = failed(lambda: model.fit(np.zeros((4, 2)), np.zeros((4, 2)), verbose=0))
    assert error.call_site.source == "return ops.mean(y - y_pred)"
    assert "(4, 2)" in str(error)
    assert "(4, 3)" in str(error)


def test_names_of_inputs_are_not_sizes_of_another_statement_on_the_line():
    a, b = lamina.Input([10, 4]), lamina.Input([8, 4])
    error = failed(lambda: (layers.Reshape([5, 8]), layers.Concatenate()([a, b])))
    assert "layers.Cropping1D(1)(a)" in codes(error)


def test_a_table_with_another_number_of_rows_for_an_embedding():
    words = layers.Embedding(101, 8)
    words.build((None,))
    assert codes(failed(lambda: words.set_weights([np.zeros((100, 8))])))[0] == "layers.Embedding(100, 8)"


def test_labels_to_validate_on_that_lack_a_class():
    model = lamina.Sequential([lamina.Input((2,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    x, y, y_val = np.zeros((3, 2)), np.eye(3), np.eye(2)
    error = failed(lambda: model.fit(x, y, validation_data=(np.zeros((2, 2)), y_val), verbose=0))
    assert codes(error)[0] == "y_val = keras.utils.to_categorical(y_val.argmax(-1), num_classes=3)"
