"""The edge weight against hand-made images, its formula, and laws of symmetry and scale."""

import numpy as np
import pytest

from varconvex.edges import BETA, FLOOR, SCALES, contrast_tensors, contrast_weight
from varconvex.errors import InvalidImageError, InvalidParameterError


@pytest.mark.parametrize("shape", [(9, 7, 3), (9, 7, 1), (5, 6, 7, 2), (1, 1, 3)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_flat_image_has_weight_one(shape, value):
    weight = contrast_weight(np.full(shape, value))
    assert weight.dtype == np.float32
    assert np.array_equal(weight, np.ones(shape[:-1]))


def test_is_the_formula_without_smoothing(rng):
    image = rng.random((6, 8, 2))
    expected = np.empty((6, 8))
    for i in range(6):
        for j in range(8):
            down = image[min(i + 1, 5), j] - image[i, j]
            right = image[i, min(j + 1, 7)] - image[i, j]
            expected[i, j] = (down**2).sum() + (right**2).sum()
    expected = 0.2 + 0.8 * np.exp(-3 * expected / (2 * expected.mean()))
    assert contrast_weight(image, beta=3, scale=0, floor=0.2) == pytest.approx(expected, abs=1e-6)


def test_step_is_cheap_and_the_rest_is_not():
    image = np.zeros((20, 20, 3))
    image[:, 10:] = (0.2, 0.8, 0.4)
    weight = contrast_weight(image)
    assert weight[:, 9] == pytest.approx(FLOOR, abs=0.01)
    assert weight[:, :5] == pytest.approx(1, abs=1e-3)
    assert weight[:, 15:] == pytest.approx(1, abs=1e-3)


def test_range(rng):
    weight = contrast_weight(rng.random((30, 30, 3)) ** 5, floor=0.05, beta=50)
    assert weight.min() >= np.float32(0.05)
    assert weight.max() <= 1


def test_contrast_of_the_image_does_not_matter(rng):
    image = rng.random((20, 25, 1))
    assert contrast_weight(0.01 * image + 0.5) == pytest.approx(contrast_weight(image), abs=1e-3)


def test_transpose(rng):
    image = rng.random((12, 17, 3))
    assert contrast_weight(image.swapaxes(0, 1)) == pytest.approx(contrast_weight(image).T, abs=1e-5)


def test_spacing_divides_the_gradient(rng):
    """Without smoothing, a slope of 1 a pixel over pixels of length 2 is half as steep."""
    image = rng.random((12, 17, 1))
    across, along = image.copy(), image.copy()
    across[:] = image[:1]  # varies along the second axis only
    along[:] = image[:, :1]
    both = contrast_weight(across + along, scale=0, spacing=(1, 2))
    by_hand = contrast_weight(across / 2 + along, scale=0)
    assert both == pytest.approx(by_hand, abs=1e-5)
    assert contrast_weight(image, spacing=(3, 3)) == pytest.approx(contrast_weight(image), abs=1e-5)


def test_spacing_tells_an_image_without_channels(rng):
    image = rng.random((12, 17))
    assert np.array_equal(contrast_weight(image, spacing=(1, 1)), contrast_weight(image[..., None]))


def test_invalid_pixels_make_no_edges(rng):
    image = 0.5 + 0.01 * rng.random((30, 30, 1))
    valid = np.ones((30, 30), bool)
    valid[10:20, 10:20] = False
    holed = np.where(valid[..., None], image, 0)
    weight = contrast_weight(holed, valid=valid)
    assert (weight[~valid] == 1).all()
    far = np.hypot(*(np.indices((30, 30)) - 14.5)) > 12
    ratio = np.corrcoef(weight[far], contrast_weight(image)[far])[0, 1]
    assert ratio > 0.99


def test_what_bigger_smaller_and_zero_mean(rng):
    image = rng.random((20, 20, 3))
    default = contrast_weight(image)
    assert np.array_equal(contrast_weight(image, beta=0), np.ones((20, 20)))
    assert np.array_equal(contrast_weight(image, floor=1), np.ones((20, 20)))
    assert (contrast_weight(image, beta=2 * BETA) <= default + 1e-6).all()
    assert (contrast_weight(image, floor=0.5) >= default - 1e-6).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": -1}, "beta must be a finite number"),
        ({"scale": "big"}, "scale must be a number"),
        ({"floor": 1.5}, "floor must be in"),
        ({"floor": -0.5}, "floor must be a finite number"),
        ({"spacing": (1, 0)}, "spacing must be a finite number"),
        ({"spacing": (1, 1, 1, 1)}, "spacing must hold one positive number for each of the 2 axes"),
    ],
)
def test_wrong_options_are_named(options, message, rng):
    with pytest.raises(InvalidParameterError, match=message):
        contrast_weight(rng.random((4, 5, 3)), **options)


def test_wrong_images_are_named():
    with pytest.raises(InvalidImageError, match=r"\(\*spatial, C\)"):
        contrast_weight(np.zeros(5))
    with pytest.raises(InvalidImageError, match="finite everywhere"):
        contrast_weight(np.full((3, 3, 1), np.nan))


def along(tensor, down, right):
    return down**2 * tensor[0] + 2 * down * right * tensor[1] + right**2 * tensor[2]


def test_tensors_know_the_direction_of_an_edge():
    image = np.zeros((60, 60, 1))
    image[:, 30:] = 0.3
    valid = np.ones((60, 60), bool)
    found = contrast_tensors(image, valid)
    assert len(found) == len(SCALES)
    for tensor in found:
        assert along(tensor, 0, 1)[30, 29] > 3
        assert along(tensor, 1, 0) == pytest.approx(np.zeros((60, 60)), abs=1e-9)
        assert along(tensor, 0, 1)[:, :20] == pytest.approx(np.zeros((60, 20)), abs=1e-6)
        assert (tensor[0] + tensor[2]).mean() == pytest.approx(1)


def test_tensors_turn_with_the_image_and_ignore_its_contrast(rng):
    image = rng.random((20, 20, 3))
    valid = np.ones((20, 20), bool)
    grey = rng.random((20, 20, 1))
    for tensor, turned in zip(contrast_tensors(image, valid), contrast_tensors(np.rot90(image), valid), strict=True):
        for entry, other, sign in ((0, 2, 1), (1, 1, -1), (2, 0, 1)):
            assert np.rot90(tensor[entry]) == pytest.approx(sign * turned[other], abs=1e-6)
    for tensor, faint in zip(contrast_tensors(grey, valid), contrast_tensors(0.2 + 0.1 * grey, valid), strict=True):
        assert tensor == pytest.approx(faint, rel=1e-3, abs=1e-4)


def test_tensors_of_what_is_flat_or_unknown_are_zero(rng):
    valid = np.ones((12, 15), bool)
    for tensor in contrast_tensors(np.full((12, 15, 3), 0.4), valid):
        assert not tensor.any()
    image = np.full((12, 15, 1), 0.4)
    image[4:8, 5:9], valid[3:9, 4:10] = 5.0, False
    for tensor in contrast_tensors(image, valid):
        assert tensor == pytest.approx(np.zeros((3, 12, 15)), abs=1e-9)
    assert all(tensor.shape == (3, 1, 4) for tensor in contrast_tensors(rng.random((1, 4, 1)), np.ones((1, 4), bool)))
    assert not any(tensor.any() for tensor in contrast_tensors(image, np.zeros((12, 15), bool)))
