"""Sizes that are open where weights need a number, or that do not multiply to what is wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from lamina.advice import trying
from lamina.advice.candidates.case import Case
from lamina.advice.candidates.windows import channels_first
from lamina.shapes import dims
from lamina.shapes.errors import Fix

_GUESSES = (28, 32, 64, 224)
_ND = {3: "1D", 4: "2D", 5: "3D"}


def open_sizes(case: Case) -> Iterator[Fix | None]:
    """A layer's weights depend on a size that is open."""
    if case.gap() or len(case.shapes) != 1 or all(dims.is_known(s) for s in case.shape[1:]):
        return
    if not dims.is_known(case.shape[-1]):
        yield from channels_first(case)
    for layer in case.trial.producers()[:4]:
        given = case.trial.input_of(layer)
        if type(layer).__name__ == "Flatten" and given is not None and len(given) in _ND:
            for kind in ("Average", "Max"):
                code = f"layers.Global{kind}Pooling{_ND[len(given)]}()"
                yield case.replace(layer, "pool, whatever the size is", code)
            break
    source = case.only_source()
    if source is None:
        return
    first = (3,) if len(source.dims) >= 4 else (8,)
    for guess in _GUESSES:
        last = source.dims[-1]
        sample = [d if dims.is_known(d) else guess for d in source.dims[1:-1]]
        only_last = case.new_input(
            "give the number of features",
            source,
            (*source.dims[1:-1], *(first if not dims.is_known(last) else (last,))),
        )
        if only_last is not None and not dims.is_known(last):
            yield only_last
            return
        filled = (*sample, last if dims.is_known(last) else first[0] if source.ndim > 2 else guess)
        fix = case.new_input("or give a fixed size to the input", source, filled)
        if fix is not None:
            yield fix
            return


def near(
    shape: Sequence[int], fitting: Sequence[dict[int, int]], labels: Sequence[int] | None = None
) -> Iterator[tuple[str, str]]:
    """Data of a size that the model does not take, brought to the next one that it does.

    Args:
        shape: shape of the data.
        fitting: sizes that fit, by axis.
        labels: shape of the labels; where they have the same sizes, they are changed too.

    Yields:
        Titles, and code in which ``{x}`` stands for the data, followed by that for the labels after an "and".
    """
    together = labels is not None and len(labels) == len(shape) and list(labels[1:-1]) == list(shape[1:-1])
    for wanted in fitting:
        sizes = [wanted.get(i, s) for i, s in enumerate(shape)]
        shown = "x".join(str(sizes[i]) for i in sorted(wanted))
        if all(new >= old for new, old in zip(sizes, shape, strict=True)):
            margins = ", ".join(f"(0, {new - old})" for new, old in zip(sizes, shape, strict=True))
            title, code = f"pad the data to {shown}", f"np.pad({{x}}, ({margins}))"
        else:
            off = max(i for i, (new, old) in enumerate(zip(sizes, shape, strict=True)) if new != old)
            index = [":" if new == old else f":{new}" for new, old in zip(sizes, shape, strict=True)][: off + 1]
            title, code = f"or cut the data to {shown}", f"{{x}}[{', '.join(index)}]"
        yield (f"{title}, and the labels", f"{code} and {code}") if together else (title, code)
    if len(shape) == 4 and fitting and not together and set(fitting[-1]) == {1, 2}:
        size = (fitting[-1][1], fitting[-1][2])
        yield f"or resize the images to {size[0]}x{size[1]}", f"lamina.ops.image.resize({{x}}, {size})"


def wrong_total(case: Case) -> Iterator[Fix | None]:
    """A `Reshape` whose target holds another number of values than a sample."""
    layer = case.layer
    target = getattr(layer, "target_shape", None)
    if target is None or type(layer).__name__ != "Reshape":
        return
    sample = case.shape[1:]
    known = [int(s) for s in sample if dims.is_known(s)]
    total = math.prod(known) if len(known) == len(sample) else 0
    for title, candidate in _targets(tuple(target), total):
        yield case.change(layer, title, target_shape=candidate)
    source = case.only_source()
    if source is not None and total and -1 not in target and source.ndim == 2 and len(case.shape) == 2:
        yield case.new_input("or give the model an input of that size", source, (math.prod(target),))
    wanted = math.prod(n for n in target if n != -1)
    producer = next((p for p in case.trial.producers() if hasattr(p, "units")), None)
    if producer is not None and -1 not in target and len(case.shape) == 2:
        yield case.change(producer, f'let "{producer.name}" give as many values as the target has', units=wanted)
    if total and len(target) > 1:
        for candidate in _nearest(tuple(target), total):
            yield case.change(layer, f"or use sizes that multiply to {total}", target_shape=candidate)


def _targets(target: tuple[int, ...], total: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Targets that hold `total` values and differ from the one given in one size; with -1 where that is open."""
    fixed = [n for n in target if n != -1]
    for place in range(len(target)):
        rest = math.prod(n for i, n in enumerate(target) if i != place and n != -1)
        if -1 not in target[:place] + target[place + 1 :] and (not total or (rest and total % rest == 0)):
            result = f", here {total // rest}" if total else ""
            yield f"let size {place + 1} follow from the others{result}", (*target[:place], -1, *target[place + 1 :])
    if total and len(fixed) > 2 and math.prod(fixed[1:]) == total:
        yield "leave the number of samples out", tuple(fixed[1:])
    if total and len(target) == 3:
        channels = target[-1] if target[-1] > 0 else 1
        side = math.isqrt(total // channels) if channels else 0
        if side * side * channels == total:
            yield f"the square that has {total} values", (side, side, channels)


def _nearest(target: tuple[int, ...], total: int) -> Iterator[tuple[int, ...]]:
    """The target of two sizes that holds `total` values and is most like the one given."""
    if len(target) == 2 and -1 not in target:
        pairs = [(n, total // n) for n in range(2, total) if total % n == 0]
        yield from sorted(pairs, key=lambda pair: abs(math.log(pair[0] * target[1] / (pair[1] * target[0]))))[:1]


def wrong_units(case: Case) -> Iterator[Fix | None]:
    """Another number of features than the layer was built for."""
    if not case.trial.was_built or case.gap() or len(case.shapes) != 1:
        return
    built: dict[str, Any] = getattr(case.layer, "axis_sizes", {})
    axes = case.axes[0]
    for name, size in (axes.sizes(case.shape) if axes is not None else {}).items():
        if name in built and dims.is_known(size) and size != built[name]:
            if hasattr(case.layer, "adapt"):
                yield from _other_columns(case, int(size), built[name])
                continue
            if name in ("features", "channels"):
                yield case.insert(f"bring the {size} {name} to the {built[name]} that it has weights for",
                                  f"layers.Dense({built[name]})")  # fmt: skip
            kind = type(case.layer).__name__
            result = case.trial.attempt(layer=trying.fresh(case.layer))
            if result is not None:
                title = "or use a layer of its own here, with weights of its own"
                yield Fix(title, f"a new layers.{kind}(...)", trying.shown(result))


def _other_columns(case: Case, size: int, adapted: int) -> Iterator[Fix | None]:
    """A layer that was adapted to other columns than it gets."""
    source = case.only_source()
    if size > adapted:
        index = f"[..., :{adapted}]"
        result = case.trial.attempt(before={0: lambda x: trying.evaluate(f"x{index}", x=x)})
        if result is not None:
            title = f"give the {adapted} columns that it was adapted to, say the first"
            yield Fix(title, f"{case.input_name(0)}{index}", trying.shown(result))
    elif source is not None and source.dims[-1] == size and len(source.dims) == len(case.shape):
        title = f"give all {adapted} columns that it was adapted to"
        yield case.new_input(title, source, (*source.dims[1:-1], adapted))
    result = case.trial.attempt(layer=trying.fresh(case.layer))
    axes: Any = getattr(case.layer, "axis", ())
    if result is not None and len(axes) == 1:
        kind, given = type(case.layer).__name__, f"axis={axes[0]}" if axes[0] != -1 else ""
        code = f"layers.{kind}({given}) and {case.variable()}.adapt(x)"
        yield Fix(f"or adapt a new one to the {size} columns that come here", code, trying.shown(result))
