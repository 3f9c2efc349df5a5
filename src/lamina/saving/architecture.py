"""Models without weights, as JSON: in Keras 3's form, and out of that of Keras 1, 2 and 3."""

from __future__ import annotations

import importlib
import json
from typing import Any

from lamina.core import lambdas, registry, sharing
from lamina.saving.safety.config import read_json
from lamina.saving.safety.errors import FileProblem, naming


def to_json(model: Any, **kwargs: Any) -> str:
    """What a model is made of, without weights, as JSON.

    Args:
        model: the model.
        kwargs: arguments for `json.dumps`, such as ``indent``.
    """
    with sharing.writing_file():
        return json.dumps(registry.serialize(model), **kwargs)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model that JSON describes, with new weights.

    Args:
        json_string: what `Model.to_json` of Lamina or of Keras 1, 2 or 3 gave.
        custom_objects: classes and functions of yours that it names.

    Raises:
        ValueError: it is malformed, or names what is unknown.

    Example:

    >>> import lamina
    >>> model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(2)])
    >>> lamina.models.model_from_json(model.to_json()).output_shape
    (None, 2)
    """
    if not isinstance(json_string, (str, bytes)):
        raise ValueError(f"`json_string`={json_string!r}: expected a string of JSON")
    with naming("`json_string`"), registry.custom_object_scope(custom_objects or {}), lambdas.allowing(False):
        description = read_json(json_string, "`json_string`")
        if not isinstance(description, dict):
            raise FileProblem("`json_string`: a model's description is an object with a 'class_name'")
        return _descriptions().model_of_json(description)


def of_archive(description: Any, version: Any) -> Any:
    """The ``config.json`` of a `.keras` archive in Keras 3's form: tf.keras 2 wrote such archives from 2.12 on.

    Args:
        description: what the file holds.
        version: the Keras that wrote it, as its ``metadata.json`` has it.

    Raises:
        ValueError: an old description is malformed, or asks for what has no counterpart.
    """
    old = isinstance(version, str) and version.startswith("2.") and isinstance(description, dict)
    return _descriptions().of_archive(description, version) if old else description


def _descriptions() -> Any:
    """Descriptions of Keras 1 and 2, with their tables, only where they are needed."""
    return importlib.import_module("lamina.saving.legacy.descriptions")
