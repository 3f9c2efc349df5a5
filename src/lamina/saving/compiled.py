"""What `compile` was given, as plain values; and an optimizer that goes on where it stopped."""

from __future__ import annotations

import warnings
from typing import Any

from lamina.core import registry

_SETTINGS = ("loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution", "jit_compile")


def describe(model: Any) -> dict[str, Any] | None:
    """The arguments of `compile` as plain values; nothing for a model that is not compiled.

    What no file can hold, such as an optax transformation, is named in a warning, and nothing is described.
    """
    if not model.compiled:
        return {}
    given = model._compile_arguments
    try:
        return {"optimizer": registry.serialize(model.optimizer)} | {
            name: registry.serialize(given[name]) for name in _SETTINGS
        }
    except ValueError as error:
        warnings.warn(f"the training settings of {model.name!r} are left out: {error}", stacklevel=2)
        return {}


def restore(model: Any, config: dict[str, Any]) -> None:
    """Compile a model as it was, and make what the optimizer remembers of its variables.

    Settings that stand for nothing here are named in a warning, and the model stays as it is.
    """
    settings = {name: config[name] for name in ("optimizer", *_SETTINGS) if name in config}
    try:
        revived = {name: registry.deserialize(value) for name, value in settings.items()}
        model.compile(**revived)
    except Exception as error:
        warnings.warn(
            f"the training settings of {model.name!r} cannot be used, so it is not compiled: {error}", stacklevel=2
        )
        return
    if model.optimizer is not None and model.built:
        model.optimizer.build(model.trainable_variables)
