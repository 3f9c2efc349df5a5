"""`compile`, `fit`, `evaluate`, `predict`: what every model can do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from lamina import losses, optimizers
from lamina import metrics as metric_names
from lamina.advice import silent
from lamina.advice.layer_call import on_data
from lamina.core import checks, tree
from lamina.core.variable import Variable
from lamina.metrics import Mean
from lamina.metrics.resolve import is_family
from lamina.training import compiled, direct, feeding, loops
from lamina.training.callbacks import History
from lamina.training.feeding import make_feed
from lamina.training.frozen import Trainables
from lamina.training.interrupts import interruptible
from lamina.training.preparation import Preparation, describing
from lamina.training.programs import Programs
from lamina.training.progress import verbosity
from lamina.training.ragged import feed_for
from lamina.training.steps import unpack_x_y_sample_weight


class Trainer(Preparation):
    """Training. Mixed into `Model`."""

    def _init_training(self) -> None:
        self.optimizer = None
        self.compiled = False
        self.stop_training = False
        self._initial_epoch = 0
        self.history: History | None = None
        self.run_eagerly = False
        self.jit_compile: Any = "auto"
        self.steps_per_execution = 1
        self._loss_tracker = Mean(name="loss")
        self._compile_loss = None
        self._compile_metrics = None
        self._compile_arguments: dict[str, Any] = {}
        self._programs, self._direct = Programs(compiled=True), direct.Direct()
        self._output_specs: Any = None
        self._trainables: Trainables | None = None

    def _forget_programs(self) -> None:
        self._programs = Programs(compiled=not self.run_eagerly and self.jit_compile is not False)
        self._direct = direct.Direct()

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is to be trained.

        Args:
            optimizer: a name such as ``"adam"``, an optimizer, or any optax transformation.
            loss: a name such as ``"mse"``, a loss, or a function ``f(y_true, y_pred)`` that sees tensors
                ``(batch, ...)``; for several outputs a list or a dict by output name.
            loss_weights: a number for each output's loss.
            metrics: names such as ``"accuracy"``, metrics or functions; for several outputs a dict, or a list of lists.
            weighted_metrics: metrics that take sample weights and class weights into account.
            run_eagerly: whether to run operation by operation, to look into a model with a debugger.
            steps_per_execution: how many batches to run in one dispatch.
            jit_compile: ``False`` runs operation by operation; ``True`` and ``"auto"`` compile.
            auto_scale_loss: whether to scale the loss where the model computes in float16.

        Raises:
            ValueError: an argument is of the wrong kind; the message names it.

        Example:

        >>> import lamina
        >>> model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(3, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        chosen = optimizers.get(optimizer)
        steps = checks.positive_int("steps_per_execution", steps_per_execution)
        checks.one_of("jit_compile", jit_compile, ("auto", True, False))
        half = getattr(self.dtype_policy, "name", "") == "mixed_float16"  # type: ignore[attr-defined]
        if auto_scale_loss and half and chosen is not None and not isinstance(chosen, optimizers.LossScaleOptimizer):
            chosen = optimizers.LossScaleOptimizer(chosen)
        _check_identifiers(loss, metrics, weighted_metrics)
        if loss is None and loss_weights is not None:
            raise ValueError("`loss_weights` is given and `loss` is not")
        self.optimizer = chosen
        self._compile_arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps,
            "jit_compile": jit_compile,
        }
        names = self.output_names if getattr(self, "_graph", None) is not None else None  # type: ignore[attr-defined]
        self._compile_loss = compiled.CompiledLoss(loss, loss_weights, names) if loss is not None else None
        any_metrics = metrics is not None or weighted_metrics is not None
        self._compile_metrics = compiled.CompiledMetrics(metrics, weighted_metrics, names) if any_metrics else None
        self._loss_tracker = Mean(name="loss")
        self.run_eagerly, self.steps_per_execution, self.jit_compile = bool(run_eagerly), steps, jit_compile
        self.stop_training = False
        self.compiled = True
        self._trainables = Trainables(self)
        self._forget_programs()

    @property
    def loss(self) -> Any:
        """The loss given to `compile`."""
        return self._compile_arguments.get("loss")

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` gives, in its order; per-batch metrics appear once data has been seen."""
        return self._order(self.get_metrics_result()) if self.compiled else []

    def _need_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"call compile(optimizer=..., loss=...) before {method}: {self.name!r} does not know "  # type: ignore[attr-defined]
                f"yet how to train"
            )

    @on_data
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train the model.

        Args:
            x: all samples ``(samples, ...)``; a list or dict for several inputs; or a generator, `PyDataset` or data
                loader that yields batches ``(x, y)`` or ``(x, y, sample_weight)``.
            y: all targets ``(samples, ...)``.
            batch_size: number of samples for each update, 32 by default. The last batch may be smaller.
            epochs: up to which epoch to train, counted from 0.
            verbose: 0 is silent, 1 a progress bar, 2 a line for each epoch, ``"auto"`` is 1.
            callbacks: callbacks to call along the way.
            validation_split: which part of the samples, from the end, to hold back for validation.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` or a stream to validate on after each epoch.
            shuffle: whether to draw the samples in a new order in each epoch.
            class_weight: a weight for each class.
            sample_weight: a weight for each sample ``(samples,)``, or each step ``(samples, time)``.
            initial_epoch: the epoch to start from.
            steps_per_epoch: number of batches that make an epoch.
            validation_steps: number of batches to validate on.
            validation_batch_size: number of samples for each step of validation; `batch_size` by default.
            validation_freq: validate after every so many epochs, or after the epochs (from 1) of a list.

        Returns:
            The `History`: ``history.history["loss"]`` is a list with a number for each epoch.

        Raises:
            ShapeError: data, model, loss and metrics do not fit together; found before anything is compiled.
            ValueError: another argument is of the wrong kind.
        """
        self._need_compiled("fit")
        epochs, start = _count("epochs", epochs), _count("initial_epoch", initial_epoch)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = feeding.validation_split(x, y, sample_weight, validation_split)
        feed = feed_for(
            self,
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps=steps_per_epoch,
            epochs=epochs - start,
            shuffle=shuffle,
            class_weight=class_weight,
        )
        with contextlib.ExitStack() as stack:
            stack.callback(feed.close)
            with describing(self, feed):
                self._prepare(feed.first(), "fit", feed.labels())
            validation = None
            if validation_data is not None:
                vx, vy, vw = _validation_parts(validation_data)
                size = validation_batch_size or batch_size
                validation = make_feed(vx, vy, vw, batch_size=size, steps=validation_steps, argument="validation_data")
                stack.callback(validation.close)
                with describing(self, validation, "validation_data"):
                    self._prepare(validation.first(), "evaluate", validation.labels())
            return loops.run_fit(
                self, feed, validation, start, epochs, verbose, callbacks, _validate_when(validation_freq)
            )

    @on_data
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss and metrics on data.

        Args:
            x, y, sample_weight, batch_size: as in `fit`.
            verbose: 0 is silent, 1 a progress bar, 2 a line.
            steps: number of batches to take.
            callbacks: callbacks to call along the way.
            return_dict: whether to give a dict by name instead of a list.

        Returns:
            The loss, or ``[loss, metric, ...]``, or a dict.
        """
        self._need_compiled("evaluate")
        feed = feed_for(self, x, y, sample_weight, batch_size=batch_size, steps=steps)
        with contextlib.closing(feed):
            with describing(self, feed):
                self._prepare(feed.first(), "evaluate", feed.labels())
            logs = loops.run_evaluate(self, feed, verbose, callbacks)
        return self._report(logs, return_dict)

    @on_data
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for data, as numpy arrays ``(samples, ...)``.

        Args:
            x: all samples ``(samples, ...)``, a list or dict of them, or a stream of batches.
            batch_size: number of samples for each step, 32 by default.
            verbose: 0 is silent, 1 a progress bar, 2 a line.
            steps: number of batches to take.
            callbacks: callbacks to call along the way.
        """

        def run() -> Any:
            feed = feed_for(self, x, batch_size=batch_size, steps=steps)
            with contextlib.closing(feed):
                with describing(self, feed):
                    self._check_inputs(feed.first()[0])
                silent.data(self, getattr(feed, "arrays", feed.first())[0])
                return loops.run_predict(self, feed, verbose, callbacks)

        is_simple = steps is None and not callbacks and verbosity(verbose) == 0
        return direct.predict(self, x, batch_size, run) if is_simple else run()

    @on_data
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One update with one batch.

        Args:
            x, y, sample_weight, class_weight: as in `fit`.
            return_dict: whether to give a dict by name instead of a list.

        Returns:
            The loss, or ``[loss, metric, ...]``, or a dict.
        """
        self._need_compiled("train_on_batch")
        batch = _one_batch(x, y, sample_weight, class_weight)
        return self._step_on(batch, "train", return_dict)

    @on_data
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and metrics on one batch.

        Returns:
            The loss, or ``[loss, metric, ...]``, or a dict.
        """
        self._need_compiled("test_on_batch")
        batch = _one_batch(x, y, sample_weight, None)
        return self._step_on(batch, "test", return_dict)

    def _step_on(self, batch: Any, kind: str, return_dict: bool) -> Any:
        self._prepare(batch, f"{kind}_on_batch")
        self.reset_metrics()
        self._programs.holders.clear()
        with interruptible():
            return self._report(loops.to_floats(loops.run_step(self, kind, [batch])), return_dict)

    @on_data
    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as numpy arrays ``(batch, ...)``."""
        batch = _one_batch(x, None, None, None)
        self._check_inputs(batch[0])
        silent.data(self, batch[0])
        self._programs.holders.clear()
        return jax.tree.map(np.asarray, loops.run_step(self, "predict", [batch]))

    def _report(self, logs: dict[str, Any], return_dict: bool) -> Any:
        """Logs in the form that was asked for; a list has them in the order of the metrics."""
        if return_dict:
            return logs
        values = [logs[name] for name in self._order(logs)]
        return values[0] if len(values) == 1 else values

    def _order(self, logs: dict[str, Any]) -> list[str]:
        """Names in logs: the losses and metrics in their order, then others by name."""
        known: list[str] = []
        last: list[str] = []
        for metric in self.metrics:
            if isinstance(metric, compiled.CompiledMetrics):
                (last if metric.by_output else known).extend(metric.labels)
            else:
                known.append(metric.name)
        names = [name for name in dict.fromkeys([*known, *sorted(last)]) if name in logs]
        return [*names, *sorted(set(logs) - set(names))]

    def _state(self, kind: str) -> list[list[Variable]]:
        """The variables that a step of that kind reads and writes."""
        model: Any = self
        state = [model.trainable_variables, model.non_trainable_variables]
        if kind == "train":
            state.append(self._optimizer_variables())
        if kind != "predict":
            state.append(self.metrics_variables)
        return state


def _count(name: str, value: Any) -> int:
    if not checks.is_whole(value) or value < 0:
        raise ValueError(f"`{name}`={value!r}: expected a whole number from 0 on")
    return int(value)


def _validation_parts(data: Any) -> tuple[Any, Any, Any]:
    if isinstance(data, (tuple, list)):
        if len(data) not in (2, 3):
            raise ValueError(f"`validation_data` has {len(data)} parts: expected (x, y) or (x, y, sample_weight)")
        return unpack_x_y_sample_weight(tuple(data))
    return data, None, None


def _validate_when(frequency: Any) -> Callable[[int], bool]:
    """Whether to validate after an epoch (counted from 0)."""
    if isinstance(frequency, (list, tuple, set)):
        return lambda epoch: epoch + 1 in frequency
    every = checks.positive_int("validation_freq", frequency)
    return lambda epoch: (epoch + 1) % every == 0


def _one_batch(x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Any:
    size = max((np.shape(leaf)[0] for leaf in tree.flatten(x) if np.ndim(leaf)), default=1)
    feed = make_feed(x, y, sample_weight, batch_size=max(size, 1), class_weight=class_weight)
    with contextlib.closing(feed):
        return feed.first()


def _check_identifiers(loss: Any, metrics: Any, weighted_metrics: Any) -> None:
    """Refuse what is no loss or metric at once rather than when data comes."""
    for leaf in _leaves(loss):
        losses.get(leaf)
    for leaf in _leaves([metrics, weighted_metrics]):
        if not is_family(leaf):
            metric_names.get(leaf)


def _leaves(structure: Any) -> list[Any]:
    return jax.tree.leaves(structure, is_leaf=lambda entry: isinstance(entry, dict) and "class_name" in entry)
