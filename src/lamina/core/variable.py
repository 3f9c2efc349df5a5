"""`Variable`, the only thing that changes, and the scope in which changes are taken back."""

from __future__ import annotations

import contextlib
import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, context, dtypes, memory

memory.keep()  # here, since the first variable starts JAX

_LARGE = 2**16
_numbers = itertools.count()


@contextlib.contextmanager
def drawing_later() -> Iterator[None]:
    """Large first values are drawn at the end, and only for variables that were given no value inside."""
    outer, context.state.later = context.state.later, []
    try:
        yield
        waiting = context.state.later
    finally:
        context.state.later = outer
    for variable, stand_in, draw in waiting:
        if variable._value is stand_in:
            variable._value = draw()


@contextlib.contextmanager
def drawing_nothing() -> Iterator[None]:
    """Large variables made inside have a shape and a type and take no memory: for looking at a model only."""
    outer, context.state.later = context.state.later, []
    try:
        yield
    finally:
        context.state.later = outer


class Variable:
    """A tensor that can be assigned.

    Args:
        initializer: the first value (anything an array can be made of), or a function ``f(shape, dtype=...)``.
        shape: shape of the value; needed where `initializer` is a function.
        dtype: data type; that of the value, or the default float.
        trainable: whether training changes it.
        autocast: whether layers that compute in another float type read it as that type.
        aggregation: how replicas are combined: ``"none"``, ``"mean"``, ``"sum"`` or ``"only_first_replica"``.
        name: a name.

    Example:

    >>> import lamina
    >>> v = lamina.Variable([1.0, 2.0], name="v")
    >>> v.assign(v + 1.0).numpy().tolist()
    [2.0, 3.0]
    """

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = None,
        name: str | None = None,
    ):
        self.name = name or context.auto_name(type(self).__name__)
        if not isinstance(self.name, str) or "/" in self.name:
            raise ValueError(f"`name`={name!r}: a variable's name is a string without '/'")
        self.path = context.path_of(self.name)
        self.trainable = bool(trainable)
        self.autocast = bool(autocast)
        self.aggregation = checks.one_of(
            "aggregation", aggregation, (None, "none", "mean", "sum", "only_first_replica")
        ) or ("mean" if trainable else "none")
        self.regularizer: Any = None
        self.constraint: Any = None
        self.overwrite_with_gradient = False
        self.number = next(_numbers)
        self._initializer = initializer if callable(initializer) else None
        if self._initializer is not None and shape is None:
            raise ValueError(f"Variable {self.name!r}: `shape` is needed where the initializer is a function")
        scope = context.state.scopes[-1] if context.state.scopes else None
        if scope is not None and not scope.may_create:
            raise ValueError(
                f"variable {self.path!r} is made inside a compiled function, where it could not be kept; "
                f"make it in __init__ or build"
            )
        self._value = self._first_value(initializer, shape, dtype, scope is not None and scope.abstract)

    def _first_value(self, initializer: Any, shape: Any, dtype: Any, abstract: bool) -> jax.Array:
        if self._initializer is not None:
            name = dtypes.canonical(dtype)
            shape = tuple(int(s) for s in shape)
            if context.state.allowance is not None:
                context.state.allowance.take(self.path, shape, np.dtype(name).itemsize)
            if abstract:
                return jnp.zeros(shape, name)
            if context.state.later is not None and math.prod(shape) >= _LARGE:
                stand_in: Any = np.broadcast_to(np.zeros((), jnp.dtype(name)), shape)  # takes no memory
                context.state.later.append((self, stand_in, lambda: self._draw(initializer, shape, name)))
                return stand_in
            return self._draw(initializer, shape, name)
        if isinstance(initializer, Variable):
            initializer = initializer.value
        if dtype is None:
            plain = not hasattr(initializer, "dtype")
            kind = np.asarray(initializer).dtype.kind if plain else ""
            is_double = not plain and initializer.dtype == np.float64  # numpy's default, seldom meant
            kept = {"i": int, "b": bool}.get(kind) if plain else initializer.dtype
            dtype = None if kind == "f" or is_double else kept
        with jax.ensure_compile_time_eval():
            value = jnp.asarray(initializer, dtype=dtypes.canonical(dtype))
        if shape is not None and tuple(shape) != value.shape:
            raise ValueError(f"Variable {self.name!r}: the value has shape {value.shape}, `shape` says {tuple(shape)}")
        return value

    def _draw(self, initializer: Any, shape: tuple[int, ...], dtype: str) -> jax.Array:
        with jax.ensure_compile_time_eval():
            value = jnp.asarray(initializer(shape, dtype=dtype), dtype=dtype)
        if value.shape != shape:
            raise ValueError(f"the initializer of {self.path!r} gave the shape {value.shape}, asked for {shape}")
        return value

    @property
    def value(self) -> jax.Array:
        """The tensor now."""
        cast = context.state.autocast
        if cast is not None and self.autocast and self._value.dtype != cast and dtypes.is_float(self._value.dtype):
            return self._value.astype(cast)
        return self._value

    def assign(self, value: Any) -> Variable:
        """Set the value; its shape must be the variable's.

        Raises:
            ValueError: the shape differs.
        """
        if isinstance(value, Variable):
            value = value.value
        new = jnp.asarray(value, dtype=self._value.dtype)
        if new.shape != self._value.shape:
            raise ValueError(
                f"variable {self.path!r} has shape {self._value.shape}; a value of shape {new.shape} was assigned"
            )
        self.set_raw(new)
        return self

    def set_raw(self, value: jax.Array) -> None:
        """Set the value unchecked, remembering the old one where a scope will want it back."""
        if context.state.scopes:
            context.state.scopes[-1].remember(self)
        self._value = value

    def assign_add(self, value: Any) -> Variable:
        """Add to the value."""
        return self.assign(self._value + jnp.asarray(_plain(value)))

    def assign_sub(self, value: Any) -> Variable:
        """Subtract from the value."""
        return self.assign(self._value - jnp.asarray(_plain(value)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self._value.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._value.size

    @property
    def dtype(self) -> str:
        """Name of the data type, as layers read it."""
        cast = context.state.autocast
        kept = self._value.dtype
        return cast if cast is not None and self.autocast and dtypes.is_float(kept) else kept.name

    def numpy(self) -> np.ndarray:
        """The value as a numpy array."""
        return np.asarray(self._value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.value, dtype=dtype)

    def __jax_array__(self) -> jax.Array:
        return self.value

    def __getitem__(self, index: Any) -> jax.Array:
        return self.value[index]

    def __len__(self) -> int:
        return len(self._value)

    def __float__(self) -> float:
        return float(self._value)

    def __int__(self) -> int:
        return int(self._value)

    def __index__(self) -> int:
        return operator.index(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __hash__(self) -> int:
        return id(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        copy = object.__new__(type(self))
        memo[id(self)] = copy
        copy.__dict__.update(self.__dict__)
        return copy

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self._value.dtype.name}>"


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Variable) else value


def _forward(name: str, reflected: bool) -> Callable[..., Any]:
    function = getattr(operator, name if name != "divmod" else "floordiv")
    if reflected:
        return lambda self, other: function(_plain(other), self.value)
    return lambda self, other: function(self.value, _plain(other))


def _apply(function: Callable[[Any], Any]) -> Callable[[Variable], Any]:
    return lambda self: function(self.value)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    _dunder = _name.rstrip("_")
    setattr(Variable, f"__{_dunder}__", _forward(_name, False))
    setattr(Variable, f"__r{_dunder}__", _forward(_name, True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Variable, f"__{_name}__", _forward(_name, False))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Variable, f"__{_name}__", _apply(getattr(operator, _name)))


class StateScope:
    """Inside, variables have the values given and may be assigned; at the end all is as it was before.

    This is how a program of layers and variables becomes a pure function: swap tracers in, run, read the new
    values with `value_of`, leave.

    Args:
        values: pairs of a variable and its value inside.
        may_create: whether variables may be made inside (they stay).
        abstract: variables made inside hold placeholders of zeros (for working out shapes).
    """

    def __init__(
        self, values: Iterable[tuple[Variable, Any]] = (), *, may_create: bool = False, abstract: bool = False
    ):
        self.values = list(values)
        self.may_create, self.abstract = may_create, abstract
        self._before: dict[int, tuple[Variable, Any]] = {}
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> StateScope:
        context.state.scopes.append(self)
        for variable, value in self.values:
            variable.set_raw(value)
        return self

    def __exit__(self, *_: Any) -> None:
        context.state.scopes.pop()
        for variable, value in self._before.values():
            variable._value = value
        for undo in reversed(self._undo):
            undo()

    def remember(self, variable: Variable) -> None:
        """Keep a variable's value so that it comes back at the end."""
        self._before.setdefault(id(variable), (variable, variable._value))

    def at_end(self, undo: Callable[[], None]) -> None:
        """Run a function at the end (to forget tensors that mean nothing outside)."""
        self._undo.append(undo)

    def value_of(self, variable: Variable) -> Any:
        """The value a variable has inside now."""
        return variable._value

    def assigned(self) -> list[Variable]:
        """The variables that have been given a value inside."""
        return [variable for variable, _ in self._before.values()]


def in_scope() -> bool:
    """Whether assignments are being recorded to be taken back."""
    return bool(context.state.scopes)
