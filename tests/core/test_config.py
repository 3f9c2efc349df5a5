import json
import warnings

import pytest

from lamina.core import config


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """A home of its own, and the settings as they were afterwards."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(config, "_values", dict(config._values))
    return tmp_path / "keras.json"


def test_keras_json_is_honoured(settings):
    settings.write_text(json.dumps({"image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-5}))
    config.load_file()
    assert config.image_data_format() == "channels_first"
    assert config.floatx() == "float16"
    assert config.epsilon() == 1e-5


def test_without_a_file_the_defaults_hold(settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config.load_file()
    assert config.image_data_format() == "channels_last"


@pytest.mark.parametrize("text", ["{", "[1]", "null", "\x00"])
def test_a_malformed_file_is_named(settings, text):
    settings.write_text(text)
    with pytest.warns(UserWarning, match="keras.json"):
        config.load_file()
    assert config.image_data_format() == "channels_last"


def test_a_bad_value_is_named_and_the_good_ones_hold(settings):
    settings.write_text(json.dumps({"image_data_format": "channels_lost", "epsilon": 1e-3}))
    with pytest.warns(UserWarning, match="channels_lost.*did you mean 'channels_last'"):
        config.load_file()
    assert config.image_data_format() == "channels_last"
    assert config.epsilon() == 1e-3


def test_layers_follow_the_setting_unless_they_have_their_own(settings):
    import lamina

    lamina.config.set_image_data_format("channels_first")
    assert lamina.layers.Conv2D(2, 1).data_format == "channels_first"
    assert lamina.layers.Conv2D(2, 1, data_format="channels_last").data_format == "channels_last"


@pytest.mark.parametrize(
    ("change", "value"),
    [("set_floatx", "float33"), ("set_epsilon", -1.0), ("set_epsilon", float("nan")), ("set_image_data_format", "x")],
)
def test_bad_values_are_refused(settings, change, value):
    with pytest.raises(ValueError, match="expected"):
        getattr(config, change)(value)
