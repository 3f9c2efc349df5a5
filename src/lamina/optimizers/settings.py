"""The arguments that all optimizers share."""

from __future__ import annotations

import inspect
from typing import Any, TypedDict

from lamina.core import checks


class Settings(TypedDict, total=False):
    """The arguments that every optimizer takes, after those of its own."""

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


COMMON = (
    "learning_rate", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum",
    "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps",
)  # fmt: skip


def real_or_none(name: str, value: Any) -> float | None:
    """`value` as a finite number, or ``None``."""
    return None if value is None else checks.real(name, value)


def refuse_unknown(cls: type, kwargs: dict[str, Any]) -> None:
    """Refuse arguments that do not exist; those of Keras 2 are answered with their successors."""
    for name, value in kwargs.items():
        if name == "lr":
            raise ValueError(f"`lr` is now `learning_rate`: write learning_rate={value!r}")
        if name == "decay":
            raise ValueError(
                "`decay` is gone: write learning_rate=lamina.optimizers.schedules.InverseTimeDecay("
                f"initial_learning_rate, decay_steps=1, decay_rate={value!r}), or `weight_decay` if that was meant"
            )
        known = [p for p in inspect.signature(cls).parameters if p not in ("self", "kwargs")]
        raise ValueError(
            f"{cls.__name__} has no argument {name!r}{checks.did_you_mean(name, known)} (it takes {', '.join(known)})"
        )


def spell_out(cls: type, base: type) -> None:
    """Let help() and inspect show the arguments that ``**settings: Unpack[Settings]`` stands for."""
    own = cls.__dict__.get("__init__")
    parameters = list(inspect.signature(own).parameters.values()) if own is not None else []
    if not parameters or parameters[-1].annotation != "Unpack[Settings]":
        return
    common = inspect.signature(base).parameters
    present = {p.name for p in parameters}
    inherited = [p for n, p in common.items() if n not in present]
    own.__signature__ = inspect.Signature([*parameters[:-1], *inherited])  # type: ignore[union-attr]
