"""Encodings, normalisations, attention and cross-entropies."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import config, dtypes
from lamina.core.symbolic import op
from lamina.kernels import crossentropy
from lamina.ops.arrays import array, axes_tuple, floats
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

__all__ = [
    "batch_normalization", "binary_crossentropy", "categorical_crossentropy", "ctc_loss", "depth_to_space",
    "dot_product_attention", "layer_normalization", "moments", "multi_hot", "normalize", "one_hot",
    "rms_normalization", "space_to_depth", "sparse_categorical_crossentropy",
]  # fmt: skip


@op
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> jax.Array:
    """Each whole number as a vector with a single one (zeros for numbers out of range).

    >>> import lamina
    >>> lamina.ops.one_hot([2, 0], 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    _dense_only(sparse)
    x = array(x)
    return jax.nn.one_hot(x, num_classes, axis=axis, dtype=dtypes.canonical(dtype))


@op
def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> jax.Array:
    """Which of the classes occur along the last axis of `inputs`, as ones in a vector along `axis`."""
    _dense_only(sparse)
    if num_classes is None:
        raise ValueError("`multi_hot` needs `num_classes`, a positive whole number")
    x = array(inputs)
    at = 1 if x.ndim > 1 else 0
    return jnp.max(jax.nn.one_hot(x, num_classes, axis=axis, dtype=dtypes.canonical(dtype)), axis=at)


def _dense_only(sparse: bool) -> None:
    if sparse:
        raise ValueError("`sparse`=True: sparse tensors are not supported")


@op
def normalize(x: Any, axis: Any = -1, order: Any = 2, epsilon: float | None = None) -> jax.Array:
    """`x` divided by its norm along an axis."""
    x = floats(x)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), axis=axis, keepdims=True), epsilon**2))
    return x / jnp.maximum(jnp.linalg.norm(x, ord=order, axis=axis, keepdims=True), epsilon)


@op
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[jax.Array, jax.Array]:
    """Mean and variance along the axes; 16-bit floats are summed in 32 bits.

    `synchronized` changes nothing: under sharding the mean is one over all devices anyway.
    """
    x = floats(x)
    wide = x.astype("float32") if x.dtype.itemsize == 2 else x
    along = axes_tuple(axes, x.ndim, "axes")
    mean, variance = jnp.mean(wide, along, keepdims=keepdims), jnp.var(wide, along, keepdims=keepdims)
    if wide is not x:
        bound = float(jnp.finfo(x.dtype).max)
        mean, variance = jnp.clip(mean, -bound, bound), jnp.clip(variance, -bound, bound)
    return mean.astype(x.dtype), variance.astype(x.dtype)


@op
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> jax.Array:
    """`x` less the mean, over the standard deviation, scaled and moved; the statistics lie along `axis`."""
    x = array(x)
    shape = [1] * x.ndim
    shape[axis] = -1
    factor = jax.lax.rsqrt(array(variance).reshape(shape) + epsilon)
    if scale is not None:
        factor = factor * array(scale).reshape(shape)
    shift = -array(mean).reshape(shape) * factor
    if offset is not None:
        shift = shift + array(offset).reshape(shape)
    return x * factor + shift


def _over_last(x: jax.Array, axis: Any) -> tuple[int, ...]:
    return axes_tuple(axis, x.ndim) or ()


def _aligned(parameter: Any, x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    parameter = array(parameter)
    return parameter.reshape([x.shape[i] if i in axes else 1 for i in range(x.ndim)]).astype(x.dtype)


@op
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None
) -> jax.Array:
    """`x` with mean 0 and variance 1 along the axes, times `gamma` plus `beta` (Ba et al., 2016)."""
    x = floats(x)
    axes = _over_last(x, axis)
    wide = x.astype("float32") if x.dtype.itemsize == 2 else x
    mean, variance = jnp.mean(wide, axes, keepdims=True), jnp.var(wide, axes, keepdims=True)
    out = (wide - mean) * jax.lax.rsqrt(variance + (config.epsilon() if epsilon is None else epsilon))
    out = out if gamma is None else out * _aligned(gamma, wide, axes)
    return (out if beta is None else out + _aligned(beta, wide, axes)).astype(x.dtype)


@op
def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> jax.Array:
    """`x` over its root mean square along the axes, times `scale` (Zhang and Sennrich, 2019)."""
    x = floats(x)
    axes = _over_last(x, axis)
    wide = x.astype("float32") if x.dtype.itemsize == 2 else x
    square = jnp.mean(jnp.square(wide), axes, keepdims=True)
    out = wide * jax.lax.rsqrt(square + (config.epsilon() if epsilon is None else epsilon))
    return (out if scale is None else out * _aligned(scale, wide, axes)).astype(x.dtype)


def _log_shares(output: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    """Logarithms of probabilities, from logits or from numbers in proportion to the probabilities."""
    if from_logits:
        return jax.nn.log_softmax(output, axis=axis)
    share = output / jnp.sum(output, axis, keepdims=True)
    return jnp.log(jnp.clip(share, config.epsilon(), 1.0 - config.epsilon()))


def _same_shape(name: str, target: jax.Array, output: jax.Array) -> None:
    pairs = zip(target.shape, output.shape, strict=False)
    apart = any(dims.is_known(a) and dims.is_known(b) and a != b for a, b in pairs)
    if target.ndim != output.ndim or apart:
        raise ShapeError(
            f"`{name}`: `target` and `output` differ in shape",
            expected=f"`target` of shape {dims.show_shape(output.shape)}",
            received=dims.show_shape(target.shape),
        )


@op
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> jax.Array:
    """Cross-entropy between class probabilities, ``(..., classes)`` both.

    Args:
        target: the true probabilities (one-hot).
        output: predicted probabilities (scaled to the sum 1), or logits.
        from_logits: whether `output` is logits.
        axis: the axis of classes.
    """
    output = floats(output)
    target = array(target).astype(output.dtype)
    if not target.ndim:
        raise ShapeError("`categorical_crossentropy` takes at least 1 axis", received="()")
    _same_shape("categorical_crossentropy", target, output)
    return -jnp.sum(target * _log_shares(output, from_logits, axis), axis)


@op
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> jax.Array:
    """Cross-entropy between whole-number classes ``(...)`` and probabilities ``(..., classes)``.

    Args:
        target: the true classes; a last axis of size 1 is taken off where it is one too many.
        output: predicted probabilities (scaled to the sum 1), or logits.
        from_logits: whether `output` is logits.
        axis: the axis of classes.
    """
    output = floats(output)
    target = array(target)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = target[..., 0]
    at = axis % output.ndim if output.ndim else 0
    _same_shape("sparse_categorical_crossentropy", target, jnp.take(output, 0, at) if output.ndim else output)
    numbers = target.astype("int32")
    if from_logits:
        return -crossentropy.log_probability(numbers, output, axis)
    return -crossentropy.log_share(numbers, output, axis, config.epsilon())


@op
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> jax.Array:
    """Cross-entropy between probabilities of one class, element by element."""
    output = floats(output)
    target = array(target).astype(output.dtype)
    _same_shape("binary_crossentropy", target, output)
    if from_logits:
        return jnp.maximum(output, 0) - output * target + jnp.log1p(jnp.exp(-jnp.abs(output)))
    share = jnp.clip(output, config.epsilon(), 1.0 - config.epsilon())
    return -(target * jnp.log(share) + (1 - target) * jnp.log1p(-share))


@op
def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> jax.Array:
    """Connectionist temporal classification (Graves et al., 2006), one loss for each element of the batch.

    Args:
        target: the true labels, ``(batch, labels)``.
        output: logits, ``(batch, time, classes)``.
        target_length: how many labels count, ``(batch,)``.
        output_length: how many time steps count, ``(batch,)``.
        mask_index: the class that stands for no label.
    """
    import optax  # half of what importing this library would take

    labels, logits = array(target).astype("int32"), floats(output)
    if labels.ndim != 2 or logits.ndim != 3:
        raise ShapeError(
            "`ctc_loss`: `target` or `output` has the wrong number of axes",
            expected="target (batch, labels), output (batch, time, classes)",
            received=f"target {dims.show_shape(labels.shape)}, output {dims.show_shape(logits.shape)}",
        )

    def beyond(lengths: Any, size: Any) -> jax.Array:
        return (jnp.arange(size) >= array(lengths)[:, None]).astype(logits.dtype)

    unused_time = beyond(output_length, logits.shape[1])
    return optax.ctc_loss(logits, unused_time, labels, beyond(target_length, labels.shape[1]), blank_id=mask_index)


@op
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> jax.Array:
    """Scaled dot-product attention (Vaswani et al., 2017).

    Args:
        query: ``(batch, to_length, heads, head_features)``.
        key, value: ``(batch, from_length, key_heads, head_features)``; `heads` is a multiple of `key_heads`.
        bias: added to the scores, ``(batch, heads, to_length, from_length)`` or what broadcasts to it.
        mask: true where attention is allowed, in the same shape.
        scale: of the scores; ``1 / sqrt(head_features)`` by default.
        is_causal: whether a place sees only itself and those before it.
        flash_attention: whether to use cuDNN's fused kernel, which needs a GPU; ``None`` means no.
        attn_logits_soft_cap: bound that the scores are bent towards.
    """
    q, k, v = (array(x) for x in (query, key, value))
    for name, x in (("query", q), ("key", k), ("value", v)):
        if x.ndim != 4:
            raise ShapeError(
                f"`dot_product_attention`: `{name}` has {x.ndim} axes, not 4",
                expected="(batch, length, heads, head_features)",
                received=dims.show_shape(x.shape),
            )
    bias = None if bias is None else array(bias).astype(q.dtype)
    mask = None if mask is None else array(mask).astype(bool)
    if attn_logits_soft_cap is not None:
        if flash_attention:
            raise ValueError("`attn_logits_soft_cap` and `flash_attention`=True cannot be used together")
        return _capped_attention(q, k, v, bias, mask, scale, is_causal, attn_logits_soft_cap)
    return jax.nn.dot_product_attention(
        q, k, v, bias, mask, scale=scale, is_causal=is_causal, implementation="cudnn" if flash_attention else None
    )


def _capped_attention(q: Any, k: Any, v: Any, bias: Any, mask: Any, scale: Any, causal: bool, cap: float) -> Any:
    repeats = q.shape[2] // k.shape[2]
    k, v = jnp.repeat(k, repeats, axis=2), jnp.repeat(v, repeats, axis=2)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = jnp.einsum("btnh,bsnh->bnts", q, k, preferred_element_type="float32") * scale
    scores = jnp.tanh(scores / cap) * cap
    if bias is not None:
        scores = scores + bias
    allowed = jnp.tri(q.shape[1], k.shape[1], dtype=bool) if causal else jnp.ones((1, 1), bool)
    allowed = allowed if mask is None else allowed & mask
    weights = jax.nn.softmax(jnp.where(allowed, scores, jnp.finfo("float32").min), axis=-1).astype(q.dtype)
    return jnp.einsum("bnts,bsnh->btnh", weights, v)


def _blocks(x: Any, data_format: str, name: str) -> jax.Array:
    x = array(x)
    config.standardize_data_format(data_format)
    if x.ndim != 4:
        raise ShapeError(f"`{name}` takes images of 4 axes, not {x.ndim}", received=dims.show_shape(x.shape))
    return x


@op
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> jax.Array:
    """Channels laid out as blocks of ``block_size * block_size`` pixels.

    A block's channels come first with ``"channels_last"``, the result's channels with ``"channels_first"``.
    """
    x, b = _blocks(x, data_format, "depth_to_space"), block_size
    last = data_format == "channels_last"
    n, h, w, c = x.shape if last else (x.shape[0], *x.shape[2:], x.shape[1])
    if c % b**2 != 0:
        raise ShapeError(
            f"`depth_to_space`: {c} channels cannot be divided by {b}**2", received=dims.show_shape(x.shape)
        )
    if last:
        return x.reshape(n, h, w, b, b, c // b**2).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // b**2)
    return x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // b**2, h * b, w * b)


@op
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> jax.Array:
    """Blocks of ``block_size * block_size`` pixels stacked as channels: the opposite of `depth_to_space`."""
    x, b = _blocks(x, data_format, "space_to_depth"), block_size
    last = data_format == "channels_last"
    n, h, w, c = x.shape if last else (x.shape[0], *x.shape[2:], x.shape[1])
    if h % b != 0 or w % b != 0:
        raise ShapeError(
            f"`space_to_depth`: height {h} and width {w} must be multiples of {b}", received=dims.show_shape(x.shape)
        )
    h, w = h // b, w // b
    if last:
        return x.reshape(n, h, b, w, b, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h, w, b**2 * c)
    return x.reshape(n, c, h, b, w, b).transpose(0, 1, 3, 5, 2, 4).reshape(n, c * b**2, h, w)
