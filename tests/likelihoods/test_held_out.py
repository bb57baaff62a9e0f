"""Features enter only as far as strokes held back say so: in the likelihood, in networks, in classifiers."""

import logging

import numpy as np
import pytest

from varconvex import FcnPredictor, InvalidParameterError, NieuwenhuisCremersLikelihood, Session, segment
from varconvex.errors import DataTermWarning
from varconvex.extractors import Features
from varconvex.inputs import prepare
from varconvex.likelihoods.held_out import in_spreads, kernel_losses, loss, parts, weighed
from varconvex.metrics import iou


@pytest.fixture
def hidden(rng):
    """A disc that has the colours of its surround, crossing strokes, and a feature that tells them apart."""
    rows, columns = np.mgrid[:60, :80]
    disc = np.hypot(rows - 30, columns - 40) < 20
    image = 0.5 + 0.05 * rng.random((60, 80, 3))
    image[0, 0], image[0, 1] = 0, 1
    scribbles = np.zeros(disc.shape, int)
    scribbles[30, 24:57], scribbles[14:47, 40] = 2, 2
    scribbles[4:6, 4:76], scribbles[54:56, 4:76], scribbles[4:56, 4:6], scribbles[4:56, 74:76] = 1, 1, 1, 1
    telling = disc + 0.05 * rng.normal(size=disc.shape)
    return image, scribbles, disc, telling


def said(caplog):
    return [text for text in caplog.messages if text.startswith("features")]


def test_noise_does_not_change_the_mask(hidden, rng, caplog):
    image, scribbles, _, _ = hidden
    noise = rng.normal(size=(60, 80, 8))
    caplog.set_level(logging.INFO, "varconvex")
    plain = segment(image, scribbles)
    found = segment(image, scribbles, features=noise)
    np.testing.assert_array_equal(found.labels, plain.labels)
    assert said(caplog)[0].startswith("features left out of the likelihood: strokes held back have")
    assert "features" in found.seconds
    always = segment(image, scribbles, features=Features(noise, always=True))
    assert (always.costs != plain.costs).any()


def test_features_that_tell_are_used(hidden, caplog):
    image, scribbles, disc, telling = hidden
    caplog.set_level(logging.INFO, "varconvex")
    plain, found = (segment(image, scribbles, features=f) for f in (None, telling))
    assert iou(found.mask, disc) > 0.9 > iou(plain.mask, disc)
    assert "taken into the likelihood" in said(caplog)[0]
    assert "beside colours: kernels of" in said(caplog)[1]
    convex = segment(image, scribbles, features=telling[..., None], shape="convex", unify="sequential")
    assert convex.certificate
    assert iou(convex.mask, disc) > 0.9


def test_joint_unification_leaves_them_to_networks_and_says_so(hidden):
    image, scribbles, _, telling = hidden
    plain, taken = (
        segment(image, scribbles, shape="convex", features=f) for f in (None, Features(telling, always=True))
    )
    with pytest.warns(DataTermWarning, match="joint unification leaves them out"):
        left = segment(image, scribbles, shape="convex", features=telling)
    np.testing.assert_array_equal(left.labels, plain.labels)
    assert (taken.costs != plain.costs).any()


def test_scale_and_offset_of_features_do_not_matter(hidden):
    image, scribbles, _, telling = hidden
    one, two = (segment(image, scribbles, features=f) for f in (telling, 1e3 * telling - 7))
    np.testing.assert_array_equal(one.labels, two.labels)


def test_the_loss_is_that_of_the_likelihood(hidden):
    """The kernels by themselves, pixel by pixel, against the likelihood's own costs on the same rest of the strokes."""
    image, scribbles, _, telling = hidden
    thin = np.zeros_like(scribbles)
    thin[30, 24:56:2], thin[4, 4:68:2] = 2, 1
    scene = prepare(image, thin)
    unit = in_spreads(telling[..., None], scene.valid)
    likelihood = NieuwenhuisCremersLikelihood(clip=3.0)
    beside = weighed(scene, telling[..., None], likelihood, always=True)
    width = 0.1 * float(np.std(unit) / np.std(beside.features))
    (found,) = kernel_losses(scene, unit, likelihood, (width,))
    pieces = [parts(scene, np.flatnonzero(scene.seeds == k)) for k in (1, 2)]
    losses = []
    for turn in range(4):
        seeds = scene.seeds.copy().ravel()
        seeds[np.concatenate([cut[turn] for cut in pieces])] = 0
        costs = likelihood.costs(beside.with_seeds(seeds.reshape(scene.seeds.shape), scene.labels)).reshape(2, -1)
        odds = np.log(np.exp(-costs.astype(float)).sum(axis=0))
        losses += [np.mean((costs[k] + odds)[pieces[k][turn]]) for k in (0, 1)]
    assert found == pytest.approx(np.mean(losses), rel=1e-3)


def test_pieces_are_compact_and_each_pixel_is_in_one(hidden):
    scene = prepare(hidden[0], hidden[1])
    mine = np.flatnonzero(scene.seeds == 2)
    cut = parts(scene, mine)
    np.testing.assert_array_equal(np.sort(np.concatenate(cut)), mine)
    spread = [np.ptp(np.transpose(np.unravel_index(piece, scene.seeds.shape)), axis=0).max() for piece in cut]
    assert max(spread) < 33  # of a cross of 33 pixels


def test_costs_that_know_the_truth_lose_nothing(hidden):
    image, scribbles, disc, _ = hidden
    scene = prepare(image, scribbles)
    sure = 50.0 * np.stack([disc, ~disc])
    assert loss(scene, lambda part: sure) == pytest.approx(np.log1p(np.exp(-3)))
    assert loss(scene, lambda part: sure[::-1]) == pytest.approx(3 + np.log1p(np.exp(-3)))
    assert loss(scene, lambda part: 0 * sure) == pytest.approx(np.log(2))


def test_networks_and_classifiers_leave_noise_out(hidden, rng):
    from sklearn.linear_model import LogisticRegression

    image, scribbles, disc, telling = hidden
    noise = rng.normal(size=(60, 80, 12))
    quick = {"members": 1, "steps": 60, "energy": None}
    plain = segment(image, scribbles, predictor=FcnPredictor("rgb", **quick))
    for given in (noise, Features(noise)):
        found = segment(image, scribbles, predictor=FcnPredictor("rgb+features", features=given, **quick))
        np.testing.assert_array_equal(found.labels, plain.labels)
    found = segment(image, scribbles, predictor=FcnPredictor("rgb", **quick), features=telling)
    assert iou(found.mask, disc) > 0.9 > iou(plain.mask, disc)
    bare, noisy, told = (
        segment(image, scribbles, predictor=LogisticRegression(), features=f) for f in (None, noise, telling)
    )
    np.testing.assert_array_equal(noisy.labels, bare.labels)
    assert iou(told.mask, disc) > 0.97


def test_a_session_has_them_too(hidden):
    image, scribbles, _, telling = hidden
    session = Session(image, features=telling)
    for label in (1, 2):
        session.add(scribbles == label, label)
    np.testing.assert_array_equal(session.result.labels, segment(image, scribbles, features=telling).labels)


def test_refusals(hidden):
    image, scribbles, disc, telling = hidden
    for given, match in (
        ({"likelihood": "histogram"}, "features need likelihood 'nieuwenhuis_cremers'"),
        ({"memory": "1G"}, "features must be None for an image on disk"),
    ):
        with pytest.raises(InvalidParameterError, match=match):
            segment(image, scribbles, features=telling, **given)
    from varconvex import GivenPredictor

    with pytest.raises(InvalidParameterError, match="features need predictor 'energy', 'fcn', 'cnn' or a classifier"):
        segment(image, scribbles, features=telling, predictor=GivenPredictor(disc.astype(float)))
