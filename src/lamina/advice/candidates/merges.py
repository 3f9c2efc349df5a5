"""Tensors that do not fit together in a merging layer."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterator
from typing import Any

from lamina.advice import names, trying
from lamina.advice.candidates.case import Case
from lamina.advice.candidates.windows import same_padding
from lamina.advice.inner import InnerTrial
from lamina.core import config
from lamina.shapes import dims
from lamina.shapes.errors import Fix

_ND = {3: "1D", 4: "2D", 5: "3D"}


def as_list(case: Case) -> Iterator[Fix | None]:
    """Tensors that were given one by one, and not as a list."""
    given = case.trial.args
    if len(given) < 2 or not all(hasattr(a, "shape") for a in given) or isinstance(case.trial, InnerTrial):
        return
    result = trying.Trial(case.layer, (list(given),), {}, case.trial.was_built).attempt()
    call = next((c for c in names.calls(case.error.call_site) if len(c.args) == len(given)), None)
    if result is not None and call is not None:
        parts = [names.short(a) or f"input_{i}" for i, a in enumerate(call.args, 1)]
        yield Fix("give one list of tensors", f"[{', '.join(parts)}]", trying.shown(result))


def with_itself(case: Case) -> Iterator[Fix | None]:
    """Attention that was given a query alone: to itself."""
    if "Attention" not in type(case.layer).__name__ or len(case.trial.args) != 1 or len(case.shapes) != 1:
        return
    given = case.trial.args[0]
    several = isinstance(given, (list, tuple))
    args = ([*given, *given],) if several else (given, given)
    result = trying.Trial(case.layer, args, {}, case.trial.was_built).attempt()
    if result is not None:
        name = case.input_name(0)
        call = next((c for c in names.calls(case.error.call_site) if c.args and names.short(c.args[0]) == name), None)
        called = ast.unparse(call.func) if call is not None else case.layer.name
        one = next(iter(names.elements(call.args[0]) if call is not None and several else ()), "") or name
        code = f"[{one}, {one}]" if several else f"{called}({name}, {name})"
        yield Fix("let the sequence attend to itself", code, trying.shown(result))


def one_of_several(case: Case) -> Iterator[Fix | None]:
    """A layer of one input, with a list of tensors."""
    signature = case.signature
    if len(case.shapes) < 2 or signature is None or len(signature.inputs) != 1:
        return
    for title, join in (("join them first", "Concatenate"), ("or add them first", "Add")):
        with trying.quiet():
            merge = getattr(trying.Layers(), join)()
        new = trying.fresh(case.layer)
        result = case.trial.attempt(layer=lambda x, new=new, m=merge: trying.apply(new, trying.apply(m, list(x))))
        if result is not None:
            yield Fix(title, f'layers.{join}() before "{case.layer.name}"', trying.shown(result))


def misfit(case: Case) -> Iterator[Fix | None]:
    """Sizes, ranks or axes that differ between the inputs of a merging layer."""
    if len(case.shapes) < 2 or getattr(case.layer, "_graph", None) is not None:
        return
    kind = type(case.layer).__name__
    if kind == "Dot":
        yield from _dot_axes(case)
        return
    ranks = {len(s) for s in case.shapes}
    if len(ranks) > 1:
        yield from _other_rank(case, min(ranks), max(ranks))
        return
    yield from _crop_or_pad(case)
    widths = {shape[i] for shape in case.shapes for i in range(1, len(shape)) if i not in _spatial_places(case)}
    if len(widths) > 1:
        yield from _project(case)
    yield from _round_input(case)  # which traces the model from its input on
    if kind == "Concatenate":
        yield from _other_axis(case)
    if len(case.shape) > 2:
        yield from _keep_size(case)
    if len(widths) == 1:
        yield from _project(case)
    yield from _permute(case)


def _dot_axes(case: Case) -> Iterator[Fix | None]:
    a, b = (len(s) for s in case.shapes[:2])
    pairs = itertools.product(range(a - 1, 0, -1), range(b - 1, 0, -1))
    known = [(i, j) for i, j in pairs if dims.is_known(case.shapes[0][i]) and case.shapes[0][i] == case.shapes[1][j]]
    for i, j in known or [(a - 1, b - 1)]:
        axes: Any = i if i == j else (i, j)
        yield case.change(case.layer, "sum over axes of the same size", axes=axes)
    if not known:
        yield from _same_width(case)


def _same_width(case: Case) -> Iterator[Fix | None]:
    """Vectors of the same size: more or fewer units in the layer that made one, or a layer in between."""
    pair = case.layer.axes if isinstance(case.layer.axes, (list, tuple)) else (case.layer.axes,) * 2
    if any(axis not in (-1, len(s) - 1) for axis, s in zip(pair, case.shapes, strict=False)):
        return
    for place in (0, 1):
        size = case.shapes[1 - place][-1]
        if not dims.is_known(size):
            continue
        title = f'make "{case.input_name(place)}" as wide as the other, {int(size)}'
        made = next((p for p in case.trial.producers(place)[:3] if _width(p)), None)
        if made is not None:
            yield case.change(made, title, **{_width(made): int(size)})
        yield case.insert(f"or {title}", f"layers.Dense({int(size)})", place)


def _width(layer: Any) -> str:
    """The argument of a layer that says how many features come out."""
    return next((n for n in ("units", "output_dim", "filters") if isinstance(getattr(layer, n, None), int)), "")


def _keep_size(case: Case) -> Iterator[Fix | None]:
    """A layer with strides in one branch, without them."""
    sizes = [int(s[1]) if dims.is_known(s[1]) else math.inf for s in case.shapes]
    small = sizes.index(min(sizes))
    for layer in case.trial.producers(small)[:3]:
        strides = getattr(layer, "strides", 1)
        if hasattr(layer, "padding") and (strides if isinstance(strides, int) else max(strides)) > 1:
            yield case.change(layer, f'or keep the size in "{layer.name}"', strides=1, padding="same")


def _spatial_places(case: Case) -> list[int]:
    rank = len(case.shape)
    first = rank > 3 and case.data_format == "channels_first"
    return list(range(2, rank)) if first else list(range(1, rank - 1))


def _crop_or_pad(case: Case) -> Iterator[Fix | None]:
    """Cut the larger input, or pad the smaller one, to the size of the other; or keep the sizes alike before."""
    rank, places = len(case.shape), _spatial_places(case)
    if rank not in _ND or len(case.shapes) != 2:
        return
    a, b = case.shapes
    if not all(dims.is_known(s[p]) for s in (a, b) for p in places) or all(a[p] == b[p] for p in places):
        return
    for place, (own, other) in enumerate(((a, b), (b, a))):
        surplus = [own[p] - other[p] for p in places]
        if all(n >= 0 for n in surplus):
            code = f"layers.Cropping{_ND[rank]}({margins(surplus)}{_format(case)})"
            yield case.insert(f'crop "{case.input_name(place)}" to the size of the other', code, place)
    valid = [
        p for p in case.trial.layers_before() if getattr(p, "padding", "") == "valid" and hasattr(p, "kernel_size")
    ]
    if valid:
        yield same_padding(case, valid)
    for place, (own, other) in enumerate(((a, b), (b, a))):
        missing = [other[p] - own[p] for p in places]
        if all(n >= 0 for n in missing):
            code = f"layers.ZeroPadding{_ND[rank]}({margins(missing)}{_format(case)})"
            yield case.insert(f'or pad "{case.input_name(place)}" with zeros', code, place)


def _format(case: Case) -> str:
    """What to say of the channels' place, if it is not the usual one."""
    differs = len(case.shape) > 3 and case.data_format != config.image_data_format()
    return f', data_format="{case.data_format}"' if differs else ""


def margins(sizes: list[Any]) -> str:
    """What to take from each side of every axis, as the cropping layers write it."""
    sides = [(int(n) // 2, int(n) - int(n) // 2) for n in sizes]
    if len(sides) == 1:
        return str(sides[0][0] if sides[0][0] == sides[0][1] else sides[0])
    if all(before == after for before, after in sides):
        return str(sides[0][0] if len(set(sides)) == 1 else tuple(before for before, _ in sides))
    return str(tuple(sides))


def _round_input(case: Case) -> Iterator[Fix | None]:
    """An input size that can be halved as often as the model does."""
    source = case.only_source()
    met = [{shape[place] for shape in case.shapes} for place in _spatial_places(case)]
    if source is None or source.ndim < 3 or all(len(sizes) == 1 for sizes in met):
        return
    places = _spatial_places(case) if source.ndim == len(case.shape) else list(range(1, source.ndim - 1))
    for multiple in (2, 4, 8, 16, 32, 64):
        sizes = [
            -(-d // multiple) * multiple if i in places and dims.is_known(d) else d for i, d in enumerate(source.dims)
        ]
        if sizes != list(source.dims):
            fix = case.new_input(f"or use sizes that are a multiple of {multiple}", source, sizes[1:])
            if fix is not None:
                yield fix
                return


def _other_axis(case: Case) -> Iterator[Fix | None]:
    rank = len(case.shape)
    for axis in (rank - 1, *range(1, rank - 1)):
        if axis != case.layer.axis % rank:
            shown = -1 if axis == rank - 1 else axis
            yield case.change(case.layer, "join along the axis that differs", axis=shown)


def _project(case: Case) -> Iterator[Fix | None]:
    """A layer on one input that gives it the sizes of the other: the projection of a residual block."""
    if len(case.shapes) != 2 or type(case.layer).__name__ == "Concatenate":
        return
    rank, spatial = len(case.shape), _spatial_places(case)
    for place in (1, 0):
        own, other = case.shapes[place], case.shapes[1 - place]
        channels = other[1 if 1 not in spatial and rank in _ND else -1]
        if not dims.is_known(channels):
            continue
        title = f'give "{case.input_name(place)}" the {channels} features of the other input'
        if rank in (2, 3):
            dense = case.insert(title, f"layers.Dense({channels})", place)
            if dense is not None:
                yield dense
                continue
        if rank in _ND and all(dims.is_known(s[i]) for s in (own, other) for i in spatial):
            strides = {-(-int(own[i]) // int(other[i])) for i in spatial if other[i]}
            step = strides.pop() if len(strides) == 1 else 0
            if step >= 1:
                more = (f', strides={step}, padding="same"' if step > 1 else "") + _format(case)
                yield case.insert(title, f"layers.Conv{_ND[rank]}({channels}, 1{more})", place)


def _permute(case: Case) -> Iterator[Fix | None]:
    rank = len(case.shape)
    for place in (1, 0):
        for order in itertools.permutations(range(1, rank)):
            if 2 <= len(order) <= 3 and order != tuple(range(1, rank)):
                yield case.insert(f'swap the axes of "{case.input_name(place)}"', f"layers.Permute({order})", place)


def _other_rank(case: Case, low: int, high: int) -> Iterator[Fix | None]:
    """A vector meets a sequence or an image: one gets the axes of the other."""
    small = next(i for i, s in enumerate(case.shapes) if len(s) == low)
    large = next(i for i, s in enumerate(case.shapes) if len(s) == high)
    few, many = case.shapes[small], case.shapes[large]
    a, b = case.input_name(small), case.input_name(large)
    if (low, high) == (2, 3) and dims.is_known(many[1]):
        yield case.insert(f'repeat "{a}" for every step of "{b}"', f"layers.RepeatVector({many[1]})", small)
    if high - low == 1 and all(dims.is_known(s) for s in few[1:]):
        yield case.insert(f'give "{a}" one more axis', f"layers.Reshape({(*map(int, few[1:]), 1)})", small)
        yield case.insert(f'give "{a}" one more axis', f"layers.Reshape({(1, *map(int, few[1:]))})", small)
    if low == 2:
        for producer in case.trial.producers(large)[:4]:
            if getattr(producer, "return_sequences", False):
                yield case.change(producer, f'let "{producer.name}" give its last step only', return_sequences=False)
        yield case.insert(f'make one row of "{b}"', "layers.Flatten()", large)
        if high in _ND:
            yield case.insert(f'make one row of "{b}"', f"layers.GlobalAveragePooling{_ND[high]}()", large)
        for producer in case.trial.producers(small)[:4]:
            if getattr(producer, "return_sequences", None) is False:
                yield case.change(producer, f'let "{producer.name}" give every step', return_sequences=True)
