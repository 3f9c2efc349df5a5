"""An input with too few or too many axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lamina.advice import trying
from lamina.advice.candidates.case import Case
from lamina.shapes import dims
from lamina.shapes.errors import Fix


def too_few(case: Case) -> Iterator[Fix | None]:
    """Axes are missing: kept by the layer before, added by a layer, or added to the data."""
    gap = case.gap()
    if gap <= 0 or len(case.shapes) != 1:
        return
    yield from _other_axes(case)
    yield from _keep_time(case)
    if type(case.layer).__name__ == "TimeDistributed":
        yield from _needs_time(case)
        return
    yield from _undo_flatten(case)
    yield from _repeat(case)
    sample = case.shape[1:]
    source = case.only_source()
    if _is_channel_less(case) and gap == 1:
        channels = (*dims.to_public(sample), 1)
        if source is not None and len(source.dims) == len(case.shape) and not _kept(case):
            code = f"{case.input_code(source, (*dims.to_public(source.dims[1:]), 1))} and x = x[..., None]"
            title = "give the data an axis of channels" if case.wants("channels") else "give the data one more axis"
            yield case.new_input(title, source, (*source.dims[1:], 1), code)
        if None not in channels and case.has_batch():
            yield case.insert("or let the model add the axis", f"layers.Reshape({channels})")
    elif gap >= 1 and None not in dims.to_public(sample) and len(sample) == 1:
        yield from _unfold(case, int(sample[0]), gap)
    if source is not None and case.wants("time") and source.dtype.startswith("int") and not case.trial.layers_before():
        yield case.insert("make vectors of the whole numbers", "layers.Embedding(10000, 32)")


def _other_axes(case: Case) -> Iterator[Fix | None]:
    """Arguments that name axes which the input does not have."""
    rank = len(case.shape)
    if hasattr(case.layer, "axis") and isinstance(case.layer.axis, int):
        yield case.change(case.layer, f"name an axis of the input, which has {rank}", axis=-1)
    if type(case.layer).__name__ == "Permute":
        yield case.change(case.layer, f"order the {rank - 1} axes of a sample", dims=tuple(range(rank - 1, 0, -1)))


def too_many(case: Case) -> Iterator[Fix | None]:
    """There are axes too many: samples counted into the shape, one-hot words, sequences that go on."""
    if case.gap() >= 0 or len(case.shapes) != 1:
        return
    yield from _one_hot_words(case)
    yield from _cell(case)
    certain = [fix for fix in _samples_in_shape(case) if fix is not None]
    if certain:
        yield from certain
        yield _each_step(case)
        return
    for layer in case.trial.producers()[:3]:
        if getattr(layer, "return_sequences", False):
            yield case.change(layer, f'let "{layer.name}" give its last step only', return_sequences=False)
            break
    sample: tuple[Any, ...] = dims.to_public(case.shape[1:])
    if sample and sample[-1] == 1 and None not in sample[:-1] and case.gap() == -1:
        yield case.insert("drop the last axis, of size 1", f"layers.Reshape({sample[:-1]})")
    if case.wants("time") and case.gap() == -1 and len(sample) == 3 and None not in sample:
        yield case.insert(
            "make one row of features of each step", f"layers.Reshape(({sample[0]}, {sample[1] * sample[2]}))"
        )
    if case.wants("time") and case.gap() < -1:
        yield case.insert("make one row of features of each step", "layers.TimeDistributed(layers.Flatten())")
        pool = f"layers.TimeDistributed(layers.GlobalAveragePooling{len(sample) - 2}D())"
        yield case.insert("or pool the map of each step", pool)
    if case.gap() == -1 and not case.trial.was_built:
        yield _each_step(case)
    for pool in (f"layers.GlobalAveragePooling{len(case.shape) - 2}D()", "layers.Flatten()"):
        if 3 <= len(case.shape) <= 5:
            yield case.insert("reduce each sample to one row", pool)


def _cell(case: Case) -> Iterator[Fix | None]:
    """A cell, which takes one step, was given whole sequences."""
    kind = type(case.layer).__name__
    cell = trying.fresh(case.layer)
    if not kind.endswith("Cell") or case.gap() != -1 or cell is None:
        return
    with trying.quiet():
        runner = trying.Layers().RNN(cell)
        whole = trying.evaluate(f"layers.{kind.removesuffix('Cell')}({case.layer.units})")
    for title, layer, code in (
        ("let an RNN run the cell over the steps", runner, f"layers.RNN(layers.{kind}({case.layer.units}))"),
        ("or take the layer, which does that itself", whole, f"layers.{kind.removesuffix('Cell')}({case.layer.units})"),
    ):
        result = case.trial.attempt(layer=layer)
        if result is not None:
            yield Fix(title, f'{code} instead of {kind} "{case.layer.name}"', trying.shown(result))


def _keep_time(case: Case) -> Iterator[Fix | None]:
    layer = next((p for p in case.trial.producers() if getattr(p, "return_sequences", None) is False), None)
    if layer is not None:
        yield case.change(layer, f'let "{layer.name}" give every step, not only the last', return_sequences=True)


def _needs_time(case: Case) -> Iterator[Fix | None]:
    """What comes to a `TimeDistributed` is no sequence: make it one, or do without."""
    inner, source = case.layer.layer, case.only_source()
    if source is not None and case.gap() == 1:
        sample = dims.to_public(source.dims[1:])
        grey = sample[-1] not in (1, 3, 4)  # colours otherwise
        if grey and case.wants("channels") and len(source.dims) == len(case.shape):
            code = f"{case.input_code(source, (*sample, 1))} and x = x[..., None]"
            yield case.new_input("give the data an axis of channels", source, (*sample, 1), code)
        title = f"or give every sample a time axis (here 10 steps of {dims.show_shape(sample)})"
        yield case.new_input(title, source, (10, *sample))
    if case.gap() == 1:
        result = case.trial.attempt(layer=trying.fresh(inner))
        if result is not None:
            name = type(inner).__name__
            title = f"there is no time axis: use plain {name}, without TimeDistributed"
            code = f'"{inner.name}" instead of TimeDistributed "{case.layer.name}"'
            yield Fix(title, code, trying.shown(result))


def _undo_flatten(case: Case) -> Iterator[Fix | None]:
    for layer in case.trial.producers()[:4]:
        kind = type(layer).__name__
        if kind == "Flatten" or kind.startswith("Global"):
            yield case.replace(layer, f'keep the axes that "{layer.name}" takes away', "")
            break
    if type(case.layer).__name__.startswith("Global") and len(case.shape) == 2:
        yield Fix("there is no axis left to pool", f'remove {type(case.layer).__name__} "{case.layer.name}"',
                  dims.show_shape(dims.to_public(case.shape)))  # fmt: skip


def _repeat(case: Case) -> Iterator[Fix | None]:
    """A vector as every step of a sequence, as long as the one that it was made of."""
    if not case.wants("time") or len(case.shape) != 2 or not case.trial.layers_before():
        return
    source = case.only_source()
    sizes = [int(d) for d in source.dims[1:2] if dims.is_known(d)] if source is not None and source.ndim > 2 else []
    steps = sizes[0] if sizes else 10
    yield case.insert(f"repeat the vector for each of {steps} steps", f"layers.RepeatVector({steps})")


def _kept(case: Case) -> bool:
    """Whether an input's axes were changed on the way to the failing layer."""
    return any(case.trial.input_of(p) not in (None, case.shape) for p in case.trial.producers() if hasattr(p, "name"))


def _is_channel_less(case: Case) -> bool:
    """Whether what is missing can be a last axis of size 1."""
    return case.wants("channels") or case.wants("time") or case.gap() == 1


def _unfold(case: Case, total: int, gap: int) -> Iterator[Fix | None]:
    """A row of values as an image: the largest square that leaves a power of two of channels, else one channel."""
    if gap == 2:
        sides = [s for s in range(2, math.isqrt(total) + 1) if total % (s * s) == 0]
        powers = [s for s in sides if _is_power(total // (s * s)) and total // (s * s) >= 8]
        side = min((s for s in powers if s > 2), default=max(sides, default=0))
        if side:
            yield case.insert("lay the row out as an image", f"layers.Reshape(({side}, {side}, {total // side**2}))")


def _is_power(n: int) -> bool:
    return n & (n - 1) == 0


def _one_hot_words(case: Case) -> Iterator[Fix | None]:
    """An `Embedding` that was given one-hot rows, or numbers with an axis of size 1."""
    layer = next((p for p in case.trial.producers() if type(p).__name__ == "Embedding"), None)
    given = case.trial.input_of(layer) if layer is not None else None
    source = case.only_source()
    if layer is None or given is None or len(given) < 3:
        return
    if source is not None and shape_is(source, given):
        dtype = source.dtype if source.dtype.startswith(("int", "uint")) else "int32"
        shape = dims.show_shape(dims.to_public(given[1:-1]))
        how = "x = np.squeeze(x, -1)" if given[-1] == 1 else "x = x.argmax(-1)"
        title = f'"{layer.name}" takes integer ids, one for each word'
        code = f'Input({shape}, dtype="{dtype}") and {how}'
        yield case.new_input(title, source, given[1:-1], code)
    if given[-1] != 1:
        yield case.replace(layer, "or remove the Embedding: on one-hot rows a Dense does the same",
                           f"layers.Dense({layer.output_dim})")  # fmt: skip


def shape_is(tensor: Any, shape: Any) -> bool:
    """Whether a tensor has that shape."""
    return len(tensor.dims) == len(shape) and all(a == b for a, b in zip(tensor.dims, shape, strict=True))


def _samples_in_shape(case: Case) -> Iterator[Fix | None]:
    """``Input(x.shape)``: the number of samples stands in the shape of one sample."""
    source = case.only_source()
    if source is None or len(source.dims) < 3 or not dims.is_known(source.dims[1]):
        return
    sample = source.dims[2:]
    wrong = "input_shape=x.shape" if case.declares_input() else "Input(shape=x.shape)"
    code = f"{case.input_code(source, sample)}, that is {wrong[:-1] if wrong.endswith(')') else wrong}[1:]"
    code += ")" if wrong.endswith(")") else ""
    title = f"leave the number of samples ({source.dims[1]}) out of the input's shape"
    yield case.new_input(title, source, sample, code)


def _each_step(case: Case) -> Fix | None:
    wrapper = trying.fresh(case.layer)
    if wrapper is None or type(case.layer).__name__ == "TimeDistributed":
        return None
    with trying.quiet():
        wrapper = trying.Layers().TimeDistributed(wrapper)
    result = case.trial.attempt(layer=wrapper)
    if result is None:
        return None
    kind = type(case.layer).__name__
    return Fix("or apply the layer to every step of a sequence", f"layers.TimeDistributed(layers.{kind}(...))",
               trying.shown(result))  # fmt: skip
