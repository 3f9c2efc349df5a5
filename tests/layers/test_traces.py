"""Equal layers on equal inputs are traced once, and nothing else differs."""

import pytest

import lamina
from lamina import layers
from lamina.layers import traces


@pytest.fixture
def traced(monkeypatch):
    """Names of the layers that were traced."""
    names = []

    def counting(function, *args, **kwargs):
        names.append(function.__self__.name)
        return original(function, *args, **kwargs)

    original = traces.trace_call
    traces.forget()
    monkeypatch.setattr(traces, "trace_call", counting)
    yield names
    traces.forget()


def test_equal_layers_are_traced_once_and_each_has_its_weights(traced):
    x = lamina.Input((9, 4))
    made = [layers.Conv1D(4, 3, padding="same", name=f"c{i}") for i in range(5)]
    outputs = [layer(x) for layer in made]
    assert traced == ["c0"]
    assert {y.shape for y in outputs} == {(None, 9, 4)}
    assert len({id(layer.kernel) for layer in made}) == 5
    assert [layer.kernel.path for layer in made] == [f"c{i}/kernel" for i in range(5)]
    assert all(layer.kernel.shape == (3, 4, 4) and layer.get_build_config() for layer in made)


@pytest.mark.parametrize(
    "other",
    [
        lambda x: layers.Dense(4, use_bias=False)(x),
        lambda x: layers.Dense(4, dtype="bfloat16")(x),
        lambda x: layers.Dense(4, activation="softmax")(x),
        lambda x: layers.Dense(4)(lamina.Input((3, 3))),
        lambda x: layers.Dense(4)(lamina.Input((3,), dtype="float16")),
        lambda x: layers.Dense(4)(x, training=True),
    ],
)
def test_what_differs_is_traced_again(traced, other):
    x = lamina.Input((3,))
    layers.Dense(4)(x)
    other(x)
    assert len(traced) == 2


def test_what_a_user_wrote_is_traced_each_time(traced):
    size = 2
    x = lamina.Input((4,))
    first = layers.Lambda(lambda t: t[:, :size])(x)
    size = 3
    second = layers.Lambda(lambda t: t[:, :size])(x)
    assert (first.shape, second.shape) == ((None, 2), (None, 3))

    class Cut(layers.Layer):
        def call(self, inputs):
            return inputs[:, :size]

    shapes = [Cut()(x).shape]
    size = 1
    shapes.append(Cut()(x).shape)
    assert shapes == [(None, 3), (None, 1)]


def test_layers_inside_are_built(traced):
    x = lamina.Input((5, 3))
    first, second = (layers.TimeDistributed(layers.Dense(2)) for _ in range(2))
    assert first(x).shape == second(x).shape == (None, 5, 2)
    assert second.layer.built
    assert second.layer.kernel is not first.layer.kernel
    a, b = (layers.Bidirectional(layers.LSTM(2)) for _ in range(2))
    assert a(x).shape == b(x).shape == (None, 4)
    assert len(a.weights) == len(b.weights) == 6


def test_conditions_hold_for_each_call():
    left, right = lamina.Input(("left", 2)), lamina.Input(("right", 2))
    calls = [layers.Add()([left, right]) for _ in range(2)]
    assert [str(t.node.conditions) for t in calls] == [str(calls[0].node.conditions)] * 2
    assert calls[1].node.conditions


def test_sizes_made_up_by_a_trace_are_not_shared(traced):
    x = lamina.Input((None,), dtype="int32")
    ragged = [layers.Lambda(lambda t: lamina.ops.arange(3))(x) for _ in range(2)]
    assert len(traced) == len(ragged) == 2
    opens = [lamina.Input((None, 2)) for _ in range(2)]
    a, b = (layers.ZeroPadding1D(1)(t) for t in opens)
    assert a.dims[1] != b.dims[1]


def test_every_place_is_warned_about():
    x = lamina.Input((3,))
    with pytest.warns(lamina.ShapeWarning, match="always gives 1"):
        layers.Dense(1, activation="softmax")(x)
    with pytest.warns(lamina.ShapeWarning, match="always gives 1"):
        layers.Dense(1, activation="softmax")(x)


def test_what_does_not_fit_is_refused_again():
    for _ in range(2):
        with pytest.raises(lamina.ShapeError):
            layers.Conv1D(2, 9)(lamina.Input((4, 3)))


def test_the_memory_is_bounded(traced, monkeypatch):
    monkeypatch.setattr(traces, "_MOST", 4)
    for units in range(1, 12):
        layers.Dense(units)(lamina.Input((3,)))
    assert len(traces._kept) <= 4
    assert len(traced) == 11
