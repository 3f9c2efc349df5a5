"""Category numbers as vectors, and what layers that work on the host share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks
from lamina.core.symbolic import has_symbolic
from lamina.layers.checking import describe
from lamina.layers.layer import Layer
from lamina.shapes.errors import ShapeError

MODES = ("int", "one_hot", "multi_hot", "count")


def encode(numbers: Any, mode: str, size: int, dtype: Any, weights: Any = None) -> jax.Array:
    """Category numbers as `mode` says; those outside of ``0 ... size - 1`` count nowhere.

    Args:
        numbers: whole numbers.
        mode: ``"int"`` leaves them; ``"one_hot"`` gives each a vector; ``"multi_hot"`` gives those along the last axis
            one vector with a 1 for each number that is there; ``"count"`` with how often it is.
        size: of these vectors.
        dtype: of these vectors.
        weights: with ``"count"``, what each number counts.
    """
    if mode == "int":
        return numbers
    if mode == "one_hot":
        alone = numbers.ndim > 0 and _is_one(numbers.shape[-1])
        return jax.nn.one_hot(numbers[..., 0] if alone else numbers, size, dtype=dtype)
    numbers = numbers if numbers.ndim else numbers[None]
    vectors = jax.nn.one_hot(numbers, size, dtype=dtype)
    if mode == "multi_hot":
        return jnp.max(vectors, axis=-2)
    return jnp.sum(vectors if weights is None else vectors * jnp.asarray(weights, dtype)[..., None], axis=-2)


def _is_one(size: Any) -> bool:
    return isinstance(size, int) and size == 1


def signature_of_mode(mode: str) -> str:
    """The axes that `encode` takes and gives."""
    if mode == "int":
        return "batch ... -> batch ..."
    return "batch ... -> batch ... categories" if mode == "one_hot" else "... values -> ... categories"


def no_sparse(kind: str, **given: Any) -> None:
    """Refuse arguments for tensors that JAX does not have.

    Raises:
        ValueError: one of them is true.
    """
    for name, value in given.items():
        if value:
            raise ValueError(f"{kind}: `{name}`={value!r}: tensors are dense here; leave it False")


class HostLayer(Layer):
    """A layer that works on the host, with numpy: on text, or on whole numbers of 64 bits."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.built = True

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer to data.

        Raises:
            ValueError: a symbolic tensor came, or one inside a compiled function: text is no tensor.
        """
        if has_symbolic((inputs, args, kwargs)) or any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(inputs)):
            raise ValueError(
                f"{describe(self)} works on the data, before the model: x = layer(data), then model.fit(x, ...); "
                f"text cannot go through a compiled model"
            )
        kwargs.pop("training", None)  # as every layer, it may be told, whether it asks or not
        return self.call(inputs, *args, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Unknown before data is seen.

        Raises:
            ValueError: always; the shape depends on the data, or on what was adapted to.
        """
        raise ValueError(f"{describe(self)}: the shape of the output depends on the data; call the layer on it")


def host_array(layer: Any, data: Any) -> np.ndarray:
    """Data as a numpy array of ``str`` (kind U), whole numbers (i) or floats (f).

    Raises:
        ShapeError: rows have different lengths.
        ValueError: it holds something else.
    """
    try:
        array = np.asarray(data.numpy() if hasattr(data, "numpy") and not isinstance(data, np.ndarray) else data)
    except ValueError:
        raise ShapeError(
            f"{describe(layer)}: rows of different lengths make no array; pad them, or give whole texts",
            layer=layer.name,
        ) from None
    if array.dtype.kind in "SO":
        flat = [entry.decode("utf-8") if isinstance(entry, bytes) else entry for entry in array.ravel().tolist()]
        if not all(isinstance(entry, str) for entry in flat):
            odd = next(entry for entry in flat if not isinstance(entry, str))
            raise ValueError(f"{describe(layer)} takes text or whole numbers; {odd!r:.60} came among them")
        array = np.array(flat, dtype=str).reshape(array.shape)
    if array.dtype.kind not in "Uiuf":
        raise ValueError(f"{describe(layer)} takes text or numbers, not an array of {array.dtype}")
    return array


def batches_of(layer: Any, data: Any, steps: int | None = None) -> Iterator[np.ndarray]:
    """The batches that `adapt` is given: an array or list is one, any other iterable has many.

    Raises:
        ValueError: there are none.
    """
    whole = isinstance(data, (str, bytes, list, tuple)) or hasattr(data, "shape")
    batches: Iterable[Any] = [data] if whole else data
    if steps is not None:
        checks.positive_int("steps", steps)
    seen = 0
    for batch in batches:
        if steps is not None and seen == steps:
            break
        seen += 1
        yield host_array(layer, batch[0] if isinstance(batch, tuple) and not whole else batch)
    if seen == 0:
        raise ValueError(f"{describe(layer)}: adapt was given no data")
