"""Hulls and certificates of volumes against brute force: is a point a convex combination of others?"""

import numpy as np
import pytest
from scipy import ndimage
from scipy.optimize import linprog

from varconvex.errors import InvalidImageError
from varconvex.geometry.certify import certify_convexity, fill_hull, hull_half_spaces, hull_vertices
from varconvex.geometry.hulls_3d import extreme_points, half_spaces


def brute_force_hull(mask):
    """Every point of the grid that is a convex combination of points of the mask, one linear program each."""
    points = np.argwhere(mask)
    combine, hull = np.vstack([points.T, np.ones(len(points))]), mask.copy()
    low, high = points.min(axis=0), points.max(axis=0)
    for x in np.argwhere(~mask):
        if (x >= low).all() and (x <= high).all():
            found = linprog(np.zeros(len(points)), A_eq=combine, b_eq=[*x, 1], bounds=(0, None), method="highs")
            hull[tuple(x)] = found.status == 0
    return hull


def random_volumes(count):
    """Full ones, and some that are planes, lines and points, upright and oblique."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        shape = rng.integers(1, 6, 3)
        mask = rng.random(shape) < rng.uniform(0.02, 0.4)
        if seed % 4 == 0:
            i = np.indices(mask.shape)
            mask = (rng.integers(-2, 3, 3).reshape(3, 1, 1, 1) * i).sum(axis=0) == rng.integers(0, 4)
            mask &= rng.random(shape) < 0.7
        if mask.any():
            yield fill_hull(mask) if seed % 3 == 0 else mask


def test_equals_brute_force_on_random_volumes():
    checked = 0
    for mask in random_volumes(40):
        hull = brute_force_hull(mask)
        pieces = ndimage.label(mask, np.ones((3, 3, 3)))[1]
        found = certify_convexity(mask)
        assert np.array_equal(fill_hull(mask), hull)
        assert (found.n_missing, found.n_components) == (np.count_nonzero(hull & ~mask), pieces)
        assert bool(found) == (np.array_equal(hull, mask) and pieces == 1)
        checked += 1
    assert checked > 30


def test_half_spaces_touch_what_they_hold():
    for mask in random_volumes(40):
        normals, offsets = hull_half_spaces(mask)
        points = np.argwhere(mask)
        assert ((normals @ points.T).max(axis=1) == offsets).all()
        assert (np.gcd.reduce(normals, axis=1) == 1).all()


def test_many_points_in_few_planes():
    cube = np.argwhere(np.ones((7, 5, 6), bool))
    normals, offsets = half_spaces(cube)
    assert sorted(map(tuple, normals)) == sorted(tuple(s * e) for e in np.eye(3, dtype=int) for s in (1, -1))
    assert sorted(offsets) == [0, 0, 0, 4, 5, 6]


def test_a_ball_is_convex_and_a_shell_is_not():
    distance = np.sqrt(((np.indices((41, 41, 41)) - 20) ** 2).sum(axis=0))
    ball = distance <= 17.5
    assert certify_convexity(ball)
    shell = ball & (distance > 9)
    found = certify_convexity(shell)
    assert (found.n_missing, found.n_components) == (np.count_nonzero(ball & ~shell), 1)
    assert np.array_equal(fill_hull(shell), ball)
    assert len(extreme_points(ball)) < 0.1 * ball.sum()


def test_flips_and_turns_change_nothing():
    for mask in random_volumes(30):
        for other in (mask[::-1], mask[:, ::-1], mask.transpose(2, 0, 1)):
            assert certify_convexity(other) == certify_convexity(mask)


def test_two_points_apart_are_two_pieces():
    mask = np.zeros((3, 3, 8), bool)
    mask[0, 0, 0] = mask[1, 1, 7] = True
    found = certify_convexity(mask)
    assert (found.convex, found.n_missing, found.n_components) == (False, 0, 2)


def test_empty_volumes_and_what_is_none():
    assert str(certify_convexity(np.zeros((2, 3, 4), bool))).startswith("empty")
    assert not fill_hull(np.zeros((2, 3, 4), bool)).any()
    with pytest.raises(InvalidImageError, match="two dimensions"):
        hull_vertices(np.zeros((2, 3, 4), bool))
    with pytest.raises(InvalidImageError, match="two or three dimensions"):
        certify_convexity(np.zeros((1, 2, 3, 4), bool))
