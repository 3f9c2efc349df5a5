"""Descriptions of models that come without `.h5` files: JSON, and the archives of tf.keras 2."""

from __future__ import annotations

from typing import Any

from lamina.saving.legacy import reading, training
from lamina.saving.legacy.era import Era, era_of
from lamina.saving.legacy.upgrade import upgrade


def model_of_json(description: dict[str, Any]) -> Any:
    """The model of a description by `to_json` of Keras 1, 2 or 3, with new weights."""
    return reading.model_of(description, era_of_json(description), None)


def era_of_json(description: dict[str, Any]) -> Era:
    """Who wrote a description: Keras 1 and 2 noted their version; Keras 3 writes where each class is from."""
    modern = {"registered_name", "module", "build_config"} & set(description)
    return era_of(description.get("keras_version"), description.get("backend"), otherwise=3 if modern else 2)


def of_archive(description: dict[str, Any], version: str) -> dict[str, Any]:
    """The ``config.json`` of an archive of tf.keras 2 in Keras 3's form, with its training settings."""
    era = era_of(version)
    compiled = description.get("compile_config")
    kept = {"build_config": description["build_config"]} if "build_config" in description else {}
    if isinstance(compiled, dict) and compiled:
        optimizer = {"optimizer_config": compiled.get("optimizer")}
        kept["compile_config"] = training.upgrade_settings({**compiled, **optimizer}, era)
    return {**upgrade(description, era), **kept}
