"""`TimeDistributed`: the same layer at every time step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import context, registry
from lamina.layers import calling, checking
from lamina.layers.layer import Layer
from lamina.layers.wrapper import Wrapper
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError
from lamina.shapes.signatures import Axes, Signature


@registry.register("layer")
class TimeDistributed(Wrapper):
    """Applies the same layer, with the same weights, to every time step.

    The time axis is folded into the batch axis, so the layer inside sees `(batch * time, ...)`.

    Args:
        layer: the layer to apply.

    Shapes:
        Input `(batch, time, ...)`, output `(batch, time, ...)`: what the layer inside takes and gives, with a time axis
        after the batch axis.

    Raises:
        ValueError: `layer` is no layer.
        ShapeError: the input has no time axis, or a step does not fit the layer inside.

    Example:

    >>> import lamina
    >>> frames = lamina.Input((10, 32, 32, 3))
    >>> lamina.layers.TimeDistributed(lamina.layers.Conv2D(8, 3))(frames).shape
    (None, 10, 30, 30, 8)
    """

    shape_arguments: ClassVar[dict[str, str]] = {
        "layer": "every step is changed as that layer changes it; the time axis stays"
    }
    common_mistakes = (
        "Dense works on the last axis of any input, so it needs no TimeDistributed.",
        "The layer inside sees one step: for frames (time, height, width, channels) give it a Conv2D.",
    )
    example_input = (None, 10, 32, 32, 3)
    example_config: ClassVar[dict[str, Any]] = {
        "layer": {"module": "keras.layers", "class_name": "Conv2D", "config": {"filters": 8, "kernel_size": 3}}
    }

    def __init__(self, layer: Any, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    @property
    def signature(self) -> Signature | None:  # type: ignore[override]
        """That of the layer inside, with a time axis."""
        inner = checking.signature_of(self.layer)
        if inner is None:
            return None
        names = {name for axes in (*inner.inputs, *inner.outputs) for name in axes.names}
        time = next(name for name in ("time", "steps", *(f"steps_{i}" for i in range(2, 99))) if name not in names)
        return Signature(_with_time(inner.inputs, time), _with_time(inner.outputs, time))

    @property
    def built_axes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the layer inside."""
        return self.layer.built_axes

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(jax.tree.map(_step_shape, input_shape, is_leaf=_is_shape))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        leaves = checking.input_leaves(inputs)
        for leaf in leaves:
            self._check_steps(leaf)
        batch, time = leaves[0].shape[:2]
        folded = jax.tree.map(_fold, inputs)
        masks = jax.tree.leaves(mask)
        if masks and self._takes_masks():
            for step, own in zip(jax.tree.leaves(folded), masks, strict=False):
                context.masks.set(step, _mask_for(_fold(own), step))
        outputs = self.layer(folded) if training is None else self.layer(folded, training=training)
        return jax.tree.map(lambda y: self._unfold(y, batch, time, masks[0] if masks else None), outputs)

    def _check_steps(self, tensor: Any) -> None:
        if tensor.ndim < 2:
            raise ShapeError(
                f"{checking.describe(self)} needs a time axis",
                layer=self.name,
                expected="(batch, time, ...)   2 axes or more",
                received=dims.show_shape(tensor.shape),
            )

    def _takes_masks(self) -> bool:
        layer = self.layer
        own_rule = type(layer).compute_mask is not Layer.compute_mask
        return layer.supports_masking or own_rule or "mask" in calling.call_info(type(layer).call).names

    def _unfold(self, output: Any, batch: Any, time: Any, mask: Any) -> Any:
        """A folded output as `(batch, time, ...)`, with the mask that goes with it."""
        inner = context.masks.get(output)
        unfolded = output.reshape((batch, time, *output.shape[1:]))
        if mask is not None and mask.ndim <= 2:
            inner = mask
        elif inner is not None:
            inner = inner.reshape((batch, time, *inner.shape[1:]))
        elif mask is not None:
            inner = jnp.any(mask, axis=tuple(range(2, mask.ndim)))
        context.masks.set(unfolded, inner)
        return unfolded


def _with_time(sides: Sequence[Axes], time: str) -> tuple[Axes, ...]:
    return tuple(Axes((axes.names[0], time, *axes.names[1:])) for axes in sides)


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(not isinstance(size, (tuple, list)) for size in value)


def _step_shape(shape: Sequence[Any]) -> tuple[Any, ...]:
    """The shape of the folded input."""
    known = len(shape) > 1 and all(dims.is_known(size) for size in shape[:2])
    return (shape[0] * shape[1] if known else None, *shape[2:])


def _fold(tensor: Any) -> Any:
    return tensor.reshape((tensor.shape[0] * tensor.shape[1], *tensor.shape[2:]))


def _mask_for(mask: Any, step: Any) -> Any:
    """A mask of whole steps holds for everything in them: it gets the axes that masks of such a tensor have."""
    missing = max(step.ndim - 1 - mask.ndim, 0)
    wide = mask.reshape(mask.shape + (1,) * missing)
    return jnp.broadcast_to(wide, (*mask.shape, *step.shape[mask.ndim : mask.ndim + missing]))
