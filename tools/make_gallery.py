"""Make docs/layers, a page for each layer: python tools/make_gallery.py [Conv1D ...].

A page is made of the layer's card (`lamina.shapes.explain`) and of the mistakes in tools/gallery/*.md; every program on
it is run, and what it prints is written under it. In those files ``# `` begins a family, ``## `` names the layers that
the mistakes below it belong to, ``### `` begins a mistake: a program that fails, then the repair. ``### Example`` takes
the place of the worked example. Names such as ``$Layer`` stand for what `values` gives for the layer.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tools")]

import pages  # noqa: E402
from gallery.picture import Tensor, picture  # noqa: E402

import lamina  # noqa: E402
from lamina import layers  # noqa: E402
from lamina.core import tree  # noqa: E402
from lamina.layers.layer import Layer  # noqa: E402
from lamina.reports.explain import Card  # noqa: E402
from lamina.shapes.errors import forget_warnings  # noqa: E402

FOLDER = ROOT / "docs" / "layers"
FAMILIES = ("basic", "activation", "convolution", "pooling", "reshaping", "recurrent", "merging", "normalization")
FAMILIES += ("attention", "images", "tables", "regularization", "any")
MISTAKES = 3
SAMPLES = 300

#: For each argument that changes the shape, what a page tries; where none of it fits, it tries it with other arguments.
TRIALS: dict[str, tuple[Any, ...]] = {
    "cropping": (2, 3),
    "data_format": ("channels_first",),
    "depth_multiplier": (3,),
    "dilation_rate": (2, {"strides": 1, "dilation_rate": 2}),
    "dims": ((1, 2),),
    "filters": (32,),
    "height": (10,),
    "keepdims": (True,),
    "kernel_size": (5,),
    "merge_mode": ("sum", None),
    "n": (5,),
    "num_tokens": (20,),
    "output_dim": (64,),
    "output_mode": ("one_hot", "count"),
    "output_padding": (0,),
    "output_shape": (32,),
    "output_size": (8,),
    "padding": ("same", "valid", 3),
    "pool_size": (4,),
    "return_sequences": (True,),
    "return_state": (True,),
    "size": (3,),
    "strides": (1, 3),
    "target_shape": ((14, 56), (7, -1)),
    "units": (64,),
    "width": (10,),
}

#: What the pictures show of layers that have no example of their own: arguments, inputs, outputs.
_STEP, _STATE = Tensor(("batch", "features"), (None, 8)), Tensor(("batch", "units"), (None, 16))
_ROW = Tensor(("batch", "features"), (None, 10))
_WORDS, _PLACES = Tensor(("batch", "values"), (None, 2)), Tensor(("batch", "values"), (None, 2))
_CELL = (["units=16", "one step"], [_STEP, _STATE], [_STATE, _STATE])
PICTURES: dict[str, tuple[list[str], list[Tensor], list[Tensor]]] = {
    "GRUCell": _CELL,
    "LSTMCell": (["units=16", "one step"], [_STEP, _STATE, _STATE], [_STATE, _STATE, _STATE]),
    "SimpleRNNCell": _CELL,
    "StackedRNNCells": (["two LSTMCells,", "one step"], [_STEP], [_STATE]),
    "Hashing": (["num_bins=50"], [_WORDS], [_PLACES]),
    "HashedCrossing": (["num_bins=50"], [Tensor(("batch", "1"), (None, 1))] * 2, [Tensor(("batch", "1"), (None, 1))]),
    "IntegerLookup": (["a vocabulary"], [_WORDS], [_PLACES]),
    "Pipeline": (
        ["StringLookup,", "CategoryEncoding"],
        [Tensor(("batch", "1"), (None, 1))],
        [Tensor(("batch", "num_tokens"), (None, 3))],
    ),
    "StringLookup": (["a vocabulary"], [_WORDS], [_PLACES]),
    "TextVectorization": (
        ["output_sequence_", "length=5"],
        [Tensor(("batch",), (None,))],
        [Tensor(("batch", "length"), (None, 5))],
    ),
    "InputLayer": (["shape=(10,)"], [_ROW], [_ROW]),
    "Lambda": (["lambda t: t[:, :4]"], [_ROW], [Tensor(("batch", "features"), (None, 4))]),
    "Layer": (["for example", "Linear(4)"], [_ROW], [Tensor(("batch", "units"), (None, 4))]),
    "Wrapper": (["for example", "Twice(Dense(10))"], [_ROW], [Tensor(("batch", "units"), (None, 10))]),
}


@dataclass
class Notes:
    """What tools/gallery/*.md say about a layer."""

    family: str
    introduction: str = ""
    example: str = ""
    mistakes: list[str] = field(default_factory=list)


def public_layers() -> dict[str, list[str]]:
    """Each layer's name, with its other names."""
    found: dict[str, list[str]] = {}
    for name in sorted(dir(layers)):
        cls = getattr(layers, name)
        if isinstance(cls, type) and issubclass(cls, Layer):
            found.setdefault(cls.__name__, []).extend([name] if name != cls.__name__ else [])
    return found


def notes() -> dict[str, Notes]:
    """What the files say, by layer, in the order in which the index lists them."""
    found: dict[str, Notes] = {}
    for file in FAMILIES:
        family, *groups = re.split(r"^## ", (ROOT / f"tools/gallery/{file}.md").read_text("utf-8"), flags=re.MULTILINE)
        for group in groups:
            names, _, body = group.partition("\n")
            introduction, *sections = re.split(r"^### ", body, flags=re.MULTILINE)
            for name in names.split(", "):
                own = found.setdefault(name, Notes(family.strip("# \n")))
                own.introduction += introduction.strip()
                for section in sections:
                    if section.startswith("Example\n"):
                        own.example = section.removeprefix("Example\n").strip()
                    else:
                        own.mistakes.append(section.strip())
    return found


def card_of(name: str) -> Card | None:
    """The layer's card, if it has an example."""
    return lamina.shapes.explain(name) if getattr(layers, name).example_input else None


def values(name: str, card: Card | None) -> dict[str, str]:
    """What the names in tools/gallery/*.md stand for."""
    found = {"Layer": name} | ({"args": arguments(card.settings)} if card is not None else {})
    if card is None or not tree.is_shape(card.input_shape):
        return found
    sample = card.input_shape[1:]
    channels, lacking = sample[-1], sample[:-1]
    shapes = {"sample": sample, "batched": (SAMPLES, *sample)}
    shapes |= {"lacking": lacking, "lacking_data": (SAMPLES, *lacking), "single": (*lacking, 1)}
    dimensions = re.search(r"(\d)D", name)
    if dimensions:
        n = int(dimensions[1])
        sizes = {"tiny": 2, "small": 8, "odd": 15, "even": 16, "sixteen": 16, "twenty": 20}
        shapes |= {key: (size,) * n + (channels,) for key, size in sizes.items()}
        found |= {kind: f"{kind}{n}D" for kind in ("Conv", "UpSampling", "MaxPooling")}
    return found | {key: str(shape) for key, shape in shapes.items()}


def arguments(settings: dict[str, Any]) -> str:
    """Arguments as a program has them."""
    return ", ".join(f"{name}={code(value)}" for name, value in settings.items())


def code(value: Any) -> str:
    """A value as a program has it."""
    if isinstance(value, Layer):
        inner = {**type(value).example_config, **value.get_config()}
        own = {k: inner[k] for k in ("units", "filters", "kernel_size") if k in inner}
        own = {k: v[0] if isinstance(v, (list, tuple)) and len(set(v)) == 1 else v for k, v in own.items()}
        return f"layers.{type(value).__name__}({arguments(own)})"
    if isinstance(value, float) and len(repr(value)) > 8:
        return f"1 / {1 / value:g}"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def page(name: str, aliases: list[str], own: Notes) -> str:
    """The page of a layer, its programs run."""
    card = card_of(name)
    filled = values(name, card)
    parts = [f"# {name}", summary(name)]
    if own.introduction:
        parts.append(own.introduction)
    if aliases:
        parts.append(f"Also named {' and '.join(f'`{alias}`' for alias in aliases)}.")
    parts.append(f"![The axes of {name}](images/{name}.svg)")
    parts += ["## What goes in, what comes out", signatures(name, card)] if signatures(name, card) else []
    parts += ["## Example", Template(own.example).substitute(filled) if own.example else example(card)]
    parts += ["And computed:", "```python\nprint(model.predict(x, verbose=0).shape)\n```"]
    parts += ["## Arguments that change the shape", shape_arguments(card)] if card is not None else []
    parts.append("## Three common mistakes")
    for number, mistake in enumerate(own.mistakes, 1):
        parts.append(with_repair(f"### {number}. {Template(mistake).substitute(filled)}"))
    if card is not None and card.common_mistakes:
        parts += ["## Worth knowing", "\n".join(f"- {mistake}" for mistake in card.common_mistakes)]
    terminal = f"In a terminal, `lamina explain {name}` shows this layer's card. " if card is not None else ""
    more = "More: [all layers](README.md), [the four forms of a shape](../four-shapes.md),"
    parts.append(f"{terminal}{more}\n[how to read a shape error](../reading-errors.md).")
    lamina.utils.clear_session(free_memory=False)
    forget_warnings()
    return pages.with_outputs("\n\n".join(parts) + "\n")


def summary(name: str) -> str:
    """The first sentence about a layer."""
    text = (inspect.getdoc(getattr(layers, name)) or "").strip().split("\n\n")[0]
    return " ".join(text.split())


def with_repair(mistake: str) -> str:
    """A mistake, set as Markdown, with words before the repair."""
    heading, _, rest = mistake.partition("\n")
    words, *others = re.split(
        r"(^(?:<!-- raises: \w+ -->\n)?```python\n.*?^```$)", rest, flags=re.MULTILINE | re.DOTALL
    )
    parts = [heading, words.strip()]
    for block, after in zip(others[::2], others[1::2], strict=True):
        is_last = after is others[-1]
        parts += [block, after.strip() or ("" if is_last else "This works:")]
    return "\n\n".join(part for part in parts if part)


def signatures(name: str, card: Card | None) -> str:
    """The signature, or a table of one for each setting."""
    if card is None:
        return ""
    pairs = [(setting, [in_words(side) for side in text.split("->")]) for setting, text in card.signatures]
    if len(pairs) == 1:
        return " → ".join(f"`{side}`" for side in pairs[0][1])
    rows = [f"| `{setting}` | `{sides[0]}` | `{sides[-1]}` |" for setting, sides in pairs]
    return "\n".join(["| with | in | out |", "|---|---|---|", *rows])


def in_words(side: str) -> str:
    """``batch features`` as ``(batch, features)``."""
    tensors = [part.split() for part in side.split(",")]
    return ", ".join(f"({', '.join(names)}{',' if len(names) == 1 else ''})" for names in tensors)


def example(card: Card | None) -> str:
    """A small program that runs the layer on 300 samples."""
    assert card is not None
    shapes = [shape[1:] for shape in tree.flatten_shapes(card.input_shape)]
    dtype = "int32" if card.kind.endswith("Embedding") else "float32"
    apart = getattr(layers, card.kind).inputs_apart
    call = f"layers.{card.kind}({arguments(card.settings)})"
    lines = ["import numpy as np", "", "import lamina as keras", "from lamina import layers"]
    lines += ["from lamina.shapes import forms", ""]
    if len(shapes) == 1:
        lines += [f'x = np.zeros({(SAMPLES, *shapes[0])}, "{dtype}")']
        lines += [f'model = keras.Sequential([keras.Input(shape={shapes[0]}), {call}], name="example")']
    else:
        lines += [f"x = [{', '.join(f'np.zeros({(SAMPLES, *s)})' for s in shapes)}]"]
        lines += [f"inputs = [{', '.join(f'keras.Input(shape={s})' for s in shapes)}]"]
        lines += [f'model = keras.Model(inputs, {call}({"*" if apart else ""}inputs), name="example")']
    lines += ["print(forms(model, x, batch_size=32))"]
    return "```python\n" + "\n".join(lines) + "\n```"


def shape_arguments(card: Card) -> str:
    """A table: each argument, what it does, and the shape that comes out with another value."""
    if not card.shape_arguments:
        return "None: whatever the arguments, the axes are those above."
    before = ", ".join(str(shape) for shape in tree.flatten_shapes(card.input_shape))
    lines = [f"On an input of shape `{before}`; the example above gives `{shown(card, {})}`.", ""]
    lines += ["| argument | what it does | for example | gives |", "|---|---|---|---|"]
    for name, how in card.shape_arguments.items():
        cells = trials(card, name) or [("", "")]
        lines += [f"| `{name}` | {how} | {cells[0][0]} | {cells[0][1]} |"]
        lines += [f"| | | {trial} | {shape} |" for trial, shape in cells[1:]]
    return "\n".join(lines)


def trials(card: Card, name: str) -> list[tuple[str, str]]:
    """Other values of an argument, each with the shape that comes out."""
    values = [value for value in TRIALS.get(name, ()) if value != current(card, name)]
    alone = [{name: value} for value in values if not isinstance(value, dict)]
    together = [value for value in values if isinstance(value, dict)]
    for tried in (alone, together):
        found = [
            (f"`{arguments(settings)}`", f"`{shown(card, settings)}`") for settings in tried if shown(card, settings)
        ]
        if found:
            return found
    return []


def current(card: Card, name: str) -> Any:
    """The value of an argument in the example."""
    parameter = inspect.signature(getattr(layers, card.kind).__init__).parameters.get(name)
    return card.settings.get(name, parameter.default if parameter else None)


def shown(card: Card, changed: dict[str, Any]) -> str:
    """The shape that the example gives with some arguments changed; nothing if they do not fit."""
    shape = card.input_shape
    if "data_format" in changed:
        shape = (shape[0], shape[-1], *shape[1:-1])
    settings = {
        name: value if not isinstance(value, Layer) else value._unbuilt_copy() for name, value in card.settings.items()
    }
    try:
        layer = getattr(layers, card.kind)(**{**settings, **changed})
        inputs = tree.map_shape_structure(lambda s: lamina.Input(shape=s[1:]), shape)
        outputs = layer(*inputs) if layer.inputs_apart else layer(inputs)
    except (ValueError, TypeError):
        return ""
    return ", ".join(str(tensor.shape) for tensor in lamina.tree.flatten(outputs))


def image(name: str) -> str:
    """The picture of a layer."""
    if name in PICTURES:
        settings, inputs, outputs = PICTURES[name]
        return picture(name, settings, inputs, outputs)
    card = card_of(name)
    assert card is not None
    tensors = [(row.kind == "Input", Tensor(axes_of(row), row.symbolic)) for row in card.forms.rows]
    sides = [[tensor for is_input, tensor in tensors if is_input is side] for side in (True, False)]
    settings = [f"{key}={code(value)}".replace("layers.", "") for key, value in card.settings.items()]
    return picture(name, settings, *sides)


def axes_of(row: Any) -> tuple[str, ...]:
    """Names of a tensor's axes, the batch axis named in any case."""
    return tuple(row.axes) if len(row.axes) == len(row.symbolic) else ("batch", *[""] * (len(row.symbolic) - 1))


def index(known: dict[str, list[str]], written: dict[str, Notes]) -> str:
    """The page that lists the others."""
    lines = [
        "# Layers",
        "",
        "A page for each layer: its axes in a picture, the four forms of its shapes on an example, the arguments that",
        "change them, and the three mistakes that people make with it: the error they get, and what to do.",
        "",
        "The pages are made from the layers themselves with `python tools/make_gallery.py`. If you have just met an",
        "error, [Reading a shape error](../reading-errors.md) may be the better place to start.",
    ]
    families = dict.fromkeys(own.family for own in written.values())
    for family in families:
        lines += ["", f"## {family}", "", "| layer | what it does |", "|---|---|"]
        for name, own in written.items():
            if own.family == family:
                also = f" ({', '.join(f'`{alias}`' for alias in known[name])})" if known[name] else ""
                lines.append(f"| [{name}]({name}.md){also} | {summary(name)} |")
    return "\n".join(lines) + "\n"


def prepare() -> None:
    """Print as the pages do: at their width, without colours."""
    os.environ["COLUMNS"] = pages.WIDTH
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "JUPYTER_COLUMNS"):
        os.environ.pop(name, None)


def main(chosen: list[str]) -> None:
    """Write the pages of the chosen layers, or of all, and the index."""
    prepare()
    known, written = public_layers(), notes()
    problems = 0
    (FOLDER / "images").mkdir(parents=True, exist_ok=True)
    for name in chosen or known:
        try:
            (FOLDER / "images" / f"{name}.svg").write_text(image(name), "utf-8")
            (FOLDER / f"{name}.md").write_text(page(name, known[name], written[name]), "utf-8")
        except Exception as error:
            problems += 1
            print(f"{name}: {type(error).__name__}: {error}\n", file=sys.stderr)
    (FOLDER / "README.md").write_text(index(known, written), "utf-8")
    sys.exit(f"{problems} pages could not be made" if problems else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
