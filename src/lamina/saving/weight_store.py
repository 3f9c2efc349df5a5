"""Weights in HDF5 as Keras 3 lays them out: for each layer a group, in it ``vars``, in that ``0``, ``1``, ..."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, BinaryIO

import h5py
import jax.numpy as jnp
import numpy as np

from lamina.core.seeds import SeedGenerator
from lamina.core.variable import StateScope
from lamina.optimizers import Optimizer
from lamina.saving.safety.errors import FileProblem
from lamina.saving.safety.hdf5 import Dataset, Group
from lamina.saving.walking import walk
from lamina.shapes.errors import ShapeError, ShapeWarning

#: Names of groups in Keras 3, and what the first files of this kind (Keras 2.12 to 2.15) call them.
_FORMER = {"layers": "_layer_checkpoint_dependencies"}


class WritingStore(MutableMapping[str, Any]):
    """Where a layer's `save_own_variables` puts its values, by name."""

    def __init__(self, group: h5py.Group):
        self._group = group

    def __setitem__(self, name: str, value: Any) -> None:
        array = np.asarray(value)
        if array.dtype.kind == "V":  # HDF5 has no bfloat16: Keras keeps the bytes, and the name beside them
            self._group.create_dataset(name, data=array.view(f"V{array.dtype.itemsize}"))
            self._group[name].attrs["dtype"] = array.dtype.name
        else:
            self._group.create_dataset(name, data=array)

    def __getitem__(self, name: str) -> Any:
        return self._group[name][()]

    def __delitem__(self, name: str) -> None:
        del self._group[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)


class ReadingStore(Mapping[str, Any]):
    """From where a layer's `load_own_variables` takes its values: arrays, read from the file when asked for."""

    def __init__(self, group: Group | None):
        self._datasets: dict[str, Dataset] = group.datasets if group is not None else {}

    def __getitem__(self, name: str) -> Any:
        dataset = self._datasets[name]
        values = dataset.read()
        return values.view(type_of(dataset)) if values.dtype.kind == "V" else values

    def __iter__(self) -> Iterator[str]:
        return iter(self._datasets)

    def __len__(self) -> int:
        return len(self._datasets)


def type_of(dataset: Dataset) -> np.dtype:
    """The type of an array's values: HDF5 has no bfloat16, so its name stands beside the bytes.

    Raises:
        FileProblem: the type is unknown.
    """
    if dataset.dtype.kind != "V":
        return dataset.dtype
    kind = str(dataset.attributes.get("dtype"))
    if kind != "bfloat16" and not kind.startswith("float8_"):
        raise FileProblem(f"{dataset.path}: values of the unknown type {kind!r}")
    return np.dtype(jnp.dtype(kind))


def write_weights(model: Any, file: h5py.File, include_optimizer: bool = True) -> None:
    """Write all weights, and the optimizer's state if it is wanted."""
    for path, thing in walk(model):
        if isinstance(thing, Optimizer) and not include_optimizer:
            continue
        group = file.create_group(f"{path}/vars")
        group.attrs["name"] = thing.name
        store = WritingStore(group)
        if isinstance(thing, SeedGenerator):
            store["0"] = thing.state
        else:
            thing.save_own_variables(store)


def write_hdf5(model: Any, file: BinaryIO, include_optimizer: bool = True) -> None:
    """Write all weights as a whole HDF5 file into an open one."""
    with h5py.File(file, "w") as opened:
        write_weights(model, opened, include_optimizer)


def read_weights(
    model: Any, root: Group, skip_mismatch: bool = False, objects_to_skip: Iterable[Any] = (), whole: bool = True
) -> None:
    """Set all weights from a file; all of them, or, where something does not fit, none.

    Args:
        model: the model, built.
        root: the file.
        skip_mismatch: whether layers that do not fit are left as they are, with a warning.
        objects_to_skip: layers to leave as they are.
        whole: whether the file stands for the whole model: what it holds beyond is worth a warning.

    Raises:
        ShapeError: a layer has other weights than the file holds for it.
    """
    skipped = {id(thing) for thing in objects_to_skip}
    misfits: list[Exception] = []
    taken: set[str] = set()
    with StateScope(may_create=True) as scope:
        for path, thing in walk(model):
            group = _find(root, path)
            if group is not None:
                taken.add(group.path)
            if id(thing) not in skipped:
                misfits.extend(_read_one(thing, group, path))
        if misfits and not skip_mismatch:
            raise _summed_up(misfits)
        values = [(variable, scope.value_of(variable)) for variable in scope.assigned()]
    for misfit in misfits:
        warnings.warn(f"left as it is: {misfit}", ShapeWarning, stacklevel=3)
    for variable, value in values:
        variable.set_raw(value)
    if whole:
        _tell_of_rest(root, taken)


def _read_one(thing: Any, group: Group | None, path: str) -> list[Exception]:
    """Take the values for one layer; what does not fit is given back."""
    store, kind = ReadingStore(group), f'{type(thing).__name__} "{thing.name}"'
    try:
        if isinstance(thing, SeedGenerator):
            _read_seed(thing, store)
        elif isinstance(thing, Optimizer):
            _read_optimizer(thing, store)
        else:
            thing.load_own_variables(store)
    except (FileProblem, ShapeError) as error:
        if isinstance(error, FileProblem):
            raise
        return [error]
    except ValueError as error:
        return [FileProblem(f"{kind}: /{path}/vars: {error}")]
    except KeyError as error:
        return [FileProblem(f"{kind}: /{path}/vars has no {error}; it holds {sorted(store) or 'nothing'}")]
    return []


def _read_seed(generator: SeedGenerator, store: ReadingStore) -> None:
    """Keras keeps no state of generators; files of Lamina do."""
    if "0" in store and store["0"].shape == (2,):
        generator.state.assign(store["0"])


def _read_optimizer(optimizer: Optimizer, store: ReadingStore) -> None:
    """All of the state or, with a warning, nothing: a model without it trains as well."""
    try:
        with StateScope(may_create=True) as scope:
            optimizer.load_own_variables(store)
            values = [(variable, scope.value_of(variable)) for variable in scope.assigned()]
    except FileProblem:
        raise
    except ValueError as error:
        warnings.warn(f"the state of optimizer {optimizer.name!r} was not loaded: {error}", stacklevel=5)
        return
    for variable, value in values:
        variable.assign(value)


def _summed_up(misfits: list[Exception]) -> Exception:
    first = misfits[0]
    if len(misfits) > 1 and isinstance(first, ShapeError):
        others = "; ".join(str(misfit).splitlines()[0] for misfit in misfits[1:4])
        return first.about(notes=[(f"{len(misfits) - 1} more", others + ("; ..." if len(misfits) > 4 else ""))])
    return first


def _find(root: Group, path: str) -> Group | None:
    """The group with the values for a place."""
    found: Group | None = root
    for step in [*filter(None, path.split("/")), "vars"]:
        inner = found.groups if found is not None else {}
        found = inner.get(step) or inner.get(_FORMER.get(step, step))
    return found


def _tell_of_rest(root: Group, taken: set[str]) -> None:
    """Warn of weights for layers that the model does not have."""
    left = [g.path for g in _groups(root) if g.datasets and g.path not in taken]
    left = [path for path in left if not path.startswith("/optimizer/") and "seed_generator" not in path]
    if left:
        shown = ", ".join(path.removesuffix("/vars") for path in left[:5]) + (", ..." if len(left) > 5 else "")
        warnings.warn(f"the file holds weights for which the model has no layer: {shown}", stacklevel=4)


def _groups(group: Group) -> Iterator[Group]:
    yield group
    for inner in group.groups.values():
        yield from _groups(inner)
