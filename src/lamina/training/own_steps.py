"""Steps of a user's own, traced before they are compiled: clashes are explained, accidental pairs warned of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.advice import broadcasting, names
from lamina.core.variable import StateScope
from lamina.layers.checking import raised_in_jax
from lamina.shapes.errors import ShapeError, call_site
from lamina.training import compiled
from lamina.training.steps import pack_x_y_sample_weight

_METHODS = ("fit", "evaluate", "train_on_batch", "test_on_batch")


def check(model: Any, kind: str, batch: Any) -> None:
    """Trace a model's own ``train_step`` or ``test_step`` on the shapes of a batch.

    Args:
        model: a model whose weights are made.
        kind: ``"train"`` or ``"test"``.
        batch: ``(x, y, sample_weight)``.

    Raises:
        ShapeError: shapes clash in it. What else goes wrong is left to the run itself.
    """
    x, y, sample_weight = batch
    outputs = _outputs(model, x)
    alone = hasattr(y, "shape") and hasattr(outputs, "shape")
    try:
        _trace(model, kind, pack_x_y_sample_weight(x, y, sample_weight))
    except ShapeError:
        raise
    except Exception as error:
        if not isinstance(error, (TypeError, ValueError)) or not raised_in_jax(error):
            return
        again = _step_on(model, kind, x, sample_weight)
        labels, predicted = (y, outputs) if alone else (None, None)
        raise compiled.explain(f"{kind}_step of", model, error, labels, predicted, None, again) from error
    if alone and len(y.shape) != len(outputs.shape):
        called = names.argument(call_site(), _METHODS, "y", 1)
        again = _step_on(model, kind, x, None)
        broadcasting.check_function(f"{kind}_step", again, called, y, outputs, direct=True)


def _outputs(model: Any, x: Any) -> Any:
    """Shapes of what the model gives; ``None`` if it cannot be called on the inputs as they are."""

    def call(inputs: Any) -> Any:
        with StateScope(may_create=True):
            return model(inputs, training=True)

    try:
        return jax.eval_shape(call, _specs(x))
    except Exception:
        return None


def _trace(model: Any, kind: str, data: Any) -> None:
    state = tuple([jax.ShapeDtypeStruct(v.shape, v.value.dtype) for v in group] for group in model._state(kind))
    jax.eval_shape(getattr(model, f"{kind}_step"), state, _specs(data))


def _step_on(model: Any, kind: str, x: Any, sample_weight: Any) -> Callable[[Any, Any], Any]:
    """The step as a function of labels and outputs: the model gives these outputs, whatever it is called on."""
    shapes = _specs((x, sample_weight))

    def step(y: Any, y_pred: Any) -> Any:
        x, weights = jax.tree.map(lambda a: jnp.zeros((y_pred.shape[0], *a.shape[1:]), a.dtype), shapes)
        state = tuple([v.value for v in group] for group in model._state(kind))
        model.__dict__["call"] = lambda *args, **kwargs: y_pred
        try:
            logs, _ = getattr(model, f"{kind}_step")(state, pack_x_y_sample_weight(x, y, weights))
        finally:
            del model.__dict__["call"]
        return logs

    return step


def _specs(structure: Any) -> Any:
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, jax.dtypes.canonicalize_dtype(a.dtype)), structure)
