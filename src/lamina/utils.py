"""What programs need around a model: seeds, labels as one-hot vectors, padding, splits, registered names."""

from __future__ import annotations

import gc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, context, seeds
from lamina.core.dtypes import standardize_dtype
from lamina.core.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from lamina.core.registry import deserialize as deserialize_keras_object
from lamina.core.registry import serialize as serialize_keras_object
from lamina.core.seeds import set_random_seed
from lamina.core.symbolic import is_keras_tensor
from lamina.losses import fitting
from lamina.preprocessing.sequence import pad_sequences
from lamina.shapes import dims, errors
from lamina.training.feeding import PyDataset
from lamina.training.steps import pack_x_y_sample_weight, unpack_x_y_sample_weight

Sequence = PyDataset

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "is_keras_tensor",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "standardize_dtype",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


def clear_session(free_memory: bool = True) -> None:
    """Start afresh: layers are numbered from the beginning, and compiled programs are forgotten.

    Args:
        free_memory: whether to collect what is no longer used, compiled programs included.

    Example:

    >>> import lamina
    >>> lamina.utils.clear_session()
    >>> lamina.layers.Dense(3).name
    'dense'
    """
    context.reset_names()
    dims.forget_labels()
    errors.forget_warnings()
    fitting.forget_told()
    seeds.forget_global_generator()
    if free_memory:
        jax.clear_caches()
        gc.collect()


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Class numbers as one-hot vectors: ``(...)`` to ``(..., num_classes)``, in floats.

    A last axis of size 1 is dropped first, as labels often come in the shape ``(samples, 1)``.

    Args:
        x: whole numbers from 0 to ``num_classes - 1``.
        num_classes: number of classes; one more than the largest number by default.

    Raises:
        ValueError: a number is negative or too large, or not whole.

    Example:

    >>> import lamina
    >>> lamina.utils.to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    given = np.asarray(x)
    if given.dtype.kind not in "iufb":
        raise ValueError(f"`x` holds {given.dtype}; to_categorical takes class numbers: number the classes first")
    labels = given.astype("int64")
    if (labels != given).any():
        raise ValueError("`x` holds numbers that are not whole; class numbers are 0, 1, 2, ...")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    least, most = (int(labels.min()), int(labels.max())) if labels.size else (0, -1)
    count = most + 1 if num_classes is None else checks.positive_int("num_classes", num_classes)
    if least < 0 or most >= count:
        wrong = least if least < 0 else most
        raise ValueError(f"`x` holds the class number {wrong}; with {count} classes they are 0 to {count - 1}")
    vectors = np.eye(count)[labels]
    return jnp.asarray(vectors, standardize_dtype(None)) if isinstance(x, jax.Array) else vectors


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """`x` divided by its norm along an axis, which is then 1; where it is 0, `x` stays.

    Args:
        x: an array.
        axis: the axis to take the norm along.
        order: order of the norm; 2 is the Euclidean one.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> lamina.utils.normalize(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    xp = jnp if isinstance(x, jax.Array) else np
    norm = xp.linalg.norm(xp.asarray(x), ord=order, axis=axis, keepdims=True)
    return xp.asarray(x) / xp.where(norm == 0, 1, norm)


_SPLINES = {"ortho": "ortho", "curved": "curved", "spline": "curved", "line": "line", "polyline": "line"}


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """Draw a model's layers, as `lamina.shapes.draw` does, with Keras's arguments.

    Args:
        model: a model that is built.
        to_file: where to: SVG needs nothing, PNG, PDF and JPEG need matplotlib; ``None`` writes nothing.
        show_shapes: whether to write shapes, with the names of the axes, on the arrows.
        show_dtype: whether to write data types there.
        show_layer_names: whether to show names, and not only classes.
        rankdir: which way it flows: ``"TB"``, ``"BT"``, ``"LR"`` or ``"RL"``.
        expand_nested: whether to draw the layers of models inside.
        dpi: dots per inch.
        show_layer_activations: whether to show the layers' activations.
        show_trainable: whether to show which layers train.
        splines: how arrows run: ``"ortho"``, ``"curved"`` (or ``"spline"``), ``"line"`` (or ``"polyline"``).

    Returns:
        The drawing, which a notebook shows.

    Raises:
        ValueError: an argument is not what is said here, or the model is not built.
        ImportError: the file's format needs matplotlib, and it is not installed.
    """
    from lamina.reports.draw import draw

    return draw(
        model,
        to_file,
        show_shapes=show_shapes,
        show_dtype=show_dtype,
        show_layer_names=show_layer_names,
        rankdir=rankdir,
        expand_nested=expand_nested,
        dpi=dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        lines=_SPLINES[checks.one_of("splines", splines, tuple(_SPLINES))],
    )
