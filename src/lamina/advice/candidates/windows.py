"""Kernels and pools that are larger than what is left of an axis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamina.advice import trying
from lamina.advice.candidates.case import Case
from lamina.shapes import dims
from lamina.shapes.errors import Fix

_COLOURS = (1, 2, 3, 4)


def too_large(case: Case) -> Iterator[Fix | None]:
    """A window that does not fit: other padding, a smaller window, fewer poolings, a larger input."""
    layer = case.layer
    argument = next((n for n in ("kernel_size", "pool_size") if hasattr(layer, n)), "")
    if not argument or case.gap() or getattr(layer, "padding", "") != "valid":
        return
    if case.trial.was_built and case.trial.attempt(layer=trying.fresh(layer)) is not None:
        return  # it has weights for something else; its window is not at fault
    yield from channels_first(case)
    kind = type(layer).__name__
    yield case.change(layer, f'let {kind} "{layer.name}" pad its input', padding="same")
    yield from _fewer_poolings(case)
    sizes = _spatial(layer, case.shape)
    if all(dims.is_known(s) and s > 0 for s in sizes):
        window = getattr(layer, argument)
        window = (window,) * len(sizes) if isinstance(window, int) else window
        small = tuple(min(int(s), w) for s, w in zip(sizes, window, strict=True))
        value: Any = small[0] if len(set(small)) == 1 else small
        yield case.change(layer, f"use a smaller {argument}", **{argument: value})
    yield from _larger_input(case)


def channels_first(case: Case) -> Iterator[Fix | None]:
    """Images whose colours come first, in a layer that takes them last (or the reverse)."""
    layer, shape = case.layer, case.shape
    if getattr(layer, "data_format", None) is None or len(shape) < 4 or not looks_swapped(layer, shape):
        return
    first = layer.data_format == "channels_last"
    other = "channels_first" if first else "channels_last"
    source = case.only_source()
    if source is not None and tuple(source.dims) == tuple(shape):
        moved = (*shape[2:], shape[1]) if first else (shape[-1], *shape[1:-1])
        move = "np.moveaxis(x, 1, -1)" if first else "np.moveaxis(x, -1, 1)"
        code = f"{case.input_code(source, moved)} and x = {move}"
        yield case.new_input(f"put the channels {'last' if first else 'first'}", source, moved, code)
    yield case.change(layer, "or say where the channels are", data_format=other)
    order = (*range(2, len(shape)), 1) if first else (len(shape) - 1, *range(1, len(shape) - 1))
    yield case.insert("or move them in the model", f"layers.Permute({order})")


def looks_swapped(layer: Any, shape: Any) -> bool:
    """Whether the axis of channels stands where the layer has a spatial axis."""
    near, far = (shape[1], shape[-1]) if layer.data_format == "channels_last" else (shape[-1], shape[1])
    return dims.is_known(near) and near in _COLOURS and (not dims.is_known(far) or far > 4)


def _spatial(layer: Any, shape: Any) -> Any:
    return shape[2:] if getattr(layer, "data_format", "") == "channels_first" else shape[1:-1]


def _fewer_poolings(case: Case) -> Iterator[Fix | None]:
    """The last layer before that made the axes smaller by more than a kernel: without it, or padded."""
    producers = [p for p in case.trial.producers() if hasattr(p, "strides") and hasattr(p, "padding")]
    pool = next((p for p in producers if hasattr(p, "pool_size")), None)
    if pool is not None:
        yield case.replace(pool, "pool less often", "")
    valid = [p for p in producers if p.padding == "valid"]
    if valid:
        yield same_padding(case, valid)


def same_padding(case: Case, layers: list[Any]) -> Fix | None:
    """``padding="same"`` in all of these layers."""
    changes = {layer: trying.fresh(layer, padding="same") for layer in layers}
    result = case.trial.attempt(changes=changes)
    if result is None:
        return None
    listed = ", ".join(f'"{layer.name}"' for layer in layers[:4]) + (", ..." if len(layers) > 4 else "")
    return Fix("keep the sizes in the layers before", f'padding="same" in {listed}', trying.shown(result))


def _larger_input(case: Case) -> Iterator[Fix | None]:
    source = case.only_source()
    if source is None or not any(dims.is_known(d) for d in source.dims[1:]):
        return
    places = [i for i, d in enumerate(source.dims) if i and dims.is_known(d) and (i < source.ndim - 1 or i == 1)]
    for factor in (2, 4, 8):
        sample = [d * factor if i in places else d for i, d in enumerate(source.dims)][1:]
        fix = case.new_input("or use longer or larger inputs", source, sample)
        if fix is not None:
            yield fix
            return
