"""What happens before anything is compiled: weights are made; data, model, loss and metrics are checked together."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax

from lamina.advice import batch_axis, silent, table_rows
from lamina.advice.labels import advise
from lamina.advice.silent_layers import Watch
from lamina.core import context, tree
from lamina.core.variable import StateScope
from lamina.layers.building import all_or_nothing
from lamina.losses import fitting
from lamina.shapes.errors import ShapeError
from lamina.training import fixed_batch, grouping, own_steps
from lamina.training.classes import check_class_numbers
from lamina.training.feeding import Feed
from lamina.training.frozen import Trainables, as_compiled
from lamina.training.programs import Programs, shapes_of
from lamina.training.steps import Steps


class Preparation(Steps):
    """The checks before training. Mixed into `Trainer`."""

    name: str
    _programs: Programs
    _trainables: Trainables | None
    _output_specs: Any

    def _prepare(self, batch: Any, method: str, labels: Any = None) -> None:
        """Make what depends on data's shapes (weights, metrics, optimizer), and check by tracing that all fits.

        Args:
            batch: ``(x, y, sample_weight)``, to take the shapes from.
            method: which of the model's methods this is for.
            labels: all targets, where they are at hand; those of the batch otherwise.

        Raises:
            ShapeError: data, model, loss and metrics do not fit together.
        """
        x, y, sample_weight = batch
        own_step = _own_step(self, "test" if method in ("evaluate", "test_on_batch") else "train")
        with as_compiled(self):
            self._build_from(x)
            shapes = (jax.tree.structure(batch), *shapes_of(batch))
            is_new = shapes not in self._programs.checked
            if is_new:
                try:
                    with fitting.unwarned():
                        predicted = self._check_by_tracing(x, y, sample_weight, own_step)
                except ShapeError as error:
                    advise(error, self, tree.flatten(y if labels is None else labels), method == "evaluate", x)
                    raise
                self._programs.checked.add(shapes)
                self._output_specs = predicted
                silent.training(self, batch, labels, predicted)
            if self.optimizer is not None:
                self._prepare_optimizer(own_step)
            elif method in ("fit", "train_on_batch") and not own_step:
                raise ValueError("`optimizer` is None: give compile() one to train with, such as 'adam'")
            if own_step and is_new:
                try:
                    own_steps.check(self, "test" if method in ("evaluate", "test_on_batch") else "train", batch)
                except ShapeError as error:
                    advise(error, self, tree.flatten(y if labels is None else labels), method == "evaluate", x)
                    raise
        if self._compile_loss is not None and self._output_specs is not None:
            numbers = y if labels is None else labels
            check_class_numbers(self, self._compile_loss, numbers, self._output_specs, x, method == "evaluate")
        if self._trainables is not None and method in ("fit", "train_on_batch"):
            self._trainables.warn_of_changes()

    def _prepare_optimizer(self, own_step: bool) -> None:
        """Let the optimizer make what it keeps of each variable.

        Raises:
            ValueError: it did so for other variables before.
        """
        wanted = self.trainable_variables  # type: ignore[attr-defined]
        if not self.optimizer.built:
            self.optimizer.build(wanted)
        has = self.optimizer._trainable_variables
        if not own_step and {id(v) for v in has} != {id(v) for v in wanted}:
            raise ValueError(
                f"`optimizer`: {self.optimizer.name!r} keeps the state of {len(has)} variables, and they are not the "
                f"{len(wanted)} that {self.name!r} trains now: an optimizer serves one set of variables. "  # type: ignore[attr-defined]
                f"Compile with a new one: compile(optimizer=lamina.optimizers.{type(self.optimizer).__name__}(...))"
            )

    def _build_from(self, x: Any) -> None:
        """Make the weights, if they are not there yet, by tracing the model on a batch."""
        layers = self._flatten_layers()  # type: ignore[attr-defined]
        if not all(layer.built for layer in layers):
            with all_or_nothing(layers):
                _trace(lambda inputs: self(inputs, training=False), x)  # type: ignore[operator]

    def _check_inputs(self, x: Any) -> None:
        """Trace the model on the shapes of inputs.

        Raises:
            ShapeError: they do not fit.
        """
        self._build_from(x)
        shapes = (jax.tree.structure(x), *shapes_of(x))
        if shapes not in self._programs.checked:
            outputs = _trace(lambda inputs: self._watched(inputs, False), x)
            batch_axis.check(self, x, outputs)
            self._programs.checked.add(shapes)

    def _watched(self, x: Any, training: bool) -> Any:
        """The outputs, with warnings about calls inside that hardly mean what they say."""
        with context.observing(Watch(x)):
            return self(x, training=training)  # type: ignore[operator]

    def _check_by_tracing(self, x: Any, y: Any, sample_weight: Any, own_step: bool) -> Any:
        """Trace the model, the loss and the metrics on the shapes of a batch; gives the shapes of the outputs."""

        def forward(x: Any, y: Any, sample_weight: Any) -> Any:
            y_pred = self._watched(x, True)
            self._loss_of(x, y, y_pred, sample_weight, True)
            self.compute_metrics(x, y, y_pred, sample_weight)
            return y_pred

        if not own_step:
            return _trace(forward, x, y, sample_weight)
        with contextlib.suppress(Exception):  # a step of the user's own may use the parts in its own way
            _trace(forward, x, y, sample_weight)
        return None


def _own_step(model: Any, kind: str) -> bool:
    """Whether a model has a step of its own.

    Raises:
        ValueError: it does not take ``(state, data)``.
    """
    name = f"{kind}_step"
    method = getattr(type(model), name)
    if method is getattr(Steps, name):
        return False
    parameters = inspect.signature(method).parameters.values()
    if len(parameters) < 3 and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise ValueError(
            f"{type(model).__name__}.{name} takes ({', '.join(p.name for p in parameters)}); on JAX it is a pure "
            f"function {name}(self, state, data) that gives (logs, new state), see the help of lamina.Model.{name}. "
            f"For a loss of your own it is enough to override compute_loss(self, x, y, y_pred, sample_weight)"
        )
    return True


def _trace(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function on the shapes of its arguments alone; variables may be made on the way."""

    def run(*tensors: Any) -> Any:
        with StateScope(may_create=True):
            return function(*tensors)

    specs = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, jax.dtypes.canonicalize_dtype(a.dtype)), arguments)
    return jax.eval_shape(run, *specs)


@contextlib.contextmanager
def describing(model: Any, feed: Feed, argument: str = "") -> Iterator[None]:
    """Errors inside say which argument they are about, and the shapes of the whole arrays."""
    try:
        fixed_batch.check(model, feed, argument)
        yield
        arrays = getattr(feed, "arrays", None)
        table_rows.check(model, (arrays or feed.first())[0], written=arrays is not None and not argument)
    except ShapeError as error:
        grouping.advise(error, model, feed)
        raise error.about(argument, _shape_notes(feed)) from error.__cause__
    except ValueError as error:
        if not argument:
            raise
        raise ValueError(f"`{argument}`: {error}") from error


def _shape_notes(feed: Feed) -> list[tuple[str, str]]:
    shapes = feed.shapes()
    if shapes is None or not tree.is_shape(shapes[0]):
        return []
    x, y, _ = shapes
    count = "1 sample" if x[0] == 1 else f"{x[0]} samples, each"
    notes = [("your data", f"x {x} is {count} of shape {x[1:]}")]
    return [*notes, ("", f"y {y}")] if y is not None and tree.is_shape(y) else notes
