"""Which input sizes give a certain output."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from lamina.core import checks, tree
from lamina.core.symbolic import KerasTensor
from lamina.models.accepting import Acceptance, Probe, Rule, Sizes, sizes_at
from lamina.models.accepting_words import acceptance_of, lines
from lamina.models.model import Model
from lamina.reports.rendering import Report, escape
from lamina.shapes import dims

_MOST = 4096  # the largest size of a free dimension that is tried
_SHOWN = 32
_MOST_TOGETHER = 3  # free dimensions that are searched together


@dataclass
class Wish:
    """One axis of an output that is to have a certain size."""

    output: int
    axis: int
    size: int
    dim: Any


@dataclass
class Solution:
    """Sizes of one free dimension (and those that move with it) that give the wanted sizes.

    Attributes:
        name: the free dimension, as it is shown.
        sizes: the sizes that do, at most 32 of them.
        nearest: where there are none: the nearest sizes that an axis can have, with the size that gives each.
        wanted: the size of the axis that is out of reach, as an expression and a number.
    """

    name: str
    sizes: list[int] = field(default_factory=list)
    nearest: list[tuple[int, int]] = field(default_factory=list)
    wanted: tuple[str, int] | None = None


class Solve(Report):
    """Input sizes that give an output; see `solve`.

    Attributes:
        model: name of the model.
        output_shape: what was asked for.
        solutions: for each free dimension that matters, the sizes that do.
        inputs: shapes of the inputs with the first such sizes put in, by name; empty if there are none.
        reasons: why no sizes do; empty if some do.
        free: what is accepted for the free dimensions that may have any accepted size, in words.
    """

    def __init__(self, model: str, output_shape: Any, shown: dict[str, str]):
        self.model, self.output_shape, self._shown = model, output_shape, shown
        self.solutions: list[Solution] = []
        self.inputs: dict[str, tuple[int | None, ...]] = {}
        self.reasons: list[str] = []
        self.free: list[str] = []

    @property
    def fits(self) -> bool:
        """Whether some sizes do."""
        return not self.reasons

    @property
    def sizes(self) -> dict[str, list[int]]:
        """The sizes that do, by the name of the free dimension."""
        return {solution.name: solution.sizes for solution in self.solutions}

    @property
    def lines(self) -> list[str]:
        """The answer in words."""
        if self.reasons:
            return list(self.reasons)
        said = [f"{s.name} = {_listing(s.sizes)}" for s in self.solutions]
        return [*said, *self.free] or ["any accepted sizes"]

    def to_dict(self) -> dict[str, Any]:
        nearest = {s.name: [list(pair) for pair in s.nearest] for s in self.solutions if s.nearest}
        return {
            "model": self.model,
            "output_shape": self.output_shape,
            "fits": self.fits,
            "sizes": self.sizes,
            "inputs": dict(self.inputs),
            "nearest": nearest,
            "lines": self.lines,
        }

    def render(self, width: int) -> list[RenderableType]:
        title = Text.assemble("Sizes that make ", (f'"{self.model}"', "bold"), f" give {self.output_shape}")
        rows: list[RenderableType] = [title, Text(""), *(Text(f"  {line}") for line in self.lines)]
        return [
            *rows,
            *(Text(f"  {name} {dims.show_shape(shape)}", style="dim") for name, shape in self.inputs.items()),
        ]

    def body(self) -> str:
        said = "".join(f"<li>{escape(line)}</li>" for line in self.lines)
        shapes = "".join(f"<dt>{escape(n)}</dt><dd>{escape(dims.show_shape(s))}</dd>" for n, s in self.inputs.items())
        title = f"Sizes that make <b>{escape(self.model)}</b> give {escape(str(self.output_shape))}"
        return f"<div>{title}</div><ul>{said}</ul><dl>{shapes}</dl>"


def solve(model: Model, output_shape: Any) -> Solve:
    """Input sizes with which a model gives a certain output, or why none does, with the nearest that it can give.

    Every answer is verified by tracing the model at these sizes; nothing is computed.

    Args:
        model: a model that declares its inputs.
        output_shape: the output ``(batch, ...)``, ``None`` for an axis that may have any size; for several outputs a
            list of such shapes.

    Returns:
        A `Solve`: print it, let a notebook show it, or read its `sizes`, `inputs`, `lines` and `to_dict()`.

    Raises:
        ValueError: `model` declares no inputs, or `output_shape` has another number of outputs or axes.

    Example:

    >>> import lamina
    >>> layers = lamina.layers
    >>> model = lamina.Sequential([lamina.Input(("length", 2)), layers.Conv1D(4, 3, strides=2)])
    >>> lamina.shapes.solve(model, output_shape=(None, 10, 4)).sizes
    {'length': [21, 22]}
    """
    if not isinstance(model, Model) or model._graph is None:
        raise ValueError("`model` is a model that declares its inputs, such as Sequential([Input((None, 3)), ...])")
    wanted = [tuple(shape) for shape in tree.flatten_shapes(output_shape)]
    wishes, fixed = _wishes(model, wanted)
    found = acceptance_of(model)
    report = Solve(model.name, output_shape, found.open_sizes.shown if found is not None else {})
    report.reasons += fixed
    if fixed:
        return report
    if found is None:
        report.inputs = {name: t.shape for name, t in zip(model.input_names, model.inputs, strict=True)}
        return report
    if not found.rules:
        report.reasons.append("the model accepts no sizes at all")
        return report
    inputs = dict(zip(model.input_names, model.inputs, strict=True))
    _search(Probe(model, model._graph.inputs, found.open_sizes), found, wishes, report, inputs)
    return report


def _wishes(model: Model, wanted: list[tuple[Any, ...]]) -> tuple[list[Wish], list[str]]:
    """The axes that are asked for and open; and what is asked for and fixed otherwise."""
    tensors = model.outputs
    if len(wanted) != len(tensors):
        raise ValueError(f"`output_shape` has {len(wanted)} shapes; {model.name!r} has {len(tensors)} outputs")
    wishes, refused = [], []
    for place, (shape, tensor) in enumerate(zip(wanted, tensors, strict=True)):
        if len(shape) != len(tensor.dims):
            raise ValueError(f"`output_shape`={shape!r} has {len(shape)} axes; the output is {tensor.shape}")
        for axis, (size, dim) in enumerate(zip(shape, tensor.dims, strict=True)):
            if size is None or str(dim) == str(dims.BATCH):
                continue
            if not checks.is_whole(size) or size < 1:
                raise ValueError(f"`output_shape`={shape!r}: {size!r} is no size; use a positive number or None")
            if not dims.is_known(dim):
                wishes.append(Wish(place, axis, int(size), dim))
            elif dim != size:
                refused.append(f"axis {axis} of the output always has size {int(dim)}, not {size}")
    return wishes, refused


def _search(probe: Probe, found: Acceptance, wishes: list[Wish], report: Solve, inputs: dict[str, KerasTensor]) -> None:
    """One free dimension after the other: which of its sizes give what is asked for."""
    shown, chosen = found.open_sizes.shown, dict(found.rules[0].sizes)
    for rule in found.rules:
        own = [w for w in wishes if _depends(probe, rule, w)]
        if not own:
            text = lines(Acceptance(found.open_sizes, [rule], 0))
            report.free += [line for line in text if not line.endswith("any size")]
            continue
        solution = _solve_rule(probe, rule, own, chosen, shown)
        report.solutions.append(solution)
        if not solution.sizes:
            report.reasons.append(_reason(solution, own))
            continue
        moved = sizes_at(probe, rule, solution.sizes[0]) or {}
        chosen |= {name: moved[name] for name in (rule.name, *rule.linked)}
    if not report.fits or not _gives(probe, chosen, wishes):
        together = _together(probe, found.rules, wishes)
        if together is None:
            report.reasons = report.reasons or ["each axis can have its size alone, but not all of them together"]
        else:
            chosen, report.reasons = together, []
            report.solutions = [Solution(shown[rule.name], [chosen[rule.name]]) for rule in found.rules]
    if report.fits:
        solved = {rule.name for rule in found.rules if any(_depends(probe, rule, w) for w in wishes)}
        solved |= {other for rule in found.rules if rule.name in solved for other in rule.linked}
        report.inputs = {name: tuple(_filled(d, chosen, solved) for d in t.dims) for name, t in inputs.items()}


def _together(probe: Probe, rules: Sequence[Rule], wishes: Sequence[Wish]) -> Sizes | None:
    """Sizes of all free dimensions that give what is asked for, where an axis depends on several of them."""
    shared = [w for w in wishes if sum(_depends(probe, rule, w) for rule in rules) > 1]
    if not shared or len(rules) > _MOST_TOGETHER:
        return None
    for picked in itertools.product(*(_accepted(rule, _SHOWN) for rule in rules)):
        sizes: Sizes = {}
        for rule, size in zip(rules, picked, strict=True):
            moved = sizes_at(probe, rule, size) or {}
            sizes |= {name: moved[name] for name in (rule.name, *rule.linked) if name in moved}
        known = [w for w in wishes if all(name in sizes for name in dims.symbols([w.dim]))]
        if all(dims.size_at(w.dim, sizes) == w.size for w in known) and _gives(probe, sizes, wishes):
            return sizes
    return None


def _filled(dim: Any, sizes: Sizes, solved: set[str]) -> int | None:
    names = dims.symbols([dim])
    return dims.size_at(dim, sizes) if all(name in solved for name in names) else None


def _depends(probe: Probe, rule: Rule, wish: Wish) -> bool:
    """Whether the axis changes with the free dimension: read off its expression, or tried where it has none."""
    names = dims.symbols([wish.dim])
    if all(name in probe.names for name in names):
        return bool({rule.name, *rule.linked} & {*names})
    seen = {size for n in _accepted(rule, 24) if (size := _size(probe, rule, wish, n, rule.sizes)) is not None}
    return len(seen) > 1


def _accepted(rule: Rule, count: int) -> list[int]:
    sizes = range(rule.least, (rule.most or _MOST) + 1)
    return rule.listed[:count] or list(itertools.islice((n for n in sizes if n in rule), count))  # type: ignore[return-value]


def _size(probe: Probe, rule: Rule, wish: Wish, n: int, chosen: Sizes) -> int | None:
    """The size of the axis where the free dimension has size `n`; by its expression if there is one."""
    moved = sizes_at(probe, Rule(rule.name, {**rule.sizes, **_others(chosen, rule)}, rule.linked), n)
    if moved is None:
        return None
    if all(name in moved for name in dims.symbols([wish.dim])):
        return dims.size_at(wish.dim, moved)
    shapes = probe.shapes(moved) if probe.meets_conditions(moved) else None
    return None if shapes is None else int(shapes[wish.output][wish.axis])


def _others(chosen: Sizes, rule: Rule) -> Sizes:
    return {name: size for name, size in chosen.items() if name != rule.name and name not in rule.linked}


def _solve_rule(probe: Probe, rule: Rule, wishes: Sequence[Wish], chosen: Sizes, shown: dict[str, str]) -> Solution:
    traced = not all(name in probe.names for w in wishes for name in dims.symbols([w.dim]))
    solution = Solution(shown[rule.name])
    table = {
        n: tuple(_size(probe, rule, w, n, chosen) for w in wishes) for n in _accepted(rule, 256 if traced else _MOST)
    }
    wanted = tuple(w.size for w in wishes)
    fitting = [n for n, sizes in table.items() if sizes == wanted]
    solution.sizes = [n for n in fitting[:_SHOWN] if _gives(probe, _moved(probe, rule, n, chosen), wishes)]
    if not solution.sizes:
        for place, wish in enumerate(wishes):
            reached = sorted({size: n for n, sizes in table.items() if (size := sizes[place]) is not None}.items())
            values = [value for value, _ in reached]
            if wish.size not in values or place == len(wishes) - 1:
                at = bisect.bisect_left(values, wish.size)
                solution.nearest = reached[max(0, at - 1) : at + 1]
                solution.wanted = (dims.show(wish.dim, shown), wish.size)
                break
    return solution


def _moved(probe: Probe, rule: Rule, n: int, chosen: Sizes) -> Sizes:
    return sizes_at(probe, Rule(rule.name, {**rule.sizes, **_others(chosen, rule)}, rule.linked), n) or {}


def _gives(probe: Probe, sizes: Sizes, wishes: Sequence[Wish]) -> bool:
    shapes = probe.shapes(sizes) if sizes and probe.fits(sizes) else None
    return shapes is not None and all(shapes[w.output][w.axis] == w.size for w in wishes)


def _reason(solution: Solution, wishes: Sequence[Wish]) -> str:
    if solution.wanted is None:
        return f"no size of {solution.name} gives this"
    expression, size = solution.wanted
    near = " and ".join(f"{value} (from {solution.name} = {n})" for value, n in solution.nearest)
    nearest = f"; the nearest are {near}" if len(solution.nearest) > 1 else f"; the nearest is {near}" if near else ""
    if any(value == size for value, _ in solution.nearest):
        return f"no size of {solution.name} gives all the sizes asked for at once"
    return f"{expression} is never {size}{nearest}"


def _listing(sizes: Sequence[int]) -> str:
    if len(sizes) > 2 and list(sizes) == list(range(sizes[0], sizes[-1] + 1)):
        return f"{sizes[0]} to {sizes[-1]}"
    return " or ".join(map(str, sizes))
