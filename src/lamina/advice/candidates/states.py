"""States and masks of recurrent layers, and batch sizes that they must know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax

from lamina.advice import names, trying
from lamina.advice.candidates.case import Case
from lamina.core.symbolic import KerasTensor
from lamina.shapes import dims
from lamina.shapes.errors import Fix


def unknown_batch(case: Case) -> Iterator[Fix | None]:
    """A stateful layer in a model whose batch size is open."""
    if not getattr(case.layer, "stateful", False):
        return
    source = case.only_source()
    if source is not None and not dims.is_known(source.dims[0]):
        result = case.trial.attempt(sources={source: (32, *source.dims[1:])})
        if result is not None:
            sample = dims.to_public(source.dims[1:])
            word = "batch_input_shape" if case.declares_input() else "batch_shape"
            value = f"{word}={dims.show_shape((32, *sample))}"
            yield Fix("give the batch size (here 32)", value if case.declares_input() else f"Input({value})",
                      trying.shown(result))  # fmt: skip
    yield case.change(case.layer, "or let each batch start from zero", stateful=False)


def wrong_state(case: Case) -> Iterator[Fix | None]:
    """`initial_state` of another size or number than the layer's states."""
    given = case.trial.kwargs.get("initial_state", case.trial.args[1] if len(case.trial.args) > 1 else None)
    units = getattr(case.layer, "units", None)
    if given is None or units is None:
        return
    states = [leaf for leaf in jax.tree.leaves(given) if hasattr(leaf, "shape")]
    wanted = 2 if type(case.layer).__name__ == "LSTM" else 1
    written = _written_states(case, len(states))
    if len(states) == 1 and wanted == 2:
        yield _with_state(case, [states[0]] * 2, written * 2, "an LSTM has two states, h and c")
    joined = _joined_states(case, states, wanted) if len(states) == 2 * wanted else None
    if len(states) == 4 or (joined is not None and joined.code.endswith("]")):
        yield joined
    if len(states) > wanted:
        said = "state" if wanted == 1 else "two states"
        yield _with_state(case, states[:wanted], written[:wanted], f"give the {said} that it has")
    yield joined
    sizes = {trying.shape_of(s)[-1] for s in states if len(s.shape)}
    if len(sizes) == 1 and len(states) == wanted:
        (size,) = sizes
        if dims.is_known(size) and size != units:
            yield case.change(case.layer, "give the layer as many units as its state has", units=int(size))
            yield _dense_states(case, given, units, written)


def _with_state(case: Case, states: list[Any], written: list[str], title: str) -> Fix | None:
    result = case.trial.attempt(kwargs={"initial_state": states})
    code = f"initial_state=[{', '.join(written)}]"
    return Fix(title, code, trying.shown(result)) if result is not None else None


def _joined_states(case: Case, states: Any, wanted: int) -> Fix | None:
    """States of both directions, side by side."""
    joined = []
    for first, second in zip(states[:wanted], states[wanted:], strict=True):
        a, b = trying.spec_of(first), trying.spec_of(second)
        joined.append(KerasTensor.of_spec(jax.ShapeDtypeStruct((*a.shape[:-1], a.shape[-1] + b.shape[-1]), a.dtype)))
    units = joined[0].dims[-1]
    layer = trying.fresh(case.layer, units=int(units)) if dims.is_known(units) else None
    result = case.trial.attempt(layer=layer, kwargs={"initial_state": joined}) if layer is not None else None
    if result is None:
        return None
    given = _written_states(case, len(states))
    code = ", ".join(f"layers.Concatenate()([{given[i]}, {given[i + wanted]}])" for i in range(wanted))
    more = f' and units={int(units)} in "{case.layer.name}"' if units != case.layer.units else ""
    return Fix("join the states of both directions", f"initial_state=[{code}]{more}", trying.shown(result))


def _written_states(case: Case, count: int) -> list[str]:
    """What the user calls the states."""
    for call in names.calls(case.error.call_site):
        parts = names.elements(names.argument_node(call, "initial_state", 1))
        if len(parts) == count and all(parts):
            return parts
        if len(parts) == 0 and count == 1 and names.argument_node(call, "initial_state", 1) is not None:
            return [names.short(names.argument_node(call, "initial_state", 1)) or "state"]
    return [f"states[{i}]" for i in range(count)]


def _dense_states(case: Case, given: Any, units: int, written: list[str]) -> Fix | None:
    def resized(leaf: Any) -> Any:
        shape = (*trying.shape_of(leaf)[:-1], units)
        return KerasTensor.of_spec(jax.ShapeDtypeStruct(shape, trying.spec_of(leaf).dtype))

    states = jax.tree.map(resized, given)
    result = case.trial.attempt(kwargs={"initial_state": states})
    parts = [f"layers.Dense({units})({name})" for name in written]
    code = f"[{', '.join(parts)}]" if isinstance(given, (list, tuple)) else parts[0]
    title = f"or bring the state to the layer's {units} units"
    return Fix(title, f"initial_state={code}", trying.shown(result)) if result is not None else None


def wrong_attention_mask(case: Case) -> Iterator[Fix | None]:
    """An `attention_mask` with other axes than `(batch, queries, values)`."""
    mask = case.trial.kwargs.get("attention_mask")
    if mask is None or not hasattr(mask, "shape") or "attention_mask" not in case.error.summary:
        return
    written = (names.argument_node(call, "attention_mask", 99) for call in names.calls(case.error.call_site))
    called = next((names.short(node) for node in written if node is not None), "") or "attention_mask"
    values: Any = case.trial.args[1] if len(case.trial.args) > 1 else case.trial.kwargs.get("value", case.trial.args[0])
    queries, keys = case.shape[1], trying.shape_of(values)[1]
    ideas = [
        ("if it is the values' padding: each query has the same", "{}[:, None]"),
        ("the queries come before the values", "ops.swapaxes({}, -1, -2)"),
        ("take as many queries and values as there are", f"{{}}[..., :{queries}, :{keys}]"),
    ]
    for title, code in ideas:
        changed = trying.traced(lambda x, code=code: trying.evaluate(code.format("x"), x=x), trying.spec_of(mask))
        result = None
        if changed is not None:
            result = case.trial.attempt(kwargs={"attention_mask": KerasTensor.of_spec(changed)})
        if result is not None:
            yield Fix(title, f"attention_mask={code.format(called)}", trying.shown(result))


def wrong_mask(case: Case) -> Iterator[Fix | None]:
    """A mask with other axes than `(batch, time)`."""
    mask = case.trial.kwargs.get("mask")
    if mask is None or not hasattr(mask, "shape"):
        return
    shape, wanted = trying.shape_of(mask), case.shape[:2]
    written = (names.argument_node(call, "mask", 99) for call in names.calls(case.error.call_site))
    called = next((names.short(node) for node in written if node is not None), "") or "mask"
    repairs = []
    if len(shape) == 3:
        repairs = [
            (names.indexed(called, "[..., 0]"), shape[:2], "one entry for each step"),
            (f"ops.any({called}, -1)", shape[:2], "one for each step"),
        ]
    elif len(shape) == 2 and tuple(shape) == tuple(reversed(wanted)):
        repairs = [(f"ops.transpose({called})", wanted, "the batch axis comes first")]
    elif len(shape) == 1:
        repairs = [(names.indexed(called, "[None]"), (1, *shape), "the mask has a batch axis, too")]
    elif len(shape) == 2 and dims.is_known(wanted[1]) and dims.is_known(shape[1]):
        more, less = int(shape[1]) - int(wanted[1]), int(wanted[1]) - int(shape[1])
        if more > 0:
            code = names.indexed(called, f"[:, :{wanted[1]}]")
            repairs = [(code, (shape[0], wanted[1]), "as many steps as the input has")]
        if less > 0:
            code = f"ops.pad({called}, ((0, 0), (0, {less})))"
            repairs = [(code, (shape[0], wanted[1]), f"leave the last {less} steps out, which it says nothing of")]
    for code, new, title in repairs:
        tensor = KerasTensor.of_spec(jax.ShapeDtypeStruct(tuple(new), "bool"))
        result = case.trial.attempt(kwargs={"mask": tensor})
        if result is not None:
            yield Fix(title, f"mask={code}", trying.shown(result))
