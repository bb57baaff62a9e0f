"""The best set in a small window against all digitally convex sets there are."""

import numpy as np
import pytest

from varconvex.geometry.certify import certify_convexity, fill_hull
from varconvex.geometry.lattice_polygon import FINE_DIRECTIONS, MOST_PIXELS, best_nearby, energies_from, window_costs


def subsets(shape):
    n = int(np.prod(shape))
    bits = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
    return bits.astype(bool).reshape(-1, *shape)


@pytest.fixture(scope="module")
def convex_sets():
    return np.array([mask for mask in subsets((3, 4)) if np.array_equal(fill_hull(mask), mask)])


@pytest.mark.parametrize("seed", range(20))
def test_the_recursion_finds_the_best_of_all_digitally_convex_sets(convex_sets, seed):
    cost = np.random.default_rng(seed).normal(size=(3, 4))
    prefix = np.pad(np.cumsum(cost, axis=1), ((0, 0), (1, 0)))
    found = (energies_from(window_costs(prefix, FINE_DIRECTIONS), FINE_DIRECTIONS) + cost).min()
    assert found == pytest.approx((convex_sets * cost).sum(axis=(1, 2)).min())


def test_no_connected_set_is_much_better_than_the_one_found(convex_sets):
    connected = np.array([mask for mask in convex_sets if certify_convexity(mask)])
    missed = 0
    for seed in range(100):
        cost = np.random.default_rng(seed).normal(size=(3, 4))
        start = np.zeros((3, 4), bool)
        start.flat[cost.argmin()] = True
        found = best_nearby(start, cost)
        assert certify_convexity(found)
        assert cost[found].sum() <= cost.min()
        missed += cost[found].sum() > (connected * cost).sum(axis=(1, 2)).min() + 1e-9
    # The recursion does not know whether a set hangs together.
    assert missed <= 10


def test_a_square_in_noise_is_at_least_as_cheap_as_the_square():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth = np.zeros((60, 60), bool)
        truth[20:30, 25:37] = True
        cost = 1 - 2.0 * (truth ^ (rng.random(truth.shape) < 0.3))
        start = np.zeros_like(truth)
        start[22:25, 28:31] = True
        wider = np.zeros_like(truth)
        wider[18:32, 23:39] = True
        found = best_nearby(best_nearby(wider, cost), cost)
        assert certify_convexity(found)
        assert cost[found].sum() <= min(cost[truth].sum(), cost[wider].sum())
        assert cost[best_nearby(start, cost)].sum() <= cost[start].sum()


def test_what_is_not_small_or_empty_is_left_alone():
    large = np.zeros((80, 80), bool)
    large[10:50, 10:50] = True
    assert large.sum() > MOST_PIXELS
    assert best_nearby(large, -np.ones(large.shape)) is large
    empty = np.zeros((5, 5), bool)
    assert best_nearby(empty, -np.ones((5, 5))) is empty
