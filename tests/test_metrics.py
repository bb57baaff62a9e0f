"""Scores against scikit-learn, hand-counted masks and their conventions."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from varconvex.errors import InvalidImageError, InvalidParameterError
from varconvex.metrics import boundary_f, dice, iou


def square(first, last, shape=(20, 20)):
    mask = np.zeros(shape, bool)
    mask[(slice(first, last),) * len(shape)] = True
    return mask


@pytest.mark.parametrize("shape", [(30, 40), (8, 9, 10)])
def test_overlaps_are_those_of_scikit_learn(rng, shape):
    for _ in range(10):
        mask, truth = rng.random((2, *shape)) < rng.random((2,) + (1,) * len(shape))
        ignore = rng.random(shape) < 0.2
        assert iou(mask, truth) == pytest.approx(jaccard_score(truth.ravel(), mask.ravel()))
        assert dice(mask, truth) == pytest.approx(f1_score(truth.ravel(), mask.ravel()))
        assert iou(mask, truth, ignore) == pytest.approx(jaccard_score(truth[~ignore], mask[~ignore]))
        assert dice(mask, truth, ignore) == pytest.approx(f1_score(truth[~ignore], mask[~ignore]))


@pytest.mark.parametrize("score", [iou, dice, boundary_f])
def test_conventions(score, rng):
    empty, some = np.zeros((10, 10), bool), square(2, 5, (10, 10))
    assert score(empty, empty) == 1
    assert score(some, some) == 1
    assert score(some, empty) == score(empty, some) == 0
    assert score(some, empty, ignore=some) == 1
    assert isinstance(score(some, some), float)
    a, b = rng.random((2, 10, 10)) < 0.5
    assert score(a, b) == pytest.approx(score(b, a))
    assert score(a * 255, b.astype(float)) == score(a, b)


@pytest.mark.parametrize("score", [iou, dice, boundary_f])
def test_wrong_masks_are_named(score):
    with pytest.raises(InvalidImageError, match=r"truth must have the mask's shape \(3, 4\); got \(4, 3\)"):
        score(np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(InvalidImageError, match="ignore must have the mask's shape"):
        score(np.zeros((3, 4)), np.zeros((3, 4)), ignore=np.zeros(4))
    with pytest.raises(InvalidImageError, match="mask must be finite everywhere"):
        score(np.full((3, 4), np.nan), np.zeros((3, 4)))


def test_hand_counted_boundary():
    """A 6 x 6 square has 20 boundary pixels; shifted by one column, 10 of them still lie on it."""
    truth = square(5, 11)
    shifted = np.roll(truth, 1, axis=1)
    assert boundary_f(shifted, truth, tolerance=0) == pytest.approx(0.5)
    assert boundary_f(shifted, truth, tolerance=1) == 1
    assert boundary_f(np.roll(truth, 3, axis=1), truth, tolerance=1) < 1


def test_precision_and_recall_by_hand():
    """A second square is half of the boundary found for nothing: P = 1/2, R = 1, F = 2/3."""
    truth = square(2, 7)
    assert boundary_f(truth | square(12, 17), truth, tolerance=1) == pytest.approx(2 / 3)


def test_rim_of_the_image_is_no_boundary():
    half = np.zeros((10, 10), bool)
    half[:, :5] = True
    assert boundary_f(half, np.roll(half, 1, axis=1) | half, tolerance=0.5) == 0
    assert boundary_f(np.ones((5, 5)), np.zeros((5, 5))) == 1


def test_unscored_pixels_do_not_count():
    truth = square(2, 7)
    wrong = square(12, 17)
    assert boundary_f(truth | wrong, truth, ignore=wrong, tolerance=1) == 1


def test_default_tolerance_grows_with_the_image():
    truth = np.zeros((300, 400), bool)
    truth[100:200, 100:200] = True
    assert boundary_f(np.roll(truth, 3, axis=1), truth) == 1
    assert boundary_f(np.roll(truth, 9, axis=1), truth) < 1
    small = square(5, 11)
    assert boundary_f(np.roll(small, 1, axis=1), small) == 1


def test_negative_tolerance_is_named():
    with pytest.raises(InvalidParameterError, match="tolerance must be a finite number"):
        boundary_f(square(2, 7), square(2, 7), tolerance=-1)
