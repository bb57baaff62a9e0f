"""Polytopes that move to lower costs: what a cut costs by brute force, and bodies in noise."""

import numpy as np
import pytest

from benchmarks._solids import BODIES, GRIDS, STROKES, solid
from varconvex import project
from varconvex.geometry.certify import certify_convexity
from varconvex.geometry.convex_sets import check_hulls, search
from varconvex.geometry.polytopes_3d import _cuts, _sweep, _tilts, descend
from varconvex.geometry.raster import grid_points, total
from varconvex.geometry.refine_3d import directions


def evidence(case):
    """Negative log-odds of the object under the true grey values and the true noise, at most 3 nats."""
    mine, others = case.image[case.truth], case.image[~case.truth]
    odds = ((case.image - others.mean()) ** 2 - (case.image - mine.mean()) ** 2) / (2 * others.var())
    return np.clip(-odds, -3, 3)


@pytest.mark.parametrize("seed", range(4))
def test_cuts_cost_what_a_sum_over_all_offsets_says(seed):
    rng = np.random.default_rng(seed)
    points = (grid_points((9, 9, 9)) - 4.0) / 5
    cost, vectors = rng.normal(size=len(points)), directions(1)
    excluded = (rng.random(len(points)) < 0.3).astype(np.int32)
    held = points[[300, 400]] * 0.2
    offsets, gains = _cuts(points, cost, vectors, excluded, held)
    here = points[excluded == 0]
    for vector, offset, gain in zip(vectors, offsets, gains, strict=True):
        along, now = here @ vector, cost[excluded == 0].sum()
        tried = along.max() - 0.3 + (np.arange(128) - 64) * (0.6 / 128)
        tried = tried[tried >= (held @ vector).max()]
        sums = [now, *(cost[excluded == 0][along <= limit].sum() for limit in tried)]
        assert now - gain == pytest.approx(min(sums), abs=1e-6)
        if gain:
            assert cost[excluded == 0][along <= offset].sum() == pytest.approx(now - gain, abs=1e-6)


def test_a_sweep_lowers_the_cost_by_what_it_says():
    rng = np.random.default_rng(3)
    points = (grid_points((11, 11, 11)) - 5.0) / 5
    cost = rng.normal(size=len(points)) + 4 * (np.linalg.norm(points, axis=1) > 0.7) - 1
    normals, limits = directions(1).copy(), np.full(26, 0.9)
    excluded = (points @ normals.T > limits).sum(axis=1).astype(np.int32)
    before = cost[excluded == 0].sum()
    held = points[np.linalg.norm(points, axis=1) < 0.25]
    gain = _sweep(points, cost, normals, limits, excluded, held, _tilts((0.3, 0.1), 0), 0.6, np.ones(26, np.int64))
    assert np.array_equal(excluded, (points @ normals.T > limits).sum(axis=1))
    assert cost[excluded == 0].sum() == pytest.approx(before - gain)
    assert gain > 0
    assert (held @ normals.T <= limits).all()


@pytest.mark.parametrize("seed", [10, 38])
def test_bodies_in_noise_are_found(seed):
    case = solid(seed)
    cost = evidence(case)
    _, mask = search(cost, np.zeros(cost.shape, bool))
    assert certify_convexity(mask)
    # Descents over fixed directions end at .82 to .94 of it.
    assert total(cost, mask) < 0.97 * total(cost, case.truth)
    better = descend(cost, mask)
    assert certify_convexity(better)
    assert total(cost, better) <= total(cost, mask)


def test_a_set_that_nothing_improves_stays():
    case = solid(8)
    assert np.array_equal(descend(np.where(case.truth, -1.0, 1.0), case.truth), case.truth)
    nothing = np.zeros((5, 6, 7), bool)
    assert not descend(np.ones(nothing.shape), nothing).any()


@pytest.mark.parametrize("seed", range(0, 45, 6))
def test_a_convex_target_comes_back_unchanged(seed):
    truth = check_hulls(solid(seed).truth, np.zeros_like(solid(seed).truth))
    result = project(truth, spacing=solid(seed).spacing)
    assert np.array_equal(result.mask, truth)
    assert result.integrality_gap == pytest.approx(0, abs=1e-6 * truth.sum())


def test_every_kind_of_body_and_stroke_is_drawn():
    for seed in range(0, len(GRIDS) * len(BODIES) * len(STROKES), 4):
        case = solid(seed)
        assert certify_convexity(case.truth)
        assert case.truth[case.scribbles == 2].all()
        assert not case.truth[case.scribbles == 1].any()
        assert (case.scribbles == 2).any()
        assert (case.scribbles == 1).any()
