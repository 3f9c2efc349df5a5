"""`Lambda`: a function as a layer."""

from __future__ import annotations

import inspect
import uuid
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax

from lamina import activations
from lamina.core import registry, sharing
from lamina.layers.layer import Layer
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

_living: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_marks: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


@registry.register("layer")
class Lambda(Layer):
    """Applies a function of your own to tensors.

    The function sees one batch, `(batch, ...)`, not one sample; it may use `lamina.ops` and `jax.numpy`. A function
    with weights belongs into a `Layer` of its own.

    Args:
        function: takes the input (and ``mask`` and ``training``, if it has arguments of these names).
        output_shape: not needed. Where it is given, it is compared with what the function gives: the shape of one
            sample, or a function from the input's shape to the output's, both with the batch axis.
        mask: mask of the output: a tensor, or a function ``mask(inputs, mask)``; without it masks end here.
        arguments: further keyword arguments for the function.

    Shapes:
        Input `(batch, ...)`, output what the function gives.

    Raises:
        ValueError: `function` cannot be called.
        ShapeError: the function fails on that shape (the message names its line), or `output_shape` is not what it
            gives.

    Example:

    >>> import lamina
    >>> layer = lamina.layers.Lambda(lambda x: x[:, ::2])
    >>> layer(lamina.Input((10, 3))).shape
    (None, 5, 3)
    """

    signature = "... -> ..."
    common_mistakes = (
        "The function sees the batch axis: x[0] is the first sample of the batch, x[:, 0] the first step of each.",
        "Give a function a name with `def` and register it if the model is to be saved: a saved lambda is run only "
        "where safe_mode=False allows it.",
    )
    example_input = (None, 10)
    example_config: ClassVar[dict[str, Any]] = {"function": lambda x: x[:, :4]}

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise ValueError(f"Lambda: `function`={function!r} cannot be called; give a function of a tensor")
        self.function = function
        self.arguments = dict(arguments or {})
        self.mask = mask
        self.supports_masking = mask is not None
        self._declared = output_shape
        takes = inspect.signature(function).parameters if _has_signature(function) else {}
        self._takes = [name for name in ("mask", "training") if name in takes]

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        filled = {"mask": mask, "training": training}
        outputs = self.function(inputs, **{name: filled[name] for name in self._takes}, **self.arguments)
        if self._declared is not None:
            self._check_declared(inputs, outputs)
        return outputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def _check_declared(self, inputs: Any, outputs: Any) -> None:
        shape_of = lambda t: dims.to_public(t.shape)  # noqa: E731
        real = jax.tree.leaves(outputs)
        if len(real) != 1:
            return
        if callable(self._declared):
            said = tuple(self._declared(jax.tree.map(shape_of, inputs)))[1:]
        else:
            said = tuple(self._declared) if isinstance(self._declared, Sequence) else (self._declared,)
        came = shape_of(real[0])[1:]
        if len(said) != len(came) or any(None not in (a, b) and a != b for a, b in zip(said, came, strict=True)):
            raise ShapeError(
                f'Lambda "{self.name}": `output_shape` does not say what the function gives',
                layer=self.name,
                expected=f"(batch, {', '.join(map(str, said))})   says output_shape",
                received=f"(batch, {', '.join(map(str, came))})   comes out of the function",
                notes=[("to do", "leave output_shape out: it is found by itself")],
            )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config |= {"function": _describe(self.function), "arguments": registry.serialize(self.arguments)}
        config |= {"output_shape": _describe(self._declared), "mask": _describe(self.mask)}
        return {
            name: value for name, value in config.items() if value is not None or name not in ("output_shape", "mask")
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Lambda:
        config = dict(config)
        for name in ("function", "output_shape", "mask"):
            if name in config:
                try:
                    config[name] = _recall(config[name], name)
                except ValueError as error:
                    raise ValueError(f"`{name}`: {error}") from error
        return super().from_config(config)


def _has_signature(function: Any) -> bool:
    try:
        inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        return False
    return True


def _describe(thing: Any) -> Any:
    """A description of a function: in a file its name, or the body of a lambda; in this program the function itself."""
    if not inspect.isfunction(thing) or sharing.in_file():
        if getattr(thing, "__name__", "") == "<lambda>":
            warnings.warn(
                "a Lambda holds a Python lambda: its model opens only with safe_mode=False, and in this version of "
                "Python alone; a function defined with `def` and registered opens everywhere",
                stacklevel=2,
            )
        return registry.describe_function(thing) if inspect.isfunction(thing) else registry.serialize(thing)
    mark = _marks.setdefault(thing, uuid.uuid4().hex)
    _living[mark] = thing
    named = thing.__name__ != "<lambda>"
    described = registry.serialize(thing) if named else {"class_name": "__lambda__", "config": {"name": "<lambda>"}}
    return {**described, "in_process": mark} if isinstance(described, dict) else described


def _recall(described: Any, argument: str) -> Any:
    if argument == "function" and isinstance(described, str):
        return activations.get(described)
    if not isinstance(described, dict):
        return described
    function = _living.get(str(described.get("in_process", "")))
    if function is not None:
        return function
    return registry.deserialize({name: value for name, value in described.items() if name != "in_process"})
