"""The energy of a set and its appearance: the small grid it lives on, and J against its definition."""

import numpy as np
import pytest

from varconvex.geometry.outline import Outline
from varconvex.inputs import prepare
from varconvex.likelihoods.histogram import HistogramLikelihood
from varconvex.predictors.set_energy import CONVEX_SHARE, Arrangement, SetEnergy, mask_outline
from varconvex.predictors.small_grid import shrink
from varconvex.shapes.convex import ConvexShape

SQUARE = Outline(np.array([[19.5, 29.5], [19.5, 69.5], [59.5, 69.5], [59.5, 29.5]]), (90, 120), 0.0)


def alone(outline):
    """One object on its background."""
    return Arrangement({1: outline}, outline.mask.astype(int), 2)


def odds(energy):
    """Log odds of the background against the object."""
    return energy.costs[1] - energy.costs[0]


def test_a_small_scene_is_left_as_it_is(two_blobs):
    scene = prepare(*two_blobs[:2])
    assert shrink(scene, 320) is scene


def test_a_coarser_grid_has_the_means_and_the_strokes(two_blobs):
    image, scribbles, _ = two_blobs
    scene = prepare(image, scribbles)
    small = shrink(scene, 60)
    assert small.seeds.shape == (45, 60)
    means = scene.image.reshape(45, 2, 60, 2, 3).mean(axis=(1, 3))
    assert small.image == pytest.approx(means, abs=1e-5)
    assert (small.seeds[19:21, 15:25] == 2).all()
    assert set(np.unique(small.seeds)) == {0, 1, 2}
    assert (np.repeat(np.repeat(small.seeds, 2, 0), 2, 1) == scene.seeds).mean() > 0.98


@pytest.mark.parametrize("label", [1, 2])
def test_a_thin_stroke_is_not_lost(two_blobs, label):
    image, scribbles, _ = two_blobs
    thin = np.where(scribbles == label, 0, scribbles)
    thin[61, 30:50] = label
    assert (shrink(prepare(image, thin), 20).seeds == label).any()


def test_pixels_become_square_and_outside_stays_outside(two_blobs):
    image, scribbles, _ = two_blobs
    scribbles = scribbles.copy()
    scribbles[:, 114:] = -1
    image = image.copy()
    image[60:70, 20:40] = np.nan
    scene = prepare(image, scribbles, spacing=(2.0, 1.0), nan_policy="mask")
    small = shrink(scene, 320)
    assert small.seeds.shape == (90, 60)
    assert small.spacing == (1.0, 1.0)
    assert (small.seeds[:, 57:] == -1).all()
    assert not small.valid[60:70, 10:20].any()
    assert np.isfinite(small.image).all()
    assert small.valid[small.seeds == 0].sum() == (small.seeds == 0).sum() - 100


def test_the_objective_is_its_definition(two_blobs):
    image, scribbles, _ = two_blobs
    energy = SetEnergy.start(prepare(image, scribbles), HistogramLikelihood(), 5.0, None)
    cost = odds(energy).astype(float)
    posterior = 1 / (1 + np.exp(cost))
    bits = -np.log(np.where(SQUARE.mask, posterior, 1 - posterior))
    told = -np.log(np.where(scribbles == 2, posterior, 1 - posterior))
    expected = (
        bits[scribbles == 0].sum() + energy.appearance.weights[0] * told[scribbles > 0].sum() + CONVEX_SHARE * 5.0 * 160
    )
    assert energy.value(alone(SQUARE)) == pytest.approx(expected, rel=1e-4)


def test_the_best_outline_has_the_least_objective(two_blobs, rng):
    image, scribbles, _ = two_blobs
    energy = SetEnergy.start(prepare(image, scribbles), HistogramLikelihood(), 20.0, "contrast")
    best = ConvexShape().outline(*energy.outline_problem(1, np.zeros((90, 120), bool)))
    least = energy.value(alone(best))
    centre = best.corners.mean(axis=0)
    for _ in range(20):
        factors = 1 + rng.normal(scale=0.1) + rng.normal(scale=0.02, size=(len(best.corners), 1))
        from scipy.spatial import ConvexHull

        corners = centre + (best.corners - centre) * factors
        other = Outline(corners[ConvexHull(corners).vertices], best.shape, 0.0)
        if other.mask[scribbles == 2].all() and not other.mask[scribbles == 1].any():
            assert energy.value(alone(other)) > least - 0.01 * abs(least)


def test_edges_and_weights_make_the_boundary_cheap(two_blobs):
    image, scribbles, disc = two_blobs
    scene = prepare(image, scribbles)
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    around = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    on_edge, off_edge = (Outline((40, 40) + radius * around, disc.shape, 0.0) for radius in (21.8, 14.0))
    plain, edges, given = (
        SetEnergy.start(scene, HistogramLikelihood(), 5.0, weight)
        for weight in (None, "contrast", np.where(disc, 0.5, 2.0))
    )
    length = on_edge.boundary(lambda points, normals: np.ones(points.shape[:-1]))
    assert on_edge.boundary(plain.boundary_cost) == pytest.approx(CONVEX_SHARE * 5 * length)
    assert on_edge.boundary(edges.boundary_cost) < 0.3 * on_edge.boundary(plain.boundary_cost)
    assert off_edge.boundary(edges.boundary_cost) > 0.6 * off_edge.boundary(plain.boundary_cost)
    assert off_edge.boundary(given.boundary_cost) == pytest.approx(0.5 * off_edge.boundary(plain.boundary_cost))


def test_no_boundary_is_paid_for_where_the_problem_ends(two_blobs):
    image, scribbles, _ = two_blobs
    scribbles = scribbles.copy()
    scribbles[:, 70:] = -1
    energy = SetEnergy.start(prepare(image, scribbles), HistogramLikelihood(), 5.0, None)
    beside, apart = np.array([[40.0, 70.0], [40.0, 69.0]]), np.array([[40.0, 66.0]])
    assert not energy.boundary_cost(beside, np.array([[0.0, 1.0]] * 2)).any()
    assert energy.boundary_cost(apart, np.array([[0.0, 1.0]])) == pytest.approx(CONVEX_SHARE * 5)


def test_costs_are_resampled_to_any_grid(two_blobs):
    image, scribbles, disc = two_blobs
    energy = SetEnergy.start(prepare(image, scribbles), HistogramLikelihood(), 5.0, None).refit(disc.astype(int))
    costs = energy.resampled_costs((90, 120))
    assert (costs[1] - costs[0]) == pytest.approx(odds(energy), abs=1e-6)
    assert (costs.min(axis=0) == 0).all()
    finer = energy.resampled_costs((180, 240))
    assert finer.shape == (2, 180, 240)
    assert ((finer[1] < finer[0]) == np.kron(costs[1] < costs[0], np.ones((2, 2)))).mean() > 0.97


def test_a_masks_outline_runs_between_pixels_and_not_along_the_border():
    mask = np.zeros((30, 40), bool)
    mask[10:20, 5:25] = True

    def length(points, normals):
        return np.ones(points.shape[:-1])

    # The corners are cut by half a pixel.
    expected = 2 * (9 + 19) + 4 * 0.5**0.5
    assert mask_outline(mask, mask.shape).boundary(length) == pytest.approx(expected)
    assert mask_outline(mask, (15, 20)).boundary(length) == pytest.approx(expected / 2)
    np.testing.assert_array_equal(mask_outline(mask, mask.shape).mask, mask)
    mask[:] = np.arange(40) < 25
    assert mask_outline(mask, mask.shape).boundary(length) == pytest.approx(30, abs=0.2)


def test_an_arrangement_of_its_own_labels_has_the_value_of_the_sets(two_blobs):
    image, scribbles, _ = two_blobs
    energy = SetEnergy.start(prepare(image, scribbles), HistogramLikelihood(), 5.0, None)
    again = energy.arrangement_of(SQUARE.mask.astype(int), [1])
    np.testing.assert_array_equal(again.index, SQUARE.mask)
    # But for the corners, as above.
    apart = CONVEX_SHARE * 5.0 * (4 - 4 * 0.5**0.5)
    assert energy.value(alone(SQUARE)) - energy.value(again) == pytest.approx(apart, rel=1e-3)
