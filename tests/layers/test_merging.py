"""Merging layers: refusals that name input, axis and sizes; open sizes; masks."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError

BY_ELEMENT = [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum]


def both_ways(*shapes):
    """Arrays of these shapes (batch 2), and symbolic inputs."""
    yield [np.ones((2, *(s or 5 for s in shape)), "float32") for shape in shapes]
    yield [lamina.Input(shape) for shape in shapes]


def test_concatenate_says_what_differs():
    for inputs in both_ways((28, 28, 3), (26, 28, 3)):
        with pytest.raises(ShapeError) as caught:
            layers.Concatenate(name="skip")(inputs)
        words = "all axes but axis -1 must agree: input 1 has height=28, input 2 has height=26 (axis 1)"
        assert caught.value.summary == f'Concatenate "skip": {words}'
        assert caught.value.layer == "skip"
    assert caught.value.received == "(None, 28, 28, 3), (None, 26, 28, 3)"


def test_the_names_of_axes_follow_the_data_format():
    lamina.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ShapeError, match="input 1 has channels=3, input 3 has channels=4"):
            layers.Add()([np.ones((2, c, 8, 8)) for c in (3, 3, 4)])
    finally:
        lamina.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("layer", BY_ELEMENT)
def test_element_by_element_says_what_differs(layer):
    for inputs in both_ways((10, 4), (12, 4)):
        words = r"sizes must agree or be 1: input 1 has length=10, input 2 has length=12 \(axis 1\)"
        with pytest.raises(ShapeError, match=words):
            layer()(inputs)


def test_ranks():
    with pytest.raises(ShapeError, match="input 1 has 2 axes, input 2 has 3"):
        layers.Concatenate()([np.ones((2, 3)), np.ones((2, 3, 1))])
    with pytest.raises(ShapeError, match="no axis 4 in tensors of 2 axes"):
        layers.Concatenate(axis=4)([np.ones((2, 3)), np.ones((2, 3))])


def test_dot_says_what_differs():
    for inputs in both_ways((8, 4), (20, 5)):
        words = r"input 1 has features=4 \(axis 2\), input 2 has features=5 \(axis 2\)"
        with pytest.raises(ShapeError, match=words):
            layers.Dot(axes=2)(inputs)
    with pytest.raises(ShapeError, match="no axis 3"):
        layers.Dot(axes=3)([np.ones((2, 3)), np.ones((2, 3))])
    with pytest.raises(ShapeError, match="input 1 has batch=2, input 2 has batch=3"):
        layers.Dot(axes=1)([np.ones((2, 3)), np.ones((3, 3))])


@pytest.mark.parametrize("layer", [*BY_ELEMENT, layers.Concatenate])
def test_a_single_tensor_is_refused(layer):
    with pytest.raises(ValueError, match="takes a list of tensors"):
        layer()(np.ones((2, 3)))


def test_number_of_inputs():
    with pytest.raises(ValueError, match="takes 2 inputs; 3 came"):
        layers.Subtract()([np.ones((2, 3))] * 3)
    with pytest.raises(ValueError, match="takes 2 inputs; 1 came"):
        layers.Dot(1)([np.ones((2, 3))])
    with pytest.raises(ValueError, match="takes 2 inputs; 0 came"):
        layers.Add()([])


@pytest.mark.parametrize("axes", [0, (0, 1), (1, 2, 3), "1", 1.5])
def test_dot_axes(axes):
    with pytest.raises(ValueError, match="`axes`="):
        layers.Dot(axes)


def test_concatenate_axis():
    with pytest.raises(ValueError, match="`axis`='last'"):
        layers.Concatenate(axis="last")


@pytest.mark.parametrize("layer", [*BY_ELEMENT, layers.Concatenate])
def test_open_sizes_of_different_names_meet(layer):
    left, right = lamina.Input((None, 3)), lamina.Input((None, 3))
    assert left.dims[1] is not right.dims[1]
    out = layer()([left, right])
    assert out.shape == (None, None, 6 if layer is layers.Concatenate else 3)
    assert out.dims[1] == left.dims[1]


def test_an_open_size_meets_a_number():
    open_size, known = lamina.Input((None, 3)), lamina.Input((7, 3))
    assert layers.Add()([open_size, known]).shape == (None, 7, 3)
    assert layers.Concatenate()([open_size, known]).shape == (None, 7, 6)
    assert layers.Concatenate(axis=1)([open_size, known]).shape == (None, None, 3)
    assert str(layers.Concatenate(axis=1)([lamina.Input(("t", 3)), known]).dims[1]) == "t + 7"
    assert layers.Dot(axes=2)([lamina.Input((4, None)), lamina.Input((5, None))]).shape == (None, 4, 5)
    assert layers.Dot(axes=1)([lamina.Input((None, 2)), lamina.Input((6, 3))]).shape == (None, 2, 3)


def test_masks_with_open_sizes_meet():
    first, second = (layers.Masking()(lamina.Input((None, 3))) for _ in range(2))
    assert layers.Add()([first, second])._keras_mask.shape == (None, None)
    assert layers.Maximum()([first, second])._keras_mask.shape == (None, None)
    assert layers.Concatenate()([first, second])._keras_mask.shape == (None, None)
    assert layers.Concatenate(axis=1)([first, second])._keras_mask.shape == (None, None)


def test_real_sizes_still_have_to_agree():
    layer = layers.Add()
    layer([lamina.Input((None, 3)), lamina.Input((None, 3))])
    with pytest.raises(ShapeError, match="length=4, input 2 has length=5"):
        layer([np.ones((2, 4, 3)), np.ones((2, 5, 3))])


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate", "dot"])
def test_functions(name):
    a, b = np.array([[3.0, 1.0]]), np.array([[2.0, 4.0]])
    config = {"axes": 1} if name == "dot" else {}
    layer = getattr(layers, name.capitalize())(**config)
    np.testing.assert_array_equal(getattr(layers, name)([a, b], **config), layer([a, b]))
    assert (
        getattr(layers, name)([lamina.Input((2,)), lamina.Input((2,))], name="mine", **config).node.operation.name
        == "mine"
    )


def test_whole_numbers():
    a = np.array([[1, 2]])
    assert layers.Add()([a, a]).dtype == "int32"
    assert layers.Average()([a, a + 1]).tolist() == [[1.5, 2.5]]
