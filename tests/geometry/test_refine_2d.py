"""The best outline in a band against enumeration of all convex sets, and its promises on noise."""

import itertools

import numpy as np
import pytest

from varconvex.geometry.certify import certify_convexity, fill_hull
from varconvex.geometry.refine_2d import best_chain, refine


def least_chain(cost, low, high, last):
    """Least cost of the runs from a convex chain to `last`, over all columns of all rows of the band."""
    best = np.inf
    for columns in itertools.product(*(range(a, b + 1) for a, b in zip(low, high, strict=True))):
        # The least integers above a convex function: no row is left of the hull of the others.
        points = np.zeros((len(columns), cost.shape[1]), bool)
        points[np.arange(len(columns)), columns] = True
        points[:, -1] = True
        if (fill_hull(points).argmax(axis=1) == columns).all():
            best = min(best, sum(float(cost[r, c : last[r] + 1].sum()) for r, c in enumerate(columns)))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_a_chain_is_the_best_of_all_in_its_band(seed):
    rng = np.random.default_rng(seed)
    cost = rng.normal(size=(6, 12))
    low = 3 + np.array([2, 1, 0, 0, 1, 2]) - rng.integers(0, 2)
    high, last = low + 2, np.full(6, 10)
    prefix = np.pad(np.cumsum(cost, axis=1), ((0, 0), (1, 0)))
    chain = best_chain(prefix, low, high)
    assert ((chain >= low) & (chain <= high)).all()
    found = sum(float(cost[r, c : last[r] + 1].sum()) for r, c in enumerate(chain))
    assert found == pytest.approx(least_chain(cost, low, high, last))


def test_refined_sets_stay_convex_in_one_piece_and_never_cost_more():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        size = tuple(rng.integers(1, 40, 2))
        mask = fill_hull(rng.random(size) < 3 / np.prod(size))
        if not certify_convexity(mask):
            continue
        cost, given = rng.normal(size=size) - 0.2, mask.copy()
        refined = refine(mask, cost, band=int(rng.integers(0, 3)))
        assert np.array_equal(mask, given)
        assert certify_convexity(refined)
        assert cost[refined].sum() <= cost[mask].sum() + 1e-12


def test_an_outline_that_is_a_pixel_off_comes_back():
    rows, columns = np.mgrid[:120, :150]
    for slope in (0.0, 0.13, 0.5, -0.37):
        truth = (np.abs(rows - 60 - slope * (columns - 75)) < 21) & (np.abs(columns - 75) < 52)
        off = (np.abs(rows - 60 - slope * (columns - 75)) < 20) & (np.abs(columns - 75) < 51)
        assert np.array_equal(refine(off, np.where(truth, -1.0, 1.0)), truth)


def test_an_empty_set_stays_empty():
    assert not refine(np.zeros((5, 6), bool), -np.ones((5, 6))).any()


@pytest.mark.parametrize("seed", range(10))
def test_a_chain_is_convex_whatever_the_noise(seed):
    rng = np.random.default_rng(seed)
    rows = np.arange(40)
    middle = np.ceil((rows - 20) ** 2 / 25).astype(int) + 4
    prefix = np.pad(np.cumsum(rng.normal(size=(40, 60)), axis=1), ((0, 0), (1, 0)))
    chain = best_chain(prefix, middle - 3, middle + 3)
    points = np.zeros((40, 60), bool)
    points[rows, chain] = True
    points[:, -1] = True
    assert np.array_equal(fill_hull(points).argmax(axis=1), chain)
    assert prefix[rows, chain].sum() >= prefix[rows, middle].sum()
