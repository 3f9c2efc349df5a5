"""How a layer comes to have weights: what `build` is given, and what holds for every `build`."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lamina.core import context, tree
from lamina.layers import calling, checking
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


def marking_built(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build`, with what holds for every layer: names, the sizes built for, first values, and ``built``."""

    @functools.wraps(build)
    def building(self: Any, *args: Any, **kwargs: Any) -> None:
        if self._building:  # a subclass calls super().build()
            build(self, *args, **kwargs)
            return
        self._building = True
        try:
            with context.name_scope(self.name):
                build(self, *args, **kwargs)
        finally:
            self._building = False
        self.built = True
        self._build_shapes = inspect.signature(build).bind_partial(self, *args, **kwargs).arguments
        self._build_shapes.pop("self", None)
        self._build_shape = next(iter(self._build_shapes.values()), None)
        remember_sizes(self, self._build_shape)
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    return building


@contextlib.contextmanager
def all_or_nothing(layers: Iterable[Any]) -> Iterator[None]:
    """Layers are as they were, without weights if they had none, when what happens inside fails."""
    before = [(layer, {name: _own_copy(value) for name, value in vars(layer).items()}) for layer in layers]
    try:
        yield
    except BaseException:
        for layer, attributes in before:
            vars(layer).clear()
            vars(layer).update(attributes)
        raise


def _own_copy(value: Any) -> Any:
    return copy.copy(value) if isinstance(value, (list, dict)) else value


def remember_sizes(layer: Any, input_shape: Any) -> None:
    """Note the sizes of the axes that the weights were made for, to hold later inputs against them."""
    signature = checking.signature_of(layer)
    if signature is None or not tree.is_shape(input_shape):
        return
    sizes = signature.input_axes(0).sizes(input_shape)
    layer.axis_sizes = {n: int(sizes[n]) for n in layer.built_axes if sizes.get(n) is not None}


def shapes_of(value: Any) -> Any:
    """The structure with each tensor's shape in its place."""
    return jax.tree.map(lambda leaf: dims.to_public(checking.dims_of(leaf)) if hasattr(leaf, "shape") else leaf, value)


def build_arguments(build: Callable[..., Any], shapes: dict[str, Any], first: Any) -> list[Any]:
    """Shapes for `build`'s parameters: ``{argument}_shape`` where it asks by name, else that of the first input."""
    wanted = calling.call_info(build).names
    by_name = {f"{name}_shape": shape for name, shape in shapes.items()}
    if len(wanted) > 1 and wanted[0] in by_name:
        return [by_name.get(name) for name in wanted]
    return [first]


def weight_shape(layer: Any, name: str | None, shape: Any) -> tuple[int, ...]:
    """The shape of a weight as a tuple.

    Raises:
        ShapeError: a size is not known.
    """
    sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if any(not isinstance(s, (int, np.integer)) for s in sizes):
        raise ShapeError(
            f"{checking.describe(layer)}: the weight {name!r} cannot have the shape {sizes}",
            layer=layer.name,
            expected="a known size for every axis that the weights depend on",
            received=f"{sizes}",
        )
    return tuple(int(s) for s in sizes)
