"""The outline by rays: its energy against direct integration, its optimum against the lattice's and closed forms."""

import numpy as np
import pytest

from varconvex import certify_convexity
from varconvex.geometry.lattice_polygon import best_polygon
from varconvex.geometry.outline import Outline, least_outline
from varconvex.geometry.ray_search import Frame, best_outline
from varconvex.metrics import iou

NOWHERE = np.zeros((90, 110), bool)
ROWS, COLUMNS = np.mgrid[:90, :110]


def flat(alpha):
    return lambda points, normals: np.full(points.shape[:-1], alpha)


def seeded(row, column):
    inside = NOWHERE.copy()
    inside[row - 1 : row + 2, column - 1 : column + 2] = True
    return inside


def perimeter(corners):
    return np.hypot(*(np.roll(corners, -1, axis=0) - corners).T).sum()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.0])
def test_the_energy_is_that_of_cost_and_length(rng, alpha):
    cost = rng.normal(size=NOWHERE.shape) + np.where(np.hypot(ROWS - 44, COLUMNS - 55) < 28, -1.0, 1.0)
    inside = seeded(44, 55)
    corners, energy = best_outline(cost, flat(alpha), inside, NOWHERE, Frame.around(np.argwhere(inside).astype(float)))
    mask = Outline(corners, cost.shape, energy).mask
    assert energy == pytest.approx(cost[mask & ~inside].sum() + alpha * perimeter(corners), rel=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_no_polygon_on_the_lattice_is_better_by_more_than_the_rays_are_coarse(seed):
    rng = np.random.default_rng(seed)
    from scipy.ndimage import gaussian_filter

    cost = 8 * gaussian_filter(rng.normal(size=NOWHERE.shape), 5)
    cost += np.where(np.hypot((ROWS - 40) / 1.2, COLUMNS - 60) < 25, -0.6, 0.6)
    inside = seeded(40, 60)
    found = least_outline(cost, flat(1.0), inside, NOWHERE)
    _, lattice = best_polygon(np.where(inside, -50, cost), n_nodes=33, alpha=1.0)
    lattice += 50 * inside.sum()
    assert found.energy < lattice + 0.02 * abs(lattice)


def test_a_disc_keeps_its_radius_or_shrinks_as_the_length_asks():
    # -pi r^2 + 2 pi alpha r falls with r from alpha on: the whole disc is best, while that is less than a point's.
    disc = np.hypot(ROWS - 45, COLUMNS - 50) < 30
    cost = np.where(disc, -1.0, 10.0)
    found = least_outline(cost, flat(3.0), seeded(45, 50), NOWHERE)
    assert iou(found.mask, disc) > 0.97
    # For alpha > R / 2 nothing at all would be cheaper: only the seed remains, and little around it.
    assert least_outline(cost, flat(40.0), seeded(45, 50), NOWHERE).mask.sum() < 0.1 * disc.sum()


def test_long_and_thin_objects_are_found_on_stretched_rays():
    along, across = (ROWS - 45) * 0.6 + (COLUMNS - 55) * 0.8, (ROWS - 45) * 0.8 - (COLUMNS - 55) * 0.6
    bar = (np.abs(along) < 45) & (np.abs(across) < 5)
    found = least_outline(np.where(bar, -1.0, 1.0), flat(0.1), seeded(45, 55), NOWHERE)
    assert iou(found.mask, bar) > 0.9


@pytest.mark.parametrize("turn", [0.1, 0.5, 0.9])
def test_corners_between_two_rays_are_found_along_the_outline(turn):
    along = (ROWS - 45) * np.sin(turn) + (COLUMNS - 55) * np.cos(turn)
    across = (ROWS - 45) * np.cos(turn) - (COLUMNS - 55) * np.sin(turn)
    box = (np.abs(along) < 38) & (np.abs(across) < 24)
    cost, inside = np.where(box, -1.0, 1.0), seeded(45, 55)
    corners, _ = best_outline(cost, flat(0.1), inside, NOWHERE, Frame.fitted(box, np.argwhere(box).astype(float)))
    coarse, fine = Outline(corners, box.shape, 0.0), least_outline(cost, flat(0.1), inside, NOWHERE)
    assert iou(fine.mask, box) > max(0.97, iou(coarse.mask, box))


def test_rays_follow_an_outline():
    corners = np.array([[10.0, 20.0], [10.0, 80.0], [70.0, 90.0], [60.0, 30.0]])
    mask = Outline(corners, NOWHERE.shape, 0.0).mask
    frame = Frame.along(mask, corners)
    reached = Outline(frame.centre + frame.directions(720, 0), mask.shape, 0.0).mask
    assert iou(reached, mask) > 0.99
    # Whichever way round the corners go.
    np.testing.assert_allclose(Frame.along(mask, corners[::-1]).directions(9, 0.5), frame.directions(9, 0.5))


def test_energies_are_compared_on_the_pixels(rng):
    cost = rng.normal(size=NOWHERE.shape) + np.where(np.hypot(ROWS - 44, COLUMNS - 55) < 28, -1.0, 1.0)
    inside = seeded(44, 55)
    found = least_outline(cost, flat(0.5), inside, NOWHERE)
    assert found.energy == pytest.approx(cost[found.mask & ~inside].sum() + 0.5 * perimeter(found.corners), rel=1e-6)


def test_what_lies_beyond_the_image_costs_nothing():
    half = np.hypot(ROWS - 45, COLUMNS) < 30
    found = least_outline(np.where(half, -1.0, 1.0), flat(2.0), seeded(45, 5), NOWHERE)
    assert iou(found.mask, half) > 0.95
    assert found.boundary(flat(1.0)) == pytest.approx(np.pi * 30, rel=0.05)


def test_the_outline_is_convex_and_the_scribbles_weigh_heavily(rng):
    inside, outside = seeded(30, 40), NOWHERE.copy()
    outside[20:80, 60:62] = True
    for _ in range(5):
        found = least_outline(rng.normal(size=NOWHERE.shape), flat(0.2), inside, outside)
        assert certify_convexity(found.mask).convex
        assert found.mask[inside].all()
        assert (found.mask & outside).sum() <= 2


@pytest.mark.parametrize(("right", "wrong"), [(15, 30), (30, 15)])
def test_a_boundary_cost_by_direction_chooses_between_edges(right, wrong):
    # Two nested squares: edges both, but those of the wrong one are cheap for normals along its sides only.
    def boundary_cost(points, normals):
        radial = np.stack([points[..., 0] - 45, points[..., 1] - 55], axis=-1)
        size = np.abs(radial).max(axis=-1)
        across = np.abs((normals * radial).sum(axis=-1)) > 0.9 * size
        cheap = ((np.abs(size - right) < 2.5) & across) | ((np.abs(size - wrong) < 2.5) & ~across)
        return np.where(cheap, 0.01, 2.0)

    rim = np.ones(NOWHERE.shape, bool)
    rim[4:-4, 4:-4] = False
    found = least_outline(np.zeros(NOWHERE.shape), boundary_cost, seeded(45, 55), rim)
    assert right - 4 < np.abs(np.argwhere(found.mask) - (45, 55)).max() < right + 4


def test_another_grid_shows_the_same_field_of_view():
    corners = np.array([[20.0, 30.0], [20.0, 70.0], [60.0, 70.0], [60.0, 30.0]])
    outline = Outline(corners, (90, 110), 0.0)
    fine = outline.rasterize((180, 220))
    assert fine.sum() == pytest.approx(4 * outline.mask.sum(), rel=0.06)
    assert (np.argwhere(fine).mean(axis=0) + 0.5) / 2 == pytest.approx(np.argwhere(outline.mask).mean(axis=0) + 0.5)
