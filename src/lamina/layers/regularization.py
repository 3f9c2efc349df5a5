"""`ActivityRegularization`: a loss of what passes through."""

from __future__ import annotations

from typing import Any, ClassVar

from lamina import regularizers
from lamina.core import checks, registry
from lamina.layers.layer import Layer


@registry.register("layer")
class ActivityRegularization(Layer):
    """Gives its inputs back and adds a loss of them: ``l1 * sum(abs(x)) + l2 * sum(x ** 2)`` for each sample.

    Args:
        l1: weight of the sum of absolute values.
        l2: weight of the sum of squares.

    Shapes:
        Input `(batch, ...)`, output the same.

    Raises:
        ValueError: `l1` or `l2` is negative or no number.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> layer = lamina.layers.ActivityRegularization(l2=0.5)
    >>> y = layer(np.array([[2.0], [4.0]]))
    >>> float(layer.losses[0])
    5.0
    """

    signature = "batch ... -> batch ..."
    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"l2": 0.01}

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        self.l1, self.l2 = checks.real("l1", l1, low=0.0), checks.real("l2", l2, low=0.0)
        super().__init__(activity_regularizer=regularizers.L1L2(l1=self.l1, l2=self.l2), **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer")  # follows from l1 and l2
        return config
