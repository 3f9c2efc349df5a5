"""Names of data types, and the policies that say which one a layer computes and stores in."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core import checks, config, registry

ALLOWED = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128", "string",
)  # fmt: skip
_PYTHON = {bool: "bool", int: "int32", str: "string"}


def standardize_dtype(dtype: Any) -> str:
    """The name of a data type: of ``None`` (the default float), a name, a Python, numpy or JAX type.

    >>> standardize_dtype(float), standardize_dtype("int8")
    ('float32', 'int8')

    Raises:
        ValueError: it is no data type; the message offers near names.
    """
    if dtype is None or dtype is float:
        return config.floatx()
    if isinstance(dtype, type) and dtype in _PYTHON:
        return _PYTHON[dtype]
    if isinstance(dtype, str) and dtype in ALLOWED:
        name = dtype
    elif hasattr(dtype, "name") and dtype.name in ALLOWED:
        name = dtype.name
    else:
        try:
            name = jnp.dtype(dtype).name
        except TypeError:
            name = str(dtype)
        if name not in ALLOWED:
            raise ValueError(f"`dtype`={dtype!r} is no data type{checks.did_you_mean(str(dtype), ALLOWED)}")
    return name


def canonical(dtype: Any) -> str:
    """The data type that JAX will really hold: 64-bit types are 32-bit ones unless 64 bits are enabled."""
    return jax.dtypes.canonicalize_dtype(standardize_dtype(dtype)).name


def is_float(dtype: Any) -> bool:
    """Whether a data type is a floating one."""
    return jnp.issubdtype(jnp.dtype(dtype), jnp.floating)


def is_int(dtype: Any) -> bool:
    """Whether a data type holds whole numbers."""
    return jnp.issubdtype(jnp.dtype(dtype), jnp.integer)


def result_type(*dtypes: Any) -> str:
    """The data type that a computation on these gives.

    >>> result_type("int32", "float16")
    'float16'
    """
    plain = [jnp.dtype(d) if isinstance(d, str) else d for d in dtypes] or [jnp.dtype(config.floatx())]
    return np.dtype(jnp.result_type(*plain)).name


@registry.register("dtype_policy", home="keras")
class DTypePolicy:
    """Says in which type a layer computes and in which it keeps its variables.

    Args:
        name: a float type such as ``"float32"`` (both are that type), or ``"mixed_float16"``,
            ``"mixed_bfloat16"`` (compute in 16 bits, keep variables in float32).

    Example:

    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None):
        if name is None:
            name = config.floatx()
        if not isinstance(name, str):
            raise ValueError(f"a policy's `name` is a string such as 'mixed_bfloat16', not {name!r}")
        self.name = name
        if name in ("mixed_float16", "mixed_bfloat16"):
            self._compute, self._variable = name.removeprefix("mixed_"), "float32"
        else:
            try:
                self._compute = self._variable = standardize_dtype(name)
                if name == "float64":
                    config.enable_x64()
            except ValueError as error:
                known = ("mixed_float16", "mixed_bfloat16", *config.FLOATS)
                hint = checks.did_you_mean(name, known)
                raise ValueError(f"unknown dtype policy {name!r}; expected one of {', '.join(known)}{hint}") from error

    @property
    def compute_dtype(self) -> str:
        """The type computations run in."""
        return self._compute

    @property
    def variable_dtype(self) -> str:
        """The type variables are kept in."""
        return self._variable

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


_default: list[DTypePolicy] = []


def dtype_policy() -> DTypePolicy:
    """The policy of layers that name none."""
    return _default[0] if _default else DTypePolicy(config.floatx())


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    """Set the policy of layers that name none, such as ``"mixed_bfloat16"``."""
    _default[:] = [get_policy(policy)]


def get_policy(identifier: Any) -> DTypePolicy:
    """The policy that ``None``, a name, a data type, a config or a policy stands for."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy(**identifier.get("config", identifier))
    return DTypePolicy(identifier if isinstance(identifier, str) else standardize_dtype(identifier))
