"""Layers on images: what is drawn for each image, what happens outside of training, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.shapes import ShapeError

RNG = np.random.default_rng(6)
X = RNG.uniform(0, 255, (6, 5, 6, 3)).astype("float32")
RANDOM = [
    lambda **kw: layers.RandomFlip(**kw),
    lambda **kw: layers.RandomRotation(0.3, **kw),
    lambda **kw: layers.RandomZoom(0.3, **kw),
    lambda **kw: layers.RandomZoom(0.3, 0.2, **kw),
    lambda **kw: layers.RandomTranslation(0.3, 0.3, **kw),
    lambda **kw: layers.RandomShear(0.3, 0.3, **kw),
    lambda **kw: layers.RandomColorDegeneration(0.8, **kw),
    lambda **kw: layers.RandomBrightness(0.3, **kw),
    lambda **kw: layers.RandomContrast(0.3, **kw),
]


@pytest.mark.parametrize("make", RANDOM)
def test_each_image_varies_in_its_own_way_and_only_in_training(make):
    layer = make(seed=1)
    np.testing.assert_array_equal(layer(X, training=False), X)
    same = np.repeat(X[:1], 12, axis=0)
    varied = np.asarray(layer(same, training=True))
    assert len(np.unique(varied.reshape(12, -1).round(2), axis=0)) > 2
    assert np.abs(layer(same, training=True) - varied).max() > 1e-3
    np.testing.assert_allclose(make(seed=1)(same, training=True), varied, rtol=1e-5)
    assert layer(lamina.Input((None, None, 3))).shape == (None, None, None, 3)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_random_crop():
    layer = layers.RandomCrop(2, 3, seed=1)
    places = set()
    for _ in range(20):
        window = np.asarray(layer(X, training=True))
        found = [(i, j) for i in range(4) for j in range(4) if np.array_equal(X[:, i : i + 2, j : j + 3], window)]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) > 5
    assert {i for i, _ in places} == {0, 1, 2, 3} == {j for _, j in places}
    assert layer(X, training=False).shape == layer(X[:, :1], training=True).shape == (6, 2, 3, 3)
    assert layer(lamina.Input((None, None, 3))).shape == (None, 2, 3, 3)
    assert layers.RandomCrop.from_config(layer.get_config()).seed == 1
    whole = layers.RandomCrop(5, 6)
    np.testing.assert_array_equal(whole(X, training=False), X)


def test_flips():
    y = np.asarray(layers.RandomFlip("vertical", seed=2)(X, training=True))
    flipped = [np.array_equal(a, b[::-1]) for a, b in zip(y, X, strict=True)]
    assert 0 < sum(flipped) < 6
    assert all(f or np.array_equal(a, b) for f, a, b in zip(flipped, y, X, strict=True))


def test_in_a_model():
    lamina.utils.set_random_seed(1)
    model = lamina.Sequential(
        [lamina.Input((5, 6, 3)), *(make(seed=3) for make in RANDOM[:3]), layers.Rescaling(1 / 255), layers.Flatten(),
         layers.Dense(2)]
    )  # fmt: skip
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((6, 2)), epochs=2, verbose=0)
    a, b = (model.predict(X, verbose=0) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    plain = layers.Dense(2)
    plain.build((None, 90))
    plain.set_weights(model.layers[-1].get_weights())
    np.testing.assert_allclose(a, plain((X / 255).reshape(6, -1)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.RandomFlip("sideways"), "`mode`='sideways'"),
        (lambda: layers.RandomZoom((-1.0, 0.2)), "`height_factor`=.* more than -1"),
        (lambda: layers.RandomTranslation(1.5, 0.1), "`height_factor`=1.5"),
        (lambda: layers.RandomRotation((0.2, 0.1)), "`factor`=.* first bound is above"),
        (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), "`fill_mode`='mirror'"),
        (lambda: layers.RandomBrightness(2.0), "`factor`=2.0"),
        (lambda: layers.RandomContrast(0.2, value_range=(1, 0)), "`value_range`=.* must be above"),
        (lambda: layers.RandomGrayscale(2.0), "`factor`=2.0"),
        (lambda: layers.RandomColorDegeneration(0.5)(np.ones((2, 4, 4, 1))), "takes images of 3 channels, not 1"),
        (lambda: layers.RandomContrast(-0.2), "`factor`=-0.2"),
        (lambda: layers.Resizing(0, 3), "`height`=0"),
        (lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "only one of"),
    ],
)
def test_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_inputs():
    with pytest.raises(ShapeError, match="Resizing"):
        layers.Resizing(2, 2)(np.ones((5, 6)))
    for make in RANDOM:
        with pytest.raises(ShapeError, match=r"cannot take an input of shape \(None, 28, 28\)"):
            make()(lamina.Input((28, 28)))
        assert make()(X[0], training=True).shape == X[0].shape
    with pytest.raises(ShapeError, match="5 axes"):
        layers.CenterCrop(2, 2)(np.ones((2, 3, 4, 5, 6)))
    with pytest.raises(ValueError, match=r"takes images|cannot take"):
        layers.RandomFlip()({"images": X, "labels": np.ones(6)})


def test_some_images_become_grey():
    varied = np.asarray(layers.RandomGrayscale(0.5, seed=4)(X, training=True))
    grey = [np.allclose(a, a[..., :1]) for a in varied]
    assert 0 < sum(grey) < 6
    assert all(g or np.array_equal(a, b) for g, a, b in zip(grey, varied, X, strict=True))
    np.testing.assert_array_equal(layers.RandomGrayscale(1.0)(X, training=False), X)


def test_contrast_of_a_flat_image_stays():
    flat = np.full((1, 4, 4, 1), 7.0, "float32")
    np.testing.assert_array_equal(layers.AutoContrast()(flat), flat)
