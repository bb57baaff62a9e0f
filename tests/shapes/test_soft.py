"""The soft distance against closed forms, finite differences, another optimiser and what convexity means."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from varconvex.errors import InvalidImageError, InvalidParameterError, UnsupportedTypeError
from varconvex.shapes import ICNN, ConvexShape


def ellipse(side, softness=0.2):
    """A map that falls from 1 to 0 across an ellipse."""
    y, x = (np.mgrid[:side, :side] - side / 2) / side
    return expit((1 - np.hypot(y / 0.2 + x, x / 0.35)) / softness)


def noisy(side):
    return np.clip(ellipse(side) + 0.2 * np.random.default_rng(5).standard_normal((side, side)), 0, 1)


def two_blobs(side):
    mask = np.zeros((side, side))
    mask[4:10, 4 : side - 5] = mask[8 : side - 4, 5:11] = 1
    return gaussian_filter(mask, 1.5)


def pixels(shape):
    return np.stack(np.indices(shape), axis=-1).reshape(-1, len(shape))


@pytest.mark.parametrize("hidden", [(24,), (130, 130), (12, 6, 5)])
def test_result_is_what_its_network_says(hidden):
    target = noisy(24)
    found = ConvexShape(hidden).distance(target)
    assert found.network.hidden == hidden
    sigma = expit(-found.network(pixels(target.shape))).reshape(target.shape)
    np.testing.assert_allclose(found.fitted, sigma, atol=1e-12)
    np.testing.assert_allclose(found.gradient, 2 * (target - sigma), atol=1e-12)
    assert found.squared == pytest.approx(np.sum((target - sigma) ** 2), rel=1e-12)
    assert found.distance == pytest.approx(np.sqrt(found.squared))
    a, b = np.random.default_rng(0).uniform(-30, 60, (2, 500, 2))
    assert (found.network((a + b) / 2) <= (found.network(a) + found.network(b)) / 2 + 1e-8).all()


@pytest.mark.parametrize("make", [noisy, two_blobs])
def test_gradient_equals_finite_differences(make):
    shape, target = ConvexShape((12, 6)), make(24).clip(0.01, 0.99)
    found = shape.distance(target)
    for _ in range(6):  # to the bottom: the theorem is about minimisers
        found = shape.distance(target, start=found.network)
    rng, step = np.random.default_rng(1), 1e-5
    for _ in range(3):
        along = rng.choice([-1.0, 1.0], target.shape)
        up, down = (shape.distance(target + s * step * along, start=found.network).squared for s in (1, -1))
        slope = float(np.sum(found.gradient * along))
        assert (up - down) / (2 * step) == pytest.approx(slope, rel=1e-4, abs=1e-4 * np.linalg.norm(found.gradient))


@pytest.mark.parametrize("make", [ellipse, noisy, two_blobs])
@pytest.mark.parametrize("hidden", [(16,), (16, 8)])
def test_no_descent_of_another_optimiser_from_random_networks_ends_lower(make, hidden):
    target = make(20)
    scale, shift = np.full(2, 2 / 19), np.full(2, -1.0)
    points = pixels(target.shape) * scale + shift
    network = ICNN(2, hidden)

    def value(theta):
        network.unpack(theta)
        g, z = network.forward(points)
        s = expit(-g)
        r = s - target.ravel()
        return r @ r, network.backward(points, z, -2 * r * s * (1 - s))[0]

    bounds = [(0 if bounded else None, None) for bounded in network.nonnegative]
    with threadpool_limits(1, "blas"):
        starts = [ICNN.random(2, hidden, seed).pack() for seed in range(2)]
        ends = [
            minimize(value, at, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 300}).fun
            for at in starts
        ]
    assert ConvexShape(hidden).distance(target).distance <= 1.01 * min(ends) ** 0.5 + 5e-4 * 20


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_soft_convex_map_is_its_own_projection(ndim):
    side = 24 if ndim == 2 else 12
    away = np.linalg.norm(np.indices((side,) * ndim) - side / 2, axis=0)
    target = expit((side / 4 - away) / 1.5)
    assert ConvexShape((60, 20)).distance(target).distance < 0.015 * np.linalg.norm(target)


def test_a_digitally_convex_mask_is_its_own_projection():
    mask = np.hypot(*np.mgrid[-15:16, -14:18]) < 9.3
    found = ConvexShape((130, 130)).distance(mask)
    np.testing.assert_allclose(found.fitted, mask, atol=1e-3)
    assert np.array_equal(found.network(pixels(mask.shape)).reshape(mask.shape) <= 0, mask)
    assert np.array_equal(ConvexShape().fit(mask).mask, mask)


@pytest.mark.parametrize("value", [0, 0.3, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 8), (3, 4, 5)])
def test_constant_maps_are_their_own_projections(value, shape):
    found = ConvexShape().distance(np.full(shape, value))
    np.testing.assert_allclose(found.fitted, value, atol=1e-9)


def test_of_two_far_parts_one_is_kept_or_both_are_blurred():
    target = np.zeros((30, 30))
    target[3:8, 3:8] = target[20:28, 20:28] = 1
    found = ConvexShape((24, 8)).distance(target)
    assert found.squared <= min(25, np.sum((target - target.mean()) ** 2)) + 1e-6


def test_a_start_is_followed_and_never_left_worse():
    shape, target = ConvexShape((130, 130)), ellipse(24)
    before = shape.distance(target)
    moved = np.clip(target + 0.02 * np.random.default_rng(2).standard_normal(target.shape), 0, 1)
    after = shape.distance(moved, start=before.network)
    assert after.distance <= np.linalg.norm(moved - before.fitted) + 1e-9
    wide = ICNN.random(2, (130, 130), 0)  # all units have weight: too many for the normal equations
    wide = wide.compose(np.full(2, 2 / 23), np.full(2, -1.0))
    begun = np.linalg.norm(target.ravel() - expit(-wide(pixels(target.shape))))
    assert shape.distance(target, start=wide).distance < 0.5 * begun


def test_nothing_that_is_passed_changes_and_seeds_repeat():
    target = noisy(20)
    target.flags.writeable = False
    one, two = (ConvexShape((12, 6)).distance(target, random_state=3) for _ in range(2))
    assert np.array_equal(one.network.pack(), two.network.pack())
    kept = one.network.pack()
    ConvexShape((12, 6)).distance(target, start=one.network)
    assert np.array_equal(kept, one.network.pack())


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (np.zeros(4), InvalidImageError),
        (np.zeros((2, 0)), InvalidImageError),
        (np.full((4, 4), np.nan), InvalidImageError),
        (np.full((4, 4), 2.0), InvalidImageError),
        (np.full((4, 4), "a"), UnsupportedTypeError),
    ],
)
def test_what_is_no_map_is_named(target, error):
    with pytest.raises(error):
        ConvexShape().distance(target)


@pytest.mark.parametrize("start", ["net", ICNN(3, (8,)), ICNN(2, (49,)), ICNN(2, (8, 8))])
def test_what_is_no_start_is_named(start):
    with pytest.raises(InvalidParameterError, match="start must be an ICNN"):
        ConvexShape((48,)).distance(np.zeros((4, 4)), start=start)


def test_few_steps_from_one_start_are_quick_and_warm_starts_come_near():
    shape, target = ConvexShape((16, 8)), noisy(32)
    best = shape.distance(target).distance
    quick = shape.distance(target, max_iter=3)
    assert best <= 1.001 * quick.distance < 1.15 * np.sqrt(np.sum((target - target.mean()) ** 2))
    found = quick
    for _ in range(12):
        after = shape.distance(target, start=found.network, max_iter=3)
        assert after.distance <= found.distance + 1e-12
        found = after
    assert found.distance < 1.05 * best
    assert shape.distance(target, start=found.network, max_iter=0).distance == pytest.approx(found.distance)
    np.testing.assert_allclose(quick.gradient, 2 * (target - quick.fitted))
    for value in (0.0, 0.4):
        assert shape.distance(np.full((9, 9), value), max_iter=2).distance < 1e-6
    with pytest.raises(InvalidParameterError, match="max_iter must be"):
        shape.distance(target, max_iter=-1)
