"""The sizes that a model leaves open: which there are, what the model needs of them, and whether data meets that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lamina.core.symbolic import KerasTensor, Node
from lamina.layers.checking import describe
from lamina.layers.layer import Layer
from lamina.layers.merging import axis_name
from lamina.models.size_words import multiple, repeating
from lamina.shapes import dims
from lamina.shapes.conditions import Condition
from lamina.shapes.errors import ShapeError

BATCH = str(dims.BATCH)

#: Sizes that conditions are tried at for a message, beyond those where small ones have a rule of their own.
_TRIED = range(65, 257)


@dataclass(frozen=True)
class Place:
    """Where an open size stands: the axis of an input, and its expression."""

    input: str
    axis: int
    dim: Any


class OpenSizes:
    """The open sizes of a graph's inputs, other than the batch.

    Args:
        names: names of the inputs.
        tensors: the inputs.
        nodes: the calls of the graph.

    Attributes:
        places: where there are open sizes.
        symbols: their free dimensions.
        shown: the name that each is shown by.
        conditions: what the calls need of them.
    """

    def __init__(self, names: Sequence[str], tensors: Sequence[KerasTensor], nodes: Sequence[Node] = ()):
        self.places = [
            Place(name, axis, dim)
            for name, tensor in zip(names, tensors, strict=True)
            for axis, dim in enumerate(tensor.dims)
            if not dims.is_known(dim) and str(dim) != BATCH
        ]
        self.symbols = [name for name in dims.symbols(place.dim for place in self.places) if name != BATCH]
        ranks = {name: len(tensor.dims) for name, tensor in zip(names, tensors, strict=True)}
        for place in self.places:  # what no layer's signature named
            dims.label(place.dim, axis_name(place.axis, ranks[place.input]))
        self.shown = dims.naming(self.symbols)
        self.conditions = list(_conditions(nodes, {*self.symbols})) if self.symbols else []

    def show(self, dim: Any) -> str:
        """A dimension with the names that the model's free dimensions are shown by."""
        return dims.show(dim, self.shown)

    def inputs_of(self, symbol: str) -> list[str]:
        """Names of the inputs that a free dimension stands in."""
        return list(dict.fromkeys(place.input for place in self.places if symbol in dims.symbols([place.dim])))

    def check(self, names: Sequence[str], values: Sequence[Any], model: str) -> None:
        """Refuse data that has no such sizes, or whose sizes do not meet the conditions.

        Raises:
            ShapeError: it names the inputs and their sizes.
        """
        if not self.symbols:
            return
        shapes = dict(zip(names, (getattr(value, "shape", ()) for value in values), strict=True))
        sizes = self._bind(shapes, model)
        for condition in self.conditions:
            if all(name in sizes for name in condition.names) and not condition.is_met(sizes):
                raise self._unmet(condition, sizes, model)

    def _bind(self, shapes: dict[str, Any], model: str) -> dict[str, int]:
        """The free dimensions' sizes, read off from the data."""
        sizes: dict[str, int] = {}
        sources: dict[str, Place] = {}
        for place in sorted(self.places, key=lambda p: not str(p.dim).isidentifier()):
            shape = shapes[place.input]
            if place.axis >= len(shape) or not dims.is_known(shape[place.axis]):
                continue
            came = int(shape[place.axis])
            for symbol in [s for s in dims.symbols([place.dim]) if s not in sizes][:1]:
                size = solve_for(place.dim, symbol, came, sizes)
                if size is not None:
                    sizes[symbol], sources[symbol] = size, place
            symbols = dims.symbols([place.dim])
            if not all(symbol in sizes for symbol in symbols):
                if _is_linear(place.dim, symbols):
                    raise self._misfit(place, came, None, model)
            elif dims.size_at(place.dim, sizes) != came:
                raise self._misfit(place, came, next((sources[s] for s in symbols if s in sources), None), model)
        return sizes

    def _misfit(self, place: Place, came: int, other: Place | None, model: str) -> ShapeError:
        shown = self.show(place.dim)
        if other is None or other == place:
            return ShapeError(
                f'"{model}": axis {place.axis} of input "{place.input}" is declared as {shown}; {came} is no such size',
                layer=model,
                expected=f"a size of the form {shown}",
                received=f'{came} on axis {place.axis} of "{place.input}"',
            )
        return ShapeError(
            f'"{model}": inputs "{other.input}" and "{place.input}" must agree in {shown}',
            layer=model,
            expected=f'{self.show(other.dim)} on axis {other.axis} of "{other.input}", '
            f'{shown} on axis {place.axis} of "{place.input}"',
            received=f'"{place.input}" has {came} there, which does not follow from "{other.input}"',
        )

    def _unmet(self, condition: Condition, sizes: dict[str, int], model: str) -> ShapeError:
        left, right = condition.at(sizes)
        came = [
            f"{self.shown[name]}={sizes[name]} in " + " and ".join(f'"{i}"' for i in self.inputs_of(name))
            for name in condition.names
        ]
        error = ShapeError(
            f'"{model}" cannot take these sizes: {condition.layer} needs the same {condition.axis} in its '
            f"inputs, and gets {left} and {right}",
            layer=model,
            expected=self._in_words(condition, sizes),
            received=", ".join(came),
        )
        error.__dict__["sizes_that_fit"] = self._near(sizes)
        return error

    def _in_words(self, condition: Condition, sizes: dict[str, int]) -> str:
        """What is needed: as multiples, where the conditions on a size come to that."""
        said = []
        for name in condition.names if len(condition.names) == 1 else ():
            rule = repeating({n for n in _TRIED if self._fits_alone(name, n)}, _TRIED)
            if rule is not None and sizes[name] % rule[0] not in rule[1]:
                said = [f"{self.shown[name]}: {multiple(*rule)}"]
        said = said or [condition.show(self.shown)]
        return said[0] + (", or either of them 1" if condition.or_one else "")

    def _fits_alone(self, name: str, size: int) -> bool:
        """Whether a size meets the conditions that speak of it alone, and leaves something."""
        own = [c for c in self.conditions if c.names == [name]]
        return all(c.is_met({name: size}) and min(c.at({name: size})) > 0 for c in own)

    def _near(self, sizes: dict[str, int]) -> list[dict[tuple[str, int], int]]:
        """The next sizes above and below that meet all conditions, by input and axis."""
        found = []
        for step, last in ((1, len(_TRIED)), (-1, -len(_TRIED))):
            near = {
                name: next((n for n in range(size, size + last, step) if n > 1 and self._fits_alone(name, n)), 0)
                for name, size in sizes.items()
            }
            if all(near.values()) and all(c.is_met(near) for c in self.conditions):
                found.append({(p.input, p.axis): dims.size_at(p.dim, near) for p in self.places})
        return found


def _conditions(nodes: Sequence[Node], symbols: set[str]) -> Iterator[Condition]:
    """The conditions that speak of these free dimensions only, named after the call where they name none."""
    seen: set[tuple[str, str]] = set()
    for node in nodes:
        for condition in node.conditions:
            key = (str(condition.left), str(condition.right))
            if key in seen or not symbols.issuperset(condition.names):
                continue
            seen.add(key)
            owner = describe(node.operation) if isinstance(node.operation, Layer) else f'"{node.name}"'
            yield replace(condition, layer=condition.layer or owner)


def solve_for(dim: Any, symbol: str, size: int, known: dict[str, int]) -> int | None:
    """What a free dimension must be so that a linear expression has that size; ``None`` if it cannot."""
    if not _is_linear(dim, [symbol]) or any(s != symbol and s not in known for s in dims.symbols([dim])):
        return None
    at_0, at_1 = (dims.size_at(dim, {**known, symbol: n}) for n in (0, 1))
    step = at_1 - at_0
    if step == 0 or (size - at_0) % step:
        return None
    return (size - at_0) // step


def _is_linear(dim: Any, symbols: Sequence[str]) -> bool:
    return len(symbols) == 1 and not any(word in str(dim) for word in ("floordiv", "mod", "max", "min", "^", "**"))
