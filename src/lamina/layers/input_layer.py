"""`Input`: where data enters a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.core import checks, context, dtypes, registry
from lamina.core.symbolic import KerasTensor, Node
from lamina.layers.layer import Layer
from lamina.shapes import dims


@registry.register("layer")
class InputLayer(Layer):
    """The place where data enters a model.

    Args:
        shape: shape of one sample, without the batch axis; ``None`` for an open size, or a name such as ``"length"``.
        batch_size: size of the batch axis, open by default.
        dtype: data type of the input.
        batch_shape: the shape with the batch axis, instead of `shape` and `batch_size`.
        input_tensor: a symbolic tensor to use.
        optional: whether ``None`` may be given for it.
        name: a name.

    Shapes:
        Output `(batch, *shape)`.
    """

    signature = "batch *shape -> batch *shape"

    def __init__(
        self,
        shape: Sequence[Any] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: Sequence[Any] | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        for refused in ("sparse", "ragged"):
            if kwargs.pop(refused, None):
                raise ValueError(f"Input: `{refused}`=True cannot be had; give dense arrays")
        if kwargs.get("input_shape") is not None:
            shape = kwargs.pop("input_shape")
        super().__init__(name=name or context.auto_name("input_layer"), **kwargs)
        self.optional = optional
        self._dtype = dtypes.standardize_dtype(dtype if dtype is not None else getattr(input_tensor, "dtype", None))
        if input_tensor is not None:
            declared = tuple(input_tensor.dims)
        elif batch_shape is not None:
            declared = self._with_batch(batch_shape)
        elif shape is not None:
            declared = (*_batch_axis(batch_size), *dims.from_declared(shape))
        else:
            raise ValueError("Input: `shape` is needed: the shape of one sample, such as (10,) or (28, 28, 1)")
        self.batch_shape = dims.to_public(declared)
        tensor = input_tensor
        if tensor is None:
            tensor = KerasTensor((), self._dtype, self.name)
            tensor._set(declared, self._dtype, self.name)
        self.built = True
        self._nodes.append(Node(self, (), {}, tensor))

    @staticmethod
    def _with_batch(batch_shape: Sequence[Any]) -> tuple[Any, ...]:
        entries = tuple(batch_shape) if isinstance(batch_shape, Sequence) else ()
        if not entries or isinstance(batch_shape, str):
            raise ValueError(f"`batch_shape`={batch_shape!r}: expected a tuple with the batch axis first")
        first = dims.from_declared(entries[:1], "batch_shape") if entries[0] is not None else (dims.BATCH,)
        return (*first, *dims.from_declared(entries[1:], "batch_shape"))

    @property
    def dtype(self) -> str:
        return self._dtype

    def call(self, inputs: Any = None) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def _batch_axis(batch_size: int | None) -> tuple[Any]:
    return (dims.BATCH,) if batch_size is None else (checks.positive_int("batch_size", batch_size),)


def Input(
    shape: Sequence[Any] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    batch_shape: Sequence[Any] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
    **kwargs: Any,
) -> KerasTensor:
    """A symbolic tensor to build a model from.

    Args:
        shape: shape of one sample, without the batch axis: ``(10,)``, ``(28, 28, 1)``, ``(None, 8)`` where the first
            axis may have any size, ``("time", 8)`` to give that axis a name.
        batch_size: size of the batch axis, open by default.
        dtype: data type of the input, the default float if it is not given.
        sparse: must be false; dense arrays are taken.
        batch_shape: the shape with the batch axis, instead of `shape` and `batch_size`.
        name: a name, by which a dict of inputs refers to it.
        tensor: a symbolic tensor to use.
        optional: whether ``None`` may be given for it.

    Returns:
        A `KerasTensor` of shape `(batch, *shape)`.

    Raises:
        ValueError: a size is negative or no size at all.

    Example:

    >>> import lamina
    >>> lamina.Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    >>> lamina.Input(("time", 8)).dims
    (batch, time, 8)
    """
    kwargs |= {"input_tensor": tensor, "optional": optional, "name": name, "sparse": sparse}
    layer = InputLayer(shape, batch_size, dtype, batch_shape, **kwargs)
    return layer._nodes[0].outputs
