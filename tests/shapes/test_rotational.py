"""Sets with a rotational symmetry against all that there are, and centres against those of drawn objects."""

import math
from itertools import product

import numpy as np
import pytest

from benchmarks._judges import images, is_rotational, representative, subsets
from varconvex import RotationalShape, certify, project, segment
from varconvex.errors import InvalidImageError, InvalidParameterError, ScribbleConflictError
from varconvex.geometry.centre_search import costs_in_turns, search
from varconvex.geometry.rotations import MOST, best_turned, cannot_hold, classes, turn_violations, turned_cost, turns
from varconvex.metrics import iou

PLACES = [(2, (3, 5)), (4, (6, 6)), (4, (5, 6)), (3, (5, 7)), (5, (6, 8)), (6, (0, 3)), (7, (6, 8)), (64, (7, 7))]


def flower(shape, centre, n, radius, turned=0.0):
    y, x = np.indices(shape)
    angle, away = np.arctan2(x - centre[1], y - centre[0]), np.hypot(y - centre[0], x - centre[1])
    return away < radius * (1 + 0.3 * np.cos(n * angle + turned) + 0.12 * np.sin(2 * n * angle))


@pytest.mark.parametrize(("n", "centre"), PLACES)
def test_classes_are_those_of_the_definition(n, centre):
    shape, middle = (7, 9), (centre[0] / 2, centre[1] / 2)
    number = classes(shape, n, centre)
    every = list(product(*map(range, shape)))
    within = {p: all(0 <= a < s for q in images(p, n, middle) for a, s in zip(q, shape, strict=True)) for p in every}
    by_class = {}
    for p in every:
        q = representative(p, n, middle)
        by_class.setdefault(q, set()).add(int(number[p]))
        assert (number[p] > 0) == within.get(q, False)
    assert all(len(numbers) == 1 for numbers in by_class.values())
    assert len({next(iter(c)) for c in by_class.values()} - {0}) == sum(within.get(q, False) for q in by_class)
    only = np.random.default_rng(0).random(shape) < 0.3
    np.testing.assert_array_equal(classes(shape, n, centre, only), np.where(only, number, 0))


def test_two_and_four_turn_pixels_to_pixels():
    rng = np.random.default_rng(0)
    for size in (8, 9):
        cost = rng.standard_normal((size, size))
        half = best_turned(cost, 2, (size - 1, size - 1))
        np.testing.assert_array_equal(half, half[::-1, ::-1])
        np.testing.assert_array_equal(half, cost + cost[::-1, ::-1] < 0)
        quarter = best_turned(cost, 4, (size - 1, size - 1))
        np.testing.assert_array_equal(quarter, sum(np.rot90(cost, k) for k in range(4)) < 0)


def test_turns_are_far_from_where_rounding_would_decide():
    for n in range(2, MOST + 1):
        angles = np.arange(n) * (2 * np.pi / n)
        exact = 2**20 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        assert np.abs(np.abs(exact - turns(n)) - 0.5).min() > 1e-6
        assert np.abs(exact - turns(n)).max() < 0.5


@pytest.mark.parametrize(("n", "centre"), [(2, (2, 3)), (3, (2, 2)), (4, (2, 2)), (5, (2, 3))])
def test_the_best_set_is_the_best_of_all(n, centre):
    sets, middle = subsets(9), (centre[0] / 2, centre[1] / 2)
    good = np.array([is_rotational(chosen.reshape(3, 3), n, middle) for chosen in sets])
    held = [bool(certify(chosen.reshape(3, 3), "rotational", n=n, centre=middle)) for chosen in sets]
    assert held == good.tolist()
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost = rng.standard_normal((3, 3))
        found = best_turned(cost, n, centre)
        assert cost[found].sum() == pytest.approx(min((sets[good] @ cost.ravel()).min(), 0))
        assert turned_cost(cost, n, centre) == pytest.approx(cost[found].sum())


@pytest.mark.parametrize(("n", "centre"), [(2, (10, 11)), (4, (10, 10))])
def test_looks_are_classes_where_pixels_turn_to_pixels(n, centre):
    cost = np.random.default_rng(0).normal(size=(11, 11))
    places, value = np.argwhere(cost < 0).astype(np.int32), np.zeros(1)
    costs_in_turns(turns(n), cost, places, 0, len(places), np.array([centre]), value, 0, 1)
    assert value[0] == pytest.approx(turned_cost(cost, n, centre))


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_the_centre_of_a_drawn_object_is_found(n):
    rng = np.random.default_rng(n)
    centre = rng.uniform(45, 60, 2)
    truth = flower((100, 110), centre, n, 28, rng.uniform(0, 6))
    fitted = RotationalShape(n).fit(truth)
    assert fitted.certificate
    assert math.dist(fitted.centre, centre) < 0.8
    assert iou(fitted.mask, truth) > 0.95
    spoilt = truth ^ (rng.random(truth.shape) < 0.1)
    assert iou(RotationalShape(n).fit(spoilt).mask, truth) > iou(spoilt, truth)


@pytest.mark.parametrize("n", [2, 5])
def test_in_noise_few_centres_are_better(n):
    rng = np.random.default_rng(0)
    cost = np.where(flower((50, 50), (23.5, 26), n, 13) ^ (rng.random((50, 50)) < 0.3), -1.0, 1.0)
    found = turned_cost(cost, n, search(cost, n)[0])
    every = [turned_cost(cost, n, centre) for centre in product(range(2, 98, 3), range(2, 98, 3))]
    assert found < min(every) + 0.02 * abs(min(every))


def test_pixels_that_must_be_held_decide():
    cost = np.ones((40, 40))
    cost[5:15, 5:15] = cost[5:15, 25:35] = -1
    cost[30, 19:21] = cost[8, 19:21] = -1e4
    mask = best_turned(cost, 2, search(cost, 2)[0])
    assert mask[cost < -1].all()


def test_a_given_centre_is_kept_and_its_conflicts_are_named():
    target = np.random.default_rng(0).random((20, 24))
    fitted = RotationalShape(2, centre=(9.6, 11.4)).fit(target)
    assert fitted.centre == (9.5, 11.5)
    np.testing.assert_array_equal(fitted.mask, target + target[::-1, ::-1] > 1)
    finer = fitted.rasterize((40, 48))
    np.testing.assert_array_equal(finer, finer[::-1, ::-1])
    inside, outside = np.zeros((2, 20, 24), bool)
    inside[3, 4] = outside[16, 19] = True
    assert cannot_hold(inside, outside, 2, (19, 23)).tolist() == [[3, 4]]
    with pytest.raises(ScribbleConflictError, match="1/2 of a turn needs a centre about which") as caught:
        RotationalShape(2, centre=(9.5, 11.5)).fit(target, inside=inside, outside=outside)
    assert caught.value.pixels.tolist() == [[3, 4]]
    assert RotationalShape(2).fit(target, inside=inside, outside=outside).mask[3, 4]
    assert not RotationalShape(4, centre=(3, 3)).fit(np.zeros((9, 9))).mask.any()
    alone = np.zeros((9, 9))
    alone[0, 0] = 0.6
    assert not RotationalShape(4, centre=(3, 3)).fit(alone).mask.any()
    assert RotationalShape(4).fit(alone).mask.sum() == 1


def test_an_image_by_name():
    truth = flower((90, 90), (44, 46), 5, 24)
    noise = np.random.default_rng(0).normal(scale=0.3, size=truth.shape)
    strokes = {"object": [(44, 40), (44, 52)], "background": "border"}
    image = np.clip(0.3 + 0.4 * truth + noise, 0, 1)
    result = segment(image, strokes, shape="rotational:5", unify="sequential")
    assert result.certificate
    assert result.shape.n == 5
    assert iou(result.mask, truth) > 0.9
    assert project(truth, "rotational").shape.n == 2


def test_messages():
    for wrong in (1, 65, 2.5, "5"):
        with pytest.raises(InvalidParameterError, match="n must be"):
            RotationalShape(wrong)
    for wrong in (3, (1,), (1, 2, 3), (0, math.nan), "ab"):
        with pytest.raises(InvalidParameterError, match="centre must be two numbers"):
            RotationalShape(centre=wrong)
    with pytest.raises(InvalidParameterError, match=r"centre must be within the image of shape \(4, 5\)"):
        RotationalShape(centre=(2, 4.2)).fit(np.ones((4, 5)))
    mask = np.ones((3, 5), bool)
    for wrong in (None, (1, 9), (0.25, 1), (1,), 3, (math.nan, 1)):
        with pytest.raises(InvalidParameterError, match="centre must be row and column"):
            certify(mask, "rotational", n=2, centre=wrong)
    with pytest.raises(InvalidParameterError, match="n must be"):
        certify(mask, "rotational", n=0, centre=(1, 1))
    with pytest.raises(InvalidImageError, match="masks with 2 axes"):
        certify(np.ones((3, 4, 5), bool), "symmetric", axis=(0, 1, 3))
    for name in ("convex:", "rotational:x", "rotational:", "star:2"):
        with pytest.raises(InvalidParameterError, match="shape must be one of"):
            project(mask, name)
    mask[1, 1] = False
    assert turn_violations(mask, 2, (2, 4)).tolist() == [[1, 1], [1, 3]]
    assert certify(mask, "rotational", n=2, centre=(1, 2)).pixels == ((1, 1), (1, 3))
    assert not certify(np.zeros((3, 3), bool), "rotational", n=2, centre=(1, 1))
