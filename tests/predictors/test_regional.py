"""Costs learnt from the regions of a mask, on images made so that only one of the two ways can tell them apart."""

import numpy as np
import pytest
from scipy.special import logsumexp

from varconvex.colour import features
from varconvex.inputs import prepare
from varconvex.predictors.appearance.regional import RegionalAppearance

ROWS, COLUMNS = np.mgrid[:80, :100]
DISC = np.hypot(ROWS - 40, COLUMNS - 50) < 24


def started(image, first=0.0):
    scribbles = np.zeros(DISC.shape, int)
    scribbles[38:42, 45:55], scribbles[3:5, 5:95] = 2, 1
    scene = prepare(image, scribbles)
    costs = np.stack([np.zeros(DISC.shape), np.full(DISC.shape, first)]).astype(np.float32)
    return scene, RegionalAppearance.start(scene, costs)


def odds(lengths):
    """Of the background against the object: a `RegionalAppearance`'s, or those of lengths of both."""
    lengths = getattr(lengths, "mixed", lengths)
    return lengths[1] - lengths[0]


def agreement(cost):
    return ((cost < 0) == DISC).mean()


def test_it_starts_with_what_the_strokes_say_and_never_forgets_it(rng):
    image = rng.random((*DISC.shape, 3))
    scene, start = started(image, first=3.0)
    np.testing.assert_array_equal(odds(start), 3.0)
    taught = start.learn(scene, DISC)
    other = RegionalAppearance.start(scene, np.zeros((2, *DISC.shape), np.float32)).learn(scene, DISC)
    np.testing.assert_allclose(odds(taught) - odds(other), 0.4 * 3.0, atol=1e-5)
    np.testing.assert_array_equal(odds(start), 3.0)


def test_both_sides_are_learnt_where_colours_differ(rng):
    image = np.where(DISC[..., None], (0.7, 0.3, 0.3), (0.3, 0.5, 0.3)) + rng.normal(scale=0.03, size=(*DISC.shape, 3))
    scene, start = started(image)
    assert agreement(odds(start.learn(scene, DISC))) > 0.99
    # A mask that is a little wrong is corrected.
    shifted = np.roll(DISC, 5, axis=1)
    assert agreement(odds(start.learn(scene, shifted))) > 0.98


def test_places_tell_what_colours_alone_cannot(rng):
    # Grey grows from left to right; the disc is everywhere a little lighter than what is beside it.
    grey = 0.1 + 0.006 * COLUMNS + 0.25 * DISC + rng.normal(scale=0.02, size=DISC.shape)
    scene, start = started(np.repeat(grey[..., None], 3, axis=-1))
    nearby, everywhere = odds(start.by_kernels(scene, DISC)), odds(start.by_mixtures(scene, DISC))
    assert agreement(nearby) > agreement(everywhere)
    assert agreement(nearby) > 0.85


def test_nearby_is_the_formula(rng):
    image = rng.random((*DISC.shape, 1))
    scene, start = started(image)
    radius = np.sqrt(DISC.sum() / np.pi)
    found = odds(start.by_kernels(scene, DISC))
    # Other samples of the same sides give the same odds, up to chance.
    from scipy.ndimage import distance_transform_edt

    sides = (~DISC & (distance_transform_edt(~DISC) < 2.5 * radius), DISC)
    colour = features(scene.image)[..., 0]
    places = rng.choice(DISC.size, 50)
    densities = []
    for side in sides:
        chosen = np.flatnonzero(side)
        away = (ROWS.ravel()[places, None] - ROWS.ravel()[chosen]) ** 2
        away = away + (COLUMNS.ravel()[places, None] - COLUMNS.ravel()[chosen]) ** 2
        kernel = -away / (2 * (0.6 * radius) ** 2)
        near = kernel - (colour.ravel()[places, None] - colour.ravel()[chosen]) ** 2 / (2 * 0.1**2)
        densities.append(np.log(0.97 * np.exp(logsumexp(near, axis=1) - logsumexp(kernel, axis=1)) + 0.03))
    assert np.abs(found.ravel()[places] - (densities[0] - densities[1])).mean() < 0.25


@pytest.mark.parametrize("mask", [np.ones_like(DISC), ROWS * COLUMNS == 40 * 50])
def test_one_side_may_be_all_but_empty(rng, mask):
    scene, start = started(rng.random((*DISC.shape, 3)))
    assert np.isfinite(start.learn(scene, mask).mixed).all()


def test_what_is_not_valid_teaches_nothing(rng):
    image = np.where(DISC[..., None], (0.7, 0.3, 0.3), (0.3, 0.5, 0.3)) + rng.normal(scale=0.03, size=(*DISC.shape, 3))
    image[30:35, 30:45] = np.nan
    scribbles = np.zeros(DISC.shape, int)
    scribbles[38:42, 45:55], scribbles[3:5, 5:95] = 2, 1
    scene = prepare(image, scribbles, nan_policy="mask")
    taught = RegionalAppearance.start(scene, np.zeros((2, *DISC.shape), np.float32)).learn(scene, DISC)
    assert (taught.mixed[:, 30:35, 30:45] == 0).all()
    assert agreement(np.where(scene.valid, odds(taught), np.where(DISC, -1, 1))) > 0.99
