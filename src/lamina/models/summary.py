"""The table that ``model.summary()`` prints."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lamina.core import tree
from lamina.core.symbolic import KerasTensor, Node, symbolic_leaves
from lamina.core.variable import Variable
from lamina.models.accepting_words import acceptance_of, lines
from lamina.models.observing import observe
from lamina.shapes import dims as sizes

_LEAST_COLUMN = 6


@dataclass
class Row:
    """One line of the table.

    Attributes:
        name: the layer's name.
        kind: its class, or the function of a call such as ``x + 1``.
        shapes: of what comes out, ``(None, ...)``; none where it is not known yet.
        layer: the layer, or ``None`` for a function.
        sources: names of what it takes, in a functional model.
        depth: 0 for the model's own layers, 1 for those of models inside.
    """

    name: str
    kind: str
    shapes: list[str]
    layer: Any
    sources: list[str]
    depth: int


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: list[float] | None = None,
    print_fn: Callable[[str], None] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: tuple[str, str] | None = None,
    dims: bool = False,
) -> None:
    """Print the table of a model's layers; see `Model.summary`."""
    rows = list(rows_of(model, expand_nested, 0, shower(model) if dims else _public))
    if layer_range is not None:
        rows = _within(rows, layer_range)
    columns = _columns(rows, show_trainable, with_sources=not _is_chain(model))
    if print_fn is None:
        console = Console(width=line_length, highlight=False, soft_wrap=False)
        console.print(_render(model, rows, columns, positions, console.width))
        return
    console = Console(width=line_length or 80, highlight=False, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(_render(model, rows, columns, positions, console.width))
    print_fn("\n".join(line.rstrip() for line in captured.get().rstrip().split("\n")))


# Rows


def rows_of(model: Any, expand: bool, depth: int, shown: Callable[[list[Any]], list[str]]) -> Iterator[Row]:
    """The lines of the table, for a model that is built; those of models inside as well if `expand` is given.

    `shown` gives the different shapes in structures of tensors.
    """
    graph = model._graph
    known = {operation.name for operation in model.operations}
    called = {} if graph is not None else _shapes_by_observing(model, shown)
    for operation in model.operations:
        if isinstance(operation, Node):
            sources = _sources(operation, known)
            yield Row(operation.name, kind_of(operation), shown([operation.outputs]), None, sources, depth)
            continue
        if graph is not None:
            nodes = [n for n in graph.nodes if n.operation is operation] or operation._nodes[:1]
            shapes, sources = shown([n.outputs for n in nodes]), [s for n in nodes for s in _sources(n, known)]
        else:
            shapes, sources = called.get(id(operation), []), []
        yield Row(operation.name, kind_of(operation), shapes, operation, sources, depth)
        if expand and hasattr(operation, "operations"):
            yield from rows_of(operation, expand, depth + 1, shown)


def _shapes_by_observing(model: Any, shown: Callable[[list[Any]], list[str]]) -> dict[int, list[str]]:
    """Output shapes of the layers of a model that has no graph, by id, from a trace of its call."""
    built_for = getattr(model, "_build_shape", None)
    if not model.built or built_for is None:
        return {}
    try:
        inputs = tree.map_shape_structure(lambda s: KerasTensor((None, *s[1:]), model.compute_dtype), built_for)
        seen = observe(model, inputs).calls
    except Exception:  # the call needs more than the shape it was built for: the table shows "?"
        return {}
    found: dict[int, list[str]] = {}
    for entry in seen:
        for shape in shown([entry.outputs]):
            known = found.setdefault(id(entry.operation), [])
            known.extend([] if shape in known else [shape])
    return found


def shower(model: Any) -> Callable[[list[Any]], list[str]]:
    """Shapes with expressions for open sizes, by the names that the model's free dimensions have."""
    names = model._graph.open_sizes.shown if model._graph is not None else None
    return lambda structures: _different(structures, lambda leaf: sizes.show_shape(_dims_of(leaf), names))


def _public(structures: list[Any]) -> list[str]:
    """The different shapes in structures of tensors, in Keras's form."""
    return _different(structures, lambda leaf: str(sizes.to_public(_dims_of(leaf))))


def _different(structures: list[Any], shown: Callable[[Any], str]) -> list[str]:
    leaves = [jax.tree.leaves(s, is_leaf=lambda leaf: isinstance(leaf, KerasTensor)) for s in structures]
    return list(dict.fromkeys(shown(leaf) for structure in leaves for leaf in structure))


def _dims_of(leaf: Any) -> Any:
    return getattr(leaf, "dims", leaf.shape)


def kind_of(operation: Any) -> str:
    """The class of a layer; for a call such as ``x + 1`` the function's name in the same style: ``Add``."""
    if not isinstance(operation, Node):
        return type(operation).__name__
    return "".join(part.capitalize() for part in operation.operation.__name__.split("_"))


def _sources(node: Node, known: set[str]) -> list[str]:
    """Names of the calls whose outputs a call takes, with the number of call and output where there are several.

    Only those in the table: the input of a `Sequential` is not.
    """
    names = []
    for tensor in node.inputs:
        source = tensor.node
        if source is None:
            names.append(tensor.name)
            continue
        several = len(getattr(source.operation, "_nodes", [source])) > 1 or len(symbolic_leaves(source.outputs)) > 1
        if source.name in known:
            names.append(f"{source.name}[{source.index}][{tensor.node_output}]" if several else source.name)
    return names


def _is_chain(model: Any) -> bool:
    """Whether every call takes what the one before gave, so that there is nothing to say about connections."""
    if model._graph is None:
        return True
    steps = model._graph.nodes
    if len(model._graph.input_tensors) != 1 or len({id(n.operation) for n in steps}) != len(steps):
        return False
    before = model._graph.input_tensors[0]
    for node in steps:
        if len(node.inputs) != 1 or node.inputs[0] is not before:
            return False
        before = symbolic_leaves(node.outputs)[0]
    return True


def _within(rows: list[Row], layer_range: tuple[str, str]) -> list[Row]:
    if len(layer_range) != 2:
        raise ValueError(f"`layer_range`={layer_range!r}: expected the names of the first and the last layer to show")
    places = []
    for pattern in layer_range:
        found = [i for i, row in enumerate(rows) if row.name == pattern or re.match(pattern, row.name)]
        if not found:
            raise ValueError(f"`layer_range`: no layer matches {pattern!r}; there are {[r.name for r in rows]}")
        places.append(found)
    first, last = places[0][0], places[1][-1]
    return rows[min(first, last) : max(first, last) + 1]


# Columns


def _columns(rows: list[Row], show_trainable: bool, with_sources: bool) -> list[tuple[str, str, list[Text]]]:
    """Headings, alignments and cells."""
    columns: list[tuple[str, str, list[Text]]] = [
        ("Layer (type)", "left", [_name_cell(row) for row in rows]),
        ("Output Shape", "left", [Text(",\n".join(row.shapes) or "?", style="green") for row in rows]),
        ("Param #", "right", [_count_cell(row) for row in rows]),
    ]
    if with_sources:
        columns.append(("Connected to", "left", [Text(",\n".join(row.sources) or "-") for row in rows]))
    if show_trainable:
        columns.append(("Trainable", "center", [_trainable_cell(row) for row in rows]))
    return columns


def _name_cell(row: Row) -> Text:
    indent = "  " * (row.depth - 1) + "└ " if row.depth else ""
    return Text.assemble(indent, row.name, " (", (row.kind, "cyan"), ")")


def _count_cell(row: Row) -> Text:
    if row.layer is None:
        return Text("0")
    if not row.layer.built and not row.layer.weights:
        return Text("? (unbuilt)", style="dim") if not row.shapes else Text("0")
    return Text(f"{sum(v.size for v in row.layer.weights):,}")


def _trainable_cell(row: Row) -> Text:
    if row.layer is None or not row.layer.weights:
        return Text("-")
    return Text("Y", style="green") if row.layer.trainable_weights else Text("N", style="red")


def _render(
    model: Any, rows: list[Row], columns: list[tuple[str, str, list[Text]]], positions: list[float] | None, width: int
) -> RenderableType:
    title = Text.assemble("Model: ", (f'"{model.name}"', "bold"), _way_through(model))
    wraps = any("\n" in cell.plain for _, _, cells in columns for cell in cells)
    table = Table(box=box.HEAVY_HEAD, show_lines=wraps, header_style="bold")
    widths = _widths(positions, len(columns), width)
    for (heading, justify, _), fixed in zip(columns, widths, strict=True):
        table.add_column(heading, justify=justify, overflow="fold", width=fixed)  # type: ignore[arg-type]
    for cells in zip(*(column[2] for column in columns), strict=True):
        table.add_row(*cells)
    return Group(title, table, *_totals(model), *_footnotes(model, rows))


def _way_through(model: Any) -> str:
    """What goes in and what comes out: ``  (None, 4) -> (None, 2)``."""
    if model._graph is None:
        return ""
    sides = {"inputs": model._graph.input_tensors, "outputs": model._graph.output_tensors}
    listed = {n: ", ".join(str(t.shape) for t in ts) if len(ts) < 3 else f"{len(ts)} {n}" for n, ts in sides.items()}
    return "   " + " -> ".join(listed.values())


def _widths(positions: list[float] | None, count: int, width: int) -> list[int | None]:
    """Widths of the columns from the places of their right edges; ``None`` for as wide as they need."""
    if positions is None:
        return [None] * count
    if len(positions) < count or list(positions) != sorted(positions) or positions[0] <= 0:
        raise ValueError(f"`positions`={positions!r}: expected {count} rising numbers, the columns' right edges")
    scale = width if positions[-1] <= 1 else 1
    edges = [0, *(round(p * scale) for p in positions[:count])]
    return [max(b - a - 3, _LEAST_COLUMN) for a, b in itertools.pairwise(edges)]


# Totals


def _totals(model: Any) -> list[Text]:
    trained, others = model.trainable_weights, model.non_trainable_weights
    lines = [("Total params", [*trained, *others]), ("Trainable params", trained), ("Non-trainable params", others)]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and getattr(optimizer, "built", False):
        lines.append(("Optimizer params", list(optimizer.variables)))
        lines[0] = (lines[0][0], [*lines[0][1], *lines[-1][1]])
    return [_total_line(label, variables) for label, variables in lines]


def _total_line(label: str, variables: list[Variable]) -> Text:
    count = sum(v.size for v in variables)
    size = memory(sum(v.size * v.value.dtype.itemsize for v in variables))
    return Text.assemble(f" {label}: ", (f"{count:,}", "bold"), f" ({size})")


def memory(size: int) -> str:
    """A number of bytes, readable: ``208 B``, ``1.95 KB``, ``97.80 MB``."""
    if size < 1024:
        return f"{size} B"
    value, unit = size / 1024, "KB"
    for larger in ("MB", "GB", "TB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.2f} {unit}"


def _footnotes(model: Any, rows: list[Row]) -> list[Text]:
    if all(row.shapes for row in rows) and rows:
        return _accepted(model)
    if not rows:
        return [Text(" The model has no layers yet.", style="dim")]
    if model.built:
        return []
    hint = " ? is known once the model has an input shape: give it data, or call its build((None, ...))"
    return [Text(hint, style="dim")]


def _accepted(model: Any) -> list[Text]:
    """Which sizes fit, where the model leaves sizes open other than the batch."""
    found = acceptance_of(model)
    return (
        [Text(f" Accepts {line}" if not i else f"         {line}") for i, line in enumerate(lines(found))]
        if found
        else []
    )
