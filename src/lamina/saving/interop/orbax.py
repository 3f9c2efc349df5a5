"""Checkpoints of a model and its training in Orbax's format, as `keras.callbacks.OrbaxCheckpoint` writes them.

A folder of checkpoints has one inner folder for each step. In that are the state tree (`pytree`), what the model is
made of (`model_config`), and files of layers that keep some (`assets`); of weights alone, only the first.
"""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lamina.core import checks, tree
from lamina.core.variable import Variable, drawing_later
from lamina.saving import keras_archive, places, state_tree
from lamina.saving.safety import config as safe_config
from lamina.saving.safety import limits
from lamina.saving.safety.archive import check_folder, inside
from lamina.saving.safety.errors import FileProblem, naming
from lamina.saving.walking import walk

_STATE, _CONFIG, _ASSETS = "pytree", "model_config", "assets"
_MARK = "_CHECKPOINT_METADATA"
_WEIGHTS = state_tree.GROUPS[:2]


def save_orbax(
    model: Any,
    directory: Any,
    step: int | None = None,
    save_weights_only: bool = False,
    max_to_keep: int | None = None,
) -> int:
    """Write a checkpoint of a model and its training: weights, the optimizer's state, random generators, metrics.

    Keras opens it with ``keras.saving.load_model(directory)``, but leaves the weights of a `Sequential` as new. Orbax
    has to be installed: ``pip install 'lamina[orbax]'``.

    Args:
        model: the model, built.
        directory: the folder of checkpoints; this one goes into an inner folder named by its step.
        step: its number; that of the optimizer's steps, if not given. An earlier one of that number is replaced.
        save_weights_only: whether to leave out the optimizer, and what the model is made of.
        max_to_keep: how many of the checkpoints of the folder stay, the last ones; all by default.

    Returns:
        The step.

    Raises:
        ImportError: Orbax is not installed.
        ValueError: the model is not built or cannot be described, or an argument is of the wrong kind.

    Example:

    >>> import lamina, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
    >>> lamina.saving.save_orbax(model, folder, step=5)  # doctest: +SKIP
    5
    >>> lamina.saving.load_orbax(model, folder)  # doctest: +SKIP
    5
    """
    if step is None:
        optimizer = getattr(model, "optimizer", None)
        step = int(optimizer.iterations) if optimizer is not None else max(steps_in(Path(directory)), default=-1) + 1
    step = _checked_step(step)
    checkpoints = Checkpoints(places.target(directory), max_to_keep)
    try:
        checkpoints.save(model, step, save_weights_only)
    finally:
        checkpoints.close()
    return step


def load_orbax(model: Any, directory: Any, step: int | None = None) -> int:
    """Set a model's state from a checkpoint: all that is in it or, where something does not fit, nothing.

    Training goes on where it stopped. Only for checkpoints of your own: Orbax, which reads them, expects no harm.

    Args:
        model: the model, built; compiled, if the checkpoint has the optimizer's state.
        directory: the folder of checkpoints, or one checkpoint in it.
        step: which one; the last by default.

    Returns:
        The step.

    Raises:
        ImportError: Orbax is not installed.
        ShapeError: a value has another shape than its variable.
        ValueError: there is no such checkpoint, it is damaged, or the model has no such variable.
    """
    root, step = _found(places.existing(directory), step)
    checkpointer = _checkpointer(root)
    try:
        found = _described(checkpointer, root, step)
        _restore(checkpointer, root, step, found, state_tree.pairs(model, found[_STATE], str(root / str(step))))
    finally:
        checkpointer.close()
    return step


def load_weights(
    model: Any, path: Path, skip_mismatch: bool = False, by_name: bool = False, objects_to_skip: Iterable[Any] = ()
) -> None:
    """Set the weights from a checkpoint and, where it fits, the optimizer's state.

    Raises:
        ValueError: something does not fit, or an argument is given that means nothing here.
    """
    objects_to_skip = list(objects_to_skip)
    for name, given in {"skip_mismatch": skip_mismatch, "by_name": by_name, "objects_to_skip": objects_to_skip}.items():
        if given:
            raise ValueError(f"`{name}`={given!r}: a checkpoint of Orbax is loaded as a whole")
    root, step = _found(path, None)
    checkpointer = _checkpointer(root)
    try:
        found = _described(checkpointer, root, step)
        state = found[_STATE]
        weights = {group: state[group] for group in _WEIGHTS if group in state}
        optimizer = getattr(model, "optimizer", None)
        wanted = weights if optimizer is None else {k: v for k, v in state.items() if k != "metrics_variables"}
        try:
            pairs = state_tree.pairs(model, wanted, str(root / str(step)))
        except ValueError as error:
            pairs = state_tree.pairs(model, weights, str(root / str(step)))
            kind = type(optimizer).__name__
            warnings.warn(f"the state of the optimizer, {kind}, was not loaded: {error}", stacklevel=3)
        _restore(checkpointer, root, step, found, pairs)
    finally:
        checkpointer.close()


def load_model(path: Path, custom_objects: dict[str, Any] | None, compile: bool, safe_mode: bool) -> Any:
    """The model of a checkpoint, with its state.

    Raises:
        ValueError: the checkpoint holds weights only, or is damaged.
    """
    root, step = _found(path, None)
    checkpointer = _checkpointer(root)
    try:
        found = _described(checkpointer, root, step)
        if _CONFIG not in found:
            raise FileProblem(
                f"{root / str(step)}: holds weights only; make the model as it was, then call model.load_weights"
            )
        size = sum(file.stat().st_size for file in (root / str(step)).rglob("*") if file.is_file())
        texts = checkpointer.load_checkpointables(step, {_CONFIG: None})[_CONFIG]
        config = safe_config.read_json(str(texts.get("config")), _CONFIG)
        with drawing_later():
            with safe_config.making(config, size):
                model = keras_archive.make(config, custom_objects, compile, safe_mode)
            state = dict(found[_STATE])
            if getattr(model, "optimizer", None) is None:
                state = {group: state[group] for group in _WEIGHTS if group in state}
            _restore(checkpointer, root, step, found, state_tree.pairs(model, state, str(root / str(step))))
        if _ASSETS in found:
            _take_assets(model, checkpointer.load_checkpointables(step, {_ASSETS: None})[_ASSETS])
    finally:
        checkpointer.close()
    return model


def is_checkpoint(path: Path) -> bool:
    """Whether a folder is a checkpoint of Orbax, or holds some."""
    return path.is_dir() and ((path / _MARK).is_file() or bool(steps_in(path)))


def steps_in(root: Path) -> list[int]:
    """The steps of the checkpoints in a folder, in order."""
    if not root.is_dir():
        return []
    return sorted(int(entry.name) for entry in root.iterdir() if entry.name.isdecimal() and (entry / _MARK).is_file())


class Checkpoints:
    """Checkpoints of one run, written one after the other.

    Args:
        directory: the folder.
        max_to_keep: how many of the last ones stay; all by default.
    """

    def __init__(self, directory: Any, max_to_keep: int | None = None):
        keep = None if max_to_keep is None else checks.positive_int("max_to_keep", max_to_keep)
        self._checkpointer = _checkpointer(Path(directory), keep)
        self._waiting: Any = None

    def save(self, model: Any, step: int, weights_only: bool = False, background: bool = False) -> None:
        """Write one; in the background, what is written is the state at this moment all the same."""
        if not model.built:
            raise ValueError(f"{model.name!r} has no weights yet: build it, or call it once, before they are saved")
        parts = _parts(model, weights_only)
        self.wait()
        self._waiting = self._checkpointer.save_checkpointables_async(step, parts, overwrite=True)
        if not background:
            self.wait()

    def wait(self) -> None:
        """Until what is being written is written.

        Raises:
            OSError: it could not be.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.result()

    def close(self) -> None:
        """Wait, and let go of the folder."""
        try:
            self.wait()
        finally:
            self._checkpointer.close()


def _checked_step(step: Any) -> int:
    if not checks.is_whole(step) or step < 0:
        raise ValueError(f"`step`={step!r}: expected a whole number of at least 0")
    return int(step)


# Writing


def need_orbax() -> Any:
    """The library, where it is installed."""
    try:
        module = importlib.import_module("orbax.checkpoint.experimental.v1")
    except ImportError as error:
        raise ImportError(
            f"checkpoints of Orbax need the package orbax-checkpoint: pip install 'lamina[orbax]' ({error})"
        ) from error
    logger = logging.getLogger("absl")
    if _is_worth_telling not in logger.filters:
        logger.addFilter(_is_worth_telling)
    return module


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Orbax warns of each part of a checkpoint that has no arrays, such as the text of the configuration."""
    return "Skipping merge of OCDBT checkpoints" not in record.getMessage()


def _checkpointer(root: Path, keep: int | None = None) -> Any:
    orbax = need_orbax()
    policy = None if keep is None else orbax.training.preservation_policies.LatestN(keep)
    return orbax.training.Checkpointer(os.path.abspath(root), preservation_policy=policy)


def _parts(model: Any, weights_only: bool) -> dict[str, Any]:
    state = state_tree.get(model)
    if weights_only:
        return {_STATE: {group: state[group] for group in _WEIGHTS}}
    parts: dict[str, Any] = {_STATE: state, _CONFIG: {"config": keras_archive.describe(model)}}
    assets: dict[str, Any] = {}
    with keras_archive.assets_of(model) as files:
        for name, file in files:
            *folders, last = name.split("/")
            inner = assets
            for folder in folders:
                inner = inner.setdefault(folder, {})
            inner[last] = np.frombuffer(file.read_bytes(), np.uint8)
    return parts | ({_ASSETS: assets} if assets else {})


# Reading


def _found(path: Path, step: int | None) -> tuple[Path, int]:
    """The folder of checkpoints, and the step that is meant."""
    if step is None and (path / _MARK).is_file() and path.name.isdecimal():
        return path.parent, int(path.name)
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path)!r}")
    steps = steps_in(path)
    if not steps:
        raise FileProblem(f"{path}: holds no checkpoint of Orbax")
    if step is not None and _checked_step(step) not in steps:
        raise ValueError(f"`step`={step}: {path} holds the steps {', '.join(map(str, steps[-10:]))}")
    return path, steps[-1] if step is None else int(step)


def _described(checkpointer: Any, root: Path, step: int) -> dict[str, Any]:
    """The parts of a checkpoint, arrays as shapes and types."""
    folder = root / str(step)
    check_folder(folder)
    for file in folder.rglob("_*"):
        if file.is_file() and file.stat().st_size > limits.CONFIG_BYTES:
            raise FileProblem(f"{file}: {file.stat().st_size} bytes; at most {limits.CONFIG_BYTES} are read")
    with naming(folder):
        found = checkpointer.checkpointables_metadata(step).metadata
        if not isinstance(found, dict) or not isinstance(found.get(_STATE), dict):
            raise FileProblem(f"{folder}: has no {_STATE!r}, so it is no checkpoint of a model")
        return found


def _restore(
    checkpointer: Any, root: Path, step: int, found: dict[str, Any], pairs: list[tuple[Variable, Any]]
) -> None:
    """Read the values of these variables, each to where the variable is, and set them when all are there."""
    orbax = need_orbax()
    places = {id(leaf): variable for variable, leaf in pairs}

    def wanted(leaf: Any) -> Any:
        variable = places.get(id(leaf))
        if variable is None:
            return orbax.PLACEHOLDER
        where = getattr(variable._value, "sharding", None) or jax.sharding.SingleDeviceSharding(jax.devices()[0])
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)

    described = tree.map_structure(wanted, found[_STATE])
    with naming(root / str(step)):
        state = checkpointer.load_checkpointables(step, {_STATE: described})[_STATE]
    leaves = zip(tree.flatten(found[_STATE]), tree.flatten(state), strict=True)
    values = {id(leaf): value for leaf, value in leaves}
    for variable, leaf in pairs:
        variable.assign(values[id(leaf)])


def _take_assets(model: Any, assets: Any) -> None:
    """Give layers the files that they wrote."""
    with tempfile.TemporaryDirectory(prefix="lamina-") as name:
        for number, (place, thing) in enumerate(walk(model)):
            if not hasattr(thing, "load_assets"):
                continue
            folder = os.path.join(name, str(number))
            os.makedirs(folder)
            inner = assets
            for step in filter(None, place.split("/")):
                inner = inner.get(step, {}) if isinstance(inner, dict) else {}
            _write_files(inner, folder)
            thing.load_assets(folder)


def _write_files(entries: dict[str, Any], folder: str) -> None:
    for name, value in entries.items():
        target = inside(folder, name)
        if isinstance(value, dict):
            os.makedirs(target)
            _write_files(value, target)
        else:
            Path(target).write_bytes(np.asarray(value, np.uint8).tobytes())
