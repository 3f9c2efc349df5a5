"""The calls of a graph as Keras 1 and 2 wrote them, in the form of Keras 3.

There a call was a list of the tensors it took, each ``[layer, number of the call, number of the output, keyword
arguments]``; now it is ``{"args": [...], "kwargs": {...}}`` with tensors in their places.
"""

from __future__ import annotations

from typing import Any

from lamina.saving.legacy import tables

Config = dict[str, Any]
_CONSTANT = "_CONSTANT_VALUE"


def upgrade_calls(settings: Config) -> Config:
    """The config of a functional model with its calls, inputs and outputs in Keras 3's form.

    Raises:
        ValueError: a call is malformed, or speaks of a layer that is not there.
    """
    return _Calls(settings).upgraded()


class _Calls:
    def __init__(self, settings: Config):
        self.settings = settings
        self.entries = [entry for entry in settings["layers"] if isinstance(entry, dict)]
        self.names = {_name(entry) for entry in self.entries}
        self.first: dict[str, int] = {}
        for entry in self.entries:
            self._count(entry.get("inbound_nodes", []))
        self._count([settings.get("input_layers"), settings.get("output_layers")])

    def _count(self, value: Any) -> None:
        """Note the lowest number by which the calls of each layer are referred to.

        A model inside counts the graph it was made of as a call of its own, so that those that follow begin at 1.
        """
        if self._is_reference(value):
            name, call = value[0], value[1]
            self.first[name] = min(call, self.first.get(name, call))
            value = value[3:]
        if isinstance(value, (list, dict)):
            for entry in value.values() if isinstance(value, dict) else value:
                self._count(entry)

    def _is_reference(self, value: Any) -> bool:
        if not isinstance(value, list) or len(value) not in (3, 4) or value[0] not in self._known(value[0]):
            return False
        return all(isinstance(number, int) and not isinstance(number, bool) for number in value[1:3])

    def _known(self, name: Any) -> Any:
        return self.names if isinstance(name, str) else ()

    def upgraded(self) -> Config:
        """The whole config."""
        layers = [self._entry(entry) for entry in self.entries]
        inputs, outputs = (self._ends(self.settings.get(key)) for key in ("input_layers", "output_layers"))
        return {**self.settings, "layers": layers, "input_layers": inputs, "output_layers": outputs}

    def _ends(self, value: Any) -> Any:
        if self._is_reference(value):
            return self._place(value)
        if isinstance(value, dict):
            return {key: self._ends(entry) for key, entry in value.items()}
        if not isinstance(value, list):
            raise ValueError(f"expected references such as ['dense', 0, 0] in the config, not {str(value)[:80]}")
        return [self._ends(entry) for entry in value]

    def _place(self, reference: list[Any]) -> list[Any]:
        name, call, output = reference[:3]
        return [name, call - self.first.get(name, 0), output]

    def _tensor(self, reference: list[Any]) -> Config:
        return {"class_name": "__keras_tensor__", "config": {"keras_history": self._place(reference)}}

    def _entry(self, entry: Config) -> Config:
        calls = entry.get("inbound_nodes") or []
        if not isinstance(calls, list):
            raise ValueError(f"layer {_name(entry)!r}: 'inbound_nodes' is no list")
        described = [call if isinstance(call, dict) and "args" in call else self._call(entry, call) for call in calls]
        return {**entry, "name": _name(entry), "inbound_nodes": described}

    def _call(self, entry: Config, call: Any) -> Config:
        kwargs: Config = {}
        first = self._inputs(call, kwargs, entry)
        kwargs = {key: self._value(value) for key, value in kwargs.items()}
        name = tables.CLASSES.get(str(entry.get("class_name")), str(entry.get("class_name")))
        if isinstance(first, list) and len(first) == 1 and name not in {*tables.TAKE_LISTS, "Merge"}:
            first = first[0]
        if name in tables.RECURRENT and isinstance(first, list):
            kwargs["initial_state"] = first[1:]
            first = first[0]
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        described: Config = {"args": [first], "kwargs": kwargs}
        return {**described, "given": ["training"]} if "training" in kwargs else described

    def _inputs(self, value: Any, kwargs: Config, entry: Config) -> Any:
        """The tensors of a call in their structure; the keyword arguments that stand with them are collected."""
        if isinstance(value, list) and len(value) in (3, 4) and value[0] == _CONSTANT:
            kwargs.update(value[3] if len(value) == 4 else {})
            return value[2]
        if self._is_reference(value):
            kwargs.update(value[3] if len(value) == 4 and isinstance(value[3], dict) else {})
            return self._tensor(value)
        if isinstance(value, list) and not (value and isinstance(value[0], str)):
            return [self._inputs(part, kwargs, entry) for part in value]
        if isinstance(value, dict):
            return {key: self._inputs(part, kwargs, entry) for key, part in value.items()}
        raise ValueError(f"layer {_name(entry)!r} is called on {str(value)[:80]}, which no layer in the config gives")

    def _value(self, value: Any) -> Any:
        """The value of a keyword argument, which may be a tensor or hold some."""
        if self._is_reference(value):
            return self._tensor(value)
        if isinstance(value, list):
            if len(value) in (3, 4) and value[0] == _CONSTANT:
                return value[2]
            return [self._value(part) for part in value]
        if isinstance(value, dict):
            return {key: self._value(part) for key, part in value.items()}
        return value


def _name(entry: Config) -> str:
    settings = entry.get("config")
    name = entry.get("name", settings.get("name") if isinstance(settings, dict) else None)
    if not isinstance(name, str):
        raise ValueError(f"an entry of the config ({entry.get('class_name')}) has no name")
    return name
