"""A failed layer call, with what is needed to think of repairs and to try them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from lamina.advice import names, trying
from lamina.core import config
from lamina.core.symbolic import KerasTensor
from lamina.shapes import dims
from lamina.shapes.errors import CallSite, Fix, ShapeError
from lamina.shapes.signatures import Axes, Signature

Shape = tuple[Any, ...]


class Case:
    """A failed call of a layer.

    Attributes:
        error: the error.
        trial: tries the call again with changes.
        layer: the layer that failed.
        shapes: shapes of the tensors of its first argument.
        signature: what the layer states of its inputs; ``None`` where it states nothing.
        axes: the axes that each of them should have; ``None`` where the layer states none.
    """

    def __init__(self, error: ShapeError, trial: trying.Trial):
        self.error, self.trial, self.layer = error, trial, trial.layer
        self.shapes = trial.shapes
        signature = self.layer.signature
        signature = Signature.parse(signature) if isinstance(signature, str) else signature
        self.signature = signature
        self.axes: list[Axes | None] = [signature.input_axes(i) if signature else None for i in range(len(self.shapes))]

    @property
    def shape(self) -> Shape:
        """Shape of the first input."""
        return self.shapes[0] if self.shapes else ()

    def gap(self, place: int = 0) -> int:
        """How many axes an input lacks; negative if it has too many."""
        axes, rank = self.axes[place], len(self.shapes[place])
        spec = self.layer.input_spec
        if axes is not None:
            return 0 if axes.fits_rank(rank) else axes.least_rank - rank
        spec = spec[place] if isinstance(spec, (list, tuple)) else spec
        if spec is None:
            return 0
        if spec.ndim is not None:
            return spec.ndim - rank
        return max((spec.min_ndim or 0) - rank, 0) - max(rank - (spec.max_ndim or rank), 0)

    def wants(self, name: str, place: int = 0) -> bool:
        """Whether the layer has an axis of that name in its input."""
        axes = self.axes[place] if place < len(self.axes) else None
        return axes is not None and name in axes.names

    # Repairs

    def insert(self, title: str, code: str, place: int = 0) -> Fix | None:
        """A layer before the one that failed."""
        layer = trying.evaluate(code)
        result = self.trial.attempt(before={place: lambda x: trying.apply(layer, x)})
        if result is None:
            return None
        where = f"{code}({self.input_name(place)})" if len(self.shapes) > 1 else f'{code} before "{self.layer.name}"'
        return Fix(title, where, trying.shown(result))

    def change(self, layer: Any, title: str, **settings: Any) -> Fix | None:
        """Other arguments for the layer that failed, or for one before it."""
        new = trying.fresh(layer, **settings)
        if new is None:
            return None
        result = self.trial.attempt(layer=new) if layer is self.layer else self.trial.attempt(changes={layer: new})
        code = ", ".join(f"{name}={_literal(value)}" for name, value in settings.items())
        return Fix(title, f'{code} in "{layer.name}"', trying.shown(result)) if result is not None else None

    def replace(self, layer: Any, title: str, code: str) -> Fix | None:
        """Another layer in the place of one before; ``""`` for none at all."""
        new = trying.evaluate(code) if code else _same
        result = self.trial.attempt(changes={layer: new})
        kind = type(layer).__name__
        said = f'{code} instead of {kind} "{layer.name}"' if code else f'remove {kind} "{layer.name}"'
        return Fix(title, said, trying.shown(result)) if result is not None else None

    def new_input(self, title: str, tensor: KerasTensor, sample: Sequence[Any], code: str = "") -> Fix | None:
        """Another shape for the model's input, that of one sample."""
        sizes = dims.from_declared(tuple(sample))
        result = self.trial.attempt(sources={tensor: (tensor.dims[0], *sizes)})
        if result is None:
            return None
        return Fix(title, code or self.input_code(tensor, sample), trying.shown(result))

    # What the user calls things

    def input_code(self, tensor: KerasTensor, sample: Sequence[Any]) -> str:
        """``Input((28, 28, 1))``, or ``input_shape=(28, 28, 1)`` where the model says it so."""
        shape = shape_code(sample)
        declared = self.declares_input()
        if declared:
            return f"input_shape={shape}"
        dtype = f', dtype="{tensor.dtype}"' if tensor.dtype != "float32" else ""
        return f"Input({shape}{dtype})"

    @property
    def data_format(self) -> str:
        """Where the channels are, as the layers before have it."""
        for layer in [layer for place in range(len(self.shapes)) for layer in self.trial.producers(place)]:
            data_format = getattr(layer, "data_format", None)
            if isinstance(data_format, str):
                return data_format
        return config.image_data_format()

    def has_batch(self) -> bool:
        """Whether the first axis is still that of the samples, as far as can be seen."""
        return all(not t.dims or dims.is_known(t.dims[0]) or t.dims[0] in self.shape for t in self.trial.sources())

    def variable(self) -> str:
        """What the user calls the layer that failed."""
        made = getattr(self.layer, "_made_at", None)
        return (names.target(CallSite.at(*made)) if made is not None else "") or self.layer.name

    def declares_input(self) -> bool:
        """Whether the first layer has ``input_shape=`` instead of an `Input`."""
        return any(
            getattr(layer, "_declared_input", None) is not None for layer in (self.layer, *self.trial.layers_before())
        )

    def only_source(self) -> KerasTensor | None:
        """The model's input, if the call depends on exactly one."""
        sources = self.trial.sources()
        return sources[0] if len(sources) == 1 else None

    def _is_call_of_layer(self, call: ast.Call) -> bool:
        """Whether it is written ``Kind(...)(inputs)``."""
        return isinstance(call.func, ast.Call) and names.function_name(call.func) == type(self.layer).__name__

    def input_name(self, place: int) -> str:
        """What the user calls an input of the failing call: ``c1`` in ``Concatenate()([up, c1])``."""
        default = "x" if len(self.shapes) == 1 else f"input_{place + 1}"
        for call in names.calls(self.error.call_site):
            given = call.args[0] if call.args and len(self.shapes) == 1 else None
            if (
                isinstance(given, (ast.Name, ast.Attribute))
                and names.value(call.func, self.error.call_site) is self.layer
            ):
                return names.short(given)
        for call in sorted(names.calls(self.error.call_site), key=lambda call: not self._is_call_of_layer(call)):
            given = call.args[0] if call.args else None
            if isinstance(given, ast.Constant) and isinstance(given.value, str) and len(call.args) > len(self.shapes):
                parts = [names.short(a) for a in call.args[1:]]  # ops.einsum("...", a, b)
                return parts[place] or default
            if any(isinstance(part, ast.Constant) for part in getattr(given, "elts", [given])):
                continue  # sizes, not tensors
            several = isinstance(given, ast.List) or names.function_name(call) == self.layer.name
            parts = names.elements(given) or [names.short(a) for a in call.args]
            several |= names.function_name(call) == self.layer.name
            if several and len(parts) == len(self.shapes) > 1:
                return parts[place] or default
            if isinstance(call.func, ast.Call) and len(self.shapes) == 1:
                return names.short(given) or default
        for operation in names.nodes(self.error.call_site, ast.BinOp):
            if len(self.shapes) == 2 and type(operation.op).__name__ == _OPERATORS.get(self.layer.name):
                return names.short((operation.left, operation.right)[place]) or default
        return default


#: How Python calls the operations that stand between two tensors.
_OPERATORS = {"add": "Add", "subtract": "Sub", "multiply": "Mult", "true_divide": "Div", "floor_divide": "FloorDiv",
              "mod": "Mod", "power": "Pow", "matmul": "MatMult"}  # fmt: skip


def shape_code(sample: Sequence[Any]) -> str:
    """A shape as it is declared: ``(None, 3)``."""
    return dims.show_shape(dims.to_public(dims.from_declared(tuple(sample))))


def _same(x: Any) -> Any:
    return x


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
