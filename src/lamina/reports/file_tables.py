"""The tables and lines of `file_report`, for the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lamina.reports import stand_ins
from lamina.reports.file_arrays import StoredArray
from lamina.reports.file_contents import Contents
from lamina.reports.file_layers import LayerRow, Tensor
from lamina.reports.file_values import Values

#: Lines of one table, and inputs or outputs: a terminal takes long for more, and nobody reads them there.
LINES, TENSORS = 2000, 50
_WEIGHTS_SHOWN = 12
_SOURCES_SHOWN = 8


def clean(text: str, most: int = 200) -> str:
    """Text out of a file for the terminal: no control characters, not long."""
    plain = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text[: most + 1])
    return plain if len(text) <= most else plain[:most] + "..."


def written_by(contents: Contents) -> str:
    """Who wrote a file, as far as it says."""
    when = f", {clean(contents.saved.replace('@', ' '), 40)}" if contents.saved else ""
    version = clean(contents.keras_version, 40) if contents.keras_version else None
    if contents.lamina_version:
        return f"Lamina {clean(contents.lamina_version, 40)}, in the format of Keras {version}{when}"
    if version:
        return f"Keras {version}" + (f" on {clean(contents.backend, 40)}" if contents.backend else "") + when
    if contents.layout == "names" and contents.era is not None:
        return f"Keras {contents.era.major} (no version is noted)"
    return "not noted" + ("; the layout is that of Keras 3" if contents.layout == "keras3" else "")


def count(number: int, thing: str) -> str:
    """A number of things: ``3 arrays``."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def left_out(number: int, most: int, thing: str) -> list[RenderableType]:
    """A line for those of a table that are not shown."""
    more = number - most
    return [Text(f"and {count(more, f'more {thing}')}; all of them are in the JSON", style="dim")] if more > 0 else []


def shape_of(shape: tuple[Any, ...]) -> str:
    """A shape as text."""
    return str(tuple(shape))


def tensor_text(tensor: Tensor, tensors: list[Tensor]) -> Text:
    """``sound  (batch, length, channels=8)  float32``, in columns where there are several."""
    name = clean(tensor.name, 40).ljust(max(len(clean(other.name, 40)) for other in tensors))
    if tensor.shape is None:
        return Text.assemble(name, "  ?")
    shapes = [_named_shape(other) for other in tensors if other.shape is not None]
    shape = _named_shape(tensor).ljust(max(map(len, shapes)))
    return Text.assemble(name, "  ", (shape, "green"), "  ", (str(tensor.dtype), "dim"))


def _named_shape(tensor: Tensor) -> str:
    """A shape with the names of its axes: ``(batch, length, channels=8)``."""
    entries = [
        shown if not axis or shown == axis or not shown.isdigit() else f"{axis}={shown}"
        for axis, shown in zip(tensor.axes, tensor.dims, strict=True)
    ]
    return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"


def layers_table(rows: list[LayerRow], with_classes: bool) -> Table:
    """The layers, with the shapes of their outputs, or of their weights where there are no shapes."""
    with_shapes = any(row.shapes for row in rows)
    columns = [
        ("Layer (type)" if with_classes and any(row.kind for row in rows) else "Layer", [name_cell(r) for r in rows]),
        ("Output shape", [shape_cell(r) for r in rows])
        if with_shapes
        else ("Weights", [weights_cell(r) for r in rows]),
        ("Parameters", [count_cell(row) for row in rows]),
    ]
    if with_shapes and not is_chain(rows):
        columns.append(("Connected to", [_sources_cell(row) for row in rows]))
    table = Table(box=box.HEAVY_HEAD, header_style="bold")
    for heading, _ in columns:
        table.add_column(heading, justify="right" if heading == "Parameters" else "left", overflow="fold")
    for cells in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*cells)
    return table


def _sources_cell(row: LayerRow) -> Text:
    more = ", ..." if len(row.sources) > _SOURCES_SHOWN else ""
    return Text(", ".join(clean(name, 40) for name in row.sources[:_SOURCES_SHOWN]) + more)


def arrays_table(arrays: list[StoredArray]) -> Table:
    """The arrays of a file that knows of no layers."""
    table = Table(box=box.HEAVY_HEAD, header_style="bold")
    for heading, justify in (("Array", "left"), ("Shape", "left"), ("Type", "left"), ("Values", "right")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for array in arrays:
        shape = Text(shape_of(array.shape), style="green")
        table.add_row(Text(clean(array.path)), shape, array.dtype, f"{array.size:,}")
    return table


def name_cell(row: LayerRow) -> Text:
    """The layer's name and class; in files of weights its place, and its name where that tells more."""
    indent = "  " * (row.depth - 1) + "└ " if row.depth else ""
    if not row.kind:
        place = clean(row.place or row.name)
        return Text.assemble(place, (f" ({clean(row.name)})" if row.name != place.split("/")[-1] else "", "dim"))
    kind = (clean(row.kind, 60), "cyan" if row.problem is None else "yellow")
    why = {None: "", stand_ins.UNKNOWN: ", unknown", stand_ins.CODE: ", code not run"}.get(row.problem, ", see below")
    return Text.assemble(indent, clean(row.name), " (", kind, (why, "yellow"), ")")


def shape_cell(row: LayerRow) -> Text:
    """The shapes that come out of a layer."""
    return Text(",\n".join(row.dims) or "?", style="green" if row.dims else "dim")


def weights_cell(row: LayerRow) -> Text:
    """The weights of a layer, ``kernel (3, 8), bias (8,)``; shapes alone where they go by numbers."""
    shown = []
    for name, shape in row.weights[:_WEIGHTS_SHOWN]:
        word = clean(name.rsplit("/", 1)[-1].removesuffix(":0"), 60)
        shown.append(shape_of(shape) if word.isdigit() else f"{word} {shape_of(shape)}")
    more = f" and {len(row.weights) - len(shown)} more" if len(row.weights) > len(shown) else ""
    return Text(", ".join(shown) + more, style="green")


def count_cell(row: LayerRow) -> Text:
    """The number of parameters."""
    return Text("?", style="dim") if row.parameters is None else Text(f"{row.parameters:,}")


def is_chain(rows: list[LayerRow]) -> bool:
    """Whether each layer takes what the one before gives, in every model."""
    models: dict[tuple[str, ...], list[LayerRow]] = {}
    for row in rows:
        models.setdefault(row.path[:-1], []).append(row)
    for inner in models.values():
        expected = [[], *([row.name] for row in inner)]
        if any(row.sources for row in inner) and any(r.sources != e for r, e in zip(inner, expected, strict=False)):
            return False
    return True


#: The columns of `numbers_of`.
NUMBERS = ("min", "mean", "max", "std", "zeros")


def values_table(values: list[Values], width: int, root: str) -> RenderableType:
    """A line for each weight; two where that is too wide."""
    names = [Text(clean(v.label or v.path.removeprefix(root).removeprefix("/"))) for v in values]
    shapes = [Text(shape_of(v.shape), style="green") for v in values]
    numbers = [numbers_of(v) for v in values]
    widest = [max([len(cells[i]) for cells in numbers] + [len(NUMBERS[i])]) for i in range(len(NUMBERS))]
    needed = sum(max([len(t) for t in texts] + [6]) for texts in (names, shapes)) + 8 + sum(widest) + 3 * 8 + 1
    if needed + max((len(v.flags) for v in values), default=0) > width:
        return _stacked(values, names, shapes, numbers)
    table = Table(box=box.HEAVY_HEAD, header_style="bold")
    for heading in ("Weight", "Shape", "Type"):
        table.add_column(heading, overflow="fold")
    for heading in NUMBERS:
        table.add_column(heading, justify="right", no_wrap=True)
    flagged = any(v.flags for v in values)
    if flagged:
        table.add_column("")
    for v, name, shape, cells in zip(values, names, shapes, numbers, strict=True):
        table.add_row(name, shape, v.dtype, *cells, *([Text(v.flags, style="bold red")] if flagged else []))
    return table


def _stacked(values: list[Values], names: list[Text], shapes: list[Text], numbers: list[list[str]]) -> Text:
    lines = []
    for v, name, shape, cells in zip(values, names, shapes, numbers, strict=True):
        told = "  ".join(f"{word} {number}" for word, number in zip(NUMBERS, cells, strict=True) if number)
        flags = (f"  {v.flags}" if v.flags else "", "bold red")
        lines.append(Text.assemble((name.plain, "bold"), "  ", shape, "  ", v.dtype, flags, "\n    ", (told, "dim")))
    return Text("\n").join(lines)


def numbers_of(values: Values) -> list[str]:
    """Least, mean, greatest, deviation, share of zeros."""
    share = values.zeros
    shares = (
        "" if share is None else "<0.1%" if 0 < share < 0.001 else f"{share:.0%}" if share in (0, 1) else f"{share:.1%}"
    )
    found = (values.least, values.mean, values.most, values.deviation)
    return [*("" if number is None else f"{number:.4g}" for number in found), shares]
