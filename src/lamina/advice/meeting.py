"""Labels that meet an output of a model, with what is needed to think of repairs and to try them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from lamina.advice import names, trying
from lamina.advice.origins import kinds
from lamina.core import context
from lamina.losses import fitting
from lamina.losses.fitting import Clash
from lamina.shapes import dims
from lamina.shapes.errors import CallSite, Fix

Shape = tuple[Any, ...]

_PASSED = frozenset(("Activation", "Softmax", "Dropout", "ReLU", "LeakyReLU", "Identity", "Rescaling"))
_METHODS = ("fit", "evaluate", "train_on_batch", "test_on_batch")


class Meeting:
    """What met, under the user's names.

    Args:
        clash: the shapes and the loss.
        model: the model.
        place: which of its outputs.
        site: the user's line.
        values: the labels, if they lie in the host's memory.
        validating: whether they were given to be validated on.
        x: what the model is called on; only its shapes matter.
        own: the loss or metric, where it is the user's: it must take what fits.
    """

    def __init__(
        self,
        clash: Clash,
        model: Any,
        place: int,
        site: CallSite | None,
        values: Any = None,
        validating: bool = False,
        x: Any = None,
        own: Callable[[Any, Any], Any] | None = None,
    ):
        self.own = own
        self.name, self.kind, self.axis = clash.name, clash.kind, clash.axis
        self.true, self.pred = clash.true, clash.pred
        self.values = values if isinstance(values, np.ndarray) else None
        self.validating = validating
        #: Whether the model stays as it is, since what it is trained on fits it.
        self.keeps_model = validating and any(names.calls(site, "fit"))
        self.place, self.outputs = place, _output_names(model)
        self.losses = getattr(getattr(model, "_compile_loss", None), "given", None)
        self.y, self.inner = _labels_name(site, place, _output_names(model), validating)
        self.target = self.y if names.is_place(self.y) else "y"
        self.head = Head(model, place, x)

    @property
    def classes(self) -> int | None:
        """How many classes the output tells apart."""
        size = self.pred[self.axis] if self.pred and -len(self.pred) <= self.axis < len(self.pred) else None
        return int(size) if size is not None and dims.is_known(size) else None

    def fits(self, true: Shape, pred: Shape | None = None, kind: str | None = None) -> bool:
        """Whether labels of that shape fit, without being repeated."""
        kind, pred = kind or self.kind, self.pred if pred is None else pred
        if fitting.misfit(kind, true, pred, self.axis):
            return False
        if kind == "sparse":
            return True
        pairs = zip(*fitting.aligned(true, pred), strict=False)
        return all(a == b for a, b in list(pairs)[1:]) and self._own_takes(true, pred)

    def _own_takes(self, true: Shape, pred: Shape) -> bool:
        if self.own is None:
            return True
        samples = self.pred[0]
        specs = [jax.ShapeDtypeStruct((samples, *shape[1:]), "float32") for shape in (true, pred)]
        return trying.traced(self.own, *specs) is not None

    def change_labels(self, title: str, code: str, true: Shape, kind: str | None = None) -> Fix | None:
        """Other labels; `code` has ``{y}`` for what the user wrote."""
        if not self.fits(true, kind=kind):
            return None
        return Fix(title, f"{self.target} = {code.replace('{y}', self.y)}", _open(true))

    def change_index(self, title: str, index: str, true: Shape) -> Fix | None:
        """Labels indexed."""
        if not self.fits(true):
            return None
        return Fix(title, f"{self.target} = {names.indexed(self.y, index)}", _open(true))

    def change_loss(self, title: str, loss: str, kind: str, true: Shape | None = None) -> Fix | None:
        """Another loss for the same output."""
        if self.keeps_model or not self.fits(self.true if true is None else true, kind=kind):
            return None
        code = self.loss_code(loss)
        return Fix(title, code) if code else None

    def loss_code(self, loss: str) -> str:
        """How the loss is given, beside those of other outputs; ``""`` where these are not plain names."""
        if len(self.outputs) < 2:
            return f'loss="{loss}"'
        given: Any = self.losses
        named = isinstance(given, dict) and self.outputs[self.place] in given
        if named and all(isinstance(entry, str) for entry in given.values()):
            entries = {**given, self.outputs[self.place]: loss}
            return "loss={" + ", ".join(f'"{k}": "{v}"' for k, v in entries.items()) + "}"
        listed = isinstance(given, (list, tuple)) and len(given) == len(self.outputs)
        if listed and all(isinstance(entry, str) for entry in given):
            own = [loss if i == self.place else entry for i, entry in enumerate(given)]
            return "loss=[" + ", ".join(f'"{entry}"' for entry in own) + "]"
        return ""

    def change_units(self, units: int, title: str, loss: str = "", activation: str | None = None) -> Fix | None:
        """Another number of outputs, and another loss if need be."""
        kind = {"categorical_crossentropy": "categorical", "sparse_categorical_crossentropy": "sparse"}.get(loss)
        pred = self.head.with_units(units)
        said = self.loss_code(loss) if loss else ""
        if self.keeps_model or pred is None or not self.fits(self.true, pred, kind) or (loss and not said):
            return None
        settings = {} if activation is None else {"activation": activation}
        code = self.head.code(units, **settings) + (f" with {said}" if said else "")
        return Fix(title, code, _open(pred))

    def change_model(self, title: str, code: str, pred: Shape | None) -> Fix | None:
        """Something else about the model, which then gives `pred`."""
        if self.keeps_model or pred is None or not self.fits(self.true, pred):
            return None
        return Fix(title, code, _open(pred))


class Head:
    """The end of a model that makes one output: what it would give if its layers were others."""

    def __init__(self, model: Any, place: int, x: Any = None):
        self.model, self.place, self.x = model, place, x
        graph = getattr(model, "_graph", None)
        tensors = graph.output_tensors if graph is not None else []
        self.trial = trying.Trial(_same, (tensors[place],), {}, True) if place < len(tensors) else None
        layers = self.trial.producers() if self.trial is not None else []
        self.layers = [x for x in layers if hasattr(x, "get_config")]
        self.last = next((x for x in self.layers if not kinds(x) & _PASSED), None)
        if self.trial is None:
            made = [x for x in model._flatten_layers() if _width_name(x)]
            self.last = made[-1] if made else None
        if self.last is not None and not _width_name(self.last):
            self.last = None

    def changed(self, changes: dict[Any, Any]) -> Shape | None:
        """The output's shape with other layers in place of some."""
        if self.trial is None:
            return self._changed_inside(changes)
        result = self.trial.attempt(changes=changes, layer=_same)
        leaves = jax.tree.leaves(result)
        return tuple(leaves[0].shape) if len(leaves) == 1 else None

    def _changed_inside(self, changes: dict[Any, Any]) -> Shape | None:
        """The same for a model without a graph: a copy with other layers is called on the data's shapes."""
        if self.x is None or not all(hasattr(new, "_sublayers") for new in changes.values()):
            return None
        copy = trying.copy_of(self.model)
        inside = dict(zip(map(id, self.model._flatten_layers()), copy._flatten_layers(), strict=True))
        trying.unbuild(copy)
        for layer, new in changes.items():
            inside[id(layer)].__dict__ = new.__dict__
        result = trying.traced(lambda x: trying.apply(copy, x), jax.tree.map(trying.spec_of, self.x))
        leaves = jax.tree.leaves(result)
        return (None, *leaves[self.place].shape[1:]) if self.place < len(leaves) else None

    def with_settings(self, layer: Any, **settings: Any) -> Shape | None:
        """The output's shape with other arguments of a layer."""
        return self.changed({layer: trying.fresh(layer, **settings)})

    def with_units(self, units: int) -> Shape | None:
        """The output's shape with another number of units (or filters) in the last layer."""
        if self.last is None:
            return None
        return self.with_settings(self.last, **{_width_name(self.last): units})

    def with_before(self, layer: Any) -> Shape | None:
        """The output's shape with a layer put in before the last one."""
        if self.last is None or self.trial is None:
            return None
        new = trying.fresh(self.last)
        return self.changed({self.last: lambda x: trying.apply(new, trying.apply(layer, x))})

    def with_after(self, layer: Any) -> Shape | None:
        """The output's shape with a layer put in at the end."""
        if self.trial is None:
            return None
        leaves = jax.tree.leaves(self.trial.attempt(before={0: lambda x: trying.apply(layer, x)}, layer=_same))
        return tuple(leaves[0].shape) if len(leaves) == 1 else None

    def code(self, units: int, activation: str | None = None) -> str:
        """The last layer as it would be written with that many units."""
        layer = self.last
        assert layer is not None
        parts = [str(units)]
        kernel = getattr(layer, "kernel_size", None)
        if kernel is not None:
            parts.append(str(kernel[0] if len(set(kernel)) == 1 else tuple(kernel)))
            if getattr(layer, "padding", "valid") != "valid":
                parts.append(f'padding="{layer.padding}"')
        chosen = activation or getattr(getattr(layer, "activation", None), "__name__", "linear")
        chosen = "sigmoid" if chosen == "softmax" and units == 1 else chosen
        if chosen != "linear":
            parts.append(f'activation="{chosen}"')
        if not re.fullmatch(rf"{context.snake_case(type(layer).__name__)}(_\d+)?", layer.name):
            parts.append(f'name="{layer.name}"')
        return f"layers.{type(layer).__name__}({', '.join(parts)})"


def _same(x: Any) -> Any:
    return x


def _width_name(layer: Any) -> str:
    """What a layer calls the size of its output's last axis; ``""`` if it has no say in it."""
    if not type(layer).__module__.startswith("lamina."):
        return ""
    return next((n for n in ("units", "filters") if isinstance(getattr(layer, n, None), int)), "")


def _labels_name(site: CallSite | None, place: int, outputs: Sequence[str], validating: bool) -> tuple[str, str]:
    """What the user wrote for the labels of an output; and what was made one-hot for them, if that can be seen."""
    for call in names.calls(site, *_METHODS):
        if validating and names.function_name(call) == "fit":
            node = names.argument_node(call, "validation_data", 7)
            node = node.elts[1] if isinstance(node, ast.Tuple) and len(node.elts) > 1 else None
        else:
            node = names.argument_node(call, "y", 1)
        if isinstance(node, (ast.List, ast.Tuple)):
            node = node.elts[place] if place < len(node.elts) else None
        elif isinstance(node, ast.Dict):
            by_name = {k.value: v for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)}
            node = by_name.get(outputs[place]) if place < len(outputs) else None
        inner = ""
        if isinstance(node, ast.Call) and names.function_name(node) == "to_categorical":
            inner = names.short(names.argument_node(node, "x", 0))
        return names.short(node) or "y", inner
    return "y", ""


def _output_names(model: Any) -> list[str]:
    return list(model.output_names) if getattr(model, "_graph", None) is not None else []


def _open(shape: Sequence[Any]) -> str:
    """A shape with an open first axis."""
    return dims.show_shape((None, *dims.to_public(shape[1:])))
