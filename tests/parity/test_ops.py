# ruff: noqa: E501, E741
"""Values, data types and symbolic shapes of operations, against the real Keras."""

from __future__ import annotations

import collections
import inspect

import jax
import keras
import numpy as np
import pytest

import lamina

rng = np.random.default_rng(0)
F = rng.normal(size=(4, 6)).astype("float32")
G = rng.normal(size=(4, 6)).astype("float32")
P = rng.uniform(0.1, 0.9, size=(4, 6)).astype("float32")
S = (F[:, :4] @ F[:, :4].T + 3 * np.eye(4)).astype("float32")
I = rng.integers(1, 9, size=(4, 6)).astype("int32")
J = rng.integers(1, 5, size=(4, 6)).astype("int32")
B = I > 4
V = rng.normal(size=6).astype("float32")
W = rng.normal(size=6).astype("float32")
T3 = rng.normal(size=(4, 6, 8)).astype("float32")
N = np.where(B, np.nan, F).astype("float32")
C = (F + 1j * G).astype("complex64")
X1 = rng.normal(size=(2, 12, 6)).astype("float32")
X2 = rng.normal(size=(2, 8, 9, 6)).astype("float32")
X3 = rng.normal(size=(2, 5, 6, 7, 2)).astype("float32")
X2F = np.moveaxis(X2, -1, 1).copy()


def k(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


UNARY = [
    "abs",
    "absolute",
    "angle",
    "arcsinh",
    "arctan",
    "cbrt",
    "ceil",
    "conj",
    "conjugate",
    "cos",
    "cosh",
    "deg2rad",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "floor",
    "i0",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "logical_not",
    "negative",
    "rad2deg",
    "real",
    "reciprocal",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "square",
    "tan",
    "tanh",
    "trunc",
    "ravel",
    "copy",
    "fliplr",
    "flipud",
    "relu",
    "relu6",
    "sigmoid",
    "log_sigmoid",
    "softplus",
    "softsign",
    "silu",
    "swish",
    "selu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "tanh_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "hard_tanh",
    "leaky_relu",
    "elu",
    "celu",
    "gelu",
    "glu",
    "hard_shrink",
    "soft_shrink",
    "squareplus",
    "softmax",
    "log_softmax",
    "erf",
    "erfc",
    "logsumexp",
    "all",
    "any",
    "amax",
    "amin",
    "mean",
    "std",
    "var",
    "median",
    "ptp",
    "sum",
    "prod",
    "max",
    "min",
    "count_nonzero",
    "average",
    "cumsum",
    "cumprod",
    "nancumsum",
    "nancumprod",
    "diff",
    "argmax",
    "argmin",
    "nanargmax",
    "nanargmin",
    "trapezoid",
    "corrcoef",
    "trace",
    "norm",
    "normalize",
    "size",
    "ndim",
    "zeros_like",
    "ones_like",
    "transpose",
    "squeeze",
    "sort",
    "argsort",
    "diag",
    "diagflat",
    "diagonal",
    "tril",
    "triu",
    "rot90",
    "nan_to_num",
    "rfft",
    "stop_gradient",
    "nonzero",
    "flip",
    "svd",
    "pinv",
    "matrix_rank",
]
BINARY = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "true_divide",
    "floor_divide",
    "mod",
    "fmod",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "arctan2",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "heaviside",
    "nextafter",
    "equal",
    "not_equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "divide_no_nan",
    "isclose",
    "outer",
    "vdot",
    "kron",
    "inner",
    "append",
    "allclose",
]
WHOLE = [
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "left_shift",
    "right_shift",
    "gcd",
    "lcm",
]
NAN = ["nansum", "nanprod", "nanmax", "nanmin", "nanmean", "nanmedian", "nanstd", "nanvar", "nancumsum"]
POSITIVE = ["sqrt", "log", "log10", "log1p", "log2", "arccos", "arcsin", "arctanh", "rsqrt", "erfinv"]
KEEP = ["sum", "mean", "max", "min", "std", "var", "prod", "amax", "any", "all", "median", "logsumexp"]

CASES = [(name, (F,), {}) for name in UNARY]
CASES += [
    (name, (I,), {})
    for name in [
        "abs",
        "negative",
        "sign",
        "square",
        "sum",
        "mean",
        "prod",
        "max",
        "cumsum",
        "median",
        "relu",
        "softmax",
        "norm",
        "exp",
    ]
]
CASES += [(name, (F, G), {}) for name in BINARY] + [(name, (I, J), {}) for name in BINARY if name != "nextafter"]
CASES += [
    (name, (F, 2), {}) for name in BINARY if name not in ("vdot", "kron", "inner", "append", "allclose", "nextafter")
]
CASES += [(name, (I, 2.5), {}) for name in ("add", "multiply", "divide", "maximum", "power", "mod", "less")]
CASES += (
    [(name, (I, J), {}) for name in WHOLE]
    + [(name, (N,), {}) for name in NAN]
    + [(name, (P,), {}) for name in POSITIVE]
)
CASES += [(name, (T3,), {"axis": (0, -1), "keepdims": True}) for name in KEEP]
CASES += [(name, (T3,), {"axis": 1}) for name in KEEP]
CASES += [
    ("arccosh", (P + 1,), {}), ("power", (P, F), {}), ("power", (I, J), {}), ("ldexp", (F, J), {}), ("polar", (P, F), {}),
    ("abs", (C,), {}), ("angle", (C,), {}), ("real", (C,), {}), ("view_as_real", (C,), {}),
    ("view_as_complex", (F.reshape(4, 3, 2),), {}), ("bitwise_not", (I,), {}), ("bitwise_invert", (I,), {}),
    ("clip", (F, -0.5, 0.5), {}), ("clip", (I, 2, 4), {}), ("clip", (I, 1.5, 2.5), {}), ("clip", (B, 0, 1), {}),
    ("round", (F,), {}), ("round", (F, 1), {}), ("round", (I, 1), {}),
    ("matmul", (F, G.T), {}), ("matmul", (T3, V[:, None].repeat(3, 1)[:0:-1].repeat(2, 0)[:8]), {}),
    ("matmul", (F, V), {}), ("matmul", (I.astype("int8"), J.T.astype("int8")), {}),
    ("dot", (F, G.T), {}), ("dot", (V, W), {}), ("dot", (F, 2.0), {}), ("tensordot", (F, G), {"axes": 2}),
    ("tensordot", (T3, G), {"axes": [[0, 1], [0, 1]]}), ("cross", (F[:, :3], G[:, :3]), {}),
    ("einsum", ("ij,kj->ik", F, G), {}), ("einsum", ("ij,kj->ik", I.astype("int8"), J.astype("int8")), {}),
    ("correlate", (V, W[:3]), {}), ("correlate", (V, W), {"mode": "full"}),
    ("reshape", (T3, (-1, 6, 4, 2)), {}), ("reshape", (T3, (4, -1)), {}), ("reshape", (F, -1), {}),
    ("transpose", (T3, (0, 2, 1)), {}), ("broadcast_to", (V, (3, 6)), {}), ("expand_dims", (F, 1), {}),
    ("expand_dims", (F, (0, -1)), {}), ("squeeze", (F[:, None],), {}), ("squeeze", (F[:, None], 1), {}),
    ("moveaxis", (T3, 0, -1), {}), ("moveaxis", (T3, (0, 1), (2, 0)), {}), ("swapaxes", (T3, 0, 2), {}),
    ("concatenate", ([F, G],), {"axis": 1}), ("concatenate", ([I, F.astype("float16")],), {}), ("stack", ([F, I],), {}),
    ("stack", ([F, G],), {"axis": -1}), ("hstack", ([F, G],), {}), ("vstack", ([F, G],), {}), ("dstack", ([F, G],), {}),
    ("append", (F, G), {"axis": 1}), ("split", (F, 2), {"axis": 1}), ("split", (F, [1, 3]), {"axis": 1}),
    ("array_split", (F, 4), {"axis": 1}), ("hsplit", (F, 3), {}), ("vsplit", (F, 2), {}), ("dsplit", (T3, 2), {}),
    ("flip", (T3,), {"axis": 1}), ("roll", (F, 2), {"axis": 1}), ("roll", (F, 3), {}), ("repeat", (F, 2), {"axis": 1}),
    ("repeat", (F, 2), {}), ("repeat", (V, np.arange(6)), {"axis": 0}), ("tile", (F, (2, 3)), {}), ("tile", (F, 2), {}),
    ("pad", (F, ((0, 0), (1, 2))), {}), ("pad", (F, 1), {"constant_values": 3.0}), ("pad", (F, ((0, 0), (1, 2))), {"mode": "reflect"}),
    ("take", (F, [0, -1]), {"axis": 1}), ("take", (F, [3, 5]), {}), ("take", (F, I % 4), {"axis": 0}),
    ("take_along_axis", (F, I % 6), {"axis": 1}), ("where", (B, F, G), {}), ("where", (B, I, 2.5), {}),
    ("where", (B, F.astype("float16"), 0), {}), ("where", (B,), {}), ("select", ([B, I > 2], [F, G]), {"default": 7}),
    ("sort", (T3,), {"axis": 1}), ("argsort", (T3,), {"axis": 0}), ("argpartition", (V, 2), {}),
    ("searchsorted", (np.sort(V), W), {}), ("searchsorted", (np.sort(V), W), {"side": "right"}),
    ("digitize", (F, np.array([-1.0, 0.0, 1.0], "float32")), {}), ("isin", (I, [1, 2]), {}), ("unique", (I,), {}),
    ("unique", (I,), {"return_counts": True, "return_inverse": True}), ("unravel_index", (I, (3, 4)), {}),
    ("diag", (V,), {"k": 1}), ("diagonal", (T3,), {"offset": 1, "axis1": 1, "axis2": 2}), ("tril", (T3, 1), {}),
    ("view", (F, "int32"), {}), ("quantile", (F, 0.3), {"axis": 1}), ("quantile", (F, [0.1, 0.5]), {"axis": 0}),
    ("percentile", (I, 30), {}), ("nanquantile", (N, 0.3), {}), ("nanpercentile", (N, 30), {"axis": 1}),
    ("average", (F,), {"axis": 1, "weights": P}), ("average", (I,), {"axis": 1, "weights": V.astype("float16")}),
    ("cumsum", (F,), {"axis": 1}), ("cumprod", (B,), {"axis": 0}), ("cumsum", (F,), {"dtype": "float16"}),
    ("prod", (I,), {"dtype": "float32"}), ("max", (F,), {"initial": 9}), ("diff", (F,), {"n": 2, "axis": 0}),
    ("bincount", (I.ravel(),), {}), ("bincount", (I,), {"minlength": 12}), ("bincount", (I.ravel(),), {"weights": F.ravel()}),
    ("histogram", (V,), {"bins": 4}), ("histogram", (V,), {"range": (-1.0, 1.0)}), ("trapezoid", (F, P), {}),
    ("zeros", ((2, 3),), {}), ("ones", ((2, 3),), {"dtype": "int8"}), ("full", ((2, 3), 4), {}), ("full_like", (I, 2.5), {}),
    ("full", ((2,), 4), {"dtype": "int32"}), ("arange", (5,), {}), ("arange", (1, 7, 2), {}), ("arange", (3.0,), {}),
    ("arange", (1, 2, 0.25), {}), ("eye", (3,), {}), ("eye", (3, 4), {"k": 1, "dtype": "int32"}), ("identity", (3,), {}),
    ("tri", (3, 4, -1), {}), ("linspace", (0, 3), {"num": 4}), ("linspace", (0, 3), {"num": 4, "retstep": True}),
    ("linspace", (V, W), {"num": 3, "axis": -1}), ("logspace", (0, 2), {"num": 4}), ("geomspace", (1, 8), {"num": 4}),
    ("bartlett", (5,), {}), ("blackman", (5,), {}), ("hamming", (5,), {}), ("hanning", (5,), {}), ("kaiser", (5, 2.0), {}),
    ("meshgrid", (V, W[:3]), {}), ("meshgrid", (V, W[:3]), {"indexing": "ij"}), ("vander", (V,), {}), ("vander", (V, 3, True), {}),
    ("array", ([1, 2.5],), {}), ("array", ([True],), {}), ("convert_to_tensor", ([[1, 2]],), {}), ("convert_to_tensor", (3.5,), {}),
    ("convert_to_tensor", (np.zeros(2),), {}), ("cast", (F, "int32"), {}), ("cast", (I, "float16"), {}), ("cast", (C, "float32"), {}),
    ("saturate_cast", (F * 200, "uint8"), {}), ("saturate_cast", (I * 2**20, "int16"), {}), ("saturate_cast", (F * 1e5, "float16"), {}),
    ("saturate_cast", (F * 1e12, "int32"), {}), ("shape", (T3,), {}), ("slice", (F, (1, 2), (2, 3)), {}),
    ("slice", (F, np.array([1, 2]), (2, -1)), {}), ("slice_update", (F, (1, 2), G[:2, :2]), {}),
    ("scatter", (np.array([[0, 1], [2, 0], [0, 1]]), V[:3], (3, 2)), {}), ("scatter_update", (F, [[0, 1], [2, 3]], V[:2]), {}),
    ("scatter_update", (F, [[0], [2]], G[:2]), {"reduction": "add"}), ("scatter_update", (F, [[0], [2]], G[:2]), {"reduction": "max"}),
    ("scatter_update", (F, [[0], [2]], G[:2]), {"reduction": "mul"}), ("unstack", (F,), {"axis": 1}), ("get_item", (F, (0, 2)), {}),
    ("segment_sum", (F, np.array([0, 1, 1, 0]), 2), {}), ("segment_max", (F, np.array([0, 1, 1, 0]), 2), {}), ("segment_min", (F, np.array([0, 1, 1, 0]), 2), {}),
    ("segment_prod", (F, np.array([0, 1, 1, 0]), 2), {}), ("top_k", (F, 3), {}), ("in_top_k", (np.array([1, 2, 3, 5]), F, 2), {}),
    ("logsumexp", (T3,), {"axis": (0, 2)}), ("extract_sequences", (V, 3, 2), {}), ("fft", ((F, G),), {}), ("fft2", ((F, G),), {}),
    ("ifft2", ((F, G),), {}), ("rfft", (F, 4), {}), ("irfft", ((F, G),), {}), ("irfft", ((F, G), 7), {}),
    ("stft", (X1[:, :, 0], 4, 2, 8), {}), ("stft", (X1[:, :, 0], 4, 2, 4), {"window": "hamming", "center": False}),
    ("stft", (X1[:, :, 0], 4, 2, 4), {"window": None}), ("stft", (X1[:, :, 0], 4, 2, 4), {"window": P[0, :4]}),
    ("istft", ((k(2, 7, 5), k(2, 7, 5) * 0.1), 4, 2, 8), {}), ("istft", ((k(2, 7, 5), k(2, 7, 5)), 8, 2, 8), {"length": 9}),
    ("cdist", (T3, T3[:, :3]), {}), ("psnr", (F, G, 2.0), {}), ("cholesky", (S,), {}), ("cholesky", (S,), {"upper": True}),
    ("cholesky_inverse", (np.linalg.cholesky(S),), {}), ("det", (S,), {}), ("slogdet", (S,), {}), ("logdet", (S,), {}),
    ("cholesky_inverse", (np.linalg.cholesky(S).T.copy(),), {"upper": True}),
    ("eigh", (S,), {}), ("inv", (S,), {}), ("lu_factor", (S,), {}), ("qr", (F,), {}), ("qr", (F,), {"mode": "complete"}),
    ("svd", (F,), {"compute_uv": False}), ("svd", (F,), {"full_matrices": False}), ("solve", (S, F), {}), ("solve", (S, F[:, 0]), {}),
    ("solve_triangular", (np.tril(S), F), {"lower": True}), ("solve_triangular", (S, F[:, 0]), {}), ("lstsq", (F.T, V), {}),
    ("norm", (F,), {"axis": 1}), ("norm", (F,), {"ord": 1, "axis": 0}), ("norm", (F,), {"ord": "nuc", "axis": (0, 1)}),
    ("norm", (T3,), {"axis": (1, 2), "keepdims": True}), ("norm", (F,), {"ord": np.inf}), ("norm", (I,), {"ord": 3, "axis": 1}),
    ("matrix_rank", (F,), {"tol": 0.5}), ("leaky_relu", (F,), {"negative_slope": 0.1}), ("elu", (F, 0.5), {}),
    ("gelu", (F,), {"approximate": False}), ("threshold", (F, 0.3, 9.0), {}), ("softmax", (T3,), {"axis": (1, 2)}),
    ("softmax", (F,), {"axis": 0}), ("glu", (T3,), {"axis": 1}),
    ("one_hot", (I, 5), {}), ("one_hot", (I, 9), {"axis": 0, "dtype": "int32"}), ("multi_hot", (I, 9), {}),
    ("multi_hot", (I[0], 9), {}), ("normalize", (F,), {"axis": 0}), ("normalize", (F,), {"order": 1}), ("moments", (T3, [0, 1]), {}),
    ("moments", (T3.astype("float16"), [0]), {"keepdims": True}),
    ("batch_normalization", (T3, k(6), k(6) ** 2, 1, k(6), k(6)), {}), ("batch_normalization", (F, V, P[0], -1), {}),
    ("layer_normalization", (F, V, W), {}), ("layer_normalization", (F,), {"epsilon": 1e-3}), ("rms_normalization", (F, V), {}),
    ("rms_normalization", (T3,), {"axis": (1, 2)}), ("categorical_crossentropy", (np.eye(6, dtype="float32")[:4], P), {}),
    ("categorical_crossentropy", (np.eye(6, dtype="float32")[:4], F, True), {}),
    ("categorical_crossentropy", (P, P.copy()), {"axis": 0}), ("sparse_categorical_crossentropy", ([0, 5, 2, 1], P), {}),
    ("sparse_categorical_crossentropy", ([[0], [5], [2], [1]], F, True), {}), ("binary_crossentropy", (P, P[::-1].copy()), {}),
    ("sparse_categorical_crossentropy", (I[:, :8] % 6 * np.ones((4, 6), "int32"), np.moveaxis(T3, 2, 1)[:, :6]), {"from_logits": True, "axis": 1}),
    ("binary_crossentropy", (P, F, True), {}), ("depth_to_space", (k(1, 2, 3, 8), 2), {}), ("space_to_depth", (k(1, 4, 6, 2), 2), {}),
    ("space_to_depth", (k(1, 2, 4, 6), 2, "channels_first"), {}), ("depth_to_space", (k(1, 8, 2, 3), 2, "channels_first"), {}),
    ("dot_product_attention", (k(2, 5, 4, 3), k(2, 6, 4, 3), k(2, 6, 4, 3)), {}),
    ("dot_product_attention", (k(2, 5, 4, 3), k(2, 5, 4, 3), k(2, 5, 4, 3)), {"is_causal": True, "scale": 0.3}),
    ("dot_product_attention", (k(2, 5, 4, 3), k(2, 6, 4, 3), k(2, 6, 4, 3)), {"bias": k(2, 4, 5, 6), "mask": k(2, 4, 5, 6) > -1}),
    ("rearrange", (T3, "a (b c) d -> (a c) d b"), {"c": 3}), ("unfold", (X2F, 3), {}), ("unfold", (X2F, (2, 3), 2, 1, (2, 1)), {}),
    ("fold", (k(2, 8, 9), 4, 2), {}), ("fold", (k(2, 8, 9), 5, 2, 2, 1, 2), {}),
    ("adaptive_average_pool", (X2, (3, 4)), {}), ("adaptive_max_pool", (X2, 5), {}), ("adaptive_average_pool", (X1, 5), {}),
    ("adaptive_max_pool", (X2F, (3, 2), "channels_first"), {}),
]  # fmt: skip
for strides, padding, dilation in ((1, "valid", 1), (2, "same", 1), (1, "same", 2), (3, "valid", 1)):
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    CASES += [
        ("conv", (X1, k(3, 6, 4)), options),
        ("conv", (X2, k(3, 2, 6, 4)), options),
        ("conv", (X2, k(3, 2, 2, 9)), options),
        ("conv", (X3, k(2, 2, 2, 2, 3)), options),
        ("conv", (X2F, k(3, 2, 6, 4)), {**options, "data_format": "channels_first"}),
        ("depthwise_conv", (X2, k(3, 3, 6, 2)), options),
        ("depthwise_conv", (X2F, k(3, 3, 6, 2)), {**options, "data_format": "channels_first"}),
        ("separable_conv", (X2, k(3, 3, 6, 2), k(1, 1, 12, 5)), options),
    ]
for size in (3, 2, 4, 1, 5):
    for strides, padding, extra in ((1, "same", None), (2, "same", None), (2, "valid", None), (3, "same", None), (3, "valid", 1), (2, "same", 1), (2, "same", 0), (3, "same", 2), (2, "valid", 1)):  # fmt: skip
        options = {"strides": strides, "padding": padding, "output_padding": extra}
        CASES.append(("conv_transpose", (X1, k(size, 4, 6)), options))
CASES += [
    ("conv_transpose", (X2, k(3, 2, 4, 6)), {"strides": (2, 3), "padding": "same"}),
    ("conv_transpose", (X2F, k(3, 2, 4, 6)), {"strides": 2, "data_format": "channels_first"}),
    ("conv_transpose", (X1, k(3, 4, 6)), {"dilation_rate": 2, "padding": "same"}),
    ("conv_transpose", (X1, k(3, 4, 6)), {"dilation_rate": 2}),
]
for name in ("max_pool", "average_pool"):
    CASES += [(name, (X1, 3), {"padding": p, "strides": s}) for p in ("same", "valid") for s in (1, 2, 3)]
    CASES += [(name, (X2, (2, 3)), {"strides": (2, 3), "padding": p}) for p in ("same", "valid")]
    CASES += [
        (name, (X2F, 2), {"padding": "same", "strides": 1, "data_format": "channels_first"}),
        (name, (X3, 2), {"strides": 2}),
    ]

for name in ("ctc_loss",):
    CASES.append((name, (I % 4 + 1, k(4, 9, 7), np.array([6, 3, 1, 2]), np.array([9, 9, 8, 5])), {}))
IMAGE = [
    ("resize", (X2, (4, 5)), {}), ("resize", (X2, (12, 5)), {"interpolation": "nearest"}),
    ("resize", (X2[0], (4, 4)), {"interpolation": "bicubic", "antialias": True}),
    ("resize", (X2, (6, 3)), {"crop_to_aspect_ratio": True}),
    ("resize", (X2, (9, 1)), {"crop_to_aspect_ratio": True}),
    ("resize", (X2, (3, 6)), {"pad_to_aspect_ratio": True, "fill_value": 0.5}),
    ("resize", (X2F, (4, 5)), {"data_format": "channels_first"}), ("resize", ((np.abs(X2) * 60).astype("uint8"), (4, 5)), {}),
    ("pad_images", (X2, 1, 2), {"target_height": 12, "target_width": 12}), ("crop_images", (X2, 1, 2, 1, 1), {}),
    ("crop_images", (X2, None, 2, 1), {"target_height": 4, "target_width": 3}), ("rgb_to_grayscale", (X2[..., :3],), {}),
    ("rgb_to_hsv", (np.abs(X2[..., :3]) / 4,), {}), ("hsv_to_rgb", (np.abs(X2[..., :3]) / 4,), {}),
    ("hsv_to_rgb", (np.abs(X2F[:, :3]) / 4, "channels_first"), {}), ("extract_patches", (X2, 3), {}),
    ("extract_patches", (X2[0], (2, 3), 1, 1, "same"), {}), ("extract_patches", (X3, (2, 3, 2)), {}),
    ("extract_patches_3d", (X3, 2), {}), ("map_coordinates", (F, k(2, 5) * 3, 1), {}),
    ("map_coordinates", (F, k(2, 5) * 3, 0, "reflect"), {}),
    ("scale_and_translate", (X2[0], (4, 4, 6), V[:2] ** 2 + 0.5, V[:2], (0, 1), "linear"), {}),
    ("gaussian_blur", (X2F, (3, 3), (1.5, 1.5), "channels_first"), {}),
]  # fmt: skip

DATA_DEPENDENT = {"nonzero", "unique", "bincount", "size", "ndim", "shape", "histogram", "convert_to_tensor"}
LOOSE = {"eigh": 1e-3, "inv": 1e-3, "lstsq": 1e-3, "pinv": 1e-3, "det": 1e-3, "istft": 1e-4}
SIGN_IS_FREE = {"svd", "qr", "eigh"}


@pytest.fixture(autouse=True, scope="module")
def _quick_compilation():
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def _id(case: tuple) -> str:
    return case[0]


def _open_first(args: tuple) -> tuple | None:
    """The arguments with the first array made symbolic."""
    arrays = [i for i, a in enumerate(jax.tree.leaves(args)) if isinstance(a, np.ndarray) and a.ndim]
    if not arrays:
        return None
    leaves, structure = jax.tree.flatten(args)
    leaves[arrays[0]] = lamina.KerasTensor(leaves[arrays[0]].shape, dtype=leaves[arrays[0]].dtype)
    return jax.tree.unflatten(structure, leaves)


def _compare(ours_in, theirs_in, case):
    """Values and data types as Keras's; and the shape found symbolically is the real one."""
    name, args, kwargs = case
    function = getattr(ours_in, name)
    expected = jax.tree.leaves(getattr(theirs_in, name)(*args, **kwargs))
    found = jax.tree.leaves(function(*args, **kwargs))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        assert np.shape(ours) == np.shape(theirs)
        assert getattr(ours, "dtype", type(ours)) == getattr(theirs, "dtype", type(theirs))
        a, b = np.asarray(ours), np.asarray(theirs)
        if name in SIGN_IS_FREE:
            a, b = np.abs(a), np.abs(b)
        np.testing.assert_allclose(a, b, rtol=LOOSE.get(name, 1e-4), atol=2e-3 if a.dtype == "float16" else 2e-5)
    symbolic = _open_first(args)
    if symbolic is None or name in DATA_DEPENDENT or (name == "where" and len(args) == 1):
        return
    outputs = jax.tree.leaves(function(*symbolic, **kwargs))
    assert [(o.shape, o.dtype) for o in outputs] == [(r.shape, r.dtype.name) for r in found]
    assert all(o.node.operation is function for o in outputs)


def _quick_and_slow(cases: list[tuple]) -> list:
    """Each function's first case (of convolution and pooling, three) always, the others before a release."""
    seen: collections.Counter[str] = collections.Counter()
    marked = []
    for case in cases:
        seen[case[0]] += 1
        quick = seen[case[0]] <= (3 if case[0].endswith(("conv", "pool", "conv_transpose", "crossentropy")) else 1)
        marked.append(pytest.param(case, marks=() if quick else pytest.mark.slow))
    return marked


@pytest.mark.parametrize("case", _quick_and_slow(CASES), ids=lambda case: case[0])
def test_values_types_and_symbolic_shapes(case):
    _compare(lamina.ops, keras.ops, case)


@pytest.mark.parametrize("case", _quick_and_slow(IMAGE), ids=lambda case: case[0])
def test_images(case):
    _compare(lamina.ops.image, keras.ops.image, case)


def test_the_names_and_signatures_are_kerass():
    for theirs, ours in ((keras.ops, lamina.ops), (keras.random, lamina.random)):
        for name in dir(theirs):
            function = getattr(theirs, name)
            if name.startswith("_") or not callable(function) or name in ("SeedGenerator", "ctc_decode"):
                continue
            listed = [
                [(p.name, p.default) for p in inspect.signature(f).parameters.values() if p.kind != p.VAR_KEYWORD]
                for f in (getattr(ours, name), function)
            ]
            assert listed[0] == listed[1], name
            assert getattr(ours, name).__doc__, name


OPEN_BATCH = [
    ("conv", (X2, k(3, 2, 6, 4)), {"strides": 2, "padding": "same"}), ("max_pool", (X2, 2), {}), ("relu", (F,), {}),
    ("average_pool", (X2, 2), {"padding": "same"}), ("reshape", (T3, (-1, 48)), {}), ("mean", (T3,), {"axis": 1}),
    ("transpose", (T3, (0, 2, 1)), {}), ("softmax", (F,), {}), ("one_hot", (I, 4), {}), ("concatenate", ([F, 2.0 * F],), {"axis": 0}),
    ("layer_normalization", (F, V), {}), ("depthwise_conv", (X2, k(3, 3, 6, 2)), {}), ("einsum", ("btf,fg->btg", T3, k(8, 3)), {}),
    ("conv_transpose", (X1, k(3, 4, 6)), {"strides": 2}), ("repeat", (F, 2), {"axis": 0}), ("top_k", (F, 2), {}),
    ("dot_product_attention", (k(2, 5, 4, 3), k(2, 6, 4, 3), k(2, 6, 4, 3)), {}), ("take", (F, [1, 2]), {"axis": 1}),
    ("sum", (T3,), {"axis": (1, 2)}), ("split", (F, 2), {"axis": 1}), ("pad", (F, ((0, 0), (1, 1))), {}), ("ravel", (F,), {}),
]  # fmt: skip


@pytest.mark.parametrize("case", OPEN_BATCH, ids=_id)
def test_open_batch_as_keras_shows_it(case):
    name, args, kwargs = case
    batch = next(a for a in jax.tree.leaves(args) if isinstance(a, np.ndarray)).shape[0]

    def swap(leaf, tensor):
        is_batched = isinstance(leaf, np.ndarray) and leaf.ndim > 1 and leaf.shape[0] == batch
        return tensor((None, *leaf.shape[1:]), dtype=leaf.dtype.name) if is_batched else leaf

    ours = getattr(lamina.ops, name)(*jax.tree.map(lambda a: swap(a, lamina.KerasTensor), args), **kwargs)
    theirs = getattr(keras.ops, name)(*jax.tree.map(lambda a: swap(a, keras.KerasTensor), args), **kwargs)
    leaves = jax.tree.leaves(theirs, is_leaf=lambda x: isinstance(x, keras.KerasTensor))
    assert [o.shape for o in jax.tree.leaves(ours)] == [tuple(t.shape) for t in leaves]


SMALL = ("bool", "uint8", "int16", "bfloat16")
ANY_DTYPE = [
    "abs",
    "arccos",
    "cbrt",
    "ceil",
    "exp",
    "sqrt",
    "square",
    "mean",
    "sum",
    "prod",
    "cumsum",
    "var",
    "median",
    "min",
    "max",
    "argmax",
    "sort",
    "any",
    "log1p",
    "relu",
    "gelu",
    "softplus",
    "hard_sigmoid",
    "reciprocal",
    "logsumexp",
    "isnan",
    "count_nonzero",
    "average",
    "sinc",
    "nan_to_num",
    "tanh",
    "nanmean",
    "nansum",
    "trace",
    "elu",
    "selu",
    "relu6",
    "leaky_relu",
    "ravel",
    "norm",
    "corrcoef",
    "det",
    "hard_tanh",
    "angle",
    "real",
    "conj",
    "erfinv",
    "argsort",
    "diag",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ANY_DTYPE)
def test_result_dtypes_of_one(name):
    for dtype in SMALL:
        ours = getattr(lamina.ops, name)(lamina.ops.cast([[1, 2], [3, 1]], dtype))
        theirs = getattr(keras.ops, name)(keras.ops.cast([[1, 2], [3, 1]], dtype))
        assert ours.dtype == theirs.dtype, dtype


@pytest.mark.parametrize(
    "name",
    ["add", "multiply", "divide", "floor_divide", "mod", "power", "maximum", "matmul", "arctan2", "equal", "hypot"],
)
def test_result_dtypes_of_two(name):
    for a, b in (("bool", "bool"), ("uint8", "int8"), ("int8", "int8"), ("int32", "float16"), ("int32", "uint32"),
                 ("float16", "bfloat16"), ("bool", "float16"), ("uint32", "int8")):  # fmt: skip
        ours = getattr(lamina.ops, name)(lamina.ops.cast([[1, 2], [3, 1]], a), lamina.ops.cast([[1, 2], [3, 1]], b))
        theirs = getattr(keras.ops, name)(keras.ops.cast([[1, 2], [3, 1]], a), keras.ops.cast([[1, 2], [3, 1]], b))
        assert ours.dtype == theirs.dtype, (a, b)
