"""Open sizes get the names of the axes of the layers that they go through."""

from __future__ import annotations

from typing import Any

from lamina.core.symbolic import symbolic_leaves
from lamina.layers.checking import signature_of
from lamina.shapes.signatures import label_axes


def inputs(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Name the sizes of a layer's inputs, those of its first argument."""
    signature = signature_of(layer)
    if signature is not None:
        first = args[0] if args else next(iter(kwargs.values()), None)
        for place, tensor in enumerate(symbolic_leaves(first)):
            label_axes(signature.input_axes(place), tensor.dims)


def outputs(layer: Any, tensors: Any) -> None:
    """Name the sizes of what a layer gives."""
    signature = signature_of(layer)
    if signature is not None:
        for place, tensor in enumerate(symbolic_leaves(tensors)):
            label_axes(signature.output_axes(place), tensor.dims)
