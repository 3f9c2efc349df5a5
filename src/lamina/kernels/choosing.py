"""Which of several formulations of one computation runs: told when a program is lowered for a platform."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax


def only_reference() -> bool:
    """Whether ``LAMINA_KERNELS=reference`` asks for the plain formulations."""
    return os.environ.get("LAMINA_KERNELS", "") == "reference"


def on_cpu(ours: Callable[..., Any], reference: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is `ours` in programs for CPUs, and `reference` in others."""
    if only_reference():
        return reference
    return lambda *tensors: jax.lax.platform_dependent(*tensors, cpu=ours, default=reference)
