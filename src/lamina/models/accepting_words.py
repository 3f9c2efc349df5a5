"""What a model accepts, in words: ``length >= 7``, ``height: a multiple of 16``, ``left and right: equal time``."""

from __future__ import annotations

from typing import Any

from lamina.layers.layer import Layer
from lamina.models.accepting import Acceptance, Probe, Rule, accepted_sizes
from lamina.models.open_sizes import OpenSizes, solve_for
from lamina.models.size_words import any_of, multiple
from lamina.shapes import dims


def acceptance_of(model: Any) -> Acceptance | None:
    """What a model with a graph accepts, worked out once; ``None`` if it leaves no sizes open but the batch."""
    graph = model._graph
    if graph is None or not graph.open_sizes.symbols:
        return None
    if graph.accepted is None:
        graph.accepted = accepted_sizes(Probe(model, graph.inputs, graph.open_sizes))
    return graph.accepted


def acceptance_for(layer: Layer, inputs: Any, names: list[str], tensors: list[Any]) -> Acceptance:
    """What a layer, or a model without a graph, accepts in place of these symbolic inputs."""
    return accepted_sizes(Probe(layer, inputs, OpenSizes(names, tensors)))


def lines(found: Acceptance) -> list[str]:
    """What is accepted, a line for each rule."""
    if not found.rules:
        return ["no sizes were found that fit"]
    said = []
    for rule in found.rules:
        said += _equalities(found.open_sizes, rule)
        said.append(rule_text(found.open_sizes, rule))
    return said


def rule_text(open_sizes: OpenSizes, rule: Rule) -> str:
    """Which sizes one dimension may have: ``height: a multiple of 16``."""
    shown, scaled = _scaled(open_sizes, rule)
    return f"{shown}{_sizes_text(scaled)}" + (", or 1" if rule.or_one else "")


def _scaled(open_sizes: OpenSizes, rule: Rule) -> tuple[str, Rule]:
    """The rule for the axis itself, where it is declared as a multiple of the free dimension: ``16*k``."""
    found = {str(place.dim): place.dim for place in open_sizes.places if rule.name in dims.symbols([place.dim])}
    plain = open_sizes.shown[rule.name]
    if len(found) != 1:
        return plain, rule
    (dim,) = found.values()
    if dims.symbols([dim]) != [rule.name] or solve_for(dim, rule.name, dims.size_at(dim, {rule.name: 1}), {}) != 1:
        return plain, rule
    at = lambda size: dims.size_at(dim, {rule.name: size})  # noqa: E731
    period = (at(2) - at(1)) * rule.period
    if period <= 0 or str(dim) == rule.name:
        return plain, rule
    residues = tuple(sorted({at(r + rule.period) % period for r in rule.residues}))
    most = None if rule.most is None else at(rule.most)
    listed = tuple(map(at, rule.listed))
    return open_sizes.show(dim), Rule(rule.name, {}, {}, at(rule.least), most, period, residues, listed)


def _sizes_text(rule: Rule) -> str:
    if rule.listed:
        return " = " + any_of(rule.listed)
    if rule.period == 1:
        if rule.most is not None:
            return f": {rule.least} to {rule.most}" if rule.most > rule.least else f" = {rule.least}"
        return f" >= {rule.least}" if rule.least > 1 else ": any size"
    limits = [] if rule.least <= rule.period else [f"{rule.least} or more"]
    limits += [] if rule.most is None else [f"{rule.most} at most"]
    return ", ".join([": " + multiple(rule.period, rule.residues), *limits])


def _equalities(open_sizes: OpenSizes, rule: Rule) -> list[str]:
    """That inputs must agree: because they share a name, or because what is done with them needs it."""
    said, shown = [], open_sizes.shown
    equal = [other for other, how in rule.linked.items() if how == "shift" and _same(rule, other)]
    inputs = list(dict.fromkeys(name for symbol in (rule.name, *equal) for name in open_sizes.inputs_of(symbol)))
    if len(inputs) > 1:
        said.append(f"{_listing(inputs)}: equal {shown[rule.name]}")
    elif equal:
        said.append(" = ".join(shown[name] for name in (rule.name, *equal)))
    for other, how in rule.linked.items():
        if how == "noted":
            said += [c.show(shown) for c in open_sizes.conditions if {rule.name, other} <= {*c.names}]
        elif other not in equal:
            said.append(f"{shown[other]} = {_relation(rule, other, how, shown[rule.name])}")
    return list(dict.fromkeys(said))


def _same(rule: Rule, other: str) -> bool:
    return rule.sizes[other] == rule.sizes[rule.name]


def _relation(rule: Rule, other: str, how: str, name: str) -> str:
    own, base = rule.sizes[other], rule.sizes[rule.name]
    if how == "shift":
        return f"{name} {'+' if own > base else '-'} {abs(own - base)}"
    return (
        f"{own // base}*{name}"
        if own % base == 0
        else f"{name}*{own}/{base}"
        if base % own
        else f"{name}/{base // own}"
    )


def _listing(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
