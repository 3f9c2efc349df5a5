"""`StackedRNNCells`: cells one above the other, as one cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.core import registry
from lamina.layers.layer import Layer
from lamina.layers.recurrent import custom
from lamina.layers.recurrent.cell import RecurrentCell


@registry.register("layer")
class StackedRNNCells(Layer):
    """Cells one above the other, as one cell: each takes the output of the one below it.

    Args:
        cells: the cells, lowest first.

    Shapes:
        Input `(batch, features)` and a list with the states of each cell; output `(batch, units)` of the last cell and
        the new states.

    Raises:
        ValueError: `cells` is no list of recurrent cells.

    Example:

    >>> import lamina
    >>> import numpy as np
    >>> cells = [lamina.layers.LSTMCell(4), lamina.layers.GRUCell(2)]
    >>> lamina.layers.RNN(lamina.layers.StackedRNNCells(cells))(np.ones((1, 5, 3))).shape
    (1, 2)
    """

    built_axes = ("features",)

    def __init__(self, cells: Sequence[Any], **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ValueError(f"`cells`={cells!r}: expected a list of recurrent cells")
        self.cells = [custom.check_cell(cell) for cell in cells]

    @property
    def signature(self) -> str:  # type: ignore[override]
        """With named axes where all cells are Lamina's own."""
        if not all(isinstance(cell, RecurrentCell) for cell in self.cells):
            return "batch ... -> batch ..., batch ..."
        states = sum(len(cell.state_names) for cell in self.cells)
        return "batch features -> " + ", ".join(["batch units"] * (1 + states))

    @property
    def state_size(self) -> list[Any]:
        """The `state_size` of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size(self.cells[-1])

    @property
    def state_names(self) -> list[str]:
        """What the states are, for messages."""
        return [
            f"cell {i}: {name}"
            for i, cell in enumerate(self.cells)
            for name in custom.state_names(cell, len(custom.initial_states(cell, 1, self.compute_dtype)))
        ]

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """What each cell starts from, a list of states `(batch, ...)` for each."""
        return [custom.initial_states(cell, batch_size, self.compute_dtype) for cell in self.cells]

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(shape)
            size = output_size(cell)
            shape = (shape[0], *(size if isinstance(size, (list, tuple)) else (size,)))

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        after = []
        for cell, before in zip(self.cells, states, strict=True):
            inputs, new = custom.call_cell(cell, inputs, before)
            after.append(new)
        return inputs, after

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """New cells from a config; their weights are new."""
        with registry.custom_object_scope(custom_objects or {}):
            return super().from_config(config)


def output_size(cell: Any) -> Any:
    """The size of a cell's output: its `output_size`, else that of its first state."""
    if getattr(cell, "output_size", None) is not None:
        return cell.output_size
    return cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size
