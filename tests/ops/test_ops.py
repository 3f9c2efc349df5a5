"""What parity cannot show: errors, variables, jit, symbolic arguments, control flow, and where Keras is wrong."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina import ShapeError, ops

BAD_SHAPES = [
    (lambda: ops.add(ops.ones((2, 3)), ops.ones((2, 4))), r"\(2, 3\) and \(2, 4\)"),
    (lambda: ops.matmul(ops.ones((2, 3)), ops.ones((4, 5))), "size 3.*4"),
    (lambda: ops.reshape(ops.ones((2, 3)), (4, 2)), r"\(4, 2\)"),
    (lambda: ops.concatenate([ops.ones((2, 3)), ops.ones((3, 4))], axis=1), "concatenate"),
    (lambda: ops.stack([ops.ones(2), ops.ones(3)]), "stack"),
    (lambda: ops.squeeze(ops.ones((2, 3)), 1), "axis 1 has size 3"),
    (lambda: ops.split(ops.ones((5, 3)), 2), "2 equal parts"),
    (lambda: ops.einsum("ij,jk->ik", ops.ones((2, 3)), ops.ones((4, 5))), "ij,jk->ik"),
    (lambda: ops.conv(ops.ones((1, 8, 8, 4)), ops.ones((3, 3, 3, 8))), "4 channels.*channels_last"),
    (lambda: ops.conv(ops.ones((8, 8, 3)), ops.ones((3, 3, 3, 8))), "3 axes and a kernel of 4"),
    (lambda: ops.conv(ops.ones((1, 2, 2, 3)), ops.ones((3, 3, 3, 8))), "spans 3 places"),
    (lambda: ops.depthwise_conv(ops.ones((1, 8, 8, 4)), ops.ones((3, 3, 3, 1))), "4 channels"),
    (lambda: ops.conv_transpose(ops.ones((1, 8, 4)), ops.ones((3, 5, 3))), "4 channels"),
    (lambda: ops.max_pool(ops.ones((8, 8)), 2), "3 axes or more, not 2"),
    (lambda: ops.average_pool(ops.ones((1, 2, 2, 3)), 3), "spans 3 places"),
    (lambda: ops.categorical_crossentropy(ops.ones((2, 3)), ops.ones((2, 4))), "differ in shape"),
    (lambda: ops.sparse_categorical_crossentropy(ops.ones((3,)), ops.ones((2, 4))), "differ in shape"),
    (lambda: ops.inv(ops.ones((2, 3))), "square"),
    (lambda: ops.solve(np.eye(3, dtype="float32"), ops.ones((2,))), "right side"),
    (lambda: ops.top_k(ops.ones((2, 3)), 5), "no 5 elements"),
    (lambda: ops.rearrange(ops.ones((2, 5)), "a (b c) -> a b c", c=2), r"\(2, 5\)"),
    (lambda: ops.dot_product_attention(ops.ones((2, 3)), ops.ones((2, 3)), ops.ones((2, 3))), "`query` has 2 axes"),
    (lambda: ops.image.resize(ops.ones((4, 4)), (2, 2)), "not 2 axes"),
    (lambda: ops.depth_to_space(ops.ones((1, 2, 2, 3)), 2), "3 channels"),
]
BAD_VALUES = [
    (lambda: ops.sum(ops.ones((2, 3)), axis=2), "`axis`=2"),
    (lambda: ops.transpose(ops.ones((2, 3)), (0, 0)), "`axes`"),
    (lambda: ops.conv(ops.ones((1, 8, 3)), ops.ones((3, 3, 8)), padding="sme"), "did you mean 'same'"),
    (lambda: ops.conv(ops.ones((1, 8, 3)), ops.ones((3, 3, 8)), strides=2, dilation_rate=2), "only one"),
    (lambda: ops.conv_transpose(ops.ones((1, 8, 3)), ops.ones((3, 5, 3)), 2, output_padding=2), "smaller"),
    (lambda: ops.max_pool(ops.ones((1, 8, 3)), 0), "`pool_size`=0"),
    (lambda: ops.max_pool(ops.ones((1, 8, 3)), 2, data_format="channel_last"), "did you mean 'channels_last'"),
    (lambda: ops.cast([1.0], "flot32"), "did you mean 'float32'"),
    (lambda: ops.zeros((None, 3)), "zeros_like"),
    (lambda: ops.zeros((-1, 3)), "-1 is not a size"),
    (lambda: ops.where([True], 1), "both"),
    (lambda: ops.convert_to_tensor("text"), "array of numbers"),
    (lambda: ops.convert_to_tensor([[1], [1, 2]]), "cannot be made an array"),
    (lambda: ops.convert_to_tensor([1], sparse=True), "sparse"),
    (lambda: ops.scatter_update(ops.ones(3), [[0]], [1.0], reduction="ad"), "did you mean 'add'"),
    (lambda: ops.rearrange(ops.ones((2, 5)), "a b -> a c"), "other|different"),
    (lambda: ops.cholesky(-np.eye(2, dtype="float32")), "positive definite"),
    (lambda: ops.fft(ops.ones(4)), "real and the imaginary"),
    (lambda: ops.image.pad_images(ops.ones((2, 2, 1)), 1), "just two"),
    (lambda: ops.multi_hot([1, 2]), "num_classes"),
]


@pytest.mark.parametrize(("call", "words"), BAD_SHAPES)
def test_shapes_that_do_not_fit(call, words):
    with pytest.raises(ShapeError, match=words):
        call()


@pytest.mark.parametrize(("call", "words"), BAD_VALUES)
def test_bad_values(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_shape_errors_come_through_symbolic_calls():
    x = lamina.KerasTensor((None, 8, 8, 4))
    with pytest.raises(ShapeError, match="4 channels"):
        ops.conv(x, ops.ones((3, 3, 3, 8)))


def test_variables_numbers_and_lists_are_taken():
    v = lamina.Variable([1.0, 2.0])
    assert ops.add(v, 1).tolist() == [2.0, 3.0]
    assert ops.stack([v, v]).shape == (2, 2)
    assert ops.convert_to_tensor([v, v]).shape == (2, 2)
    assert ops.matmul([[1.0, 2.0]], v).tolist() == [5.0]
    assert ops.cast(v, "int32").tolist() == [1, 2]
    assert ops.convert_to_numpy(v).tolist() == [1.0, 2.0]
    assert not ops.is_tensor(v)
    assert not ops.is_tensor(np.ones(2))
    assert ops.dtype(v) == "float32"


def test_a_python_number_takes_the_type_it_meets():
    assert ops.add(ops.ones(2, "float16"), 2.5).dtype == "float16"
    assert ops.add(ops.ones(2, "int8"), 2).dtype == "int8"
    assert ops.where([True, False], ops.ones(2, "bfloat16"), 0.0).dtype == "bfloat16"


def test_64_bit_input_gives_no_warning_and_changes_no_setting():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ops.exp(np.ones(2)).dtype == "float32"
        assert ops.sum(np.ones(2, "int64")).dtype == "int32"
        assert ops.add(np.ones(2), [1.0, 2.0]).dtype == "float32"
        assert ops.cast([1, 2], "int64").dtype == "int32"
        assert ops.dtype(np.ones(2)) == "float64"
        assert ops.argmax(np.ones(3)).dtype == "int32"
    assert not jax.config.jax_enable_x64


def test_symbolic_sizes_flow_through():
    x = lamina.KerasTensor((None, "time", 6))
    assert ops.shape(x) == (None, None, 6)
    y = ops.reshape(x, (ops.shape(x)[0], -1))
    assert str(y.dims) == "(batch, 6*time)"
    assert str(ops.reshape(x, (-1, 6)).dims) == "(batch*time, 6)"
    assert ops.concatenate([x, x], axis=1).dims[1] == 2 * x.dims[1]
    assert str(ops.broadcast_to(0 * x + ops.ones((6,)), (None, None, 6)).dims) == "(batch, time, 6)"


def test_open_sizes_inside_a_trace():
    def program(x):
        n, t = ops.shape(x)[:2]
        places = ops.arange(t)
        mask = ops.cast(ops.expand_dims(places, 0) < t - 1, x.dtype)
        return ops.sum(x * ops.expand_dims(mask, -1), axis=1) + ops.zeros((n, 1)) + lamina.random.normal((n, 1), seed=1)

    from lamina.core.symbolic import op

    assert op(program)(lamina.KerasTensor((None, None, 6))).shape == (None, 6)


def test_everything_runs_under_jit_and_gradients():
    def loss(w, x):
        hidden = ops.relu(ops.conv(x, w, padding="same"))
        pooled = ops.average_pool(hidden, 2, padding="same") + ops.max_pool(hidden, 2, padding="same")
        return ops.mean(ops.logsumexp(ops.reshape(pooled, (ops.shape(x)[0], -1)), axis=1))

    w, x = lamina.random.normal((3, 3, 2, 4), seed=1), lamina.random.normal((2, 5, 5, 2), seed=2)
    grads = jax.jit(jax.grad(loss))(w, x)
    step = jnp.zeros_like(w).at[1, 1, 0, 2].set(1e-2)
    slope = (loss(w + step, x) - loss(w - step, x)) / 2e-2
    np.testing.assert_allclose(grads[1, 1, 0, 2], slope, rtol=2e-2)


def test_control_flow():
    assert int(ops.cond(ops.array(True), lambda: 1, lambda: 2)) == 1
    assert int(ops.switch(5, [lambda x: x, lambda x: 2 * x], 4)) == 8
    assert [int(v) for v in ops.while_loop(lambda i, s: i < 9, lambda i, s: (i + 1, s + i), (0, 0))] == [9, 36]
    assert int(ops.while_loop(lambda i: i < 9, lambda i: i + 1, 0, maximum_iterations=3)) == 3
    assert int(ops.fori_loop(0, 4, lambda i, s: s + i, 0)) == 6
    assert ops.associative_scan(jnp.add, ops.arange(4)).tolist() == [0, 1, 3, 6]
    assert ops.map(lambda x: 2 * x, ops.arange(3)).tolist() == [0, 2, 4]
    assert ops.vectorized_map(lambda x: ops.sum(x), ops.ones((3, 2))).tolist() == [2, 2, 2]
    carry, seen = ops.scan(lambda c, x: (c + x, c), 0, ops.arange(4), reverse=True)
    assert int(carry) == 6
    assert seen.tolist() == [6, 5, 3, 0]
    value, slope = ops.jvp(lambda x: x**2, (3.0,), (1.0,))
    assert (float(value), float(slope)) == (9.0, 6.0)


def test_gradients_can_be_stopped_and_replaced():
    assert float(jax.grad(lambda x: x * ops.stop_gradient(x))(3.0)) == 3.0
    doubled = ops.custom_gradient(lambda x: (x * x, lambda upstream: upstream * 100.0))
    assert float(jax.grad(lambda x: doubled(x))(3.0)) == 100.0


def test_sparsemax_is_a_point_of_the_simplex():
    x = lamina.random.normal((20, 7), seed=3) * 2
    found = np.asarray(ops.sparsemax(x))
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)
    assert (found == 0).any()
    gap = np.where(found > 0, np.asarray(x) - found, np.nan)
    np.testing.assert_allclose(np.nanmax(gap, -1), np.nanmin(gap, -1), atol=1e-5)
    np.testing.assert_allclose(ops.sparsemax(x.T, axis=0), found.T, atol=1e-6)


def test_gaussian_blur_is_separable_and_the_same_in_both_data_formats():
    x = lamina.random.normal((2, 9, 8, 3), seed=1)
    found = ops.image.gaussian_blur(x, (3, 5), (1.0, 2.0))
    first = ops.image.gaussian_blur(jnp.moveaxis(x, -1, 1), (3, 5), (1.0, 2.0), "channels_first")
    np.testing.assert_allclose(found, jnp.moveaxis(first, 1, -1), atol=1e-5)
    np.testing.assert_allclose(ops.image.gaussian_blur(jnp.ones((9, 8, 2)))[1:-1, 1:-1], 1.0, rtol=1e-5)


@pytest.mark.parametrize("function", [ops.max_pool, ops.average_pool])
def test_pooling_steps_by_its_window_and_formats_agree(function):
    x = lamina.random.normal((2, 7, 6, 3), seed=1)
    found = function(x, (2, 3), padding="same")
    assert found.shape == (2, 4, 2, 3)
    first = function(jnp.moveaxis(x, -1, 1), (2, 3), padding="same", data_format="channels_first")
    np.testing.assert_allclose(found, jnp.moveaxis(first, 1, -1), rtol=1e-6)


def test_the_default_data_format_is_obeyed():
    x, kernel = ops.ones((1, 3, 8, 8)), ops.ones((3, 3, 3, 4))
    lamina.config.set_image_data_format("channels_first")
    try:
        assert ops.conv(x, kernel).shape == (1, 4, 6, 6)
        assert ops.max_pool(x, 2).shape == (1, 3, 4, 4)
    finally:
        lamina.config.set_image_data_format("channels_last")


def test_soft_capped_attention_approaches_the_plain_one():
    q, k, v = (lamina.random.normal((2, 5, 4, 3), seed=s) for s in (1, 2, 3))
    plain = ops.dot_product_attention(q, k, v, is_causal=True)
    np.testing.assert_allclose(
        ops.dot_product_attention(q, k, v, is_causal=True, attn_logits_soft_cap=1e3), plain, atol=1e-4
    )
    assert not np.allclose(
        ops.dot_product_attention(q, k, v, is_causal=True, attn_logits_soft_cap=0.5), plain, atol=1e-2
    )


def test_segments_count_themselves_and_reductions_take_several_axes():
    assert ops.segment_sum([1.0, 2.0, 3.0], [0, 2, 2]).tolist() == [1.0, 0.0, 5.0]
    assert ops.mean(ops.ones((2, 3, 4)), axis=[0, 2]).shape == (3,)
