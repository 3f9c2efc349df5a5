"""Layer calls that run through and very likely do not mean what their author thinks.

Each rule looks at one call: the layer, the shapes of its inputs and outputs, and where the inputs come from. It
gives a sentence and repairs, or nothing. A rule speaks only where a sound program would hardly ever look like that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from lamina.advice import mixing
from lamina.advice.origins import (
    SYMBOLIC,
    Origin,
    Origins,
    after,
    describe,
    dims_of,
    is_own,
    kinds,
    names_of,
    tensors_in,
)
from lamina.shapes import dims, layouts
from lamina.shapes.errors import Fix, warn

Finding = tuple[str, list[Fix]]

_COLOURS = (1, 3, 4)
_RECURRENT = frozenset(("LSTM", "GRU", "SimpleRNN"))


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        layer: the layer.
        kinds: names of Lamina's classes that it is an instance of.
        shape: shape of its first input.
        origin: where that comes from.
        sources: shape and origin of every input.
        output: shape of its first output.
        several: whether it was given more than its inputs, such as an initial state.
    """

    layer: Any
    kinds: frozenset[str]
    shape: tuple[Any, ...]
    origin: Origin
    sources: list[tuple[tuple[Any, ...], Origin]]
    output: tuple[Any, ...]
    several: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    def shown(self, shape: tuple[Any, ...] | None = None) -> str:
        """A shape as text."""
        return dims.show_shape(dims.to_public(self.shape if shape is None else shape))


Rule = Callable[[Call], Finding | None]


def look(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any, origins: Origins = SYMBOLIC) -> None:
    """Warn of what looks wrong in a call, and note where its outputs come from.

    Args:
        layer: the layer.
        args, kwargs: what it was called with; of arguments after the first only that there are some matters.
        outputs: what it gave.
        origins: where to look up and note origins of tensors that are not symbolic.
    """
    inputs = tensors_in(args[0] if args else kwargs)
    results = tensors_in(outputs)
    sources = [(dims_of(t), origins.of(t)) for t in inputs]
    for tensor in results:
        origins.note(tensor, after(layer, sources, dims_of(tensor)))
    cls: Any = type(layer)
    rules = _rules_of(cls)
    if not rules or not inputs or not results or (origins is not SYMBOLIC and layer._nodes):
        return  # a layer in a graph was looked at when it was put there
    shape, origin = sources[0]
    several = len(args) > 1 or any(bool(tensors_in(v)) for v in kwargs.values())
    call = Call(layer, kinds(layer), shape, origin, sources, dims_of(results[0]), several)
    for rule in rules:
        found = rule(call)
        if found is not None:
            warn(*found)


class Watch:
    """An observer (`lamina.core.context.observing`) that looks at every call inside a model."""

    def __init__(self, inputs: Any):
        self._origins = Origins()
        for tensor in tensors_in(inputs):
            self._origins.note(tensor, Origin(is_input=True, from_flat=len(tensor.shape) == 2))

    def __call__(self, operation: Any, name: str, inputs: Any) -> Callable[[Any], None] | None:
        if not hasattr(operation, "_nodes"):
            return None
        return lambda outputs: look(operation, (inputs, None), {}, outputs, self._origins)


# The rules


def _softmax_of_one(call: Call) -> Finding | None:
    """Softmax over the single unit of a layer: always 1."""
    if _softmax_axis(call) != len(call.output) - 1 or call.output[-1] != 1:
        return None
    maker = describe(call.layer) if _width(call.layer) is not None else call.origin.units_of
    if not maker:
        return None  # scores of another kind, such as attention to a single key
    name = call.layer.name
    code = f'activation="sigmoid" in "{name}"'
    if "Softmax" in call.kinds:
        code = f'layers.Activation("sigmoid") instead of Softmax "{name}"'
    fixes = [Fix("for one yes-or-no output", code)]
    if len(call.output) == 2:
        fixes.append(Fix("for two classes", f'units=2 in "{maker.split(chr(34))[1]}"'))
    elif len(call.output) == 3:
        fixes.insert(0, Fix("for weights over the time steps", _softmax_along(call, 1)))
    what = "" if maker == describe(call.layer) else f", the one output of {maker},"
    return (
        f"{describe(call.layer)}: softmax over an axis of size 1{what} always gives 1; "
        f"the shape is {call.shown(call.output)}",
        fixes,
    )


def _softmax_over_width(call: Call) -> Finding | None:
    """Softmax along the last axis of channels-first images."""
    rank = len(call.output)
    if rank < 4 or _softmax_axis(call) != rank - 1:
        return None
    own = getattr(call.layer, "data_format", None) == "channels_first"
    if not own and call.origin.data_format != "channels_first":
        return None
    who = describe(call.layer) if own else call.origin.giver
    return (
        f"{describe(call.layer)}: softmax works along the last axis of {call.shown(call.output)}, which is not that of "
        f"the channels: {who} is channels_first, its channels are axis 1",
        [Fix("take the axis of the channels", _softmax_along(call, 1), call.shown(call.output))],
    )


def _over_samples(call: Call) -> Finding | None:
    """A softmax or normalization along the batch axis."""
    axis = _softmax_axis(call) if "Softmax" in call.kinds else getattr(call.layer, "axis", None)
    if axis != 0:
        return None
    return (
        f"{describe(call.layer)} works along axis 0 of {call.shown()}, that of the samples: each depends on the others "
        f"in its batch",
        [Fix("take the axis of the features", f'axis=-1 in "{call.layer.name}"')],
    )


def _normalized_axis(call: Call) -> Finding | None:
    """A normalization along an axis that is not that of the channels."""
    axis = getattr(call.layer, "axis", None)
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        axis = axis[0]
    if call.rank < 4 or not isinstance(axis, int):
        return None
    axis %= call.rank
    first = call.origin.data_format == "channels_first" and axis == call.rank - 1
    last = call.origin.data_format == "channels_last" and axis == 1 and "BatchNormalization" in call.kinds
    if not (first or last):
        return None
    right = 1 if first else -1
    return (
        f"{describe(call.layer)} works along axis {call.layer.axis} of {call.shown()}, which is not that of the "
        f"channels: {call.origin.giver} is {call.origin.data_format}, its channels are axis {right}",
        [Fix("take the axis of the channels", f'axis={right} in "{call.layer.name}"', call.shown())],
    )


def _mixed_formats(call: Call) -> Finding | None:
    """A channels-last layer on what a channels-first one gave, or the reverse."""
    mine, came = getattr(call.layer, "data_format", None), call.origin.data_format
    if not isinstance(mine, str) or not came or mine == came:
        return None
    return (
        f"{describe(call.layer)} reads {call.shown()} as {mine}, and {call.origin.giver} gave it as {came}",
        [Fix("use the same data format", f'data_format="{came}" in "{call.layer.name}"')],
    )


def _joined_along_width(call: Call) -> Finding | None:
    """Channels-first images put side by side, where their channels were meant."""
    formats = {origin.data_format for _, origin in call.sources}
    if call.rank < 4 or formats != {"channels_first"} or call.layer.axis % call.rank != call.rank - 1:
        return None
    return (
        f"{describe(call.layer)} joins {call.shown()} along the last axis, which is not that of the channels: "
        f"{call.origin.giver} is channels_first",
        [Fix("join the channels", f'axis=1 in "{call.layer.name}"')],
    )


def _widened(call: Call) -> Finding | None:
    """A scaling whose numbers are more than the channels: the output is wider than the input."""
    if len(call.output) == call.rank and all(a == b for a, b in zip(call.output, call.shape, strict=True)):
        return None
    wide = call.output[-1]
    arguments = ("scale", "offset") if "Rescaling" in call.kinds else ("mean", "variance")
    values = [getattr(call.layer, name if "Rescaling" in call.kinds else f"input_{name}") for name in arguments]
    fixes = []
    if call.shape[-1] == 1 and all(value is not None for value in values):
        code = ", ".join(f"{name}={float(np.mean(value)):.6g}" for name, value in zip(arguments, values, strict=True))
        fixes = [Fix("give one number, such as the mean of these", f'{code} in "{call.layer.name}"', call.shown())]
    argument = " and ".join(arguments)
    return (
        f"{describe(call.layer)} turns {call.shown()} into {call.shown(call.output)}: its {argument} hold "
        f"{wide} numbers, the input has {call.shape[-1]} in its last axis, and is repeated",
        fixes,
    )


def _single_step(call: Call) -> Finding | None:
    """A recurrent layer over one time step, with what look like the steps in the axis of the features."""
    layer = getattr(call.layer, "forward_layer", call.layer)
    if not kinds(layer) & _RECURRENT or call.rank != 3 or call.several or not call.origin.is_input:
        return None
    steps, features = call.shape[1:]
    if steps != 1 or not dims.is_known(features) or features < 2:
        return None
    if layer.stateful or layer.return_state:
        return None
    code = f"Input(({features}, 1)) and x = x.reshape(-1, {features}, 1)"
    if call.origin.from_flat:  # made of rows inside the model
        code = f'layers.Permute((2, 1)) before "{call.layer.name}"'
    return (
        f"{describe(call.layer)} goes through one time step of {features} features, {call.shown()}: "
        f"it has nothing to remember; the time steps are axis 1",
        [Fix(f"if the {features} numbers follow each other in time", code, f"(None, {features}, 1)")],
    )


def _kernel_beyond_length(call: Call) -> Finding | None:
    """A convolution over data whose time and features look swapped: the kernel is longer than the series."""
    if call.rank != 3 or not call.origin.is_input or call.layer.data_format != "channels_last":
        return None
    steps, features = call.shape[1:]
    reach = call.layer.kernel_size[0]
    if not (dims.is_known(steps) and dims.is_known(features)) or reach <= steps or features < 8 * steps:
        return None
    return (
        f"{describe(call.layer)} reads {call.shown()} as {steps} time steps of {features} features, fewer steps than "
        f"its kernel of {reach}: time and features look swapped",
        [
            Fix(
                "put time first",
                f"Input(({features}, {steps})) and x = x.transpose(0, 2, 1)",
                f"(None, {features}, {steps})",
            )
        ],
    )


def _colour_axis(call: Call) -> Finding | None:
    """Images whose colours lie on the other side of what the layer takes for the channels."""
    if call.rank != 4 or not call.origin.is_input or not all(map(dims.is_known, call.shape[1:])):
        return None
    a, b, c = call.shape[1:]
    if call.layer.data_format == "channels_last":
        colours, height, width, right = a, b, c, "channels_first"
        moved, code = (b, c, a), "x = x.transpose(0, 2, 3, 1)"
    else:
        colours, height, width, right = c, a, b, "channels_last"
        moved, code = (c, a, b), "x = x.transpose(0, 3, 1, 2)"
    is_image = min(height, width) >= 8 and (height == width or (colours == 3 and min(height, width) >= 16))
    kernel_spans = max(call.layer.kernel_size) == 1 or min(call.layer.kernel_size) > 1
    if colours not in _COLOURS or not is_image or not kernel_spans:
        return None
    return (
        f"{describe(call.layer)} is {call.layer.data_format} and reads {call.shown()} as {_as_image(call)}; "
        f"the axis of size {colours} looks like that of the channels",
        [
            Fix("move the channels", f"Input({moved}) and {code}", f"{(None, *moved)}"),
            Fix("or say where they are", f'data_format="{right}" in "{call.layer.name}"'),
        ],
    )


def _as_image(call: Call) -> str:
    first = call.layer.data_format == "channels_first"
    channels, height, width = call.shape[1:] if first else (call.shape[3], *call.shape[1:3])
    return f"images of {height}x{width} with {channels} channels"


def _reshape_as_transpose(call: Call) -> Finding | None:
    """A `Reshape` to the same sizes in another order, which cannot be a regrouping of neighbours."""
    order = layouts.swapped_axes(call.shape[1:], call.output[1:])
    if order is None:
        return None
    return (
        f"{describe(call.layer)} gives {call.shown()} the shape {call.shown(call.output)}: numbers are cut at other "
        f"places, axes do not change places by that",
        [
            Fix(
                "to swap axes",
                f'layers.Permute({order}) instead of {type(call.layer).__name__} "{call.layer.name}"',
                call.shown(call.output),
            )
        ],
    )


def _cuts_samples(call: Call) -> Finding | None:
    """A number of rows that is no whole multiple of the samples, nor a whole part of them."""
    if call.rank < 2 or not call.output or str(call.shape[0]) != "batch" or dims.symbols(call.output[:1]) != ["batch"]:
        return None
    samples = 5040  # many numbers divide it
    share = Fraction(dims.size_at(call.output[0], {"batch": samples}), samples)
    if 1 in (share.numerator, share.denominator):
        return None
    return (
        f"{describe(call.layer)} makes {share.numerator} rows of {share.denominator} samples, {call.shown()} to "
        f"{call.shown(call.output)}: the samples of a batch are mixed, and their number changes",
        [],
    )


def _mixes_samples(call: Call) -> Finding | None:
    """A function in a `Lambda` that reduces the axis of the samples."""
    return mixing.look(call.layer, call.shape) if len(call.sources) == 1 and not call.several else None


def _width(layer: Any) -> Any:
    return getattr(layer, "filters", getattr(layer, "units", None)) if is_own(layer) else None


def _softmax_along(call: Call, axis: int) -> str:
    """The layer that ends with a softmax, with one along another axis."""
    name = call.layer.name
    if "Softmax" in call.kinds:
        return f'axis={axis} in "{name}"'
    if "Activation" in call.kinds:
        return f'layers.Softmax(axis={axis}) instead of Activation "{name}"'
    return f'layers.Softmax(axis={axis}) after "{name}" and activation=None in "{name}"'


def _softmax_axis(call: Call) -> int | None:
    """The axis of the softmax that the layer ends with, counted from the front."""
    rank = len(call.output)
    if "Softmax" in call.kinds:
        axis = (
            call.layer.axis[0] if isinstance(call.layer.axis, list) and len(call.layer.axis) == 1 else call.layer.axis
        )
        return axis % rank if isinstance(axis, int) else None
    name = getattr(getattr(call.layer, "activation", None), "__name__", "")
    return rank - 1 if name in ("softmax", "log_softmax") and not call.kinds & _RECURRENT else None


_BY_KIND: dict[str, tuple[Rule, ...]] = {
    "Softmax": (_softmax_of_one, _softmax_over_width, _over_samples),
    "Activation": (_softmax_of_one, _softmax_over_width),
    "Dense": (_softmax_of_one,),
    "UnitNormalization": (_over_samples,),
    "BatchNormalization": (_normalized_axis,),
    "LayerNormalization": (_normalized_axis,),
    "GroupNormalization": (_normalized_axis,),
    "Concatenate": (_joined_along_width,),
    "Rescaling": (_widened,),
    "Normalization": (_widened,),
    "Reshape": (_reshape_as_transpose,),
    "Lambda": (_mixes_samples,),
    "Bidirectional": (_single_step,),
    **dict.fromkeys(_RECURRENT, (_single_step,)),
    **dict.fromkeys(("Conv1D", "SeparableConv1D"), (_softmax_of_one, _kernel_beyond_length)),
    **dict.fromkeys(
        ("Conv2D", "SeparableConv2D", "DepthwiseConv2D"), (_softmax_of_one, _softmax_over_width, _colour_axis)
    ),
    **dict.fromkeys(("Conv3D", "Conv2DTranspose", "Conv3DTranspose"), (_softmax_of_one, _softmax_over_width)),
}


@lru_cache(maxsize=4096)
def _rules_of(cls: Any) -> tuple[Rule, ...]:
    names = names_of(cls)
    rules = [rule for name, group in _BY_KIND.items() if name in names for rule in group]
    if cls.__module__.startswith("lamina.") and "Flatten" not in names:
        rules.append(_mixed_formats)
    if "Lambda" in names or not cls.__module__.startswith("lamina."):
        rules.append(_cuts_samples)
    return tuple(dict.fromkeys(rules))
