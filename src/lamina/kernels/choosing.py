"""Which of several formulations of one computation runs: told when a program is lowered for a platform."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def only_reference() -> bool:
    """Whether ``LAMINA_KERNELS=reference`` asks for the plain formulations."""
    return os.environ.get("LAMINA_KERNELS", "") == "reference"


def on_cpu(ours: Callable[..., Any], reference: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is `ours` in programs for CPUs, and `reference` in others."""
    if only_reference():
        return reference
    return lambda *tensors: jax.lax.platform_dependent(*tensors, cpu=ours, default=reference)


def apart(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that XLA computes by itself, not merged with what comes before and after it."""
    compiled = jax.jit(f)

    def alone(*tensors: Any) -> Any:
        with set_xla_metadata(inlineable="false"):
            return compiled(*tensors)

    return alone


# XLA's default without "individual convolution": that form runs the gradients of kernels on one core. With one spatial
# axis it is as fast as the other, or a little faster.
_OPTION = "xla_cpu_experimental_ynn_fusion_type"
_LIBRARY = "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"
_FLAT = 3  # axes of what a convolution along one axis takes


def compiler_options(program: Any) -> dict[str, str]:
    """What XLA is told for a program, a `jax.extend.core.ClosedJaxpr`, where it understands that.

    Nothing for programs without convolutions over two or more axes, on other devices than the CPU, with
    ``LAMINA_KERNELS=reference``, or where ``XLA_FLAGS`` says it.
    """
    if only_reference() or _OPTION in os.environ.get("XLA_FLAGS", "") or jax.default_backend() != "cpu":
        return {}
    return {_OPTION: _LIBRARY} if _convolves(program.jaxpr, set()) and _is_understood() else {}


def _convolves(jaxpr: Any, seen: set[int]) -> bool:
    """Whether there is a convolution over two or more axes, in functions called from there too."""
    if id(jaxpr) in seen:
        return False
    seen.add(id(jaxpr))
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated" and equation.invars[0].aval.ndim > _FLAT:
            return True
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if _is_program(inner) and _convolves(getattr(inner, "jaxpr", inner), seen):
                return True
    return False


def _is_program(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


@functools.cache
def _is_understood() -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={_OPTION: _LIBRARY}).lower().compile()
    except Exception:  # another version of XLA
        return False
    return True
