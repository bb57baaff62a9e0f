"""Other objects of the same kind in the background, one-sided strokes, and the defaults that follow from them."""

import numpy as np
import pytest

from varconvex import segment
from varconvex.inputs import prepare
from varconvex.metrics import iou
from varconvex.predictors.energy import EnergyPredictor
from varconvex.predictors.others import count_others, shares_of, with_others

ROWS, COLUMNS = np.mgrid[:120, :120]


def disc(row, column, radius):
    return np.hypot(ROWS - row, COLUMNS - column) <= radius


def noisy(rng, mask, sigma=0.1):
    """The mask in red on blue, 8-bit, with noise."""
    image = np.where(mask[..., None], (0.8, 0.3, 0.2), (0.2, 0.4, 0.7)) + sigma * rng.normal(size=(*mask.shape, 3))
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


@pytest.fixture
def coins(rng):
    """Nine equal discs close to each other, one stroke in the middle one and one beside it: image, scribbles, truth."""
    places = [(row, column) for row in (22, 60, 98) for column in (22, 60, 98)]
    image = noisy(rng, np.any([disc(*place, 17) for place in places], axis=0))
    scribbles = np.zeros(ROWS.shape, int)
    scribbles[56:64, 56:64] = 2
    scribbles[40:42, 40:42] = 1
    return image, scribbles, disc(60, 60, 17)


def test_densities_are_those_of_the_mixture(rng):
    p = rng.uniform(0.01, 1, (3, 4, 5))
    shares = np.array([0.2, 0.5])
    found = np.exp(-with_others(-np.log(p), shares))
    np.testing.assert_allclose(found[0], 0.3 * p[0] + 0.2 * p[1] + 0.5 * p[2])
    np.testing.assert_allclose(found[1:], p[1:])
    # Likeness to an object is evidence of log 1/pi_k at most.
    assert (np.log(found[1:] / found[0]) <= np.log(1 / shares)[:, None, None] + 1e-12).all()
    assert np.array_equal(with_others(p, np.zeros(2)), p)


def test_one_of_n_and_one_objects_alike():
    assert shares_of([0]) == shares_of([1]) == 0
    assert shares_of([2]) == pytest.approx(2 / 3)
    assert shares_of([3, 0]) == pytest.approx([3 / 8, 0])
    assert shares_of([1000, 1000]).sum() < 1


def test_parts_are_counted_by_size_and_distance():
    mask = disc(60, 60, 15)
    equal, small, rim = disc(20, 20, 15) | disc(100, 100, 12), disc(20, 100, 3), disc(60, 60, 17)
    assert count_others(mask, mask, mask | equal | small | rim) == 2
    assert count_others(mask, mask | equal, mask | equal) == 0
    assert count_others(np.zeros_like(mask), mask, equal) == 0


def test_one_coin_among_many_is_one_coin(coins):
    image, scribbles, truth = coins
    result = segment(image, scribbles, shape="convex")
    assert result.certificate
    assert iou(result.mask, truth) > 0.95


def test_an_object_without_others_has_none(rng):
    truth = disc(60, 60, 30)
    scribbles = np.zeros(ROWS.shape, int)
    scribbles[50:70, 58:62], scribbles[5:8] = 2, 1
    scene = prepare(noisy(rng, truth), scribbles)
    energy = EnergyPredictor(likelihood=_likelihood(), alpha=30.0).set_energy(scene)
    shares = energy.others(energy.arrangement_of(truth.astype(int), [1]))
    assert not shares.any()


def test_others_are_counted_outside_of_the_set(coins):
    image, scribbles, truth = coins
    energy = EnergyPredictor(likelihood=_likelihood(), alpha=30.0).set_energy(prepare(image, scribbles))
    shares = energy.others(energy.arrangement_of(truth.astype(int), [1]))
    assert shares == pytest.approx([8 / 9])
    costs = energy.with_others(shares).costs
    plain = energy.costs
    assert (costs[0] - costs[1]).max() == pytest.approx(np.log(9 / 8), abs=1e-4)
    assert (plain[0] - plain[1]).max() > 1


@pytest.mark.parametrize("side", ["top", "left", "corner"])
def test_strokes_on_one_side_only(rng, side):
    truth = disc(60, 60, 38)
    scribbles = np.zeros(ROWS.shape, int)
    scribbles[56:64, 56:64] = 2
    scribbles[{"top": np.s_[:6], "left": np.s_[:, :4], "corner": np.s_[:16, :16]}[side]] = 1
    for unify in ("joint", "sequential"):
        assert iou(segment(noisy(rng, truth), scribbles, shape="convex", unify=unify).mask, truth) > 0.97


def test_a_projection_is_that_of_the_part_with_the_stroke(rng):
    stroked, other = disc(30, 30, 20), disc(85, 85, 25)
    scribbles = np.zeros(ROWS.shape, int)
    scribbles[26:34, 26:34], scribbles[30:34, 90:94] = 2, 1
    image = noisy(rng, stroked | other, 0.02)
    result = segment(image, scribbles, shape="convex", unify="sequential")
    assert (result.unconstrained == 2)[85, 85]
    assert iou(result.mask, stroked) > 0.95


def test_defaults(coins):
    image, scribbles, _ = coins
    same = [
        ({"shape": "convex"}, {"shape": "convex", "unify": "joint"}),
        ({"shape": {2: None}}, {"unify": "sequential"}),
        ({}, {"unify": "sequential", "components": "scribbled"}),
    ]
    for given, meant in same:
        assert np.array_equal(segment(image, scribbles, **given).labels, segment(image, scribbles, **meant).labels)
    parts = segment(image, scribbles), segment(image, scribbles, components="all")
    assert parts[0].mask.sum() < parts[1].mask.sum() / 5


def _likelihood():
    from varconvex.likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood

    return NieuwenhuisCremersLikelihood()
