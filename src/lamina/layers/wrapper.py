"""`Wrapper`: the base of layers that hold another layer."""

from __future__ import annotations

from typing import Any

from lamina.core import registry
from lamina.layers.layer import Layer


@registry.register("layer")
class Wrapper(Layer):
    """A layer that holds another one and does something around it. A subclass writes `call`.

    Args:
        layer: the layer inside.

    Raises:
        ValueError: `layer` is no layer.

    Example:

    >>> import lamina
    >>> class Twice(lamina.layers.Wrapper):
    ...     def call(self, inputs):
    ...         return self.layer(self.layer(inputs))
    >>> Twice(lamina.layers.Dense(3))(lamina.Input((3,))).shape
    (None, 3)
    """

    def __init__(self, layer: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.layer = check_layer(type(self).__name__, "layer", layer)

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """A new layer from a config; its weights are new."""
        with registry.custom_object_scope(custom_objects or {}):
            return super().from_config(config)


def check_layer(owner: str, argument: str, layer: Any) -> Any:
    """`layer`, if it is a layer.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(layer, Layer):
        hint = f"; write {layer.__name__}(...)" if isinstance(layer, type) and issubclass(layer, Layer) else ""
        raise ValueError(f"{owner}: `{argument}`={layer!r} is no layer{hint}")
    return layer
