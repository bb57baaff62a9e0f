"""Digital rays against their definition, and the best star against all stars there are."""

from itertools import product

import numpy as np
import pytest

from benchmarks._judges import is_star, parent, subsets
from varconvex.geometry.certify import certify_convexity, fill_hull
from varconvex.geometry.digital_rays import best_star, hits, least_cost, parents, rays, star_violations


@pytest.mark.parametrize(("shape", "centre"), [((9, 14), (3, 12)), ((70, 6), (0, 0)), ((4, 5, 9), (1, 4, 0))])
def test_parents_are_those_of_the_definition(shape, centre):
    found = parents(shape, centre)
    for pixel in product(*map(range, shape)):
        assert np.unravel_index(found[pixel], shape) == parent(pixel, centre)


def test_rays_stay_near_the_straight_segment():
    n = 128
    above = parents((n + 1, n + 1), (0, 0)) % (n + 1)
    worst = np.zeros(n + 1)
    for m in range(1, n + 1):
        first = np.arange(m + 1)
        at = first
        for k in range(m, 0, -1):
            at = above[k, at]
            worst[m] = max(worst[m], np.abs(at - first * (k - 1) / m).max())
    assert worst[:17].max() < 1.3
    assert 1.9 < worst.max() < 2.1


@pytest.mark.parametrize(("shape", "centre"), [((3, 4), (1, 2)), ((2, 5), (0, 0)), ((2, 2, 3), (0, 1, 1))])
def test_the_best_star_is_the_best_of_all(shape, centre):
    sets = subsets(int(np.prod(shape)))
    stars = np.array([chosen for chosen in sets if is_star(chosen.reshape(shape), centre)])
    violated = [len(star_violations(chosen.reshape(shape), centre)) > 0 for chosen in sets[::7]]
    assert violated == [not is_star(chosen.reshape(shape), centre) for chosen in sets[::7]]
    rng = np.random.default_rng(0)
    for _ in range(10):
        cost = rng.standard_normal(shape)
        found = best_star(cost, centre)
        assert is_star(found, centre)
        assert cost[found].sum() == pytest.approx((stars @ cost.ravel()).min())
        assert least_cost(cost, centre) == pytest.approx(cost[found].sum())


@pytest.mark.slow
def test_the_best_star_is_the_best_of_all_on_five_by_five():
    # By recursion over the tree, in exact integers, which shares no code: 2^25 sets are too many to list.
    rng = np.random.default_rng(1)
    for centre in product(range(5), repeat=2):
        cost = rng.integers(-9, 10, (5, 5))
        below = {p: [q for q in product(range(5), repeat=2) if q != p and parent(q, centre) == p] for p in
                 product(range(5), repeat=2)}  # fmt: skip

        def least(p, cost=cost, below=below):
            return int(cost[p]) + sum(min(0, least(q)) for q in below[p])

        assert least_cost(cost, centre) == least(centre)


def test_rays_of_strokes():
    mask = np.zeros((20, 20), bool)
    mask[2, 3] = mask[17, 9] = True
    held = rays(mask, (10, 10))
    assert is_star(held, (10, 10))
    assert held.sum() <= 8 + 7 + 1
    blocked = np.zeros((20, 20), bool)
    blocked[6] = True
    assert hits(np.argwhere(mask), np.array([[10, 10], [1, 1]]), blocked).tolist() == [1, 1]


def test_convex_sets_are_nearly_stars_about_their_pixels():
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = np.zeros((60, 60), bool)
        mask[tuple(rng.integers(5, 55, (2, 6)))] = True
        mask = fill_hull(mask)
        if not certify_convexity(mask):
            continue
        centre = tuple(np.argwhere(mask)[mask.sum() // 2].tolist())
        nearest = best_star(np.where(mask, -1.0, 1.0), centre)
        assert (nearest ^ mask).sum() <= 0.05 * mask.sum()
