import pytest

from lamina.shapes import Axes, Signature
from lamina.shapes.signatures import label_axes


def test_a_signature_is_read_and_written():
    text = "batch length channels -> batch new_length filters"
    signature = Signature.parse(text)
    assert str(signature) == text
    assert signature.inputs[0].show() == "(batch, length, channels)"
    assert Signature.parse(text) is signature


def test_several_inputs_and_outputs():
    signature = Signature.parse("batch time features -> batch units, batch units")
    assert len(signature.outputs) == 2
    merge = Signature.parse("batch ... -> batch ...")
    assert merge.input_axes(5).show() == "(batch, ...)"


@pytest.mark.parametrize(
    ("axes", "shape", "matched"),
    [
        ("batch ... features", (None, 5, 10), ("batch", "...", "features")),
        ("batch ... features", (None, 10), ("batch", "features")),
        ("batch *old", (None, 2, 3), ("batch", "old_1", "old_2")),
        ("batch time", (None, 2, 3), None),
        ("batch ... features", (None,), None),
    ],
)
def test_axes_are_matched_with_a_shape(axes, shape, matched):
    assert Axes.parse(axes).match(shape) == matched


def test_sizes_by_name():
    assert Axes.parse("batch ... features").sizes((8, 5, 10)) == {"batch": 8, "features": 10}
    assert Axes.parse("batch 4 *rest").sizes((8, 4, 10)) == {"batch": 8, "rest_1": 10}


@pytest.mark.parametrize("text", ["batch", "a -> b -> c", "batch 3x -> batch", "... ... -> batch", "*a ... -> batch"])
def test_malformed_signatures_are_refused(text):
    with pytest.raises(ValueError, match="signature"):
        Signature.parse(text)


def test_counts_in_words():
    assert Axes.parse("batch").count() == "1 axis"
    assert Axes.parse("batch ... features").count() == "2 axes or more"


def test_axes_name_anonymous_dimensions():
    from lamina.shapes import dims

    dims.forget_labels()
    size = dims.fresh()
    label_axes(Axes.parse("batch length channels"), (dims.BATCH, size, 2))
    assert dims.show(size) == "length"
    dims.forget_labels()
