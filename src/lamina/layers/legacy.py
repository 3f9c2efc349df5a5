"""Arguments of Keras 2 that the tutorials of the world still use."""

from __future__ import annotations

import inspect
from typing import Any

from lamina.core import checks
from lamina.shapes import dims

_KNOWN = ("activity_regularizer", "trainable", "dtype", "autocast", "name", "input_shape", "input_dim", "input_length",
          "batch_input_shape", "batch_shape", "batch_size", "weights")  # fmt: skip


def take_legacy_arguments(cls: type, kwargs: dict[str, Any]) -> tuple[tuple[Any, ...] | None, Any]:
    """The batch shape that ``input_shape=`` and its like declare (or ``None``), and the values of ``weights=``.

    Raises:
        TypeError: there are other arguments; the message offers near names.
        ValueError: the shape is malformed.
    """
    kind = cls.__name__
    own = list(inspect.signature(cls.__init__).parameters)[1:]  # type: ignore[misc]
    checks.no_unknown(kind, kwargs, [*_KNOWN, *(name for name in own if name not in kwargs)])
    batch_shape = kwargs.get("batch_input_shape", kwargs.get("batch_shape"))
    if batch_shape is not None:
        return tuple(_checked(batch_shape, "batch_input_shape")), kwargs.get("weights")
    shape = kwargs.get("input_shape")
    if shape is None and kwargs.get("input_dim") is not None:
        length = (kwargs["input_length"],) if "input_length" in kwargs else ()
        shape = (*length, kwargs["input_dim"])
    elif shape is None and kwargs.get("input_length") is not None:
        shape = (kwargs["input_length"],)
    if shape is None:
        return None, kwargs.get("weights")
    if checks.is_whole(shape):
        raise ValueError(f"{kind}: `input_shape`={shape!r} is the shape of one sample and a tuple; write ({shape},)")
    return (kwargs.get("batch_size"), *_checked(shape, "input_shape")), kwargs.get("weights")


def _checked(shape: Any, argument: str) -> tuple[Any, ...]:
    dims.from_declared(shape, argument)
    return tuple(shape)
