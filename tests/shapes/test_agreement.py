"""A trace over open sizes and the real output agree; a size is refused while tracing exactly if it is when running.

Layers, configurations and sizes are drawn: the sizes around those that fit, so that some are refused.
"""

import collections
import warnings

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from noting import Recorder, during
from tests.layers.test_registry import LAYERS

import lamina
from lamina.layers.checking import signature_of
from lamina.shapes import dims
from lamina.shapes.errors import ShapeError

FUNCTIONS = {
    "cut": lambda x: x[:, 1:],
    "every second": lambda x: x[:, ::2],
    "padded": lambda x: jnp.pad(x, [(0, 0), (2, 1)] + [(0, 0)] * (x.ndim - 2)),
    "halves": lambda x: jnp.concatenate(jnp.split(x, 2, axis=1), -1),
    "loop": lambda x: jnp.stack([x[:, i] for i in range(x.shape[1])], -1),
    "pairs": lambda x: jnp.reshape(x, (x.shape[0], -1, 2)),
    "six": lambda x: jnp.reshape(x, (x.shape[0], 6)),
    "twelve": lambda x: jnp.reshape(x, (x.shape[0], 3, 4)),
    "fixed": lambda x: x + jnp.ones((4,)),
    "product": lambda x: x @ jnp.ones((3, 2)),
}
PHASES = (Phase.explicit, Phase.generate)  # what is drawn is small: shrinking would take longer than it helps
SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}
MOVES = st.lists(st.integers(-5, 6), min_size=4, max_size=4)


def user_functions():
    shapes = st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple)
    return st.tuples(st.sampled_from(sorted(FUNCTIONS)), shapes)


@st.composite
def cases(draw):
    """A layer's maker, its inputs' shapes of one sample, which axes are open, and how far their sizes move."""
    if draw(st.integers(0, 5)) == 0:
        name, shape = draw(user_functions())
        return f"Lambda {name}", lambda: lamina.layers.Lambda(FUNCTIONS[name]), [shape], False, draw(MOVES)
    name = draw(st.sampled_from(sorted(set(LAYERS) - {"Lambda"})))
    config, shape = draw(LAYERS[name])
    several = isinstance(shape, list)
    return name, lambda: getattr(lamina.layers, name)(**config), shape if several else [shape], several, draw(MOVES)


def open_axes(layer, shape, place):
    """The axes after the batch whose size the weights do not depend on."""
    if type(layer).__name__ in ("EinsumDense", "PReLU"):  # an equation; a weight for every entry
        return []
    signature = signature_of(layer)
    names = signature.input_axes(place).match((None, *shape)) if signature is not None else None
    fixed = {"channels", "features", *layer.built_axes}
    if names is None or type(layer).__name__ in ("BatchNormalization", "LayerNormalization", "Flatten"):
        return list(range(len(shape) - 1)) if names is not None else list(range(len(shape)))
    if "..." in names[1:] and "features" not in names and layer.built_axes == ():
        return list(range(len(shape)))
    return [i for i, name in enumerate(names[1:]) if name not in fixed]


def attempt(call):
    """What a call gives; ``None`` if it is refused."""
    unseen = Recorder()  # what is offered here cannot be applied: the test draws other programs when it runs again
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lamina.ShapeWarning)  # sizes such as 1 look like mistakes
            return jax.tree.leaves(during(unseen, call))
    except (ShapeError, TypeError, ValueError):
        return None


def check(case, seen):
    name, make, shapes, several, moves = case
    layer = make()
    dtype = "int32" if name == "Embedding" else "float32"
    moving = iter(moves * 3)
    opened, real, symbols = [], [], {}
    for place, shape in enumerate(shapes):
        free = open_axes(layer, shape, place)
        opened.append(tuple(None if axis in free else size for axis, size in enumerate(shape)))
        real.append(tuple(max(1, s + next(moving)) if a in free and place == 0 else s for a, s in enumerate(shape)))
    if several:
        opened[1:], real[1:] = _aligned(name, shapes, opened, real)
    inputs = [lamina.Input(shape, dtype=dtype) for shape in opened]
    pack = (lambda parts: parts) if several else (lambda parts: parts[0])
    symbolic = attempt(lambda: layer(pack(inputs)))
    for tensor, shape in zip(inputs, real, strict=True):
        symbols |= {str(d): s for d, s in zip(tensor.dims[1:], shape, strict=True) if not dims.is_known(d)}
    arrays = [np.ones((3, *shape), dtype) for shape in real]
    ran = attempt(lambda: (layer if symbolic is not None else make())(pack(arrays)))
    traced = attempt(lambda: make()(pack([lamina.Input(shape, dtype=dtype) for shape in real])))
    said = f"{name} {layer._captured[1]} open {opened}, real {real}"
    assert (ran is None) == (traced is None), f"{said}: refused {'when run' if ran is None else 'when traced'} only"
    if ran is None:
        seen["refused"] += 1
        return
    assert [tuple(t.shape[1:]) for t in traced] == [r.shape[1:] for r in ran], said
    assert symbolic is not None, f"{said}: no open size is taken, this one is"
    node = symbolic[0].node
    sizes = {"batch": 3, **symbols}
    if any(set(c.names) <= set(sizes) and not c.is_met(sizes) for c in node.conditions):
        raise AssertionError(f"{said}: runs, although {[c.show() for c in node.conditions]}")
    if any(set(c.names) <= set(sizes) and c.at(sizes)[0] != c.at(sizes)[1] for c in node.conditions):
        seen["stretched"] += 1  # a size of 1 stretches: the trace speaks of equal sizes
        return
    for tensor, value in zip(symbolic, ran, strict=True):
        for dim, size in zip(tensor.dims, value.shape, strict=True):
            if set(dims.symbols([dim])) <= set(sizes):  # others follow no formula
                assert dims.size_at(dim, sizes) == size, f"{said}: {tensor.dims} is {value.shape}"
    seen["agreed"] += 1


def _aligned(name, shapes, opened, real):
    """Further inputs of a merging layer: the first one's sizes, where they had them, so that they may fit."""
    axes, sizes = [], []
    for shape in shapes[1:]:
        same = name != "Dot" and len(shape) == len(shapes[0])
        sizes.append(tuple(r if same and s == f else s for s, f, r in zip(shape, shapes[0], real[0], strict=False)))
        axes.append(
            tuple(
                None if same and s == f and o is None else s
                for s, f, o in zip(shape, shapes[0], opened[0], strict=False)
            )
        )
    return axes, [
        tuple(r if o is None else s for r, o, s in zip(*t, strict=True)) for t in zip(sizes, axes, sizes, strict=True)
    ]


def run(draws):
    seen = collections.Counter()

    @settings(max_examples=draws, report_multiple_bugs=True, phases=PHASES, **SETTINGS)
    @given(cases())
    def agree(case):
        check(case, seen)

    agree()
    return seen


def test_traces_and_runs_agree():
    seen = run(100)
    assert seen["agreed"] > 40
    assert seen["refused"] >= 3


@pytest.mark.slow
def test_two_thousand_traces_and_runs_agree():
    seen = run(2000)
    assert sum(seen.values()) >= 1900
    assert seen["refused"] > 100
