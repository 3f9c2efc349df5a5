"""TensorFlow functions in graphs of tf.keras, as operations of Keras 3.

tf.keras put a layer around each: `TFOpLambda` and `SlicingOpLambda` (from TensorFlow 2.4 on), `TensorFlowOpLayer`
(before). The first holds the function's Python name, the last the node of TensorFlow's own graph.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Config = dict[str, Any]

_X = ("x",)
_TWO = ("x1", "x2")
_OVER = ("x", "axis", "keepdims")

#: Python functions of TensorFlow: the operation, and its names for the function's arguments in their order.
FUNCTIONS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    **{f"{home}.{old}": (new, _TWO, {"y": "x2"}) for home in ("math", "__operators__") for old, new in {
        "add": "Add", "subtract": "Subtract", "sub": "Subtract", "multiply": "Multiply", "mul": "Multiply",
        "divide": "TrueDivide", "truediv": "TrueDivide", "floordiv": "FloorDivide", "maximum": "Maximum",
        "minimum": "Minimum", "pow": "Power", "mod": "Mod", "greater": "Greater", "greater_equal": "GreaterEqual",
        "less": "Less", "less_equal": "LessEqual", "equal": "Equal", "not_equal": "NotEqual",
        "logical_and": "LogicalAnd", "logical_or": "LogicalOr", "gt": "Greater", "ge": "GreaterEqual", "lt": "Less",
        "le": "LessEqual", "eq": "Equal", "ne": "NotEqual",
    }.items()},
    **{f"{home}.{old}": (new, _X, {}) for home in ("math", "nn", "__operators__") for old, new in {
        "abs": "Absolute", "neg": "Negative", "negative": "Negative", "exp": "Exp", "log": "Log", "log1p": "Log1p",
        "sqrt": "Sqrt", "rsqrt": "Rsqrt", "square": "Square", "sigmoid": "Sigmoid", "tanh": "Tanh", "sin": "Sin",
        "cos": "Cos", "floor": "Floor", "round": "Round", "sign": "Sign", "relu": "Relu", "relu6": "Relu6",
        "elu": "Elu", "selu": "Selu", "silu": "Silu", "swish": "Silu", "softplus": "Softplus", "gelu": "Gelu",
        "reciprocal": "Reciprocal", "ceil": "Ceil", "erf": "Erf", "logical_not": "LogicalNot",
    }.items()},
    **{f"math.reduce_{old}": (new, _OVER, {}) for old, new in {
        "mean": "Mean", "sum": "Sum", "max": "Max", "min": "Min", "prod": "Prod", "std": "Std", "variance": "Var",
        "any": "Any", "all": "All",
    }.items()},
    "cast": ("Cast", ("x", "dtype"), {}),
    "clip_by_value": ("Clip", ("x", "x_min", "x_max"), {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "concat": ("Concatenate", ("xs", "axis"), {}),
    "expand_dims": ("ExpandDims", ("x", "axis"), {}),
    "identity": ("Identity", _X, {}),
    "linalg.matmul": ("Matmul", _TWO, {"b": "x2"}),
    "math.argmax": ("Argmax", ("x", "axis"), {}),
    "math.cumsum": ("Cumsum", ("x", "axis"), {}),
    "nn.gelu": ("Gelu", ("x", "approximate"), {}),
    "math.l2_normalize": ("Normalize", ("x", "axis"), {}),
    "math.squared_difference": ("SquaredDifference", _TWO, {"y": "x2"}),
    "nn.l2_normalize": ("Normalize", ("x", "axis"), {}),
    "nn.leaky_relu": ("LeakyRelu", ("x", "negative_slope"), {"alpha": "negative_slope"}),
    "nn.log_softmax": ("LogSoftmax", ("x", "axis"), {}),
    "nn.softmax": ("Softmax", ("x", "axis"), {}),
    "nn.softmax_v2": ("Softmax", ("x", "axis"), {}),
    "ones_like": ("OnesLike", _X, {}),
    "repeat": ("Repeat", ("x", "repeats", "axis"), {}),
    "reshape": ("Reshape", ("x", "newshape"), {"shape": "newshape"}),
    "reverse": ("Flip", ("x", "axis"), {}),
    "roll": ("Roll", ("x", "shift", "axis"), {}),
    "split": ("Split", ("x", "indices_or_sections", "axis"), {"num_or_size_splits": "indices_or_sections"}),
    "squeeze": ("Squeeze", ("x", "axis"), {}),
    "stack": ("Stack", ("x", "axis"), {}),
    "stop_gradient": ("StopGradient", ("variable",), {}),
    "tile": ("Tile", ("x", "repeats"), {"multiples": "repeats"}),
    "transpose": ("Transpose", ("x", "axes"), {"perm": "axes"}),
    "where": ("Where", ("condition", "x1", "x2"), {"x": "x1", "y": "x2"}),
    "zeros_like": ("ZerosLike", _X, {}),
}  # fmt: skip

#: Nodes of TensorFlow's graph that are one of the functions above.
NODES = {
    "Abs": "math.abs", "Add": "math.add", "AddV2": "math.add", "BatchMatMulV2": "linalg.matmul", "Exp": "math.exp",
    "BatchMatMul": "linalg.matmul", "Identity": "identity", "Log": "math.log", "MatMul": "linalg.matmul",
    "Max": "math.reduce_max", "Maximum": "math.maximum", "Mean": "math.reduce_mean", "Min": "math.reduce_min",
    "Minimum": "math.minimum", "Mul": "math.multiply", "Neg": "math.negative", "Pow": "math.pow",
    "RealDiv": "math.truediv", "Relu": "nn.relu", "Reshape": "reshape", "Rsqrt": "math.rsqrt",
    "Sigmoid": "math.sigmoid", "Softmax": "nn.softmax", "Sqrt": "math.sqrt", "Square": "math.square",
    "Sub": "math.subtract", "Sum": "math.reduce_sum", "Tanh": "math.tanh", "Tile": "tile", "Transpose": "transpose",
    "ExpandDims": "expand_dims", "Squeeze": "squeeze", "Cast": "cast", "Prod": "math.reduce_prod",
    "SquaredDifference": "math.squared_difference", "Softplus": "math.softplus", "LogSoftmax": "nn.log_softmax",
}  # fmt: skip

_WITHOUT_EFFECT = ("name", "training", "epsilon", "num")  # `epsilon`: the least norm that l2_normalize divides by

_TYPES = {"DT_FLOAT": "float32", "DT_HALF": "float16", "DT_DOUBLE": "float64", "DT_INT32": "int32",
          "DT_INT64": "int64", "DT_BOOL": "bool", "DT_BFLOAT16": "bfloat16", "DT_UINT8": "uint8"}  # fmt: skip


def is_operation(entry: Any) -> bool:
    """Whether an entry of a graph is one of these layers."""
    return isinstance(entry, dict) and entry.get("class_name") in _UPGRADES


def upgrade_operation(entry: Config) -> Config:
    """The operation of Keras 3 for such a layer; its calls are in Keras 3's form already.

    Raises:
        ValueError: the function has no counterpart.
    """
    return _UPGRADES[entry["class_name"]](entry)


def _operation(entry: Config, class_name: str, calls: list[Config]) -> Config:
    return {
        "module": "keras.src.ops.numpy",
        "class_name": class_name,
        "config": {"name": entry["name"]},
        "registered_name": class_name,
        "name": entry["name"],
        "inbound_nodes": calls,
    }


def _function(entry: Config) -> Config:
    name = str(entry["config"].get("function"))
    if name == "__operators__.getitem":
        return _slicing(entry)
    if name.startswith("keras."):
        name = {"keras.backend.softplus": "math.softplus", "keras.activations.relu": "nn.relu"}.get(name, name)
    return _operation(entry, _found(entry, name)[0], [_arguments(entry, name, call) for call in entry["inbound_nodes"]])


def _found(entry: Config, name: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    bare = name.removeprefix("compat.v1.").removeprefix("tf.")
    for candidate in (bare, f"math.{bare}"):
        if candidate in FUNCTIONS:
            return FUNCTIONS[candidate]
    raise ValueError(f"layer {entry['name']!r}: TensorFlow's function {name!r} has no counterpart here")


def _arguments(entry: Config, name: str, call: Config) -> Config:
    _, places, renamed = _found(entry, name)
    given = dict(zip(places, call["args"], strict=False))
    for key, value in call["kwargs"].items():
        if renamed.get(key, key) in places:
            given[renamed.get(key, key)] = value
        elif key not in _WITHOUT_EFFECT and value not in (None, False):
            raise ValueError(f"layer {entry['name']!r}: `{key}`={str(value)[:60]} of {name!r} has no counterpart here")
    if "dtype" in given and isinstance(given["dtype"], dict):
        given["dtype"] = given["dtype"].get("config", given["dtype"].get("name"))
    sections = given.get("indices_or_sections")
    if isinstance(sections, list):  # sizes in TensorFlow, places to cut here
        given["indices_or_sections"] = [sum(sections[: i + 1]) for i in range(len(sections) - 1)]
    return {"args": [], "kwargs": given}


# Slices


def _slicing(entry: Config) -> Config:
    calls = []
    for call in entry["inbound_nodes"]:
        spec = call["kwargs"].get("slice_spec", call["args"][1] if len(call["args"]) > 1 else None)
        parts = [_part(part) for part in (spec if isinstance(spec, list) else [spec])]
        calls.append({"args": [call["args"][0], parts], "kwargs": {}})
    return _operation(entry, "GetItem", calls)


def _part(part: Any) -> Any:
    if isinstance(part, dict) and set(part) == {"start", "stop", "step"}:
        return _slice(part["start"], part["stop"], part["step"])
    if isinstance(part, dict) and part.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    return part


def _slice(start: Any, stop: Any, step: Any) -> Config:
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}}


# Nodes of TensorFlow's graph


def _node(entry: Config) -> Config:
    config = entry["config"]
    node = config.get("node_def")
    node = json.loads(node) if isinstance(node, str) else node
    if not isinstance(node, dict):
        raise ValueError(f"layer {entry['name']!r}: it has no 'node_def'")
    kind, attributes = str(node.get("op")), node.get("attr") or {}
    constants = {int(place): value for place, value in (config.get("constants") or {}).items()}
    calls = [_filled(call, constants) for call in entry["inbound_nodes"]]
    if kind == "StridedSlice":
        return _operation(entry, "GetItem", [_strided(values, attributes) for values in calls])
    if kind in ("ConcatV2", "Pack"):
        described = [_joined(kind, values, attributes) for values in calls]
        return _operation(entry, "Concatenate" if kind == "ConcatV2" else "Stack", described)
    if kind not in NODES:
        raise ValueError(f"layer {entry['name']!r}: TensorFlow's operation {kind!r} has no counterpart here")
    settings = _settings(kind, attributes)
    given = [_arguments(entry, NODES[kind], {"args": values, "kwargs": settings}) for values in calls]
    return _operation(entry, _found(entry, NODES[kind])[0], given)


def _filled(call: Config, constants: dict[int, Any]) -> list[Any]:
    """The inputs of a node, the constants in their places."""
    first = call["args"][0]
    tensors = list(first) if isinstance(first, list) else [first]
    count = len(tensors) + len(constants)
    return [constants[i] if i in constants else tensors.pop(0) for i in range(count)]


def _settings(kind: str, attributes: Config) -> Config:
    if kind == "Cast":
        return {"dtype": _TYPES.get(str(attributes.get("DstT", {}).get("type")), "float32")}
    if kind == "Squeeze":
        axes = attributes.get("squeeze_dims", {}).get("list", {}).get("i")
        return {"axis": [int(axis) for axis in axes]} if axes else {}
    if attributes.get("keep_dims", {}).get("b"):
        return {"keepdims": True}
    if any(attributes.get(flag, {}).get("b") for flag in ("transpose_a", "transpose_b", "adj_x", "adj_y")):
        raise ValueError(f"TensorFlow's operation {kind!r} on transposed inputs has no counterpart here")
    return {}


def _joined(kind: str, values: list[Any], attributes: Config) -> Config:
    if kind == "ConcatV2":
        return {"args": [], "kwargs": {"xs": values[:-1], "axis": values[-1]}}
    return {"args": [], "kwargs": {"x": values, "axis": int(attributes.get("axis", {}).get("i", 0))}}


def _strided(values: list[Any], attributes: Config) -> Config:
    """A slice with its masks: bits that say where a bound is open, an axis is new, or one is dropped."""
    masks = {name: int(attributes.get(f"{name}_mask", {}).get("i", 0))
             for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}  # fmt: skip
    tensor, begin, end, steps = values
    parts: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(begin, end, steps, strict=True)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            parts.append({"class_name": "__ellipsis__", "config": {}})
        elif masks["new_axis"] & bit:
            parts.append(None)
        elif masks["shrink_axis"] & bit:
            parts.append(start)
        else:
            parts.append(_slice(None if masks["begin"] & bit else start, None if masks["end"] & bit else stop, step))
    return {"args": [tensor, parts], "kwargs": {}}


_UPGRADES: dict[str, Callable[[Config], Config]] = {
    "TFOpLambda": _function,
    "SlicingOpLambda": _slicing,
    "TensorFlowOpLayer": _node,
}
