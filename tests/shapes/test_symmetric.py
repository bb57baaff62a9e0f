"""Symmetric sets against all that there are, and axes against those of drawn objects."""

from itertools import product

import numpy as np
import pytest

from benchmarks._judges import is_symmetric, mirror, subsets
from varconvex import SymmetricShape, certify
from varconvex.errors import InvalidParameterError, ScribbleConflictError
from varconvex.geometry.mirrors import axis_of, best_symmetric, can_hold, classes, mirrored, symmetric_cost
from varconvex.metrics import iou

AXES = [(0, 1, 3), (1, 1, 6), (300, 411, 1800), (-2, 5, 3)]


@pytest.mark.parametrize("axis", AXES)
def test_mirror_images_are_those_of_the_definition(axis):
    shape = (7, 9)
    image, number = mirrored(shape, axis), classes(shape, axis)
    for p in product(*map(range, shape)):
        q = mirror(p, axis)
        there = all(0 <= a < n for a, n in zip(q, shape, strict=True))
        assert image[p] == (np.ravel_multi_index(q, shape) if there else -1)
        assert number[p] == (number[q] if there else 0)


@pytest.mark.parametrize("axis", [(0, 1, 3), (1, 1, 3), (100, 141, 410)])
def test_the_best_symmetric_set_is_the_best_of_all(axis):
    sets = subsets(12)
    good = np.array([chosen for chosen in sets if is_symmetric(chosen.reshape(3, 4), axis)])
    held = [bool(certify(chosen.reshape(3, 4), "symmetric", axis=axis)) for chosen in sets]
    assert sum(held) == len(good)
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost = rng.standard_normal((3, 4))
        found = best_symmetric(cost, axis)
        assert cost[found].sum() == pytest.approx(min((good @ cost.ravel()).min(), 0))
        assert symmetric_cost(cost, axis) == pytest.approx(cost[found].sum())


def test_the_axis_of_a_drawn_object_is_found():
    y, x = np.indices((120, 140))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        angle, row, column = rng.uniform(0, np.pi), rng.uniform(55, 65), rng.uniform(60, 80)
        along = np.cos(angle) * (y - row) + np.sin(angle) * (x - column)
        across = np.cos(angle) * (x - column) - np.sin(angle) * (y - row)
        leaf = np.abs(across) < 14 * np.exp(-(((along - 8) / 26) ** 2)) - 3 + 2 * np.cos(along / 4)
        fitted = SymmetricShape().fit(leaf)
        assert iou(fitted.mask, leaf) > 0.96
        assert abs(np.sin(fitted.line["angle"] - angle)) < 0.03
        spoilt = leaf ^ (rng.random(leaf.shape) < 0.1)
        assert iou(SymmetricShape().fit(spoilt).mask, leaf) > iou(spoilt, leaf)


def test_a_given_axis_is_kept_and_its_conflicts_are_named():
    target = np.random.default_rng(0).random((20, 24))
    fitted = SymmetricShape(axis=((0, 11.5), (19, 11.5))).fit(target)
    assert np.array_equal(fitted.mask, fitted.mask[:, ::-1])
    wanted = target + target[:, ::-1] > 1
    assert np.array_equal(fitted.mask, wanted)
    assert fitted.line == pytest.approx({"row": 0, "column": 11.5, "angle": 0})
    assert np.array_equal(fitted.rasterize((40, 48)), fitted.rasterize((40, 48))[:, ::-1])
    inside, outside = np.zeros((2, 20, 24), bool)
    inside[3, 4] = outside[3, 19] = True
    assert can_hold(inside, outside, axis_of(np.pi / 2, 0, 11.5)).tolist() == [[3, 4]]
    with pytest.raises(ScribbleConflictError, match="needs an axis about which") as caught:
        SymmetricShape(axis=((0, 11.5), (19, 11.5))).fit(target, inside=inside, outside=outside)
    assert caught.value.pixels.tolist() == [[3, 4]]
    assert SymmetricShape().fit(target, inside=inside, outside=outside).mask[3, 4]


def test_messages():
    for wrong in (3, ((0, 0), (0, 0)), ((0, 1), (2, np.nan)), ((0, 1, 2), (3, 4, 5))):
        with pytest.raises(InvalidParameterError, match="axis must be two different points"):
            SymmetricShape(axis=wrong)
    with pytest.raises(InvalidParameterError, match="axis must be 3 integers"):
        certify(np.ones((3, 3), bool), "symmetric")
    assert not certify(np.ones((3, 3), bool), "symmetric", axis=(0, 0, 0))
