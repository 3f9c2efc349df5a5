"""What every model can do with files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lamina.saving import architecture, compiled, model_files, pickles, state_tree


class Files:
    """Saving and loading. Mixed into `Model`."""

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, include_optimizer: bool = True
    ) -> None:
        """Write the whole model: layers, weights, training settings and the optimizer's state.

        Args:
            filepath: where to: a name that ends in ``.keras``, or in ``.h5`` for the format of Keras 1 and 2.
            overwrite: whether an existing file may be replaced without asking.
            zipped: ``False`` writes a folder, whose name does not end in ``.keras``.
            include_optimizer: whether training settings and the optimizer's state are written.

        Raises:
            ValueError: the name has another ending, or the model cannot be described.
            OSError: the file cannot be written; the earlier one is whole.

        Example:

        >>> import lamina, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.keras"
        >>> model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(2)])
        >>> model.save(path)
        >>> lamina.models.load_model(path).output_shape
        (None, 2)
        """
        model_files.save_model(self, filepath, overwrite, zipped, include_optimizer)

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None) -> None:
        """Write the weights, and the optimizer's state.

        Args:
            filepath: where to: a name that ends in ``.weights.h5``, or in ``.weights.json`` for several files; one that
                ends in ``.h5`` alone gives the layout of Keras 1 and 2, with layers by name, one that ends in
                ``.safetensors`` the weights alone, by their paths.
            overwrite: whether an existing file may be replaced without asking.
            max_shard_size: the most that one of several files holds, in GB.

        Raises:
            ValueError: the name has another ending, or the model is not built.
            OSError: the file cannot be written; the earlier one is whole.
        """
        model_files.save_weights(self, filepath, overwrite, max_shard_size)

    def load_weights(
        self,
        filepath: Any,
        skip_mismatch: bool = False,
        by_name: bool = False,
        objects_to_skip: Iterable[Any] = (),
    ) -> None:
        """Set the weights from a file; all of them, or, where something does not fit, none.

        Args:
            filepath: a file of weights, or a whole model, that Lamina or Keras wrote; ``.safetensors``; or a folder of
                checkpoints of Orbax, of which the last is taken.
            skip_mismatch: whether layers that do not fit are left as they are, with a warning.
            by_name: for ``.h5`` files of Keras 1 and 2: match layers by name instead of by their order.
            objects_to_skip: layers to leave as they are.

        Raises:
            ShapeError: a layer has other weights than the file holds for it; nothing is set then.
            ValueError: it is no file of weights, or is damaged.
            OSError: there is no such file, or it may not be read.
        """
        model_files.load_weights(self, filepath, skip_mismatch, by_name, objects_to_skip)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """The whole state as a tree of arrays, which JAX's functions take: weights, optimizer, metrics.

        Args:
            value_format: ``"backend_tensor"`` gives JAX arrays, ``"numpy_array"`` numpy arrays.

        Returns:
            A dict with ``"trainable_variables"``, ``"non_trainable_variables"``, ``"optimizer_variables"`` and
            ``"metrics_variables"``. In each, the parts of a variable's path lead to its value. Where two variables
            have one path, the second has ``_1`` at the end.

        Raises:
            ValueError: `value_format` is neither.

        Example:

        >>> import lamina
        >>> model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(3, name="dense")], name="small")
        >>> model.get_state_tree()["trainable_variables"]["small"]["dense"]["kernel"].shape
        (2, 3)
        """
        return state_tree.get(self, value_format)

    def set_state_tree(self, tree: dict[str, Any]) -> None:
        """Set the state from a tree, or a part of one; all that is in it or, where something is wrong, nothing.

        Args:
            tree: as `get_state_tree` gives it. An optimizer that has made no step yet takes its state. Metrics that
                have seen no data yet have no variables, and theirs are passed over. Where the layers of the model have
                other numbers in their names (``dense_7``), they are matched in order, if everything then fits.

        Raises:
            ShapeError: a value has another shape than its variable.
            ValueError: there is no such variable, or a value is no array of numbers.
        """
        state_tree.set_(self, tree)

    def to_json(self, **kwargs: Any) -> str:
        """What the model is made of, without weights, as JSON; `lamina.models.model_from_json` makes it again.

        Args:
            kwargs: arguments for `json.dumps`, such as ``indent``.
        """
        return architecture.to_json(self, **kwargs)

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as plain values; an empty dict for a model that is not compiled."""
        return compiled.describe(self)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile the model as it was when `get_compile_config` described it.

        Settings that stand for nothing here are named in a warning, and the model stays as it is.
        """
        compiled.restore(self, config)

    def __reduce__(self) -> tuple[Any, ...]:
        return pickles.reduced(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return pickles.copied(self, memo)
