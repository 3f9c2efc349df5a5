"""Cells of any kind: what they start from, what they must give, and a loop that calls them at each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.variable import StateScope
from lamina.layers.layer import Layer
from lamina.layers.recurrent.cell import RecurrentCell
from lamina.layers.recurrent.loop import Plan, run
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError


def check_cell(cell: Any) -> Any:
    """`cell`, if it is one.

    Raises:
        ValueError: it has no `call`, or no `state_size`, or is a whole recurrent layer.
    """
    if isinstance(cell, Layer) and hasattr(cell, "return_sequences"):
        kind = type(cell).__name__
        raise ValueError(f"`cell`={cell!r} is a whole layer, not a cell that computes one step, such as {kind}Cell(32)")
    if not hasattr(cell, "call") and not callable(cell):
        raise ValueError(f"`cell`={cell!r}: expected a recurrent cell such as LSTMCell(32), or a list of cells")
    if not hasattr(cell, "state_size"):
        raise ValueError(
            f"`cell`={cell!r} is no recurrent cell: it has no `state_size`, "
            f"a whole number or a list of them, one for each state"
        )
    return cell


def initial_states(cell: Any, batch_size: Any, dtype: str) -> list[Any]:
    """What a sequence starts from: the cell's `get_initial_state`, else zeros of its `state_size`."""
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch_size)
        return list(states) if isinstance(states, (list, tuple)) else [states]
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    return [jnp.zeros((batch_size, *(s if isinstance(s, (list, tuple)) else (s,))), dtype) for s in sizes]


def state_names(cell: Any, count: int) -> Sequence[str]:
    """What each of the states is called in messages."""
    names = getattr(cell, "state_names", ())
    return names if len(names) == count else [f"state {i}" for i in range(count)]


def fit_states(owner: str, given: Any, like: list[Any], names: Sequence[str], argument: str) -> list[Any]:
    """The states that were given, in the structure and type of those that they stand for.

    Raises:
        ShapeError: their number or a shape differs; the message names the state.
    """
    wanted, structure = jax.tree.flatten(like)
    states = jax.tree.leaves(given)
    if len(states) != len(wanted):
        raise ShapeError(
            f"{owner}: `{argument}` takes {_count(len(wanted))}; {_count(len(states))} came",
            expected=", ".join(f"{n} {dims.show_shape(w.shape)}" for n, w in zip(names, wanted, strict=True)),
            received=", ".join(dims.show_shape(jnp.shape(s)) for s in states),
        )
    for place, (name, state, one) in enumerate(zip(names, states, wanted, strict=True)):
        if differs(jnp.shape(state), one.shape):
            raise ShapeError(
                f"{owner}: {argument}[{place}] ({name}) does not fit",
                expected=f"{dims.show_shape(one.shape)}   (batch, ...)",
                received=dims.show_shape(jnp.shape(state)),
            )
    return jax.tree.unflatten(structure, [jnp.asarray(s, w.dtype) for s, w in zip(states, wanted, strict=True)])


def differs(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether two shapes are certainly different (open sizes may turn out equal)."""
    known = (dims.is_known(i) and dims.is_known(j) and i != j for i, j in zip(a, b, strict=False))
    return len(a) != len(b) or any(known)


def _count(number: int) -> str:
    return f"{number} state{'' if number == 1 else 's'}"


def call_cell(cell: Any, inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    """Output and new states of one step, the states in the structure they came in.

    Raises:
        ValueError: the cell does not return ``(output, new_states)``.
        ShapeError: a new state has another shape than the one before it.
    """
    result = cell(inputs, states) if callable(cell) else cell.call(inputs, states)
    owner = f'{type(cell).__name__} "{cell.name}"' if isinstance(cell, Layer) else type(cell).__name__
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise ValueError(f"{owner}: a recurrent cell's call returns (output, new_states), not {type(result).__name__}")
    names = state_names(cell, len(jax.tree.leaves(states)))
    return result[0], fit_states(owner, result[1], states, names, "new_states")


def recur_cell(cell: Any, inputs: Any, mask: Any, states: list[Any], plan: Plan) -> tuple[Any, Any, Any]:
    """Call a cell at each step of the inputs `(time, batch, ...)`.

    What the cell changes besides its states (random generators, moving averages) goes from step to step, and the
    losses that it adds are summed.

    Returns:
        Outputs and last states as from `run`; the sum of the losses, or ``None`` if the cell added none.
    """
    layers = cell._flatten_layers() if isinstance(cell, Layer) else []
    variables = [v for v in cell.variables if not v.trainable] if isinstance(cell, Layer) else []
    adds_losses = False

    def body(value: Any, before: Any, rest: Any) -> tuple[Any, Any, Any]:
        nonlocal adds_losses
        values, total = rest
        with StateScope(zip(variables, values, strict=True), may_create=True) as scope:
            counts = [len(layer._losses) for layer in layers]
            output, after = call_cell(cell, value, before)
            added = [loss for layer, n in zip(layers, counts, strict=True) for loss in layer._losses[n:]]
            adds_losses = adds_losses or bool(added)
            values = [scope.value_of(variable) for variable in variables]
        return output, after, (values, sum((jnp.sum(loss) for loss in added), total))

    rest = ([variable._value for variable in variables], jnp.zeros(()))
    outputs, states, (values, total) = run(body, inputs, mask, states, rest, plan)
    for variable, value in zip(variables, values, strict=True):
        variable.set_raw(value)
    return outputs, states, total if adds_losses else None


def cells_with_dropout(cell: Any) -> list[RecurrentCell]:
    """The cells inside, this one included, that may hold dropout masks."""
    layers = cell._flatten_layers() if isinstance(cell, Layer) else []
    return [layer for layer in layers if isinstance(layer, RecurrentCell)]
