"""The convex fit in a volume: exact promises on random targets, quality against solids that are known."""

import numpy as np
import pytest

from varconvex import project, segment
from varconvex.errors import InvalidParameterError, ScribbleConflictError
from varconvex.geometry.certify import certify_convexity, fill_hull
from varconvex.geometry.convex_sets import check_hulls, half_spaces_around, join, search
from varconvex.shapes.convex import ConvexShape, rasterize
from varconvex.shapes.icnn import ICNN

SOLIDS = ("ball", "ellipsoid", "box", "plate", "cone", "at the border")


def solid(name, side, seed=1):
    """A convex set, turned by chance; its best possible energy is its own."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    x = (np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1) + 0.5) / side - 0.5
    y = x @ turn.T
    return {
        "ball": (x**2).sum(axis=-1) < 0.3**2,
        "ellipsoid": ((y / [0.4, 0.25, 0.15]) ** 2).sum(axis=-1) < 1,
        "box": (abs(y) < [0.3, 0.2, 0.12]).all(axis=-1),
        "plate": (abs(y) < [0.35, 0.3, 0.07]).all(axis=-1),
        "cone": (np.hypot(y[..., 0], y[..., 1]) < 0.6 * (0.3 - y[..., 2])) & (y[..., 2] > -0.3),
        "at the border": ((x - [0.4, 0.3, 0.5]) ** 2).sum(axis=-1) < 0.3**2,
    }[name]


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def pixels_of(fitted):
    """{G <= 0} at the voxel centres."""
    return (fitted(np.argwhere(np.ones(fitted.mask.shape))) <= 0).reshape(fitted.mask.shape)


THIN = {
    "a voxel in a row": ((33, 1, 1), (16, 0, 0), (1, 1, 1)),
    "a voxel": ((40, 36, 50), (7, 30, 20), (1, 1, 1)),
    "a line": ((24, 96, 96), (11, 50, 13), (1, 1, 70)),
    "a line across": ((70, 20, 40), (5, 10, 20), (60, 1, 1)),
    "a thick line": ((24, 96, 96), (11, 50, 13), (2, 2, 60)),
    "a plate": ((10, 40, 40), (4, 10, 8), (2, 20, 20)),
    "a thin plate": ((16, 48, 48), (7, 12, 15), (1, 19, 19)),
    "a plate on its side": ((48, 16, 48), (12, 7, 15), (19, 1, 19)),
    "a strip": ((20, 64, 64), (9, 5, 30), (1, 50, 2)),
}
"""Sizes, first corners and sides of boxes that are thinner than the cells of the coarse grid."""


@pytest.mark.parametrize("name", THIN)
def test_what_is_thinner_than_a_cell_is_found_exactly(name):
    size, first, sides = THIN[name]
    target = np.zeros(size, bool)
    target[tuple(slice(a, a + n) for a, n in zip(first, sides, strict=True))] = True
    result = project(target)
    assert result.certificate
    assert np.array_equal(result.mask, target)
    assert np.array_equal(pixels_of(result.shape), target)


def test_a_slanting_plate_of_one_voxel_is_found_exactly():
    i = np.indices((40, 50, 45))
    target = (i[0] + i[1] + i[2] == 66) & (np.abs(i[1] - 25) < 9) & (np.abs(i[2] - 20) < 9)
    assert certify_convexity(target)
    assert np.array_equal(ConvexShape().fit(target).mask, target)


@pytest.mark.parametrize("name", SOLIDS)
def test_clean_solids_are_found(name):
    mask = solid(name, 28)
    fitted = ConvexShape().fit(mask)
    assert fitted.certificate
    assert iou(fitted.mask, mask) > 0.9
    assert fitted.energy == pytest.approx(np.sum(1 - 2.0 * mask[fitted.mask]))
    assert np.array_equal(pixels_of(fitted), fitted.mask)


@pytest.mark.parametrize("name", ["ball", "box"])
def test_noise_and_a_distant_blob_do_not_move_it(name):
    mask = solid(name, 40)
    target = mask.copy()
    target[2:8, 2:8, 2:8] = True
    fitted = ConvexShape().fit(target ^ (np.random.default_rng(0).random(mask.shape) < 0.3))
    assert fitted.certificate
    assert iou(fitted.mask, mask) > 0.88


def test_promises_hold_on_random_volumes():
    shape, fitted_sets, conflicts = ConvexShape((16,), steps=(5,)), 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        size = tuple(rng.integers(1, rng.choice([3, 6, 10]), 3))
        target = [rng.random(size), rng.random(size) < rng.random(), np.full(size, rng.choice([0, 1]))][seed % 3]
        inside = rng.random(size) < rng.choice([0, 0.02, 0.1])
        outside = (rng.random(size) < rng.choice([0, 0.02, 0.3])) & ~inside
        given = [target.copy(), inside.copy(), outside.copy()]
        try:
            fitted = shape.fit(target, inside=inside, outside=outside, spacing=rng.uniform(0.3, 3, 3))
        except ScribbleConflictError as error:
            conflicts.append(outside[tuple(error.pixels.T)].all())
            continue
        for before, after in zip(given, (target, inside, outside), strict=True):
            assert np.array_equal(before, after)
        fitted_sets += 1
        assert not (inside & ~fitted.mask).any()
        assert not (outside & fitted.mask).any()
        if fitted.mask.any():
            assert fitted.certificate
        else:
            assert not inside.any()
            assert not ((target > 0.5) & ~outside).any()
        assert np.array_equal(pixels_of(fitted), fitted.mask)
        finer = fitted.rasterize(tuple(2 * n + 1 for n in size))
        assert certify_convexity(finer) or not finer.any()
    assert fitted_sets > 30
    assert len(conflicts) > 3
    assert all(conflicts)


def test_spacing_is_honoured():
    # A ball of millimetres, seen in slices four millimetres apart.
    rows = (np.stack(np.meshgrid(4 * np.arange(16), np.arange(60), np.arange(60), indexing="ij"), axis=-1)) - 30
    mask = (rows**2).sum(axis=-1) < 20**2
    assert iou(ConvexShape().fit(mask, spacing=(4, 1, 1)).mask, mask) > 0.95


def test_same_seed_same_mask():
    target = solid("ellipsoid", 24) ^ (np.random.default_rng(0).random((24, 24, 24)) < 0.2)
    first, second = (ConvexShape().fit(target, random_state=3).mask for _ in range(2))
    assert np.array_equal(first, second)


def test_block_raster_equals_every_voxel():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(1, 20, 3))
        network = ICNN.random(3, (12, 6), rng).compose([0.2] * 3, -0.2 * rng.uniform(0, 20, 3))
        every = network(np.argwhere(np.ones(shape))).reshape(shape)
        theta = network.pack()
        theta[-1] -= np.quantile(every, rng.random())
        network.unpack(theta)
        assert np.array_equal(rasterize(network, shape), network(np.argwhere(np.ones(shape))).reshape(shape) <= 0)


def test_half_spaces_hold_what_they_are_put_around():
    corners = np.argwhere(solid("cone", 24)).astype(float)
    normals, offsets = half_spaces_around(corners, 48)
    assert normals.shape == (48, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert (corners @ normals.T <= offsets + 1e-9).all()
    np.testing.assert_allclose((corners @ normals.T).max(axis=0), offsets)


def test_the_start_is_no_worse_than_nothing():
    for seed in range(5):
        cost = np.random.default_rng(seed).normal(size=(9, 12, 7)) + 0.3
        corners, mask = search(cost, np.zeros(cost.shape, bool))
        assert cost[mask].sum() <= 0
        assert certify_convexity(mask).n_missing == 0
        assert corners.shape[1] == 3


def test_slivers_are_joined_or_named():
    inside, nothing = np.zeros((2, 4, 4, 9), bool)
    inside[0, 0, 0] = inside[1, 1, 7] = True
    core = check_hulls(inside, nothing)
    assert certify_convexity(core)
    assert core[inside].all()
    assert join(fill_hull(inside), ~inside)[0] is None
    with pytest.raises(ScribbleConflictError, match=r"thinner than a pixel.*slice 0, row 0, column 1"):
        check_hulls(inside, ~inside)


def test_conflicts_are_named_with_their_voxels():
    inside, outside = np.zeros((2, 5, 6, 7), bool)
    inside[1, 2, 1] = inside[1, 2, 5] = True
    outside[1, 2, 3] = True
    with pytest.raises(ScribbleConflictError, match=r"1 background pixel.*slice 1, row 2, column 3") as caught:
        ConvexShape().check(inside, outside)
    assert np.array_equal(caught.value.pixels, [[1, 2, 3]])
    with pytest.raises(InvalidParameterError, match="spacing must hold one positive number for each of the 3 axes"):
        ConvexShape().fit(np.ones((2, 2, 2)), spacing=(1, 1))
    with pytest.raises(InvalidParameterError, match="shape must be three positive"):
        ConvexShape().fit(np.ones((2, 2, 2))).rasterize((3, 3))


def test_volumes_are_projected_and_segmented():
    mask = solid("ball", 24)
    result = project(mask ^ (np.random.default_rng(1).random(mask.shape) < 0.1), spacing=(1, 1, 2))
    assert result.certificate
    assert iou(result.mask, mask) > 0.85
    image = mask + np.random.default_rng(0).normal(scale=0.2, size=mask.shape)
    scribbles = np.zeros(mask.shape, int)
    scribbles[12, 10:14, 12], scribbles[1, 1:20, 2], scribbles[22, 21, 1:20] = 2, 1, 1
    found = segment(image, scribbles, shape="convex")
    assert found.certificate
    assert iou(found.mask, mask) > 0.85
    assert (found.labels[scribbles > 0] == scribbles[scribbles > 0]).all()
