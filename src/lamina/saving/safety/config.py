"""JSON out of a file: bounded before it is taken apart, and held against the bytes of weights that come with it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from lamina.core import context
from lamina.saving.safety import limits
from lamina.saving.safety.errors import FileProblem, quote


def read_json(data: bytes | str, source: str) -> Any:
    """Decode a configuration.

    Args:
        data: the JSON text.
        source: what it is, for messages, such as ``"config.json"``.

    Raises:
        FileProblem: it is not JSON, or larger, deeper or stranger than configurations are.
    """
    if not isinstance(data, (bytes, str)):
        raise FileProblem(f"{source}: not text")
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > limits.CONFIG_BYTES:
        raise FileProblem(f"{source}: {len(raw)} bytes; at most {limits.CONFIG_BYTES} are read")
    if raw.count(b"[") + raw.count(b"{") > limits.BRACKETS or raw.count(b",") > limits.CONFIG_VALUES:
        raise FileProblem(f"{source}: more entries than any configuration has")
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, source), parse_int=_whole)
    except RecursionError as error:
        raise FileProblem(f"{source}: nested more than {limits.CONFIG_DEPTH} deep") from error
    except UnicodeDecodeError as error:
        raise FileProblem(f"{source}: not UTF-8 text (at byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise FileProblem(f"{source}: not JSON ({error})") from error
    _check_form(value, source)
    return value


def _whole(digits: str) -> int:
    if len(digits) > 40:
        raise FileProblem(f"a whole number of {len(digits)} digits")
    return int(digits)


def _once(pairs: list[tuple[str, Any]], source: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise FileProblem(f"{source}: the key {quote(twice)} stands twice in one object")
    return found


def _check_form(value: Any, source: str) -> None:
    level = [value]
    for _ in range(limits.CONFIG_DEPTH):
        inner: list[Any] = []
        for entry in level:
            if isinstance(entry, dict):
                _check_keys(entry, source)
                inner.extend(entry.values())
            elif isinstance(entry, list):
                inner.extend(entry)
            elif isinstance(entry, str):
                _check_text(entry, source)
        if not inner:
            return
        level = [entry for entry in inner if isinstance(entry, (dict, list, str))]
    raise FileProblem(f"{source}: nested more than {limits.CONFIG_DEPTH} deep")


def _check_text(text: str, source: str) -> None:
    if len(text) > limits.STRING_LENGTH:
        raise FileProblem(f"{source}: a string of {len(text)} characters")
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:  # half of a pair, which JSON can write and nothing can show
        raise FileProblem(f"{source}: text that is not Unicode, {text[:40]!a}") from error


def _check_keys(entry: dict[str, Any], source: str) -> None:
    for key in entry:
        _check_text(key, source)
        if len(key) > limits.NAME_LENGTH:
            raise FileProblem(f"{source}: a key of {len(key)} characters, {quote(key)}")


@contextlib.contextmanager
def making(config: Any, available_bytes: int | None = None) -> Iterator[None]:
    """Inside, a model is made of a configuration: its numbers and the memory of its weights are bounded.

    Args:
        config: the configuration, decoded.
        available_bytes: bytes of weights in the file; ``None`` where a configuration comes without a file.

    Raises:
        FileProblem: a size is absurd; the message names the layer and the argument.
    """
    check_sizes(config, available_bytes)
    try:
        with context.allowing(context.Allowance(budget(available_bytes))):
            yield
    except context.TooLarge as error:
        raise FileProblem(_explained(error, config)) from error


def budget(available_bytes: int | None) -> int:
    """Bytes that the weights of a model may take which is made for a file that holds so many."""
    if available_bytes is None:
        return limits.CONFIG_WEIGHT_BYTES
    return max(limits.FREE_WEIGHT_BYTES, limits.WEIGHT_RATIO * available_bytes)


def check_sizes(config: Any, available_bytes: int | None = None) -> None:
    """Refuse a configuration whose numbers no model can have, before anything is made of it.

    Args:
        config: the configuration, decoded.
        available_bytes: bytes of weights in the file, which no single size may exceed by far; ``None`` if unknown.

    Raises:
        FileProblem: a number is absurd; the message names the layer and the argument.
    """
    objects = 0
    for layer, key, value in _entries(config):
        if key == "class_name":
            objects += 1
            if objects > limits.OBJECTS:
                raise FileProblem(f"more than {limits.OBJECTS} layers and other objects in one configuration")
        elif isinstance(value, int) and abs(value) > _most(key):
            raise FileProblem(f"{layer or 'configuration'}: `{key}`={value}: more than {_most(key)} is not taken")


def _most(key: str) -> int:
    """The largest whole number that may stand under a key."""
    if "seed" in key or key == "shared_object_id":  # Keras numbers objects by their place in memory
        return limits.SEED
    if key in limits.ENTRIES:
        return limits.ENTRIES[key]
    return limits.AXES if key.split("_")[-1] in ("axis", "axes", "rank", "ndim") else limits.WHOLE_NUMBER


def _entries(config: Any) -> Iterator[tuple[str, str, Any]]:
    """All plain values of a configuration, each with the layer it is in and the key it stands under."""
    pending: list[tuple[Any, str, str]] = [(config, "", "")]
    while pending:
        value, layer, key = pending.pop()
        if isinstance(value, dict):
            layer = _name_of(value, layer) if "class_name" in value else layer
            pending.extend((entry, layer, str(name)) for name, entry in value.items())
        elif isinstance(value, (list, tuple)):
            if len(value) > limits.LISTS.get(key, len(value)):
                raise FileProblem(f"{layer}: `{key}` of {len(value)} entries; at most {limits.LISTS[key]} are taken")
            pending.extend((entry, layer, key) for entry in value)
        else:
            yield layer, key, value


def _explained(error: context.TooLarge, config: Any) -> str:
    """The message with the layer and the argument that made a weight too large."""
    places = error.path.split("/")
    found = [
        (layer, key, value)
        for layer, key, value in _entries(config)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1
        if _is_in(layer, places) and any(size % value == 0 for size in error.shape)
    ]
    if not found:
        return str(error)
    layer, key, value = max(found, key=lambda entry: abs(entry[2]))
    return f"{layer}: `{key}`={value}: {error}"


def _is_in(layer: str, places: list[str]) -> bool:
    """Whether a layer is one of the parts of a weight's path; wrappers put words before names."""
    name = layer.partition(" ")[2].strip("'")
    return bool(name) and any(place == name or place.endswith(f"_{name}") for place in places)


def _name_of(value: dict[str, Any], outer: str) -> str:
    settings = value.get("config")
    name = settings.get("name") if isinstance(settings, dict) else None
    name = name if isinstance(name, str) else value.get("name")
    if isinstance(name, str):
        if len(name) > limits.NAME_LENGTH:
            raise FileProblem(f"a name of {len(name)} characters, {quote(name)}")
        return f"{value.get('class_name')} {name!r}"
    return outer or str(value.get("class_name"))
