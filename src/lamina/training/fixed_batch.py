"""Models that are made for batches of one size: whether the data can be cut into such batches."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax

from lamina.advice import names, trying
from lamina.shapes import dims
from lamina.shapes.errors import CallSite, Fix, ShapeError
from lamina.training.feeding import Feed

_METHODS = ("fit", "evaluate", "predict")


def check(model: Any, feed: Feed, argument: str = "") -> None:
    """Refuse arrays that do not make whole batches of the size that the model's inputs declare.

    Args:
        model: a model.
        feed: the data.
        argument: what it was given as, if not as ``x`` and ``y``.

    Raises:
        ShapeError: a batch would be larger or smaller.
    """
    graph: Any = getattr(model, "_graph", None)
    sizes = {t.dims[0] for t in graph.input_tensors} if graph is not None else set()
    arrays = getattr(feed, "arrays", None)
    if len(sizes) != 1 or not all(map(dims.is_known, sizes)) or arrays is None:
        return
    (size,), samples, batch_size = sizes, feed.num_samples, feed.batch_size
    if samples is None or batch_size is None or (min(samples, batch_size) == size and samples % size == 0):
        return
    batches = [min(samples, batch_size), *([samples % batch_size] if samples > batch_size else [])]
    wrong = next((n for n in batches if n and n != size), None)
    shapes = [tuple(leaf.shape) for leaf in jax.tree.leaves(arrays[0])]
    if wrong is None or len(shapes) != len(graph.input_tensors):
        return
    counted = f"{samples} samples in batches of {batch_size} give one of {wrong}" if samples > 1 else "1 sample came"
    error = ShapeError(
        f'"{model.name}" takes batches of exactly {size} samples, as its input says: {counted}',
        layer=model.name,
        expected=f"{_listed((size, *s[1:]) for s in shapes)}   a multiple of {size} samples, with batch_size={size}",
        received=f"{_listed((wrong, *s[1:]) for s in shapes)}   a batch of {wrong}",
    )
    raise error.with_fixes(_Repairs(model, error.call_site, argument, samples, int(size), batch_size, shapes).found())


def _listed(shapes: Any) -> str:
    return ", ".join(str(tuple(map(int, shape))) for shape in shapes)


@dataclass
class _Repairs:
    """What fits a model that takes batches of one size."""

    model: Any
    site: CallSite | None
    argument: str
    samples: int
    size: int
    batch_size: int
    shapes: list[tuple[int, ...]]

    def found(self) -> list[Fix]:
        """Repairs that fit, best first."""
        outputs = trying.Trial(_identity, (self.model._graph.output_tensors,), {}, True)
        leads = trying.shown(outputs.attempt())
        call = next(names.calls(self.site, *_METHODS), None)
        if self.samples % self.size == 0:
            return [Fix(f"take batches of {self.size}", f"batch_size={self.size}", leads)]
        split = names.argument_node(call, "validation_split", 6) if call is not None else None
        if split is not None:
            return list(self._other_split(split, leads))
        fixes = list(self._other_data(names.function_name(call) if call is not None else "fit", leads))
        divisor = max(n for n in range(1, min(self.samples, self.size) + 1) if self.samples % n == 0)
        new = {t: (divisor, *t.dims[1:]) for t in self.model._graph.input_tensors}
        result = outputs.attempt(sources=new) if len(new) == 1 and not self.argument else None
        if result is not None:
            title = f"or make the model for batches of {divisor} (its weights are the same: set_weights)"
            also = f" and batch_size={divisor}" if self.samples > divisor else ""
            code = f"Input(batch_shape={(divisor, *self.shapes[0][1:])}){also}"
            fixes.append(Fix(title, code, trying.shown(result)))
        return fixes

    def _other_data(self, method: str, leads: str) -> Iterator[Fix]:
        given = [self._name("x", 0)] if method == "predict" else [self._name("x", 0), self._name("y", 1)]
        if self.samples > self.size:
            more = f" and batch_size={self.size}" if self.batch_size != self.size else ""
            yield Fix(f"leave out the last {self.samples % self.size} samples", self._cut(given) + more, leads)
        elif method == "predict" and len(self.shapes) == 1:
            more = f" and batch_size={self.size}" if self.batch_size < self.size else ""
            title = f"repeat the data to fill a batch; of the answers, use the first {self.samples}"
            filled = f"np.resize({given[0]}, {(self.size, *self.shapes[0][1:])})"
            yield Fix(title, names.changed(given[0], filled) + more, leads)

    def _cut(self, given: list[str], samples: int = 0) -> str:
        samples = samples or self.samples
        whole = samples - samples % self.size
        return " and ".join(names.changed(text, names.indexed(text, f"[:{whole}]")) for text in given)

    def _other_split(self, split: ast.expr, leads: str) -> Iterator[Fix]:
        """Another share of the samples for validation, so that both parts are whole batches."""
        if self.argument or not isinstance(split, ast.Constant) or not isinstance(split.value, float):
            return
        total = math.ceil(self.samples / (1 - split.value) - 1e-9)
        whole = total - total % self.size
        held = max(self.size, round(whole * split.value / self.size) * self.size)
        if whole <= held or math.floor(whole * (1.0 - held / whole)) != whole - held:
            return
        cut = self._cut([self._name("x", 0), self._name("y", 1)], total) + " and " if total != whole else ""
        title = f"hold back {held} of {whole} samples, so that both parts are whole batches"
        yield Fix(title, f"{cut}validation_split={held} / {whole}", leads)

    def _name(self, name: str, place: int) -> str:
        if not self.argument:
            return names.argument(self.site, _METHODS, name, place)
        for call in names.calls(self.site, "fit"):
            parts = names.elements(names.argument_node(call, self.argument, 7))
            if place < len(parts) and parts[place]:
                return parts[place]
        return f"{name}_val"


def _identity(x: Any) -> Any:
    return x
