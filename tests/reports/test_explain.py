import json

import pytest

import lamina
from lamina import layers
from lamina.core import registry
from lamina.shapes import ShapeError, explain


def test_the_card_of_conv1d():
    card = explain("Conv1D", input_shape=(None, 128, 2), filters=16, kernel_size=3)
    assert dict(card.signatures) == {
        "data_format='channels_last'": "batch length channels -> batch new_length filters",
        "data_format='channels_first'": "batch channels length -> batch filters new_length",
    }
    given, output = card.forms.rows
    assert (given.name, given.tensor) == ("input", (32, 128, 2))
    assert (output.declared, output.symbolic, output.array, output.tensor, output.last) == (
        (126, 16),
        (None, 126, 16),
        (300, 126, 16),
        (32, 126, 16),
        (12, 126, 16),
    )
    assert card.weights == [("kernel", (3, 2, 16)), ("bias", (16,))]
    assert card.code == "Conv1D(filters=16, kernel_size=3)"
    text = card.to_text(100)
    for words in ("Conv1D", "112 parameters", "Common mistakes", "kernel_size", "(None, 126, 16)", "(32, 126, 16)"):
        assert words in text


def test_settings_change_the_example():
    assert explain("Conv1D", padding="same").forms.rows[1].tensor[1] == explain("Conv1D").forms.rows[0].tensor[1]
    first = explain("Conv2D", data_format="channels_first").forms.rows
    assert first[0].axes == ("batch", "channels", "height", "width")


def test_variants_of_recurrent_layers():
    card = explain("LSTM")
    assert dict(card.signatures)["return_sequences=True"] == "batch time features -> batch time units"
    assert dict(card.signatures)["return_state=True"].count("batch units") == 3
    assert explain("LSTM", return_state=True).forms.rows[-1].name == "lstm[2]"


@pytest.mark.parametrize("given", ["Dense", "dense", layers.Dense, layers.Dense(32)])
def test_a_name_a_class_or_an_instance(given):
    assert explain(given, input_shape=(None, 10)).forms.rows[-1].tensor == (32, 32)


def test_an_instance_is_left_alone():
    layer = layers.Dense(7, name="mine")
    card = explain(layer, input_shape=(None, 4))
    assert not layer.built
    assert card.code == "Dense(units=7)"
    layer.build((None, 5))
    assert explain(layer).forms.rows[0].tensor == (32, 5)
    layer(lamina.Input((3, 5)))
    assert explain(layer).forms.rows[-1].tensor == (32, 3, 7)
    with pytest.raises(ValueError, match="'units': an instance has its settings"):
        explain(layer, units=3)


def test_names_of_layers_are_not_used_up():
    lamina.utils.clear_session()
    explain("Conv1D")
    explain("Bidirectional")
    assert layers.Conv1D(1, 1).name == "conv1d"
    assert layers.LSTM(1).name == "lstm"


def test_several_inputs_and_open_sizes():
    card = explain("Concatenate", input_shape=[(None, None, 3), (None, None, 5)])
    assert [row.name for row in card.forms.rows[:2]] == ["input[0]", "input[1]"]
    assert card.forms.rows[-1].tensor == (32, 20, 8)
    assert card.forms.rows[-1].symbolic == (None, None, 8)
    assert "open sizes as 20" in card.to_text(130)


def test_a_layer_of_the_user_s():
    class Twice(layers.Layer):
        """Doubles its input."""

        def call(self, x):
            return lamina.ops.concatenate([x, x], axis=-1)

    card = explain(Twice, input_shape=(None, 4))
    assert card.summary == "Doubles its input."
    assert card.forms.rows[-1].tensor == (32, 8)
    with pytest.raises(ValueError, match="`input_shape` is needed for Twice"):
        explain(Twice)


EXAMPLES = sorted(
    {cls for cls in registry.known("layer").values() if isinstance(cls, type) and cls.example_input},
    key=lambda cls: cls.__name__,
)


@pytest.mark.parametrize("cls", EXAMPLES, ids=lambda cls: cls.__name__)
def test_every_layer_with_an_example_has_a_card(cls):
    card = explain(cls)
    assert cls.__name__ in card.to_text(80)
    assert max(map(len, card.to_text(80).splitlines())) <= 80
    assert card.kind in card._repr_html_()
    assert card.to_dict()["layer"] == cls.__name__


def test_there_are_examples():
    assert len(EXAMPLES) > 50
    json.dumps(explain("LSTM").to_dict())


@pytest.mark.parametrize("name", ["Conv1", "Dens", "LTSM"])
def test_near_names_are_offered(name):
    with pytest.raises(ValueError, match=f"unknown layer '{name}'; did you mean"):
        explain(name)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="Dense has no argument 'unit'; did you mean 'units'"):
        explain("Dense", unit=3)
    with pytest.raises(ValueError, match="`units`=-3"):
        explain("Dense", units=-3)
    with pytest.raises(ShapeError, match=r"lacks the batch axis; write \(None, 128, 2\)"):
        explain("Conv1D", input_shape=(128, 2))
    with pytest.raises(ShapeError, match="cannot take an input"):
        explain("Conv1D", input_shape=(None, 2, 2, 2, 2))
    for wrong in (3, "(None, 3)", ()):
        with pytest.raises(ValueError, match="`input_shape`="):
            explain("Dense", input_shape=wrong)
    with pytest.raises(ShapeError, match="are no sizes of axes"):
        explain("Dense", input_shape=(None, -4))
    with pytest.raises(ValueError, match="a layer's name, class or instance"):
        explain(3)
