"""What Keras 1 and 2 called things, and what Keras 3 calls them. Only tables; `upgrade` reads them."""

from __future__ import annotations

from typing import Any

#: Classes by their old names. Those that need more than another name are in `upgrade`.
CLASSES = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AttentionV2": "Attention",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "DenseFeaturesV2": "DenseFeatures",
    "GRUCellV2": "GRUCell",
    "GRUV2": "GRU",
    "LSTMCellV2": "LSTMCell",
    "LSTMV2": "LSTM",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "SyncBatchNormalization": "BatchNormalization",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "TimeDistributedDense": "Dense",
}

#: Arguments that were renamed wherever they occur.
ARGUMENTS = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "atrous_rate": "dilation_rate",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "beta_init": "beta_initializer",
    "bias": "use_bias",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "filter_length": "kernel_size",
    "gamma_init": "gamma_initializer",
    "init": "kernel_initializer",
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
    "nb_filter": "filters",
    "output_dim": "units",
    "p": "rate",
    "pool_length": "pool_size",
    "sigma": "stddev",
    "subsample": "strides",
    "subsample_length": "strides",
}

_EMBEDDING = {
    "output_dim": "output_dim",
    "init": "embeddings_initializer",
    "W_regularizer": "embeddings_regularizer",
    "W_constraint": "embeddings_constraint",
}

#: Arguments that were renamed in one class, or that mean something else in it.
OWN_ARGUMENTS: dict[str, dict[str, str]] = {
    "AveragePooling1D": {"stride": "strides"},
    "Embedding": _EMBEDDING,
    "LeakyReLU": {"alpha": "negative_slope"},
    "MaxPooling1D": {"stride": "strides"},
    "PReLU": {"init": "alpha_initializer"},
    "SeparableConv1D": {"depthwise_init": "depthwise_initializer", "pointwise_init": "pointwise_initializer"},
    "SeparableConv2D": {"depthwise_init": "depthwise_initializer", "pointwise_init": "pointwise_initializer"},
    "UpSampling1D": {"length": "size"},
}

ANY = object()

#: Arguments that are left out, with the values that may be: they said how to compute or how to train, never what.
LEFT_OUT: dict[str, Any] = {
    "adjustment": (None,),
    "batch_input_shape": ANY,  # has become an Input
    "consume_less": ANY,
    "experimental_autocast": ANY,
    "experimental_run_tf_function": ANY,
    "fused": ANY,
    "forget_bias_init": ANY,
    "implementation": ANY,
    "input_dtype": ANY,
    "num_constants": (None, 0),
    "renorm": (None, False),
    "renorm_clipping": ANY,
    "renorm_momentum": ANY,
    "time_major": (None, False),
    "virtual_batch_size": (None,),
}

_OF_ONE_FILTER = ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint", "filters")

#: The same for one class.
OWN_LEFT_OUT: dict[str, dict[str, Any]] = {
    "Attention": {"causal": (None, False)},
    "AdditiveAttention": {"causal": (None, False)},
    "BatchNormalization": {"mode": (0,)},
    "Conv1DTranspose": {"groups": (1,)},
    "Conv2DTranspose": {"groups": (1,), "output_shape": ANY, "filter_shape": ANY},
    "Conv3DTranspose": {"groups": (1,), "output_shape": ANY},
    "Dense": {"input_dim": ANY, "input_length": ANY},
    "DepthwiseConv1D": dict.fromkeys(_OF_ONE_FILTER, ANY),
    "DepthwiseConv2D": dict.fromkeys(_OF_ONE_FILTER, ANY),
    "Embedding": {"dropout": ANY, "input_length": ANY, "sparse": (None, False)},
    "Highway": {"input_dim": ANY},
    "MaxoutDense": {"input_dim": ANY},
    "MultiHeadAttention": {"softmax_robust_masking": ANY, "query_shape": ANY, "key_shape": ANY, "value_shape": ANY},
    "SeparableConv1D": dict.fromkeys(_OF_ONE_FILTER[:-1], ANY),
    "SeparableConv2D": dict.fromkeys(_OF_ONE_FILTER[:-1], ANY),
    **{f"SpatialDropout{rank}D": {"noise_shape": ANY, "trainable": ANY} for rank in (1, 2, 3)},
    **{name: {"input_dim": ANY, "input_length": ANY} for name in ("SimpleRNN", "GRU", "LSTM", "Conv1D")},
}

_IMAGES = ("data_format", "channels_last")
_RECURRENT = [("recurrent_activation", "hard_sigmoid")]

#: What an argument meant in Keras 1 and 2 where a configuration leaves it out (or writes ``None`` for the default).
DEFAULTS: dict[str, list[tuple[str, Any]]] = {
    **{
        f"{kind}{rank}D": [_IMAGES]
        for kind in ("Conv", "MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling")
        for rank in (1, 2, 3)
    },
    **{name: [_IMAGES] for name in ("Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv2D", "Flatten")},
    **{name: [_IMAGES] for name in ("SeparableConv1D", "SeparableConv2D", "LocallyConnected1D", "LocallyConnected2D")},
    **{f"{kind}{rank}D": [_IMAGES] for kind in ("UpSampling", "ZeroPadding", "Cropping") for rank in (2, 3)},
    "GRU": [("reset_after", False), *_RECURRENT],
    "GRUCell": [("reset_after", False), *_RECURRENT],
    "LSTM": _RECURRENT,
    "LSTMCell": _RECURRENT,
    "CuDNNGRU": [("reset_after", True), ("recurrent_activation", "sigmoid")],
    "CuDNNLSTM": [("recurrent_activation", "sigmoid")],
    "ConvLSTM1D": _RECURRENT,
    "ConvLSTM2D": [*_RECURRENT, _IMAGES],
    "ConvLSTM3D": [*_RECURRENT, _IMAGES],
    "MaxoutDense": [("use_bias", True)],
}

#: Words that were renamed as values.
VALUES: dict[str, dict[Any, Any]] = {
    "data_format": {"th": "channels_first", "tf": "channels_last", "default": "channels_last"},
    "distribution": {"normal": "truncated_normal"},
    "merge_mode": {},
}

#: Activations under the names of Keras 1 and 2 whose function Keras 3 calls otherwise.
ACTIVATIONS = {
    "hard_sigmoid": "keras2_hard_sigmoid",
    "softmax_v2": "softmax",
    "swish_v2": "swish",
}

#: Initializers, regularizers and constraints by old names.
OBJECTS = {
    "GlorotNormalV2": "GlorotNormal",
    "GlorotUniformV2": "GlorotUniform",
    "HeNormalV2": "HeNormal",
    "HeUniformV2": "HeUniform",
    "L1L2Regularizer": "L1L2",
    "LecunNormalV2": "LecunNormal",
    "LecunUniformV2": "LecunUniform",
    "MaxNorm": "MaxNorm",
    "OnesV2": "Ones",
    "OrthogonalV2": "Orthogonal",
    "RandomNormalV2": "RandomNormal",
    "RandomUniformV2": "RandomUniform",
    "TruncatedNormalV2": "TruncatedNormal",
    "VarianceScalingV2": "VarianceScaling",
    "WeightRegularizer": "L1L2",
    "ZerosV2": "Zeros",
    "IdentityV2": "Identity",
    "ConstantV2": "Constant",
}

#: How `Merge` of Keras 1 put its inputs together.
MERGE_MODES = {
    "sum": "Add",
    "mul": "Multiply",
    "concat": "Concatenate",
    "ave": "Average",
    "max": "Maximum",
    "dot": "Dot",
    "cos": "Dot",
}

#: Layers that take a list even if there is one tensor in it.
TAKE_LISTS = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"})

#: Layers whose further tensors are states to start from.
RECURRENT = frozenset({"SimpleRNN", "GRU", "LSTM", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})

#: Classes of models made of a graph.
GRAPHS = frozenset({"Model", "Functional", "Network"})
