"""The penalties of the benchmarks: their formulas by brute force, their promises, and that dents are filled."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import convolve

from benchmarks.penalties import (
    PENALTIES,
    RIVALS,
    BallShape,
    GeodesicShape,
    OneZeroOneShape,
    PartMovesShape,
    SignedDistanceShape,
    ThresholdDynamicsShape,
)
from benchmarks.penalties.geodesics import edge_costs, enclosed, least_path
from benchmarks.penalties.one_zero_one import DIRECTIONS, count_triples
from benchmarks.penalties.painted import Painted
from benchmarks.penalties.part_moves import energy, star_cut, towards
from benchmarks.penalties.signed_distance import Screened, divergence, gradient, laplacian, violation
from benchmarks.penalties.threshold_dynamics import gaussian
from varconvex import project, segment
from varconvex.errors import InvalidImageError, InvalidParameterError, ScribbleConflictError
from varconvex.geometry.certify import certify_convexity, fill_hull
from varconvex.shapes.hull import HullShape

SHAPES = {"hull": HullShape} | PENALTIES


@pytest.fixture(scope="module")
def bitten():
    """A disc with a bite, and the disc."""
    rows, columns = np.mgrid[:60, :70]
    disc = np.hypot(rows - 30, columns - 34) < 22
    return disc & ~((np.abs(rows - 30) < 4) & (columns > 40)), disc


def triples(u):
    """P(u), triple by triple along every line."""
    total, shape = 0.0, np.array(u.shape)
    for p in itertools.product(*map(range, u.shape)):
        for d in DIRECTIONS:
            line = []
            q = np.array(p)
            while (q >= 0).all() and (q < shape).all():
                line.append(u[tuple(q)])
                q = q + d
            for i, j in itertools.combinations(range(1, len(line)), 2):
                total += line[0] * (1 - line[i]) * line[j]
    return total / (len(DIRECTIONS) * max(u.sum(), 1))


def test_triples_equal_brute_force():
    rng = np.random.default_rng(0)
    assert len(DIRECTIONS) == 16
    for shape in ((1, 6), (5, 4), (4, 7)):
        u = rng.random(shape)
        assert OneZeroOneShape().penalty(u, np.ones(2))[0] == pytest.approx(triples(u))


@pytest.mark.parametrize(
    ("shape", "size"), [(OneZeroOneShape(), (6, 7)), (BallShape(), (8, 9)), (BallShape(), (4, 5, 6))]
)
def test_gradients_of_penalties_equal_central_differences(shape, size):
    rng = np.random.default_rng(1)
    u, step = rng.uniform(0.2, 0.9, size), 1e-6
    gradient = shape.penalty(u, np.ones(len(size)))[1]

    def value(v):
        # The 1-0-1 penalty is counted by the object's size, which its gradient leaves as it is.
        share = v.sum() / u.sum() if isinstance(shape, OneZeroOneShape) else 1
        return share * shape.penalty(v, np.ones(len(size)))[0]

    for index in itertools.product(*map(range, size)):
        e = np.zeros(size)
        e[index] = step
        assert gradient[index] == pytest.approx((value(u + e) - value(u - e)) / (2 * step), abs=1e-5)


def test_convex_sets_cost_nothing_and_dents_do(bitten):
    dented, disc = bitten
    for shape in (BallShape(), OneZeroOneShape()):
        nothing, much = (shape.penalty(mask.astype(np.float32), np.ones(2))[0] for mask in (disc, dented))
        assert nothing < 0.01 * much


def test_a_ball_beside_a_half_plane_is_never_more_than_half_full():
    for angle in np.linspace(0, 3, 7):
        rows, columns = np.indices((80, 80)) - 40
        half = np.cos(angle) * rows + np.sin(angle) * columns < 0.5
        # At the image's border balls see nothing, which only empties them.
        assert BallShape().penalty(half.astype(float), np.ones(2))[0] < 0.002 * half.sum()


@pytest.mark.parametrize("name", SHAPES)
def test_scribbles_are_held_and_nothing_is_random(name, bitten):
    target = bitten[0].astype(float)
    inside, outside = np.zeros((2, *target.shape), bool)
    inside[30, 58], outside[8:14, 30:36] = True, True
    given = target.copy()
    first, second = (SHAPES[name]().fit(target, inside=inside, outside=outside, random_state=seed) for seed in (0, 1))
    assert np.array_equal(target, given)
    assert np.array_equal(first.mask, second.mask)
    assert first.mask[30, 58]
    assert not (first.mask & outside).any()
    assert first.energy == pytest.approx(np.sum(1 - 2 * target[first.mask]))


def test_penalties_fill_a_bite_at_least_in_part(bitten):
    dented, _ = bitten
    missing = np.count_nonzero(fill_hull(dented) & ~dented)
    plain = OneZeroOneShape(weight=0).fit(dented)
    assert np.count_nonzero(plain.mask ^ dented) < 0.02 * dented.sum()
    found = OneZeroOneShape().fit(dented)
    assert found.certificate.n_missing < 0.5 * missing
    assert found.violation < 0.3 * OneZeroOneShape().penalty(dented.astype(float), np.ones(2))[0]
    ball = BallShape().fit(dented)
    assert ball.violation < 0.5 * BallShape().penalty(dented.astype(float), np.ones(2))[0]


@pytest.mark.parametrize("name", ["hull", "ball"])
def test_volumes(name):
    ball = ((np.indices((16, 18, 20)) - 8.5) ** 2).sum(axis=0) < 36
    fitted = SHAPES[name]().fit(ball, spacing=(2.0, 1.0, 1.0))
    assert np.count_nonzero(fitted.mask & ball) / np.count_nonzero(fitted.mask | ball) > 0.9
    assert fitted.rasterize((8, 9, 10)).shape == (8, 9, 10)


@pytest.mark.parametrize("name", SHAPES)
def test_instances_are_projected_onto_and_the_certificate_is_that_of_the_mask(name, bitten):
    result = project(bitten[0], shape=SHAPES[name]())
    assert result.certificate == certify_convexity(result.mask)
    assert np.array_equal(result.shape.rasterize(result.mask.shape), result.mask)
    points = np.argwhere(np.ones(result.mask.shape)).astype(float)
    assert np.array_equal(result.shape(points) <= 0, result.mask.ravel())


def test_a_painted_mask_is_its_signed_distance():
    mask = np.zeros((20, 30), bool)
    mask[5:15, 8:22] = True
    painted = Painted(mask, 0.0, 0.0)
    np.testing.assert_allclose(painted(np.array([[10.0, 3.0], [4.5, 15.0], [9.0, 10.0]])), [4.5, 0, -2.5])
    assert np.array_equal(painted.rasterize((40, 60)), mask.repeat(2, 0).repeat(2, 1))
    assert not Painted(np.zeros((4, 5), bool), 0.0, 0.0).rasterize((8, 9)).any()
    assert Painted(np.ones((4, 5), bool), 0.0, 0.0).rasterize((8, 9)).all()


def test_what_cannot_be_is_named():
    with pytest.raises(InvalidImageError, match="1-0-1 penalty needs an image"):
        OneZeroOneShape().fit(np.ones((3, 4, 5)))
    with pytest.raises(InvalidParameterError, match="weight must be a finite number"):
        BallShape(weight=-1)
    both = np.ones((2, 3), bool)
    with pytest.raises(ScribbleConflictError, match="must not share pixels; they share 6"):
        BallShape().check(both, both)


def test_an_instance_segments(two_blobs):
    image, scribbles, disc = two_blobs
    result = segment(image, scribbles, shape=BallShape())
    assert np.count_nonzero(result.mask & disc) > 0.95 * np.count_nonzero(disc)
    assert not result.mask[60, 95]  # the other blob, which no stroke touches
    assert (result.labels[scribbles > 0] == scribbles[scribbles > 0]).all()


def disc_of(side, radius):
    y, x = np.indices((side, side)) - side / 2
    return np.hypot(y, x) < radius


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_keep_a_disc_and_hold_strokes(name):
    if name == "part_moves":
        pytest.importorskip("maxflow")
    disc = disc_of(48, 15.3)
    inside, outside = np.zeros((2, *disc.shape), bool)
    inside[24, 24:41], outside[5:8, 20:28] = True, True
    fitted = RIVALS[name]().fit(disc, random_state=0)
    assert np.count_nonzero(fitted.mask & disc) > 0.95 * np.count_nonzero(fitted.mask | disc)
    held = RIVALS[name]().fit(disc, inside=inside, outside=outside, random_state=0)
    assert held.mask[inside].all()
    assert not held.mask[outside].any()
    assert held.energy == pytest.approx(np.sum(1 - 2 * disc[held.mask].astype(float)))
    assert not RIVALS[name]().fit(np.zeros((9, 8))).mask.any()


def test_threshold_dynamics_without_a_constraint_are_a_threshold_whose_energy_falls():
    rng = np.random.default_rng(0)
    target = np.clip(disc_of(40, 12) + rng.normal(scale=0.6, size=(40, 40)), 0, 1)
    plain = ThresholdDynamicsShape(alpha=0, epsilon=0, radii=(), steps=1).fit(target)
    assert np.array_equal(plain.mask, target.astype(np.float32) > 0.5)
    # With a Gaussian, whose length term is concave, no step may raise the energy.
    masks = []
    smooth = ThresholdDynamicsShape(alpha=2, epsilon=0, radii=(), steps=12)
    smooth.fit(target, callback=lambda mask: masks.append(mask.astype(float)))
    kernel, cost = gaussian(np.ones(2)), 1 - 2 * target.astype(np.float32).astype(float)

    def energy(u):
        return float((u * (cost + 2 * convolve(1 - u, kernel, mode="constant", cval=0.0))).sum())

    values = [energy(mask) for mask in masks]
    assert len(values) == 12
    assert values[0] > values[-1] + 1
    assert max(np.diff(values)) < 1e-6


def test_the_distance_to_a_disc_meets_its_conditions_and_a_bite_is_filled_by_them(bitten):
    y, x = np.indices((60, 60)) - 29.5
    cone = np.hypot(y, x) - 20
    far = np.hypot(y, x)[1:-1, 1:-1] > 3
    np.testing.assert_allclose(laplacian(cone)[1:-1, 1:-1][far], (1 / np.hypot(y, x))[1:-1, 1:-1][far], rtol=0.05)
    assert violation(cone) == 0
    rng = np.random.default_rng(0)
    phi, p = rng.normal(size=(7, 9)), rng.normal(size=(2, 7, 9))
    assert (gradient(phi) * p).sum() == pytest.approx(-(phi * divergence(p)).sum())
    dented, _ = bitten
    assert violation(Painted(dented, 0.0, 0.0).distance) > 1
    found = SignedDistanceShape().fit(dented)
    assert certify_convexity(found.mask).n_missing < 0.1 * np.count_nonzero(fill_hull(dented) & ~dented)


def test_the_screened_equation_is_solved():
    rng = np.random.default_rng(0)
    (last, force, q), p = rng.normal(size=(3, 6, 8)), rng.normal(size=(2, 6, 8))
    solve = Screened((6, 8), 2.0, 3.0)
    phi = solve(last, force, p, q)
    left = 3 * laplacian(laplacian(phi)) - 2 * laplacian(phi) + solve.proximal * phi
    np.testing.assert_allclose(left, solve.proximal * last + force - 2 * divergence(p) + 3 * laplacian(q))


def test_a_star_cut_is_the_best_of_all_stars():
    pytest.importorskip("maxflow")
    rng = np.random.default_rng(0)
    shape, alpha = (3, 4), 0.4
    every = (np.arange(1 << 12)[:, None] >> np.arange(12) & 1).astype(bool)
    for centres in ([[1, 1]], [[0, 0], [2, 3]]):
        centres, cost = np.array(centres), rng.normal(size=shape)
        stars = every[:, np.ravel_multi_index(centres.T, shape)].all(axis=1)
        for centre in centres:
            stars &= (every <= every[:, towards(shape, centre)]).all(axis=1)
        best = min(energy([mask.reshape(shape)], cost, alpha) for mask in every[stars])
        assert energy([star_cut(cost, centres, alpha)], cost, alpha) == pytest.approx(best)


def test_parts_that_overlap_cover_an_l_for_which_one_is_not_enough():
    pytest.importorskip("maxflow")
    letter = np.zeros((40, 40), bool)
    letter[5:35, 5:13], letter[27:35, 5:35] = True, True
    one, two = (PartMovesShape(k=k).fit(letter, random_state=0) for k in (1, 2))
    assert np.count_nonzero(two.mask ^ letter) < 0.1 * letter.sum()
    assert two.energy < one.energy


def test_a_geodesic_of_equal_cost_is_the_polygon_by_hand():
    """Round a square of cost -1: its area, its length, and the turns of its corners."""
    cost = np.zeros((24, 24))
    cost[6:17, 6:17] = -1.0
    edges, alpha, bend = edge_costs(cost), 0.25, 0.0
    square = np.array([[r, c] for r, c in np.argwhere(np.ones((24, 24))) if max(abs(r - 11), abs(c - 11)) == 5])
    value, chain = least_path(edges, square[0], np.ones(cost.shape, bool), np.array([[11, 11]]), alpha, bend)
    mask = enclosed(chain, 1, cost.shape)
    assert certify_convexity(mask)
    corners = np.append(chain, chain[:1], axis=0)
    steps = np.diff(corners, axis=0)
    assert ((steps[:, 1] * np.roll(steps[:, 0], -1) - steps[:, 0] * np.roll(steps[:, 1], -1)) >= 0).all()
    # A path half a pixel around would have all of -121; the square itself has 100 of it, and 40 of length.
    assert value <= -100 + 40 * alpha + 1e-9
    assert value >= -121 + 0.8 * 40 * alpha
    rounded = least_path(edges, chain[0], np.ones(cost.shape, bool), np.array([[11, 11]]), alpha, 2.0)
    assert rounded[0] > value
    assert len(least_path(edges, chain[0], mask & ~mask, np.array([[11, 11]]), alpha, bend)[1]) == 0


def test_rounds_of_geodesics_do_not_rise():
    target = np.clip(disc_of(60, 20) + np.random.default_rng(0).normal(scale=0.5, size=(60, 60)), 0, 1)
    masks = []
    fitted = GeodesicShape().fit(target, callback=masks.append)
    assert all(certify_convexity(mask) for mask in masks)
    assert np.count_nonzero(fitted.mask & disc_of(60, 20)) > 0.93 * np.count_nonzero(fitted.mask | disc_of(60, 20))
    coarse = GeodesicShape(side=30).fit(target)
    assert np.count_nonzero(coarse.mask & fitted.mask) > 0.9 * np.count_nonzero(coarse.mask | fitted.mask)


def test_triples_of_masks_are_counted():
    assert count_triples(disc_of(20, 7)) == 0
    pair = np.zeros((3, 5), bool)
    pair[1, [0, 4]] = True
    assert count_triples(pair) == 3  # three pixels between two
