"""The arguments of a layer call: conversion to tensors, and what the context fills in (training, masks)."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import context, dtypes
from lamina.core.symbolic import KerasTensor
from lamina.core.variable import Variable


class CallInfo:
    """What a class's ``call`` takes."""

    def __init__(self, function: Any):
        self.signature = inspect.signature(function)
        parameters = list(self.signature.parameters.values())[1:]
        self.any_keyword = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        self.first = self.names[0] if self.names else ""
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.most = None if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(positional)
        default = self.signature.parameters["training"].default if "training" in self.names else None
        self.training_default = None if default is inspect.Parameter.empty else default
        self.mask_arguments = {}
        for name in self.names:
            argument = f"{name}_mask" if f"{name}_mask" in self.names else "mask" if name == self.first else ""
            if argument in self.names and argument != name:
                self.mask_arguments[name] = argument


@functools.lru_cache(maxsize=4096)
def call_info(function: Any) -> CallInfo:
    """`CallInfo` of a ``call`` function, worked out once."""
    return CallInfo(function)


def to_tensors(structure: Any, dtype: str | None) -> Any:
    """The structure with arrays as tensors, floats among them as `dtype` (``None``: as they are)."""
    return jax.tree.map(lambda leaf: _to_tensor(leaf, dtype), structure)


def _to_tensor(leaf: Any, dtype: str | None) -> Any:
    if isinstance(leaf, KerasTensor) or not hasattr(leaf, "__array__") or isinstance(leaf, np.generic):
        return leaf
    if isinstance(leaf, Variable):
        leaf = leaf.value
    if not isinstance(leaf, jax.Array):
        leaf = np.asarray(leaf)
        if leaf.dtype.kind not in "biufcV":
            raise ValueError(f"a layer was given an array of {leaf.dtype} (shape {leaf.shape}); it takes numbers")
        leaf = jnp.asarray(leaf, dtype=dtypes.canonical(leaf.dtype))
    if dtype is not None and leaf.dtype != dtype and dtypes.is_float(leaf.dtype):
        mask = context.masks.get(leaf)
        leaf = leaf.astype(dtypes.canonical(dtype))
        context.masks.set(leaf, mask)
    return leaf


def masks_of(structure: Any) -> Any:
    """The masks of the tensors in a structure; ``None`` where no tensor has one."""
    masks = jax.tree.map(_mask_of, structure)
    return masks if jax.tree.leaves(masks) else None


def _mask_of(leaf: Any) -> Any:
    return leaf._keras_mask if isinstance(leaf, KerasTensor) else context.masks.get(leaf)


def fill_arguments(info: CallInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, Any], bool | None]:
    """Keyword arguments completed with `training` and masks; and what `training` is."""
    kwargs = dict(kwargs)
    training = kwargs.pop("training", None) if "training" not in info.names[: len(args)] else None
    if training is None:
        training = context.state.training
    if training is None:
        training = info.training_default
    if ("training" in info.names and "training" not in info.names[: len(args)]) and training is not None:
        kwargs["training"] = training
    given = {**dict(zip(info.names, args, strict=False)), **kwargs}
    for name, argument in info.mask_arguments.items():
        if given.get(argument) is None and name in given and argument not in info.names[: len(args)]:
            mask = masks_of(given[name])
            if mask is not None:
                kwargs[argument] = mask
    return kwargs, training
