"""The convex fit: exact promises by brute force, quality against shapes that are known."""

from functools import cache

import numpy as np
import pytest

from benchmarks._silhouettes import PLACES, SHAPES, silhouette, spoil
from varconvex.errors import (
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    ScribbleConflictError,
    UnsupportedTypeError,
)
from varconvex.geometry.certify import certify_convexity, fill_hull
from varconvex.geometry.convex_sets import check_hulls
from varconvex.shapes.convex import ConvexShape, rasterize
from varconvex.shapes.icnn import ICNN, exact_network


def turned(n, centre, sizes, angle):
    """Coordinates in units of `sizes` along axes turned by `angle`."""
    rows, columns = np.mgrid[:n, :n] / n
    y, x = rows - centre[0], columns - centre[1]
    return (np.cos(angle) * y + np.sin(angle) * x) / sizes[0], (-np.sin(angle) * y + np.cos(angle) * x) / sizes[1]


@cache
def shape_named(name, n):
    """A convex set whose best possible energy is known: it is the set itself."""
    if name == "disc":
        u, v = turned(n, (0.5, 0.5), (0.3, 0.3), 0)
        return u**2 + v**2 < 1
    if name == "ellipse":
        u, v = turned(n, (0.45, 0.55), (0.38, 0.18), 0.5)
        return u**2 + v**2 < 1
    if name == "rectangle":
        u, v = turned(n, (0.5, 0.5), (0.3, 0.2), 0.3)
        return (abs(u) < 1) & (abs(v) < 1)
    if name == "triangle":
        u, v = turned(n, (0.55, 0.5), (0.3, 0.3), 0.4)
        return (u > -0.6) & (u + 1.5 * v < 0.8) & (u - 1.7 * v < 0.9)
    if name == "elongated":
        u, v = turned(n, (0.5, 0.5), (0.45, 0.45 / 40), 0.7)
        return (abs(u) < 1) & (abs(v) < 1)
    if name == "at the border":
        u, v = turned(n, (0.1, 0.1), (0.5, 0.5), 0)
        return u**2 + v**2 < 1
    raise KeyError(name)


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def pixels_of(fitted):
    """{G <= 0} at the pixel centres."""
    return (fitted(np.argwhere(np.ones(fitted.mask.shape))) <= 0).reshape(fitted.mask.shape)


def salt_and_pepper(mask, share, seed):
    return mask ^ (np.random.default_rng(seed).random(mask.shape) < share)


@cache
def all_convex_sets(rows, columns):
    """Every digitally convex, connected set of a tiny grid, as rows of bits."""
    bits = (np.arange(1, 2 ** (rows * columns))[:, None] >> np.arange(rows * columns)) & 1
    return np.array([mask for mask in bits.astype(bool) if certify_convexity(mask.reshape(rows, columns))])


@pytest.mark.parametrize("name", ["disc", "ellipse", "rectangle", "triangle", "elongated", "at the border"])
@pytest.mark.parametrize("n", [128, 300])
def test_clean_shapes_are_found(name, n):
    mask = shape_named(name, n)
    fitted = ConvexShape().fit(mask)
    assert fitted.certificate
    assert iou(fitted.mask, mask) >= 0.98
    assert fitted.energy == pytest.approx(np.sum(1 - 2.0 * mask[fitted.mask]))


@pytest.mark.parametrize("name", ["disc", "ellipse", "rectangle", "triangle", "at the border"])
@pytest.mark.parametrize("seed", [0, 1])
def test_noise_and_distant_blobs_do_not_move_it(name, seed):
    mask = shape_named(name, 256)
    target = salt_and_pepper(mask, 0.3, seed)
    if name != "at the border":
        target[5:25, 220:250] = True
    fitted = ConvexShape().fit(target, random_state=seed)
    assert fitted.certificate
    assert iou(fitted.mask, mask) >= 0.97


@pytest.mark.parametrize("hidden", [(16,), (32, 32), (130, 130)])
def test_other_networks(hidden):
    mask = shape_named("ellipse", 128)
    fitted = ConvexShape(hidden).fit(mask)
    assert fitted.network.hidden == (hidden if fitted.n_filled == 0 else exact_network(fitted.mask).hidden)
    assert iou(ConvexShape(hidden).fit(salt_and_pepper(mask, 0.2, 0)).mask, mask) >= 0.95


def test_a_trained_network_that_is_the_mask_is_kept():
    target = np.zeros((60, 70))
    target[20:24, 30:33] = 1
    fitted = ConvexShape((12, 5)).fit(target)
    assert fitted.n_filled == 0
    assert fitted.network.hidden == (12, 5)
    assert np.array_equal(pixels_of(fitted), target > 0)


def test_a_network_too_small_for_its_mask_is_replaced_by_one_that_is_the_mask():
    mask = shape_named("disc", 300)
    fitted = ConvexShape((4,)).fit(mask)
    assert iou(fitted.mask, mask) >= 0.98
    assert fitted.n_filled > 0.02 * mask.sum()
    assert np.array_equal(rasterize(fitted.network, mask.shape), fitted.mask)
    assert np.array_equal(pixels_of(fitted), fitted.mask)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(40, 30), (300, 300), (9, 8, 10), (1, 30, 1)])
def test_the_exact_network_is_its_mask_in_either_precision(size, dtype):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        mask = fill_hull(rng.random(size) < 6 / np.prod(size))
        network = exact_network(mask).compose(np.ones(len(size)), np.zeros(len(size)), dtype)
        g = network(np.argwhere(np.ones(size)))
        assert g.dtype == dtype
        assert np.array_equal(g <= 0, mask.ravel())
        assert np.abs(g).min() >= 0.5


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seed", [0, 1])
def test_clean_silhouettes_are_found_almost_to_the_pixel(place, seed):
    for name in SHAPES[seed::2]:
        mask = silhouette(name, place, 128, seed)
        energy = ConvexShape().fit(mask).energy
        assert energy <= -0.99 * np.count_nonzero(mask), name


@pytest.mark.parametrize("noise", ["soft", "blobs"])
def test_spoilt_silhouettes_cost_no_more_than_they_did_before(noise):
    for seed, name in enumerate(SHAPES):
        mask = silhouette(name, "medium", 128, seed)
        target = spoil(mask, noise, seed)
        # The truth costs what it costs; noise lets a fit be better, and hardly lets it be worse.
        assert ConvexShape().fit(target).energy <= 0.98 * np.sum(1 - 2.0 * target[mask]), name


def test_soft_targets():
    u, v = turned(128, (0.5, 0.5), (0.3, 0.2), 0.5)
    target = 1 / (1 + np.exp(6 * (np.hypot(u, v) - 1)))
    fitted = ConvexShape().fit(target)
    assert iou(fitted.mask, target > 0.5) >= 0.98


@pytest.mark.parametrize("count", [220, pytest.param(1100, marks=pytest.mark.slow)])
def test_promises_hold_on_random_projections(count):
    shape, fitted_sets, conflicts = ConvexShape(steps=(10, 5)), 0, []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        size = tuple(rng.integers(1, rng.choice([3, 8, 20]), 2))
        target = [
            rng.random(size),
            rng.random(size) < rng.random(),
            np.clip(rng.random() + 0.3 * rng.standard_normal(size), 0, 1),
            np.full(size, rng.choice([0, 0.5, 1])),
        ][rng.integers(4)]
        inside = rng.random(size) < rng.choice([0, 0, 0.02, 0.1])
        outside = (rng.random(size) < rng.choice([0, 0.02, 0.1, 0.5])) & ~inside
        given = [target.copy(), inside.copy(), outside.copy()]
        try:
            fitted = shape.fit(target, inside=inside, outside=outside, spacing=rng.uniform(0.3, 3, 2))
        except ScribbleConflictError as error:
            conflicts.append(outside[tuple(error.pixels.T)].all())
            continue
        finally:
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
        assert np.array_equal(fitted.rasterize(size), fitted.mask)
        assert np.array_equal(pixels_of(fitted), fitted.mask)
        assert np.isfinite(fitted.network.pack()).all()
        finer = fitted.rasterize((2 * size[0] + 1, 3 * size[1]))
        assert certify_convexity(finer) or not finer.any()
    assert fitted_sets >= count / 1.1
    assert all(conflicts)
    assert len(conflicts) > count / 55


def test_conflicts_are_exactly_those_that_enumeration_finds():
    rng, sets, conflicts = np.random.default_rng(0), all_convex_sets(3, 4), 0
    for _ in range(1000):
        inside = rng.random(12) < rng.choice([0.1, 0.2])
        outside = (rng.random(12) < rng.choice([0.1, 0.3, 0.6])) & ~inside
        possible = ((sets | ~inside).all(axis=1) & ~(sets & outside).any(axis=1)).any() or not inside.any()
        try:
            core = check_hulls(inside.reshape(3, 4), outside.reshape(3, 4)).ravel()
        except ScribbleConflictError:
            assert not possible
            conflicts += 1
        else:
            assert possible
            assert core[inside].all()
            assert not core[outside].any()
    assert 100 < conflicts < 900


@pytest.mark.slow
def test_tiny_fits_are_near_the_best_of_all_convex_sets():
    rng, sets, excess = np.random.default_rng(1), all_convex_sets(3, 4), []
    for _ in range(100):
        target = rng.random((3, 4))
        best = min(0, (sets @ (1 - 2 * target.ravel())).min())
        excess.append(ConvexShape(steps=(20,)).fit(target).energy - best)
    assert min(excess) > -1e-5
    assert np.mean(excess) < 0.15


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 200)])
def test_targets_of_all_ones_are_filled(shape):
    fitted = ConvexShape().fit(np.ones(shape))
    assert fitted.mask.all()
    assert fitted.energy == -np.prod(shape)


@pytest.mark.parametrize(("noise", "side"), [("clean", 96), ("soft", 96), ("salt and pepper", 96), ("blobs", 200)])
def test_the_set_of_the_network_is_the_mask(noise, side):
    for seed, name in enumerate(SHAPES):
        target = spoil(silhouette(name, PLACES[seed % 4], side, seed), noise, seed)
        fitted = ConvexShape().fit(target)
        assert np.array_equal(pixels_of(fitted), fitted.mask), name


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5), (3, 3)])
def test_tiny_objects_in_large_images_are_found(size):
    target = np.zeros((700, 500))
    target[333 : 333 + size[0], 77 : 77 + size[1]] = 1
    fitted = ConvexShape().fit(target)
    assert np.array_equal(fitted.mask, target > 0)
    assert np.array_equal(rasterize(fitted.network, target.shape), fitted.mask)


def test_nothing_above_one_half_is_an_empty_mask_that_says_so():
    fitted = ConvexShape().fit(np.full((30, 40), 0.4))
    assert not fitted.mask.any()
    assert str(fitted.certificate).startswith("empty")
    assert (fitted(np.array([[3.0, 4.0]])) > 0).all()
    assert not fitted.rasterize((60, 80)).any()


def test_scribbles_alone_are_about_their_hull_on_an_empty_target():
    inside = np.zeros((60, 60), bool)
    inside[10, 10] = inside[30, 50] = inside[50, 20] = True
    fitted = ConvexShape().fit(np.zeros((60, 60)), inside=inside)
    assert iou(fitted.mask, fill_hull(inside)) > 0.98


def test_scribbles_move_the_answer():
    mask = shape_named("disc", 128)
    inside, outside = np.zeros_like(mask), np.zeros_like(mask)
    inside[64, 115:118] = True
    outside[40:44, 60:64] = True
    fitted = ConvexShape().fit(mask, inside=inside, outside=outside)
    assert fitted.certificate
    assert fitted.mask[inside].all()
    assert not fitted.mask[outside].any()
    assert iou(fitted.mask, mask) > 0.7


def test_everything_outside_is_empty():
    assert not ConvexShape().fit(np.ones((9, 9)), outside=np.ones((9, 9), bool)).mask.any()


def test_same_seed_same_mask():
    target = salt_and_pepper(shape_named("triangle", 300), 0.3, 0)
    first, second = (ConvexShape().fit(target, random_state=5) for _ in range(2))
    assert np.array_equal(first.mask, second.mask)
    assert np.array_equal(first.network.pack(), second.network.pack())
    generator = ConvexShape().fit(target, random_state=np.random.default_rng(5))
    assert np.array_equal(first.mask, generator.mask)


def test_no_collapse_over_seeds():
    mask = shape_named("rectangle", 200)
    for seed in range(6):
        fitted = ConvexShape().fit(salt_and_pepper(mask, 0.4, seed), random_state=seed)
        assert iou(fitted.mask, mask) > 0.9


def test_spacing_does_not_spoil_the_fit():
    mask = shape_named("ellipse", 128)
    assert iou(ConvexShape().fit(mask, spacing=(3.0, 0.5)).mask, mask) >= 0.98


def test_rasterize_agrees_with_the_truth_at_other_resolutions():
    fitted = ConvexShape().fit(shape_named("ellipse", 128))
    for n in (64, 301, 512):
        finer = fitted.rasterize((n, n))
        assert certify_convexity(finer)
        assert np.mean(finer) == pytest.approx(np.mean(fitted.mask), rel=0.03)


def test_block_raster_equals_every_pixel():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(1, 70, 2))
        network = ICNN.random(2, (12, 6), rng).compose([0.1, 0.1], -0.1 * rng.uniform(0, 60, 2))
        theta = network.pack()
        theta[-1] -= np.quantile(network(np.argwhere(np.ones(shape))), rng.random())
        network.unpack(theta)
        every = network(np.argwhere(np.ones(shape))).reshape(shape) <= 0
        assert np.array_equal(rasterize(network, shape), every)


def test_callback_sees_masks_and_network_is_convex():
    seen = []
    fitted = ConvexShape().fit(shape_named("disc", 128), callback=seen.append)
    assert len(seen) >= 5
    assert all(mask.shape == (128, 128) and mask.dtype == bool for mask in seen)
    assert all((wz >= 0).all() for wz in fitted.network.wz if wz is not None)
    assert len(fitted.history) >= len(seen)
    assert np.array_equal(pixels_of(fitted), fitted.mask)


def test_conflicts_are_named_with_their_pixels():
    inside, outside = np.zeros((2, 20, 20), bool)
    inside[2, 2] = inside[2, 10] = True
    outside[2, 6] = True
    with pytest.raises(ScribbleConflictError, match=r"1 background pixel.*row 2, column 6") as caught:
        ConvexShape().fit(np.ones((20, 20)), inside=inside, outside=outside)
    assert np.array_equal(caught.value.pixels, [[2, 6]])
    with pytest.raises(ScribbleConflictError, match="convex hull of the object scribbles"):
        ConvexShape().check(inside, outside)


def test_a_blocked_sliver_is_named():
    inside, outside = np.zeros((2, 3, 5), bool)
    inside[0, 0] = inside[1, 2] = True
    outside[0, 1] = outside[1, 1] = True
    with pytest.raises(ScribbleConflictError, match="thinner than a pixel"):
        check_hulls(inside, outside)


@pytest.mark.parametrize(
    ("target", "match"),
    [
        (np.zeros((3, 4, 5, 6)), "two or three dimensions"),
        (np.zeros((0, 3)), "two or three dimensions"),
        (np.full((3, 3), np.nan), "replace NaN"),
        (np.full((3, 3), 2), r"in \[0, 1\]"),
    ],
)
def test_bad_targets_are_named(target, match):
    with pytest.raises(InvalidImageError, match=match):
        ConvexShape().fit(target)


def test_a_target_of_texts_is_named():
    with pytest.raises(UnsupportedTypeError, match="target must hold bools, integers or floats"):
        ConvexShape().fit(np.full((3, 3), "a"))


def test_bad_parameters_are_named():
    with pytest.raises(InvalidScribblesError, match="must have the target's shape"):
        ConvexShape().fit(np.zeros((3, 4)), inside=np.zeros((4, 3), bool))
    with pytest.raises(InvalidScribblesError, match="one shape"):
        check_hulls(np.zeros((3, 4), bool), np.zeros((4, 3), bool))
    with pytest.raises(InvalidParameterError, match="spacing must be a finite number, more than 0"):
        ConvexShape().fit(np.zeros((3, 4)), spacing=(1, 0))
    with pytest.raises(InvalidParameterError, match="hidden must be"):
        ConvexShape(hidden=())
    with pytest.raises(InvalidParameterError, match="steps must be"):
        ConvexShape(steps=(-1,))
    with pytest.raises(InvalidParameterError, match="shape must be"):
        ConvexShape().fit(np.ones((4, 4))).rasterize((0, 3))


@pytest.mark.slow
def test_a_large_noisy_target():
    mask = shape_named("ellipse", 2048)
    fitted = ConvexShape().fit(salt_and_pepper(mask, 0.3, 0))
    assert fitted.certificate
    assert iou(fitted.mask, mask) >= 0.99


@pytest.mark.parametrize(("noise", "seed"), [("blobs", 8), ("salt and pepper", 4)])
def test_a_bar_that_the_lattice_cannot_see_is_found_in_noise(noise, seed):
    truth = silhouette("bar", "small", 512, seed)
    target = spoil(truth, noise, seed)
    fitted = ConvexShape().fit(target)
    assert certify_convexity(fitted.mask)
    assert fitted.energy <= np.sum(1 - 2.0 * target[truth])
    assert iou(fitted.mask, truth) > 0.7


@pytest.mark.parametrize("seed", [8, 10])
def test_a_sharp_tip_survives_noise(seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((300, 300))
    truth = (abs(rows - 150) * 9 <= columns - 20) & (columns <= 270)
    target = truth ^ (rng.random(truth.shape) < 0.3)
    fitted = ConvexShape().fit(target.astype(float))
    assert fitted.energy <= np.sum(1 - 2.0 * target[truth])
    assert iou(fitted.mask, truth) > 0.98
    assert np.argwhere(fitted.mask)[:, 1].min() < 25


def test_of_a_target_in_two_pieces_the_connected_set_is_the_best_there_is():
    target = np.zeros((40, 40), bool)
    target[10:20, 10] = target[22, 12] = True
    target[19, 10] = False
    fitted = ConvexShape().fit(target.astype(float))
    assert certify_convexity(fitted.mask)
    # Only the target itself has an energy of minus its pixels, and it is in pieces.
    assert fitted.energy == -9
