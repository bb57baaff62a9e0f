"""The certificate against brute force: every lattice point against every side of the hull, in integers."""

from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from varconvex.errors import InvalidImageError
from varconvex.geometry.certify import (
    certificate_of_runs,
    certify_convexity,
    fill_hull,
    hull_half_spaces,
    hull_vertices,
)
from varconvex.geometry.hulls import hull_share, is_convex


def brute_force_hull(mask):
    """Lattice points on no wrong side of any line through two pixels that has all others on one side."""
    pixels = np.argwhere(mask)
    grid = np.argwhere(np.ones(mask.shape, bool))
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    hull = ((grid >= low) & (grid <= high)).all(axis=1)
    for p, q in combinations(pixels, 2):
        normal = np.array([q[1] - p[1], p[0] - q[0]])
        for sign in (1, -1):
            if (sign * (pixels - p) @ normal <= 0).all():
                hull &= sign * (grid - p) @ normal <= 0
    return hull.reshape(mask.shape)


def random_masks(count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        shape = rng.integers(1, 9, 2)
        mask = rng.random(shape) < rng.uniform(0.02, 0.5)
        if mask.any():
            yield fill_hull(mask) if seed % 3 == 0 else mask


def test_equals_brute_force_on_random_masks():
    checked = 0
    for mask in random_masks(1200):
        hull = brute_force_hull(mask)
        pieces = ndimage.label(mask, np.ones((3, 3)))[1]
        found = certify_convexity(mask)
        assert np.array_equal(fill_hull(mask), hull)
        assert found.n_missing == np.count_nonzero(hull & ~mask)
        assert found.n_components == pieces
        assert found.n_pixels == np.count_nonzero(mask)
        assert bool(found) == found.convex == is_convex(mask) == (np.array_equal(hull, mask) and pieces == 1)
        assert hull_share(mask) == np.count_nonzero(mask) / np.count_nonzero(hull)
        checked += 1
    assert checked >= 1000


def test_hull_vertices_are_the_corners_and_no_more():
    for mask in random_masks(200):
        corners = hull_vertices(mask)
        only = np.zeros_like(mask)
        only[tuple(corners.T)] = True
        assert mask[tuple(corners.T)].all()
        assert np.array_equal(fill_hull(only), fill_hull(mask))
        for i in range(len(corners) if len(corners) > 2 else 0):
            a, b, c = corners[i - 2], corners[i - 1], corners[i]
            assert (b - a)[0] * (c - b)[1] - (b - a)[1] * (c - b)[0] > 0


def test_half_planes_hold_the_hull_and_touch_it():
    for mask in random_masks(100):
        normals, offsets = hull_half_spaces(mask)
        grid = np.argwhere(np.ones(mask.shape, bool))
        within = (normals @ grid.T <= offsets[:, None]).all(axis=0)
        assert np.array_equal(within.reshape(mask.shape), brute_force_hull(mask))
        assert ((normals @ np.argwhere(mask).T).max(axis=1) == offsets).all()
        assert (np.gcd.reduce(normals, axis=1) == 1).all()
        known = set(map(tuple, normals.tolist()))
        assert len(known) == len(normals)
        assert known >= {(1, 0), (-1, 0), (0, 1), (0, -1)}


def test_runs_of_rows_are_certified_as_their_mask_is():
    found = []
    for mask in random_masks(400):
        rows = mask[mask.any(axis=1)]
        filled = np.maximum.accumulate(rows, axis=1) & np.maximum.accumulate(rows[:, ::-1], axis=1)[:, ::-1]
        first, last = filled.argmax(axis=1), filled.argmax(axis=1) + filled.sum(axis=1) - 1
        found.append(certificate_of_runs(first, last))
        assert found[-1] == certify_convexity(filled)
    assert {c.convex for c in found} == {c.n_missing > 0 for c in found} == {True, False}
    assert {c.n_components for c in found if not c.n_missing} >= {1, 2}
    assert max(c.n_components for c in found) > 2


def test_the_share_of_counted_pixels_is_of_the_hull_among_them():
    mask, counted = np.zeros((1, 9), bool), np.ones((1, 9), bool)
    mask[0, [1, 5]] = True
    counted[0, [2, 3]] = False
    assert (hull_share(mask), hull_share(mask, counted)) == (2 / 5, 2 / 3)


def test_integers_are_masks():
    for mask in random_masks(30):
        for dtype in (np.uint8, np.int64):
            assert certify_convexity(mask.astype(dtype)) == certify_convexity(mask)


def test_flips_and_transposes_change_nothing():
    for mask in random_masks(100):
        for other in (mask[::-1], mask[:, ::-1], mask.T):
            assert certify_convexity(other) == certify_convexity(mask)


def test_sliver_whose_hull_is_in_pieces_is_not_convex():
    mask = np.zeros((2, 6), bool)
    mask[0, 0] = mask[1, 5] = True
    found = certify_convexity(mask)
    assert (found.convex, found.n_missing, found.n_components) == (False, 0, 2)
    assert "2 component(s)" in str(found)


def test_empty_is_not_convex():
    found = certify_convexity(np.zeros((3, 4), bool))
    assert not found
    assert (found.n_pixels, found.n_components, found.n_missing) == (0, 0, 0)
    assert str(found).startswith("empty")
    assert hull_vertices(np.zeros((3, 4), bool)).shape == (0, 2)
    assert not is_convex(np.zeros((3, 4), bool))
    assert hull_share(np.zeros((3, 4), bool)) == 1


def test_one_hole_is_one_missing_pixel():
    mask = np.ones((9, 9), bool)
    mask[4, 4] = False
    found = certify_convexity(mask)
    assert (found.n_missing, found.n_components) == (1, 1)
    assert "1 lattice point" in str(found)
    assert str(certify_convexity(np.ones((2, 2), int))).startswith("convex: 4 pixels")


def test_input_is_not_changed():
    mask = np.random.default_rng(0).random((20, 30)) < 0.2
    before = mask.copy()
    fill_hull(mask)[:] = True
    certify_convexity(mask)
    assert np.array_equal(mask, before)


@pytest.mark.parametrize("function", [certify_convexity, fill_hull, hull_vertices])
@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 5), (0, 4)])
def test_masks_of_other_shapes_are_named(function, shape):
    with pytest.raises(InvalidImageError, match="dimensions"):
        function(np.zeros(shape, bool))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_an_empty_mask_has_no_half_spaces(shape):
    with pytest.raises(InvalidImageError, match="at least one pixel; got an empty mask"):
        hull_half_spaces(np.zeros(shape, bool))


@pytest.mark.parametrize("mask", [np.eye(3), np.array([[0, 2]]), np.array([[-1, 0]])])
def test_other_values_are_named(mask):
    with pytest.raises(InvalidImageError, match="boolean, or integers 0 and 1"):
        certify_convexity(mask)
