"""Where tensors come from, as far as that says what their axes mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax

from lamina.core.symbolic import KerasTensor, symbolic_leaves

_SAME_AXES = frozenset(
    [
        "Activation",
        "ActivityRegularization",
        "Add",
        "AlphaDropout",
        "Average",
        "BatchNormalization",
        "Concatenate",
        "Dropout",
        "ELU",
        "GaussianDropout",
        "GaussianNoise",
        "GroupNormalization",
        "Identity",
        "LayerNormalization",
        "LeakyReLU",
        "Masking",
        "Maximum",
        "Minimum",
        "Multiply",
        "Normalization",
        "PReLU",
        "ReLU",
        "Rescaling",
        "RMSNormalization",
        "Softmax",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "Subtract",
        "UnitNormalization",
    ]
)
_SAME_MEANING = _SAME_AXES - {"Concatenate"}
_ELEMENTWISE = frozenset(
    [
        "add",
        "subtract",
        "multiply",
        "true_divide",
        "divide",
        "power",
        "negative",
        "absolute",
        "abs",
        "relu",
        "sigmoid",
        "tanh",
        "silu",
        "gelu",
        "elu",
        "maximum",
        "minimum",
        "exp",
        "log",
        "sqrt",
        "square",
    ]
)


@dataclass(frozen=True)
class Origin:
    """What is known of a tensor's axes.

    Attributes:
        data_format: ``"channels_first"`` or ``"channels_last"``, if a layer has said so on the way here.
        giver: that layer.
        is_input: whether this is an input of the model, or one with other numbers in it.
        from_flat: whether it is an input that had no axes but the features' before.
        units_of: the layer whose units or filters the last axis counts.
    """

    data_format: str = ""
    giver: str = ""
    is_input: bool = False
    from_flat: bool = False
    units_of: str = ""


NOTHING = Origin()


def kinds(layer: Any) -> frozenset[str]:
    """Names of Lamina's own classes among a layer's class and its bases."""
    cls: Any = type(layer)
    return names_of(cls)


@lru_cache(maxsize=4096)
def names_of(cls: Any) -> frozenset[str]:
    """Names of Lamina's own classes among a class and its bases."""
    return frozenset(c.__name__ for c in cls.__mro__ if c.__module__.startswith("lamina."))


def is_own(layer: Any) -> bool:
    """Whether a layer's class is one of Lamina's, not a user's."""
    return type(layer).__module__.startswith("lamina.")


def describe(layer: Any) -> str:
    """``Conv1D "conv1d"``."""
    return f'{type(layer).__name__} "{layer.name}"'


class Origins:
    """The origins of the tensors of one model, noted as its layers are called."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Origin]] = {}  # the tensor is held so that its id stays its own

    def of(self, tensor: Any) -> Origin:
        """What is known of a tensor."""
        if isinstance(tensor, KerasTensor):
            return of_symbolic(tensor)
        return self._known.get(id(tensor), (None, NOTHING))[1]

    def note(self, tensor: Any, origin: Origin) -> None:
        """Remember what is known of a tensor."""
        if isinstance(tensor, KerasTensor):
            tensor._origin = origin  # type: ignore[attr-defined]
        else:
            self._known[id(tensor)] = (tensor, origin)


#: For tensors that know their origin themselves.
SYMBOLIC = Origins()


def of_symbolic(tensor: KerasTensor) -> Origin:
    """The origin of a symbolic tensor; functions such as ``x + y`` hand on that of their operands."""
    known = getattr(tensor, "_origin", None)
    if known is not None:
        return known
    node = tensor.node
    found = NOTHING
    if node is None or type(node.operation).__name__ == "InputLayer":
        found = Origin(is_input=True, from_flat=tensor.ndim == 2)
    elif getattr(node.operation, "__name__", "") in _ELEMENTWISE:
        found = next((of_symbolic(t) for t in node.inputs if t.ndim == tensor.ndim), NOTHING)
    tensor._origin = found  # type: ignore[attr-defined]
    return found


def after(layer: Any, sources: Sequence[tuple[Sequence[Any], Origin]], shape: Sequence[Any]) -> Origin:
    """The origin of a layer's output.

    Args:
        layer: the layer.
        sources: shape and origin of each input.
        shape: the output's.
    """
    names = kinds(layer)
    first_shape, first = sources[0] if sources else ((), NOTHING)
    same_rank = len(first_shape) == len(shape)
    width = getattr(layer, "filters", getattr(layer, "units", None))
    units_of = describe(layer) if is_own(layer) and width is not None and shape and shape[-1] == width else ""
    data_format = getattr(layer, "data_format", None)
    if isinstance(data_format, str) and same_rank and len(shape) > 2 and "Flatten" not in names:
        return Origin(data_format, describe(layer), units_of=units_of if data_format == "channels_last" else "")
    if is_own(layer) and names & _SAME_AXES and same_rank:
        kept = first if names & _SAME_MEANING else replace(first, units_of="")
        return replace(kept, units_of=units_of or kept.units_of)
    if "Reshape" in names and first.is_input:
        return Origin(is_input=True, from_flat=first.from_flat)
    return Origin(units_of=units_of)


def tensors_in(structure: Any) -> list[Any]:
    """The tensors in a structure, symbolic ones if there are any."""
    return symbolic_leaves(structure) or [leaf for leaf in jax.tree.leaves(structure) if hasattr(leaf, "shape")]


def dims_of(tensor: Any) -> tuple[Any, ...]:
    """Sizes of a tensor, symbolic where open."""
    return tuple(getattr(tensor, "dims", tensor.shape))
