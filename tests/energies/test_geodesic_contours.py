"""Geodesic active contours against maximum flow with weights, and circles."""

import numpy as np
import pytest
from oracles import minimum_cut

from varconvex import GeodesicContours, get_backend, pdhg, segment_geodesic_contours
from varconvex.errors import InvalidParameterError

DISTANCE = np.hypot(*np.mgrid[-30:31, -30:31])


@pytest.mark.parametrize("seed", range(4))
def test_weighted_lengths_are_minimum_cuts(backend, seed):
    rng = np.random.default_rng(seed)
    cost = rng.integers(-4, 5, (16, 19))
    weight = rng.integers(1, 6, (16, 19))
    energy = GeodesicContours(cost, 1.0, weight=weight, balloon=1.0, tv="anisotropic")
    solution = pdhg(energy, tol=1e-5, backend=backend)
    assert solution.energy == minimum_cut(cost - 1, 1, weight)


def test_the_contour_follows_the_edge_not_the_seed(backend):
    ring = np.where(abs(DISTANCE - 15) < 1, 0.05, 1.0)
    lower, upper = DISTANCE < 4, DISTANCE < 28
    solution = pdhg(GeodesicContours(np.zeros(ring.shape), 1.0, weight=ring, lower=lower, upper=upper), backend=backend)
    mask = backend.to_numpy(solution.mask)
    assert mask[DISTANCE < 13].all()
    assert not mask[DISTANCE > 17].any()


def test_a_balloon_bursts_through_weak_edges():
    ring = np.where(abs(DISTANCE - 15) < 1, 0.3, 1.0)
    sizes = []
    for balloon in (-0.2, 0.0, 0.3):
        energy = GeodesicContours(
            np.zeros(ring.shape), 1.0, weight=ring, balloon=balloon, lower=DISTANCE < 8, upper=DISTANCE < 28
        )
        sizes.append(int(pdhg(energy).mask.sum()))
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[0] == int((DISTANCE < 8).sum())
    assert sizes[2] > 0.9 * (DISTANCE < 28).sum()


def test_a_balloon_is_a_cost_that_is_the_same_everywhere(rng):
    cost, weight = rng.normal(size=(12, 15)), rng.random((12, 15))
    backend = get_backend("numpy")
    blown = GeodesicContours(cost, 1.0, weight=weight, balloon=0.25)
    assert blown.value(backend, cost < 0) == pytest.approx(
        GeodesicContours(cost, 1.0, weight=weight).value(backend, cost < 0) - 0.25 * (cost < 0).sum(), abs=1e-5
    )


def test_the_front_finds_a_disc_in_noise():
    rng = np.random.default_rng(0)
    disc = DISTANCE < 15
    image = disc + rng.normal(scale=0.1, size=disc.shape)
    mask = segment_geodesic_contours(image, DISTANCE < 8)
    assert (mask == disc).mean() > 0.97
    colour = np.stack([image, 1 - image, image], axis=-1)
    other = segment_geodesic_contours(colour, DISTANCE < 8, DISTANCE > 27, channel_axis=-1)
    assert (other == disc).mean() > 0.97
    ball = np.sqrt((np.mgrid[-9:10, -9:10, -9:10] ** 2).sum(axis=0))
    assert (segment_geodesic_contours(ball < 6, ball < 4, edge_weight="contrast") == (ball < 6)).mean() > 0.93


def test_what_is_refused():
    image = np.eye(9)
    inside = np.zeros((9, 9), bool)
    inside[4, 4] = True
    with pytest.raises(InvalidParameterError, match="weight must be the metric of the contour"):
        GeodesicContours(np.zeros((9, 9)), 1.0)
    with pytest.raises(InvalidParameterError, match="balloon must be a finite number"):
        GeodesicContours(np.zeros((9, 9)), 1.0, weight=np.ones((9, 9)), balloon=np.inf)
    with pytest.raises(InvalidParameterError, match="inside and outside must not share pixels; 1 are in both"):
        segment_geodesic_contours(image, inside, inside)
    with pytest.raises(ValueError, match=r"inside must have the spatial shape \(9, 9\)"):
        segment_geodesic_contours(image, inside[1:])
    with pytest.raises(InvalidParameterError, match="edge_weight must be one of"):
        segment_geodesic_contours(image, inside, edge_weight="colour")
