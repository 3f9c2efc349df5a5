"""Symbolic tensors and the graph they record: what a model is before any data comes."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax

from lamina.core import context, dtypes
from lamina.core.variable import StateScope
from lamina.shapes import dims, tracing
from lamina.shapes.conditions import Condition, collecting
from lamina.shapes.errors import ShapeError

F = TypeVar("F", bound=Callable[..., Any])


class KerasTensor:
    """A tensor without values: a shape, a type, and how it comes about.

    Args:
        shape: sizes; ``None`` for an open one, or a name.
        dtype: data type.
        name: a name.

    Attributes:
        shape: Keras's form, ``(None, 10)``.
        dims: the same with expressions for open sizes, ``(batch, 10)``.

    Example:

    >>> import lamina
    >>> x = lamina.Input((10,))
    >>> x.shape, x.dims, (x + 1.0).shape
    ((None, 10), (batch, 10), (None, 10))
    """

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None):
        declared = dims.from_declared(shape)
        if declared and shape[0] is None:
            declared = (dims.BATCH, *declared[1:])
        self._set(declared, dtypes.standardize_dtype(dtype), name)

    def _set(self, shape: Any, dtype: str, name: str | None) -> None:
        self._dims, self._dtype = dims.Dims(shape), dtype
        self.name = name or context.auto_name("keras_tensor")
        self.node: Node | None = None
        self.node_output = 0
        self._keras_mask: Any = None

    @classmethod
    def of_spec(cls, spec: Any, name: str | None = None) -> KerasTensor:
        """A symbolic tensor of that shape and type (dimensions as they are)."""
        tensor = cls.__new__(cls)
        tensor._set(spec.shape, jax.numpy.dtype(spec.dtype).name, name)
        return tensor

    @property
    def spec(self) -> jax.ShapeDtypeStruct:
        """Shape and type, for tracing."""
        return jax.ShapeDtypeStruct(tuple(self._dims), dtypes.canonical(self._dtype))

    @property
    def dims(self) -> dims.Dims:
        return self._dims

    @property
    def shape(self) -> tuple[int | None, ...]:
        return dims.to_public(self._dims)

    @property
    def dtype(self) -> str:
        return self._dtype

    @property
    def ndim(self) -> int:
        return len(self._dims)

    @property
    def _keras_history(self) -> tuple[Any, int, int]:
        operation = self.node.operation if self.node else None
        return (operation, self.node.index if self.node else 0, self.node_output)

    def __len__(self) -> int:
        raise TypeError(f"the symbolic tensor {self.name!r} of shape {self.shape} has no values to count")

    def __bool__(self) -> bool:
        raise TypeError(
            f"the symbolic tensor {self.name!r} of shape {self.shape} has no values, so it is neither true nor false"
        )

    def __iter__(self) -> Any:
        size: Any = self._dims[0] if self._dims else None
        if not dims.is_known(size):
            raise TypeError(f"cannot iterate over the open first axis of a symbolic tensor of shape {self.shape}")
        return (self[i] for i in range(size))  # type: ignore[index]

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ValueError(_NO_VALUES.format(kind="numpy function", shape=self.shape))

    def __jax_array__(self) -> Any:
        raise ValueError(_NO_VALUES.format(kind="jax function", shape=self.shape))

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


_NO_VALUES = (
    "a symbolic tensor of shape {shape} was given to a {kind}, which needs values; "
    "use lamina.ops, or put the computation into a layer's call or a Lambda"
)


class Node:
    """One step of a graph: an operation, what it was called with, and what came out.

    Attributes:
        operation: the layer or function called.
        args, kwargs: its arguments, symbolic tensors among them.
        inputs: the symbolic tensors in the arguments.
        outputs: what it gave: a structure of symbolic tensors.
        index: its place among the calls of the same layer.
        conditions: what it needs of sizes that are open (`shapes.conditions.Condition`).
        name: the layer's name, or one made from the function's.
    """

    def __init__(
        self,
        operation: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outputs: Any,
        index: int = 0,
        conditions: Iterable[Condition] = (),
    ):
        self.operation, self.args, self.kwargs, self.outputs, self.index = operation, args, kwargs, outputs, index
        self.conditions = tuple(conditions)
        self.name: str = getattr(operation, "name", None) or context.auto_name(operation.__name__)
        self.inputs = symbolic_leaves((args, kwargs))
        for place, tensor in enumerate(symbolic_leaves(outputs)):
            tensor.node, tensor.node_output = self, place

    def fill(self, values: dict[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with values (by ``id`` of the symbolic tensor) put in."""
        args, kwargs = jax.tree.map(
            lambda leaf: values[id(leaf)] if isinstance(leaf, KerasTensor) else leaf, (self.args, self.kwargs)
        )
        return args, kwargs


def symbolic_leaves(structure: Any) -> list[KerasTensor]:
    """The symbolic tensors in a structure."""
    return [leaf for leaf in jax.tree.leaves(structure) if isinstance(leaf, KerasTensor)]


def has_symbolic(structure: Any) -> bool:
    """Whether there is a symbolic tensor in a structure."""
    return any(isinstance(leaf, KerasTensor) for leaf in jax.tree.leaves(structure))


def is_keras_tensor(value: Any) -> bool:
    """Whether a value is a symbolic tensor."""
    return isinstance(value, KerasTensor)


def trace_call(function: Callable[..., Any], args: Any, kwargs: Any, *, abstract: bool = False) -> Any:
    """Shapes of ``function(*args, **kwargs)``, where the arguments hold symbolic tensors.

    Variables may be made on the way; assignments to variables are taken back.
    """
    leaves, structure = jax.tree.flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, KerasTensor)]

    def run(*tensors: Any) -> Any:
        filled = list(leaves)
        for place, tensor in zip(places, tensors, strict=True):
            mask = getattr(filled[place], "_keras_mask", None)
            if mask is not None:
                context.masks.set(tensor, jax.numpy.ones(tensor.shape[: len(mask.dims)], "bool"))
            filled[place] = tensor
        new_args, new_kwargs = jax.tree.unflatten(structure, filled)
        with StateScope(may_create=True, abstract=abstract):
            return function(*new_args, **new_kwargs)

    return tracing.trace(run, *(leaves[i].spec for i in places))


def op(function: F) -> F:
    """Let a function of tensors take symbolic ones too: it is traced and recorded, not computed."""

    @functools.wraps(function)
    def operation(*args: Any, **kwargs: Any) -> Any:
        if has_symbolic((args, kwargs)):
            return record(operation, function, args, kwargs)
        return function(*args, **kwargs)

    return operation  # type: ignore[return-value]


def record(operation: Any, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The symbolic result of ``function(*args, **kwargs)``, with the graph node that leads to it."""
    try:
        with collecting() as needed:
            specs = trace_call(function, args, kwargs)
    except (TypeError, ValueError, IndexError) as error:
        failure = _explained(operation, args, kwargs, error)
        if failure is None:
            raise
        for advise in on_failure:
            advise(failure, operation, args, kwargs)
        raise failure from (error if failure is not error else error.__cause__)
    outputs = jax.tree.map(KerasTensor.of_spec, specs)
    Node(operation, args, kwargs, outputs, conditions=needed)
    return outputs


#: Told of an operation on symbolic tensors that failed: the error, the operation and its arguments.
on_failure: list[Callable[[ShapeError, Any, Any, Any], None]] = []


def _explained(operation: Any, args: Any, kwargs: Any, error: Exception) -> ShapeError | None:
    """A `ShapeError` for shapes that jax did not accept; ``None`` for any other error."""
    reason = str(error).splitlines()[0] if str(error) else ""
    shapes = [tuple(t.shape) for t in jax.tree.leaves((args, kwargs)) if hasattr(t, "shape")]
    if isinstance(error, ShapeError):
        error.received = error.received or ", ".join(map(str, shapes))
        return error.about()
    if isinstance(error, IndexError):
        return ShapeError(
            f"a tensor of shape {shapes[0]} has no such entry: {reason[:1].lower()}{reason[1:]}",
            expected=f"an index for {len(shapes[0])} axes or fewer, each within its size",
            received=str(shapes[0]),
        )
    if "shape" not in reason or tracing.is_inconclusive(error):
        return None
    return ShapeError(
        f"`{operation.__name__}` cannot take tensors of the shapes {' and '.join(map(str, shapes))}",
        expected="sizes that agree, or are 1, along every axis" if len(shapes) > 1 else "",
        received=", ".join(map(str, shapes)),
        notes=[("reason", reason)],
    )


def _operator(name: str, keras_name: str) -> Callable[..., Any]:
    function = getattr(operator, name)
    recorded = op(lambda *operands: function(*operands))
    recorded.__name__ = recorded.__qualname__ = keras_name
    return recorded


_ARITHMETIC = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "mod", "pow": "power", "matmul": "matmul", "and": "logical_and", "or": "logical_or", "xor": "logical_xor",
}  # fmt: skip
_OTHERS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "ne": "not_equal", "eq": "equal",
    "getitem": "get_item", "neg": "negative", "abs": "absolute", "invert": "logical_not",
}  # fmt: skip
_names = {**_ARITHMETIC, **_OTHERS}

#: Operators of symbolic tensors, by Keras's name of the operation.
OPERATORS = {shown: _operator(f"__{name}__", shown) for name, shown in _names.items()}

for _name, _shown in _names.items():
    _function = OPERATORS[_shown]
    setattr(KerasTensor, f"__{_name}__", lambda *operands, f=_function: f(*operands))
    if _name in _ARITHMETIC:
        setattr(KerasTensor, f"__r{_name}__", lambda self, other, f=_function: f(other, self))
KerasTensor.__hash__ = lambda self: id(self)  # type: ignore[method-assign]
