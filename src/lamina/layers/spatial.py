"""What layers over lengths and images share: the order of axes, windows that slide, and the check that they fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.layers import checking
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def axes(rank: int, data_format: str, channels: str = "channels", before: str = "") -> str:
    """The axes of a batch, for signatures: ``batch height width channels``; `before` is put before spatial names."""
    names = [before + name for name in NAMES[rank]]
    return " ".join(["batch", channels, *names] if data_format == "channels_first" else ["batch", *names, channels])


def first_axis(data_format: str) -> int:
    """The place of the first spatial axis."""
    return 2 if data_format == "channels_first" else 1


def spatial_axes(rank: int, data_format: str) -> tuple[int, ...]:
    """The places of the spatial axes."""
    first = first_axis(data_format)
    return tuple(range(first, first + rank))


def per_axis(rank: int, data_format: str, entries: Sequence[Any], other: Any) -> tuple[Any, ...]:
    """One entry for every axis of a batch: `entries` for the spatial ones, `other` for batch and channels."""
    place = first_axis(data_format)
    full = [other] * (rank + 2)
    full[place : place + rank] = entries
    return tuple(full)


def check_window(
    layer: Any, shape: Sequence[Any], argument: str, window: Sequence[int], dilation: Sequence[int] | None = None
) -> None:
    """Refuse a window that is larger than the axis it slides along, unpadded.

    Args:
        layer: the layer, with its `rank` and `data_format`.
        shape: of the input; open sizes are not judged.
        argument: what the window is called: ``"kernel_size"`` or ``"pool_size"``.
        window: its size along each spatial axis.
        dilation: the distance between its entries along each spatial axis.

    Raises:
        ShapeError: it is larger.
    """
    places = spatial_axes(layer.rank, layer.data_format)
    for i, (name, place) in enumerate(zip(NAMES[layer.rank], places, strict=True)):
        step = 1 if dilation is None else dilation[i]
        reach = (window[i] - 1) * step + 1
        size = shape[place]
        if dims.is_known(size) and size < reach:
            entry = argument if layer.rank == 1 else f"{argument}[{i}]"
            spread = f" with dilation_rate={step}" if step > 1 else ""
            raise ShapeError(
                f"{checking.describe(layer)}: {entry}={window[i]}{spread} does not fit into the {name} axis, "
                f"which has size {size}",
                layer=layer.name,
                expected=f"{name} of {reach} or more with padding='valid'",
                received=f"{dims.show_shape(dims.to_public(shape))}   {name}={size}",
                notes=[("to do", f"use a smaller {argument}, a longer {name}, or padding='same'")],
            )
