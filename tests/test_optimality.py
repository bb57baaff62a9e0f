"""The bound on all convex masks, against all of them on small grids, and against masks that are found."""

from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from scipy.ndimage import label

from varconvex import (
    InvalidImageError,
    InvalidParameterError,
    UnsupportedTypeError,
    certify_convexity,
    certify_optimality,
    project,
    segment,
)
from varconvex.geometry.certify import fill_hull
from varconvex.geometry.set_bound import BASES, _Lines, least_convex_cost


@lru_cache
def convex_masks(height, width):
    """All digitally convex, connected masks of a small grid: (n, height, width) float."""
    found = (np.array(bits, bool).reshape(height, width) for bits in product([0, 1], repeat=height * width))
    return np.array([mask for mask in found if mask.any() and certify_convexity(mask)], float)


@pytest.mark.parametrize("shape", [(3, 3), (1, 7)])
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("basis", BASES)
def test_no_convex_mask_is_cheaper_than_the_best_set_along_lines(shape, step, basis):
    rng = np.random.default_rng(3)
    lines = _Lines.of(shape, basis)
    for _ in range(20):
        cost = rng.normal(size=shape)
        value, mask = lines.cheapest(cost, step)
        best = (convex_masks(*shape) * cost).sum(axis=(1, 2)).min()
        assert value <= min(best, 0) + 1e-12
        if step == 1:
            assert value == pytest.approx((cost * mask).sum(), abs=1e-6)


def test_intervals_along_rows_against_all_masks():
    # With one basis the best set is known: rows are intervals, and so are columns.
    rng = np.random.default_rng(4)
    masks = np.array(list(product([0, 1], repeat=12)), float).reshape(-1, 3, 4)

    def intervals(axis):
        return (np.diff(np.pad(masks, [(0, 0), (1, 1), (1, 1)]), axis=axis) > 0).sum(axis=axis).max(axis=1) <= 1

    connected = [label(mask, np.ones((3, 3)))[1] == 1 for mask in masks]
    allowed = masks[intervals(1) & intervals(2) & connected]
    for _ in range(30):
        cost = rng.normal(size=(3, 4))
        value, mask = _Lines.of((3, 4), BASES[0]).cheapest(cost, 1)
        # Intervals of neighbouring rows need not touch here: the bound may be lower, never higher.
        assert value <= (allowed * cost).sum(axis=(1, 2)).min() + 1e-12
        assert (np.diff(np.pad(mask.astype(int), [(0, 0), (1, 1)]), axis=1) > 0).sum(axis=1).max() <= 1


def test_all_bases_together_are_nearly_exact_on_small_grids():
    rng = np.random.default_rng(5)
    shares = []
    for _ in range(40):
        cost = rng.normal(size=(3, 3)) - 0.2
        best = min((convex_masks(3, 3) * cost).sum(axis=(1, 2)).min(), 0)
        bound = least_convex_cost(cost, best, max_iter=100)
        assert bound <= best
        shares.append((best - bound) / abs(best))
    assert np.median(shares) < 0.05


@pytest.mark.parametrize(("noise", "most"), [(0.0, 1e-9), (0.3, 0.005), (0.5, 0.02)])
def test_projections_of_noisy_discs_are_proven_nearly_optimal(noise, most):
    rng = np.random.default_rng(6)
    disc = np.hypot(*np.mgrid[-24:25, -24:25]) < 15
    found = certify_optimality(project(np.clip(disc + rng.normal(0, noise, disc.shape), 0, 1)), tol=0.5 * most)
    assert found.bound <= found.energy
    assert found.excess <= most
    assert f"{found.excess:.2%}" in str(found)


def test_other_convex_masks_keep_the_bound():
    rng = np.random.default_rng(7)
    target = np.clip(fill_hull(rng.random((40, 50)) < 0.003) + rng.normal(0, 0.5, (40, 50)), 0, 1)
    cost = 1 - 2 * target
    bound = certify_optimality(project(target), time_limit=0.5).bound
    for _ in range(100):
        points = rng.integers(0, (40, 50), (rng.integers(3, 8), 2))
        mask = np.zeros((40, 50), bool)
        mask[tuple(points.T)] = True
        assert (cost * fill_hull(mask)).sum() >= bound


def test_scribbles_are_part_of_the_problem():
    target = np.zeros((20, 30))
    target[5:15, 3:9] = target[5:15, 20:27] = 1
    inside = np.zeros(target.shape, bool)
    inside[10, 5] = inside[10, 24] = True
    free, held = project(target), project(target, inside=inside)
    assert certify_optimality(held).bound > certify_optimality(free).energy + 10


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(8)
    disc = np.hypot(*np.mgrid[-30:31, -40:41]) < 16
    image = np.where(disc, 0.7, 0.3) + rng.normal(0, 0.08, disc.shape)
    strokes = {"object": [(28, 36), (33, 44)], "background": [[(3, 3), (3, 76)], [(57, 3), (57, 76)]]}
    return segment(image, strokes, shape="convex", certainty=True)


def test_segmentations_are_certified_by_their_margins(result):
    found = certify_optimality(result)
    assert result.dual <= found.bound <= found.energy == result.energy
    assert found.excess < 0.02


def test_what_cannot_be_certified_is_an_error(result):
    image, seeds = result.image[..., 0], result.seeds
    with pytest.raises(InvalidParameterError, match="certainty=True"):
        certify_optimality(segment(image, seeds, shape="convex"))
    with pytest.raises(InvalidParameterError, match="label must be one of the objects"):
        certify_optimality(result, label=7)
    with pytest.raises(UnsupportedTypeError, match="Segmentation was expected"):
        certify_optimality(result.mask)
    with pytest.raises(InvalidImageError, match="volume"):
        certify_optimality(project(np.ones((3, 4, 5), bool)))
    ring = np.hypot(*np.mgrid[-30:31, -30:31])
    strokes = {"object": [(30, 15), (30, 16)], "background": [[(30, 30), (30, 31)], [(1, 1), (1, 58)]]}
    with pytest.raises(InvalidParameterError, match="must be convex"):
        certify_optimality(segment(np.where((ring < 20) & (ring > 10), 1.0, 0.0), strokes, certainty=True))
