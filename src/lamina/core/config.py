"""Settings: ``keras.json`` and the values that can be changed while a program runs."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamina.core import checks

FLOATS = ("float16", "bfloat16", "float32", "float64")
DATA_FORMATS = ("channels_last", "channels_first")

_values: dict[str, Any] = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}


def _check_floatx(value: Any) -> str:
    return checks.one_of("floatx", value, FLOATS)


def _check_epsilon(value: Any) -> float:
    return checks.real("epsilon", value, low=0.0)


def _check_data_format(value: Any) -> str:
    return checks.one_of("image_data_format", value, DATA_FORMATS)


_checks: dict[str, Callable[[Any], Any]] = {
    "floatx": _check_floatx,
    "epsilon": _check_epsilon,
    "image_data_format": _check_data_format,
}


def home() -> Path:
    """The folder of ``keras.json``: ``$KERAS_HOME``, or ``~/.keras``."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()


def load_file() -> None:
    """Take the settings of ``keras.json``; what cannot be used is named in a warning and the defaults hold."""
    path = home() / "keras.json"
    try:
        if not path.is_file():
            return
        stored = json.loads(path.read_text())
        if not isinstance(stored, dict):
            raise ValueError("it does not hold a JSON object")
    except (OSError, ValueError) as error:
        warnings.warn(f"cannot use {path}: {error}; the default settings hold", stacklevel=2)
        return
    for name, check in _checks.items():
        if name in stored:
            try:
                _values[name] = check(stored[name])
            except ValueError as error:
                warnings.warn(f"{path}: {error}; {_values[name]!r} is used", stacklevel=2)
    if _values["floatx"] == "float64":
        enable_x64()


def enable_x64() -> None:
    """Let JAX compute in 64 bits; it rounds to 32 unless told so."""
    import jax

    if not jax.config.read("jax_enable_x64"):
        jax.config.update("jax_enable_x64", True)


def floatx() -> str:
    """The default float type, such as ``"float32"``.

    >>> import lamina
    >>> lamina.config.floatx()
    'float32'
    """
    return _values["floatx"]


def set_floatx(value: str) -> None:
    """Set the default float type: ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``.

    ``"float64"`` also lets JAX compute in 64 bits.

    Raises:
        ValueError: `value` is none of these.
    """
    _values["floatx"] = _check_floatx(value)
    if value == "float64":
        enable_x64()


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite."""
    return _values["epsilon"]


def set_epsilon(value: float) -> None:
    """Set the small number that keeps divisions and logarithms finite.

    Raises:
        ValueError: `value` is not a finite number of at least 0.
    """
    _values["epsilon"] = _check_epsilon(value)


def image_data_format() -> str:
    """The default order of axes of images: ``"channels_last"`` or ``"channels_first"``."""
    return _values["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set the default order of axes; a layer's own ``data_format=`` wins over it.

    ``"channels_last"`` is ``(batch, height, width, channels)``, ``"channels_first"`` is
    ``(batch, channels, height, width)``.

    Raises:
        ValueError: `data_format` is neither.
    """
    _values["image_data_format"] = _check_data_format(data_format)


def standardize_data_format(data_format: str | None) -> str:
    """The data format an argument stands for: the default where it is ``None``."""
    if data_format is None:
        return image_data_format()
    return checks.one_of("data_format", data_format, DATA_FORMATS)


def backend() -> str:
    """The name of the engine: always ``"jax"``."""
    return "jax"


load_file()
