"""What `compile` was given, matched with the model's outputs: the total loss and the metrics."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from lamina import losses, metrics
from lamina.advice.local_tensors import local_tensors
from lamina.core import checks, context, tree
from lamina.losses import Loss, fitting
from lamina.metrics import Mean, Metric
from lamina.metrics.resolve import resolve_accuracy
from lamina.shapes.errors import ShapeError, failing_site


class CompiledLoss:
    """One loss for each output, weighted and added up.

    Args:
        loss: a loss, or a list or dict of them as the outputs are.
        loss_weights: a number for each.
        output_names: names of the model's outputs.
    """

    def __init__(self, loss: Any, loss_weights: Any, output_names: list[str] | None):
        self.given, self.given_weights, self.output_names = loss, loss_weights, output_names
        self.losses: list[Loss | None] = []
        self.weights: list[float] = []
        self.trackers: list[Mean] = []
        self._tracker_of: dict[str, Mean] = {}
        self.built = False

    def build(self, y_pred: Any) -> None:
        """Match losses and weights with the outputs.

        Raises:
            ValueError: their structure does not fit the outputs'.
        """
        names = names_of(y_pred, self.output_names)
        self.names = names
        given = per_output("loss", self.given, y_pred, names)
        self.losses = [as_loss(entry) for entry in given]
        weights = per_output("loss_weights", self.given_weights, y_pred, names)
        self.weights = [1.0 if w is None else checks.real("loss_weights", w) for w in weights]
        self._make_trackers(y_pred, names)
        self.built = True

    def _make_trackers(self, y_pred: Any, names: list[str]) -> None:
        """A mean for each output that has a loss, if there are several, in the order of the losses given."""
        active = {name: loss for name, loss in zip(names, self.losses, strict=True) if loss is not None}
        if len(active) < 2:
            return
        known = self.output_names is not None or isinstance(y_pred, dict)
        labels = unique(f"{name if known else loss.name}_loss" for name, loss in active.items())
        with context.name_scope("compile_loss"):
            self._tracker_of = {name: Mean(name=label) for name, label in zip(active, labels, strict=True)}
        in_given_order = isinstance(y_pred, dict) and isinstance(self.given, dict)
        order = [name for name in self.given if name in active] if in_given_order else list(active)
        self.trackers = [self._tracker_of[name] for name in order]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total as a scalar."""
        if not self.built:
            self.build(y_pred)
        predictions = jax.tree.leaves(y_pred)
        truths = match("y", y_true, y_pred, self.names)
        weights = spread("sample_weight", sample_weight, y_pred, self.names)
        total: Any = 0.0
        for name, loss, weight, truth, predicted, sample in zip(
            self.names, self.losses, self.weights, truths, predictions, weights, strict=True
        ):
            if loss is None:
                continue
            try:
                value = call_loss(loss, truth, predicted, sample, name)
            except ShapeError as error:
                error.output = self.names.index(name)  # type: ignore[attr-defined]
                raise
            if name in self._tracker_of:
                self._tracker_of[name].update_state(value, sample_weight=predicted.shape[0] if predicted.ndim else 1)
            total = total + weight * value
        return total


def as_loss(identifier: Any) -> Any:
    """A loss object from a name, function or object."""
    found = losses.get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    name = identifier if isinstance(identifier, str) else getattr(found, "__name__", type(found).__name__)
    return losses.LossFunctionWrapper(found, name=name.strip("<>"))


def call_loss(loss: Any, y_true: Any, y_pred: Any, sample_weight: Any, output: str) -> Any:
    """The loss, with what goes wrong inside explained by the shapes that met.

    Raises:
        ShapeError: the shapes do not fit.
    """
    if y_true is None:
        raise ShapeError(
            f"the loss {loss.name!r} needs targets for the output {output!r}, and none came: give `y`, or let the "
            f"stream's batches be (x, y)",
            layer=loss.name,
            expected="x and y",
            received="x alone",
        )
    try:
        value = loss(y_true, y_pred, sample_weight=sample_weight)
    except (TypeError, ValueError) as error:
        if isinstance(error, ShapeError):
            raise
        raise explain("loss", loss, error, y_true, y_pred, sample_weight, loss) from error
    if jnp.ndim(value) > 0:
        value = jnp.mean(value)
    return value


def explain(
    kind: str,
    function: Any,
    error: Exception,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    again: Callable[[Any, Any], Any],
) -> ShapeError:
    """A `ShapeError` for what went wrong inside a loss or metric.

    Args:
        kind: what it is.
        function: the loss or metric, which has a name.
        error: what it raised.
        y_true, y_pred, sample_weight: what it was given.
        again: calls it on other labels and predictions, for repairs to be tried.
    """
    shapes = {"y_true": y_true, "y_pred": y_pred, "sample_weight": sample_weight}
    shown = [f"{name} {tuple(x.shape)}" for name, x in shapes.items() if hasattr(x, "shape")]
    lines = str(error).strip().splitlines() or [type(error).__name__]
    explained = ShapeError(
        f'the {kind} "{function.name}" failed{" on " if shown else ""}{" and ".join(shown)}',
        layer=function.name,
        expected="y_true and y_pred that fit each other; the first axis is the batch",
        received=", ".join(shown),
        notes=[("tensors", local_tensors(error)), ("reason", lines[0])],
        site=failing_site(error),
    )
    if hasattr(y_true, "shape") and hasattr(y_pred, "shape"):
        explained.__dict__["clash"] = own_clash(function.name, y_true, y_pred)
        explained.__dict__["own"] = again
    return explained


def own_clash(name: str, y_true: Any, y_pred: Any) -> fitting.Clash:
    """Labels and predictions that a function of the user's does not take together: what it likely expects."""
    numbers = y_true.ndim == y_pred.ndim - 1 and y_pred.shape[-1] > 1 and y_true.ndim == 1
    kind = "categorical" if numbers else "elementwise"
    return fitting.Clash(name, kind, tuple(y_true.shape), tuple(y_pred.shape))


class CompiledMetrics(Metric):
    """The metrics of each output, as one metric whose result is a dict.

    Args:
        plain: metrics that do not see sample weights.
        weighted: metrics that do.
        output_names: names of the model's outputs.
        given_losses: the losses, which decide what ``"accuracy"`` means where shapes do not.
    """

    def __init__(self, plain: Any, weighted: Any, output_names: list[str] | None, name: str = "compile_metrics"):
        super().__init__(name=name)
        self.plain, self.weighted, self.output_names = plain, weighted, output_names
        self.entries: list[tuple[int, str, Metric, bool]] = []
        self.by_output = False  # whether the names of outputs stand before those of metrics
        self.built = False

    @property
    def variables(self) -> list[Any]:
        return [v for _, _, metric, _ in self.entries for v in metric.variables]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics inside."""
        return [metric for _, _, metric, _ in self.entries]

    @property
    def labels(self) -> list[str]:
        """What the logs call them."""
        return [label for _, label, _, _ in self.entries]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Match the metrics with the outputs; ``"accuracy"`` is read off their shapes.

        Raises:
            ValueError: their structure does not fit the outputs'.
        """
        self.names = names_of(y_pred, self.output_names)
        predictions, truths = jax.tree.leaves(y_pred), match("y", y_true, y_pred, self.names)
        self.by_output = len(self.names) > 1 and (self.output_names is not None or isinstance(y_pred, dict))
        given = [
            metrics_per_output(argument, value, y_pred, self.names)
            for argument, value in (("metrics", self.plain), ("weighted_metrics", self.weighted))
        ]
        labels: list[str] = []
        for place, output in enumerate(self.names):
            prefix = f"{output}_" if self.by_output else ""
            for takes_weights, chosen in enumerate(given):
                for identifier in chosen[place]:
                    metric = _as_metric(identifier, truths[place], predictions[place])
                    label = prefix + metric.name
                    if takes_weights and label in labels:
                        label = f"{prefix}weighted_{metric.name}"
                    labels.append(label)
                    self.entries.append((place, label, metric, bool(takes_weights)))
        self.entries = [(p, label, m, w) for (p, _, m, w), label in zip(self.entries, unique(labels), strict=True)]
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if not self.built:
            self.build(y_true, y_pred)
        predictions, truths = jax.tree.leaves(y_pred), match("y", y_true, y_pred, self.names)
        weights = spread("sample_weight", sample_weight, y_pred, self.names)
        for place, _, metric, takes_weights in self.entries:
            truth, predicted = truths[place], predictions[place]
            sample = weights[place] if takes_weights else None
            try:
                metric.update_state(truth, predicted, **({"sample_weight": sample} if sample is not None else {}))
            except (TypeError, ValueError) as error:
                if isinstance(error, ShapeError):
                    raise
                again = metric.update_state
                raise explain("metric", metric, error, truth, predicted, sample, again) from error

    def result(self) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for _, label, metric, _ in self.entries:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {label: jnp.asarray(value)})
        return results

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()


def _as_metric(identifier: Any, y_true: Any, y_pred: Any) -> Metric:
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc", "crossentropy", "ce"):
        found = resolve_accuracy(identifier, tuple(y_true.shape), tuple(y_pred.shape))
        metric = metrics.get(found) if not isinstance(found, Metric) else found
        identifier, given = metric, identifier
        found = identifier if isinstance(identifier, Metric) else metrics.MeanMetricWrapper(identifier)
        found.name = given
        return found
    found = metrics.get(identifier)
    if not isinstance(found, Metric):
        found = metrics.MeanMetricWrapper(found, name=getattr(found, "__name__", type(found).__name__))
    if isinstance(identifier, str):
        found.name = identifier
    return found


# Structures: what belongs to which output


def names_of(y_pred: Any, output_names: list[str] | None) -> list[str]:
    """A name for each output."""
    leaves = tree.flatten_with_path(y_pred)
    if isinstance(y_pred, dict):
        return [str(path[-1]) for path, _ in leaves]
    if output_names is not None and len(output_names) == len(leaves):
        return unique(output_names)
    return [f"output_{i}" for i in range(len(leaves))] if len(leaves) > 1 else ["output"]


def unique(names: Iterable[str]) -> list[str]:
    """The names, those that came before with a number at the end."""
    seen: list[str] = []
    for name in names:
        numbered = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
        seen.append(next(candidate for candidate in numbered if candidate not in seen))
    return seen


def per_output(argument: str, given: Any, y_pred: Any, names: list[str]) -> list[Any]:
    """One entry for each output from one for all, a list, or a dict by name."""
    if isinstance(given, dict) and "class_name" not in given:
        _check_names(argument, given, names)
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError(
                f"`{argument}` has {len(given)} entries; the model has {len(names)} outputs: {', '.join(names)}"
            )
        return list(given)
    return [given] * len(names)


def metrics_per_output(argument: str, given: Any, y_pred: Any, names: list[str]) -> list[list[Any]]:
    """A list of metrics for each output."""
    if given is None:
        return [[] for _ in names]
    if isinstance(given, dict):
        _check_names(argument, given, names)
        return [_listed(given.get(name)) for name in names]
    if len(names) == 1:
        flat = given[0] if isinstance(given, (list, tuple)) and len(given) == 1 else given
        return [_listed(flat)]
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        raise ValueError(
            f"`{argument}`={given!r}: the model has {len(names)} outputs ({', '.join(names)}); "
            f"give a dict by output name, or a list with one entry (a metric or a list) for each"
        )
    return [_listed(entry) for entry in given]


def _listed(entry: Any) -> list[Any]:
    return [] if entry is None else list(entry) if isinstance(entry, (list, tuple)) else [entry]


def _check_names(argument: str, given: Iterable[str], names: list[str]) -> None:
    for name in given:
        if name not in names:
            hint = checks.did_you_mean(name, names)
            raise ShapeError(
                f"`{argument}` names the output {name!r}; the model has {', '.join(names)}{hint}",
                expected=", ".join(map(repr, names)),
                received=", ".join(map(repr, given)),
            )


def match(argument: str, given: Any, y_pred: Any, names: list[str]) -> list[Any]:
    """The targets for each output, in the outputs' order.

    Raises:
        ShapeError: there are too few or too many.
    """
    if given is None:
        return [None] * len(names)
    if isinstance(given, dict):
        missing = [name for name in names if name not in given]
        if missing and len(given) == len(names) == 1:
            return list(given.values())
        _check_names(argument, given, names)
        return [given.get(name) for name in names]
    leaves = tree.flatten(given)
    if len(leaves) != len(names):
        shapes = ", ".join(str(tuple(getattr(leaf, "shape", ()))) for leaf in leaves)
        error = ShapeError(
            f"the model has {len(names)} {'output' if len(names) == 1 else 'outputs'}; `{argument}` has {len(leaves)}",
            expected=f"{len(names)}: {', '.join(names)}",
            received=f"{len(leaves)}: {shapes}",
        )
        if argument == "y":
            error.__dict__["outputs"] = [tuple(p.shape) for p in jax.tree.leaves(y_pred)]
        raise error
    return leaves


def spread(argument: str, given: Any, y_pred: Any, names: list[str]) -> list[Any]:
    """Sample weights for each output: one array serves all."""
    if given is None or not isinstance(given, (list, tuple, dict)):
        return [given] * len(names)
    if isinstance(given, dict):
        _check_names(argument, given, names)
        return [given.get(name) for name in names]
    return match(argument, given, y_pred, names)


def masks_of(y_pred: Any) -> list[Any]:
    """The masks of the outputs, to be put back with `restore_masks` after a transformation of jax dropped them."""
    return [context.masks.get(leaf) for leaf in jax.tree.leaves(y_pred)]


def restore_masks(y_pred: Any, masks: list[Any]) -> None:
    """Put masks back onto the outputs."""
    for leaf, mask in zip(jax.tree.leaves(y_pred), masks, strict=True):
        context.masks.set(leaf, mask)
