"""What `compile` found of layers' and variables' `trainable` holds until the next `compile`."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

from lamina.training.warn import warn


def as_compiled(model: Any) -> contextlib.AbstractContextManager[None]:
    """Inside, what trains is what trained when the model was compiled."""
    return model._trainables.restored() if model._trainables is not None else contextlib.nullcontext()


class Trainables:
    """Which layers and variables of a model train, as it was when this was made."""

    def __init__(self, model: Any):
        self._flags = [(layer, "_trainable", layer._trainable) for layer in model._flatten_layers()]
        self._flags += [(v, "trainable", v.trainable) for v in model.variables]
        self._warned = False
        _all.add(self)

    def _changed(self) -> list[tuple[Any, str, bool, bool]]:
        return [(o, name, was, now) for o, name, was in self._flags if (now := getattr(o, name)) is not was]

    def _ids(self) -> set[tuple[int, str, bool]]:
        return {(id(o), name, was) for o, name, was in self._flags}

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Inside, `trainable` is everywhere what it was."""
        changed = self._changed()
        for owner, name, was, _ in changed:
            setattr(owner, name, was)
        try:
            yield
        finally:
            for owner, name, _, now in changed:
                setattr(owner, name, now)

    def warn_of_changes(self) -> None:
        """Say, once, that a `trainable` set since has no effect yet, on this model or on another that shares the layer.

        A discriminator that is frozen for the model of the whole GAN, and trains on its own as compiled, is meant so.
        """
        others = {flag for other in _all if other is not self for flag in other._ids()}
        changed = [c for c in self._changed() if (id(c[0]), c[1], c[3]) not in others]
        if changed and not self._warned:
            self._warned = True
            names = ", ".join(repr(owner.name) for owner, *_ in changed[:3]) + (", ..." if len(changed) > 3 else "")
            warn(f"`trainable` of {names} was changed after compile(); it takes effect when compile() is called again")


_all: weakref.WeakSet[Trainables] = weakref.WeakSet()
