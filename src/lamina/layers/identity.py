"""`Identity`: nothing happens."""

from __future__ import annotations

from typing import Any

from lamina.core import registry
from lamina.layers.layer import Layer


@registry.register("layer")
class Identity(Layer):
    """Gives its inputs back; a place that another layer may take later.

    Shapes:
        Input `(batch, ...)`, output the same.

    Example:

    >>> import lamina
    >>> lamina.layers.Identity()(lamina.Input((2, 3))).shape
    (None, 2, 3)
    """

    signature = "batch ... -> batch ..."
    example_input = (None, 10)

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs
