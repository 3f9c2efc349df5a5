"""What a file of a model or of weights is: who wrote it, what goes in and comes out, its layers and its weights."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lamina.models.summary import memory
from lamina.reports import file_layers, file_training, stand_ins
from lamina.reports.file_contents import Contents, opened
from lamina.reports.file_layers import Architecture, LayerRow
from lamina.reports.file_tables import (
    LINES,
    NUMBERS,
    TENSORS,
    arrays_table,
    clean,
    count,
    count_cell,
    layers_table,
    left_out,
    name_cell,
    numbers_of,
    shape_cell,
    shape_of,
    tensor_text,
    values_table,
    weights_cell,
    written_by,
)
from lamina.reports.file_values import Values, summarize
from lamina.reports.rendering import Report, escape
from lamina.saving.safety.errors import naming


class FileReport(Report):
    """What a file is; see `show`.

    Attributes:
        path: the file.
        contents: what lies in it (`Contents`).
        architecture: the model that it describes (`Architecture`); ``None`` for weights alone.
        rows: the layers, as far as there are any (`LayerRow`).
        values: the values of each weight in a few numbers (`Values`); ``None`` if they were not asked for.
    """

    def __init__(self, path: Path, contents: Contents, architecture: Architecture | None, values: list[Values] | None):
        self.path, self.contents, self.architecture, self.values = path, contents, architecture, values
        if architecture is not None:
            self.rows: list[LayerRow] = architecture.rows
        elif contents.layout == "keras3":
            self.rows = file_layers.rows_of_places(contents)
        else:
            self.rows = file_layers.rows_of_names(contents) if contents.layout == "names" else []

    @property
    def labels(self) -> dict[str, str]:
        """Names of arrays in the model, by their paths in the file."""
        if self.contents.layout == "names":
            return file_layers.labels_by_names(self.contents)
        return self.architecture.labels if self.architecture is not None else {}

    @property
    def parameters(self) -> int | None:
        """Number of values in the weights; ``None`` where only some layers of an architecture are known."""
        if self.contents.kind != "architecture":
            return sum(array.size for array in self.contents.weights)
        counts = [row.parameters for row in self.rows if not row.depth]
        return None if None in counts else sum(counts)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values.

        The keys are ``file``, ``bytes``, ``kind`` (``"model"``, ``"architecture"``, ``"weights"`` or ``"arrays"``),
        ``format``, ``written_by``, ``model``, ``inputs``, ``outputs``, ``layers``, ``parameters``, ``training``,
        ``stored``, ``files``, ``metadata``, ``problems`` and, if they were asked for, ``weights``.
        """
        contents, model = self.contents, self.architecture
        described: dict[str, Any] = {
            "file": str(self.path), "bytes": contents.size, "kind": contents.kind, "format": contents.format,
            "written_by": {
                "keras": contents.keras_version, "lamina": contents.lamina_version, "backend": contents.backend,
                "saved": contents.saved,
            },
            "model": None if model is None else {"name": model.name, "class": model.kind},
            "inputs": [tensor.to_dict() for tensor in model.inputs] if model is not None else [],
            "outputs": [tensor.to_dict() for tensor in model.outputs] if model is not None else [],
            "layers": [row.to_dict() for row in self.rows], "parameters": self.parameters,
            "training": file_training.settings(contents.training),
            "stored": self._stored(), "files": contents.files, "metadata": contents.metadata,
            "problems": model.problems if model is not None else [],
        }  # fmt: skip
        if self.values is not None:
            described["weights"] = [values.to_dict() for values in self.values]
        return described

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def _stored(self) -> dict[str, Any]:
        """How many arrays there are of each role, and what they take."""
        found: dict[str, Any] = {}
        for array in self.contents.arrays:
            entry = found.setdefault(array.role, {"arrays": 0, "values": 0, "bytes": 0, "dtypes": {}})
            entry["arrays"] += 1
            entry["values"] += array.size
            entry["bytes"] += array.nbytes
            entry["dtypes"][array.dtype] = entry["dtypes"].get(array.dtype, 0) + 1
        return found

    # In the terminal

    def render(self, width: int) -> list[RenderableType]:
        title = Text.assemble(
            (clean(self.path.name), "bold"), "   ", self.contents.format, f", {memory(self.contents.size)}"
        )
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="bold", no_wrap=True)
        facts.add_column(overflow="fold")
        for label, value in self._facts():
            facts.add_row(label, value)
        parts: list[RenderableType] = [title, Text(""), Padding(facts, (0, 0, 0, 2), expand=False)]
        if self.rows:
            parts += [Text(""), layers_table(self.rows[:LINES], with_classes=self.architecture is not None)]
            parts += left_out(len(self.rows), LINES, "layer")
        if self.values is not None:
            parts += [Text(""), values_table(self.values[:LINES], width, self.contents.root)]
            parts += left_out(len(self.values), LINES, "weight")
        elif not self.rows:
            parts += [Text(""), arrays_table(self.contents.arrays[:LINES])]
            parts += left_out(len(self.contents.arrays), LINES, "array")
        for note in self._notes():
            parts += [Text(""), Padding(note, (0, 0, 0, 2), expand=False)]
        return parts

    def _facts(self) -> Iterator[tuple[str, Text]]:
        """Lines of the head: what it is about, and what there is to say."""
        contents, model = self.contents, self.architecture
        if contents.kind != "arrays":
            yield "Written by", Text(written_by(contents))
        if model is not None:
            kind = Text(clean(model.kind), style="cyan")
            is_named = model.name != model.kind
            yield "Model", Text.assemble(clean(model.name), " (", kind, ")") if is_named else kind
            for label, tensors in (("Input", model.inputs), ("Output", model.outputs)):
                for number, tensor in enumerate(tensors[:TENSORS]):
                    yield ("" if number else label + "s" * (len(tensors) > 1)), tensor_text(tensor, tensors[:TENSORS])
                if len(tensors) > TENSORS:
                    yield "", Text(f"and {len(tensors) - TENSORS:,} more")
        yield "Values" if contents.kind == "arrays" else "Parameters", Text(self._parameters_text())
        training = file_training.describe(contents.training)
        if training:
            yield "Training", Text(clean(training))
        state = self._stored().get("optimizer")
        if state is not None:
            yield "", Text(f"state of the optimizer: {count(state['arrays'], 'array')}, {memory(state['bytes'])}")
        if contents.files:
            shown = ", ".join(clean(name) for name in contents.files[:4]) + (", ..." if len(contents.files) > 4 else "")
            yield "Files", Text(f"{len(contents.files)}: {shown}")
        for key, value in list(contents.metadata.items())[:8]:
            yield clean(key, 24), Text(clean(value))

    def _parameters_text(self) -> str:
        stored = self._stored().get("weight")
        total = self.parameters
        if stored is None:
            known = "not known: some layers are unknown" if total is None else f"{total:,}"
            return known + ("; the file holds no weights" if self.contents.kind == "architecture" else "")
        kinds = ", ".join(stored["dtypes"]) if len(stored["dtypes"]) < 4 else f"{len(stored['dtypes'])} types"
        arrays = count(stored["arrays"], "array")
        trained = self.architecture.trained if self.architecture is not None else None
        fixed = total - trained if trained is not None and total is not None else 0
        note = f", of which {fixed:,} are not trained" if fixed > 0 else ""
        return f"{total:,} in {arrays} of {kinds or 'no type'}, {memory(stored['bytes'])}{note}"

    def _notes(self) -> Iterator[Text]:
        """What could not be made out, and what to do about it."""
        problems: dict[str, list[LayerRow]] = {}
        for row in self.rows:
            if row.problem is not None:
                problems.setdefault(row.problem, []).append(row)
        for problem, rows in problems.items():
            yield Text.assemble(("! ", "bold yellow"), self._explained(problem, rows))
        if self.architecture is not None and self.architecture.is_unknown:
            kind = self.architecture.kind
            what = f"{clean(kind, 60)}, the model's own class, is unknown here, and what it does is not in the file."
            yield Text.assemble(("! ", "bold yellow"), what, f"\n{_give([kind])}")
        for words in dict.fromkeys(self.architecture.problems if self.architecture is not None else ()):
            yield Text.assemble(("! ", "bold yellow"), clean(words, 600))
        if (
            self.architecture is not None
            and any(row.shapes for row in self.rows)
            and not all(row.shapes for row in self.rows)
        ):
            yield Text("? follows from layers whose output shape the file does not note.", style="dim")

    def _explained(self, problem: str, rows: list[LayerRow]) -> str:
        more = f" and {len(rows) - 6} more" if len(rows) > 6 else ""
        names = ", ".join(clean(row.name, 40) for row in rows[:6]) + more
        if problem == stand_ins.UNKNOWN:
            kinds = list(dict.fromkeys(clean(row.kind, 60) for row in rows))
            are = "is unknown here" if len(kinds) == 1 else "are unknown here"
            return (
                f"{', '.join(kinds)} {are} ({names}): shapes and weights are those that the file notes.\n{_give(kinds)}"
            )
        if problem == stand_ins.CODE:
            return (
                f"{names}: Python code in the file, which was not run.\nLoading refuses it as well; if you trust the "
                f"file, load_model(path, safe_mode=False) runs it."
            )
        return f"{names}: cannot be made here: {clean(problem, 400)}"

    # In a notebook

    def body(self) -> str:
        facts = "".join(f"<dt>{escape(label)}</dt><dd>{escape(text.plain)}</dd>" for label, text in self._facts())
        head = f"<h3>{escape(clean(self.path.name))}</h3><p>{self.contents.format}, {memory(self.contents.size)}</p>"
        notes = "".join(f"<p>{escape(note.plain)}</p>" for note in self._notes())
        return f"{head}<dl>{facts}</dl>{''.join(self._html_tables())}{notes}"

    def _html_tables(self) -> Iterator[str]:
        if self.rows:
            with_shapes = any(row.shapes for row in self.rows)
            lines = [
                ["\u2003" * row.depth + name_cell(row).plain, (shape_cell if with_shapes else weights_cell)(row).plain,
                 count_cell(row).plain] for row in self.rows
            ]  # fmt: skip
            yield _html_table(["Layer", "Output shape" if with_shapes else "Weights", "Parameters"], lines)
        if self.values is not None:
            lines = [[clean(v.path), shape_of(v.shape), v.dtype, *numbers_of(v), v.flags] for v in self.values]
            yield _html_table(["Weight", "Shape", "Type", *NUMBERS, ""], lines)
        elif not self.rows:
            lines = [[clean(a.path), shape_of(a.shape), a.dtype, f"{a.size:,}"] for a in self.contents.arrays]
            yield _html_table(["Array", "Shape", "Type", "Values"], lines)


def _html_table(headings: list[str], lines: list[list[str]]) -> str:
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    rows = ["".join(f'<td class="shape">{escape(cell)}</td>' for cell in line) for line in lines]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def show(path: str | os.PathLike[str], weights: bool = False) -> FileReport:
    """What a file of a model or of weights is, without loading it: nothing in it is run, no memory taken for weights.

    Args:
        path: a `.keras` archive, an `.h5` file of Keras 1, 2 or 3 (a whole model or weights), `.weights.h5`,
            `.weights.json`, a model's architecture as JSON, `.safetensors` or `.npz`, whatever it is called.
        weights: whether to read the weights, one at a time, and sum up the values of each.

    Returns:
        A `FileReport`: print it, let a notebook show it, or read its attributes and `to_dict()`. Layers of classes that
        are unknown here are shown as unknown, with the shapes and weights that the file notes.

    Raises:
        ValueError: the file is damaged, does what files of models do not do, or is of another kind.
        OSError: it is missing, or may not be read.

    Example:

    >>> import lamina, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.keras"
    >>> lamina.Sequential([lamina.Input(("length", 8)), lamina.layers.LSTM(3, name="lstm")]).save(path)
    >>> report = lamina.saving.show(path)
    >>> report.rows[0].name, report.rows[0].dims, report.parameters
    ('lstm', ['(batch, 3)'], 144)
    """
    place = Path(path)
    with opened(place) as contents, naming(place):
        architecture = file_layers.describe(contents) if contents.config is not None else None
        report = FileReport(place, contents, architecture, None)
        if weights:
            ordered, labels = file_layers.in_order(report.rows, contents.weights), report.labels
            report.values = [summarize(array, labels.get(array.path, "")) for array in ordered]
        return report


def _give(kinds: list[str]) -> str:
    """How to load a model with classes of one's own."""
    given = ", ".join(f'"{kind}": {kind}' for kind in (clean(kind, 60) for kind in kinds[:4]))
    return f"To load the model: load_model(path, custom_objects={{{given}{', ...' if len(kinds) > 4 else ''}}})"
