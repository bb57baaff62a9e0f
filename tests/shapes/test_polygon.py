"""The dynamic program against all convex polygons there are on a tiny lattice."""

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial import ConvexHull, QhullError

from varconvex import certify_convexity, project, segment
from varconvex.errors import InvalidImageError, InvalidParameterError, ScribbleConflictError
from varconvex.geometry.lattice_polygon import best_polygon
from varconvex.metrics import iou
from varconvex.shapes.polygon import PolygonShape

NODES = 4
CELL = 3


def area_integral(cost, corners):
    """Cost in the polygon: per pixel row, the piece of the line through its centre, sampled finely."""
    per_pixel = 400
    total = 0.0
    x = (np.arange(cost.shape[1] * per_pixel) + 0.5) / per_pixel
    for r in range(cost.shape[0]):
        crossing = []
        for p, q in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if (p[0] <= r + 0.5) != (q[0] <= r + 0.5):
                crossing.append(p[1] + (r + 0.5 - p[0]) / (q[0] - p[0]) * (q[1] - p[1]))
        if crossing:
            within = (x > min(crossing)) & (x < max(crossing))
            total += np.repeat(cost[r], per_pixel)[within].sum() / per_pixel
    return total


def perimeter(corners):
    return np.hypot(*(np.roll(corners, -1, axis=0) - corners).T).sum()


@pytest.fixture(scope="module")
def all_polygons():
    """Every convex polygon with corners on the lattice, once."""
    nodes = [(r, c) for r in range(NODES) for c in range(NODES)]
    found = set()
    for size in range(3, 9):
        for chosen in combinations(nodes, size):
            try:
                hull = ConvexHull(np.array(chosen))
            except QhullError:
                continue
            if len(hull.vertices) == size:
                found.add(frozenset(chosen))
    return [np.array(list(p))[ConvexHull(np.array(list(p))).vertices] * CELL for p in found]


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_equals_exhaustive_enumeration(all_polygons, alpha):
    rng = np.random.default_rng(0)
    for _ in range(2):
        cost = rng.standard_normal((CELL * (NODES - 1), CELL * (NODES - 1)))
        corners, energy = best_polygon(cost, n_nodes=NODES, alpha=alpha)
        energies = [area_integral(cost, p) + alpha * perimeter(p) for p in all_polygons]
        assert energy == pytest.approx(min(0, *energies), abs=0.05)
        assert area_integral(cost, corners) + alpha * perimeter(corners) == pytest.approx(energy, abs=0.05)


def test_equals_enumeration_of_triangles_and_quadrilaterals_on_nine_nodes():
    nodes = np.array([(r, c) for r in range(3) for c in range(3)])
    rng = np.random.default_rng(1)
    for alpha in (0.0, 0.3):
        cost = rng.standard_normal((6, 6)) - 0.2
        best = 0.0
        for size in range(3, 7):
            for chosen in combinations(range(9), size):
                try:
                    hull = ConvexHull(nodes[list(chosen)])
                except QhullError:
                    continue
                corners = nodes[list(chosen)][hull.vertices] * 3
                best = min(best, area_integral(cost, corners) + alpha * perimeter(corners))
        assert best_polygon(cost, n_nodes=3, alpha=alpha)[1] == pytest.approx(best, abs=0.03)


def test_flips_and_transposes_change_nothing():
    # Rows and columns are integrated differently, so a transpose agrees up to what lies on the edges.
    cost = np.random.default_rng(2).standard_normal((32, 32)) + 0.3
    cost[8:24, 6:20] -= 1.5
    energy = best_polygon(cost, n_nodes=9)[1]
    for other in (cost[::-1], cost[:, ::-1]):
        assert best_polygon(other, n_nodes=9)[1] == pytest.approx(energy)
    assert best_polygon(cost.T, n_nodes=9)[1] == pytest.approx(energy, rel=0.05)


def test_corners_turn_one_way_and_enclose_the_square():
    cost = np.ones((64, 64))
    cost[16:48, 8:40] = -1
    corners, energy = best_polygon(cost)
    assert energy == pytest.approx(-32 * 32)
    assert {tuple(c) for c in corners} == {(16, 8), (48, 8), (48, 40), (16, 40)}
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    assert (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] > 0).all()


def test_the_perimeter_honours_spacing_and_rounds():
    cost = np.ones((32, 32))
    cost[8:24, 8:24] = -1
    plain = best_polygon(cost, alpha=1.0)[1]
    assert plain < -256 + 64
    assert best_polygon(cost, alpha=1.0, spacing=(2, 2))[1] > plain
    assert best_polygon(cost, alpha=100.0)[1] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 200)])
def test_grids_of_any_shape(shape):
    corners, energy = best_polygon(-np.ones(shape))
    assert energy == pytest.approx(-shape[0] * shape[1])
    assert np.array_equal(np.ptp(corners, axis=0), shape)


def test_nothing_to_gain_is_empty():
    corners, energy = best_polygon(np.ones((20, 30)))
    assert corners.shape == (0, 2)
    assert energy == 0


def test_the_shape_attains_the_optimum_of_every_triangle_and_quadrilateral():
    nodes = np.array([(r, c) for r in range(3) for c in range(3)])
    rng = np.random.default_rng(4)
    target = rng.random((6, 6))
    fitted = PolygonShape(nodes=3, alpha=0.2).fit(target)
    cost = 1 - 2 * target
    energies = [0.0]
    for size in range(3, 7):
        for chosen in combinations(range(9), size):
            try:
                corners = nodes[list(chosen)][ConvexHull(nodes[list(chosen)]).vertices] * 3
            except QhullError:
                continue
            energies.append(area_integral(cost, corners) + 0.2 * perimeter(corners))
    assert fitted.optimum == pytest.approx(min(energies), abs=0.03)
    if len(fitted.corners):
        own = area_integral(cost, fitted.corners + 0.5) + 0.2 * perimeter(fitted.corners)
        assert own == pytest.approx(fitted.optimum, abs=0.03)


def test_the_shape_is_found_by_its_name_and_keeps_its_promises(two_blobs):
    image, scribbles, disc = two_blobs
    for unify in ("sequential", "joint"):
        result = segment(image, scribbles, shape="polygon", unify=unify)
        assert (result.labels[scribbles > 0] == scribbles[scribbles > 0]).all()
        assert certify_convexity(result.mask).convex
        assert iou(result.mask, disc) > 0.9


def test_noise_and_distant_blobs_do_not_move_the_polygon(rng):
    truth = np.zeros((90, 120), bool)
    truth[20:70, 30:90] = True
    target = truth ^ (rng.random(truth.shape) < 0.3)
    target[80:88, 5:15] = True
    # The truth has its corners on this lattice.
    result = project(target, shape=PolygonShape(nodes=13))
    assert iou(result.mask, truth) > 0.95
    assert result.shape.optimum <= (1 - 2.0 * target)[truth].sum() + 1e-9
    again = result.shape.rasterize((180, 240))
    assert iou(again, np.kron(truth, np.ones((2, 2))) > 0) > 0.93
    assert (result.shape(np.argwhere(result.mask)) <= 1e-9).mean() > 0.99


def test_scribbles_are_held_and_nothing_is_empty():
    target = np.zeros((30, 40))
    inside, outside = np.zeros(target.shape, bool), np.zeros(target.shape, bool)
    assert not PolygonShape().fit(target).mask.any()
    assert not PolygonShape().fit(target).rasterize((60, 80)).any()
    assert np.isinf(PolygonShape().fit(target)(np.zeros((1, 2)))).all()
    inside[10, 10:13], outside[9, 11] = True, True
    seen = []
    mask = PolygonShape().fit(target, inside=inside, outside=outside, callback=seen.append).mask
    assert mask[inside].all()
    assert not mask[outside].any()
    np.testing.assert_array_equal(seen[0], mask)
    outside[10, 11] = True
    with pytest.raises(ScribbleConflictError, match="convex hull of the object scribbles"):
        PolygonShape().fit(target, inside=np.roll(inside, 0), outside=outside & inside)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": 2}, "nodes must be"),
        ({"nodes": 1000}, "nodes must be at most 129; got 1000: time grows"),
        ({"alpha": -1}, "alpha must be"),
    ],
)
def test_what_is_no_parameter_is_refused(arguments, message):
    with pytest.raises(InvalidParameterError, match=message):
        PolygonShape(**arguments)


def test_volumes_are_refused():
    with pytest.raises(InvalidImageError, match=r"a target with two dimensions; got shape \(3, 4, 5\)"):
        PolygonShape().fit(np.ones((3, 4, 5)))
