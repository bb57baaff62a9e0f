"""The penalties of the benchmarks: their formulas by brute force, their promises, and that dents are filled."""

import itertools

import numpy as np
import pytest

from benchmarks.penalties import PENALTIES, BallShape, OneZeroOneShape
from benchmarks.penalties.one_zero_one import DIRECTIONS
from benchmarks.penalties.painted import Painted
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
