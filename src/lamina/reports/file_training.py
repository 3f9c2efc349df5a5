"""What `compile` was given, as a file describes it: in words and as plain values; nothing is made of it."""

from __future__ import annotations

from typing import Any


def settings(described: Any) -> dict[str, Any] | None:
    """Optimizer, loss and metrics by their names; ``None`` where a file has no training settings."""
    if not isinstance(described, dict):
        return None
    optimizer = described.get("optimizer_config", described.get("optimizer"))
    config = optimizer.get("config") if isinstance(optimizer, dict) else None
    rate = config.get("learning_rate", config.get("lr")) if isinstance(config, dict) else None
    named = {key: _names(described.get(key)) for key in ("loss", "metrics", "weighted_metrics")}
    return {"optimizer": _name(optimizer), "learning_rate": _names(rate) if rate is not None else None, **named}


def describe(described: Any) -> str:
    """The same in one line: ``Adam (learning rate 0.001), loss mse, metrics accuracy``."""
    found = settings(described)
    if found is None:
        return ""
    rate = found["learning_rate"]
    shown = f"{rate:.6g}" if isinstance(rate, float) else rate
    parts = [f"{found['optimizer'] or 'no optimizer'}" + (f" (learning rate {shown})" if rate is not None else "")]
    for key in ("loss", "metrics", "weighted_metrics"):
        words = _words(found[key])
        if words:
            parts.append(f"{key.replace('_', ' ')} {words}")
    return ", ".join(parts)


def _name(value: Any) -> Any:
    """The name of what a description stands for; plain values as they are."""
    if not isinstance(value, dict):
        return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
    name, config = value.get("class_name"), value.get("config")
    if name == "function" and isinstance(config, str):
        return config
    if name in ("MeanMetricWrapper", "LossFunctionWrapper") and isinstance(config, dict):
        return _name(config.get("fn")) if not isinstance(config.get("name"), str) else config["name"]
    return str(name).split(">")[-1] if name is not None else None


def _names(value: Any) -> Any:
    """Names in a structure of descriptions."""
    if isinstance(value, (list, tuple)):
        return [_names(entry) for entry in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {str(key): _names(entry) for key, entry in value.items()}
    return _name(value)


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_words, value)))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_words(entry)}" for key, entry in value.items() if _words(entry))
    return "" if value is None else str(value)
