"""Structures of tensors: nested lists, tuples and dicts with anything else as leaves (``None`` included)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax


def _is_none(value: Any) -> bool:
    return value is None


def is_nested(structure: Any) -> bool:
    """Whether a value is a list, tuple, dict or other container.

    >>> is_nested([1]), is_nested(1)
    (True, False)
    """
    if structure is None or isinstance(structure, (list, tuple, dict)):
        return structure is not None
    return not jax.tree_util.all_leaves([structure])


def flatten(structure: Any) -> list[Any]:
    """The leaves, in order (dicts by sorted key).

    >>> flatten({"b": [1, 2], "a": 3})
    [3, 1, 2]
    """
    return jax.tree.leaves(structure, is_leaf=_is_none)


def unflatten_as(structure: Any, leaves: Iterable[Any]) -> Any:
    """The leaves in the form of `structure`."""
    return jax.tree.unflatten(jax.tree.structure(structure, is_leaf=_is_none), list(leaves))


pack_sequence_as = unflatten_as


def map_structure(function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of the leaves, in the form of the first structure.

    >>> map_structure(lambda a, b: a + b, [1, (2,)], [10, (20,)])
    [11, (22,)]
    """
    return jax.tree.map(function, *structures, is_leaf=_is_none)


def assert_same_structure(a: Any, b: Any) -> None:
    """Refuse two structures that differ.

    Raises:
        ValueError: they differ.
    """
    first, second = (jax.tree.structure(s, is_leaf=_is_none) for s in (a, b))
    if first != second:  # type: ignore[operator]
        raise ValueError(f"the structures differ: {first} and {second}")


def assert_same_paths(a: Any, b: Any) -> None:
    """Refuse two structures whose leaves stand at different places (a list and a tuple count as the same).

    Raises:
        ValueError: they differ.
    """
    first, second = ([p for p, _ in flatten_with_path(s)] for s in (a, b))
    if first != second:
        raise ValueError(f"the structures have leaves at different places: {first} and {second}")


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Each leaf with its path of indices and keys.

    >>> flatten_with_path({"a": [5]})
    [(('a', 0), 5)]
    """
    found = jax.tree_util.tree_flatten_with_path(structure, is_leaf=_is_none)[0]
    return [(tuple(_step(key) for key in path), leaf) for path, leaf in found]


def _step(key: Any) -> Any:
    """The plain index, key or name in one of jax's path entries."""
    return next((getattr(key, name) for name in ("key", "idx", "name") if hasattr(key, name)), key)


def map_shape_structure(function: Callable[..., Any], structure: Any) -> Any:
    """`function` of each shape in a structure of shapes (tuples or lists of sizes are leaves)."""
    return jax.tree.map(function, structure, is_leaf=is_shape)


def flatten_shapes(structure: Any) -> list[Any]:
    """The shapes in a structure of shapes."""
    return jax.tree.leaves(structure, is_leaf=is_shape)


def is_shape(value: Any) -> bool:
    """Whether a value is a shape: a tuple or list of whole numbers, ``None`` or symbolic sizes."""
    return isinstance(value, (tuple, list)) and all(
        d is None or isinstance(d, (int, str)) or type(d).__name__ in ("_DimExpr", "int64", "int32") for d in value
    )


def lists_to_tuples(structure: Any) -> Any:
    """The structure with its lists as tuples.

    >>> lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    if isinstance(structure, dict):
        return {key: lists_to_tuples(entry) for key, entry in structure.items()}
    if isinstance(structure, (list, tuple)):
        entries = [lists_to_tuples(entry) for entry in structure]
        return type(structure)(*entries) if hasattr(structure, "_fields") else tuple(entries)
    return structure


def map_structure_up_to(shallow_structure: Any, function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of the parts of the structures that stand where `shallow_structure` has leaves.

    >>> map_structure_up_to([0, 0], len, [[1, 2], [3]])
    [2, 1]
    """
    return jax.tree.map(lambda _, *parts: function(*parts), shallow_structure, *structures, is_leaf=_is_none)


def traverse(function: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """The structure with every part that `function` gives something for replaced by that.

    `function` is called with the structure, then with each of its parts. ``None`` from it means that the part stays
    and is gone into.

    Args:
        function: takes a part, gives its replacement or ``None``.
        structure: any structure.
        top_down: whether a part is asked about before what is inside, or after.

    >>> traverse(lambda part: -part if isinstance(part, int) else None, [1, (2,)])
    [-1, (-2,)]
    """
    if top_down and (replaced := function(structure)) is not None:
        return replaced
    if isinstance(structure, dict):
        inside: Any = {key: traverse(function, entry, top_down) for key, entry in structure.items()}
    elif isinstance(structure, (list, tuple)):
        entries = [traverse(function, entry, top_down) for entry in structure]
        inside = type(structure)(*entries) if hasattr(structure, "_fields") else type(structure)(entries)
    else:
        inside = structure
    if not top_down and (replaced := function(inside)) is not None:
        return replaced
    return inside
