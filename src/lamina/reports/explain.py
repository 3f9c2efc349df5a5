"""The card of a layer: the axes it takes and gives, its shapes on an example, and what people get wrong with it."""

from __future__ import annotations

import inspect
import re
from typing import Any

import jax
from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lamina import layers  # noqa: F401  (registers them)
from lamina.core import checks, context, dtypes, registry, tree
from lamina.core.symbolic import KerasTensor
from lamina.layers import checking
from lamina.layers.layer import Layer
from lamina.models.summary import memory
from lamina.reports.forms import Forms, forms_of_shapes
from lamina.reports.rendering import Report, escape
from lamina.shapes.errors import ShapeError

_VARIANTS: dict[str, tuple[Any, ...]] = {
    "data_format": ("channels_last", "channels_first"),
    "return_sequences": (False, True),
    "return_state": (True,),
    "keepdims": (False, True),
}
_OPEN_SIZE = 20  # an axis of open size is shown with this many entries
_SAMPLES, _BATCH = 300, 32


class Card(Report):
    """What there is to know about a layer's shapes; see `explain`.

    Attributes:
        kind: the class.
        summary: what it does, in one sentence.
        signatures: pairs of a setting (``""`` where it does not matter) and the signature that holds with it.
        settings: the arguments of the worked example.
        input_shape: its input shape, ``(None, ...)``; a list of them for several inputs.
        forms: the four forms on the example (`Forms`).
        weights: name and shape of each weight in the example.
        shape_arguments: for each argument that changes the shape, how.
        common_mistakes: what people get wrong, and the repair.
    """

    def __init__(self, layer: Layer, signatures: list[tuple[str, str]], settings: dict[str, Any], input_shape: Any):
        cls = type(layer)
        self.kind, self.summary = cls.__name__, _first_sentence(cls)
        self.signatures, self.settings, self.input_shape = signatures, settings, input_shape
        self.open_axes = any(size is None for shape in tree.flatten_shapes(input_shape) for size in shape[1:])
        specs = _example_specs(layer, input_shape)
        declared = tree.map_shape_structure(lambda s: KerasTensor((None, *s[1:]), layer.compute_dtype), input_shape)
        self.forms: Forms = forms_of_shapes(layer, specs, _SAMPLES, _BATCH, declared)
        self.weights = [(v.name, tuple(v.shape)) for v in layer.weights]
        self.size = sum(v.size * v.value.dtype.itemsize for v in layer.weights)
        self.shape_arguments = dict(layer.shape_arguments)
        self.common_mistakes = tuple(layer.common_mistakes)

    @property
    def code(self) -> str:
        """The example as a program would have it: ``Conv1D(filters=16, kernel_size=3)``."""
        return f"{self.kind}({', '.join(f'{k}={_show(v)}' for k, v in self.settings.items())})"

    def to_dict(self) -> dict[str, Any]:
        return {
            "layer": self.kind,
            "summary": self.summary,
            "signatures": [{"setting": setting, "signature": text} for setting, text in self.signatures],
            "example": {"code": self.code, "input_shape": self.input_shape, **self.forms.to_dict()},
            "weights": [{"name": name, "shape": shape} for name, shape in self.weights],
            "shape_arguments": self.shape_arguments,
            "common_mistakes": list(self.common_mistakes),
        }

    def render(self, width: int) -> list[RenderableType]:
        parts: list[RenderableType] = [
            Rule(Text(self.kind, style="bold"), align="left"),
            Text(self.summary.replace("`", "")),
            *_section("Axes: what goes in -> what comes out", *self._signature_lines(width - 2)),
            *_section(f"Example: {self.code}", self._note(), Text(""), *self.forms.tables(width - 2)),
            *_section("Weights", self._weight_lines()),
        ]
        if self.shape_arguments:
            grid = Table.grid(padding=(0, 2))
            for name, how in self.shape_arguments.items():
                grid.add_row(Text(name, style="bold"), Text(how))
            parts += _section("Arguments that change the shape", grid)
        if self.common_mistakes:
            grid = Table.grid(padding=(0, 1))
            for mistake in self.common_mistakes:
                grid.add_row("-", Text(mistake.replace("`", "")))
            parts += _section("Common mistakes", grid)
        return parts

    def _signature_lines(self, width: int) -> list[RenderableType]:
        """One line for each signature; where that is too wide, the setting stands above it."""
        settings = [Text(setting, style="dim") for setting, _ in self.signatures]
        flows = [_flow(text) for _, text in self.signatures]
        if not any(setting for setting, _ in self.signatures):
            return list(flows)
        first = max(len(setting) for setting in settings)
        if first + 2 + max(len(flow) for flow in flows) > width:
            return [Text("\n  ").join(pair) for pair in zip(settings, flows, strict=True)]
        for setting in settings:
            setting.pad_right(first - len(setting))
        return [Text("  ").join(pair) for pair in zip(settings, flows, strict=True)]

    def _note(self) -> Text:
        shapes = ", ".join(str(s) for s in tree.flatten_shapes(self.input_shape))
        note = f"on an input of shape {shapes}, for {_SAMPLES} samples in batches of {_BATCH}"
        open_size = f"; open sizes as {_OPEN_SIZE}" if self.open_axes else ""
        return Text(note + open_size, style="dim")

    def _weight_lines(self) -> Text:
        if not self.weights:
            return Text("none: the layer learns nothing")
        listed = ", ".join(f"{name} {shape}" for name, shape in self.weights)
        count = sum(_product(shape) for _, shape in self.weights)
        return Text(f"{listed}: {count:,} parameters ({memory(self.size)})")

    def body(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(setting)}</td><td><code>{escape(_flow(text).plain)}</code></td></tr>"
            for setting, text in self.signatures
        )
        arguments = "".join(f"<dt>{escape(n)}</dt><dd>{escape(how)}</dd>" for n, how in self.shape_arguments.items())
        mistakes = "".join(f"<li>{escape(mistake)}</li>" for mistake in self.common_mistakes)
        return (
            f"<h3>{self.kind}</h3><p>{escape(self.summary)}</p><table>{rows}</table>"
            f"<p><code>{escape(self.code)}</code> {escape(self._note().plain)}</p>{self.forms.body()}"
            f"<p><b>Weights</b> {escape(self._weight_lines().plain)}</p>"
            + (f"<p><b>Arguments that change the shape</b></p><dl>{arguments}</dl>" if arguments else "")
            + (f"<p><b>Common mistakes</b></p><ul>{mistakes}</ul>" if mistakes else "")
        )


def explain(layer: str | type | Layer, input_shape: Any = None, **settings: Any) -> Card:
    """The card of a layer: its axes, its shapes on a worked example, its weights, common mistakes.

    Args:
        layer: a layer's name such as ``"Conv1D"``, a class, or an instance.
        input_shape: shape of the example's input, batch axis first, such as ``(None, 128, 2)``; a list of shapes for
            several inputs. By default one that suits the layer.
        settings: arguments of the layer for the example, such as ``filters=16``.

    Returns:
        A `Card`: print it, let a notebook show it, or read its attributes and `to_dict()`.

    Raises:
        ValueError: the layer or a setting is unknown; the message offers near names.
        ShapeError: the layer does not take such an input.

    Example:

    >>> import lamina
    >>> card = lamina.shapes.explain("Conv1D", input_shape=(None, 128, 2), filters=16, kernel_size=3)
    >>> card.forms.rows[-1].tensor, card.weights
    ((32, 126, 16), [('kernel', (3, 2, 16)), ('bias', (16,))])
    """
    with context.names_kept():
        return _card(_class_of(layer), layer if isinstance(layer, Layer) else None, input_shape, settings)


def _card(cls: type[Layer], own: Layer | None, input_shape: Any, settings: dict[str, Any]) -> Card:
    _check_settings(cls, own, settings)
    chosen: dict[str, Any] = {}
    if own is None:
        chosen = {**{name: registry.deserialize(value) for name, value in cls.example_config.items()}, **settings}
    shape = _input_shape(cls, own, input_shape, chosen)
    signatures = _signatures(cls, own, chosen)
    example = _make(cls, chosen) if own is None else own if own.built else own._unbuilt_copy()
    _check_batch_axis(example, shape)
    return Card(example, signatures, chosen if own is None else _given(own), shape)


def _class_of(layer: Any) -> type[Layer]:
    if isinstance(layer, Layer):
        return type(layer)
    if isinstance(layer, type) and issubclass(layer, Layer):
        return layer
    if not isinstance(layer, str):
        raise ValueError(f"explain takes a layer's name, class or instance, not {layer!r}")
    known = {name: cls for name, cls in registry.known("layer").items() if isinstance(cls, type)}
    by_key = {name.replace("_", "").lower(): cls for name, cls in known.items()}
    found = known.get(layer) or by_key.get(layer.replace("_", "").lower())
    if found is None:
        raise ValueError(f"unknown layer {layer!r}{checks.did_you_mean(layer, known)}")
    return found


def _check_settings(cls: type[Layer], own: Layer | None, settings: dict[str, Any]) -> None:
    if own is not None and settings:
        raise ValueError(
            f"{next(iter(settings))!r}: an instance has its settings; give the class or name to try others"
        )
    known = [
        name
        for base in (cls, Layer)
        for name, p in inspect.signature(base.__init__).parameters.items()  # type: ignore[misc]
        if name != "self" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    for name in settings:
        if name not in known:
            raise ValueError(f"{cls.__name__} has no argument {name!r}{checks.did_you_mean(name, known)}")


def _make(cls: type[Layer], settings: dict[str, Any]) -> Layer:
    """An example of the layer, under a plain name."""
    named = {"name": context.snake_case(cls.__name__), **settings}
    try:
        return cls(**named)
    except TypeError as error:
        missing = re.findall(r"'(\w+)'", str(error).split("missing")[-1]) if "missing" in str(error) else []
        if not missing:
            raise ValueError(f"{cls.__name__} cannot be made with {settings}: {error}") from error
        raise ValueError(
            f"{cls.__name__} needs {', '.join(missing)}: give values for the example, "
            f"such as explain({cls.__name__!r}, {missing[0]}=...)"
        ) from error


def _input_shape(cls: type[Layer], own: Layer | None, given: Any, settings: dict[str, Any]) -> Any:
    """The example's input: as given, else what an instance has seen, else the layer's own example."""
    if given is not None:
        return _as_shapes(given)
    seen = own._nodes[-1] if own is not None and own._nodes else None
    if seen is not None:
        shapes = [tuple(t.shape) for t in seen.inputs]
        return shapes[0] if len(shapes) == 1 else shapes
    built_for = getattr(own, "_build_shape", None)
    if built_for is not None:
        return _as_shapes(tree.map_shape_structure(lambda s: (None, *s[1:]), built_for))
    if not cls.example_input:
        raise ValueError(f"`input_shape` is needed for {cls.__name__}: such as (None, 10), batch axis first")
    shapes = _as_shapes(cls.example_input)
    if settings.get("data_format") == "channels_first" and tree.is_shape(shapes):
        return (shapes[0], shapes[-1], *shapes[1:-1])
    return shapes


def _check_batch_axis(layer: Layer, shapes: Any) -> None:
    """Refuse a shape that would fit if the batch axis were put before it."""
    signature = checking.signature_of(layer)
    for place, shape in enumerate(tree.flatten_shapes(shapes) if signature is not None else []):
        axes = signature.input_axes(place)  # type: ignore[union-attr]
        if not axes.fits_rank(len(shape)) and axes.fits_rank(len(shape) + 1):
            full = (None, *shape)
            raise ShapeError(
                f"`input_shape`={tuple(shape)} lacks the batch axis; write {full}",
                layer=layer.name,
                expected=f"{axes.show()}   {axes.count()}",
                received=f"{tuple(shape)}",
            )


def _as_shapes(given: Any) -> Any:
    if tree.is_shape(given) and len(given):
        return tuple(given)
    if isinstance(given, (list, tuple)) and given and all(tree.is_shape(s) and len(s) for s in given):
        return [tuple(s) for s in given]
    raise ValueError(
        f"`input_shape`={given!r}: expected a shape such as (None, 128, 2), batch axis first, or a list of them"
    )


def _given(layer: Layer) -> dict[str, Any]:
    """The arguments that an instance was made with."""
    args, kwargs = layer._captured  # type: ignore[attr-defined]
    bound = inspect.signature(type(layer).__init__).bind_partial(layer, *args, **kwargs).arguments
    named = {**bound, **bound.get("kwargs", {})}
    return {k: v for k, v in named.items() if k not in ("self", "kwargs", "args", "name")}


def _signatures(cls: type[Layer], own: Layer | None, settings: dict[str, Any]) -> list[tuple[str, str]]:
    """The signature, or for each setting that changes it one."""
    if own is not None:
        return [("", _signature_text(own))]
    parameters = _all_parameters(cls)
    found: list[tuple[str, str]] = []
    for name, values in _VARIANTS.items():
        if name in parameters:
            variants = [(f"{name}={value!r}", _try_signature(cls, {**settings, name: value})) for value in values]
            differ = {text for _, text in [*variants, *found, ("", _try_signature(cls, settings))]} - {""}
            if len(differ) > 1:
                found += [(setting, text) for setting, text in variants if text]
    return found or [("", _try_signature(cls, settings))]


def _all_parameters(cls: type[Layer]) -> set[str]:
    return {n for base in cls.__mro__ if "__init__" in vars(base) for n in inspect.signature(base.__init__).parameters}  # type: ignore[misc]


def _try_signature(cls: type[Layer], settings: dict[str, Any]) -> str:
    try:
        return _signature_text(_make(cls, settings))
    except (ValueError, TypeError):
        return ""


def _signature_text(layer: Layer) -> str:
    signature = checking.signature_of(layer)
    return str(signature) if signature is not None else "any axes: found by tracing its computation"


def _example_specs(layer: Layer, shapes: Any) -> Any:
    """Shape and type of 300 samples; open sizes as an example's."""
    dtype = dtypes.canonical(layer.compute_dtype)
    numbers = tree.map_shape_structure(lambda s: (_SAMPLES, *(_OPEN_SIZE if d is None else d for d in s[1:])), shapes)
    for shape in tree.flatten_shapes(numbers):
        if any(not isinstance(d, int) or d < 1 for d in shape[1:]):
            raise ShapeError(
                f"`input_shape`: {shape[1:]} are no sizes of axes",
                expected="whole numbers from 1, or None after the batch",
            )
    return tree.map_shape_structure(lambda s: jax.ShapeDtypeStruct(s, dtype), numbers)


def _first_sentence(cls: type) -> str:
    text = (inspect.getdoc(cls) or cls.__name__).strip().split("\n\n")[0]
    return " ".join(text.split())


def _flow(signature: str) -> Text:
    """``(batch, features) -> (batch, units)``."""
    sides = [_axes_in_words(side) for side in signature.split("->")] if "->" in signature else [signature]
    return Text(" -> ").join(Text(side, style="green" if i else "") for i, side in enumerate(sides))


def _axes_in_words(side: str) -> str:
    tensors = [part.split() for part in side.split(",")]
    return ", ".join(f"({', '.join(names)}{',' if len(names) == 1 else ''})" for names in tensors)


def _show(value: Any) -> str:
    if isinstance(value, Layer):
        return f"{type(value).__name__}(...)"
    return getattr(value, "__name__", repr(value)).replace("<lambda>", "lambda x: ...")


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _section(title: str, *parts: RenderableType) -> list[RenderableType]:
    indented = (Padding(part, (0, 0, 0, 2), expand=False) if not _is_blank(part) else part for part in parts)
    return [Text(""), Text(title, style="bold cyan"), *indented]


def _is_blank(part: RenderableType) -> bool:
    return isinstance(part, Text) and not part.plain
