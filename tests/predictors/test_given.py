"""Maps from elsewhere: every form of one map is the same map, scribbles hold, and nothing is learnt."""

import numpy as np
import pytest

from varconvex import project, segment
from varconvex.errors import InvalidImageError, InvalidParameterError
from varconvex.inputs import prepare
from varconvex.metrics import iou
from varconvex.predictors.energy import EnergyPredictor
from varconvex.predictors.given import GivenPredictor
from varconvex.shapes.convex import ConvexShape
from varconvex.unify import joint


def test_every_form_of_a_map_is_the_same_map(two_blobs, rng):
    image, scribbles, disc = two_blobs
    logits = np.where(disc, 2.0, -2.0) + rng.normal(size=disc.shape)
    probability = 1 / (1 + np.exp(-logits))
    forms = [GivenPredictor(logits, kind="logits"), GivenPredictor(probability)]
    one, two = (segment(image, scribbles, predictor=given, shape="convex") for given in forms)
    np.testing.assert_allclose(one.probability, two.probability, atol=1e-5)
    np.testing.assert_array_equal(one.labels, two.labels)
    masks = [GivenPredictor(disc), GivenPredictor(disc * np.uint8(255)), GivenPredictor(disc.astype(int))]
    labels = [segment(image, scribbles, predictor=given).labels for given in masks]
    for other in labels[1:]:
        np.testing.assert_array_equal(labels[0], other)
    np.testing.assert_array_equal(labels[0] == 2, disc)


def test_the_projection_is_that_of_project(two_blobs):
    image, scribbles, disc = two_blobs
    holed = disc.copy()
    holed[46:52, 30:50] = False
    result = segment(image, scribbles, predictor=GivenPredictor(holed), shape="convex")
    plain = project(holed, inside=scribbles == 2, outside=scribbles == 1)
    assert iou(result.mask, plain.mask) > 0.99
    assert iou(result.mask, disc) > iou(holed, disc)


def test_scribbles_are_held_against_the_map(two_blobs):
    image, scribbles, disc = two_blobs
    result = segment(image, scribbles, predictor=GivenPredictor(np.zeros_like(disc)))
    np.testing.assert_array_equal(result.mask, scribbles == 2)


def test_an_energy_smooths_it(two_blobs, rng):
    image, scribbles, disc = two_blobs
    noisy = disc ^ (rng.random(disc.shape) < 0.2)
    smooth = GivenPredictor(noisy, energy=EnergyPredictor(None, alpha=20.0))
    result = segment(image, scribbles, predictor=smooth)
    assert iou(result.mask, disc) > 0.95 > iou(noisy, disc)
    assert result.relative_gap <= 1e-3


def test_joint_has_nothing_to_teach_it(two_blobs):
    image, scribbles, disc = two_blobs
    found = joint(GivenPredictor(disc), {1: ConvexShape()}, prepare(image, scribbles))
    assert found.objective == ()
    once = segment(image, scribbles, predictor=GivenPredictor(disc), shape="convex", random_state=0)
    np.testing.assert_array_equal(found.index == 1, once.mask)


@pytest.mark.parametrize(
    ("given", "kind", "error", "match"),
    [
        (None, "probability", InvalidParameterError, "needs its map; got none"),
        (np.full((90, 120), 1.5), "probability", InvalidImageError, r"probabilities in \[0, 1\]"),
        (np.full((90, 120), np.nan), "logits", InvalidImageError, "given must be finite"),
        (np.arange(90 * 120).reshape(90, 120), "probability", InvalidImageError, "a mask with 0 and one other value"),
        (np.zeros((90, 120)), "odds", InvalidParameterError, "kind must be one of"),
    ],
)
def test_maps_are_judged(given, kind, error, match):
    with pytest.raises(error, match=match):
        GivenPredictor(given, kind=kind)


def test_a_map_of_another_size_and_a_bare_name(two_blobs):
    image, scribbles, _ = two_blobs
    with pytest.raises(InvalidImageError, match=r"given must have the image's spatial shape \(90, 120\)"):
        segment(image, scribbles, predictor=GivenPredictor(np.zeros((9, 12))))
    with pytest.raises(InvalidParameterError, match="needs its map"):
        segment(image, scribbles, predictor="given")
