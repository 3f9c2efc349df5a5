"""Which sizes a model accepts on the axes that it leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from rich.console import RenderableType
from rich.text import Text

from lamina.core import tree
from lamina.core.symbolic import KerasTensor
from lamina.layers import labelling
from lamina.layers.layer import Layer
from lamina.models.accepting import Acceptance, Rule
from lamina.models.accepting_words import acceptance_for, acceptance_of, lines
from lamina.models.model import Model
from lamina.reports.rendering import Report, escape
from lamina.shapes import dims


class Accepts(Report):
    """The sizes that a model accepts; see `accepts`.

    Attributes:
        model: name of the model.
        inputs: shapes of the inputs by name, open sizes by their names: ``{"x": "(batch, length, 2)"}``.
        lines: what is accepted, in words.
        rules: for each free dimension, by its name, the sizes that fit (`lamina.models.accepting.Rule`; whether a
            size is among them tells ``16 in report.rules["length"]``).
        equal: groups of free dimensions that must have the same size.
    """

    def __init__(self, model: str, tensors: dict[str, KerasTensor], found: Acceptance | None):
        self.model = model
        shown = found.open_sizes.shown if found is not None else {}
        self.inputs = {name: dims.show_shape(tensor.dims, shown) for name, tensor in tensors.items()}
        self.lines = lines(found) if found is not None else ["any number of samples; every other size is fixed"]
        self.rules: dict[str, Rule] = {}
        self.equal: list[list[str]] = []
        for rule in found.rules if found is not None else []:
            self.rules[shown[rule.name]] = rule
            same = [o for o, how in rule.linked.items() if how == "shift" and rule.sizes[o] == rule.sizes[rule.name]]
            self.rules |= {shown[other]: rule for other in same}
            if same:
                self.equal.append([shown[name] for name in (rule.name, *same)])
        self.fits = found is None or bool(found.rules)
        self.reason = str(found.failure) if found is not None and found.failure is not None else ""
        self.probes = found.probes if found is not None else 0

    def to_dict(self) -> dict[str, Any]:
        rules = {
            name: {
                "least": rule.least,
                "most": rule.most,
                "period": rule.period,
                "remainders": list(rule.residues),
                "sizes": list(rule.listed),
            }
            for name, rule in self.rules.items()
        }
        return {
            "model": self.model,
            "inputs": dict(self.inputs),
            "fits": self.fits,
            "lines": list(self.lines),
            "rules": rules,
            "equal": [list(group) for group in self.equal],
            "reason": self.reason,
        }

    def render(self, width: int) -> list[RenderableType]:
        rows: list[RenderableType] = [Text.assemble("Sizes that ", (f'"{self.model}"', "bold"), " accepts"), Text("")]
        rows += [Text(f"  {name} {shape}", style="dim") for name, shape in self.inputs.items()]
        rows += [Text(""), *(Text(f"  {line}") for line in self.lines)]
        if self.reason:
            rows += [Text(""), Text(self.reason)]
        return rows

    def body(self) -> str:
        shapes = "".join(f'<dt>{escape(n)}</dt><dd class="axes">{escape(s)}</dd>' for n, s in self.inputs.items())
        said = "".join(f"<li>{escape(line)}</li>" for line in self.lines)
        reason = f"<pre>{escape(self.reason)}</pre>" if self.reason else ""
        return f"<div>Sizes that <b>{escape(self.model)}</b> accepts</div><dl>{shapes}</dl><ul>{said}</ul>{reason}"


def accepts(model: Layer, input_shape: Any = None) -> Accepts:
    """Which sizes work on the axes that a model leaves open: lower bounds, multiples, equal sizes of several inputs.

    They are found by tracing the model at many sizes, and verified at sizes inside and just outside; nothing is
    computed. The batch axis is not considered.

    Args:
        model: a model; or a single layer, or a model without declared inputs, together with `input_shape`.
        input_shape: shape of the input, ``(batch, ...)``, with ``None`` or names for the sizes in question; a list or
            a dict of them for several inputs. Only for models that declare no inputs.

    Returns:
        An `Accepts`: print it, let a notebook show it, or read its `lines`, `rules` and `to_dict()`.

    Raises:
        ValueError: `model` is no model or layer, or its inputs are not known.

    Example:

    >>> import lamina
    >>> layers = lamina.layers
    >>> model = lamina.Sequential([lamina.Input(("length", 2)), layers.Conv1D(4, 3), layers.Conv1D(4, 5)])
    >>> lamina.shapes.accepts(model).lines
    ['length >= 7']
    >>> x = lamina.Input((None, None, 3))
    >>> half = layers.MaxPooling2D()(x)
    >>> model = lamina.Model(x, layers.Concatenate()([x, layers.UpSampling2D()(half)]))
    >>> lamina.shapes.accepts(model).lines
    ['height: a multiple of 2', 'width: a multiple of 2']
    """
    if not isinstance(model, Layer):
        kind = f"the class {model.__name__}; make one first" if isinstance(model, type) else repr(model)
        raise ValueError(f"`model` is a model or a layer, not {kind}")
    if isinstance(model, Model) and model._graph is not None:
        if input_shape is not None:
            raise ValueError(f"`input_shape` is not needed: {model.name!r} declares its inputs")
        return Accepts(model.name, dict(zip(model.input_names, model.inputs, strict=True)), acceptance_of(model))
    if input_shape is None:
        raise ValueError(f"`input_shape` is needed, such as (None, None, 3): {model.name!r} declares no inputs")
    inputs = tree.map_shape_structure(lambda shape: _tensor(model, shape), input_shape)
    tensors = jax.tree.leaves(inputs)
    names = ["input"] if len(tensors) == 1 else [f"input_{i + 1}" for i in range(len(tensors))]
    labelling.inputs(model, (inputs,), {})
    found = acceptance_for(model, inputs, names, tensors)
    return Accepts(model.name, dict(zip(names, tensors, strict=True)), found if found.open_sizes.symbols else None)


def _tensor(model: Layer, shape: Sequence[Any]) -> KerasTensor:
    return KerasTensor(tuple(shape), getattr(model, "input_dtype", None) or model.compute_dtype)
