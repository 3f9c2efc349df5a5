"""`Bidirectional`: a sequence read from both ends."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lamina.core import checks, registry, tree
from lamina.layers import checking
from lamina.layers.layer import Layer
from lamina.layers.wrapper import check_layer
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError
from lamina.shapes.signatures import Axes, Signature

_MERGES = {
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    "concat": lambda a, b: jnp.concatenate([a, b], axis=-1),
}
_DEMANDS = ("go_backwards", "return_sequences", "return_state", "stateful")


@registry.register("layer")
class Bidirectional(Layer):
    """Reads a sequence from both ends with two layers, and merges what they give.

    Args:
        layer: a recurrent layer such as `LSTM`; the layer that reads forward is made anew from its arguments.
        merge_mode: how the two outputs become one: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"`` (their mean), or
            ``None`` to give both.
        weights: values to start from: those of the forward layer, then those of the backward layer.
        backward_layer: the layer that reads backward; by default one like `layer`.

    Shapes:
        Input `(batch, time, features)`. The output is that of `layer`, its last axis twice as long for ``"concat"``;
        the states of both layers follow where `layer` gives states. In a sequence of outputs masked steps give zeros.

    Raises:
        ValueError: `layer` is not recurrent, `merge_mode` is unknown, or `backward_layer` does not go with `layer`.
        ShapeError: the outputs of the two layers do not fit each other, or a state does not fit.

    References:
        Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", 1997

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> layer = lamina.layers.Bidirectional(lamina.layers.LSTM(4, return_sequences=True))
    >>> layer(np.ones((2, 10, 3))).shape
    (2, 10, 8)
    """

    built_axes = ("features",)
    shape_arguments: ClassVar[dict[str, str]] = {
        "merge_mode": "'concat' makes the last axis twice as long, 'sum', 'mul', 'ave' keep it, None gives two outputs",
        "layer": "its return_sequences and return_state say which outputs there are",
    }
    common_mistakes = (
        "With merge_mode='concat' the output has twice as many features as the layer inside has units.",
        "With return_state=True an LSTM inside gives four states: two of the forward and two of the backward layer.",
    )
    example_input = (None, 20, 8)
    example_config: ClassVar[dict[str, Any]] = {
        "layer": {"module": "keras.layers", "class_name": "LSTM", "config": {"units": 16}}
    }

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**({"weights": weights} if weights is not None else {}), **kwargs)
        self.merge_mode = checks.one_of("merge_mode", merge_mode, (*_MERGES, None))
        _check_recurrent("layer", layer)
        self.forward_layer = _renewed(layer, "forward_")
        if backward_layer is None:
            self.backward_layer = _renewed(layer, "backward_", go_backwards=not layer.go_backwards)
        else:
            _check_recurrent("backward_layer", backward_layer)
            self.backward_layer = backward_layer
            self._check_pair()
        self.return_sequences = self.forward_layer.return_sequences
        self._zero_masked_steps()
        self.return_state = self.forward_layer.return_state
        self.stateful = self.forward_layer.stateful
        self.supports_masking = True

    def _zero_masked_steps(self) -> None:
        """At a masked step each layer would repeat an output of its own direction, and the two would be merged."""
        for layer in (self.forward_layer, self.backward_layer):
            if hasattr(layer, "zero_output_for_mask"):
                layer.zero_output_for_mask = self.return_sequences

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"`backward_layer` has go_backwards={backward.go_backwards}, as `layer` has: "
                f"one of the two reads forward and the other backward"
            )
        for name in _DEMANDS[1:]:
            ours, theirs = getattr(forward, name), getattr(backward, name)
            if ours != theirs:
                raise ValueError(
                    f"`backward_layer` has {name}={theirs}, `layer` has {name}={ours}: they must be the same"
                )

    @property
    def layer(self) -> Any:
        """The layer that reads forward."""
        return self.forward_layer

    @property
    def signature(self) -> Signature | None:  # type: ignore[override]
        """That of the layer inside, with the outputs merged and the states of both."""
        inner = checking.signature_of(self.forward_layer)
        if inner is None:
            return None
        first, *states = inner.outputs
        if self.merge_mode == "concat" and first.names[-1] == "units":
            first = Axes((*first.names[:-1], "both_units"))
        merged = (first, first) if self.merge_mode is None else (first,)
        return Signature(inner.inputs, (*merged, *states, *states))

    # Building

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)

    # States

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The states kept by the two layers, if they are stateful and built."""
        forward, backward = (getattr(layer, "states", None) for layer in (self.forward_layer, self.backward_layer))
        return None if forward is None or backward is None else (*forward, *backward)

    def reset_state(self) -> None:
        """Let both layers start afresh."""
        if self.stateful:
            self.forward_layer.reset_state()
            self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    def _halves(self, initial_state: Any) -> tuple[Any, Any]:
        if initial_state is None:
            return None, None
        states = jax.tree.leaves(initial_state)
        counts = [len(jax.tree.leaves(r.get_initial_state(1))) for r in (self.forward_layer, self.backward_layer)]
        if len(states) != sum(counts):
            raise ShapeError(
                f"{checking.describe(self)}: `initial_state` takes {sum(counts)} states; {len(states)} came",
                layer=self.name,
                expected=f"{counts[0]} for the forward layer, then {counts[1]} for the backward layer",
                received=", ".join(dims.show_shape(jnp.shape(s)) for s in states),
            )
        return states[: counts[0]], states[counts[0] :]

    # Running

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None) -> Any:
        results = []
        halves = self._halves(initial_state)
        for layer, start in zip((self.forward_layer, self.backward_layer), halves, strict=True):
            given = {"initial_state": start, "mask": mask, "training": training}
            result = layer(sequences, **{name: value for name, value in given.items() if value is not None})
            results.append(result if self.return_state else (result,))
        (forward, *states), (backward, *more) = results
        if self.return_sequences:
            backward = jnp.flip(backward, 1)
        if self.merge_mode is None:
            outputs = (forward, backward, *states, *more)
        else:
            outputs = (self._merge(forward, backward), *states, *more)
        return outputs if len(outputs) > 1 else outputs[0]

    def _merge(self, forward: Any, backward: Any) -> Any:
        if self.merge_mode != "concat" and forward.shape != backward.shape:
            raise ShapeError(
                f"{checking.describe(self)}: merge_mode={self.merge_mode!r} needs outputs of one shape",
                layer=self.name,
                expected=f"{dims.show_shape(forward.shape)}   of the forward layer",
                received=f"{dims.show_shape(backward.shape)}   of the backward layer",
            )
        return _MERGES[self.merge_mode](forward, backward)  # type: ignore[index]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The input's mask for sequences of outputs; none for a last output or a state."""
        mask = tree.flatten(previous_mask)[0] if isinstance(previous_mask, (list, tuple)) else previous_mask
        mask = mask if self.return_sequences else None
        masks = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            layers = (self.forward_layer, self.backward_layer)
            masks += [None for layer in layers for _ in jax.tree.leaves(layer.get_initial_state(1))]
        return masks if len(masks) > 1 else masks[0]

    # Configuration

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["weights"]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """A new layer from a config; its weights are new."""
        with registry.custom_object_scope(custom_objects or {}):
            return super().from_config(config)


def _check_recurrent(argument: str, layer: Any) -> None:
    check_layer("Bidirectional", argument, layer)
    missing = [name for name in _DEMANDS if not hasattr(layer, name)]
    if missing:
        raise ValueError(
            f"Bidirectional: `{argument}`={layer!r} is not recurrent (it has no `{missing[0]}`); "
            f"give a layer such as LSTM(32)"
        )


def _renewed(layer: Any, prefix: str, **changes: Any) -> Any:
    """A layer with the same arguments but for `changes`; classes of the user's inside it need not be registered."""
    inside = [*layer._flatten_layers(), getattr(layer, "cell", layer)]
    name = layer.name if layer.name.startswith(prefix) else prefix + layer.name
    with registry.custom_object_scope({type(part).__name__: type(part) for part in inside}):
        return type(layer).from_config({**layer.get_config(), "name": name, **changes})
