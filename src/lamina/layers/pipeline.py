"""`Pipeline`: layers one after the other, on data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.core import registry
from lamina.core.symbolic import has_symbolic
from lamina.layers.capturing import revive
from lamina.layers.layer import Layer
from lamina.layers.tables.encoding import HostLayer


@registry.register("layer")
class Pipeline(Layer):
    """Applies layers one after the other to data, such as those that prepare text or images before a model.

    Unlike in a `Sequential`, layers that work on the host, such as `TextVectorization`, have a place in it.

    Args:
        layers: the layers, in order.
        name: a name.

    Shapes:
        What the first layer takes, and what the last one gives.

    Raises:
        ValueError: `layers` holds something else than layers.

    Example:

    >>> import lamina
    >>> words = lamina.layers.StringLookup(vocabulary=["cat", "dog"])
    >>> prepare = lamina.layers.Pipeline([words, lamina.layers.CategoryEncoding(3)])
    >>> prepare([["dog"], ["emu"]]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    common_mistakes = ("Random layers vary what goes through it unless it is called with training=False.",)

    def __init__(self, layers: Sequence[Layer], name: str | None = None):
        super().__init__(name=name)
        if not isinstance(layers, (list, tuple)) or not all(isinstance(layer, Layer) for layer in layers):
            raise ValueError(f"`layers`={layers!r:.100}: expected a list of layers")
        self._pipeline_layers = list(layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return self._pipeline_layers

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Apply the layers to data, or to symbolic tensors."""
        on_host = any(isinstance(layer, HostLayer) for layer in self._pipeline_layers) and not has_symbolic(inputs)
        return self.call(inputs, *args, **kwargs) if on_host else super().__call__(inputs, *args, **kwargs)

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        for place, layer in enumerate(self._pipeline_layers):
            own = {"mask": mask} if mask is not None and place == 0 else {}
            inputs = layer(inputs, training=training, **own)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {"layers": [registry.serialize(layer) for layer in self._pipeline_layers], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A new pipeline from a config; the weights of its layers are new."""
        return cls(**revive(config))
