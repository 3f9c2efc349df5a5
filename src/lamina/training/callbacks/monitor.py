"""A watched metric: which way is better, and whether it got better."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from typing import Any

from lamina.core import checks
from lamina.training.warn import warn

# Words in the names of metrics of which more, or less, is better.
_MORE = {
    *("acc", "accuracy", "auc", "precision", "recall", "f1", "fbeta", "specificity", "sensitivity", "iou", "io", "r2"),
    *("similarity", "correlation", "positives", "negatives"),
}
_LESS = {
    *("loss", "error", "mse", "mae", "mape", "msle", "rmse", "crossentropy", "hinge", "divergence", "poisson"),
    *("cosh", "logcosh", "false"),
}


class Monitor:
    """Watches one metric of the logs.

    Args:
        owner: the callback's name, for messages.
        name: the metric's name in the logs.
        mode: ``"min"``, ``"max"`` or ``"auto"`` (by the metric).
        min_delta: how much better it must be to count.

    Raises:
        ValueError: `mode` or `min_delta` is no such thing.
    """

    def __init__(self, owner: str, name: str, mode: str = "auto", min_delta: float = 0.0):
        if not isinstance(name, str):
            raise ValueError(f"{owner}: `monitor`={name!r}: expected the name of a metric, such as 'val_loss'")
        self.owner, self.name = owner, name
        self.mode = checks.one_of("mode", mode, ("auto", "min", "max"))
        self.min_delta = abs(checks.real("min_delta", min_delta))
        self._warned = False
        self._sign = {"min": -1.0, "max": 1.0}.get(self.mode, 0.0)

    def read(self, logs: dict[str, Any] | None, model: Any, instead: str = "") -> float | None:
        """The metric's value; ``None``, with a warning the first time, if the logs have none.

        Args:
            logs: the logs of the epoch or batch.
            model: the model, whose metrics may say which way is better.
            instead: what the callback does now, for the warning.

        Raises:
            ValueError: it cannot be told whether more or less of the metric is better.
        """
        value = (logs or {}).get(self.name)
        if value is None:
            self._warn_missing(logs or {}, instead)
            return None
        if not self._sign:
            self._sign = self._direction(model)
        return float(value)

    def better(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best so far; NaN never is."""
        if math.isnan(value):
            return False
        return best is None or math.isnan(best) or self._sign * (value - best) > self.min_delta

    @property
    def worst(self) -> float:
        """A value that anything is better than."""
        return -math.inf if self._sign > 0 else math.inf

    def _direction(self, model: Any) -> float:
        name = self.name.removeprefix("val_")
        for metric in _metrics(model):
            known = {"up": 1.0, "max": 1.0, "down": -1.0, "min": -1.0}.get(getattr(metric, "_direction", None) or "")
            if getattr(metric, "name", None) == name and known:
                return known
        words = re.split(r"[_\W]+", name.lower())
        if any(word in _LESS for word in words):
            return -1.0
        if any(word in _MORE or re.fullmatch(r"(acc|auc|f\d)\d*", word) for word in words) or "top_k" in name.lower():
            return 1.0
        raise ValueError(
            f"{self.owner}: cannot tell whether more or less of `monitor`={self.name!r} is better: "
            "pass mode='max' or mode='min'"
        )

    def _warn_missing(self, logs: dict[str, Any], instead: str) -> None:
        if self._warned:
            return
        self._warned = True
        names = sorted(logs, key=lambda n: -difflib.SequenceMatcher(None, n, self.name).ratio())
        listed = ", ".join(repr(n) for n in names) or "none"
        if self.name.startswith("val_") and names and not any(n.startswith("val_") for n in names):
            hint = "; it needs `validation_data` or `validation_split` in `fit`"
        else:
            hint = checks.did_you_mean(self.name, names)
        warn(f"{self.owner}: there is no metric {self.name!r}{instead}; available: {listed}{hint}")


def _metrics(model: Any) -> Iterator[Any]:
    for metric in getattr(model, "metrics", None) or ():
        yield metric
        yield from _metrics(metric)
