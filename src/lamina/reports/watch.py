"""The shapes of the tensors after each layer, printed while a model runs; inside a `Lambda` after each line."""

from __future__ import annotations

import contextlib
import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from rich.console import RenderableType
from rich.text import Text

from lamina.core import context
from lamina.core.symbolic import KerasTensor
from lamina.layers import checking
from lamina.layers.lambda_layer import Lambda
from lamina.layers.layer import Layer
from lamina.models.observing import Names, Recorder
from lamina.models.summary import kind_of
from lamina.reports.check import batch_of, shapes_of_call
from lamina.reports.forms import input_name
from lamina.reports.rendering import Report, escape
from lamina.shapes import dims
from lamina.training.trainer import Trainer


@dataclass(frozen=True)
class Step:
    """A tensor that came by.

    Attributes:
        name: the layer's name; inside a `Lambda` that of the variable.
        kind: the layer's class, ``"Input"``, or ``"line"`` inside a `Lambda`.
        axes: names of the axes, ``""`` where one has none.
        shape: the sizes.
        dtype: the type.
        depth: 1 for the model's own layers, 2 for what is inside them, and so on.
        source: the line of code, inside a `Lambda`.
    """

    name: str
    kind: str
    axes: Names
    shape: tuple[Any, ...]
    dtype: str
    depth: int
    source: str = ""

    def show_shape(self) -> str:
        """``(batch=32, length=126, 16)``."""
        named = zip(self.axes, self.shape, strict=True)
        entries = [f"{name}={dims.show(size)}" if name else dims.show(size) for name, size in named]
        return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"

    def __str__(self) -> str:
        indent = "  " * self.depth
        if self.kind == "line":
            return f"{indent}| {self.source:<{max(36 - len(indent), 1)}}  {self.name} {self.show_shape()}"
        told = self.kind == "Input" or context.snake_case(self.kind) in self.name
        label = self.name if told else f"{self.name} ({self.kind})"
        return f"{indent}{label:<{max(38 - len(indent), 1)}}  {self.show_shape()}"


class Shapes(Report):
    """What came by while a model ran; see `watch`.

    Attributes:
        steps: the tensors (`Step`), in order.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def to_dict(self) -> dict[str, Any]:
        return {"steps": [dict(vars(step)) for step in self.steps]}

    def render(self, width: int) -> list[RenderableType]:
        return [Text(str(step), overflow="fold") for step in self.steps]

    def body(self) -> str:
        rows = []
        for step in self.steps:
            indent = "&nbsp;" * (4 * (step.depth - 1))
            named = f"<b>{escape(step.name)}</b> {escape(step.kind)}"
            label = f"<code>{escape(step.source)}</code>" if step.kind == "line" else named
            shape = (f"{step.name} " if step.kind == "line" else "") + step.show_shape()
            rows.append(f'<tr><td>{indent}{label}</td><td class="shape">{escape(shape)}</td></tr>')
        return f"<table><tr><th>after</th><th>tensor</th></tr>{''.join(rows)}</table>"

    def __repr__(self) -> str:
        return f"<Shapes of {len(self.steps)} tensors>"


class _Watcher(Recorder):
    """Tells of each tensor as it comes by; a run that was told before, with the same shapes, is not told again."""

    def __init__(self, shapes: Shapes, print_fn: Callable[[str], Any] | None):
        super().__init__()
        self.shapes, self.print_fn = shapes, print_fn
        self._told: set[Any] = set()
        self._quiet = False
        self._inputs: list[tuple[Any, str, int]] = []  # of models, told when the first layer has named their axes
        self._lines: list[tuple[Any, Any]] = []  # bodies that are being followed, and the trace function before

    def wants(self, outer: list[Any]) -> bool:
        """Layers inside models and inside a user's own layers; what is inside Lamina's own is not the user's."""
        return all(isinstance(o, Trainer) or not type(o).__module__.startswith("lamina.") for o in outer)

    def __call__(self, operation: Any, name: str, inputs: Any) -> Callable[[Any], None]:
        if context.state.depth == 0:  # nothing runs: an error may have ended what did
            self._stack.clear()
        depth = len(self._stack)
        if depth == 0:
            self._quiet = _key(operation, inputs) in self._told
        wanted = self.wants(self._stack) and not self._quiet
        leave = super().__call__(operation, name, inputs)
        if wanted and isinstance(operation, Trainer):
            self._open(operation, name, inputs, depth)
        elif wanted:
            self._tell_inputs()
            if isinstance(operation, Lambda):
                self._follow(operation, inputs, depth + 1)

        def done(outputs: Any) -> None:
            self._unfollow(depth + 1)
            leave(outputs)
            if wanted and not isinstance(operation, Trainer):
                self._tell_outputs(operation, name, inputs, outputs, max(depth, 1))
            if depth == 0:
                self._told.add(_key(operation, inputs))
                self._names.clear()  # which holds the tensors
                self.seen.clear()

        return done

    def _open(self, model: Any, name: str, inputs: Any, depth: int) -> None:
        self._tell_inputs()
        leaves = checking.input_leaves(inputs)
        self._inputs = [(leaf, input_name(model, inputs, place), depth + 1) for place, leaf in enumerate(leaves)]
        if self.print_fn is not None:
            self.print_fn(f'{"  " * depth}{type(model).__name__} "{name}"')

    def _tell_inputs(self) -> None:
        waiting, self._inputs = self._inputs, []
        for tensor, name, depth in waiting:
            names = self.names_of(tensor)
            self._tell(name, "Input", ("batch", *names[1:]) if names else (), tensor, depth)

    def _tell_outputs(self, operation: Any, name: str, inputs: Any, outputs: Any, depth: int) -> None:
        given = [leaf.shape[0] for leaf in checking.input_leaves(inputs) if leaf.shape]
        leaves = [leaf for leaf in jax.tree.leaves(outputs) if hasattr(leaf, "shape")]
        for place, leaf in enumerate(leaves):
            names = self.names_of(leaf)
            if names and not names[0] and leaf.shape[0] in given[:1]:
                names = ("batch", *names[1:])
            label = f"{name}[{place}]" if len(leaves) > 1 else name
            self._tell(label, kind_of(operation), names, leaf, depth)

    def _tell(self, name: str, kind: str, axes: Names, tensor: Any, depth: int, source: str = "") -> None:
        shape = tuple(int(d) if dims.is_known(d) else d for d in tensor.shape)
        step = Step(name, kind, tuple(a.removeprefix("new_") for a in axes), shape, str(tensor.dtype), depth, source)
        self.shapes.steps.append(step)
        if self.print_fn is not None:
            self.print_fn(str(step))

    # The lines of a Lambda

    def _follow(self, layer: Lambda, inputs: Any, depth: int) -> None:
        """Tell of the tensors that a function's lines make, with Python's own means of following a program."""
        code = getattr(layer.function, "__code__", None)
        if code is None:
            return
        given = checking.input_leaves(inputs)[:1]

        def tell(name: str, tensor: Any, source: str) -> None:
            names = next((_kept_names(self.names_of(t), t.shape, tensor.shape) for t in given), ())
            self._tell(name, "line", names or ("",) * len(tensor.shape), tensor, depth, source)

        self._lines.append((depth, sys.gettrace()))
        sys.settrace(_LineTracer(code, tell).start)

    def _unfollow(self, depth: int = 0) -> None:
        """Stop following the body at that depth and those inside it."""
        while self._lines and self._lines[-1][0] >= depth:
            sys.settrace(self._lines.pop()[1])

    def close(self) -> None:
        """Stop following lines, also where an error ended the run."""
        self._unfollow()
        self._tell_inputs()


class _LineTracer:
    """Follows one function: after each of its lines it tells of the tensors that are new."""

    def __init__(self, code: Any, tell: Callable[[str, Any, str], None]):
        self.code, self.tell = code, tell
        self.known: dict[str, Any] = {}
        self.line = 0

    def start(self, frame: Any, event: str, _: Any) -> Any:
        if frame.f_code is not self.code:
            return None
        self.known = dict(frame.f_locals)
        self.line = frame.f_lineno
        return self.follow

    def follow(self, frame: Any, event: str, _: Any) -> Any:
        if event in ("line", "return"):
            source = linecache.getline(self.code.co_filename, self.line).strip()
            for name, value in frame.f_locals.items():
                if self.known.get(name) is not value and isinstance(value, (jax.Array, np.ndarray, KerasTensor)):
                    self.tell(name, value, source)
            self.known = dict(frame.f_locals)
            self.line = frame.f_lineno
        return self.follow


def _kept_names(names: Names, before: Any, after: Any) -> Names:
    """Names of a tensor's axes after a step of a function: all if its shape is the same, else the batch's."""
    if tuple(before) == tuple(after):
        return names
    keeps_batch = bool(before) and bool(after) and before[0] == after[0]
    return ("batch" if keeps_batch else "",)[: len(after)] + ("",) * (len(after) - 1)


def _key(operation: Any, inputs: Any) -> Any:
    leaves = checking.input_leaves(inputs)
    return (id(operation), *((tuple(map(str, leaf.shape)), str(leaf.dtype)) for leaf in leaves))


@contextlib.contextmanager
def watch(print_fn: Callable[[str], Any] | None = print) -> Iterator[Shapes]:
    """Inside, whenever a model runs, the shape after each layer is printed, with the names of the axes.

    Lines inside the function of a `Lambda` are told of too, each with the tensors that it makes. In `fit`, `evaluate`
    and `predict` a model's Python code runs only when it is traced, so each size of batch is told of once, and not at
    all where its program was compiled before. What is inside a layer comes before the layer.

    Args:
        print_fn: takes each line; ``None`` prints nothing.

    Returns:
        A context, which gives a `Shapes` whose ``steps`` are filled as the model runs.

    Example:

    >>> import lamina
    >>> model = lamina.Sequential([lamina.Input((6, 2)), lamina.layers.Conv1D(4, 3, name="conv")], name="small")
    >>> with lamina.shapes.watch() as seen:
    ...     outputs = model(lamina.ops.ones((5, 6, 2)))
    Sequential "small"
      input_layer                             (batch=5, length=6, channels=2)
      conv (Conv1D)                           (batch=5, length=4, filters=4)
    >>> seen.steps[-1].shape
    (5, 4, 4)
    """
    shapes = Shapes()
    watcher = _Watcher(shapes, print_fn)
    try:
        with context.observing(watcher):
            yield shapes
    finally:
        watcher.close()


def trace_shapes(model: Layer, x: Any, training: bool = False, print_fn: Callable[[str], Any] | None = print) -> Shapes:
    """The shapes after each layer for one batch of data, found by tracing; see `Model.trace_shapes`."""
    batch = batch_of(model, x)
    with watch(print_fn) as shapes:
        shapes_of_call(lambda inputs: model(inputs, training=training), batch)
    return shapes
