"""The pure functions of training: state and a batch in, logs and new state out.

`train_step`, `test_step` and `predict_step` have the signatures that Keras has on JAX, so a user's own versions of
them, of `compute_loss` or of `compute_loss_and_updates` take their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core import tree
from lamina.core.variable import StateScope, Variable
from lamina.layers.calling import call_info
from lamina.layers.tracking import held
from lamina.metrics import Mean, Metric
from lamina.optimizers import Optimizer
from lamina.shapes.errors import ShapeError
from lamina.training import compiled


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` from a batch as generators yield it."""
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(f"a batch is x, (x, y) or (x, y, sample_weight); this one has {len(data)} parts")
    return (*data, None, None)[:3]  # type: ignore[return-value]


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """A batch as generators yield it."""
    if y is None:
        return x if not isinstance(x, (tuple, list)) else (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


class Steps:
    """The steps of a model. Mixed into `Trainer`."""

    optimizer: Any
    _compile_loss: compiled.CompiledLoss | None
    _compile_metrics: compiled.CompiledMetrics | None
    _loss_tracker: Mean

    @property
    def metrics(self) -> list[Metric]:
        """The metrics: the loss, those of `compile`, and those held by the model and its layers."""
        own = [m for layer in self._flatten_layers() for m in held(layer, Metric)]  # type: ignore[attr-defined]
        first = [self._loss_tracker] if self.compiled else []  # type: ignore[attr-defined]
        trackers = self._compile_loss.trackers if self._compile_loss is not None else []
        last = [self._compile_metrics] if self._compile_metrics is not None else []
        return [*first, *last, *trackers, *own]

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of all metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    def reset_metrics(self) -> None:
        """Set all metrics to their start."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """What the metrics say now, by name."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {metric.name: jnp.asarray(value)})
        return results

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The total loss of a batch, as a scalar; override it for a loss of your own.

        Args:
            x: inputs ``(batch, ...)``.
            y: targets ``(batch, ...)``.
            y_pred: outputs ``(batch, ...)``.
            sample_weight: a weight for each sample ``(batch,)``.
            training: whether this is for training.
        """
        del x, training  # for overriding methods
        total: Any = None
        if self._compile_loss is not None:
            total = self._compile_loss(y, y_pred, sample_weight)
        for loss in self.losses:  # type: ignore[attr-defined]
            total = loss if total is None else total + loss
        if total is None:
            raise ValueError(
                "there is no loss to compute: give `compile` a loss, add one with `add_loss` in a layer, "
                "or override `compute_loss`"
            )
        return total

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """`compute_loss`, which in a user's class may not know of `training`."""
        info = call_info(type(self).compute_loss)
        given = {"training": training} if "training" in info.names or info.any_keyword else {}
        try:
            return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **given)
        except (TypeError, ValueError) as error:
            if isinstance(error, ShapeError) or "shape" not in str(error):
                raise
            raise compiled.explain(
                "compute_loss of", self, error, y, y_pred, sample_weight, self._loss_on(x, training)
            ) from error

    def _loss_on(self, x: Any, training: bool) -> Callable[[Any, Any], Any]:
        """`compute_loss` of labels and outputs, on inputs of these shapes."""
        shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), x)

        def loss(y: Any, y_pred: Any) -> Any:
            inputs = jax.tree.map(lambda a: jnp.zeros((y_pred.shape[0], *a.shape[1:]), a.dtype), shapes)
            return self._loss_of(inputs, y, y_pred, None, training)

        return loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics with a batch and give their results; override it for metrics of your own."""
        del x  # for overriding methods
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def compute_loss_and_updates(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        metrics_variables: Sequence[Any],
        x: Any,
        y: Any,
        sample_weight: Any = None,
        training: bool = False,
        optimizer_variables: Sequence[Any] | None = None,
    ) -> tuple[Any, tuple[Any, ...]]:
        """The loss as a pure function of the variables, with what else changed.

        Returns:
            ``(scaled_loss, (loss, y_pred, non_trainable_variables, metrics_variables, masks))``.
        """
        holders = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]  # type: ignore[attr-defined]
        values = [trainable_variables, non_trainable_variables, metrics_variables]
        if optimizer_variables is not None:
            holders.append(self._optimizer_variables())
            values.append(optimizer_variables)
        with StateScope(_pairs(holders, values)) as scope:
            y_pred = self(x, training=training)  # type: ignore[operator]
            loss = self._loss_of(x, y, y_pred, sample_weight, training)
            scaled = self.optimizer.scale_loss(loss) if training and self.optimizer is not None else loss
            others = [scope.value_of(v) for v in holders[1]]
            measured = [scope.value_of(v) for v in holders[2]]
            return scaled, (loss, y_pred, others, measured, compiled.masks_of(y_pred))

    def _optimizer_variables(self) -> list[Variable]:
        """The variables of all optimizers that the model holds, that of `compile` first."""
        return [v for optimizer in held(self, Optimizer) for v in optimizer.variables]

    def train_step(self, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
        """One update, as a pure function.

        Args:
            state: ``(trainable, non_trainable, optimizer, metrics)`` variables' values; the optimizer's are followed by
                those of further optimizers that the model holds in its attributes.
            data: a batch, as generators yield it.

        Returns:
            Logs, and the new state.
        """
        trainable, others, optimizer, measured = state
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        gradients_of = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (_, aux), gradients = gradients_of(
            trainable, others, measured, x, y, sample_weight, training=True, optimizer_variables=optimizer
        )
        loss, y_pred, others, measured, masks = aux
        compiled.restore_masks(y_pred, masks)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        logs, measured = self._measure(measured, x, y, y_pred, sample_weight, loss)
        return logs, (trainable, others, optimizer, measured)

    def test_step(self, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
        """One batch of evaluation, as a pure function.

        Args:
            state: ``(trainable, non_trainable, metrics)`` variables' values.
            data: a batch.

        Returns:
            Logs, and the new state.
        """
        trainable, others, measured = state
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        _, aux = self.compute_loss_and_updates(trainable, others, measured, x, y, sample_weight, training=False)
        loss, y_pred, others, measured, _ = aux
        logs, measured = self._measure(measured, x, y, y_pred, sample_weight, loss)
        return logs, (trainable, others, measured)

    def predict_step(self, state: Any, data: Any) -> tuple[Any, Any]:
        """Outputs of one batch, as a pure function.

        Args:
            state: ``(trainable, non_trainable)`` variables' values.
            data: a batch.

        Returns:
            Outputs ``(batch, ...)``, and the new values of the non-trainable variables.
        """
        trainable, others = state
        x, _, _ = unpack_x_y_sample_weight(data)
        return self.stateless_call(trainable, others, x, training=False)  # type: ignore[attr-defined]

    def _measure(
        self, values: Sequence[Any], x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: Any
    ) -> tuple[dict[str, Any], list[Any]]:
        variables = self.metrics_variables
        with StateScope(zip(variables, values, strict=True)) as scope:
            self._loss_tracker.update_state(loss, sample_weight=batch_size_of(x))
            logs = self.compute_metrics(x, y, y_pred, sample_weight)
            return logs, [scope.value_of(v) for v in variables]

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        metrics_variables: Sequence[Any],
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[Any, ...]]:
        """`compute_loss` as a pure function of the variables' values.

        Returns:
            ``(loss, (trainable_variables, non_trainable_variables, metrics_variables))``.
        """
        holders = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]  # type: ignore[attr-defined]
        with StateScope(_pairs(holders, [trainable_variables, non_trainable_variables, metrics_variables])) as scope:
            loss = self._loss_of(x, y, y_pred, sample_weight, training)
            return loss, tuple([scope.value_of(v) for v in group] for group in holders)


def batch_size_of(x: Any) -> Any:
    """Number of samples in a batch."""
    return next((leaf.shape[0] for leaf in tree.flatten(x) if getattr(leaf, "ndim", 0)), 1)


def _pairs(holders: Iterable[Any], values: Iterable[Any]) -> list[tuple[Variable, Any]]:
    return [
        (variable, value.value if isinstance(value, Variable) else value)
        for group, given in zip(holders, values, strict=True)
        for variable, value in zip(group, given, strict=True)
    ]
