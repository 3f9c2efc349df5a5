"""Which sizes a model accepts on the axes that it leaves open: found by tracing, and verified by tracing.

A model is probed: its call is traced at real sizes, which takes milliseconds and computes nothing. What the layers
noted of their needs while the model was built (`shapes.conditions`) spares most of the probes that would fail.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax

from lamina.advice import layer_call, trying
from lamina.core.symbolic import KerasTensor
from lamina.layers.layer import Layer
from lamina.models.open_sizes import BATCH, OpenSizes
from lamina.shapes import tracing
from lamina.shapes.conditions import Condition

Sizes = dict[str, int]

_ROUND = (64, 96, 120, 128, 256, 360, 512, 1024, 2048)
_STEPS = (*range(33, 65), 96, 128, 192, 256)  # far enough that a size which only rounds away does not count
_LONGEST_PERIOD = 256
_FAR = 16
_SPAN = 10080  # has all the small numbers as divisors, so that what rounds does so alike at its multiples
_BATCH_SIZE = 2


class Probe:
    """A model's call, traced at sizes of its free dimensions.

    Args:
        model: a layer or model.
        inputs: its symbolic inputs, in the structure that it takes.
        open_sizes: the sizes that are open in them.
    """

    def __init__(self, model: Layer, inputs: Any, open_sizes: OpenSizes):
        self.model, self.inputs, self.open_sizes = model, inputs, open_sizes
        self.count = 0
        self.failures: list[Exception] = []
        self._seen: dict[tuple[int, ...], list[tuple[int, ...]] | None] = {}

    @property
    def names(self) -> list[str]:
        return self.open_sizes.symbols

    def meets_conditions(self, sizes: Sizes) -> bool:
        """Whether what the layers noted allows the sizes; needs no trace."""
        return all(size >= 1 for size in sizes.values()) and all(c.is_met(sizes) for c in self.open_sizes.conditions)

    def fits(self, sizes: Sizes) -> bool:
        """Whether the model takes these sizes, and gives something."""
        return self.meets_conditions(sizes) and self.shapes(sizes) is not None

    def shapes(self, sizes: Sizes) -> list[tuple[int, ...]] | None:
        """Shapes of the outputs at these sizes; ``None`` if the model refuses them or gives nothing."""
        key = tuple(sizes[name] for name in self.names)
        if key not in self._seen:
            self._seen[key] = self._trace(sizes)
        return self._seen[key]

    @layer_call.entry  # so that no repairs are worked out for sizes that the model refuses
    def _trace(self, sizes: Sizes) -> list[tuple[int, ...]] | None:
        self.count += 1
        at = {**sizes, BATCH: _BATCH_SIZE}
        placed = jax.tree.map(
            lambda t: KerasTensor.of_spec(tracing.Spec(tracing.substitute(t.dims, at), t.spec.dtype)), self.inputs
        )
        if any(size < 1 for t in jax.tree.leaves(placed) for size in t.dims):
            return None
        try:
            with trying.quiet():
                outputs = self.model.compute_output_spec(placed)
        except Exception as error:
            self.failures.append(error)
            return None
        shapes = [tuple(t.dims) for t in jax.tree.leaves(outputs)]
        return None if any(0 in shape for shape in shapes) else shapes


@dataclass
class Rule:
    """Which sizes one free dimension may have, and which others go with it.

    Attributes:
        name: the free dimension.
        sizes: sizes of all free dimensions that were found to fit together.
        linked: other free dimensions that must move with it, and how: ``"shift"`` by as much, ``"scale"`` by the same
            factor, ``"noted"`` as the conditions demand.
        least: the smallest size that fits.
        most: the largest; ``None`` if there is none.
        period: after how many steps the sizes that fit repeat: 16 for a multiple of 16.
        residues: which of the remainders by `period` fit.
        listed: the sizes that fit, where they are few and follow no rule.
        or_one: whether 1 fits too, which stretches to any size.
    """

    name: str
    sizes: Sizes
    linked: dict[str, str] = field(default_factory=dict)
    least: int = 1
    most: int | None = None
    period: int = 1
    residues: tuple[int, ...] = (0,)
    listed: tuple[int, ...] = ()
    or_one: bool = False

    def __contains__(self, size: int) -> bool:
        if size == 1 and self.or_one:
            return True
        if self.listed:
            return size in self.listed
        within = size >= self.least and (self.most is None or size <= self.most)
        return within and size % self.period in self.residues


@dataclass
class Acceptance:
    """What a model accepts.

    Attributes:
        open_sizes: the sizes that are open, and how they are shown.
        rules: one for each free dimension (or for several that move together).
        probes: how many sizes were traced.
        failure: why nothing fits, where nothing does.
    """

    open_sizes: OpenSizes
    rules: list[Rule]
    probes: int
    failure: Exception | None = None


def accepted_sizes(probe: Probe) -> Acceptance:
    """The sizes that fit, for each free dimension of the model."""
    base = _base(probe)
    if base is None:
        failure = probe.failures[0] if probe.failures else None
        return Acceptance(probe.open_sizes, [], probe.count, failure)
    rules: list[Rule] = []
    done: set[str] = set()
    for name in probe.names:
        if name not in done:
            rule = Rule(name, base, _linked(probe, base, name))
            done |= {name, *rule.linked}
            _find_sizes(probe, rule)
            rules.append(rule)
    return Acceptance(probe.open_sizes, rules, probe.count)


# Sizes to start from


def _base(probe: Probe) -> Sizes | None:
    """Sizes that fit: round numbers, moved until what the layers noted is met; then small and named numbers."""
    for start in itertools.chain(_ROUND, range(1, 33), _numbers(probe)):
        sizes = _repaired(probe, dict.fromkeys(probe.names, start))
        if sizes is not None and probe.fits(sizes):
            return sizes
    return None


def _numbers(probe: Probe) -> Iterator[int]:
    """Numbers in what the model said when it refused."""
    for failure in probe.failures[:3]:
        yield from sorted({int(n) for n in re.findall(r"\b\d{1,5}\b", str(failure)) if int(n)})[:16]


def _repaired(probe: Probe, sizes: Sizes, fixed: str = "") -> Sizes | None:
    """The sizes, one after the other moved to where most conditions are met; ``None`` if some stay unmet."""
    conditions = probe.open_sizes.conditions
    for _ in range(len(probe.names)):
        unmet = [c for c in conditions if not c.is_met(sizes)]
        if not unmet:
            return sizes
        best = (len(unmet), 0, sizes)
        for name in dict.fromkeys(name for c in unmet for name in c.names if name != fixed):
            for size in _nearby(unmet, sizes, name):
                moved = {**sizes, name: size}
                missing = sum(not c.is_met(moved) for c in conditions)
                best = min(best, (missing, abs(size - sizes[name]), moved), key=lambda entry: entry[:2])
        sizes = best[2]
    return sizes if probe.meets_conditions(sizes) else None


def _nearby(conditions: Sequence[Condition], sizes: Sizes, name: str) -> list[int]:
    """Sizes at which a dimension may meet one of the conditions: small ones, and those around the solution."""
    found = set(range(1, 65))
    for condition in conditions:
        if name in condition.names:
            apart = [left - right for left, right in (condition.at({**sizes, name: n}) for n in (_SPAN, 2 * _SPAN))]
            slope = (apart[1] - apart[0]) / _SPAN
            if slope:
                solution = round(_SPAN - apart[0] / slope)
                found |= set(range(max(1, solution - 8), solution + 9))
    return sorted(found)


# Dimensions that move together


def _linked(probe: Probe, base: Sizes, name: str) -> dict[str, str]:
    """The other free dimensions that must move for this one to move at all, and how."""
    others = [other for other in probe.names if other != name]
    if not others or _moves(probe, Rule(name, base)):
        return {}
    for how in ("shift", "scale", "noted"):
        linked = dict.fromkeys(others, how)
        if how == "noted":
            linked = {o: how for o in others if any({o, name} <= {*c.names} for c in probe.open_sizes.conditions)}
        if not linked or not _moves(probe, Rule(name, base, linked)):
            continue
        for other in others:
            fewer = {key: value for key, value in linked.items() if key != other}
            if fewer and _moves(probe, Rule(name, base, fewer)):
                linked = fewer
        return linked
    return {}


def _moves(probe: Probe, rule: Rule) -> bool:
    """Whether the dimension fits at any other size, the linked ones moved with it."""
    start = rule.sizes[rule.name]
    steps = itertools.chain.from_iterable((step, -step) for step in _STEPS)
    return any(_fits(probe, rule, start + step) for step in steps if start + step > 1)  # 1 stretches to any size


def sizes_at(probe: Probe, rule: Rule, size: int) -> Sizes | None:
    """Sizes of all free dimensions where the rule's has that size; ``None`` if the linked ones have none."""
    base = rule.sizes[rule.name]
    moved = {**rule.sizes, rule.name: size}
    for other, how in rule.linked.items():
        own = rule.sizes[other]
        if how == "shift":
            moved[other] = own + size - base
        elif how == "scale" and own * size % base == 0:
            moved[other] = own * size // base
        elif how == "noted":
            return _repaired(probe, moved, fixed=rule.name)
        else:
            return None
    return moved


def _fits(probe: Probe, rule: Rule, size: int) -> bool:
    sizes = sizes_at(probe, rule, size) if size >= 1 else None
    return sizes is not None and probe.fits(sizes)


# The sizes of one dimension


def _find_sizes(probe: Probe, rule: Rule) -> None:
    start = rule.sizes[rule.name]
    pattern = _pattern(probe, rule, start)
    if pattern is None:
        _list_sizes(probe, rule, start)
        return
    rule.period, rule.residues = pattern
    below = [size for size in range(1, start + 1) if size % rule.period in rule.residues]
    rule.least = below[_first(lambda i: _fits(probe, rule, below[i]), len(below) - 1)]
    aligned = _FAR * rule.period * max(1, -(-start // rule.period))
    if not _fits(probe, rule, start + aligned):
        above = [start + step for step in range(aligned) if (start + step) % rule.period in rule.residues]
        rule.most = above[_first(lambda i: not _fits(probe, rule, above[i]), len(above) - 1) - 1]
    rule.or_one = rule.least > 1 and _fits(probe, rule, 1)
    if not _is_verified(probe, rule):
        _list_sizes(probe, rule, start)


def _pattern(probe: Probe, rule: Rule, start: int) -> tuple[int, tuple[int, ...]] | None:
    """After how many sizes those that fit repeat, and their remainders; ``None`` if they do not."""
    noted = [_meets(probe, rule, start + step) for step in range(2 * _LONGEST_PERIOD)]
    if all(noted) and all(_fits(probe, rule, start + step) for step in (1, 2, 5)):
        return 1, (0,)
    period = _period(noted)
    if period is not None and any(noted[1:]) and _agrees(probe, rule, start, noted, period):
        return _remainders(noted, period, start)
    for window in (2 * 16, 2 * 64, 2 * _LONGEST_PERIOD):
        traced = [noted[step] and _fits(probe, rule, start + step) for step in range(window)]
        period = _period(traced)
        if period is not None and any(traced[1:]):
            return _remainders(traced, period, start)
    return None


def _meets(probe: Probe, rule: Rule, size: int) -> bool:
    sizes = sizes_at(probe, rule, size) if size >= 1 else None
    return sizes is not None and probe.meets_conditions(sizes)


def _agrees(probe: Probe, rule: Rule, start: int, noted: Sequence[bool], period: int) -> bool:
    """Whether the model takes what the conditions allow: the first sizes, and all through one period."""
    allowed = [step for step in range(1, len(noted)) if noted[step]]
    return all(
        _fits(probe, rule, start + step) for step in [*allowed[:3], *(s for s in allowed[3:] if s <= period)][:8]
    )


def _period(pattern: Sequence[bool]) -> int | None:
    for period in range(1, len(pattern) // 2 + 1):
        if all(a == b for a, b in zip(pattern, pattern[period:], strict=False)):
            return period
    return None


def _remainders(pattern: Sequence[bool], period: int, start: int) -> tuple[int, tuple[int, ...]]:
    return period, tuple(sorted({(start + step) % period for step in range(period) if pattern[step]}))


def _first(holds: Any, last: int) -> int:
    """The first index at which something holds that holds from there on (it does at `last`)."""
    low, high = 0, last
    if holds(0):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _is_verified(probe: Probe, rule: Rule) -> bool:
    """Whether sizes inside fit and sizes just outside do not, traced once more at the edges that were found."""
    start = rule.sizes[rule.name]
    edges = {rule.least, rule.least + 1, rule.least - 1, start + rule.period, start - 1, start + 1}
    edges |= {rule.least - rule.period, rule.least + rule.period}
    if rule.most is not None:
        edges |= {rule.most, rule.most + 1, rule.most + rule.period}
    return all(_fits(probe, rule, size) == (size in rule) for size in edges if size >= 1)


def _list_sizes(probe: Probe, rule: Rule, start: int) -> None:
    rule.least, rule.most, rule.period, rule.residues = 1, None, 1, (0,)
    rule.listed = tuple(size for size in range(1, min(2 * start, _LONGEST_PERIOD) + 33) if _fits(probe, rule, size))
