"""Convex sets of many labels at once: against single projections and brute force, and what no cut may break."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import label as parts_of

from varconvex import project
from varconvex.geometry.certify import certify_convexity
from varconvex.geometry.convex_objects import convex_objects


def painted(pieces, shape):
    """The label image of the pieces, and how many of them hold each pixel."""
    labels, count = np.zeros(shape, int), np.zeros(shape, int)
    for k, piece in enumerate(pieces, 1):
        labels[piece.window][piece.mask] = k
        count[piece.window] += piece.mask
    return labels, count


def solved(zones, **more):
    pieces = convex_objects(zones, np.where(zones > 0, -1.0, 1.0), **more)
    labels, count = painted(pieces, zones.shape)
    assert count.max() <= 1
    assert all(certify_convexity(labels == k).convex for k in range(1, len(pieces) + 1))
    return labels


def random_labels(seed, shape=(60, 70), pieces=9):
    """Blobs of many kinds, some touching, some in pieces, some inside others' dents."""
    rng = np.random.default_rng(seed)
    zones = np.zeros(shape, np.int32)
    for k in range(1, pieces + 1):
        centre = [rng.integers(4, n - 4) for n in shape]
        away = np.linalg.norm(
            (np.indices(shape).T - centre).T * rng.uniform(0.6, 1.6, (len(shape),) + (1,) * len(shape)), axis=0
        )
        zones[away < rng.uniform(3, 12) + rng.normal(0, 1, shape)] = k
    return np.unique(zones, return_inverse=True)[1].reshape(shape).astype(np.int32)


@pytest.mark.parametrize("seed", range(8))
def test_sets_are_convex_disjoint_and_there(seed):
    zones = random_labels(seed)
    assert set(np.unique(solved(zones))) >= set(range(1, zones.max() + 1))


@pytest.mark.parametrize("seed", range(3))
def test_volumes(seed):
    zones = random_labels(seed, (14, 16, 18), 4)
    assert set(np.unique(solved(zones))) >= set(range(1, zones.max() + 1))


def test_convex_objects_that_touch_stay_as_they_are():
    zones = np.zeros((40, 40), np.int32)
    zones[5:20, 5:20], zones[5:20, 20:33], zones[20:31, 8:30] = 1, 2, 3
    np.testing.assert_array_equal(solved(zones), zones)


@pytest.mark.parametrize("seed", range(6))
def test_one_object_costs_hardly_more_than_its_projection(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:50, :60]
    mask = np.hypot((y - 24) * rng.uniform(0.8, 1.5), x - 30) < 17
    mask &= ~(np.hypot(y - 10, x - 24) < rng.uniform(2, 9))
    mask ^= rng.random(mask.shape) < 0.03
    mask = parts_of(mask)[0] == parts_of(mask)[0][24, 30]
    ours = np.count_nonzero(solved(mask.astype(np.int32)) != mask)
    assert ours <= np.count_nonzero(project(mask).mask != mask) + 0.01 * mask.sum()


def test_small_objects_against_all_convex_sets():
    window = (3, 4)
    every = [np.array(bits).reshape(window) for bits in itertools.product((False, True), repeat=12)]
    convex = np.array([mask for mask in every if mask.any() and certify_convexity(mask).convex])
    for seed in range(40):
        mask = np.random.default_rng(seed).random(window) < 0.55
        if mask.any():
            least = (convex != mask).sum(axis=(1, 2)).min()
            assert np.count_nonzero(solved(np.pad(mask, 2).astype(np.int32)) != np.pad(mask, 2)) == least


def test_two_that_cross_are_cut_where_least_is_lost():
    zones = np.zeros((30, 60), np.int32)
    zones[5:25, 5:30], zones[5:25, 30:55] = 1, 2
    zones[12:18, 24:30], zones[10:15, 30:33] = 2, 1  # fingers into each other
    found = solved(zones)
    np.testing.assert_array_equal(found[5:25, 5:24], 1)
    np.testing.assert_array_equal(found[5:25, 33:55], 2)
    straight = np.where(np.arange(60) < 30, 1, 2) * (zones > 0)
    assert np.count_nonzero(found != zones) <= np.count_nonzero(straight != zones)


def test_an_object_in_the_dent_of_another_keeps_its_pixels():
    y, x = np.mgrid[:60, :60]
    zones = ((np.hypot(y - 30, x - 30) < 25) & ~(np.hypot(y - 12, x - 30) < 12)).astype(np.int32)
    zones[np.hypot(y - 12, x - 30) < 8] = 2
    found = solved(zones)
    assert np.count_nonzero((found == 2) & (zones == 2)) > 0.7 * np.count_nonzero(zones == 2)


def test_a_ring_around_another():
    y, x = np.mgrid[:50, :50]
    away = np.hypot(y - 25, x - 25)
    found = solved(np.where(away < 8, 1, np.where((away > 12) & (away < 20), 2, 0)).astype(np.int32))
    assert {1, 2} <= set(np.unique(found))


@pytest.mark.parametrize("seed", range(4))
def test_blocked_pixels_are_no_ones(seed):
    zones = random_labels(seed)
    blocked = np.hypot(*(np.indices(zones.shape).T - [30, 35]).T) < 12
    zones = np.unique(np.where(blocked, 0, zones), return_inverse=True)[1].reshape(zones.shape).astype(np.int32)
    found = solved(zones, blocked=blocked)
    assert not found[blocked].any()


def test_costs_decide_between_two():
    zones = np.zeros((20, 40), np.int32)
    zones[4:16, 4:20], zones[4:16, 20:36] = 1, 2
    cost = np.where(zones > 0, -1.0, 1.0)
    zones[8:12, 17:20] = 2  # a finger of the second that is worth little
    cost[8:12, 17:20] = -0.01
    found, _ = painted(convex_objects(zones, cost), zones.shape)
    np.testing.assert_array_equal(found[4:16, 4:17], 1)
    np.testing.assert_array_equal(found[4:16, 20:36], 2)
