"""The four forms of a shape, for the inputs and every layer of a model.

The same data is seen in four shapes: as it is declared, as `summary` shows it, as it is passed to `fit`, and as a
layer sees it, batch by batch. Each form here comes from a trace of the model at that size; nothing is computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jax
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lamina.core import checks, context, dtypes, tree
from lamina.core.symbolic import KerasTensor
from lamina.layers.layer import Layer
from lamina.models.model import Model
from lamina.models.observing import Observation, observe
from lamina.models.summary import kind_of
from lamina.reports.rendering import BATCH_STYLE, Report, escape, shape_html, shape_text, width_of
from lamina.shapes import dims
from lamina.training.feeding.convert import named_leaves, same_length, to_arrays

Shape = tuple[Any, ...]


@dataclass(frozen=True)
class Row:
    """The shapes of one tensor: an input of the model, or what a layer gives.

    Attributes:
        name: name of the input or layer.
        kind: ``"Input"``, the layer's class, or the function of a call such as ``x + 1``.
        axes: names of the axes, ``""`` where one has no name.
        declared: of one sample, without the batch axis; ``None`` for an open size, or its name.
        symbolic: with the batch axis, open sizes ``None``.
        dims: the same with expressions, such as ``(batch, length - 2, 16)``.
        array: for all samples.
        tensor: for one batch.
        last: for the last, smaller batch, if there is one.
        depth: 1 for the model's own layers, 2 for those of models inside.
    """

    name: str
    kind: str
    axes: tuple[str, ...]
    declared: Shape
    symbolic: Shape
    dims: str
    array: Shape
    tensor: Shape
    last: Shape | None
    depth: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The attributes."""
        return dict(vars(self))


class Forms(Report):
    """The four forms of the shapes in a model; see `forms`.

    Attributes:
        model: name of the model.
        samples: how many samples the data has.
        batch_size: size of a batch.
        rows: the inputs, then each layer's outputs (`Row`).
    """

    def __init__(self, model: str, samples: int, batch_size: int, rows: list[Row]):
        self.model, self.samples, self.batch_size, self.rows = model, samples, batch_size, rows

    @property
    def last_batch(self) -> int | None:
        """Size of the last batch, if it is smaller than the others."""
        return self.samples % self.batch_size or None

    def to_dict(self) -> dict[str, Any]:
        rows = [row.to_dict() for row in self.rows]
        own = {"model": self.model, "samples": self.samples, "batch_size": self.batch_size}
        return {**own, "last_batch": self.last_batch, "rows": rows}

    def division(self) -> str:
        """How the samples fall into batches: ``300 = 9 x 32 + 12``."""
        full, rest = divmod(self.samples, self.batch_size)
        return f"{self.samples} = {full} x {self.batch_size}" + (f" + {rest}" if rest else "")

    def legend(self) -> list[tuple[str, str]]:
        """What each form is, and where it is met."""
        last = f", so the last batch has {self.last_batch}" if self.last_batch else ""
        return [
            (
                "declared",
                "what you write: `Input(shape=...)`, `input_shape=`, `Reshape(...)`; one sample, no batch axis",
            ),
            ("symbolic", "what `summary()`, `layer.output` and `output_shape` show; None: the size is left open"),
            ("array", f"what you give to `fit`, `evaluate` and `predict`: all {self.samples} samples"),
            ("tensor", f"what `call`, a `Lambda`, a loss or metric sees: one batch; {self.division()}{last}"),
        ]

    def render(self, width: int) -> list[RenderableType]:
        title = Text.assemble(
            "Shapes of ", (f'"{self.model}"', "bold"), f" for {self.samples} samples, in batches of {self.batch_size}"
        )
        return [title, Text(""), *self.tables(width)]

    def tables(self, width: int, with_legend: bool = True) -> list[RenderableType]:
        """The shapes, in the layout that suits the width, and the legend."""
        columns = self._columns()
        names = max(len(line) for row in self.rows for line in _label(row).plain.split("\n"))
        if names + 3 + sum(c.width + 3 for c in columns) + 1 <= width:
            shown: RenderableType = self._table(columns)
        elif 2 + sum(c.width + 2 for c in columns) <= width:
            shown = self._stacked(columns)
        else:
            shown = self._blocks(columns)
        if not with_legend:
            return [shown]
        legend = Table.grid(padding=(0, 2))
        for form, meaning in self.legend():
            legend.add_row(Text(form, style="bold"), Text(meaning.replace("`", "")))
        return [shown, Text(""), legend]

    def _columns(self) -> list[_Column]:
        samples, batch, last = f"all {self.samples}", f"a batch of {self.batch_size}", f"the last: {self.last_batch}"
        columns = [("declared", "one sample"), ("symbolic", "any number"), ("array", samples), ("tensor", batch)]
        if self.last_batch:
            columns.append(("last", last))
        return [
            _Column(form, words, max(len(words), *(width_of(getattr(row, form)) for row in self.rows)))
            for form, words in columns
        ]

    def _table(self, columns: list[_Column]) -> Table:
        """A table, the axes under the name of their layer."""
        table = Table(box=box.HEAVY_HEAD, header_style="bold")
        table.add_column(Text("layer\n") + Text("axes of its output", style="not bold dim"), no_wrap=True)
        for column in columns:
            table.add_column(Text.assemble(column.title, "\n", (column.words, "not bold dim")), no_wrap=True)
        for row in self.rows:
            table.add_row(_label(row), *(_cell(row, column.form) for column in columns))
        return table

    def _stacked(self, columns: list[_Column]) -> Text:
        """Two lines for each layer: its name and axes, then its shapes."""
        lines = [
            Text("  ").join([Text(""), *(Text(c.title.ljust(c.width), style="bold") for c in columns)]),
            Text("  ").join([Text(""), *(Text(c.words.ljust(c.width), style="dim") for c in columns)]),
        ]
        for row in self.rows:
            indent = "  " * (row.depth - 1)
            shapes = [_cell(row, c.form) for c in columns]
            for shape, column in zip(shapes, columns, strict=True):
                shape.pad_right(column.width - len(shape))
            lines += [
                Text.assemble(indent, _name(row), "  ", (_axes(row), "dim")),
                Text("  ").join([Text(""), *shapes]),
            ]
        return Text("\n").join(lines)

    def _blocks(self, columns: list[_Column]) -> Table:
        """For narrow terminals: a few lines for each layer, the sizes under the names of their axes."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column()
        for _ in range(max(len(row.symbolic) for row in self.rows)):
            grid.add_column(justify="right")
        for row in self.rows:
            axes = [Text(name or f"axis {i}", style="italic dim") for i, name in enumerate(row.axes)]
            grid.add_row(Text("  " * (row.depth - 1)) + _name(row), *axes)
            for column in columns:
                shape = getattr(row, column.form)
                sizes = ("", *shape) if column.form == "declared" else shape
                cells = [Text(str(size), style=BATCH_STYLE if i == 0 else "") for i, size in enumerate(sizes)]
                indent = "  " * row.depth
                grid.add_row(Text.assemble(indent, f"{column.title:<9}", (column.words, "dim")), *cells)
        return grid

    def body(self) -> str:
        columns = self._columns()
        heads = "".join(f"<th>{column.title}<br><small>{column.words}</small></th>" for column in columns)
        lines = []
        for row in self.rows:
            shapes = [shape_html(getattr(row, c.form), c.form != "declared") for c in columns]
            cells = "".join(f'<td class="shape">{shape}</td>' for shape in shapes)
            indent = "&nbsp;&nbsp;&nbsp;" * (row.depth - 1)
            label = (
                f'{indent}<b>{escape(_name(row).plain)}</b><br>{indent}<span class="axes">{escape(_axes(row))}</span>'
            )
            lines.append(f"<tr><td>{label}</td>{cells}</tr>")
        legend = "".join(f"<dt>{form}</dt><dd>{escape(meaning)}</dd>" for form, meaning in self.legend())
        title = f"Shapes of <b>{escape(self.model)}</b> for {self.samples} samples, in batches of {self.batch_size}"
        first = "<th>layer<br><small>axes of its output</small></th>"
        return f"<div>{title}</div><table><tr>{first}{heads}</tr>{''.join(lines)}</table><dl>{legend}</dl>"


@dataclass(frozen=True)
class _Column:
    """One form: the attribute of `Row`, what it is in a few words, and the width it needs."""

    form: str
    words: str
    width: int

    @property
    def title(self) -> str:
        return "tensor" if self.form == "last" else self.form


def _cell(row: Row, form: str) -> Text:
    return shape_text(getattr(row, form), has_batch=form != "declared")


def _axes(row: Row) -> str:
    names = ", ".join(name or f"axis {i}" for i, name in enumerate(row.axes))
    return f"({names},)" if len(row.axes) == 1 else f"({names})"


def _name(row: Row) -> Text:
    """The name, with the class where it does not follow from it: ``head (Dense)``, but ``dense_1``."""
    snake = re.escape(context.snake_case(row.kind))
    told = row.kind == "Input" or re.match(rf"{snake}(_\d+)?(\W|$)", row.name)
    return Text(row.name, style="bold") if told else Text.assemble((row.name, "bold"), " (", (row.kind, "cyan"), ")")


def _label(row: Row) -> Text:
    indent = "  " * (row.depth - 1)
    return Text.assemble(indent, _name(row), "\n", indent, (_axes(row), "dim"))


# Finding the forms


def forms(model: Layer, x: Any, batch_size: int = 32) -> Forms:
    """The shapes of a model's inputs and layers in their four forms, each found by tracing the model.

    Args:
        model: a model (one that is not built yet is built for `x`), or a single layer.
        x: the data, as `fit` takes it: an array, or for several inputs a list or a dict of arrays.
        batch_size: size of a batch, as `fit` takes it.

    Returns:
        A `Forms`: print it, let a notebook show it, or read its `rows` and `to_dict()`.

    Raises:
        ValueError: `model` is no model or layer, `x` holds no arrays or no samples, or `batch_size` is not positive.
        ShapeError: `x` does not fit the model.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> model = lamina.Sequential([lamina.layers.Dense(5, name="d")])
    >>> report = lamina.shapes.forms(model, np.zeros((300, 10)), batch_size=32)
    >>> row = report.rows[-1]
    >>> row.declared, row.symbolic, row.array, row.tensor, row.last
    ((5,), (None, 5), (300, 5), (32, 5), (12, 5))
    """
    if not isinstance(model, Layer):
        kind = f"the class {model.__name__}; make one first" if isinstance(model, type) else repr(model)
        raise ValueError(f"`model` is a model or a layer, not {kind}")
    batch_size = checks.positive_int("batch_size", batch_size)
    arrays = to_arrays(x, "x")
    if not tree.flatten(arrays) or arrays is None:
        raise ValueError("`x` is needed: the data, as `fit` takes it; shapes follow from it")
    samples = same_length([("x", arrays)])
    if samples == 0:
        raise ValueError("`x` has no samples")
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arrays)
    return forms_of_shapes(model, shapes, samples, batch_size)


def forms_of_shapes(model: Layer, specs: Any, samples: int, batch_size: int, declared: Any = None) -> Forms:
    """`forms` for data of which only shape and type are known (a structure of `jax.ShapeDtypeStruct`).

    Args:
        model: a model or a layer.
        specs: shape and type of the data.
        samples: how many samples it has.
        batch_size: size of a batch.
        declared: symbolic tensors with the sizes that are open; by default those that the model declares.
    """
    fixed = _fixed_batch(model)
    if fixed is not None and (batch_size != fixed or samples % fixed):
        raise ValueError(
            f"{model.name!r} is declared with batches of {fixed}: `batch_size` must be {fixed} and the number of "
            f"samples ({samples}) a multiple of it"
        )
    inputs = declared if declared is not None else _symbolic_inputs(model, specs)
    symbolic = observe(model, *_apart(model, inputs))
    batch = min(batch_size, samples)
    tensor = observe(model, *_apart(model, _with_batch(specs, batch)))
    last = observe(model, *_apart(model, _with_batch(specs, samples % batch))) if samples % batch else None
    array = observe(model, *_apart(model, _with_batch(specs, samples))) if fixed is None else None
    graph = model._graph if isinstance(model, Model) else None
    with dims.shown_as(graph.open_sizes.shown if graph is not None else {}):
        rows = _input_rows(model, specs, inputs, symbolic.input_axes, samples, batch)
        rows += _call_rows(symbolic, array, tensor, last, samples)
    return Forms(model.name, samples, batch, rows)


def _apart(model: Layer, inputs: Any) -> list[Any]:
    """The arguments of a call on those inputs."""
    return list(inputs) if model.inputs_apart and isinstance(inputs, (list, tuple)) else [inputs]


def _fixed_batch(model: Layer) -> int | None:
    """The size of a batch that the model's inputs demand, if they do."""
    tensors = model.inputs if isinstance(model, Model) and model._graph is not None else []
    return next((int(t.dims[0]) for t in tensors if dims.is_known(t.dims[0])), None)


def _symbolic_inputs(model: Layer, specs: Any) -> Any:
    """Symbolic tensors for the data: with the model's own open dimensions, where its inputs declare them."""
    tensors = jax.tree.map(lambda s: KerasTensor((None, *s.shape[1:]), dtypes.standardize_dtype(s.dtype)), specs)
    if not isinstance(model, Model) or model._graph is None:
        return tensors
    arranged = model._graph.arrange(tensors, model.name)
    chosen = {id(own): declared for own, declared in zip(arranged, model.inputs, strict=True)}
    return jax.tree.map(lambda t: _of_declared(chosen.get(id(t)), t), tensors)


def _of_declared(declared: KerasTensor | None, tensor: KerasTensor) -> KerasTensor:
    if declared is None or len(declared.dims) != len(tensor.dims):
        return tensor
    pairs = zip(declared.dims, tensor.dims, strict=True)
    agreed = tuple(own if not dims.is_known(own) or place == 0 else size for place, (own, size) in enumerate(pairs))
    return KerasTensor.of_spec(jax.ShapeDtypeStruct(agreed, dtypes.canonical(tensor.dtype)))


def _with_batch(specs: Any, batch: int) -> Any:
    return jax.tree.map(lambda s: KerasTensor((batch, *s.shape[1:]), dtypes.standardize_dtype(s.dtype)), specs)


def _input_rows(
    model: Layer, specs: Any, inputs: Any, axes: list[tuple[str, ...]], samples: int, batch: int
) -> list[Row]:
    leaves = [leaf for _, leaf in named_leaves(specs, "x")]
    rows = []
    for place, (spec, tensor) in enumerate(zip(leaves, jax.tree.leaves(inputs), strict=True)):
        rest = tuple(spec.shape[1:])
        names = ("batch", *axes[place][1:])
        last = (samples % batch, *rest) if samples % batch else None
        shapes = ((samples, *rest), (batch, *rest), last)
        rows.append(_row(input_name(model, specs, place), "Input", names, tensor.dims, shapes, 1))
    return rows


def input_name(model: Layer, specs: Any, place: int) -> str:
    """What the input at that place is called: by the model, in the dict of the data, or ``x``."""
    if isinstance(specs, dict):
        return str(tree.flatten_with_path(specs)[place][0][-1])
    if isinstance(model, Model) and model._graph is not None:
        return model.input_names[place]
    name = "x" if isinstance(model, Model) else "input"
    return name if len(jax.tree.leaves(specs)) == 1 else f"{name}[{place}]"


def _call_rows(
    symbolic: Observation, array: Observation | None, tensor: Observation, last: Observation | None, samples: int
) -> list[Row]:
    rows = []
    seen = symbolic.calls
    only_layer = len(seen) == 1
    counts: dict[int, int] = {}
    for place, entry in enumerate(seen):
        if entry.depth == 0 and not only_layer:
            continue
        counts[id(entry.operation)] = call = counts.get(id(entry.operation), 0) + 1
        leaves = jax.tree.leaves(entry.outputs)
        at = [jax.tree.leaves(o.calls[place].outputs) if o is not None else None for o in (array, tensor, last)]
        for output, spec in enumerate(leaves):
            one = tuple(at[1][output].shape)  # type: ignore[index]
            whole = tuple(at[0][output].shape) if at[0] is not None else (samples, *one[1:])
            shapes = (whole, one, tuple(at[2][output].shape) if at[2] is not None else None)
            name = entry.name + (f" (call {call})" if call > 1 else "") + (f"[{output}]" if len(leaves) > 1 else "")
            rows.append(
                _row(name, kind_of(entry.operation), entry.axes[output], spec.shape, shapes, max(entry.depth, 1))
            )
    return rows


def _row(name: str, kind: str, axes: tuple[str, ...], shape: Any, at: tuple[Any, Any, Any], depth: int) -> Row:
    array, tensor, last = at
    names = ("batch", *axes[1:]) if len(shape) and str(shape[0]) == str(dims.BATCH) else axes
    declared = tuple(_declared(d) for d in shape[1:])
    shown = dims.show_shape(shape)
    return Row(name, kind, names, declared, dims.to_public(shape), shown, array, tensor, last, depth)


def _declared(dim: Any) -> Any:
    """A size as the user would declare it: a number, ``None``, or the name they gave."""
    if dims.is_known(dim):
        return int(dim)
    return None if any(map(dims.is_anonymous, dims.symbols([dim]))) else dims.show(dim)
