"""Corners given back: what a cap costs against enumeration, exact polygons, and the promises on noise."""

import numpy as np
import pytest

from varconvex.geometry.certify import certify_convexity, fill_hull, hull_vertices
from varconvex.geometry.corners import cap_costs, runs, with_corners


def prefix_of(cost):
    return np.pad(np.cumsum(cost, axis=1), ((0, 0), (1, 0)))


def polygon(corners, size=80):
    mask = np.zeros((size, size), bool)
    mask[tuple(np.array(corners).T)] = True
    return fill_hull(mask)


def test_what_a_cap_costs_is_the_sum_over_the_half_planes_that_remain():
    compared = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        mask = np.zeros((24, 22), bool)
        mask[7:17, 7:15] = fill_hull(rng.random((10, 8)) < 0.1)
        corners = hull_vertices(mask)
        n = len(corners)
        if n < 4 or not certify_convexity(mask):
            continue
        cost = rng.normal(size=mask.shape)
        gains = cap_costs(prefix_of(cost), corners, *runs(mask), n - 2)
        edges = np.roll(corners, -1, axis=0) - corners
        normals = edges[:, ::-1] * [1, -1]
        offsets = (normals * corners).sum(axis=1)
        violated = normals @ np.indices(mask.shape).reshape(2, -1) > offsets[:, None]
        for i in range(n):
            for between in range(n - 2):
                j = (i + between + 2) % n
                if not np.isfinite(gains[i, between]):
                    assert edges[i, 0] * edges[j, 1] <= edges[i, 1] * edges[j, 0]
                    continue
                dropped = (i + 1 + np.arange(between + 1)) % n
                kept = np.setdiff1d(np.arange(n), dropped)
                wider = ~violated[kept].any(axis=0).reshape(mask.shape)
                assert gains[i, between] == pytest.approx(cost[wider].sum() - cost[mask].sum())
                compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    "corners",
    [
        [(10, 10), (10, 60), (60, 60), (60, 10)],
        [(5, 40), (40, 75), (75, 40), (40, 5)],
        [(70, 5), (70, 75), (35, 75)],
        [(20, 5), (5, 35), (35, 65), (65, 35)],
    ],
)
def test_a_corner_that_was_cut_off_comes_back_in_one_step(corners):
    truth = polygon(corners)
    points = np.moveaxis(np.indices(truth.shape), 0, -1)
    for corner in np.array(corners):
        inwards = np.mean(corners, axis=0) - corner
        away = (points - corner) @ inwards / np.hypot(*inwards)
        cut = fill_hull(truth & (away >= 7))
        assert cut.sum() < truth.sum()
        assert np.array_equal(with_corners(cut, prefix_of(np.where(truth, -1.0, 1.0))), truth)


def test_on_noise_the_set_grows_stays_convex_and_never_costs_more():
    grown = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        size = tuple(rng.integers(1, 40, 2))
        mask = fill_hull(rng.random(size) < 5 / np.prod(size))
        if not certify_convexity(mask):
            continue
        cost, given = rng.normal(size=size) - 0.3, mask.copy()
        wider = with_corners(mask, prefix_of(cost))
        assert np.array_equal(mask, given)
        assert (wider >= mask).all()
        assert certify_convexity(wider)
        assert cost[wider].sum() <= cost[mask].sum() + 1e-12
        grown += bool((wider != mask).any())
    assert grown > 10
